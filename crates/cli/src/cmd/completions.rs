//! `countersign completions`: for the shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cmd::Cli;
use crate::exit::{Exit, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign completions bash > ~/.local/share/bash-completion/completions/countersign
  countersign completions zsh > \"${fpath[1]}/_countersign\"")]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "countersign", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
