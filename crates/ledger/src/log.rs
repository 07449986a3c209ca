//! The joint to a log, wherever its sequencer runs: in this process, or behind a socket.

use std::io;
use std::ops::Range;

use seal::digest::Digest;
use seal::note::VerifierKey;

use crate::append::AppendError;
use crate::entry::Prepared;
use crate::ledger::Ledger;
use crate::publish::CheckpointError;
use crate::store::Room;

/// A log that takes entries: [`Ledger`], or a [`crate::socket::Client`] of another process's.
///
/// # Durability
/// What `append_prepared` returned indices for is durable. After [`AppendError::Failed`] and
/// [`AppendError::Gone`] with `in_doubt` nobody knows; after every other error nothing was written.
///
/// # Concurrency
/// Any number of threads. The entries of one call are contiguous and in order. All entries of one
/// `Log` have one writer.
pub trait Log: Send + Sync {
    /// Appends entries and returns their indices once they are durable. Blocks.
    fn append_prepared(&self, entries: Vec<Prepared>) -> Result<Range<u64>, AppendError>;

    /// Number of durable entries, as far as this process was told.
    fn size(&self) -> u64;

    /// Size, root and room now. A client asks its sequencer.
    fn state(&self) -> Result<LogState, AppendError>;

    /// The key that verifies this log's checkpoints.
    fn vkey(&self) -> VerifierKey;

    /// Signs a checkpoint; a client leaves that to its sequencer.
    fn checkpoint(&self) -> Result<(), CheckpointError>;

    /// Takes nothing more; the sequencer signs a last checkpoint, a client hangs up.
    fn close(&self) -> Result<(), CheckpointError>;

    /// How much room there is for more; `None` where nothing tells.
    fn room(&self) -> io::Result<Option<Room>> {
        self.state().map(|state| state.room).map_err(io::Error::other)
    }
}

/// What a log says about itself at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogState {
    /// Number of durable entries.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
    /// How many entries the last checkpoint covers.
    pub checkpointed: u64,
    /// Room beneath the ledger, in bytes.
    pub room: Option<Room>,
}

impl Log for Ledger {
    fn append_prepared(&self, entries: Vec<Prepared>) -> Result<Range<u64>, AppendError> {
        Ledger::append_prepared(self, entries)
    }

    fn size(&self) -> u64 {
        Ledger::size(self)
    }

    fn state(&self) -> Result<LogState, AppendError> {
        Ok(Ledger::state(self))
    }

    fn vkey(&self) -> VerifierKey {
        Ledger::vkey(self).clone()
    }

    fn checkpoint(&self) -> Result<(), CheckpointError> {
        Ledger::checkpoint(self)
    }

    fn close(&self) -> Result<(), CheckpointError> {
        Ledger::close(self)
    }

    fn room(&self) -> io::Result<Option<Room>> {
        Ledger::room(self)
    }
}
