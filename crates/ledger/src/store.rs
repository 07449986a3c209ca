//! What keeps a ledger's files.
//!
//! [`Store`] is a disk: few primitive steps, each of which may fail or be lost in a crash. The
//! ledger itself speaks to the two joints above it, [`joints::Blobs`] and [`joints::HeadStore`].

mod disk;
pub mod file;
pub mod joints;
pub mod memory;

use std::io;

use crate::tiles::Piece;

/// What a reader may do with a store: look.
///
/// Names are relative, with `/` between the parts: `head`, `journal/00000000000000000000.seg`,
/// `public/checkpoint`, `public/tile/0/x001/067.p/12`. Reading may happen while a writer appends; a reader then sees some prefix
/// of the bytes written, whether synced or not.
pub trait Source: Send + Sync {
    /// Everything there is, in any order: files by name, and whatever is neither a file nor a known
    /// directory. The journal is listed last: what the other files say was in the journal before.
    fn list(&self) -> io::Result<Vec<Item>>;

    /// Length of a file. A missing file is [`io::ErrorKind::NotFound`].
    fn len(&self, name: &str) -> io::Result<u64>;

    /// Reads at an offset until the buffer is full or the file ends; returns the count.
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// A whole small file. One longer than `limit` is [`io::ErrorKind::FileTooLarge`].
    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        // One byte more than allowed, so that a file growing meanwhile is noticed too.
        let length = usize::try_from(self.len(name)?).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(limit) + 1];
        let count = self.read_at(name, 0, &mut bytes)?;
        if count > limit || length > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        bytes.truncate(count);
        Ok(bytes)
    }
}

/// Something found in a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A regular file.
    File(String),
    /// Anything else: a link, a socket, an unknown directory.
    Other(String),
}

/// What the one sequencer may do: a few primitive steps whose order is the ledger's business.
///
/// # Durability
/// Only [`Store::sync`] makes the content of a file durable, and only [`Store::sync_dir`] makes
/// creations, renames and removals in a directory durable. Until then a crash may undo any of them,
/// and may lose any 512-byte sectors of unsynced content, in any order, including the growth of the
/// file. Content that was synced before is never affected by later unsynced writes, except that a
/// sector shared with them keeps its synced part.
///
/// # Errors
/// After an error the state of the file is unknown. In particular a failed sync must not be
/// repeated: the kernel may have dropped the pages and report success the next time. The ledger
/// stops appending instead.
///
/// # Concurrency
/// One thread writes at a time; readers come at any time. One process at a time, by
/// [`crate::lock::Lock`].
pub trait Store: Source {
    /// Creates an empty file, with its directory if need be. An existing one is
    /// [`io::ErrorKind::AlreadyExists`].
    fn create(&self, name: &str) -> io::Result<()>;

    /// Writes behind the last byte in one step. `at` is the length the caller believes the file to
    /// have; another length means that somebody else wrote, and is an error.
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the content and length of a file durable.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Cuts a file to a shorter length.
    fn truncate(&self, name: &str, length: u64) -> io::Result<()>;

    /// Renames a file within its directory, over an existing one, atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals beside this file durable, and the directories on the
    /// way to it.
    fn sync_dir(&self, name: &str) -> io::Result<()>;

    /// Keeps bytes that are about to be cut off, durably and outside of the evidence, and says
    /// where. Keeping the same bytes under the same name again is no error.
    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String>;

    /// Whether a sync costs nothing (memory): then a commit needs no thread of its own.
    fn is_immediate(&self) -> bool {
        false
    }

    /// How much room there is; `None` where nothing tells (memory).
    fn room(&self) -> io::Result<Option<Room>> {
        Ok(None)
    }

    /// Writes and syncs `<name>.new`, what [`Store::exchange`] puts in place. The file itself is
    /// untouched, also after an error.
    fn prepare(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fresh = temporary(name);
        match self.remove(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.create(&fresh)?;
        // The content first: a name that points at unsynced content is a torn file after a crash.
        let written = self.append(&fresh, 0, bytes).and_then(|()| self.sync(&fresh));
        if written.is_err() {
            // A full disk must not stay full of attempts; if this fails too, the next start does it.
            let _ = self.remove(&fresh);
        }
        written
    }

    /// Takes the right to write away from a file that is written no more, where the store knows such
    /// rights. A seat belt: nothing relies on it, and a later replacement is not hindered by it.
    fn freeze(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    /// Puts what was prepared in place of a file, durably. After an error the old or the new is
    /// there.
    fn exchange(&self, name: &str) -> io::Result<()> {
        self.rename(&temporary(name), name)?;
        self.sync_dir(name)
    }

    /// Puts new content in place of a file so that a crash leaves the old or the new, durable on
    /// return. A crash may leave the temporary file `<name>.new` behind.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.prepare(name, bytes)?;
        self.exchange(name)
    }
}

/// Room for evidence, in bytes, as far as this process may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What can still be written.
    pub free: u64,
    /// The size of the whole.
    pub total: u64,
}

/// Whether an error says that there is no room: nothing, or a part, was written.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    // A file that may not grow (RLIMIT_FSIZE) is a disk that is full for us.
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Whether a creation that failed so made nothing, and may work later.
pub(crate) fn made_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    /// Too many open files: of the system, of this process. The kernel takes a descriptor before
    /// it looks at the name.
    const NO_DESCRIPTOR: [i32; 2] = [23, 24];
    is_full(error)
        || matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
        || error.raw_os_error().is_some_and(|number| NO_DESCRIPTOR.contains(&number))
}

/// What `replace` appends to a name while it works.
const LEFTOVER: &str = ".new";

/// Whether a name is the temporary file of an interrupted [`Store::replace`]: not evidence, not
/// damage, removed by the next start.
pub(crate) fn is_leftover(name: &str) -> bool {
    becomes(name).is_some_and(is_listed)
}

/// What a temporary file is to become.
pub(crate) fn becomes(name: &str) -> Option<&str> {
    name.strip_suffix(LEFTOVER)
}

/// The temporary file that becomes this one.
pub(crate) fn temporary(name: &str) -> String {
    format!("{name}{LEFTOVER}")
}

/// Whether a file of this name belongs into a ledger.
pub(crate) fn is_listed(name: &str) -> bool {
    name == HEAD
        || name == CHECKPOINT
        || crate::frame::parse_segment_name(name).is_some()
        || Piece::parse(name).is_some()
}

/// The signed-for state of the tree.
pub(crate) const HEAD: &str = "head";
/// The published checkpoint.
pub(crate) const CHECKPOINT: &str = "public/checkpoint";
