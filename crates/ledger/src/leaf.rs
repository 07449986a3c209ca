//! The leaf: the small canonical record the tree is built over.
//!
//! `{"body":"sha256:<hex>","id":"<native id>","kind":"<kind>","len":<bytes>,"seq":<n>,"ts":<unix
//! ms>,"v":1,"writer":"<writer id>"}`: canonical JSON of the `receipt` writer, at most 1,024 bytes.
//! A leaf has exactly one encoding; a reader refuses every other.

use seal::digest::Digest;
use seal::json::{self, Limits, Value};

use crate::kind::Kind;

/// The longest leaf, in bytes.
pub const MAX_LEAF: usize = 1024;

/// The longest id, in bytes. Escaped to twice its length it still fits a leaf.
pub(crate) const MAX_ID: usize = 256;
/// The longest writer id, in bytes.
pub(crate) const MAX_WRITER: usize = 64;

/// The largest number a canonical document may hold (2^53 - 1).
pub(crate) const MAX_INT: u64 = (1 << 53) - 1;

/// One leaf of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Digest of the body.
    pub body: Digest,
    /// What others cite: receipt hash, audit entry id, digest.
    pub id: String,
    /// What the body is.
    pub kind: Kind,
    /// Length of the body in bytes.
    pub len: u64,
    /// Position among the entries of this writer, from 0.
    pub seq: u64,
    /// The sequencer's clock in Unix milliseconds; never decreases.
    pub ts: u64,
    /// Who handed the entry in.
    pub writer: String,
}

/// Why bytes are not a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// More than 1,024 bytes.
    #[error("leaf is longer than 1024 bytes")]
    TooLong,
    /// Not one strict JSON document.
    #[error("leaf is not strict JSON")]
    Json,
    /// A member is missing, unknown or of the wrong type.
    #[error("leaf member `{0}` is missing, unknown or of the wrong form")]
    Member(&'static str),
    /// The kind is not one of the list.
    #[error("leaf names a kind this version does not know")]
    Kind,
    /// Valid JSON with the right members, but not its canonical bytes.
    #[error("leaf is not in canonical form")]
    NotCanonical,
}

impl Leaf {
    /// The canonical bytes. Identifiers that `check_name` refuses cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LeafError> {
        let mut out = Vec::with_capacity(256);
        let fields = Fields {
            body: &self.body,
            id: &self.id,
            kind: self.kind,
            len: self.len,
            seq: self.seq,
            ts: self.ts,
            writer: &self.writer,
        };
        fields.write(&mut out)?;
        Ok(out)
    }

    /// Reads the one canonical encoding and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Leaf, LeafError> {
        if bytes.len() > MAX_LEAF {
            return Err(LeafError::TooLong);
        }
        // The layout is fixed, so nearly every leaf is read without building a document; whatever
        // does not fit takes the strict road, which also names the fault.
        if let Some(leaf) = parse_plain(bytes) {
            return Ok(leaf);
        }
        let leaf = parse_document(bytes)?;
        match leaf.to_bytes() {
            Ok(again) if again == bytes => Ok(leaf),
            _ => Err(LeafError::NotCanonical),
        }
    }
}

/// A leaf about to be written; borrows, because a batch writes thousands.
pub(crate) struct Fields<'a> {
    pub body: &'a Digest,
    pub id: &'a str,
    pub kind: Kind,
    pub len: u64,
    pub seq: u64,
    pub ts: u64,
    pub writer: &'a str,
}

impl Fields<'_> {
    /// Appends the canonical bytes to `out`; on an error `out` may hold a part of them.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), LeafError> {
        let start = out.len();
        if self.len > MAX_INT || self.seq > MAX_INT || self.ts > MAX_INT {
            return Err(LeafError::Member("number beyond 2^53 - 1"));
        }
        out.extend_from_slice(b"{\"body\":\"sha256:");
        out.extend_from_slice(self.body.hex().as_bytes());
        out.extend_from_slice(b"\",\"id\":");
        write_string(out, self.id, MAX_ID).map_err(|()| LeafError::Member("id"))?;
        out.extend_from_slice(b",\"kind\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.extend_from_slice(b"\",\"len\":");
        write_number(out, self.len);
        out.extend_from_slice(b",\"seq\":");
        write_number(out, self.seq);
        out.extend_from_slice(b",\"ts\":");
        write_number(out, self.ts);
        out.extend_from_slice(b",\"v\":1,\"writer\":");
        write_string(out, self.writer, MAX_WRITER).map_err(|()| LeafError::Member("writer"))?;
        out.push(b'}');
        if out.len() - start > MAX_LEAF {
            return Err(LeafError::TooLong);
        }
        Ok(())
    }
}

