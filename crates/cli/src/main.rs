//! The binary `countersign`.

mod cmd;
mod exit;
mod output;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::cmd::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|at| format!(" at {}:{}", at.file(), at.line()))
            .unwrap_or_default();
        output::complain(&format!(
            "internal fault{place}; please report it with the command that led here"
        ));
    }));
    // A fault of ours is 70, never the runtime's own 101, which would be read as a verdict.
    std::panic::catch_unwind(run).unwrap_or(Exit::Internal).into()
}

fn run() -> Exit {
    let parsed =
        Cli::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed pipe changes nothing about the exit.
            let _ = error.print();
            return if asked { Exit::Ok } else { Exit::Usage };
        }
    };
    match cli.run() {
        Ok(exit) => exit,
        Err(failure) => {
            output::complain(&output::safe(&failure.message));
            failure.exit
        }
    }
}
