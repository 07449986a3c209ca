//! A log of millions of entries: how it is opened, checked, proved, pruned, and what it holds in
//! memory.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use ledger::store::file::FileStore;
use ledger::{Clock, Ledger, SystemClock};
use seal::SecretKey;
use seal::time::UnixMillis;

use crate::figure::{Figure, Table};
use crate::journal::{SEED, entry, open, open_at};
use crate::{floor, process};

/// Entries of one batch while the log is filled.
const BATCH: u64 = 1_000;
/// Entries between two checkpoints while it is filled.
const INTERVAL: u64 = 50_000;
/// Appends a second for the time until an entry is published, and for how long.
const RATE: u64 = 1_000;
const SECONDS: u64 = 5;
/// How often a checkpoint is signed then.
const EVERY: Duration = Duration::from_millis(100);

/// A clock so far behind that what it stamps is old enough to be pruned.
struct Past;

impl Clock for Past {
    fn now(&self) -> UnixMillis {
        UnixMillis(SystemClock.now().0.saturating_sub(2 * 86_400_000))
    }
}

/// Fills a log with `entries` and looks at it.
pub fn run(binary: &Path, entries: u64, table: &mut Table) -> Result<()> {
    table.section(
        "Large log",
        &format!("A log of {entries} entries of 256 bytes, a checkpoint every {INTERVAL}."),
    );
    let dir = tempfile::tempdir()?;
    let path = dir.path().join(".countersign/ledger");
    fill(&path, entries, table)?;
    publish(dir.path(), table)?;
    reopen(&path, table)?;
    look(binary, dir.path(), entries, table)?;
    prune(binary, dir.path(), entries, table)
}

fn fill(path: &Path, entries: u64, table: &mut Table) -> Result<()> {
    let ledger = open_at(Arc::new(FileStore::open(path)?), Arc::new(Past))?;
    let before = process::own()?;
    let begun = Instant::now();
    let mut at = 0;
    while at < entries {
        let end = (at + BATCH).min(entries);
        ledger.append((at..end).map(entry).collect())?;
        at = end;
        if at % INTERVAL == 0 {
            ledger.checkpoint()?;
        }
    }
    ledger.close()?;
    let wall = begun.elapsed().as_secs_f64();
    let cpu = (process::own()? - before).as_secs_f64();
    table.add(
        Figure::new(
            format!("entries/s, one thread, batches of {BATCH}"),
            entries as f64 / wall,
            "/s",
        )
        .cpu(cpu * 1e6 / entries as f64),
    );
    Ok(())
}

/// From the call of an append to the checkpoint that covers it.
fn publish(dir: &Path, table: &mut Table) -> Result<()> {
    let ledger = open(Arc::new(FileStore::open(dir.join("second"))?))?;
    let (published, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    let (ledger, published, stop) = (&ledger, &published, &stop);
    let mut delays = std::thread::scope(|scope| {
        let signer = scope.spawn(move || -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(EVERY);
                let size = ledger.size();
                ledger.checkpoint()?;
                published.store(size, Ordering::Release);
            }
            Ok(())
        });
        let mut waiting = std::collections::VecDeque::new();
        let mut delays = Vec::new();
        let mut note = |waiting: &mut std::collections::VecDeque<(u64, Instant)>| {
            let size = published.load(Ordering::Acquire);
            while waiting.front().is_some_and(|(index, _)| *index < size) {
                delays.extend(waiting.pop_front().map(|(_, called)| called.elapsed()));
            }
        };
        for number in 0..RATE * SECONDS {
            let due = begun + Duration::from_micros(number * 1_000_000 / RATE);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let called = Instant::now();
            waiting.push_back((ledger.append(vec![entry(number)])?.start, called));
            note(&mut waiting);
        }
        while !waiting.is_empty() && !signer.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
            note(&mut waiting);
        }
        stop.store(true, Ordering::Relaxed);
        signer.join().map_err(|_| anyhow!("the signer panicked"))??;
        Ok::<_, anyhow::Error>(delays)
    })?;
    delays.sort_unstable();
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let at = ((delays.len() as f64 * share) as usize).min(delays.len().saturating_sub(1));
        let delay = delays.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3;
        let name = format!("add to published at {RATE}/s, checkpoint every 100 ms, {name}");
        table.add(Figure::new(name, delay, "ms"));
    }
    Ok(())
}

