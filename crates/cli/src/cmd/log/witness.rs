//! `countersign log witness`: cosigning the checkpoints of other logs.

mod ask;
mod keygen;
mod serve;

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
    /// Have the newest checkpoint of the ledger here cosigned
    Ask(ask::Args),
    /// Make a witness's key, or print the verifier key of one
    Keygen(keygen::Args),
    /// Cosign what extends what was cosigned before (C2SP tlog-witness)
    Serve(serve::Args),
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Ask(args) => ask::run(&args, dir),
        Command::Keygen(args) => keygen::run(&args),
        Command::Serve(args) => serve::run(args),
    }
}
