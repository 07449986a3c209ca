//! What may take the place of what: the rules of an update, as pure functions.

use std::collections::{BTreeMap, BTreeSet};

use record::feed::Feed;
use record::feedproof;
use record::ioc::{Kind, SignedIoc};
use record::report::{Code, Finding};
use seal::digest::Digest;
use seal::key::KeyId;
use seal::policy::Policy;
use seal::time::UnixMillis;

use super::memory::Mark;
use super::subscription::{Seen, Subscription};

/// What bounds the time of a document.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds<'a> {
    /// What was accepted before.
    pub(super) last: Option<Mark>,
    /// What the ledger says was accepted.
    pub(super) logged: Option<Mark>,
    /// The least time.
    pub(super) min_issued_at: Option<i64>,
    /// The greatest age, seconds.
    pub(super) max_age: Option<i64>,
    /// The feed that is expected.
    pub(super) feed_id: Option<&'a str>,
}

/// Clocks differ by so many seconds.
const SKEW: i64 = 600;

/// Whether a document that holds may be taken now.
pub(super) fn timely(feed: &Feed, bounds: Bounds<'_>, now: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut fault = |code, detail: String| found.push(Finding::new(code, "", detail));
    let when = |seconds: i64| UnixMillis::from_seconds(seconds).to_string();
    if let Some(expected) = bounds.feed_id.filter(|expected| *expected != feed.feed_id) {
        let detail = format!("expected {expected:?}, served was {:?}", feed.feed_id);
        fault(Code::FeedOther, detail);
    }
    for (mark, source) in [(bounds.last, "accepted was"), (bounds.logged, "the ledger says")] {
        let Some(mark) = mark else { continue };
        if feed.issued_at < mark.issued_at {
            let (this, that) = (when(feed.issued_at), when(mark.issued_at));
            fault(Code::FeedRollback, format!("issued at {this}, {source} one of {that}"));
        } else if feed.issued_at == mark.issued_at && feed.root != mark.root {
            let detail = format!("root {}, {source} {}", feed.root, mark.root);
            fault(Code::FeedFork, detail);
        }
    }
    if let Some(least) = bounds.min_issued_at.filter(|least| feed.issued_at < *least) {
        let (this, that) = (when(feed.issued_at), when(least));
        fault(Code::FeedRollback, format!("issued at {this}, at least {that} was asked for"));
    }
    let age = now.saturating_sub(feed.issued_at);
    if let Some(most) = bounds.max_age.filter(|most| age > *most) {
        let detail = format!("{age} seconds old, at most {most} are allowed");
        fault(Code::FeedStale, detail);
    }
    if age < -SKEW {
        fault(Code::FeedFuture, format!("{} seconds ahead of this clock", -age));
    }
    found
}

/// Judges the proof beside a feed. Once one was seen, or where a log is asked for, there must be one.
pub(super) fn proven(
    feed: &Feed,
    proof: Option<&[u8]>,
    policy: Option<&Policy>,
    bounds: &Bounds<'_>,
    now: i64,
) -> (Option<Seen>, Vec<Finding>) {
    let marks = [bounds.last, bounds.logged].into_iter().flatten();
    let before = marks.reduce(Mark::and);
    let last = before.and_then(|mark| mark.sequence);
    let Some(bytes) = proof else {
        let why = match (last, policy) {
            (Some(last), _) => format!("publishing {last} had one"),
            (None, Some(_)) => "its log is asked for".to_owned(),
            (None, None) => return (None, Vec::new()),
        };
        return (None, vec![Finding::new(Code::FeedProofMissing, "", why)]);
    };
    let proof = match feedproof::read(bytes) {
        Ok(proof) => proof,
        Err(finding) => return (None, vec![finding]),
    };
    let mut found = proof.judge(feed, Some(now), policy);
    let (sequence, not_after) = (proof.statement.sequence, proof.statement.not_after);
    let mut fault = |code, detail: String| found.push(Finding::new(code, "", detail));
    if let Some(last) = last.filter(|last| sequence < *last) {
        fault(Code::FeedRollback, format!("publishing {sequence}, accepted was {last}"));
    }
    if let Some(before) = before
        && before.sequence == Some(sequence)
        && (before.issued_at, before.root) != (feed.issued_at, feed.root)
    {
        fault(Code::FeedFork, format!("another feed was publishing {sequence}, too"));
    }
    (Some(Seen { sequence, not_after }), found)
}

