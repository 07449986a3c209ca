//! A witness (C2SP tlog-witness): it cosigns a log's checkpoint if and only if the checkpoint
//! extends the one it cosigned before. `spec/log-serving.md` section 3.
//!
//! ```text
//! DIR/lock                          one process per directory
//! DIR/logs/<id>/checkpoint          what was cosigned last; id = hex SHA-256 of the origin
//! DIR/evidence/<id>/<why>-<n>.json  signed by the log and refused by us
//! ```
//!
//! What was cosigned last is durable before anybody is told of it. A crash at any point therefore
//! leaves a witness that remembers at least what it told.

mod disk;
mod evidence;
mod service;
mod submission;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ledger::Clock;
use ledger::lock::{Lock, LockError};
use seal::cosign::{Cosignature, Cosigner, CosignerKey};
use seal::digest::Digest;
use seal::merkle;
use seal::note::{self, Checkpoint, NoteError, VerifierKey};
use seal::signer::Signer;

use disk::{Disk, Files, Torn};
use evidence::{Evidence, Kept, Misdeed, Why};
use submission::{Submission, checkpoint_of};

pub use service::serve;

/// Who witnesses what, and where it remembers.
pub struct Setup {
    /// The directory of its memory; made when missing. Losing it is losing the witness: make a new
    /// key then, and never put back an older copy.
    pub dir: PathBuf,
    /// The witness's name, as in its verifier key.
    pub name: String,
    /// Its key; used for nothing else.
    pub signer: Arc<dyn Signer>,
    /// The logs it cosigns for; the name of a key is its log's origin. A log may have several keys.
    pub logs: Vec<VerifierKey>,
    /// For the times in cosignatures.
    pub clock: Arc<dyn Clock>,
}

/// Why there is no witness.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No key can have this name.
    #[error("a witness's name must not be empty nor hold white space or `+`")]
    Name,
    /// Nothing to witness.
    #[error("no log is configured: give the verifier key of at least one")]
    NoLogs,
    /// Another process serves from this directory.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The directory cannot be used.
    #[error("{path}: {cause}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// What was cosigned last cannot be believed.
    #[error(
        "{path} is no checkpoint that this key cosigned: give the key that belongs to the directory, or make a new witness with a new key and an empty directory"
    )]
    Memory {
        /// The file.
        path: PathBuf,
    },
}

