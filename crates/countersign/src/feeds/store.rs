//! The subscriptions on disk.
//!
//! Below `.countersign/feeds/` a subscription is a record `<slot>.json`, which names by digest the
//! document accepted last (`<slot>.<16 digits>.feed`) and, where there are any, the indicators kept
//! (`<slot>.<16 digits>.kept`). What a record names is durable before the record is put in its
//! place, and goes only after it: a reader, who takes no lock, sees one whole state or the next.
//! Whoever writes holds `lock`.
//!
//! The record is sealed with a secret of this machine (`keys/feeds-seal.key`), since pins and marks
//! are signed by nobody. On every opening the seal is checked, the document is judged again under
//! the key that the record names, and each kept indicator under the keys of its publisher.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use record::feed::{Feed, Judge, judge};
use record::ioc::{self, SignedIoc};
use record::report::{Code, Finding};
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_plain};
use seal::mac::{self, MacKey};

use super::disk;
use super::subscription::{self, Slot, Subscription};
use crate::files;

/// The subscriptions of a state directory.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    key: MacKey,
}

/// A subscription with what was accepted, judged again.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its place.
    pub slot: Slot,
    /// The record.
    pub subscription: Subscription,
    /// The document accepted last, without the indicators that were left out.
    pub feed: Feed,
    /// Indicators that the feed has no more, and that were neither revoked nor are they over; and
    /// revocations, which have no end.
    pub kept: Vec<SignedIoc>,
}

/// What there is.
#[derive(Debug, Clone, Default)]
pub struct All {
    /// Subscriptions that hold.
    pub held: Vec<Held>,
    /// Those whose files were changed.
    pub broken: Vec<(Slot, Finding)>,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The key of the seals is missing or no key.
    #[error("{path}: {why}; without it no subscription can be opened: subscribe again with --pin")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The key of the seals is there, and nothing else.
    #[error("{path} was emptied or removed: restore it, or subscribe again with --pin")]
    Gone {
        /// Where the subscriptions were.
        path: PathBuf,
    },
    /// No such subscription.
    #[error("there is no subscription {0}")]
    Unknown(Slot),
    /// What is stored is not what was sealed.
    #[error("{0}")]
    Seal(Finding),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// Name of the directory below the state directory.
const DIR: &str = "feeds";
/// Name of the key of the seals, below `keys/`.
const KEY: &str = "feeds-seal.key";
/// Name of the file that is locked by who writes.
const LOCK: &str = "lock";
/// Longest file of kept indicators, bytes.
const KEPT_LIMIT: usize = 64 << 20;
/// A reader whose files are replaced under it looks again so often.
const LOOKS: usize = 8;

impl Store {
    /// The store below `.countersign`, if there is one.
    pub fn open(home: &Path) -> Result<Option<Store>, StoreError> {
        let (dir, path) = (home.join(DIR), home.join("keys").join(KEY));
        let key = read_key(&path)?;
        match key {
            // Whoever made the key made the lock before, and no verb ever removes it.
            Some(_) if !dir.join(LOCK).exists() => Err(StoreError::Gone { path: dir }),
            Some(key) => Ok(Some(Store { dir, key })),
            None if !dir.is_dir() => Ok(None),
            None if names(&dir)?.iter().any(|name| name.ends_with(".json")) => {
                Err(StoreError::Key { path, why: "the key of the seals is missing" })
            }
            None => Ok(None),
        }
    }

