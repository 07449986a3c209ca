//! The strict parser: RFC 8259 with nothing left to the reader's taste.

use std::collections::HashSet;

use super::Value;

/// What a document may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest document, bytes.
    pub bytes: usize,
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
}

impl Limits {
    /// A receipt payload.
    pub const RECEIPT: Self = Self { bytes: 32_768, depth: 32 };
    /// One line of a chain or audit file.
    pub const LINE: Self = Self { bytes: 131_072, depth: 32 };
    /// A request to the gateway.
    pub const REQUEST: Self = Self { bytes: 8 << 20, depth: 64 };
    /// A configuration, ruleset or other document of our own.
    pub const DOCUMENT: Self = Self { bytes: 16 << 20, depth: 64 };
}

/// Why a document was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// Longer than the limit.
    #[error("document is longer than the limit")]
    TooLong,
    /// Nested deeper than the limit.
    #[error("document is nested deeper than the limit")]
    TooDeep,
    /// Not UTF-8.
    #[error("not valid UTF-8")]
    Utf8,
    /// Begins with a byte order mark.
    #[error("begins with a byte order mark")]
    Bom,
    /// Nothing but white space.
    #[error("document is empty")]
    Empty,
    /// Not JSON.
    #[error("not JSON")]
    Syntax,
    /// An object names a member twice.
    #[error("an object has a duplicate key")]
    DuplicateKey,
    /// A `\u` escape names half of a surrogate pair.
    #[error("a string escapes a lone surrogate")]
    LoneSurrogate,
    /// NaN, Infinity, or a number too large for a double.
    #[error("a number is not finite")]
    NonFinite,
    /// Something follows the value.
    #[error("something follows the value")]
    Trailing,
}

/// A refused document and where it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (byte {at})")]
pub struct JsonError {
    /// The cause.
    pub kind: JsonErrorKind,
    /// Byte offset into the document.
    pub at: usize,
}

/// Reads exactly one JSON value.
///
/// Refused beyond plain syntax: duplicate keys at any depth (compared after unescaping), lone
/// surrogates, a byte order mark, invalid UTF-8, numbers that are not finite, and anything over
/// `limits`. Integer tokens of any size are kept exactly.
pub fn parse(document: &[u8], limits: Limits) -> Result<Value, JsonError> {
    if document.len() > limits.bytes {
        return Err(JsonError { kind: JsonErrorKind::TooLong, at: limits.bytes });
    }
    if document.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError { kind: JsonErrorKind::Bom, at: 0 });
    }
    let text = std::str::from_utf8(document)
        .map_err(|error| JsonError { kind: JsonErrorKind::Utf8, at: error.valid_up_to() })?;
    let mut parser = Parser { text, bytes: document, at: 0, depth: limits.depth };
    parser.space();
    if parser.at == document.len() {
        return Err(parser.error(JsonErrorKind::Empty));
    }
    let value = parser.value()?;
    parser.space();
    if parser.at != document.len() {
        return Err(parser.error(JsonErrorKind::Trailing));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// How many more levels may be opened.
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { kind, at: self.at }
    }

    fn syntax<T>(&self) -> Result<T, JsonError> {
        Err(self.error(JsonErrorKind::Syntax))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'N' | b'I') => Err(self.error(JsonErrorKind::NonFinite)),
            _ => self.syntax(),
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, JsonError>,
    ) -> Result<Value, JsonError> {
        if self.depth == 0 {
            return Err(self.error(JsonErrorKind::TooDeep));
        }
        self.depth -= 1;
        self.at += 1;
        let value = read(self)?;
        self.depth += 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.space();
            items.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return self.syntax(),
            }
        }
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        let mut members: Vec<(String, Value)> = Vec::new();
        // Small objects are compared pairwise; large ones keep a set, so that a hostile object
        // with a million members costs linear work.
        let mut seen: Option<HashSet<String>> = None;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.syntax();
            }
            let start = self.at;
            let key = self.string()?;
            if members.len() == 16 && seen.is_none() {
                seen = Some(members.iter().map(|(name, _)| name.clone()).collect());
            }
            let duplicate = match &mut seen {
                Some(seen) => !seen.insert(key.clone()),
                None => members.iter().any(|(name, _)| *name == key),
            };
            if duplicate {
                return Err(JsonError { kind: JsonErrorKind::DuplicateKey, at: start });
            }
            self.space();
            if self.peek() != Some(b':') {
                return self.syntax();
            }
            self.at += 1;
            self.space();
            let value = self.value()?;
            members.push((key, value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return self.syntax(),
            }
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.syntax();
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'I') {
            return Err(self.error(JsonErrorKind::NonFinite));
        }
        let first = self.peek();
        let count = self.digits();
        if count == 0 || (count > 1 && first == Some(b'0')) {
            return self.syntax();
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            if self.digits() == 0 {
                return self.syntax();
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.syntax();
            }
        }
        let token = &self.text[start..self.at];
        if integer {
            return Ok(token.parse().map_or_else(|_| Value::Big(token.to_owned()), Value::Int));
        }
        match token.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(JsonError { kind: JsonErrorKind::NonFinite, at: start }),
        }
    }

    /// The common case is a string without escapes: one scan, one copy.
    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = self.text[start..self.at].to_owned();
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => return self.escaped_string(start),
                Some(0x20..) => self.at += 1,
                _ => return self.syntax(),
            }
        }
    }

    fn escaped_string(&mut self, start: usize) -> Result<String, JsonError> {
        let mut out = self.text[start..self.at].to_owned();
        let mut run = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    out.push_str(&self.text[run..self.at]);
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(&self.text[run..self.at]);
                    self.at += 1;
                    out.push(self.escape()?);
                    run = self.at;
                }
                Some(0x20..) => self.at += 1,
                _ => return self.syntax(),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => {
                self.at -= 1;
                return self.syntax();
            }
        })
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let start = self.at - 2;
        let lone = JsonError { kind: JsonErrorKind::LoneSurrogate, at: start };
        let high = self.hex4()?;
        let code = match high {
            0xd800..=0xdbff => {
                if !self.bytes[self.at..].starts_with(b"\\u") {
                    return Err(lone);
                }
                self.at += 2;
                let low = self.hex4()?;
                if !(0xdc00..=0xdfff).contains(&low) {
                    return Err(lone);
                }
                0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(lone)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| (byte as char).to_digit(16));
            let Some(digit) = digit else { return self.syntax() };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}
