//! How often letters stand in ordinary text: a literal that is rare there is looked for first, so
//! that ordinary text gives little cause to look closer. Decides speed, never a verdict.

use crate::filter::{gram, hash};

/// Requests, letters, reports and some code.
static ORDINARY: &[u8] = include_bytes!("ordinary.txt");

/// How often each two, three and four letters stand in it, by the hash of [`gram`].
#[expect(long_running_const_eval, reason = "a file of known size")]
static COUNTS: [[u16; SLOTS]; WIDEST - 1] = [counted(2), counted(3), counted(4)];
const SLOTS: usize = 1 << BITS;
const BITS: u32 = 14;
const WIDEST: usize = 4;

/// About how often a literal stands in 64 KiB of ordinary text; no less than it does.
pub(crate) fn often(literal: &[u8]) -> u32 {
    let width = literal.len().min(WIDEST);
    let Some(counts) = width.checked_sub(2).and_then(|at| COUNTS.get(at)) else { return SINGLE };
    let count = |letters: &[u8]| {
        let slot = hash(gram(letters)) >> (32 - BITS);
        u32::from(counts.get(slot as usize).copied().unwrap_or(0))
    };
    literal.windows(width).map(count).min().unwrap_or(SINGLE)
}

/// A single letter stands nearly anywhere.
const SINGLE: u32 = 4_000;

const fn counted(width: usize) -> [u16; SLOTS] {
    let mut counts = [0u16; SLOTS];
    let mut first = 0;
    while first + width <= ORDINARY.len() {
        let mut letters = [0; 8];
        let mut at = 0;
        while at < width {
            letters[at] = ORDINARY[first + at];
            at += 1;
        }
        let gram = u64::from_le_bytes(letters) | 0x20_2020_2020;
        let slot = (hash(gram) >> (32 - BITS)) as usize;
        counts[slot] = counts[slot].saturating_add(1);
        first += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_are_told_from_common_ones() {
        for (rare, common) in [
            ("disregard", "report"),
            ("zephyr", "please"),
            ("curl", "that"),
            ("jailbreak", "because"),
            ("exfiltrate", "information"),
        ] {
            assert!(often(rare.as_bytes()) < often(common.as_bytes()), "{rare} {common}");
        }
        assert_eq!(often(b"PLEASE"), often(b"please"));
        assert!(often(b"is") > often(b"please"));
    }
}
