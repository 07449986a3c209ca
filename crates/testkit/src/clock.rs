//! A clock that shows what it is told.

use std::sync::atomic::{AtomicU64, Ordering};

use ledger::Clock;
use seal::time::UnixMillis;

/// A clock for tests: it starts somewhere and moves only by `advance`, `set` or a step per look.
#[derive(Debug)]
pub struct TestClock {
    now: AtomicU64,
    step: u64,
}

impl TestClock {
    /// A clock that stands still.
    pub fn at(millis: u64) -> TestClock {
        TestClock { now: AtomicU64::new(millis), step: 0 }
    }

    /// A clock that moves on by a step with every look.
    pub fn stepping(millis: u64, step: u64) -> TestClock {
        TestClock { now: AtomicU64::new(millis), step }
    }

    /// Moves the clock on.
    pub fn advance(&self, millis: u64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// Puts the clock anywhere, also back.
    pub fn set(&self, millis: u64) {
        self.now.store(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.fetch_add(self.step, Ordering::SeqCst))
    }
}
