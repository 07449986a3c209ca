//! The figures of docs/benchmarks.md on this machine, each with the floor it stands on, from one run.
//!
//! Nothing here judges a figure: benches measure, tests assert. How to read them:
//! `docs/benchmarks.md`.

extern crate scan as countersign_scan; // the name by which the trainer knows it

mod attest;
mod auditlog;
mod begin;
mod by_hand;
mod chain;
mod detection;
mod feeds;
mod figure;
mod floor;
mod gateway;
mod hostile;
mod indicators;
mod journal;
mod large;
mod load;
mod memory;
mod nginx;
mod process;
mod proxy;
mod swap;
mod text;
mod upstream;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use figure::Table;

const USAGE: &str =
    "usage: countersign-bench PART [--json] [--binary PATH] [--requests N] [--entries N]
       [--profile NAME] [--gigabytes N]

  gateway   CPU, latency, rate and memory of the gateway, beside a bare proxy and nginx
  swap      latency at half load while 50,000 indicators are replaced; two minutes
  hostile   what a hostile body of 4 MB does to the other callers
  streams   memory of 5,000 idle streams
  start     a start over a large ledger, against SHA-256
  soak      memory over a million requests (--requests N), and the start after them; minutes, and
            some 10 GB of disk for profile full (--profile full|sealed; default: both)
  verify    a chain of receipts, against the strict Ed25519 rate
  feeds     a feed of 100,000 indicators, against the strict Ed25519 rate
  audit     an audit log, against the HMAC rate
  ledger    appends on disk and in memory, against a raw write-and-sync loop
  log       a log of a million entries (--entries N): opened, checked, proved; some 650 bytes of
            disk an entry
  scan      the scan engine, against the walk of its automaton
  attest    hashing of trees (--gigabytes N, 1 of them), statements over 100,000 files, a small
            project, 10,000 bundles, gates; a minute
  detection what the scanner finds of corpus/, and what harmless text it takes for an attack
  all       everything but soak, log, detection, attest and swap

For a profiler: `stub` serves the model API and prints its address, `load PORT CONNECTIONS COUNT`
sends the requests of `gateway`.

The binary is the release build of countersign: --binary, else $COUNTERSIGN_BIN, else the one
beside this program.";

fn main() -> Result<()> {
    let mut json = false;
    let mut binary = None;
    let mut requests = 1_000_000;
    let mut entries = 1_000_000;
    let mut gigabytes = 1;
    let mut profiles = vec!["full".to_owned(), "sealed".to_owned()];
    let mut words = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--requests" => {
                let count = arguments.next().context("--requests needs a number")?;
                requests = count.parse().context("--requests needs a number")?;
            }
            "--entries" => {
                let count = arguments.next().context("--entries needs a number")?;
                entries = count.parse().context("--entries needs a number")?;
            }
            "--gigabytes" => {
                let count = arguments.next().context("--gigabytes needs a number")?;
                gigabytes = count.parse().context("--gigabytes needs a number")?;
            }
            "--profile" => {
                profiles = vec![arguments.next().context("--profile needs full or sealed")?];
            }
            "--binary" => binary = arguments.next().map(PathBuf::from),
            _ => words.push(argument),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let binary = || match binary
        .clone()
        .or_else(|| std::env::var_os("COUNTERSIGN_BIN").map(PathBuf::from))
    {
        Some(path) => Ok(path),
        None => Ok::<_, anyhow::Error>(
            std::env::current_exe()
                .context("where this program lies")?
                .with_file_name("countersign"),
        ),
    };
    let mut table = Table::new(json);
    match words.as_slice() {
        ["bare-proxy", port] => return proxy::run(port.parse().context("a port")?),
        ["stub"] => return by_hand::stub(),
        ["load", port, connections, count] => {
            let port = port.parse().context("a port")?;
            return by_hand::load(port, connections.parse()?, count.parse()?);
        }
        ["gateway"] => gateway::run(&binary()?, &mut table)?,
        ["swap"] => swap::run(&binary()?, &mut table)?,
        ["hostile"] => hostile::run(&binary()?, &mut table)?,
        ["streams"] => memory::streams(&binary()?, &mut table)?,
        ["start"] => begin::run(&binary()?, &mut table)?,
        ["soak"] => {
            let profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
            memory::soak(&binary()?, requests, &profiles, &mut table)?;
        }
        ["verify"] => chain::run(&binary()?, &mut table)?,
        ["feeds"] => feeds::run(&binary()?, &mut table)?,
        ["audit"] => auditlog::run(&binary()?, &mut table)?,
        ["ledger"] => journal::run(&mut table)?,
        ["log"] => large::run(&binary()?, entries, &mut table)?,
        ["scan"] => text::run(&mut table)?,
        ["attest"] => attest::run(&binary()?, gigabytes, &mut table)?,
        ["detection"] => detection::run(&mut table)?,
        ["all"] => {
            text::run(&mut table)?;
            journal::run(&mut table)?;
            chain::run(&binary()?, &mut table)?;
            feeds::run(&binary()?, &mut table)?;
            auditlog::run(&binary()?, &mut table)?;
            begin::run(&binary()?, &mut table)?;
            memory::streams(&binary()?, &mut table)?;
            hostile::run(&binary()?, &mut table)?;
            gateway::run(&binary()?, &mut table)?;
        }
        _ => bail!("{USAGE}"),
    }
    table.finish();
    Ok(())
}
