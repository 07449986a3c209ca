//! A chain file, read as a stream.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use record::chainfile::{Framing, LINE_LIMIT};
use record::dag::{ChainOptions, ChainSource, verify_chain};
use record::report::{Finding, Report};

use super::Verifier;

/// Judges the chain at `path`.
pub(super) fn verify(path: &Path, verifier: &Verifier, report: &mut Report) -> io::Result<()> {
    report.kind = "receipt chain".to_owned();
    let mut source = ChainFile { path, refused: Vec::new(), failed: None };
    let options = ChainOptions {
        expect_head: verifier.expect_head,
        expect_count: verifier.expect_count,
        statements: verifier.statements.clone(),
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
    refused: Vec<Finding>,
    failed: Option<io::Error>,
}

impl ChainSource for ChainFile<'_> {
    fn for_each(&mut self, f: &mut dyn FnMut(&str, Option<&str>, &str)) {
        match lines(self.path, f) {
            Ok(refused) => self.refused = refused,
            Err(error) => self.failed = Some(error),
        }
    }

    fn refused(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.refused)
    }
}

/// The receipts of a chain file, one line in memory at a time; what is refused comes back.
pub(crate) fn lines(
    path: &Path,
    f: &mut dyn FnMut(&str, Option<&str>, &str),
) -> io::Result<Vec<Finding>> {
    let mut reader = BufReader::with_capacity(256 << 10, File::open(path)?);
    let mut framing = Framing::new();
    let mut line = Vec::new();
    // Enough to see that a line is too long, with its line ending.
    let limit = LINE_LIMIT as u64 + 3;
    loop {
        line.clear();
        let read = (&mut reader).take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(framing.finish());
        }
        if read as u64 == limit && line.last() != Some(&b'\n') {
            reader.skip_until(b'\n')?;
        }
        framing.line(&line, f);
    }
}
