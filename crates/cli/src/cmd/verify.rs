//! `countersign verify`: judge evidence of any kind.

use std::path::{Path, PathBuf};

use countersign::verify::{Level, Verifier, VerifyError};
use record::capability::{self, Statement};
use record::report::Report;
use record::trust::{KeyMaterial, Purpose, Trust, TrustKey, Validity};
use seal::Digest;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign verify .countersign/ledger
  countersign verify chain.jsonl --trust mailer-trust.yaml
  countersign verify receipt.jws --require signed --format json

PATH is a ledger (or a directory that holds one), a receipt chain (JSON Lines), a file with one
receipt, a file with one decision receipt, or `-` for such a token on standard input. Nothing is
written. Every finding has a code: `countersign code <CODE>` explains it.")]
pub struct Args {
    /// What to judge
    path: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Options that `receipt verify` shares.
#[derive(Debug, clap::Args)]
pub struct How {
    /// The trust file; default: countersign.trust.yaml in --dir (unless it lies below PATH or git
    /// tracks it), then the user's own
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Trust this public key (PEM) for receipts, in this command only
    #[arg(long, value_name = "PEM", conflicts_with = "trust")]
    pubkeys: Vec<PathBuf>,
    /// A key for the HMACs of audit lines, in this command only: ID=file:PATH or ID=env:NAME
    #[arg(long = "hmac-key", value_name = "ID=SOURCE")]
    hmac_keys: Vec<String>,
    /// The level to insist on: consistent, signed (default), anchored, witnessed
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    require: Vec<Level>,
    /// Capability statements (JSON) that the receipts of a chain must keep to
    #[arg(long = "statement", value_name = "FILE")]
    statements: Vec<PathBuf>,
    /// A receipt that the chain must hold
    #[arg(long, value_name = "HASH")]
    expect_head: Option<Digest>,
    /// How many receipts the chain must hold
    #[arg(long, value_name = "N")]
    expect_count: Option<u64>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    judge(&args.path, args.how, dir)
}

/// Judges a path (or standard input) and prints the report.
pub fn judge(path: &Path, how: How, dir: &Path) -> Outcome {
    let stdin = path == Path::new("-");
    if !stdin {
        super::must_exist(path)?;
    }
    let statements =
        how.statements.iter().map(|path| statement(path)).collect::<Result<Vec<_>, _>>()?;
    let mut verifier = Verifier::new()
        .statements(statements)
        .expect_head(how.expect_head)
        .expect_count(how.expect_count);
    if how.pubkeys.is_empty() {
        let (file, passed_over) = super::trust_for(how.trust.as_deref(), dir, path)?;
        verifier = verifier.trust_file(file).remarks(passed_over);
    } else {
        verifier = verifier.trust(pinned(&how.pubkeys)?);
    }
    for key in &how.hmac_keys {
        let (id, secret) = hmac_key(key)?;
        verifier = verifier.hmac_key(id, secret);
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

fn statement(path: &Path) -> Result<Statement, Failure> {
    let bytes = output::read_input(path, 64 << 10)?;
    capability::read(&bytes).map_err(|findings| {
        let first = findings.first().map(ToString::to_string);
        Failure::new(Exit::Input, format!("{}: {}", path.display(), first.unwrap_or_default()))
    })
}

fn hmac_key(argument: &str) -> Result<(&str, seal::Zeroizing<Vec<u8>>), Failure> {
    let (id, source) = argument.split_once('=').ok_or_else(|| {
        Failure::new(Exit::Usage, "--hmac-key: expected ID=file:PATH or ID=env:NAME")
    })?;
    let text = if source.starts_with("file:") || source.starts_with("env:") {
        // Paths on the command line are relative to where it is given.
        countersign::trustfile::resolve(source, Path::new("."))
            .map_err(|cause| Failure::new(Exit::Config, format!("{source}: {cause}")))?
    } else {
        output::complain(
            "--hmac-key: a secret on the command line is visible to every user of this machine; use file: or env:",
        );
        source.to_owned()
    };
    let secret = seal::hex::decode(text.trim())
        .ok_or_else(|| Failure::new(Exit::Input, "--hmac-key: the secret is not lower-case hex"))?;
    Ok((id, seal::Zeroizing::new(secret)))
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
                valid: Validity::default(),
            })
            .map_err(|error| Failure::new(Exit::Input, error.to_string()))?;
    }
    Ok(trust)
}
