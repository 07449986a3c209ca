//! `countersign verify`: judge evidence of any kind.

use std::path::{Path, PathBuf};

use countersign::verify::{Level, Verifier, VerifyError};
use record::report::Report;
use record::trust::{KeyMaterial, Purpose, Trust, TrustKey, Validity};
use seal::Digest;

use super::hmac::HmacKeys;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign verify .countersign/ledger
  countersign verify chain.jsonl --trust mailer-trust.yaml
  countersign verify receipt.jws --require signed --format json
  countersign verify decision.jws --ledger .countersign/ledger

PATH is a ledger (or a directory that holds one), a receipt chain or an audit log (JSON Lines), a
file with one receipt, a file with one decision receipt, or `-` for such a token on standard input;
or the bundle of an attestation or of a verification summary (`attest verify` looks at files, too).
Nothing is written. Every finding has a code: `countersign code <CODE>` explains it.")]
pub struct Args {
    /// What to judge
    path: PathBuf,
    /// For a single receipt or decision receipt: the ledger it lies in, to judge its key by where
    /// it lies (keys that were replaced or revoked)
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// Options that `receipt verify` shares.
#[derive(Debug, clap::Args)]
pub struct How {
    /// The trust file; default: countersign.trust.yaml in --dir (unless it lies below PATH or git
    /// tracks it), then the user's own
    #[arg(long, value_name = "FILE")]
    pub(super) trust: Option<PathBuf>,
    /// Trust this public key (PEM) for receipts, in this command only
    #[arg(long, value_name = "PEM", conflicts_with = "trust")]
    pubkeys: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) hmac: HmacKeys,
    /// The level to insist on: consistent, signed (default), anchored, witnessed
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub(super) require: Vec<Level>,
    /// Capability statements (JSON) that the receipts of a chain must keep to
    #[arg(long = "statement", value_name = "FILE")]
    statements: Vec<PathBuf>,
    /// A receipt that the chain or ledger must hold; or, for an audit log or ledger, the hmac of
    /// an entry
    #[arg(long, value_name = "HASH")]
    expect_head: Option<Head>,
    #[command(flatten)]
    pub(super) identity: super::identity::Identity,
    /// How many receipts the chain or ledger, or entries the audit log, must hold
    #[arg(long, value_name = "N")]
    pub(super) expect_count: Option<u64>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub(super) format: Format,
}

/// What `--expect-head` names.
#[derive(Clone, Debug)]
pub enum Head {
    /// A receipt, by its hash.
    Receipt(Digest),
    /// An audit entry, by its hmac.
    Mac(String),
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(digest) = text.parse() {
            return Ok(Head::Receipt(digest));
        }
        match seal::hex::decode(text).is_some_and(|bytes| bytes.len() == 32) {
            true => Ok(Head::Mac(text.to_owned())),
            false => Err(
                "expected sha256: and 64 lower-case hex digits, or, for an audit log, 64 digits"
                    .into(),
            ),
        }
    }
}

impl How {
    /// The hmac that `--expect-head` names.
    pub(super) fn head_of_log(&self) -> Option<&str> {
        match &self.expect_head {
            Some(Head::Mac(hmac)) => Some(hmac),
            Some(Head::Receipt(_)) | None => None,
        }
    }

    /// Refuses what says nothing about an audit log: an option that nobody looks at must not pass
    /// for one that is met.
    pub(super) fn fits_a_log(&self) -> Result<(), Failure> {
        let unfit = [
            (!self.pubkeys.is_empty(), "--pubkeys is about receipts; a log takes --hmac-key"),
            (!self.statements.is_empty(), "--statement is about receipts"),
            (
                matches!(self.expect_head, Some(Head::Receipt(_))),
                "--expect-head: for an audit log the 64 hex digits of an entry's hmac, without sha256:",
            ),
        ];
        match unfit.into_iter().find(|(given, _)| *given) {
            Some((_, why)) => Err(Failure::new(Exit::Usage, why)),
            None => Ok(()),
        }
    }
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    judge_in(&args.path, args.how, dir, args.ledger.as_deref())
}

/// Judges a path (or standard input) and prints the report.
pub fn judge(path: &Path, how: How, dir: &Path) -> Outcome {
    judge_in(path, how, dir, None)
}

fn judge_in(path: &Path, how: How, dir: &Path, ledger: Option<&Path>) -> Outcome {
    if let Some(ledger) = ledger {
        super::must_exist(ledger)?;
    }
    let stdin = path == Path::new("-");
    if !stdin {
        super::must_exist(path)?;
    }
    let (expect_head, expect_entry) = match how.expect_head {
        Some(Head::Receipt(head)) => (Some(head), None),
        Some(Head::Mac(hmac)) => (None, Some(hmac)),
        None => (None, None),
    };
    let mut verifier = Verifier::new()
        .ledger(ledger)
        .identities(how.identity.read()?)
        .expect_head(expect_head)
        .expect_entry(expect_entry)
        .expect_count(how.expect_count);
    for path in &how.statements {
        let bytes = output::read_input(path, 64 << 10)?;
        verifier = verifier.statement_file(&path.display().to_string(), &bytes);
    }
    if how.pubkeys.is_empty() {
        let (file, passed_over) = super::trust_for(how.trust.as_deref(), dir, path)?;
        verifier = verifier.trust_file(file).remarks(passed_over);
    } else {
        verifier = verifier.trust(pinned(&how.pubkeys)?);
    }
    for (id, secret) in how.hmac.read()?.iter() {
        verifier = verifier.hmac_key(id, seal::Zeroizing::new(secret.to_vec()));
    }
    for level in how.require {
        verifier = verifier.require(level);
    }
    let report = if stdin {
        let text = output::read_text(path, 1 << 20)?;
        verifier.verify_text("standard input", &text)
    } else {
        verifier.verify(path).map_err(failure)?
    };
    show(&report, how.format)
}

/// Prints a report; its class is the exit.
pub fn show(report: &Report, format: Format) -> Outcome {
    match format {
        Format::Json => output::json(&report.to_json())?,
        Format::Table => output::print(&report.to_table())?,
    }
    Ok(Exit::Evidence(report.exit_class()))
}

pub fn failure(error: VerifyError) -> Failure {
    let exit = match &error {
        VerifyError::NotFound { .. } => Exit::NoPath,
        _ => Exit::Io,
    };
    Failure::new(exit, error.to_string())
}

fn pinned(paths: &[PathBuf]) -> Result<Trust, Failure> {
    let mut trust = Trust::empty();
    for path in paths {
        let pem = output::read_text(path, 64 << 10)?;
        let key = seal::PublicKey::from_pem(&pem)
            .map_err(|error| Failure::new(Exit::Input, format!("{}: {error}", path.display())))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        trust
            .add_key(TrustKey {
                name: seal::escape::terminal(&name),
                purpose: Purpose::Receipts,
                key: KeyMaterial::Public(key),
                reference: None,
                agent_id: None,
                issuer: None,
                valid: Validity::default(),
                policies: Vec::new(),
                types: Vec::new(),
            })
            .map_err(|error| Failure::new(Exit::Input, error.to_string()))?;
    }
    Ok(trust)
}
