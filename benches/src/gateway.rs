//! The gateway as it is shipped: the release binary as a process of its own, a stub upstream and
//! the callers in this one, over loopback.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::figure::{Figure, Table};
use crate::load::{self, Load};
use crate::process::Process;
use crate::{nginx, upstream};

const WARM_UP: usize = 500;
const SEQUENTIAL: usize = 4_000;
const CONNECTIONS: usize = 32;
const CONCURRENT: usize = 32_000;

/// What one process came to.
struct Measured {
    /// CPU microseconds a request, 32 connections.
    cpu: f64,
    /// Requests a second by the clock, 32 connections.
    rate: f64,
    /// One connection, milliseconds.
    p50: f64,
    p99: f64,
    /// MB after the warm-up and at the end.
    memory: (f64, f64),
}

/// Times the gateway in both profiles and on both stores.
pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    ensure!(binary.exists(), "{} is not there; `./x build` makes it", binary.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let port = runtime.block_on(upstream::start())?;
    alone(&runtime, port, WARM_UP)?;
    let direct = alone(&runtime, port, SEQUENTIAL)?;
    let mut bare = Command::new(std::env::current_exe()?);
    bare.arg("bare-proxy").arg(port.to_string());
    let floor = measure(&runtime, Process::start(bare)?)?;
    let files = tempfile::tempdir()?;
    let nginx = match nginx::start(files.path(), port) {
        Ok(process) => Some(measure(&runtime, process)?),
        Err(error) => {
            table.missing(&format!("nginx is not measured: {error:#}"));
            None
        }
    };

    table.section(
        "Gateway",
        &format!(
            "Unary chat completion of 192 bytes, closed loop over kept-alive connections: {SEQUENTIAL} requests over one, {CONCURRENT} over {CONNECTIONS}; the gateway runs one worker thread. Added latency is over the direct path to the stub (p50 {:.3} ms, p99 {:.3} ms). Floor: a bare hyper proxy in the same harness, {:.1} µs CPU a request.",
            direct.percentile(0.5),
            direct.percentile(0.99),
            floor.cpu
        ),
    );
    if let Some(nginx) = &nginx {
        beside(table, &nginx::version()?, nginx, &floor, &direct);
    }
    for (profile, goals) in [("full", FULL), ("sealed", SEALED)] {
        for store in Store::ALL {
            let dir = match store {
                Store::Memory if std::path::Path::new("/dev/shm").is_dir() => {
                    tempfile::tempdir_in("/dev/shm")?
                }
                Store::Memory | Store::Disk => tempfile::tempdir()?,
            };
            let process = gateway(binary, dir.path(), port, profile, store)?;
            let measured = measure(&runtime, process)?;
            report(
                table,
                &format!("{profile}, {}", store.name()),
                &measured,
                &floor,
                &direct,
                goals,
            );
        }
    }
    Ok(())
}

/// Goals (docs/benchmarks.md), first landing and later.
#[derive(Clone, Copy)]
struct Goals {
    cpu: (f64, f64),
    rate: (f64, f64),
}

const FULL: Goals = Goals { cpu: (110.0, 90.0), rate: (8_000.0, 11_000.0) };
const SEALED: Goals = Goals { cpu: (60.0, 45.0), rate: (14_000.0, 20_000.0) };

/// Where the evidence goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In the gateway's memory: nothing is synced.
    Memory,
    /// In files.
    Disk,
}

impl Store {
    const ALL: [Store; 2] = [Store::Memory, Store::Disk];

    fn name(self) -> &'static str {
        match self {
            Store::Memory => "memory",
            Store::Disk => "disk",
        }
    }
}

/// Starts the gateway with its state in `dir`, one worker, on free ports.
pub fn gateway(
    binary: &Path,
    dir: &Path,
    upstream: u16,
    profile: &str,
    store: Store,
) -> Result<Process> {
    let config = format!(
        "upstream: {{url: 'http://127.0.0.1:{upstream}/v1'}}\nevidence: {{profile: {profile}}}\n"
    );
    configured(binary, dir, &config, "127.0.0.1:0", store)
}

/// The same with a configuration of its own and this address for operators.
pub fn configured(
    binary: &Path,
    dir: &Path,
    config: &str,
    admin: &str,
    store: Store,
) -> Result<Process> {
    let path = dir.join("gateway.yaml");
    std::fs::write(&path, config)?;
    let mut command = Command::new(binary);
    command
        .arg("--dir")
        .arg(dir.join("state"))
        .arg("up")
        .arg("--config")
        .arg(path)
        .env("COUNTERSIGN_WORKERS", "1");
    // a configuration file pins the ports; any free one will do here
    command.args(["--listen", "127.0.0.1:0", "--admin", admin]);
    if store == Store::Memory {
        command.args(["--ledger", "memory"]);
    }
    Process::start(command)
}

