//! An audit log as JSON Lines: the HMAC chain, and the timestamps in it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use record::entry::{AnchorCounts, Keyring, LINE_LIMIT, LogBreak, LogWalk};
use record::report::{Assurance, Code, Finding, Report};
use seal::time::UnixMillis;
use stamp::Authority;

use super::{Level, Verifier};
use crate::anchor;

/// What reports call it.
pub(super) const KIND: &str = "audit log";

/// What a log is held against.
#[derive(Debug, Default)]
pub struct LogTerms {
    /// The keys of its HMACs.
    pub ring: Keyring,
    /// Whose timestamps count; none means that timestamps are not judged.
    pub authorities: Vec<Authority>,
    /// An HMAC that a line must have, 64 hex digits.
    pub expect_head: Option<String>,
    /// How many entries it must hold.
    pub expect_count: Option<u64>,
}

/// What reading a log came to, besides the report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogFigures {
    /// Lines that are readable entries.
    pub entries: u64,
    /// HMAC of the last readable line.
    pub head: String,
    /// Index and HMAC of the last line whose own HMAC agrees.
    pub last_good: Option<(u64, String)>,
    /// Its timestamps.
    pub anchors: AnchorCounts,
}

/// Judges a log from its first line to its end, whatever it meets, in constant memory; `told` gets
/// every break. The report has the counts, the assurance and what is not there.
pub fn judge_log(
    input: &mut dyn BufRead,
    terms: &LogTerms,
    report: &mut Report,
    told: &mut dyn FnMut(LogBreak),
) -> io::Result<LogFigures> {
    report.kind = KIND.to_owned();
    let judge = |reply: &[u8], digest: &[u8; 32]| anchor::judge(reply, digest, &terms.authorities);
    let mut walk = LogWalk::new(Some(&terms.ring));
    if !terms.authorities.is_empty() {
        walk = walk.judging(&judge);
    }
    if let Some(head) = &terms.expect_head {
        walk = walk.seeking(head);
    }
    each_line(input, &mut |line| walk.line(line, report).into_iter().for_each(&mut *told))?;
    for (what, n) in
        [("lines", walk.lines()), ("entries", walk.entries()), ("unbroken", walk.unbroken())]
    {
        report.count(what, n);
    }
    report.note(
        "an HMAC convinces whoever holds its key; the claim that anyone can check is the ledger's signature",
    );
    if let Some(head) = terms.expect_head.as_ref().filter(|_| !walk.found()) {
        let detail = format!("no entry has the hmac {head}");
        report.push(Finding::new(Code::ChainTruncated, "", detail));
    }
    if let Some(count) = terms.expect_count.filter(|count| *count != walk.entries()) {
        let detail = format!("{count} entries are expected, {} are here", walk.entries());
        report.push(Finding::new(Code::ChainTruncated, "", detail));
    }
    if terms.expect_head.is_none() && terms.expect_count.is_none() {
        report.note("that the end was not cut off shows only --expect-head or --expect-count");
    }
    if terms.ring.is_empty() {
        report.push(Finding::new(Code::AuditUnchecked, "", ""));
    }
    let anchors = walk.anchors();
    stamps(anchors, walk.entries(), terms, report);
    report.assure(if report.ok() { Assurance::Consistent } else { Assurance::None });
    Ok(LogFigures {
        entries: walk.entries(),
        head: walk.head().to_owned(),
        last_good: walk.last_good().map(|(index, hmac)| (index, hmac.to_owned())),
        anchors,
    })
}

/// What the timestamps come to. All of the log is anchored, or it is not.
fn stamps(anchors: AnchorCounts, entries: u64, terms: &LogTerms, report: &mut Report) {
    if anchors.unjudged > 0 {
        let missing = match (terms.authorities.is_empty(), terms.ring.is_empty()) {
            (true, _) => "no key of purpose tsa is trusted",
            (false, true) => "no HMAC key is given, and what was stamped is an HMAC",
            (false, false) => "their lines' keys are not given, or they are not of RFC 3161",
        };
        let detail = format!("{} of {entries} entries; {missing}", anchors.unjudged);
        report.push(Finding::new(Code::AnchorUnjudged, "", detail));
    }
    if terms.authorities.is_empty() {
        return;
    }
    for (what, n) in [
        ("anchored", anchors.anchored),
        ("unanchored", anchors.unanchored),
        ("bad anchors", anchors.failed),
    ] {
        report.count(what, n);
    }
    if let Some((first, last)) = anchors.times {
        let [first, last] = [first, last].map(|micros| UnixMillis(micros / 1_000));
        report.note(format!("the timestamps are of {first} to {last}"));
        report.note("whether an authority's certificate was revoked is not checked");
    }
    report.anchored = report.ok() && entries > 0 && anchors.anchored == entries;
}

/// Holds the level `anchored` against what was reached.
pub fn require_anchored(report: &mut Report, authorities: usize, why: &str) {
    if authorities == 0 {
        let detail = format!(
            "{} is required, and no timestamp authority is trusted; add its root: countersign trust add --name NAME --purpose tsa --key ROOT.pem",
            Level::Anchored
        );
        report.push(Finding::new(Code::TrustLevel, "", detail));
    } else if report.ok() && !report.anchored {
        report.push(Finding::new(Code::AnchorMissing, "", why));
    }
}

/// Hands every line to `f` with its newline. Of an overlong one only so much is handed over that
/// it is seen to be one; the rest is skipped.
fn each_line(input: &mut dyn BufRead, f: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.take(LINE_LIMIT as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() == LINE_LIMIT && !line.ends_with(b"\n") {
            input.skip_until(b'\n')?;
        }
        f(&line);
    }
}

/// Judges the log at `path`. Symmetric keys convince their holders only: never more than
/// consistent, and anchored if every line is.
pub(super) fn verify(path: &Path, verifier: &Verifier, report: &mut Report) -> io::Result<()> {
    let terms = LogTerms {
        ring: verifier.keyring(),
        authorities: verifier.authorities(report),
        expect_head: verifier.expect_entry.clone(),
        expect_count: verifier.expect_count,
    };
    let mut input = BufReader::with_capacity(1 << 16, File::open(path)?);
    judge_log(&mut input, &terms, report, &mut |_| {})?;
    // The count was of entries; a receipt is never here.
    verifier.expected_head(|_| false, report);
    if !report.ok() {
        report.assure(Assurance::None);
    }
    Ok(())
}
