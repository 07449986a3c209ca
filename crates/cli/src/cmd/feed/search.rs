//! `countersign feed search`: which indicators say something about this.

use std::path::Path;

use countersign::feeds::{All, Member, View};
use record::report::ExitClass;
use seal::json::Value;

use super::consume;
use crate::exit::Outcome;
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed search 'ignore all'
  countersign feed search cb8c879be719fffa --format json

TEXT is looked for in patterns, descriptions, categories, issuers, feed ids and content hashes of the
indicators that count now, without regard to case.

Exit codes: 0 found, 10 there is none, 12 what is stored was changed.")]
pub struct Args {
    /// What to look for
    #[arg(value_name = "TEXT")]
    text: String,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let (_, All { held, broken }) = consume::load_all(dir)?;
    let view = View::new(held);
    let wanted = args.text.to_lowercase();
    let mut found = view.live(super::source::now());
    found.retain(|member| says(member, &wanted));
    match args.format {
        Format::Json => output::json(&Value::array(found.iter().map(to_json)))?,
        Format::Table => {
            let mut text: String = found.iter().map(line).collect();
            text += &format!("{} indicators\n", found.len());
            output::print(&text)?;
        }
    }
    let class = if found.is_empty() { ExitClass::Missing } else { ExitClass::Ok };
    Ok(consume::exit(!broken.is_empty(), class))
}

fn says(member: &Member<'_>, wanted: &str) -> bool {
    let ioc = &member.ioc.ioc;
    let hash = member.ioc.content_hash.text();
    let texts = [&ioc.pattern, &ioc.description, &ioc.issuer, &hash, &member.held.feed.feed_id];
    let has = |text: &String| text.to_lowercase().contains(wanted);
    texts.into_iter().any(has) || ioc.categories.iter().any(has)
}

/// An indicator with where it comes from.
pub fn to_json(member: &Member<'_>) -> Value {
    let Value::Object(mut members) = member.ioc.to_value() else { return Value::Null };
    members.push(("feed_id".into(), Value::from(&member.held.feed.feed_id)));
    members.push(("slot".into(), member.held.slot.hex().into()));
    members.push(("policy".into(), member.policy().as_str().into()));
    members.push(("kept".into(), member.kept.into()));
    Value::Object(members)
}

/// The same as a line.
pub fn line(member: &Member<'_>) -> String {
    let ioc = &member.ioc.ioc;
    let kept = if member.kept { " (kept)" } else { "" };
    format!(
        "{}  {:<8} {:<17} {}  {}{kept}\n",
        member.ioc.short_id(),
        ioc.severity.as_str(),
        ioc.kind.as_str(),
        output::safe(&ioc.issuer),
        output::safe(&ioc.pattern.chars().take(80).collect::<String>()),
    )
}
