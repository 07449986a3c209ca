//! The state directory: keys, trust file, lock and ledger store (docs/operating/gateway.md).
//!
//! Everything here is made once and never rewritten. A crash while it is made leaves either the
//! whole file or none: keys are written aside and linked into place, which fails if something is
//! there already.

mod change;
mod files;
mod inforce;
mod keys;
mod trustfile;

pub use change::{Cause, ChangeError, Changed, Step, Target, revoke, rotate};
pub use files::FileError;
pub(crate) use inforce::{InForce, Statements};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::lock::{Lock, LockError};
use ledger::socket::{Client, ConnectError};
use ledger::store::Store;
use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use record::keychange::Reason;
use record::trust::{Purpose, Trust};
use seal::digest::Digest;
use seal::signer::Signer;

use keys::Keys;

/// How to open the state.
pub struct Init {
    /// Keep the ledger in memory (benches, tests): nothing recorded survives the process.
    pub memory: bool,
    /// The clock of the ledger and the recorder.
    pub clock: Arc<dyn ledger::Clock>,
}

/// An opened state directory; holds `run/lock` until it and its recorder are dropped.
pub struct State {
    dir: PathBuf,
    keys: Keys,
    origin: String,
    trust: Trust,
    created: bool,
    store: Arc<dyn Store>,
    clock: Arc<dyn ledger::Clock>,
    lock: Option<Arc<Lock>>,
    /// The way to the process that writes the ledger, where it is another one, and the writer id
    /// there.
    joined: Option<(Arc<Client>, String)>,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A file or directory is not there, not ours, or not as it must be.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process owns the directory.
    #[error("{0}; or set ledger.second to join, to write through it; or choose another --dir")]
    Locked(#[from] ledger::lock::LockError),
    /// Another process owns the directory, and it cannot be joined.
    #[error(
        "the ledger is in use and cannot be joined as the writer {writer} (ledger.writer): {error}"
    )]
    NotJoined {
        /// Under this writer id.
        writer: String,
        /// Why not.
        error: ConnectError,
    },
    /// A trust file exists, but keys that it should name are gone.
    #[error(
        "{trust} exists but {missing} is missing: restore it from a backup, or move the trust file, the keys and the ledger away to start anew"
    )]
    KeyMissing {
        /// The trust file.
        trust: PathBuf,
        /// The missing key file.
        missing: PathBuf,
    },
    /// The trust file does not name one of our keys.
    #[error(
        "{trust} does not name the {name} key {fingerprint} for {purpose}: add it with `countersign trust add`, or restore the key that it names"
    )]
    NotTrusted {
        /// The trust file.
        trust: PathBuf,
        /// `gateway`, `decisions`, `log` or `hmac`.
        name: &'static str,
        /// The purpose it needs.
        purpose: &'static str,
        /// The key's fingerprint or id.
        fingerprint: String,
    },
    /// The trust file cannot be read.
    #[error("{trust}: {error}")]
    Trust {
        /// The trust file.
        trust: PathBuf,
        /// What is wrong with it.
        error: record::trust::TrustError,
    },
    /// A key file does not hold a key.
    #[error("{path} does not hold {expected}: restore it from a backup")]
    Key {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// The group of readers does not exist.
    #[error(
        "there is no group `{0}` in /etc/group: make it, or give another one or its number as ledger.group"
    )]
    NoGroup(String),
    /// The evidence cannot be given to the group of readers.
    #[error(
        "{path} cannot be given to the group {group}: {error}; the account that runs this must be a member of ledger.group"
    )]
    Share {
        /// The directory.
        path: PathBuf,
        /// As configured.
        group: String,
        /// The system's answer.
        error: std::io::Error,
    },
    /// The ledger says that a key of ours was revoked.
    #[error(
        "the {name} key {id} was revoked at entry {index} of the ledger ({reason}): make a new one with `countersign keys rotate {purpose} --root FILE`"
    )]
    Revoked {
        /// `gateway`, `decisions` or `hmac`.
        name: &'static str,
        /// Its id.
        id: String,
        /// Where the ledger says so.
        index: u64,
        /// Why.
        reason: Reason,
        /// What it is for.
        purpose: Purpose,
    },
    /// The ledger says that another key took the place of ours, and it is not here.
    #[error(
        "the ledger says that the {name} key is {id} since entry {index}, and {missing} is not there: restore it from a backup, or, if it is lost, make a new one with `countersign keys rotate {purpose} --root FILE`"
    )]
    Replaced {
        /// `gateway`, `decisions` or `hmac`.
        name: &'static str,
        /// The key that counts.
        id: String,
        /// Where the ledger says so.
        index: u64,
        /// The file it should be in.
        missing: PathBuf,
        /// What it is for.
        purpose: Purpose,
    },
    /// The system gave no randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The ledger's directory cannot be used.
    #[error("{path}: {error}")]
    Store {
        /// The directory.
        path: PathBuf,
        /// The store's words.
        error: String,
    },
}

