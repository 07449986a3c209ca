//! An exported audit log: the HMAC chain of one writer as JSON Lines.

use std::io;
use std::path::Path;

use record::entry::verify_lines;
use record::report::{Assurance, Report};

use super::Verifier;
use crate::files;

/// Longest log read at once, bytes.
const LIMIT: u64 = 1 << 30;

/// Judges the log at `path`. Symmetric keys convince their holders only: never more than consistent.
pub(super) fn verify(path: &Path, verifier: &Verifier, report: &mut Report) -> io::Result<()> {
    report.kind = "audit log".to_owned();
    let bytes = files::read(path, LIMIT)?;
    let ring = verifier.keyring();
    let summary = verify_lines(&bytes, Some(&ring), report);
    report.count("entries", summary.entries);
    report.count("unbroken", summary.good);
    report.note(
        "an HMAC convinces whoever holds its key; the claim that anyone can check is the ledger's signature",
    );
    verifier.expected(0, |_| false, report);
    report.assure(if report.ok() { Assurance::Consistent } else { Assurance::None });
    Ok(())
}
