//! Where the socket lies: in `run/`, or, where 108 bytes do not suffice for its path, in a short
//! directory of the account's own that a file in `run/` names.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use seal::digest::Digest;

/// Name of the socket in `run/`.
pub const SOCKET: &str = "sequencer.sock";
/// Name of the file in `run/` that says where the socket lies instead.
pub const PLACE: &str = "sequencer.at";

/// The socket's path for whoever makes it; notes a place outside of `run`.
pub(super) fn prepare(run: &Path) -> io::Result<PathBuf> {
    let found = fs::metadata(run)?;
    if found.uid() != own() || found.mode() & 0o077 != 0 {
        let text = format!("{} must belong to this account alone: chmod 0700 it", run.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    let run = &fs::canonicalize(run)?;
    if fits(run) {
        return Ok(run.join(SOCKET));
    }
    let name = Digest::of(run.as_os_str().as_bytes()).hex();
    let path = fallback()?.join(format!("{}.sock", name.get(..16).unwrap_or_default()));
    if path.as_os_str().len() + FRESH.len() > LONGEST {
        let text = format!("{} is too long for a socket: set a shorter TMPDIR", path.display());
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    let fresh = run.join(format!("{PLACE}.new"));
    fs::write(&fresh, path.as_os_str().as_bytes())?;
    fs::rename(&fresh, run.join(PLACE))?;
    Ok(path)
}

/// The socket's path for whoever looks for it. That it exists, and whose it is, shows when
/// connecting.
pub(super) fn find(run: &Path) -> io::Result<PathBuf> {
    let run = &fs::canonicalize(run)?;
    if fits(run) {
        return Ok(run.join(SOCKET));
    }
    let mut bytes = fs::read(run.join(PLACE))?;
    bytes.truncate(LONGEST);
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)))
}

/// The account this process runs as.
pub(super) fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether the path in `run` is short enough. Asked of the real path, so that the answer is the same
/// for whoever reaches the directory by another name or from another working directory.
fn fits(run: &Path) -> bool {
    run.join(SOCKET).as_os_str().len() + FRESH.len() <= LONGEST
}

/// A directory of this account's alone, with a short name.
fn fallback() -> io::Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let dir = match runtime {
        Some(dir) if dir.len() < 64 => PathBuf::from(dir).join("countersign"),
        _ => std::env::temp_dir().join(format!("countersign-{}", own())),
    };
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Somebody else may have been there first: in a shared directory any name can be taken.
    let found = fs::symlink_metadata(&dir)?;
    if !found.is_dir() || found.uid() != own() || found.mode() & 0o077 != 0 {
        let text = format!("{} is not a directory of this account alone", dir.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    Ok(dir)
}

/// What a socket is called while it is made.
pub(super) const FRESH: &str = ".new";
/// `sun_path` has 108 bytes with the NUL behind it.
const LONGEST: usize = 107;
