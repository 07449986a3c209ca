//! `countersign log prove`: proofs for outsiders, from the tiles.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use record::report::ExitClass;
use seal::Digest;
use seal::json::Value;
use seal::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use seal::note::Checkpoint;
use seal::tlog_proof::{ConsistencyProof, TlogProof, stated};

use super::files::{LogFiles, evidence};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Prove that an entry is in the log (.tlog-proof)
    #[command(after_help = "Examples:
  countersign log prove inclusion --index 17 -o 17.tlog-proof
  countersign log prove inclusion --id sha256:4f5c… -o receipt.tlog-proof
  countersign log prove inclusion --index 17 ./copy-of-the-log --format json

The proof is a file of C2SP tlog-proof with the newest checkpoint and its cosignatures, for
`countersign log verify` and any other reader. The entry's leaf travels in it as extra data, unless
--bare; bodies do not. It is checked before it is written, apart from signatures.")]
    Inclusion(Inclusion),
    /// Prove that the log only grew
    #[command(after_help = "Examples:
  countersign log prove consistency --from yesterday.checkpoint -o growth.proof
  countersign log prove consistency --from 1000

OLD and NEW are sizes, or files with a checkpoint that was kept. The proof is the body of a
tlog-witness add-checkpoint request: `old <size>`, hashes, a blank line, the newer checkpoint. A
checkpoint that this log contradicts is told at once (exit 12).")]
    Consistency(Consistency),
}

#[derive(Debug, clap::Args)]
struct Inclusion {
    /// A ledger, or a directory with checkpoint and tile/; default: .countersign/ledger in --dir
    log: Option<PathBuf>,
    /// The entry, by its index
    #[arg(long, value_name = "N", required_unless_present = "id")]
    index: Option<u64>,
    /// The entry, by what others cite it by: receipt hash, audit entry id, digest
    #[arg(long, conflicts_with = "index")]
    id: Option<String>,
    /// Leave the entry's leaf out of the proof
    #[arg(long)]
    bare: bool,
    #[command(flatten)]
    to: To,
}

#[derive(Debug, clap::Args)]
struct Consistency {
    /// A ledger, or a directory with checkpoint and tile/; default: .countersign/ledger in --dir
    log: Option<PathBuf>,
    /// The older state: a size, or a file with its checkpoint
    #[arg(long, value_name = "OLD")]
    from: State,
    /// The newer state, default: the newest checkpoint
    #[arg(long = "to", value_name = "NEW")]
    until: Option<State>,
    #[command(flatten)]
    to: To,
}

#[derive(Debug, clap::Args)]
struct To {
    /// Write the proof to this file, which must not exist; default: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How to print: the proof itself, or what it says as JSON
    #[arg(long, default_value = "table")]
    format: Format,
}

/// A state of a log, as it is named on the command line.
#[derive(Clone, Debug)]
enum State {
    Size(u64),
    File(PathBuf),
}

impl std::str::FromStr for State {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| State::File(text.into()), State::Size))
    }
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.what {
        What::Inclusion(args) => inclusion(args, dir),
        What::Consistency(args) => consistency(args, dir),
    }
}

fn inclusion(args: Inclusion, dir: &Path) -> Outcome {
    let path = args.log.unwrap_or_else(|| super::super::ledger_of(dir));
    let log = LogFiles::open(&path)?;
    let index = match (args.index, &args.id) {
        (Some(index), _) => index,
        (None, Some(id)) => log.find(id)?,
        (None, None) => return Err(Failure::new(Exit::Usage, "give --index or --id")),
    };
    let (leaf, hashes) = log.inclusion(index)?;
    let Checkpoint { size, root, .. } = &log.checkpoint;
    if !verify_inclusion(index, *size, &leaf, &hashes, root) {
        return Err(not_its_own(&path));
    }
    let entry = log.entry(index)?;
    if entry.as_ref().is_some_and(|entry| leaf_hash(entry) != leaf) {
        let sentence = format!("entry {index} in its bundle is not the one in the tree");
        return Err(evidence(ExitClass::Tampered, &path, sentence));
    }
    let extra = entry.filter(|_| !args.bare);
    let told = Value::object([
        ("index", index.into()),
        ("leaf_hash", base64(&leaf)),
        ("hashes", Value::array(hashes.iter().map(base64))),
        ("leaf", extra.as_deref().map(String::from_utf8_lossy).as_deref().into()),
        ("checkpoint", Value::from(log.note.as_str())),
    ]);
    let proof = TlogProof { extra, index, hashes, checkpoint: log.note.clone() };
    write(&args.to, &proof.to_string(), told, &format!("entry {index} of {size}"))
}

