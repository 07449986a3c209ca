//! The tree in pieces that any static host can serve (C2SP tlog-tiles): which tiles a size implies,
//! what they are called, and roots and proofs computed from them.
//!
//! A tile is 256 hashes of one level at most. Level 0 has leaf hashes; hash `n` of level `L` is the
//! root over leaves `n * 256^L .. (n + 1) * 256^L`. Only full tiles are hashed upward, so a hash
//! that was once written never changes; the right edge of a tree lies in partial tiles.

mod bundle;
mod proof;

use std::fmt;

use crate::digest::Digest;

pub use bundle::{Bundle, BundleError, bundles_between, decode_bundle, encode_bundle};
pub use proof::{TileError, TileSource, consistency, inclusion, leaf, node, root};

/// Hashes of a full tile, entries of a full bundle.
pub const FULL: u16 = 256;
/// Bytes of a full tile.
pub const FULL_BYTES: usize = 256 * 32;
/// Levels a tree of at most 2^64 - 1 leaves has; a path may name levels up to 63.
pub const LEVELS: u8 = 8;

/// One tile, at most 256 hashes wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 has leaf hashes; at most 63.
    pub level: u8,
    /// Position among the tiles of its level.
    pub index: u64,
    /// How many hashes it has, 1 to 256; less than 256 at the right edge only.
    pub width: u16,
}

impl Tile {
    /// Where it lies below the log's prefix: `tile/0/x001/067`, partial `tile/0/x001/067.p/12`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, Place(self.index, self.width))
    }

    /// Strict inverse of [`Tile::path`].
    pub fn parse(path: &str) -> Option<Tile> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let level: u8 = canonical(level).filter(|level| *level <= 63)?.try_into().ok()?;
        let (index, width) = parse_place(place)?;
        Some(Tile { level, index, width })
    }

    /// The tile of all 256 hashes at this place, which replaces a partial one once it is there.
    pub fn full(self) -> Tile {
        Tile { width: FULL, ..self }
    }

    /// Whether all 256 hashes are there.
    pub fn is_full(&self) -> bool {
        self.width == FULL
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> usize {
        usize::from(self.width) * 32
    }

    /// The tile of a tree of `size` leaves that has hash `position` of `level`, and the place of
    /// the hash in it; `None` when the tree has no such hash.
    pub fn holding(level: u8, position: u64, size: u64) -> Option<(Tile, usize)> {
        let count = hashes_at(level, size);
        if position >= count {
            return None;
        }
        let index = position >> 8;
        let width = width_at(index, count);
        Some((Tile { level, index, width }, (position & 255) as usize))
    }
}

/// Hash `at` of a tile's bytes.
pub fn hash_at(bytes: &[u8], at: usize) -> Option<Digest> {
    let (hashes, _) = bytes.as_chunks::<32>();
    hashes.get(at).map(|hash| Digest::from_bytes(*hash))
}

/// How many hashes a level has in a tree of `size` leaves: only whole subtrees count.
pub fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// All tiles of a tree of `size` leaves, level by level from the leaves.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    tiles_between(0, size)
}

/// The tiles a tree of `new` leaves has and the same tree with `old` leaves had not: what a
/// checkpoint at `new` must write. Nothing when it has not grown.
pub fn tiles_between(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS).flat_map(move |level| {
        let count = hashes_at(level, new);
        // Where the old tree ended inside a tile, that tile has grown.
        indices(hashes_at(level, old), count).map(move |index| Tile {
            level,
            index,
            width: width_at(index, count),
        })
    })
}

/// The tiles or bundles that `new` hashes or entries have and `old` had not.
fn indices(old: u64, new: u64) -> std::ops::Range<u64> {
    if old >= new { 0..0 } else { old >> 8..new.div_ceil(256) }
}

/// The width of tile `index` where its level has `count` hashes; `index` is one of its tiles.
fn width_at(index: u64, count: u64) -> u16 {
    // At most 256, so it fits.
    count.saturating_sub(index << 8).min(256) as u16
}

/// `x001/x234/067`, with `.p/<W>` where it is not full.
struct Place(u64, u16);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place(index, width) = *self;
        let mut groups = vec![index % 1000];
        let mut rest = index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if width < FULL { write!(f, ".p/{width}") } else { Ok(()) }
    }
}

