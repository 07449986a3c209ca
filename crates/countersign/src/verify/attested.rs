//! One bundle: a statement about what was reviewed, or the summary of a verification.

use std::io;
use std::path::Path;

use attest::bundle::{LIMIT, proof_name};
use attest::verify::{Blob, How, log};
use attest::{Bundle, Vsa, vsa};
use record::logged::{self, Logged};
use record::report::{Assurance, Code, Finding, Report};
use seal::json::{Limits, parse};
use seal::time::UnixMillis;

use super::Verifier;
use crate::{files, identity};

/// Judges a bundle. Its files are not looked at, and of its chain only what lies in it.
pub(super) fn verify(path: &Path, verifier: &Verifier, report: &mut Report) -> io::Result<()> {
    let proof = beside(path);
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
        true => summary(&bytes, proof.as_ref(), verifier, report),
        false => statement(bytes, proof, verifier, report),
    }
    verifier.expected(0, |_| false, report);
    Ok(())
}

type Proof = Result<Vec<u8>, Finding>;

/// The proof of a log that lies beside a bundle.
fn beside(path: &Path) -> Option<Proof> {
    let place = path.with_file_name(proof_name(path.file_name()?.to_str()?));
    match files::read(&place, logged::LIMIT as u64) {
        Ok(proof) => Some(Ok(proof)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Some(Err(Finding::new(Code::FileLimit, "", error.to_string())))
        }
        Err(error) => Some(Err(Finding::new(Code::FileSpecial, "", error.to_string()))),
    }
}

fn statement(bytes: Vec<u8>, proof: Option<Proof>, verifier: &Verifier, report: &mut Report) {
    report.kind = "attestation".to_owned();
    let now = UnixMillis::from_seconds(identity::now());
    let blob = Blob { name: String::new(), bytes: Ok(bytes), proof };
    let how = How { now, authorities: verifier.authorities(report), ..How::default() };
    let judged = attest::verify([blob], Some(verifier.believed()), None, &how);
    for finding in &judged.report().findings {
        report.push(finding.clone());
    }
    for (name, number) in &judged.report().counts {
        report.count(name, *number);
    }
    report.assure(judged.report().assurance);
    report.anchored = judged.report().anchored;
    report.witnessed = judged.report().witnessed;
    for logged in judged.bundles().iter().filter_map(|one| one.logged.as_ref()) {
        report.note(told(logged));
    }
    for one in judged.chain().nodes.iter() {
        report.note(format!("{} {}, payload {}", one.kind, one.id, one.payload));
    }
    report.note("files and chain are judged where they are: `countersign attest verify DIR`");
}

fn told(logged: &Logged) -> String {
    let seen = logged.seen.map_or(String::new(), |at| format!(", seen by its quorum at {at}"));
    format!("entry {} of {}{seen}", logged.index, logged.origin)
}

fn summary(bytes: &[u8], proof: Option<&Proof>, verifier: &Verifier, report: &mut Report) {
    report.kind = "verification summary".to_owned();
    let bundle = Bundle::read(bytes).ok();
    let found = log::judge(bytes, bundle.as_ref(), proof, Some(verifier.believed()), false);
    for finding in found.findings {
        report.push(finding);
    }
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
            if let Some(logged) = found.logged {
                report.note(told(&logged));
                report.witnessed = logged.seen.is_some() && report.ok();
            }
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
