//! A process that appends to the ledger of another one.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seal::note::VerifierKey;

use super::line::Line;
use super::place;
use super::wire::{self, Answer, Ask, Refused, code};
use crate::append::AppendError;
use crate::entry::Prepared;
use crate::log::{Log, LogState};
use crate::publish::CheckpointError;

/// A connection to a sequencer, under one writer id.
///
/// One question at a time: whoever calls while another waits, waits too. That is the back-pressure:
/// a client holds no more than one append.
pub struct Client {
    run: PathBuf,
    vkey: VerifierKey,
    size: AtomicU64,
    read: Arc<AtomicU64>,
    connection: Mutex<Connection>,
}

struct Connection {
    /// `None` once the sequencer is gone.
    line: Option<Line>,
    writer: String,
    sequencer: String,
    encrypts: bool,
    /// The sequence number that the next entry gets, if nothing in doubt was written.
    next: u64,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody serves this directory.
    #[error("no process serves the ledger ({0})")]
    Nobody(PathBuf),
    /// The socket is another account's.
    #[error("the socket {path} is served by account {uid}, not by this one: nothing was sent")]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// Who serves it.
        uid: u32,
    },
    /// Another process appends under this writer id.
    #[error("the process that writes the ledger refused: {0}")]
    Taken(String),
    /// The sequencer has no place for one more.
    #[error("the process that writes the ledger refused: {0}")]
    Crowded(String),
    /// The sequencer refused for good.
    #[error("the process that writes the ledger refused: {0}")]
    Refused(String),
    /// The ledger stopped after a failed write.
    #[error("the ledger stopped: {0}; check the disk, then start again")]
    Stopped(String),
    /// The sequencer signs as another log than before.
    #[error("the ledger is another one than before: its key was {before}, now it is {now}")]
    AnotherLog {
        /// The key so far.
        before: String,
        /// The key it names now.
        now: String,
    },
    /// The sequencer ended while it was asked, or said what is no answer.
    #[error("the process that writes the ledger does not answer as it should: try again")]
    Unheard,
    /// The system refused.
    #[error("the socket {path} cannot be used: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a new connection told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejoined {
    /// The writer's next sequence number when the last answer came.
    pub before: u64,
    /// The writer's next sequence number now. If it differs, entries in doubt were written, or
    /// another process wrote under this id meanwhile: the ledger tells.
    pub now: u64,
    /// Number of durable entries.
    pub size: u64,
}

struct Welcome {
    line: Line,
    writer: String,
    next: u64,
    size: u64,
    vkey: String,
    sequencer: String,
    encrypts: bool,
}

impl Client {
    /// Connects to the sequencer of the directory that `run` belongs to. A `writer` that ends in
    /// `-*` is completed by the sequencer with a number that nobody uses now.
    pub fn connect(run: &Path, writer: &str) -> Result<Client, ConnectError> {
        let read = Arc::new(AtomicU64::new(0));
        let welcome = greet(run, writer, &read)?;
        let Ok(vkey) = welcome.vkey.parse() else { return Err(ConnectError::Unheard) };
        Ok(Client {
            run: run.to_owned(),
            vkey,
            size: AtomicU64::new(welcome.size),
            read,
            connection: Mutex::new(Connection {
                line: Some(welcome.line),
                writer: welcome.writer,
                sequencer: welcome.sequencer,
                encrypts: welcome.encrypts,
                next: welcome.next,
            }),
        })
    }

    /// Connects again, under the same writer id, after the sequencer was gone.
    pub fn reconnect(&self) -> Result<Rejoined, ConnectError> {
        let mut connection = self.connection();
        // The old one is given up first: the sequencer may still be the same and hold the id.
        connection.line = None;
        let welcome = greet(&self.run, &connection.writer, &self.read)?;
        let before = self.vkey.to_string();
        if welcome.vkey != before {
            return Err(ConnectError::AnotherLog { before, now: welcome.vkey });
        }
        let rejoined = Rejoined { before: connection.next, now: welcome.next, size: welcome.size };
        connection.line = Some(welcome.line);
        connection.next = welcome.next;
        connection.sequencer = welcome.sequencer;
        connection.encrypts = welcome.encrypts;
        self.size.fetch_max(welcome.size, Ordering::AcqRel);
        Ok(rejoined)
    }

    /// Appends entries, contiguous and in this order, and returns their indices once they are
    /// durable.
    pub fn append(&self, entries: &[Prepared]) -> Result<Range<u64>, AppendError> {
        if entries.is_empty() {
            let size = self.size.load(Ordering::Acquire);
            return Ok(size..size);
        }
        let Some(message) = wire::append(entries) else {
            let (bytes, most) = (wire::MAX_APPEND, wire::MAX_ENTRIES);
            let text =
                format!("an append has more than {bytes} bytes or {most} entries: divide it");
            return Err(AppendError::Refused(text));
        };
        let mut connection = self.connection();
        match connection.ask(&message)? {
            Answer::Appended { first, end }
                if end.checked_sub(first) == Some(entries.len() as u64) =>
            {
                connection.next += entries.len() as u64;
                self.size.fetch_max(end, Ordering::AcqRel);
                Ok(first..end)
            }
            Answer::Refused(refused) => {
                let last = matches!(refused.code, code::PROTOCOL | code::CLOSED | code::FAILED);
                if last {
                    connection.line = None;
                }
                Err(refused.into_error())
            }
            _ => {
                connection.line = None;
                Err(AppendError::Gone { in_doubt: true })
            }
        }
    }

