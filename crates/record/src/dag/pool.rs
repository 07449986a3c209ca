//! Work on many lines by all cores, results in the order of the lines.
//!
//! Signatures are checked one by one, never in a batch: a batch equation can accept what single
//! verification refuses, and its blinding can be ground by the signer.

use crate::cores::ordered;

/// Lines in one portion, and their text at which a portion is full earlier.
const PORTION: usize = 128;
const PORTION_BYTES: usize = 1 << 20;

/// Lines one behind the other, without an allocation for each.
#[derive(Default)]
struct Portion {
    text: Vec<u8>,
    /// The number of each line and where it ends in the text.
    lines: Vec<(u64, usize)>,
}

impl Portion {
    fn is_full(&self) -> bool {
        self.lines.len() == PORTION || self.text.len() >= PORTION_BYTES
    }

    fn push(&mut self, number: u64, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.lines.push((number, self.text.len()));
    }

    /// What is here, leaving room for lines that are about as long.
    fn take(&mut self) -> Portion {
        let text = Vec::with_capacity(self.text.len().min(PORTION_BYTES));
        std::mem::replace(self, Portion { text, lines: Vec::with_capacity(PORTION) })
    }

    fn each<R>(self, check: impl Fn(u64, &[u8]) -> R) -> Vec<R> {
        let mut from = 0;
        let check = |(number, end): &(u64, usize)| {
            let line = self.text.get(from..*end).unwrap_or_default();
            from = *end;
            check(*number, line)
        };
        self.lines.iter().map(check).collect()
    }
}

/// Runs `check` over every numbered line that `feed` gives, on several threads (0 is one a core),
/// and hands the results to `take` on this one, in order. Holds a few portions at a time.
pub(super) fn each<R: Send>(
    threads: usize,
    check: impl Fn(u64, &[u8]) -> R + Sync,
    mut take: impl FnMut(R),
    feed: impl FnOnce(&mut dyn FnMut(u64, &[u8])),
) {
    ordered(
        threads,
        |portion: Portion| portion.each(&check),
        |results| results.into_iter().for_each(&mut take),
        |give| {
            let mut portion = Portion::default();
            feed(&mut |number, line| {
                portion.push(number, line);
                if portion.is_full() {
                    give(portion.take());
                }
            });
            give(portion);
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_comes_once_and_in_order() {
        for threads in [1, 2, 5] {
            for count in [0, 1, PORTION as u64, PORTION as u64 + 1, 5_000] {
                let line = |n: u64| (n, format!("line {n}").into_bytes());
                let mut taken = Vec::new();
                each(
                    threads,
                    |number, line| (number, line.to_vec()),
                    |pair| taken.push(pair),
                    |sink| (0..count).map(line).for_each(|(n, line)| sink(n, &line)),
                );
                assert_eq!(taken, (0..count).map(line).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn portions_are_bounded_in_bytes() {
        let mut portion = Portion::default();
        portion.push(1, &[b'x'; PORTION_BYTES]);
        assert!(portion.is_full());
        assert_eq!(portion.take().lines.len(), 1);
        assert!(!portion.is_full() && portion.text.is_empty());
    }
}
