//! How often letters stand in ordinary text: a literal that is rare there is looked for first, so
//! that ordinary text gives little cause to look closer. Decides speed, never a verdict.

use crate::filter::{gram, hash};

/// Requests, letters, reports and some code.
static ORDINARY: &[u8] = include_bytes!("ordinary.txt");

/// How often each four letters stand in it, by the hash of [`gram`].
static COUNTS: [u8; SLOTS] = counted();
const SLOTS: usize = 1 << BITS;
const BITS: u32 = 15;
const WIDTH: usize = 4;

/// About how often a literal stands in 64 KiB of ordinary text; no less than it does.
pub(crate) fn often(literal: &[u8]) -> u32 {
    let count = |letters: &[u8]| {
        let slot = hash(gram(letters)) >> (32 - BITS);
        u32::from(COUNTS.get(slot as usize).copied().unwrap_or(0))
    };
    // a shorter one stands nearly anywhere
    literal.windows(WIDTH).map(count).min().unwrap_or(SHORT)
}

const SHORT: u32 = 1_000;

const fn counted() -> [u8; SLOTS] {
    let mut counts = [0u8; SLOTS];
    let mut at = 0;
    while at + WIDTH <= ORDINARY.len() {
        let letters =
            [ORDINARY[at], ORDINARY[at + 1], ORDINARY[at + 2], ORDINARY[at + 3], 0, 0, 0, 0];
        let gram = u64::from_le_bytes(letters) | 0x20_2020_2020;
        let slot = (hash(gram) >> (32 - BITS)) as usize;
        counts[slot] = counts[slot].saturating_add(1);
        at += 1;
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
