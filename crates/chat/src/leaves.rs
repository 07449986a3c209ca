//! Every string of a document, keys included, with the JSON pointer of its place.

use std::fmt;

use seal::json::Value;

/// A place in a document, as a list on the stack: walking allocates nothing, and the pointer
/// (RFC 6901) is written only for a place that matters.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The document itself, or the place a walk starts from.
    Root(&'a str),
    /// A member of an object.
    Member(&'a Path<'a>, &'a str),
    /// An item of an array.
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// The pointer's text.
    pub fn pointer(&self) -> String {
        self.to_string()
    }

    /// The pointer with every array index as `*`.
    pub fn pattern(&self) -> String {
        struct Pattern<'a>(&'a Path<'a>);
        impl fmt::Display for Pattern<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, true)
            }
        }
        Pattern(self).to_string()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, stars: bool) -> fmt::Result {
        match self {
            Path::Root(base) => f.write_str(base),
            Path::Member(parent, key) => {
                parent.write(f, stars)?;
                f.write_str("/")?;
                for part in key.chars() {
                    match part {
                        '~' => f.write_str("~0")?,
                        '/' => f.write_str("~1")?,
                        plain => fmt::Write::write_char(f, plain)?,
                    }
                }
                Ok(())
            }
            Path::Item(parent, _) if stars => {
                parent.write(f, stars)?;
                f.write_str("/*")
            }
            Path::Item(parent, index) => {
                parent.write(f, stars)?;
                write!(f, "/{index}")
            }
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

/// One string of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf<'v> {
    /// The place of the value; for a key, the place of the member it names.
    pub pointer: String,
    /// Whether the string is the key rather than the value.
    pub key: bool,
    /// The string.
    pub text: &'v str,
}

/// Every string of the document, in document order, a key before what it names.
pub fn string_leaves(value: &Value) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::new();
    walk(&Path::Root(""), value, &mut |path, key, text| {
        leaves.push(Leaf { pointer: path.pointer(), key, text });
    });
    leaves
}

/// Calls `visit(place, is a key, text)` for every string at or below `value`. The recursion is as
/// deep as the document, which its parser has limited.
pub fn walk<'v>(
    path: &Path<'_>,
    value: &'v Value,
    visit: &mut dyn FnMut(&Path<'_>, bool, &'v str),
) {
    match value {
        Value::String(text) => visit(path, false, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(&Path::Item(path, index), item, visit);
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                let path = Path::Member(path, key);
                visit(&path, true, key);
                walk(&path, item, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => {}
    }
}

/// Calls `visit(place, digits)` for every number at or below `value`: integers as they were written,
/// numbers with a fraction or an exponent as the whole number they are. Those that are none are left
/// out, and so is what a double no longer holds exactly: nobody's number is written like that, and
/// `1e308` would be 309 digits. Like [`walk`] otherwise.
pub fn walk_numbers(path: &Path<'_>, value: &Value, visit: &mut dyn FnMut(&Path<'_>, &str)) {
    match value {
        Value::Int(number) => visit(path, &number.to_string()),
        Value::Big(digits) => visit(path, digits),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => {
            visit(path, &format!("{number:.0}"));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk_numbers(&Path::Item(path, index), item, visit);
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                walk_numbers(&Path::Member(path, key), item, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::String(_) => {}
    }
}

/// 2^63: beyond it integers of a document are kept as digits, and doubles are far from exact.
const EXACT: f64 = 9_223_372_036_854_775_808.0;

/// The value at a pointer.
pub fn find<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    tokens(pointer)?.into_iter().try_fold(value, |value, token| match value {
        Value::Object(_) => value.get(&token),
        Value::Array(items) => items.get(index(&token)?),
        _ => None,
    })
}

/// The value at a pointer, to change it.
pub fn find_mut<'v>(value: &'v mut Value, pointer: &str) -> Option<&'v mut Value> {
    tokens(pointer)?.into_iter().try_fold(value, |value, token| match value {
        Value::Object(_) => value.get_mut(&token),
        Value::Array(items) => items.get_mut(index(&token)?),
        _ => None,
    })
}

/// The unescaped reference tokens of a pointer; `None` when it is not one.
pub(crate) fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let rest = pointer.strip_prefix('/')?;
    Some(rest.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect())
}

fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with(['0', '+']);
    plain.then(|| token.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::json::{Limits, parse};

    #[test]
    fn keys_and_values_at_any_depth() {
        let value = parse(br#"{"a/b":["x",{"~":"y"}],"n":1}"#, Limits::REQUEST).expect("json");
        let leaves: Vec<_> = string_leaves(&value)
            .into_iter()
            .map(|leaf| (leaf.pointer, leaf.key, leaf.text))
            .collect();
        assert_eq!(
            leaves,
            [
                ("/a~1b".to_owned(), true, "a/b"),
                ("/a~1b/0".to_owned(), false, "x"),
                ("/a~1b/1/~0".to_owned(), true, "~"),
                ("/a~1b/1/~0".to_owned(), false, "y"),
                ("/n".to_owned(), true, "n"),
            ]
        );
        for leaf in string_leaves(&value).into_iter().filter(|leaf| !leaf.key) {
            assert_eq!(find(&value, &leaf.pointer).and_then(Value::as_str), Some(leaf.text));
        }
        assert_eq!(find(&value, "/a~1b/01"), None);
        assert_eq!(find(&value, "a"), None);
    }

    #[test]
    fn numbers_as_the_digits_they_are() {
        let document = br#"{"a":[7,-12,{"b":4.111111111111111e15}],"c":1.5,"d":98765432109876543210987,"e":"5","f":1e308}"#;
        let value = parse(document, Limits::REQUEST).expect("json");
        let mut numbers = Vec::new();
        walk_numbers(&Path::Root(""), &value, &mut |path, digits| {
            numbers.push(format!("{path} {digits}"));
        });
        assert_eq!(
            numbers,
            ["/a/0 7", "/a/1 -12", "/a/2/b 4111111111111111", "/d 98765432109876543210987"]
        );
    }
}
