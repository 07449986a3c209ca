//! `attest report`: the JSON of a verification as something people read.

use std::path::PathBuf;

use seal::json::{Limits, Value, parse};

use super::print::{self, Kind};
use super::sbom;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest verify --format json > verify.json; countersign attest report verify.json
  countersign attest report verify.json --format svg > chain.svg
  countersign attest report gate.json --format sarif > gate.sarif

Nothing is verified here: a page is as good as the JSON that it is made of. The exit says only whether
there was a page.")]
pub struct Args {
    /// What `attest verify`, `gate` or `match` printed with --format json; - for standard input
    file: PathBuf,
    /// How to print
    #[arg(long, default_value = "markdown")]
    format: Kind,
}

/// Longest report read, bytes.
const LIMIT: usize = 256 << 20;

pub fn run(args: &Args) -> Outcome {
    crate::cmd::must_exist_or_stdin(&args.file)?;
    let refused =
        |why: String| Failure::new(Exit::Input, format!("{}: {why}", output::path(&args.file)));
    let bytes = output::read_input(&args.file, LIMIT as u64)?;
    let value = parse(&bytes, Limits { bytes: LIMIT, depth: 16 })
        .map_err(|error| refused(format!("not JSON: {error}")))?;
    let kind = value.get("kind").and_then(Value::as_str);
    if !matches!(kind, Some("attestations" | "gate" | sbom::KIND)) {
        let what = "is not what `attest verify`, `gate` or `match` print with --format json";
        return Err(refused(what.into()));
    }
    print::again(&value, args.format)?;
    Ok(Exit::Ok)
}
