//! A second gateway on one directory: its evidence goes through the sequencer of another process.
//!
//! When that process dies, an append that was under way may or may not be there. So nothing is
//! written until the ledger of the next sequencer was read again: where our chain of audit lines
//! ends, what was admitted and has no outcome, and whether the keys are still the same.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crypt::Identities;
use ledger::read::{Item, ReadError, Reader};
use ledger::socket::{Client, ConnectError};
use ledger::{AppendError, Damage, Kind, Leaf};
use seal::note::VerifierKey;

use super::replay::{Orphan, Replay};
use super::write::lock;
use crate::lineage::Lineage;

/// The way to another process's ledger.
pub(super) struct Joined {
    pub client: Arc<Client>,
    dir: PathBuf,
    writer: String,
    vkey: VerifierKey,
    /// Opens encrypted bodies.
    identities: Option<Arc<Identities>>,
    /// Whether what is written is to be encrypted.
    encrypted: bool,
    /// How many statements about keys the ledger had when this gateway started: it signs with the
    /// keys that counted then.
    statements: u64,
    gone: AtomicBool,
    heard: Mutex<Instant>,
    /// Requests of which something could not be written, or nobody knows whether it was.
    doubtful: Mutex<HashSet<String>>,
    /// Admissions without an outcome, to be closed by whoever can sign.
    orphans: Mutex<Vec<(String, Orphan)>>,
}

/// Why a ledger that was joined cannot be continued.
#[derive(Debug, thiserror::Error)]
pub(super) enum RereadError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the ledger cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("the ledger is damaged: {0}")]
    Damaged(Damage),
    #[error(
        "the audit entry at index {0} is not a readable line, so its chain cannot be continued"
    )]
    Chain(u64),
    #[error("keys were rotated or revoked meanwhile: start this gateway again")]
    Keys,
    #[error(
        "bodies are to be encrypted, and the process that writes the ledger stores them as they are: give both the same ledger.encryption"
    )]
    Plain,
}

impl RereadError {
    /// Whether trying again cannot help.
    fn is_final(&self) -> bool {
        match self {
            RereadError::Connect(error) => {
                matches!(error, ConnectError::AnotherLog { .. } | ConnectError::Stranger { .. })
            }
            RereadError::Read(_) => false,
            RereadError::Damaged(_)
            | RereadError::Chain(_)
            | RereadError::Keys
            | RereadError::Plain => true,
        }
    }
}

/// What a pass over the ledger tells.
pub(super) struct Read {
    pub replay: Replay,
    /// Rotations and revocations.
    pub statements: u64,
}

