//! Words of ASCII letters and their concepts, found by their first four letters.

use super::spell::{Spelled, spell};

/// A row of the table.
#[derive(Clone, Copy)]
struct Row {
    /// The letters, and which bytes of a word are compared with them.
    first: (u64, u64),
    second: (u64, u64),
    concepts: u64,
    /// Whether the next row has the same place.
    more: bool,
}

/// Words and stems. A word has the concepts of itself, or else of the longest stem.
pub(crate) struct Table {
    /// By the hash of four letters, the first row, from 1; 0 is none.
    places: Vec<u16>,
    rows: Vec<Row>,
}

/// How many letters of a stem there must be at least, so that its words are found by them.
pub(crate) const SHORTEST_STEM: usize = 4;

const BITS: u32 = 13;

#[inline]
fn place(first: u64) -> usize {
    ((first as u32).wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

impl Table {
    /// A table of words and stems in lower-case letters, each with its concepts.
    pub fn new(words: impl Iterator<Item = (String, bool, u64)>) -> Table {
        let mut sorted: Vec<(usize, bool, std::cmp::Reverse<usize>, String, u64)> = words
            .map(|(word, stem, concepts)| {
                let at = place(spell(word.as_bytes(), 0).first);
                (at, stem, std::cmp::Reverse(word.len()), word, concepts)
            })
            .collect();
        // words before stems, long ones before short ones
        sorted.sort_unstable();
        let mut table = Table { places: vec![0; 1 << BITS], rows: Vec::new() };
        for (n, (at, stem, _, word, concepts)) in sorted.iter().enumerate() {
            let spelled = spell(word.as_bytes(), 0);
            let mask = |before: usize| match word.len().saturating_sub(before) {
                len if !stem || len >= 8 => u64::MAX,
                len => (1 << (8 * len)) - 1,
            };
            table.rows.push(Row {
                first: (spelled.first, mask(0)),
                second: (spelled.second, mask(8)),
                concepts: *concepts,
                more: sorted.get(n + 1).is_some_and(|next| next.0 == *at),
            });
            if let Some(place) = table.places.get_mut(*at).filter(|place| **place == 0) {
                *place = u16::try_from(n + 1).expect("fewer words than numbers");
            }
        }
        table
    }

    /// The concepts of a word.
    #[inline]
    pub fn concepts(&self, word: &Spelled) -> u64 {
        match self.places.get(place(word.first)) {
            Some(0) | None => 0,
            Some(row) => self.search(usize::from(*row) - 1, word),
        }
    }

    fn search(&self, from: usize, word: &Spelled) -> u64 {
        for row in self.rows.get(from..).unwrap_or_default() {
            if word.first & row.first.1 == row.first.0 && word.second & row.second.1 == row.second.0
            {
                return row.concepts;
            }
            if !row.more {
                break;
            }
        }
        0
    }
}
