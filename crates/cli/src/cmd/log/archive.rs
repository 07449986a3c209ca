//! `countersign log archive`: copies of full segments.

use std::path::{Path, PathBuf};

use ledger::archive::{ArchiveError, archive};
use ledger::store::file::FileStore;
use record::report::ExitClass;
use seal::json::Value;
use seal::time::{UnixMillis, parse_rfc3339};

use super::own::Own;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log archive --to /mnt/worm/ledger
  countersign log archive --to /mnt/worm/ledger --before 2026-01-01T00:00:00Z

Copies the full segments under the checkpoint as they are, with a manifest of their digests and
roots. Each copy is made durable and read back before it is listed. What the archive has already is
read again and never overwritten. The ledger is verified on the way and stays as it is; a gateway
may run meanwhile. Exit 12: the ledger, or what lies in the archive, is not what was written.")]
pub struct Args {
    /// The directory of the archive; made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Only segments whose entries are all older
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let before = args.before.as_deref().map(time).transpose()?;
    let own = Own::of(dir)?;
    if crate::cmd::export::out::lies_below(&args.to, &own.path) {
        let why = "--to lies in the ledger, where nothing but evidence may be";
        return Err(Failure::new(Exit::Usage, why));
    }
    let to = FileStore::open(&args.to).map_err(|error| {
        Failure::new(Exit::CannotCreate, format!("{}: {error}", args.to.display()))
    })?;
    let source = FileStore::read_only(&own.path);
    let done = archive(&source, &own.vkey, &to, before.map(|before| before.0))
        .map_err(|error| failure(&own.path, &args.to, &error))?;
    let held = done.manifest.segments.len() as u64;
    match args.format {
        Format::Table => output::print(&format!(
            "{} segments copied ({} bytes), {} were there and are whole; {} holds {held}\n",
            done.copied,
            done.bytes,
            done.there,
            output::path(&args.to),
        ))?,
        Format::Json => output::json(&Value::object([
            ("copied", done.copied.into()),
            ("bytes", done.bytes.into()),
            ("there", done.there.into()),
            ("segments", held.into()),
            ("end", done.manifest.segments.last().map_or(0, |segment| segment.end).into()),
        ]))?,
    }
    Ok(Exit::Ok)
}

fn time(text: &str) -> Result<UnixMillis, Failure> {
    parse_rfc3339(text).ok_or_else(|| {
        let message = format!("--before: {text:?} is no time; expected 2026-01-01T00:00:00Z");
        Failure::new(Exit::Usage, message)
    })
}

/// What an archive that was not made, or not used, means for the exit.
pub fn failure(ledger: &Path, archive: &Path, error: &ArchiveError) -> Failure {
    let (path, exit) = match error {
        ArchiveError::Damaged(_) => (ledger, Exit::Evidence(ExitClass::Tampered)),
        ArchiveError::Copy { .. }
        | ArchiveError::CopyDamaged(_)
        | ArchiveError::Leaf { .. }
        | ArchiveError::History { .. } => (archive, Exit::Evidence(ExitClass::Tampered)),
        ArchiveError::NoManifest | ArchiveError::Manifest | ArchiveError::Origin { .. } => {
            (archive, Exit::Input)
        }
        ArchiveError::Encrypted { .. } => (archive, Exit::Usage),
        ArchiveError::Archive(_) => (archive, Exit::Io),
        _ => (ledger, Exit::Io),
    };
    Failure::new(exit, format!("{}: {error}", path.display()))
}
