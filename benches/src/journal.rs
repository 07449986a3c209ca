//! Appends to the ledger, on disk and in memory.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use ledger::{Clock, Entry, Kind, Ledger, Options, Store, SystemClock};
use seal::SecretKey;

use crate::figure::{Figure, Table};
use crate::{auditlog, floor, process};

/// The log's key.
pub const SEED: [u8; 32] = [9; 32];
/// What a receipt weighs.
const BODY: usize = 700;
/// What a request of profile `full` appends.
const BATCH: usize = 6;
const SPAN: Duration = Duration::from_secs(2);
const WRITERS: usize = 16;

/// What the peers of the field are measured with.
const SMALL: usize = 256;
/// Entries of it that wait at any moment.
const OUTSTANDING: usize = 1024;
/// What two cores may cost for one of them, microseconds; with the audit chain.
const GOAL: (f64, f64) = (2.5, 4.0);

/// Times appends.
pub fn run(table: &mut Table) -> Result<()> {
    requests(table)?;
    small(table)
}

/// Entries of 256 bytes: as other logs are measured.
fn small(table: &mut Table) -> Result<()> {
    table.section(
        "Log",
        &format!(
            "Entries of {SMALL} bytes, acknowledged after their sync. {OUTSTANDING} writers: two threads keep that many entries waiting. Floor: the lesser of a raw loop that writes and syncs the same bytes in batches of {OUTSTANDING}, and two cores at {} µs an entry."
        , GOAL.0),
    );
    let dir = tempfile::tempdir()?;
    // body, leaf, frame header and leaf check
    let framed = SMALL + 260 + 36;
    let raw = floor::syncs(dir.path(), framed * OUTSTANDING)? * OUTSTANDING as f64;
    let cores = 2.0 * 1e6 / GOAL.0;
    let name = if raw < cores { "raw loop" } else { "two cores" };
    let (rate, cpu) = waiting(open(disk(&dir.path().join("many"))?)?)?;
    table.add(
        Figure::new(format!("entries/s on disk, {OUTSTANDING} writers"), rate, "/s")
            .floor(raw.min(cores), name)
            .cpu(cpu),
    );
    let (rate, cpu) = waiting(open(Arc::new(MemoryStore::new()))?)?;
    table.add(
        Figure::new(format!("entries/s in memory, {OUTSTANDING} writers"), rate, "/s")
            .floor(cores, "two cores")
            .cpu(cpu),
    );
    let (rate, cpu) = chained(open(Arc::new(MemoryStore::new()))?)?;
    table.add(
        Figure::new("audit lines/s sealed and appended in memory, 1 thread", rate, "/s")
            .floor(1e6 / GOAL.1, format!("{} µs a line", GOAL.1))
            .cpu(cpu),
    );
    let raw = floor::syncs(dir.path(), framed)?;
    let (rate, cpu) = one(open(disk(&dir.path().join("one"))?)?)?;
    table.add(
        Figure::new("entries/s on disk, 1 writer", rate, "/s")
            .floor(raw, "write and sync")
            .cpu(cpu),
    );
    Ok(())
}

/// An entry of 256 bytes.
pub fn entry(number: u64) -> Entry {
    let mut body = vec![b'a' + (number % 23) as u8; SMALL];
    body[..16].copy_from_slice(format!("{number:016x}").as_bytes());
    Entry { kind: Kind::Attestation, id: format!("{number:032x}"), body }
}

/// Two threads hand in entries and keep half of `OUTSTANDING` each waiting.
fn waiting(ledger: Ledger) -> Result<(f64, f64)> {
    let before = process::own()?;
    let begun = Instant::now();
    let ledger = &ledger;
    let total = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..2u64)
            .map(|hand| {
                scope.spawn(move || -> Result<u64> {
                    let (answer, answers) = mpsc::channel();
                    let hand_in = |number: u64| {
                        let answer = answer.clone();
                        let done = Box::new(move |done| drop(answer.send(done)));
                        ledger.submit(vec![entry(hand << 40 | number)], done);
                    };
                    let mut given = (OUTSTANDING / 2) as u64;
                    (0..given).for_each(hand_in);
                    let mut back = 0;
                    while back < given {
                        answers.recv()??;
                        back += 1;
                        if begun.elapsed() < SPAN {
                            hand_in(given);
                            given += 1;
                        }
                    }
                    Ok(back)
                })
            })
            .collect();
        hands
            .into_iter()
            .map(|hand| hand.join().map_err(|_| anyhow!("a writer panicked"))?)
            .sum::<Result<u64>>()
    })?;
    let wall = begun.elapsed().as_secs_f64();
    let cpu = (process::own()? - before).as_secs_f64();
    Ok((total as f64 / wall, cpu * 1e6 / total as f64))
}