/// One caller, with the stub in another thread: in one thread the direct path would wait for nobody,
/// and every path through a process would look slower by two wake-ups than it is.
fn alone(runtime: &Runtime, port: u16, requests: usize) -> Result<Load> {
    let (over, wait) = oneshot::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(wait));
        let caller = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let load = caller.block_on(load::run(port, 1, requests));
        drop(over);
        load
    })
}

fn measure(runtime: &Runtime, process: Process) -> Result<Measured> {
    alone(runtime, process.port, WARM_UP)?;
    let first = process.memory("VmRSS")?;
    let single = alone(runtime, process.port, SEQUENTIAL)?;
    // here upstream and callers share one thread, so that the gateway has a core of its own
    let (crowd, cpu) = runtime.block_on(async {
        load::run(process.port, CONNECTIONS, WARM_UP).await?;
        let before = process.cpu()?;
        let crowd = load::run(process.port, CONNECTIONS, CONCURRENT).await?;
        anyhow::Ok((crowd, process.cpu()? - before))
    })?;
    Ok(Measured {
        cpu: cpu.as_secs_f64() * 1e6 / CONCURRENT as f64,
        rate: CONCURRENT as f64 / crowd.wall.as_secs_f64(),
        p50: single.percentile(0.5),
        p99: single.percentile(0.99),
        memory: (first, process.memory("VmRSS")?),
    })
}

/// What nginx came to, over the same floor.
fn beside(table: &mut Table, name: &str, nginx: &Measured, floor: &Measured, direct: &Load) {
    let bare = "bare proxy";
    table.add(
        Figure::new(format!("{name}, one process: CPU a request"), nginx.cpu, "µs")
            .floor(floor.cpu, bare)
            .cpu(nginx.cpu),
    );
    table.add(
        Figure::new(format!("{name}: requests/s, {CONNECTIONS} connections"), nginx.rate, "/s")
            .floor(floor.rate, bare),
    );
    for (share, value, bottom) in [(0.5, nginx.p50, floor.p50), (0.99, nginx.p99, floor.p99)] {
        let added = |value: f64| (value - direct.percentile(share)).max(0.0);
        let percent = share * 100.0;
        table.add(
            Figure::new(format!("{name}: added p{percent:.0}, one connection"), added(value), "ms")
                .floor(added(bottom), bare),
        );
    }
}

fn report(
    table: &mut Table,
    name: &str,
    ours: &Measured,
    floor: &Measured,
    direct: &Load,
    goals: Goals,
) {
    let bare = |what: &str| format!("bare proxy{what}");
    table.add(
        Figure::new(format!("{name}: CPU a request"), ours.cpu, "µs")
            .floor(floor.cpu, bare(""))
            .cpu(ours.cpu)
            .goal(goals.cpu.0, goals.cpu.1),
    );
    table.add(
        Figure::new(format!("{name}: requests/s on one core of CPU"), 1e6 / ours.cpu, "/s")
            .floor(1e6 / floor.cpu, bare(""))
            .goal(goals.rate.0, goals.rate.1),
    );
    table.add(
        Figure::new(format!("{name}: requests/s, {CONNECTIONS} connections"), ours.rate, "/s")
            .floor(floor.rate, bare("")),
    );
    for (share, value, bottom, goal) in
        [(0.5, ours.p50, floor.p50, (0.15, 0.08)), (0.99, ours.p99, floor.p99, (0.5, 0.2))]
    {
        let added = |value: f64| (value - direct.percentile(share)).max(0.0);
        let figure = Figure::new(
            format!("{name}: added p{:.0}, one connection", share * 100.0),
            added(value),
            "ms",
        )
        .floor(added(bottom), bare(""));
        // the goal is stated for the memory store: a disk's sync is the disk's own
        table.add(if name.ends_with("memory") { figure.goal(goal.0, goal.1) } else { figure });
    }
    // in memory the ledger itself lies there, which says nothing of the gateway
    if name.ends_with("disk") {
        let requests = WARM_UP * 2 + SEQUENTIAL + CONCURRENT;
        table.add(
            Figure::new(
                format!("{name}: resident memory after {requests} requests"),
                ours.memory.1,
                "MB",
            )
            .floor(ours.memory.0, "itself after 500")
            .goal(60.0, 40.0),
        );
    }
}
