//! A verification as text of one of several kinds.

use attest::verify::{Judged, Outcome, Stage, Verification};
use clap::ValueEnum;
use seal::json::Value;

use crate::exit::Failure;
use crate::output;

/// How a verification is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// Prints a verification, whose JSON is `value`.
pub fn show(value: &Value, verification: &Verification, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => output::json(value),
        Format::Table => output::print(&table(verification)),
    }
}

/// So many bundles are listed; findings are listed in any case.
const LISTED: usize = 100;

fn table(verification: &Verification) -> String {
    let mut text = verification.report().to_table();
    let bundles = verification.bundles();
    if !bundles.is_empty() {
        text.push('\n');
    }
    for one in bundles.iter().take(LISTED) {
        text += &line(one);
    }
    if bundles.len() > LISTED {
        text += &format!("and {} more\n", bundles.len() - LISTED);
    }
    text
}

fn line(one: &Judged) -> String {
    let kind = one.statement.as_ref().map_or("?", |statement| statement.kind.name);
    let told: Vec<String> = Stage::ALL
        .into_iter()
        .filter(|stage| one.outcome(*stage) != Outcome::Holds)
        .map(|stage| format!("{} {}", stage.as_str(), one.outcome(stage).as_str()))
        .collect();
    let told = if told.is_empty() { "ok".to_owned() } else { told.join(", ") };
    let signer = one.signer.as_deref().unwrap_or("nobody trusted");
    format!("{kind:<7} {}: {told}; signed by {}\n", output::safe(&one.name), output::safe(signer))
}
