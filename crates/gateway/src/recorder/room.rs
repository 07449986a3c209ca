//! Whether new requests may come in: there is room for the evidence of those under way, and what
//! was written last was signed.
//!
//! A disk that is nearly full refuses new requests while the outcomes of the admitted ones still
//! fit. It is looked at after so many bytes or so much time, and again when a request was refused,
//! so that room that comes back is noticed by itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger::Log;
use ledger::store::Room;

/// Watches the disk beneath a ledger.
#[derive(Debug)]
pub(super) struct Headroom {
    wanted: u64,
    /// No room for new requests, or the last checkpoint could not be written.
    low: AtomicBool,
    unsigned: AtomicBool,
    /// What was there at the last look; `u64::MAX` where nothing tells.
    free: AtomicU64,
    kept: AtomicU64,
    /// Bytes since the last look.
    written: AtomicU64,
    looked: Mutex<Option<Instant>>,
}

/// Why no new request comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// The ledger stopped, or its last append failed a moment ago.
    Evidence,
    /// The disk has too little room.
    Headroom,
    /// The last checkpoint could not be written.
    Unsigned,
    /// The process that writes the ledger is gone.
    Sequencer,
}

impl Shut {
    /// For readiness and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Shut::Evidence => "evidence_unavailable",
            Shut::Headroom => "disk_headroom",
            Shut::Unsigned => "checkpoint_unwritten",
            Shut::Sequencer => "sequencer_gone",
        }
    }
}

impl Headroom {
    /// So many bytes are to be left, or an eighth of the disk if that is less.
    pub fn new(wanted: u64) -> Headroom {
        Headroom {
            wanted,
            low: AtomicBool::new(false),
            unsigned: AtomicBool::new(false),
            free: AtomicU64::new(u64::MAX),
            kept: AtomicU64::new(0),
            written: AtomicU64::new(0),
            looked: Mutex::new(None),
        }
    }

    /// An append of so many bytes went through.
    pub fn wrote(&self, ledger: &dyn Log, bytes: u64) {
        let written = self.written.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if written > self.kept.load(Ordering::Relaxed) / 8 || self.is_due(WRITING) {
            self.look(ledger);
        }
    }

    /// An append found no room, whatever the last look said.
    pub fn full(&self) {
        self.low.store(true, Ordering::Release);
        *self.at() = None;
    }

    /// Whether the last checkpoint was written.
    pub fn signed(&self, signed: bool) {
        self.unsigned.store(!signed, Ordering::Release);
    }

    /// Why no new request comes in, as far as the disk knows.
    pub fn shut(&self, ledger: &dyn Log) -> Option<Shut> {
        if self.low.load(Ordering::Acquire) && self.is_due(REFUSING) {
            self.look(ledger);
        }
        if self.low.load(Ordering::Acquire) {
            return Some(Shut::Headroom);
        }
        self.unsigned.load(Ordering::Acquire).then_some(Shut::Unsigned)
    }

    /// Looks at the disk. One that cannot be asked is not taken for full: the next append tells.
    pub fn look(&self, ledger: &dyn Log) {
        *self.at() = Some(Instant::now());
        self.written.store(0, Ordering::Relaxed);
        let room = ledger.room().ok().flatten();
        let kept = room.map_or(0, |room| kept(self.wanted, room));
        let free = room.map_or(u64::MAX, |room| room.free);
        self.free.store(free, Ordering::Relaxed);
        self.kept.store(kept, Ordering::Relaxed);
        let low = free < kept;
        if self.low.swap(low, Ordering::AcqRel) != low {
            match low {
                true => tracing::error!(
                    free,
                    kept,
                    "the disk has too little room: new requests are refused"
                ),
                false => tracing::warn!(free, kept, "the disk has room: requests are served"),
            }
        }
    }

    /// Bytes free at the last look, and how many are kept; `None` where nothing tells.
    pub fn bytes(&self) -> Option<(u64, u64)> {
        let free = self.free.load(Ordering::Relaxed);
        (free != u64::MAX).then(|| (free, self.kept.load(Ordering::Relaxed)))
    }

    fn is_due(&self, after: Duration) -> bool {
        self.at().is_none_or(|looked| looked.elapsed() >= after)
    }

    fn at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept(wanted: u64, room: Room) -> u64 {
    wanted.min(room.total / 8)
}

/// While requests are served, others may fill the disk meanwhile.
const WRITING: Duration = Duration::from_secs(1);
/// While they are refused.
const REFUSING: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_keeps_an_eighth() {
        let room = |total| Room { free: 0, total };
        assert_eq!(kept(64, room(8 * 64)), 64);
        assert_eq!(kept(64, room(80)), 10);
        assert_eq!(kept(0, room(80)), 0);
    }
}
