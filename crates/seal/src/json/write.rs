//! The writers. Two are canonical and named for the formats they serve; two are for reading.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{MAX_SAFE_INTEGER, Value};

/// Why a value has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// The receipt form knows integers only.
    #[error(
        "floating point numbers have no canonical form here; use an integer or a decimal string"
    )]
    Float,
    /// The receipt form keeps to integers that a double holds exactly.
    #[error("integer is outside -(2^53-1)..2^53-1; use a decimal string")]
    Range,
    /// NaN or infinity.
    #[error("number is not finite")]
    NonFinite,
    /// An object built in memory names a member twice.
    #[error("object has a duplicate key")]
    DuplicateKey,
}

/// A value without canonical form, and the place of the offender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (at {pointer:?})")]
pub struct WriteError {
    /// The cause.
    pub kind: WriteErrorKind,
    /// JSON pointer (RFC 6901) to the offending value.
    pub pointer: String,
}

/// The order of UTF-16 code units (RFC 8785 section 3.2.3).
///
/// It differs from the order of UTF-8 bytes only where one side has a character at or above
/// U+E000 and the other an astral one; below 0xEE the byte order is the answer.
pub fn utf16_order(left: &str, right: &str) -> Ordering {
    if left.bytes().chain(right.bytes()).all(|byte| byte < 0xee) {
        left.cmp(right)
    } else {
        left.encode_utf16().cmp(right.encode_utf16())
    }
}

/// The form that receipts, statements, feeds and everything of our own is signed in: keys by
/// [`utf16_order`], no spaces, integers within ±(2^53−1), no floats.
pub fn write_receipt(value: &Value) -> Result<String, WriteError> {
    let mut out = String::with_capacity(256);
    canonical(value, &Form { order: utf16_order, audit: false }, &mut out)
        .map_err(Fault::into_error)?;
    Ok(out)
}

/// The form of audit lines: keys by code point, integers of any size, floats as Python prints
/// them (shortest digits, exponent below 1e-4 and from 1e16).
pub fn write_audit(value: &Value) -> Result<String, WriteError> {
    // A line is seldom shorter: it grows once, not eight times.
    let mut out = String::with_capacity(1_024);
    push_audit(value, &mut out)?;
    Ok(out)
}

/// Appends the form of [`write_audit`]; on an error `out` may hold a part of it.
pub fn push_audit(value: &Value, out: &mut String) -> Result<(), WriteError> {
    canonical(value, &Form { order: str::cmp, audit: true }, out).map_err(Fault::into_error)
}

/// Compact, in document order: for bodies that are passed on after a change.
pub fn write_plain(value: &Value) -> String {
    let mut out = String::new();
    plain(value, &mut out);
    out
}

/// Two spaces a level, in document order: for people.
pub fn write_pretty(value: &Value) -> String {
    let mut out = String::new();
    pretty(value, 0, &mut out);
    out.push('\n');
    out
}

struct Form {
    order: fn(&str, &str) -> Ordering,
    audit: bool,
}

/// A fault on its way up; each level adds its pointer segment.
struct Fault {
    kind: WriteErrorKind,
    path: Vec<String>,
}

impl Fault {
    fn new(kind: WriteErrorKind) -> Self {
        Self { kind, path: Vec::new() }
    }

    fn below(mut self, segment: &str) -> Self {
        self.path.push(segment.replace('~', "~0").replace('/', "~1"));
        self
    }

    fn into_error(self) -> WriteError {
        let pointer = self.path.iter().rev().map(|segment| format!("/{segment}")).collect();
        WriteError { kind: self.kind, pointer }
    }
}

