//! `countersign feed review`: what drafts do to their own samples, and to everybody else's texts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use record::feed::{Draft, Drafts};
use scan::{Engine, Target};
use seal::json::Value;
use seal::time::UnixMillis;

use super::pattern::{self, Looker};
use super::source::{SourceArgs, read_drafts};
use crate::exit::{Exit, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed review proposal.json
  countersign feed review proposal.json --texts our-prompts.txt --format json
  countersign feed review feed/drafts.json

Runs the samples of every draft; then looks for each pattern in the benign samples of the publisher's
own drafts (those in --source, if there are any), in the near misses of the built-in rules and in
--texts; and says which drafts and built-in rules find the same attacks.
Exit 65 when a draft misses an attack, matches a benign text, or has no samples.")]
pub struct Args {
    /// A proposal or a drafts file; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    /// Texts that should not match, one a line; may be repeated
    #[arg(long, value_name = "FILE")]
    texts: Vec<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// Texts that are matched beside a draft's own samples are shown up to this number.
const SHOWN: usize = 20;

/// What one draft does.
#[derive(Default)]
struct Review {
    faults: Vec<String>,
    /// Benign texts of others that it matches, with their source.
    elsewhere: Vec<(String, String)>,
    /// How many there were in all.
    matched: usize,
    /// Drafts whose attacks it finds, too.
    overlaps: Vec<String>,
    /// Built-in rules that find its attacks already.
    known: BTreeSet<String>,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let drafts = read_drafts(&args.file)?;
    let source = args.source.folder(dir);
    let own = match source.drafts().exists() {
        true => read_drafts(&source.drafts())?,
        false => Drafts::default(),
    };
    let builtin = Engine::builtin();
    let mut texts = Vec::new();
    for rule in builtin.rules() {
        let place = format!("near miss of {}", rule.id);
        texts.extend(rule.misses.iter().map(|text| (place.clone(), text.clone())));
    }
    for path in &args.texts {
        super::super::must_exist(path)?;
        let text = output::read_text(path, 64 << 20)?;
        let name = path.display().to_string();
        texts.extend(
            text.lines()
                .enumerate()
                .map(|(n, line)| (format!("{name}:{}", n + 1), line.to_owned())),
        );
    }
    let reviews: Vec<Review> =
        drafts.indicators.iter().map(|draft| review(draft, &own, &texts, &builtin)).collect();
    let bad = reviews.iter().any(|review| !review.faults.is_empty());
    match args.format {
        Format::Json => output::json(&to_json(&drafts, &reviews))?,
        Format::Table => output::print(&to_table(&drafts, &reviews))?,
    }
    Ok(if bad { Exit::Input } else { Exit::Ok })
}

fn review(draft: &Draft, own: &Drafts, texts: &[(String, String)], builtin: &Engine) -> Review {
    let mut review = Review {
        faults: pattern::faults(draft).iter().map(|fault| fault.told(draft)).collect(),
        ..Review::default()
    };
    let Ok(looker) = Looker::new(draft.kind, &draft.pattern) else { return review };
    // What cannot be read to its end is no match that a reviewer could look at.
    let matches = |text: &str| looker.finds(text).unwrap_or(false);
    let mut saw = |place: String, text: &str| {
        review.matched += 1;
        if review.elsewhere.len() < SHOWN {
            review.elsewhere.push((place, text.chars().take(200).collect()));
        }
    };
    for (number, other) in own.indicators.iter().enumerate().filter(|(_, other)| *other != draft) {
        for text in other.benign.iter().filter(|text| matches(text)) {
            saw(format!("benign sample of draft {number}"), text);
        }
    }
    for (place, text) in texts.iter().filter(|(_, text)| matches(text)) {
        saw(place.clone(), text);
    }
    for (number, other) in own.indicators.iter().enumerate().filter(|(_, other)| *other != draft) {
        if other.attacks.iter().any(|text| matches(text)) {
            review.overlaps.push(format!("draft {number} ({})", other.pattern));
        }
    }
    for attack in &draft.attacks {
        let hits = builtin.scan(attack, Target::Input).hits;
        review.known.extend(hits.iter().map(|hit| hit.rule.to_string()));
    }
    review
}

fn to_json(drafts: &Drafts, reviews: &[Review]) -> Value {
    let texts = |texts: &[String]| Value::array(texts.iter().map(String::as_str));
    let pairs = drafts.indicators.iter().zip(reviews);
    Value::object([(
        "drafts",
        Value::array(pairs.map(|(draft, review)| {
            Value::object([
                ("kind", draft.kind.as_str().into()),
                ("pattern", Value::from(&draft.pattern)),
                ("severity", draft.severity.as_str().into()),
                ("attacks", draft.attacks.len().into()),
                ("benign", draft.benign.len().into()),
                ("revokes", Value::array(&draft.revokes)),
                ("expires_at", draft.expires_at.into()),
                ("faults", texts(&review.faults)),
                ("matched_elsewhere", review.matched.into()),
                (
                    "elsewhere",
                    Value::array(review.elsewhere.iter().map(|(place, text)| {
                        Value::object([("place", Value::from(place)), ("text", Value::from(text))])
                    })),
                ),
                ("overlaps", texts(&review.overlaps)),
                ("builtin", Value::array(review.known.iter().map(String::as_str))),
            ])
        })),
    )])
}

fn to_table(drafts: &Drafts, reviews: &[Review]) -> String {
    let mut out = String::new();
    for (draft, review) in drafts.indicators.iter().zip(reviews) {
        let verdict = if review.faults.is_empty() { "ok  " } else { "BAD " };
        out += &format!(
            "{verdict}{:<10}{:<19}{}\n",
            draft.severity.as_str(),
            draft.kind.as_str(),
            output::safe(&draft.pattern)
        );
        out += &format!(
            "    samples: {} attacks, {} benign\n",
            draft.attacks.len(),
            draft.benign.len()
        );
        for fault in &review.faults {
            out += &format!("    {}\n", output::safe(fault));
        }
        for revoked in &draft.revokes {
            out += &format!("    REVOKES {revoked}\n");
        }
        if let Some(end) = draft.expires_at {
            out += &format!("    counts until {}\n", UnixMillis::from_seconds(end));
        }
        for (place, text) in &review.elsewhere {
            out += &format!("    also matches {}: {}\n", output::safe(place), output::safe(text));
        }
        if review.matched > review.elsewhere.len() {
            out += &format!("    and {} texts more\n", review.matched - review.elsewhere.len());
        }
        if !review.known.is_empty() {
            let known: Vec<&str> = review.known.iter().map(String::as_str).collect();
            out += &format!("    built-in rules find its attacks: {}\n", known.join(", "));
        }
        for overlap in &review.overlaps {
            out += &format!("    finds attacks of {}\n", output::safe(overlap));
        }
    }
    out + &format!("{} drafts\n", drafts.indicators.len())
}
