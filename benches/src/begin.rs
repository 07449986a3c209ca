//! How long a start takes over a ledger that is there already: everything in it is read and checked
//! before the first request.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::figure::{Figure, Table};
use crate::gateway::{Store, gateway};
use crate::load;
use crate::process::Process;
use crate::{floor, upstream};

const REQUESTS: usize = 50_000;
const CONNECTIONS: usize = 32;

/// Fills a ledger and starts over it.
pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let port = runtime.block_on(upstream::start())?;
    table.section(
        "Start",
        &format!(
            "`countersign up` over the ledger of {REQUESTS} requests of profile full, from its start to its first line. Floor: SHA-256 of all bytes of the journal, one core."
        ),
    );
    let dir = tempfile::tempdir()?;
    let process = gateway(binary, dir.path(), port, "full", Store::Disk)?;
    runtime.block_on(load::run_varied(process.port, CONNECTIONS, REQUESTS, 0))?;
    let journal = dir.path().join("state/.countersign/ledger/journal");
    again(binary, dir.path(), &journal, process, port, "full", table)
}

/// Stops `process` and starts it again.
pub fn again(
    binary: &Path,
    dir: &Path,
    journal: &Path,
    process: Process,
    upstream: u16,
    profile: &str,
    table: &mut Table,
) -> Result<()> {
    process.stop()?;
    let mut bytes = 0;
    for file in std::fs::read_dir(journal)? {
        bytes += file?.metadata()?.len();
    }
    let megabytes = bytes as f64 / 1e6;
    let hashing = megabytes / floor::sha256();
    let begun = Instant::now();
    let process = gateway(binary, dir, upstream, profile, Store::Disk)?;
    let wall = begun.elapsed().as_secs_f64();
    let cpu = process.cpu()?.as_secs_f64();
    table.add(
        Figure::new(format!("{profile}: start over {megabytes:.0} MB of journal"), wall, "s")
            .floor(hashing, "SHA-256 of it")
            .cpu(cpu * 1e6),
    );
    table.add(
        Figure::new(format!("{profile}: journal checked at a start"), megabytes / cpu, "MB/s")
            .floor(floor::sha256(), "SHA-256"),
    );
    table.add(Figure::new(
        format!("{profile}: resident memory after that start"),
        process.memory("VmRSS")?,
        "MB",
    ));
    Ok(())
}
