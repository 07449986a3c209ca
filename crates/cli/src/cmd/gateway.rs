//! `countersign gateway`: a configured gateway.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::up::{Overrides, start};
use crate::exit::{Exit, Failure, Outcome};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve with a configuration; a missing upstream is an error here
    #[command(after_help = "Examples:
  countersign gateway serve
  countersign --dir /srv/gateway gateway serve --config /etc/countersign.yaml")]
    Serve {
        /// The configuration; default: .countersign/config.yaml in --dir
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        overrides: Overrides,
    },
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let Command::Serve { config, overrides } = args.command;
    let default = dir.join(".countersign").join("config.yaml");
    let path = match config {
        Some(path) => Some(path),
        None if default.exists() => Some(default),
        None => None,
    };
    let mut configured = match path {
        Some(path) => gateway::Config::load(&path)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))?,
        None => gateway::Config::default(),
    };
    overrides.apply(&mut configured)?;
    start(configured, dir, overrides.in_memory())
}
