//! The tree as files: hash tiles, and bundles of the leaves under them (C2SP tlog-tiles).
//!
//! What a tile holds follows from the leaves alone, so tiles are no second truth: they are made
//! from the journal at each checkpoint and compared with it at each start. Only the right edge of
//! the tree is kept in memory, the last incomplete tile of each level; it does not grow with the
//! log.

use seal::digest::Digest;
use seal::merkle::{empty_root, node_hash, root_of};
use seal::tile::{Bundle, LEVELS, Tile, hashes_at};

pub(crate) use seal::tile::FULL;

/// Length of a hash.
const HASH: usize = 32;

/// Where a file stands in the tree: the leaves themselves, or the hashes of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Layer {
    /// Bundles of leaves.
    Entries,
    /// Tiles of this level; level 0 holds the leaf hashes.
    Level(u8),
}

impl Layer {
    /// How many units of this layer a tree of `size` leaves has.
    pub fn units(self, size: u64) -> u64 {
        match self {
            Layer::Entries => size,
            Layer::Level(level) => hashes_at(level, size),
        }
    }
}

/// A tile or bundle, full or partial. Ordered by layer, then from left to right, then by width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Piece {
    pub layer: Layer,
    pub index: u64,
    /// 1 to 256; 256 is full.
    pub width: u16,
}

impl Piece {
    /// The file's name in the ledger.
    pub fn name(&self) -> String {
        let Piece { layer, index, width } = *self;
        match layer {
            Layer::Entries => format!("{ENTRIES}{}", Bundle { index, width }.place()),
            Layer::Level(level) => format!("{PUBLIC}{}", Tile { level, index, width }.path()),
        }
    }

    /// The inverse of [`Piece::name`]; every other spelling is refused.
    pub fn parse(name: &str) -> Option<Piece> {
        if let Some(place) = name.strip_prefix(ENTRIES) {
            let Bundle { index, width } = Bundle::parse_place(place)?;
            return Some(Piece { layer: Layer::Entries, index, width });
        }
        let Tile { level, index, width } = Tile::parse(name.strip_prefix(PUBLIC)?)?;
        (level < LEVELS).then_some(Piece { layer: Layer::Level(level), index, width })
    }

    /// The full one of the same place.
    pub fn full(self) -> Piece {
        Piece { width: FULL, ..self }
    }
}

/// Whether a directory of this name may lie in a ledger on the way to tiles and bundles.
pub(crate) fn is_directory(name: &str) -> bool {
    let below = if name == "entries" || name == "public/tile" {
        return true;
    } else if let Some(below) = name.strip_prefix(ENTRIES) {
        below
    } else {
        let Some(below) = name.strip_prefix(TILES) else { return false };
        let (level, below) = below.split_once('/').unwrap_or((below, ""));
        let known = level.parse::<u8>().is_ok_and(|n| n < LEVELS && n.to_string() == level);
        if !known {
            return false;
        }
        if below.is_empty() {
            return true;
        }
        below
    };
    let digits = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = below.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let group = part.strip_prefix('x').is_some_and(digits);
        let partial = last && part.strip_suffix(".p").is_some_and(digits);
        if !group && !partial {
            return false;
        }
    }
    true
}

/// The directory of bundles. They are not for everybody's eyes, so they lie outside of `public/`.
const ENTRIES: &str = "entries/";
/// What lies under it may be served to anybody.
const PUBLIC: &str = "public/";
/// The directory of tiles.
const TILES: &str = "public/tile/";

/// Gets each piece that becomes full.
pub(crate) type Done<'a, E> = dyn FnMut(Piece, &[u8]) -> Result<(), E> + 'a;

/// The right edge of a growing tree: the last, incomplete tile of each level, and the last bundle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    /// Fewer than 256 hashes each.
    levels: Vec<Vec<Digest>>,
    /// Fewer than 256 leaves, each behind its length (two bytes, big-endian).
    bundle: Vec<u8>,
}

impl Edge {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. `done` gets each tile and bundle that it completes.
    pub fn push<E>(&mut self, hash: Digest, leaf: &[u8], done: &mut Done<'_, E>) -> Result<(), E> {
        // A leaf has at most 1,024 bytes.
        self.bundle.extend_from_slice(&(leaf.len() as u16).to_be_bytes());
        self.bundle.extend_from_slice(leaf);
        self.size += 1;
        let mut node = hash;
        for level in 0.. {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { break };
            hashes.push(node);
            if hashes.len() < usize::from(FULL) {
                break;
            }
            let unit = Layer::Level(level).units(self.size);
            let index = unit / u64::from(FULL) - 1;
            if level == 0 {
                done(Piece { layer: Layer::Entries, index, width: FULL }, &self.bundle)?;
                self.bundle.clear();
            }
            done(Piece { layer: Layer::Level(level), index, width: FULL }, &bytes_of(hashes))?;
            node = root_of(hashes);
            hashes.clear();
        }
        Ok(())
    }

