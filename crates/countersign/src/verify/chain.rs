//! A chain file, read as a stream.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use record::chainfile::{Content, LINE_LIMIT, read_line};
use record::dag::{ChainOptions, ChainSource, verify_chain};
use record::report::{Finding, Report};
use seal::Digest;

use super::Verifier;

/// Judges the chain at `path`.
pub(super) fn verify(path: &Path, verifier: &Verifier, report: &mut Report) -> io::Result<()> {
    report.kind = "receipt chain".to_owned();
    verifier.outside_the_log(report, "verify the ledger, or one receipt with --ledger DIR");
    let mut source = ChainFile { path, failed: None };
    let options = ChainOptions {
        expect_head: verifier.expect_head,
        expect_count: verifier.expect_count,
        statements: verifier.statements.clone(),
        refused_statements: verifier.refused_statements.clone(),
        now: Some(Verifier::now()),
        ..ChainOptions::default()
    };
    let summary = verify_chain(&mut source, verifier.believed(), options, report);
    report.count("receipts", summary.receipts);
    report.count("refused", summary.refused);
    report.count("signed", summary.signed);
    report.count("roots", summary.roots);
    if let Some(last) = summary.last {
        report.note(format!(
            "the last receipt is {last}; note it elsewhere: a chain that was cut off behind any line still holds together"
        ));
    }
    source.failed.map_or(Ok(()), Err)
}

/// The lines of a file, one at a time.
struct ChainFile<'p> {
    path: &'p Path,
    failed: Option<io::Error>,
}

impl ChainSource for ChainFile<'_> {
    fn for_each(&mut self, f: &mut dyn FnMut(&[u8])) {
        if let Err(error) = raw_lines(self.path, f) {
            self.failed = Some(error);
        }
    }
}

/// The receipts of a chain file, one line in memory at a time: place, stated hash and token. What
/// is refused goes to `refused`.
pub(crate) fn lines(
    path: &Path,
    f: &mut dyn FnMut(&str, &Digest, &str),
    refused: &mut dyn FnMut(Finding),
) -> io::Result<()> {
    let mut number = 0u64;
    raw_lines(path, &mut |raw| {
        number += 1;
        let place = format!("line {number}");
        match read_line(raw).content {
            Content::Blank => {}
            Content::Envelope { hash, jws } => f(&place, &hash, &jws),
            Content::Refused(finding) => refused(finding.at(&place)),
        }
    })
}

fn raw_lines(path: &Path, f: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(256 << 10, File::open(path)?);
    let mut line = Vec::new();
    // Enough to see that a line is too long, with its line ending.
    let limit = LINE_LIMIT as u64 + 3;
    loop {
        line.clear();
        let read = (&mut reader).take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == limit && line.last() != Some(&b'\n') {
            reader.skip_until(b'\n')?;
        }
        f(&line);
    }
}
