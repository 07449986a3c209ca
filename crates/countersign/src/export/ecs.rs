//! Elastic Common Schema 8.11. What the schema has no field for stands below `countersign`.

use seal::json::Value;
use seal::time::UnixMillis;

use super::{Event, Severity, object};

/// The version of the schema.
const VERSION: &str = "8.11.0";

pub(super) fn value(event: &Event) -> Value {
    let (category, kind) = match event.is_finding {
        true => ("intrusion_detection", "alert"),
        false => ("api", "event"),
    };
    let types = match event.decision.as_str() {
        "block" | "escalate" => &["denied"][..],
        "redact" => &["allowed", "info"][..],
        "allow" if event.succeeded => &["access", "allowed"][..],
        "allow" => &["access", "end"][..],
        _ => &["info"][..],
    };
    let outcome = if event.succeeded || event.decision == "redact" { "success" } else { "failure" };
    // The figure CEF has, so that one threshold serves both.
    let severity = match event.severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
    };
    let level = match event.severity {
        Severity::Informational => "info",
        Severity::Low => "notice",
        Severity::Medium => "warning",
        Severity::High => "error",
    };
    let described = object(vec![
        ("kind", kind.into()),
        ("category", Value::array([category])),
        ("type", Value::array(types.iter().copied())),
        ("outcome", outcome.into()),
        ("action", text(&event.decision)),
        ("id", text(&event.uid)),
        ("code", text(&event.code)),
        ("reason", text(&event.reason)),
        ("severity", Value::Int(severity)),
        ("module", "countersign".into()),
        ("dataset", format!("countersign.{}", event.dataset).into()),
        ("provider", text(&event.place.writer)),
    ]);
    let user = object(vec![("id", text(&event.owner)), ("name", text(&event.owner))]);
    let rule = object(vec![
        ("id", event.rules.first().map_or(Value::Null, |rule| text(rule))),
        ("name", text(&event.check)),
        ("version", text(&event.ruleset)),
    ]);
    let http = object(vec![
        ("request", object(vec![("method", text(&event.method)), ("id", text(&event.request))])),
        ("response", object(vec![("status_code", event.status.map_or(Value::Null, Value::from))])),
    ]);
    let own = object(vec![
        ("log", text(&event.place.log)),
        ("index", Value::from(i64::try_from(event.place.index).unwrap_or(i64::MAX))),
        ("owner_type", text(&event.owner_type)),
        ("verdict", text(&event.verdict)),
        ("rules", Value::array(event.rules.iter().map(String::as_str))),
        ("sources", Value::array(event.sources.iter().map(String::as_str))),
        ("model", text(&event.model)),
        ("request_digest", text(&event.request_digest)),
        ("config_digest", text(&event.config)),
    ]);
    object(vec![
        ("@timestamp", UnixMillis(event.time).to_string().into()),
        ("ecs", object(vec![("version", VERSION.into())])),
        ("message", text(&event.sentence())),
        ("event", described),
        ("log", object(vec![("level", level.into())])),
        ("user", user),
        ("related", object(vec![("user", list(&event.owner))])),
        ("rule", rule),
        ("http", http),
        ("url", object(vec![("path", text(&event.route))])),
        ("service", object(vec![("name", text(&event.upstream))])),
        ("trace", object(vec![("id", text(&event.request))])),
        (
            "observer",
            object(vec![
                ("vendor", "Countersign".into()),
                ("product", "Countersign".into()),
                ("type", "proxy".into()),
                ("version", env!("CARGO_PKG_VERSION").into()),
            ]),
        ),
        ("countersign", own),
    ])
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn list(text: &str) -> Value {
    Value::array(Some(text).filter(|text| !text.is_empty()))
}
