//! What the ledger knows of subscriptions: marks that outlive the store's own files.
//!
//! Each document that is accepted leaves an entry of kind `feed`, whose id alone says the slot, the
//! time and the root: it is in the leaf, so that a body that was pruned or encrypted takes nothing
//! of it away. The body holds the signed manifest. Bytes: `spec/feed-subscriptions.md`.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ledger::follow::{Cursor, Follow, FollowError};
use ledger::{Entry, Kind};
use record::feed::Feed;
use seal::base64;
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_plain, write_receipt};
use seal::mac::{self, MacKey};

use super::disk;
use super::store::Store;
use super::subscription::{Slot, Subscription};
use crate::files;

/// The type constant of the body.
pub const TYPE: &str = "countersign-feed-state/v1";

/// A document that was accepted: its time and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The feed's own time, Unix seconds.
    pub issued_at: i64,
    /// Its root.
    pub root: Digest,
    /// The highest publishing number that was seen; `None` when no proof ever was.
    pub sequence: Option<u64>,
}

impl Mark {
    /// The newer of two, with the higher number.
    pub fn and(self, other: Mark) -> Mark {
        let newer = if self.issued_at <= other.issued_at { other } else { self };
        Mark { sequence: self.sequence.max(other.sequence), ..newer }
    }
}

/// What remembers marks beyond the files of the store.
pub trait Memory {
    /// The newest mark of any of these slots.
    fn newest(&mut self, slots: &[Slot]) -> Result<Option<Mark>, MemoryError>;

    /// Remembers these, durably when it returns.
    fn remember(&mut self, entries: Vec<Entry>) -> Result<(), MemoryError>;
}

/// Why the memory gave or took nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The ledger cannot be read, or does not hold.
    #[error("what the ledger says of the feed cannot be told: {0}")]
    Read(#[from] FollowError),
    /// The ledger took nothing; nothing was accepted then. The text says why.
    #[error("nothing was accepted, since the ledger did not take it: {0}")]
    Write(String),
}

/// Where there is no ledger.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn newest(&mut self, _: &[Slot]) -> Result<Option<Mark>, MemoryError> {
        Ok(None)
    }

    fn remember(&mut self, _: Vec<Entry>) -> Result<(), MemoryError> {
        Ok(())
    }
}

/// The ledger in a directory, read by following it and written by a function.
pub struct LedgerMarks<W> {
    dir: PathBuf,
    cache: Option<Cache>,
    write: W,
}

impl<W> std::fmt::Debug for LedgerMarks<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerMarks").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl<W: FnMut(Vec<Entry>) -> Result<(), String>> LedgerMarks<W> {
    /// `write` appends entries durably, or says why not.
    pub fn new(dir: &Path, write: W) -> LedgerMarks<W> {
        LedgerMarks { dir: dir.to_owned(), cache: None, write }
    }

    /// Goes on reading where it stopped; what was read lies, sealed, in the store.
    #[must_use]
    pub fn with_cache(mut self, store: &Store) -> LedgerMarks<W> {
        let (path, key) = store.marks();
        self.cache = Some(Cache { path, key });
        self
    }

    /// Reads what is new behind `read`.
    fn follow(&self, mut read: Read) -> Result<Read, FollowError> {
        let mut follow = match Follow::open_dir(&self.dir, None, read.cursor.as_ref()) {
            Err(FollowError::NoLedger) => return Ok(read),
            follow => follow?,
        };
        // Entries that no checkpoint covers yet count, too, once there are any.
        let journal = std::fs::read_dir(self.dir.join("journal"));
        follow = follow.unsigned(journal.is_ok_and(|mut entries| entries.next().is_some()));
        let polled = follow.poll(&mut |entry| {
            if entry.leaf.kind == Kind::Feed
                && let Some((slot, mark)) = parse_id(&entry.leaf.id)
            {
                read.take(slot, mark);
            }
            ControlFlow::Continue(())
        });
        match polled {
            Ok(_) | Err(FollowError::NoLedger) => {}
            Err(error) => return Err(error),
        }
        read.cursor = follow.cursor().or(read.cursor);
        Ok(read)
    }
}

impl<W: FnMut(Vec<Entry>) -> Result<(), String>> Memory for LedgerMarks<W> {
    fn newest(&mut self, slots: &[Slot]) -> Result<Option<Mark>, MemoryError> {
        let known = self.cache.as_ref().and_then(Cache::load).unwrap_or_default();
        let read = match self.follow(known.clone()) {
            // Another ledger lies here now, or its last batch was set aside. What is known stays.
            Err(
                FollowError::Shrunk { .. }
                | FollowError::Forked { .. }
                | FollowError::Origin { .. }
                | FollowError::Cursor,
            ) if known.cursor.is_some() => self.follow(Read { cursor: None, ..known.clone() })?,
            read => read?,
        };
        if let Some(cache) = self.cache.as_ref().filter(|_| read != known) {
            // Without it the next one reads all of it again.
            let _ = cache.save(&read);
        }
        let own = slots.iter().filter_map(|slot| read.marks.get(slot));
        Ok(own.copied().reduce(Mark::and))
    }

    fn remember(&mut self, entries: Vec<Entry>) -> Result<(), MemoryError> {
        (self.write)(entries).map_err(MemoryError::Write)
    }
}

/// How far the ledger was read, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Read {
    cursor: Option<Cursor>,
    marks: BTreeMap<Slot, Mark>,
}

