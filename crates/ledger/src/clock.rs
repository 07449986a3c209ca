//! The sequencer's clock: a joint, so that tests own time.

use std::time::{SystemTime, UNIX_EPOCH};

use seal::time::UnixMillis;

/// Tells the time of an append. It may jump back: the ledger never lets `ts` decrease.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970 UTC.
    fn now(&self) -> UnixMillis;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        // A clock before 1970 reads as 0; `ts` then stays at the last entry's value.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
