//! Whether a bundle lies in a transparency log: by the proof beside it, and by the entries inside it.

use record::logged::{self, Leaf, Logged, NotLogged, Standing};
use record::report::{Code, Finding};
use record::trust::Trust;
use seal::tlog_proof::ProofError;

use crate::bundle::Bundle;
use crate::tlog::{self, Entry};

/// The kind of the ledger's entries that are bundles.
pub const KIND: &str = "attestation";

/// Judges the proof beside a bundle of these bytes and the entries inside it; `asked` makes one that is
/// not in a log of the trust file a finding. `proof` says why it could not be read, if it was not.
pub fn judge(
    bytes: &[u8],
    bundle: Option<&Bundle>,
    proof: Option<&Result<Vec<u8>, Finding>>,
    trust: Option<&Trust>,
    asked: bool,
) -> Found {
    let mut found = Found::default();
    found.beside(proof, bytes, trust);
    if let Some(bundle) = bundle {
        found.inside(bundle, trust);
    }
    if asked {
        found.ask();
    }
    found
}

/// What the log says of one bundle.
#[derive(Debug, Default)]
pub struct Found {
    /// Where it is logged, as somebody trusted says.
    pub logged: Option<Logged>,
    /// What is wrong, or not known.
    pub findings: Vec<Finding>,
}

impl Found {
    fn beside(
        &mut self,
        proof: Option<&Result<Vec<u8>, Finding>>,
        bytes: &[u8],
        trust: Option<&Trust>,
    ) {
        match proof {
            None => {}
            Some(Err(finding)) => self.findings.push(finding.clone()),
            Some(Ok(proof)) => {
                self.hear(logged::judge(proof, bytes, Leaf::Cited(KIND), trust), "");
            }
        }
    }

    fn inside(&mut self, bundle: &Bundle, trust: Option<&Trust>) {
        for value in &bundle.tlog_entries {
            // A bundle with an entry that cannot be read was not read.
            if let Ok(entry) = Entry::read(value) {
                self.hear(tlog::judge(&entry, &bundle.envelope, trust), "tlogEntries: ");
            }
        }
    }

    fn hear(&mut self, said: Result<Standing, NotLogged>, place: &str) {
        match said {
            Ok(Standing::Logged(logged)) => self.take(logged),
            Ok(Standing::Unjudged { origin }) => self.add(Code::AttestLogUnjudged, origin),
            Err(why) => self.add(code(&why), format!("{place}{why}")),
        }
    }

    /// What is missing where a log was asked for. What is wrong was told already; what is not known
    /// does not do.
    fn ask(&mut self) {
        if self.logged.is_some() {
            return;
        }
        let unjudged = self.findings.iter().find(|one| one.code == Code::AttestLogUnjudged);
        match (unjudged.cloned(), self.findings.is_empty()) {
            (Some(one), _) => {
                let why = format!("asked for, and the trust file does not name {}", one.detail);
                self.add(Code::AttestLog, why);
            }
            (None, true) => self.add(Code::AttestLogMissing, ""),
            (None, false) => {}
        }
    }

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

fn code(why: &NotLogged) -> Code {
    match why {
        NotLogged::Form(_) => Code::AttestLogProof,
        NotLogged::Other(_) | NotLogged::Proof(ProofError::Inclusion) => Code::AttestLogOther,
        _ => Code::AttestLog,
    }
}
