//! One entry on the walk: what it is judged by, and what is then known of it.

use std::io;

use super::state::write_start;
use super::{Found, OpenBatch, Place, Walk};
use crate::body;
use crate::damage::Cause;
use crate::frame::{Form, HEADER, Header, LEAF_CHECK};
use crate::leaf::{Leaf, MAX_LEAF};
use crate::leaves;
use crate::look::judge_frame;
use crate::window::Window;

impl Walk<'_> {
    /// Judges the frame of an entry: its place, its checksums, its leaf and body, its order.
    pub(super) fn entry(
        &mut self,
        header: Header,
        leaf_len: usize,
        form: Form,
        body_len: usize,
    ) -> io::Result<Found> {
        let offset = self.position;
        let total = header.frame_len();
        if leaf_len > MAX_LEAF || body_len > form.limit() {
            // The checksum holds, so this was written so; do not allocate what it asks for.
            let (leaf, found) = (form.limit() as u64, body_len as u64);
            let fault = self.fault(offset, total, Cause::BodyLength { leaf, found }, false);
            self.skip(&header, true);
            self.lose_leaf();
            return Ok(Found::Fault(fault));
        }
        if let Some(cause) = self.place(&header) {
            let fault = self.fault(offset, total, cause, false);
            // Believe the frame and look at it again, so that one gap is one finding.
            if header.index != self.expect.index {
                self.lose_place(header.index);
            }
            self.open_batch = Some(OpenBatch {
                number: header.batch,
                first: header.index,
                count: 0,
                offset,
                check: None,
            });
            return Ok(Found::Fault(fault));
        }
        let Some(window) = &mut self.window else { return Ok(Found::End) };
        let frame = window.load(self.source, offset, total)?;
        if frame.len() < total {
            let fault = self.fault(offset, total, Cause::Truncated, true);
            self.position = self.window.as_ref().map_or(offset, Window::length);
            self.open_batch = None;
            self.expect.batch = None;
            return Ok(Found::Fault(fault));
        }
        let judged = judge_frame(frame, leaf_len, form, body_len);
        let check =
            crc32c::crc32c_append(self.open_batch.and_then(|open| open.check).unwrap_or(0), frame);
        let (leaf, hash, cause) = match judged {
            Err(cause) => {
                let fault = self.fault(offset, total, cause, false);
                self.skip(&header, true);
                self.lose_leaf();
                return Ok(Found::Fault(fault));
            }
            Ok(judged) => judged,
        };
        let cause = cause.or_else(|| self.decrypt(&leaf, form, offset, leaf_len, body_len));
        let cause = cause.or_else(|| self.order(&leaf));
        let fault = cause.map(|cause| self.fault(offset, total, cause, false));
        if let Some(frontier) = &mut self.frontier {
            frontier.push(hash);
            if let (Some(tiles), Some(window)) = (&mut self.tiles, &self.window) {
                let leaf_bytes = window.loaded(offset + HEADER as u64, leaf_len);
                let segment = self.segments.get(self.at).copied().unwrap_or_default();
                let behind = leaves::Place { segment, offset: offset + total as u64 };
                tiles.push(self.source, hash, leaf_bytes, behind)?;
            }
        }
        match self.expect.sequences.get_mut(&leaf.writer) {
            Some(next) => *next = leaf.seq + 1,
            None => drop(self.expect.sequences.insert(leaf.writer.clone(), leaf.seq + 1)),
        }
        self.expect.ts = self.expect.ts.max(leaf.ts);
        self.skip(&header, fault.is_some());
        if fault.is_none()
            && let Some(open) = &mut self.open_batch
        {
            open.check = open.check.map(|_| check);
        }
        self.leaf = Some(leaf);
        self.note_root();
        Ok(fault.map_or(
            Found::Entry(Place {
                index: header.index,
                offset,
                leaf: leaf_len,
                form,
                body: body_len,
            }),
            Found::Fault,
        ))
    }

    /// Opens an encrypted body, where an identity is at hand and it is addressed to it, and holds it
    /// against its leaf like any other.
    fn decrypt(
        &mut self,
        leaf: &Leaf,
        form: Form,
        offset: u64,
        leaf_len: usize,
        stored: usize,
    ) -> Option<Cause> {
        self.opened = None;
        let (Form::Encrypted, Some(identities), Some(window)) =
            (form, &self.identities, &self.window)
        else {
            return None;
        };
        let at = offset + (HEADER + leaf_len + LEAF_CHECK) as u64;
        match body::decrypt(identities, leaf, window.loaded(at, stored)) {
            Ok(opened) => {
                self.opened = opened;
                None
            }
            Err(cause) => Some(cause),
        }
    }

    /// Whether the frame stands where its numbers say; opens its batch if it is the first.
    fn place(&mut self, header: &Header) -> Option<Cause> {
        if header.index != self.expect.index {
            return Some(Cause::Index { expected: self.expect.index, found: header.index });
        }
        let expected = self.batch_number();
        if header.batch != expected && (self.open_batch.is_some() || self.expect.batch.is_some()) {
            return Some(Cause::Batch { expected, found: header.batch });
        }
        if self.open_batch.is_none() {
            self.open_batch = Some(OpenBatch {
                number: header.batch,
                first: header.index,
                count: 0,
                offset: write_start(self.position),
                check: Some(0),
            });
        }
        None
    }

    /// Sequence and time.
    fn order(&mut self, leaf: &Leaf) -> Option<Cause> {
        let expected = match self.expect.sequences.get(&leaf.writer) {
            Some(&expected) => expected,
            None if self.expect.sequences_known => 0,
            None => leaf.seq,
        };
        if leaf.seq != expected {
            let (writer, found) = (leaf.writer.clone(), leaf.seq);
            return Some(Cause::Sequence { writer, expected, found });
        }
        if leaf.ts < self.expect.ts {
            return Some(Cause::Time { previous: self.expect.ts, found: leaf.ts });
        }
        None
    }
}
