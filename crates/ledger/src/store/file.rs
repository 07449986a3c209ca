//! The store of a directory.
//!
//! Files are made with mode 0600 and directories with 0700, unless a group may read them. A name
//! that turns out to be a link or anything but a regular file is refused, also when it is exchanged
//! between look and open. Calls that a signal interrupts are repeated, here or in the standard
//! library: no step fails for that.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{
    DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Item, Room, Source, Store};
use crate::tiles::is_directory;

/// A ledger's directory.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    aside: PathBuf,
    /// The directories by name, held open where this writes: a sync needs no descriptor that may
    /// not be there when it counts, and an exchanged directory is noticed.
    held: Option<Vec<(&'static str, File)>>,
    /// The group that may read.
    readers: Option<u32>,
    /// The file being appended to stays open: one write and one sync per batch, nothing else.
    open: Mutex<HashMap<String, Arc<File>>>,
}

impl FileStore {
    /// Opens a directory for writing and makes it, and its parents, if need be. What is cut off
    /// from a damaged journal goes to `<dir>/../run/aside`.
    pub fn open(dir: impl Into<PathBuf>) -> io::Result<FileStore> {
        let dir = dir.into();
        make_dir(&dir)?;
        for part in DIRECTORIES {
            make_dir(&dir.join(part))?;
        }
        let aside = dir.parent().unwrap_or(Path::new(".")).join("run/aside");
        let hold = |part: &'static str| Ok((part, File::open(dir.join(part))?));
        let held = [""].into_iter().chain(DIRECTORIES).map(hold).collect::<io::Result<_>>()?;
        Ok(FileStore { dir, aside, held: Some(held), readers: None, open: Mutex::default() })
    }

    /// Opens a directory for writing as its owner left it: whom it lets read, reads on.
    pub fn reopen(dir: impl Into<PathBuf>) -> io::Result<FileStore> {
        let store = FileStore::open(dir)?;
        let found = fs::metadata(&store.dir)?;
        match found.mode() & GROUP_READS {
            GROUP_READS => store.readable_by(found.gid()),
            _ => Ok(store),
        }
    }

    /// The same directory, readable by a group (its number): directories 0750, files 0640, what is
    /// there and what will come. What is set aside stays with its owner.
    pub fn readable_by(mut self, group: u32) -> io::Result<FileStore> {
        for (_, dir) in self.held.iter().flatten() {
            give(dir, group, 0o750)?;
        }
        let (mut items, mut directories) = (Vec::new(), Vec::new());
        self.list_into("", &mut items, &mut directories)?;
        for name in directories {
            give(&File::open(self.path(&name))?, group, 0o750)?;
        }
        for item in items {
            // Links and the like are not ours; the start says so.
            if let Item::File(name) = item {
                let file = open_regular(&self.path(&name), false)?;
                // A full segment is written no more, whoever may read it.
                let frozen = file.metadata()?.mode() & 0o200 == 0;
                give(&file, group, if frozen { 0o440 } else { 0o640 })?;
            }
        }
        self.readers = Some(group);
        Ok(self)
    }

