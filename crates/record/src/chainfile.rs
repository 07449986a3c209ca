//! Chain files: one receipt a line, `{"receipt_hash": "sha256:…", "jws": "…"}`.

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
    format!("{{\"receipt_hash\": \"{}\", \"jws\": \"{}\"}}\n", receipt.hash, receipt.jws)
}

/// Takes raw lines in order, newline included, and hands receipts on. It knows the framing: what
/// is a blank line, what is a torn one.
///
/// For sources that read from a disk: call [`Framing::line`] for each line of the file and
/// [`Framing::finish`] after the last.
#[derive(Debug, Default)]
pub struct Framing {
    number: u64,
    /// Receipts or refused lines so far.
    lines: u64,
    refused: Vec<Finding>,
    framing: Option<Finding>,
}

impl Framing {
    /// Before the first line.
    pub fn new() -> Self {
        Framing::default()
    }

    /// One line with its newline, if it has one.
    pub fn line(&mut self, raw: &[u8], f: &mut dyn FnMut(&str, Option<&str>, &str)) {
        self.number += 1;
        let place = format!("line {}", self.number);
        let ended = raw.ends_with(b"\n");
        let line = raw.strip_suffix(b"\n").unwrap_or(raw);
        let plain = line.strip_suffix(b"\r").unwrap_or(line);
        if plain.len() > LINE_LIMIT {
            let detail = format!("{} bytes", plain.len());
            return self.refuse(Finding::new(Code::ChainLine, place, detail));
        }
        let trimmed = plain.trim_ascii();
        if trimmed.is_empty() {
            return self.unusual(&place, "blank line");
        }
        if plain.len() != line.len() {
            self.unusual(&place, "CRLF line ending");
        }
        let read = match std::str::from_utf8(trimmed) {
            Ok(text) => parse_line(text),
            Err(_) => Err(Finding::here(Code::ChainEnvelope, "not UTF-8")),
        };
        match read {
            Ok((hash, jws)) => {
                if !ended {
                    self.unusual(&place, "no newline at the end");
                }
                self.lines += 1;
                f(&place, Some(&hash.to_string()), &jws);
            }
            // Without its newline a broken last line is what a crash while writing leaves.
            Err(finding) if !ended && trimmed.starts_with(b"{") && !trimmed.ends_with(b"}") => {
                self.refuse(Finding::new(Code::ChainTorn, place, finding.detail));
            }
            Err(finding) => self.refuse(finding.at(&place)),
        }
    }

    /// What was refused or unusual, once all lines were given.
    pub fn finish(self) -> Vec<Finding> {
        self.refused.into_iter().chain(self.framing).collect()
    }

    fn refuse(&mut self, finding: Finding) {
        self.lines += 1;
        self.refused.push(finding);
    }

    /// One warning for the file, at its first unusual place.
    fn unusual(&mut self, place: &str, what: &str) {
        self.framing.get_or_insert_with(|| Finding::new(Code::ChainFraming, place, what));
    }
}

/// A chain file in memory.
#[derive(Debug)]
pub struct MemoryChain<'a> {
    bytes: &'a [u8],
    refused: Vec<Finding>,
}

impl<'a> MemoryChain<'a> {
    /// The chain in these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        MemoryChain { bytes, refused: Vec::new() }
    }
}

impl ChainSource for MemoryChain<'_> {
    fn for_each(&mut self, f: &mut dyn FnMut(&str, Option<&str>, &str)) {
        let mut framing = Framing::new();
        for line in self.bytes.split_inclusive(|byte| *byte == b'\n') {
            framing.line(line, f);
        }
        self.refused = framing.finish();
    }

    fn refused(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.refused)
    }
}
