//! A scan for people and for programs.

use countersign::scanner::Verdict;
use seal::json::Value;

use super::input::{Placed, Scanned};
use super::{All, action};
use crate::output;

/// Lines for people: one text with all its hits, of many only those that have some.
pub fn table(all: &All<'_>) -> String {
    let word = output::paint(all.verdict.as_str(), all.verdict == Verdict::Clean);
    let mut out = format!("{word} ({})", action(all.verdict));
    if !all.single {
        let found = all.scanned.iter().filter(|one| one.verdict > Verdict::Clean).count();
        out.push_str(&format!(" {found} of {} texts", all.scanned.len()));
    }
    out.push_str(&format!("\nruleset {} mode {}\n", all.ruleset, all.mode.as_str()));
    for one in all.scanned.iter().filter(|one| !one.hits.is_empty()) {
        if !all.single {
            out.push_str(&format!("{} {}\n", one.verdict.as_str(), title(one)));
        }
        for placed in &one.hits {
            out.push_str(&line(placed));
        }
        if one.incomplete() {
            out.push_str("  incomplete: something was not looked at\n");
        }
    }
    out
}

fn title(one: &Scanned) -> String {
    let name = output::safe(&one.name);
    one.line.map_or(name.clone(), |line| format!("{name}:{line}"))
}

fn line(placed: &Placed) -> String {
    let hit = &placed.hit;
    let (line, column) = placed.from;
    let mut out = format!(
        "  {} {} bytes {}..{} at {line}:{column}",
        output::safe(&hit.rule),
        output::safe(&hit.technique),
        placed.start,
        placed.end,
    );
    for (is, word) in [(hit.decoded, " (decoded)"), (hit.monitor, " (monitored)")] {
        if is {
            out.push_str(word);
        }
    }
    out.push('\n');
    out
}

/// The one text, or all of them under `results`.
pub fn json(all: &All<'_>) -> Value {
    let head = [
        ("verdict", all.verdict.as_str().into()),
        ("action", action(all.verdict).into()),
        ("ruleset", all.ruleset.into()),
        ("mode", all.mode.as_str().into()),
        ("incomplete", all.scanned.iter().any(Scanned::incomplete).into()),
    ];
    let mut members: Vec<(String, Value)> =
        head.map(|(name, value)| (name.to_owned(), value)).into();
    match all.scanned {
        [one] if all.single => members.extend(about(one)),
        many => {
            let results = many.iter().map(|one| {
                let mut members = vec![
                    ("verdict".to_owned(), one.verdict.as_str().into()),
                    ("action".to_owned(), action(one.verdict).into()),
                    ("incomplete".to_owned(), one.incomplete().into()),
                ];
                members.extend(about(one));
                Value::Object(members)
            });
            members.push(("results".to_owned(), Value::array(results)));
        }
    }
    Value::Object(members)
}

fn about(one: &Scanned) -> Vec<(String, Value)> {
    let mut members = vec![
        ("input".to_owned(), one.name.as_str().into()),
        ("bytes".to_owned(), number(one.bytes)),
    ];
    if let Some(line) = one.line {
        members.push(("line".to_owned(), number(line)));
    }
    if one.replaced {
        members.push(("not_utf8".to_owned(), true.into()));
    }
    members.push(("hits".to_owned(), Value::array(one.hits.iter().map(hit))));
    members
}

fn hit(placed: &Placed) -> Value {
    let hit = &placed.hit;
    let mut members: Vec<(&str, Value)> = vec![
        ("rule", (&*hit.rule).into()),
        ("category", hit.category.as_str().into()),
        ("technique", (&*hit.technique).into()),
        ("severity", hit.severity.as_str().into()),
        ("source", hit.source.name().as_str().into()),
        ("start", number(placed.start)),
        ("end", number(placed.end)),
        ("line", number(placed.from.0)),
        ("column", number(placed.from.1)),
        ("redact", hit.redact.into()),
        ("decoded", hit.decoded.into()),
        ("monitor", hit.monitor.into()),
    ];
    if let Some(hash) = hit.source.content_hash() {
        members.push(("content_hash", hash.into()));
    }
    if !hit.labels.is_empty() {
        members.push(("labels", Value::array(hit.labels.iter().map(String::as_str))));
    }
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn number(value: u64) -> Value {
    i64::try_from(value).unwrap_or(i64::MAX).into()
}
