//! Removing bodies whose retention has ended, so that everything else still verifies.
//!
//! The order makes every crash harmless: a `prune` entry says what will go, a checkpoint covers that
//! entry, and only then segment after segment is replaced by one without those bodies. Whoever finds
//! a leaf without a body finds the entry that explains it, or a finding ([`Account`]).

mod account;
mod record;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crypt::Identities;
use seal::digest::Digest;
use seal::note::VerifierKey;

use crate::body::{Body, EntryRef};
use crate::damage::Damage;
use crate::entry::{Entry, Prepared};
use crate::frame::{self, HEADER, Header, SEGMENT_HEADER, What};
use crate::journal::CommitError;
use crate::kind::Kind;
use crate::leaf::Leaf;
use crate::open::{self, OpenError, Opened};
use crate::options::Options;
use crate::segment::{Choice, Gone, Segment};
use crate::store::Source;
use crate::store::joints::Joints;
use crate::survey::{Statements, Survey};
use crate::walk::{Found, Walk};

pub use account::{Account, Accounts, Stripped};
pub use record::{PrunedSegment, Record};

/// What may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// By kind: bodies logged before this time (Unix milliseconds) may go. A kind that is not here
    /// stays for ever, and so do kinds that are permanent, whatever stands here.
    pub before: BTreeMap<Kind, u64>,
    /// The digest of the written policy.
    pub digest: Digest,
}

/// Knows what evidence means, and so which of it must stay although it is old.
pub trait Spare {
    /// First pass, in order: an entry whose body is here, and whether its age lets it go.
    fn look(&mut self, entry: &EntryRef<'_>, goes: bool);

    /// Second pass: whether an entry that may go by its age stays all the same.
    fn stays(&mut self, entry: &EntryRef<'_>) -> bool;
}

/// What a prune would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Plan {
    /// The segments that would be written anew.
    pub segments: Vec<PlannedSegment>,
    /// Bodies that are old enough and stay, because what is kept needs them.
    pub spared: u64,
}

/// What would go from a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedSegment {
    /// Index of its first entry.
    pub first: u64,
    /// Index behind its last entry.
    pub end: u64,
    /// How many bodies go, by kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// Bytes that become free.
    pub bytes: u64,
    going: Vec<Range<u64>>,
    gone: Digest,
}

/// Why nothing, or not everything, was pruned. What was begun is finished by the next prune.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The ledger is not whole.
    #[error("{0}; nothing is pruned from a damaged ledger: run `countersign verify`")]
    Damaged(Damage),
    /// An encrypted body cannot be looked into.
    #[error(
        "entry {index} is encrypted for others, so nobody can tell what it needs: name the identity"
    )]
    Encrypted {
        /// The entry.
        index: u64,
    },
    /// The ledger is not what it was when the plan was made.
    #[error("the ledger is not in the state that was explained: explain it again")]
    Changed,
    /// The entry that says what goes was not written.
    #[error("the prune was not recorded, so nothing was removed: {0}")]
    Unrecorded(String),
    /// The store failed.
    #[error("the ledger's files cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// The ledger does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Says what a prune would do. Changes nothing.
pub fn explain(
    source: &dyn Source,
    key: &VerifierKey,
    identities: Option<Arc<Identities>>,
    policy: &Policy,
    spare: &mut dyn Spare,
) -> Result<Plan, PruneError> {
    let survey = Survey::read(source)?;
    let mut damage: Vec<Damage> = survey.unlisted_damage().collect();
    let keys = std::slice::from_ref(key);
    let statements = Statements::read(&survey, Some(keys), &mut damage);
    refuse(&mut damage)?;
    let checkpointed = statements.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    let closed = closed(source, &survey.segments, checkpointed)?;

    let walk = || {
        Walk::new(source, survey.segments.clone(), &statements.sizes()).opening(identities.clone())
    };
    let mut first = walk();
    while let Some(entry) = step(&mut first)? {
        match entry.body {
            Body::Present(_) => {
                spare.look(&entry, policy.lets_go(entry.leaf, entry.index, &closed))
            }
            Body::Pruned => {}
            Body::Encrypted(_) => return Err(PruneError::Encrypted { index: entry.index }),
        }
    }
    statements.compare(&first, &mut damage);
    refuse(&mut damage)?;

    let mut plan = Plan::default();
    let mut segment: Option<(Extent, Gathered)> = None;
    let mut second = walk();
    while let Some(entry) = step(&mut second)? {
        if segment.as_ref().is_none_or(|(extent, _)| entry.index >= extent.end) {
            plan.take(segment.take());
            let Some(extent) = extent_of(&closed, entry.index) else { break };
            segment = Some((extent, Gathered::default()));
        }
        let Some((_, gathered)) = &mut segment else { break };
        match entry.body {
            Body::Pruned => gathered.gone.add(entry.index),
            _ if !policy.lets_go(entry.leaf, entry.index, &closed) => {}
            _ if spare.stays(&entry) => plan.spared += 1,
            _ => gathered.doom(&entry),
        }
    }
    plan.take(segment);
    Ok(plan)
}

