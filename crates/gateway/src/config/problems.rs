//! Everything that is wrong with a configuration file, not only what the reader met first. Each
//! value is read again in a file of its own, so that one rule decides about it here and at a start.

use std::fmt;

use seal::json::{Value, write_plain};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::keys::Kind;
use super::{Config, ConfigError};

/// What is wrong, and on which line; 0 where it is the file as a whole.
#[derive(Debug)]
pub struct Problem {
    /// Counted from 1, or 0.
    pub line: u64,
    /// What is wrong there.
    pub error: ConfigError,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.error.to_string();
        match self.line {
            0 => formatter.write_str(&said),
            line if said.contains(&format!("line {line}")) => formatter.write_str(&said),
            line => write!(formatter, "line {line}: {said}"),
        }
    }
}

/// All problems of a text that `failed` to be read, in the order of their lines. There is always
/// one: `failed`, where taking the file apart shows no more than that.
pub(super) fn problems(text: &str, failed: ConfigError) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Ok(Tree::Map(members)) =
        serde_saphyr::from_str_with_options::<Tree>(text, super::read::options())
    {
        judge(&mut Vec::new(), &members, &mut found);
    }
    if found.is_empty() {
        found.push(Problem { line: 0, error: failed });
    }
    found.sort_by_key(|problem| problem.line);
    found.truncate(MOST);
    found
}

/// Refuses numbers and flags between quotes: the reader of the structs takes them, the schema and
/// other readers do not.
pub(super) fn unquoted(text: &str) -> Result<(), ConfigError> {
    match serde_saphyr::from_str_with_options::<Tree>(text, super::read::options()) {
        Ok(Tree::Map(members)) => quoted(&mut Vec::new(), &members).map_or(Ok(()), Err),
        Ok(Tree::Leaf(_)) | Err(_) => Ok(()),
    }
}

fn quoted(path: &mut Vec<String>, members: &[(Spanned<String>, Tree)]) -> Option<ConfigError> {
    members.iter().find_map(|(key, below)| {
        path.push(key.value.clone());
        let kind = super::keys::find(&path.join(".")).map(|key| key.kind);
        let wrong = |what| {
            let what = format!("expected {what}, without quotes");
            Some(ConfigError::Yaml { line: key.referenced.line(), what })
        };
        let found = match (kind, below) {
            (Some(Kind::Section), Tree::Map(members)) => quoted(path, members),
            (Some(Kind::Number { .. }), Tree::Leaf(Value::String(_))) => wrong("a whole number"),
            (Some(Kind::Flag), Tree::Leaf(Value::String(_))) => wrong("true or false"),
            _ => None,
        };
        path.pop();
        found
    })
}

/// So many problems are told; who has more has another file in mind.
const MOST: usize = 50;

/// YAML without a shape, with the lines of its keys.
#[derive(Debug)]
enum Tree {
    Leaf(Value),
    Map(Vec<(Spanned<String>, Tree)>),
}

fn judge(path: &mut Vec<String>, members: &[(Spanned<String>, Tree)], found: &mut Vec<Problem>) {
    for (key, below) in members {
        let line = key.referenced.line();
        path.push(key.value.clone());
        let alone = match below {
            Tree::Map(members) if !members.is_empty() && section(path) => {
                judge(path, members, found);
                Ok(())
            }
            below => alone(path, &value(below)),
        };
        path.pop();
        if let Err(error) = alone {
            // It was found on the only line of a file of its own.
            let error = match error {
                ConfigError::UnknownKey { key, nearest, .. } => {
                    ConfigError::UnknownKey { line, key, nearest }
                }
                ConfigError::Yaml { what, .. } => ConfigError::Yaml { line, what },
                other => other,
            };
            found.push(Problem { line, error });
        }
    }
}

/// Whether keys stand below: what is no section is judged as a whole.
fn section(path: &[String]) -> bool {
    let path = path.join(".");
    super::keys::find(&path).is_some_and(|key| key.kind == Kind::Section)
}

/// Reads the value in a file that has nothing else but what its section needs.
fn alone(path: &[String], value: &Value) -> Result<(), ConfigError> {
    let mut document = value.clone();
    for (depth, key) in path.iter().enumerate().rev() {
        let mut members = vec![(key.clone(), document)];
        if depth == 1 && path[0] == "upstream" && key != "url" {
            members.push(("url".to_owned(), "http://localhost/v1".into()));
        }
        document = Value::Object(members);
    }
    Config::parse(&write_plain(&document)).map(|_| ())
}

fn value(tree: &Tree) -> Value {
    match tree {
        Tree::Leaf(value) => value.clone(),
        Tree::Map(members) => {
            let member = |(key, below): &(Spanned<String>, Tree)| (key.value.clone(), value(below));
            Value::Object(members.iter().map(member).collect())
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shapeless)
    }
}

struct Shapeless;

impl<'de> Visitor<'de> for Shapeless {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("YAML")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(flag.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Float(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element::<Tree>()? {
            all.push(value(&item));
        }
        Ok(Tree::Leaf(Value::Array(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry::<Spanned<String>, Tree>()? {
            members.push(member);
        }
        Ok(Tree::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let problems = Config::problems(text);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_problems_are_told_in_the_order_of_the_file() {
        let text = "listen: 0.0.0.0:1\nhosts: ['http://x']\nlimts: {}\nlimits:\n  body_bytes: 0\n  conections: 5\n  connections: many\nupstream:\n  url: http://a/v1\n  key: sk-secret-secret-secret\nevidence: {profile: loud}\nguard:\n  content:\n    rules: {CS-PII-004: burn}\n  tools: {allowed: 7}\n";
        let told = told(text);
        let expect = [
            (1, "not a loopback address"),
            (2, "not a host name"),
            (3, "unknown key `limts`; the nearest known one is `limits`"),
            (5, "limits.body_bytes must be between"),
            (6, "unknown key `conections`; the nearest known one is `connections`"),
            (7, "expected a whole number"),
            (11, "`loud` is none of full, sealed"),
            (14, "`burn` is none of"),
            (15, ""),
        ];
        assert_eq!(told.len(), expect.len(), "{told:#?}");
        for (said, (line, part)) in told.iter().zip(expect) {
            assert!(said.contains(&format!("line {line}:")) && said.contains(part), "{said}");
            assert!(!said.contains("sk-secret"), "{said}");
        }
    }

    #[test]
    fn there_is_a_problem_exactly_where_a_start_would_fail() {
        for (text, count) in [
            ("upstream: {url: 'http://a/v1'}", 0),
            ("upstream: {url: 'http://a/v1'}\nledger: {mode: '0640', group: '0'}", 0),
            ("upstream: {url: 'http://a/v1', name: 5}\nledger: {group: 0}", 2),
            ("", 1),
            ("hosts: [", 1),
            ("a: 1\na: 2", 1),
            ("[1]", 1),
            ("upstream: {name: x}", 1),
            ("upstream: {url: 'http://a/v1', key: pasted}\nguard: {token_budget: {per_day: 0}}", 2),
            ("upstream: {url: 'http://a/v1'}\nguard: {scope_drift: {chars_per_token: 0}}", 1),
        ] {
            assert_eq!(told(text).len(), count, "{text}: {:?}", told(text));
        }
    }
}
