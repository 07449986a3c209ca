//! `countersign audit`: the audit entries of a ledger, and logs of such entries.

mod export;
mod follow;
mod lines;
mod receipt;
mod summary;
mod verify;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use record::entry::{self, ReadEntry};
use record::report::ExitClass;
use seal::json::{self, Limits};
use seal::time::UnixMillis;

use super::identity::Identity;
use super::verify::How;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the last audit entries
    #[command(after_help = "Examples:
  countersign audit tail
  countersign audit tail --follow
  countersign audit tail -n 100 --format json > audit.jsonl    the lines as they were written")]
    Tail {
        /// How many
        #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
        lines: usize,
        /// The ledger, or a log (JSON Lines); default: .countersign/ledger in --dir
        #[arg(long, value_name = "PATH")]
        ledger: Option<PathBuf>,
        /// Go on as the ledger grows, until SIGINT or SIGTERM: entries under a checkpoint
        #[arg(short = 'f', long)]
        follow: bool,
        #[command(flatten)]
        identity: Identity,
        /// How to print
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Print the audit entries with this entry id or correlation id
    #[command(after_help = "Examples:
  countersign audit show 5f0c1e0a-9f55-4d0e-8f3e-0c5a3a2f9d11")]
    Show {
        /// An audit entry id or a correlation id
        id: String,
        /// The ledger, or a log (JSON Lines); default: .countersign/ledger in --dir
        #[arg(long, value_name = "PATH")]
        ledger: Option<PathBuf>,
        #[command(flatten)]
        identity: Identity,
    },
    /// Count audit entries, by a field
    #[command(after_help = "Examples:
  countersign audit count
  countersign audit count audit.jsonl --by decision --since 2026-11-20T00:00:00Z --format json")]
    Count {
        #[command(flatten)]
        which: summary::Which,
        /// Group by this
        #[arg(long)]
        by: Option<summary::By>,
    },
    /// Sum up audit entries: decisions, refusals, owners, writers, keys; unverified
    #[command(after_help = "Examples:
  countersign audit report
  countersign audit report audit.jsonl --since 2026-11-13T00:00:00Z --owners --format json")]
    Report {
        #[command(flatten)]
        which: summary::Which,
        /// Name the owners too
        #[arg(long)]
        owners: bool,
    },
    /// Write the audit lines of one writer and key as a log (JSON Lines)
    #[command(after_help = "Examples:
  countersign audit export > audit.jsonl
  countersign audit export --writer gateway --key k1 --out audit.jsonl

The lines are those of the ledger, byte for byte. Who holds the key verifies them with `countersign
audit verify audit.jsonl` or with the upstream proxy's verifier; keep the head that is printed, for
--expect-head.")]
    Export(export::Args),
    /// Check an upstream proxy's X-Signet-Receipt against the audit entry it signs
    #[command(after_help = "Examples:
  countersign audit check-receipt 'signet=v1; alg=hmac-sha256; entry=...; key=k1; sig=...' \\
      --log audit.jsonl --keyring keys.txt
  countersign audit check-receipt @receipt.txt --log audit.jsonl --ed25519-key ed-1=signer.pub.pem")]
    CheckReceipt(receipt::Args),
    /// Judge an audit log (JSON Lines), or the ledger with its HMAC chain
    #[command(after_help = "Examples:
  countersign audit verify
  countersign audit verify audit.jsonl --keyring keys.txt --expect-count 1200
  countersign audit verify audit.jsonl --hmac-key k1=file:k1.hex --hmac-key k2=env:K2 --format json
  countersign audit verify audit.jsonl --require consistent        the links alone, without keys

With keys 0 means that every line is what was written, canonical and in its place. That the end was
not cut off shows only --expect-head (the hmac of an entry the log must hold) or --expect-count.")]
    Verify {
        /// The log, `-`, or a ledger; default: .countersign/ledger in --dir
        path: Option<PathBuf>,
        #[command(flatten)]
        how: How,
    },
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let at = |ledger: Option<PathBuf>| ledger.unwrap_or_else(|| super::ledger_of(dir));
    match args.command {
        Command::Tail { lines, ledger, follow: true, identity, format } => {
            follow::run(&at(ledger), &identity, lines, format)
        }
        Command::Tail { lines, ledger, follow: false, identity, format } => {
            tail(&at(ledger), &identity, lines, format)
        }
        Command::Show { id, ledger, identity } => show(&at(ledger), &identity, &id),
        Command::Count { which, by } => summary::count(&which, by, dir),
        Command::Report { which, owners } => summary::report(&which, owners, dir),
        Command::Export(args) => export::run(&args, dir),
        Command::CheckReceipt(args) => receipt::run(args, dir),
        Command::Verify { path, how } => verify::run(&at(path), how, dir),
    }
}

fn tail(path: &Path, identity: &Identity, count: usize, format: Format) -> Outcome {
    let mut lines: VecDeque<Vec<u8>> = VecDeque::new();
    lines::each(path, identity, &mut |line| {
        lines.push_back(line.to_vec());
        if lines.len() > count {
            lines.pop_front();
        }
        Ok(())
    })?;
    let out: String = lines.iter().map(|line| shown(line, format)).collect();
    output::print(&out)?;
    Ok(Exit::Ok)
}

/// A line of `audit tail`.
fn shown(line: &[u8], format: Format) -> String {
    match (format, entry::read_line(line)) {
        (Format::Table, Ok(read)) => row(&read),
        (Format::Table, Err(_)) => format!("not readable: {}\n", output::safe(&lossy(line))),
        // As written into a file or pipe; the same document on a terminal.
        (Format::Json, _) if output::on_terminal() => format!("{}\n", output::inert(&lossy(line))),
        (Format::Json, _) => format!("{}\n", lossy(line)),
    }
}

fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn row(read: &ReadEntry) -> String {
    let entry = &read.entry;
    format!(
        "{}  {:<8} {:<22} {:<22} {}  {}\n",
        UnixMillis(entry.ts_ns / 1_000_000),
        entry.decision.as_str(),
        output::safe(&entry.check_name),
        output::safe(&entry.owner.to_string()),
        output::safe(entry.meta_text("_request").unwrap_or("-")),
        output::safe(&entry.reason),
    )
}

fn show(path: &Path, identity: &Identity, id: &str) -> Outcome {
    let mut found = Vec::new();
    lines::each(path, identity, &mut |line| {
        if let Ok(read) = entry::read_line(line)
            && (read.entry.entry_id == id || read.entry.meta_text("_request") == Some(id))
            && let Ok(value) = json::parse(line, Limits::DOCUMENT)
        {
            found.push(value);
        }
        Ok(())
    })?;
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Evidence(ExitClass::Missing),
            format!("no audit entry has the id {id}"),
        ));
    }
    for value in &found {
        output::json(value)?;
    }
    Ok(Exit::Ok)
}
