//! Whether a ledger agrees with itself: journal, head, tiles, bundles and checkpoint, without
//! judging what the entries say.

use std::path::Path;

use ledger::read::{Progress, ReadError, Reader};
use record::report::{Assurance, Code, Finding, Report};

use super::VerifyError;
use super::ledger::{finding, tail};
use super::pruned;
use crate::trustfile::TrustFile;

/// Re-verifies structure and hashes of everything in the ledger in `dir`: each frame, leaf and body,
/// order, times and sequences, the roots in head and checkpoint, every tile and bundle, and files
/// that do not belong there. The checkpoint's signature counts where the trust file has the log's
/// key; else a note says that it was not judged. The report names the file. Reads only, also beside
/// a running gateway.
///
/// `progress` is called every few thousand entries. Errors: the files cannot be read.
pub fn structure(
    dir: &Path,
    trust: Option<&TrustFile>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, VerifyError> {
    let mut report = Report::new(dir.display().to_string());
    report.kind = "log".to_owned();
    if let Some(file) = trust {
        report.trust_file = Some(file.path.display().to_string());
        report.trust_digest = Some(file.digest);
    }
    let failed = |error: ReadError| match error {
        ReadError::Io(error) => VerifyError::of(dir, error),
        error => VerifyError::of(dir, std::io::Error::other(error)),
    };
    let reader = match Reader::open_dir(dir, None) {
        Err(ReadError::NoLedger) => {
            let place = dir.display().to_string();
            let detail = "there is no head and no journal";
            report.push(Finding::new(Code::EvidenceEmpty, place, detail));
            return Ok(report);
        }
        opened => opened.map_err(failed)?,
    };
    let origin = reader.checkpoint().map(|checkpoint| checkpoint.origin.clone());
    let key =
        origin.as_deref().zip(trust).and_then(|(origin, file)| file.trust.log(origin)).cloned();
    let reader = match &key {
        Some(key) => Reader::open_dir(dir, Some(std::slice::from_ref(key))).map_err(failed)?,
        None => reader,
    };
    let summary = reader.check_with(progress).map_err(failed)?;
    summary.damage.iter().map(finding).for_each(|finding| report.push(finding));
    pruned::stripped(&summary.bodies, &mut report);
    tail(&summary, &mut report);
    report.count("entries", summary.size);
    if let Some(origin) = origin {
        report.note(format!("the log is {origin}"));
    }
    if key.is_none() {
        report.note("the checkpoint's signature was not judged: no trust file has this log's key");
    }
    report.assure(match (report.ok(), key) {
        (false, _) => Assurance::None,
        (true, None) => Assurance::Consistent,
        (true, Some(_)) => Assurance::Signed,
    });
    Ok(report)
}
