//! The tree of RFC 6962 section 2.1 over SHA-256: roots, inclusion and consistency proofs.

use crate::digest::{Digest, Hasher};

/// `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.finish()
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut message = [1; 65];
    message[1..33].copy_from_slice(left.as_bytes());
    message[33..].copy_from_slice(right.as_bytes());
    Digest::of(&message)
}

/// The root of the tree without leaves: `SHA-256("")`.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// The right edge of a growing tree: all that is needed to add a leaf or tell the root.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    /// Roots of the perfect subtrees, largest first; one per set bit of `size`.
    peaks: Vec<Digest>,
    size: u64,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            // One peak stands for every set bit, so the trailing ones have theirs.
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first, one per set bit of the size: with the size
    /// all there is to know.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// The edge that has these peaks; `None` when their number does not fit the size.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Option<Frontier> {
        (peaks.len() == size.count_ones() as usize).then_some(Frontier { peaks, size })
    }

    /// Root over all leaves added so far.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root over a list of leaf hashes.
pub fn root_of(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// The audit path of leaf `index`, from the leaf to the root; empty when `index` is not there.
pub fn inclusion_proof(leaves: &[Digest], index: usize) -> Vec<Digest> {
    if index >= leaves.len() || leaves.len() == 1 {
        return Vec::new();
    }
    let split = split_point(leaves.len());
    let (left, right) = leaves.split_at(split);
    let (mut proof, sibling) = if index < split {
        (inclusion_proof(left, index), root_of(right))
    } else {
        (inclusion_proof(right, index - split), root_of(left))
    };
    proof.push(sibling);
    proof
}

/// The proof that the tree over `leaves` extends the one over its first `old` leaves.
pub fn consistency_proof(leaves: &[Digest], old: usize) -> Vec<Digest> {
    if old == 0 || old >= leaves.len() {
        return Vec::new();
    }
    subproof(leaves, old, true)
}

/// SUBPROOF of RFC 6962 section 2.1.2; `whole` says the old tree is a complete subtree so far.
fn subproof(leaves: &[Digest], old: usize, whole: bool) -> Vec<Digest> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root_of(leaves)] };
    }
    let split = split_point(leaves.len());
    let (left, right) = leaves.split_at(split);
    let (mut proof, sibling) = if old <= split {
        (subproof(left, old, whole), root_of(right))
    } else {
        (subproof(right, old - split, false), root_of(left))
    };
    proof.push(sibling);
    proof
}

/// The largest power of two below `count`; `count` is at least 2.
fn split_point(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

/// Whether `proof` places `leaf` at `index` of the tree of `size` leaves with this `root`.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Digest,
    proof: &[Digest],
    root: &Digest,
) -> bool {
    if index >= size {
        return false;
    }
    let inner = bit_length(index ^ (size - 1));
    let border = shift_right(index, inner).count_ones() as usize;
    if proof.len() != inner + border {
        return false;
    }
    let (inside, edge) = proof.split_at(inner);
    let node = inside.iter().enumerate().fold(*leaf, |node, (level, sibling)| {
        if index >> level & 1 == 0 { node_hash(&node, sibling) } else { node_hash(sibling, &node) }
    });
    edge.iter().fold(node, |node, left| node_hash(left, &node)) == *root
}

/// Whether `proof` shows that the tree of `new` leaves extends the one of `old` leaves.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Digest],
    old_root: &Digest,
    new_root: &Digest,
) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    let shift = old.trailing_zeros() as usize;
    let levels = bit_length((old - 1) ^ (new - 1));
    let inner = levels - shift.min(levels);
    let border = shift_right(old - 1, levels).count_ones() as usize;
    let (seed, rest) = if old == 1 << shift {
        (*old_root, proof)
    } else {
        match proof.split_first() {
            Some((seed, rest)) => (*seed, rest),
            None => return false,
        }
    };
    if rest.len() != inner + border {
        return false;
    }
    let mask = (old - 1) >> shift;
    let (inside, edge) = rest.split_at(inner);
    let (mut first, mut second) = (seed, seed);
    for (level, node) in inside.iter().enumerate() {
        if mask >> level & 1 == 1 {
            first = node_hash(node, &first);
            second = node_hash(node, &second);
        } else {
            second = node_hash(&second, node);
        }
    }
    for node in edge {
        first = node_hash(node, &first);
        second = node_hash(node, &second);
    }
    first == *old_root && second == *new_root
}

fn bit_length(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()) as usize
}

/// A shift that may move everything out.
fn shift_right(number: u64, by: usize) -> u64 {
    number.checked_shr(by as u32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn published_roots() {
        let entries = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let hashes: Vec<Digest> =
            entries.iter().map(|e| leaf_hash(&crate::hex::decode(e).unwrap())).collect();
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(root_of(&hashes[..size]).hex(), *root);
        }
        let short = |proof: Vec<Digest>| -> Vec<String> {
            proof.iter().map(|d| d.hex()[..16].to_owned()).collect()
        };
        assert_eq!(
            short(inclusion_proof(&hashes, 5)),
            ["bc1a0643b12e4d2d", "ca854ea128ed050b", "d37ee418976dd957"]
        );
        assert_eq!(
            short(consistency_proof(&hashes, 7)),
            ["b08693ec2e721597", "46f6ffadd3d06a09", "0ebc5d3437fbe2db", "d37ee418976dd957"]
        );
        assert_eq!(short(consistency_proof(&hashes, 4)), ["6b47aaf29ee3c2af"]);
        assert_eq!(
            short(consistency_proof(&hashes[..5], 2)),
            ["5f083f0a1a33ca07", "bc1a0643b12e4d2d"]
        );
    }

    #[test]
    fn every_proof_up_to_70_leaves_holds_and_no_other() {
        let all = leaves(70);
        for size in 1..=all.len() {
            let tree = &all[..size];
            let root = root_of(tree);
            for (index, leaf) in tree.iter().enumerate() {
                let proof = inclusion_proof(tree, index);
                let (i, n) = (index as u64, size as u64);
                assert!(verify_inclusion(i, n, leaf, &proof, &root));
                assert!(!verify_inclusion(i + 1, n, leaf, &proof, &root));
                assert!(!verify_inclusion(i, n, &leaf_hash(b"x"), &proof, &root));
                let mut longer = proof.clone();
                longer.push(root);
                assert!(!verify_inclusion(i, n, leaf, &longer, &root));
            }
            for old in 0..=size {
                let proof = consistency_proof(tree, old);
                let before = root_of(&all[..old]);
                let (o, n) = (old as u64, size as u64);
                assert!(verify_consistency(o, n, &proof, &before, &root), "{old} {size}");
                if old > 0 {
                    assert!(!verify_consistency(o, n, &proof, &leaf_hash(b"x"), &root));
                }
                let mut longer = proof;
                longer.push(root);
                assert!(!verify_consistency(o, n, &longer, &before, &root));
            }
        }
    }
}
