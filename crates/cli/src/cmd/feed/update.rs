//! `countersign feed update`: what is newer, if it may be taken.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::feeds::{Held, Memory, Outcome, Store};
use record::feedrotation::FILE_LIMIT;
use record::report::{Code, ExitClass};
use seal::json::Value;

use super::consume::{self, Way};
use crate::exit::{Exit, Failure};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed update
  countersign feed update alpha/core --format json
  countersign feed update alpha/core --rotation alpha.rotation.jws

Each subscription asks its sources in order, until one gives a feed that holds and is not behind what
was accepted, here or by what the ledger says. An indicator that vanished without a revocation is told
(CS-FEED-030) and kept. A new key is taken on the word of the old one: statements lie beside the feed
(core.json, core.rotation.jws), or come with --rotation.

Exit codes: 0 all are up to date; 11 not from the publisher, too old, or a new key without the old
one's word; 12 changed, a rollback or a fork, or the store itself was changed; 14 malformed; 10 no such
subscription, or no proof where there was one; 69 a host or the ledger is unreachable. What was accepted
before always stays.")]
pub struct Args {
    /// Feed ids, issuer/feed id or slots; default: all subscriptions
    names: Vec<String>,
    /// Statements of new keys, got over another way
    #[arg(long, value_name = "FILE")]
    rotation: Option<PathBuf>,
    /// How long a source may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> crate::exit::Outcome {
    let given = match &args.rotation {
        Some(path) => Some(output::read_text(path, FILE_LIMIT as u64)?),
        None => None,
    };
    let (store, all) = consume::load_all(dir)?;
    let held = consume::chosen(all.held, &args.names)?;
    let Some(store) = store else { return end(&[], false, args.format) };
    let broken = args.names.is_empty() && !all.broken.is_empty();
    let mut memory = consume::memory(dir, &store);
    let mut results = Vec::new();
    for held in held {
        let deadline = Duration::from_secs(args.timeout);
        let result = one(&store, &held, given.as_deref(), deadline, memory.as_mut());
        results.push((held, result));
    }
    end(&results, broken, args.format)
}

pub type Result = std::result::Result<Outcome, Failure>;

/// Asks the sources of one subscription in order.
pub fn one(
    store: &Store,
    held: &Held,
    given: Option<&str>,
    deadline: Duration,
    memory: &mut dyn Memory,
) -> Result {
    let record = &held.subscription;
    let way = Way { private: record.allow_private, ca: record.ca.as_deref(), deadline };
    let mut refused: Option<Outcome> = None;
    let mut failed: Option<Failure> = None;
    for source in &record.sources {
        let etag = record.etags.get(&source.to_string());
        let changes = consume::get_changes(source, held, way);
        let fetched = changes.map_or_else(
            || consume::get(source, etag.map(String::as_str), way),
            Ok::<consume::Got, Failure>,
        );
        let mut got = match fetched {
            Ok(got) => got,
            Err(failure) => {
                failed.get_or_insert(failure);
                continue;
            }
        };
        if let Some(given) = given {
            got.rotations.get_or_insert_default().push_str(&format!("\n{given}"));
        }
        // While the host was asked nobody waited; from here on nobody else writes.
        let mut offer = |got: &consume::Got| {
            let writing = store.write().map_err(consume::failure)?;
            let offered = got.offer(source);
            writing
                .update(held.slot, offered, memory, consume::terms())
                .map_err(consume::offer_failure)
        };
        let mut outcome = offer(&got)?;
        if consume::is_new_key(&outcome.report)
            && let Some(text) = consume::statements(source, way)
        {
            got.rotations.get_or_insert_default().push_str(&format!("\n{text}"));
            outcome = offer(&got)?;
        }
        if consume::is_between(&outcome.report) || (got.patched && !outcome.report.ok()) {
            got = consume::get(source, None, way)?;
            outcome = offer(&got)?;
        }
        outcome.report.subject = output::safe(&source.to_string());
        if outcome.report.ok() {
            consume::pass_over(&mut outcome, refused.as_ref(), failed.as_ref());
            return Ok(outcome);
        }
        refused.get_or_insert(outcome);
    }
    match (refused, failed) {
        (Some(outcome), _) => Ok(outcome),
        (None, Some(failure)) => Err(failure),
        (None, None) => Err(Failure::new(Exit::Usage, "the subscription has no source")),
    }
}

fn end(results: &[(Held, Result)], broken: bool, format: Format) -> crate::exit::Outcome {
    let now = super::source::now();
    match format {
        Format::Json => {
            let feeds = results.iter().map(|(held, result)| match result {
                Ok(outcome) => consume::with_subscription(outcome, now),
                Err(failure) => Value::object([
                    ("ok", Value::from(false)),
                    ("error", Value::from(&failure.message)),
                    ("changed", false.into()),
                    ("subscription", consume::to_json(held, None, now)),
                ]),
            });
            output::json(&Value::object([("feeds", Value::array(feeds))]))?;
        }
        Format::Table => {
            let mut text = String::new();
            for (held, result) in results {
                text += &line(held, result, now);
            }
            if results.is_empty() && !broken {
                text += "no subscriptions: see `feed subscribe`\n";
            }
            output::print(&text)?;
        }
    }
    Ok(if broken { consume::exit(true, ExitClass::Ok) } else { exit(results) })
}

/// The worst of all: what was found first, then what could not be asked.
fn exit(results: &[(Held, Result)]) -> Exit {
    let classes = results.iter().filter_map(|(_, result)| match result {
        Ok(outcome) => Some(outcome.report.exit_class()),
        Err(failure) => match failure.exit {
            Exit::Evidence(class) => Some(class),
            _ => None,
        },
    });
    let worst = classes.min_by_key(|class| class.rank()).unwrap_or(ExitClass::Ok);
    let failed = results.iter().find_map(|(_, result)| result.as_ref().err());
    match (worst, failed) {
        (ExitClass::Ok, Some(failure)) => failure.exit,
        (worst, _) => Exit::Evidence(worst),
    }
}

fn line(held: &Held, result: &Result, now: i64) -> String {
    let record = &held.subscription;
    let name = format!("{} of {}", output::safe(&record.feed_id), output::safe(&record.issuer));
    let outcome = match result {
        Err(failure) => {
            return format!("{name}: not updated: {}\n", output::safe(&failure.message));
        }
        Ok(outcome) => outcome,
    };
    let (word, current) = match (&outcome.held, outcome.report.ok(), outcome.changed) {
        (Some(now), true, true) => ("updated", now),
        (Some(now), true, false) => ("up to date", now),
        (now, _, _) => ("REFUSED, what was accepted before stays", now.as_ref().unwrap_or(held)),
    };
    let mut text = format!(
        "{name}: {word}; {} indicators, {} old\n",
        current.feed.iocs.len(),
        consume::span(current.subscription.age(now)),
    );
    if !current.kept.is_empty() {
        text += &format!("    {} kept that the feed has no more\n", current.kept.len());
    }
    for note in consume::passed_over(&outcome.report) {
        text += &format!("    {note}\n");
    }
    for finding in &outcome.report.findings {
        text += &format!("    {finding}\n");
        if finding.code != Code::FeedWithdrawn {
            text += &format!("        remedy: {}\n", finding.code.remedy());
        }
    }
    text
}
