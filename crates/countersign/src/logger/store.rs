//! A ledger of the program's own: `<dir>/.countersign/ledger`, with its log key beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::clock::SystemClock;
use ledger::lock::Lock;
use ledger::read::{Item, Reader};
use ledger::socket::{Seat, SeatError};
use ledger::store::file::FileStore;
use ledger::{Body, Entry, Kind, Ledger, Options, Prepared};
use record::receipt::{self, SignedReceipt};
use seal::{SecretKey, Signer, Zeroizing};

use super::{OpenError, RecordError, Sink};
use crate::{files, identity};

/// A place at the ledger: as its only writer, or beside a gateway or another program. A last
/// checkpoint is signed when a sequencer is dropped.
pub(super) struct LedgerSink {
    seat: Option<Seat<'static>>,
}

impl LedgerSink {
    /// Takes a place at the ledger and shows every receipt in it.
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
        let (run, path) = (home.join("run"), home.join("ledger"));
        let (key, at) = (home.join("keys").join("log.pem"), path.clone());
        let open = move |lock, writer: &str| open_ledger(&key, &at, lock, writer);
        let seat =
            Seat::take(&run, &path, writer, PATIENCE, open).map_err(|error| refused(&error))?;
        let mut damaged = None;
        let reader = Reader::open_dir(&path, None).map_err(|error| refused(&error))?;
        let mut entries = reader.entries();
        while let Some(item) = entries.next().map_err(|error| refused(&error))? {
            let entry = match item {
                Item::Entry(entry) if entry.leaf.kind == Kind::Receipt => entry,
                Item::Entry(_) => continue,
                Item::Damage(damage) => return Err(refused(&damage)),
            };
            let body = match entry.body.present() {
                Some(body) => std::str::from_utf8(body).map_err(|_| "not UTF-8".to_owned()),
                // What a pruned receipt passes on to its children (its taint) is gone with it.
                None if entry.body == Body::Pruned => continue,
                None => Err("its body is encrypted, and no identity is at hand".to_owned()),
            };
            let read = body.and_then(|jws| {
                receipt::read(jws).map_err(|findings| {
                    findings.first().map(ToString::to_string).unwrap_or_default()
                })
            });
            match read {
                Ok(signed) => visit(signed),
                Err(finding) => damaged = damaged.take().or(Some((entry.index, finding))),
            }
        }
        if let Some((index, finding)) = damaged {
            let place = format!("entry {index}");
            return Err(OpenError::Damaged { path, place, finding });
        }
        Ok(LedgerSink { seat: Some(seat) })
    }
}

/// Opens the ledger as its sequencer.
fn open_ledger(key: &Path, ledger: &Path, lock: Lock, writer: &str) -> Result<Ledger, SeatError> {
    let signer = log_key(key).map_err(|error| SeatError::Setup(error.to_string()))?;
    let fingerprint = signer.public().fingerprint().hex();
    let origin = format!("countersign.local/{}", fingerprint.get(..12).unwrap_or_default());
    let store = FileStore::reopen(ledger).map_err(|error| SeatError::Open(error.into()))?;
    let mut options = Options::new(origin, Arc::new(signer), writer, Arc::new(SystemClock));
    options.lock = Some(lock);
    let mut encrypted = false;
    let ledger = Ledger::open(Arc::new(store), options, &mut |_, _, body| {
        encrypted |= matches!(body, Body::Encrypted(_));
    })?;
    match encrypted {
        true => Err(SeatError::Setup(
            "bodies here are encrypted, and this program does not know for whom: let the gateway that does run beside it".to_owned(),
        )),
        false => Ok(ledger),
    }
}

impl Sink for LedgerSink {
    fn append(&mut self, receipt: &SignedReceipt) -> Result<(), RecordError> {
        let failed = |error: &dyn std::fmt::Display| RecordError::Store(error.to_string());
        let entry = Prepared::of(Entry {
            kind: Kind::Receipt,
            id: receipt.hash.to_string(),
            body: receipt.jws.clone().into_bytes(),
        })
        .map_err(|error| failed(&error))?;
        let Some(seat) = &mut self.seat else { return Err(failed(&"the ledger is closed")) };
        seat.append(&[entry]).map(drop).map_err(|error| failed(&error))
    }
}

impl Drop for LedgerSink {
    fn drop(&mut self) {
        // Without it the last entries are only consistent until the next opening: nothing is lost.
        let _ = self.seat.take().map(Seat::leave);
    }
}

/// So long a change of sequencers may take.
const PATIENCE: Duration = Duration::from_secs(30);

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
