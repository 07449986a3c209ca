//! `countersign log restore`: bring pruned bodies back from an archive.

use std::path::{Path, PathBuf};

use ledger::archive::restore;
use ledger::store::file::FileStore;
use seal::json::Value;

use super::super::identity::Identity;
use super::archive::failure;
use super::own::Own;
use crate::exit::{Exit, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log restore --from /mnt/worm/ledger

Nothing in the archive is believed: leaves must be the bytes that the ledger has, bodies must have
the digests that the leaves state. A segment is swapped in whole or not at all. Encrypted bodies
need the identity, so that they can be held against their leaves; they are stored encrypted again.
Exit 69 while a gateway runs; 12: archive or ledger is not what was written.")]
pub struct Args {
    /// The directory of the archive
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    super::super::must_exist(&args.from)?;
    let own = Own::of(dir)?;
    let identities = args.identity.read()?;
    let (store, _options) = own.lock()?;
    let done = restore(&store, &own.vkey, &FileStore::read_only(&args.from), identities)
        .map_err(|error| failure(&own.path, &args.from, &error))?;
    match args.format {
        Format::Table => output::print(&format!(
            "{} bodies restored in {} segments; {} pruned bodies are not in the archive\n",
            done.bodies, done.segments, done.missing
        ))?,
        Format::Json => output::json(&Value::object([
            ("bodies", done.bodies.into()),
            ("segments", done.segments.into()),
            ("missing", done.missing.into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