/// Does what a plan says. Returns the indices of the entries that record it.
///
/// A crash at any point leaves a whole ledger: before the entry nothing happened; behind it each
/// segment is the old one or the new one, and the next prune does the rest.
pub fn perform(
    store: impl Into<Joints>,
    options: Options,
    policy: &Policy,
    plan: &Plan,
) -> Result<Vec<u64>, PruneError> {
    let joints = store.into();
    let store = joints.blobs.clone();
    let (mut opened, _lock) = open::open(joints, options, &mut |_, _, _| {})?;
    let survey = Survey::read(&*store)?;
    let closed = closed(&*store, &survey.segments, opened.journal.index)?;
    let mut records = Vec::new();
    for part in plan.segments.chunks(MAX_SEGMENTS) {
        let extents = |planned: &PlannedSegment| {
            extent_of(&closed, planned.first)
                .is_some_and(|extent| (extent.first, extent.end) == (planned.first, planned.end))
        };
        if !part.iter().all(extents) {
            return Err(PruneError::Changed);
        }
        // Taken apart and written in memory first: what does not hold is not announced either.
        for planned in part {
            rewritten(&*store, planned)?;
        }
        records.push(announce(&mut opened, policy, part)?);
        for planned in part {
            let name = frame::segment_name(planned.first);
            let fresh = rewritten(&*store, planned)?;
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
            store.replace(&name, &fresh).map_err(|error| named(error.into()))?;
            store.freeze(&name).map_err(named)?;
        }
    }
    Ok(records)
}

/// Writes the entry that says what goes, and has it signed for.
fn announce(
    opened: &mut Opened,
    policy: &Policy,
    part: &[PlannedSegment],
) -> Result<u64, PruneError> {
    let index = opened.journal.index;
    let record = Record::of(index, policy, part);
    let body = record.to_bytes().ok_or(PruneError::Changed)?;
    let digest = Digest::of(&body);
    let entry = Entry { kind: Kind::Prune, id: digest.to_string(), body };
    let entry = Prepared::reserved(entry, digest);
    let refused = |error: &dyn std::fmt::Display| PruneError::Unrecorded(error.to_string());
    match opened.journal.commit(std::iter::once(&entry)) {
        Ok(written) if written == index => {}
        Ok(_) => return Err(PruneError::Changed),
        Err(CommitError::Full(error) | CommitError::Unwritten(error)) => {
            return Err(refused(&error));
        }
        Err(CommitError::Broken(failure)) => return Err(refused(&failure)),
    }
    // An explanation that nobody signed explains nothing.
    opened.publish()?;
    Ok(index)
}

/// A segment as it is to be. Only what the plan names goes, and only if the result is what the entry
/// says it will be.
fn rewritten(store: &dyn Source, planned: &PlannedSegment) -> Result<Vec<u8>, PruneError> {
    let name = frame::segment_name(planned.first);
    let bytes = whole(store, &name)?;
    let segment = Segment::read(&name, &bytes).map_err(PruneError::Damaged)?;
    if segment.end() != planned.end {
        return Err(PruneError::Changed);
    }
    let mut going = planned.going.iter().peekable();
    let (fresh, gone) = segment.rewrite(&mut |frame| {
        while going.next_if(|range| range.end <= frame.index).is_some() {}
        let goes = going.peek().is_some_and(|range| range.contains(&frame.index));
        if goes && !frame.leaf.kind.is_permanent() { Choice::Prune } else { Choice::Keep }
    });
    if gone != planned.gone {
        return Err(PruneError::Changed);
    }
    Ok(fresh)
}

pub(crate) fn whole(source: &(impl Source + ?Sized), name: &str) -> io::Result<Vec<u8>> {
    let length = usize::try_from(source.len(name)?).unwrap_or(usize::MAX);
    source.read(name, length)
}

