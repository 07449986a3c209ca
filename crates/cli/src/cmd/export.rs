//! `countersign export`: what a ledger holds, for archives and for systems that collect events.

mod cursor;
pub mod epoch;
pub mod out;
pub mod stop;
pub mod take;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use countersign::export::{Format, Pseudonyms, Style};
use ledger::follow::{Cursor, Follow, FollowError};
use record::report::ExitClass;
use seal::Zeroizing;
use seal::note::VerifierKey;
use seal::time::{UnixMillis, parse_rfc3339};

use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use epoch::Epochs;
use out::Out;
use stop::Stop;
use take::Take;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign export receipts -o chain.jsonl
  countersign export audit --writer gateway --key-id k1 -o audit.jsonl
  countersign export --format ocsf --follow --state siem.cursor | forwarder
  countersign export decisions --format cef --since 2026-11-20T00:00:00Z

Without a format nothing is lost: receipts become a chain that `countersign verify` reads, audit
lines (byte for byte) a log that `countersign audit verify` reads, decision receipts a line each.
Formats of events are described in docs/operating/siem.md. Only entries under the newest checkpoint
are exported, held against its root before the first of them is written; --unsigned adds what came
later.

--state remembers how far an export came. The next run goes on there, and refuses (exit 12) if the
log no longer begins with what was exported. Each entry is written at least once.")]
pub struct Args {
    /// What to export
    #[arg(default_value = "audit")]
    what: What,
    /// The ledger; default: .countersign/ledger in --dir
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// Write here, into a new file (with --state: behind what it holds), instead of standard output
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// How to write: jsonl is without loss
    #[arg(long, default_value = "jsonl")]
    format: Spelling,
    /// Only entries of this writer
    #[arg(long, value_name = "ID")]
    writer: Option<String>,
    /// Only audit entries under this HMAC key
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// Entries logged from this time on, such as 2026-11-20T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<UnixMillis>,
    /// Entries logged before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UnixMillis>,
    /// Entries from this index on
    #[arg(long, value_name = "N", default_value_t = 0)]
    from_index: u64,
    /// Go on as the ledger grows, until SIGINT or SIGTERM
    #[arg(long)]
    follow: bool,
    /// With --follow: how often to look, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    poll_ms: u64,
    /// Also entries that no checkpoint covers yet: only consistent, and a crash may undo them
    #[arg(long)]
    unsigned: bool,
    /// Remember here how far this export came, and go on there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The trust file that names the log's key; default: as for `verify`
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    identity: super::identity::Identity,
    /// Events: replace owners by names that say nothing, under this secret (file:PATH, env:NAME or
    /// command:PROGRAM ARGUMENTS, at least 16 bytes)
    #[arg(long, value_name = "SOURCE")]
    pseudonymise: Option<String>,
    /// Syslog: the name of this host
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Syslog: your private enterprise number; the default is the one for documentation
    #[arg(long, value_name = "N", default_value_t = countersign::export::ENTERPRISE)]
    enterprise_number: u32,
    /// Syslog: each message behind its length instead of before a newline (for TCP and TLS)
    #[arg(long)]
    octet_counting: bool,
}

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Provenance receipts.
    Receipts,
    /// Decision receipts.
    Decisions,
    /// Audit entries.
    Audit,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Spelling {
    /// As the ledger holds it, a line each.
    Jsonl,
    /// OCSF 1.5.0.
    Ocsf,
    /// Elastic Common Schema 8.11.
    Ecs,
    /// Common Event Format.
    Cef,
    /// RFC 5424.
    Syslog,
}

