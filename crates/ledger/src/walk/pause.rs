//! Stopping a walk behind an entry, and going on there later without reading anything twice.

use std::io;

use seal::digest::Digest;
use seal::merkle::Frontier;

use super::{Expect, OpenBatch, Walk};
use crate::frame::{self, SEGMENT_HEADER};
use crate::store::Source;
use crate::window::Window;

/// Where a walk stands.
#[derive(Debug, Clone)]
pub(crate) struct Pause {
    /// First index of the segment.
    segment: u64,
    /// Offset of the next frame; before the header's end: at the segment's beginning.
    position: u64,
    expect: Expect,
    open_batch: Option<OpenBatch>,
    /// The tree so far; `None` when the walk did not begin with the first entry.
    pub frontier: Option<Frontier>,
}

impl Pause {
    /// The beginning of a segment that somebody named. Of what lies before nothing is known, unless
    /// it is the first.
    pub fn at_segment(first: u64) -> Pause {
        let whole = first == 0;
        Pause {
            segment: first,
            position: 0,
            expect: Expect {
                index: first,
                batch: whole.then_some(0),
                sequences_known: whole,
                ..Expect::default()
            },
            open_batch: None,
            frontier: whole.then(Frontier::new),
        }
    }

    /// Index of the next entry.
    pub fn index(&self) -> u64 {
        self.expect.index
    }

    /// First index of the segment.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// Root over everything before, if it is known.
    pub fn root(&self) -> Option<Digest> {
        self.frontier.as_ref().map(Frontier::root)
    }

    /// The beginning of the segment that follows.
    pub fn next_segment(mut self) -> Pause {
        self.segment = self.expect.index;
        self.position = 0;
        self
    }
}

impl<'s> Walk<'s> {
    /// Where this walk stands: behind its last entry, or at the end of its segment.
    pub fn pause(&self) -> Option<Pause> {
        let last = self.segments.len().checked_sub(1)?;
        Some(Pause {
            segment: *self.segments.get(self.at.min(last))?,
            position: self.position,
            expect: self.expect.clone(),
            open_batch: self.open_batch,
            frontier: self.frontier.clone(),
        })
    }

    /// A walk over the rest of one segment, from where another one stood.
    pub fn go_on(source: &'s dyn Source, pause: &Pause) -> io::Result<Walk<'s>> {
        let mut walk = Walk::new(source, vec![pause.segment], &[]);
        walk.expect = pause.expect.clone();
        walk.frontier = pause.frontier.clone();
        if pause.position >= SEGMENT_HEADER as u64 {
            walk.window = Some(Window::open(source, frame::segment_name(pause.segment))?);
            walk.position = pause.position;
            walk.open_batch = pause.open_batch;
        }
        Ok(walk)
    }

    /// Entries up to the last batch that is closed.
    pub fn closed(&self) -> u64 {
        self.open_batch.map_or(self.expect.index, |open| open.first)
    }
}
