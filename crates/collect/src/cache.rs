//! Digests of files that did not change since: for who attests the same tree again and again. Never
//! asked by a verifier.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use seal::digest::Digest;

use crate::open::Stamp;

/// A cache: what an earlier run left, and what this one learns.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    /// When this run began, nanoseconds since 1970.
    began: i128,
    known: HashMap<String, (Stamp, Digest)>,
    learned: Mutex<Vec<(String, Stamp, Digest)>>,
}

/// A file that changed so shortly before it was read may change again without showing it: its times
/// have the grain of the file system's clock.
const RACY: i128 = 2_000_000_000;
/// Longest cache that is read, bytes.
const LIMIT: u64 = 256 << 20;
const HEAD: &str = "countersign collect cache 1";

impl Cache {
    /// Opens a cache. One that is not there, is not its owner's alone or is not understood is empty.
    pub fn open(path: &Path) -> Cache {
        let known = read(path).unwrap_or_default();
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = i128::try_from(began.as_nanos()).unwrap_or(0);
        Cache { path: path.to_owned(), began, known, learned: Mutex::new(Vec::new()) }
    }

    /// The digest of a file that is as it was.
    pub fn known(&self, path: &str, stamp: &Stamp) -> Option<Digest> {
        let (then, digest) = self.known.get(path)?;
        (then == stamp).then_some(*digest)
    }

    pub(crate) fn learn(&self, path: &str, stamp: Stamp, digest: Digest) {
        if stamp.modified.max(stamp.changed) + RACY < self.began {
            let mut learned =
                self.learned.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            learned.push((path.to_owned(), stamp, digest));
        }
    }

    /// Writes what is known now, if it is more than before. A cache that is lost costs time only.
    pub fn save(self) -> std::io::Result<()> {
        let learned = self.learned.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if learned.is_empty() {
            return Ok(());
        }
        let mut known = self.known;
        known.extend(learned.into_iter().map(|(path, stamp, digest)| (path, (stamp, digest))));
        let mut text = String::with_capacity(known.len() * 160);
        text.push_str(HEAD);
        text.push('\n');
        for (path, (stamp, digest)) in &known {
            let Stamp { device, inode, size, modified, changed } = stamp;
            let hex = digest.hex();
            text += &format!("{hex} {device} {inode} {size} {modified} {changed} {path}\n");
        }
        let fresh = self.path.with_extension(format!("{}.new", std::process::id()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&fresh, flags, Mode::RUSR | Mode::WUSR)?;
        let written = std::fs::File::from(file).write_all(text.as_bytes());
        let put = written.and_then(|()| std::fs::rename(&fresh, &self.path));
        if put.is_err() {
            let _ = std::fs::remove_file(&fresh);
        }
        put
    }
}

fn read(path: &Path) -> Option<HashMap<String, (Stamp, Digest)>> {
    use std::io::Read as _;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    // who could write it could make us attest what is not there
    let mine = stat.st_uid == rustix::process::geteuid().as_raw();
    let alone = stat.st_mode & 0o022 == 0;
    if !mine || !alone || !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::from(file).take(LIMIT).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return None;
    }
    lines.map(line).collect()
}

fn line(line: &str) -> Option<(String, (Stamp, Digest))> {
    let mut parts = line.splitn(7, ' ');
    let digest = Digest::from_hex(parts.next()?)?;
    let stamp = Stamp {
        device: parts.next()?.parse().ok()?,
        inode: parts.next()?.parse().ok()?,
        size: parts.next()?.parse().ok()?,
        modified: parts.next()?.parse().ok()?,
        changed: parts.next()?.parse().ok()?,
    };
    Some((parts.next()?.to_owned(), (stamp, digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(size: u64, at: i128) -> Stamp {
        Stamp { device: 1, inode: 2, size, modified: at, changed: at }
    }

    #[test]
    fn what_changed_or_may_still_change_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        let cache = Cache::open(&path);
        let (old, now) = (cache.began - 10 * RACY, cache.began - RACY / 2);
        cache.learn("a b", stamp(1, old), Digest::of(b"a"));
        cache.learn("racy", stamp(1, now), Digest::of(b"r"));
        cache.save().unwrap();
        let cache = Cache::open(&path);
        assert_eq!(cache.known("a b", &stamp(1, old)), Some(Digest::of(b"a")));
        assert_eq!(cache.known("a b", &stamp(2, old)), None);
        assert_eq!(cache.known("a b", &stamp(1, old + 1)), None);
        assert_eq!(cache.known("a b", &Stamp { changed: old + 1, ..stamp(1, old) }), None);
        assert_eq!(cache.known("a b", &Stamp { inode: 3, ..stamp(1, old) }), None);
        assert_eq!(cache.known("racy", &stamp(1, now)), None);
    }

    #[test]
    fn a_cache_of_others_is_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        let cache = Cache::open(&path);
        let old = stamp(1, cache.began - 10 * RACY);
        cache.learn("a", old, Digest::of(b"a"));
        cache.save().unwrap();
        let known = || Cache::open(&path).known("a", &old).is_some();
        assert!(known());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!known());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&path, dir.path().join("other")).unwrap();
        std::os::unix::fs::symlink("other", &path).unwrap();
        assert!(!known());
    }
}
