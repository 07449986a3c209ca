//! `countersign feed`: signed indicators, one file for each subcommand.

mod add;
mod consume;
mod delta;
mod init;
mod list;
mod pattern;
mod pin;
mod propose;
mod prove;
mod publish;
mod review;
mod revoke;
mod rotate;
mod search;
mod show;
mod source;
mod standing;
mod subscribe;
mod unsubscribe;
mod update;
mod verify;

pub use standing::Standing;

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
    /// Take up an indicator, or those of a proposal, into the drafts of a feed
    Add(Box<add::Args>),
    /// Start a feed: a key, and a file for its drafts
    Init(init::Args),
    /// List the subscriptions, and what counts of them
    List(list::Args),
    /// Write a proposal: an unsigned indicator with samples, for a publisher to review
    Propose(Box<propose::Args>),
    /// Cut indicators out of a feed, with the proof that they are of it
    Prove(prove::Args),
    /// Sign the drafts and write the feed as a static file
    Publish(publish::Args),
    /// Run the samples of drafts or of a proposal, and show what else would match
    Review(review::Args),
    /// Withdraw an indicator
    Revoke(revoke::Args),
    /// Make a new key, on the word of the old one
    Rotate(rotate::Args),
    /// Find indicators that count here
    Search(search::Args),
    /// Print what a feed or a drafts file holds, unverified
    Show(show::Args),
    /// Let a publisher's indicators count here
    Subscribe(Box<subscribe::Args>),
    /// End a subscription
    Unsubscribe(unsubscribe::Args),
    /// Fetch what is newer, and take it if it may be taken
    Update(update::Args),
    /// Judge a feed under a pinned key
    Verify(verify::Args),
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Add(args) => add::run(*args, dir),
        Command::Init(args) => init::run(args, dir),
        Command::List(args) => list::run(&args, dir),
        Command::Propose(args) => propose::run(*args),
        Command::Prove(args) => prove::run(&args),
        Command::Publish(args) => publish::run(args, dir),
        Command::Review(args) => review::run(args, dir),
        Command::Revoke(args) => revoke::run(args, dir),
        Command::Rotate(args) => rotate::run(args, dir),
        Command::Search(args) => search::run(&args, dir),
        Command::Show(args) => show::run(&args),
        Command::Subscribe(args) => subscribe::run(*args, dir),
        Command::Unsubscribe(args) => unsubscribe::run(&args, dir),
        Command::Update(args) => update::run(args, dir),
        Command::Verify(args) => verify::run(args, dir),
    }
}
