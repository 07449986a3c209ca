//! The load: a closed loop over kept-alive connections, each with one request under way.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::upstream::Wire;

/// 192 bytes.
pub const BODY: &str = r#"{"model":"bench","max_tokens":64,"temperature":0.2,"messages":[{"role":"user","content":"Please summarise the following meeting notes in two short sentences for the weekly mail, thank you."}]}"#;

/// What a run came to.
pub struct Load {
    /// How long all requests took together.
    pub wall: Duration,
    latencies: Vec<Duration>,
}

impl Load {
    /// Of latencies in any order.
    pub fn of(wall: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self { wall, latencies }
    }

    /// The latency that `share` of all requests stayed below, milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share) as usize;
        self.latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Sends `requests` over `connections` connections to a port of this machine.
pub async fn run(port: u16, connections: usize, requests: usize) -> Result<Load> {
    run_from(port, connections, requests, None).await
}

/// The same, each request with another message: `first` and on.
pub async fn run_varied(
    port: u16,
    connections: usize,
    requests: usize,
    first: usize,
) -> Result<Load> {
    run_from(port, connections, requests, Some(first)).await
}

async fn run_from(
    port: u16,
    connections: usize,
    requests: usize,
    first: Option<usize>,
) -> Result<Load> {
    ensure!(BODY.len() == 192, "the body has {} bytes", BODY.len());
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(requests)));
    let set = LocalSet::new();
    let begun = Instant::now();
    let mut workers = Vec::new();
    for index in 0..connections {
        let latencies = latencies.clone();
        let each = requests / connections;
        let first = first.map(|first| first + index * each);
        workers.push(set.spawn_local(async move { caller(port, each, first, &latencies).await }));
    }
    set.await;
    for worker in workers {
        worker.await??;
    }
    let wall = begun.elapsed();
    Ok(Load::of(wall, latencies.take()))
}

/// A chat completion with this body.
pub fn request(port: u16, body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nX-Agent-Id: agent:bench\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The 192 bytes.
pub fn small(port: u16) -> String {
    request(port, BODY)
}

async fn caller(
    port: u16,
    requests: usize,
    first: Option<usize>,
    latencies: &RefCell<Vec<Duration>>,
) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut request = small(port);
    let mut wire = Wire::default();
    for at in 0..requests {
        if let Some(first) = first {
            // as long as the words that it replaces
            request = request_of(port, first + at);
        }
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let head = wire.message(&mut stream).await?;
        latencies.borrow_mut().push(begun.elapsed());
        ensure!(head.starts_with("http/1.1 200"), "the answer is {head}");
    }
    Ok(())
}

/// The 192 bytes, with a number in the message.
fn request_of(port: u16, number: usize) -> String {
    request(port, &BODY.replace("thank you.", &format!("{number:010}")))
}
