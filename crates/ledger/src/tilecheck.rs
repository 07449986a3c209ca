//! Comparing the tiles and bundles in a store with the journal they were made from.
//!
//! A crash leaves whole files only, because each was synced under another name first, and only such
//! as the journal bears out, because its entries were synced before. So whatever is there must
//! agree, also above the head. What the head implies must be there.

use std::io;

use seal::digest::Digest;

use crate::damage::{Cause, Damage};
use crate::leaves::Place;
use crate::store::{Source, becomes};
use crate::tiles::{Edge, FULL, Layer, MAX_PIECE, Piece, prefix};

/// The comparison, fed with every leaf in order.
pub(crate) struct TileCheck {
    /// What is there, sorted.
    listed: Vec<Piece>,
    /// What has the name of a piece and is no file, which is said already.
    other: Vec<Piece>,
    /// The sizes whose tiles must be there.
    sizes: Vec<u64>,
    edge: Edge,
    /// The edge at this size is kept, with the place where the journal goes on.
    keep: u64,
    kept: Option<(Edge, Place)>,
    damage: Vec<Damage>,
}

/// What the comparison told.
#[derive(Default)]
pub(crate) struct TilesFound {
    /// Everything that does not agree.
    pub damage: Vec<Damage>,
    /// The edge at the size that was asked for, unless tiles are still to be made from the start.
    pub edge: Edge,
    /// Where the journal goes on behind it.
    pub place: Place,
}

impl TileCheck {
    /// `listed` are the pieces in the store; those that these sizes imply must be there. The edge at
    /// size `keep` is what a publisher goes on from.
    pub fn new(
        mut listed: Vec<Piece>,
        other: Vec<Piece>,
        standing: Standing,
        mut sizes: Vec<u64>,
        keep: u64,
        start: Place,
    ) -> TileCheck {
        listed.sort_unstable();
        sizes.sort_unstable();
        sizes.dedup();
        if standing != Standing::Kept {
            sizes.clear();
        }
        let keep = if standing == Standing::Kept { keep } else { 0 };
        let mut check = TileCheck {
            listed,
            other,
            sizes,
            edge: Edge::default(),
            keep,
            kept: None,
            damage: Vec::new(),
        };
        check.note(start);
        check
    }

    /// The next leaf; `behind` is where the journal goes on.
    pub fn push(
        &mut self,
        source: &dyn Source,
        hash: Digest,
        leaf: &[u8],
        behind: Place,
    ) -> io::Result<()> {
        let TileCheck { listed, other, sizes, edge, damage, .. } = self;
        let compare = Compare { source, listed, other, sizes };
        edge.push(hash, leaf, &mut |piece, bytes| compare.piece(piece, bytes, damage))?;
        self.note(behind);
        Ok(())
    }

    fn note(&mut self, place: Place) {
        if self.edge.size() == self.keep {
            self.kept = Some((self.edge.clone(), place));
        }
    }

    /// What did not agree up to a leaf that was lost: behind it nothing can be told.
    pub fn interrupted(self) -> Vec<Damage> {
        self.damage
    }

    /// Behind the last leaf of the journal.
    pub fn finish(mut self, source: &dyn Source) -> io::Result<TilesFound> {
        let journal = self.edge.size();
        let TileCheck { listed, other, sizes, edge, damage, .. } = &mut self;
        let compare = Compare { source, listed, other, sizes };
        for (piece, bytes) in edge.partials() {
            compare.piece(piece, &bytes, damage)?;
        }
        for piece in &self.listed {
            let end = piece.index.saturating_mul(u64::from(FULL)) + u64::from(piece.width);
            if end > piece.layer.units(journal) {
                let mut damage = Damage::of_file(piece.name(), Cause::TileBeyond { journal });
                damage.index = Some(journal);
                self.damage.push(damage);
            }
        }
        let (edge, place) = self.kept.unwrap_or_default();
        Ok(TilesFound { damage: self.damage, edge, place })
    }
}

/// Whether a ledger has its tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Standing {
    /// There are none: a ledger from before there were any.
    #[default]
    None,
    /// They are being made for the first time, or were when a crash came.
    Begun,
    /// All that head and checkpoint imply must be there.
    Kept,
}

impl Standing {
    /// When tiles are made for a ledger that has entries but no tiles, a temporary file of the very
    /// first tile comes before all others, and that tile behind all others.
    pub fn of(listed: &[Piece], leftovers: &[String]) -> Standing {
        let first = |piece: &Piece| piece.layer == Layer::Level(0) && piece.index == 0;
        let named = |name: &String| becomes(name).and_then(Piece::parse);
        if listed.is_empty() {
            Standing::None
        } else if listed.iter().any(first) {
            Standing::Kept
        } else if leftovers.iter().filter_map(named).any(|piece| first(&piece)) {
            Standing::Begun
        } else {
            Standing::Kept
        }
    }
}

struct Compare<'a> {
    source: &'a dyn Source,
    listed: &'a [Piece],
    other: &'a [Piece],
    sizes: &'a [u64],
}

impl Compare<'_> {
    /// Compares what lies in one place of the tree with what must, `bytes`, as far as the journal
    /// goes.
    fn piece(&self, piece: Piece, bytes: &[u8], damage: &mut Vec<Damage>) -> io::Result<()> {
        let Piece { layer, index, .. } = piece;
        let first = Piece { width: 0, ..piece };
        let from = self.listed.partition_point(|listed| *listed < first);
        let here = self.listed.iter().skip(from);
        let here = here.take_while(|listed| (listed.layer, listed.index) == (layer, index));
        let mut widest = 0;
        for listed in here {
            widest = listed.width;
            if listed.width > piece.width {
                // Behind the journal's end: said once, at the end.
                continue;
            }
            let must = prefix(layer, bytes, listed.width);
            match self.source.read(&listed.name(), MAX_PIECE) {
                Ok(found) if must == Some(found.as_slice()) => {}
                // A partial one goes once the full one is there: a writer at work.
                Err(error) if error.kind() == io::ErrorKind::NotFound && listed.width < FULL => {}
                Err(error)
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::FileTooLarge
                    ) =>
                {
                    return Err(error);
                }
                Ok(_) | Err(_) => damage.push(Damage::of_file(listed.name(), Cause::Tile)),
            }
        }
        for &size in self.sizes {
            let units = layer.units(size);
            let start = index.saturating_mul(u64::from(FULL));
            if units <= start {
                continue;
            }
            // At most 256, so it fits.
            let width = (units - start).min(u64::from(FULL)) as u16;
            if width > piece.width {
                // The size lies behind the journal's end, which is said of head or checkpoint.
                continue;
            }
            let asked = Piece { width, ..piece };
            let there = self.listed.binary_search(&asked).is_ok() || widest == FULL;
            if !there && !self.appeared(asked, bytes)? {
                damage.push(Damage::of_file(asked.name(), Cause::TileMissing { size }));
            }
        }
        Ok(())
    }

    /// Whether a piece that was not listed is there by now, or the full one that replaces it.
    fn appeared(&self, asked: Piece, bytes: &[u8]) -> io::Result<bool> {
        let must = prefix(asked.layer, bytes, asked.width);
        for piece in [asked, asked.full()] {
            // A link and the like cannot be read, and is no tile for whoever proves from the files.
            if self.other.contains(&piece) {
                continue;
            }
            match self.source.read(&piece.name(), MAX_PIECE) {
                Ok(found) => return Ok(prefix(asked.layer, &found, asked.width) == must),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}
