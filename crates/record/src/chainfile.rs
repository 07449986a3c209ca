//! Chain files: one receipt a line, `{"receipt_hash": "sha256:…", "jws": "…"}`.

use std::borrow::Cow;

use seal::digest::Digest;
use seal::json::{JsonErrorKind, Limits, Value, parse};

use crate::codes::Code;
use crate::dag::ChainSource;
use crate::receipt::SignedReceipt;
use crate::report::Finding;

/// Longest line, bytes.
pub const LINE_LIMIT: usize = 128 * 1024;

/// Reads one line, without its newline, as an envelope. Whether the hash is the receipt's is
/// judged with the chain.
pub fn parse_line(line: &str) -> Result<(Digest, String), Finding> {
    let refuse = |detail: String| Finding::here(Code::ChainEnvelope, detail);
    let limits = Limits { bytes: LINE_LIMIT, ..Limits::LINE };
    let value = parse(line.as_bytes(), limits).map_err(|error| match error.kind {
        JsonErrorKind::TooLong => Finding::here(Code::ChainLine, error.to_string()),
        _ => refuse(error.to_string()),
    })?;
    let members =
        value.as_object().ok_or_else(|| refuse(format!("the line is {}", value.kind())))?;
    let text = |name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.ok_or_else(|| refuse(format!("{name} is missing or not a string")))
    };
    if let Some((unknown, _)) =
        members.iter().find(|(name, _)| !matches!(name.as_str(), "receipt_hash" | "jws"))
    {
        // Drafts before the minimal envelope copied the payload beside the receipt.
        let code = match value.get("jws") {
            Some(_) if value.get("operation").is_some() || value.get("payload").is_some() => {
                Code::ChainLegacy
            }
            _ => Code::ChainEnvelope,
        };
        return Err(Finding::here(code, format!("member {unknown:?}")));
    }
    let hash = text("receipt_hash")?;
    let hash = hash.parse().map_err(|_| refuse(format!("receipt_hash {hash:?}")))?;
    Ok((hash, text("jws")?.to_string()))
}

/// The line for a receipt, with its newline. Spaced as other emitters space it.
pub fn write_line(receipt: &SignedReceipt) -> String {
    write_token(&receipt.hash, &receipt.jws)
}

/// The line for a receipt that nobody has read, with its newline: a compact JWS has no character
/// that JSON would escape.
pub fn write_token(hash: &Digest, jws: &str) -> String {
    format!("{{\"receipt_hash\": \"{hash}\", \"jws\": \"{jws}\"}}\n")
}

/// One line of a chain file, taken out of its framing.
#[derive(Debug)]
pub struct Line<'a> {
    /// What is unusual about the framing, if anything.
    pub unusual: Option<&'static str>,
    /// What the line holds.
    pub content: Content<'a>,
}

/// What a line holds.
#[derive(Debug)]
pub enum Content<'a> {
    /// Nothing.
    Blank,
    /// A receipt and the hash that is written beside it. Neither is looked at yet.
    Envelope {
        /// As written.
        hash: Digest,
        /// As written.
        jws: Cow<'a, str>,
    },
    /// Nothing that could be read.
    Refused(Finding),
}

/// Reads a line of a file, with its newline if it has one. It knows what is a blank line and what
/// a torn one.
pub fn read_line(raw: &[u8]) -> Line<'_> {
    let ended = raw.ends_with(b"\n");
    let line = raw.strip_suffix(b"\n").unwrap_or(raw);
    let plain = line.strip_suffix(b"\r").unwrap_or(line);
    let refused = |finding| Line { unusual: None, content: Content::Refused(finding) };
    if plain.len() > LINE_LIMIT {
        let detail = format!("more than {LINE_LIMIT} bytes");
        return refused(Finding::here(Code::ChainLine, detail));
    }
    if let Some((hash, jws)) = usual(plain) {
        let unusual = framing(line, plain, plain, ended);
        return Line { unusual, content: Content::Envelope { hash, jws: jws.into() } };
    }
    let trimmed = plain.trim_ascii();
    if trimmed.is_empty() {
        return Line { unusual: Some("blank line"), content: Content::Blank };
    }
    let read = match std::str::from_utf8(trimmed) {
        Ok(text) => parse_line(text),
        Err(_) => Err(Finding::here(Code::ChainEnvelope, "not UTF-8")),
    };
    match read {
        Ok((hash, jws)) => Line {
            unusual: framing(line, plain, trimmed, ended),
            content: Content::Envelope { hash, jws: jws.into() },
        },
        Err(finding) if !ended && is_torn(trimmed) => {
            refused(Finding::here(Code::ChainTorn, finding.detail))
        }
        Err(finding) => refused(finding),
    }
}

/// An envelope as emitters write it, read without a parser: the members in their usual order, and
/// nothing in the strings that JSON could escape. Any other line is `None`, good or bad.
fn usual(line: &[u8]) -> Option<(Digest, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("{\"receipt_hash\":")?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix('"')?;
    let (hash, rest) = rest.split_once('"')?;
    let rest = rest.strip_prefix(',')?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix("\"jws\":")?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix('"')?;
    let jws = rest.strip_suffix("\"}")?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !jws.as_bytes().iter().all(plain) {
        return None;
    }
    Some((hash.parse().ok()?, jws))
}

fn framing(line: &[u8], plain: &[u8], trimmed: &[u8], ended: bool) -> Option<&'static str> {
    if plain.len() != line.len() {
        Some("CRLF line ending")
    } else if trimmed.len() != plain.len() {
        Some("white space around a line")
    } else if !ended {
        Some("no newline at the end")
    } else {
        None
    }
}

/// Without its newline a broken last line is what a crash while writing leaves: the beginning of an
/// envelope, or the zeros of a file that grew before its bytes came.
fn is_torn(line: &[u8]) -> bool {
    let zeros = line.iter().rev().take_while(|byte| **byte == 0).count();
    match line.get(..line.len() - zeros) {
        Some([]) => true,
        Some(kept) => kept.starts_with(b"{") && (zeros > 0 || !kept.ends_with(b"}")),
        None => false,
    }
}

/// A chain file in memory.
#[derive(Debug)]
pub struct MemoryChain<'a> {
    bytes: &'a [u8],
}

impl<'a> MemoryChain<'a> {
    /// The chain in these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        MemoryChain { bytes }
    }
}

impl ChainSource for MemoryChain<'_> {
    fn for_each(&mut self, f: &mut dyn FnMut(&[u8])) {
        self.bytes.split_inclusive(|byte| *byte == b'\n').for_each(f);
    }
}
