//! `countersign log`: the log of a ledger, one file for each subcommand.

mod anchor;
mod append;
mod archive;
mod check;
mod checkpoint;
mod face;
mod files;
mod own;
mod prove;
mod prune;
mod restore;
mod serve;
mod show;
mod verify;
mod witness;

pub use files::LogFiles;

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
    /// Have the newest checkpoint stamped by a timestamp authority
    Anchor(anchor::Args),
    /// Append entries, alone or beside a running gateway
    Append(append::Args),
    /// Copy full segments into an archive
    Archive(archive::Args),
    /// Re-verify structure and hashes: journal, head, tiles, bundles and checkpoint
    Check(check::Args),
    /// Sign a checkpoint over everything there is
    Checkpoint(checkpoint::Args),
    /// Prove that an entry is in the log, or that the log only grew
    Prove(prove::Args),
    /// Remove bodies whose retention has ended; the leaves stay
    Prune(prune::Args),
    /// Bring pruned bodies back from an archive
    Restore(restore::Args),
    /// Serve checkpoint and tiles, and entries to who may have them
    Serve(serve::Args),
    /// Print what the checkpoint says, unverified
    Show(show::Args),
    /// Judge a proof offline, by a policy
    Verify(verify::Args),
    /// Cosign the checkpoints of other logs
    Witness(witness::Args),
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Anchor(args) => anchor::run(args, dir),
        Command::Append(args) => append::run(args, dir),
        Command::Archive(args) => archive::run(args, dir),
        Command::Check(args) => check::run(args, dir),
        Command::Checkpoint(args) => checkpoint::run(args, dir),
        Command::Prove(args) => prove::run(args, dir),
        Command::Prune(args) => prune::run(args, dir),
        Command::Restore(args) => restore::run(args, dir),
        Command::Serve(args) => serve::run(args, dir),
        Command::Show(args) => show::run(args, dir),
        Command::Verify(args) => verify::run(args),
        Command::Witness(args) => witness::run(args, dir),
    }
}
