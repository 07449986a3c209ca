//! Memory of the gateway: over many requests, each another one, and over streams that are open and
//! say nothing.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::figure::{Figure, Table};
use crate::gateway::{Store, configured, gateway};
use crate::load;
use crate::process::Process;
use crate::{begin, upstream};

const CONNECTIONS: usize = 32;
const STREAMS: usize = 5_000;
const WARM_UP: usize = 500;
/// What a process needs besides: listeners, files, the runtime's own.
const SPARE: usize = 200;

/// Sends `requests` in both profiles to a ledger on disk and looks at the memory on the way, then
/// starts the gateway again over what was written.
pub fn soak(binary: &Path, requests: usize, profiles: &[&str], table: &mut Table) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let port = runtime.block_on(upstream::start())?;
    table.section(
        "Soak",
        &format!(
            "{requests} requests of 192 bytes, every message another, over {CONNECTIONS} connections; the ledger on disk, since one in memory would be what is measured. Floor: the same process after a tenth. Then a stop and a start over the whole ledger; floor: SHA-256 of all its bytes."
        ),
    );
    for profile in profiles {
        let dir = tempfile::tempdir()?;
        let process = gateway(binary, dir.path(), port, profile, Store::Disk)?;
        grow(&runtime, &process, profile, requests, table)?;
        let ledger = dir.path().join("state/.countersign/ledger/journal");
        begin::again(binary, dir.path(), &ledger, process, port, profile, table)?;
    }
    Ok(())
}

fn grow(
    runtime: &Runtime,
    process: &Process,
    profile: &str,
    requests: usize,
    table: &mut Table,
) -> Result<()> {
    let mut first = 0.0;
    let mut done = 0;
    for percent in [10, 50, 100] {
        let until = requests * percent / 100;
        runtime.block_on(load::run_varied(process.port, CONNECTIONS, until - done, done))?;
        done = until;
        let now = process.memory("VmRSS")?;
        if percent == 10 {
            first = now;
        }
        table.add(
            Figure::new(format!("{profile}: resident memory after {done} requests"), now, "MB")
                .floor(first, "itself at 10 %")
                .goal(60.0, 40.0),
        );
    }
    Ok(())
}

/// Opens streams, reads the first event of each and leaves them open.
pub fn streams(binary: &Path, table: &mut Table) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let port = runtime.block_on(upstream::start())?;
    // caller's and upstream's end lie in this process, the other two in the gateway's
    let limit = descriptors()?;
    let count = STREAMS.min(limit.saturating_sub(SPARE) / 2);
    table.section(
        "Idle streams",
        &format!(
            "{count} streams open at once, one event each, then silence; profile full, ledger in memory. Each is two connections of the gateway. Floor: two idle connections and nothing else cannot be told from zero, so there is none."
        ),
    );
    if count < STREAMS {
        table.missing(&format!(
            "{STREAMS} streams: a process may open {limit} files here, `ulimit -n {}` allows all",
            STREAMS * 2 + SPARE
        ));
    }
    let dir = tempfile::tempdir()?;
    let config = format!(
        "upstream: {{url: 'http://127.0.0.1:{port}/v1'}}\nlimits: {{connections: {}, upstream_read_seconds: 600}}\n",
        count + 100
    );
    let process = configured(binary, dir.path(), &config, "127.0.0.1:0", Store::Memory)?;
    let (before, after, cpu) = runtime.block_on(async {
        load::run(process.port, 1, WARM_UP).await?;
        let (before, busy) = (process.memory("VmRSS")?, process.cpu()?);
        let mut open = Vec::with_capacity(count);
        for _ in 0..count {
            open.push(stream(process.port).await?);
        }
        let cpu = (process.cpu()? - busy).as_secs_f64() * 1e6 / count as f64;
        anyhow::Ok((before, process.memory("VmRSS")?, cpu))
    })?;
    table.add(
        Figure::new("resident memory of a stream", (after - before) * 1e3 / count as f64, "kB")
            .cpu(cpu),
    );
    table.add(
        Figure::new(format!("resident memory with {count} streams"), after, "MB")
            .floor(before, "itself without"),
    );
    Ok(())
}

/// A stream whose first event has come.
async fn stream(port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let body = load::BODY.replacen('{', r#"{"stream":true,"#, 1);
    stream.write_all(load::request(port, &body).as_bytes()).await?;
    let mut seen = Vec::new();
    while !seen.windows(6).any(|six| six == b"data: ") {
        ensure!(stream.read_buf(&mut seen).await? > 0, "the stream ended before its first event");
        ensure!(seen.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&seen));
    }
    Ok(stream)
}

/// How many files this process, and what it starts, may have open.
fn descriptors() -> Result<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).context("a limit of files")?;
    Ok(soft.parse().unwrap_or(usize::MAX))
}
