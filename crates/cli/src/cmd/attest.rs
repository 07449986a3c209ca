//! `countersign attest`: what was reviewed before it runs, one file for each subcommand.

mod schema;

use std::path::Path;

use clap::Subcommand;

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
}

pub fn run(args: Args, _dir: &Path) -> Outcome {
    match args.command {
        Command::Schema(args) => schema::run(&args),
    }
}
