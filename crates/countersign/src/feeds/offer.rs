//! What is done with a document: a subscription, an update, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use record::feed::{Compiles, Feed, Judge, Judged, Pin, judge};
use record::report::{Code, Finding, Report};
use seal::digest::Digest;
use seal::json::Value;
use seal::key::PublicKey;
use seal::policy::Policy as LogPolicy;

use super::disk::{Document, Source};
use super::memory::{Mark, Memory, MemoryError, note, slots};
use super::rules::{Bounds, Words, carry, ended, proven, timely};
use super::store::{Held, Kept, StoreError, Writing};
use super::subscription::{Accepted, PinnedKey, Policy, SOURCES, Seen, Slot, Subscription, Taken};

/// What was fetched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offer<'a> {
    /// Documents; the newest one that is of the feed counts. None: the source says that nothing is
    /// new.
    pub documents: &'a [Document],
    /// Statements of new keys, one a line.
    pub rotations: Option<&'a str>,
    /// Where it came from, and what that source calls it.
    pub etag: Option<(&'a Source, &'a str)>,
}

/// The time, and what the engine says of patterns.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Unix seconds.
    pub now: i64,
    /// Whether a pattern can be matched.
    pub compiles: &'a Compiles<'a>,
}

impl std::fmt::Debug for Terms<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms").field("now", &self.now).finish_non_exhaustive()
    }
}

/// What a subscription is to be.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Keys that count.
    pub pins: Vec<PublicKey>,
    /// Whether the key that the first feed carries is believed.
    pub tofu: bool,
    /// Whose feed it must be.
    pub issuer: Option<String>,
    /// Which feed it must be.
    pub feed_id: Option<String>,
    /// Where it is fetched, in order.
    pub sources: Vec<Source>,
    /// Whether hosts in private networks may be asked.
    pub allow_private: bool,
    /// A file with certificate authorities beside those of the web.
    pub ca: Option<String>,
    /// A tlog-policy, its text: the manifest must be in one of its logs, seen by its quorum.
    pub log_policy: Option<String>,
    /// The least time of a feed, Unix seconds.
    pub min_issued_at: Option<i64>,
    /// The greatest age of a feed, seconds.
    pub max_age: Option<i64>,
    /// What a match does.
    pub policy: Policy,
    /// Whether useless indicators are left out.
    pub skip_bad: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was found. With an error nothing was taken, and what was there before still counts.
    pub report: Report,
    /// The subscription as it is now.
    pub held: Option<Held>,
    /// Whether another document counts now than before.
    pub changed: bool,
}

