//! Judging evidence of any kind: a ledger, a receipt chain, one receipt, one decision receipt, one
//! bundle of a statement or of a verification summary.
//!
//! A verifier writes nothing and takes no lock. It goes to the end, whatever it meets on the way.

pub(crate) mod anchored;
mod attested;
pub mod audit;
pub(crate) mod chain;
pub(crate) mod claim;
pub(crate) mod entry;
pub(crate) mod keychange;
pub(crate) mod ledger;
pub(crate) mod pruned;
mod single;
mod structure;
pub(crate) mod tally;
mod witnessed;

pub use structure::structure;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crypt::Identities;
use record::capability::{self, Statement};
use record::entry::Keyring;
use record::report::{Assurance, Code, Finding, Report};
use record::trust::{Purpose, Trust};
use record::verify::Judge;
use seal::time::UnixMillis;
use seal::{Digest, Zeroizing};

use crate::anchor;
use crate::identity;
use crate::trustfile::TrustFile;

/// How much is asked of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The bytes agree with themselves.
    Consistent,
    /// Signed by keys of the trust file.
    Signed,
    /// The checkpoint is timestamped by a trusted authority.
    Anchored,
    /// The checkpoint is cosigned by a quorum of witnesses.
    Witnessed,
}

impl Level {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Consistent => "consistent",
            Level::Signed => "signed",
            Level::Anchored => "anchored",
            Level::Witnessed => "witnessed",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no level; use consistent, signed, anchored or witnessed")]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        [Level::Consistent, Level::Signed, Level::Anchored, Level::Witnessed]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// Why nothing could be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The path is not there.
    #[error("{path}: no such file or directory")]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// Reading failed.
    #[error("{path}: {error}")]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl VerifyError {
    fn of(path: &Path, error: io::Error) -> VerifyError {
        let path = path.to_path_buf();
        if error.kind() == io::ErrorKind::NotFound {
            VerifyError::NotFound { path }
        } else {
            VerifyError::Read { path, error }
        }
    }
}

/// Judges evidence. Trust is given, never found in what is judged.
#[derive(Clone, Default)]
pub struct Verifier {
    file: Option<TrustFile>,
    own: Option<Trust>,
    remarks: Vec<String>,
    require: Vec<Level>,
    statements: Vec<Statement>,
    refused_statements: Vec<Finding>,
    hmac_keys: Vec<(String, Zeroizing<Vec<u8>>)>,
    ledger: Option<PathBuf>,
    expect_head: Option<Digest>,
    expect_entry: Option<String>,
    expect_count: Option<u64>,
    identities: Option<Arc<Identities>>,
}

impl Verifier {
    /// Without trust in anyone: bytes are checked against themselves.
    pub fn new() -> Verifier {
        Verifier::default()
    }

    /// Believes the keys of a trust file.
    pub fn trust_file(mut self, file: Option<TrustFile>) -> Self {
        self.file = file;
        self
    }

