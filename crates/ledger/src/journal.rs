//! Writing the journal: one batch, one write, one sync.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use seal::digest::Digest;
use seal::merkle::{Frontier, leaf_hash};

use crate::append::Failure;
use crate::clock::Clock;
use crate::entry::Prepared;
use crate::frame::{self, Form};
use crate::leaf::{Fields, MAX_INT};
use crate::leaves::{Pending, Place};
use crate::options::Options;
use crate::store::joints::{BlobError, Blobs};
use crate::walk::{End, Good, Walk};

/// The writing end of the journal. Whoever holds it is the only writer.
pub(crate) struct Journal {
    pub store: Arc<dyn Blobs>,
    pub clock: Arc<dyn Clock>,
    pub writer: String,
    /// First index of the segment being written, if there is one.
    pub segment: Option<u64>,
    /// Its length; 0 means that its header is still to be written.
    pub length: u64,
    pub segment_bytes: u64,
    /// A segment whose first entry is older, in milliseconds, is full too.
    pub segment_age: Option<u64>,
    /// When the first entry of the segment was logged, once somebody asked.
    pub since: Option<u64>,
    /// The next index and batch, and the last time stamp.
    pub index: u64,
    pub batch: u64,
    pub ts: u64,
    /// Each writer's next sequence number; who is not there has written nothing.
    pub sequences: HashMap<String, u64>,
    /// The tree over everything that is durable.
    pub frontier: Frontier,
    /// Reused from batch to batch.
    pub buffer: Vec<u8>,
    pub hashes: Vec<Digest>,
    /// Where the leaves lie in the buffer.
    pub leaves: Vec<Range<usize>>,
    /// What the next checkpoint makes tiles of.
    pub pending: Pending,
}

/// What a checkpoint is made of.
pub(crate) struct State {
    pub size: u64,
    pub root: Digest,
    pub pending: Pending,
    /// Where the journal goes on.
    pub place: Place,
}

/// Why a batch was not written.
pub(crate) enum CommitError {
    /// No room; the journal is as it was before.
    Full(io::Error),
    /// No new segment could be made; the journal is as it was before.
    Unwritten(io::Error),
    /// The journal's state on disk is unknown.
    Broken(Failure),
}

impl Journal {
    /// The writing end behind a journal that was read to its end, or to a torn batch.
    pub fn continuing(store: Arc<dyn Blobs>, options: &Options, walk: &Walk<'_>) -> Journal {
        Journal::behind(store, options, walk.end(), walk.good())
    }

    /// The writing end at a place.
    pub fn behind(store: Arc<dyn Blobs>, options: &Options, end: &End, good: Good) -> Journal {
        Journal {
            store,
            clock: options.clock.clone(),
            writer: options.writer.clone(),
            segment: end.segment,
            length: end.length,
            segment_bytes: options.segment_bytes.max(1),
            segment_age: options.segment_age.map(|age| age.as_millis() as u64),
            since: None,
            index: good.index,
            batch: end.batch,
            ts: good.ts,
            sequences: good.sequences,
            frontier: good.frontier,
            buffer: Vec::new(),
            hashes: Vec::new(),
            leaves: Vec::new(),
            pending: Pending::default(),
        }
    }

    /// Size and root of what is durable, and the leaves since this was last asked for.
    pub fn state(&mut self) -> State {
        let offset = self.length;
        State {
            size: self.index,
            root: self.frontier.root(),
            pending: mem::replace(&mut self.pending, Pending::from(self.index)),
            place: Place { segment: self.segment.unwrap_or(self.index), offset },
        }
    }