/// Whether what was accepted still counts by its own proof.
pub(super) fn ended(seen: Option<Seen>, now: i64) -> Option<Finding> {
    let seen = seen.filter(|seen| now >= seen.not_after)?;
    let detail = format!("not after {}, it is {now}", seen.not_after);
    Some(Finding::new(Code::FeedProofTime, "", detail))
}

/// What is revoked, and by which keys.
#[derive(Default)]
pub(super) struct Words(BTreeMap<Digest, BTreeSet<KeyId>>);

impl Words {
    pub(super) fn take(&mut self, iocs: &[SignedIoc]) {
        for ioc in iocs {
            for id in &ioc.ioc.revokes {
                self.0.entry(*id).or_default().insert(ioc.ioc.key_id);
            }
        }
    }

    pub(super) fn revoke(&self, ioc: &SignedIoc, record: &Subscription) -> bool {
        let by = self.0.get(&ioc.content_hash);
        by.is_some_and(|by| by.iter().any(|by| record.reaches(*by, ioc.ioc.key_id)))
    }
}

/// What of the former indicators stays although the feed has it no more.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Indicators to keep.
    pub(super) kept: Vec<SignedIoc>,
    /// One finding for each that went without a word.
    pub(super) found: Vec<Finding>,
}

/// Compares what was known of a feed with a new document of it.
///
/// `known`: the indicators of the document before, and those kept until now; `revoked`: everything
/// that any feed of this publisher revokes, the new document included.
pub(super) fn carry(
    known: &[(&SignedIoc, bool)],
    new: &Feed,
    revoked: &BTreeSet<Digest>,
    now: i64,
) -> Carried {
    let there: BTreeSet<&Digest> = new.iocs.iter().map(|ioc| &ioc.content_hash).collect();
    let renewed = renewed(new);
    let mut carried = Carried::default();
    let mut seen = BTreeSet::new();
    for (ioc, kept_before) in known {
        if there.contains(&ioc.content_hash) || !seen.insert(&ioc.content_hash) {
            continue;
        }
        let body = &ioc.ioc;
        let over = revoked.contains(&ioc.content_hash) || body.expired(now);
        // Under a new key every indicator is signed anew, with another id.
        let again = body.key_id != new.key.key_id()
            && renewed.get(&(body.kind, body.pattern.as_str())).is_some_and(|by| {
                by.iter().any(|new| {
                    new.ioc.severity >= body.severity
                        && outlives(new.ioc.expires_at, body.expires_at)
                })
            });
        if !over && !again {
            if !kept_before {
                let detail = format!("{} {:?}", ioc.content_hash, body.pattern);
                carried.found.push(Finding::new(Code::FeedWithdrawn, "", detail));
            }
            carried.kept.push((*ioc).clone());
        } else if !body.revokes.is_empty() {
            // A revocation has no end: without it what it withdrew would count again.
            carried.kept.push((*ioc).clone());
        }
    }
    carried
}

type Renewed<'a> = BTreeMap<(Kind, &'a str), Vec<&'a SignedIoc>>;

fn renewed(new: &Feed) -> Renewed<'_> {
    let mut by = Renewed::new();
    for ioc in &new.iocs {
        by.entry((ioc.ioc.kind, ioc.ioc.pattern.as_str())).or_default().push(ioc);
    }
    by
}

/// Whether a time of expiry is not before another one; none is never.
fn outlives(new: Option<i64>, old: Option<i64>) -> bool {
    match (new, old) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(new), Some(old)) => new >= old,
    }
}
