//! Inclusion and consistency for all sizes up to 300, from leaves and from tiles.

use std::collections::{BTreeMap, HashMap};

use countersign_seal as seal;
use seal::Digest;
use seal::merkle::{
    Frontier, consistency_proof, inclusion_proof, leaf_hash, node_hash, root_of,
    verify_consistency, verify_inclusion,
};
use seal::tile::{self, Tile, TileSource};

const MOST: usize = 300;

fn leaves(count: usize) -> Vec<Digest> {
    (0..count as u64).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// The tiles of a list of leaf hashes, computed from the leaves.
struct Tiles(BTreeMap<Tile, Vec<u8>>);

impl Tiles {
    fn of(leaves: &[Digest]) -> Tiles {
        let bytes = |tile: Tile| {
            let below = 256usize.pow(tile.level.into());
            let first = tile.index as usize * 256;
            (first..first + usize::from(tile.width))
                .flat_map(|n| *root_of(&leaves[n * below..(n + 1) * below]).as_bytes())
                .collect()
        };
        Tiles(tile::tiles_of(leaves.len() as u64).map(|tile| (tile, bytes(tile))).collect())
    }
}

impl TileSource for Tiles {
    type Error = Tile;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Tile> {
        self.0.get(&tile).cloned().ok_or(tile)
    }
}

/// RFC 6962 section 2.1 word by word, with a memory of the roots of ranges.
struct Reference<'a> {
    leaves: &'a [Digest],
    roots: HashMap<(usize, usize), Digest>,
}

impl Reference<'_> {
    /// MTH(D[from:to]).
    fn root(&mut self, from: usize, to: usize) -> Digest {
        if let Some(known) = self.roots.get(&(from, to)) {
            return *known;
        }
        let root = match to - from {
            0 => Digest::of(b""),
            1 => self.leaves[from],
            count => {
                let middle = from + largest_power_below(count);
                node_hash(&self.root(from, middle), &self.root(middle, to))
            }
        };
        self.roots.insert((from, to), root);
        root
    }

    /// PATH(m, D[from:to]).
    fn path(&mut self, index: usize, from: usize, to: usize) -> Vec<Digest> {
        if to - from == 1 {
            return Vec::new();
        }
        let middle = from + largest_power_below(to - from);
        let (mut path, other) = if index < middle {
            (self.path(index, from, middle), self.root(middle, to))
        } else {
            (self.path(index, middle, to), self.root(from, middle))
        };
        path.push(other);
        path
    }

    /// SUBPROOF(m, D[from:to], b).
    fn subproof(&mut self, old: usize, from: usize, to: usize, whole: bool) -> Vec<Digest> {
        if old == to {
            return if whole { Vec::new() } else { vec![self.root(from, to)] };
        }
        let middle = from + largest_power_below(to - from);
        let (mut proof, other) = if old <= middle {
            (self.subproof(old, from, middle, whole), self.root(middle, to))
        } else {
            (self.subproof(old, middle, to, false), self.root(from, middle))
        };
        proof.push(other);
        proof
    }
}

