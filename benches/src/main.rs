//! The figures of docs/benchmarks.md on this machine, each with the floor it stands on, from one run.
//!
//! `countersign-bench gateway|verify|ledger|scan|all [--json] [--binary PATH]`. Nothing here judges
//! a figure: benches measure, tests assert. How to read them: `docs/benchmarks.md`.

mod chain;
mod figure;
mod floor;
mod gateway;
mod journal;
mod load;
mod process;
mod proxy;
mod text;
mod upstream;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use figure::Table;

const USAGE: &str =
    "usage: countersign-bench gateway|verify|ledger|scan|all [--json] [--binary PATH]

  gateway   CPU, latency, rate and memory of the gateway, against a bare proxy
  verify    a chain of receipts, against the strict Ed25519 rate
  ledger    appends on disk and in memory, against a raw write-and-sync loop
  scan      the scan engine, against the walk of its automaton

The binary is the release build of countersign: --binary, else $COUNTERSIGN_BIN, else the one
beside this program.";

fn main() -> Result<()> {
    let mut json = false;
    let mut binary = None;
    let mut words = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
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
        ["gateway"] => gateway::run(&binary()?, &mut table)?,
        ["verify"] => chain::run(&binary()?, &mut table)?,
        ["ledger"] => journal::run(&mut table)?,
        ["scan"] => text::run(&mut table)?,
        ["all"] => {
            text::run(&mut table)?;
            journal::run(&mut table)?;
            chain::run(&binary()?, &mut table)?;
            gateway::run(&binary()?, &mut table)?;
        }
        _ => bail!("{USAGE}"),
    }
    table.finish();
    Ok(())
}