fn canonical(value: &Value, form: &Form, out: &mut String) -> Result<(), Fault> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => {
            if !form.audit && !(-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(number) {
                return Err(Fault::new(WriteErrorKind::Range));
            }
            push_integer(*number, out);
        }
        Value::Big(digits) if form.audit => out.push_str(digits),
        Value::Big(_) => return Err(Fault::new(WriteErrorKind::Range)),
        Value::Float(number) if form.audit && number.is_finite() => push_python_float(*number, out),
        Value::Float(number) => {
            let kind =
                if number.is_finite() { WriteErrorKind::Float } else { WriteErrorKind::NonFinite };
            return Err(Fault::new(kind));
        }
        Value::String(text) => push_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(item, form, out).map_err(|fault| fault.below(&index.to_string()))?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            // Most objects arrive sorted; then nothing is allocated.
            let ascending = members
                .windows(2)
                .all(|pair| (form.order)(&pair[0].0, &pair[1].0) == Ordering::Less);
            let sorted: Cow<'_, [usize]> = if ascending {
                Cow::Borrowed(&[])
            } else {
                let mut order: Vec<usize> = (0..members.len()).collect();
                order.sort_by(|a, b| (form.order)(&members[*a].0, &members[*b].0));
                Cow::Owned(order)
            };
            out.push('{');
            let mut previous: Option<&str> = None;
            for position in 0..members.len() {
                let (key, item) = &members[sorted.get(position).copied().unwrap_or(position)];
                if previous == Some(key) {
                    return Err(Fault::new(WriteErrorKind::DuplicateKey).below(key));
                }
                if previous.is_some() {
                    out.push(',');
                }
                previous = Some(key);
                push_string(key, out);
                out.push(':');
                canonical(item, form, out).map_err(|fault| fault.below(key))?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn plain(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                plain(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_string(key, out);
                out.push(':');
                plain(item, out);
            }
            out.push('}');
        }
        leaf => push_leaf(leaf, out),
    }
}

fn pretty(value: &Value, level: usize, out: &mut String) {
    let indent = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                indent(out, level + 1);
                pretty(item, level + 1, out);
            }
            indent(out, level);
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                indent(out, level + 1);
                push_string(key, out);
                out.push_str(": ");
                pretty(item, level + 1, out);
            }
            indent(out, level);
            out.push('}');
        }
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        leaf => push_leaf(leaf, out),
    }
}

fn push_leaf(value: &Value, out: &mut String) {
    match value {
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => push_integer(*number, out),
        Value::Big(digits) => out.push_str(digits),
        // A value that the parser made is finite; one built in memory may not be.
        Value::Float(number) if number.is_finite() => push_python_float(*number, out),
        Value::String(text) => push_string(text, out),
        Value::Null | Value::Float(_) | Value::Array(_) | Value::Object(_) => out.push_str("null"),
    }
}

fn push_integer(number: i64, out: &mut String) {
    use std::fmt::Write as _;
    // Writing into a String cannot fail.
    let _ = write!(out, "{number}");
}

/// Appends a JSON string: only `"`, `\` and controls below U+0020 are escaped, the short forms
/// where there are any, else `\u00xx` in lower case; all else is raw UTF-8.
pub fn push_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let bytes = text.as_bytes();
    let mut run = 0;
    while let Some(found) = special(&bytes[run..]) {
        let at = run + found;
        out.push_str(&text[run..at]);
        run = at + 1;
        match bytes[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0a => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            0x0d => out.push_str("\\r"),
            control => {
                out.push_str("\\u00");
                out.push_str(&crate::hex::encode(&[control]));
            }
        }
    }
    out.push_str(&text[run..]);
    out.push('"');
}

/// The place of the first byte that must be escaped. Eight bytes at a time: nearly all text has none.
fn special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Sets the high bit of every byte that is zero; above such a byte it may set others, too.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let must = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let mut eights = bytes.chunks_exact(8);
    let mut at = 0;
    for eight in eights.by_ref() {
        let word = u64::from_ne_bytes(eight.try_into().unwrap_or_default());
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        if control | quote | backslash != 0
            && let Some(found) = eight.iter().position(must)
        {
            return Some(at + found);
        }
        at += 8;
    }
    eights.remainder().iter().position(must).map(|found| at + found)
}

/// Python's `repr` of a finite double: the shortest digits that read back, positional from 1e-4
/// up to 1e16, else with a signed exponent of at least two digits; always a point or an exponent.
fn push_python_float(number: f64, out: &mut String) {
    // Rust's exponent form gives the shortest digits: "-1.5e-7".
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    out.push_str(sign);
    if !(-4..16).contains(&exponent) {
        out.push_str(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push('e');
        out.push(sign);
        out.push_str(&format!("{:02}", exponent.abs()));
        return;
    }
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
        out.push_str(&digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() > whole {
        out.push_str(&digits[..whole]);
        out.push('.');
        out.push_str(&digits[whole..]);
    } else {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
        out.push_str(".0");
    }
}
