//! The folder of statements and bundles: read as it comes, added to atomically, nothing overwritten.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use attest::types::Type;
use attest::{Bundle, Statement, bundle, statement};
use rustix::fs::{AtFlags, Mode, OFlags, openat};
use rustix::io::Errno;
use seal::digest::Digest;
use seal::json::Value;
use seal::time::UnixMillis;

/// A folder of attestations.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    dir: OwnedFd,
}

/// A statement that lies there. Nobody has verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its type.
    pub kind: &'static Type,
    /// Its id.
    pub id: String,
    /// The `name` among its type's own members.
    pub name: Option<String>,
    /// When it says that it was made.
    pub generated_at: UnixMillis,
    /// Of its payload.
    pub digest: Digest,
    /// The file that it was read from.
    pub file: String,
    /// Who is said to have signed it, if it is a bundle.
    pub hint: Option<String>,
}

/// Why a folder was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder itself.
    #[error("{path}: {error}")]
    Open {
        /// The folder.
        path: String,
        /// The system's answer.
        error: std::io::Error,
    },
    /// A file that is there.
    #[error("{path} exists and is never overwritten")]
    Exists {
        /// The file.
        path: String,
    },
    /// A file that was not written.
    #[error("{path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// The system's answer.
        error: std::io::Error,
    },
    /// A file that is neither statement nor bundle, or cannot be read.
    #[error("{path}: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// How the names of unsigned statements end.
pub const STATEMENT: &str = ".statement.json";
/// How the names of files end that are being written.
const FRESH: &str = ".new";
/// Nobody takes longer to write one.
const WRITING_SECONDS: u64 = 60;
/// How the names of bundles end.
pub const BUNDLE: &str = ".bundle.json";

impl Folder {
    /// Opens a folder.
    pub fn open(path: &Path) -> Result<Folder, FolderError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(dir) => Ok(Folder { path: path.to_owned(), dir }),
            Err(error) => {
                Err(FolderError::Open { path: path.display().to_string(), error: error.into() })
            }
        }
    }

    /// Opens a folder, which is made if it is not there.
    pub fn make(path: &Path) -> Result<Folder, FolderError> {
        std::fs::create_dir_all(path)
            .map_err(|error| FolderError::Open { path: path.display().to_string(), error })?;
        Folder::open(path)
    }

    /// Waits until no other process is about to write here, and holds others up while this one lives:
    /// what one finds already there another must not be taking back. Where that is not known (a network's
    /// file system) it is one after the other by chance only. What a killed process left is cleared away.
    pub fn alone(&self) {
        if rustix::fs::flock(&self.dir, rustix::fs::FlockOperation::LockExclusive).is_ok() {
            // what cannot be cleared away now is in nobody's way
            let _ = self.clear();
        }
    }

    /// Removes files that were never finished: of ours by their names, and none that is being written.
    fn clear(&self) -> Result<(), Errno> {
        let ours = |name: &str| {
            let kind = name.strip_prefix('.').and_then(|rest| rest.split_once('-'));
            let known = kind.is_some_and(|(kind, _)| attest::types::named(kind).is_some());
            known && name.ends_with(FRESH)
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for entry in rustix::fs::Dir::read_from(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_str().is_ok_and(ours) {
                continue;
            }
            let stat = rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let written = u64::try_from(stat.st_mtime).unwrap_or(0);
            if written.saturating_add(WRITING_SECONDS) < now {
                rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())?;
            }
        }
        Ok(())
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of its files that end so, sorted.
    pub fn names(&self, ending: &str) -> Result<Vec<String>, FolderError> {
        let failed = |error: Errno| FolderError::Open {
            path: self.path.display().to_string(),
            error: error.into(),
        };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().to_str()
                && name.ends_with(ending)
                && !name.starts_with('.')
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The content of a file of it.
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, FolderError> {
        use attest::files::Files as _;
        let unusable = |why: String| FolderError::Unusable {
            path: self.path.join(name).display().to_string(),
            why,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(&self.dir, ".", flags, Mode::empty())
            .map_err(|error| unusable(std::io::Error::from(error).to_string()))?;
        crate::open::Root::of(dir).bytes(name, limit).map_err(|error| unusable(error.to_string()))
    }

    /// The payload of a statement that is not signed.
    pub fn payload(&self, name: &str) -> Result<(Vec<u8>, Statement), FolderError> {
        let bytes = self.read(name, statement::LIMIT as u64)?;
        let read = Statement::read(&bytes).map_err(|error| FolderError::Unusable {
            path: self.path.join(name).display().to_string(),
            why: error.to_string(),
        })?;
        Ok((bytes, read))
    }

    /// A bundle and the statement in it; its signature is not looked at.
    pub fn bundle(&self, name: &str) -> Result<(Bundle, Statement), FolderError> {
        let unusable = |why: String| FolderError::Unusable {
            path: self.path.join(name).display().to_string(),
            why,
        };
        let bytes = self.read(name, bundle::LIMIT as u64)?;
        let bundle = Bundle::read(&bytes).map_err(|error| unusable(error.to_string()))?;
        let read = Statement::read(&bundle.envelope.payload)
            .map_err(|error| unusable(error.to_string()))?;
        Ok((bundle, read))
    }

    /// All statements that lie there, signed or not. Files that are neither are told, and passed over.
    pub fn known(&self) -> Result<(Vec<Known>, Vec<FolderError>), FolderError> {
        let (mut known, mut odd) = (Vec::new(), Vec::new());
        for file in self.names(STATEMENT)? {
            match self.payload(&file) {
                Ok((payload, read)) => known.push(Known::of(&read, &payload, file, None)),
                Err(error) => odd.push(error),
            }
        }
        for file in self.names(BUNDLE)? {
            match self.bundle(&file) {
                Ok((bundle, read)) => {
                    let payload = bundle.envelope.payload;
                    known.push(Known::of(&read, &payload, file, Some(bundle.hint)));
                }
                Err(error) => odd.push(error),
            }
        }
        Ok((known, odd))
    }

    /// Writes a new file: whole or not at all, and never over another. A crash leaves at most a file
    /// whose name begins with a dot.
    pub fn write(&self, name: &str, bytes: &[u8], secret: bool) -> Result<(), FolderError> {
        let failed = |error: std::io::Error| FolderError::Write {
            path: self.path.join(name).display().to_string(),
            error,
        };
        debug_assert!(attest::files::is_path(name) && !name.contains('/'));
        let mode = Mode::from_raw_mode(if secret { 0o600 } else { 0o644 });
        // a process that was killed may have left one under the same number, as in a container
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fresh = format!(".{name}.{}-{}{FRESH}", std::process::id(), since.as_nanos());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.dir, fresh.as_str(), flags, mode).map_err(|e| failed(e.into()))?;
        let mut file = File::from(file);
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let put = written.map_err(failed).and_then(|()| self.put(&fresh, name));
        if put.is_err() {
            let _ = rustix::fs::unlinkat(&self.dir, fresh.as_str(), AtFlags::empty());
        }
        put?;
        // the name must last as long as the content
        rustix::fs::fsync(&self.dir).map_err(|error| failed(error.into()))
    }

    fn put(&self, fresh: &str, name: &str) -> Result<(), FolderError> {
        let path = || self.path.join(name).display().to_string();
        match no_replace(&self.dir, fresh, name) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(FolderError::Exists { path: path() }),
            Err(error) => Err(FolderError::Write { path: path(), error: error.into() }),
        }
    }

    /// Removes a file of it.
    pub fn remove(&self, name: &str) -> Result<(), FolderError> {
        match rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(FolderError::Write {
                path: self.path.join(name).display().to_string(),
                error: error.into(),
            }),
        }
    }
}

