//! A scriptable model API on a loopback port: it plays bytes exactly as a test
//! wrote them, broken ones included, and remembers what it was sent. Plain
//! threads and sockets, so that no HTTP library can repair a script.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// The upstream. Stops when dropped.
#[derive(Debug)]
pub struct FakeUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Header names in lower case, in order, duplicates included.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What to do with one request.
#[derive(Debug, Clone, Default)]
pub struct Script(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Send(Vec<u8>),
    Flood(Vec<u8>, usize),
    Drip(Vec<u8>),
    Wait(Gate),
    Hang,
    Close,
}

/// Holds a script back until the test opens it.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    scripts: VecDeque<Script>,
    seen: Vec<Seen>,
    hung_up: usize,
    connections: usize,
    flooded: usize,
    stopped: bool,
}

impl FakeUpstream {
    /// Starts it. A request without a script gets a 500.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&serving.state).stopped {
                    return;
                }
                let Ok(stream) = stream else { return };
                let shared = serving.clone();
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// The base URL a gateway is configured with.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds the script for the next request that has none.
    pub fn push(&self, script: Script) {
        lock(&self.shared.state).scripts.push_back(script);
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.state).seen.clone()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        lock(&self.shared.state).connections
    }

    /// How many bytes of floods the other side, and the buffers on the way, have taken.
    pub fn flooded(&self) -> usize {
        lock(&self.shared.state).flooded
    }

    /// Waits until `count` requests have come.
    pub fn wait_seen(&self, count: usize) {
        self.wait(|state| state.seen.len() >= count);
    }

    /// Waits until the other side has hung up on `count` hanging scripts.
    pub fn wait_hung_up(&self, count: usize) {
        self.wait(|state| state.hung_up >= count);
    }

    fn wait(&self, done: impl Fn(&State) -> bool) {
        let state = lock(&self.shared.state);
        let (state, late) = self
            .shared
            .changed
            .wait_timeout_while(state, Duration::from_secs(20), |state| !done(state))
            .expect("no panic under the lock");
        assert!(!late.timed_out(), "the upstream waited in vain: {state:?}");
    }
}

impl Drop for FakeUpstream {
    fn drop(&mut self) {
        lock(&self.shared.state).stopped = true;
        // Wakes the accept loop.
        let _ = TcpStream::connect(self.address);
    }
}

