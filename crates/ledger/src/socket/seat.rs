//! A place at the ledger of a directory: as its sequencer if there is none, else as a client.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::RESERVED;
use super::client::{Client, ConnectError};
use super::serve::{Server, Serving, serve};
use crate::append::AppendError;
use crate::entry::Prepared;
use crate::ledger::Ledger;
use crate::lock::{Lock, LockError};
use crate::publish::CheckpointError;
use crate::read::{Item, ReadError, Reader};

/// Appends to a ledger that several processes write, without any of them being there beforehand.
///
/// Who comes first is the sequencer and serves the others; when it ends, one of them takes over. A
/// call that was under way when a sequencer died is settled from the ledger itself: what is there
/// is counted, what is not is appended again, so that every entry is there exactly once.
pub struct Seat<'a> {
    run: PathBuf,
    dir: PathBuf,
    writer: String,
    open: Open<'a>,
    patience: Duration,
    held: Held,
}

/// Opens the ledger under a lock, as the given writer.
type Open<'a> = Box<dyn FnMut(Lock, &str) -> Result<Ledger, SeatError> + Send + 'a>;

enum Held {
    Nothing,
    Client(Box<Client>),
    // In this order they go: the server and the signing hold the ledger too.
    Sequencer { server: Server, signing: Signing, ledger: Arc<Ledger> },
}

/// Why there is no place, or why it was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeatError {
    /// The sequencer refused, or cannot be reached although it holds the lock.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The lock cannot be used, or is held by a process that serves nobody.
    #[error("{0}; it serves no other process (or not yet)")]
    Lock(#[from] LockError),
    /// The ledger does not open.
    #[error("the ledger cannot be opened: {0}")]
    Open(#[from] crate::open::OpenError),
    /// The socket cannot be made.
    #[error("the ledger cannot be served to other processes: {0}")]
    Serve(io::Error),
    /// The ledger did not take the entries; none of them is there, except perhaps after
    /// [`AppendError::Failed`].
    #[error(transparent)]
    Append(AppendError),
    /// The ledger cannot be read to settle a call that was under way.
    #[error("whether the last entries were written cannot be told: {0}")]
    Settle(#[from] ReadError),
    /// Everything that was acknowledged is there, but the last checkpoint is not.
    #[error("what was appended is in the ledger, and not under a checkpoint yet: {0}")]
    Unsigned(CheckpointError),
    /// What the opening callback needs is not there.
    #[error("{0}")]
    Setup(String),
}

impl<'a> Seat<'a> {
    /// Takes a place at the ledger in `dir` whose lock and socket lie in `run`. A `writer` that ends
    /// in `-*` stands for the first free number. `patience`: how long a change of sequencer may take.
    pub fn take(
        run: &Path,
        dir: &Path,
        writer: &str,
        patience: Duration,
        open: impl FnMut(Lock, &str) -> Result<Ledger, SeatError> + Send + 'a,
    ) -> Result<Seat<'a>, SeatError> {
        if RESERVED.contains(&writer) {
            let text = format!("the writer id {writer} is reserved: choose another");
            return Err(ConnectError::Refused(text).into());
        }
        let mut seat = Seat {
            run: run.to_owned(),
            dir: dir.to_owned(),
            writer: writer.to_owned(),
            open: Box::new(open),
            patience,
            held: Held::Nothing,
        };
        seat.sit(writer, MOMENT.min(patience))?;
        Ok(seat)
    }

    /// Whether this process is the sequencer now.
    pub fn is_sequencer(&self) -> bool {
        matches!(self.held, Held::Sequencer { .. })
    }

    /// Whether whoever is the sequencer encrypts bodies.
    pub fn encrypts(&self) -> bool {
        match &self.held {
            Held::Nothing => false,
            Held::Client(client) => client.encrypts(),
            Held::Sequencer { ledger, .. } => ledger.encrypts(),
        }
    }

    /// The writer id entries get now.
    pub fn writer(&self) -> String {
        match &self.held {
            Held::Nothing => self.writer.clone(),
            Held::Client(client) => client.writer(),
            Held::Sequencer { ledger, .. } => ledger.writer().to_owned(),
        }
    }

    /// Appends entries and returns their indices once they are durable, in their order; contiguous
    /// unless a sequencer died meanwhile.
    pub fn append(&mut self, entries: &[Prepared]) -> Result<Vec<u64>, SeatError> {
        let mut indices: Vec<u64> = Vec::with_capacity(entries.len());
        let until = Instant::now() + self.patience;
        loop {
            let rest = entries.get(indices.len()..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(indices);
            }
            let (appended, writer, next) = match &self.held {
                Held::Nothing => (Err(AppendError::Gone { in_doubt: false }), String::new(), 0),
                Held::Sequencer { ledger, .. } => {
                    (ledger.append_prepared(rest.to_vec()), String::new(), 0)
                }
                Held::Client(client) => {
                    let (writer, next) = (client.writer(), client.next_seq());
                    (client.append(rest), writer, next)
                }
            };
            match appended {
                Ok(range) => indices.extend(range),
                Err(AppendError::Busy { .. }) if Instant::now() < until => thread::sleep(PAUSE),
                Err(AppendError::Gone { in_doubt: false }) => {
                    self.sit(&self.writer.clone(), self.patience)?;
                }
                Err(AppendError::Gone { in_doubt: true }) => {
                    // Under the same id: nobody gets it while an old sequencer may still write what
                    // we sent, so that what is read now stays so.
                    self.sit(&writer, self.patience)?;
                    let written = settle(&self.dir, &writer, next, rest)?;
                    indices.extend(written);
                }
                Err(error) => return Err(SeatError::Append(error)),
            }
        }
    }

    /// Gives the place up; a sequencer signs a last checkpoint.
    pub fn leave(mut self) -> Result<(), SeatError> {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Sequencer { server, signing, ledger } => {
                drop(server);
                drop(signing);
                ledger.close().map_err(SeatError::Unsigned)
            }
            Held::Client(_) | Held::Nothing => Ok(()),
        }
    }

    /// Connects to the sequencer, or becomes it. `taken`: how long the id may be somebody else's.
    fn sit(&mut self, writer: &str, taken: Duration) -> Result<(), SeatError> {
        self.held = Held::Nothing;
        let began = Instant::now();
        loop {
            let over = began.elapsed() >= self.patience;
            match Client::connect(&self.run, writer) {
                Ok(client) => {
                    self.held = Held::Client(Box::new(client));
                    return Ok(());
                }
                Err(ConnectError::Nobody(_)) => match self.preside(writer) {
                    Ok(held) => {
                        self.held = held;
                        return Ok(());
                    }
                    // Somebody else was faster and is opening the ledger.
                    Err(SeatError::Lock(LockError::Held { .. })) if !over => {}
                    Err(error) => return Err(error),
                },
                // The former connection of a client may end a moment after its process does.
                Err(ConnectError::Taken(_)) if began.elapsed() < taken => {}
                Err(ConnectError::Crowded(_) | ConnectError::Unheard) if !over => {}
                Err(error) => return Err(error.into()),
            }
            thread::sleep(PAUSE);
        }
    }

    fn preside(&mut self, writer: &str) -> Result<Held, SeatError> {
        let lock = Lock::take(self.run.join("lock"))?;
        let lock = if self.dir.exists() { lock.with_directory(&self.dir)? } else { lock };
        let writer = match writer.strip_suffix('*') {
            Some(stem) if stem.ends_with('-') => format!("{stem}1"),
            _ => writer.to_owned(),
        };
        let ledger = Arc::new((self.open)(lock, &writer)?);
        let server = serve(ledger.clone(), &self.run, Serving::default());
        let server = server.map_err(SeatError::Serve)?;
        let signing = Signing::start(ledger.clone()).map_err(SeatError::Serve)?;
        Ok(Held::Sequencer { server, signing, ledger })
    }
}

