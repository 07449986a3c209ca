//! A verification as text of one of several kinds.

use attest::render;
use attest::verify::{Judged, Outcome, Stage, Verification};
use clap::ValueEnum;
use seal::json::Value;

use super::sarif;
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
    /// A page for a pull request.
    Markdown,
    /// SARIF 2.1.0.
    Sarif,
    /// The chain, for Graphviz.
    Dot,
    /// The chain, as a picture.
    Svg,
}

/// Prints a verification.
pub fn show(verification: &Verification, format: Format) -> Result<(), Failure> {
    match format {
        Format::Table => output::print(&table(verification)),
        Format::Json => output::json(&verification.to_json()),
        Format::Markdown => output::print(&render::markdown(&verification.to_json())),
        Format::Sarif => output::json(&sarif::document(&verification.to_json())),
        Format::Dot => output::print(&render::dot(&verification.to_json())),
        Format::Svg => output::print(&render::svg(&verification.to_json())),
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
        .filter(|stage| match (stage, one.outcome(*stage)) {
            // most are in no log, and nobody asked
            (_, Outcome::Holds) | (Stage::Log, Outcome::Unjudged) => false,
            (_, Outcome::Fails | Outcome::Unjudged) => true,
        })
        .map(|stage| format!("{} {}", stage.as_str(), one.outcome(stage).as_str()))
        .collect();
    let told = if told.is_empty() { "ok".to_owned() } else { told.join(", ") };
    let signer = one.signer.as_deref().unwrap_or("nobody trusted");
    let logged = one.logged.as_ref().map(|at| {
        let witnessed = if at.seen.is_some() { ", witnessed" } else { "" };
        format!("; entry {} of {}{witnessed}", at.index, output::safe(&at.origin))
    });
    format!(
        "{kind:<7} {}: {told}; signed by {}{}\n",
        output::safe(&one.name),
        output::safe(signer),
        logged.unwrap_or_default()
    )
}

/// Renders the JSON that `attest verify` printed.
pub fn again(value: &Value, format: Kind) -> Result<(), Failure> {
    match format {
        Kind::Markdown => output::print(&render::markdown(value)),
        Kind::Sarif => output::json(&sarif::document(value)),
        Kind::Dot => output::print(&render::dot(value)),
        Kind::Svg => output::print(&render::svg(value)),
    }
}

/// How the JSON of a verification is rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A page for a pull request.
    #[default]
    Markdown,
    /// SARIF 2.1.0.
    Sarif,
    /// The chain, for Graphviz.
    Dot,
    /// The chain, as a picture.
    Svg,
}
