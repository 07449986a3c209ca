//! What a receipt's hashes are taken over.

use seal::digest::Digest;
use seal::json::{Value, WriteError, write_receipt};

/// The hash of a text: SHA-256 over its UTF-8 bytes, unmodified.
pub fn text(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// The hash of a JSON value: SHA-256 over its canonical form. A bare string is hashed with its
/// quotes. Floats are refused, with a pointer to the offender.
pub fn object(value: &Value) -> Result<Digest, WriteError> {
    Ok(Digest::of(write_receipt(value)?.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let check = |digest: Digest, prefix: &str| {
            assert!(digest.hex().starts_with(prefix), "{digest}");
        };
        check(text(""), "e3b0c442");
        check(object(&"ok".into()).unwrap(), "c48b5b1a9776c846");
        check(object(&Value::Object(vec![])).unwrap(), "44136fa355b3678a");
        check(object(&Value::Null).unwrap(), "74234e98");
        check(object(&true.into()).unwrap(), "b5bea41b");
        check(object(&Value::array(["c"])).unwrap(), "fd2079a3096d5abb");
        assert!(object(&Value::Float(1.5)).is_err());
    }
}