fn largest_power_below(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// The sizes in shares of like work, one for each thread.
fn in_shares(work: impl Fn(usize) + Sync) {
    const SHARES: usize = 4;
    std::thread::scope(|scope| {
        for share in 0..SHARES {
            let work = &work;
            scope.spawn(move || (share..=MOST).step_by(SHARES).for_each(work));
        }
    });
}

#[test]
fn tiles_give_the_roots_and_proofs_that_leaves_give() {
    let all = leaves(MOST);
    let mut frontier = Frontier::new();
    for size in 0..=MOST {
        assert_eq!(frontier.root(), root_of(&all[..size]));
        frontier.push(all[size.min(MOST - 1)]);
    }
    in_shares(|size| {
        let tree = &all[..size];
        let (tiles, n) = (Tiles::of(tree), size as u64);
        let mut reference = Reference { leaves: tree, roots: HashMap::new() };
        assert_eq!(tile::root(&tiles, n), Ok(reference.root(0, size)));
        assert_eq!(root_of(tree), reference.root(0, size));
        for index in 0..size {
            let (i, proof) = (index as u64, reference.path(index, 0, size));
            assert_eq!(tile::inclusion(&tiles, i, n).as_ref(), Ok(&proof));
            assert_eq!(tile::leaf(&tiles, i, n), Ok(tree[index]));
            // From the leaves each proof hashes the whole tree; a stride keeps that bounded.
            if index % 5 == size % 5 {
                assert_eq!(inclusion_proof(tree, index), proof, "{index} {size}");
            }
        }
        for old in 0..=size {
            let proof = match old {
                0 => Vec::new(),
                _ => reference.subproof(old, 0, size, true),
            };
            assert_eq!(tile::consistency(&tiles, old as u64, n).as_ref(), Ok(&proof));
            if old % 5 == size % 5 {
                assert_eq!(consistency_proof(tree, old), proof, "{old} {size}");
            }
        }
        assert!(tile::inclusion(&tiles, n, n).is_err());
        assert!(tile::consistency(&tiles, n + 1, n).is_err());
    });
}

/// Every proof that differs from this one in one way: a bit of an element, an element more, less or
/// in another's place.
fn bent(proof: &[Digest]) -> Vec<Vec<Digest>> {
    let mut all = Vec::new();
    let mut add = |bend: &dyn Fn(&mut Vec<Digest>)| {
        let mut other = proof.to_vec();
        bend(&mut other);
        if other != proof {
            all.push(other);
        }
    };
    for at in 0..proof.len() {
        add(&|p| p[at] = flipped(&p[at], at * 37));
        add(&|p| p.insert(at, p[at]));
        add(&|p| p.swap(at, (at + 1) % proof.len()));
    }
    for at in 0..proof.len() {
        let without = |p: &mut Vec<Digest>| {
            p.remove(at);
        };
        add(&without);
    }
    add(&|p| p.push(leaf_hash(b"more")));
    add(&|p| p.insert(0, leaf_hash(b"more")));
    all
}

fn flipped(digest: &Digest, bit: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}

/// The root after each number of leaves. A size is always signed together with its root, so a proof
/// for another size is one against another root.
fn roots(leaves: &[Digest]) -> Vec<Digest> {
    (0..=leaves.len()).map(|size| root_of(&leaves[..size])).collect()
}

#[test]
fn every_inclusion_proof_holds_and_none_that_is_bent() {
    let all = leaves(MOST + 1);
    let roots = roots(&all);
    in_shares(|size| {
        let (tiles, n) = (Tiles::of(&all[..size]), size as u64);
        for (index, leaf) in all.iter().enumerate().take(size) {
            let (i, root) = (index as u64, &roots[size]);
            let proof = tile::inclusion(&tiles, i, n).unwrap();
            assert!(verify_inclusion(i, n, leaf, &proof, root), "{i} {n}");
            for other in bent(&proof) {
                assert!(!verify_inclusion(i, n, leaf, &other, root), "{i} {n} {other:?}");
            }
            assert!(!verify_inclusion(i, n, &flipped(leaf, index), &proof, root), "{i} {n}");
            assert!(!verify_inclusion(i, n, leaf, &proof, &flipped(root, index)), "{i} {n}");
            for other in [i + 1, i.wrapping_sub(1), n, u64::MAX] {
                assert!(!verify_inclusion(other, n, leaf, &proof, root), "{other} {n}");
            }
            for other in [size + 1, size - 1] {
                let (m, root) = (other as u64, &roots[other]);
                assert!(!verify_inclusion(i, m, leaf, &proof, root), "{i} {m}");
            }
        }
    });
}

#[test]
fn every_consistency_proof_holds_and_none_that_is_bent() {
    let all = leaves(MOST + 1);
    let roots = roots(&all);
    in_shares(|size| {
        let (tiles, n) = (Tiles::of(&all[..size]), size as u64);
        for old in 0..=size {
            let (o, before, root) = (old as u64, &roots[old], &roots[size]);
            let proof = tile::consistency(&tiles, o, n).unwrap();
            assert!(verify_consistency(o, n, &proof, before, root), "{o} {n}");
            for other in bent(&proof) {
                assert!(!verify_consistency(o, n, &other, before, root), "{o} {n} {other:?}");
            }
            assert!(!verify_consistency(o, n, &proof, &flipped(before, old), root), "{o} {n}");
            // Every log extends the empty one, which therefore says nothing about it.
            if old == 0 {
                continue;
            }
            assert!(!verify_consistency(o, n, &proof, before, &flipped(root, old)), "{o} {n}");
            for (a, b) in [(old + 1, size), (old - 1, size), (old, size + 1), (old, size - 1)] {
                let holds = verify_consistency(a as u64, b as u64, &proof, &roots[a], &roots[b]);
                // Without hashes there is nothing to bend: equal sizes, or nothing to extend.
                let empty = proof.is_empty() && (a == b || a == 0);
                assert_eq!(holds, empty, "{o} {n} as {a} {b}");
            }
        }
    });
}

#[test]
fn a_tree_of_three_levels_from_tiles_alone() {
    // The leaves of each 256 are alike, so that a big tree costs few hashes to compare with.
    struct Same(u64);
    impl TileSource for Same {
        type Error = Tile;
        fn tile(&self, tile: Tile) -> Result<Vec<u8>, Tile> {
            let mut hash = leaf_hash(b"same");
            for _ in 0..8 * tile.level {
                hash = node_hash(&hash, &hash);
            }
            let implied = tile::tiles_of(self.0).any(|known| known == tile);
            implied.then(|| hash.as_bytes().repeat(tile.width.into())).ok_or(tile)
        }
    }
    let leaf = leaf_hash(b"same");
    for size in [65_536u64, 65_537, 70_000, 131_071] {
        let tiles = Same(size);
        let root = tile::root(&tiles, size).unwrap();
        for index in [0, 1, 255, 256, 65_535, size - 1] {
            let proof = tile::inclusion(&tiles, index, size).unwrap();
            assert!(verify_inclusion(index, size, &leaf, &proof, &root), "{index} {size}");
        }
        for old in [1, 255, 256, 257, 65_535, 65_536, size - 1] {
            let proof = tile::consistency(&tiles, old, size).unwrap();
            let before = tile::root(&Same(old), old).unwrap();
            assert!(verify_consistency(old, size, &proof, &before, &root), "{old} {size}");
        }
    }
}

#[test]
fn a_source_that_gives_something_else_is_refused_or_used_by_its_first_hashes() {
    struct Bytes(usize);
    impl TileSource for Bytes {
        type Error = ();
        fn tile(&self, _: Tile) -> Result<Vec<u8>, ()> {
            Ok(vec![7; self.0])
        }
    }
    for short in [0, 1, 63, 65, 95, 8193, 8224] {
        assert!(tile::root(&Bytes(short), 2).is_err(), "{short}");
    }
    let exact = tile::root(&Bytes(64), 2);
    assert!(exact.is_ok());
    assert_eq!(tile::root(&Bytes(96), 2), exact);
    assert_eq!(tile::root(&Bytes(8192), 2), exact);
    // Sizes from outside end, whatever they are.
    assert!(tile::root(&Bytes(8192), u64::MAX).is_ok());
    assert!(tile::inclusion(&Bytes(8192), u64::MAX - 1, u64::MAX).is_ok());
    assert!(tile::consistency(&Bytes(8192), u64::MAX - 2, u64::MAX).is_ok());
}
