//! A scan as SARIF, for whatever shows findings beside code.

use std::collections::{BTreeMap, BTreeSet};

use scan::{Category, Severity};
use seal::Digest;
use seal::json::Value;

use super::All;
use super::input::{Placed, Scanned};
use crate::cmd::sarif::{self, Run, object, text, uri};

/// The document.
pub fn document(all: &All<'_>) -> Value {
    let mut rules: BTreeMap<&str, (usize, &Placed)> = BTreeMap::new();
    let placed = || all.scanned.iter().flat_map(|one| one.hits.iter().map(move |hit| (one, hit)));
    let findings = || placed().filter(|(_, placed)| placed.hit.category != Category::Engine);
    for (_, placed) in findings() {
        rules.entry(&placed.hit.rule).or_insert((0, placed));
    }
    for (index, (at, _)) in rules.values_mut().enumerate() {
        *at = index;
    }
    let described = rules.iter().map(|(id, (_, placed))| rule(id, placed));
    let results = findings().map(|(one, placed)| {
        let index = rules.get(&*placed.hit.rule).map_or(0, |(index, _)| *index);
        result(one, placed, index)
    });
    let unread = placed().filter(|(_, placed)| placed.hit.category == Category::Engine);
    let notifications = unread.map(|(one, placed)| {
        object(vec![
            ("level", "warning".into()),
            ("message", text(&format!("{}: not everything was looked at", placed.hit.technique))),
            ("locations", Value::array([location(one, None)])),
        ])
    });
    sarif::document(Run {
        rules: described.collect(),
        results: results.collect(),
        notifications: notifications.collect(),
        properties: object(vec![
            ("verdict", all.verdict.as_str().into()),
            ("ruleset", all.ruleset.into()),
            ("mode", all.mode.as_str().into()),
        ]),
    })
}

fn rule(id: &str, placed: &Placed) -> Value {
    let hit = &placed.hit;
    let tags: BTreeSet<&str> = hit.labels.iter().map(String::as_str).collect();
    object(vec![
        ("id", id.into()),
        ("shortDescription", text(&hit.technique)),
        ("defaultConfiguration", object(vec![("level", level(hit.severity).into())])),
        (
            "properties",
            object(vec![
                ("category", hit.category.as_str().into()),
                ("severity", hit.severity.as_str().into()),
                ("source", hit.source.name().as_str().into()),
                ("tags", Value::array(tags)),
            ]),
        ),
    ])
}

fn result(one: &Scanned, placed: &Placed, index: usize) -> Value {
    let hit = &placed.hit;
    let said = format!("{} ({})", hit.technique, hit.rule);
    // stable while text is added elsewhere: rule, file, and how often it was found before in it
    let before = one.hits.iter().take_while(|other| !std::ptr::eq(*other, placed));
    let nth = before.filter(|other| other.hit.rule == hit.rule).count();
    let line = one.line.map_or_else(String::new, |line| line.to_string());
    let print = Digest::of(format!("{}\n{}\n{line}\n{nth}", hit.rule, one.name).as_bytes());
    object(vec![
        ("ruleId", (&*hit.rule).into()),
        ("ruleIndex", index.into()),
        ("level", level(hit.severity).into()),
        ("message", text(&said)),
        ("locations", Value::array([location(one, Some(placed))])),
        (
            "partialFingerprints",
            object(vec![("countersign/v1", print.to_string().as_str().into())]),
        ),
    ])
}

fn location(one: &Scanned, placed: Option<&Placed>) -> Value {
    let number = |value: u64| Value::from(i64::try_from(value).unwrap_or(i64::MAX));
    let mut physical =
        vec![("artifactLocation", object(vec![("uri", uri(&one.name).as_str().into())]))];
    let region = match (placed, one.line) {
        // a line of a JSONL file is one text: places in it are none in the file
        (_, Some(line)) => Some(object(vec![("startLine", number(line))])),
        (Some(placed), None) => Some(object(vec![
            ("startLine", number(placed.from.0)),
            ("startColumn", number(placed.from.1)),
            ("endLine", number(placed.to.0)),
            ("endColumn", number(placed.to.1)),
            ("byteOffset", number(placed.start)),
            ("byteLength", number(placed.end - placed.start)),
        ])),
        (None, None) => None,
    };
    physical.extend(region.map(|region| ("region", region)));
    object(vec![("physicalLocation", object(physical))])
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}
