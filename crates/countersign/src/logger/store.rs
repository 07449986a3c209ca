//! A ledger of the program's own: `<dir>/.countersign/ledger`, with its log key beside it.

use std::path::Path;
use std::sync::Arc;

use ledger::clock::SystemClock;
use ledger::store::file::FileStore;
use ledger::{Entry, Kind, Ledger, Options};
use record::receipt::{self, SignedReceipt};
use seal::{SecretKey, Signer, Zeroizing};

use super::{OpenError, RecordError, Sink};
use crate::{files, identity};

/// An open ledger; a last checkpoint is signed when it is dropped.
pub(super) struct LedgerSink {
    ledger: Ledger,
}

impl LedgerSink {
    /// Opens the ledger and shows every receipt in it.
    pub(super) fn open(
        dir: &Path,
        writer: &str,
        visit: &mut dyn FnMut(SignedReceipt),
    ) -> Result<LedgerSink, OpenError> {
        let home = dir.join(".countersign");
        for name in ["keys", "run"] {
            directory(&home.join(name))
                .map_err(|error| OpenError::File { path: home.join(name), error })?;
        }
        let refused = |reason: &dyn std::fmt::Display| OpenError::Ledger(reason.to_string());
        let lock = ledger::lock::Lock::take(home.join("run").join("lock"))
            .map_err(|error| refused(&error))?;
        let signer = log_key(&home.join("keys").join("log.pem"))?;
        let fingerprint = signer.public().fingerprint().hex();
        let origin = format!("countersign.local/{}", fingerprint.get(..12).unwrap_or_default());
        let store = FileStore::open(home.join("ledger"))
            .map_err(|error| OpenError::File { path: home.join("ledger"), error })?;
        let mut options = Options::new(origin, Arc::new(signer), writer, Arc::new(SystemClock));
        options.lock = Some(lock);
        let mut damaged = None;
        let ledger = Ledger::open(Arc::new(store), options, &mut |index, leaf, body| {
            if leaf.kind != Kind::Receipt {
                return;
            }
            let body = match body.present() {
                Some(body) => std::str::from_utf8(body).map_err(|_| "not UTF-8".to_owned()),
                // What a pruned receipt passes on to its children (its taint) is gone with it.
                None if body == ledger::Body::Pruned => return,
                None => Err("its body is encrypted, and no identity is at hand".to_owned()),
            };
            let read = body.and_then(|jws| {
                receipt::read(jws).map_err(|findings| {
                    findings.first().map(ToString::to_string).unwrap_or_default()
                })
            });
            match read {
                Ok(signed) => visit(signed),
                Err(finding) => damaged = damaged.take().or(Some((index, finding))),
            }
        })
        .map_err(|error| refused(&error))?;
        if let Some((index, finding)) = damaged {
            return Err(OpenError::Damaged {
                path: home.join("ledger"),
                place: format!("entry {index}"),
                finding,
            });
        }
        Ok(LedgerSink { ledger })
    }
}

impl Sink for LedgerSink {
    fn append(&mut self, receipt: &SignedReceipt) -> Result<(), RecordError> {
        let entry = Entry {
            kind: Kind::Receipt,
            id: receipt.hash.to_string(),
            body: receipt.jws.clone().into_bytes(),
        };
        self.ledger
            .append(vec![entry])
            .map(drop)
            .map_err(|error| RecordError::Store(error.to_string()))
    }
}

impl Drop for LedgerSink {
    fn drop(&mut self) {
        // Without it the last entries are only consistent until the next opening: nothing is lost.
        let _ = self.ledger.checkpoint();
    }
}

/// The log's key, made when missing.
fn log_key(path: &Path) -> Result<SecretKey, OpenError> {
    let failed = |reason: String| OpenError::Key { path: path.to_path_buf(), reason };
    if !path.exists() {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut *seed).map_err(|error| failed(error.to_string()))?;
        let key = SecretKey::from_seed(*seed);
        files::create(path, key.to_pem().as_bytes(), true)
            .map_err(|error| failed(error.to_string()))?;
    }
    identity::read_secret_key(path).map_err(|error| failed(error.to_string()))
}

/// A directory that is its owner's alone, made when missing.
fn directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}
