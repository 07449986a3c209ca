//! `countersign feed list`: the subscriptions, and what counts of them.

use std::path::Path;

use countersign::feeds::{All, View};
use record::report::ExitClass;
use seal::json::Value;
use seal::time::UnixMillis;

use super::consume;
use crate::exit::Outcome;
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed list
  countersign feed list --indicators
  countersign feed list --format json

Everything is judged again before it is shown: the seal of each record, the feed under its key, the
indicators kept. LIVE are those that count now: neither revoked by their publisher nor expired.

Exit codes: 0 well; 11 a feed is older than its --max-age; 12 what is stored was changed.")]
pub struct Args {
    /// The indicators that count, too
    #[arg(long)]
    indicators: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let (_, All { held, broken }) = consume::load_all(dir)?;
    let now = super::source::now();
    let view = View::new(held);
    let live = view.live(now);
    let live_of = |slot| live.iter().filter(|member| member.held.slot == slot).count();
    let stale = view.held().iter().any(|held| held.subscription.is_stale(now));
    match args.format {
        Format::Json => {
            let feeds = view
                .held()
                .iter()
                .map(|held| consume::to_json(held, Some(live_of(held.slot)), now));
            let mut members = vec![("feeds".to_owned(), Value::array(feeds))];
            if args.indicators {
                let all = live.iter().map(super::search::to_json);
                members.push(("indicators".to_owned(), Value::array(all)));
            }
            let strange = view.strange(now).into_iter().map(|(issuer, digest)| {
                Value::object([("issuer", Value::from(issuer)), ("revokes", digest.into())])
            });
            let broken = broken.iter().map(|(slot, finding)| {
                Value::object([("slot", Value::from(slot.hex())), ("finding", finding.to_json())])
            });
            members.push(("broken".to_owned(), Value::array(broken)));
            members.push(("without_effect".to_owned(), Value::array(strange)));
            output::json(&Value::Object(members))?;
        }
        Format::Table => {
            let mut text = String::new();
            for held in view.held() {
                let record = &held.subscription;
                let accepted = &record.accepted;
                let kept = match held.kept.len() {
                    0 => String::new(),
                    kept => format!(", {kept} kept"),
                };
                let old = if record.is_stale(now) { ", STALE" } else { "" };
                text += &format!(
                    "{} of {} ({})\n    {} live of {} indicators{kept}; issued {}, {} old{old}\n    key {} ({}), slot {}\n",
                    output::safe(&record.feed_id),
                    output::safe(&record.issuer),
                    record.policy.as_str(),
                    live_of(held.slot),
                    held.feed.iocs.len(),
                    UnixMillis::from_seconds(accepted.issued_at),
                    consume::span(record.age(now)),
                    accepted.key.key_id(),
                    record.keys.last().map_or("pin", |key| key.taken.as_str()),
                    held.slot.hex().get(..16).unwrap_or_default(),
                );
                for source in &record.sources {
                    text += &format!("    {}\n", output::safe(&source.to_string()));
                }
            }
            if args.indicators && !live.is_empty() {
                text += "\n";
                live.iter().for_each(|member| text += &super::search::line(member));
            }
            for (issuer, digest) in view.strange(now) {
                let code = record::report::Code::FeedStrange;
                text += &format!(
                    "{code}: {} revokes {digest}, without effect\n",
                    output::safe(&issuer)
                );
            }
            let feeds = view.held().len();
            text += &format!("{} live indicators of {feeds} subscriptions\n", live.len());
            output::print(&text)?;
        }
    }
    let class = if stale { ExitClass::Untrusted } else { ExitClass::Ok };
    Ok(consume::exit(!broken.is_empty(), class))
}
