//! A tool call of a stream while it comes in pieces.

use crate::event::{CallKind, ToolCall};

/// A call so far.
#[derive(Debug, Clone)]
pub(super) struct PartialCall {
    pub(super) wire_index: u32,
    pub(super) call: ToolCall,
    pub(super) complete: bool,
    /// Whether it was complete before.
    pub(super) before: bool,
    pub(super) named: Named,
}

/// The pieces of a name, as far as clients differ in what they make of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    pub(super) first: String,
    pub(super) last: String,
    /// All of them, repetitions too; no more than [`NAME_BYTES`] and one piece.
    pub(super) all: String,
}

impl PartialCall {
    /// The bytes that judging it goes over.
    pub(super) fn weight(&self) -> usize {
        let ToolCall { id, name, arguments, .. } = &self.call;
        let Named { first, last, all } = &self.named;
        [id, name, arguments, first, last, all].map(String::len).iter().sum()
    }

    /// Whether a client that knows calls by their index, or by their id, takes both for one.
    pub(super) fn shares(&self, other: &PartialCall) -> bool {
        let index = self.wire_index == other.wire_index
            && (self.call.kind == CallKind::Legacy) == (other.call.kind == CallKind::Legacy);
        let id = !self.call.id.is_empty() && self.call.id == other.call.id;
        self.call.choice == other.call.choice && (index || id)
    }
}

impl Named {
    pub(super) fn push(&mut self, piece: &str) {
        if piece.is_empty() {
            return;
        }
        if self.first.is_empty() {
            piece.clone_into(&mut self.first);
        }
        piece.clone_into(&mut self.last);
        // Beyond it no list can have the name, and its text is judged in the call.
        if self.all.len() <= NAME_BYTES {
            self.all.push_str(piece);
        }
    }
}

/// A name that is longer is nobody's.
pub(super) const NAME_BYTES: usize = 1024;
