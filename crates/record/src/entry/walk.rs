//! Walking a chain of lines: does each follow the one before, and is each what was written?

use seal::hex;
use seal::mac::{equal, hmac_sha256_of};

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
    /// The line's timestamp does not hold.
    AnchorInvalid,
    /// The line's timestamp is before that of a line above it.
    AnchorOrder,
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
            BreakKind::AnchorInvalid => "anchor_invalid",
            BreakKind::AnchorOrder => "anchor_order",
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

/// What the chain needs of a line, however it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'e> {
    pub prev_hmac: &'e str,
    pub hmac: &'e str,
    pub key_id: Option<&'e str>,
    pub entry_id: &'e str,
    /// The bytes the HMAC covers, in two pieces.
    pub preimage: [&'e [u8]; 2],
}

impl<'e> Facts<'e> {
    pub fn of(entry: &'e ReadEntry) -> Facts<'e> {
        Facts {
            prev_hmac: &entry.prev_hmac,
            hmac: &entry.hmac,
            key_id: entry.key_id.as_deref(),
            entry_id: &entry.entry.entry_id,
            preimage: [entry.preimage().as_bytes(), &[]],
        }
    }

    pub fn check_mac(&self, ring: &Keyring) -> MacCheck {
        let Some(key_id) = self.key_id.filter(|id| !id.is_empty()) else {
            return MacCheck::MissingKeyId;
        };
        let Some(secret) = ring.get(key_id) else { return MacCheck::UnknownKey };
        let expected = hex::digits(&hmac_sha256_of(secret, &self.preimage));
        match equal(&expected, self.hmac.as_bytes()) {
            true => MacCheck::Good,
            false => MacCheck::Mismatch,
        }
    }
}

/// A walk along one chain.
#[derive(Debug)]
pub struct Walk<'a> {
    ring: Option<&'a Keyring>,
    index: u64,
    /// Whether the next line has to follow `last_hmac`: not after one that could not be read.
    linked: bool,
    last_hmac: String,
    good: u64,
}

impl<'a> Walk<'a> {
    /// Before the first line. Without a ring, or with an empty one, only links are checked.
    pub fn new(ring: Option<&'a Keyring>) -> Self {
        let ring = ring.filter(|ring| !ring.is_empty());
        Walk { ring, index: 0, linked: true, last_hmac: String::new(), good: 0 }
    }

    /// The next line, without its newline.
    pub fn line(&mut self, line: &[u8]) -> (Option<ReadEntry>, Vec<Break>) {
        match read_loose(line) {
            Ok((entry, faults)) => {
                let breaks = self.follow(&Facts::of(&entry), faults);
                (Some(entry), breaks)
            }
            Err(detail) => (None, vec![self.unreadable(detail)]),
        }
    }

    /// The next line, which cannot be read.
    pub(super) fn unreadable(&mut self, detail: String) -> Break {
        self.linked = false;
        let finding = Finding::here(Code::AuditMalformed, detail);
        let broken = self.broken(BreakKind::MalformedLine, finding);
        self.index += 1;
        broken
    }

    /// The next line, with what reading it found.
    pub(super) fn follow(
        &mut self,
        line: &Facts<'_>,
        faults: Vec<(BreakKind, Finding)>,
    ) -> Vec<Break> {
        let mut breaks: Vec<Break> =
            faults.into_iter().map(|(kind, finding)| self.broken(kind, finding)).collect();
        let unkeyed = breaks.iter().any(|broken| broken.kind == BreakKind::MalformedLine);
        let linked = !self.linked || self.last_hmac == line.prev_hmac;
        if !linked {
            let detail = format!("prev_hmac is {:?}", short(line.prev_hmac));
            breaks
                .push(self.broken(BreakKind::LinkMismatch, Finding::here(Code::AuditLink, detail)));
        }
        if let Some(ring) = self.ring {
            let mac = line.check_mac(ring);
            let kind = match mac {
                MacCheck::Good => None,
                // An edited prev_hmac explains the mismatch; it is one fault, not two.
                MacCheck::Mismatch => linked.then_some(BreakKind::SelfMismatch),
                MacCheck::UnknownKey => Some(BreakKind::UnknownKey),
                // A key id of the wrong type is a fault of its own, told above.
                MacCheck::MissingKeyId => (!unkeyed).then_some(BreakKind::MissingKeyId),
            };
            if let (Some(kind), Some(code)) = (kind, mac.code()) {
                let detail = match (line.key_id, kind) {
                    (Some(id), BreakKind::UnknownKey) => format!("key {id:?}"),
                    _ => format!("entry {}", line.entry_id),
                };
                breaks.push(self.broken(kind, Finding::here(code, detail)));
            }
        }
        if breaks.is_empty() {
            self.good += 1;
        }
        self.linked = true;
        self.last_hmac.clear();
        self.last_hmac.push_str(line.hmac);
        self.index += 1;
        breaks
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
