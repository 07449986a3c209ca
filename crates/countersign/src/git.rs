//! Does git track a file? Answered from the index alone: asking `git` itself would run what the
//! repository under test configures.

use std::path::{Path, PathBuf};

use crate::files;

/// Largest index looked at, bytes.
const LIMIT: u64 = 256 << 20;

/// Whether any repository around `file` tracks it. A repository that cannot be read counts as
/// tracking: a trust file that came with the evidence must not be believed by accident.
pub(crate) fn tracks(file: &Path) -> bool {
    let Some(parent) = file.parent() else {
        return false;
    };
    // All of them: an empty repository planted around the file must not hide the one that has it.
    parent.ancestors().filter(|dir| dir.join(".git").exists()).any(|root| has(root, file))
}

/// Whether the repository at `root` tracks `file`.
fn has(root: &Path, file: &Path) -> bool {
    let Ok(inside) = file.strip_prefix(root) else {
        return true;
    };
    let Some(name) = inside.to_str() else {
        return true;
    };
    let Some(git) = git_directory(&root.join(".git")) else {
        return true;
    };
    match files::read(&git.join("index"), LIMIT) {
        Ok(index) => names(&index, &object_id_length(&git), name.replace('\\', "/").as_bytes())
            .unwrap_or(true),
        // No index: nothing was ever added.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(_) => true,
    }
}

/// `.git`, or where the `.git` file of a worktree points.
fn git_directory(dot_git: &Path) -> Option<PathBuf> {
    if dot_git.is_dir() {
        return Some(dot_git.to_path_buf());
    }
    let text = files::read_text(dot_git, 4096).ok()?;
    let target = text.strip_prefix("gitdir:")?.trim();
    Some(dot_git.parent()?.join(target))
}

/// Object ids in the index are SHA-1 unless the repository says SHA-256; both are tried when its
/// configuration lies elsewhere (worktrees).
fn object_id_length(git: &Path) -> Vec<usize> {
    match files::read_text(&git.join("config"), 1 << 20) {
        Ok(text) if text.to_ascii_lowercase().replace(' ', "").contains("objectformat=sha256") => {
            vec![32]
        }
        Ok(_) => vec![20],
        Err(_) => vec![20, 32],
    }
}

/// Whether the index lists `name`; `None` when it is not an index that we can read.
fn names(index: &[u8], id_lengths: &[usize], name: &[u8]) -> Option<bool> {
    id_lengths.iter().find_map(|length| list(index, *length, name))
}

// gitformat-index(5): "DIRC", version 2 to 4, count; each entry 40 bytes of stat data, the object
// id, 16 flag bits (0x4000: 16 more), the path. Versions 2 and 3 pad with NUL to 8 bytes; version 4
// takes the path from the one before: an offset-encoded number of bytes to drop, then the rest.
fn list(index: &[u8], id_length: usize, name: &[u8]) -> Option<bool> {
    let number = |at: usize| -> Option<u32> {
        let bytes: [u8; 4] = index.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    let version = number(4)?;
    if index.get(..4)? != b"DIRC" || !(2..=4).contains(&version) {
        return None;
    }
    let mut path: Vec<u8> = Vec::new();
    let mut at = 12;
    for _ in 0..number(8)? {
        let start = at;
        at += 40 + id_length;
        let extended = index.get(at)? & 0x40 != 0;
        at += if extended { 4 } else { 2 };
        if version == 4 {
            let mut drop = 0usize;
            loop {
                let byte = *index.get(at)?;
                at += 1;
                drop = drop.checked_shl(7)?.checked_add(usize::from(byte & 0x7f))?;
                if byte & 0x80 == 0 {
                    break;
                }
                drop = drop.checked_add(1)?;
            }
            path.truncate(path.len().checked_sub(drop)?);
        } else {
            path.clear();
        }
        let rest = index.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        path.extend_from_slice(rest.get(..end)?);
        at += end + 1;
        if version != 4 {
            at = start + (at - start).div_ceil(8) * 8;
        }
        if path == name {
            return Some(true);
        }
    }
    // Extensions: 4 letters, 32 bits of length, content; the last object id ends the file. A split
    // index ("link") keeps entries in another file: then this one is no answer.
    while index.len().checked_sub(at)? > id_length {
        if index.get(at..at + 4)? == b"link" {
            return None;
        }
        at = at.checked_add(8)?.checked_add(number(at + 4)? as usize)?;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(version: u32, entries: &[(&str, usize)]) -> Vec<u8> {
        let mut out = b"DIRC".to_vec();
        out.extend(version.to_be_bytes());
        out.extend((entries.len() as u32).to_be_bytes());
        for (suffix, drop) in entries {
            let start = out.len();
            out.extend([1u8; 60]);
            out.extend([0u8, 5]);
            if version == 4 {
                out.push(*drop as u8);
            }
            out.extend(suffix.as_bytes());
            out.push(0);
            while version != 4 && !(out.len() - start).is_multiple_of(8) {
                out.push(0);
            }
        }
        out.extend([0u8; 20]);
        out
    }

    #[test]
    fn entries_of_all_versions_are_listed() {
        let plain = index(2, &[("a.txt", 0), ("countersign.trust.yaml", 0), ("z", 0)]);
        assert_eq!(names(&plain, &[20], b"countersign.trust.yaml"), Some(true));
        assert_eq!(names(&plain, &[20], b"other"), Some(false));
        let packed = index(4, &[("dir/a", 0), ("b", 1), ("countersign.trust.yaml", 5)]);
        assert_eq!(names(&packed, &[20], b"dir/b"), Some(true));
        assert_eq!(names(&packed, &[20], b"countersign.trust.yaml"), Some(true));
        assert_eq!(names(&packed, &[20], b"b"), Some(false));
    }

    #[test]
    fn a_damaged_index_is_no_answer() {
        assert_eq!(names(b"DIRX", &[20], b"a"), None);
        let cut = index(2, &[("a.txt", 0)]);
        assert_eq!(names(&cut[..40], &[20, 32], b"a"), None);
    }

    #[test]
    fn a_planted_repository_hides_nothing() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let below = dir.path().join("evidence");
        for git in [dir.path().join(".git"), below.join(".git")] {
            std::fs::create_dir_all(git).expect("a directory");
        }
        let bytes = index(2, &[("evidence/countersign.trust.yaml", 0)]);
        std::fs::write(dir.path().join(".git/index"), bytes).expect("a file");
        assert!(tracks(&below.join("countersign.trust.yaml")));
        assert!(!tracks(&below.join("another")));
    }

    #[test]
    fn a_file_outside_any_repository_is_not_tracked() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(!tracks(&dir.path().join("countersign.trust.yaml")));
        std::fs::create_dir(dir.path().join(".git")).expect("a directory");
        assert!(!tracks(&dir.path().join("countersign.trust.yaml")));
        std::fs::write(dir.path().join(".git/index"), b"junk").expect("a file");
        assert!(tracks(&dir.path().join("countersign.trust.yaml")));
    }
}
