//! Digests of files that did not change since: for who attests the same tree again and again. Never
//! asked by a verifier.
//!
//! In the file stand a head, a record of each known file in the order of the paths' bytes, and the
//! digest of all that: what a crash left half written is no cache. It is read in one go and looked
//! things up in as it is.

use std::collections::BTreeMap;
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
    known: Known,
    learned: Mutex<Vec<(String, Stamp, Digest)>>,
}

/// A file that changed so shortly before it was read may change again without showing it: its times
/// have the grain of the file system's clock.
const RACY: i128 = 2_000_000_000;
/// Longest cache that is read, bytes.
const LIMIT: u64 = 256 << 20;
const HEAD: &[u8] = b"countersign collect cache 2\n";

impl Cache {
    /// Opens a cache. One that is not there, is not its owner's alone or is not understood is empty.
    pub fn open(path: &Path) -> Cache {
        let known = read(path).and_then(Known::parse).unwrap_or_default();
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = i128::try_from(began.as_nanos()).unwrap_or(0);
        Cache { path: path.to_owned(), began, known, learned: Mutex::new(Vec::new()) }
    }

    /// The digest of a file that is as it was.
    pub fn known(&self, path: &str, stamp: &Stamp) -> Option<Digest> {
        let (then, digest) = self.known.find(path)?;
        (then == *stamp).then_some(digest)
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
        let mut all: BTreeMap<&str, (Stamp, Digest)> = self.known.entries().collect();
        all.extend(learned.iter().map(|(path, stamp, digest)| (path.as_str(), (*stamp, *digest))));
        let bytes = write(&all);
        let fresh = self.path.with_extension(format!("{}.new", std::process::id()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&fresh, flags, Mode::RUSR | Mode::WUSR)?;
        let written = std::fs::File::from(file).write_all(&bytes);
        let put = written.and_then(|()| std::fs::rename(&fresh, &self.path));
        if put.is_err() {
            let _ = std::fs::remove_file(&fresh);
        }
        put
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
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
    let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= LIMIT)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).ok()? + 1);
    std::fs::File::from(file).take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The bytes of a cache, and where its records begin.
#[derive(Debug, Default)]
pub struct Known {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Known {
    /// Reads the content of a cache file.
    pub fn parse(bytes: Vec<u8>) -> Option<Known> {
        let (body, digest) = bytes.split_last_chunk::<32>()?;
        let mut rest = body.strip_prefix(HEAD)?;
        if Digest::of(body).as_bytes() != digest {
            return None;
        }
        let (mut places, mut before) = (Vec::new(), None);
        while !rest.is_empty() {
            places.push(body.len() - rest.len());
            let (record, after) = record(rest)?;
            if before.is_some_and(|before| before >= record.path) {
                return None;
            }
            (before, rest) = (Some(record.path), after);
        }
        Some(Known { bytes, places })
    }

    /// All that it knows, in the order of the paths.
    pub fn entries(&self) -> impl Iterator<Item = (&str, (Stamp, Digest))> {
        self.places.iter().filter_map(|at| {
            let record = self.record(*at)?;
            Some((std::str::from_utf8(record.path).ok()?, (record.stamp, record.digest)))
        })
    }

    fn find(&self, path: &str) -> Option<(Stamp, Digest)> {
        let path = path.as_bytes();
        let smaller = |at: &usize| self.record(*at).is_some_and(|one| one.path < path);
        let record = self.record(*self.places.get(self.places.partition_point(smaller))?)?;
        (record.path == path).then_some((record.stamp, record.digest))
    }

    fn record(&self, at: usize) -> Option<Record<'_>> {
        record(self.bytes.get(at..)?).map(|(record, _)| record)
    }
}

struct Record<'b> {
    path: &'b [u8],
    stamp: Stamp,
    digest: Digest,
}

/// The record that bytes begin with, and what follows it: the path's length (4 bytes, numbers are
/// little-endian), the path, device, inode, length (8 each), times (16 each), digest.
fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (path, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let (device, rest) = rest.split_first_chunk::<8>()?;
    let (inode, rest) = rest.split_first_chunk::<8>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (modified, rest) = rest.split_first_chunk::<16>()?;
    let (changed, rest) = rest.split_first_chunk::<16>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let stamp = Stamp {
        device: u64::from_le_bytes(*device),
        inode: u64::from_le_bytes(*inode),
        size: u64::from_le_bytes(*size),
        modified: i128::from_le_bytes(*modified),
        changed: i128::from_le_bytes(*changed),
    };
    Some((Record { path, stamp, digest: Digest::from_bytes(*digest) }, rest))
}

/// The content of a cache file.
pub fn write(known: &BTreeMap<&str, (Stamp, Digest)>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(known.len() * 160);
    bytes.extend_from_slice(HEAD);
    for (path, (stamp, digest)) in known {
        // a longer one no system has
        let Ok(length) = u32::try_from(path.len()) else { continue };
        let Stamp { device, inode, size, modified, changed } = stamp;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(path.as_bytes());
        for number in [device, inode, size] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for time in [modified, changed] {
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        bytes.extend_from_slice(digest.as_bytes());
    }
    let digest = Digest::of(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    bytes
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

    #[test]
    fn a_cache_is_whole_or_none() {
        let stamps = [("a", 1), ("a-b", 2), ("a/b", 3), ("\u{e9}", 4)];
        let all: BTreeMap<&str, (Stamp, Digest)> = stamps
            .iter()
            .map(|(path, n)| (*path, (stamp(*n, -i128::from(*n)), Digest::of(path.as_bytes()))))
            .collect();
        let bytes = write(&all);
        let known = Known::parse(bytes.clone()).unwrap();
        assert_eq!(known.entries().collect::<BTreeMap<_, _>>(), all);
        for (path, n) in stamps {
            let found = Some((stamp(n, -i128::from(n)), Digest::of(path.as_bytes())));
            assert_eq!(known.find(path), found);
        }
        for path in ["", "A", "a/", "b", "\u{ea}"] {
            assert_eq!(known.find(path), None, "{path}");
        }
        for length in 0..bytes.len() {
            assert!(Known::parse(bytes[..length].to_vec()).is_none(), "{length}");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(Known::parse(other).is_none(), "{at}");
        }
        // twice, or in another order, with the digest that belongs to it
        let body = &bytes[HEAD.len()..bytes.len() - 32];
        let mut twice = [HEAD, body, body].concat();
        twice.extend_from_slice(Digest::of(&twice).as_bytes());
        assert!(Known::parse(twice).is_none());
    }
}
