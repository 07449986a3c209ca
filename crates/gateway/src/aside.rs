//! Work that would hold a worker for long: parsing, judging and signing what is
//! large takes time in proportion to its bytes, and meanwhile a worker would
//! answer nobody else, health checks included. Beyond a size it is done by
//! threads of its own, fewer than there are cores and of lower priority.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, available_parallelism};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Runs work on the worker or beside it, by the bytes it has to go over.
#[derive(Debug)]
pub(crate) struct Aside {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
}

/// A place among the large requests; dropping it makes room for the next.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held until it is dropped")] Size);

#[derive(Debug)]
enum Size {
    Small,
    Large(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit),
}

/// As many large requests as may be under way are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// What fewer bytes take is shorter than handing it over is worth.
pub(crate) const INLINE_BYTES: usize = 64 << 10;

/// So many large requests may be judged or wait for it at once: with bodies of
/// 4 MiB, a quarter of a gigabyte.
const PLACES: usize = 64;

impl Aside {
    /// Starts the threads: one core less than there are, so that one is always
    /// left to the workers.
    pub(crate) fn new() -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::with(cores.saturating_sub(1).max(1), PLACES)
    }

    fn with(threads: usize, places: usize) -> io::Result<Self> {
        let aside = Self { shared: Arc::default(), places: Arc::new(Semaphore::new(places)) };
        for _ in 0..threads {
            let shared = aside.shared.clone();
            thread::Builder::new().name("aside".to_owned()).spawn(move || shared.work())?;
        }
        Ok(aside)
    }

    /// A place for a request of so many bytes, if there is one. What is small
    /// needs none, so large requests never keep a small one out.
    pub(crate) fn place(&self, bytes: usize) -> Result<Place, Full> {
        if bytes <= INLINE_BYTES {
            return Ok(Place(Size::Small));
        }
        let place = self.places.clone().try_acquire_owned().map_err(|_| Full)?;
        Ok(Place(Size::Large(place)))
    }

    /// Does `work`, which goes over `bytes` bytes, after what waits already. A
    /// panic in it is the caller's own.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.queued(bytes, work, VecDeque::push_back).await
    }

    /// As [`Aside::run`], before what waits: a later step of a request that holds
    /// much memory already, and gives it back when it is done.
    pub(crate) async fn go_on<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.queued(bytes, work, VecDeque::push_front).await
    }

    async fn queued<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
        push: fn(&mut VecDeque<Job>, Job),
    ) -> T {
        if bytes <= INLINE_BYTES {
            return work();
        }
        let (sender, done) = oneshot::channel();
        let job = Box::new(move || {
            // Who waits for it may be gone; what it returns is then dropped here.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        });
        push(&mut self.shared.lock().jobs, job);
        self.shared.wake.notify_one();
        match done.await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            // The threads live as long as `self`, take whatever was queued and answer it. Should
            // that ever be untrue, it must end as a fault, not as a wait without end.
            Err(_) => panic!("work that was handed over was lost"),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Not waited for: the last owner may be a job on one of the threads.
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        yield_to_workers();
        loop {
            let mut queue = self.lock();
            let job = loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                if queue.closed {
                    return;
                }
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            // What nobody waits for is dropped in there, which may panic, too; a thread that ends
            // by it would leave those who come next waiting for ever.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Does `work` on a thread of its own, of lower priority: what takes long and comes seldom, and for
/// which no request waits. Threads that it starts have that priority, too. An error means that the
/// thread could not be had, or panicked.
pub(crate) fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, done) = oneshot::channel();
    let work = move || {
        yield_to_workers();
        // Who waits for it may be gone; what it returns is then dropped here.
        let _ = sender.send(work());
    };
    if let Err(error) = thread::Builder::new().name("apart".to_owned()).spawn(work) {
        tracing::error!(%error, "a thread could not be started");
    }
    done
}

/// Lowers the priority of this thread: a worker that wakes up goes first. Where
/// that is refused, or would be the priority of the whole process, the cores
/// that are left to the workers have to do.
fn yield_to_workers() {
    #[cfg(target_os = "linux")]
    {
        let own = rustix::process::getpriority_process(None);
        let lower = |own: i32| (own + NICE).min(19);
        let set = |nice| rustix::process::setpriority_process(None, nice);
        if let Err(error) = own.map(lower).and_then(set) {
            tracing::debug!(%error, "threads for large requests run at the workers' priority");
        }
    }
}

/// About a tenth of a worker's share where they compete.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::task::Poll;
    use std::thread::{ThreadId, current};

    fn runs<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(test)
    }

    fn aside(threads: usize, places: usize) -> Arc<Aside> {
        Arc::new(Aside::with(threads, places).expect("threads"))
    }

    fn thread_of(bytes: usize) -> ThreadId {
        runs(aside(1, 1).run(bytes, || current().id()))
    }

    #[test]
    fn large_work_is_not_done_on_the_worker() {
        assert_eq!(thread_of(0), current().id());
        assert_eq!(thread_of(INLINE_BYTES), current().id());
        assert_ne!(thread_of(INLINE_BYTES + 1), current().id());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn and_with_less_priority() {
        let own = || rustix::process::getpriority_process(None).expect("a priority");
        let before = own();
        assert_eq!(runs(aside(1, 1).run(1 << 20, own)), (before + NICE).min(19));
        assert_eq!(own(), before, "the worker keeps its own");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_apart_yields_to_everyone_and_so_do_its_threads() {
        let own = || rustix::process::getpriority_process(None).expect("a priority");
        let lower = (own() + NICE).min(19);
        let both = apart(move || (own(), thread::spawn(own).join().expect("no panic")));
        assert_eq!(runs(both), Ok((lower, lower)));
        let failed: Result<(), _> = runs(apart(|| panic!("the test's own panic")));
        assert!(failed.is_err(), "it is told, and nobody waits for ever");
    }

    #[test]
    fn a_panic_arrives_where_it_belongs_and_the_thread_goes_on() {
        runs(async {
            let aside = aside(1, 1);
            let run = |panics: bool| {
                let aside = aside.clone();
                tokio::spawn(async move {
                    aside.run(1 << 20, move || assert!(!panics, "the test's own panic")).await;
                })
            };
            assert!(run(true).await.is_err());
            assert!(run(false).await.is_ok());
        });
    }

    /// Nobody is there any more to hear of it, and the thread must not be lost for those who are.
    #[test]
    fn what_nobody_waits_for_may_fail_as_it_is_dropped() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("the test's own panic");
            }
        }
        let (go, wait) = mpsc::channel::<()>();
        let aside = aside(1, 1);
        runs(async {
            let left = aside.run(1 << 20, move || {
                wait.recv().expect("the test goes on");
                Bomb
            });
            let mut left = Box::pin(left);
            assert!(
                std::future::poll_fn(|cx| Poll::Ready(left.as_mut().poll(cx).is_pending())).await
            );
            drop(left);
            go.send(()).expect("the thread waits");
        });
        let (sent, done) = mpsc::channel();
        thread::spawn(move || sent.send(runs(aside.run(1 << 20, || 7))));
        assert_eq!(done.recv_timeout(std::time::Duration::from_secs(20)), Ok(7));
    }

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let aside = aside(1, 2);
        let first = aside.place(1 << 20).expect("a place");
        let _second = aside.place(1 << 20).expect("a place");
        assert_eq!(aside.place(1 << 20).map(drop), Err(Full));
        assert!(aside.place(INLINE_BYTES).is_ok(), "what is small needs none");
        drop(first);
        assert!(aside.place(1 << 20).is_ok());
    }

    #[test]
    fn what_has_begun_goes_before_what_waits() {
        runs(async {
            let aside = aside(1, 1);
            let (go, wait) = mpsc::channel::<()>();
            let order = Arc::new(Mutex::new(Vec::new()));
            let note = |name: &'static str| {
                let order = order.clone();
                move || order.lock().expect("no panic").push(name)
            };
            // Polled in this order, while the only thread waits.
            tokio::join!(
                biased;
                aside.run(1 << 20, move || wait.recv().expect("the test goes on")),
                aside.run(1 << 20, note("new")),
                aside.go_on(1 << 20, note("begun")),
                async { go.send(()).expect("the thread waits") },
            );
            assert_eq!(*order.lock().expect("no panic"), ["begun", "new"]);
        });
    }
}
