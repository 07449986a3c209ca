//! A store without a disk: tests, benches, and programs that export before they end.

use std::collections::BTreeMap;
use std::io;
use std::sync::{PoisonError, RwLock};

use super::{Item, Source, Store};

/// Keeps everything in memory. A sync costs nothing and promises nothing beyond the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    files: RwLock<BTreeMap<String, Vec<u8>>>,
    aside: RwLock<BTreeMap<String, Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// A copy of every file: what a test may damage and read again.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A store with these files.
    pub fn of(files: BTreeMap<String, Vec<u8>>) -> MemoryStore {
        MemoryStore { files: RwLock::new(files), aside: RwLock::default() }
    }

    /// What was set aside, by name.
    pub fn aside(&self) -> BTreeMap<String, Vec<u8>> {
        self.aside.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn edit<T>(
        &self,
        act: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> io::Result<T>,
    ) -> io::Result<T> {
        act(&mut self.files.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn look<T>(&self, name: &str, act: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(name).map(|bytes| act(bytes)).ok_or_else(not_found)
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Source for MemoryStore {
    fn list(&self) -> io::Result<Vec<Item>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        Ok(files.keys().map(|name| Item::File(name.clone())).collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.look(name, |bytes| bytes.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.look(name, |bytes| {
            let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or(&[]);
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            count
        })
    }
}

impl Store for MemoryStore {
    fn create(&self, name: &str) -> io::Result<()> {
        self.edit(|files| {
            if files.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            files.insert(name.to_owned(), Vec::new());
            Ok(())
        })
    }

    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.edit(|files| {
            let file = files.get_mut(name).ok_or_else(not_found)?;
            if file.len() as u64 != at {
                return Err(io::Error::other("the file has another length than its writer left"));
            }
            file.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.edit(|files| {
            let file = files.get_mut(name).ok_or_else(not_found)?;
            file.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.edit(|files| {
            let file = files.remove(from).ok_or_else(not_found)?;
            files.insert(to.to_owned(), file);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.edit(|files| files.remove(name).map(drop).ok_or_else(not_found))
    }

    fn sync_dir(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        let mut aside = self.aside.write().unwrap_or_else(PoisonError::into_inner);
        aside.insert(name.to_owned(), bytes.to_vec());
        Ok(format!("memory:{name}"))
    }

    fn is_immediate(&self) -> bool {
        true
    }
}