/// Why nothing could be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The files of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Writing<'_> {
    /// Subscribes to a feed, or changes how it is subscribed to: a mark that is there stays.
    pub fn subscribe(
        &self,
        wanted: &Wanted,
        offer: Offer<'_>,
        memory: &mut dyn Memory,
        terms: Terms<'_>,
    ) -> Result<Outcome, OfferError> {
        let document =
            match pick(offer.documents, wanted.issuer.as_deref(), wanted.feed_id.as_deref()) {
                Ok(document) => document,
                Err(finding) => return Ok(Outcome::refused(finding)),
            };
        let pin = |key: &PublicKey| Pin { issuer: wanted.issuer.clone(), ..Pin::new(key.clone()) };
        let mut pins: Vec<Pin> = wanted.pins.iter().map(pin).collect();
        let how = |pins| Judge {
            pins,
            compiles: terms.compiles,
            skip_bad: wanted.skip_bad,
            ..Judge::default()
        };
        if wanted.tofu && pins.is_empty() {
            let judged = judge(&document.bytes, &how(&[]));
            pins.extend(judged.unpinned.map(|feed| pin(&feed.key)));
        }
        let judged = judge(&document.bytes, &how(&pins));
        let skipped = skipped(&judged);
        let Judged { mut report, verified, .. } = judged;
        let Some(feed) = verified.map(record::feed::Verified::into_feed) else {
            return Ok(Outcome { report, ..Outcome::default() });
        };
        // The signer first: it names the slot. The other pins may sign later.
        let mut keys: Vec<PublicKey> = vec![feed.key.clone()];
        keys.extend(wanted.pins.iter().filter(|key| **key != feed.key).cloned());
        let taken = if wanted.pins.is_empty() { Taken::Tofu } else { Taken::Pin };
        let fresh = |key| PinnedKey { key, taken, since: terms.now, retired: false };
        let keys: Vec<PinnedKey> = keys.into_iter().map(fresh).collect();

        let before = self.existing(&feed, &mut report)?;
        if wanted.tofu
            && before.is_none()
            && let Some(known) = self.namesake(&feed)?
        {
            let detail = format!(
                "{:?} of {:?} is subscribed to under the key {}; unsubscribe first, or give --pin",
                feed.feed_id, feed.issuer, known
            );
            report.push(Finding::new(Code::FeedPin, "", detail));
        }
        let known = before.as_ref().map(|held| &held.subscription);
        let mut record = Subscription {
            issuer: feed.issuer.clone(),
            feed_id: feed.feed_id.clone(),
            keys: known.map_or(keys.clone(), |known| merged(known, &keys)),
            sources: wanted.sources.iter().take(SOURCES).cloned().collect(),
            allow_private: wanted.allow_private,
            ca: wanted.ca.clone(),
            log_policy: wanted
                .log_policy
                .clone()
                .or_else(|| known.and_then(|known| known.log_policy.clone())),
            min_issued_at: wanted.min_issued_at.or(known.and_then(|known| known.min_issued_at)),
            max_age: wanted.max_age.or(known.and_then(|known| known.max_age)),
            policy: wanted.policy,
            skip_bad: wanted.skip_bad,
            since: known.map_or(terms.now, |known| known.since),
            accepted: accepted(&feed, skipped, terms.now),
            etags: BTreeMap::new(),
        };
        if let Some(known) = known
            && known.keys.iter().any(|key| key.retired && key.key == feed.key)
        {
            let detail = format!("the key {} was replaced by a rotation", feed.key.key_id());
            report.push(Finding::new(Code::FeedPin, "", detail));
        }
        let bounds = Bounds {
            last: before.as_ref().map(Held::mark),
            logged: memory.newest(&slots(&record))?,
            min_issued_at: record.min_issued_at,
            max_age: record.max_age,
            feed_id: wanted.feed_id.as_deref(),
        };
        report.push_all("", timely(&feed, bounds, terms.now));
        report.note(age(feed.issued_at, terms.now));
        record.accepted.proof = prove(&feed, document, &record, &bounds, terms.now, &mut report);
        if !report.ok() {
            return Ok(Outcome { report, held: before, changed: false });
        }
        record.etags = etags(offer);
        self.take("subscribe", record, feed, document, before, memory, report, terms)
    }

    /// Takes a newer document of a subscription, if it may be taken.
    pub fn update(
        &self,
        slot: Slot,
        offer: Offer<'_>,
        memory: &mut dyn Memory,
        terms: Terms<'_>,
    ) -> Result<Outcome, OfferError> {
        let held = self.store.load(slot)?;
        let mut record = held.subscription.clone();
        let bounds = Bounds {
            last: Some(held.mark()),
            logged: memory.newest(&slots(&record))?,
            min_issued_at: record.min_issued_at,
            max_age: record.max_age,
            feed_id: Some(&held.subscription.feed_id),
        };
        if offer.documents.is_empty() {
            let mut report = report_on(&held.feed);
            report.push_all("", timely(&held.feed, bounds, terms.now));
            report.push_all("", ended(held.subscription.accepted.proof, terms.now));
            report.note(age(held.feed.issued_at, terms.now));
            if report.ok() {
                self.confirm(slot, terms.now);
            }
            return Ok(Outcome { report, held: Some(held), changed: false });
        }
        let picked = pick(offer.documents, Some(&record.issuer), Some(&record.feed_id));
        let document = match picked {
            Ok(document) => document,
            Err(finding) => {
                return Ok(Outcome { held: Some(held), ..Outcome::refused(finding) });
            }
        };
        let (skip_bad, compiles) = (record.skip_bad, terms.compiles);
        let weigh = |record: &Subscription| {
            let pins = record.pins();
            judge(&document.bytes, &Judge { pins: &pins, compiles, skip_bad, ..Judge::default() })
        };
        let mut judged = weigh(&record);
        let mut act = "accept";
        // Signed by another key: perhaps the one that ours says comes after it.
        if let (true, Some(other), Some(text)) =
            (judged.report.has(Code::FeedPin), &judged.unpinned, offer.rotations)
        {
            match rotate(&mut record, &other.key.clone(), text, terms.now) {
                Ok(()) => {
                    judged = weigh(&record);
                    act = "rotate";
                }
                Err(found) => judged.report.push_all("", found),
            }
        }
        let skipped = skipped(&judged);
        let Judged { mut report, verified, .. } = judged;
        let Some(feed) = verified.map(record::feed::Verified::into_feed) else {
            return Ok(Outcome { report, held: Some(held), changed: false });
        };
        report.push_all("", timely(&feed, bounds, terms.now));
        report.note(age(feed.issued_at, terms.now));
        let proof = prove(&feed, document, &record, &bounds, terms.now, &mut report);
        if act == "rotate" {
            report.note(format!("its key is now {}", feed.key.fingerprint()));
        }
        if !report.ok() {
            return Ok(Outcome { report, held: Some(held), changed: false });
        }
        let same = feed.root == held.feed.root && feed.issued_at == held.feed.issued_at;
        if same && feed.key == held.feed.key {
            // A proof may be seen for the first time beside a document that is there already.
            let mut record = held.subscription.clone();
            record.accepted.proof = proof.or(record.accepted.proof);
            record.etags.extend(etags(offer));
            let sequence = record.accepted.proof.map(|seen| seen.sequence);
            let known = bounds
                .logged
                .is_some_and(|mark| mark.issued_at >= feed.issued_at && mark.sequence >= sequence);
            if !known {
                // The ledger is younger than the subscription, or than the proof.
                memory.remember(note("accept", &record, &feed, &record.accepted.digest))?;
            }
            self.confirm(slot, terms.now);
            let held = match Kept::of(&held.kept).filter(|_| record != held.subscription) {
                None => held,
                Some(kept) => {
                    let subscription = self.put(slot, record, None, &kept)?;
                    Held { subscription, ..held }
                }
            };
            return Ok(Outcome { report, held: Some(held), changed: false });
        }
        record.accepted = Accepted { proof, ..accepted(&feed, skipped, terms.now) };
        record.etags = etags(offer);
        self.take(act, record, feed, document, Some(held), memory, report, terms)
    }

    /// Ends a subscription. The ledger goes on knowing what was accepted.
    pub fn unsubscribe(&self, slot: Slot, memory: &mut dyn Memory) -> Result<bool, OfferError> {
        // A record that does not open is removed, too: that is the way out.
        if let Ok(held) = self.store.load(slot) {
            let entries = note(
                "unsubscribe",
                &held.subscription,
                &held.feed,
                &held.subscription.accepted.digest,
            );
            memory.remember(entries.into_iter().take(1).collect())?;
        }
        Ok(self.remove(slot)?)
    }

    /// The last step: what goes without a word is kept, the ledger learns of it, then the files.
    #[expect(clippy::too_many_arguments, reason = "one story in one place")]
    fn take(
        &self,
        act: &'static str,
        record: Subscription,
        feed: Feed,
        document: &Document,
        before: Option<Held>,
        memory: &mut dyn Memory,
        mut report: Report,
        terms: Terms<'_>,
    ) -> Result<Outcome, OfferError> {
        let first = record.keys.first().map(|pinned| pinned.key.clone());
        let slot = match (&before, record.slot()) {
            (Some(held), _) => held.slot,
            (None, Some(slot)) => slot,
            (None, None) => return Ok(Outcome { report, ..Outcome::default() }),
        };
        let mut words = Words::default();
        words.take(&feed.iocs);
        let mut kept = Vec::new();
        if let Some(held) = &before {
            words.take(&held.feed.iocs);
            words.take(&held.kept);
            for other in self.store.slots()? {
                let same = |one: &Subscription| {
                    one.issuer == record.issuer
                        && one.keys.first().map(|pinned| &pinned.key) == first.as_ref()
                };
                // One that does not open revokes nothing.
                if other != slot
                    && self.store.record(other).is_ok_and(|one| same(&one))
                    && let Ok(other) = self.store.load(other)
                {
                    words.take(&other.feed.iocs);
                    words.take(&other.kept);
                }
            }
            let known: Vec<_> = held
                .feed
                .iocs
                .iter()
                .map(|ioc| (ioc, false))
                .chain(held.kept.iter().map(|ioc| (ioc, true)))
                .collect();
            let revoked: BTreeSet<Digest> = known
                .iter()
                .filter(|(ioc, _)| words.revoke(ioc, &record))
                .map(|(ioc, _)| ioc.content_hash)
                .collect();
            let carried = carry(&known, &feed, &revoked, terms.now);
            report.push_all("", carried.found);
            kept = carried.kept;
            if !kept.is_empty() {
                report.count("kept", kept.len() as u64);
            }
        }
        let Some(text) = Kept::of(&kept).filter(|_| kept.len() <= KEPT) else {
            let detail = format!("{} indicators vanished without a revocation", kept.len());
            report.push(Finding::new(Code::FeedLimit, "", detail));
            return Ok(Outcome { report, held: before, changed: false });
        };
        let what = |feed: &Feed| (feed.issued_at, feed.root, feed.key.clone());
        let changed = before.as_ref().is_none_or(|held| what(&held.feed) != what(&feed));
        memory.remember(note(act, &record, &feed, &Digest::of(&document.bytes)))?;
        let subscription = self.put(slot, record, Some(&document.bytes), &text)?;
        let held = Some(Held { slot, subscription, feed, kept });
        Ok(Outcome { report, held, changed })
    }

    /// The subscription to this very feed under this very key, if there is one that opens.
    fn existing(&self, feed: &Feed, report: &mut Report) -> Result<Option<Held>, StoreError> {
        for slot in self.store.slots()? {
            let own = slot == Slot::of(&feed.issuer, &feed.key, &feed.feed_id);
            match self.store.record(slot) {
                Ok(record)
                    if record.issuer == feed.issuer
                        && record.feed_id == feed.feed_id
                        && record.keys.iter().any(|pinned| pinned.key == feed.key) => {}
                Ok(_) | Err(StoreError::Unknown(_)) => continue,
                // What cannot be believed is replaced, and the ledger is the only memory then.
                Err(StoreError::Seal(finding)) if own => {
                    report.note(format!("{finding}; it is replaced"));
                    continue;
                }
                Err(StoreError::Seal(_)) => continue,
                Err(error) => return Err(error),
            }
            match self.store.load(slot) {
                Ok(held) => return Ok(Some(held)),
                Err(StoreError::Seal(finding)) => report.note(format!("{finding}; it is replaced")),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The key id of a subscription to a feed of this name under another key.
    fn namesake(&self, feed: &Feed) -> Result<Option<String>, StoreError> {
        for slot in self.store.slots()? {
            if let Ok(record) = self.store.record(slot)
                && record.issuer == feed.issuer
                && record.feed_id == feed.feed_id
            {
                return Ok(Some(record.accepted.key.key_id().to_string()));
            }
        }
        Ok(None)
    }
}

impl Outcome {
    fn refused(finding: Finding) -> Outcome {
        let mut report = Report::new("");
        report.kind = "feed".into();
        report.push(finding);
        Outcome { report, ..Outcome::default() }
    }
}

impl Held {
    /// What was accepted last.
    pub fn mark(&self) -> Mark {
        let sequence = self.subscription.accepted.proof.map(|seen| seen.sequence);
        Mark { issued_at: self.feed.issued_at, root: self.feed.root, sequence }
    }
}

/// Judges the proof that came with a feed; what it says, when there is one.
fn prove(
    feed: &Feed,
    document: &Document,
    record: &Subscription,
    bounds: &Bounds<'_>,
    now: i64,
    report: &mut Report,
) -> Option<Seen> {
    let policy = match record.log_policy.as_deref().map(|text| LogPolicy::parse(text.as_bytes())) {
        None => None,
        Some(Ok(policy)) => Some(policy),
        // It was read when it was given.
        Some(Err(error)) => {
            report.push(Finding::new(Code::FeedProofLog, "", error.to_string()));
            return None;
        }
    };
    let (seen, found) = proven(feed, document.proof.as_deref(), policy.as_ref(), bounds, now);
    report.push_all("proof", found);
    if let Some(Seen { sequence, not_after }) = seen {
        report.note(format!("publishing {sequence}, not after {not_after}"));
    }
    seen
}

/// The one document that is meant: the only one, or, of several, the newest of the feed.
fn pick<'d>(
    documents: &'d [Document],
    issuer: Option<&str>,
    feed_id: Option<&str>,
) -> Result<&'d Document, Finding> {
    let missing = |detail: String| Finding::new(Code::EvidenceNotFound, "", detail);
    if let [only] = documents {
        return Ok(only);
    }
    let mut feeds = BTreeSet::new();
    let mut newest: Option<(i64, &Document)> = None;
    for document in documents {
        let Ok(value) = record::feed::value(&document.bytes) else { continue };
        let text = |name| value.get(name).and_then(Value::as_str);
        let (Some(by), Some(id), Some(_)) = (text("issuer"), text("feed_id"), value.get("iocs"))
        else {
            continue;
        };
        let at = value.get("issued_at").and_then(Value::as_i64).unwrap_or(i64::MIN);
        if issuer.is_some_and(|issuer| issuer != by) || feed_id.is_some_and(|wanted| wanted != id) {
            continue;
        }
        feeds.insert((by.to_owned(), id.to_owned()));
        if newest.is_none_or(|(newest, _)| newest < at) {
            newest = Some((at, document));
        }
    }
    match (newest, feeds.len()) {
        (Some((_, document)), 1) => Ok(document),
        (None, _) => Err(missing("no such feed lies there".into())),
        (Some(_), _) => {
            let names: Vec<String> =
                feeds.iter().map(|(by, id)| format!("{id:?} of {by:?}")).collect();
            Err(missing(format!("several feeds lie there ({}): say which", names.join(", "))))
        }
    }
}

