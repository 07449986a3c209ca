//! One bundle: a statement about what was reviewed, or the summary of a verification.

use std::io;
use std::path::Path;

use attest::bundle::LIMIT;
use attest::verify::{Blob, How};
use attest::{Bundle, Vsa, vsa};
use record::report::{Assurance, Code, Finding, Report};
use seal::json::{Limits, parse};
use seal::time::UnixMillis;

use super::Verifier;
use crate::{files, identity};

/// Judges a bundle. Its files are not looked at, and of its chain only what lies in it.
pub(super) fn verify(path: &Path, verifier: &Verifier, report: &mut Report) -> io::Result<()> {
    let bytes = match files::read(path, LIMIT as u64) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            report.kind = "attestation".to_owned();
            report.push(Finding::new(Code::FileLimit, report.subject.clone(), error.to_string()));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    match is_summary(&bytes) {
        true => summary(&bytes, verifier, report),
        false => statement(bytes, verifier, report),
    }
    verifier.expected(0, |_| false, report);
    Ok(())
}

fn statement(bytes: Vec<u8>, verifier: &Verifier, report: &mut Report) {
    report.kind = "attestation".to_owned();
    let now = UnixMillis::from_seconds(identity::now());
    let blob = Blob { name: String::new(), bytes: Ok(bytes) };
    let how = How { now, authorities: verifier.authorities(report), ..How::default() };
    let judged = attest::verify([blob], Some(verifier.believed()), None, &how);
    for finding in &judged.report().findings {
        report.push(finding.clone());
    }
    for (name, number) in &judged.report().counts {
        report.count(name, *number);
    }
    report.assure(judged.report().assurance);
    for one in judged.chain().nodes.iter() {
        report.note(format!("{} {}, payload {}", one.kind, one.id, one.payload));
    }
    report.note("files and chain are judged where they are: `countersign attest verify DIR`");
}

fn summary(bytes: &[u8], verifier: &Verifier, report: &mut Report) {
    report.kind = "verification summary".to_owned();
    match Vsa::judge(bytes, Some(verifier.believed())) {
        Err(finding) => {
            report.push(finding);
            report.assure(Assurance::None);
        }
        Ok((vsa, signer)) => {
            report.count("statements", vsa.inputs.len() as u64);
            report.note(format!(
                "{} of {} at {}, signed by {signer}",
                vsa.verifier, vsa.resource, vsa.at
            ));
            report.note(format!("holds: {}", vsa.levels.join(", ")));
            if !vsa.passed {
                report.push(Finding::new(Code::VsaFailed, "", vsa.resource));
            }
            report.assure(Assurance::Signed);
        }
    }
}

/// Whether what was signed says that it is a summary.
fn is_summary(bytes: &[u8]) -> bool {
    let payload = Bundle::read(bytes).map(|bundle| bundle.envelope.payload).unwrap_or_default();
    let value = parse(&payload, Limits { bytes: LIMIT, depth: 16 });
    let uri = value.as_ref().ok().and_then(|value| value.get("predicateType")?.as_str());
    uri == Some(vsa::URI)
}
