//! `countersign log`: the log of a ledger, one file for each subcommand.

mod show;

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
    /// Print what the checkpoint says, unverified
    Show(show::Args),
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Show(args) => show::run(args, dir),
    }
}
