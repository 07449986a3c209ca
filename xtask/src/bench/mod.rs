//! `./x bench`: the figures of a release build on this machine, each with the floor it stands on,
//! measured in the same run.
//!
//! Workload: a fixed 192-byte chat completion over kept-alive connections from this process, answered
//! by a stub upstream in this process. CPU is what the kernel charged the gateway's process.

mod chain;
mod floor;
mod http;
mod process;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use chain::Chain;
use http::{Connection, Stub};
use process::Process;

const WARM_UP: usize = 300;
const SEQUENTIAL: usize = 3_000;
const CONNECTIONS: usize = 16;
const CONCURRENT: usize = 30_000;
const RECEIPTS: usize = 100_000;

/// Runs every bench and prints the table.
pub fn run(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is not there: run `./x bench`", binary.display());
    let disk = scratch("on disk", &std::env::temp_dir())?;
    println!("# Figures\n");
    println!("{}\n", machine());
    floors(&disk)?;
    chains(binary, &disk)?;

    println!("\n## Gateway\n");
    println!(
        "192-byte chat completion, unary, answered by a stub upstream; {CONCURRENT} requests over {CONNECTIONS} connections, {SEQUENTIAL} over one.\n"
    );
    println!(
        "| profile | ledger | CPU µs/request | requests/s per core of CPU | requests/s, {CONNECTIONS} connections | p50 / p99 one connection | added p50 / p99 | resident |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let stub = Stub::start()?;
    let direct = latencies(stub.port, SEQUENTIAL)?;
    println!(
        "| none (straight to the stub) | – | – | – | – | {} / {} | – | – |",
        milliseconds(direct.0),
        milliseconds(direct.1)
    );
    for profile in ["full", "sealed"] {
        gateway(binary, &stub, profile, "disk", &disk, direct)?;
        if let Ok(memory) = scratch("in memory", Path::new("/dev/shm")) {
            gateway(binary, &stub, profile, "memory (/dev/shm)", &memory, direct)?;
        }
    }
    Ok(())
}

fn gateway(
    binary: &Path,
    stub: &Stub,
    profile: &str,
    store: &str,
    scratch: &Scratch,
    direct: (Duration, Duration),
) -> Result<()> {
    let dir = scratch.0.join(profile);
    std::fs::create_dir_all(dir.join(".countersign"))?;
    let config = format!(
        "upstream: {{url: 'http://127.0.0.1:{}/v1'}}\nevidence: {{profile: {profile}}}\n",
        stub.port
    );
    std::fs::write(dir.join(".countersign/config.yaml"), config)?;
    let process = Process::up(binary, &dir)?;
    load(process.port, 1, WARM_UP)?;
    let (p50, p99) = latencies(process.port, SEQUENTIAL)?;
    let before = process.cpu()?;
    let begun = Instant::now();
    load(process.port, CONNECTIONS, CONCURRENT)?;
    let wall = begun.elapsed();
    let cpu = process.cpu()? - before;
    let resident = process.resident_kib()?;
    let each = cpu.as_secs_f64() / CONCURRENT as f64;
    println!(
        "| {profile} | {store} | {:.0} | {:.0} | {:.0} | {} / {} | {} / {} | {:.0} MB |",
        each * 1e6,
        1.0 / each,
        CONCURRENT as f64 / wall.as_secs_f64(),
        milliseconds(p50),
        milliseconds(p99),
        milliseconds(p50.saturating_sub(direct.0)),
        milliseconds(p99.saturating_sub(direct.1)),
        resident as f64 / 1024.0,
    );
    Ok(())
}

fn chains(binary: &Path, disk: &Scratch) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let chain = Chain::make(&disk.0, RECEIPTS)?;
    let verified = chain.verify(binary)?;
    let each = verified.wall.as_secs_f64() / chain.receipts as f64;
    println!("\n## Verifying a chain of {RECEIPTS} receipts with its statement\n");
    println!(
        "| receipts/s, {cores} cores | of the strict Ed25519 rate of {cores} cores | peak memory |"
    );
    println!("|---|---|---|");
    println!(
        "| {:.0} | {:.0} % | {:.0} MB |",
        1.0 / each,
        100.0 / each / (floor::verifications() * cores as f64),
        verified.peak_kib as f64 / 1024.0
    );
    Ok(())
}

fn floors(disk: &Scratch) -> Result<()> {
    println!("## Floors\n\n| what | rate |\n|---|---|");
    println!("| SHA-256, 1 KiB messages, one core | {:.0} MB/s |", floor::sha256());
    println!("| Ed25519 sign, one core | {:.0}/s |", floor::signatures());
    println!("| Ed25519 strict verify, one core | {:.0}/s |", floor::verifications());
    println!("| append 1 KiB and sync it, one writer | {:.0}/s |", floor::syncs(&disk.0)?);
    Ok(())
}

/// `total` requests over `connections` connections at once.
fn load(port: u16, connections: usize, total: usize) -> Result<()> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(move || -> Result<()> {
                    let mut connection = Connection::open(port)?;
                    (0..total / connections).try_for_each(|_| connection.ask())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| anyhow::anyhow!("a client panicked"))?
        })
    })
}

/// The median and the 99th percentile of one connection.
fn latencies(port: u16, count: usize) -> Result<(Duration, Duration)> {
    let mut connection = Connection::open(port)?;
    for _ in 0..WARM_UP {
        connection.ask()?;
    }
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        connection.ask()?;
        all.push(begun.elapsed());
    }
    all.sort_unstable();
    Ok((all[count / 2], all[count * 99 / 100]))
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    format!(
        "{} cores, {}; load before the run {}",
        cores,
        model.trim_start_matches([' ', '\t', ':']),
        load.split(' ').next().unwrap_or("unknown")
    )
}

/// A directory of this run, removed at its end.
struct Scratch(PathBuf);

fn scratch(name: &str, below: &Path) -> Result<Scratch> {
    let path =
        below.join(format!("countersign-bench-{}-{}", std::process::id(), name.replace(' ', "-")));
    std::fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(Scratch(path))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
