//! `countersign attest`: what was reviewed before it runs, one file for each subcommand.

mod bom;
mod bundles;
mod create;
mod decrypt;
mod demo;
mod diff;
mod enter;
mod failure;
mod gate;
mod init;
mod model;
mod print;
mod report;
mod sarif;
mod sbom;
mod schema;
mod show;
mod sign;
mod summary;
mod verify;
mod written;

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
    /// Write what is attested as a CycloneDX bill of materials
    Bom(Box<bom::Args>),
    /// Make statements about files
    Create(Box<create::Args>),
    /// Open an encrypted payload, and hold it against its commitment
    Decrypt(decrypt::Args),
    /// Attest a small project, tamper with it, and see it noticed
    Demo(demo::Args),
    /// Show what changed from one statement to another
    Diff(diff::Args),
    /// Judge a change: which attestations it needs, and what they must say
    Gate(Box<gate::Args>),
    /// Make what a project needs to be attested
    Init(init::Args),
    /// Say what of a bill of materials is attested
    Match(Box<sbom::Args>),
    /// Sign and verify models as PyPI model-signing does
    Model(model::Args),
    /// Render the JSON of a verification as Markdown, SARIF, DOT or SVG
    Report(report::Args),
    /// Print the JSON Schema of a type of statement
    Schema(schema::Args),
    /// Print what a bundle or statement says, unverified
    Show(show::Args),
    /// Sign statements
    Sign(Box<sign::Args>),
    /// Judge bundles: signature, schema, digest, chain, semantics
    Verify(Box<verify::Args>),
}

/// Where statements and bundles lie, below --dir.
const FOLDER: &str = "attestations";

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Bom(args) => bom::run(*args, dir),
        Command::Create(args) => create::run(&args, dir),
        Command::Decrypt(args) => decrypt::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Gate(args) => gate::run(*args, dir),
        Command::Init(args) => init::run(&args, dir),
        Command::Match(args) => sbom::run(&args, dir),
        Command::Model(args) => model::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Sign(args) => sign::run(&args, dir),
        Command::Verify(args) => verify::run(*args, dir),
    }
}

/// The time.
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
