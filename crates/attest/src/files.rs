//! The attested files, as a verifier sees them.

use seal::digest::Digest;

/// Files below one root.
///
/// Paths are relative to it, with `/`. An implementation never leaves the root: `..`, an absolute path,
/// a symbolic link anywhere on the way and whatever is no regular file are refused, not followed. It
/// opens a file once for each call, looks at the length of what it opened before it reads, and never
/// answers from a cache. Calls come from several threads at once.
pub trait Files: Sync {
    /// SHA-256 and length of a file's content. With `size`, a file of another length is not read.
    fn read(&self, path: &str, size: Option<u64>) -> Result<(Digest, u64), FileError>;

    /// The paths, below the root, of all files below a directory, at any depth, sorted by their bytes;
    /// `""` is the root itself. Whatever is neither a file nor a directory is an error.
    fn list(&self, dir: &str) -> Result<Vec<String>, FileError>;

    /// The content of a file of at most `limit` bytes.
    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileError>;
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is not there.
    #[error("no such file or directory")]
    Missing,
    /// The path leads out of the root: absolute, `..`, another file system, or over a symbolic link.
    #[error("leads out of the attested root")]
    Outside,
    /// Neither a regular file nor a directory: a link, pipe, socket or device.
    #[error("is not a regular file")]
    Special,
    /// Its length, which is another than asked for, or beyond the limit.
    #[error("has {0} bytes")]
    Size(u64),
    /// The system's answer.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// Whether a path can lie below a root: relative, with plain names between slashes.
pub fn is_path(path: &str) -> bool {
    let plain = |name: &str| !matches!(name, "" | "." | "..");
    path.len() <= LONGEST && path.split('/').all(plain) && !path.contains(['\\', '\0'])
}

/// Longest path, bytes.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for path in ["a", "a/b.txt", "a b/\u{e9}", "..a/b..", ".git/config"] {
            assert!(is_path(path), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", ".", "a/./b", "..", "a/../b", "a\\b", "a\0"] {
            assert!(!is_path(path), "{path}");
        }
    }
}