/// One thread seals the lines of an audit chain and appends them, 64 at a time.
fn chained(ledger: Ledger) -> Result<(f64, f64)> {
    let mut chain = auditlog::chain();
    let before = process::own()?;
    let begun = Instant::now();
    let mut count = 0u64;
    while begun.elapsed() < SPAN {
        let entries: Result<Vec<Entry>> = (count..count + 64)
            .map(|number| {
                let id = format!("{number:032x}");
                let body = chain.seal(auditlog::short(number))?.line.into_bytes();
                Ok(Entry { kind: Kind::Audit, id, body })
            })
            .collect();
        ledger.append(entries?)?;
        count += 64;
    }
    let wall = begun.elapsed().as_secs_f64();
    let cpu = (process::own()? - before).as_secs_f64();
    Ok((count as f64 / wall, cpu * 1e6 / count as f64))
}

/// One writer, who waits for each entry.
fn one(ledger: Ledger) -> Result<(f64, f64)> {
    let before = process::own()?;
    let begun = Instant::now();
    let mut count = 0u64;
    while begun.elapsed() < SPAN {
        ledger.append(vec![entry(count)])?;
        count += 1;
    }
    let wall = begun.elapsed().as_secs_f64();
    let cpu = (process::own()? - before).as_secs_f64();
    Ok((count as f64 / wall, cpu * 1e6 / count as f64))
}

fn requests(table: &mut Table) -> Result<()> {
    table.section(
        "Ledger",
        &format!(
            "Calls of {BATCH} entries of {BODY} bytes; on disk each call returns when it is durable. Floor: a loop that appends as many bytes to a file and syncs them."
        ),
    );
    let dir = tempfile::tempdir()?;
    let bytes = BATCH * (BODY + 350);
    let raw = floor::syncs(dir.path(), bytes)?;
    for writers in [1, WRITERS] {
        let path = dir.path().join(writers.to_string());
        let (rate, cpu) = appends(open(disk(&path)?)?, writers)?;
        let name = format!("calls/s on disk, {writers} writers");
        table.add(Figure::new(name, rate, "/s").floor(raw, "write and sync, one writer").cpu(cpu));
    }
    let (_, cpu) = appends(open(Arc::new(MemoryStore::new()))?, 1)?;
    // body and leaf are digested, the leaf once more for the tree
    let hashing = floor::sha256() * 1e6 / (BATCH * (BODY + 2 * 250)) as f64;
    table.add(
        Figure::new("calls a second of CPU in memory, 1 writer", 1e6 / cpu, "/s")
            .floor(hashing, "SHA-256 of it")
            .cpu(cpu),
    );
    Ok(())
}

fn disk(path: &Path) -> Result<Arc<dyn Store>> {
    std::fs::create_dir_all(path)?;
    Ok(Arc::new(FileStore::open(path)?))
}

/// A ledger in this store.
pub fn open(store: Arc<dyn Store>) -> Result<Ledger> {
    open_at(store, Arc::new(SystemClock))
}

/// A ledger in this store, by this clock.
pub fn open_at(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Ledger> {
    let signer = Arc::new(SecretKey::from_seed(SEED));
    let options = Options::new("countersign.local/bench", signer, "bench", clock);
    Ok(Ledger::open(store, options, &mut |_, _, _| {})?)
}

/// Calls a second and CPU microseconds a call.
fn appends(ledger: Ledger, writers: usize) -> Result<(f64, f64)> {
    let before = process::own()?;
    let begun = Instant::now();
    let ledger = &ledger;
    let total = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..writers)
            .map(|writer| {
                scope.spawn(move || -> Result<u64> {
                    let mut count = 0u64;
                    while begun.elapsed() < SPAN {
                        ledger.append(batch(writer, count))?;
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("a writer panicked"))?)
            .sum::<Result<u64>>()
    })?;
    let wall = begun.elapsed().as_secs_f64();
    let cpu = (process::own()? - before).as_secs_f64();
    Ok((total as f64 / wall, cpu * 1e6 / total as f64))
}

fn batch(writer: usize, count: u64) -> Vec<Entry> {
    (0..BATCH)
        .map(|part| Entry {
            kind: Kind::Receipt,
            id: format!("sha256:{writer:016x}{count:032x}{part:016x}"),
            body: vec![b'a' + (count % 23) as u8; BODY],
        })
        .collect()
}