fn parse_place(text: &str) -> Option<(u64, u16)> {
    let (groups, width) = match text.split_once(".p/") {
        None => (text, FULL),
        Some((groups, width)) => {
            let width = canonical(width).filter(|width| (1..256).contains(width))?;
            (groups, u16::try_from(width).ok()?)
        }
    };
    let mut index = 0u64;
    let mut groups = groups.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = match groups.peek() {
            Some(_) => group.strip_prefix('x')?,
            None => group,
        };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    // One spelling only: no leading groups of zeros.
    (Place(index, width).to_string() == text).then_some((index, width))
}

/// A decimal number in its one spelling.
fn canonical(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_paths() {
        for (index, path) in [
            (0, "000"),
            (999, "999"),
            (1000, "x001/000"),
            (1_234_067, "x001/x234/067"),
            (1_000_000_000, "x001/x000/x000/000"),
        ] {
            let tile = Tile { level: 3, index, width: FULL };
            assert_eq!(tile.path(), format!("tile/3/{path}"));
            assert_eq!(Tile::parse(&tile.path()), Some(tile));
            let part = Tile { width: 7, ..tile };
            assert_eq!(part.path(), format!("tile/3/{path}.p/7"));
            assert_eq!(Tile::parse(&part.path()), Some(part));
        }
        let last = Tile { level: 63, index: u64::MAX, width: 255 };
        assert_eq!(Tile::parse(&last.path()), Some(last));
    }

    #[test]
    fn one_spelling_only() {
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/x001/x002",
            "tile/0/x001/002/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1/2",
            "tile/0/+00",
            "tile/0/\u{661}\u{661}\u{661}",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "/tile/0/000",
            "tile/0/000\n",
        ] {
            assert_eq!(Tile::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_tiles_of_a_size() {
        let paths = |size| tiles_of(size).map(|tile| tile.path()).collect::<Vec<_>>();
        assert_eq!(paths(0), Vec::<String>::new());
        assert_eq!(paths(1), ["tile/0/000.p/1"]);
        assert_eq!(paths(256), ["tile/0/000", "tile/1/000.p/1"]);
        let all: Vec<Tile> = tiles_of(70_000).collect();
        let of = |level, full| {
            all.iter().filter(|tile| tile.level == level && tile.is_full() == full).count()
        };
        assert_eq!((of(0, true), of(0, false), of(1, true), of(1, false)), (273, 1, 1, 1));
        assert_eq!((of(2, true), of(2, false), all.len()), (0, 1, 277));
        for edge in ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"] {
            assert!(all.contains(&Tile::parse(edge).unwrap()), "{edge}");
        }
        assert_eq!(tiles_of(u64::MAX).next().map(|tile| tile.width), Some(256));
    }

    #[test]
    fn growth_writes_what_was_not_there() {
        for (old, new) in [(0, 0), (5, 5), (7, 3), (0, 300), (255, 256), (256, 257), (300, 70_000)]
        {
            let before: std::collections::BTreeSet<Tile> = tiles_of(old).collect();
            let grown: Vec<Tile> = tiles_between(old, new).collect();
            let missing: Vec<Tile> = tiles_of(new).filter(|t| !before.contains(t)).collect();
            assert_eq!(grown, if old > new { Vec::new() } else { missing }, "{old} {new}");
        }
    }

    #[test]
    fn where_a_hash_lies() {
        let place = |level, position, size| {
            Tile::holding(level, position, size).map(|(tile, at)| (tile.path(), at))
        };
        assert_eq!(place(0, 69_999, 70_000), Some(("tile/0/273.p/112".to_owned(), 111)));
        assert_eq!(place(0, 0, 70_000), Some(("tile/0/000".to_owned(), 0)));
        assert_eq!(place(1, 272, 70_000), Some(("tile/1/001.p/17".to_owned(), 16)));
        assert_eq!(place(1, 273, 70_000), None);
        assert_eq!(place(9, 0, u64::MAX), None);
        assert_eq!(hash_at(&[7; 64], 1), Some(Digest::from_bytes([7; 32])));
        assert_eq!(hash_at(&[7; 63], 1), None);
    }
}
