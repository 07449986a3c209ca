//! `countersign attest`: what was reviewed before it runs, one file for each subcommand.

mod bundles;
mod print;
mod schema;
mod verify;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use seal::time::UnixMillis;

use crate::exit::Outcome;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the JSON Schema of a type of statement
    Schema(schema::Args),
    /// Judge bundles: signature, schema, digest, chain, semantics
    Verify(Box<verify::Args>),
}

/// Where statements and bundles lie, below --dir.
const FOLDER: &str = "attestations";

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Schema(args) => schema::run(&args),
        Command::Verify(args) => verify::run(*args, dir),
    }
}

/// The time.
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
