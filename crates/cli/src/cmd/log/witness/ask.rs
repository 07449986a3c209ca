//! `countersign log witness ask`: cosignatures under the newest checkpoint, by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger::Ledger;
use reach::http::{Client, block_on};
use reach::witness::{Answered, Question, Witnesses};
use record::report::ExitClass;
use seal::json::Value;
use seal::policy::Policy;
use seal::time::UnixMillis;

use crate::cmd::{ledger as ledgers, ledger_of, must_exist, seat};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log witness ask --policy witnesses.policy

Signs a checkpoint over everything there is, has the witnesses of the policy cosign it and publishes
it with their lines. 69 when the quorum is not met, 12 when a witness saw another history of this
log. A gateway does this by itself: see ledger.witnesses in its configuration; beside one this ends
with 69.")]
pub struct Args {
    /// A policy (C2SP tlog-policy) whose witnesses have addresses
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Certificate authorities (PEM) for https beside those of the web
    #[arg(long, value_name = "PEM")]
    https_ca: Option<PathBuf>,
    /// How long all of them together may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let home = dir.join(".countersign");
    let path = ledger_of(dir);
    must_exist(&path)?;
    must_exist(&args.policy)?;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Config, format!("{}: {error}", args.policy.display()))
    };
    let policy = Policy::parse(&output::read_input(&args.policy, 128 << 10)?)
        .map_err(|error| wrong(&error))?;
    let roots = match &args.https_ca {
        Some(path) => Some(output::read_input(path, 1 << 20)?),
        None => None,
    };
    let client = Client::new(roots.as_deref()).map_err(|error| wrong(&error))?;

    let lock = ledgers::lock(&home, &path)?;
    let ledger =
        Arc::new(seat::open(&home, lock, "operator").map_err(|error| seat::failure(&error))?);
    let policy = policy.for_log(ledger.vkey()).ok_or_else(|| {
        wrong(&"its logs are others, or a witness has the key of this log; name this log in it")
    })?;
    let witnesses = Witnesses::of(policy, client).map_err(|error| wrong(&error))?;
    let failed = |error: ledger::CheckpointError| Failure::new(Exit::Io, error.to_string());
    let signed = ledger.sign_checkpoint().map_err(failed)?;
    let question = Question {
        checkpoint: signed.checkpoint.clone(),
        note: signed.note.into(),
        prove: prover(&ledger, signed.checkpoint.size),
    };
    let deadline = Duration::from_secs(args.timeout);
    let answered = block_on(witnesses.ask(&question, deadline))
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let made: Vec<_> =
        answered.iter().filter_map(|answer| answer.cosignature.as_ref().ok().cloned()).collect();
    ledger.publish_cosigned(&signed.checkpoint, &made).map_err(failed)?;
    let keys: Vec<_> = answered
        .iter()
        .filter(|answer| answer.cosignature.is_ok())
        .map(|answer| answer.key.clone())
        .collect();
    let met = witnesses.policy().is_met_by(&keys);
    show(args.format, signed.checkpoint.size, met, &answered)?;
    let contradicted = answered
        .iter()
        .any(|answer| answer.cosignature.as_ref().is_err_and(|error| error.is_contradiction()));
    Ok(match (contradicted, met) {
        (true, _) => Exit::Evidence(ExitClass::Tampered),
        (false, true) => Exit::Ok,
        (false, false) => Exit::Unavailable,
    })
}

/// Proofs up to a checkpoint of this ledger.
fn prover(ledger: &Arc<Ledger>, size: u64) -> reach::witness::Prove {
    let ledger = ledger.clone();
    Arc::new(move |from| ledger.consistency(from, size).map_err(|error| error.to_string()))
}

fn show(format: Format, size: u64, met: bool, answered: &[Answered]) -> Result<(), Failure> {
    let time = |seconds: u64| UnixMillis(seconds.saturating_mul(1000)).to_string();
    match format {
        Format::Table => {
            let quorum = if met { "met" } else { "not met" };
            let mut text = format!("size    {size}\nquorum  {quorum}\n");
            for answer in answered {
                let said = match &answer.cosignature {
                    Ok(made) => format!("cosigned at {}", time(made.time_seconds)),
                    Err(error) => output::safe(&error.to_string()),
                };
                let name = output::safe(&answer.name.to_string());
                text.push_str(&format!("{name}: {said}\n"));
            }
            output::print(&text)
        }
        Format::Json => output::json(&Value::object([
            ("size", Value::from(size)),
            ("quorum_met", met.into()),
            (
                "witnesses",
                Value::array(answered.iter().map(|answer| {
                    let (cosigned, error) = match &answer.cosignature {
                        Ok(made) => (Value::from(time(made.time_seconds)), Value::Null),
                        Err(error) => (Value::Null, Value::from(error.to_string())),
                    };
                    Value::object([
                        ("name", Value::from(answer.name.to_string())),
                        ("key", answer.key.to_string().into()),
                        ("cosigned", cosigned),
                        ("error", error),
                    ])
                })),
            ),
        ])),
    }
}
