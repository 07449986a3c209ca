//! HMAC-SHA256, as the audit chain uses it, and comparison in constant time.

use hmac::{Hmac, KeyInit, Mac};
use subtle::ConstantTimeEq;

/// HMAC-SHA256 of `message` under `key` (RFC 2104; any key length).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    MacKey::new(key).hmac(message)
}

/// A key that was taken up once for many messages. As secret as the key; never printed.
#[derive(Clone)]
pub struct MacKey(Hmac<sha2::Sha256>);

impl MacKey {
    /// Takes up a key of any length (RFC 2104).
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// HMAC-SHA256 of `message`.
    pub fn hmac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

/// HMAC-SHA256 of the parts of a message, one after the other.
pub fn hmac_sha256_of(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let MacKey(mut mac) = MacKey::new(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4231_case_2() {
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            crate::hex::encode(&mac),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let key = MacKey::new(b"Jefe");
        assert_eq!(key.hmac(b"what do ya want for nothing?"), mac);
        assert_eq!(key.hmac(b"what do ya want for nothing?"), mac, "a second time");
        assert_eq!(format!("{key:?}"), "MacKey");
        let parts: [&[u8]; 3] = [b"what do ya want ", b"", b"for nothing?"];
        assert_eq!(hmac_sha256_of(b"Jefe", &parts), mac);
        assert!(equal(&mac, &mac) && !equal(&mac, b"other") && !equal(b"a", b"b"));
    }
}
