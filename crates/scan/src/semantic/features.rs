//! What a sentence is weighed by: each feature a number, with how much of it there is.

use super::lexicon::MAX_CONCEPTS;
use super::read::{SIGNS, Window, Word};

/// One of something.
pub(crate) const ONE: i32 = 256;

const CONCEPT: usize = 1;
const OPENING: usize = CONCEPT + MAX_CONCEPTS;
const SIGN: usize = OPENING + MAX_CONCEPTS;
const LENGTH: usize = SIGN + SIGNS;
const LENGTHS: usize = 16;
const PAIR: usize = LENGTH + LENGTHS;
const FOLLOWS: usize = PAIR + MAX_CONCEPTS * (MAX_CONCEPTS - 1) / 2;
/// From here on features are of words, not of concepts.
const GRAMS: usize = FOLLOWS + MAX_CONCEPTS * MAX_CONCEPTS;
const BUCKETS: usize = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = 16;
/// How many features there are.
pub(crate) const FEATURES: usize = GRAMS + BUCKETS;

/// Two words belong together when no more than so many stand between them.
const NEAR: usize = 3;
/// So many words are the opening of a sentence.
const OPENING_WORDS: usize = 2;

/// What the concepts and signs of a sentence say.
pub(crate) fn of_concepts(window: &Window<'_>, push: &mut impl FnMut(usize, i32)) {
    push(0, ONE);
    for sign in bits(u64::from(window.signs)).take_while(|sign| *sign < SIGNS) {
        push(SIGN + sign, ONE / 2);
    }
    // twice the logarithm of the length
    let count = window.words.len().max(1);
    let long = 2 * count.ilog2() as usize + (((2 * count) >> count.ilog2()) & 1);
    push(LENGTH + long.min(LENGTHS - 1), ONE / 2);
    let value = share(window);
    for word in window.words {
        bits(word.concepts).for_each(|a| push(CONCEPT + a, value));
    }
    for (n, a) in bits(window.concepts).enumerate() {
        for b in bits(window.concepts).take(n) {
            push(PAIR + a * (a.wrapping_sub(1)) / 2 + b, value);
        }
    }
    for word in window.words.iter().skip(window.sentence).take(OPENING_WORDS) {
        bits(word.concepts).for_each(|a| push(OPENING + a, value));
    }
    follows(window.words, value, push);
}

/// Concepts that stand near one another, in their order.
fn follows(words: &[Word], value: i32, push: &mut impl FnMut(usize, i32)) {
    let mut before: Option<(usize, u64)> = None;
    for (at, word) in words.iter().enumerate().filter(|(_, word)| word.concepts != 0) {
        if let Some((_, concepts)) = before.filter(|(last, _)| at - last <= NEAR + 1) {
            for a in bits(concepts) {
                bits(word.concepts).for_each(|b| push(FOLLOWS + a * MAX_CONCEPTS + b, value));
            }
        }
        before = Some((at, word.concepts));
    }
}

/// How much one word of a window says: all words of a long one say no more than those of a short one.
fn share(window: &Window<'_>) -> i32 {
    let count = i32::try_from(window.words.len()).unwrap_or(i32::MAX).clamp(10, 1024);
    ONE * 8 / (count * 64).isqrt()
}

/// What the words of a window say: each, its first letters, and with the word before.
pub(crate) fn of_words(window: &Window<'_>, push: &mut impl FnMut(usize, i32)) {
    let value = share(window);
    let mut before = 0u32;
    for word in window.words {
        push(bucket(word.code), value);
        push(bucket(word.head ^ 0x9e37_79b9), value);
        push(bucket(before.rotate_left(5) ^ word.code ^ 0x85eb_ca6b), value);
        before = word.code;
    }
}

fn bucket(code: u32) -> usize {
    let mixed = (code ^ code >> 15).wrapping_mul(0x2c1b_3c6d);
    GRAMS + (mixed >> (32 - BUCKET_BITS)) as usize
}

fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros() as usize;
        set = set & set.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_its_own_number() {
        let all: Vec<Word> =
            (0..64).map(|at| Word { concepts: 1 << at, ..Word::default() }).collect();
        let mut seen = Vec::new();
        let window = Window { words: &all, sentence: 0, signs: u32::MAX, concepts: u64::MAX };
        of_concepts(&window, &mut |at, _| seen.push(at));
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), seen.last().copied() < Some(GRAMS)), (count, true));
        let expect = 1 + 64 + 64 * 63 / 2 + OPENING_WORDS + SIGNS + 1 + 63;
        assert_eq!(count, expect);
        assert!(bucket(u32::MAX) < FEATURES && bucket(0) >= GRAMS);
    }
}
