//! Reading a journal from the first frame to the last, checking everything, stopping at nothing.
//!
//! Both the start of a ledger and a verifier go through here. The walk reports each fault once and
//! goes on behind it; whoever walks decides what a fault means.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use crypt::Identities;
use seal::digest::Digest;
use seal::merkle::Frontier;

use crate::body::{Body, EntryRef};
use crate::damage::{Cause, Damage};
use crate::frame::{self, Form, HEADER, Header, LEAF_CHECK, SEGMENT_HEADER, TRAILER, What};
use crate::leaf::Leaf;
use crate::look::find_header;
use crate::store::Source;
use crate::tilecheck::TileCheck;
use crate::window::Window;

mod entry;
mod pause;
mod state;

pub(crate) use pause::Pause;
use state::write_start;
pub(crate) use state::{End, Fault, Good};

/// A walk over all segments.
pub(crate) struct Walk<'s> {
    source: &'s dyn Source,
    /// First indices, ascending.
    segments: Vec<u64>,
    at: usize,
    window: Option<Window>,
    position: u64,
    expect: Expect,
    /// How far the entries went before a frame that turns back.
    reached: u64,
    open_batch: Option<OpenBatch>,
    /// Roots wanted at these sizes.
    wanted: BTreeMap<u64, Option<Digest>>,
    frontier: Option<Frontier>,
    /// Compares tiles and bundles on the way.
    tiles: Option<TileCheck>,
    leaf: Option<Leaf>,
    /// Opens encrypted bodies.
    identities: Option<Arc<Identities>>,
    /// The body of the last entry, where it was encrypted and could be opened.
    opened: Option<Vec<u8>>,
    end: End,
    /// Taken at the first fault.
    good: Option<Good>,
}

/// What must come next.
#[derive(Debug, Clone, Default)]
struct Expect {
    index: u64,
    /// `None` behind a fault: the next batch says its number.
    batch: Option<u64>,
    sequences: HashMap<String, u64>,
    /// Behind a lost leaf nobody knows the sequences: each writer's next entry is believed.
    sequences_known: bool,
    ts: u64,
}

#[derive(Debug, Clone, Copy)]
struct OpenBatch {
    number: u64,
    first: u64,
    count: u32,
    offset: u64,
    /// Checksum over the frames so far; `None` behind a fault within the batch.
    check: Option<u32>,
}

/// One step of a walk.
pub(crate) enum Found {
    Entry(Place),
    Fault(Fault),
    End,
}

/// Where the entry that was just found lies; `Walk::entry_at` shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    index: u64,
    offset: u64,
    leaf: usize,
    form: Form,
    body: usize,
}

impl<'s> Walk<'s> {
    pub fn new(source: &'s dyn Source, mut segments: Vec<u64>, wanted: &[u64]) -> Walk<'s> {
        segments.sort_unstable();
        let mut walk = Walk {
            source,
            segments,
            at: 0,
            window: None,
            position: 0,
            expect: Expect { batch: Some(0), sequences_known: true, ..Expect::default() },
            reached: 0,
            open_batch: None,
            wanted: wanted.iter().map(|&size| (size, None)).collect(),
            frontier: Some(Frontier::new()),
            tiles: None,
            leaf: None,
            identities: None,
            opened: None,
            end: End::default(),
            good: None,
        };
        walk.note_root();
        walk
    }

    /// The same walk, with encrypted bodies opened where they are addressed to one of these.
    pub fn opening(mut self, identities: Option<Arc<Identities>>) -> Walk<'s> {
        self.identities = identities;
        self
    }