fn consistency(args: Consistency, dir: &Path) -> Outcome {
    let path = args.log.unwrap_or_else(|| super::super::ledger_of(dir));
    let log = LogFiles::open(&path)?;
    let (new, note) = match args.until {
        None => (log.checkpoint.clone(), log.note.clone()),
        Some(State::Size(size)) if size == log.checkpoint.size => {
            (log.checkpoint.clone(), log.note.clone())
        }
        Some(State::Size(size)) => {
            let sentence = format!(
                "--to {size}: the signed checkpoint here is of size {}; give the file of a checkpoint of size {size}",
                log.checkpoint.size
            );
            return Err(Failure::new(Exit::Usage, sentence));
        }
        Some(State::File(file)) => kept(&log, &path, &file)?,
    };
    let old = match args.from {
        State::Size(size) if size <= new.size => {
            Checkpoint { origin: new.origin.clone(), size, root: log.root(size)? }
        }
        State::Size(size) => {
            let sentence = format!("--from {size}: the newer state has {} entries", new.size);
            return Err(Failure::new(Exit::Evidence(ExitClass::Missing), sentence));
        }
        State::File(file) => kept(&log, &path, &file)?.0,
    };
    if old.size > new.size {
        let sentence = format!("--from has {} entries and --to {}", old.size, new.size);
        return Err(Failure::new(Exit::Usage, sentence));
    }
    let hashes = log.consistency(old.size, new.size)?;
    if !verify_consistency(old.size, new.size, &hashes, &old.root, &new.root) {
        return Err(not_its_own(&path));
    }
    let told = Value::object([
        ("old", Value::object([("size", old.size.into()), ("root", base64(&old.root))])),
        ("new", Value::object([("size", new.size.into()), ("root", base64(&new.root))])),
        ("hashes", Value::array(hashes.iter().map(base64))),
        ("checkpoint", Value::from(note.as_str())),
    ]);
    let proof = ConsistencyProof { old: old.size, hashes, checkpoint: note };
    let what = format!("from {} entries to {}", old.size, new.size);
    write(&args.to, &proof.to_string(), told, &what)
}

/// A checkpoint that somebody kept, which must be one of this log's past.
fn kept(log: &LogFiles, path: &Path, file: &Path) -> Result<(Checkpoint, String), Failure> {
    let note = output::read_text(file, 64 << 10)?;
    let malformed = || evidence(ExitClass::Malformed, file, "not a signed checkpoint");
    let checkpoint = stated(&note).map_err(|_| malformed())?;
    if checkpoint.origin != log.checkpoint.origin {
        let sentence = format!("it is of log {}, not {}", checkpoint.origin, log.checkpoint.origin);
        return Err(Failure::new(Exit::Usage, format!("{}: {sentence}", file.display())));
    }
    if checkpoint.size > log.checkpoint.size {
        let sentence = format!(
            "it has {} entries and the log in {} only {}: the log was cut, or this copy of it is old",
            checkpoint.size,
            path.display(),
            log.checkpoint.size
        );
        return Err(evidence(ExitClass::Tampered, file, sentence));
    }
    if log.root(checkpoint.size)? != checkpoint.root {
        let sentence = format!(
            "the first {} entries of the log in {} have another root: if this checkpoint is signed by the log, it has two histories; keep both",
            checkpoint.size,
            path.display()
        );
        return Err(evidence(ExitClass::Tampered, file, sentence));
    }
    Ok((checkpoint, note))
}

/// Tiles and checkpoint do not belong together.
fn not_its_own(path: &Path) -> Failure {
    let sentence =
        "the tiles do not lead to the root of the checkpoint; `countersign log check` says where";
    evidence(ExitClass::Tampered, path, sentence)
}

fn write(to: &To, proof: &str, told: Value, what: &str) -> Outcome {
    match &to.output {
        Some(file) => {
            output::create(file, proof.as_bytes(), false)?;
            match to.format {
                Format::Json => output::json(&told)?,
                Format::Table => output::print(&format!("{what}: {}\n", output::path(file)))?,
            }
        }
        None => match to.format {
            Format::Json => output::json(&told)?,
            Format::Table => output::print(proof)?,
        },
    }
    Ok(Exit::Ok)
}

fn base64(digest: &Digest) -> Value {
    Value::from(seal::base64::std_encode(digest.as_bytes()))
}
