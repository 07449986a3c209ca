//! Work on all cores, results in the order of the jobs, a bounded number of jobs under way.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope};

/// Jobs under way per thread: what is read ahead is held in memory.
const AHEAD: usize = 4;

type Answer<R> = (u64, Result<R, Box<dyn Any + Send>>);

/// Gives `feed` a sink; every job put there goes through `work` on one of `threads` threads (0 is
/// one a core), and to `take` on this one, in the order it came. A job should be worth a hand-off:
/// some hundred microseconds. A panic in `work` is one here.
pub fn ordered<J: Send, R: Send, F>(
    threads: usize,
    work: impl Fn(J) -> R + Sync,
    mut take: impl FnMut(R),
    feed: impl FnOnce(&mut dyn FnMut(J)) -> F,
) -> F {
    let cores = || available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores() } else { threads };
    if threads == 1 {
        return feed(&mut |job| take(work(job)));
    }
    let (give, jobs) = channel::<(u64, J)>();
    let jobs = Mutex::new(jobs);
    let (answers, done) = channel::<Answer<R>>();
    scope(|scope| {
        for _ in 0..threads {
            let (jobs, answers, work) = (&jobs, answers.clone(), &work);
            scope.spawn(move || worker(jobs, work, &answers));
        }
        drop(answers);
        // Moved in here: when a panic is passed on, the workers' queue must end with it.
        let mut pipe = Pipe { give, done, sent: 0, taken: 0, early: BTreeMap::new() };
        let fed = feed(&mut |job| {
            pipe.send(job);
            while pipe.sent - pipe.taken > (threads * AHEAD) as u64 {
                pipe.receive(&mut take);
            }
        });
        while pipe.taken < pipe.sent {
            pipe.receive(&mut take);
        }
        fed
    })
}

struct Pipe<J, R> {
    give: Sender<(u64, J)>,
    done: Receiver<Answer<R>>,
    sent: u64,
    taken: u64,
    /// Answers whose turn has not come.
    early: BTreeMap<u64, R>,
}

impl<J, R> Pipe<J, R> {
    fn send(&mut self, job: J) {
        // Fails only when every worker is gone; receiving then tells.
        let _ = self.give.send((self.sent, job));
        self.sent += 1;
    }

    fn receive(&mut self, take: &mut impl FnMut(R)) {
        // Workers answer every job, a panic included, so there is something to wait for.
        let Ok((number, answer)) = self.done.recv() else {
            panic!("every worker has ended before its work");
        };
        match answer {
            Ok(result) => self.early.insert(number, result),
            // A fault of ours must end as one, not as a verdict over the rest.
            Err(panic) => resume_unwind(panic),
        };
        while let Some(result) = self.early.remove(&self.taken) {
            take(result);
            self.taken += 1;
        }
    }
}

fn worker<J, R>(
    jobs: &Mutex<Receiver<(u64, J)>>,
    work: &(impl Fn(J) -> R + Sync),
    answers: &Sender<Answer<R>>,
) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, job)) = next else { return };
        let answer = catch_unwind(AssertUnwindSafe(|| work(job)));
        if answers.send((number, answer)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn results_come_once_and_in_order() {
        for threads in [0, 1, 2, 5] {
            for count in [0u64, 1, 2, 1_000] {
                let mut taken = Vec::new();
                let double = |n: u64| n * 2;
                let feed = |sink: &mut dyn FnMut(u64)| {
                    (0..count).for_each(sink);
                    "fed"
                };
                assert_eq!(ordered(threads, double, |n| taken.push(n), feed), "fed");
                assert_eq!(taken, (0..count).map(double).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_panic_in_a_worker_is_a_panic_here() {
        for threads in [1, 2] {
            let work = |n: u64| assert_ne!(n, 70);
            let run = || ordered(threads, work, |()| (), |sink| (0..1_000).for_each(sink));
            assert!(catch_unwind(run).is_err());
        }
    }

    /// While the first job takes its time, the others are not read without end.
    #[test]
    fn what_is_read_ahead_is_bounded() {
        let (first, read) = (Barrier::new(2), AtomicU64::new(0));
        scope(|scope| {
            scope.spawn(|| {
                let work = |n: u64| {
                    if n == 0 {
                        first.wait();
                    }
                };
                let feed = |sink: &mut dyn FnMut(u64)| {
                    for n in 0..1_000 {
                        read.store(n, Ordering::SeqCst);
                        sink(n);
                    }
                };
                ordered(2, work, |()| (), feed);
            });
            // The reader stands still at the bound: it cannot pass it before the first is done.
            let bound = 2 * AHEAD as u64 + 1;
            while read.load(Ordering::SeqCst) + 1 < bound {
                std::thread::yield_now();
            }
            for _ in 0..1_000 {
                std::thread::yield_now();
                assert!(read.load(Ordering::SeqCst) < bound);
            }
            first.wait();
        });
    }
}
