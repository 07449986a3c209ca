//! Whether the files are those that were attested. Each is read once for all bundles.

use std::collections::{BTreeMap, BTreeSet};

use record::report::{Code, Finding};
use seal::digest::Digest;
use seal::mac::hmac_sha256;

use super::{How, Judged, Stage, in_batches};
use crate::files::{FileError, Files, is_path};
use crate::statement::{Statement, Subject, Tree};

/// What was read of files, by path and the length they should have.
pub struct Seen {
    files: BTreeMap<(String, u64), Result<Digest, FileError>>,
    /// What lies in directories, by their paths as statements write them.
    trees: BTreeMap<String, Result<Vec<String>, FileError>>,
}

/// Longest file that is committed to under a salt, bytes: it is held in memory.
pub const SALTED_LIMIT: u64 = 64 << 20;

/// Reads all files that the statements name, on all cores.
pub fn look(bundles: &[Judged], files: &dyn Files) -> Seen {
    let mut wanted: Vec<(String, u64)> = Vec::new();
    for statement in bundles.iter().filter_map(|one| one.statement.as_ref()) {
        let plain = |one: &&Subject| one.salt.is_none() && is_path(&one.path);
        let named = statement.subjects.iter().filter(plain);
        wanted.extend(named.map(|one| (one.path.clone(), one.size)));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut seen = BTreeMap::new();
    in_batches(
        wanted,
        |_| 0,
        |(path, size)| {
            let read = files.read(&path, Some(size)).map(|(digest, _)| digest);
            ((path, size), read)
        },
        |(key, read)| {
            seen.insert(key, read);
        },
    );
    let statements = bundles.iter().filter_map(|one| one.statement.as_ref());
    let named = statements.flat_map(|one| &one.trees).filter(|tree| is_tree(tree));
    let paths: BTreeSet<&str> = named.map(|tree| tree.path.as_str()).collect();
    let list = |path: &str| {
        let dir = if path == Tree::ROOT { "" } else { path };
        (path.to_owned(), files.list(dir))
    };
    Seen { files: seen, trees: paths.into_iter().map(list).collect() }
}

/// Whether a tree can lie below a root.
pub fn is_tree(tree: &Tree) -> bool {
    tree.path == Tree::ROOT || is_path(&tree.path)
}

/// What is wrong with the files of a statement.
pub fn judge(
    statement: &Statement,
    seen: &Seen,
    files: &dyn Files,
    how: &How,
) -> Vec<(Stage, Finding)> {
    let one = |subject: &Subject| {
        if !is_path(&subject.path) {
            return None;
        }
        let read = match &subject.salt {
            None => seen.files.get(&(subject.path.clone(), subject.size))?.clone(),
            Some(salt) => match salted(subject, salt, how) {
                None => {
                    let detail = format!("{}: salt {}", subject.path, salt.hex());
                    return Some(Finding::new(Code::SubjectSalt, "", detail));
                }
                Some(salt) => commitment(subject, &salt, files),
            },
        };
        let (code, why) = match read {
            Ok(digest) if digest == subject.digest => return None,
            Ok(digest) if subject.salt.is_some() => (Code::SubjectDigest, digest.to_string()),
            Ok(digest) => (Code::SubjectDigest, format!("it has {digest}")),
            Err(error @ FileError::Missing) => (Code::SubjectMissing, error.to_string()),
            Err(FileError::Size(size)) => {
                (Code::SubjectSize, format!("it has {size} bytes, attested are {}", subject.size))
            }
            Err(error) => (Code::SubjectRefused, error.to_string()),
        };
        Some(Finding::new(code, "", format!("{} ({}): {why}", subject.path, subject.role)))
    };
    let mut found: Vec<Finding> = statement.subjects.iter().filter_map(one).collect();
    for tree in &statement.trees {
        added(statement, tree, seen, &mut found);
    }
    found.into_iter().map(|finding| (Stage::Digest, finding)).collect()
}

/// Files of a directory that nobody attested for its role.
fn added(statement: &Statement, tree: &Tree, seen: &Seen, found: &mut Vec<Finding>) {
    let attested: BTreeSet<&str> = statement
        .subjects
        .iter()
        .filter(|one| one.role == tree.role)
        .map(|one| one.path.as_str())
        .collect();
    match seen.trees.get(&tree.path) {
        // Each file that it had is missing, and told; a path that leads out is told as such.
        None | Some(Err(FileError::Missing)) => {}
        Some(Err(error)) => {
            let detail = format!("{} ({}): {error}", tree.path, tree.role);
            found.push(Finding::new(Code::SubjectRefused, "", detail));
        }
        Some(Ok(paths)) => {
            for path in paths.iter().filter(|path| !attested.contains(path.as_str())) {
                let detail = format!("{path} ({})", tree.role);
                found.push(Finding::new(Code::SubjectAdded, "", detail));
            }
        }
    }
}

/// The salt of a commitment, if it was given.
pub fn salted(subject: &Subject, named: &Digest, how: &How) -> Option<[u8; 32]> {
    let mut salts = how.salts.iter().map(|salts| salts.salt(&subject.role, &subject.path));
    salts.find(|salt| Digest::of(salt) == *named)
}

fn commitment(subject: &Subject, salt: &[u8], files: &dyn Files) -> Result<Digest, FileError> {
    let content = files.bytes(&subject.path, subject.size.min(SALTED_LIMIT))?;
    match content.len() as u64 == subject.size {
        true => Ok(Digest::from_bytes(hmac_sha256(salt, &content))),
        false => Err(FileError::Size(content.len() as u64)),
    }
}
