//! The receipts of a chain by hash, in about sixty bytes each.

use std::hash::{BuildHasher, RandomState};

use seal::digest::Digest;

/// What is kept of a receipt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) hash: Digest,
    pub(super) iat: i64,
    /// Number of its taint set.
    pub(super) taint: u32,
    /// Its line; at the largest number for every line beyond.
    pub(super) line: u32,
}

/// A hash table that grows without ever holding everything twice: entries lie in chunks that stay
/// where they are, and only the slots, which are numbers, move to a larger table.
#[derive(Default)]
pub(super) struct Nodes {
    /// All full but the last.
    chunks: Vec<Vec<Node>>,
    /// A power of two of them; zero is empty, anything else the number of an entry plus one.
    slots: Vec<usize>,
    /// Keyed anew each time: who grinds hashes cannot aim at one slot.
    keys: RandomState,
}

const CHUNK: usize = 4096;

impl Nodes {
    pub(super) fn get(&self, hash: &Digest) -> Option<&Node> {
        let mut slot = self.home(hash)?;
        loop {
            let node = self.entry(*self.slots.get(slot)?)?;
            if node.hash == *hash {
                return Some(node);
            }
            slot = self.after(slot);
        }
    }

    /// Adds a node whose hash is not here yet.
    pub(super) fn insert(&mut self, node: Node) {
        let count = self.len() + 1;
        // At most four fifths full: there is always an empty slot to end a search.
        if count * 5 > self.slots.len() * 4 {
            self.grow();
        }
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(node),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(node);
                self.chunks.push(chunk);
            }
        }
        self.point(&node.hash, count);
    }

    fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(16)];
        for number in 1..=self.len() {
            if let Some(hash) = self.entry(number).map(|node| node.hash) {
                self.point(&hash, number);
            }
        }
    }

    /// Puts the number of an entry into the first free slot of its hash.
    fn point(&mut self, hash: &Digest, number: usize) {
        let Some(mut slot) = self.home(hash) else { return };
        while self.slots.get(slot).is_some_and(|taken| *taken != 0) {
            slot = self.after(slot);
        }
        if let Some(free) = self.slots.get_mut(slot) {
            *free = number;
        }
    }

    fn entry(&self, number: usize) -> Option<&Node> {
        let at = number.checked_sub(1)?;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// The slot a search begins at; `None` before the first entry.
    fn home(&self, hash: &Digest) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        Some(self.keys.hash_one(hash) as usize & mask)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u32) -> Node {
        Node { hash: Digest::of(&n.to_le_bytes()), iat: n.into(), taint: n, line: n }
    }

    #[test]
    fn what_went_in_is_found_and_nothing_else() {
        let mut nodes = Nodes::default();
        assert!(nodes.get(&node(0).hash).is_none());
        // Across chunks and several sizes of the table.
        for n in 0..10_000 {
            nodes.insert(node(n));
            assert!(nodes.get(&node(n + 1).hash).is_none());
        }
        for n in 0..10_000 {
            let found = nodes.get(&node(n).hash).map(|found| (found.iat, found.line));
            assert_eq!(found, Some((n.into(), n)));
        }
        assert_eq!(nodes.len(), 10_000);
    }

    #[test]
    fn a_node_is_forty_eight_bytes() {
        assert_eq!(size_of::<Node>(), 48);
    }
}