impl Seen {
    /// The values of a header, in order.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Script {
    /// Exactly these bytes, then the connection is closed. A whole answer says
    /// `connection: close`, or the next request may be sent into the closing.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::default().send(bytes).close()
    }

    /// A whole JSON answer on a connection that stays open.
    pub fn json(status: u16, body: &str) -> Self {
        Self::default().send(format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// A chat completion that says `text`.
    pub fn says(text: &str) -> Self {
        Self::json(200, &completion(text))
    }

    /// The head of an event stream; the events follow with [`Script::event`].
    pub fn events() -> Self {
        Self::default().send(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
    }

    /// One event with this data.
    pub fn event(self, data: &str) -> Self {
        self.piece(format!("data: {data}\n\n"))
    }

    /// One event with a delta of content of choice 0.
    pub fn delta(self, text: &str) -> Self {
        self.event(&content_delta(0, text))
    }

    /// Bytes of an event stream as one chunk.
    pub fn piece(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(chunk)
    }

    /// `[DONE]` and the end of the stream.
    pub fn done(self) -> Self {
        self.event("[DONE]").end()
    }

    /// The end of a chunked body.
    pub fn end(self) -> Self {
        self.send("0\r\n\r\n")
    }

    /// Exactly these bytes.
    pub fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    /// These bytes again and again, until so many were sent or nobody takes them.
    pub fn flood(mut self, bytes: impl AsRef<[u8]>, total: usize) -> Self {
        self.0.push(Step::Flood(bytes.as_ref().to_vec(), total));
        self
    }

    /// These bytes one by one, a few in a second, until nobody takes them.
    pub fn drip(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Step::Drip(bytes.as_ref().to_vec()));
        self
    }

    /// Goes on with another script.
    pub fn and(mut self, other: Script) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Waits for the gate.
    pub fn wait(mut self, gate: &Gate) -> Self {
        self.0.push(Step::Wait(gate.clone()));
        self
    }

    /// Says nothing more and keeps the connection until the other side hangs up.
    pub fn hang(mut self) -> Self {
        self.0.push(Step::Hang);
        self
    }

    /// Closes the connection.
    pub fn close(mut self) -> Self {
        self.0.push(Step::Close);
        self
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open (at most 20 seconds).
    pub fn pass(&self) {
        let open = lock(&self.0.0);
        let waited = self.0.1.wait_timeout_while(open, Duration::from_secs(20), |open| !*open);
        drop(waited);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        lock(&self.state).connections += 1;
        let Ok(clone) = stream.try_clone() else { return };
        let mut reader = BufReader::new(clone);
        while let Some(seen) = read_request(&mut reader) {
            let script = {
                let mut state = lock(&self.state);
                state.seen.push(seen);
                state.scripts.pop_front()
            };
            self.changed.notify_all();
            let script =
                script.unwrap_or_else(|| Script::json(500, r#"{"error":{"message":"no script"}}"#));
            for step in script.0 {
                if !self.play(step, &stream, &mut reader) {
                    return;
                }
            }
        }
    }

    /// Whether the connection goes on.
    fn play(&self, step: Step, mut stream: &TcpStream, reader: &mut impl Read) -> bool {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    self.hung_up();
                    return false;
                }
                true
            }
            Step::Flood(bytes, total) => {
                let mut sent = 0;
                while sent < total {
                    if stream.write_all(&bytes).is_err() {
                        self.hung_up();
                        return false;
                    }
                    sent += bytes.len();
                    lock(&self.state).flooded += bytes.len();
                }
                true
            }
            Step::Drip(bytes) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).is_err() {
                        self.hung_up();
                        return false;
                    }
                    let state = lock(&self.state);
                    let pause = Duration::from_millis(100);
                    drop(self.changed.wait_timeout_while(state, pause, |state| !state.stopped));
                }
                true
            }
            Step::Wait(gate) => {
                gate.pass();
                true
            }
            Step::Hang => {
                // Reads until the end: nothing more is expected to be sent.
                let _ = reader.read_to_end(&mut Vec::new());
                self.hung_up();
                false
            }
            Step::Close => {
                let _ = stream.shutdown(Shutdown::Both);
                false
            }
        }
    }

    fn hung_up(&self) {
        lock(&self.state).hung_up += 1;
        self.changed.notify_all();
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { method, path, headers, body })
}

/// A chat completion with one choice that says `text`.
pub fn completion(text: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"fake-model","choices":[{{"index":0,"message":{{"role":"assistant","content":{}}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}}}"#,
        quoted(text)
    )
}

/// The data of an event with a delta of content.
pub fn content_delta(choice: u32, text: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"fake-model","choices":[{{"index":{choice},"delta":{{"content":{}}},"finish_reason":null}}]}}"#,
        quoted(text)
    )
}

/// The data of an event with a fragment of a tool call; the name and id come
/// with the first one.
pub fn call_delta(
    choice: u32,
    index: u32,
    opening: Option<(&str, &str)>,
    arguments: &str,
) -> String {
    let (head, name) = opening.map_or_else(Default::default, |(id, name)| {
        (
            format!(r#""id":{},"type":"function","#, quoted(id)),
            format!(r#""name":{},"#, quoted(name)),
        )
    });
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"fake-model","choices":[{{"index":{choice},"delta":{{"tool_calls":[{{"index":{index},{head}"function":{{{name}"arguments":{}}}}}]}},"finish_reason":null}}]}}"#,
        quoted(arguments)
    )
}

/// The data of an event that ends a choice.
pub fn finish_delta(choice: u32, reason: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"fake-model","choices":[{{"index":{choice},"delta":{{}},"finish_reason":{}}}]}}"#,
        quoted(reason)
    )
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    seal::json::write_plain(&seal::json::Value::from(text))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked has failed already; its lock is still good.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