/// What a submission comes to; the variants are in the order in which they are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The body is not a submission, or its old size is larger than its checkpoint's.
    Malformed(&'static str),
    /// The log is not one of ours.
    UnknownLog,
    /// Not signed by a key of the log, or a line in its name is wrong.
    NotSigned,
    /// We saw this size last; start from there.
    Elsewhere(u64),
    /// It does not extend what we saw.
    Refused(&'static str),
    /// The cosignature line, with its newline. What it says is durable.
    Cosigned(String),
    /// Our disk failed; nothing was signed for anybody to see.
    Unavailable,
}

/// A witness over one directory.
pub struct Witness {
    dir: PathBuf,
    signer: Arc<dyn Signer>,
    vkey: CosignerKey,
    logs: BTreeMap<String, Log>,
    clock: Arc<dyn Clock>,
    disk: Box<dyn Disk>,
    _lock: Lock,
}

struct Log {
    keys: Vec<VerifierKey>,
    /// Hex SHA-256 of the origin: its name in paths.
    id: String,
    seen: Mutex<Seen>,
}

/// What we know of one log. One lock over look, judge and store: no two submissions of a log are
/// ever judged against the same memory and both stored.
#[derive(Default)]
struct Seen {
    last: Option<(Checkpoint, Arc<str>)>,
    evidence: Evidence,
    /// A replacement failed half-way: nobody knows what a crash would leave, so nothing more is
    /// signed for this log until a start has looked.
    unsure: bool,
}

impl Witness {
    /// Takes the directory and reads what was cosigned last.
    pub fn open(setup: Setup) -> Result<Witness, OpenError> {
        Witness::open_on(setup, Box::new(Files))
    }

    fn open_on(setup: Setup, disk: Box<dyn Disk>) -> Result<Witness, OpenError> {
        let Setup { dir, name, signer, logs: keys, clock } = setup;
        let vkey = CosignerKey::new(&name, signer.public().clone()).ok_or(OpenError::Name)?;
        if keys.is_empty() {
            return Err(OpenError::NoLogs);
        }
        make(&dir)?;
        let lock = Lock::take(dir.join("lock"))?.with_directory(&dir)?;
        make(&dir.join("logs"))?;
        make(&dir.join("evidence"))?;
        let mut logs: BTreeMap<String, Log> = BTreeMap::new();
        for key in keys {
            if let Some(log) = logs.get_mut(&key.name) {
                if !log.keys.contains(&key) {
                    log.keys.push(key);
                }
                continue;
            }
            let id = Digest::of(key.name.as_bytes()).hex();
            let last = remembered(&dir.join("logs").join(&id), &key.name, &vkey)?;
            let kept = dir.join("evidence").join(&id);
            make(&kept)?;
            let evidence =
                Evidence::count(&kept).map_err(|cause| OpenError::Io { path: kept, cause })?;
            let seen = Mutex::new(Seen { last, evidence, unsure: false });
            logs.insert(key.name.clone(), Log { keys: vec![key], id, seen });
        }
        Ok(Witness { dir, signer, vkey, logs, clock, disk, _lock: lock })
    }

    /// The key by which its cosignatures are known.
    pub fn vkey(&self) -> &CosignerKey {
        &self.vkey
    }

    /// Judges a submission and, where it extends what was seen, remembers and cosigns it. Blocking:
    /// waits for the disk.
    pub fn add_checkpoint(&self, body: &[u8]) -> Verdict {
        let submission = match Submission::parse(body) {
            Ok(submission) => submission,
            Err(why) => return Verdict::Malformed(why),
        };
        let Some(log) = self.logs.get(&submission.checkpoint.origin) else {
            return Verdict::UnknownLog;
        };
        match note::open(submission.note.as_bytes(), &log.keys) {
            Ok(_) => {}
            Err(NoteError::Malformed) => return Verdict::Malformed("the checkpoint is malformed"),
            Err(_) => return Verdict::NotSigned,
        }
        if submission.old > submission.checkpoint.size {
            return Verdict::Malformed("the old size is larger than the checkpoint's");
        }
        let mut seen = log.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (verdict, misdeed) = judge(seen.last.as_ref().map(|(last, _)| last), &submission);
        if let Some(why) = misdeed {
            self.keep(log, &mut seen, &submission, body, why);
        }
        match verdict {
            Ok(()) => self.cosign(log, &mut seen, &submission),
            Err(verdict) => verdict,
        }
    }

    /// What was cosigned last of the log with this id (hex SHA-256 of its origin): a signed note.
    pub fn latest(&self, id: &str) -> Option<Arc<str>> {
        let log = self.logs.values().find(|log| log.id == id)?;
        let seen = log.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last.as_ref().map(|(_, note)| note.clone())
    }

    fn cosign(&self, log: &Log, seen: &mut Seen, submission: &Submission<'_>) -> Verdict {
        let seconds = self.clock.now().0 / 1000;
        let cosigner = Cosigner::new(&self.vkey.name, &*self.signer);
        let Some(line) = cosigner.and_then(|cosigner| cosigner.sign(submission.text, seconds))
        else {
            tracing::error!("the clock stands before 1970, so nothing can be cosigned");
            return Verdict::Unavailable;
        };
        if seen.unsure {
            return Verdict::Unavailable;
        }
        let note = format!("{}\n{}{line}", submission.text, signed_lines(submission, &log.keys));
        let dir = self.dir.join("logs").join(&log.id);
        match disk::replace(&*self.disk, &dir, "checkpoint", note.as_bytes()) {
            Ok(()) => {}
            Err(Torn::Before(error)) => {
                tracing::error!(%error, dir = %dir.display(), "a checkpoint could not be kept, so it is not cosigned");
                return Verdict::Unavailable;
            }
            Err(Torn::Unknown(error)) => {
                seen.unsure = true;
                tracing::error!(%error, dir = %dir.display(), "a checkpoint may or may not be kept: nothing more is cosigned for this log until a restart");
                return Verdict::Unavailable;
            }
        }
        seen.last = Some((submission.checkpoint.clone(), note.into()));
        seen.evidence.settle(&self.dir.join("evidence").join(&log.id), submission.text);
        Verdict::Cosigned(line.to_string())
    }

    /// A log signed what it should not have: that must not get lost. That it cannot be kept changes
    /// nothing about the refusal.
    fn keep(&self, log: &Log, seen: &mut Seen, submission: &Submission<'_>, body: &[u8], why: Why) {
        let dir = self.dir.join("evidence").join(&log.id);
        let origin = &submission.checkpoint.origin;
        let misdeed = Misdeed {
            cosigned: seen.last.as_ref().map(|(_, note)| &**note),
            text: submission.text,
            body,
            time_seconds: self.clock.now().0 / 1000,
            why,
        };
        match seen.evidence.keep(&*self.disk, &dir, &misdeed) {
            Ok(Kept::Already) => {}
            Ok(Kept::Full) => tracing::error!(
                origin,
                size = submission.checkpoint.size,
                why = why.as_str(),
                dir = %dir.display(),
                "a log signed a checkpoint that does not extend what was cosigned, and enough of that kind is kept already"
            ),
            Ok(Kept::At(file)) => tracing::error!(
                origin,
                size = submission.checkpoint.size,
                why = why.as_str(),
                evidence = %file.display(),
                "a log signed a checkpoint that does not extend what was cosigned"
            ),
            Err(error) => tracing::error!(
                origin,
                size = submission.checkpoint.size,
                why = why.as_str(),
                %error,
                "a log signed a checkpoint that does not extend what was cosigned, and it could not be kept"
            ),
        }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({})", self.vkey)
    }
}

/// Whether a submission, signed by the log, extends what was seen; and what of it is worth keeping
/// as evidence against the log.
fn judge(
    last: Option<&Checkpoint>,
    submission: &Submission<'_>,
) -> (Result<(), Verdict>, Option<Why>) {
    let Submission { old, proof, checkpoint: new, .. } = submission;
    let seen = last.map_or(0, |last| last.size);
    let root = last.map_or_else(merkle::empty_root, |last| last.root);
    // Two roots of one size, both signed, whatever else is asked.
    let fork = (last.is_some_and(|last| last.size == new.size && last.root != new.root)
        || new.size == 0 && new.root != merkle::empty_root())
    .then_some(Why::Fork);
    if *old != seen {
        return (Err(Verdict::Elsewhere(seen)), fork);
    }
    let refused = |why| Err(Verdict::Refused(why));
    if new.size == 0 && new.root != merkle::empty_root() {
        return (refused("the root of a log without entries is not this one"), fork);
    }
    if *old == 0 && !proof.is_empty() {
        return (refused("from size 0 there is nothing to prove"), fork);
    }
    if *old == new.size && fork.is_some() {
        return (refused("another root of the same size was cosigned"), fork);
    }
    if !merkle::verify_consistency(*old, new.size, proof, &root, &new.root) {
        // With a proof too many the checkpoint itself may be the one that was seen.
        let unproven = (*old < new.size).then_some(Why::Unproven);
        return (refused("the proof does not hold"), unproven);
    }
    (Ok(()), None)
}

/// The lines of the log's own keys; others are not ours to pass on.
fn signed_lines(submission: &Submission<'_>, keys: &[VerifierKey]) -> String {
    let lines = submission.note.get(submission.text.len() + 1..).unwrap_or("");
    lines
        .lines()
        .filter(|line| {
            let alone = format!("{}\n{line}\n", submission.text);
            note::open(alone.as_bytes(), keys).is_ok()
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What was cosigned last, as it lies in its directory.
fn remembered(
    dir: &Path,
    origin: &str,
    vkey: &CosignerKey,
) -> Result<Option<(Checkpoint, Arc<str>)>, OpenError> {
    make(dir)?;
    let path = dir.join("checkpoint");
    let bytes = disk::read(&path, submission::LIMIT as u64)
        .map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let read = || {
        let note = String::from_utf8(bytes).ok()?;
        let (text, checkpoint) = checkpoint_of(&note)?;
        let lines = note.get(text.len() + 1..)?;
        let ours = lines
            .lines()
            .any(|line| Cosignature::parse(line).is_ok_and(|made| made.verify(vkey, text)));
        (ours && checkpoint.origin == origin).then(|| (checkpoint, Arc::from(note.as_str())))
    };
    read().map(Some).ok_or(OpenError::Memory { path })
}

fn make(dir: &Path) -> Result<(), OpenError> {
    disk::directory(dir).map_err(|cause| OpenError::Io { path: dir.to_owned(), cause })
}

#[cfg(test)]
mod tests;
