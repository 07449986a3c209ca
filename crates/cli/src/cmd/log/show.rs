//! `countersign log show`: what the checkpoint says.

use std::path::{Path, PathBuf};

use record::report::ExitClass;
use seal::json::Value;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log show
  countersign log show --format json")]
pub struct Args {
    /// The ledger; default: .countersign/ledger in --dir
    ledger: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let path = args.ledger.unwrap_or_else(|| super::super::ledger_of(dir));
    let reader = super::super::ledger::open(&path)?;
    let Some(checkpoint) = reader.checkpoint() else {
        return Err(Failure::new(
            Exit::Evidence(ExitClass::Missing),
            format!("{}: there is no checkpoint yet", path.display()),
        ));
    };
    match args.format {
        Format::Table => output::print(&format!(
            "origin  {}\nsize    {}\nroot    {}\n",
            output::safe(&checkpoint.origin),
            checkpoint.size,
            checkpoint.root
        ))?,
        Format::Json => output::json(&Value::object([
            ("origin", Value::from(checkpoint.origin.as_str())),
            ("size", checkpoint.size.into()),
            ("root", checkpoint.root.into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