/// Renames, unless the new name is taken.
fn no_replace(dir: &OwnedFd, from: &str, to: &str) -> Result<(), Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
            // some file systems know no such flag
            Err(Errno::INVAL | Errno::NOSYS) => {}
            done => return done,
        }
    }
    rustix::fs::linkat(dir, from, dir, to, AtFlags::empty())?;
    rustix::fs::unlinkat(dir, from, AtFlags::empty())
}

impl Known {
    /// Of a statement with its payload.
    pub fn of(read: &Statement, payload: &[u8], file: String, hint: Option<String>) -> Known {
        Known {
            kind: read.kind,
            id: read.id.clone(),
            name: read.own.get("name").and_then(Value::as_str).map(str::to_owned),
            generated_at: read.generated_at,
            digest: Digest::of(payload),
            file,
            hint,
        }
    }
}

/// The name of an unsigned statement, of its salts (`salts.json`) or of its payload (`payload.age`).
pub fn name_of(statement: &Statement, ending: &str) -> String {
    let id = statement.id.get(..8).unwrap_or_default();
    format!("{}-{id}{ending}", statement.kind.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn nothing_is_overwritten_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(&dir.path().join("a/b")).unwrap();
        folder.write("one.json", b"1", false).unwrap();
        folder.write("secret.json", b"2", true).unwrap();
        assert!(matches!(folder.write("one.json", b"2", false), Err(FolderError::Exists { .. })));
        assert_eq!(std::fs::read(folder.path("one.json")).unwrap(), b"1");
        let mode =
            |name: &str| std::fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("secret.json"), 0o600);
        assert_eq!(mode("one.json") & 0o133, 0);
        let all = std::fs::read_dir(dir.path().join("a/b")).unwrap().count();
        assert_eq!(all, 2);
        std::os::unix::fs::symlink("elsewhere", folder.path("link.json")).unwrap();
        assert!(matches!(folder.write("link.json", b"3", false), Err(FolderError::Exists { .. })));
        assert!(!dir.path().join("a/b/elsewhere").exists());
    }

    #[test]
    fn what_a_killed_process_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path()).unwrap();
        let old = SystemTime::now() - std::time::Duration::from_secs(3600);
        for (name, of, stays) in [
            (".prompt-0f8fad5b.salts.json.7-1.new", old, false),
            (".eval-0f8fad5b.bundle.json.7.new", old, false),
            (".eval-0f8fad5b.bundle.json.8-2.new", SystemTime::now(), true),
            (".others-thing.new", old, true),
            ("prompt-0f8fad5b.new", old, true),
            (".prompt-0f8fad5b.salts.json", old, true),
        ] {
            let file = File::create_new(folder.path(name)).unwrap();
            file.set_modified(of).unwrap();
            folder.alone();
            assert_eq!(folder.path(name).exists(), stays, "{name}");
        }
        // the number of a process comes again, in a container soon
        folder.write("one.json", b"1", false).unwrap();
    }

    #[test]
    fn what_is_neither_statement_nor_bundle_is_told_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path()).unwrap();
        folder.write("x.statement.json", b"{}", false).unwrap();
        folder.write("y.bundle.json", b"[", false).unwrap();
        folder.write("z.txt", b"", false).unwrap();
        let (known, odd) = folder.known().unwrap();
        assert_eq!((known.len(), odd.len()), (0, 2));
    }
}