    /// The store below `.countersign`, made when there is none.
    pub fn create(home: &Path) -> Result<Store, StoreError> {
        let (dir, keys) = (home.join(DIR), home.join("keys"));
        for made in [home, &keys, &dir] {
            match DirBuilder::new().recursive(made == home).mode(0o700).create(made) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(at(made)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let path = keys.join(KEY);
        let _lock = disk::lock(&dir.join(LOCK)).map_err(at(&dir))?;
        if let Some(key) = read_key(&path)? {
            return Ok(Store { dir, key });
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| StoreError::Random(error.to_string()))?;
        let text = format!("{}\n", seal::hex::encode(&secret));
        disk::put(&path, text.as_bytes()).map_err(at(&path))?;
        Ok(Store { dir, key: MacKey::new(&secret) })
    }

    /// Waits until nobody else writes here.
    pub fn write(&self) -> Result<Writing<'_>, StoreError> {
        let path = self.dir.join(LOCK);
        let lock = disk::lock(&path).map_err(at(&path))?;
        Ok(Writing { store: self, _lock: lock })
    }

    /// Where what was read of the ledger lies, and the key of its seal.
    pub(super) fn marks(&self) -> (PathBuf, MacKey) {
        (self.dir.join("marks"), self.key.clone())
    }

    /// When a source said last that what was accepted is the newest, Unix seconds; 0 when that is not
    /// known.
    pub fn confirmed(&self, slot: Slot) -> i64 {
        let text = files::read_text(&self.dir.join(format!("{slot}.{CONFIRMED}")), 256);
        let text = text.unwrap_or_default();
        let Some((time, seal)) = text.trim_end().split_once(' ') else { return 0 };
        let holds = seal::hex::decode(seal)
            .is_some_and(|seal| mac::equal(&self.confirmation(slot, time), &seal));
        if holds { time.parse().unwrap_or(0) } else { 0 }
    }

    fn confirmation(&self, slot: Slot, time: &str) -> [u8; 32] {
        self.key.hmac(format!("countersign-feed-confirmed/v1\n{slot}\n{time}").as_bytes())
    }

    /// The subscriptions there are.
    pub fn slots(&self) -> Result<Vec<Slot>, StoreError> {
        let mut slots: Vec<Slot> = names(&self.dir)?
            .iter()
            .filter_map(|name| Slot::from_hex(name.strip_suffix(".json")?))
            .collect();
        slots.sort();
        Ok(slots)
    }

    /// A record whose seal holds, without what it names.
    pub fn record(&self, slot: Slot) -> Result<Subscription, StoreError> {
        let path = self.path(slot);
        let bytes = match files::read(&path, subscription::LIMIT as u64) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Unknown(slot));
            }
            bytes => bytes.map_err(at(&path))?,
        };
        let record =
            Subscription::from_bytes(&bytes, &self.key).map_err(|why| sealed(&path, why))?;
        match record.slot() == Some(slot) {
            true => Ok(record),
            false => Err(sealed(&path, "it lies in another one's place")),
        }
    }

    /// A subscription with what was accepted of it, judged again.
    pub fn load(&self, slot: Slot) -> Result<Held, StoreError> {
        let mut looks = 0;
        loop {
            looks += 1;
            let record = self.record(slot)?;
            match self.load_of(slot, record) {
                // A writer may just have put the next state in its place.
                Err(StoreError::Io { error, .. })
                    if error.kind() == io::ErrorKind::NotFound && looks < LOOKS => {}
                Err(StoreError::Io { error, path }) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(sealed(&path, "it is gone"));
                }
                loaded => return loaded,
            }
        }
    }

    /// All subscriptions, by issuer and feed id. One whose files were changed is of no use, and no
    /// obstacle to the others.
    pub fn load_all(&self) -> Result<All, StoreError> {
        let mut all = All::default();
        for slot in self.slots()? {
            match self.load(slot) {
                Ok(held) => all.held.push(held),
                Err(StoreError::Seal(finding)) => all.broken.push((slot, finding)),
                // Unsubscribed meanwhile.
                Err(StoreError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let place = |held: &Held| {
            let record = &held.subscription;
            (record.issuer.clone(), record.feed_id.clone(), held.slot)
        };
        all.held.sort_by_key(place);
        Ok(all)
    }

    fn load_of(&self, slot: Slot, record: Subscription) -> Result<Held, StoreError> {
        let accepted = &record.accepted;
        let (path, bytes) = self.named(slot, &accepted.digest, FEED, record::feed::LIMIT)?;
        let pins = record.accepted_pin();
        let judged = judge(
            &bytes,
            &Judge { pins: &pins, skip_bad: record.skip_bad, known: true, ..Judge::default() },
        );
        let Some(verified) = judged.verified else {
            let why = judged.report.findings.first().map(ToString::to_string).unwrap_or_default();
            return Err(sealed(&path, why));
        };
        let mut feed = verified.into_feed();
        if feed.issued_at != accepted.issued_at
            || feed.root != accepted.root
            || feed.feed_id != record.feed_id
        {
            return Err(sealed(&path, "it is not the feed that was accepted"));
        }
        let skipped: BTreeSet<&str> = accepted.skipped.iter().map(String::as_str).collect();
        let (left_out, iocs): (Vec<SignedIoc>, Vec<SignedIoc>) =
            feed.iocs.into_iter().partition(|ioc| skipped.contains(&*ioc.content_hash.text()));
        feed.iocs = iocs;
        feed.left_out.extend(left_out.iter().map(|ioc| ioc.content_hash));
        let kept = match &accepted.kept {
            None => Vec::new(),
            Some(digest) => {
                let (path, bytes) = self.named(slot, digest, KEPT, KEPT_LIMIT)?;
                read_kept(&bytes, &record).map_err(|why| sealed(&path, why))?
            }
        };
        Ok(Held { slot, subscription: record, feed, kept })
    }

    fn named(
        &self,
        slot: Slot,
        digest: &Digest,
        kind: &str,
        limit: usize,
    ) -> Result<(PathBuf, Vec<u8>), StoreError> {
        let path = self.dir.join(name(slot, digest, kind));
        let bytes = files::read(&path, limit as u64).map_err(at(&path))?;
        match Digest::of(&bytes) == *digest {
            true => Ok((path, bytes)),
            false => Err(sealed(&path, "its bytes are others")),
        }
    }

    fn path(&self, slot: Slot) -> PathBuf {
        self.dir.join(format!("{slot}.json"))
    }
}

/// The file of kept indicators, or none.
#[derive(Debug)]
pub(super) struct Kept(Option<String>);

impl Kept {
    /// `None` for more than is read again.
    pub(super) fn of(kept: &[SignedIoc]) -> Option<Kept> {
        if kept.is_empty() {
            return Some(Kept(None));
        }
        let text = write_plain(&Value::array(kept.iter().map(SignedIoc::to_value)));
        (text.len() <= KEPT_LIMIT).then_some(Kept(Some(text)))
    }
}

/// The store, and nobody else writes. Given back when it is dropped.
#[derive(Debug)]
pub struct Writing<'s> {
    pub(super) store: &'s Store,
    _lock: File,
}

impl Writing<'_> {
    /// Puts a subscription in its place. The digests of document and kept indicators are filled in.
    pub(super) fn put(
        &self,
        slot: Slot,
        mut record: Subscription,
        document: Option<&[u8]>,
        kept: &Kept,
    ) -> Result<Subscription, StoreError> {
        let dir = &self.store.dir;
        if let Some(document) = document {
            record.accepted.digest = Digest::of(document);
            let path = dir.join(name(slot, &record.accepted.digest, FEED));
            disk::put(&path, document).map_err(at(&path))?;
        }
        record.accepted.kept = None;
        if let Some(text) = &kept.0 {
            let digest = Digest::of(text.as_bytes());
            let path = dir.join(name(slot, &digest, KEPT));
            disk::put(&path, text.as_bytes()).map_err(at(&path))?;
            record.accepted.kept = Some(digest);
        }
        let path = self.store.path(slot);
        let bytes = record
            .to_bytes(&self.store.key)
            .filter(|bytes| bytes.len() <= subscription::LIMIT)
            .ok_or_else(|| sealed(&path, "the record cannot be written"))?;
        disk::put(&path, &bytes).map_err(at(&path))?;
        let named = [Some(record.accepted.digest), record.accepted.kept];
        self.sweep(slot, &named)?;
        Ok(record)
    }

    /// Remembers that what was accepted was the newest then, Unix seconds. Where that fails, it only
    /// seems older than it is.
    pub(super) fn confirm(&self, slot: Slot, at: i64) {
        let time = at.to_string();
        let seal = seal::hex::encode(&self.store.confirmation(slot, &time));
        let path = self.store.dir.join(format!("{slot}.{CONFIRMED}"));
        let _ = disk::put(&path, format!("{time} {seal}\n").as_bytes());
    }

    /// Removes a subscription; `false` when there was none.
    pub(super) fn remove(&self, slot: Slot) -> Result<bool, StoreError> {
        let path = self.store.path(slot);
        let there = path.try_exists().map_err(at(&path))?;
        disk::remove(&path).map_err(at(&path))?;
        files::sync_directory_of(&path).map_err(at(&path))?;
        self.sweep(slot, &[])?;
        Ok(there)
    }

    /// Removes the files of a subscription that its record does not name.
    fn sweep(&self, slot: Slot, named: &[Option<Digest>]) -> Result<(), StoreError> {
        let dir = &self.store.dir;
        let keep: Vec<String> = named
            .iter()
            .flatten()
            .flat_map(|digest| [FEED, KEPT].map(|kind| name(slot, digest, kind)))
            .chain((!named.is_empty()).then(|| format!("{slot}.{CONFIRMED}")))
            .collect();
        let stem = format!("{slot}.");
        for found in names(dir)? {
            let data = [FEED, KEPT, CONFIRMED, "new"].iter().any(|kind| found.ends_with(kind));
            if found.starts_with(&stem) && data && !keep.contains(&found) {
                let path = dir.join(found);
                disk::remove(&path).map_err(at(&path))?;
            }
        }
        Ok(())
    }
}

