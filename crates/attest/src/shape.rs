//! What a document may look like, as a table: one home for the strict reader and for the JSON Schema
//! that is published of it.

use seal::digest::Digest;
use seal::json::Value;
use seal::time::parse_rfc3339;

use crate::purl::{self, Purl};

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, for people who read the schema.
    pub about: &'static str,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Anything: what holds it says more.
    Any,
    /// Text of 1 to [`TEXT`] characters without control characters.
    Text,
    /// Any text, such as the content of a file.
    Content,
    /// Exactly this text.
    Is(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A decimal number as text, such as `-0.25`: at most 15 digits before the point and 9 behind.
    Decimal,
    /// An integer from 0 to 2^53 - 1.
    Count,
    /// `true` or `false`.
    Bool,
    /// A time as RFC 3339 in UTC, with `Z`.
    Time,
    /// 64 lower-case hexadecimal digits: a SHA-256.
    Sha256,
    /// A random UUID (RFC 9562) in its lower-case text.
    Uuid,
    /// A package URL, such as `pkg:huggingface/org/name@revision`.
    Purl,
    /// A list with so many items at least.
    List(&'static Shape, usize),
    /// An object of any names, such as those of metrics, with so many members at least.
    Map(&'static Shape, usize),
    /// An object of these members and no others.
    Object(&'static [Field]),
}

/// Longest text, characters.
pub const TEXT: usize = 4096;
/// Most items of a list, and most members of a map: a corpus of a hundred thousand documents, and its
/// other files.
pub const ITEMS: usize = 250_000;

/// A member that must be there.
pub const fn must(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, required: true, about }
}

/// A member that may be missing.
pub const fn may(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, required: false, about }
}

/// Where a document is not what it should be, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct Misfit {
    /// JSON Pointer.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

impl Shape {
    /// All that is wrong with `value`, which stands at `place` of its document (a JSON Pointer): the
    /// first [`MISFITS`].
    pub fn judge(self, value: &Value, place: &str) -> Vec<Misfit> {
        let mut found = Vec::new();
        self.look(value, &mut place.to_owned(), &mut found);
        found
    }

    fn look(self, value: &Value, place: &mut String, found: &mut Vec<Misfit>) {
        if found.len() >= MISFITS {
            return;
        }
        let length = place.len();
        match (self, value) {
            (Shape::Object(fields), Value::Object(members)) => {
                for field in fields {
                    match value.get(field.name) {
                        None if field.required => {
                            tell(found, place, format!("has no member {:?}", field.name));
                        }
                        None => {}
                        Some(inner) => {
                            step(place, field.name);
                            field.shape.look(inner, place, found);
                            place.truncate(length);
                        }
                    }
                }
                for (name, _) in members {
                    if !fields.iter().any(|field| field.name == name) {
                        tell(found, place, format!("has an unknown member {name:?}"));
                    }
                }
            }
            (Shape::Map(inner, least), Value::Object(members)) => {
                many(members.len(), least, place, found);
                for (name, value) in members.iter().take(ITEMS) {
                    step(place, name);
                    if !is_text(name) {
                        tell(found, place, "is no name");
                    }
                    inner.look(value, place, found);
                    place.truncate(length);
                }
            }
            (Shape::List(inner, least), Value::Array(items)) => {
                many(items.len(), least, place, found);
                for (at, value) in items.iter().take(ITEMS).enumerate() {
                    step(place, &at.to_string());
                    inner.look(value, place, found);
                    place.truncate(length);
                }
            }
            (Shape::Any, _)
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Content, Value::String(_)) => {}
            (Shape::Count, Value::Int(number))
                if (0..=seal::json::MAX_SAFE_INTEGER).contains(number) => {}
            (shape, Value::String(text)) if shape.takes(text) => {}
            (shape, _) => tell(found, place, format!("is not {}", shape.wanted())),
        }
    }

    fn takes(self, text: &str) -> bool {
        match self {
            Shape::Text => is_text(text),
            Shape::Is(one) => text == one,
            Shape::OneOf(all) => all.contains(&text),
            Shape::Decimal => Decimal::parse(text).is_some(),
            Shape::Time => is_time(text),
            Shape::Sha256 => Digest::from_hex(text).is_some(),
            Shape::Uuid => is_uuid(text),
            Shape::Purl => Purl::parse(text).is_ok(),
            _ => false,
        }
    }

    fn wanted(self) -> String {
        match self {
            Shape::Any => "anything".into(),
            Shape::Text => format!("text of 1 to {TEXT} characters"),
            Shape::Content => "text".into(),
            Shape::Is(one) => format!("{one:?}"),
            Shape::OneOf(all) => format!("one of {}", all.join(", ")),
            Shape::Decimal => "a decimal number as text, such as \"0.95\"".into(),
            Shape::Count => "a whole number from 0 on".into(),
            Shape::Bool => "true or false".into(),
            Shape::Time => "a UTC time as RFC 3339, such as 2026-11-20T00:00:00Z".into(),
            Shape::Sha256 => "64 lower-case hexadecimal digits".into(),
            Shape::Uuid => "a random UUID in lower case".into(),
            Shape::Purl => "a package URL, such as pkg:huggingface/org/name@revision".into(),
            Shape::List(..) => "a list".into(),
            Shape::Map(..) | Shape::Object(_) => "an object".into(),
        }
    }

    /// The JSON Schema (draft 2020-12) of the same.
    pub fn schema(self) -> Value {
        match self {
            Shape::Any => Value::Object(Vec::new()),
            Shape::Text => Value::object([
                ("type", Value::from("string")),
                ("minLength", 1u32.into()),
                ("maxLength", TEXT.into()),
                ("not", without(CONTROL)),
            ]),
            Shape::Content => Value::object([("type", Value::from("string"))]),
            Shape::Is(one) => Value::object([("const", one)].map(|(k, v)| (k, v.into()))),
            Shape::OneOf(all) => Value::object([("enum", Value::array(all.iter().copied()))]),
            Shape::Decimal => pattern("^-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,9})?$"),
            Shape::Count => Value::object([
                ("type", Value::from("integer")),
                ("minimum", 0u32.into()),
                ("maximum", seal::json::MAX_SAFE_INTEGER.into()),
            ]),
            Shape::Bool => Value::object([("type", Value::from("boolean"))]),
            Shape::Time => {
                let mut schema = pattern(TIME);
                if let Value::Object(members) = &mut schema {
                    members.push(("format".into(), "date-time".into()));
                }
                schema
            }
            Shape::Sha256 => pattern("^[0-9a-f]{64}$"),
            Shape::Uuid => {
                pattern("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
            }
            Shape::Purl => {
                let mut schema = pattern(PURL);
                if let Value::Object(members) = &mut schema {
                    members.push(("maxLength".into(), purl::LIMIT.into()));
                }
                schema
            }
            Shape::List(inner, least) => Value::object([
                ("type", Value::from("array")),
                ("items", inner.schema()),
                ("minItems", least.into()),
                ("maxItems", ITEMS.into()),
            ]),
            Shape::Map(inner, least) => Value::object([
                ("type", Value::from("object")),
                ("propertyNames", Shape::Text.schema()),
                ("additionalProperties", inner.schema()),
                ("minProperties", least.into()),
                ("maxProperties", ITEMS.into()),
            ]),
            Shape::Object(fields) => {
                let properties = fields.iter().map(|field| {
                    let mut schema = field.shape.schema();
                    if let Value::Object(members) = &mut schema {
                        members.insert(0, ("description".into(), field.about.into()));
                    }
                    (field.name.to_owned(), schema)
                });
                let required = fields.iter().filter(|field| field.required).map(|field| field.name);
                Value::object([
                    ("type", Value::from("object")),
                    ("properties", Value::Object(properties.collect())),
                    ("required", Value::array(required)),
                    ("additionalProperties", false.into()),
                ])
            }
        }
    }
}

/// Patterns here are read alike by all engines: `$` stands before a last line feed in some of them, so
/// that control characters are forbidden by themselves.
fn pattern(pattern: &str) -> Value {
    Value::object([
        ("type", Value::from("string")),
        ("pattern", pattern.into()),
        ("not", without(CONTROL)),
    ])
}

fn without(pattern: &str) -> Value {
    Value::object([("pattern", pattern)].map(|(k, v)| (k, v.into())))
}

const CONTROL: &str = "[\\x00-\\x1f\\x7f-\\x9f]";

/// What qualifiers may be, and that no segment is empty behind its `%`, says the reader.
const PURL: &str = "^[Pp][Kk][Gg]:/*[A-Za-z][A-Za-z0-9.-]*/([^%\\s]|%[0-9A-Fa-f]{2})+$";

/// RFC 3339 in UTC, from 1970 on. Which days a month has says the format `date-time`.
const TIME: &str = "^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T\
    ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$";

/// So many faults of a document are told.
pub const MISFITS: usize = 32;

fn tell(found: &mut Vec<Misfit>, place: &str, why: impl Into<String>) {
    found.push(Misfit { place: place.to_owned(), why: why.into() });
}

fn step(place: &mut String, name: &str) {
    place.push('/');
    place.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

fn many(count: usize, least: usize, place: &str, found: &mut Vec<Misfit>) {
    if count < least {
        tell(found, place, format!("has {count} entries, {least} are needed"));
    }
    if count > ITEMS {
        tell(found, place, format!("has more than {ITEMS} entries"));
    }
}

pub(crate) fn is_text(text: &str) -> bool {
    let short = text.len() <= TEXT || text.chars().count() <= TEXT;
    !text.is_empty() && short && !text.chars().any(char::is_control)
}

fn is_time(text: &str) -> bool {
    // RFC 3339 has a note on spaces and small letters; here a time has one spelling.
    text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z') && parse_rfc3339(text).is_some()
}

/// Version 4, variant 10, lower case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
        })
}

