//! Which commit lies in a directory.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use collect::Checkout;

/// Git, asked and not heard yet: it works while others do.
pub struct Asking(Child);

impl Asking {
    /// Asks which commit is checked out in a directory, and which files differ from it; nothing where
    /// there is no git.
    pub fn begin(root: &Path) -> Option<Asking> {
        let child = Command::new("git")
            .arg("-C")
            .arg(root)
            // a repository's own configuration must not decide which program is run to look for changes
            .args(["-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "-z"])
            .args(["--untracked-files=all", "--no-renames", "--", "."])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        child.ok().map(Asking)
    }

    /// What it says; nothing where there is no repository, or no commit.
    pub fn answer(self) -> Option<Checkout> {
        let output = self.0.wait_with_output().ok()?;
        if !output.status.success() {
            return None;
        }
        read(&output.stdout)
    }
}

fn read(answer: &[u8]) -> Option<Checkout> {
    let (mut commit, mut changed) = (None, Vec::new());
    for line in answer.split(|byte| *byte == 0) {
        let line = String::from_utf8_lossy(line);
        if let Some(id) = line.strip_prefix("# branch.oid ") {
            commit = is_id(id).then(|| id.to_owned());
        }
        // git-status(1), porcelain format version 2: the path stands behind so many fields
        let fields = match line.as_bytes().first() {
            Some(b'1') => 8,
            Some(b'2') => 9,
            Some(b'u') => 10,
            Some(b'?') => 1,
            _ => continue,
        };
        changed.extend(line.splitn(fields + 1, ' ').nth(fields).map(str::to_owned));
    }
    Some(Checkout { commit: commit?, changed })
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
