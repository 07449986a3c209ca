//! The bytes of a request (RFC 3161 section 2.4.1).

use crate::der::{BOOLEAN, INTEGER, OCTETS, OID, SEQUENCE, write};
use crate::hash::Hash;
use crate::oid;

/// Asks for a stamp over a digest. The nonce is any bytes, taken as a number: what the reply has
/// to repeat, see [`Asked::nonce`](crate::Asked::nonce). `None` for a digest of the wrong length,
/// an empty nonce, one above 64 bytes, or a policy that is no dotted OID.
pub fn request(
    hash: Hash,
    digest: &[u8],
    nonce: Option<&[u8]>,
    policy: Option<&str>,
    with_certificate: bool,
) -> Option<Vec<u8>> {
    if digest.len() != hash.length() {
        return None;
    }
    let imprint = write(SEQUENCE, &[&hash.identifier(), &write(OCTETS, &[digest])]);
    let policy = match policy {
        Some(text) => write(OID, &[&oid::encode(text)?]),
        None => Vec::new(),
    };
    let nonce = match nonce {
        Some(bytes) => write(INTEGER, &[&unsigned(bytes)?]),
        None => Vec::new(),
    };
    let certificate = if with_certificate { write(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    let version = write(INTEGER, &[&[1]]);
    Some(write(SEQUENCE, &[&version, &imprint, &policy, &nonce, &certificate]))
}

/// The INTEGER bytes of a number given as bytes, biggest first.
pub(crate) fn unsigned(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.is_empty() || bytes.len() > 64 {
        return None;
    }
    let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    Some([sign, digits].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of the upstream proxy, byte for byte.
    #[test]
    fn the_bytes_of_a_request() {
        let bytes = request(Hash::Sha256, &[7; 32], None, None, true).unwrap();
        let head = "30390201013031300d060960864801650304020105000420";
        assert_eq!(seal::hex::encode(&bytes), format!("{head}{}0101ff", "07".repeat(32)));
        let full = request(Hash::Sha512, &[7; 64], Some(&[0, 0x80]), Some("1.2.3.4.1"), false);
        assert!(seal::hex::encode(&full.unwrap()).ends_with("06042a03040102020080"));
        assert_eq!(request(Hash::Sha384, &[7; 32], None, None, true), None);
        assert_eq!(request(Hash::Sha256, &[7; 32], Some(&[]), None, true), None);
        assert_eq!(request(Hash::Sha256, &[7; 32], None, Some("any"), true), None);
    }
}
