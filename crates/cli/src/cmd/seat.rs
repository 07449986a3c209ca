//! A place at the ledger of a directory: through the socket of its sequencer, or, where none runs,
//! as the sequencer for the time of this command.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::lock::{Lock, LockError};
use ledger::socket::{ConnectError, Seat, SeatError};
use ledger::store::file::FileStore;
use ledger::{AppendError, Ledger, OpenError, Options, SystemClock};
use record::report::ExitClass;
use seal::Signer as _;

use crate::exit::{Exit, Failure};

/// Takes a place under this writer id; one that ends in `-*` stands for the first free number.
pub fn take<'a>(dir: &Path, writer: &str) -> Result<Seat<'a>, Failure> {
    let home = dir.join(".countersign");
    let (run, ledger) = (home.join("run"), home.join("ledger"));
    let key = home.join("keys").join("log.pem");
    if !key.exists() {
        let text = format!(
            "{}: there is no ledger here yet, its key is missing: `countersign up` makes both",
            key.display()
        );
        return Err(Failure::new(Exit::NoPath, text));
    }
    match DirBuilder::new().mode(0o700).create(&run) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Failure::new(Exit::CannotCreate, format!("{}: {error}", run.display())));
        }
        _ => {}
    }
    let at = ledger.clone();
    let open = move |lock, writer: &str| open(&key, &at, lock, writer);
    Seat::take(&run, &ledger, writer, PATIENCE, open).map_err(|error| failure(&error))
}

/// Opens the ledger as its sequencer.
pub fn open(key: &Path, ledger: &Path, lock: Lock, writer: &str) -> Result<Ledger, SeatError> {
    let setup = |error: &dyn std::fmt::Display| SeatError::Setup(error.to_string());
    let signer = countersign::identity::read_secret_key(key).map_err(|error| setup(&error))?;
    let fingerprint = signer.public().fingerprint().hex();
    let known = ledger::Reader::open_dir(ledger, None).ok();
    let origin = match known.as_ref().and_then(ledger::Reader::head) {
        Some(head) => head.origin.clone(),
        None => format!("countersign.local/{}", fingerprint.get(..12).unwrap_or_default()),
    };
    let mut store = FileStore::open(ledger).map_err(|error| SeatError::Open(error.into()))?;
    // Whom the gateway lets read, reads on.
    let found = std::fs::metadata(ledger).map_err(|error| SeatError::Open(error.into()))?;
    if found.mode() & GROUP_READS == GROUP_READS {
        store = store.readable_by(found.gid()).map_err(|error| SeatError::Open(error.into()))?;
    }
    let mut options = Options::new(origin, Arc::new(signer), writer, Arc::new(SystemClock));
    options.lock = Some(lock);
    Ok(Ledger::open(Arc::new(store), options, &mut |_, _, _| {})?)
}

/// What a place that was not given, or lost, means for the exit.
pub fn failure(error: &SeatError) -> Failure {
    let exit = match error {
        SeatError::Open(OpenError::Damaged(_)) => Exit::Evidence(ExitClass::Tampered),
        SeatError::Connect(
            ConnectError::Refused(_) | ConnectError::Taken(_) | ConnectError::AnotherLog { .. },
        ) => Exit::Usage,
        SeatError::Connect(_) | SeatError::Lock(LockError::Held { .. }) => Exit::Unavailable,
        SeatError::Append(AppendError::Refused(_)) => Exit::Input,
        SeatError::Append(AppendError::Busy { .. }) => Exit::Unavailable,
        SeatError::Lock(LockError::Io { .. }) | SeatError::Serve(_) => Exit::CannotCreate,
        SeatError::Setup(_) => Exit::Config,
        SeatError::Open(OpenError::Writer(_)) => Exit::Usage,
        _ => Exit::Io,
    };
    Failure::new(exit, error.to_string())
}

/// How long a change of sequencers may take: a large ledger is verified when it is opened.
const PATIENCE: Duration = Duration::from_secs(60);
/// A directory that a group may look into.
const GROUP_READS: u32 = 0o050;
