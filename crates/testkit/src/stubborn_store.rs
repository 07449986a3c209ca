//! A memory store with a real disk's manners: callers wait for a thread, and it can be full, broken
//! or slow when a test says so. For faults at every step there is
//! [`FaultStore`](crate::fault_store::FaultStore).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ledger::store::memory::MemoryStore;
use ledger::store::{Item, Room, Source, Store};

use crate::upstream::Gate;

/// The store and its switches, all off at first.
#[derive(Default)]
pub struct StubbornStore {
    /// What was written.
    pub inner: MemoryStore,
    /// Appends find no room.
    pub full: AtomicBool,
    /// Appends fail.
    pub broken: AtomicBool,
    /// Appends panic.
    pub panics: AtomicBool,
    /// Syncs wait for the gate.
    pub armed: AtomicBool,
    /// What they wait for.
    pub gate: Gate,
    room: Mutex<Option<Room>>,
}

impl StubbornStore {
    /// From now on it tells that so much of a gigabyte is free.
    pub fn tell_free(&self, free: u64) {
        *self.told() = Some(Room { free, total: 1 << 30 });
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Option<Room>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for StubbornStore {
    fn list(&self) -> io::Result<Vec<Item>> {
        self.inner.list()
    }
    fn len(&self, name: &str) -> io::Result<u64> {
        self.inner.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(name, offset, buffer)
    }
}

impl Store for StubbornStore {
    fn create(&self, name: &str) -> io::Result<()> {
        self.inner.create(name)
    }
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(!self.panics.load(Ordering::SeqCst), "a fault of the store itself");
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::Other.into());
        }
        self.inner.append(name, at, bytes)
    }
    fn sync(&self, name: &str) -> io::Result<()> {
        if self.armed.load(Ordering::SeqCst) {
            self.gate.pass();
        }
        self.inner.sync(name)
    }
    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.inner.truncate(name, length)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.inner.sync_dir(name)
    }
    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        self.inner.set_aside(name, bytes)
    }
    fn room(&self) -> io::Result<Option<Room>> {
        Ok(*self.told())
    }
}