const FEED: &str = "feed";
const KEPT: &str = "kept";
const CONFIRMED: &str = "confirmed";

fn name(slot: Slot, digest: &Digest, kind: &str) -> String {
    format!("{slot}.{}.{kind}", digest.hex().get(..16).unwrap_or_default())
}

fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let entries = fs::read_dir(dir).map_err(at(dir))?;
    let name = |entry: io::Result<fs::DirEntry>| {
        Ok(entry.map_err(at(dir))?.file_name().to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}

fn read_key(path: &Path) -> Result<Option<MacKey>, StoreError> {
    match files::read_text(path, 256) {
        Ok(text) => match seal::hex::decode(text.trim()) {
            Some(secret) if secret.len() == 32 => Ok(Some(MacKey::new(&secret))),
            _ => Err(StoreError::Key { path: path.to_owned(), why: "it is not 64 hex digits" }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// Kept indicators, each under a key of the publisher.
fn read_kept(bytes: &[u8], record: &Subscription) -> Result<Vec<SignedIoc>, String> {
    let limits = Limits { bytes: KEPT_LIMIT, depth: 5 };
    let value = parse(bytes, limits).map_err(|error| error.to_string())?;
    let items = value.as_array().ok_or("it is no list")?;
    let one = |item: &Value| {
        let first =
            |found: Vec<Finding>| found.first().map(ToString::to_string).unwrap_or_default();
        let ioc = ioc::read(write_plain(item).as_bytes()).map_err(first)?;
        let holds = |key: &subscription::PinnedKey| ioc.verify(&key.key, &record.issuer).is_ok();
        match record.keys.iter().any(holds) {
            true => Ok(ioc),
            false => Err(format!("{} is signed by no key of the publisher", ioc.content_hash)),
        }
    };
    items.iter().map(one).collect()
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |error| StoreError::Io { path: path.to_owned(), error }
}

fn sealed(path: &Path, why: impl Into<String>) -> StoreError {
    let place = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    StoreError::Seal(Finding::new(Code::FeedSeal, place, why))
}
