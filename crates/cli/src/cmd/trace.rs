//! `countersign trace`: from a receipt or a request back to its roots.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use countersign::trace::TraceError;
use countersign::{Level, Tracer};

use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign trace 5f0c1e0a-9f55-4d0e-8f3e-0c5a3a2f9d11          a correlation id
  countersign trace sha256:0f3a... --explain
  countersign trace 0f3a9be1c2d4 --chain chain.jsonl --format dot | dot -Tsvg > trace.svg
  countersign trace \"$(cat decision-receipt.jws)\" --format json

WHAT is a receipt's hash (or at least 12 digits of it), a correlation id, an audit entry id, or a
decision receipt. Every step is verified, and each row says what was found.")]
pub struct Args {
    /// What to trace
    what: String,
    /// A receipt chain instead of the ledger
    #[arg(long, value_name = "FILE")]
    chain: Option<PathBuf>,
    /// The ledger; default: .countersign/ledger in --dir
    #[arg(long, value_name = "DIR", conflicts_with = "chain")]
    ledger: Option<PathBuf>,
    /// The trust file; default: as for `verify`
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    identity: super::identity::Identity,
    /// The level to insist on: consistent, signed, anchored, witnessed
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    require: Vec<Level>,
    /// Answer in sentences
    #[arg(long)]
    explain: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: As,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    Table,
    Json,
    Dot,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let place = match (&args.chain, &args.ledger) {
        (Some(chain), _) => chain.clone(),
        (None, Some(ledger)) => ledger.clone(),
        (None, None) => super::ledger_of(dir),
    };
    super::must_exist(&place)?;
    let (file, passed_over) = super::trust_for(args.trust.as_deref(), dir, &place)?;
    let tracer =
        if args.chain.is_some() { Tracer::over_chain(&place) } else { Tracer::over_ledger(&place) }
            .trust_file(file)
            .remarks(passed_over)
            .identities(args.identity.read()?);
    let tracer = args.require.iter().fold(tracer, |tracer, level| tracer.require(*level));
    let trace = tracer.trace(&args.what).map_err(failure)?;
    match (args.format, args.explain) {
        (As::Json, _) => output::json(&trace.to_json())?,
        (As::Dot, _) => output::print(&trace.to_dot())?,
        (As::Table, false) => output::print(&trace.to_table())?,
        (As::Table, true) => output::print(&trace.explain())?,
    }
    Ok(Exit::Evidence(trace.report.exit_class()))
}

pub fn failure(error: TraceError) -> Failure {
    let exit = match &error {
        TraceError::Ambiguous { .. } | TraceError::NotAnId { .. } => Exit::Usage,
        TraceError::Read { .. } => Exit::Io,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}
