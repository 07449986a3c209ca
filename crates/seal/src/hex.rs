//! Lower-case hexadecimal, the only spelling our formats know.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Encodes bytes as lower-case hex.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = vec![0; bytes.len() * 2];
    encode_to(bytes, &mut out);
    // Digits are ASCII, so nothing is ever lost here.
    String::from_utf8(out).unwrap_or_default()
}

/// Writes the digits of `bytes` to `out`, which is twice as long; what does not fit is left out.
pub(crate) fn encode_to(bytes: &[u8], out: &mut [u8]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// The digits of 32 bytes, without allocating.
pub fn digits(bytes: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    encode_to(bytes, &mut out);
    out
}

/// Decodes lower-case hex; upper case, odd length and anything else is `None`.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
        .collect()
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let all: Vec<u8> = (0..=255).collect();
        let first: [u8; 32] = all[..32].try_into().unwrap();
        assert_eq!(digits(&first).as_slice(), encode(&first).as_bytes());
        assert_eq!(decode(&encode(&all)), Some(all));
        for bad in ["0", "AB", "0g", "é0"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
