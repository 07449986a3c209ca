//! The sequencer's side: one thread for each connection, none of which can hold up another.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::line::{Line, Lost};
use super::wire::{self, Answer, Ask, Refused, code};
use super::{PROTOCOL, RESERVED, place};
use crate::append::AppendError;
use crate::entry::{Entry, Prepared};
use crate::kind::Kind;
use crate::leaf::{MAX_WRITER, check_name};
use crate::ledger::Ledger;

/// Judges the body of a `rotation` or `revocation`: whether the root key signed it.
pub type Judge = Arc<dyn Fn(Kind, &[u8]) -> Result<(), String> + Send + Sync>;

/// How a ledger is served.
#[derive(Clone)]
pub struct Serving {
    /// Without one no `rotation` and no `revocation` comes in.
    pub judge: Option<Judge>,
    /// Connections at a time; one more is told so and closed.
    pub connections: usize,
    /// Bytes of appends that may be held for all connections together. What does not fit is
    /// answered with [`AppendError::Busy`].
    pub held_bytes: usize,
}

impl Default for Serving {
    fn default() -> Serving {
        Serving { judge: None, connections: 64, held_bytes: 128 * 1024 * 1024 }
    }
}

/// A ledger that other processes append to. Dropping it ends the service: what came in whole is
/// written and answered, the rest is not written.
pub struct Server {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    ledger: Arc<Ledger>,
    serving: Serving,
    path: PathBuf,
    listener: UnixListener,
    stopping: AtomicBool,
    state: Mutex<Connected>,
    left: Condvar,
    held: AtomicUsize,
    read: Arc<AtomicU64>,
}

#[derive(Default)]
struct Connected {
    streams: HashMap<u64, UnixStream>,
    writers: HashSet<String>,
    numbers: u64,
}

/// Serves `ledger` on the socket in `run`, the directory that holds the ledger's lock.
///
/// # Errors
/// The directory is open to others, or the socket cannot be made there.
pub fn serve(ledger: Arc<Ledger>, run: &Path, serving: Serving) -> io::Result<Server> {
    let path = place::prepare(run)?;
    // Whoever holds the lock may take the name: what lies there is of a sequencer that is gone.
    let mut fresh = path.clone().into_os_string();
    fresh.push(place::FRESH);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
    fs::rename(&fresh, &path)?;
    let shared = Arc::new(Shared {
        ledger,
        serving,
        path,
        listener,
        stopping: AtomicBool::new(false),
        state: Mutex::default(),
        left: Condvar::new(),
        held: AtomicUsize::new(0),
        read: Arc::default(),
    });
    let accepting = shared.clone();
    let acceptor = thread::Builder::new()
        .name("sequencer".into())
        .spawn(move || accepting.accept_until_stopped())?;
    Ok(Server { shared, acceptor: Some(acceptor) })
}

impl Server {
    /// The socket.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Bytes that clients sent, so far.
    pub fn bytes_read(&self) -> u64 {
        self.shared.read.load(Ordering::Relaxed)
    }

