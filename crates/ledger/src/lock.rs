//! One sequencer per directory: an advisory lock that dies with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The lock of a ledger's sequencer. Released when dropped, and by the kernel when the process ends.
#[derive(Debug)]
pub struct Lock {
    // Held, never read: the lock belongs to the open file.
    _file: File,
    _directory: Option<File>,
    path: PathBuf,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("in use by process {}: stop it first ({path})", .pid.as_deref().unwrap_or("unknown"))]
    Held {
        /// What the holder wrote into the file.
        pid: Option<String>,
        /// The lock file.
        path: PathBuf,
    },
    /// The file could not be made or locked.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock, or says who holds it. Never waits. The directory must be there.
    pub fn take(path: impl Into<PathBuf>) -> Result<Lock, LockError> {
        let path = path.into();
        match Lock::try_take(&path) {
            Ok(Some(file)) => Ok(Lock { _file: file, _directory: None, path }),
            Ok(None) => Err(LockError::Held { pid: holder(&path), path }),
            Err(source) => Err(LockError::Io { path, source }),
        }
    }

    /// Takes the directory of the evidence along: whoever deletes the lock file does not let a
    /// second writer in. A file system that locks no directories is no obstacle.
    pub fn with_directory(mut self, dir: &Path) -> Result<Lock, LockError> {
        let failed = |source| LockError::Io { path: dir.to_owned(), source };
        let directory = File::open(dir).map_err(failed)?;
        match directory.try_lock() {
            Err(TryLockError::WouldBlock) => Err(LockError::Held { pid: None, path: dir.into() }),
            Ok(()) | Err(TryLockError::Error(_)) => {
                self._directory = Some(directory);
                Ok(self)
            }
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn try_take(path: &Path) -> io::Result<Option<File>> {
        // Not truncated before it is ours: the holder's pid stays readable for the error.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Some(file))
    }
}

/// The pid in a lock file, if it looks like one.
fn holder(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    let pid = text.trim();
    (!pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())).then(|| pid.to_owned())
}