    /// Believes these keys.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.own = Some(trust);
        self
    }

    /// Sentences that the report shall carry, such as why a trust file was passed over.
    pub fn remarks(mut self, remarks: impl IntoIterator<Item = String>) -> Self {
        self.remarks.extend(remarks);
        self
    }

    /// Asks for a level; without any, `signed` is asked for.
    pub fn require(mut self, level: Level) -> Self {
        self.require.push(level);
        self
    }

    /// Capability statements that receipts of a chain must keep to.
    pub fn statements(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    /// A file that should hold a capability statement. One that cannot be read is a finding, and
    /// does not lift the statements: a key without one may still do nothing.
    pub fn statement_file(mut self, name: &str, bytes: &[u8]) -> Self {
        match capability::read(bytes) {
            Ok(statement) => self.statements.push(statement),
            Err(findings) => {
                self.refused_statements.extend(findings.into_iter().map(|f| f.at(name)));
            }
        }
        self
    }

    /// A key for the HMACs of audit lines, under the id they name it by.
    pub fn hmac_key(mut self, id: &str, secret: Zeroizing<Vec<u8>>) -> Self {
        self.hmac_keys.push((id.to_owned(), secret));
        self
    }

    /// The ledger (or a directory that holds one) that a single receipt or decision receipt lies in:
    /// it is judged with the keys as they were there.
    pub fn ledger(mut self, dir: Option<&Path>) -> Self {
        self.ledger = dir.map(|dir| find_ledger(dir).unwrap_or_else(|| dir.to_path_buf()));
        self
    }

    /// A receipt that a chain must hold: its head, as somebody noted it elsewhere.
    pub fn expect_head(mut self, head: Option<Digest>) -> Self {
        self.expect_head = head;
        self
    }

    /// The hmac of an entry (64 lower-case hex digits) that an audit log or a ledger
    /// must hold, as somebody
    /// noted it elsewhere.
    pub fn expect_entry(mut self, hmac: Option<String>) -> Self {
        self.expect_entry = hmac;
        self
    }

    /// How many receipts a chain, or entries an audit log, must hold.
    pub fn expect_count(mut self, count: Option<u64>) -> Self {
        self.expect_count = count;
        self
    }

    /// Opens the encrypted bodies of a ledger.
    pub fn identities(mut self, identities: Option<Arc<Identities>>) -> Self {
        self.identities = identities;
        self
    }

    /// Judges what lies at `path`. The report says what it took it for.
    pub fn verify(&self, path: &Path) -> Result<Report, VerifyError> {
        let mut report = self.begin(path);
        let metadata = std::fs::metadata(path).map_err(|error| VerifyError::of(path, error))?;
        if metadata.is_dir() {
            self.directory(path, &mut report)?;
        } else if metadata.is_file() {
            self.plain_file(path, &mut report)?;
        } else {
            report.push(Finding::new(Code::FileSpecial, report.subject.clone(), ""));
        }
        self.conclude(&mut report);
        Ok(report)
    }

    /// Judges text handed over: a receipt or decision receipt.
    pub fn verify_text(&self, name: &str, text: &str) -> Report {
        let mut report = self.begin(Path::new(name));
        self.token(name, text.trim(), &mut report);
        self.conclude(&mut report);
        report
    }

    pub(crate) fn begin(&self, path: &Path) -> Report {
        let mut report = Report::new(path.display().to_string());
        if let Some(file) = &self.file {
            report.trust_file = Some(file.path.display().to_string());
            report.trust_digest = Some(file.digest);
            for (name, cause) in &file.unreadable {
                report.note(format!("key {name} of the trust file cannot be read: {cause}"));
            }
        }
        if self.own.is_some() {
            report.trust_file = Some("keys given to this call".to_owned());
        }
        for remark in &self.remarks {
            report.note(remark.as_str());
        }
        report
    }

    /// What was asked for, held against what was reached.
    fn conclude(&self, report: &mut Report) {
        witnessed::retract(report);
        let has_audit = [audit::KIND, ledger::KIND].contains(&report.kind.as_str());
        if let Some(hmac) = self.expect_entry.as_ref().filter(|_| !has_audit) {
            let detail = format!("there are no audit entries here, none has the hmac {hmac}");
            report.push(Finding::new(Code::ChainTruncated, "", detail));
            report.assure(Assurance::None);
        }
        if self.believed().is_empty() {
            report.push(Finding::new(Code::TrustNone, "", ""));
        }
        let signed = [Level::Signed];
        let require: &[Level] = if self.require.is_empty() { &signed } else { &self.require };
        for level in require {
            match level {
                Level::Anchored => {
                    let authorities = self.authorities(report).len();
                    if report.kind != audit::KIND && report.ok() {
                        report.require(Assurance::Signed);
                    }
                    match report.kind.as_str() {
                        ledger::KIND if authorities > 0 => {
                            if report.ok() && !report.anchored {
                                let detail = anchored::lacking(report, "not every entry is");
                                report.push(Finding::new(Code::TrustLevel, "", detail));
                            }
                        }
                        audit::KIND => {
                            let why = "not every entry of the log has a timestamp";
                            audit::require_anchored(report, authorities, why);
                        }
                        _ => {
                            let why = "timestamps lie in the ledger: `countersign trace WHAT --require anchored` looks there";
                            if authorities > 0 && report.ok() && !report.anchored {
                                let detail = format!("{} is required, and {why}", Level::Anchored);
                                report.push(Finding::new(Code::TrustLevel, "", detail));
                            } else {
                                audit::require_anchored(report, authorities, why);
                            }
                        }
                    }
                }
                // What lowered the level is a finding already; the same again would only change
                // the class that decides the exit.
                Level::Consistent | Level::Signed if !report.ok() => {}
                Level::Consistent => report.require(Assurance::Consistent),
                Level::Signed => report.require(Assurance::Signed),
                Level::Witnessed => {
                    if report.ok() {
                        report.require(Assurance::Signed);
                    }
                    witnessed::require(report, report.kind == ledger::KIND);
                }
            }
        }
    }

    /// Whether anything but consistency is asked for; nothing said asks for signatures.
    pub(crate) fn asks_for_signed(&self) -> bool {
        self.require.is_empty() || self.require.iter().any(|level| *level != Level::Consistent)
    }

    /// Whose timestamps count; certificates that cannot be trusted as an authority's are told.
    pub(crate) fn authorities(&self, report: &mut Report) -> Vec<stamp::Authority> {
        anchor::authorities(self.believed()).unwrap_or_else(|error| {
            report.note(error.to_string());
            Vec::new()
        })
    }

    pub(crate) fn believed(&self) -> &Trust {
        static NOBODY: std::sync::LazyLock<Trust> = std::sync::LazyLock::new(Trust::empty);
        match (&self.own, &self.file) {
            (Some(own), _) => own,
            (None, Some(file)) => &file.trust,
            (None, None) => &NOBODY,
        }
    }

    pub(crate) fn keyring(&self) -> Keyring {
        let mut ring = match (&self.own, &self.file) {
            (Some(own), _) => own.keyring(),
            (None, Some(file)) => file.keyring(),
            (None, None) => Keyring::new(),
        };
        for (id, secret) in &self.hmac_keys {
            ring.insert(id.as_str(), secret.clone());
        }
        ring
    }

    fn directory(&self, path: &Path, report: &mut Report) -> Result<(), VerifyError> {
        match find_ledger(path) {
            Some(dir) => ledger::verify(&dir, self, report),
            None => {
                let detail = "the directory holds no ledger";
                report.push(Finding::new(Code::EvidenceEmpty, report.subject.clone(), detail));
                Ok(())
            }
        }
    }

    fn plain_file(&self, path: &Path, report: &mut Report) -> Result<(), VerifyError> {
        let failed = |error| VerifyError::of(path, error);
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(PEEK).read_to_end(&mut start))
            .map_err(failed)?;
        let whole = (start.len() as u64) < PEEK;
        let is_chain = path.extension().is_some_and(|extension| extension == "jsonl");
        match Shape::of(&start) {
            Shape::Audit => audit::verify(path, self, report).map_err(failed),
            Shape::Bundle => attested::verify(path, self, report).map_err(failed),
            Shape::Token if !is_chain && !whole => {
                let detail = format!("a token's file has less than {PEEK} bytes");
                report.push(Finding::new(Code::FileLimit, report.subject.clone(), detail));
                Ok(())
            }
            Shape::Token if !is_chain => match std::str::from_utf8(start.trim_ascii()) {
                Ok(token) => {
                    let place = report.subject.clone();
                    self.token(&place, token, report);
                    Ok(())
                }
                Err(_) => {
                    report.push(Finding::new(Code::EvidenceKind, "", "not text"));
                    Ok(())
                }
            },
            Shape::Unknown if !is_chain => {
                let detail =
                    "expected a ledger, a receipt chain, a receipt, a decision receipt or a bundle";
                report.push(Finding::new(Code::EvidenceKind, report.subject.clone(), detail));
                Ok(())
            }
            Shape::Empty if !is_chain => {
                report.push(Finding::new(
                    Code::EvidenceEmpty,
                    report.subject.clone(),
                    "the file is empty",
                ));
                Ok(())
            }
            Shape::Lines | Shape::Token | Shape::Unknown | Shape::Empty => {
                chain::verify(path, self, report).map_err(failed)
            }
        }
    }

    fn token(&self, place: &str, token: &str, report: &mut Report) {
        let hash = match &self.ledger {
            None => {
                self.outside_the_log(report, "--ledger DIR");
                single::verify(place, token, self, report)
            }
            Some(dir) => keychange::verify_logged(dir, place, token, self, report),
        };
        self.expected(hash.iter().len() as u64, |head| hash == Some(*head), report);
    }

    /// Where keys may have come and gone, who looks at evidence outside of its log cannot know.
    fn outside_the_log(&self, report: &mut Report, instead: &str) {
        if self.believed().keys_for(Purpose::Root).next().is_some() {
            report.note(format!(
                "keys are taken as the trust file has them: whether one was replaced, revoked or compromised, only the log says ({instead})"
            ));
        }
    }

    /// Holds the evidence against the head and the count that were noted elsewhere. Whatever kind
    /// of evidence it is: an expectation that nobody looks at must not pass for one that is met.
    fn expected(&self, receipts: u64, has: impl Fn(&Digest) -> bool, report: &mut Report) {
        self.expected_head(has, report);
        if let Some(count) = self.expect_count.filter(|count| *count != receipts) {
            let detail = format!("{count} receipts are expected, {receipts} are here");
            report.push(Finding::new(Code::ChainTruncated, "", detail));
            report.assure(Assurance::None);
        }
    }

    fn expected_head(&self, has: impl Fn(&Digest) -> bool, report: &mut Report) {
        if let Some(head) = self.expect_head.filter(|head| !has(head)) {
            let detail = format!("head {head} is not here");
            report.push(Finding::new(Code::ChainTruncated, "", detail));
            report.assure(Assurance::None);
        }
    }

    /// What judges receipts, with the statements that are in force. Those that are not are findings.
    fn judge<'a>(&'a self, report: &mut Report) -> Judge<'a> {
        let (mut judge, refused) = Judge::new(self.believed(), &self.statements);
        report.push_all("capability statement", refused);
        for finding in &self.refused_statements {
            judge.enforce();
            report.push(finding.clone());
        }
        judge
    }

    fn now() -> UnixMillis {
        UnixMillis::from_seconds(identity::now())
    }
}