/// The library opens it again.
fn reopen(path: &Path, table: &mut Table) -> Result<()> {
    let megabytes = weight(path)? as f64 / 1e6;
    let begun = Instant::now();
    let ledger: Ledger = open(Arc::new(FileStore::open(path)?))?;
    let wall = begun.elapsed().as_secs_f64();
    ensure!(ledger.size() > 0, "an empty log");
    table.add(
        Figure::new(format!("open, {megabytes:.0} MB read and checked"), wall, "s")
            .floor(megabytes / floor::sha256(), "SHA-256 of it"),
    );
    Ok(())
}

/// The binary looks at it, as a user would.
fn look(binary: &Path, dir: &Path, entries: u64, table: &mut Table) -> Result<()> {
    let countersign = |arguments: &[&str]| ask(binary, dir, arguments);
    million("log check", &countersign(&["log", "check"])?, entries, table)?;
    let index = (entries / 3).to_string();
    let proof = dir.join("a.tlog-proof");
    let proof = proof.to_string_lossy();
    let proved = countersign(&["log", "prove", "inclusion", "--index", &index, "-o", &proof])?;
    ensure!(proved.success, "no proof:\n{}", proved.output);
    let begun = Instant::now();
    let idle = countersign(&["--version"])?;
    ensure!(idle.success && begun.elapsed() > Duration::ZERO, "the binary does not start");
    table.add(
        Figure::new("a proof of inclusion, by the binary", proved.wall.as_secs_f64() * 1e3, "ms")
            .floor(idle.wall.as_secs_f64() * 1e3, "its start"),
    );
    table.add(Figure::new("a proof of inclusion, peak memory", proved.peak, "MB"));
    Ok(())
}

/// The bodies of all full segments go; everything that is left still checks and proves.
fn prune(binary: &Path, dir: &Path, entries: u64, table: &mut Table) -> Result<()> {
    let keys = dir.join(".countersign/keys");
    fs::DirBuilder::new().mode(0o700).create(&keys)?;
    let mut own = fs::OpenOptions::new();
    own.write(true).create_new(true).mode(0o600);
    let pem = SecretKey::from_seed(SEED).to_pem();
    own.open(keys.join("log.pem"))?.write_all(pem.as_bytes())?;
    let policy = dir.join("retention.yaml");
    fs::write(&policy, "version: 1\nkeep: {attestation: 1d}\n")?;
    let path = dir.join(".countersign/ledger");
    let before = weight(&path)? as f64 / 1e6;
    let policy = policy.to_string_lossy();
    let pruned = ask(binary, dir, &["log", "prune", "--policy", &policy, "--yes"])?;
    million("log prune", &pruned, entries, table)?;
    let after = weight(&path)? as f64 / 1e6;
    ensure!(after < before, "nothing went:\n{}", pruned.output);
    table.add(Figure::new(format!("journal behind the prune, of {before:.0} MB"), after, "MB"));
    million("log check behind it", &ask(binary, dir, &["log", "check"])?, entries, table)?;
    let proof = dir.join("b.tlog-proof");
    let proved = ask(
        binary,
        dir,
        &["log", "prove", "inclusion", "--index", "7", "-o", &proof.to_string_lossy()],
    )?;
    ensure!(proved.success, "no proof of a pruned entry:\n{}", proved.output);
    Ok(())
}

/// The binary at work in this directory.
fn ask(binary: &Path, dir: &Path, arguments: &[&str]) -> Result<process::Ended> {
    let mut command = Command::new(binary);
    command.arg("--dir").arg(dir).args(arguments);
    process::run(command)
}

/// What one of its commands cost.
fn million(name: &str, ended: &process::Ended, entries: u64, table: &mut Table) -> Result<()> {
    ensure!(ended.success, "{name} failed:\n{}", ended.output);
    let wall = ended.wall.as_secs_f64() / (entries as f64 / 1e6);
    table.add(
        Figure::new(format!("{name}, a million entries"), wall, "s")
            .cpu(ended.cpu.as_secs_f64() * 1e6 / entries as f64),
    );
    table.add(Figure::new(format!("{name}, peak memory"), ended.peak, "MB"));
    Ok(())
}

fn weight(path: &Path) -> Result<u64> {
    let mut bytes = 0;
    for item in std::fs::read_dir(path.join("journal"))? {
        bytes += item?.metadata()?.len();
    }
    Ok(bytes)
}