/// Whether a text may stand as id or writer: not empty, no control characters.
pub(crate) fn check_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

fn write_string(out: &mut Vec<u8>, text: &str, longest: usize) -> Result<(), ()> {
    if text.is_empty() || text.len() > longest {
        return Err(());
    }
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return Ok(());
    }
    if !check_name(text) {
        return Err(());
    }
    let written = json::write_receipt(&Value::from(text)).map_err(|_| ())?;
    out.extend_from_slice(written.as_bytes());
    Ok(())
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Reads a leaf whose strings need no escapes. Accepts canonical bytes only: every literal, the
/// order, the digits without leading zeros and the end are checked.
fn parse_plain(bytes: &[u8]) -> Option<Leaf> {
    let mut rest = bytes;
    take_literal(&mut rest, b"{\"body\":\"sha256:")?;
    let hex = std::str::from_utf8(take(&mut rest, 64)?).ok()?;
    let body = Digest::from_hex(hex)?;
    take_literal(&mut rest, b"\",\"id\":\"")?;
    let id = take_plain(&mut rest)?;
    take_literal(&mut rest, b",\"kind\":\"")?;
    let kind = take_plain(&mut rest)?.parse().ok()?;
    take_literal(&mut rest, b",\"len\":")?;
    let len = take_number(&mut rest)?;
    take_literal(&mut rest, b",\"seq\":")?;
    let seq = take_number(&mut rest)?;
    take_literal(&mut rest, b",\"ts\":")?;
    let ts = take_number(&mut rest)?;
    take_literal(&mut rest, b",\"v\":1,\"writer\":\"")?;
    let writer = take_plain(&mut rest)?;
    if rest != b"}" || id.len() > MAX_ID || writer.len() > MAX_WRITER {
        return None;
    }
    Some(Leaf { body, id: id.to_owned(), kind, len, seq, ts, writer: writer.to_owned() })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn take_literal(rest: &mut &[u8], literal: &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(literal)?;
    Some(())
}

/// A non-empty run of plain characters and the quote behind it.
fn take_plain<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|&byte| !plain(byte))?;
    let text = take(rest, end)?;
    take_literal(rest, b"\"")?;
    if text.is_empty() { None } else { std::str::from_utf8(text).ok() }
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let digits = take(rest, end)?;
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number <= MAX_INT).then_some(number)
}

fn parse_document(bytes: &[u8]) -> Result<Leaf, LeafError> {
    let limits = Limits { bytes: MAX_LEAF, depth: 2 };
    let document = json::parse(bytes, limits).map_err(|_| LeafError::Json)?;
    let members = document.as_object().ok_or(LeafError::Json)?;
    if members.len() != 8 {
        return Err(LeafError::Member("(count)"));
    }
    let text = |name: &'static str| {
        document.get(name).and_then(Value::as_str).ok_or(LeafError::Member(name))
    };
    let number = |name: &'static str| {
        let number = document.get(name).and_then(Value::as_i64);
        number.and_then(|n| u64::try_from(n).ok()).ok_or(LeafError::Member(name))
    };
    if number("v")? != 1 {
        return Err(LeafError::Member("v"));
    }
    Ok(Leaf {
        body: text("body")?.parse().map_err(|_| LeafError::Member("body"))?,
        id: text("id")?.to_owned(),
        kind: text("kind")?.parse().map_err(|_| LeafError::Kind)?,
        len: number("len")?,
        seq: number("seq")?,
        ts: number("ts")?,
        writer: text("writer")?.to_owned(),
    })
}
