//! Keyring files: the shared secrets that audit lines are checked with, each under its id.
//!
//! One `ID=SOURCE` a line, or a JSON object of ids and sources. A source is the secret as lower-case
//! hex, or a reference (`file:…`, `env:…`, `command:…`) that the caller resolves. No error holds a secret.

use seal::Zeroizing;
use seal::json::{Limits, Value, parse};

use crate::entry::Keyring;

/// Longest file, bytes.
pub const LIMIT: usize = 1 << 20;
/// Longest id, bytes.
const ID: usize = 256;
/// Shorter secrets can be guessed.
const SHORTEST: usize = 16;

/// Reads what `file:…`, `env:…` and `command:…` refer to.
pub type Resolve<'r> = dyn Fn(&str) -> Result<String, String> + 'r;

/// A keyring cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// Larger than any keyring needs to be.
    #[error("the keyring is larger than {LIMIT} bytes")]
    TooLong,
    /// Begins like a JSON object and is none of ids and strings.
    #[error("expected a JSON object of ids and hex: {0}")]
    Json(String),
    /// Not `ID=SOURCE`.
    #[error("expected ID=file:PATH, ID=env:NAME, ID=command:PROGRAM or ID=HEX")]
    Pair,
    /// An id that no line could name. It is not told: what stands there may be a secret.
    #[error("expected a key id of up to {ID} letters, digits and _ . : -")]
    Id,
    /// Two secrets under one id.
    #[error("key {0} is given twice")]
    Twice(String),
    /// A reference that could not be read.
    #[error("{reference}: {cause}")]
    Reference {
        /// `file:…`, `env:…` or `command:…`.
        reference: String,
        /// What the reader said.
        cause: String,
    },
    /// The secret is no hex.
    #[error("the secret of {0} is not lower-case hex")]
    Hex(String),
    /// The secret is too short.
    #[error("the secret of {0} is shorter than {SHORTEST} bytes")]
    Short(String),
    /// One of the above, on a line.
    #[error("line {number}: {error}")]
    Line {
        /// From one.
        number: usize,
        /// What is wrong there.
        error: Box<KeyringError>,
    },
}

/// Reads a keyring file. Blank lines and lines that begin with `#` say nothing.
pub fn read(text: &str, resolve: &Resolve<'_>) -> Result<Keyring, KeyringError> {
    let mut ring = Keyring::new();
    if text.len() > LIMIT {
        return Err(KeyringError::TooLong);
    }
    if text.trim_start().starts_with('{') {
        let limits = Limits { bytes: LIMIT, depth: 2 };
        let value = parse(text.as_bytes(), limits)
            .map_err(|error| KeyringError::Json(error.to_string()))?;
        for (id, source) in value.as_object().unwrap_or_default() {
            let Value::String(source) = source else {
                let what = format!("the secret of {:?} is {}", told(id), source.kind());
                return Err(KeyringError::Json(what));
            };
            add(&mut ring, id, source, resolve)?;
        }
        return Ok(ring);
    }
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let told = |error| KeyringError::Line { number: at + 1, error: Box::new(error) };
        let (id, source) = pair(line).map_err(told)?;
        add(&mut ring, id, source, resolve).map_err(told)?;
    }
    Ok(ring)
}

/// The two sides of `ID=SOURCE`.
pub fn pair(text: &str) -> Result<(&str, &str), KeyringError> {
    let (id, source) = text.split_once('=').ok_or(KeyringError::Pair)?;
    Ok((id.trim(), source.trim()))
}

/// Whether a source names where the secret is, instead of being it.
pub fn is_reference(source: &str) -> bool {
    ["file:", "env:", "command:"].iter().any(|prefix| source.starts_with(prefix))
}

/// Adds a key.
pub fn add(
    ring: &mut Keyring,
    id: &str,
    source: &str,
    resolve: &Resolve<'_>,
) -> Result<(), KeyringError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if id.is_empty() || id.len() > ID || !id.bytes().all(fits) {
        return Err(KeyringError::Id);
    }
    if ring.has(id) {
        return Err(KeyringError::Twice(told(id)));
    }
    let text = match is_reference(source) {
        true => resolve(source)
            .map_err(|cause| KeyringError::Reference { reference: source.to_owned(), cause })?,
        false => source.to_owned(),
    };
    let text = Zeroizing::new(text);
    let secret = seal::hex::decode(text.trim()).ok_or_else(|| KeyringError::Hex(told(id)))?;
    let secret = Zeroizing::new(secret);
    if secret.len() < SHORTEST {
        return Err(KeyringError::Short(told(id)));
    }
    ring.insert(id, secret);
    Ok(())
}

/// An id in an error. A long one may be a secret in the wrong place: only its beginning is told.
fn told(id: &str) -> String {
    match id.char_indices().nth(TOLD) {
        Some(_) => id.chars().take(4).chain(['…']).collect(),
        None => id.to_owned(),
    }
}

/// The longest id that is told whole, characters: no secret is so short.
const TOLD: usize = 31;

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "07070707070707070707070707070707";

    fn ids(text: &str) -> Result<Vec<String>, KeyringError> {
        let resolve = |reference: &str| match reference {
            "env:KEY" => Ok(format!("{HEX}\n")),
            _ => Err("not there".to_owned()),
        };
        Ok(read(text, &resolve)?.iter().map(|(id, _)| id.to_owned()).collect())
    }

    #[test]
    fn both_forms_are_read() {
        let lines = format!("# ours\n\n a = {HEX}\r\nb=env:KEY\n");
        assert_eq!(ids(&lines).unwrap(), ["a", "b"]);
        assert_eq!(ids(&format!(" {{\"b\":\"env:KEY\",\"a\":\"{HEX}\"}}")).unwrap(), ["a", "b"]);
        assert_eq!(ids("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (text, said) in [
            (format!("a={HEX}\na={HEX}"), "line 2: key a is given twice"),
            (HEX.to_owned(), "line 1: expected ID="),
            (format!("# ours\n{{\"a\": \"{HEX}\", b=00"), "line 2: expected a key id"),
            (format!("{HEX}=a"), "the secret of 0707… is not"),
            (format!("{{\"{HEX}\":1}}"), "the secret of \"0707…\" is integer"),
            ("a b=00".to_owned(), "expected a key id"),
            (format!("{}={HEX}", "a".repeat(257)), "key id"),
            ("=00".to_owned(), "expected a key id"),
            (format!("a={}", HEX.replace('7', "A")), "not lower-case hex"),
            ("a=0707".to_owned(), "shorter than 16 bytes"),
            ("a=env:NONE".to_owned(), "env:NONE: not there"),
            ("{\"a\":1}".to_owned(), "the secret of \"a\" is integer"),
            (format!("{{\"a\":\"{HEX}\",\"a\":\"{HEX}\"}}"), "duplicate"),
            ("{\"a\":[[]]}".to_owned(), "deeper"),
            ("#\n".repeat(LIMIT), "larger than"),
        ] {
            let error = ids(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains(&HEX[..8]), "{error}");
        }
    }
}
