//! Files below a root, opened so that no path leaves it.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use attest::files::{FileError, Files, is_path};
use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use seal::digest::{Digest, Hasher};

/// The directory whose files are attested. What it is called may change while it is open.
#[derive(Debug)]
pub struct Root(OwnedFd);

/// A regular file that was opened, and what was known of it then.
#[derive(Debug)]
pub struct Opened {
    file: File,
    stamp: Stamp,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The file system.
    pub device: u64,
    /// The file there.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// When its content changed: nanoseconds since 1970.
    pub modified: i128,
    /// When anything of it changed: nanoseconds since 1970.
    pub changed: i128,
}

impl Root {
    pub(crate) fn of(dir: OwnedFd) -> Root {
        Root(dir)
    }

    /// Opens a directory.
    pub fn open(path: &Path) -> std::io::Result<Root> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Root(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// A directory below, reached over no link, as the root of what lies in it.
    pub fn below(&self, path: &str) -> Result<Root, FileError> {
        self.directory(path).map(Root)
    }

    /// Opens a regular file.
    pub fn file(&self, path: &str) -> Result<Opened, FileError> {
        // a pipe must not hold up who opens it, a terminal must not become ours
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(self.beneath(path, flags)?);
        let (stamp, regular) = stamp(&file)?;
        if !regular {
            return Err(FileError::Special);
        }
        Ok(Opened { file, stamp })
    }

    /// Opens a directory below; [`attest::Tree::ROOT`] or nothing is the root itself.
    pub(crate) fn directory(&self, path: &str) -> Result<OwnedFd, FileError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match path {
            "" | attest::Tree::ROOT => {
                openat(&self.0, ".", flags | OFlags::CLOEXEC, Mode::empty()).map_err(told)
            }
            path => self.beneath(path, flags),
        }
    }

    fn beneath(&self, path: &str, flags: OFlags) -> Result<OwnedFd, FileError> {
        if !is_path(path) {
            return Err(FileError::Outside);
        }
        let flags = flags | OFlags::CLOEXEC;
        match resolved(&self.0, path, flags) {
            Some(opened) => opened.map_err(told),
            None => stepped(&self.0, path, flags | OFlags::NOFOLLOW).map_err(told),
        }
    }
}

/// In one call where the kernel confines; nothing where it does not.
#[cfg(target_os = "linux")]
fn resolved(root: &OwnedFd, path: &str, flags: OFlags) -> Option<Result<OwnedFd, Errno>> {
    use rustix::fs::{ResolveFlags, openat2};
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, path, flags, Mode::empty(), how) {
        // an older kernel, or a sandbox that knows no such call
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => None,
        opened => Some(opened),
    }
}

#[cfg(not(target_os = "linux"))]
fn resolved(_: &OwnedFd, _: &str, _: OFlags) -> Option<Result<OwnedFd, Errno>> {
    None
}

/// Name by name, none of which may be a link: the same confinement, as the path has no `..`.
fn stepped(root: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let step = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (mut at, mut rest) = (None::<OwnedFd>, path);
    while let Some((name, below)) = rest.split_once('/') {
        let next = openat(at.as_ref().unwrap_or(root), name, step, Mode::empty());
        at = Some(next.map_err(|error| if error == Errno::NOTDIR { Errno::LOOP } else { error })?);
        rest = below;
    }
    openat(at.as_ref().unwrap_or(root), rest, flags, Mode::empty())
}

pub(crate) fn told(error: Errno) -> FileError {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => FileError::Missing,
        Errno::LOOP | Errno::XDEV | Errno::MLINK => FileError::Outside,
        Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP => FileError::Special,
        error => FileError::Unreadable(std::io::Error::from(error).to_string()),
    }
}

/// What is known of an open file, and whether it is a regular one.
fn stamp(file: &File) -> Result<(Stamp, bool), FileError> {
    let stat = fstat(file).map_err(told)?;
    let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    #[allow(clippy::unnecessary_cast)] // the members have other widths elsewhere
    let stamp = Stamp {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        changed: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
    };
    Ok((stamp, regular))
}

/// Read at a time: small enough to stay in the nearest caches.
pub(crate) const PIECE: usize = 64 << 10;

impl Opened {
    /// What was known of it when it was opened.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The digest of its content; `buffer` is room to read into.
    pub fn digest(mut self, buffer: &mut Vec<u8>) -> Result<Digest, FileError> {
        buffer.resize(PIECE, 0);
        let mut hasher = Hasher::new();
        self.each(buffer, |piece| hasher.update(piece))?;
        self.unchanged()?;
        Ok(hasher.finish())
    }

