//! ArcSight Common Event Format: `CEF:0`, a header of seven fields, an extension of pairs.

use seal::escape::{cef_header, cef_value};

use super::{Event, Severity};

pub(super) fn line(event: &Event) -> String {
    let severity = match event.severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
    };
    let mut out = format!(
        "CEF:0|Countersign|Countersign|{}|{}|{} {}|{severity}|",
        env!("CARGO_PKG_VERSION"),
        header(&event.code),
        header(&event.check),
        header(&event.decision),
    );
    let time = event.time.to_string();
    let index = event.place.index.to_string();
    let status = event.status.map(|status| status.to_string()).unwrap_or_default();
    let rules = event.rules.join(" ");
    let sources = event.sources.join(", ");
    let outcome = if event.succeeded { "success" } else { "failure" };
    let pairs = [
        ("rt", time.as_str()),
        ("externalId", &event.uid),
        ("cat", event.dataset),
        ("act", &event.decision),
        ("outcome", outcome),
        ("reason", &event.reason),
        ("suser", &event.owner),
        ("requestMethod", &event.method),
        ("request", &event.route),
        ("cn1", &status),
        ("cn2", &index),
        ("cs1", &event.request),
        ("cs2", &rules),
        ("cs3", &event.model),
        ("cs4", &event.place.log),
        ("cs5", &event.check),
        ("cs6", &event.request_digest),
        ("flexString1", &sources),
    ];
    let mut first = true;
    for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        if !std::mem::take(&mut first) {
            out.push(' ');
        }
        out.push_str(&format!("{name}={}", cef_value(value)));
        if let Some((_, label)) = LABELS.iter().find(|(labelled, _)| *labelled == name) {
            out.push_str(&format!(" {name}Label={label}"));
        }
    }
    out
}

const LABELS: [(&str, &str); 9] = [
    ("cn1", "status"),
    ("cn2", "logIndex"),
    ("cs1", "correlationId"),
    ("cs2", "rules"),
    ("cs3", "model"),
    ("cs4", "log"),
    ("cs5", "check"),
    ("cs6", "requestDigest"),
    ("flexString1", "sources"),
];

/// Readers refuse empty fields.
fn header(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { cef_header(text) }
}
