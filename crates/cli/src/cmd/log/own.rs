//! What the commands share that write to the ledger of their directory by themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::store::file::FileStore;
use ledger::{Options, SystemClock};
use record::report::ExitClass;
use seal::Signer;
use seal::note::{NoteSigner, VerifierKey};

use super::super::ledger::{lock, open};
use crate::exit::{Exit, Failure};

/// The ledger of a directory with the key of its log.
pub struct Own {
    /// Its directory.
    pub path: PathBuf,
    /// The key that verifies its checkpoints.
    pub vkey: VerifierKey,
    home: PathBuf,
    origin: String,
    signer: Arc<dyn Signer>,
}

impl Own {
    /// Finds it. Nothing is locked or written yet.
    pub fn of(dir: &Path) -> Result<Own, Failure> {
        let home = dir.join(".countersign");
        let path = home.join("ledger");
        super::super::must_exist(&path)?;
        let signer = countersign::identity::read_secret_key(&home.join("keys").join("log.pem"))
            .map_err(super::super::agent::failure)?;
        let reader = open(&path)?;
        let Some(origin) = reader.head().map(|head| head.origin.clone()) else {
            let message =
                format!("{}: there is no head; see `countersign ledger repair`", path.display());
            return Err(Failure::new(Exit::Evidence(ExitClass::Tampered), message));
        };
        let vkey = NoteSigner::new(&origin, &signer).map(|signer| signer.vkey().clone());
        let vkey =
            vkey.ok_or_else(|| Failure::new(Exit::Config, format!("{origin:?} is no log origin")))?;
        Ok(Own { path, vkey, home, origin, signer: Arc::new(signer) })
    }

    /// Takes the place of the sequencer; where one runs already, says who.
    pub fn lock(&self) -> Result<(FileStore, Options), Failure> {
        let failed = |error: std::io::Error| Failure::io(&self.path, &error);
        let lock = lock(&self.home, &self.path)?;
        let store = FileStore::reopen(&self.path).map_err(failed)?;
        let clock = Arc::new(SystemClock);
        let mut options =
            Options::new(self.origin.as_str(), self.signer.clone(), "operator", clock);
        options.lock = Some(lock);
        Ok((store, options))
    }
}