    /// The entry that the last step found.
    pub fn entry_at(&self, place: Place) -> Option<EntryRef<'_>> {
        let Place { index, offset, leaf, form, body } = place;
        let (window, parsed) = (self.window.as_ref()?, self.leaf.as_ref()?);
        let stored = || window.loaded(offset + (HEADER + leaf + LEAF_CHECK) as u64, body);
        Some(EntryRef {
            index,
            leaf: parsed,
            leaf_bytes: window.loaded(offset + HEADER as u64, leaf),
            body: match (form, &self.opened) {
                (Form::Plain, _) => Body::Present(stored()),
                (Form::Pruned, _) => Body::Pruned,
                (Form::Encrypted, Some(opened)) => Body::Present(opened),
                (Form::Encrypted, None) => Body::Encrypted(stored()),
            },
            stored: form.extent(body) as u64,
            file: window.name(),
            offset,
        })
    }

    /// The same walk, with tiles and bundles compared on the way.
    pub fn comparing(mut self, tiles: TileCheck) -> Walk<'s> {
        self.tiles = Some(tiles);
        self
    }

    /// The comparison of tiles, once the walk came to its end.
    pub fn take_tiles(&mut self) -> Option<TileCheck> {
        self.tiles.take()
    }

    /// The root over the first `size` entries, if the walk came that far with all leaves whole.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        self.wanted.get(&size).copied().flatten()
    }

    /// The tree over everything walked, unless a leaf was lost.
    pub fn frontier(&self) -> Option<&Frontier> {
        self.frontier.as_ref()
    }

    /// Number of entries, lost ones included as far as later frames tell.
    pub fn size(&self) -> u64 {
        self.expect.index.max(self.reached)
    }

    /// State behind the last closed batch.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// State behind the last good frame before any fault, its batch closed or not.
    pub fn good(&self) -> Good {
        self.good.clone().unwrap_or_else(|| self.now())
    }

    fn now(&self) -> Good {
        Good {
            index: self.expect.index,
            ts: self.expect.ts,
            sequences: self.expect.sequences.clone(),
            frontier: self.frontier.clone().unwrap_or_default(),
        }
    }

    /// The next entry or fault. Behind a fault the walk goes on with the next frame.
    pub fn next(&mut self) -> io::Result<Found> {
        loop {
            let Some(window) = &mut self.window else {
                match self.enter_segment()? {
                    Some(found) => return Ok(found),
                    None => continue,
                }
            };
            let header_bytes = window.load(self.source, self.position, HEADER)?;
            if header_bytes.is_empty() {
                if let Some(found) = self.leave_segment() {
                    return Ok(found);
                }
                continue;
            }
            let Some(header) = Header::decode(header_bytes) else {
                return self.lost_header();
            };
            match header.what {
                What::Entry { leaf, form, body } => {
                    return self.entry(header, leaf, form, body);
                }
                What::BatchEnd { count } => {
                    if let Some(found) = self.batch_end(header, count)? {
                        return Ok(found);
                    }
                }
            }
        }
    }

    fn enter_segment(&mut self) -> io::Result<Option<Found>> {
        let Some(&first) = self.segments.get(self.at) else { return Ok(Some(Found::End)) };
        let last = self.at + 1 == self.segments.len();
        let mut window = Window::open(self.source, frame::segment_name(first))?;
        let header = window.load(self.source, 0, SEGMENT_HEADER)?.to_vec();
        let empty = header.is_empty();
        self.window = Some(window);
        self.position = 0;
        if first != self.expect.index {
            let expected = self.expect.index;
            let fault = self.fault(0, SEGMENT_HEADER, Cause::SegmentOrder { expected }, false);
            self.lose_place(first);
            self.position = header.len() as u64;
            return Ok(Some(Found::Fault(fault)));
        }
        if empty && last {
            // Made, and nothing in it yet: the appender goes on here.
            self.end.segment = Some(first);
            self.end.length = 0;
            return Ok(None);
        }
        match frame::decode_segment_header(&header) {
            Some((index, batch)) if index == first => {
                let expected = self.expect.batch.unwrap_or(batch);
                self.expect.batch = Some(batch);
                self.position = SEGMENT_HEADER as u64;
                self.end.segment = Some(first);
                self.end.length = self.position;
                if batch == expected {
                    return Ok(None);
                }
                let cause = Cause::Batch { expected, found: batch };
                Ok(Some(Found::Fault(self.fault(0, SEGMENT_HEADER, cause, false))))
            }
            Some((index, _)) => {
                let cause = Cause::SegmentName { header: index };
                let fault = self.fault(0, SEGMENT_HEADER, cause, false);
                self.position = SEGMENT_HEADER as u64;
                self.expect.batch = None;
                Ok(Some(Found::Fault(fault)))
            }
            None => {
                let batch = self.expect.batch.unwrap_or(0);
                let expected = frame::segment_header(first, batch);
                let short = header.len() < SEGMENT_HEADER && expected.starts_with(&header);
                let fault = self.fault(0, SEGMENT_HEADER, Cause::SegmentHeader, short);
                self.position = header.len() as u64;
                self.expect.batch = None;
                Ok(Some(Found::Fault(fault)))
            }
        }
    }

    /// The end of a segment's bytes. A batch never spans two segments.
    fn leave_segment(&mut self) -> Option<Found> {
        let mut fault = None;
        if self.open_batch.is_some() {
            let short = self.at + 1 == self.segments.len();
            fault = Some(self.fault(self.position, 0, Cause::Truncated, short));
            self.open_batch = None;
            self.expect.batch = None;
        }
        self.at += 1;
        self.window = None;
        fault.map(Found::Fault)
    }

    /// No header where one must be: report it and look for the next one that holds.
    fn lost_header(&mut self) -> io::Result<Found> {
        let (batch, index) = (self.batch_number(), self.expect.index);
        let Some(window) = &mut self.window else { return Ok(Found::End) };
        let bytes = window.load(self.source, self.position, HEADER)?;
        let short = bytes.len() < HEADER && frame::begins_header(bytes, batch, index);
        let extent = bytes.len();
        let cause = if short { Cause::Truncated } else { Cause::FrameHeader };
        let lost = self.position;
        let next = find_header(self.source, window, lost + 1)?;
        let fault = self.fault(lost, extent, cause, short);
        match next {
            Some((offset, header)) => {
                self.position = offset;
                match header.what {
                    What::Entry { .. } => {
                        // Lost frames were entries only if the numbers say so.
                        if header.index > self.expect.index {
                            self.lose_place(header.index);
                        }
                        self.rejoin(header.batch, header.index, offset);
                    }
                    What::BatchEnd { count } => {
                        let end = header.index.saturating_add(u64::from(count));
                        if end > self.expect.index {
                            self.lose_place(end);
                        }
                        self.rejoin(header.batch, header.index, offset);
                    }
                }
            }
            None => {
                self.position = self.window.as_ref().map_or(lost, Window::length);
                self.open_batch = None;
                self.expect.batch = None;
                self.frontier = None;
            }
        }
        Ok(Found::Fault(fault))
    }

    /// Goes on within a batch whose checksum can no longer be told.
    fn rejoin(&mut self, number: u64, first: u64, offset: u64) {
        match &mut self.open_batch {
            Some(open) if open.number == number => open.check = None,
            _ => {
                self.open_batch = Some(OpenBatch { number, first, count: 0, offset, check: None });
            }
        }
    }

    /// Entries were lost, up to this index.
    fn lose_place(&mut self, next_index: u64) {
        self.reached = self.reached.max(self.expect.index);
        self.expect.index = next_index;
        self.expect.batch = None;
        self.lose_leaf();
    }

    /// A leaf was lost: the tree and the sequences can no longer be told.
    fn lose_leaf(&mut self) {
        self.expect.sequences.clear();
        self.expect.sequences_known = false;
        self.frontier = None;
    }

    /// Moves behind a frame.
    fn skip(&mut self, header: &Header, bad: bool) {
        self.position += header.frame_len() as u64;
        self.expect.index = header.index.saturating_add(1);
        if let Some(open) = &mut self.open_batch {
            open.count = open.count.saturating_add(1);
            if bad {
                open.check = None;
            }
        }
    }

    fn batch_end(&mut self, header: Header, count: u32) -> io::Result<Option<Found>> {
        let offset = self.position;
        let Some(window) = &mut self.window else { return Ok(Some(Found::End)) };
        let trailer = window.load(self.source, offset, TRAILER)?;
        if trailer.len() < TRAILER {
            let fault = self.fault(offset, TRAILER, Cause::Truncated, true);
            self.position = self.window.as_ref().map_or(offset, Window::length);
            self.open_batch = None;
            self.expect.batch = None;
            return Ok(Some(Found::Fault(fault)));
        }
        let open = self.open_batch;
        let clean = open.is_some_and(|open| open.check.is_some());
        let holds = frame::check_trailer(trailer, open.and_then(|open| open.check))
            && open.is_some_and(|open| {
                header.batch == open.number
                    && (!clean || (header.index == open.first && count == open.count))
                    && header.index.saturating_add(u64::from(count)) == self.expect.index
            });
        let fault = if holds {
            None
        } else {
            Some(self.fault(offset, TRAILER, Cause::BatchTrailer, false))
        };
        self.position += TRAILER as u64;
        self.open_batch = None;
        self.expect.batch = Some(header.batch.saturating_add(1));
        if holds {
            self.close_batch(header.batch);
        }
        Ok(fault.map(Found::Fault))
    }

    fn close_batch(&mut self, number: u64) {
        self.end.length = self.position;
        self.end.batch = number.saturating_add(1);
    }

    /// The number the next frame must carry, as far as it is known.
    fn batch_number(&self) -> u64 {
        self.open_batch.map(|open| open.number).or(self.expect.batch).unwrap_or(0)
    }

    fn note_root(&mut self) {
        let Some(frontier) = &self.frontier else { return };
        if let Some(root) = self.wanted.get_mut(&frontier.size()) {
            *root = Some(frontier.root());
        }
    }

    /// Builds a fault. Called before the fault changes what is expected.
    fn fault(&mut self, offset: u64, extent: usize, cause: Cause, short: bool) -> Fault {
        if self.good.is_none() {
            self.good = Some(self.now());
        }
        let file = self.window.as_ref().map(|window| window.name().to_owned());
        let (batch_offset, batch_first) = self
            .open_batch
            .map_or((write_start(offset), self.expect.index), |open| (open.offset, open.first));
        Fault {
            damage: Damage {
                file: file.unwrap_or_default(),
                offset,
                index: Some(self.expect.index),
                cause,
            },
            short,
            last_segment: self.at + 1 >= self.segments.len(),
            batch_offset,
            batch_first,
            batch: self.batch_number(),
            extent,
        }
    }
}
