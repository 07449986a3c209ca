//! A whole segment in memory: taken apart strictly, and written anew with other bodies.
//!
//! Pruning and restoring change what lies behind the leaves of a full segment and nothing else:
//! header, batches, indices and leaves stay, so the tree does too.

use std::ops::Range;

use seal::digest::Digest;

use crate::damage::{Cause, Damage};
use crate::frame::{self, Form, HEADER, Header, LEAF_CHECK, SEGMENT_HEADER, What};
use crate::leaf::{Leaf, MAX_LEAF};
use crate::look::judge_frame;

/// A segment whose every frame holds by itself and whose batches are whole.
pub(crate) struct Segment<'b> {
    bytes: &'b [u8],
    pub first: u64,
    pub frames: Vec<Frame>,
    /// Batches: number, first entry, and their frames in `frames`.
    batches: Vec<(u64, u64, Range<usize>)>,
}

/// An entry of a segment.
pub(crate) struct Frame {
    pub index: u64,
    pub leaf: Leaf,
    pub form: Form,
    leaf_bytes: Range<usize>,
    stored: Range<usize>,
    whole: Range<usize>,
    stated: usize,
}

/// What shall lie behind a leaf.
pub(crate) enum Choice<'a> {
    /// What is there.
    Keep,
    /// Nothing.
    Prune,
    /// This body, or its encrypted form.
    Put(Form, &'a [u8]),
}

impl<'b> Segment<'b> {
    /// Takes a segment apart. `name` is for the damage; nothing that does not hold is passed on.
    pub fn read(name: &str, bytes: &'b [u8]) -> Result<Segment<'b>, Damage> {
        let damage = |offset: usize, index, cause| Damage {
            file: name.to_owned(),
            offset: offset as u64,
            index,
            cause,
        };
        let Some((first, mut batch)) = frame::decode_segment_header(bytes) else {
            return Err(damage(0, None, Cause::SegmentHeader));
        };
        if frame::parse_segment_name(name) != Some(first) {
            return Err(damage(0, None, Cause::SegmentName { header: first }));
        }
        let mut segment = Segment { bytes, first, frames: Vec::new(), batches: Vec::new() };
        let (mut at, mut index, mut open, mut check) = (SEGMENT_HEADER, first, 0, 0u32);
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(header) = Header::decode(rest) else {
                return Err(damage(at, Some(index), Cause::FrameHeader));
            };
            if header.batch != batch {
                let cause = Cause::Batch { expected: batch, found: header.batch };
                return Err(damage(at, Some(index), cause));
            }
            let total = header.frame_len();
            let Some(whole) = rest.get(..total) else {
                return Err(damage(at, Some(index), Cause::Truncated));
            };
            match header.what {
                What::Entry { leaf, form, body } => {
                    if header.index != index {
                        let cause = Cause::Index { expected: index, found: header.index };
                        return Err(damage(at, Some(index), cause));
                    }
                    if leaf > MAX_LEAF || body > form.limit() {
                        let (leaf, found) = (form.limit() as u64, body as u64);
                        return Err(damage(at, Some(index), Cause::BodyLength { leaf, found }));
                    }
                    let leaf_bytes = at + HEADER..at + HEADER + leaf;
                    let behind = leaf_bytes.end + LEAF_CHECK;
                    let stored = match form {
                        Form::Plain | Form::Encrypted => behind..behind + body,
                        Form::Pruned => behind..behind,
                    };
                    let parsed = match judge_frame(whole, leaf, form, body) {
                        Ok((parsed, _, None)) => parsed,
                        Ok((_, _, Some(cause))) | Err(cause) => {
                            return Err(damage(at, Some(index), cause));
                        }
                    };
                    check = crc32c::crc32c_append(check, whole);
                    segment.frames.push(Frame {
                        index,
                        leaf: parsed,
                        form,
                        leaf_bytes,
                        stored,
                        whole: at..at + total,
                        stated: body,
                    });
                    index += 1;
                }
                What::BatchEnd { count } => {
                    let frames = open..segment.frames.len();
                    let begun = index - frames.len() as u64;
                    if header.index != begun
                        || count as usize != frames.len()
                        || !frame::check_trailer(whole, Some(check))
                    {
                        return Err(damage(at, Some(index), Cause::BatchTrailer));
                    }
                    open = frames.end;
                    segment.batches.push((batch, begun, frames));
                    batch += 1;
                    check = 0;
                }
            }
            at += total;
        }
        if open != segment.frames.len() {
            return Err(damage(at, Some(index), Cause::Truncated));
        }
        Ok(segment)
    }

    /// The index behind its last entry.
    pub fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// The leaf of a frame as it is written.
    pub fn leaf_bytes(&self, frame: &Frame) -> &'b [u8] {
        self.bytes.get(frame.leaf_bytes.clone()).unwrap_or_default()
    }

    /// What is stored behind the leaf: the body, its encrypted form, or nothing.
    pub fn stored(&self, frame: &Frame) -> &'b [u8] {
        self.bytes.get(frame.stored.clone()).unwrap_or_default()
    }

    /// The entry of this index.
    pub fn frame(&self, index: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }

    /// Entries without a body, after `choose`, as [`gone_digest`] counts them, and the segment as it
    /// then is.
    pub fn rewrite<'a>(
        &'a self,
        choose: &mut dyn FnMut(&'a Frame) -> Choice<'a>,
    ) -> (Vec<u8>, Digest) {
        let mut out = Vec::with_capacity(self.bytes.len());
        out.extend_from_slice(self.bytes.get(..SEGMENT_HEADER).unwrap_or_default());
        let mut gone = Vec::new();
        for (batch, begun, frames) in &self.batches {
            let start = out.len();
            for frame in self.frames.get(frames.clone()).unwrap_or_default() {
                let whole = self.bytes.get(frame.whole.clone()).unwrap_or_default();
                let length = usize::try_from(frame.leaf.len).unwrap_or(frame.stated);
                let leaf = self.leaf_bytes(frame);
                let choice = match choose(frame) {
                    Choice::Keep if frame.form == Form::Pruned => Choice::Prune,
                    choice => choice,
                };
                match choice {
                    Choice::Keep => out.extend_from_slice(whole),
                    Choice::Prune => {
                        gone.push(frame.index);
                        frame::write_pruned(&mut out, *batch, frame.index, leaf, length);
                    }
                    Choice::Put(form, stored) => {
                        frame::write_stored(&mut out, *batch, frame.index, leaf, form, stored);
                    }
                }
            }
            let check = crc32c::crc32c(out.get(start..).unwrap_or_default());
            let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
            frame::write_trailer(&mut out, *batch, *begun, count, check);
        }
        (out, gone_digest(gone))
    }
}

/// The digest by which a `prune` entry says whose bodies are gone from a segment: SHA-256 over their
/// indices, decimal, ascending, a newline behind each.
pub(crate) fn gone_digest(indices: impl IntoIterator<Item = u64>) -> Digest {
    let mut gone = Gone::default();
    indices.into_iter().for_each(|index| gone.add(index));
    gone.digest.finish()
}

/// [`gone_digest`] as a walk goes on.
#[derive(Clone)]
pub(crate) struct Gone {
    pub count: u64,
    pub digest: seal::digest::Hasher,
}

impl Default for Gone {
    fn default() -> Gone {
        Gone { count: 0, digest: seal::digest::Hasher::new() }
    }
}

impl Gone {
    pub fn add(&mut self, index: u64) {
        self.count += 1;
        self.digest.update(format!("{index}\n").as_bytes());
    }
}
