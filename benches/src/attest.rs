//! Attestations: hashing of trees, statements over many files, small projects, many bundles, gates.

mod bundles;
mod project;
mod tree;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::figure::Table;

/// All of it; `gigabytes` is the size of the large tree.
pub fn run(binary: &Path, gigabytes: u64, table: &mut Table) -> Result<()> {
    ensure!(binary.exists(), "{} is not there; `./x build` makes it", binary.display());
    tree::run(binary, gigabytes, table)?;
    project::run(binary, table)?;
    bundles::run(binary, table)
}

/// The example of the repository, copied.
fn example(to: &Path) -> Result<()> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/rag");
    copy(&from, to).with_context(|| format!("a copy of {}", from.display()))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}

/// How long a command takes, with what it prints thrown away.
fn timed(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    let output = command.output()?;
    let took = begun.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{:?} failed:\n{said}", command.get_program());
    Ok(took)
}

/// A file of so many bytes, written and synced.
fn synced(path: &Path, bytes: usize) -> Result<f64> {
    use std::io::Write as _;
    let block = vec![b'x'; bytes];
    let begun = Instant::now();
    let mut file = fs::File::create(path)?;
    file.write_all(&block)?;
    file.sync_all()?;
    let took = begun.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(took)
}

/// The least of several: what neighbours on the machine add is no figure of ours.
fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn middle(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
