//! The bytes of a journal: segment header, entry frames, batch trailers (spec/ledger.md).
//!
//! Every header begins with 0xFF, which occurs nowhere in UTF-8. Leaves and bodies are UTF-8, so
//! no evidence can contain, by accident or on purpose, something a reader takes for a header: after
//! damage a reader may look for the next header and be right.

use crate::leaf::{Fields, LeafError};

/// Length of the header of a segment.
pub(crate) const SEGMENT_HEADER: usize = 32;
/// Length of the header of an entry frame or a trailer.
pub(crate) const HEADER: usize = 32;
/// Length of a whole trailer: header, checksum over the batch, end mark.
pub(crate) const TRAILER: usize = HEADER + 8;
/// The checksum behind the leaf.
pub(crate) const LEAF_CHECK: usize = 4;

const SEGMENT_MAGIC: [u8; 8] = *b"\xffCSJRNL\n";
const FRAME_MAGIC: [u8; 4] = *b"\xffCSF";
/// Never zero, so that a lost last sector of a batch cannot pass for a written one.
const END_MARK: [u8; 4] = *b"end\n";
const VERSION: u32 = 1;
const ENTRY: u8 = 1;
const BATCH_END: u8 = 2;
const PRUNED: u8 = 3;
const ENCRYPTED: u8 = 4;
/// The checksum behind an encrypted body: who has no identity still tells whole from damaged.
pub(crate) const BODY_CHECK: usize = 4;
/// The longest encrypted body: the longest body, armoured, with room for many recipients.
pub(crate) const MAX_ENCRYPTED: usize = 24 * 1024 * 1024;

/// What a frame header says. A header is believed only when its own checksum holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub what: What,
    /// Number of the batch, from 0, without gaps.
    pub batch: u64,
    /// Entry: its index. Trailer: the index of the first entry of the batch.
    pub index: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// `body` is what the header says: the length of the body in its leaf (plain and pruned), or of
    /// its encrypted form.
    Entry {
        leaf: usize,
        form: Form,
        body: usize,
    },
    BatchEnd {
        count: u32,
    },
}

/// What lies behind the leaf check of an entry frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The body.
    Plain,
    /// Nothing: the body was pruned. The header keeps its length.
    Pruned,
    /// The body encrypted, and a checksum over that.
    Encrypted,
}

impl Form {
    /// Bytes behind the leaf check.
    pub fn extent(self, body: usize) -> usize {
        match self {
            Form::Plain => body,
            Form::Pruned => 0,
            Form::Encrypted => body.saturating_add(BODY_CHECK),
        }
    }

    /// The longest `body` a header of this form may state.
    pub fn limit(self) -> usize {
        match self {
            Form::Plain | Form::Pruned => crate::kind::MAX_BODY,
            Form::Encrypted => MAX_ENCRYPTED,
        }
    }
}

impl Header {
    pub fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        if bytes[..4] != FRAME_MAGIC || be32(&bytes[28..]) != crc32c::crc32c(&bytes[..28]) {
            return None;
        }
        let leaf = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
        let length = be32(&bytes[24..28]);
        let what = match (bytes[4], bytes[5]) {
            (BATCH_END, 0) if leaf == 0 => What::BatchEnd { count: length },
            (kind, 0) => {
                let form = match kind {
                    ENTRY => Form::Plain,
                    PRUNED => Form::Pruned,
                    ENCRYPTED => Form::Encrypted,
                    _ => return None,
                };
                What::Entry { leaf, form, body: usize::try_from(length).ok()? }
            }
            _ => return None,
        };
        Some(Header { what, batch: be64(&bytes[8..16]), index: be64(&bytes[16..24]) })
    }

    fn encode(&self) -> [u8; HEADER] {
        let (what, leaf, length) = match self.what {
            What::Entry { leaf, form: Form::Plain, body } => (ENTRY, leaf, body),
            What::Entry { leaf, form: Form::Pruned, body } => (PRUNED, leaf, body),
            What::Entry { leaf, form: Form::Encrypted, body } => (ENCRYPTED, leaf, body),
            What::BatchEnd { count } => (BATCH_END, 0, count as usize),
        };
        let mut bytes = [0u8; HEADER];
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        bytes[4] = what;
        // Both fit: a leaf has at most 1,024 bytes and a body at most 24 MiB (checked before).
        bytes[6..8].copy_from_slice(&(leaf as u16).to_be_bytes());
        bytes[8..16].copy_from_slice(&self.batch.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.index.to_be_bytes());
        bytes[24..28].copy_from_slice(&(length as u32).to_be_bytes());
        let check = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&check.to_be_bytes());
        bytes
    }

    /// Length of the whole frame, header included.
    pub fn frame_len(&self) -> usize {
        match self.what {
            What::Entry { leaf, form, body } => {
                (HEADER + leaf + LEAF_CHECK).saturating_add(form.extent(body))
            }
            What::BatchEnd { .. } => TRAILER,
        }
    }
}

