//! New files of a folder: all of them, or none.

use std::fs::File;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::folder::{FRESH, Folder, FolderError};

/// Files that lie in a folder under names of their own, which begin with a dot, until all are there.
///
/// Their content is synced before the first of them gets its name, and the names are synced together:
/// where the file system has one journal, most of the syncs find nothing left to do. What is not kept
/// is taken back; a crash leaves files with a dot, and at worst some of the names.
#[derive(Debug)]
pub struct Batch<'f> {
    folder: &'f Folder,
    /// Written, not synced.
    open: Vec<File>,
    /// Each with the name that it waits for.
    names: Vec<(String, String)>,
    /// So many of them have their names.
    put: usize,
}

/// So many files are open at once.
const OPEN: usize = 64;
/// So many of them are synced at once.
const THREADS: usize = 16;

impl<'f> Batch<'f> {
    /// Nothing yet.
    pub fn of(folder: &'f Folder) -> Batch<'f> {
        Batch { folder, open: Vec::new(), names: Vec::new(), put: 0 }
    }

    /// Writes the content of a file; `secret` is for its owner's eyes.
    pub fn put(&mut self, name: &str, bytes: &[u8], secret: bool) -> Result<(), FolderError> {
        debug_assert!(attest::files::is_path(name) && !name.contains('/'));
        // a process that was killed may have left one under the same number, as in a container
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fresh = format!(".{name}.{}-{}{FRESH}", std::process::id(), since.as_nanos());
        let mut file = self.folder.create(&fresh, name, secret)?;
        self.names.push((fresh, name.to_owned()));
        file.write_all(bytes).map_err(|error| self.folder.failed(name, error))?;
        self.open.push(file);
        if self.open.len() >= OPEN { self.sync() } else { Ok(()) }
    }

    /// All at once: one commit of the file system's journal holds many of them.
    fn sync(&mut self) -> Result<(), FolderError> {
        let first = self.names.len() - self.open.len();
        let names = self.names.iter().skip(first).map(|(_, name)| name.as_str());
        let files: Vec<(File, &str)> = self.open.drain(..).zip(names).collect();
        let folder = self.folder;
        let one = |(file, name): &(File, &str)| {
            file.sync_all().map_err(|error| folder.failed(name, error))
        };
        std::thread::scope(|scope| {
            let mut shares = files.chunks(files.len().div_ceil(THREADS).max(1));
            let own = shares.next().unwrap_or_default();
            let others: Vec<_> =
                shares.map(|some| scope.spawn(|| some.iter().try_for_each(one))).collect();
            let mut done = own.iter().try_for_each(one);
            for other in others {
                let result = other.join().unwrap_or_else(|_| {
                    Err(folder.failed(".", std::io::Error::other("a thread ended")))
                });
                done = done.and(result);
            }
            done
        })
    }

    /// Gives all of them their names, none of which may be taken.
    pub fn keep(mut self) -> Result<(), FolderError> {
        self.sync()?;
        for (fresh, name) in &self.names {
            self.folder.rename(fresh, name)?;
            self.put += 1;
        }
        if !self.names.is_empty() {
            // the names must last as long as the content
            self.folder.sync()?;
        }
        self.names.clear();
        Ok(())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for (at, (fresh, name)) in self.names.iter().enumerate() {
            // a file that stays is told by the failure that led here
            let _ = self.folder.remove(if at < self.put { name } else { fresh });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(folder: &Folder) -> Vec<String> {
        let names = std::fs::read_dir(folder.path(".")).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = names.map(name).map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_are_there_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path()).unwrap();
        let names: Vec<String> = (0..150).map(|n| format!("{n:03}")).collect();
        let fill = |last: &str| {
            let mut batch = Batch::of(&folder);
            for name in names.iter().map(String::as_str).chain([last]) {
                batch.put(name, name.as_bytes(), name.ends_with('7')).unwrap();
                assert!(!folder.path(name).exists() || name == last);
            }
            batch
        };
        drop(fill("z"));
        assert_eq!(all(&folder), [""; 0]);
        folder.write("zz", b"other", false).unwrap();
        assert!(matches!(fill("zz").keep(), Err(FolderError::Exists { .. })));
        assert_eq!(all(&folder), ["zz"]);
        fill("z").keep().unwrap();
        assert_eq!(all(&folder).len(), 152);
        assert_eq!(std::fs::read(folder.path("149")).unwrap(), b"149");
        assert_eq!(std::fs::read(folder.path("zz")).unwrap(), b"other");
    }

    #[test]
    fn a_name_that_cannot_be_made_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path()).unwrap();
        let mut batch = Batch::of(&folder);
        batch.put("a", b"1", false).unwrap();
        assert!(matches!(batch.put(&"n".repeat(300), b"2", false), Err(FolderError::Write { .. })));
        drop(batch);
        assert_eq!(all(&folder), [""; 0]);
    }
}