/// A decimal number, exact: billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(pub i128);

/// Billionths of one.
pub const ONE: i128 = 1_000_000_000;

impl Decimal {
    /// Reads `-12.5`: no plus, no exponent, no leading zeros, at most 15 digits before and 9 behind
    /// the point.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let (whole, part) = match digits.split_once('.') {
            Some((whole, part)) if !part.is_empty() => (whole, part),
            Some(_) => return None,
            None => (digits, ""),
        };
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let leads = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || whole.len() > 15 || part.len() > 9 || leads {
            return None;
        }
        if !plain(whole) || !plain(part) {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let part: i128 = format!("{part:0<9}").parse().ok()?;
        Some(Decimal(sign * (whole * ONE + part)))
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) =
            (self.0.unsigned_abs() / ONE as u128, self.0.unsigned_abs() % ONE as u128);
        let sign = if self.0 < 0 { "-" } else { "" };
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let part = format!("{part:09}");
        write!(f, "{sign}{whole}.{}", part.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::json::{Limits, parse};

    const SAMPLE: Shape = Shape::Object(&[
        must("id", Shape::Uuid, "id"),
        may("at", Shape::Time, "when"),
        may("scores", Shape::Map(&Shape::Decimal, 1), "scores"),
        may("tags", Shape::List(&Shape::OneOf(&["a", "b"]), 0), "tags"),
        may("purl", Shape::Purl, "package"),
    ]);

    fn misfits(text: &str) -> Vec<String> {
        let value = parse(text.as_bytes(), Limits::DOCUMENT).unwrap();
        SAMPLE.judge(&value, "").iter().map(|misfit| misfit.place.clone()).collect()
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(misfits(&format!(r#"{{"id":"{id}","at":"2026-01-01T00:00:00Z"}}"#)), [""; 0]);
        assert_eq!(misfits(&format!(r#"{{"id":"{id}","purl":"pkg:x/y@1"}}"#)), [""; 0]);
        assert_eq!(misfits(&format!(r#"{{"id":"{id}","purl":"x/y@1"}}"#)), ["/purl"]);
        assert_eq!(misfits("[]"), [""]);
        assert_eq!(misfits("{}"), [""]);
        assert_eq!(
            misfits(
                r#"{"id":1,"at":"2026-01-01","scores":{"a/b":"1e3","c":"01"},"tags":["c"],"x":0}"#
            ),
            ["/id", "/at", "/scores/a~1b", "/scores/c", "/tags/0", ""]
        );
        assert_eq!(misfits(&format!(r#"{{"id":"{id}","scores":{{}}}}"#)), ["/scores"]);
    }

    #[test]
    fn decimals_are_exact() {
        for text in ["0", "1", "-1", "0.1", "-0.000000001", "999999999999999.999999999"] {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Decimal::parse("1.50").unwrap().to_string(), "1.5");
        for text in ["", "-", "+1", "01", "1.", ".1", "1e3", "1.0000000001", "1_0", "\u{661}"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert!(Decimal::parse("-0.2") < Decimal::parse("0.1"));
    }
}
