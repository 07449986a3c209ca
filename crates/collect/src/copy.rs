//! A fresh copy of attested files, to see whether the same statement follows from it.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use attest::files::FileError;

use crate::open::Root;

/// A copy in a directory of its own, removed when it is dropped.
#[derive(Debug)]
pub struct Copy(PathBuf);

impl Copy {
    /// Copies files of a root into a new directory, which nobody else may enter. `name` is not taken.
    pub fn of<'p>(
        root: &Root,
        files: impl IntoIterator<Item = &'p str>,
        name: &Path,
    ) -> Result<Copy, (String, FileError)> {
        let failed = |path: &Path, error: std::io::Error| {
            (path.display().to_string(), FileError::Unreadable(error.to_string()))
        };
        DirBuilder::new().mode(0o700).create(name).map_err(|error| failed(name, error))?;
        let copy = Copy(name.to_owned());
        for file in files {
            let opened = root.file(file).map_err(|error| (file.to_owned(), error))?;
            let to = name.join(file);
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
            }
            let mut made = File::create_new(&to).map_err(|error| failed(&to, error))?;
            opened.copy(&mut made).map_err(|error| (file.to_owned(), error))?;
        }
        Ok(copy)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // what cannot be removed now is the temporary directory's to clear
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
