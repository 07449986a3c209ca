//! `countersign log checkpoint`: a signature over everything there is.

use std::path::Path;
use std::sync::Arc;

use ledger::{Ledger, OpenError, Reader};
use record::report::ExitClass;
use seal::json::Value;

use super::super::ledger::open;
use super::own::Own;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log checkpoint

Takes the place of the sequencer, verifies everything, writes what tiles are missing above the last
head, and signs. A running gateway does all this by itself; beside one the command ends with 69.")]
pub struct Args {
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let own = Own::of(dir)?;
    let path = &own.path;
    let before = open(path)?.checkpoint().map_or(0, |checkpoint| checkpoint.size);
    let (store, options) = own.lock()?;
    let ledger = Ledger::open(Arc::new(store), options, &mut |_, _, _| {}).map_err(|error| {
        let exit = match &error {
            OpenError::Damaged(_) => Exit::Evidence(ExitClass::Tampered),
            _ => Exit::Io,
        };
        Failure::new(exit, format!("{}: {error}", path.display()))
    })?;
    ledger.close().map_err(|error| Failure::new(Exit::Io, error.to_string()))?;
    let (size, root) = (ledger.size(), ledger.root());
    drop(ledger);
    // What was published, not what was meant.
    let signed = Reader::open_dir(path, None).ok().and_then(|now| now.checkpoint().cloned());
    if signed.is_none_or(|signed| (signed.size, signed.root) != (size, root)) {
        return Err(Failure::new(Exit::Internal, "the checkpoint is not the one that was signed"));
    }
    match args.format {
        Format::Table => output::print(&format!(
            "origin  {}\nsize    {size}\nroot    {root}\nnew     {}\n",
            output::safe(&own.vkey.name),
            size - before.min(size),
        ))?,
        Format::Json => output::json(&Value::object([
            ("origin", Value::from(own.vkey.name.as_str())),
            ("size", size.into()),
            ("root", root.into()),
            ("new", (size - before.min(size)).into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
