//! Making and reading the files of the state directory with the right owner and mode.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};

/// Why a file or directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused.
    #[error("{act} {path}: {error}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// A link or special file stands where a plain one must be.
    #[error("{path} is not {expected}: links and special files are refused here, move it away")]
    NotPlain {
        /// The path.
        path: PathBuf,
        /// `a plain file` or `a directory`.
        expected: &'static str,
    },
    /// Others may read or write it.
    #[error("{path} has mode {mode:04o}, others may use it: run `chmod {remedy:04o} {path}`")]
    TooWide {
        /// The path.
        path: PathBuf,
        /// The mode found.
        mode: u32,
        /// The mode it should have.
        remedy: u32,
    },
    /// The file is longer than any of its kind.
    #[error("{path} is longer than {limit} bytes: this is not the file that was written here")]
    TooLong {
        /// The path.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The file is not text.
    #[error("{path} is not UTF-8 text: restore it from a backup")]
    NotText {
        /// The path.
        path: PathBuf,
    },
}

/// Who else may look into a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nobody.
    OwnerOnly,
    /// A co-reader group.
    GroupMayRead,
    /// Not ours to judge.
    Any,
}

/// Mode of private files.
pub(super) const PRIVATE: u32 = 0o600;
/// Mode of the trust file, which others should read.
pub(super) const PUBLIC: u32 = 0o644;

/// Makes the directory if it is missing; an existing one must be a real directory that only those
/// may use who should.
pub(super) fn directory(path: &Path, access: Access) -> Result<(), FileError> {
    let (mode, forbidden) = match access {
        Access::OwnerOnly => (0o700, 0o077),
        Access::GroupMayRead => (0o700, 0o027),
        Access::Any => (0o755, 0),
    };
    let made = match access {
        Access::Any if path.is_dir() => Ok(()),
        Access::Any => DirBuilder::new().recursive(true).mode(mode).create(path),
        Access::OwnerOnly | Access::GroupMayRead => DirBuilder::new().mode(mode).create(path),
    };
    if let Err(error) = made {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(io("make the directory", path)(error));
        }
    } else if let Some(parent) = path.parent() {
        sync_directory(parent)?;
    }
    // The directory the caller named may be a link; those inside may not.
    let found = match access {
        Access::Any => fs::metadata(path),
        Access::OwnerOnly | Access::GroupMayRead => fs::symlink_metadata(path),
    }
    .map_err(io("look at", path))?;
    if !found.is_dir() {
        return Err(FileError::NotPlain { path: path.to_owned(), expected: "a directory" });
    }
    let bits = found.mode() & 0o7777;
    if bits & forbidden != 0 {
        return Err(FileError::TooWide {
            path: path.to_owned(),
            mode: bits,
            remedy: bits & !forbidden & 0o777,
        });
    }
    Ok(())
}

/// Lets a group look into a directory, or only its owner.
pub(super) fn readers(path: &Path, group: Option<u32>) -> io::Result<()> {
    let mode = if group.is_some() { 0o750 } else { 0o700 };
    if let Some(group) = group
        && fs::symlink_metadata(path)?.gid() != group
    {
        chown(path, None, Some(group))?;
    }
    if fs::symlink_metadata(path)?.mode() & 0o7777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// The number of a group: itself, or what /etc/group says.
pub(super) fn group(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        (parts.next() == Some(name)).then(|| parts.nth(1)?.parse().ok())?
    })
}

/// Whether something stands at `path`; a dangling link counts.
pub(super) fn exists(path: &Path) -> Result<bool, FileError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io("look at", path)(error)),
    }
}

/// Writes a new file whole or not at all; fails if anything stands there.
pub(super) fn create(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = parent.join(format!(".{name}.new"));
    // Left by a crash between write and link; we hold the lock, so it is nobody's.
    if exists(&aside)? {
        fs::remove_file(&aside).map_err(io("remove", &aside))?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&aside)
        .map_err(io("create", &aside))?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&aside, path));
    let removed = fs::remove_file(&aside);
    written.map_err(io("create", path))?;
    removed.map_err(io("remove", &aside))?;
    sync_directory(parent)
}

/// Gives a file a second name, unless something has that name already.
pub(super) fn keep_as(path: &Path, kept: &Path) -> Result<(), FileError> {
    if !exists(kept)? {
        fs::hard_link(path, kept).map_err(io("create", kept))?;
    }
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Puts a file that lies beside in the place of another one: a crash leaves either.
pub(super) fn put_in_place(fresh: &Path, path: &Path) -> Result<(), FileError> {
    fs::rename(fresh, path).map_err(io("replace", path))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Reads a private file: a plain one, of nobody else's reach.
pub(super) fn read_private(path: &Path) -> Result<String, FileError> {
    let text = read(path)?;
    let mode = fs::symlink_metadata(path).map_err(io("look at", path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::TooWide { path: path.to_owned(), mode, remedy: PRIVATE });
    }
    Ok(text)
}

/// Reads a plain file of at most [`LIMIT`] bytes.
pub(super) fn read(path: &Path) -> Result<String, FileError> {
    let not_plain = || FileError::NotPlain { path: path.to_owned(), expected: "a plain file" };
    let before = fs::symlink_metadata(path).map_err(io("look at", path))?;
    if !before.is_file() {
        return Err(not_plain());
    }
    let file = File::open(path).map_err(io("read", path))?;
    let opened = file.metadata().map_err(io("look at", path))?;
    // Swapped for a link between the look and the open.
    if (opened.dev(), opened.ino()) != (before.dev(), before.ino()) {
        return Err(not_plain());
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(io("read", path))?;
    if bytes.len() as u64 > LIMIT {
        return Err(FileError::TooLong { path: path.to_owned(), limit: LIMIT });
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText { path: path.to_owned() })
}

fn sync_directory(path: &Path) -> Result<(), FileError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|directory| directory.sync_all()).map_err(io("sync", path))
}

fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |error| FileError::Io { act, path: path.to_owned(), error }
}

/// Longest file read here: a trust file of some thousand keys.
const LIMIT: u64 = 1 << 20;
