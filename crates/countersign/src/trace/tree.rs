//! The log's tree with its inner hashes, so that each proof costs a few look-ups.

use seal::Digest;
use seal::merkle::node_hash;

/// Perfect subtrees of every height over the leaves that were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// `levels[h][i]` covers the leaves from `i << h` on, `1 << h` of them.
    levels: Vec<Vec<Digest>>,
    /// A leaf was lost: positions behind it are unknown, and so are proofs.
    broken: bool,
}

impl Tree {
    /// The next leaf.
    pub(crate) fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else {
                return;
            };
            nodes.push(node);
            if !nodes.len().is_multiple_of(2) {
                return;
            }
            if let [.., left, right] = nodes.as_slice() {
                node = node_hash(left, right);
            }
        }
    }

    /// A leaf is missing here.
    pub(crate) fn lose(&mut self) {
        self.broken = true;
    }

    /// The leaf at `index` and its path to the root over the first `size` leaves (RFC 9162 2.1.3.1).
    pub(crate) fn proof(&self, index: u64, size: u64) -> Option<(Digest, Vec<Digest>)> {
        if self.broken || index >= size {
            return None;
        }
        let leaf = *self.levels.first()?.get(usize::try_from(index).ok()?)?;
        let mut path = Vec::new();
        self.path(index, 0, size, &mut path)?;
        Some((leaf, path))
    }

    fn path(&self, index: u64, start: u64, size: u64, path: &mut Vec<Digest>) -> Option<()> {
        if size == 1 {
            return Some(());
        }
        let split = largest_power_below(size);
        if index < split {
            self.path(index, start, split, path)?;
            path.push(self.root(start + split, size - split)?);
        } else {
            self.path(index - split, start + split, size - split, path)?;
            path.push(self.root(start, split)?);
        }
        Some(())
    }

    fn root(&self, start: u64, size: u64) -> Option<Digest> {
        if size.is_power_of_two() {
            let height = size.trailing_zeros();
            let at = usize::try_from(start >> height).ok()?;
            return self.levels.get(height as usize)?.get(at).copied();
        }
        let split = largest_power_below(size);
        let left = self.root(start, split)?;
        Some(node_hash(&left, &self.root(start + split, size - split)?))
    }
}

/// The largest power of two smaller than `size`, which is at least 2.
fn largest_power_below(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use seal::merkle::{inclusion_proof, leaf_hash, root_of, verify_inclusion};

    use super::*;

    #[test]
    fn proofs_are_those_of_the_reference() {
        let leaves: Vec<Digest> = (0..40u8).map(|n| leaf_hash(&[n])).collect();
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        for size in 1..=leaves.len() {
            let part = &leaves[..size];
            for index in 0..size {
                let (leaf, proof) =
                    tree.proof(index as u64, size as u64).expect("the leaf is there");
                assert_eq!(proof, inclusion_proof(part, index), "{index} of {size}");
                assert!(verify_inclusion(index as u64, size as u64, &leaf, &proof, &root_of(part)));
            }
        }
        assert!(tree.proof(40, 40).is_none());
        tree.lose();
        assert!(tree.proof(0, 40).is_none());
    }
}
