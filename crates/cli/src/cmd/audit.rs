//! `countersign audit`: the audit entries of a ledger.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use ledger::Kind;
use ledger::read::Item;
use record::entry::{self, ReadEntry};
use record::report::ExitClass;
use seal::json::{self, Limits};
use seal::time::UnixMillis;

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
  countersign audit tail -n 100 --format json > audit.jsonl    the lines as they were written")]
    Tail {
        /// How many
        #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
        lines: usize,
        /// The ledger; default: .countersign/ledger in --dir
        #[arg(long, value_name = "DIR")]
        ledger: Option<PathBuf>,
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
        /// The ledger; default: .countersign/ledger in --dir
        #[arg(long, value_name = "DIR")]
        ledger: Option<PathBuf>,
    },
    /// Judge an exported audit log (JSON Lines) or the ledger with its HMAC chain
    #[command(after_help = "Examples:
  countersign audit verify
  countersign audit verify audit.jsonl --require consistent")]
    Verify {
        /// The log or ledger; default: .countersign/ledger in --dir
        path: Option<PathBuf>,
        #[command(flatten)]
        how: How,
    },
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let at = |ledger: Option<PathBuf>| ledger.unwrap_or_else(|| super::ledger_of(dir));
    match args.command {
        Command::Tail { lines, ledger, format } => tail(&at(ledger), lines, format),
        Command::Show { id, ledger } => show(&at(ledger), &id),
        Command::Verify { path, how } => super::verify::judge(&at(path), how, dir),
    }
}

/// Hands every audit line to `f`.
fn each(path: &Path, f: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
    let reader = super::ledger::open(path)?;
    let mut entries = reader.entries();
    while let Some(item) = entries.next().map_err(|error| Failure::io(path, &error))? {
        match item {
            Item::Entry(entry) if entry.leaf.kind == Kind::Audit => f(entry.body),
            Item::Entry(_) => {}
            Item::Damage(damage) => {
                output::complain(&format!("{damage}; run `countersign verify`"));
            }
        }
    }
    Ok(())
}

fn tail(path: &Path, count: usize, format: Format) -> Outcome {
    let mut lines: VecDeque<Vec<u8>> = VecDeque::new();
    each(path, &mut |line| {
        lines.push_back(line.to_vec());
        if lines.len() > count {
            lines.pop_front();
        }
    })?;
    let out: String = lines
        .iter()
        .map(|line| match (format, entry::read_line(line)) {
            (Format::Table, Ok(read)) => row(&read),
            (Format::Table, Err(_)) => format!("not readable: {}\n", output::safe(&lossy(line))),
            // As written into a file or pipe; the same document on a terminal.
            (Format::Json, _) if output::on_terminal() => {
                format!("{}\n", output::inert(&lossy(line)))
            }
            (Format::Json, _) => format!("{}\n", lossy(line)),
        })
        .collect();
    output::print(&out)?;
    Ok(Exit::Ok)
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

fn show(path: &Path, id: &str) -> Outcome {
    let mut found = Vec::new();
    each(path, &mut |line| {
        if let Ok(read) = entry::read_line(line)
            && (read.entry.entry_id == id || read.entry.meta_text("_request") == Some(id))
            && let Ok(value) = json::parse(line, Limits::DOCUMENT)
        {
            found.push(value);
        }
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
