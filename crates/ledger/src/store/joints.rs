//! The two joints that the ledger stands on: blobs, and a head that is swapped.
//!
//! They promise what is common to a directory, an object store and a database, and no more: no
//! renames, no syncs, no directories. An append may be an object named by its offset, a swap a
//! conditional write or an `UPDATE … WHERE`. One adapter makes both of a [`Store`]; the suite in
//! `tests/it/joints.rs` is what any other pair must pass.

use std::io;
use std::sync::Arc;

use super::disk::Disk;
use super::{Room, Source, Store};

/// Blobs by name: the journal's segments, tiles, bundles, the checkpoint.
///
/// # Durability
/// What [`Blobs::create`], [`Blobs::append`] and [`Blobs::replace`] have done when they return, no
/// crash undoes. [`Blobs::put`] and [`Blobs::remove`] are durable once [`Blobs::settle`] has
/// returned; until then a crash may undo any of them, each as a whole: what is seen under a name
/// that was put is never a part of it. An append that did not return may leave any of its 512-byte
/// sectors behind, and zeros for the others, and never changes what was durable before.
///
/// # Concurrency
/// One thread writes at a time, of one process ([`crate::lock::Lock`]). Readers come at any time,
/// of any process: they see what was appended so far, and of what is put or replaced the old or
/// the new.
///
/// # Retries
/// After [`BlobError::Full`] and [`BlobError::Unwritten`] everything is as it was: the same call may
/// be made again. After [`BlobError::Broken`] nobody knows what is there. An append must not be
/// tried again then, not even if it would succeed: the kernel may count pages as clean that it
/// lost. What is put or replaced as a whole may be put again as a whole.
pub trait Blobs: Source {
    /// Makes an empty blob. One that is there is [`BlobError::Broken`] with
    /// [`io::ErrorKind::AlreadyExists`].
    fn create(&self, name: &str) -> Result<(), BlobError>;

    /// Writes behind the last byte. `at` is the length that the caller believes the blob to have;
    /// any other means that somebody else wrote, and is [`BlobError::Broken`].
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> Result<(), BlobError>;

    /// Puts a blob in place of whatever has its name.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError>;

    /// As [`Blobs::replace`], durable with the next [`Blobs::settle`]: for many blobs at once. Their
    /// content is durable no later than their names.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError>;

    /// Removes a blob. One that is not there is [`BlobError::Unwritten`] with
    /// [`io::ErrorKind::NotFound`].
    fn remove(&self, name: &str) -> Result<(), BlobError>;

    /// Makes everything durable that was put or removed. After an error all of it may be undone:
    /// put it again.
    fn settle(&self) -> Result<(), BlobError>;

    /// Makes durable what lies under a name since another process wrote it, as far as that can be
    /// known. An appended blob whose writer failed must be written anew instead.
    fn confirm(&self, name: &str) -> Result<(), BlobError>;

    /// Says that nothing will be appended to a blob any more. A store may protect it; replacing and
    /// removing it still work.
    fn freeze(&self, name: &str) -> io::Result<()>;

    /// Keeps bytes that are about to be cut off, durably and outside of the evidence, and says
    /// where. Keeping the same bytes under the same name again is no error.
    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String>;

    /// Whether durability costs nothing (memory): then a commit needs no thread of its own.
    fn is_immediate(&self) -> bool;

    /// How much room there is; `None` where nothing tells.
    fn room(&self) -> io::Result<Option<Room>>;
}

/// The head: one small value that is only ever swapped against the value it is believed to be.
///
/// # Concurrency
/// Of several swaps from one believed value exactly one succeeds, whoever makes them: threads,
/// processes and, where the store is shared, machines. It does not rest on the sequencer's lock, so
/// that a second sequencer (a copy of the directory, a lock that was deleted) signs nothing.
///
/// # Durability
/// A swap is durable when it returns. What [`HeadStore::load`] returns may be what a swap has just
/// made that did not return, until [`HeadStore::settle`] returns.
///
/// # Retries
/// After [`SwapError::Unwritten`] the old value is there, the same swap may be made again. After
/// [`SwapError::Moved`] somebody else signs here. After [`SwapError::Broken`] nobody knows which
/// value a crash would leave: nothing may be signed until the head was loaded and settled anew.
pub trait HeadStore: Send + Sync {
    /// The value; `None` before the first swap. One longer than `limit` bytes is
    /// [`io::ErrorKind::FileTooLarge`].
    fn load(&self, limit: usize) -> io::Result<Option<Vec<u8>>>;

    /// Makes durable what [`HeadStore::load`] returned.
    fn settle(&self) -> io::Result<()>;

    /// Replaces the value if it is `believed`.
    fn swap(&self, believed: Option<&[u8]>, new: &[u8]) -> Result<(), SwapError>;
}

/// Why a blob was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// There is no room. Everything is as it was.
    #[error("there is no room: {0}")]
    Full(io::Error),
    /// Refused, everything is as it was; it may work later.
    #[error("{0}")]
    Unwritten(io::Error),
    /// What is there now is unknown.
    #[error("{step} failed: {source}")]
    Broken {
        /// What was being done.
        step: &'static str,
        /// What the store said.
        source: io::Error,
    },
}

impl From<BlobError> for io::Error {
    fn from(error: BlobError) -> io::Error {
        match error {
            BlobError::Full(source) | BlobError::Unwritten(source) => source,
            BlobError::Broken { source, .. } => source,
        }
    }
}

/// Why a head was not swapped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwapError {
    /// The value is another one than was believed.
    #[error("the head is not the one that was believed: somebody else writes it")]
    Moved,
    /// The old value is there; it may work later.
    #[error("{0}")]
    Unwritten(io::Error),
    /// The old value or the new is there.
    #[error("{0}")]
    Broken(io::Error),
}

/// What a ledger is opened on.
#[derive(Clone)]
pub struct Joints {
    /// Everything but the head.
    pub blobs: Arc<dyn Blobs>,
    /// The head.
    pub head: Arc<dyn HeadStore>,
}

impl<S: Store + ?Sized + 'static> From<Arc<S>> for Joints {
    fn from(store: Arc<S>) -> Joints {
        let disk = Arc::new(Disk::new(store));
        Joints { blobs: disk.clone(), head: disk }
    }
}
