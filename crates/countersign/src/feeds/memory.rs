//! What the ledger knows of subscriptions: marks that outlive the store's own files.
//!
//! Each document that is accepted leaves an entry of kind `feed`, whose id alone says the slot, the
//! time and the root: it is in the leaf, so that a body that was pruned or encrypted takes nothing
//! of it away. The body holds the signed manifest. Bytes: `spec/feed-subscriptions.md`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ledger::follow::{Follow, FollowError};
use ledger::{Entry, Kind};
use record::feed::Feed;
use seal::base64;
use seal::digest::Digest;
use seal::json::{Value, write_receipt};

use super::subscription::{Slot, Subscription};

/// The type constant of the body.
pub const TYPE: &str = "countersign-feed-state/v1";

/// A document that was accepted: its time and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The feed's own time, Unix seconds.
    pub issued_at: i64,
    /// Its root.
    pub root: Digest,
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
        LedgerMarks { dir: dir.to_owned(), write }
    }
}

impl<W: FnMut(Vec<Entry>) -> Result<(), String>> Memory for LedgerMarks<W> {
    fn newest(&mut self, slots: &[Slot]) -> Result<Option<Mark>, MemoryError> {
        let mut newest: Option<Mark> = None;
        let follow = Follow::open_dir(&self.dir, None, None);
        let mut follow = match follow {
            Err(FollowError::NoLedger) => return Ok(None),
            follow => follow?.unsigned(true),
        };
        let polled = follow.poll(&mut |entry| {
            let stated =
                (entry.leaf.kind == Kind::Feed).then(|| parse_id(&entry.leaf.id)).flatten();
            if let Some((slot, mark)) = stated
                && slots.contains(&slot)
                && newest.is_none_or(|newest| newest.issued_at <= mark.issued_at)
            {
                newest = Some(mark);
            }
            ControlFlow::Continue(())
        });
        match polled {
            Ok(_) | Err(FollowError::NoLedger) => Ok(newest),
            Err(error) => Err(error.into()),
        }
    }

    fn remember(&mut self, entries: Vec<Entry>) -> Result<(), MemoryError> {
        (self.write)(entries).map_err(MemoryError::Write)
    }
}

/// The entries that say what happened to a subscription, one for each slot that its keys give.
pub fn note(
    act: &'static str,
    subscription: &Subscription,
    feed: &Feed,
    digest: &Digest,
) -> Vec<Entry> {
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
                ("signature", base64::url_encode(&feed.signature).into()),
                ("slot", slot.hex().into()),
                ("type", TYPE.into()),
            ]);
            let mark = Mark { issued_at: feed.issued_at, root: feed.root };
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

fn id(slot: &Slot, mark: &Mark) -> String {
    format!("{STEM}{}:{}:{}", slot.hex(), mark.issued_at, mark.root.hex())
}

fn parse_id(id: &str) -> Option<(Slot, Mark)> {
    let mut parts = id.strip_prefix(STEM)?.split(':');
    let (slot, time, root) = (parts.next()?, parts.next()?, parts.next()?);
    let mark = Mark { issued_at: time.parse().ok()?, root: Digest::from_hex(root)? };
    parts.next().is_none().then_some((Slot::from_hex(slot)?, mark))
}