/// Whether these fewer than `HEADER` bytes may be the beginning of the header that is expected: a
/// write that was cut short, not something somebody put there.
pub(crate) fn begins_header(bytes: &[u8], batch: u64, index: u64) -> bool {
    let mut expected = [0u8; 24];
    expected[..4].copy_from_slice(&FRAME_MAGIC);
    expected[8..16].copy_from_slice(&batch.to_be_bytes());
    expected[16..].copy_from_slice(&index.to_be_bytes());
    bytes.iter().zip(expected).enumerate().all(|(at, (&found, expected))| match at {
        4 => [ENTRY, ENCRYPTED, BATCH_END].contains(&found),
        6 | 7 => true, // length of the leaf: unknown
        16..24 => {
            // A trailer repeats the batch's first index here.
            bytes.get(4) == Some(&BATCH_END) || found == expected
        }
        _ => found == expected,
    })
}

/// Appends the frame of one entry with its plain body to `out` and returns where its leaf lies in
/// `out`.
pub(crate) fn write_entry(
    out: &mut Vec<u8>,
    batch: u64,
    index: u64,
    leaf: &Fields<'_>,
    body: &[u8],
) -> Result<std::ops::Range<usize>, LeafError> {
    write_entry_as(out, batch, index, leaf, Form::Plain, body)
}

/// The same, with `stored` behind the leaf check: the body, or its encrypted form.
pub(crate) fn write_entry_as(
    out: &mut Vec<u8>,
    batch: u64,
    index: u64,
    leaf: &Fields<'_>,
    form: Form,
    stored: &[u8],
) -> Result<std::ops::Range<usize>, LeafError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    leaf.write(out)?;
    let leaf = start + HEADER..out.len();
    let what = What::Entry { leaf: leaf.len(), form, body: stored.len() };
    out[start..start + HEADER].copy_from_slice(&Header { what, batch, index }.encode());
    let check = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&check.to_be_bytes());
    out.extend_from_slice(stored);
    if form == Form::Encrypted {
        out.extend_from_slice(&crc32c::crc32c(stored).to_be_bytes());
    }
    Ok(leaf)
}

/// Appends the frame that keeps a leaf whose body, of this length, is gone.
pub(crate) fn write_pruned(out: &mut Vec<u8>, batch: u64, index: u64, leaf: &[u8], body: usize) {
    write_leaf(out, batch, index, leaf, Form::Pruned, body);
}

/// Appends the frame of a leaf that is written already, with what shall lie behind it.
pub(crate) fn write_stored(
    out: &mut Vec<u8>,
    batch: u64,
    index: u64,
    leaf: &[u8],
    form: Form,
    stored: &[u8],
) {
    write_leaf(out, batch, index, leaf, form, stored.len());
    out.extend_from_slice(stored);
    if form == Form::Encrypted {
        out.extend_from_slice(&crc32c::crc32c(stored).to_be_bytes());
    }
}

fn write_leaf(out: &mut Vec<u8>, batch: u64, index: u64, leaf: &[u8], form: Form, body: usize) {
    let start = out.len();
    let what = What::Entry { leaf: leaf.len(), form, body };
    out.extend_from_slice(&Header { what, batch, index }.encode());
    out.extend_from_slice(leaf);
    let check = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&check.to_be_bytes());
}

/// Appends the trailer that closes a batch. `frames` are the bytes of all its frames.
pub(crate) fn write_trailer(out: &mut Vec<u8>, batch: u64, first: u64, count: u32, check: u32) {
    let header = Header { what: What::BatchEnd { count }, batch, index: first }.encode();
    out.extend_from_slice(&header);
    out.extend_from_slice(&crc32c::crc32c_append(check, &header).to_be_bytes());
    out.extend_from_slice(&END_MARK);
}

/// Whether a trailer's bytes agree with the running checksum over the batch's frames.
pub(crate) fn check_trailer(trailer: &[u8], check: Option<u32>) -> bool {
    let Some(trailer) = trailer.first_chunk::<TRAILER>() else { return false };
    let sum_holds = check.is_none_or(|check| {
        be32(&trailer[HEADER..]) == crc32c::crc32c_append(check, &trailer[..HEADER])
    });
    sum_holds && trailer[HEADER + 4..] == END_MARK
}

/// Offset of the next byte sequence that begins like a frame header, at or after `from`.
pub(crate) fn find_magic(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(FRAME_MAGIC.len()).position(|window| window == FRAME_MAGIC).map(|at| from + at)
}

/// The header of a segment.
pub(crate) fn segment_header(first_index: u64, first_batch: u64) -> [u8; SEGMENT_HEADER] {
    let mut bytes = [0u8; SEGMENT_HEADER];
    bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_be_bytes());
    bytes[12..20].copy_from_slice(&first_index.to_be_bytes());
    bytes[20..28].copy_from_slice(&first_batch.to_be_bytes());
    let check = crc32c::crc32c(&bytes[..28]);
    bytes[28..].copy_from_slice(&check.to_be_bytes());
    bytes
}

/// First index and first batch number of a segment, when its header holds.
pub(crate) fn decode_segment_header(bytes: &[u8]) -> Option<(u64, u64)> {
    let bytes: &[u8; SEGMENT_HEADER] = bytes.first_chunk()?;
    let (first, batch) = (be64(&bytes[12..20]), be64(&bytes[20..28]));
    // One version, one encoding: comparing with what we would write checks everything at once.
    (*bytes == segment_header(first, batch)).then_some((first, batch))
}

/// The name of the segment that begins with this index.
pub(crate) fn segment_name(first_index: u64) -> String {
    format!("journal/{first_index:020}.seg")
}

/// The first index a segment's name states, if it is a segment's name.
pub(crate) fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal/")?.strip_suffix(".seg")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

fn be64(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}