/// Signs checkpoints while this process is the sequencer, also of what only others append.
struct Signing {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Signing {
    fn start(ledger: Arc<Ledger>) -> io::Result<Signing> {
        let stop: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let told = stop.clone();
        let sign = move || {
            let (stopped, wake) = &*told;
            let mut signed = ledger.size();
            let mut stop = stopped.lock().unwrap_or_else(PoisonError::into_inner);
            while !*stop {
                let waited = wake.wait_timeout(stop, INTERVAL);
                stop = waited.unwrap_or_else(PoisonError::into_inner).0;
                let size = ledger.size();
                // One that cannot be written now is tried again; the last one is made at the end.
                if !*stop && size != signed && ledger.checkpoint().is_ok() {
                    signed = size;
                }
            }
        };
        let thread = thread::Builder::new().name("checkpoints".into()).spawn(sign)?;
        Ok(Signing { stop, thread: Some(thread) })
    }
}

impl Drop for Signing {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How many of the entries of a call in doubt the ledger has, and where. They stand in order from
/// the sequence number that was next.
fn settle(
    dir: &Path,
    writer: &str,
    next: u64,
    entries: &[Prepared],
) -> Result<Vec<u64>, ReadError> {
    let reader = Reader::open_dir(dir, None)?;
    let mut walk = reader.entries();
    let mut found = Vec::new();
    while let Some(item) = walk.next()? {
        let Item::Entry(entry) = item else { continue };
        if entry.leaf.writer != writer || entry.leaf.seq != next + found.len() as u64 {
            continue;
        }
        match entries.get(found.len()) {
            Some(ours) if ours.digest == entry.leaf.body && ours.entry.id == entry.leaf.id => {
                found.push(entry.index);
            }
            // Somebody wrote under this id after us: what we had not written is not there.
            _ => break,
        }
    }
    Ok(found)
}

/// So long may the id of a process that ended still be taken.
const MOMENT: Duration = Duration::from_secs(2);
/// Between two looks for a sequencer.
const PAUSE: Duration = Duration::from_millis(10);
/// Between two checkpoints.
const INTERVAL: Duration = Duration::from_secs(1);
