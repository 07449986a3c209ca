//! `countersign feed subscribe`: whose indicators count here from now on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::feeds::{Outcome, Policy, Source, Store, Wanted};
use record::report::Report;
use seal::PublicKey;
use seal::key::KeyError;
use seal::policy::Policy as LogPolicy;

use super::consume::{self, Way};
use crate::exit::{Exit, Failure};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed subscribe https://alpha.example/core.json --pin alpha.pub.pem
  countersign feed subscribe https://alpha.example/core.json --pin alpha.pub.pem \\
      --mirror https://mirror.example/core.json --max-age 7d --monitor
  countersign feed subscribe /media/usb/feeds --feed-id alpha/core --pin alpha.pub.pem
  countersign feed subscribe https://alpha.example/core.json --tofu

A feed is believed under a pinned key only: --pin gives one that you got over another way, --tofu
takes the one that the feed carries and prints its fingerprint, to be compared later. Doing it again
changes how a feed is subscribed to; what was accepted stays a mark behind which nothing falls.

Exit codes: 0 subscribed; 10 no such feed, or no proof where there was one; 11 not from the pinned publisher, or too old
for --max-age; 12 changed, or behind --min-issued-at or what was accepted; 14 malformed; 64 usage;
66 no such file; 69 the host or the ledger is unreachable.")]
pub struct Args {
    /// Where the feed is: an https:// address, a file, or a directory with feeds
    source: String,
    /// Another place of the same feed, asked when those before it fail
    #[arg(long, value_name = "SOURCE")]
    mirror: Vec<String>,
    /// The publisher's public key (PEM), got over another way than the feed
    #[arg(long, value_name = "PEM", required_unless_present = "tofu", conflicts_with = "tofu")]
    pin: Vec<PathBuf>,
    /// Trust the key that the feed carries now, and print its fingerprint
    #[arg(long)]
    tofu: bool,
    /// The issuer it must be of
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// The feed it must be; needed where several lie in a directory
    #[arg(long, value_name = "ID")]
    feed_id: Option<String>,
    /// Take no feed that was issued before this time (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = consume::time)]
    min_issued_at: Option<i64>,
    /// Take no feed that is older than this (such as 12h or 30d)
    #[arg(long, value_name = "SPAN", value_parser = consume::duration)]
    max_age: Option<i64>,
    /// Report matches of its indicators without acting on them
    #[arg(long)]
    monitor: bool,
    /// Leave out indicators that are signed and of no use, instead of refusing the feed
    #[arg(long)]
    skip_bad: bool,
    /// Ask hosts whose addresses are not public, too
    #[arg(long)]
    allow_private: bool,
    /// Certificate authorities beside those of the web (PEM)
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,
    /// The manifest must be in a log of this policy (C2SP tlog-policy), seen by its quorum
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How long a source may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> crate::exit::Outcome {
    let mut sources = Vec::new();
    for text in std::iter::once(&args.source).chain(&args.mirror) {
        let source: Source =
            text.parse().map_err(|error| Failure::new(Exit::Usage, format!("{error}")))?;
        sources.push(source);
    }
    let pins = pins(&args.pin)?;
    let ca = match &args.ca {
        None => None,
        Some(path) => {
            let path = std::path::absolute(path).map_err(|error| Failure::io(path, &error))?;
            let text = path.to_str().map(str::to_owned);
            Some(text.ok_or_else(|| Failure::new(Exit::Usage, "--ca must be UTF-8"))?)
        }
    };
    let log_policy = args.policy.as_deref().map(policy).transpose()?;
    let way = Way {
        private: args.allow_private,
        ca: ca.as_deref(),
        deadline: Duration::from_secs(args.timeout),
    };
    let wanted = Wanted {
        pins,
        tofu: args.tofu,
        issuer: args.issuer,
        feed_id: args.feed_id,
        sources: sources.clone(),
        allow_private: args.allow_private,
        ca: ca.clone(),
        log_policy,
        min_issued_at: args.min_issued_at,
        max_age: args.max_age,
        policy: if args.monitor { Policy::Monitor } else { Policy::Enforce },
        skip_bad: args.skip_bad,
    };
    let mut refused: Option<Outcome> = None;
    let mut failed: Option<Failure> = None;
    for source in &sources {
        let got = match consume::get(source, None, way) {
            Ok(got) => got,
            Err(failure) => {
                // The first one is told at the end.
                if failed.is_some() {
                    output::complain(&failure.message);
                }
                failed.get_or_insert(failure);
                continue;
            }
        };
        // The state directory is made when there is something to put into it.
        let store = Store::create(&consume::home(dir)).map_err(consume::failure)?;
        let mut memory = consume::memory(dir, &store);
        let writing = store.write().map_err(consume::failure)?;
        let mut outcome = writing
            .subscribe(&wanted, got.offer(source), memory.as_mut(), consume::terms())
            .map_err(consume::offer_failure)?;
        outcome.report.subject = output::safe(&source.to_string());
        if outcome.report.ok() {
            consume::pass_over(&mut outcome, refused.as_ref(), failed.as_ref());
            if !consume::remembers(dir) {
                outcome.report.note(NO_LEDGER);
            }
            return show(&outcome, args.tofu, args.format);
        }
        refused.get_or_insert(outcome);
    }
    match (refused, failed) {
        (Some(outcome), failed) => {
            if let Some(failure) = failed {
                output::complain(&failure.message);
            }
            show(&outcome, false, args.format)
        }
        (None, Some(failure)) => Err(failure),
        (None, None) => Err(Failure::new(Exit::Usage, "there is no source")),
    }
}

const NO_LEDGER: &str = "there is no ledger here: who takes .countersign/feeds away, puts an older copy \
     back or unsubscribes can have an older feed accepted; give --min-issued-at then";

fn pins(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Failure> {
    let read = |path: &PathBuf| {
        let pem = output::read_text(path, 64 << 10)?;
        PublicKey::from_pem(&pem).map_err(|error| {
            // Such a key trusts everybody.
            let exit = match error {
                KeyError::Point => Exit::Evidence(record::report::ExitClass::Untrusted),
                _ => Exit::Input,
            };
            Failure::new(exit, format!("{}: {error}", path.display()))
        })
    };
    paths.iter().map(read).collect()
}

/// The text of a policy that names a log.
fn policy(path: &Path) -> Result<String, Failure> {
    let text = output::read_text(path, 64 << 10)?;
    let refused =
        |cause: String| Failure::new(Exit::Config, format!("{}: {cause}", path.display()));
    let policy = LogPolicy::parse(text.as_bytes()).map_err(|error| refused(error.to_string()))?;
    match policy.logs().is_empty() {
        true => Err(refused("it names no log; add its line: log VKEY".to_owned())),
        false => Ok(text),
    }
}

fn show(outcome: &Outcome, tofu: bool, format: Format) -> crate::exit::Outcome {
    let now = super::source::now();
    match format {
        Format::Json => output::json(&consume::with_subscription(outcome, now))?,
        Format::Table => {
            let mut text = outcome.report.to_table();
            if let (Some(held), true) = (&outcome.held, outcome.report.ok()) {
                let record = &held.subscription;
                text += &format!("{:<11} {} ({})\n", "slot", held.slot, record.policy.as_str());
                text += &format!("{:<11} {}\n", "key", record.accepted.key.fingerprint());
                if tofu {
                    text += "            trusted on first use: compare it with the publisher's\n";
                }
            }
            output::print(&text)?;
        }
    }
    Ok(exit_of(&outcome.report))
}

pub fn exit_of(report: &Report) -> Exit {
    Exit::Evidence(report.exit_class())
}
