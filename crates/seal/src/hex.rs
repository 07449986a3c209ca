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
    let mut out = vec![0; text.len() / 2];
    decode_to(text, &mut out).then_some(out)
}

/// Decodes the 64 digits of 32 bytes, without allocating.
pub fn decode_digits(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    decode_to(text, &mut out).then_some(out)
}

/// Whether `text` is the digits of as many bytes as `out` has, which it then holds. Every digit is
/// looked at before anything is said: a start reads one digest for each entry of the log.
fn decode_to(text: &str, out: &mut [u8]) -> bool {
    let mut seen = 0;
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    text.len() == out.len() * 2 && seen < 16
}

/// The value of each digit; what is none has a higher bit.
static VALUES: [u8; 256] = {
    let mut values = [0x80; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let all: Vec<u8> = (0..=255).collect();
        let first: [u8; 32] = all[..32].try_into().unwrap();
        assert_eq!(digits(&first).as_slice(), encode(&first).as_bytes());
        assert_eq!(decode(&encode(&all)), Some(all));
        for bad in ["0", "AB", "0g", "g0", "é0", "/0", ":0", "`0"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        let text = encode(&first);
        assert_eq!(decode_digits(&text), Some(first));
        for bad in [&text[1..], &text[2..], "", &format!("{text}00"), &text.to_uppercase()] {
            assert_eq!(decode_digits(bad), None, "{bad}");
        }
    }
}
