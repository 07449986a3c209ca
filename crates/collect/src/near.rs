//! Files that are asked for one after the other: a directory is opened once for those of it that
//! follow each other.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use attest::files::{FileError, is_path};
use rustix::fs::{AtFlags, statat};

use crate::open::{Opened, Root, Stamp, of, open_in, told};

/// A root, and the directory below it that was asked for last.
///
/// The directory was opened beneath the root and over no link, and what is opened in it is a single
/// name that is none: no path leaves the root here that would not leave it in [`Root::file`].
#[derive(Debug)]
pub struct Near<'r> {
    root: &'r Root,
    last: Option<(String, OwnedFd)>,
}

impl<'r> Near<'r> {
    /// Nothing is open yet.
    pub fn to(root: &'r Root) -> Near<'r> {
        Near { root, last: None }
    }

    /// As [`Root::file`].
    pub fn file(&mut self, path: &str) -> Result<Opened, FileError> {
        let (dir, name) = self.place(path)?;
        open_in(dir, name)
    }

    /// What is known of a file that is not opened for it.
    pub fn stamp(&mut self, path: &str) -> Result<Stamp, FileError> {
        let (dir, name) = self.place(path)?;
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(told)?;
        match of(&stat) {
            (stamp, true) => Ok(stamp),
            (_, false) => Err(FileError::Special),
        }
    }

    fn place<'p>(&mut self, path: &'p str) -> Result<(BorrowedFd<'_>, &'p str), FileError> {
        if !is_path(path) {
            return Err(FileError::Outside);
        }
        let Some((dir, name)) = path.rsplit_once('/') else {
            return Ok((self.root.as_fd(), path));
        };
        let last = match self.last.take() {
            Some(last) if last.0 == dir => last,
            _ => (dir.to_owned(), self.root.directory(dir)?),
        };
        let (_, open) = self.last.insert(last);
        Ok((OwnedFd::as_fd(open), name))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn it_is_the_same_as_from_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("in");
        for path in ["a/b/c", "a/b/d", "a/e", "f", "secret"] {
            let path = inside.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "hello").unwrap();
        }
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        symlink("../secret", inside.join("out")).unwrap();
        symlink("a", inside.join("link")).unwrap();
        symlink("c", inside.join("a/b/inner")).unwrap();
        symlink("..", inside.join("a/up")).unwrap();
        std::os::unix::net::UnixListener::bind(inside.join("a/socket")).unwrap();
        let root = Root::open(&inside).unwrap();
        let mut near = Near::to(&root);
        for path in [
            "a/b/c",
            "a/b/d",
            "a/e",
            "a/b/c",
            "f",
            "out",
            "link/b/c",
            "a/b/inner",
            "a/up/secret",
            "a/socket",
            "a/b",
            "a/b/nothing",
            "a/b/c/d",
            "nothing/x",
            "../secret",
            "a/../../secret",
            "/etc/passwd",
            "a/b/c",
        ] {
            let one = root.file(path).map(|file| file.stamp());
            assert_eq!(near.file(path).map(|file| file.stamp()), one, "{path}");
            match near.stamp(path) {
                Ok(stamp) => assert_eq!(Ok(stamp), one, "{path}"),
                Err(_) => assert!(one.is_err(), "{path}"),
            }
        }
    }
}
