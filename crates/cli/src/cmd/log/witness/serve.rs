//! `countersign log witness serve`: a witness here and now.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ledger::SystemClock;
use ledger::lock::LockError;
use logd::Door;
use logd::witness::{OpenError, Setup, Witness};
use seal::note::VerifierKey;
use seal::policy::Policy;

use super::keygen;
use crate::cmd::log::face;
use crate::cmd::up::stop;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log witness serve --state w1 --key w1.pem --name witness.example/w1 \\
      --log 'log.example+b5c2ba2c+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4'
  countersign log witness serve --state w1 --key w1.pem --name witness.example/w1 \\
      --logs logs.policy --listen 192.0.2.7:8445 --host witness.example

What it cosigned last lies in --state. Never put an older copy of it back: make a new witness.
Runs until SIGINT or SIGTERM. It prints where it listens and its verifier key, then nothing, so
there is no --format.")]
pub struct Args {
    /// The directory of its memory; made when missing
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Its private key (log witness keygen)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its name, as when the key was made
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The verifier key of a log to cosign for; may be repeated
    #[arg(long, value_name = "VKEY")]
    log: Vec<VerifierKey>,
    /// A policy file whose `log` lines name logs to cosign for
    #[arg(long, value_name = "FILE")]
    logs: Option<PathBuf>,
    #[command(flatten)]
    face: face::Face,
}

pub fn run(args: Args) -> Outcome {
    output::log_to_stderr();
    let mut logs = args.log;
    if let Some(path) = &args.logs {
        let octets = output::read_input(path, 128 << 10)?;
        let policy = Policy::parse(&octets)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))?;
        logs.extend(policy.logs().iter().map(|log| log.key.clone()));
    }
    let setup = Setup {
        dir: args.state,
        name: args.name,
        signer: Arc::new(keygen::read(&args.key)?),
        logs,
        clock: Arc::new(SystemClock),
    };
    let witness = Arc::new(Witness::open(setup).map_err(|error| open_failure(&error))?);
    let door: Door = args.face.door();
    let vkey = witness.vkey().clone();
    let ready = |bound: SocketAddr| {
        // Nobody reading it is no reason not to serve.
        let _ = output::print(&format!("witness  http://{bound}\nvkey     {vkey}\n"));
    };
    logd::witness::serve(witness.clone(), &door, ready, stop())
        .map_err(|error| face::failure(&error))?;
    Ok(Exit::Ok)
}

fn open_failure(error: &OpenError) -> Failure {
    let exit = match error {
        OpenError::Name | OpenError::NoLogs => Exit::Usage,
        OpenError::Locked(LockError::Held { .. }) => Exit::Unavailable,
        OpenError::Locked(LockError::Io { .. }) => Exit::CannotCreate,
        OpenError::Memory { .. } => Exit::Config,
        OpenError::Io { .. } => Exit::Io,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}
