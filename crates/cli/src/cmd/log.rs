//! `countersign log`: the log of a ledger, one file for each subcommand.

mod face;
mod append;
mod show;
mod witness;

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
    /// Append entries, alone or beside a running gateway
    Append(append::Args),
    /// Print what the checkpoint says, unverified
    Show(show::Args),
    /// Cosign the checkpoints of other logs
    Witness(witness::Args),
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Append(args) => append::run(args, dir),
        Command::Show(args) => show::run(args, dir),
        Command::Witness(args) => witness::run(args),
    }
}
