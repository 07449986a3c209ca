//! The commands, one file each.

mod agent;
mod attest;
mod audit;
mod authority;
mod code;
mod completions;
mod config;
mod export;
mod feed;
mod gateway;
mod hmac;
mod identity;
mod keys;
mod ledger;
mod log;
mod receipt;
mod rules;
mod sarif;
mod scan;
mod seat;
mod trace;
mod trust;
mod up;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use countersign::trustfile::{TrustFile, TrustFileError};

use crate::exit::{Exit, Failure, Outcome};

/// Signed evidence for AI systems: a gateway that records every decision, and the tools that prove
/// it offline.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// The directory that holds countersign.trust.yaml and .countersign; default: this one
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  countersign up
  countersign verify .countersign/ledger
  countersign trace <receipt hash or correlation id> --explain

Exit codes: 0 well; scan 1 suspicious, 2 malicious; 10 not there, 11 not trusted, 12 tampered,
13 a rule is violated, 14 malformed; 64 usage, 65 unusable input, 66 no such path,
69 unreachable, 70 internal fault, 73 cannot create, 74 input or output, 78 configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a gateway here: keys, ledger and trust file are made when missing
    Up(up::Args),
    /// Serve a configured gateway
    Gateway(gateway::Args),
    /// Judge evidence: a ledger, a receipt chain, a receipt, a decision receipt
    Verify(verify::Args),
    /// Walk from a receipt or a request back to its roots
    Trace(trace::Args),
    /// Make and show agent identities
    Agent(agent::Args),
    /// Write, verify and show provenance receipts
    Receipt(receipt::Args),
    /// Show, extend and check the trust file
    Trust(trust::Args),
    /// Scan text for attacks, secrets and personal data
    Scan(scan::Args),
    /// List and show the rules of scans, check rule files
    Rules(rules::Args),
    /// Show and repair a ledger
    Ledger(ledger::Args),
    /// The log of a ledger: checkpoints, proofs, serving, witnesses
    Log(log::Args),
    /// Show and verify the audit entries of a ledger
    Audit(audit::Args),
    /// Export receipts, decisions and audit entries, also as events for a SIEM
    Export(Box<export::Args>),
    /// Make, sign and judge statements about what was reviewed before it runs
    Attest(Box<attest::Args>),
    /// Publish and verify feeds of signed indicators
    Feed(feed::Args),
    /// Show, make, replace and revoke keys
    Keys(keys::Args),
    /// Check, explain and compare configuration files
    Config(config::Args),
    /// Explain a finding code
    Code(code::Args),
    /// Print shell completions
    Completions(completions::Args),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let dir = self.dir.as_deref().unwrap_or(Path::new("."));
        match self.command {
            Command::Up(args) => up::run(args, dir),
            Command::Gateway(args) => gateway::run(args, dir),
            Command::Verify(args) => verify::run(args, dir),
            Command::Trace(args) => trace::run(args, dir),
            Command::Agent(args) => agent::run(args),
            Command::Receipt(args) => receipt::run(args, dir),
            Command::Trust(args) => trust::run(args, dir),
            Command::Scan(args) => scan::run(args, self.dir.as_deref()),
            Command::Rules(args) => rules::run(args),
            Command::Ledger(args) => ledger::run(args, dir),
            Command::Log(args) => log::run(args, dir),
            Command::Audit(args) => audit::run(args, dir),
            Command::Export(args) => export::run(*args, dir),
            Command::Attest(args) => attest::run(*args, dir),
            Command::Feed(args) => feed::run(args, dir),
            Command::Keys(args) => keys::run(args, dir),
            Command::Config(args) => config::run(args, dir),
            Command::Code(args) => code::run(args),
            Command::Completions(args) => completions::run(args),
        }
    }
}

/// The ledger of a state directory.
fn ledger_of(dir: &Path) -> PathBuf {
    dir.join(".countersign").join("ledger")
}

/// A PATH that must be there.
fn must_exist(path: &Path) -> Result<(), Failure> {
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(
            Exit::NoPath,
            format!("{}: no such file or directory", path.display()),
        )),
        Err(error) => Err(Failure::io(path, &error)),
    }
}

/// A PATH that must be there, or `-`.
fn must_exist_or_stdin(path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") { Ok(()) } else { must_exist(path) }
}

/// The trust file that counts for `evidence`, and what was passed over.
fn trust_for(
    explicit: Option<&Path>,
    dir: &Path,
    evidence: &Path,
) -> Result<(Option<TrustFile>, Vec<String>), Failure> {
    TrustFile::find(explicit, dir, evidence).map_err(trust_failure)
}

fn trust_failure(error: TrustFileError) -> Failure {
    Failure::new(Exit::Config, error.to_string())
}