    /// The partial tiles and the partial bundle of this size.
    pub fn partials(&self) -> impl Iterator<Item = (Piece, Vec<u8>)> {
        let bundle = self.last(Layer::Entries).map(|piece| (piece, self.bundle.clone()));
        let tiles = (0u8..).zip(&self.levels).filter_map(|(level, hashes)| {
            self.last(Layer::Level(level)).map(|piece| (piece, bytes_of(hashes)))
        });
        bundle.into_iter().chain(tiles)
    }

    /// The partial piece of a layer, unless its last one is full.
    fn last(&self, layer: Layer) -> Option<Piece> {
        let units = layer.units(self.size);
        // Below 256, so it fits.
        let width = (units % u64::from(FULL)) as u16;
        (width > 0).then_some(Piece { layer, index: units / u64::from(FULL), width })
    }

    /// The root over all leaves.
    pub fn root(&self) -> Digest {
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let (run, more) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(root_of(run));
                rest = more;
            }
        }
        let mut peaks = peaks.into_iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(last, |right, left| node_hash(&left, &right))
    }
}

fn bytes_of(hashes: &[Digest]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
    bytes
}

/// The longest bundle: 256 leaves of the greatest length.
pub(crate) const MAX_PIECE: usize = FULL as usize * (2 + crate::leaf::MAX_LEAF);

/// The first bytes of a full piece, as a partial one of this width would be.
pub(crate) fn prefix(layer: Layer, bytes: &[u8], width: u16) -> Option<&[u8]> {
    let length = match layer {
        Layer::Level(_) => usize::from(width) * HASH,
        Layer::Entries => {
            let mut at = 0;
            for _ in 0..width {
                let length = bytes.get(at..at + 2)?;
                at += 2 + usize::from(u16::from_be_bytes([*length.first()?, *length.get(1)?]));
            }
            at
        }
    };
    bytes.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::merkle::{Frontier, leaf_hash};

    #[test]
    fn names_of_the_specification() {
        let name = |index, width| Piece { layer: Layer::Level(0), index, width }.name();
        assert_eq!(name(0, FULL), "public/tile/0/000");
        assert_eq!(name(999, FULL), "public/tile/0/999");
        assert_eq!(name(1000, FULL), "public/tile/0/x001/000");
        assert_eq!(name(1_234_067, 7), "public/tile/0/x001/x234/067.p/7");
        assert_eq!(name(1_000_000_000, FULL), "public/tile/0/x001/x000/x000/000");
        for index in [0, 1, 999, 1000, 1_234_067, 1 << 56] {
            for layer in [Layer::Entries, Layer::Level(0), Layer::Level(7)] {
                for width in [1, 255, FULL] {
                    let piece = Piece { layer, index, width };
                    assert_eq!(Piece::parse(&piece.name()), Some(piece));
                    let mut parts: Vec<&str> = Vec::new();
                    let name = piece.name();
                    for part in name.split('/') {
                        if parts.len() > 2 || (parts.len() == 1 && parts[0] == "entries") {
                            assert!(is_directory(&parts.join("/")), "{name}");
                        }
                        parts.push(part);
                    }
                    assert!(!is_directory(&name), "{name}");
                }
            }
        }
        for bad in [
            "public/tile/0/0",
            "public/tile/00/000",
            "public/tile/8/000",
            "public/tile/0/1000",
            "public/tile/0/x000/000",
            "public/tile/0/000.p/0",
            "public/tile/0/000.p/256",
            "public/tile/0/000.p/01",
            "public/tile/0/000.p/1/2",
            "public/tile/0/+00",
            "public/tile/000",
            "entries/000.p",
            "entries/0/000",
            "tile/0/000",
        ] {
            assert_eq!(Piece::parse(bad), None, "{bad}");
        }
        for bad in
            ["public/tile/8", "public/tile/00", "public/tile/0/000", "entries/x00", "entriesx"]
        {
            assert!(!is_directory(bad), "{bad}");
        }
    }

    #[test]
    fn an_edge_has_the_pieces_and_the_root_of_its_size() {
        let (mut edge, mut frontier) = (Edge::default(), Frontier::new());
        let mut full = Vec::new();
        for size in 0..=70_000u64 {
            if size % 977 == 0 || size % 256 < 2 || size == 70_000 {
                assert_eq!(edge.root(), frontier.root(), "{size}");
            }
            if size == 70_000 {
                break;
            }
            let leaf = size.to_be_bytes();
            edge.push(leaf_hash(&leaf), &leaf, &mut |piece, bytes| {
                assert_eq!(prefix(piece.layer, bytes, FULL), Some(bytes));
                full.push(piece);
                Ok::<(), ()>(())
            })
            .unwrap();
            frontier.push(leaf_hash(&leaf));
        }
        let count = |layer| full.iter().filter(|piece| piece.layer == layer).count();
        assert_eq!(count(Layer::Entries), 273);
        assert_eq!((count(Layer::Level(0)), count(Layer::Level(1))), (273, 1));
        let partial: Vec<String> = edge.partials().map(|(piece, _)| piece.name()).collect();
        let expected = [
            "entries/273.p/112",
            "public/tile/0/273.p/112",
            "public/tile/1/001.p/17",
            "public/tile/2/000.p/1",
        ];
        assert_eq!(partial, expected);
    }
}