    /// A directory to look at. Creates nothing and refuses every write.
    pub fn read_only(dir: impl Into<PathBuf>) -> FileStore {
        let dir = dir.into();
        FileStore { aside: dir.clone(), dir, held: None, readers: None, open: Mutex::default() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn writable(&self) -> io::Result<()> {
        if self.held.is_some() { Ok(()) } else { Err(io::ErrorKind::ReadOnlyFilesystem.into()) }
    }

    fn writer(&self, name: &str) -> io::Result<Arc<File>> {
        self.writable()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(name) {
            return Ok(file.clone());
        }
        let path = self.path(name);
        let file = match open_regular(&path, true) {
            // The last segment of a copy without its successor was full once: it goes on.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let mode = if self.readers.is_some() { 0o640 } else { 0o600 };
                open_regular(&path, false)?.set_permissions(fs::Permissions::from_mode(mode))?;
                open_regular(&path, true)?
            }
            opened => opened?,
        };
        let file = Arc::new(file);
        keep(&mut open, name, file.clone());
        Ok(file)
    }

    fn forget(&self, name: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Lists a directory and those known below it. Which these are, goes to `directories`.
    fn list_into(
        &self,
        part: &str,
        items: &mut Vec<Item>,
        directories: &mut Vec<String>,
    ) -> io::Result<()> {
        let mut below = Vec::new();
        for entry in fs::read_dir(self.dir.join(part))? {
            let entry = entry?;
            let file_name = entry.file_name();
            let file_name = file_name.to_string_lossy();
            let name = if part.is_empty() {
                file_name.into_owned()
            } else {
                format!("{part}/{file_name}")
            };
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                // Renamed away between the listing and the look: a live writer at work.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if kind.is_file() {
                items.push(Item::File(name));
            } else if kind.is_dir() && (DIRECTORIES.contains(&&*name) || is_directory(&name)) {
                below.push(name);
            } else {
                items.push(Item::Other(name));
            }
        }
        // The journal last: what other files say was in it before.
        below.sort_unstable_by_key(|name| name == JOURNAL);
        for name in below {
            match self.list_into(&name, items, directories) {
                // An empty directory of partial tiles may go meanwhile; a link or a file in its
                // place is seen by the next look.
                Err(error) if gone(&error) => {}
                done => done?,
            }
            directories.push(name);
        }
        Ok(())
    }

    /// Makes the directories on the way to a tile or bundle, readable by whom the others are.
    fn make_way(&self, name: &str) -> io::Result<()> {
        let Some((part, _)) = name.rsplit_once('/') else { return Ok(()) };
        let dir = self.path(part);
        if !is_directory(part) || fs::symlink_metadata(&dir).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        self.make_way(part)?;
        // Never the ledger's own directory: one that was taken away is not made anew.
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let above = dir.parent().unwrap_or(&self.dir);
        File::open(above)?.sync_all()?;
        match self.readers {
            Some(group) => give(&File::open(&dir)?, group, 0o750),
            None => Ok(()),
        }
    }
}

/// Whether a directory that was just there is no longer one.
fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The directories that every ledger has from its start.
const DIRECTORIES: [&str; 2] = [JOURNAL, "public"];
const JOURNAL: &str = "journal";

impl Source for FileStore {
    fn list(&self) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        self.list_into("", &mut items, &mut Vec::new())?;
        Ok(items)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(open_regular(&self.path(name), false)?.metadata()?.len())
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        fill(&open_regular(&self.path(name), false)?, offset, buffer)
    }

    /// Length and content of one and the same file: a writer may replace it between two looks.
    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let file = open_regular(&self.path(name), false)?;
        let mut bytes = Vec::new();
        // One byte more than allowed tells a longer file; the length is no promise, it may grow.
        let read = file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if read > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }
}

