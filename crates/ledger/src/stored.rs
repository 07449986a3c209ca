//! The tiles of a ledger as a source of proofs.

use std::io;

use seal::tile::{FULL_BYTES, Tile, TileSource};

use crate::store::Source;
use crate::tiles::{Layer, Piece};

/// The hash tiles that lie in a store. What they say is as good as the store: whoever gets a proof
/// made of them checks it against signed roots.
pub struct StoredTiles<'a>(pub(crate) &'a dyn Source);

impl TileSource for StoredTiles<'_> {
    type Error = io::Error;

    fn tile(&self, tile: Tile) -> io::Result<Vec<u8>> {
        let Tile { level, index, width } = tile;
        let piece = Piece { layer: Layer::Level(level), index, width };
        match self.0.read(&piece.name(), FULL_BYTES) {
            // A partial tile goes once the full one is there.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !tile.is_full() => {
                self.0.read(&piece.full().name(), FULL_BYTES)
            }
            read => read,
        }
    }
}