impl Read {
    fn take(&mut self, slot: Slot, mark: Mark) {
        let newest = self.marks.entry(slot).or_insert(mark);
        *newest = newest.and(mark);
    }
}

/// What was read of the ledger, so that it is not read again. It is sealed: who could change it
/// could make marks be passed over. An older copy of it just means more to read.
struct Cache {
    path: PathBuf,
    key: MacKey,
}

impl Cache {
    fn load(&self) -> Option<Read> {
        let text = files::read_text(&self.path, CACHE_LIMIT as u64).ok()?;
        let (seal, text) = text.split_once('\n')?;
        if !mac::equal(&self.key.hmac(text.as_bytes()), &seal::hex::decode(seal)?) {
            return None;
        }
        let value = parse(text.as_bytes(), Limits { bytes: CACHE_LIMIT, depth: 4 }).ok()?;
        let digest = |value: &Value| Digest::from_hex(value.as_str()?);
        let cursor = match value.get("cursor")? {
            Value::Null => None,
            cursor => Some(Cursor {
                origin: cursor.get("origin")?.as_str()?.to_owned(),
                size: u64::try_from(cursor.get("size")?.as_i64()?).ok()?,
                peaks: cursor
                    .get("peaks")?
                    .as_array()?
                    .iter()
                    .map(digest)
                    .collect::<Option<_>>()?,
            }),
        };
        let ids = value.get("marks")?.as_array()?.iter();
        let marks = ids.map(|id| parse_id(id.as_str()?)).collect::<Option<_>>()?;
        (value.get("type")?.as_str()? == CACHE).then_some(Read { cursor, marks })
    }

    fn save(&self, read: &Read) -> io::Result<()> {
        let cursor = read.cursor.as_ref().map_or(Value::Null, |cursor| {
            Value::object([
                ("origin", Value::from(&cursor.origin)),
                ("peaks", Value::array(cursor.peaks.iter().map(Digest::hex))),
                ("size", cursor.size.into()),
            ])
        });
        let marks = read.marks.iter().map(|(slot, mark)| id(slot, mark));
        let value = Value::object([
            ("cursor", cursor),
            ("marks", Value::array(marks)),
            ("type", CACHE.into()),
        ]);
        let text = write_plain(&value);
        let seal = seal::hex::encode(&self.key.hmac(text.as_bytes()));
        disk::put(&self.path, format!("{seal}\n{text}").as_bytes())
    }
}

/// The type constant of what is kept of the ledger's marks.
const CACHE: &str = "countersign-feed-marks/v1";
const CACHE_LIMIT: usize = 16 << 20;

/// The entries that say what happened to a subscription, one for each slot that its keys give.
pub fn note(
    act: &'static str,
    subscription: &Subscription,
    feed: &Feed,
    digest: &Digest,
) -> Vec<Entry> {
    let seen = subscription.accepted.proof;
    slots(subscription)
        .into_iter()
        .filter_map(|slot| {
            let body = Value::object([
                ("act", Value::from(act)),
                ("digest", (*digest).into()),
                ("feed_id", Value::from(&subscription.feed_id)),
                ("issued_at", feed.issued_at.into()),
                ("issuer", Value::from(&subscription.issuer)),
                ("manifest", feed.manifest().into()),
                ("max_age", subscription.max_age.into()),
                ("min_issued_at", subscription.min_issued_at.into()),
                ("policy", subscription.policy.as_str().into()),
                ("root", feed.root.into()),
                ("sequence", seen.map(|seen| seen.sequence).into()),
                ("signature", base64::url_encode(&feed.signature).into()),
                ("slot", slot.hex().into()),
                ("type", TYPE.into()),
            ]);
            let sequence = seen.map(|seen| seen.sequence);
            let mark = Mark { issued_at: feed.issued_at, root: feed.root, sequence };
            let body = write_receipt(&body).ok()?.into_bytes();
            Some(Entry { kind: Kind::Feed, id: id(&slot, &mark), body })
        })
        .collect()
}

/// The slots under which a subscription is known: that of its first key, and those of later ones.
pub(super) fn slots(subscription: &Subscription) -> Vec<Slot> {
    let slot = |key| Slot::of(&subscription.issuer, key, &subscription.feed_id);
    let mut slots: Vec<Slot> = subscription.keys.iter().map(|pinned| slot(&pinned.key)).collect();
    let first = slots.first().copied();
    slots.sort();
    slots.dedup();
    // The first one is the subscription's own and comes first.
    slots.sort_by_key(|slot| Some(*slot) != first);
    slots
}

const STEM: &str = "feed-state:";

/// Whether an entry of kind `feed` is a mark of a subscription, by its id.
pub(crate) fn is_mark(id: &str) -> bool {
    id.starts_with(STEM)
}

fn id(slot: &Slot, mark: &Mark) -> String {
    let id = format!("{STEM}{}:{}:{}", slot.hex(), mark.issued_at, mark.root.hex());
    match mark.sequence {
        Some(sequence) => format!("{id}:{sequence}"),
        None => id,
    }
}

fn parse_id(id: &str) -> Option<(Slot, Mark)> {
    let mut parts = id.strip_prefix(STEM)?.split(':');
    let (slot, time, root) = (parts.next()?, parts.next()?, parts.next()?);
    let sequence = match parts.next() {
        Some(number) => Some(number.parse().ok()?),
        None => None,
    };
    let mark = Mark { issued_at: time.parse().ok()?, root: Digest::from_hex(root)?, sequence };
    parts.next().is_none().then_some((Slot::from_hex(slot)?, mark))
}
