//! Making tiles and bundles anew, by an operator's decision: what they hold follows from the
//! journal, which bears out what was signed.

use std::io;

use seal::digest::Digest;

use crate::damage::{Cause, Damage};
use crate::leaves::{Place, Unread, read_back};
use crate::setaside::MAX_LISTED;
use crate::store::joints::Blobs;
use crate::survey::Survey;
use crate::tiles::{Edge, FULL, Piece, prefix};

/// A file that was kept outside of the ledger before it was replaced.
pub(crate) struct Kept {
    pub file: String,
    pub length: u64,
    pub digest: Digest,
}

/// Keeps a file that is about to be replaced, where it is there.
pub(crate) fn keep(
    store: &dyn Blobs,
    file: &str,
    bytes: Option<&[u8]>,
) -> io::Result<Option<Kept>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let digest = Digest::of(bytes);
    let short = digest.hex().chars().take(16).collect::<String>();
    store.set_aside(&format!("{}-{short}.bytes", file.replace('/', "-")), bytes)?;
    Ok(Some(Kept { file: file.to_owned(), length: bytes.len() as u64, digest }))
}

/// Whether damage is of a tile or bundle.
pub(crate) fn is_of_tiles(damage: &Damage) -> bool {
    matches!(damage.cause, Cause::Tile | Cause::TileBeyond { .. } | Cause::TileMissing { .. })
}

/// The tiles and bundles that cover entries from `first` on.
pub(crate) fn behind(pieces: &[Piece], first: u64) -> impl Iterator<Item = &Piece> {
    pieces.iter().filter(move |piece| {
        let end = piece.index.saturating_mul(u64::from(FULL)) + u64::from(piece.width);
        end > piece.layer.units(first)
    })
}

/// Makes anew what the damage names, of a journal of `size` entries; removes what covers more. Says
/// what was there, the first fifty of it.
pub(crate) fn tiles(
    store: &dyn Blobs,
    survey: &Survey,
    damage: &[Damage],
    size: u64,
) -> io::Result<Vec<Kept>> {
    let damage = damage.iter().filter(|damage| is_of_tiles(damage));
    let mut wanted: Vec<Piece> = damage.filter_map(|damage| Piece::parse(&damage.file)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut kept = Vec::new();
    for piece in wanted.iter().filter(|piece| survey.pieces.contains(piece)) {
        let name = piece.name();
        let length = usize::try_from(store.len(&name)?).unwrap_or(usize::MAX);
        let old = keep(store, &name, Some(&store.read(&name, length)?))?;
        kept.extend(old.filter(|_| kept.len() < MAX_LISTED));
    }
    let mut left = wanted;
    let mut make = |place: Piece, bytes: &[u8]| -> io::Result<()> {
        let here = |piece: &Piece| (piece.layer, piece.index) == (place.layer, place.index);
        let mut done = Ok(());
        left.retain(|piece| match prefix(piece.layer, bytes, piece.width) {
            Some(must) if here(piece) && piece.width <= place.width && done.is_ok() => {
                done = store.put(&piece.name(), must);
                false
            }
            _ => true,
        });
        Ok(done?)
    };
    let start = Place { segment: survey.segments.first().copied().unwrap_or(0), offset: 0 };
    let mut edge = Edge::default();
    let read = read_back(store, start, 0, size, &mut |hash, leaf| edge.push(hash, leaf, &mut make));
    read.map_err(|error| match error {
        Unread::Io(error) | Unread::Sink(error) => error,
        Unread::Changed { file, offset } => {
            io::Error::other(format!("{file} at byte {offset} is not what was read before"))
        }
    })?;
    for (piece, bytes) in edge.partials() {
        make(piece, &bytes)?;
    }
    for piece in left {
        match store.remove(&piece.name()).map_err(io::Error::from) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    store.settle()?;
    Ok(kept)
}
