//! Making tiles and bundles of what was appended since the last checkpoint.

use std::collections::BTreeSet;
use std::io;
use std::mem;

use crate::append::Failure;
use crate::journal::State;
use crate::leaves::{Place, Unread, read_back};
use crate::store::joints::Blobs;
use crate::store::temporary;
use crate::tiles::{Edge, FULL, Layer, Piece};

/// The tiles of a store, as far as a publisher must know them: the right edge.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    edge: Edge,
    /// Where the journal goes on behind the edge.
    place: Place,
    /// Partial pieces in the store. Each goes once the full one is there.
    partials: BTreeSet<Piece>,
    /// There are entries under a head, and no tiles yet.
    late: bool,
}

/// Why tiles were not made. Nobody was told of them yet, so nothing is lost.
pub(crate) enum TileError {
    /// The store refused; the next checkpoint makes them anew.
    Unwritten(io::Error),
    /// The journal is not what was written.
    Broken(Failure),
}

impl Tiles {
    /// The tiles of a store that hold up to the edge, with whatever partial ones there are.
    pub fn new(edge: Edge, place: Place, pieces: &[Piece]) -> Tiles {
        let partials = pieces.iter().filter(|piece| piece.width < FULL).copied().collect();
        Tiles { edge, place, partials, late: false }
    }

    /// The tiles of a ledger from before there were any, to be made from the journal's start.
    pub fn late(place: Place) -> Tiles {
        Tiles { place, late: true, ..Tiles::default() }
    }

    /// Makes what the state implies and the edge did not. Durable on return.
    ///
    /// Each file is written and synced under another name, so that a crash leaves whole files only.
    /// Then each directory is synced once.
    pub fn advance(&mut self, store: &dyn Blobs, state: State) -> Result<(), TileError> {
        let State { size, root, pending, place } = state;
        if size <= self.edge.size() {
            return Ok(());
        }
        let from = self.edge.size();
        let mut edge = self.edge.clone();
        let mut work = Work { store, first: None };
        if self.late {
            work.begin(size).map_err(TileError::Unwritten)?;
        }
        let mut each =
            |hash, leaf: &[u8]| edge.push(hash, leaf, &mut |piece, bytes| work.put(piece, bytes));
        if let Some(done) = pending.each(from, size, &mut each) {
            done.map_err(TileError::Unwritten)?;
        } else {
            read_back(store, self.place, from, size, &mut each).map_err(unread)?;
        }
        // The journal as it was read back, and the tree as it was kept: two ways to one root.
        if edge.size() != size || edge.root() != root {
            return Err(TileError::Broken(Failure::Tiles { size }));
        }
        for (piece, bytes) in edge.partials() {
            if piece.layer.units(from) != piece.layer.units(size) {
                work.put(piece, &bytes).map_err(TileError::Unwritten)?;
                self.partials.insert(piece);
            }
        }
        work.finish().map_err(TileError::Unwritten)?;
        *self = Tiles { edge, place, partials: mem::take(&mut self.partials), late: false };
        Ok(())
    }

    /// Removes partial pieces that a full one has replaced, now that nothing published implies
    /// them. What cannot be removed goes with the next start.
    pub fn tidy(&mut self, store: &dyn Blobs) {
        let size = self.edge.size();
        let current = |piece: &Piece| piece.index == piece.layer.units(size) / u64::from(FULL);
        let (keep, gone) = mem::take(&mut self.partials).into_iter().partition(current);
        self.partials = keep;
        for piece in gone {
            let _ = store.remove(&piece.name());
        }
    }
}

/// Files on their way into the store.
struct Work<'a> {
    store: &'a dyn Blobs,
    /// Where tiles are made for a ledger that has entries already: the very first, and its content.
    /// A temporary file of its name says until the end that they are being made.
    first: Option<(Piece, Vec<u8>)>,
}

impl Work<'_> {
    fn begin(&mut self, size: u64) -> io::Result<()> {
        // At most 256, so it fits.
        let width = size.min(u64::from(FULL)) as u16;
        let first = Piece { layer: Layer::Level(0), index: 0, width };
        self.store.create(&mark(first))?;
        self.first = Some((first, Vec::new()));
        Ok(())
    }

    fn put(&mut self, piece: Piece, bytes: &[u8]) -> io::Result<()> {
        match &mut self.first {
            Some((first, kept)) if *first == piece => kept.extend_from_slice(bytes),
            _ => self.store.put(&piece.name(), bytes)?,
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.store.settle()?;
        let Some((first, bytes)) = self.first else { return Ok(()) };
        self.store.replace(&first.name(), &bytes)?;
        // It says nothing any more; if it stays, the next start removes it.
        let _ = self.store.remove(&mark(first));
        Ok(())
    }
}

/// The mark that a ledger's tiles are being made for the first time: a temporary file that looks
/// as if it were to become the first tile, in another width, so that writing that one leaves it be.
fn mark(first: Piece) -> String {
    let width = if first.width == FULL { 1 } else { FULL };
    temporary(&Piece { width, ..first }.name())
}

fn unread(error: Unread<io::Error>) -> TileError {
    match error {
        Unread::Io(error) | Unread::Sink(error) => TileError::Unwritten(error),
        Unread::Changed { file, offset } => {
            let source = io::Error::new(
                io::ErrorKind::InvalidData,
                format!("byte {offset} is not what was written"),
            );
            TileError::Broken(Failure::store("reading back", &file, source))
        }
    }
}
