//! Object identifiers, as the bytes inside their DER.

pub(crate) const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
pub(crate) const TST_INFO: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04";

pub(crate) const CONTENT_TYPE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";
pub(crate) const MESSAGE_DIGEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
/// ESSCertID, RFC 2634: SHA-1.
pub(crate) const SIGNING_CERTIFICATE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0c";
/// ESSCertIDv2, RFC 5035.
pub(crate) const SIGNING_CERTIFICATE_V2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f";

pub(crate) const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
pub(crate) const SHA384: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
pub(crate) const SHA512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";

pub(crate) const EC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
pub(crate) const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
pub(crate) const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
pub(crate) const ECDSA_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
pub(crate) const ECDSA_SHA384: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x03";
pub(crate) const ECDSA_SHA512: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x04";

pub(crate) const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
pub(crate) const MGF1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";
pub(crate) const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
pub(crate) const RSA_SHA256: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
pub(crate) const RSA_SHA384: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c";
pub(crate) const RSA_SHA512: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d";
pub(crate) const ED25519: &[u8] = b"\x2b\x65\x70";

pub(crate) const SUBJECT_KEY_ID: &[u8] = b"\x55\x1d\x0e";
pub(crate) const KEY_USAGE: &[u8] = b"\x55\x1d\x0f";
pub(crate) const SUBJECT_ALT_NAME: &[u8] = b"\x55\x1d\x11";
pub(crate) const BASIC_CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = b"\x55\x1d\x25";
pub(crate) const TIME_STAMPING: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x08";

/// Dots between decimal numbers.
pub(crate) fn dotted(oid: &[u8]) -> String {
    let mut out = String::new();
    let mut number: u128 = 0;
    for byte in oid {
        number = number << 7 | u128::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            // Longer numbers (UUIDs have 128 bits) are no policy anybody types.
            if number > u128::MAX >> 7 {
                return seal::hex::encode(oid);
            }
            continue;
        }
        match out.is_empty() {
            true => {
                let root = (number / 40).min(2);
                out = format!("{root}.{}", number - root * 40);
            }
            false => out.push_str(&format!(".{number}")),
        }
        number = 0;
    }
    out
}

/// The bytes of dotted decimal numbers.
pub(crate) fn encode(text: &str) -> Option<Vec<u8>> {
    let plain = |part: &str| part == "0" || !part.starts_with('0') && !part.starts_with('+');
    let numbers: Vec<u64> = text
        .split('.')
        .map(|part| part.parse().ok().filter(|_| plain(part)))
        .collect::<Option<_>>()?;
    let [root @ 0..=2, second, rest @ ..] = numbers.as_slice() else { return None };
    if *root < 2 && *second >= 40 || *second > u64::MAX / 2 {
        return None;
    }
    let mut out = Vec::new();
    for number in std::iter::once(root * 40 + second).chain(rest.iter().copied()) {
        let groups = (64 - number.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let bits = (number >> (7 * group)) as u8 & 0x7f;
            out.push(if group == 0 { bits } else { 0x80 | bits });
        }
    }
    (out.len() <= 32).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_bytes() {
        for (bytes, text) in [
            (RSA, "1.2.840.113549.1.1.1"),
            (P384, "1.3.132.0.34"),
            (TIME_STAMPING, "1.3.6.1.5.5.7.3.8"),
            (KEY_USAGE, "2.5.29.15"),
            (b"\x2a\x03\x04\x01", "1.2.3.4.1"),
            (b"\x88\x37", "2.999"),
        ] {
            assert_eq!(dotted(bytes), text);
            assert_eq!(encode(text).as_deref(), Some(bytes));
        }
        for bad in ["", "1", "3.1", "1.40", "1.02", "1.+2", "1..2", "1.2.x", "1.2 "] {
            assert_eq!(encode(bad), None, "{bad}");
        }
        assert_eq!(dotted(&[0xff; 30]), "ff".repeat(30));
    }
}
