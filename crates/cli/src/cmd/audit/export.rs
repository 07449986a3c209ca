//! `audit export`: one writer's lines under one key, as a log that other verifiers of the format
//! read.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use record::entry::ReadEntry;
use record::report::{Code, ExitClass, Finding, Report};

use super::lines;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ledger, or a log of several writers or keys; default: .countersign/ledger in --dir
    #[arg(long, value_name = "PATH")]
    ledger: Option<PathBuf>,
    /// Whose lines; needed when the ledger has several writers
    #[arg(long, value_name = "ID")]
    writer: Option<String>,
    /// Under which HMAC key; needed when the writer has used several
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Write here, into a new file, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A writer and the id of its key.
type Epoch = (String, String);

fn epoch(read: &ReadEntry) -> Epoch {
    let writer = read.writer().unwrap_or_default();
    (writer.to_owned(), read.key_id.clone().unwrap_or_default())
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let path = args.ledger.clone().unwrap_or_else(|| crate::cmd::ledger_of(dir));
    // It is read twice, which standard input is not.
    crate::cmd::must_exist(&path)?;
    let wanted = choose(args, &path)?;
    let mut out = Out::open(args.out.as_deref())?;
    // Links alone: whether each line is what was written is for `audit verify` to say.
    let mut report = Report::new("export");
    let (mut count, mut head) = (0_u64, String::new());
    let unreadable = lines::each_entry(&path, &mut |read, line| {
        if epoch(read) != wanted {
            return Ok(());
        }
        if count == 0 && !read.prev_hmac.is_empty() {
            output::complain(
                "the first line follows one under another key; a verifier of this log alone calls that a broken link",
            );
        } else if count > 0 && read.prev_hmac != head {
            let place = format!("entry {}", read.entry.entry_id);
            report.push(Finding::new(Code::AuditLink, place, ""));
        }
        count += 1;
        head.clone_from(&read.hmac);
        out.write(line)?;
        out.write(b"\n")
    })?;
    out.close()?;
    if unreadable > 0 {
        let detail = format!("{unreadable} lines are left out");
        report.push(Finding::new(Code::AuditMalformed, path.display().to_string(), detail));
    }
    let (writer, key) = &wanted;
    output::complain(&format!(
        "{count} entries of writer {} under key {}; the last hmac is {head}",
        output::safe(writer),
        output::safe(key),
    ));
    for finding in &report.findings {
        output::complain(&finding.to_string());
    }
    Ok(Exit::Evidence(report.exit_class()))
}

/// The epoch that was asked for, or the only one there is.
fn choose(args: &Args, path: &Path) -> Result<Epoch, Failure> {
    let mut epochs: BTreeMap<Epoch, u64> = BTreeMap::new();
    lines::each_entry(path, &mut |read, _| {
        *epochs.entry(epoch(read)).or_default() += 1;
        Ok(())
    })?;
    let fits = |(writer, key): &&Epoch| {
        args.writer.as_ref().is_none_or(|wanted| wanted == writer)
            && args.key.as_ref().is_none_or(|wanted| wanted == key)
    };
    let all: Vec<&Epoch> = epochs.keys().filter(fits).collect();
    match all.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Failure::new(
            Exit::Evidence(ExitClass::Missing),
            "no audit entry of this writer under this key",
        )),
        several => {
            let names: Vec<String> =
                several.iter().map(|(writer, key)| format!("{writer} under {key}")).collect();
            let why = format!("there are {}; choose with --writer and --key", names.join(", "));
            Err(Failure::new(Exit::Usage, why))
        }
    }
}

/// Where the lines go.
enum Out {
    Stdout(BufWriter<std::io::Stdout>),
    File(BufWriter<File>, PathBuf),
}

impl Out {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Out::Stdout(BufWriter::new(std::io::stdout())));
        };
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
            Failure::new(Exit::CannotCreate, format!("{}: {error}", path.display()))
        })?;
        Ok(Out::File(BufWriter::new(file), path.to_path_buf()))
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Failure> {
        match self {
            Out::Stdout(out) => unless_closed(out.write_all(line)),
            Out::File(out, path) => out.write_all(line).map_err(|error| Failure::io(path, &error)),
        }
    }

    fn close(self) -> Result<(), Failure> {
        match self {
            Out::Stdout(mut out) => unless_closed(out.flush()),
            Out::File(mut out, path) => {
                let synced = out.flush().and_then(|()| out.get_ref().sync_all());
                synced.map_err(|error| Failure::io(&path, &error))
            }
        }
    }
}

/// A reader that went away (`| head`) is no failure.
fn unless_closed(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, format!("standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