/// Lets the key that signs now take the place of the one that says so.
fn rotate(
    record: &mut Subscription,
    to: &PublicKey,
    text: &str,
    now: i64,
) -> Result<(), Vec<Finding>> {
    let current: Vec<PublicKey> =
        record.keys.iter().filter(|key| !key.retired).map(|key| key.key.clone()).collect();
    let mut faults = Vec::new();
    for from in current {
        match record::feedrotation::follow(text, &record.issuer, &from, to, now) {
            Ok(path) => {
                // A key that went does not come back.
                if record.keys.iter().any(|known| known.retired && path.contains(&known.key)) {
                    let detail = "it leads to a key that was replaced before";
                    return Err(vec![Finding::new(Code::FeedRotation, "", detail)]);
                }
                for known in &mut record.keys {
                    known.retired |= known.key == from;
                }
                let last = path.len().saturating_sub(1);
                for (index, key) in path.into_iter().enumerate() {
                    let retired = index < last;
                    match record.keys.iter_mut().find(|known| known.key == key) {
                        Some(known) => known.retired = retired,
                        None => record.keys.push(PinnedKey {
                            key,
                            taken: Taken::Rotation,
                            since: now,
                            retired,
                        }),
                    }
                }
                return Ok(());
            }
            Err(found) => faults.extend(found),
        }
    }
    Err(faults)
}