    /// Writes the entries as one batch and syncs them. Returns the first index.
    ///
    /// A crash in here leaves a batch that is whole, or torn in a way `tail` recognises; nobody was
    /// told yet that it is there.
    pub fn commit<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a Prepared>,
    ) -> Result<u64, CommitError> {
        self.enter_segment()?;
        let (first, segment) =
            (self.index, frame::segment_name(self.segment.unwrap_or(self.index)));
        let sequences = self.encode(entries).map_err(CommitError::Broken)?;
        let written = self.store.append(&segment, self.length, &self.buffer);
        written.map_err(|error| refused(&segment, error))?;
        // Durable: from here on it counts.
        let count = self.hashes.len() as u64;
        for (hash, leaf) in self.hashes.drain(..).zip(self.leaves.drain(..)) {
            self.frontier.push(hash);
            self.pending.push(hash, self.buffer.get(leaf).unwrap_or_default());
        }
        self.length += self.buffer.len() as u64;
        self.index += count;
        self.batch += 1;
        for (writer, next) in sequences {
            self.sequences.insert(writer, next);
        }
        // A huge batch must not hold its memory for ever.
        self.buffer.clear();
        self.buffer.shrink_to(KEEP);
        Ok(first)
    }

    /// Makes the next segment when there is none or the last is full. Its name is durable before
    /// anything is written into it: synced content of a file without a name is lost content.
    fn enter_segment(&mut self) -> Result<(), CommitError> {
        if self.segment.is_some() && self.length < self.segment_bytes && !self.is_aged() {
            return Ok(());
        }
        let name = frame::segment_name(self.index);
        self.store.create(&name).map_err(|error| refused(&name, error))?;
        if let Some(full) = self.segment.replace(self.index) {
            // A seat belt, not evidence: where it does not hold, nothing is worse than before.
            let _ = self.store.freeze(&frame::segment_name(full));
        }
        self.length = 0;
        self.since = None;
        Ok(())
    }

    /// Whether the segment is to be closed for its age. One without entries has none.
    fn is_aged(&mut self) -> bool {
        let (Some(age), Some(segment)) = (self.segment_age, self.segment) else { return false };
        if self.length == 0 {
            return false;
        }
        if self.since.is_none() {
            // What cannot be read now is asked for again with the next append.
            let name = frame::segment_name(segment);
            self.since = crate::prune::first_time(&*self.store, &name).ok().flatten();
        }
        self.since.is_some_and(|since| self.clock.now().0.saturating_sub(since) >= age)
    }

    /// The writer's next sequence number.
    pub fn next_seq(&self, writer: &str) -> u64 {
        self.sequences.get(writer).copied().unwrap_or(0)
    }

    /// Fills the buffer with the batch. Returns where each writer in it goes on, which counts once
    /// the batch is durable.
    fn encode<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a Prepared>,
    ) -> Result<Vec<(String, u64)>, Failure> {
        let mut sequences: Vec<(String, u64)> = Vec::new();
        // Entries of one writer mostly come together.
        let mut at = 0;
        self.buffer.clear();
        self.hashes.clear();
        self.leaves.clear();
        if self.length == 0 {
            self.buffer.extend_from_slice(&frame::segment_header(self.index, self.batch));
        }
        let start = self.buffer.len();
        // One look at the clock per batch. It may jump back; `ts` may not.
        self.ts = self.clock.now().0.min(MAX_INT).max(self.ts);
        for Prepared { entry, digest, writer, encrypted } in entries {
            let count = self.hashes.len() as u64;
            let writer = writer.as_deref().unwrap_or(&self.writer);
            if sequences.get(at).is_none_or(|(known, _)| known != writer) {
                at = sequences.iter().position(|(known, _)| known == writer).unwrap_or_else(|| {
                    sequences.push((writer.to_owned(), self.next_seq(writer)));
                    sequences.len() - 1
                });
            }
            let Some((writer, seq)) = sequences.get_mut(at) else {
                return Err(Failure::Abandoned);
            };
            let fields = Fields {
                body: digest,
                id: &entry.id,
                kind: entry.kind,
                len: entry.body.len() as u64,
                seq: *seq,
                ts: self.ts,
                writer,
            };
            let index = self.index + count;
            let (form, stored) = match encrypted {
                Some(encrypted) => (Form::Encrypted, encrypted),
                None => (Form::Plain, &entry.body),
            };
            let (out, batch) = (&mut self.buffer, self.batch);
            let leaf = frame::write_entry_as(out, batch, index, &fields, form, stored)
                .map_err(Failure::Leaf)?;
            self.hashes.push(leaf_hash(&self.buffer[leaf.clone()]));
            self.leaves.push(leaf);
            *seq += 1;
        }
        let check = crc32c::crc32c(&self.buffer[start..]);
        let count = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        frame::write_trailer(&mut self.buffer, self.batch, self.index, count, check);
        Ok(sequences)
    }
}

fn refused(name: &str, error: BlobError) -> CommitError {
    match error {
        BlobError::Full(error) => CommitError::Full(error),
        BlobError::Unwritten(error) => CommitError::Unwritten(error),
        BlobError::Broken { step, source } => {
            CommitError::Broken(Failure::store(step, name, source))
        }
    }
}

/// How much of the batch buffer is kept.
const KEEP: usize = 1024 * 1024;
