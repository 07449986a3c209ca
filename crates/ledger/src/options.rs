//! What a ledger is opened with.

use std::sync::Arc;
use std::time::Duration;

use crypt::{Identities, Recipients};
use seal::signer::Signer;

use crate::clock::Clock;
use crate::lock::Lock;

/// How a ledger is opened.
pub struct Options {
    /// Name of the log: the first line of its checkpoints.
    pub origin: String,
    /// Signs checkpoints.
    pub signer: Arc<dyn Signer>,
    /// Who appends through this ledger; at most 64 bytes.
    pub writer: String,
    /// Tells the time of appends.
    pub clock: Arc<dyn Clock>,
    /// A segment that has reached this length is followed by a new one.
    pub segment_bytes: u64,
    /// A segment whose first entry is older than this is followed by a new one at the next append.
    pub segment_age: Option<Duration>,
    /// Bodies are written encrypted for these.
    pub recipients: Option<Arc<Recipients>>,
    /// One batch takes waiting calls up to this many bytes (and always at least one call).
    pub batch_bytes: usize,
    /// More waiting bytes than this are refused.
    pub queue_bytes: usize,
    /// Opens bodies that were written encrypted, for whoever visits the entries.
    pub identities: Option<Arc<Identities>>,
    /// Held as long as the ledger is open.
    pub lock: Option<Lock>,
}

impl Options {
    /// Options with the default sizes: segments of 64 MiB, batches of 8 MiB, 64 MiB waiting.
    pub fn new(
        origin: impl Into<String>,
        signer: Arc<dyn Signer>,
        writer: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Options {
        Options {
            origin: origin.into(),
            signer,
            writer: writer.into(),
            clock,
            segment_bytes: 64 * MIB as u64,
            segment_age: None,
            recipients: None,
            batch_bytes: 8 * MIB,
            queue_bytes: 64 * MIB,
            identities: None,
            lock: None,
        }
    }
}

const MIB: usize = 1024 * 1024;