    /// Its content, at most `limit` bytes.
    pub fn bytes(mut self, limit: u64) -> Result<Vec<u8>, FileError> {
        if self.stamp.size > limit {
            return Err(FileError::Size(self.stamp.size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.stamp.size).unwrap_or(0));
        self.each(&mut vec![0; PIECE], |piece| bytes.extend_from_slice(piece))?;
        self.unchanged()?;
        Ok(bytes)
    }

    /// Writes its content elsewhere.
    pub fn copy(mut self, to: &mut dyn std::io::Write) -> Result<(), FileError> {
        let mut failed = None;
        self.each(&mut vec![0; PIECE], |piece| {
            failed = failed.take().or_else(|| to.write_all(piece).err());
        })?;
        self.unchanged()?;
        failed.map_or(Ok(()), |error| Err(FileError::Unreadable(error.to_string())))
    }

    /// Reads exactly so much as it had; a file that grows does not hold anybody up.
    fn each(&mut self, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> Result<(), FileError> {
        let mut left = self.stamp.size;
        loop {
            // one byte more than is left shows that it grew
            let room = usize::try_from(left.saturating_add(1)).unwrap_or(usize::MAX);
            let room = room.min(buffer.len());
            let count = match self.file.read(&mut buffer[..room]) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(FileError::Unreadable(error.to_string())),
            };
            if count as u64 > left || (count == 0 && left > 0) {
                return Err(changed());
            }
            take(&buffer[..count]);
            left -= count as u64;
            if count == 0 || (left == 0 && count < room) {
                return Ok(());
            }
        }
    }

    fn unchanged(&self) -> Result<(), FileError> {
        if stamp(&self.file)?.0 == self.stamp { Ok(()) } else { Err(changed()) }
    }
}

fn changed() -> FileError {
    FileError::Unreadable("it changed while it was read".into())
}

impl Files for Root {
    fn read(&self, path: &str, size: Option<u64>) -> Result<(Digest, u64), FileError> {
        let opened = self.file(path)?;
        let found = opened.stamp.size;
        if size.is_some_and(|size| size != found) {
            return Err(FileError::Size(found));
        }
        Ok((opened.digest(&mut Vec::new())?, found))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FileError> {
        crate::tree::list(self, dir)
    }

    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileError> {
        self.file(path)?.bytes(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn place() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("in");
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::write(inside.join("a/b/c"), "hello").unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        symlink("../secret", inside.join("out")).unwrap();
        symlink("a", inside.join("link")).unwrap();
        symlink("b/c", inside.join("a/inner")).unwrap();
        std::os::unix::net::UnixListener::bind(inside.join("socket")).unwrap();
        let root = Root::open(&inside).unwrap();
        (dir, root)
    }

    #[test]
    fn a_file_is_read_with_its_length() {
        let (_dir, root) = place();
        assert_eq!(root.read("a/b/c", None), Ok((Digest::of(b"hello"), 5)));
        assert_eq!(root.read("a/b/c", Some(5)), Ok((Digest::of(b"hello"), 5)));
        assert_eq!(root.read("a/b/c", Some(4)), Err(FileError::Size(5)));
        assert_eq!(root.bytes("a/b/c", 5).as_deref(), Ok(&b"hello"[..]));
        assert_eq!(root.bytes("a/b/c", 4), Err(FileError::Size(5)));
    }

    #[test]
    fn no_path_leads_out() {
        let (_dir, root) = place();
        let outside = ["/etc/passwd", "../secret", "a/../../secret", "out", "link/b/c", "a/inner"];
        for path in outside {
            assert_eq!(root.read(path, None), Err(FileError::Outside), "{path}");
        }
        for path in ["nothing", "a/nothing", "a/b/c/d"] {
            assert_eq!(root.read(path, None), Err(FileError::Missing), "{path}");
        }
        for path in ["a", "socket"] {
            assert_eq!(root.read(path, None), Err(FileError::Special), "{path}");
        }
    }

    #[test]
    fn a_directory_over_a_link_is_not_said_to_be_missing() {
        let (_dir, root) = place();
        assert!(root.below("a/b").is_ok());
        assert_eq!(root.below("link").err(), Some(FileError::Outside));
        assert_eq!(root.below("link/b").err(), Some(FileError::Outside));
        assert_eq!(root.below("nothing").err(), Some(FileError::Missing));
        assert_eq!(crate::tree::list(&root, "link"), Err(FileError::Outside));
    }

    #[test]
    fn without_the_kernels_help_it_is_the_same() {
        let (_dir, root) = place();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |path| stepped(&root.0, path, flags).map(drop).map_err(told);
        assert_eq!(open("a/b/c"), Ok(()));
        for path in ["out", "link/b/c", "a/inner"] {
            assert_eq!(open(path), Err(FileError::Outside), "{path}");
        }
        assert_eq!(open("a/nothing"), Err(FileError::Missing));
    }

    #[test]
    fn a_pipe_does_not_hold_up_and_a_device_is_not_read() {
        let (dir, _) = place();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("in/pipe")).status();
        assert!(made.unwrap().success());
        let root = Root::open(&dir.path().join("in")).unwrap();
        assert_eq!(root.read("pipe", None), Err(FileError::Special));
        let devices = Root::open(Path::new("/dev")).unwrap();
        assert_eq!(devices.read("zero", None), Err(FileError::Special));
    }

    #[test]
    fn what_changes_while_it_is_read_is_an_error() {
        let (dir, root) = place();
        let path = dir.path().join("in/grows");
        for (before, after) in [("12345", "123456"), ("12345", "1234"), ("", "1")] {
            std::fs::write(&path, before).unwrap();
            let opened = root.file("grows").unwrap();
            std::fs::write(&path, after).unwrap();
            let error = opened.digest(&mut Vec::new()).unwrap_err();
            assert!(error.to_string().contains("changed"), "{error}");
        }
        // files that the kernel makes as they are read tell no length
        let made = Root::open(Path::new("/proc/self")).unwrap();
        assert!(made.read("status", None).is_err());
    }

    #[test]
    fn long_files_are_read_whole() {
        let (dir, root) = place();
        for length in [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7] {
            let content = vec![b'x'; length];
            std::fs::write(dir.path().join("in/long"), &content).unwrap();
            assert_eq!(root.read("long", None), Ok((Digest::of(&content), length as u64)));
            assert_eq!(root.bytes("long", length as u64), Ok(content));
        }
    }
}
