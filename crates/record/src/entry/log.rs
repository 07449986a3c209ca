//! Judging a log line by line: the framing of the file, every line and every link. It holds one
//! line at a time, so a log of any length is judged in constant memory.

use super::read::LIMITS;
use super::walk::{BreakKind, Walk};
use super::{Keyring, MacCheck, ReadEntry};
use crate::codes::Code;
use crate::report::{Finding, Report};

/// Bytes of a line a reader has to hand over; of a longer one the rest may be skipped, since it is
/// refused for its length.
pub const LINE_LIMIT: usize = LIMITS.bytes + 2;

/// One break, with the entry it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogBreak {
    /// Index of the entry, from 0.
    pub index: u64,
    /// Its id; empty when the line cannot be read.
    pub entry_id: String,
    /// What.
    pub kind: BreakKind,
    /// Why, for this case. Holds outside text: escape it when printing.
    pub detail: String,
}

/// A log that is being read.
#[derive(Debug)]
pub struct LogWalk<'a> {
    walk: Walk<'a>,
    ring: Option<&'a Keyring>,
    number: u64,
    entries: u64,
    last_ts: u64,
    last_good: Option<(u64, String)>,
    framing: Vec<&'static str>,
}

impl<'a> LogWalk<'a> {
    /// Before the first line. Without a ring, or with an empty one, only links are checked.
    pub fn new(ring: Option<&'a Keyring>) -> Self {
        let ring = ring.filter(|ring| !ring.is_empty());
        LogWalk {
            walk: Walk::new(ring),
            ring,
            number: 0,
            entries: 0,
            last_ts: 0,
            last_good: None,
            framing: Vec::new(),
        }
    }

    /// The next line as it stands in the file, with its newline. Findings go into the report,
    /// breaks are returned as well.
    pub fn line(&mut self, raw: &[u8], report: &mut Report) -> (Option<ReadEntry>, Vec<LogBreak>) {
        self.number += 1;
        let place = format!("line {}", self.number);
        let Some(line) = self.unframed(raw, &place, report) else { return (None, Vec::new()) };
        let (entry, breaks) = self.walk.line(line);
        if let Some(entry) = &entry {
            self.seen(entry, &breaks, &place, report);
        }
        let id = entry.as_ref().map_or("", |entry| entry.entry.entry_id.as_str());
        let told = breaks.iter().map(|broken| LogBreak {
            index: broken.index,
            entry_id: id.to_string(),
            kind: broken.kind,
            detail: broken.finding.detail.clone(),
        });
        let told = told.collect();
        report.push_all(&place, breaks.into_iter().map(|broken| broken.finding));
        (entry, told)
    }

    /// Keeps what a readable line adds to the whole.
    fn seen(
        &mut self,
        entry: &ReadEntry,
        breaks: &[super::Break],
        place: &str,
        report: &mut Report,
    ) {
        let index = self.walk.index() - 1;
        self.entries += 1;
        if entry.entry.ts_ns < self.last_ts {
            report.push(Finding::new(Code::AuditTime, place, ""));
        }
        self.last_ts = self.last_ts.max(entry.entry.ts_ns);
        // A line after a broken link is good in itself when its own HMAC agrees, which the walk
        // does not tell there.
        let itself = breaks.iter().all(|broken| broken.kind == BreakKind::LinkMismatch);
        let good = |ring| breaks.is_empty() || entry.check_mac(ring) == MacCheck::Good;
        if itself && self.ring.is_some_and(good) {
            self.last_good = Some((index, entry.hmac.clone()));
        }
    }

    /// The line without what frames it; `None` for a blank one.
    fn unframed<'l>(
        &mut self,
        raw: &'l [u8],
        place: &str,
        report: &mut Report,
    ) -> Option<&'l [u8]> {
        let mut unusual = |what| {
            if !self.framing.contains(&what) {
                self.framing.push(what);
                report.push(Finding::new(Code::AuditFraming, place, what));
            }
        };
        let mut line = raw;
        if self.number == 1
            && let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf")
        {
            unusual("a byte order mark");
            line = rest;
        }
        match line.strip_suffix(b"\n") {
            Some(rest) => line = rest,
            // A byte order mark alone is no line.
            None if line.is_empty() => return None,
            None => unusual("no newline at the end"),
        }
        if let Some(rest) = line.strip_suffix(b"\r") {
            unusual("CRLF line endings");
            line = rest;
        }
        if line.trim_ascii().is_empty() {
            unusual("blank lines");
            return None;
        }
        Some(line)
    }

    /// Lines looked at, blank ones aside.
    pub fn lines(&self) -> u64 {
        self.walk.index()
    }

    /// Lines that are readable entries.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Lines without any break.
    pub fn unbroken(&self) -> u64 {
        self.walk.good()
    }

    /// HMAC of the last readable line.
    pub fn head(&self) -> &str {
        self.walk.head()
    }

    /// Index and HMAC of the last line whose own HMAC agrees; `None` without keys.
    pub fn last_good(&self) -> Option<(u64, &str)> {
        self.last_good.as_ref().map(|(index, hmac)| (*index, hmac.as_str()))
    }
}
