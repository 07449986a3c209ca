//! The files of the repository: what git tracks, and what it would track.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The repository's files by path (with `/`), read once.
pub struct Tree {
    /// Where the repository lies.
    pub root: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// Everything in this repository that is not ignored.
    pub fn of_repository() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies in the repository")?
            .to_path_buf();
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .context("tidy lists the files with git; install it")?;
        ensure!(listed.status.success(), "git ls-files failed: this is not a git checkout");
        let mut files = BTreeMap::new();
        for path in String::from_utf8(listed.stdout)?.split('\0').filter(|path| !path.is_empty()) {
            // A deleted file that is still in the index has nothing left to judge.
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                files.insert(path.to_string(), bytes);
            }
        }
        Ok(Self { root, files })
    }

    /// A tree for a test of a rule.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec()));
        Self { root: PathBuf::from("/nowhere"), files: files.collect() }
    }

    /// Every path with its bytes.
    pub fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Every text file with its text.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter_map(|(path, bytes)| Some((path, std::str::from_utf8(bytes).ok()?)))
    }

    /// The Rust files below any of these folders.
    pub fn rust<'a>(&'a self, below: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts().filter(move |(path, _)| {
            path.ends_with(".rs") && below.iter().any(|folder| path.starts_with(folder))
        })
    }

    /// One file's text, if it is there.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(path)?).ok()
    }
}
