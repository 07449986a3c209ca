//! `countersign log append`: entries by hand and by scripts.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ledger::socket::Seat;
use ledger::{AppendError, Entry, Kind, Prepared};
use record::{capability, receipt};
use seal::Digest;
use seal::json::{self, Limits, Value};

use super::super::seat;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log append --kind attestation build.intoto.json
  some-scanner | countersign log append --kind attestation --writer scanner --each-line -
  countersign log append --kind feed --id feed:2026-11-21 manifest.json

Through the process that writes the ledger, such as `countersign up`, if one runs; else this command
is that process until it ends, also for others that come meanwhile. It prints a line for each entry
once it is durable: index and id.

Kinds: attestation (JSON or a compact JWS), feed (JSON), capability (a statement) and receipt (a
compact JWS), read strictly. Audit lines, decision receipts and documents come from the gateway
alone; rotations and revocations from `countersign keys`.

Exit 65: not such an entry (of several lines, those before it are there); 69: whoever writes the
ledger is busy or gone; 12: the ledger is damaged; 78: its bodies are encrypted, and for whom is
not known here.")]
pub struct Args {
    /// What it is: attestation, feed, capability or receipt
    #[arg(long, value_name = "KIND")]
    kind: String,
    /// What others will cite it by; default: the digest of the entry
    #[arg(long, conflicts_with = "each_line")]
    id: Option<String>,
    /// The writer id; each process needs its own. Default: append-1, or the next number that is free
    #[arg(long, value_name = "ID", default_value = "append-*")]
    writer: String,
    /// Each line is an entry
    #[arg(long)]
    each_line: bool,
    /// The file; - for standard input
    file: PathBuf,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let kind = kind(&args.kind)?;
    if args.writer == "gateway" {
        let text = "the writer id gateway is the gateway's: choose another";
        return Err(Failure::new(Exit::Usage, text));
    }
    let from_stdin = args.file.as_os_str() == "-";
    let input: Box<dyn Read> = match from_stdin {
        true => Box::new(io::stdin().lock()),
        false => {
            let file = File::open(&args.file).map_err(|error| Failure::io(&args.file, &error))?;
            Box::new(file)
        }
    };
    let broken = |error: io::Error| Failure::io(&args.file, &error);
    let mut input = BufReader::new(input);
    if !args.each_line {
        let mut body = Vec::new();
        let limit = kind.max_body() as u64;
        input.by_ref().take(limit + 1).read_to_end(&mut body).map_err(broken)?;
        let entry = entry(kind, args.id, body)?;
        let mut seat = seat::take(dir, &args.writer)?;
        append(&mut seat, &[entry], args.format)?;
        return leave(seat);
    }
    // The first line is judged before anything is opened.
    let mut line = Vec::new();
    let mut number = 0u64;
    let mut place: Option<Seat<'_>> = None;
    loop {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut refused = None;
        // What has already come goes in one append; what has not is not waited for.
        loop {
            let left = kind.max_body() as u64 + 2;
            line.clear();
            if input.by_ref().take(left).read_until(b'\n', &mut line).map_err(broken)? == 0 {
                break;
            }
            number += 1;
            while line.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
                line.pop();
            }
            if line.is_empty() {
                continue;
            }
            bytes += line.len();
            match entry(kind, None, std::mem::take(&mut line)) {
                Ok(entry) => entries.push(entry),
                Err(failure) => {
                    let message = format!("line {number}: {}", failure.message);
                    refused = Some(Failure::new(failure.exit, message));
                    break;
                }
            }
            if bytes >= BATCH || !input.buffer().contains(&b'\n') {
                break;
            }
        }
        if !entries.is_empty() {
            let seat = match &mut place {
                Some(seat) => seat,
                None => place.insert(seat::take(dir, &args.writer)?),
            };
            append(seat, &entries, args.format)?;
        }
        match (refused, entries.is_empty()) {
            // What was good before it is there, and was said to be.
            (Some(failure), _) => {
                place.map(leave).transpose()?;
                return Err(failure);
            }
            (None, true) => return place.map_or(Ok(Exit::Ok), leave),
            (None, false) => {}
        }
    }
}

/// The kinds that come by hand.
fn kind(name: &str) -> Result<Kind, Failure> {
    match name.parse() {
        Ok(kind @ (Kind::Attestation | Kind::Feed | Kind::Capability | Kind::Receipt)) => Ok(kind),
        Ok(Kind::Rotation | Kind::Revocation) => Err(Failure::new(
            Exit::Usage,
            format!("a {name} is signed by the root key: see `countersign keys`"),
        )),
        _ => Err(Failure::new(
            Exit::Usage,
            format!(
                "no entries of kind {name:?} by hand: expected attestation, feed, capability or receipt"
            ),
        )),
    }
}

/// An entry, if the body is what its kind must be.
fn entry(kind: Kind, id: Option<String>, mut body: Vec<u8>) -> Result<Prepared, Failure> {
    let bad = |reason: String| Failure::new(Exit::Input, format!("not a {kind}: {reason}"));
    if body.len() > kind.max_body() {
        return Err(bad(format!("it has more than {} bytes", kind.max_body())));
    }
    // A file's last newline is no part of a token.
    if kind == Kind::Receipt {
        while body.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
            body.pop();
        }
    }
    let Ok(text) = std::str::from_utf8(&body) else { return Err(bad("not UTF-8".to_owned())) };
    let finding = |findings: Vec<record::report::Finding>| {
        bad(findings.first().map(ToString::to_string).unwrap_or_default())
    };
    match kind {
        Kind::Capability => drop(capability::read(&body).map_err(finding)?),
        Kind::Receipt => drop(receipt::read(text).map_err(finding)?),
        Kind::Attestation if seal::jws::split(text.trim_end(), kind.max_body()).is_ok() => {}
        _ => {
            let limits = Limits { bytes: kind.max_body(), ..Limits::DOCUMENT };
            json::parse(&body, limits).map_err(|error| bad(format!("not JSON: {error}")))?;
        }
    }
    let digest = Digest::of(&body);
    let id = match (kind, id) {
        // A receipt is cited by its hash, whatever anybody calls it.
        (Kind::Receipt, Some(_)) => {
            let text = "a receipt is cited by its hash: leave --id out";
            return Err(Failure::new(Exit::Usage, text));
        }
        (_, id) => id.unwrap_or_else(|| digest.to_string()),
    };
    Prepared::digested(Entry { kind, id, body }, digest).map_err(|error| {
        let exit = match error {
            AppendError::Id { .. } => Exit::Usage,
            _ => Exit::Input,
        };
        Failure::new(exit, error.to_string())
    })
}

fn append(seat: &mut Seat<'_>, entries: &[Prepared], format: Format) -> Result<(), Failure> {
    let indices = seat.append(entries).map_err(|error| seat::failure(&error))?;
    let mut out = String::new();
    for (entry, index) in entries.iter().zip(indices) {
        let id = &entry.entry().id;
        match format {
            Format::Table => out.push_str(&format!("{index} {}", output::safe(id))),
            Format::Json => out.push_str(&json::write_plain(&Value::object([
                ("index", index.into()),
                ("id", Value::from(id.as_str())),
            ]))),
        }
        out.push('\n');
    }
    output::print(&out)
}

fn leave(seat: Seat<'_>) -> Outcome {
    seat.leave().map_err(|error| seat::failure(&error))?;
    Ok(Exit::Ok)
}

/// So many bytes of lines that are there already go in one append.
const BATCH: usize = 1024 * 1024;
