//! Walking a chain of lines: does each follow the one before, and is each what was written?

use super::read::read_loose;
use super::{Keyring, LogWalk, MacCheck, ReadEntry};
use crate::codes::Code;
use crate::report::{Finding, Report};

/// What broke at a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakKind {
    /// The line cannot be read, and what follows is linked afresh; or its key id is no string.
    MalformedLine,
    /// The line is readable, but has foreign or missing members or is not canonical.
    NotCanonical,
    /// `prev_hmac` is not the hmac of the line before.
    LinkMismatch,
    /// The HMAC does not agree with the line.
    SelfMismatch,
    /// The line names a key that is not in the ring.
    UnknownKey,
    /// The line names no key.
    MissingKeyId,
}

impl BreakKind {
    /// The name other tools give it.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakKind::MalformedLine => "malformed_line",
            BreakKind::NotCanonical => "non_canonical",
            BreakKind::LinkMismatch => "link_mismatch",
            BreakKind::SelfMismatch => "self_mismatch",
            BreakKind::UnknownKey => "unknown_key",
            BreakKind::MissingKeyId => "missing_key_id",
        }
    }
}

/// One break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Index of the entry, from 0.
    pub index: u64,
    /// What.
    pub kind: BreakKind,
    /// As a finding, without place.
    pub finding: Finding,
}

/// A walk along one chain.
#[derive(Debug)]
pub struct Walk<'a> {
    ring: Option<&'a Keyring>,
    index: u64,
    /// What the next line has to follow; `None` after a line that could not be read.
    expected: Option<String>,
    last_hmac: String,
    good: u64,
}

impl<'a> Walk<'a> {
    /// Before the first line. Without a ring, or with an empty one, only links are checked.
    pub fn new(ring: Option<&'a Keyring>) -> Self {
        let ring = ring.filter(|ring| !ring.is_empty());
        let expected = Some(String::new());
        Walk { ring, index: 0, expected, last_hmac: String::new(), good: 0 }
    }

    /// The next line, without its newline.
    pub fn line(&mut self, line: &[u8]) -> (Option<ReadEntry>, Vec<Break>) {
        let (entry, findings) = match read_loose(line) {
            Ok(read) => read,
            Err(detail) => {
                self.expected = None;
                let finding = Finding::here(Code::AuditMalformed, detail);
                let broken = self.broken(BreakKind::MalformedLine, finding);
                self.index += 1;
                return (None, vec![broken]);
            }
        };
        let mut breaks: Vec<Break> =
            findings.into_iter().map(|(kind, finding)| self.broken(kind, finding)).collect();
        let unkeyed = breaks.iter().any(|broken| broken.kind == BreakKind::MalformedLine);
        let linked = self.expected.as_ref().is_none_or(|prev| *prev == entry.prev_hmac);
        if !linked {
            let detail = format!("prev_hmac is {:?}", short(&entry.prev_hmac));
            breaks
                .push(self.broken(BreakKind::LinkMismatch, Finding::here(Code::AuditLink, detail)));
        }
        if let Some(ring) = self.ring {
            let mac = entry.check_mac(ring);
            let kind = match mac {
                MacCheck::Good => None,
                // An edited prev_hmac explains the mismatch; it is one fault, not two.
                MacCheck::Mismatch => linked.then_some(BreakKind::SelfMismatch),
                MacCheck::UnknownKey => Some(BreakKind::UnknownKey),
                // A key id of the wrong type is a fault of its own, told above.
                MacCheck::MissingKeyId => (!unkeyed).then_some(BreakKind::MissingKeyId),
            };
            if let (Some(kind), Some(code)) = (kind, mac.code()) {
                let detail = match (&entry.key_id, kind) {
                    (Some(id), BreakKind::UnknownKey) => format!("key {id:?}"),
                    _ => format!("entry {}", entry.entry.entry_id),
                };
                breaks.push(self.broken(kind, Finding::here(code, detail)));
            }
        }
        if breaks.is_empty() {
            self.good += 1;
        }
        self.expected = Some(entry.hmac.clone());
        self.last_hmac.clone_from(&entry.hmac);
        self.index += 1;
        (Some(entry), breaks)
    }

    /// HMAC of the last readable line.
    pub fn head(&self) -> &str {
        &self.last_hmac
    }

    /// Lines walked so far.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// Lines without any break so far.
    pub(super) fn good(&self) -> u64 {
        self.good
    }

    fn broken(&self, kind: BreakKind, finding: Finding) -> Break {
        Break { index: self.index, kind, finding }
    }
}

fn short(hmac: &str) -> &str {
    hmac.get(..16).unwrap_or(hmac)
}

/// What a walk came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkSummary {
    /// Lines looked at.
    pub entries: u64,
    /// Lines without any break.
    pub good: u64,
    /// HMAC of the last readable line.
    pub head: String,
}

/// Judges a log file: its framing, every line and every link. Without keys HMACs are not checked,
/// and the report says so.
pub fn verify_lines(bytes: &[u8], ring: Option<&Keyring>, report: &mut Report) -> WalkSummary {
    let mut log = LogWalk::new(ring);
    if ring.is_none_or(Keyring::is_empty) {
        report.push(Finding::here(Code::AuditUnchecked, ""));
    }
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        log.line(raw, report);
    }
    WalkSummary { entries: log.lines(), good: log.unbroken(), head: log.head().to_string() }
}
