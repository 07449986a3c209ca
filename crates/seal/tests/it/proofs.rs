//! Inclusion and consistency for all sizes up to 300, from leaves and from tiles.

use std::collections::BTreeMap;

use countersign_seal as seal;
use seal::Digest;
use seal::merkle::{
    consistency_proof, inclusion_proof, leaf_hash, node_hash, root_of, verify_consistency,
    verify_inclusion,
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

#[test]
fn tiles_give_the_roots_and_proofs_that_leaves_give() {
    let all = leaves(MOST);
    for size in 0..=MOST {
        let tree = &all[..size];
        let (tiles, n) = (Tiles::of(tree), size as u64);
        assert_eq!(tile::root(&tiles, n), Ok(root_of(tree)));
        for index in 0..size {
            let i = index as u64;
            assert_eq!(tile::inclusion(&tiles, i, n), Ok(inclusion_proof(tree, index)));
            assert_eq!(tile::leaf(&tiles, i, n), Ok(tree[index]));
        }
        for old in 0..=size {
            assert_eq!(tile::consistency(&tiles, old as u64, n), Ok(consistency_proof(tree, old)));
        }
        assert!(tile::inclusion(&tiles, n, n).is_err());
        assert!(tile::consistency(&tiles, n + 1, n).is_err());
    }
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
