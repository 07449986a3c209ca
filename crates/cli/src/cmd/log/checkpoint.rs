//! `countersign log checkpoint`: a signature over everything there is.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use ledger::store::file::FileStore;
use ledger::{Ledger, OpenError, Options, Reader, SystemClock};
use record::report::ExitClass;
use seal::json::Value;

use super::super::ledger::{GROUP_READS, lock, open};
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
    let home = dir.join(".countersign");
    let path = home.join("ledger");
    super::super::must_exist(&path)?;
    let signer = countersign::identity::read_secret_key(&home.join("keys").join("log.pem"))
        .map_err(super::super::agent::failure)?;
    let reader = open(&path)?;
    let before = reader.checkpoint().map_or(0, |checkpoint| checkpoint.size);
    let Some(origin) = reader.head().map(|head| head.origin.clone()) else {
        let message =
            format!("{}: there is no head; see `countersign ledger repair`", path.display());
        return Err(Failure::new(Exit::Evidence(ExitClass::Tampered), message));
    };
    let failed = |error: std::io::Error| Failure::io(&path, &error);
    let lock = lock(&home, &path)?;
    let mut store = FileStore::open(&path).map_err(failed)?;
    // Whom the gateway lets read, reads on.
    let found = std::fs::metadata(&path).map_err(failed)?;
    if found.mode() & GROUP_READS == GROUP_READS {
        store = store.readable_by(found.gid()).map_err(failed)?;
    }
    let mut options =
        Options::new(origin.as_str(), Arc::new(signer), "operator", Arc::new(SystemClock));
    options.lock = Some(lock);
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
    let signed = Reader::open_dir(&path, None).ok().and_then(|now| now.checkpoint().cloned());
    if signed.is_none_or(|signed| (signed.size, signed.root) != (size, root)) {
        return Err(Failure::new(Exit::Internal, "the checkpoint is not the one that was signed"));
    }
    match args.format {
        Format::Table => output::print(&format!(
            "origin  {}\nsize    {size}\nroot    {root}\nnew     {}\n",
            output::safe(&origin),
            size - before.min(size),
        ))?,
        Format::Json => output::json(&Value::object([
            ("origin", Value::from(origin.as_str())),
            ("size", size.into()),
            ("root", root.into()),
            ("new", (size - before.min(size)).into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
