//! `countersign keys`: which keys lie here, and how they come and go. Never shows a secret.

mod generate;
mod revoke;
mod rotate;
mod show;

use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;
use countersign::identity::read_secret_key;
use gateway::state::{Cause, ChangeError, Init};
use ledger::SystemClock;
use record::keychange::Reason;
use seal::SecretKey;
use seal::time::parse_rfc3339;

use crate::exit::{Exit, Failure, Outcome};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key: a new file, and the entry for the trust file
    #[command(after_help = "Examples:
  countersign keys generate root -o /media/stick/root.pem
  countersign keys generate approvals --name on-call
  countersign keys generate hmac --name k1 -o hmac-k1.hex

A root key says which other keys come and go. Make it elsewhere than on the gateway, and keep it
offline: whoever has it decides whose evidence counts.")]
    Generate(generate::Args),
    /// The keys in .countersign/keys and in the trust file: what for, since when, until when
    #[command(after_help = "Examples:
  countersign keys show
  countersign --dir /srv/gateway keys show --format json")]
    Show(show::Args),
    /// Replace a key by a new one; the ledger says so, signed by the root key
    #[command(after_help = "Examples:
  countersign keys rotate receipts --root /media/stick/root.pem
  countersign keys rotate hmac --root root.pem --reason retired
  countersign keys rotate decisions --root root.pem --compromised-at 2026-11-20T14:00:00Z
  countersign keys rotate capabilities --key authority.pem --root root.pem

The gateway is stopped meanwhile (exit 69 while it runs); the next start signs with the new key. The
trust file stays as it is: its root key vouches for the new one. See docs/operating/keys.md.")]
    Rotate(rotate::Args),
    /// Say in the ledger that a key does not count any more, signed by the root key
    #[command(after_help = "Examples:
  countersign keys revoke 3d4c030534b1c1c6 --root root.pem --compromised-at 2026-11-20T14:00:00Z
  countersign keys revoke decisions --root root.pem --reason retired")]
    Revoke(revoke::Args),
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Generate(args) => generate::run(args, dir),
        Command::Show(args) => show::run(args, dir),
        Command::Rotate(args) => rotate::run(args, dir),
        Command::Revoke(args) => revoke::run(args, dir),
    }
}

/// Why a key goes, as the command line says it.
#[derive(Debug, clap::Args)]
struct Why {
    /// Why: retired, superseded (default) or compromised
    #[arg(long, value_name = "REASON")]
    reason: Option<Reason>,
    /// When somebody else may have begun to use it (RFC 3339, or `always`); says compromised
    #[arg(long, value_name = "TIME")]
    compromised_at: Option<String>,
}

impl Why {
    fn cause(&self) -> Result<Cause, Failure> {
        let usage = |why: &str| Failure::new(Exit::Usage, why.to_owned());
        let at = match self.compromised_at.as_deref() {
            None => None,
            // Nothing that the key ever signed is older than this.
            Some("always") => Some(1),
            Some(text) => {
                let time = parse_rfc3339(text).ok_or_else(|| {
                    usage("--compromised-at: expected a time like 2026-11-20T14:00:00Z, or always")
                })?;
                // A part of a second is left to whoever had the key.
                Some(time.seconds())
            }
        };
        let reason = match (self.reason, at) {
            (None, Some(_)) => Reason::Compromised,
            (None, None) => Reason::Superseded,
            (Some(reason), _) => reason,
        };
        match (reason, at) {
            (Reason::Compromised, None) => Err(usage(
                "--reason compromised needs --compromised-at: the time from which somebody else may have used the key, or always",
            )),
            (Reason::Retired | Reason::Superseded, Some(_)) => {
                Err(usage("--compromised-at is about a compromised key; leave --reason out"))
            }
            (reason, compromised_at) => Ok(Cause { reason, compromised_at }),
        }
    }
}

fn root_key(path: &Path) -> Result<SecretKey, Failure> {
    super::must_exist(path)?;
    read_secret_key(path).map_err(super::agent::failure)
}

fn init() -> Init {
    Init { memory: false, clock: Arc::new(SystemClock) }
}

fn failure(error: &ChangeError) -> Failure {
    let exit = match error {
        ChangeError::State(error) => return super::up::state_failure(error),
        ChangeError::NoState(_) => Exit::NoPath,
        ChangeError::Open(ledger::OpenError::Damaged(_)) => {
            Exit::Evidence(record::report::ExitClass::Tampered)
        }
        ChangeError::Open(_) | ChangeError::Append(_) | ChangeError::Checkpoint(_) => Exit::Io,
        ChangeError::Root { .. } | ChangeError::Refused(_) => Exit::Config,
        ChangeError::Purpose { .. } | ChangeError::NoFile { .. } | ChangeError::Unknown(_) => {
            Exit::Usage
        }
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}
