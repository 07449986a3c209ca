//! A place at the ledger of a directory: through the socket of its sequencer, or, where none runs,
//! as the sequencer for the time of this command.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crypt::Recipients;
use gateway::Config;
use gateway::config::LedgerConfig;
use ledger::lock::{Lock, LockError};
use ledger::socket::{ConnectError, Seat, SeatError};
use ledger::store::file::FileStore;
use ledger::{AppendError, Body, Ledger, OpenError, Options, SystemClock};
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
            "{}: there is no ledger here yet, its key is missing: `countersign ledger init` or `countersign up` makes both",
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
    let encrypted = configured(&home)
        .map_err(|error| failure(&error))?
        .is_some_and(|config| !config.encryption.recipients.is_empty());
    let open = move |lock, writer: &str| open(&home, lock, writer);
    let seat =
        Seat::take(&run, &ledger, writer, PATIENCE, open).map_err(|error| failure(&error))?;
    match encrypted && !seat.encrypts() {
        true => Err(Failure::new(
            Exit::Config,
            "bodies are to be encrypted (ledger.encryption), and the process that writes the ledger stores them as they are: give it the same configuration",
        )),
        false => Ok(seat),
    }
}

/// Opens the ledger below `home` as its sequencer.
pub fn open(home: &Path, lock: Lock, writer: &str) -> Result<Ledger, SeatError> {
    let setup = |error: &dyn std::fmt::Display| SeatError::Setup(error.to_string());
    let (key, ledger) = (home.join("keys").join("log.pem"), &home.join("ledger"));
    let signer = countersign::identity::read_secret_key(&key).map_err(|error| setup(&error))?;
    let fingerprint = signer.public().fingerprint().hex();
    let known = ledger::Reader::open_dir(ledger, None).ok();
    let origin = match known.as_ref().and_then(ledger::Reader::head) {
        Some(head) => head.origin.clone(),
        None => format!("countersign.local/{}", fingerprint.get(..12).unwrap_or_default()),
    };
    let store = FileStore::reopen(ledger).map_err(|error| SeatError::Open(error.into()))?;
    let mut options = Options::new(origin, Arc::new(signer), writer, Arc::new(SystemClock));
    options.lock = Some(lock);
    let configured = configure(&mut options, home)?;
    let mut encrypted = false;
    let ledger = Ledger::open(Arc::new(store), options, &mut |_, _, body| {
        encrypted |= matches!(body, Body::Encrypted(_));
    })?;
    // What others append meanwhile would be written in the clear, too.
    match encrypted && !configured {
        true => Err(setup(
            &"bodies here are encrypted, and for whom is not known: put the configuration with ledger.encryption at .countersign/config.yaml, or run the gateway that has it",
        )),
        false => Ok(ledger),
    }
}

/// What the gateway's configuration says about the ledger, where there is one.
fn configured(home: &Path) -> Result<Option<LedgerConfig>, SeatError> {
    let path = home.join("config.yaml");
    if !path.exists() {
        return Ok(None);
    }
    let config = Config::load(&path)
        .map_err(|error| SeatError::Setup(format!("{}: {error}", path.display())))?;
    Ok(Some(config.ledger))
}

/// Stores as the gateway's configuration says; `false` where there is none.
fn configure(options: &mut Options, home: &Path) -> Result<bool, SeatError> {
    let Some(config) = configured(home)? else { return Ok(false) };
    options.segment_bytes = config.segment_bytes;
    options.segment_age = config.segment_age_seconds.map(Duration::from_secs);
    options.recipients = match config.encryption.recipients.as_slice() {
        [] => None,
        keys => {
            let recipients = Recipients::parse(keys.iter().map(String::as_str));
            Some(Arc::new(recipients.map_err(|error| SeatError::Setup(error.to_string()))?))
        }
    };
    Ok(true)
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
