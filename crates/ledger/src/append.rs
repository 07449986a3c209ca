//! Why an append did not happen.

use std::io;
use std::sync::Arc;

use crate::kind::Kind;

/// Why entries were not appended.
///
/// After `Failed`, and after `Gone` in doubt, the caller must assume nothing: the entries may or may
/// not be found when the ledger is opened again. After every other error they are not there.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The id is empty, too long or has control characters.
    #[error(
        "an id of a {kind} entry has {len} bytes; expected 1 to 256 without control characters"
    )]
    Id {
        /// Kind of the entry.
        kind: Kind,
        /// Length of its id.
        len: usize,
    },
    /// The body is longer than its kind allows.
    #[error("a {kind} body has {len} bytes, the limit is {limit}")]
    TooLong {
        /// Kind of the entry.
        kind: Kind,
        /// Length of the body.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The body is not UTF-8 text, or has a NUL.
    #[error("a {kind} body is not UTF-8 text without NUL")]
    NotText {
        /// Kind of the entry.
        kind: Kind,
    },
    /// Only the ledger itself writes entries of this kind.
    #[error("{kind} entries are written by the ledger alone")]
    Reserved {
        /// Kind of the entry.
        kind: Kind,
    },
    /// The body could not be encrypted for the ledger's recipients, so it was not written.
    #[error(transparent)]
    Encryption(Arc<crypt::SealError>),
    /// More is waiting than may wait.
    #[error(
        "{waiting} bytes wait to be written, the limit is {limit}: the disk does not keep up, try later"
    )]
    Busy {
        /// Bytes waiting.
        waiting: usize,
        /// The limit.
        limit: usize,
    },
    /// The disk is full. Nothing was lost; appends work again once there is room.
    #[error("the disk is full: make room, then try again ({0})")]
    Full(Arc<io::Error>),
    /// No new segment could be made (no descriptor left, a directory that takes no files). Nothing
    /// was lost; appends work again once it can be made.
    #[error("no new segment can be made, nothing was written: {0}; try again later")]
    Unwritten(Arc<io::Error>),
    /// The write or sync of this batch failed.
    #[error("the ledger stopped: {0}; check the disk, then start again")]
    Failed(Arc<Failure>),
    /// An earlier write or sync failed.
    #[error("the ledger stopped earlier: {0}; check the disk, then start again")]
    Stopped(Arc<Failure>),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// The process that is the sequencer does not answer any more.
    #[error("the process that writes the ledger is gone{}: connect again, or start one", .in_doubt.then_some(", and whether the entries were written is not known").unwrap_or_default())]
    Gone {
        /// Whether the entries may have been written. The next connection tells.
        in_doubt: bool,
    },
    /// The sequencer does not take such entries.
    #[error("the process that writes the ledger refused: {0}")]
    Refused(String),
}

/// What stopped a ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The store failed. A failed sync is never repeated: the kernel may have dropped the data.
    #[error("{step} of {file} failed: {source}")]
    Store {
        /// What was being done.
        step: &'static str,
        /// To which file.
        file: String,
        /// What the store said.
        source: io::Error,
    },
    /// The head is not the one this ledger wrote.
    #[error("the head was replaced by somebody else: two writers on one ledger")]
    HeadMoved,
    /// The tiles made of the journal do not have the root of what was appended.
    #[error("the tiles of {size} entries do not have the tree's root: the journal was changed")]
    Tiles {
        /// Number of entries.
        size: u64,
    },
    /// A leaf could not be written: the numbers are exhausted.
    #[error("the leaf cannot be written: {0}")]
    Leaf(crate::leaf::LeafError),
    /// What stopped the ledger of another process, in its words.
    #[error("{0}")]
    Elsewhere(String),
    /// A thread was lost while it wrote.
    #[error("a thread failed while it wrote a batch")]
    Abandoned,
}

impl Failure {
    pub(crate) fn store(step: &'static str, file: &str, source: io::Error) -> Failure {
        Failure::Store { step, file: file.to_owned(), source }
    }
}
