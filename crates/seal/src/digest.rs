//! SHA-256, the one digest of the product, and its one spelling `sha256:<64 lower-case hex>`.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

use crate::hex;

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The text is not `sha256:` followed by 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected sha256: and 64 lower-case hex digits")]
pub struct DigestError;

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// A value that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 lower-case hex digits without the prefix.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode_digits(text).map(Self)
    }

    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 hex digits without the prefix.
    pub fn hex(&self) -> String {
        hex::encode(&self.0)
    }

    /// Appends the spelling with its prefix.
    pub fn push_to(&self, out: &mut String) {
        out.push_str(self.spell(&mut [0; SPELLING]));
    }

    /// As `to_string`, without the machinery of formatting.
    pub fn text(&self) -> String {
        self.spell(&mut [0; SPELLING]).to_owned()
    }

    fn spell<'a>(&self, buffer: &'a mut [u8; SPELLING]) -> &'a str {
        buffer[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        hex::encode_to(&self.0, &mut buffer[PREFIX.len()..]);
        // The prefix and digits are ASCII, so nothing is ever lost here.
        std::str::from_utf8(buffer).unwrap_or_default()
    }
}

const PREFIX: &str = "sha256:";
const SPELLING: usize = PREFIX.len() + 64;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spell(&mut [0; SPELLING]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.strip_prefix(PREFIX).and_then(Self::from_hex).ok_or(DigestError)
    }
}

/// A digest computed piece by piece.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_value_and_spelling() {
        let empty = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(empty.to_string(), text);
        assert_eq!(empty.text(), text);
        let mut after = "a ".to_owned();
        empty.push_to(&mut after);
        assert_eq!(after, format!("a {text}"));
        assert_eq!(text.parse(), Ok(empty));
        for bad in [&text[7..], &text.to_uppercase(), &text[..70], "sha256:"] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
        let mut pieces = Hasher::new();
        pieces.update(b"a");
        pieces.update(b"b");
        assert_eq!(pieces.finish(), Digest::of(b"ab"));
    }
}
