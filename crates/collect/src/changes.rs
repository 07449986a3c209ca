//! Which files a change touches, as git says: any error is an error, never an empty list.

use std::ffi::OsStr;
use std::path::Path;

use crate::git::comparing;

/// Why nobody knows what changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangesError {
    /// There is no git.
    #[error("git: {0}")]
    Start(String),
    /// Not a commit that this repository has.
    #[error(
        "{0:?} is no commit of this repository; fetch it (a shallow clone has few), or name another"
    )]
    Base(String),
    /// Git failed.
    #[error("git {act}: {said}")]
    Git {
        /// What it was asked.
        act: &'static str,
        /// What it said.
        said: String,
    },
    /// A path that is no text.
    #[error("{0:?} is no UTF-8 path; rename the file")]
    Path(String),
}

/// Files below `root` that differ from where `base` and the checked out commit parted: committed,
/// staged, changed in the work tree or new there, but for ignored ones. A renamed file has both names.
/// Sorted, relative to `root`.
pub fn changes(root: &Path, base: &str) -> Result<Vec<String>, ChangesError> {
    // rev-parse takes no option behind this, so that a name cannot be one
    let wanted = format!("{base}^{{commit}}");
    let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted];
    let commit = git(root, "rev-parse", &verify).map_err(|error| match error {
        ChangesError::Git { .. } => ChangesError::Base(base.to_owned()),
        error => error,
    })?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let parted = git(root, "merge-base", &["merge-base", &commit, "HEAD"])?;
    let parted = String::from_utf8_lossy(&parted).trim().to_owned();
    let diff = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"];
    let diff = [&diff[..], &["--ignore-submodules=none", "--relative", &parted, "--"]].concat();
    let mut found = git(root, "diff", &diff)?;
    let others = ["ls-files", "-z", "--others", "--exclude-standard"];
    found.extend(git(root, "ls-files", &others)?);
    let mut paths = found
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| {
            String::from_utf8(path.to_vec())
                .map_err(|_| ChangesError::Path(String::from_utf8_lossy(path).into_owned()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort_unstable();
    paths.dedup();
    Ok(paths)
}

fn git(
    root: &Path,
    act: &'static str,
    arguments: &[impl AsRef<OsStr>],
) -> Result<Vec<u8>, ChangesError> {
    let output = comparing(root)
        .args(arguments)
        .output()
        .map_err(|error| ChangesError::Start(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ChangesError::Git { act, said });
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn run(dir: &Path, arguments: &[&str]) {
        let set = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let status = Command::new("git").arg("-C").arg(dir).args(set).args(arguments).output();
        let output = status.expect("git");
        assert!(output.status.success(), "{arguments:?} {output:?}");
    }

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (top, root) = (dir.path(), dir.path().join("root"));
        std::fs::create_dir(&root).unwrap();
        run(top, &["init", "-q"]);
        for name in ["same", "work", "staged", "old name", "gone", "gr\u{fc}n\n"] {
            std::fs::write(root.join(name), format!("{name} {name}\n")).unwrap();
        }
        std::fs::write(top.join("outside"), "").unwrap();
        run(top, &["add", "."]);
        run(top, &["commit", "-qm", "one"]);
        assert_eq!(changes(&root, "HEAD"), Ok(Vec::new()));
        std::fs::rename(root.join("old name"), root.join("new name")).unwrap();
        std::fs::write(root.join("gr\u{fc}n\n"), "other").unwrap();
        run(top, &["add", "-A"]);
        run(top, &["commit", "-qm", "two"]);
        std::fs::write(root.join("work"), "other").unwrap();
        std::fs::write(root.join("staged"), "other").unwrap();
        run(top, &["add", "root/staged"]);
        std::fs::remove_file(root.join("gone")).unwrap();
        std::fs::write(root.join("fresh"), "").unwrap();
        std::fs::write(top.join("outside"), "other").unwrap();
        let all = ["fresh", "gone", "gr\u{fc}n\n", "new name", "old name", "staged", "work"];
        assert_eq!(changes(&root, "HEAD~1").unwrap(), all);
        assert_eq!(changes(&root, "HEAD").unwrap(), ["fresh", "gone", "staged", "work"]);
    }

    #[test]
    fn an_error_is_never_an_empty_list() {
        let dir = tempfile::tempdir().unwrap();
        assert!(changes(dir.path(), "HEAD").is_err());
        run(dir.path(), &["init", "-q"]);
        assert!(matches!(changes(dir.path(), "HEAD"), Err(ChangesError::Base(_))));
        run(dir.path(), &["commit", "-q", "--allow-empty", "-m", "one"]);
        assert_eq!(changes(dir.path(), "HEAD"), Ok(Vec::new()));
        for base in ["HEAD~1", "nothing", "--output=x", "-h", "", "HEAD:none"] {
            assert!(matches!(changes(dir.path(), base), Err(ChangesError::Base(_))), "{base}");
        }
        assert!(!dir.path().join("x").exists());
    }
}