    /// Clients connected now.
    pub fn connections(&self) -> usize {
        self.shared.state().streams.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let shared = &*self.shared;
        shared.stopping.store(true, Ordering::Release);
        // The name first: whoever connects from now on is to find nobody, not a closing door.
        let _ = fs::remove_file(&shared.path);
        let _ = rustix::net::shutdown(&shared.listener, rustix::net::Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let mut state = shared.state();
        // What was read whole is still answered.
        state.streams.values().for_each(|stream| drop(stream.shutdown(Shutdown::Read)));
        let until = Instant::now() + FAREWELL;
        while !state.streams.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = shared.left.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.streams.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Connected> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept_until_stopped(self: Arc<Shared>) {
        while !self.stopping.load(Ordering::Acquire) {
            match self.listener.accept() {
                Ok((stream, _)) if !self.stopping.load(Ordering::Acquire) => self.welcome(stream),
                Ok(_) => return,
                Err(_) if self.stopping.load(Ordering::Acquire) => return,
                // Out of descriptors and the like: breathe instead of spinning.
                Err(_) => thread::sleep(BREATH),
            }
        }
    }

    /// Gives a connection its thread, or says that there are too many.
    fn welcome(self: &Arc<Shared>, stream: UnixStream) {
        let Ok(kept) = stream.try_clone() else { return };
        let number = {
            let mut state = self.state();
            if state.streams.len() >= self.serving.connections {
                drop(state);
                let text = "too many processes append to this ledger: wait, or end one";
                let refused = Answer::Refused(Refused::new(code::CROWDED, text));
                // Into the empty buffer of a new socket this does not wait.
                if let Ok(mut line) = Line::new(stream, self.read.clone()) {
                    let _ = line.send(&wire::answer(&refused));
                }
                return;
            }
            state.numbers += 1;
            let number = state.numbers;
            state.streams.insert(number, kept);
            number
        };
        let leaving = Leaving { shared: self.clone(), number, writer: None };
        let thread = thread::Builder::new().name("sequencer".into()).stack_size(STACK);
        // Without a thread the connection is dropped with its `Leaving`.
        let _ = thread.spawn(move || leaving.converse(stream));
    }

    /// Binds a writer id to a connection. An id ending in `-*` is completed with the lowest free
    /// number.
    fn admit(&self, wanted: &str) -> Result<String, Refused> {
        let mut state = self.state();
        let own = self.ledger.writer();
        let taken = |state: &Connected, id: &str| id == own || state.writers.contains(id);
        let writer = match wanted.strip_suffix('*').filter(|stem| stem.ends_with('-')) {
            None => wanted.to_owned(),
            Some(stem) => (1u64..)
                .map(|number| format!("{stem}{number}"))
                .find(|id| !taken(&state, id))
                .unwrap_or_default(),
        };
        if writer.len() > MAX_WRITER || !check_name(&writer) {
            let text = "a writer id has 1 to 64 bytes without control characters";
            return Err(Refused::new(code::WRITER, text));
        }
        if RESERVED.contains(&writer.as_str()) {
            let text = format!("the writer id {writer} is reserved: choose another");
            return Err(Refused::new(code::WRITER, text));
        }
        if taken(&state, &writer) {
            let text = format!("the writer id {writer} is in use: each process needs its own");
            return Err(Refused::new(code::TAKEN, text));
        }
        state.writers.insert(writer.clone());
        Ok(writer)
    }

    /// Judges the entries of one append and writes them.
    fn append(&self, writer: &Arc<str>, entries: Vec<Entry>) -> Result<(u64, u64), Refused> {
        let mut prepared = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Kind::Rotation | Kind::Revocation = entry.kind {
                let judged = match &self.serving.judge {
                    Some(judge) => judge(entry.kind, &entry.body),
                    None => Err("this sequencer knows no root key".to_owned()),
                };
                judged.map_err(|reason| {
                    Refused::new(code::ENTRY, format!("a {} entry: {reason}", entry.kind))
                })?;
            }
            let entry = Prepared::of(entry).map_err(|error| Refused::of(&error))?;
            prepared.push(entry.by(writer));
        }
        let range = self.ledger.append_prepared(prepared).map_err(|error| Refused::of(&error))?;
        Ok((range.start, range.end))
    }

    /// Takes so many bytes of the memory for appends, or not.
    fn hold(self: &Arc<Shared>, bytes: usize) -> Result<Held, AppendError> {
        let limit = self.serving.held_bytes;
        let waiting = self.held.fetch_add(bytes, Ordering::AcqRel);
        let held = Held { shared: self.clone(), bytes };
        // One message is always taken, so that no limit can shut the door for good.
        if waiting > 0 && waiting.saturating_add(bytes) > limit {
            return Err(AppendError::Busy { waiting, limit });
        }
        Ok(held)
    }
}

/// Memory that one message takes until it is answered.
struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// A connection, which leaves its place and its writer id to others when it ends.
struct Leaving {
    shared: Arc<Shared>,
    number: u64,
    writer: Option<Arc<str>>,
}

impl Leaving {
    fn converse(mut self, stream: UnixStream) {
        let Ok(mut line) = Line::new(stream, self.shared.read.clone()) else { return };
        if let Err(refused) = self.greet(&mut line) {
            let _ = line.send(&wire::answer(&Answer::Refused(refused)));
            return;
        }
        // A peer that breaks off within a message leaves nothing: only whole ones are looked at.
        while let Ok(answer) = self.answer(&mut line) {
            let last =
                matches!(&answer, Answer::Refused(refused) if refused.code == code::PROTOCOL);
            if line.send(&wire::answer(&answer)).is_err() || last {
                return;
            }
        }
    }

