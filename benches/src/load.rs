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
const BODY: &str = r#"{"model":"bench","max_tokens":64,"temperature":0.2,"messages":[{"role":"user","content":"Please summarise the following meeting notes in two short sentences for the weekly mail, thank you."}]}"#;

/// What a run came to.
pub struct Load {
    /// How long all requests took together.
    pub wall: Duration,
    latencies: Vec<Duration>,
}

impl Load {
    /// The latency that `share` of all requests stayed below, milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share) as usize;
        self.latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Sends `requests` over `connections` connections to a port of this machine.
pub async fn run(port: u16, connections: usize, requests: usize) -> Result<Load> {
    ensure!(BODY.len() == 192, "the body has {} bytes", BODY.len());
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(requests)));
    let set = LocalSet::new();
    let begun = Instant::now();
    let mut workers = Vec::new();
    for _ in 0..connections {
        let latencies = latencies.clone();
        let each = requests / connections;
        workers.push(set.spawn_local(async move { caller(port, each, &latencies).await }));
    }
    set.await;
    for worker in workers {
        worker.await??;
    }
    let wall = begun.elapsed();
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    Ok(Load { wall, latencies })
}

async fn caller(port: u16, requests: usize, latencies: &RefCell<Vec<Duration>>) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nX-Agent-Id: agent:bench\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut wire = Wire::default();
    for _ in 0..requests {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let head = wire.message(&mut stream).await?;
        latencies.borrow_mut().push(begun.elapsed());
        ensure!(head.starts_with("http/1.1 200"), "the answer is {head}");
    }
    Ok(())
}