/// Reads the whole ledger without a lock, while its sequencer writes on.
pub(super) fn read(
    dir: &Path,
    vkey: &VerifierKey,
    identities: Option<Arc<Identities>>,
    mut replay: Replay,
    visit: &mut dyn FnMut(u64, &Leaf, ledger::Body<'_>),
) -> Result<Read, RereadError> {
    let reader = Reader::open_dir(dir, Some(std::slice::from_ref(vkey)))?.opening(identities);
    if let Some(damage) = reader.damage().first() {
        return Err(RereadError::Damaged(damage.clone()));
    }
    let mut statements = 0;
    let mut entries = reader.entries();
    let failed = |error: io::Error| RereadError::Read(error.into());
    while let Some(item) = entries.next().map_err(failed)? {
        match item {
            Item::Damage(damage) => return Err(RereadError::Damaged(damage)),
            Item::Entry(entry) => {
                let counts = matches!(entry.leaf.kind, Kind::Rotation | Kind::Revocation);
                statements += u64::from(counts);
                visit(entry.index, entry.leaf, entry.body);
                replay.visit(entry.index, entry.leaf, entry.body);
            }
        }
    }
    if let Some(damage) = entries.finish().damage.first() {
        return Err(RereadError::Damaged(damage.clone()));
    }
    match replay.unreadable.or(replay.pruned).or(replay.encrypted) {
        Some(index) => Err(RereadError::Chain(index)),
        None => Ok(Read { replay, statements }),
    }
}

impl Joined {
    pub fn new(client: Arc<Client>, dir: PathBuf, writer: &str, vkey: VerifierKey) -> Joined {
        Joined {
            client,
            dir,
            writer: writer.to_owned(),
            vkey,
            identities: None,
            encrypted: false,
            statements: 0,
            gone: AtomicBool::new(false),
            heard: Mutex::new(Instant::now()),
            doubtful: Mutex::default(),
            orphans: Mutex::default(),
        }
    }

    /// The same way, for a ledger whose bodies are encrypted (`encrypted`: they must be).
    pub fn opening(mut self, identities: Option<Arc<Identities>>, encrypted: bool) -> Joined {
        self.identities = identities;
        self.encrypted = encrypted;
        self
    }

    /// Nothing is handed to a process that would store it otherwise than this one is told to.
    fn may_hand_over(&self) -> Result<(), RereadError> {
        match self.encrypted && !self.client.encrypts() {
            true => Err(RereadError::Plain),
            false => Ok(()),
        }
    }

    /// The first pass, for the start.
    pub fn first(
        &mut self,
        replay: Replay,
        visit: &mut dyn FnMut(u64, &Leaf, ledger::Body<'_>),
    ) -> Result<Replay, RereadError> {
        self.may_hand_over()?;
        let Read { replay, statements } =
            read(&self.dir, &self.vkey, self.identities.clone(), replay, visit)?;
        self.statements = statements;
        Ok(replay)
    }

    /// The sequencer is gone, and nothing can be written until [`Joined::rejoin`].
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// An append failed. Whether the sequencer is to be looked for again.
    pub fn failed(&self, error: &AppendError) -> bool {
        let gone = matches!(
            error,
            AppendError::Gone { .. } | AppendError::Failed(_) | AppendError::Stopped(_)
        );
        if gone && !self.gone.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "the process that writes the ledger is gone: requests are refused");
        }
        gone
    }

    /// Remembers requests whose evidence is not whole.
    pub fn doubt(&self, requests: impl IntoIterator<Item = String>) {
        lock(&self.doubtful).extend(requests);
    }

    /// Shows the sequencer that we are here, and learns whether it is, when that is due.
    pub fn beat(&self) {
        if self.is_gone() || lock(&self.heard).elapsed() < BEAT {
            return;
        }
        *lock(&self.heard) = Instant::now();
        if let Err(error) = self.client.ask_state() {
            self.failed(&error);
        }
    }

    /// Looks for a sequencer once. `Ok(None)`: there is none yet.
    pub fn rejoin(&self) -> Result<Option<Replay>, RereadError> {
        let again = || -> Result<Replay, RereadError> {
            self.client.reconnect()?;
            self.may_hand_over()?;
            let fresh = Replay::new(Lineage::new(1), &self.writer);
            let Read { mut replay, statements } =
                read(&self.dir, &self.vkey, self.identities.clone(), fresh, &mut |_, _, _| {})?;
            if statements != self.statements {
                return Err(RereadError::Keys);
            }
            // Those of requests that are still under way have their outcome before them.
            let open = replay.orphans().map_err(RereadError::Chain)?;
            let doubtful = std::mem::take(&mut *lock(&self.doubtful));
            lock(&self.orphans)
                .extend(open.into_iter().filter(|(request, _)| doubtful.contains(request)));
            Ok(replay)
        };
        match again() {
            Ok(replay) => {
                *lock(&self.heard) = Instant::now();
                self.gone.store(false, Ordering::Release);
                tracing::warn!(
                    "the ledger has a process again that writes it: requests are served"
                );
                Ok(Some(replay))
            }
            Err(error) if error.is_final() => Err(error),
            Err(error) => {
                tracing::debug!(%error, "no process writes the ledger yet");
                Ok(None)
            }
        }
    }

    /// What is to be closed as interrupted.
    pub fn take_orphans(&self) -> Vec<(String, Orphan)> {
        std::mem::take(&mut *lock(&self.orphans))
    }
}

/// How often an idle gateway asks, and how often it looks for a sequencer that is gone.
pub(super) const BEAT: Duration = Duration::from_millis(500);
