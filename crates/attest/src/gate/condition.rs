//! What a predicate must say: a member, an operator, a literal.
//!
//! ```text
//! regression_detected == false
//! metrics.accuracy >= 0.9
//! providers[*].provider in ["north", "south"]
//! predicate.sensitivity excludes "secret"
//! ```
//!
//! Names are members of the type's own part; behind `predicate.` they are those that all types have.
//! The type's table is asked when the policy is read: a member that no statement can have, or a literal
//! that its member never equals, is an error of the policy and no gate that is always shut or open.

use std::fmt;

use seal::json::Value;

use crate::shape::{Decimal, Field, Shape};
use crate::statement::{COMMON, Statement};
use crate::types::Type;

/// A condition on a predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    text: String,
    /// Among the members that all types have.
    common: bool,
    steps: Vec<Step>,
    operator: Operator,
    literals: Vec<Literal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    /// Every item, of which there is one at least.
    Every,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Contains,
    Excludes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Literal {
    Bool(bool),
    Number(Decimal),
    Text(String),
}

/// Longest condition, characters.
const LONGEST: usize = 1024;

impl Condition {
    /// Reads a condition on statements of a type; what is wrong with it, else.
    pub fn parse(text: &str, kind: &Type) -> Result<Condition, String> {
        if text.chars().count() > LONGEST {
            return Err("is longer than 1,024 characters".into());
        }
        let mut tokens = tokens(text)?.into_iter().peekable();
        let mut steps = Vec::new();
        loop {
            match tokens.next() {
                Some(Token::Word(name)) => steps.push(Step::Member(name)),
                // A member whose name is no word, such as "f1.macro".
                Some(Token::Text(name)) => steps.push(Step::Member(name)),
                _ => return Err("does not begin with the name of a member".into()),
            }
            if tokens.next_if_eq(&Token::Every).is_some() {
                steps.push(Step::Every);
            }
            if tokens.next_if_eq(&Token::Dot).is_none() {
                break;
            }
        }
        let operator = match tokens.next() {
            Some(Token::Operator(operator)) => operator,
            Some(Token::Word(word)) => match word.as_str() {
                "in" => Operator::In,
                "contains" => Operator::Contains,
                "excludes" => Operator::Excludes,
                _ => return Err(format!("{word:?} is no operator")),
            },
            _ => return Err("has no operator: == != < <= > >= in contains excludes".into()),
        };
        let literal = |token: Option<Token>| match token {
            Some(Token::Text(text)) => Ok(Literal::Text(text)),
            Some(Token::Word(word)) if word == "true" => Ok(Literal::Bool(true)),
            Some(Token::Word(word)) if word == "false" => Ok(Literal::Bool(false)),
            Some(Token::Number(number)) => Ok(Literal::Number(number)),
            _ => {
                Err("ends without a literal: true, false, a decimal number or \"text\"".to_owned())
            }
        };
        let mut literals = Vec::new();
        if operator == Operator::In {
            if tokens.next() != Some(Token::Open) {
                return Err("has no list behind in, such as [\"a\", \"b\"]".into());
            }
            loop {
                literals.push(literal(tokens.next())?);
                match tokens.next() {
                    Some(Token::Comma) => {}
                    Some(Token::Close) => break,
                    _ => return Err("has a list without an end".into()),
                }
            }
        } else {
            literals.push(literal(tokens.next())?);
        }
        if tokens.next().is_some() {
            return Err("has more behind its literal; write two conditions".into());
        }
        let common = steps.len() > 1 && steps[0] == Step::Member("predicate".into());
        if common {
            steps.remove(0);
        }
        let fields = if common { COMMON } else { kind.fields };
        let condition = Condition { text: text.trim().into(), common, steps, operator, literals };
        condition.suits(fields)?;
        Ok(condition)
    }

    /// Whether it holds of a statement; why not, else.
    pub fn holds(&self, statement: &Statement) -> Result<(), String> {
        if !self.common {
            return self.walk(&statement.own, &self.steps, "");
        }
        let whole = statement.to_value();
        self.walk(whole.get("predicate").unwrap_or(&Value::Null), &self.steps, "predicate")
    }

    fn walk(&self, value: &Value, steps: &[Step], place: &str) -> Result<(), String> {
        match steps.split_first() {
            None => self.compare(value).map_err(|is| format!("{place} {is}")),
            Some((Step::Member(name), rest)) => {
                let dot = if place.is_empty() { "" } else { "." };
                let place = format!("{place}{dot}{name}");
                match value.get(name) {
                    Some(inner) => self.walk(inner, rest, &place),
                    None => Err(format!("there is no {place}")),
                }
            }
            Some((Step::Every, rest)) => {
                let items: Vec<(String, &Value)> = match value {
                    Value::Array(items) => {
                        items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
                    }
                    Value::Object(members) => {
                        members.iter().map(|(name, item)| (name.clone(), item)).collect()
                    }
                    _ => Vec::new(),
                };
                if items.is_empty() {
                    return Err(format!("{place} has no entries"));
                }
                items
                    .into_iter()
                    .try_for_each(|(name, item)| self.walk(item, rest, &format!("{place}[{name}]")))
            }
        }
    }

