//! Judging a log line by line: the framing of the file, every line and every link. It holds one
//! line at a time, so a log of any length is judged in constant memory.

use super::anchor::{AnchorCounts, Anchors, JudgeStamp};
use super::quick::quick;
use super::read::{LIMITS, read_loose};
use super::walk::{Break, BreakKind, Facts, Walk};
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
    last_good: Option<u64>,
    last_good_hmac: String,
    framing: Vec<&'static str>,
    sought: Option<(&'a str, bool)>,
    anchors: Anchors<'a>,
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
            last_good_hmac: String::new(),
            framing: Vec::new(),
            sought: None,
            anchors: Anchors::new(None),
        }
    }

    /// Judges the lines' timestamps, which takes their keys too.
    pub fn judging(mut self, judge: &'a JudgeStamp<'a>) -> Self {
        self.anchors = Anchors::new(Some(judge));
        self
    }

    /// Looks for the line with this HMAC.
    pub fn seeking(mut self, hmac: &'a str) -> Self {
        self.sought = Some((hmac, false));
        self
    }

    /// Whether the line that was looked for was there; true when none was.
    pub fn found(&self) -> bool {
        self.sought.is_none_or(|(_, found)| found)
    }

    /// The next line as it stands in the file, with its newline. Findings go into the report,
    /// breaks are returned as well.
    pub fn line(&mut self, raw: &[u8], report: &mut Report) -> Vec<LogBreak> {
        self.number += 1;
        let Some(line) = self.unframed(raw, report) else { return Vec::new() };
        match quick(line) {
            Some(line) if !line.has_anchor => {
                self.anchors.none();
                let breaks = self.walk.follow(&line.facts, Vec::new());
                self.seen(&line.facts, line.ts_ns, &breaks, report);
                self.told(line.facts.entry_id, breaks, report)
            }
            _ => match read_loose(line) {
                Ok((entry, faults)) => self.entry(&entry, faults, report),
                Err(detail) => {
                    let broken = self.walk.unreadable(detail);
                    self.told("", vec![broken], report)
                }
            },
        }
    }

    fn entry(
        &mut self,
        entry: &ReadEntry,
        faults: Vec<(BreakKind, Finding)>,
        report: &mut Report,
    ) -> Vec<LogBreak> {
        let index = self.walk.index();
        let facts = Facts::of(entry);
        let mut breaks = self.walk.follow(&facts, faults);
        self.seen(&facts, entry.entry.ts_ns, &breaks, report);
        let stamps = self.anchors.line(entry, self.ring);
        if let Some(detail) = self.anchors.take_away() {
            report.push(Finding::new(Code::AnchorTime, self.place(), detail));
        }
        breaks.extend(stamps.into_iter().map(|(kind, finding)| Break { index, kind, finding }));
        self.told(facts.entry_id, breaks, report)
    }

    /// Puts the breaks of one line into the report.
    fn told(&self, entry_id: &str, breaks: Vec<Break>, report: &mut Report) -> Vec<LogBreak> {
        let tell = |broken: Break| {
            let told = LogBreak {
                index: broken.index,
                entry_id: entry_id.to_string(),
                kind: broken.kind,
                detail: broken.finding.detail.clone(),
            };
            report.push(broken.finding.at(&self.place()));
            told
        };
        breaks.into_iter().map(tell).collect()
    }

    fn place(&self) -> String {
        format!("line {}", self.number)
    }

    /// Keeps what a readable line adds to the whole.
    fn seen(&mut self, line: &Facts<'_>, ts_ns: u64, breaks: &[Break], report: &mut Report) {
        self.entries += 1;
        if let Some((hmac, found)) = &mut self.sought {
            *found |= *hmac == line.hmac;
        }
        if ts_ns < self.last_ts {
            report.push(Finding::new(Code::AuditTime, self.place(), ""));
        }
        self.last_ts = self.last_ts.max(ts_ns);
        // A line after a broken link is good in itself when its own HMAC agrees, which the walk
        // does not tell there.
        let itself = breaks.iter().all(|broken| broken.kind == BreakKind::LinkMismatch);
        let good = |ring| breaks.is_empty() || line.check_mac(ring) == MacCheck::Good;
        if itself && self.ring.is_some_and(good) {
            self.last_good = Some(self.walk.index() - 1);
            self.last_good_hmac.clear();
            self.last_good_hmac.push_str(line.hmac);
        }
    }

    /// The line without what frames it; `None` for a blank one.
    fn unframed<'l>(&mut self, raw: &'l [u8], report: &mut Report) -> Option<&'l [u8]> {
        let (framing, number) = (&mut self.framing, self.number);
        let mut unusual = |what| {
            if !framing.contains(&what) {
                framing.push(what);
                report.push(Finding::new(Code::AuditFraming, format!("line {number}"), what));
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
        self.last_good.map(|index| (index, self.last_good_hmac.as_str()))
    }

    /// What the lines say about timestamps.
    pub fn anchors(&self) -> AnchorCounts {
        self.anchors.counts
    }
}
