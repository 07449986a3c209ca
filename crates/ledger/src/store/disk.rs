//! Both joints made of a [`Store`]: blobs are files, the head is the file `head`.

use std::collections::BTreeSet;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::joints::{BlobError, Blobs, HeadStore, SwapError};
use super::{HEAD, Item, Room, Source, Store, is_full, made_nothing, temporary};

/// The adapter.
pub(super) struct Disk<S: ?Sized> {
    /// Directories with changes that are not durable yet, each by some name in it.
    touched: Mutex<BTreeSet<String>>,
    /// Held during a swap. Whether a temporary file of an earlier one of ours may be there.
    swapping: Mutex<bool>,
    store: Arc<S>,
}

impl<S: Store + ?Sized> Disk<S> {
    pub fn new(store: Arc<S>) -> Disk<S> {
        Disk { touched: Mutex::default(), swapping: Mutex::default(), store }
    }

    fn touched(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, name: &str) {
        let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
        let slash = if directory.is_empty() { "" } else { "/" };
        self.touched().insert(format!("{directory}{slash}"));
    }

    /// After a failed write: what was written of it is cut off again, and the cut synced before
    /// anything else is written there, so that a crash can never mix two attempts.
    fn back_out(&self, name: &str, length: u64, error: io::Error) -> BlobError {
        if !is_full(&error) {
            return BlobError::Broken { step: "write", source: error };
        }
        match self.store.truncate(name, length).and_then(|()| self.store.sync(name)) {
            Ok(()) => BlobError::Full(error),
            Err(source) => BlobError::Broken { step: "cut", source },
        }
    }
}

impl<S: Store + ?Sized> Source for Disk<S> {
    fn list(&self) -> io::Result<Vec<Item>> {
        self.store.list()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.store.len(name)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.store.read_at(name, offset, buffer)
    }

    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        self.store.read(name, limit)
    }
}

impl<S: Store + ?Sized> Blobs for Disk<S> {
    /// The name is durable before anything is written under it: synced content of a file without a
    /// name is lost content.
    fn create(&self, name: &str) -> Result<(), BlobError> {
        match self.store.create(name) {
            Err(error) if is_full(&error) => return Err(BlobError::Full(error)),
            Err(error) if made_nothing(&error) => return Err(BlobError::Unwritten(error)),
            Err(source) => return Err(BlobError::Broken { step: "creation", source }),
            Ok(()) => {}
        }
        self.store.sync_dir(name).map_err(|source| BlobError::Broken { step: "sync", source })
    }

    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> Result<(), BlobError> {
        if let Err(error) = self.store.append(name, at, bytes) {
            return Err(self.back_out(name, at, error));
        }
        self.store.sync(name).map_err(|source| BlobError::Broken { step: "sync", source })
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.store.prepare(name, bytes).map_err(unwritten)?;
        let exchanged = self.store.exchange(name);
        exchanged.map_err(|source| BlobError::Broken { step: "replacement", source })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.store.prepare(name, bytes).map_err(unwritten)?;
        self.touch(name);
        let put = self.store.rename(&temporary(name), name);
        put.map_err(|source| BlobError::Broken { step: "replacement", source })
    }

    fn remove(&self, name: &str) -> Result<(), BlobError> {
        self.touch(name);
        self.store.remove(name).map_err(unwritten)
    }

    fn settle(&self) -> Result<(), BlobError> {
        let touched = mem::take(&mut *self.touched());
        for name in touched {
            self.store
                .sync_dir(&name)
                .map_err(|source| BlobError::Broken { step: "sync", source })?;
        }
        Ok(())
    }

    fn confirm(&self, name: &str) -> Result<(), BlobError> {
        let confirmed = self.store.sync_dir(name).and_then(|()| self.store.sync(name));
        confirmed.map_err(|source| BlobError::Broken { step: "sync", source })
    }

    fn freeze(&self, name: &str) -> io::Result<()> {
        self.store.freeze(name)
    }

    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        self.store.set_aside(name, bytes)
    }

    fn is_immediate(&self) -> bool {
        self.store.is_immediate()
    }

    fn room(&self) -> io::Result<Option<Room>> {
        self.store.room()
    }
}

impl<S: Store + ?Sized> HeadStore for Disk<S> {
    fn load(&self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        match self.store.read(HEAD, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn settle(&self) -> io::Result<()> {
        self.store.sync_dir(HEAD)
    }

    /// The temporary file is made exclusively, and the head compared while it is there: who finds
    /// one that is not its own does nothing. One that a crash left goes with the next start.
    fn swap(&self, believed: Option<&[u8]>, new: &[u8]) -> Result<(), SwapError> {
        let mut stale = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = temporary(HEAD);
        if *stale {
            match self.store.remove(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(SwapError::Unwritten(error));
                }
                _ => *stale = false,
            }
        }
        match self.store.create(&fresh) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SwapError::Unwritten(error));
            }
            Err(error) => {
                // It may be there all the same.
                *stale = true;
                return Err(SwapError::Unwritten(error));
            }
        }
        *stale = true;
        let limit = believed.map_or(0, <[u8]>::len).max(new.len());
        let moved = match self.load(limit) {
            Ok(found) => found.as_deref() != believed,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => true,
            Err(error) => return Err(SwapError::Unwritten(error)),
        };
        if moved {
            *stale = self.store.remove(&fresh).is_err();
            return Err(SwapError::Moved);
        }
        // The content first: a name that points at unsynced content is a torn file after a crash.
        let written = self.store.append(&fresh, 0, new).and_then(|()| self.store.sync(&fresh));
        if let Err(error) = written {
            // A full disk must not stay full of attempts.
            *stale = self.store.remove(&fresh).is_err();
            return Err(SwapError::Unwritten(error));
        }
        let exchanged = self.store.rename(&fresh, HEAD).and_then(|()| self.store.sync_dir(HEAD));
        if let Err(error) = exchanged {
            // If the old head is still in place nothing happened. Otherwise nobody knows what a
            // crash would leave, and a head nobody knows must not be built upon.
            return match self.load(limit) {
                Ok(found) if found.as_deref() == believed => Err(SwapError::Unwritten(error)),
                _ => Err(SwapError::Broken(error)),
            };
        }
        *stale = false;
        Ok(())
    }
}

fn unwritten(error: io::Error) -> BlobError {
    if is_full(&error) { BlobError::Full(error) } else { BlobError::Unwritten(error) }
}