impl State {
    /// Opens `dir` (the directory that holds `countersign.trust.yaml` and `.countersign`), making
    /// what is missing: directories, keys, trust file. Nothing that exists is changed.
    pub fn open_or_init(dir: &Path, init: Init) -> Result<State, StateError> {
        let lock = Lock::take(State::prepare(dir)?.join("lock"))?;
        State::locked(dir, init, lock)
    }

    /// The same; where another process owns the directory, its ledger is joined through its socket
    /// as `writer`, with the keys that are there.
    pub fn open_or_join(dir: &Path, init: Init, writer: &str) -> Result<State, StateError> {
        let run = State::prepare(dir)?;
        let until = Instant::now() + PATIENCE;
        loop {
            let over = Instant::now() >= until;
            let locked = match Lock::take(run.join("lock")) {
                Ok(lock) => return State::locked(dir, init, lock),
                Err(error @ LockError::Held { .. }) if !init.memory => error,
                Err(error) => return Err(error.into()),
            };
            match Client::connect(&run, writer) {
                // Another tool is the sequencer for a moment: this gateway takes its place then.
                Ok(client) if client.sequencer() != WRITER => {
                    if over {
                        return Err(locked.into());
                    }
                }
                Ok(client) => return State::behind(dir, init, client, writer),
                // It holds the lock already and is still opening the ledger, or is ending.
                Err(ConnectError::Nobody(_)) if over => return Err(locked.into()),
                Err(ConnectError::Nobody(_) | ConnectError::Unheard) if !over => {}
                // The former connection of a gateway that was killed ends a moment later.
                Err(ConnectError::Taken(_) | ConnectError::Crowded(_))
                    if Instant::now() < until - PATIENCE + MOMENT => {}
                Err(error) => {
                    return Err(StateError::NotJoined { writer: writer.to_owned(), error });
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Makes the directories, and answers with that of lock and socket.
    fn prepare(dir: &Path) -> Result<PathBuf, StateError> {
        let home = dir.join(HOME);
        files::directory(dir, files::Access::Any)?;
        files::directory(&home, files::Access::GroupMayRead)?;
        for name in ["keys", "run", "cache", "feeds"] {
            files::directory(&home.join(name), files::Access::OwnerOnly)?;
        }
        Ok(home.join("run"))
    }

    /// The state of a process that writes through another one's ledger. That one has made everything
    /// there is before it answers.
    fn behind(dir: &Path, init: Init, client: Client, writer: &str) -> Result<State, StateError> {
        let home = dir.join(HOME);
        let trust_path = dir.join(TRUST);
        let missing = |missing: &Path| StateError::KeyMissing {
            trust: trust_path.clone(),
            missing: missing.to_owned(),
        };
        let keys = Keys::open(&home.join("keys"), missing)?;
        let origin = keys.origin();
        let trust = trustfile::check(&trust_path, &keys, &origin)?;
        if keys.vkey(&origin).as_ref() != Some(&ledger::Log::vkey(&client)) {
            let text = "its log has another key than the one in keys/log.pem".to_owned();
            let error = ConnectError::Refused(text);
            return Err(StateError::NotJoined { writer: writer.to_owned(), error });
        }
        Ok(State {
            dir: dir.to_owned(),
            keys,
            origin,
            trust,
            created: false,
            store: Arc::new(FileStore::read_only(home.join("ledger"))),
            clock: init.clock,
            lock: None,
            joined: Some((Arc::new(client), writer.to_owned())),
        })
    }

    fn locked(dir: &Path, init: Init, mut lock: Lock) -> Result<State, StateError> {
        let home = dir.join(HOME);
        let trust_path = dir.join(TRUST);
        let had_trust = files::exists(&trust_path)?;
        let ignored = home.join(".gitignore");
        // Before there are keys: a private key that is committed is nobody's any more.
        if !had_trust && !files::exists(&ignored)? {
            files::create(&ignored, "*\n", files::PUBLIC)?;
        }
        let (keys, made) = Keys::open_or_make(&home.join("keys"), |missing| match had_trust {
            true => Err(StateError::KeyMissing {
                trust: trust_path.clone(),
                missing: missing.to_owned(),
            }),
            false => Ok(()),
        })?;
        let origin = keys.origin();
        if !had_trust {
            let text = trustfile::text(&keys, &origin)
                .map_err(|error| StateError::Trust { trust: trust_path.clone(), error })?;
            files::create(&trust_path, &text, files::PUBLIC)?;
        }
        let trust = trustfile::check(&trust_path, &keys, &origin)?;

        let store: Arc<dyn Store> = if init.memory {
            Arc::new(MemoryStore::new())
        } else {
            let path = home.join("ledger");
            files::directory(&path, files::Access::GroupMayRead)?;
            lock = lock.with_directory(&path)?;
            Arc::new(
                FileStore::reopen(&path)
                    .map_err(|error| StateError::Store { path, error: error.to_string() })?,
            )
        };
        Ok(State {
            dir: dir.to_owned(),
            keys,
            origin,
            trust,
            created: made || !had_trust,
            store,
            clock: init.clock,
            lock: Some(Arc::new(lock)),
            joined: None,
        })
    }

    /// Lets a group (a name of /etc/group or a number) read the evidence, what is there and what will
    /// come; without one, the owner alone. Keys are never shared.
    pub fn readable_by(mut self, group: Option<&str>) -> Result<State, StateError> {
        let number = group.map(group_number).transpose()?;
        if self.joined.is_some() {
            // Whoever writes the files shares them.
            return Ok(self);
        }
        let failed = |path: PathBuf| {
            let group = group.unwrap_or_default().to_owned();
            move |error| StateError::Share { path, group, error }
        };
        files::readers(&self.home(), number).map_err(failed(self.home()))?;
        if !self.store.is_immediate() {
            let path = self.ledger_dir();
            let store = FileStore::open(&path).and_then(|store| match number {
                Some(number) => store.readable_by(number),
                None => Ok(store),
            });
            self.store = Arc::new(store.map_err(failed(path))?);
        }
        Ok(self)
    }

    /// The same keys over another store: how tests show what happens when a disk misbehaves.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn Store>) -> State {
        self.store = store;
        self
    }

    /// The directory given.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `<dir>/.countersign`.
    pub fn home(&self) -> PathBuf {
        self.dir.join(HOME)
    }

    /// `<dir>/.countersign/ledger`.
    pub fn ledger_dir(&self) -> PathBuf {
        self.home().join("ledger")
    }

    /// `<dir>/countersign.trust.yaml`.
    pub fn trust_path(&self) -> PathBuf {
        self.dir.join(TRUST)
    }

    /// Whose keys count, by the trust file.
    pub(crate) fn trusted(&self) -> &Trust {
        &self.trust
    }

    /// Digest of the trust file's bytes.
    pub fn trust_digest(&self) -> Digest {
        self.trust.digest().unwrap_or_else(|| Digest::of(b""))
    }

    /// Whether this call wrote keys or the trust file.
    pub fn created(&self) -> bool {
        self.created
    }

    /// `(name, fingerprint)` of gateway, decisions and log key.
    pub fn fingerprints(&self) -> Vec<(&'static str, Digest)> {
        vec![
            ("gateway", self.keys.gateway.public().fingerprint()),
            ("decisions", self.keys.decisions.public().fingerprint()),
            ("log", self.keys.log.public().fingerprint()),
        ]
    }

    /// The log's origin: `countersign.local/<12 hex of the log key's fingerprint>`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where the admin token lies.
    pub fn admin_token_path(&self) -> PathBuf {
        self.home().join("keys").join(keys::ADMIN)
    }

    /// The bearer token that opens the metrics and nothing else. Never log it.
    pub fn scrape_token(&self) -> &str {
        &self.keys.scrape_token
    }

    /// The admin listener's bearer token. Never log it.
    pub fn admin_token(&self) -> &str {
        &self.keys.admin_token
    }

    /// Signs v1 receipts, by its file; the ledger may say that another one counts (a rotation that
    /// a crash cut short), which is settled when the recorder starts.
    pub fn receipt_signer(&self) -> Arc<dyn Signer> {
        self.keys.gateway.clone()
    }

    /// Signs decision receipts, by its file as well.
    pub fn decision_signer(&self) -> Arc<dyn Signer> {
        self.keys.decisions.clone()
    }

    /// Signs checkpoints.
    pub fn log_signer(&self) -> Arc<dyn Signer> {
        self.keys.log.clone()
    }

    pub(crate) fn salt(&self) -> &[u8] {
        &self.keys.salt[..]
    }

    /// A state without a directory: keys from fixed seeds, the store given.
    #[cfg(test)]
    pub(crate) fn seeded(store: Arc<dyn Store>, clock: Arc<dyn ledger::Clock>) -> State {
        let keys = Keys::seeded();
        let origin = keys.origin();
        State {
            dir: PathBuf::new(),
            trust: named(&keys, &origin),
            origin,
            keys,
            created: false,
            store,
            clock,
            lock: None,
            joined: None,
        }
    }

    /// The text of the trust file that names these keys, with the secret resolved.
    #[cfg(test)]
    pub(crate) fn trust(&self) -> record::trust::Trust {
        named(&self.keys, &self.origin)
    }

    /// Kept by whoever writes, so that the directory stays locked while a ledger is open.
    pub(crate) fn lock(&self) -> Option<Arc<Lock>> {
        self.lock.clone()
    }

    /// Who appends: the gateway that owns the directory, or a further one by its own name.
    pub(crate) fn writer(&self) -> &str {
        self.joined.as_ref().map_or(WRITER, |(_, writer)| writer)
    }

    /// The way to the ledger where another process writes it.
    pub(crate) fn client(&self) -> Option<&Arc<Client>> {
        self.joined.as_ref().map(|(client, _)| client)
    }

    /// Where other processes are to find the ledger that this one writes.
    pub(crate) fn serves(&self) -> Option<PathBuf> {
        let shared = self.lock.is_some() && !self.store.is_immediate();
        shared.then(|| self.home().join("run"))
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    pub(crate) fn clock(&self) -> Arc<dyn ledger::Clock> {
        self.clock.clone()
    }
}

/// A trust file that names these keys, with the secret resolved.
#[cfg(test)]
fn named(keys: &Keys, origin: &str) -> Trust {
    let text = trustfile::text(keys, origin).expect("our own keys");
    let secret = seal::hex::encode(&keys.hmac[..]);
    Trust::parse(&text, &|_| Ok(secret.clone())).expect("our own text")
}

/// The number of a group that is to read the evidence, by name or number.
///
/// # Errors
/// /etc/group has no such name.
pub fn group_number(group: &str) -> Result<u32, StateError> {
    files::group(group).ok_or_else(|| StateError::NoGroup(group.to_owned()))
}

/// The digest under which entries of the ledger in `dir` cite a configuration; `None` where no keys
/// were made yet. Reads one file, writes nothing, takes no lock.
pub fn cited_config(dir: &Path, config: &crate::Config) -> Result<Option<Digest>, StateError> {
    let salt = keys::salt(&dir.join(HOME).join("keys"))?;
    // What has no canonical form has no digest either, and cannot be cited.
    let cited = |salt: &[u8]| crate::recorder::salted(salt, "config", &config.effective()).ok();
    Ok(salt.and_then(|salt| cited(&salt[..])).map(|(digest, _)| digest))
}

/// The id under which audit lines name their HMAC key.
pub(crate) const HMAC_KEY_ID: &str = "k1";
/// The writer of the gateway's audit chain.
pub(crate) const WRITER: &str = "gateway";
/// What the gateway signs receipts as.
pub(crate) const AGENT: &str = "agent:gateway";

/// So long may the process that owns a directory take until it answers.
const PATIENCE: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);
const HOME: &str = ".countersign";
const TRUST: &str = "countersign.trust.yaml";

#[cfg(test)]
mod tests;
