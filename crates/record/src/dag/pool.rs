//! Work on many lines by all cores, results in the order of the lines.
//!
//! Signatures are checked one by one, never in a batch: a batch equation can accept what single
//! verification refuses, and its blinding can be ground by the signer.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Lines in one portion, and their text at which a portion is full earlier.
const PORTION: usize = 128;
const PORTION_BYTES: usize = 1 << 20;
/// Portions under way per thread: what is read ahead is held in memory.
const AHEAD: usize = 4;

/// Lines one behind the other, without an allocation for each.
#[derive(Default)]
struct Portion {
    text: Vec<u8>,
    /// The number of each line and where it ends in the text.
    lines: Vec<(u64, usize)>,
}

type Answer<R> = (u64, Result<Vec<R>, Box<dyn Any + Send>>);

/// Runs `check` over every numbered line that `feed` gives, on several threads (0 is one a core),
/// and hands the results to `take` on this one, in order. Holds a few portions at a time.
pub(super) fn each<R: Send>(
    threads: usize,
    check: impl Fn(u64, &[u8]) -> R + Sync,
    mut take: impl FnMut(R),
    feed: impl FnOnce(&mut dyn FnMut(u64, &[u8])),
) {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores() } else { threads };
    if threads == 1 {
        return feed(&mut |number, line| take(check(number, line)));
    }
    let (give, work) = channel::<(u64, Portion)>();
    let work = Mutex::new(work);
    let (answers, done) = channel::<Answer<R>>();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (work, answers, check) = (&work, answers.clone(), &check);
            scope.spawn(move || worker(work, check, &answers));
        }
        drop(answers);
        // Moved in here: when a panic is passed on, the workers' queue must end with it.
        let mut pipe = Pipe {
            give,
            done,
            portion: Portion::default(),
            sent: 0,
            taken: 0,
            early: BTreeMap::new(),
            ahead: (threads * AHEAD) as u64,
        };
        feed(&mut |number, line| pipe.push(number, line, &mut take));
        pipe.send();
        while pipe.taken < pipe.sent {
            pipe.receive(&mut take);
        }
    });
}

struct Pipe<R> {
    give: Sender<(u64, Portion)>,
    done: Receiver<Answer<R>>,
    portion: Portion,
    sent: u64,
    taken: u64,
    /// Answers whose turn has not come.
    early: BTreeMap<u64, Vec<R>>,
    ahead: u64,
}

impl<R> Pipe<R> {
    fn push(&mut self, number: u64, line: &[u8], take: &mut impl FnMut(R)) {
        self.portion.text.extend_from_slice(line);
        self.portion.lines.push((number, self.portion.text.len()));
        if self.portion.lines.len() == PORTION || self.portion.text.len() >= PORTION_BYTES {
            self.send();
            while self.sent - self.taken > self.ahead {
                self.receive(take);
            }
        }
    }

    fn send(&mut self) {
        let portion = std::mem::take(&mut self.portion);
        // The lines of the next one are about as long.
        self.portion.text.reserve(portion.text.len().min(PORTION_BYTES));
        self.portion.lines.reserve(PORTION);
        // Fails only when every worker is gone; receiving then tells.
        let _ = self.give.send((self.sent, portion));
        self.sent += 1;
    }

    fn receive(&mut self, take: &mut impl FnMut(R)) {
        // Workers answer every portion, a panic included, so there is something to wait for.
        let Ok((number, answer)) = self.done.recv() else {
            panic!("every worker has ended before its work");
        };
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

fn worker<R>(
    work: &Mutex<Receiver<(u64, Portion)>>,
    check: &(impl Fn(u64, &[u8]) -> R + Sync),
    answers: &Sender<Answer<R>>,
) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, portion)) = next else { return };
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let mut from = 0;
            let mut check = |(number, end): &(u64, usize)| {
                let line = portion.text.get(from..*end).unwrap_or_default();
                from = *end;
                check(*number, line)
            };
            portion.lines.iter().map(&mut check).collect()
        }));
        if answers.send((number, answer)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(threads: usize, count: u64) -> Vec<(u64, Vec<u8>)> {
        let mut taken = Vec::new();
        each(
            threads,
            |number, line| (number, line.to_vec()),
            |pair| taken.push(pair),
            |sink| (0..count).for_each(|n| sink(n, format!("line {n}").as_bytes())),
        );
        taken
    }

    #[test]
    fn every_line_comes_once_and_in_order() {
        for threads in [1, 2, 5] {
            for count in [0, 1, PORTION as u64, PORTION as u64 + 1, 5_000] {
                let expected: Vec<_> =
                    (0..count).map(|n| (n, format!("line {n}").into_bytes())).collect();
                assert_eq!(lines(threads, count), expected);
            }
        }
    }

    #[test]
    fn a_panic_in_a_worker_is_a_panic_here() {
        let outcome = catch_unwind(|| {
            each(
                2,
                |n, _| assert_ne!(n, 700),
                |()| (),
                |sink| (0..90_000).for_each(|n| sink(n, b"")),
            );
        });
        assert!(outcome.is_err());
    }

    /// While the first portion takes its time, the others are not read without end.
    #[test]
    fn what_is_read_ahead_is_bounded() {
        let (first, read) = (std::sync::Barrier::new(2), std::sync::atomic::AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                each(
                    2,
                    |number, _| match number {
                        0 => drop(first.wait()),
                        _ => assert!(number < 100_000),
                    },
                    |()| (),
                    |sink| {
                        for n in 0..100_000 {
                            read.store(n, std::sync::atomic::Ordering::SeqCst);
                            sink(n, b"");
                        }
                    },
                );
            });
            // The reader stands still at the bound: it cannot pass it before the first is done.
            let bound = (2 * AHEAD as u64 + 1) * PORTION as u64;
            while read.load(std::sync::atomic::Ordering::SeqCst) + 1 < bound {
                thread::yield_now();
            }
            for _ in 0..1_000 {
                thread::yield_now();
                assert!(read.load(std::sync::atomic::Ordering::SeqCst) < bound);
            }
            first.wait();
        });
    }
}