/// Reads at an offset until the buffer is full or the file ends.
fn fill(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

impl Store for FileStore {
    fn create(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        self.make_way(name)?;
        // `create_new` is O_EXCL: it never follows a link.
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path(name))?;
        if let Some(group) = self.readers {
            // A file without its readers is found and set right by the next start.
            give(&file, group, 0o640)?;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        keep(&mut open, name, Arc::new(file));
        Ok(())
    }

    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.writer(name)?;
        let length = file.metadata()?.len();
        if length != at {
            return Err(io::Error::other(format!(
                "{name} has {length} bytes, its writer left {at}: somebody else writes to it"
            )));
        }
        file.write_all_at(bytes, at)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let file = self.writer(name)?;
        file.sync_data()?;
        // What lies in a file that nobody finds by its name is not evidence.
        same(&file, &self.path(name))
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.writer(name)?.set_len(length)
    }

    fn freeze(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        let mode = if self.readers.is_some() { 0o440 } else { 0o400 };
        open_regular(&self.path(name), false)?.set_permissions(fs::Permissions::from_mode(mode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        self.forget(from);
        self.forget(to);
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        self.forget(name);
        fs::remove_file(self.path(name))?;
        // The last partial tile takes its directory along; one that is not empty stays.
        if let Some((part, _)) = name.rsplit_once(".p/") {
            let _ = fs::remove_dir(self.path(&format!("{part}.p")));
        }
        Ok(())
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        let part = name.rsplit_once('/').map_or("", |(part, _)| part);
        let mut held = self.held.iter().flatten();
        let Some((_, dir)) = held.find(|(name, _)| *name == part) else {
            // One of the many for tiles and bundles; the way to it is durable since it was made.
            return match File::open(self.dir.join(part)) {
                // It went with its last file.
                Err(error) if error.kind() == io::ErrorKind::NotFound && part.ends_with(".p") => {
                    self.sync_dir(part)
                }
                opened => {
                    opened?.sync_all()?;
                    match self.held.iter().flatten().next() {
                        // The slash: a link may lead to the directory, as long as it leads to this one.
                        Some((_, root)) => same(root, &self.dir.join("")),
                        None => Ok(()),
                    }
                }
            };
        };
        dir.sync_all()?;
        same(dir, &self.dir.join(part))
    }

    fn room(&self) -> io::Result<Option<Room>> {
        let Some((_, dir)) = self.held.iter().flatten().next() else { return Ok(None) };
        let found = rustix::fs::fstatvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Some(Room { free: bytes(found.f_bavail), total: bytes(found.f_blocks) }))
    }

    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        self.writable()?;
        make_dir(&self.aside)?;
        let path = self.aside.join(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                file.write_all_at(bytes, 0)?;
                file.sync_all()?;
            }
            // The name holds the digest of the bytes: an earlier try was interrupted, finish it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = open_regular(&path, true)?;
                file.set_len(0)?;
                file.write_all_at(bytes, 0)?;
                file.sync_all()?;
            }
            Err(error) => return Err(error),
        }
        File::open(&self.aside)?.sync_all()?;
        Ok(path.display().to_string())
    }
}

/// Lets a group in, and nobody else.
fn give(file: &File, group: u32, mode: u32) -> io::Result<()> {
    let found = file.metadata()?;
    if found.gid() != group {
        fchown(file, None, Some(group))?;
    }
    if found.mode() & 0o7777 != mode {
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// A directory that a group may look into.
const GROUP_READS: u32 = 0o050;

/// Keeps a file open. One segment at a time is written: with the next one the others are finished,
/// and a descriptor each would be too many in the end.
fn keep(open: &mut HashMap<String, Arc<File>>, name: &str, file: Arc<File>) {
    let segment = |name: &str| name.starts_with(DIRECTORIES[0]);
    if segment(name) {
        open.retain(|kept, _| !segment(kept));
    }
    open.insert(name.to_owned(), file);
}

/// Whether a path still names what was opened.
fn same(opened: &File, path: &Path) -> io::Result<()> {
    let (ours, found) = (opened.metadata()?, fs::symlink_metadata(path)?);
    if (ours.dev(), ours.ino()) == (found.dev(), found.ino()) {
        return Ok(());
    }
    Err(io::Error::other(format!("{} was moved away or replaced", path.display())))
}

/// Opens a file that must be a regular one, and the very one that was looked at: without
/// `O_NOFOLLOW` in the standard library, device and inode are compared after the open.
fn open_regular(path: &Path, write: bool) -> io::Result<File> {
    // A live writer replaces `head` by rename between look and open: look again, a few times.
    for _ in 0..8 {
        let seen = fs::symlink_metadata(path).map_err(nowhere)?;
        if !seen.is_file() {
            break;
        }
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        let opened = file.metadata()?;
        if (seen.dev(), seen.ino()) == (opened.dev(), opened.ino()) {
            return Ok(file);
        }
    }
    Err(io::Error::other(format!("{} is not a regular file, or keeps changing", path.display())))
}

/// Below what is no directory nothing has a name; the listing tells what lies there instead.
fn nowhere(error: io::Error) -> io::Error {
    use rustix::io::Errno;
    let way = [Errno::NOTDIR, Errno::LOOP].map(|number| Some(number.raw_os_error()));
    if way.contains(&error.raw_os_error()) { io::ErrorKind::NotFound.into() } else { error }
}

/// Makes a directory with its parents, durably: a ledger whose directory vanishes in a crash would
/// take acknowledged entries with it.
fn make_dir(dir: &Path) -> io::Result<()> {
    if fs::metadata(dir).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_dir(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
