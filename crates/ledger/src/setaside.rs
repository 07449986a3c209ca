//! Cutting off what cannot be kept, so that nothing vanishes without a trace.
//!
//! The bytes go to a place outside of the evidence first, durably. Then one atomic replacement puts
//! in place of the segment its good part, a trailer over the frames of the torn batch that are
//! whole, and a `repair` entry that names what was cut by digest. A crash at any point leaves the
//! old segment or the new one, never a cut without its entry.

use std::io;

use seal::digest::Digest;
use seal::json::{self, Value};
use seal::merkle::leaf_hash;

use crate::frame::{self, SEGMENT_HEADER};
use crate::journal::Journal;
use crate::kind::Kind;
use crate::leaf::{Fields, Leaf, MAX_INT};
use crate::walk::Fault;

/// What is to be cut.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// First index of the segment.
    pub segment: u64,
    /// Where the cut goes.
    pub offset: u64,
    /// The first index behind the cut: the index the repair entry gets.
    pub first: u64,
    /// The batch that is torn, and where its frames begin: those before the cut are kept.
    pub batch: u64,
    pub batch_first: u64,
    pub batch_offset: u64,
    /// Why, in the words of the damage.
    pub cause: String,
    /// Who decided: `start` or `operator`.
    pub by: &'static str,
    /// Whole segments that follow and go too (by an operator's decision only).
    pub later: Vec<u64>,
    /// Tiles and bundles that cover what is cut, and go with it.
    pub pieces: Vec<String>,
}

impl Cut {
    pub fn of_fault(fault: &Fault, by: &'static str) -> Cut {
        let file = &fault.damage.file;
        Cut {
            segment: frame::parse_segment_name(file).unwrap_or_default(),
            offset: fault.damage.offset,
            first: fault.damage.index.unwrap_or_default(),
            batch: fault.batch,
            batch_first: fault.batch_first,
            batch_offset: fault.batch_offset,
            cause: fault.damage.cause.to_string(),
            by,
            later: Vec::new(),
            pieces: Vec::new(),
        }
    }
}

/// Performs a cut. `journal` is at the state behind the last good frame; afterwards it is behind
/// the repair entry, which is returned.
pub(crate) fn perform(journal: &mut Journal, cut: &Cut) -> io::Result<(u64, Leaf, Vec<u8>)> {
    let name = frame::segment_name(cut.segment);
    let whole = whole_file(journal, &name)?;
    let offset = usize::try_from(cut.offset).unwrap_or(usize::MAX).min(whole.len());
    let (good, gone) = whole.split_at(offset);

    let mut pieces = vec![put_aside(journal, &name, offset, gone)?];
    for &later in &cut.later {
        let later = frame::segment_name(later);
        let bytes = whole_file(journal, &later)?;
        pieces.push(put_aside(journal, &later, 0, &bytes)?);
    }
    for name in &cut.pieces {
        let bytes = whole_file(journal, name)?;
        let piece = put_aside(journal, name, 0, &bytes)?;
        if pieces.len() < MAX_LISTED {
            pieces.push(piece);
        }
    }
    let body = record(cut, &pieces)?;
    // They go first: without them the cut is still to be made, with them and without their entries
    // no start would follow.
    for name in &cut.pieces {
        journal.store.remove(name)?;
    }
    journal.store.settle()?;

    let (mut fresh, mut segment) = (good.to_vec(), cut.segment);
    if offset < SEGMENT_HEADER {
        // The segment's own header is torn, or it does not continue its predecessor (a repair was
        // interrupted before it was removed): nothing of this file is kept, not even its name.
        fresh = frame::segment_header(cut.first, cut.batch).to_vec();
        segment = cut.first;
    }
    let mut batch = cut.batch;
    let kept = cut.first.saturating_sub(cut.batch_first);
    if kept > 0 {
        let frames = usize::try_from(cut.batch_offset).unwrap_or(0).max(SEGMENT_HEADER);
        let check = crc32c::crc32c(fresh.get(frames..).unwrap_or_default());
        let count = u32::try_from(kept).unwrap_or(u32::MAX);
        frame::write_trailer(&mut fresh, batch, cut.batch_first, count, check);
        batch += 1;
    }
    let leaf = Leaf {
        body: Digest::of(&body),
        id: pieces.first().map(|piece| piece.digest.to_string()).unwrap_or_default(),
        kind: Kind::Repair,
        len: body.len() as u64,
        seq: journal.next_seq(&journal.writer),
        ts: journal.clock.now().0.min(MAX_INT).max(journal.ts),
        writer: journal.writer.clone(),
    };
    let start = fresh.len();
    let fields = Fields {
        body: &leaf.body,
        id: &leaf.id,
        kind: leaf.kind,
        len: leaf.len,
        seq: leaf.seq,
        ts: leaf.ts,
        writer: &leaf.writer,
    };
    let place = frame::write_entry(&mut fresh, batch, cut.first, &fields, &body)
        .map_err(io::Error::other)?;
    let hash = leaf_hash(&fresh[place]);
    let check = crc32c::crc32c(&fresh[start..]);
    frame::write_trailer(&mut fresh, batch, cut.first, 1, check);

    journal.store.replace(&frame::segment_name(segment), &fresh)?;
    // The later segments go last: a crash before leaves them to the next repair, recorded again.
    let gone = [cut.segment].into_iter().chain(cut.later.iter().copied());
    for later in gone.filter(|&gone| gone != segment).rev() {
        journal.store.remove(&frame::segment_name(later))?;
        journal.store.settle()?;
    }
    journal.frontier.push(hash);
    journal.segment = Some(segment);
    journal.length = fresh.len() as u64;
    journal.index = cut.first + 1;
    journal.batch = batch + 1;
    *journal.sequences.entry(journal.writer.clone()).or_default() += 1;
    journal.ts = leaf.ts;
    Ok((cut.first, leaf, body))
}

/// More pieces than this are kept and not listed: the body of a repair entry is bounded.
pub(crate) const MAX_LISTED: usize = 50;

struct Piece {
    file: String,
    offset: u64,
    length: u64,
    digest: Digest,
}

fn put_aside(journal: &Journal, name: &str, offset: usize, bytes: &[u8]) -> io::Result<Piece> {
    let digest = Digest::of(bytes);
    if !bytes.is_empty() {
        let stem = name.trim_start_matches("journal/").trim_end_matches(".seg").replace('/', "-");
        let short = digest.hex().chars().take(16).collect::<String>();
        journal.store.set_aside(&format!("{stem}-{offset}-{short}.bytes"), bytes)?;
    }
    Ok(Piece { file: name.to_owned(), offset: offset as u64, length: bytes.len() as u64, digest })
}

/// The body of the repair entry.
fn record(cut: &Cut, pieces: &[Piece]) -> io::Result<Vec<u8>> {
    let pieces = pieces.iter().map(|piece| {
        Value::object([
            ("digest", piece.digest.into()),
            ("file", piece.file.as_str().into()),
            ("length", piece.length.into()),
            ("offset", piece.offset.into()),
        ])
    });
    let body = Value::object([
        ("by", cut.by.into()),
        ("cause", cut.cause.as_str().into()),
        ("first", cut.first.into()),
        ("set_aside", Value::array(pieces)),
        ("v", 1u64.into()),
    ]);
    let written = json::write_receipt(&body).map_err(io::Error::other)?;
    Ok(written.into_bytes())
}

fn whole_file(journal: &Journal, name: &str) -> io::Result<Vec<u8>> {
    let length = usize::try_from(journal.store.len(name)?).unwrap_or(usize::MAX);
    journal.store.read(name, length)
}
