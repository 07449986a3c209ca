//! Base64 in the two alphabets our formats use, both strict: one text for one byte string.
//!
//! A lenient decoder lets anyone mint a second spelling of a signature, and with it a second
//! identity of a receipt; so padding rules and trailing bits are checked, nothing is skipped.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The text is not the canonical base64 of any bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64: {0}")]
pub struct Base64Error(String);

/// URL-safe alphabet without padding (RFC 7515 section 2).
pub fn url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the URL-safe form to `out`.
pub fn url_encode_into(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// Strict inverse of [`url_encode`]: padding, the standard alphabet, non-zero trailing bits and
/// white space are refused.
pub fn url_decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| Base64Error(error.to_string()))
}

/// Standard alphabet with padding (RFC 4648 section 4).
pub fn std_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Strict inverse of [`std_encode`]: padding is demanded, trailing bits must be zero.
pub fn std_decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|error| Base64Error(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        assert_eq!(url_decode("_-8"), Ok(vec![0xff, 0xef]));
        for bad in ["_-9", "_-8=", "/+8", "_- 8", "_-8\n", "_"] {
            assert!(url_decode(bad).is_err(), "{bad:?}");
        }
        assert_eq!(std_decode("/+8="), Ok(vec![0xff, 0xef]));
        for bad in ["/+8", "/+9=", "_-8=", "/+8=\n", "/+8=="] {
            assert!(std_decode(bad).is_err(), "{bad:?}");
        }
    }
}
