//! Which commit lies in a directory.

use std::path::Path;

use collect::{Checkout, comparing};

/// What git says of the commit that is checked out, and which files differ from it; nothing where there
/// is no git, or no commit.
pub fn checkout(root: &Path) -> Option<Checkout> {
    let output = comparing(root)
        .args(["status", "--porcelain=v2", "--branch", "-z"])
        .args(["--untracked-files=all", "--no-renames", "--", "."])
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
        let mut parts = line.splitn(fields + 1, ' ');
        let module = fields > 1 && parts.clone().nth(2).is_some_and(|sub| sub.starts_with('S'));
        let path = parts.nth(fields);
        changed.extend(path.map(|path| format!("{path}{}", if module { "/" } else { "" })));
    }
    Some(Checkout { commit: commit?, changed })
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
