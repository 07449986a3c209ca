//! Which commit lies in a directory.

use std::path::Path;
use std::process::{Command, Stdio};

use collect::Checkout;

/// What git says of the commit that is checked out, and which files differ from it; nothing where there
/// is no git, or no commit.
pub fn checkout(root: &Path) -> Option<Checkout> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        // a repository's own configuration must not decide which program is run to look for changes
        .args(["-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "-z"])
        .args(["--untracked-files=all", "--no-renames", "--", "."])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let (mut commit, mut changed) = (None, Vec::new());
    for line in output.stdout.split(|byte| *byte == 0) {
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
