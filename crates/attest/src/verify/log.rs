//! Whether a bundle lies in a transparency log: by the proof beside it, and by the entries inside it.

use record::logged::{self, Leaf, Logged, NotLogged, Standing};
use record::report::{Code, Finding};
use record::trust::Trust;
use seal::tlog_proof::ProofError;

use crate::bundle::Bundle;
use crate::tlog::{self, Entry};

/// The kind of the ledger's entries that are bundles.
pub const KIND: &str = "attestation";

/// What the log says of one bundle.
#[derive(Debug, Default)]
pub struct Found {
    /// Where it is logged, as somebody trusted says.
    pub logged: Option<Logged>,
    /// What is wrong, or not known.
    pub findings: Vec<Finding>,
}

impl Found {
    fn add(&mut self, code: Code, detail: impl Into<String>) {
        self.findings.push(Finding::new(code, "", detail));
    }

    /// Of two places the one that was seen first tells most.
    fn take(&mut self, logged: Logged) {
        let time = |one: &Logged| one.seen.map_or(u64::MAX, |at| at.0);
        if self.logged.as_ref().is_none_or(|known| time(&logged) < time(known)) {
            self.logged = Some(logged);
        }
    }
}

/// Judges the proof beside a bundle of these bytes. `proof` says why it could not be read, if it was not.
pub fn beside(
    proof: Option<&Result<Vec<u8>, Finding>>,
    bytes: &[u8],
    trust: Option<&Trust>,
) -> Found {
    let mut found = Found::default();
    match proof {
        None => {}
        Some(Err(finding)) => found.findings.push(finding.clone()),
        Some(Ok(proof)) => match logged::judge(proof, bytes, Leaf::Cited(KIND), trust) {
            Ok(Standing::Logged(logged)) => found.take(logged),
            Ok(Standing::Unjudged { origin }) => found.add(Code::AttestLogUnjudged, origin),
            Err(why) => found.add(code(&why), why.to_string()),
        },
    }
    found
}

/// Judges the entries inside a bundle.
pub fn inside(bundle: &Bundle, trust: Option<&Trust>, found: &mut Found) {
    for value in &bundle.tlog_entries {
        // A bundle with an entry that cannot be read was not read.
        let Ok(entry) = Entry::read(value) else { continue };
        match tlog::judge(&entry, &bundle.envelope, trust) {
            Ok(Standing::Logged(logged)) => found.take(logged),
            Ok(Standing::Unjudged { origin }) => found.add(Code::AttestLogUnjudged, origin),
            Err(why) => found.add(code(&why), format!("tlogEntries: {why}")),
        }
    }
}

/// What is missing where a log was asked for. What is wrong or not known was told already, but does
/// not do.
pub fn ask(found: &mut Found) {
    if found.logged.is_some() {
        return;
    }
    let unjudged = found.findings.iter().find(|one| one.code == Code::AttestLogUnjudged);
    match (unjudged.cloned(), found.findings.is_empty()) {
        (Some(one), _) => {
            let why = format!("asked for, and the trust file does not name {}", one.detail);
            found.add(Code::AttestLog, why);
        }
        (None, true) => found.add(Code::AttestLogMissing, ""),
        (None, false) => {}
    }
}

fn code(why: &NotLogged) -> Code {
    match why {
        NotLogged::Form(_) => Code::AttestLogProof,
        NotLogged::Other(_) | NotLogged::Proof(ProofError::Inclusion) => Code::AttestLogOther,
        _ => Code::AttestLog,
    }
}
