//! Work on all cores, results in order, memory bounded.

use record::cores;

/// Items handed to one worker at a time: one signature is too little for a hand-off.
const BATCH: usize = 64;
/// Bytes at which a batch is full earlier: evidence may be large, and much of it under way.
const BATCH_BYTES: usize = 1 << 20;

/// What an item weighs in memory.
pub(crate) trait Weight {
    /// Bytes.
    fn weight(&self) -> usize;
}

/// Gives `feed` a sink; everything put there goes through `work` on some thread, and to `take` on
/// this one, in the order it came.
pub(crate) fn ordered<T: Weight + Send, R: Send, F>(
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R),
    feed: impl FnOnce(&mut dyn FnMut(T)) -> F,
) -> F {
    cores::ordered(
        0,
        |batch: Vec<T>| batch.into_iter().map(&work).collect::<Vec<R>>(),
        |results| results.into_iter().for_each(&mut take),
        |give| {
            let (mut batch, mut weight) = (Vec::with_capacity(BATCH), 0);
            let fed = feed(&mut |item| {
                weight += item.weight();
                batch.push(item);
                if batch.len() == BATCH || weight >= BATCH_BYTES {
                    weight = 0;
                    give(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
                }
            });
            give(batch);
            fed
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weight for u64 {
        fn weight(&self) -> usize {
            BATCH_BYTES / 10
        }
    }

    #[test]
    fn results_come_in_order() {
        for count in [0u64, 1, 9, 10, 11, 5000] {
            let mut seen = Vec::new();
            let fed = ordered(
                |n: u64| n * 2,
                |n| seen.push(n),
                |sink| {
                    (0..count).for_each(sink);
                    "fed"
                },
            );
            assert_eq!(fed, "fed");
            assert_eq!(seen, (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }
}
