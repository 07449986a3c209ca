//! Bundles enter the ledger, and the proof of it travels beside them.

use std::path::Path;
use std::time::{Duration, Instant};

use collect::{BUNDLE, Folder};
use ledger::{Entry, Kind, Prepared};
use seal::Digest;
use seal::merkle::verify_inclusion;
use seal::tlog_proof::TlogProof;

use super::super::log::LogFiles;
use super::super::{ledger_of, seat};
use super::failure;
use crate::exit::{Exit, Failure};
use crate::output;

/// How the names of inclusion proofs end.
pub const PROOF: &str = ".tlog-proof";

/// A file that is in the ledger.
pub struct Entered {
    /// Its name in its folder.
    pub file: String,
    /// Where it is in the log.
    pub index: u64,
}

/// Enters files of a folder, each under the digest of its bytes, and writes a proof beside each. A file
/// that has its proof was entered before.
pub fn enter(dir: &Path, folder: &Folder, files: &[&str]) -> Result<Vec<Entered>, Failure> {
    let mut entries = Vec::new();
    let mut names = Vec::new();
    for file in files {
        if folder.path(&proof_name(file)).symlink_metadata().is_ok() {
            continue;
        }
        let kind = Kind::Attestation;
        let body = folder.read(file, attest::bundle::LIMIT as u64).map_err(failure::folder)?;
        if body.len() > kind.max_body() {
            let path = folder.path(file);
            let why = format!(
                "{}: has {} bytes, and an entry of the ledger at most {}; log its digest instead",
                path.display(),
                body.len(),
                kind.max_body()
            );
            return Err(Failure::new(Exit::Input, why));
        }
        let digest = Digest::of(&body);
        let entry = Prepared::digested(Entry { kind, id: digest.to_string(), body }, digest)
            .map_err(|error| Failure::new(Exit::Input, error.to_string()))?;
        entries.push(entry);
        names.push((*file).to_owned());
    }
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut seat = seat::take(dir, "attest-*")?;
    let indices = seat.append(&entries).map_err(|error| seat::failure(&error))?;
    // leaving signs a checkpoint, where this command is who writes the ledger
    seat.leave().map_err(|error| seat::failure(&error))?;
    let last = indices.iter().copied().max().unwrap_or_default();
    let log = covering(&ledger_of(dir), last)?;
    let mut entered = Vec::new();
    for (file, index) in names.into_iter().zip(indices) {
        let (leaf, hashes) = log.inclusion(index)?;
        let checkpoint = &log.checkpoint;
        if !verify_inclusion(index, checkpoint.size, &leaf, &hashes, &checkpoint.root) {
            let why = format!(
                "{}: the tiles do not lead to the checkpoint; see `countersign log check`",
                ledger_of(dir).display()
            );
            return Err(Failure::new(Exit::Evidence(record::report::ExitClass::Tampered), why));
        }
        let extra = log.entry(index)?;
        let proof = TlogProof { extra, index, hashes, checkpoint: log.note.clone() };
        folder
            .write(&proof_name(&file), proof.to_string().as_bytes(), false)
            .map_err(failure::folder)?;
        entered.push(Entered { file, index });
    }
    Ok(entered)
}

fn proof_name(file: &str) -> String {
    format!("{}{PROOF}", file.strip_suffix(BUNDLE).unwrap_or(file))
}

/// The log, once its checkpoint covers an entry.
fn covering(path: &Path, index: u64) -> Result<LogFiles, Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        let log = LogFiles::open(path)?;
        if log.checkpoint.size > index {
            return Ok(log);
        }
        if Instant::now() >= end {
            let why = format!(
                "{}: entry {index} is there, and no checkpoint covers it yet; `countersign log prove inclusion --index {index}` makes its proof later",
                output::path(path)
            );
            return Err(Failure::new(Exit::Unavailable, why));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whoever writes the ledger signs a checkpoint every few seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
