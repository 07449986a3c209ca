//! The few steps by which a witness changes its disk, one at a time, so that a test can stop
//! between any two.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// A disk. Each call is one step: a process may end after any of them.
pub(super) trait Disk: Send + Sync {
    /// Makes a file anew with these bytes, in place of what an interrupted try left.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File>;
    /// The file's bytes are durable.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Renames, in place of what stands there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// The directory's names are durable.
    fn sync_names(&self, dir: &Path) -> io::Result<()>;
}

/// The real one.
pub(super) struct Files;

impl Disk for Files {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_names(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

/// How far a replacement came before it failed.
#[derive(Debug)]
pub(super) enum Torn {
    /// The old file stands, untouched.
    Before(io::Error),
    /// Nobody knows which of the two a crash would leave.
    Unknown(io::Error),
}

/// Replaces `dir/name`: afterwards it is durable, and a crash leaves the old bytes or the new.
pub(super) fn replace(disk: &dyn Disk, dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Torn> {
    let (new, to) = (dir.join(format!("{name}.new")), dir.join(name));
    let file = disk.write(&new, bytes).map_err(Torn::Before)?;
    disk.sync(&file).map_err(Torn::Before)?;
    disk.rename(&new, &to).map_err(Torn::Unknown)?;
    disk.sync_names(dir).map_err(Torn::Unknown)
}

/// Makes a directory that only its owner may use, and its name durable.
pub(super) fn directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => path.parent().map_or(Ok(()), |parent| Files.sync_names(parent_of(parent))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

fn parent_of(parent: &Path) -> &Path {
    // The parent of a name alone is here.
    if parent.as_os_str().is_empty() { Path::new(".") } else { parent }
}

/// A file's bytes, `None` where there is none; longer than `limit` is an error.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(bytes))
}
