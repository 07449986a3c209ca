//! Work on bodies that would hold a worker for long. Parsing and scanning a
//! body takes time in proportion to its bytes; meanwhile a worker would answer
//! nobody else, health checks included. Beyond a size it is done beside them.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Runs work on the worker or beside it, by the bytes it has to go over.
#[derive(Debug)]
pub(crate) struct Aside {
    /// One for each core: more at once would only make all of them later.
    places: Arc<Semaphore>,
}

/// What fewer bytes take is shorter than handing it over is worth.
const INLINE_BYTES: usize = 64 << 10;

impl Aside {
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self { places: Arc::new(Semaphore::new(cores)) }
    }

    /// Does `work`, which goes over `bytes` bytes. A panic in it is the caller's own.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if bytes <= INLINE_BYTES {
            return work();
        }
        let place = self.places.clone().acquire_owned().await;
        let done = spawn_blocking(move || {
            // Kept until the work is done, whatever becomes of those who wait for it.
            let _place = place;
            work()
        });
        match done.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime stops, and whoever waits here is about to be dropped.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::{ThreadId, current};

    fn thread_of(bytes: usize) -> ThreadId {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(Aside::new().run(bytes, || current().id()))
    }

    #[test]
    fn large_work_is_not_done_on_the_worker() {
        assert_eq!(thread_of(0), current().id());
        assert_eq!(thread_of(INLINE_BYTES), current().id());
        assert_ne!(thread_of(INLINE_BYTES + 1), current().id());
    }

    #[test]
    fn every_place_is_given_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let aside = Arc::new(Aside::new());
            let places = aside.places.available_permits();
            let run = |panics: bool| {
                let aside = aside.clone();
                tokio::spawn(async move {
                    aside.run(1 << 20, move || assert!(!panics, "the test's own panic")).await;
                })
            };
            for _ in 0..places {
                assert!(run(true).await.is_err(), "a panic arrives where it belongs");
            }
            assert!(run(false).await.is_ok());
            assert_eq!(aside.places.available_permits(), places);
        });
    }
}