    /// Who is it? Everything is refused until that is known.
    fn greet(&mut self, line: &mut Line) -> Result<(), Refused> {
        let protocol = |text: &str| Refused::new(code::PROTOCOL, text);
        match line.peer() {
            Ok(uid) if uid == place::own() || uid == 0 => {}
            _ => return Err(protocol("only processes of the ledger's account may append")),
        }
        let silent = |_| protocol("no greeting came");
        let (kind, length) = line.header(GREETING).map_err(silent)?;
        if Ask::of(kind) != Some(Ask::Hello) || length > Ask::Hello.limit() {
            return Err(protocol("expected a greeting"));
        }
        let content = line.content(length).map_err(silent)?;
        let (spoken, wanted) =
            wire::read_hello(&content).map_err(|_| protocol("the greeting is malformed"))?;
        if spoken != PROTOCOL {
            let text = format!("this sequencer speaks {PROTOCOL}: use the same version");
            return Err(Refused::new(code::PROTOCOL, text));
        }
        if let Some(failure) = self.shared.ledger.stopped() {
            return Err(Refused::of(&AppendError::Stopped(failure)));
        }
        let writer = self.shared.admit(&wanted)?;
        self.writer = Some(Arc::from(writer.as_str()));
        let ledger = &self.shared.ledger;
        let welcome = Answer::Welcome {
            next: ledger.next_seq(&writer),
            size: ledger.size(),
            vkey: ledger.vkey().to_string(),
            sequencer: ledger.writer().to_owned(),
            encrypts: ledger.encrypts(),
            writer,
        };
        line.send(&wire::answer(&welcome)).map_err(|_| protocol("nobody listens"))
    }

    /// Reads one message and does what it asks.
    fn answer(&self, line: &mut Line) -> Result<Answer, Lost> {
        let shared = &self.shared;
        let protocol = |text: &str| Answer::Refused(Refused::new(code::PROTOCOL, text));
        let (kind, length) = line.header(SILENCE)?;
        let Some(ask) = Ask::of(kind) else { return Ok(protocol("unknown message")) };
        if length > ask.limit() {
            let text = format!("a message has {length} bytes, the limit is {}", ask.limit());
            return Ok(protocol(&text));
        }
        let held = match shared.hold(length) {
            Ok(held) => held,
            Err(busy) => {
                line.skip(length)?;
                return Ok(Answer::Refused(Refused::of(&busy)));
            }
        };
        let content = line.content(length)?;
        let answer = match ask {
            Ask::Hello => protocol("a second greeting"),
            Ask::State => Answer::State(shared.ledger.state()),
            Ask::Append => match (wire::read_append(&content), &self.writer) {
                (Ok(entries), Some(writer)) => match shared.append(writer, entries) {
                    Ok((first, end)) => Answer::Appended { first, end },
                    Err(refused) => Answer::Refused(refused),
                },
                _ => protocol("the append is malformed"),
            },
        };
        drop(held);
        Ok(answer)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.streams.remove(&self.number);
        if let Some(writer) = &self.writer {
            state.writers.remove(&**writer);
        }
        drop(state);
        self.shared.left.notify_all();
    }
}

/// So long may a peer take to say who it is.
const GREETING: Duration = Duration::from_secs(5);
/// So long may a peer say nothing; clients that have nothing to append ask for the state meanwhile.
const SILENCE: Duration = Duration::from_secs(120);
/// So long what is under way may take when the sequencer ends.
const FAREWELL: Duration = Duration::from_secs(5);
const BREATH: Duration = Duration::from_millis(50);
const STACK: usize = 512 * 1024;
