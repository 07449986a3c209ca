//! Holding the bodies that are not there against the entries that say they were pruned.

use std::collections::{BTreeMap, HashSet};

use seal::digest::Digest;

use super::Record;
use crate::body::{Body, EntryRef};
use crate::frame;
use crate::kind::Kind;
use crate::segment::Gone;

/// Told of every entry in order; afterwards it knows which absent bodies are accounted for.
#[derive(Default)]
pub struct Account {
    /// By segment: where it lies, whose bodies are gone, and the last of them.
    gone: BTreeMap<u64, Absent>,
    /// By segment: every state that an entry under the checkpoint announced.
    announced: BTreeMap<u64, HashSet<(u64, Digest)>>,
    records: Vec<Record>,
    malformed: Vec<u64>,
}

#[derive(Default)]
struct Absent {
    first: u64,
    last: u64,
    gone: Gone,
    kinds: BTreeMap<Kind, u64>,
    /// A body is gone that no prune may take, or that was younger than any of them allowed.
    permanent: bool,
}

/// The result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Accounts {
    /// Bodies pruned and accounted for, by kind.
    pub pruned: BTreeMap<Kind, u64>,
    /// Segments whose missing bodies nobody accounts for.
    pub stripped: Vec<Stripped>,
    /// Entries that record prunes.
    pub records: Vec<Record>,
    /// Entries of kind `prune` that are not in the one form the ledger writes.
    pub malformed: Vec<u64>,
}

/// Bodies that are gone without an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stripped {
    /// The segment.
    pub file: String,
    /// How many bodies are gone from it, those that were pruned rightly included.
    pub bodies: u64,
    /// The first entry without a body.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

impl Account {
    /// The next entry. `signed` says whether a checkpoint covers it: an explanation that nobody
    /// signed explains nothing.
    pub fn see(&mut self, entry: &EntryRef<'_>, signed: bool) {
        match entry.body {
            Body::Pruned => {
                let segment = frame::parse_segment_name(entry.file).unwrap_or_default();
                let absent = self
                    .gone
                    .entry(segment)
                    .or_insert_with(|| Absent { first: entry.index, ..Absent::default() });
                absent.last = entry.index;
                absent.gone.add(entry.index);
                absent.permanent |= entry.leaf.kind.is_permanent();
                *absent.kinds.entry(entry.leaf.kind).or_default() += 1;
            }
            Body::Present(body) if entry.leaf.kind == Kind::Prune => match Record::parse(body) {
                Some(record) if record.index == entry.index => {
                    for segment in record.segments.iter().filter(|_| signed) {
                        let state = (segment.end, segment.gone);
                        self.announced.entry(segment.first).or_default().insert(state);
                    }
                    self.records.push(record);
                }
                _ => self.malformed.push(entry.index),
            },
            Body::Present(_) | Body::Encrypted(_) => {}
        }
    }

    /// The result, behind the last entry.
    pub fn finish(self) -> Accounts {
        let mut accounts =
            Accounts { records: self.records, malformed: self.malformed, ..Accounts::default() };
        for (segment, absent) in self.gone {
            let gone = absent.gone.digest.finish();
            let announced = self.announced.get(&segment);
            let explained = !absent.permanent
                && announced.is_some_and(|states| {
                    states.iter().any(|(end, state)| *state == gone && absent.last < *end)
                });
            if explained {
                for (kind, count) in absent.kinds {
                    *accounts.pruned.entry(kind).or_default() += count;
                }
            } else {
                accounts.stripped.push(Stripped {
                    file: frame::segment_name(segment),
                    bodies: absent.gone.count,
                    first: absent.first,
                    last: absent.last,
                });
            }
        }
        accounts
    }
}
