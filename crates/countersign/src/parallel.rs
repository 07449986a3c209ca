//! Work on all cores, results in order, memory bounded.

use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

/// Items handed to one worker at a time: one signature is too little for a hand-off.
const BATCH: usize = 64;
/// Bytes at which a batch is full earlier: evidence may be large, and much of it under way.
const BATCH_BYTES: usize = 1 << 20;
/// Batches under way per worker.
const AHEAD: usize = 4;

type Answer<R> = (u64, Result<Vec<R>, Box<dyn Any + Send>>);

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
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (jobs, queue) = channel::<(u64, Vec<T>)>();
    let queue = Mutex::new(queue);
    let (answers, finished) = channel::<Answer<R>>();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (queue, work, answers) = (&queue, &work, answers.clone());
            scope.spawn(move || worker(queue, work, &answers));
        }
        drop(answers);
        let mut pipe = Pipe {
            jobs,
            finished,
            waiting: Vec::with_capacity(BATCH),
            weight: 0,
            sent: 0,
            taken: 0,
            early: BTreeMap::new(),
        };
        let result = feed(&mut |item| {
            pipe.weight += item.weight();
            pipe.waiting.push(item);
            if pipe.waiting.len() == BATCH || pipe.weight >= BATCH_BYTES {
                pipe.send();
                while pipe.sent - pipe.taken > (workers * AHEAD) as u64 {
                    pipe.receive(&mut take);
                }
            }
        });
        pipe.send();
        while pipe.taken < pipe.sent {
            pipe.receive(&mut take);
        }
        result
    })
}

struct Pipe<T, R> {
    jobs: Sender<(u64, Vec<T>)>,
    finished: Receiver<Answer<R>>,
    waiting: Vec<T>,
    /// Of what waits.
    weight: usize,
    sent: u64,
    taken: u64,
    /// Answers whose turn has not come.
    early: BTreeMap<u64, Vec<R>>,
}

impl<T, R> Pipe<T, R> {
    fn send(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.weight = 0;
        let batch = std::mem::replace(&mut self.waiting, Vec::with_capacity(BATCH));
        self.jobs.send((self.sent, batch)).expect("the queue lives as long as the pipe");
        self.sent += 1;
    }

    fn receive(&mut self, take: &mut impl FnMut(R)) {
        let (number, answer) =
            self.finished.recv().expect("workers answer every batch, a panic included");
        match answer {
            Ok(results) => self.early.insert(number, results),
            // A fault of ours must end as one, not as a verdict over the rest.
            Err(panic) => resume_unwind(panic),
        };
        while let Some(results) = self.early.remove(&self.taken) {
            results.into_iter().for_each(&mut *take);
            self.taken += 1;
        }
    }
}

fn worker<T, R>(
    queue: &Mutex<Receiver<(u64, Vec<T>)>>,
    work: &(impl Fn(T) -> R + Sync),
    answers: &Sender<Answer<R>>,
) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, batch)) = job else { return };
        let answer =
            catch_unwind(AssertUnwindSafe(|| batch.into_iter().map(work).collect::<Vec<R>>()));
        if answers.send((number, answer)).is_err() {
            return;
        }
    }
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
        for count in [0u64, 1, 63, 64, 65, 5000] {
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

    #[test]
    fn a_panic_in_a_worker_is_a_panic_here() {
        let outcome = catch_unwind(|| {
            ordered(|n: u64| assert_ne!(n, 700), |()| (), |sink| (0..1000).for_each(sink));
        });
        assert!(outcome.is_err());
    }
}