/// Keys known, and those pinned now.
fn merged(known: &Subscription, pinned: &[PinnedKey]) -> Vec<PinnedKey> {
    let mut keys = known.keys.clone();
    for fresh in pinned {
        match keys.iter_mut().find(|key| key.key == fresh.key) {
            // What was taken on trust is pinned now.
            Some(key) if fresh.taken == Taken::Pin && key.taken == Taken::Tofu => {
                key.taken = Taken::Pin;
            }
            Some(_) => {}
            None => keys.push(fresh.clone()),
        }
    }
    keys
}

fn accepted(feed: &Feed, skipped: Vec<String>, now: i64) -> Accepted {
    Accepted {
        issued_at: feed.issued_at,
        root: feed.root,
        key: feed.key.clone(),
        // Filled in when the document is put in its place.
        digest: feed.root,
        at: now,
        skipped,
        proof: None,
        kept: None,
    }
}

fn skipped(judged: &Judged) -> Vec<String> {
    judged.skipped.iter().map(|skipped| skipped.content_hash.clone()).collect()
}

fn etags(offer: Offer<'_>) -> BTreeMap<String, String> {
    offer.etag.iter().map(|(source, tag)| (source.to_string(), (*tag).to_owned())).collect()
}

fn report_on(feed: &Feed) -> Report {
    let mut report = Report::new("");
    report.kind = "feed".into();
    report.note(format!("feed {:?} of {:?}", feed.feed_id, feed.issuer));
    report.assure(record::report::Assurance::Signed);
    report
}

/// How old a feed is, for people.
fn age(issued_at: i64, now: i64) -> String {
    let seconds = now.saturating_sub(issued_at).max(0);
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    format!("it is {days} days and {hours} hours old")
}

/// Indicators that are kept for one feed.
const KEPT: usize = 100_000;