impl fmt::Debug for Verifier {
    // By hand: secrets are named, never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("trust", self.believed())
            .field("require", &self.require)
            .finish_non_exhaustive()
    }
}

/// Where the ledger is that a directory means: itself, or inside.
pub(crate) fn find_ledger(path: &Path) -> Option<PathBuf> {
    let is_ledger =
        |dir: &Path| ["head", "journal", "public"].iter().any(|name| dir.join(name).exists());
    [path.to_path_buf(), path.join("ledger"), path.join(".countersign").join("ledger")]
        .into_iter()
        .find(|dir| is_ledger(dir))
}

/// What a file looks like from its beginning.
enum Shape {
    Empty,
    /// JSON lines with receipts.
    Lines,
    /// JSON lines of an audit log.
    Audit,
    /// One compact JWS.
    Token,
    /// A Sigstore bundle.
    Bundle,
    Unknown,
}

impl Shape {
    fn of(start: &[u8]) -> Shape {
        let text = start.trim_ascii();
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
        let is_token = |text: &[u8]| {
            text.iter().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=')
            })
        };
        let contains =
            |text: &[u8], needle: &[u8]| text.windows(needle.len()).any(|window| window == needle);
        let has = |needle: &[u8]| contains(first, needle);
        if text.is_empty() {
            Shape::Empty
        } else if text.starts_with(b"{") && contains(text, BUNDLE) {
            Shape::Bundle
        } else if has(b"\"prev_hmac\"") {
            Shape::Audit
        } else if has(b"\"jws\"") || has(b"\"receipt_hash\"") {
            Shape::Lines
        } else if text.contains(&b'.') && is_token(text) {
            Shape::Token
        } else if text.starts_with(b"{") {
            Shape::Lines
        } else if text.contains(&b'.') && start.len() < PEEK as usize && !text.contains(&b'\n') {
            // Three parts with a foreign byte among them: its reader names the fault.
            Shape::Token
        } else {
            Shape::Unknown
        }
    }
}

/// A bundle says what it is near its beginning, whatever order its members have.
const BUNDLE: &[u8] = b"application/vnd.dev.sigstore.bundle";

/// How much of a file tells its kind; a token is no longer than this.
const PEEK: u64 = 72 << 10;
