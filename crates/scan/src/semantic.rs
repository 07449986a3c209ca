//! The second layer: how much a sentence reads like an attack, whatever its words.
//!
//! No rule, and no model that anybody would have to fetch: a linear classifier over concepts (each
//! carried by many words of many languages, see `semantic/lexicon.txt`), which of them stand
//! together, and hashed words. Its weights are whole numbers learned from `corpus/train` alone
//! (`spec/semantic.md`), so that learning and judging give the same bits on every machine.
//!
//! The score of a text is that of its worst sentence: an attack inside of a long harmless text is
//! not diluted by it.

mod features;
mod judge;
mod lexicon;
mod read;
mod spell;
mod table;
mod weights;

use std::ops::Range;

use seal::digest::Digest;

use features::{FEATURES, ONE};
pub(crate) use judge::{JUDGE_RULE, THRESHOLDS, counts, hit};
pub use judge::{Judge, SEMANTIC_RULE};
use lexicon::Lexicon;
pub use weights::WeightsError;

/// Version of the way sentences are read and weighed. Part of [`Semantic::digest`].
pub const SEMANTIC_VERSION: &str = "2";

/// The classifier. Built in milliseconds, shared freely between threads.
pub struct Semantic {
    lexicon: Lexicon,
    weights: Vec<i8>,
    digest: Digest,
}

/// How much a text reads like an attack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scored {
    /// 0 to 1000; scores below [`Semantic::FLOOR`] are 0.
    pub per_mille: u16,
    /// Byte range of the sentence, or the two sentences, with this score; empty when it is 0.
    pub span: Range<usize>,
}

/// Features of one sentence: their numbers, and how much there is of each (256 is one).
pub type Features = Vec<(usize, i32)>;

impl std::fmt::Debug for Semantic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Semantic").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Semantic {
    /// Scores below are not told apart.
    pub const FLOOR: u16 = 500;
    /// From this score on a text is suspicious.
    pub const ALERT: u16 = 880;
    /// How many features there are.
    pub const FEATURES: usize = FEATURES;
    /// The fixed point of weights: so much is 1.
    pub const UNIT: i32 = 16;
    /// Where the words of a sentence would have to say more than this, in the unit of weights, to
    /// make it the worst, they are not asked.
    const MOST_OF_WORDS: i32 = Self::UNIT;

    /// The classifier that comes with the product.
    pub fn builtin() -> Semantic {
        Semantic::new(weights::TEXT).expect("a test reads the weights")
    }

    /// A classifier with other weights.
    pub fn new(weights: &str) -> Result<Semantic, WeightsError> {
        let lexicon = Lexicon::read(lexicon::TEXT).expect("a test reads the lexicon");
        let parts =
            [SEMANTIC_VERSION, lexicon::TEXT, weights].map(|part| Digest::of(part.as_bytes()));
        let digest = Digest::of(parts.map(|part| part.to_string()).join("\n").as_bytes());
        Ok(Semantic { lexicon, weights: weights::read(weights)?, digest })
    }

    /// Stands for everything that decides a score: version, lexicon and weights.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The score of the worst sentence of `text`. The same text always gives the same score; time
    /// is linear in the length of the text.
    pub fn score(&self, text: &str) -> Scored {
        let least = margin(Self::FLOOR) * ONE;
        let mut best = (least, None);
        let mut weighed = 0u32;
        read::read(text, &self.lexicon, &mut |window| {
            if !self.speaks(window.concepts) {
                return;
            }
            weighed += 1;
            let mut sum = 0;
            features::of_concepts(window, &mut |at, value| sum += self.weight(at) * value);
            if sum + Self::MOST_OF_WORDS * ONE < best.0 {
                return;
            }
            features::of_words(window, &mut |at, value| sum += self.weight(at) * value);
            if sum >= best.0
                && let (Some(first), Some(last)) = (window.words.first(), window.words.last())
            {
                best = (sum, Some(first.start as usize..last.end as usize));
            }
        });
        let sum = best.0 / ONE - chance(weighed);
        best.1
            .filter(|_| sum >= least / ONE)
            .map_or_else(Scored::default, |span| Scored { per_mille: per_mille(sum), span })
    }

    /// What the trainer learns from: the features of each sentence that is weighed at all, in order.
    pub fn features(&self, text: &str) -> Vec<Features> {
        let mut all = Vec::new();
        read::read(text, &self.lexicon, &mut |window| {
            if self.speaks(window.concepts) {
                let mut features = Vec::new();
                features::of_concepts(window, &mut |at, value| features.push((at, value)));
                features::of_words(window, &mut |at, value| features.push((at, value)));
                all.push(features);
            }
        });
        all
    }

    /// A file of weights, as [`Semantic::new`] reads it.
    pub fn write_weights(weights: &[i8]) -> String {
        weights::write(weights)
    }

    /// Whether there is enough in a sentence to look closer.
    fn speaks(&self, concepts: u64) -> bool {
        concepts & self.lexicon.keys != 0 && concepts.count_ones() >= 2
    }

    #[inline]
    fn weight(&self, feature: usize) -> i32 {
        self.weights.get(feature).copied().map_or(0, i32::from)
    }
}

/// The logistic function in thousandths, at quarters from 0 on. Whole numbers: a library's
/// exponential need not give the same bits everywhere.
const LOGISTIC: [u16; 33] = [
    500, 562, 622, 679, 731, 777, 818, 852, 881, 905, 924, 940, 953, 963, 971, 977, 982, 986, 989,
    991, 993, 995, 996, 997, 998, 998, 999, 999, 999, 999, 999, 1000, 1000,
];

/// A sum of weights as a score.
pub fn per_mille(sum: i32) -> u16 {
    let quarter = Semantic::UNIT / 4;
    let size = sum.unsigned_abs() as usize;
    let (at, part) = (size / quarter as usize, size % quarter as usize);
    let value = |at: usize| usize::from(LOGISTIC.get(at).copied().unwrap_or(1000));
    let up = value(at) + (value(at + 1) - value(at)) * part / quarter as usize;
    let up = u16::try_from(up).unwrap_or(1000).min(1000);
    if sum < 0 { 1000 - up } else { up }
}

/// What the worst of so many sentences is too high by: among many there is always one that looks
/// like an attack. From eight on each doubling counts, up to [`MOST_DOUBLINGS`].
fn chance(weighed: u32) -> i32 {
    let doublings = weighed.max(1).ilog2().saturating_sub(2).min(MOST_DOUBLINGS);
    (0..doublings).map(|_| Semantic::UNIT * 3 / 4).sum()
}

/// So that an attack is not hidden by making a text longer and longer.
const MOST_DOUBLINGS: u32 = 4;

/// The least sum with this score.
fn margin(score: u16) -> i32 {
    let most = Semantic::UNIT * 8;
    (-most..most).find(|sum| per_mille(*sum) >= score).unwrap_or(most)
}