/// A segment that is written no more, wholly under the checkpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub first: u64,
    pub end: u64,
    /// Nothing in it is younger, Unix milliseconds.
    pub until: u64,
}

/// The closed segments: those that others follow, under the checkpoint.
pub(crate) fn closed(
    source: &(impl Source + ?Sized),
    segments: &[u64],
    checkpointed: u64,
) -> io::Result<Vec<Extent>> {
    let mut closed = Vec::new();
    for pair in segments.windows(2) {
        let &[first, end] = pair else { continue };
        if end > checkpointed {
            break;
        }
        // Time never runs back: nothing in a segment is younger than what follows it. One that was
        // made and not written yet says nothing, and its predecessor waits.
        let Some(until) = first_time(source, &frame::segment_name(end))? else { break };
        closed.push(Extent { first, end, until });
    }
    Ok(closed)
}

/// When the first entry of a segment was logged.
pub(crate) fn first_time(source: &(impl Source + ?Sized), name: &str) -> io::Result<Option<u64>> {
    let mut bytes = vec![0; SEGMENT_HEADER + HEADER + crate::leaf::MAX_LEAF];
    let count = source.read_at(name, 0, &mut bytes)?;
    bytes.truncate(count);
    let frame = bytes.get(SEGMENT_HEADER..).unwrap_or_default();
    let Some(Header { what: What::Entry { leaf, .. }, .. }) = Header::decode(frame) else {
        return Ok(None);
    };
    Ok(frame.get(HEADER..HEADER + leaf).and_then(|leaf| Leaf::parse(leaf).ok()).map(|leaf| leaf.ts))
}

fn extent_of(closed: &[Extent], index: u64) -> Option<Extent> {
    let at = closed.partition_point(|extent| extent.end <= index);
    closed.get(at).copied().filter(|extent| extent.first <= index)
}

impl Policy {
    /// Whether the age of an entry, that is of its whole segment, lets its body go.
    fn lets_go(&self, leaf: &Leaf, index: u64, closed: &[Extent]) -> bool {
        !leaf.kind.is_permanent()
            && extent_of(closed, index).is_some_and(|extent| {
                self.before.get(&leaf.kind).is_some_and(|before| extent.until <= *before)
            })
    }
}

/// What goes from the segment at hand.
#[derive(Default)]
struct Gathered {
    kinds: BTreeMap<Kind, u64>,
    bytes: u64,
    going: Vec<Range<u64>>,
    gone: Gone,
}

impl Gathered {
    fn doom(&mut self, entry: &EntryRef<'_>) {
        let index = entry.index;
        *self.kinds.entry(entry.leaf.kind).or_default() += 1;
        self.bytes += entry.stored;
        self.gone.add(index);
        match self.going.last_mut() {
            Some(range) if range.end == index => range.end += 1,
            _ => self.going.push(index..index + 1),
        }
    }
}

impl Plan {
    fn take(&mut self, segment: Option<(Extent, Gathered)>) {
        let Some((extent, gathered)) = segment else { return };
        if gathered.going.is_empty() {
            return;
        }
        self.segments.push(PlannedSegment {
            first: extent.first,
            end: extent.end,
            kinds: gathered.kinds,
            bytes: gathered.bytes,
            going: gathered.going,
            gone: gathered.gone.digest.finish(),
        });
    }

    /// How many bodies would go, by kind.
    pub fn kinds(&self) -> BTreeMap<Kind, u64> {
        let mut all = BTreeMap::new();
        for (kind, count) in self.segments.iter().flat_map(|segment| &segment.kinds) {
            *all.entry(*kind).or_default() += count;
        }
        all
    }

    /// Bytes that would become free.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

fn step<'w>(walk: &'w mut Walk<'_>) -> Result<Option<EntryRef<'w>>, PruneError> {
    match walk.next()? {
        Found::Fault(fault) => Err(PruneError::Damaged(fault.damage)),
        Found::End => Ok(None),
        Found::Entry(place) => Ok(walk.entry_at(place)),
    }
}

fn refuse(damage: &mut Vec<Damage>) -> Result<(), PruneError> {
    if damage.is_empty() { Ok(()) } else { Err(PruneError::Damaged(damage.swap_remove(0))) }
}

/// So many segments fit one entry.
const MAX_SEGMENTS: usize = 4_096;
