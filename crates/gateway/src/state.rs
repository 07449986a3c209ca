//! The state directory: keys, trust file, lock and ledger store of contracts.md 1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seal::digest::Digest;

/// How to open the state.
pub struct Init {
    /// Keep the ledger in memory (benches, tests): nothing survives the process.
    pub memory: bool,
    /// The clock of the ledger and the recorder.
    pub clock: Arc<dyn ledger::Clock>,
}

/// An opened state directory; holds `run/lock` until dropped.
pub struct State {
    dir: PathBuf,
    origin: String,
    admin_token: String,
    created: bool,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {}

impl State {
    /// Opens `dir` (the directory that holds `countersign.trust.yaml` and `.countersign`), making
    /// what is missing.
    pub fn open_or_init(_dir: &Path, _init: Init) -> Result<State, StateError> {
        loop {}
    }

    /// The directory given.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `<dir>/.countersign`.
    pub fn home(&self) -> PathBuf {
        self.dir.join(".countersign")
    }

    /// `<dir>/.countersign/ledger`.
    pub fn ledger_dir(&self) -> PathBuf {
        self.home().join("ledger")
    }

    /// `<dir>/countersign.trust.yaml`.
    pub fn trust_path(&self) -> PathBuf {
        self.dir.join("countersign.trust.yaml")
    }

    /// Digest of the trust file's bytes.
    pub fn trust_digest(&self) -> Digest {
        Digest::of(b"")
    }

    /// Whether this call wrote the keys and the trust file.
    pub fn created(&self) -> bool {
        self.created
    }

    /// `(name, fingerprint)` of gateway, decisions and log key.
    pub fn fingerprints(&self) -> Vec<(&'static str, Digest)> {
        Vec::new()
    }

    /// The log's origin: `countersign.local/<12 hex of the log key's fingerprint>`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where the admin token lies.
    pub fn admin_token_path(&self) -> PathBuf {
        self.home().join("keys").join("admin.token")
    }

    /// The admin listener's bearer token. Never log it.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }
}
