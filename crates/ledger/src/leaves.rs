//! The leaves between two checkpoints, on their way into tiles and bundles.
//!
//! An append leaves its leaves here, in memory, up to a limit. Beyond it, or after a checkpoint that
//! was not written, they are read back from the journal: memory does not grow with the log, nor
//! with the time to the next checkpoint.

use std::io;

use seal::digest::Digest;
use seal::merkle::leaf_hash;

use crate::frame::{self, HEADER, Header, LEAF_CHECK, SEGMENT_HEADER, What};
use crate::store::Source;
use crate::window::Window;

/// Gets leaves in order, each with its hash.
pub(crate) type Sink<'a, E> = dyn FnMut(Digest, &[u8]) -> Result<(), E> + 'a;

/// More bytes of leaves than this are not kept.
const KEEP: usize = 8 * 1024 * 1024;

/// Where the journal goes on: in this segment at this offset or, where that is its end, in the
/// segment named by the next index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub segment: u64,
    pub offset: u64,
}

/// Leaves that are durable in the journal and not yet in tiles.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Index of the first one kept.
    first: u64,
    hashes: Vec<Digest>,
    /// One behind the other.
    bytes: Vec<u8>,
    lengths: Vec<u16>,
    /// There were too many: none is kept.
    over: bool,
}

impl Pending {
    /// Those that follow behind `first` leaves.
    pub fn from(first: u64) -> Pending {
        Pending { first, ..Pending::default() }
    }

    /// Keeps one more.
    pub fn push(&mut self, hash: Digest, leaf: &[u8]) {
        if self.over {
            return;
        }
        if self.bytes.len() + leaf.len() > KEEP {
            *self = Pending { over: true, ..Pending::default() };
            return;
        }
        self.hashes.push(hash);
        self.bytes.extend_from_slice(leaf);
        // A leaf has at most 1,024 bytes.
        self.lengths.push(leaf.len() as u16);
    }

    /// Hands on the leaves from `from` to `to`, if they are all here.
    pub fn each<E>(&self, from: u64, to: u64, sink: &mut Sink<'_, E>) -> Option<Result<(), E>> {
        let count = usize::try_from(to.checked_sub(from)?).ok()?;
        let skip = usize::try_from(from.checked_sub(self.first)?).ok()?;
        if self.over || self.hashes.len() < skip.checked_add(count)? {
            return None;
        }
        let mut rest = self.bytes.as_slice();
        for (at, (hash, length)) in self.hashes.iter().zip(&self.lengths).enumerate() {
            let (leaf, behind) = rest.split_at_checked(usize::from(*length))?;
            rest = behind;
            if at < skip {
                continue;
            }
            if at == skip + count {
                break;
            }
            if let Err(error) = sink(*hash, leaf) {
                return Some(Err(error));
            }
        }
        Some(Ok(()))
    }
}

/// Why leaves could not be read back.
pub(crate) enum Unread<E> {
    /// The store failed.
    Io(io::Error),
    /// The journal is not what was written there.
    Changed { file: String, offset: u64 },
    /// Whoever gets the leaves failed.
    Sink(E),
}

/// Reads the leaves from `from` to `to` back from the journal; they were synced there. The entry
/// `from` lies at `place`.
pub(crate) fn read_back<E>(
    source: &dyn Source,
    place: Place,
    from: u64,
    to: u64,
    sink: &mut Sink<'_, E>,
) -> Result<(), Unread<E>> {
    let mut next = from;
    let mut at = place.offset.max(SEGMENT_HEADER as u64);
    let mut segment = place.segment;
    let mut window = match Window::open(source, frame::segment_name(segment)) {
        // Where everything in it was signed the segment may have been taken into the archive.
        Err(error) if error.kind() == io::ErrorKind::NotFound && segment != next => {
            segment = next;
            at = SEGMENT_HEADER as u64;
            Window::open(source, frame::segment_name(segment)).map_err(Unread::Io)?
        }
        opened => opened.map_err(Unread::Io)?,
    };
    while next < to {
        if at >= window.length() && segment != next {
            segment = next;
            at = SEGMENT_HEADER as u64;
            window = Window::open(source, frame::segment_name(segment)).map_err(Unread::Io)?;
        }
        let changed = || Unread::Changed { file: frame::segment_name(segment), offset: at };
        let bytes = window.load(source, at, HEADER).map_err(Unread::Io)?;
        let header = Header::decode(bytes).ok_or_else(changed)?;
        if let What::Entry { leaf, .. } = header.what {
            let count = HEADER + leaf + LEAF_CHECK;
            let frame = window.load(source, at, count).map_err(Unread::Io)?;
            let (head, check) = frame.split_at_checked(HEADER + leaf).ok_or_else(changed)?;
            if header.index != next || crc32c::crc32c(head).to_be_bytes() != check {
                return Err(changed());
            }
            let leaf = head.get(HEADER..).unwrap_or_default();
            sink(leaf_hash(leaf), leaf).map_err(Unread::Sink)?;
            next += 1;
        }
        at = at.saturating_add(header.frame_len() as u64);
    }
    Ok(())
}
