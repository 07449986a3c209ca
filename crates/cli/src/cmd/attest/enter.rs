//! Bundles enter the ledger, each once, and the proof of it travels beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use attest::bundle::proof_name;
use collect::{Folder, FolderError};
use ledger::lock::{Lock, LockError};
use ledger::read::ReadError;
use ledger::{Entry, Kind, Leaf, Prepared, Reader};
use record::logged::{self, Leaf as Named};
use seal::Digest;
use seal::merkle::verify_inclusion;
use seal::tlog_proof::TlogProof;

use super::super::log::LogFiles;
use super::super::{ledger_of, seat};
use super::failure;
use crate::exit::{Exit, Failure};
use crate::output;

/// A file that is in the ledger.
pub struct Entered {
    /// Its name in its folder.
    pub file: String,
    /// Where it is in the log.
    pub index: u64,
}

/// A file on its way into the ledger.
struct Body<'f> {
    file: &'f str,
    digest: Digest,
    bytes: Vec<u8>,
}

/// Enters files of a folder, each under the digest of its bytes, and writes a proof beside each. What is
/// in the ledger already is not entered again: a run that was stopped between the two is made good by
/// the next one. A file that has its proof was entered before.
pub fn enter(dir: &Path, folder: &Folder, files: &[&str]) -> Result<Vec<Entered>, Failure> {
    let mut entered = Vec::new();
    let mut bodies = Vec::new();
    for file in files {
        let body = read(folder, file)?;
        match beside(folder, &body)? {
            Some(index) => entered.push(Entered { file: (*file).to_owned(), index }),
            None => bodies.push(body),
        }
    }
    if bodies.is_empty() {
        return Ok(entered);
    }
    let mut seat = seat::take(dir, "attest-*")?;
    let known = {
        // Between looking and appending nobody else enters what was looked for.
        let _alone = alone(dir)?;
        let mut known = lookup(&ledger_of(dir), &bodies)?;
        let mut fresh = BTreeMap::new();
        for body in bodies.iter().filter(|body| !known.contains_key(&body.digest)) {
            fresh.entry(body.digest).or_insert_with(|| body.bytes.clone());
        }
        let prepared = fresh.iter().map(|(digest, bytes)| {
            let entry =
                Entry { kind: Kind::Attestation, id: digest.to_string(), body: bytes.clone() };
            Prepared::digested(entry, *digest)
                .map_err(|error| Failure::new(Exit::Input, error.to_string()))
        });
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        if !prepared.is_empty() {
            let indices = seat.append(&prepared).map_err(|error| seat::failure(&error))?;
            known.extend(fresh.into_keys().zip(indices));
        }
        known
    };
    // leaving signs a checkpoint, where this command is who writes the ledger
    seat.leave().map_err(|error| seat::failure(&error))?;
    let last = known.values().copied().max().unwrap_or_default();
    let log = covering(&ledger_of(dir), last)?;
    for body in &bodies {
        let Some(index) = known.get(&body.digest).copied() else { continue };
        let proof = prove(dir, &log, index)?;
        match folder.write(&proof_name(body.file), proof.to_string().as_bytes(), false) {
            Ok(()) => entered.push(Entered { file: body.file.to_owned(), index }),
            // another command was as far at the same time
            Err(error @ FolderError::Exists { .. }) => {
                let index = beside(folder, body)?.ok_or_else(|| failure::folder(error))?;
                entered.push(Entered { file: body.file.to_owned(), index });
            }
            Err(error) => return Err(failure::folder(error)),
        }
    }
    Ok(entered)
}

fn read<'f>(folder: &Folder, file: &'f str) -> Result<Body<'f>, Failure> {
    let bytes = folder.read(file, attest::bundle::LIMIT as u64).map_err(failure::folder)?;
    let most = Kind::Attestation.max_body();
    if bytes.len() > most {
        let why = format!(
            "{}: has {} bytes, and an entry of the ledger at most {most}; log its digest instead",
            folder.path(file).display(),
            bytes.len(),
        );
        return Err(Failure::new(Exit::Input, why));
    }
    Ok(Body { file, digest: Digest::of(&bytes), bytes })
}

/// The index in the proof that lies beside a file. One of other bytes is in the way.
fn beside(folder: &Folder, body: &Body<'_>) -> Result<Option<u64>, Failure> {
    let name = proof_name(body.file);
    let path = folder.path(&name);
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(&path, &error)),
        Ok(_) => {}
    }
    let proof = folder.read(&name, logged::LIMIT as u64).map_err(failure::folder)?;
    let named = Named::Cited(Kind::Attestation.as_str());
    logged::is_of(&proof, &body.bytes, named).map(Some).map_err(|why| {
        let why = format!("{}: no proof of {}: {why}; remove it", path.display(), body.file);
        Failure::new(Exit::CannotCreate, why)
    })
}

/// Waits until no other command enters bundles here.
fn alone(dir: &Path) -> Result<Lock, Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        match Lock::take(dir.join(".countersign").join("run").join("attest.lock")) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { .. }) if Instant::now() < end => std::thread::sleep(PAUSE),
            Err(error @ LockError::Held { .. }) => {
                return Err(Failure::new(Exit::Unavailable, error.to_string()));
            }
            Err(error) => return Err(Failure::new(Exit::CannotCreate, error.to_string())),
        }
    }
}

/// Where in the ledger these are: under its checkpoint, and behind it.
fn lookup(path: &Path, bodies: &[Body<'_>]) -> Result<BTreeMap<Digest, u64>, Failure> {
    let wanted: BTreeMap<String, Digest> =
        bodies.iter().map(|body| (body.digest.to_string(), body.digest)).collect();
    let ids: BTreeSet<&str> = wanted.keys().map(String::as_str).collect();
    let mut known = BTreeMap::new();
    let mut see = |index: u64, leaf: &Leaf| {
        if let Some(digest) = wanted.get(&leaf.id)
            && leaf.kind == Kind::Attestation
            && leaf.body == *digest
        {
            known.entry(*digest).or_insert(index);
        }
    };
    let reader = match Reader::open_dir(path, None) {
        Err(ReadError::NoLedger) => return Ok(known),
        opened => opened
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", output::path(path))))?,
    };
    let mut covered = 0;
    // A ledger that nobody has closed yet has no checkpoint.
    if reader.checkpoint().is_some() {
        let log = LogFiles::open(path)?;
        covered = log.checkpoint.size;
        log.each(&ids, |index, leaf| see(index, &leaf))?;
    }
    reader
        .since(covered, &mut |entry| see(entry.index, entry.leaf))
        .map_err(|error| Failure::io(path, &error))?;
    Ok(known)
}

fn prove(dir: &Path, log: &LogFiles, index: u64) -> Result<TlogProof, Failure> {
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
    Ok(TlogProof { extra, index, hashes, checkpoint: log.note.clone() })
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
                "{}: entry {index} is there, and no checkpoint covers it yet; the same command makes its proof later",
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
