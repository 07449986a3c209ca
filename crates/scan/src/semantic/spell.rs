//! Words of ASCII letters and digits, eight bytes at a time.

/// What a word is spelled like, in lower case.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Spelled {
    /// The first eight letters, the first in the lowest byte; zeros behind a shorter word.
    pub first: u64,
    /// The eight letters behind them.
    pub second: u64,
    /// Stands for all letters, up to [`LONGEST_WORD`].
    pub code: u32,
    /// How many bytes it is long.
    pub len: usize,
    /// Whether there are digits alone.
    pub number: bool,
}

/// What is behind so many bytes of a word does not count.
pub(crate) const LONGEST_WORD: usize = 64;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;
const STEP: usize = size_of::<u64>();
// Knuth's multiplier of 64 bits
const SPREAD: u64 = 0x5851_f42d_4c95_7f2d;

/// Reads the word at `start`: it ends before the first byte that is no ASCII letter or digit.
#[inline]
pub(crate) fn spell(bytes: &[u8], start: usize) -> Spelled {
    let mut word = Spelled::default();
    let (mut hash, mut letters, mut at) = (0u64, 0u64, start);
    loop {
        let chunk = eight(bytes, at);
        let (letter, digit) = kinds(chunk);
        let others = !(letter | digit) & HIGH;
        let count = others.trailing_zeros() as usize / 8;
        // a shift by all the bits of a number is none
        let kept = if count == STEP { u64::MAX } else { (1 << (8 * count)) - 1 };
        letters |= letter & kept;
        let lower = (chunk | ONES << 5) & kept;
        let seen = at - start;
        if seen < LONGEST_WORD && (count > 0 || seen == 0) {
            hash = (hash.rotate_left(29) ^ lower).wrapping_mul(SPREAD);
            match seen {
                0 => word.first = lower,
                STEP => word.second = lower,
                _ => {}
            }
        }
        at += count;
        if count < STEP {
            break;
        }
    }
    word.code = (hash >> 32) as u32;
    word.len = at - start;
    word.number = letters == 0;
    word
}

/// The eight bytes at `at`, zeros behind the end.
#[inline]
fn eight(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => {
            let rest = bytes.get(at..).unwrap_or_default();
            rest.iter().rev().fold(0, |chunk, byte| chunk << 8 | u64::from(*byte))
        }
    }
}

/// Which bytes are ASCII letters, and which digits: their highest bits.
#[inline]
fn kinds(chunk: u64) -> (u64, u64) {
    let low = chunk & !HIGH;
    let lower = low | ONES << 5;
    // what is at least so much reaches the highest bit of its byte, and none carries
    let least = |bytes: u64, from: u8| bytes + ONES * u64::from(0x80 - from);
    let letter = least(lower, b'a') & !least(lower, b'z' + 1);
    let digit = least(low, b'0') & !least(low, b'9' + 1);
    (letter & !chunk & HIGH, digit & !chunk & HIGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_known() {
        for byte in 0..=u8::MAX {
            for at in 0..STEP {
                let (letter, digit) = kinds(u64::from(byte) << (8 * at) | !(0xff << (8 * at)));
                let bit = 0x80 << (8 * at);
                assert_eq!(letter & bit != 0, byte.is_ascii_alphabetic(), "{byte} {at}");
                assert_eq!(digit & bit != 0, byte.is_ascii_digit(), "{byte} {at}");
            }
        }
    }

    #[test]
    fn words_end_where_they_end() {
        let spelled = |text: &str| spell(text.as_bytes(), 0);
        for len in 1..100 {
            let word = "Abcdefghi1".repeat(10)[..len].to_owned();
            let alone = spelled(&word);
            assert_eq!((alone.len, alone.number), (len, false));
            for behind in [" ", "\u{e9}", ".b", "@", "[", "`", "{", "/", ":", "\u{10}", "\0"] {
                assert_eq!(spelled(&format!("{word}{behind}")), alone, "{behind:?}");
            }
            assert_eq!(spelled(&word.to_lowercase()), alone);
            let longer = spelled(&format!("{word}x"));
            assert_eq!(longer.code == alone.code, len >= LONGEST_WORD, "{len}");
        }
        assert_eq!(spelled("Ignore").first.to_le_bytes(), *b"ignore\0\0");
        assert_eq!(spelled("instructions").second.to_le_bytes(), *b"ions\0\0\0\0");
        assert!(spelled("2024").number && !spelled("2nd").number);
    }
}
