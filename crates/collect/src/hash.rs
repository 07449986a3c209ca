//! The digests of many files by all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use attest::files::FileError;
use seal::digest::Digest;

use crate::cache::Cache;
use crate::near::Near;
use crate::open::Root;

/// A file of which the digest is asked, or the content too.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Below the root.
    pub path: String,
    /// With it, the content is kept, if it has at most so many bytes.
    pub keep: Option<u64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// SHA-256 of the content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// The content, where it was asked for.
    pub bytes: Option<Vec<u8>>,
}

/// The digests of `asked`, in that order. Each file is opened once. Of several that cannot be read the
/// first is told, whichever thread came to it.
pub fn hash(
    root: &Root,
    asked: &[Asked],
    cache: Option<&Cache>,
) -> Result<Vec<Hashed>, (String, FileError)> {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let done: Mutex<Vec<(usize, Result<Hashed, FileError>)>> =
        Mutex::new(Vec::with_capacity(asked.len()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(MOST_THREADS).min(asked.len().div_ceil(FEW)).max(1);
    // several in a row, for neighbours lie in one directory; few, for some are long
    let run = (asked.len() / (threads * 64)).clamp(1, RUN);
    let work = || {
        let (mut own, mut buffer) = (Vec::new(), Vec::new());
        let mut near = Near::to(root);
        loop {
            let first = next.fetch_add(run, Ordering::Relaxed);
            // what comes behind a failure is not needed; what comes before may be the first
            if first >= asked.len() || first > failed.load(Ordering::Relaxed) {
                break;
            }
            for (at, one) in asked.iter().enumerate().skip(first).take(run) {
                let result = one_of(&mut near, one, cache, &mut buffer);
                if result.is_err() {
                    failed.fetch_min(at, Ordering::Relaxed);
                }
                own.push((at, result));
            }
        }
        // a thread that panicked left nothing half done here
        done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(&mut own);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    let mut found = Vec::with_capacity(done.len());
    for (at, result) in done {
        let path = || asked.get(at).map(|one| one.path.clone()).unwrap_or_default();
        found.push(result.map_err(|error| (path(), error))?);
    }
    Ok(found)
}

const MOST_THREADS: usize = 32;
/// A thread more for so many files.
const FEW: usize = 2;
/// So many files in a row are one piece of work at most.
const RUN: usize = 64;

fn one_of(
    near: &mut Near<'_>,
    asked: &Asked,
    cache: Option<&Cache>,
    buffer: &mut Vec<u8>,
) -> Result<Hashed, FileError> {
    if asked.keep.is_none()
        && let Some(cache) = cache
        // of what cannot be looked at the opening tells why
        && let Ok(stamp) = near.stamp(&asked.path)
        && let Some(digest) = cache.known(&asked.path, &stamp)
    {
        return Ok(Hashed { digest, size: stamp.size, bytes: None });
    }
    let opened = near.file(&asked.path)?;
    let stamp = opened.stamp();
    let size = stamp.size;
    if let Some(limit) = asked.keep {
        let bytes = opened.bytes(limit)?;
        return Ok(Hashed { digest: Digest::of(&bytes), size, bytes: Some(bytes) });
    }
    let digest = opened.digest(buffer)?;
    if let Some(cache) = cache {
        cache.learn(&asked.path, stamp, digest);
    }
    Ok(Hashed { digest, size, bytes: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_question_and_the_first_failure_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut asked = Vec::new();
        for at in 0..500 {
            let path = format!("{at}");
            std::fs::write(dir.path().join(&path), format!("content {at}")).unwrap();
            asked.push(Asked { path, keep: (at % 7 == 0).then_some(100) });
        }
        let root = Root::open(dir.path()).unwrap();
        for (at, found) in hash(&root, &asked, None).unwrap().iter().enumerate() {
            let content = format!("content {at}");
            assert_eq!(found.digest, Digest::of(content.as_bytes()));
            assert_eq!(found.size, content.len() as u64);
            let kept = (at % 7 == 0).then(|| content.into_bytes());
            assert_eq!(found.bytes, kept);
        }
        for gone in ["17", "300", "499"] {
            std::fs::remove_file(dir.path().join(gone)).unwrap();
        }
        let failed = hash(&root, &asked, None).unwrap_err();
        assert_eq!(failed, ("17".to_owned(), FileError::Missing));
        assert_eq!(hash(&root, &[], None).unwrap(), []);
    }
}
