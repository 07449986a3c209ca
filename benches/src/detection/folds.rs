//! What is found of a family when the second layer has not learned from it: it is trained anew on all
//! other texts of all splits, for one group of families after the other.

#[allow(dead_code, reason = "the trainer asks for more")]
#[path = "../../../crates/scan/examples/train/learn.rs"]
mod learn;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use scan::{Semantic, Targets};

use super::{Text, f1, families, percent, share};
use crate::figure::{Figure, Table};

/// So many groups, each left out once.
const GROUPS: usize = 12;

pub fn run(table: &mut Table, texts: &[&Text], test: &[Text]) -> Result<()> {
    table.section(
        "Second layer without the family",
        "The families of test in groups, each left out once: the second layer learns from all other texts of all splits. Rules as they are, thresholds fixed.",
    );
    let reader = Semantic::builtin();
    let mut known = Vec::new();
    for text in texts {
        let read = learn::read(&text.line, &reader).map_err(anyhow::Error::msg)?;
        known.extend(read.into_iter().next());
    }
    let names: BTreeSet<&str> = test.iter().map(|text| &*text.family).collect();
    let group: BTreeMap<&str, usize> = names.iter().copied().zip((0..GROUPS).cycle()).collect();
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for left_out in 0..GROUPS {
        let rest = |text: &&learn::Text| group.get(&*text.family) != Some(&left_out);
        let weights = learn::learn(&known.iter().filter(rest).collect::<Vec<_>>());
        let semantic = Semantic::new(&Semantic::write_weights(&weights))?;
        for text in test.iter().filter(|text| group.get(&*text.family) == Some(&left_out)) {
            let by_rules = text.by.iter().any(|rule| !rule.starts_with("CS-SEM-"));
            let read = Targets::READ.contains(text.target) && !text.secret;
            let found_too =
                by_rules || read && semantic.score(&text.text).per_mille >= Semantic::ALERT;
            found.insert(&text.line, found_too);
        }
    }
    let is_found = |text: &&Text| found.get(&*text.line).copied().unwrap_or(false);
    let blind = |text: &&Text| text.family.starts_with("blind-");
    for (name, only) in [("all", None), ("blind", Some(true)), ("the others", Some(false))] {
        let of = |benign: bool| {
            let texts = test.iter().filter(move |text| text.benign == benign);
            share(
                texts
                    .filter(|text| only.is_none_or(|only| blind(text) == only))
                    .map(|text| is_found(&text)),
            )
        };
        let (hit, alarms) = (of(false), of(true));
        table.add(Figure::new(
            format!("{name}: recall ({} of {})", hit.0, hit.1),
            percent(hit),
            "%",
        ));
        let figure = Figure::new(
            format!("{name}: false positives ({} of {})", alarms.0, alarms.1),
            percent(alarms),
            "%",
        );
        table.add(figure.goal(2.5, 2.5));
        table.add(Figure::new(format!("{name}: F1"), f1(hit, alarms.0), "").goal(0.9, 0.9));
    }
    for (family, texts) in families(test.iter()) {
        let hit = share(texts.iter().map(is_found));
        let kind = if texts.first().context("an empty family")?.benign {
            "false positives"
        } else {
            "recall"
        };
        table.add(Figure::new(format!("{family}: {kind} of {}", hit.1), percent(hit), "%"));
    }
    Ok(())
}
