//! `countersign ledger`: what is in a ledger, and repair by an operator's decision.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use gateway::state::{Init, State};
use ledger::lock::{Lock, LockError};
use ledger::read::{Item, ReadError};
use ledger::repair::{Action, RepairError, explain, perform};
use ledger::store::file::FileStore;
use ledger::{Body, Options, Reader, SystemClock};
use seal::Signer;
use seal::json::Value;
use seal::note::NoteSigner;
use seal::time::UnixMillis;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the entries of a ledger, unverified
    #[command(after_help = "Examples:
  countersign ledger show
  countersign ledger show --last 20 --format json
  countersign ledger show --id 5f0c1e0a-9f55-4d0e-8f3e-0c5a3a2f9d11")]
    Show {
        /// The ledger; default: .countersign/ledger in --dir
        ledger: Option<PathBuf>,
        /// Only the last entries
        #[arg(long, value_name = "N")]
        last: Option<usize>,
        /// Print the bodies filed under this id
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        identity: super::identity::Identity,
        /// How to print
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Make keys, a trust file and an empty ledger with its first checkpoint, without a gateway
    #[command(after_help = "Examples:
  countersign ledger init
  countersign ledger init --dir /srv/attestations && countersign attest sign --key r.pem --log

What is there already is left as it is: a second time nothing changes.")]
    Init {
        /// How to print
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Say what is wrong with a ledger and what can be done; --yes does it
    #[command(after_help = "Examples:
  countersign ledger repair           explains, changes nothing
  countersign ledger repair --yes     does what was explained; nothing is destroyed: what is cut
                                      off is kept in .countersign/run/aside, and an entry says so")]
    Repair {
        /// Do it
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Show { ledger, last, id, identity, format } => {
            let path = ledger.unwrap_or_else(|| super::ledger_of(dir));
            let reader = super::identity::look(&path, &identity)?;
            show(&path, &reader, last, id.as_deref(), format)
        }
        Command::Init { format } => init(dir, format),
        Command::Repair { yes } => repair(dir, yes),
    }
}

fn init(dir: &Path, format: Format) -> Outcome {
    let state = State::open_or_init(dir, Init { memory: false, clock: Arc::new(SystemClock) })
        .map_err(|error| super::up::state_failure(&error))?;
    let (made, trust) = (state.created(), state.trust_path());
    // Who writes the ledger next takes the lock.
    drop(state);
    let seat = super::seat::take(dir, "init-*")?;
    // leaving signs a checkpoint
    seat.leave().map_err(|error| super::seat::failure(&error))?;
    let path = super::ledger_of(dir);
    let log = super::log::LogFiles::open(&path)?;
    match format {
        Format::Table => output::print(&format!(
            "{} {}\norigin  {}\nentries {}\ntrust   {}\n",
            if made { "made   " } else { "there  " },
            output::path(&path),
            output::safe(&log.checkpoint.origin),
            log.checkpoint.size,
            output::path(&trust),
        ))?,
        Format::Json => output::json(&Value::object([
            ("ledger", Value::from(path.display().to_string())),
            ("made", made.into()),
            ("origin", Value::from(&log.checkpoint.origin)),
            ("entries", log.checkpoint.size.into()),
            ("trust", trust.display().to_string().into()),
        ]))?,
    }
    Ok(Exit::Ok)
}

/// Opens a ledger to look at.
pub fn open(path: &Path) -> Result<Reader, Failure> {
    super::must_exist(path)?;
    Reader::open_dir(path, None).map_err(|error| match error {
        ReadError::NoLedger => Failure::new(
            Exit::Evidence(record::report::ExitClass::Missing),
            format!("{}: {error}", path.display()),
        ),
        _ => Failure::new(Exit::Io, format!("{}: {error}", path.display())),
    })
}

fn show(
    path: &Path,
    reader: &Reader,
    last: Option<usize>,
    id: Option<&str>,
    format: Format,
) -> Outcome {
    let read = |error| Failure::io(path, &error);
    let mut entries = reader.entries();
    let mut rows = std::collections::VecDeque::new();
    while let Some(item) = entries.next().map_err(read)? {
        let row = match item {
            Item::Entry(entry) if id.is_some_and(|id| id != entry.leaf.id) => continue,
            Item::Entry(entry) if id.is_some() => {
                let absent = entry.body.absence();
                let body = match entry.body {
                    // An armoured age file, for whoever has the identity.
                    Body::Present(body) | Body::Encrypted(body) => String::from_utf8_lossy(body),
                    Body::Pruned => format!("body pruned, logged at index {}", entry.index).into(),
                };
                match format {
                    // Evidence is printed as it is into a file or pipe, escaped for people.
                    Format::Table if output::on_terminal() => output::safe(&body),
                    Format::Table => body.into_owned(),
                    Format::Json => seal::json::write_plain(&Value::object([
                        ("index", entry.index.into()),
                        ("kind", entry.leaf.kind.as_str().into()),
                        ("body", absent.map_or_else(|| Value::from(&*body), |_| Value::Null)),
                        ("absent", absent.into()),
                        (
                            "encrypted",
                            match entry.body {
                                Body::Encrypted(_) => Value::from(&*body),
                                Body::Present(_) | Body::Pruned => Value::Null,
                            },
                        ),
                    ])),
                }
            }
            Item::Entry(entry) => match format {
                Format::Json => String::from_utf8_lossy(entry.leaf_bytes).into_owned(),
                Format::Table => format!(
                    "{:>8}  {}  {:<11} {:>8}  {}  {}{}",
                    entry.index,
                    UnixMillis(entry.leaf.ts),
                    entry.leaf.kind.as_str(),
                    entry.leaf.len,
                    output::safe(&entry.leaf.writer),
                    output::safe(&entry.leaf.id),
                    entry.body.absence().map(|said| format!("  {said}")).unwrap_or_default(),
                ),
            },
            Item::Damage(damage) => {
                output::complain(&format!("{damage}; run `countersign verify`"));
                continue;
            }
        };
        rows.push_back(row);
        if last.is_some_and(|last| rows.len() > last) {
            rows.pop_front();
        }
    }
    if id.is_some() && rows.is_empty() {
        return Err(Failure::new(
            Exit::Evidence(record::report::ExitClass::Missing),
            "no entry has this id",
        ));
    }
    let mut out = rows.into_iter().collect::<Vec<_>>().join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    output::print(&out)?;
    Ok(Exit::Ok)
}

fn repair(dir: &Path, yes: bool) -> Outcome {
    let home = dir.join(".countersign");
    let path = home.join("ledger");
    super::must_exist(&path)?;
    let signer = countersign::identity::read_secret_key(&home.join("keys").join("log.pem"))
        .map_err(super::agent::failure)?;
    let fingerprint = signer.public().fingerprint().hex();
    let origin = match open(&path).ok().as_ref().and_then(Reader::head) {
        Some(head) => head.origin.clone(),
        None => format!("countersign.local/{}", fingerprint.get(..12).unwrap_or_default()),
    };
    let vkey = NoteSigner::new(&origin, &signer)
        .ok_or_else(|| Failure::new(Exit::Config, format!("{origin:?} is no log origin")))?
        .vkey()
        .clone();
    let failed = |error: std::io::Error| Failure::io(&path, &error);
    let plan = explain(&FileStore::read_only(&path), &vkey).map_err(failed)?;
    let mut out = String::new();
    for damage in &plan.damage {
        out.push_str(&format!("damage: {}\n", output::safe(&damage.to_string())));
    }
    let possible = match &plan.action {
        Action::Nothing => {
            output::print("the ledger is whole: there is nothing to repair\n")?;
            return Ok(Exit::Ok);
        }
        Action::NextStart => {
            out.push_str("a crash tore the last batch: the next start sets it aside by itself\n");
            output::print(&out)?;
            return Ok(Exit::Ok);
        }
        Action::Cut { file, offset, first, later } => {
            out.push_str(&format!(
                "repair would cut {} at byte {offset} and set entry {first} and everything behind it aside",
                output::safe(file)
            ));
            if !later.is_empty() {
                out.push_str(&format!(", {} whole segments among it", later.len()));
            }
            out.push('\n');
            true
        }
        Action::RebuildHead => {
            out.push_str(
                "repair would rebuild the head from the checkpoint, which the journal bears out\n",
            );
            true
        }
        Action::SignAgain => {
            out.push_str("repair would sign the head again, which the journal bears out\n");
            true
        }
        Action::RebuildTiles { files } => {
            out.push_str(&format!(
                "repair would make {} tiles and bundles anew from the journal, which bears out head and checkpoint\n",
                files.len()
            ));
            true
        }
        Action::Impossible(obstacle) => {
            out.push_str(&format!("no honest repair is possible: {obstacle}\n"));
            false
        }
        other => {
            out.push_str(&format!("no repair is known for this: {other:?}\n"));
            false
        }
    };
    output::print(&out)?;
    let damaged = Exit::Evidence(record::report::ExitClass::Tampered);
    if !possible {
        return Ok(damaged);
    }
    if !yes {
        output::print("nothing was changed; `countersign ledger repair --yes` does it\n")?;
        return Ok(damaged);
    }
    let lock = lock(&home, &path)?;
    let store = FileStore::reopen(&path).map_err(failed)?;
    let mut options = Options::new(origin, Arc::new(signer), "operator", Arc::new(SystemClock));
    options.lock = Some(lock);
    let index = perform(Arc::new(store), options, &plan).map_err(|error| {
        let exit = match &error {
            RepairError::Impossible(_) | RepairError::Changed => damaged,
            _ => Exit::Io,
        };
        Failure::new(exit, error.to_string())
    })?;
    output::print(&format!("repaired; entry {index} records it\n"))?;
    Ok(Exit::Ok)
}

/// The lock of a ledger; `run/` may have been deleted while nothing ran.
pub fn lock(home: &Path, ledger: &Path) -> Result<Lock, Failure> {
    let run = home.join("run");
    match DirBuilder::new().mode(0o700).create(&run) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Failure::new(Exit::CannotCreate, format!("{}: {error}", run.display())));
        }
        _ => {}
    }
    let taken = Lock::take(run.join("lock")).and_then(|lock| lock.with_directory(ledger));
    taken.map_err(|error| {
        let exit = match error {
            LockError::Held { .. } => Exit::Unavailable,
            LockError::Io { .. } => Exit::CannotCreate,
        };
        Failure::new(exit, error.to_string())
    })
}