    /// Asks for size, root, checkpoint and room. Also how a client that has nothing to append shows
    /// that it is there, and learns whether the sequencer still is.
    pub fn ask_state(&self) -> Result<LogState, AppendError> {
        let mut connection = self.connection();
        match connection.ask(&wire::ask_state()) {
            Ok(Answer::State(state)) => {
                self.size.fetch_max(state.size, Ordering::AcqRel);
                Ok(state)
            }
            Ok(Answer::Refused(refused)) => Err(refused.into_error()),
            Ok(_) | Err(AppendError::Gone { .. }) => {
                connection.line = None;
                Err(AppendError::Gone { in_doubt: false })
            }
            Err(error) => Err(error),
        }
    }

    /// The writer id this process appends under.
    pub fn writer(&self) -> String {
        self.connection().writer.clone()
    }

    /// The writer id of the sequencer itself: what kind of process it is.
    pub fn sequencer(&self) -> String {
        self.connection().sequencer.clone()
    }

    /// Whether the sequencer encrypts the bodies it is given.
    pub fn encrypts(&self) -> bool {
        self.connection().encrypts
    }

    /// The writer's next sequence number, if nothing in doubt was written.
    pub fn next_seq(&self) -> u64 {
        self.connection().next
    }

    /// Whether the sequencer was there when it was last asked.
    pub fn is_connected(&self) -> bool {
        self.connection().line.is_some()
    }

    /// Bytes that came from sequencers, so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// One question, one answer.
    fn ask(&mut self, message: &[u8]) -> Result<Answer, AppendError> {
        let Some(line) = &mut self.line else { return Err(AppendError::Gone { in_doubt: false }) };
        let answer = line.send(message).and_then(|()| hear(line));
        match answer {
            Ok(Some(answer)) => Ok(answer),
            _ => {
                self.line = None;
                Err(AppendError::Gone { in_doubt: true })
            }
        }
    }
}

/// The next answer; `None` where what came is none.
fn hear(line: &mut Line) -> Result<Option<Answer>, super::line::Lost> {
    let (kind, length) = line.header(ANSWER)?;
    if length > wire::MAX_SMALL {
        return Ok(None);
    }
    let content = line.content(length)?;
    Ok(wire::read_answer(kind, &content).ok())
}

fn greet(run: &Path, writer: &str, read: &Arc<AtomicU64>) -> Result<Welcome, ConnectError> {
    let nobody = || ConnectError::Nobody(run.to_owned());
    let path = match place::find(run) {
        Ok(path) => path,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(nobody()),
        Err(source) => return Err(ConnectError::Io { path: run.to_owned(), source }),
    };
    let failed = |source| ConnectError::Io { path: path.clone(), source };
    let stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        // A socket without a process behind it stays when that one was killed.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Err(nobody());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut line = Line::new(stream, read.clone()).map_err(failed)?;
    let uid = line.peer().map_err(failed)?;
    if uid != place::own() && uid != 0 {
        return Err(ConnectError::Stranger { path, uid });
    }
    debug_assert!(wire::hello(writer).len() <= Ask::Hello.limit());
    // A sequencer with no place for us answers before it was asked.
    let _ = line.send(&wire::hello(writer));
    match hear(&mut line) {
        Ok(Some(Answer::Welcome { writer, next, size, vkey, sequencer, encrypts })) => {
            Ok(Welcome { line, writer, next, size, vkey, sequencer, encrypts })
        }
        Ok(Some(Answer::Refused(Refused { code: number, text, .. }))) => Err(match number {
            code::TAKEN => ConnectError::Taken(text),
            code::CROWDED => ConnectError::Crowded(text),
            code::STOPPED | code::FAILED => ConnectError::Stopped(text),
            _ => ConnectError::Refused(text),
        }),
        Ok(_) | Err(_) => Err(ConnectError::Unheard),
    }
}

impl Log for Client {
    fn append_prepared(&self, entries: Vec<Prepared>) -> Result<Range<u64>, AppendError> {
        self.append(&entries)
    }

    fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    fn state(&self) -> Result<LogState, AppendError> {
        self.ask_state()
    }

    fn vkey(&self) -> VerifierKey {
        self.vkey.clone()
    }

    fn checkpoint(&self) -> Result<(), CheckpointError> {
        Ok(())
    }

    fn close(&self) -> Result<(), CheckpointError> {
        self.connection().line = None;
        Ok(())
    }
}

/// So long may a sequencer take to answer: its disk may be slow, and others may be before us.
const ANSWER: Duration = Duration::from_secs(60);