    /// Compares; what the value is, where it does not hold.
    fn compare(&self, value: &Value) -> Result<(), String> {
        let is = || format!("is {}", shown(value));
        let one = |literal: &Literal| equal(literal, value);
        let first = self.literals.first();
        let order = || match first {
            Some(Literal::Number(wanted)) => Some(number(value)?.cmp(wanted)),
            _ => None,
        };
        let holds = match self.operator {
            Operator::Equal => first.is_some_and(one),
            Operator::Unequal => first.is_some_and(|literal| !one(literal)),
            Operator::In => self.literals.iter().any(one),
            Operator::Less => order().is_some_and(|order| order.is_lt()),
            Operator::AtMost => order().is_some_and(|order| order.is_le()),
            Operator::More => order().is_some_and(|order| order.is_gt()),
            Operator::AtLeast => order().is_some_and(|order| order.is_ge()),
            Operator::Contains | Operator::Excludes => {
                let items = value.as_array().ok_or_else(is)?;
                let has =
                    items.iter().any(|item| first.is_some_and(|literal| equal(literal, item)));
                has == (self.operator == Operator::Contains)
            }
        };
        if holds { Ok(()) } else { Err(is()) }
    }

    /// Whether statements of these fields can have the member, and it can be compared so.
    fn suits(&self, fields: &'static [Field]) -> Result<(), String> {
        let mut shape = Shape::Object(fields);
        for step in &self.steps {
            shape = match (step, shape) {
                (Step::Member(name), Shape::Object(fields)) => {
                    let field = fields.iter().find(|field| field.name == name);
                    let known =
                        || fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
                    field
                        .ok_or_else(|| format!("{name:?} is no member; there are {}", known()))?
                        .shape
                }
                (Step::Member(_), Shape::Map(inner, _)) => *inner,
                (Step::Member(name), Shape::List(..)) => {
                    return Err(format!("{name:?} is looked for in a list; write [*] before it"));
                }
                (Step::Every, Shape::List(inner, _) | Shape::Map(inner, _)) => *inner,
                (Step::Every, _) => return Err("has [*] behind what is no list".into()),
                (Step::Member(name), _) => {
                    return Err(format!("{name:?} is looked for in no object"));
                }
            };
        }
        match (self.operator, shape) {
            (Operator::Contains | Operator::Excludes, Shape::List(inner, _)) => shape = *inner,
            (Operator::Contains | Operator::Excludes, _) => {
                return Err("asks what is no list for what it contains".into());
            }
            _ => {}
        }
        let ordered = matches!(
            self.operator,
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast
        );
        for literal in &self.literals {
            let fit = match (shape, literal) {
                (Shape::Bool, Literal::Bool(_)) => !ordered,
                (Shape::Decimal | Shape::Count, Literal::Number(_)) => true,
                (Shape::OneOf(all), Literal::Text(text)) => {
                    if !all.contains(&text.as_str()) {
                        return Err(format!("{text:?} is none of {}", all.join(", ")));
                    }
                    !ordered
                }
                (
                    Shape::Text
                    | Shape::Is(_)
                    | Shape::Time
                    | Shape::Sha256
                    | Shape::Uuid
                    | Shape::Purl,
                    Literal::Text(_),
                ) => !ordered,
                _ => false,
            };
            if !fit {
                return Err("compares a member with what it never is".into());
            }
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn equal(literal: &Literal, value: &Value) -> bool {
    match (literal, value) {
        (Literal::Bool(wanted), Value::Bool(is)) => wanted == is,
        (Literal::Number(wanted), value) => number(value) == Some(*wanted),
        (Literal::Text(wanted), Value::String(is)) => wanted == is,
        _ => false,
    }
}

/// Measured numbers are decimal texts, counts are integers.
fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => Decimal::parse(text),
        Value::Int(number) => Decimal::parse(&number.to_string()),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Bool(is) => is.to_string(),
        Value::Int(number) => number.to_string(),
        Value::String(text) => format!("{:?}", text.chars().take(64).collect::<String>()),
        Value::Array(items) => format!("a list of {}", items.len()),
        _ => "no plain value".into(),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Number(Decimal),
    Operator(Operator),
    Dot,
    /// `[*]`.
    Every,
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    while let Some(first) = rest.chars().next() {
        const SIGNS: [(&str, Token); 11] = [
            ("[*]", Token::Every),
            ("==", Token::Operator(Operator::Equal)),
            ("!=", Token::Operator(Operator::Unequal)),
            ("<=", Token::Operator(Operator::AtMost)),
            (">=", Token::Operator(Operator::AtLeast)),
            ("<", Token::Operator(Operator::Less)),
            (">", Token::Operator(Operator::More)),
            ("[", Token::Open),
            ("]", Token::Close),
            (",", Token::Comma),
            (".", Token::Dot),
        ];
        let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
        let length = if let Some((sign, token)) = sign {
            found.push(token.clone());
            sign.len()
        } else if first == '"' {
            let (value, length) = quoted(rest)?;
            found.push(Token::Text(value));
            length
        } else if first.is_ascii_digit() || first == '-' {
            let end = |c: char| !c.is_ascii_digit() && c != '.' && c != '-' && !word(c);
            let length = rest.find(end).unwrap_or(rest.len());
            let number = rest.get(..length).and_then(Decimal::parse);
            found.push(Token::Number(
                number.ok_or("has a number that is no decimal, such as 0.95")?,
            ));
            length
        } else if word(first) {
            let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
            found.push(Token::Word(rest.chars().take(length).collect()));
            length
        } else {
            return Err(format!("has {first:?}, which means nothing here"));
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(found)
}

/// A text in double quotes, with `\"` and `\\`, and how many bytes it takes.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, at + 1)),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                _ => return Err("has a backslash before what needs none".into()),
            },
            c => value.push(c),
        }
    }
    Err("has a text without an end".into())
}