fn time(text: &str) -> Result<UnixMillis, String> {
    parse_rfc3339(text).ok_or_else(|| "expected a time such as 2026-11-20T00:00:00Z".to_owned())
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let style = style(&args)?;
    let path = args.ledger.clone().unwrap_or_else(|| super::ledger_of(dir));
    super::must_exist(&path)?;
    for (option, file) in [("--out", &args.out), ("--state", &args.state)] {
        if file.as_ref().is_some_and(|file| out::lies_below(file, &path)) {
            let why = format!("{option} lies in the ledger, where nothing but evidence may be");
            return Err(Failure::new(Exit::Usage, why));
        }
    }
    let hide = args.pseudonymise.as_deref().map(pseudonyms).transpose()?;
    let keys = keys(&args, dir, &path)?;
    let label = label(&args);
    let cursor = match &args.state {
        Some(state) => cursor::read(state, &label)?,
        None => None,
    };
    let identities = args.identity.read()?;
    let mut follow = open(&path, keys.clone(), cursor.as_ref())?
        .unsigned(args.unsigned)
        .opening(identities.clone());
    let mut take = Take::new(&args, style, hide);
    // A log that somebody verifies is of one writer under one key; only a whole one can be chosen.
    if take.is_log() && !args.follow && args.state.is_none() {
        let mut epochs = Epochs::default();
        let mut first = open(&path, keys, None)?.unsigned(args.unsigned).opening(identities);
        let mut absent = None;
        let polled = first.poll(&mut |entry| {
            absent = absent.take().or_else(|| take.absent(entry));
            take.epoch_of(entry).into_iter().for_each(|epoch| epochs.add(epoch));
            ControlFlow::Continue(())
        });
        polled.map_err(|error| failure(&path, error))?;
        let epoch = epochs.choose(args.writer.as_deref(), args.key_id.as_deref());
        if let (Err(_), Some(absent)) = (&epoch, absent) {
            output::complain(&format!("there are audit entries that cannot be read: {absent}"));
        }
        take.only(epoch?);
    }
    let stop = if args.follow { Some(Stop::install()?) } else { None };
    let mut out = Out::open(args.out.as_deref(), args.state.is_some())?;
    if !args.octet_counting {
        out.end_line()?;
    }
    let mut failed = None;
    loop {
        if let (true, Some(log)) = (take.log.is_empty(), follow.origin()) {
            take.log = log.to_owned();
        }
        let polled = follow.poll(&mut |entry| {
            if let Err(error) = take.entry(entry, &mut out) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            match out.is_closed() || stop.as_ref().is_some_and(Stop::is_asked) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if let Some(failure) = failed.take() {
            return Err(failure);
        }
        // What was handed over before the fault is whole: it goes out, and is not asked for again.
        let new = polled.as_ref().copied().unwrap_or(0);
        out.flush()?;
        if let (Some(state), Some(cursor), false) = (&args.state, follow.cursor(), out.is_closed())
            && (new > 0 || !state.exists())
        {
            cursor::write(state, &label, &cursor)?;
        }
        polled.map_err(|error| failure(&path, error))?;
        match &stop {
            Some(stop) if !out.is_closed() => {
                if stop.wait(Duration::from_millis(args.poll_ms)) {
                    break;
                }
            }
            _ => break,
        }
    }
    out.close()?;
    take.conclude(&path)
}

fn style(args: &Args) -> Result<Option<Style>, Failure> {
    let usage = |why: &str| Err(Failure::new(Exit::Usage, why));
    let format = match args.format {
        Spelling::Jsonl => None,
        Spelling::Ocsf => Some(Format::Ocsf),
        Spelling::Ecs => Some(Format::Ecs),
        Spelling::Cef => Some(Format::Cef),
        Spelling::Syslog => Some(Format::Syslog),
    };
    if args.key_id.is_some() && args.what != What::Audit {
        return usage("--key-id is about audit entries");
    }
    let Some(format) = format else {
        return match args.pseudonymise {
            Some(_) => usage("--pseudonymise needs a format of events: jsonl is without loss"),
            None => Ok(None),
        };
    };
    if args.what == What::Receipts {
        return usage("receipts are no events; export audit or decisions in this format");
    }
    Ok(Some(Style {
        format,
        hostname: args.hostname.clone(),
        enterprise: args.enterprise_number,
        octet_counting: args.octet_counting,
    }))
}

fn pseudonyms(source: &str) -> Result<Pseudonyms, Failure> {
    let secret = super::hmac::secret(source, Path::new("."))
        .map_err(|why| Failure::new(Exit::Config, format!("--pseudonymise: {why}")))?;
    let bytes = Zeroizing::new(secret.trim().as_bytes().to_vec());
    Pseudonyms::new(bytes).ok_or_else(|| {
        let least = Pseudonyms::SHORTEST;
        Failure::new(
            Exit::Config,
            format!("--pseudonymise: the secret is shorter than {least} bytes"),
        )
    })
}

/// What a state file must be about, so that it is not used for another export.
fn label(args: &Args) -> String {
    let name = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    };
    let what = name(args.what.to_possible_value());
    format!("{what}/{}", name(args.format.to_possible_value()))
}

/// The log's key, when a trust file names it.
fn keys(args: &Args, dir: &Path, path: &Path) -> Result<Option<Vec<VerifierKey>>, Failure> {
    let log = open(path, None, None)?.origin().map(str::to_owned);
    let (file, passed_over) = super::trust_for(args.trust.as_deref(), dir, path)?;
    for remark in passed_over {
        output::complain(&output::safe(&remark));
    }
    let key = file.as_ref().zip(log.as_deref()).and_then(|(file, log)| file.trust.log(log));
    match key {
        Some(key) => Ok(Some(vec![key.clone()])),
        None if args.trust.is_some() => Err(Failure::new(
            Exit::Evidence(ExitClass::Untrusted),
            "the trust file does not name this log",
        )),
        None => {
            output::complain(
                "no trust file names this log: its checkpoint's signature is not judged",
            );
            Ok(None)
        }
    }
}

fn open(
    path: &Path,
    keys: Option<Vec<VerifierKey>>,
    cursor: Option<&Cursor>,
) -> Result<Follow, Failure> {
    Follow::open_dir(path, keys, cursor).map_err(|error| failure(path, error))
}

/// What ended an export, as an exit.
pub fn failure(path: &Path, error: FollowError) -> Failure {
    let class = match &error {
        FollowError::Io(error) => return Failure::io(path, error),
        FollowError::Cursor => return Failure::new(Exit::Input, error.to_string()),
        FollowError::Damage(damage) => countersign::export::class_of(damage),
        FollowError::NoLedger => ExitClass::Missing,
        _ => ExitClass::Tampered,
    };
    Failure::new(Exit::Evidence(class), format!("{}: {error}", path.display()))
}
