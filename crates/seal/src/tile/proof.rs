//! Roots and proofs from tiles, without the leaves.
//!
//! What comes out is as good as the tiles that went in: whoever did not write them compares the
//! root, or verifies the proof, with a signed checkpoint.

use std::cell::RefCell;

use super::{FULL_BYTES, Tile, hash_at};
use crate::digest::Digest;
use crate::merkle::{empty_root, node_hash};

/// Where tiles come from: a directory, a static host, memory.
///
/// An answer is the bytes of the tile asked for, or of a wider tile at the same place: a partial
/// tile may be gone once the full one is there, and its hashes are the first of the full one. A
/// tile that is not there is an error. Calls may come in any order; the same tile is asked for at
/// most once per root or proof.
pub trait TileSource {
    /// Why a tile did not come.
    type Error;

    /// The bytes of `tile`.
    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error>;
}

impl<T: TileSource + ?Sized> TileSource for &T {
    type Error = T::Error;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, T::Error> {
        (**self).tile(tile)
    }
}

/// A root or proof could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError<E> {
    /// The source has no such tile.
    #[error("{}: {error}", tile.path())]
    Source {
        /// The tile asked for.
        tile: Tile,
        /// What the source said.
        error: E,
    },
    /// A tile is no list of hashes, too short or too long.
    #[error("{}: expected {} bytes or a wider tile, got {length}", tile.path(), tile.bytes())]
    Length {
        /// The tile asked for.
        tile: Tile,
        /// The length that came.
        length: usize,
    },
    /// The index or old size does not lie within the tree.
    #[error("there is no position {position} in a tree of {size} leaves")]
    Beyond {
        /// What was asked for.
        position: u64,
        /// Leaves there are.
        size: u64,
    },
}

/// The root of the first `size` leaves.
pub fn root<T: TileSource>(tiles: &T, size: u64) -> Result<Digest, TileError<T::Error>> {
    Reader::new(tiles, size).span(0, size)
}

/// The hash of leaf `index` of a tree of `size` leaves.
pub fn leaf<T: TileSource>(
    tiles: &T,
    index: u64,
    size: u64,
) -> Result<Digest, TileError<T::Error>> {
    Reader::new(tiles, size).perfect(0, index)
}

/// The root over the leaves `index * 2^height .. (index + 1) * 2^height` of a tree of `size`
/// leaves, which must all be there.
pub fn node<T: TileSource>(
    tiles: &T,
    height: u32,
    index: u64,
    size: u64,
) -> Result<Digest, TileError<T::Error>> {
    Reader::new(tiles, size).perfect(height, index)
}

/// The proof that leaf `index` is in the tree of `size` leaves, from the leaf to the root: what
/// [`crate::merkle::verify_inclusion`] takes.
pub fn inclusion<T: TileSource>(
    tiles: &T,
    index: u64,
    size: u64,
) -> Result<Vec<Digest>, TileError<T::Error>> {
    if index >= size {
        return Err(TileError::Beyond { position: index, size });
    }
    let reader = Reader::new(tiles, size);
    let (mut first, mut count) = (0, size);
    let mut siblings = Vec::new();
    while count > 1 {
        let split = split_point(count);
        if index - first < split {
            siblings.push((first + split, count - split));
            count = split;
        } else {
            siblings.push((first, split));
            first += split;
            count -= split;
        }
    }
    siblings.into_iter().rev().map(|(first, count)| reader.span(first, count)).collect()
}

/// The proof that the tree of `new` leaves extends that of its first `old`: what
/// [`crate::merkle::verify_consistency`] takes. Empty for `old` 0 and for equal sizes.
pub fn consistency<T: TileSource>(
    tiles: &T,
    old: u64,
    new: u64,
) -> Result<Vec<Digest>, TileError<T::Error>> {
    if old > new {
        return Err(TileError::Beyond { position: old, size: new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let reader = Reader::new(tiles, new);
    let (mut first, mut count) = (0, new);
    let mut spans = Vec::new();
    while old - first != count {
        let split = split_point(count);
        if old - first <= split {
            spans.push((first + split, count - split));
            count = split;
        } else {
            spans.push((first, split));
            first += split;
            count -= split;
        }
    }
    // The old tree's own last subtree is left out where it is the whole of the old tree.
    if first > 0 {
        spans.push((first, count));
    }
    spans.into_iter().rev().map(|(first, count)| reader.span(first, count)).collect()
}

/// The largest power of two below `count`, which is at least 2.
fn split_point(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// Reads each tile once.
struct Reader<'a, T: TileSource> {
    tiles: &'a T,
    size: u64,
    seen: RefCell<Vec<(Tile, Vec<u8>)>>,
}

impl<'a, T: TileSource> Reader<'a, T> {
    fn new(tiles: &'a T, size: u64) -> Self {
        Reader { tiles, size, seen: RefCell::default() }
    }

    /// The root over `count` leaves from `first`, which is a multiple of each power of two that
    /// makes up `count`.
    fn span(&self, first: u64, count: u64) -> Result<Digest, TileError<T::Error>> {
        // From the right: the smallest perfect subtree is the last one.
        let mut right: Option<Digest> = None;
        let mut end = first + count;
        let mut rest = count;
        while rest > 0 {
            let height = rest.trailing_zeros();
            end -= 1 << height;
            let left = self.perfect(height, end >> height)?;
            right = Some(right.map_or(left, |right| node_hash(&left, &right)));
            rest &= rest - 1;
        }
        Ok(right.unwrap_or_else(empty_root))
    }

    /// The root of the perfect subtree of this height and position.
    fn perfect(&self, height: u32, index: u64) -> Result<Digest, TileError<T::Error>> {
        // At most 64 / 8, so it fits.
        let (level, inside) = ((height / 8) as u8, height % 8);
        let beyond = TileError::Beyond { position: index, size: self.size };
        let Some(first) = index.checked_mul(1 << inside) else { return Err(beyond) };
        let Some(last) = first.checked_add((1 << inside) - 1) else { return Err(beyond) };
        // The subtree never crosses a tile, and its last hash decides how wide the tile must be.
        let Some((tile, at)) = Tile::holding(level, last, self.size) else { return Err(beyond) };
        let first = at + 1 - (1 << inside);
        self.load(tile)?;
        let seen = self.seen.borrow();
        let bytes = seen.iter().find(|(known, _)| *known == tile).map(|(_, bytes)| &bytes[..]);
        let hash = |at| hash_at(bytes.unwrap_or_default(), at);
        let hashes: Option<Vec<Digest>> = (first..=at).map(hash).collect();
        let length = bytes.map_or(0, <[u8]>::len);
        let mut hashes = hashes.ok_or(TileError::Length { tile, length })?;
        while hashes.len() > 1 {
            hashes = hashes.as_chunks::<2>().0.iter().map(|[l, r]| node_hash(l, r)).collect();
        }
        hashes.pop().ok_or(TileError::Length { tile, length })
    }

    fn load(&self, tile: Tile) -> Result<(), TileError<T::Error>> {
        if self.seen.borrow().iter().any(|(known, _)| *known == tile) {
            return Ok(());
        }
        let bytes = self.tiles.tile(tile).map_err(|error| TileError::Source { tile, error })?;
        let length = bytes.len();
        if length < tile.bytes() || length > FULL_BYTES || length % 32 != 0 {
            return Err(TileError::Length { tile, length });
        }
        self.seen.borrow_mut().push((tile, bytes));
        Ok(())
    }
}
