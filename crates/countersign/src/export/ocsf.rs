//! Open Cybersecurity Schema Framework 1.5.0: API Activity and Detection Finding.

use seal::json::Value;

use super::{Event, Severity, object};

/// The version of the schema.
const VERSION: &str = "1.5.0";

pub(super) fn value(event: &Event) -> Value {
    match event.is_finding {
        true => finding(event),
        false => activity(event),
    }
}

/// What went through: class 6003.
fn activity(event: &Event) -> Value {
    let (id, name) = match event.method.as_str() {
        "POST" => (1, "Create"),
        "GET" | "HEAD" => (2, "Read"),
        "PUT" | "PATCH" => (3, "Update"),
        "DELETE" => (4, "Delete"),
        _ => (99, "Other"),
    };
    let (status, status_name) = if event.succeeded { (1, "Success") } else { (2, "Failure") };
    let mut members = class(event, (6, "Application Activity"), (6003, "API Activity"), (id, name));
    members.extend([
        ("status_id", Value::Int(status)),
        ("status", status_name.into()),
        ("status_code", text(&event.code)),
        ("status_detail", text(&event.reason)),
        ("actor", actor(event)),
        ("api", api(event)),
        // Entries hold no address of the caller: the owner is what is known of it.
        ("src_endpoint", object(vec![("name", text(known(&event.owner, "unresolved")))])),
        ("http_request", http_request(event)),
        ("http_response", http_response(event)),
        ("resources", resources(event)),
    ]);
    object(members)
}

/// What was refused, redacted or escalated: class 2004.
fn finding(event: &Event) -> Value {
    let analytic = event.rules.first().map_or(Value::Null, |rule| {
        object(vec![
            ("name", text(rule)),
            ("uid", text(rule)),
            ("type", "Rule".into()),
            ("type_id", Value::Int(1)),
            ("version", text(&event.ruleset)),
        ])
    });
    let info = object(vec![
        ("uid", text(&event.uid)),
        ("title", text(&format!("{} ({})", event.sentence(), event.decision))),
        ("desc", text(&event.reason)),
        ("types", list(std::slice::from_ref(&event.code))),
        ("analytic", analytic),
        ("created_time", millis(event.time)),
        ("data_sources", list(std::slice::from_ref(&event.place.log))),
    ]);
    let evidence = object(vec![
        ("uid", text(&event.request)),
        ("actor", actor(event)),
        ("api", api(event)),
        ("http_request", http_request(event)),
        ("http_response", http_response(event)),
    ]);
    let mut members = class(event, (2, "Findings"), (2004, "Detection Finding"), (1, "Create"));
    members.extend([
        ("status_id", Value::Int(1)),
        ("status", "New".into()),
        ("status_code", text(&event.code)),
        ("finding_info", info),
        ("is_alert", Value::Bool(event.severity >= Severity::Medium)),
        ("evidences", Value::Array(vec![evidence])),
        ("resources", resources(event)),
    ]);
    object(members)
}

type Members = Vec<(&'static str, Value)>;

/// What every class has.
fn class(
    event: &Event,
    category: (i64, &str),
    class: (i64, &str),
    activity: (i64, &str),
) -> Members {
    let (severity, severity_name) = match event.severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    };
    let product = object(vec![
        ("name", "Countersign".into()),
        ("vendor_name", "Countersign".into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
    ]);
    let metadata = object(vec![
        ("version", VERSION.into()),
        ("product", product),
        ("uid", text(&event.uid)),
        ("correlation_uid", text(&event.request)),
        ("event_code", text(&event.code)),
        ("log_name", text(&event.place.log)),
        ("log_provider", text(&event.place.writer)),
    ]);
    let own = object(vec![
        ("dataset", event.dataset.into()),
        ("index", millis(event.place.index)),
        ("decision", text(&event.decision)),
        ("check", text(&event.check)),
        ("verdict", text(&event.verdict)),
        ("rules", list(&event.rules)),
        ("sources", list(&event.sources)),
        ("owner_type", text(&event.owner_type)),
        ("upstream", text(&event.upstream)),
        ("request_digest", text(&event.request_digest)),
        ("ruleset_digest", text(&event.ruleset)),
        ("config_digest", text(&event.config)),
    ]);
    vec![
        ("category_uid", Value::Int(category.0)),
        ("category_name", category.1.into()),
        ("class_uid", Value::Int(class.0)),
        ("class_name", class.1.into()),
        ("activity_id", Value::Int(activity.0)),
        ("activity_name", activity.1.into()),
        ("type_uid", Value::Int(class.0 * 100 + activity.0)),
        ("type_name", format!("{}: {}", class.1, activity.1).into()),
        ("severity_id", Value::Int(severity)),
        ("severity", severity_name.into()),
        ("time", millis(event.time)),
        ("message", text(&event.sentence())),
        ("metadata", metadata),
        ("unmapped", object(vec![("countersign", own)])),
    ]
}

fn actor(event: &Event) -> Value {
    match event.owner.is_empty() {
        true => object(vec![("app_name", "unresolved".into())]),
        false => {
            let user = object(vec![
                ("uid", text(&event.owner)),
                ("name", text(&event.owner)),
                ("type", text(&event.owner_type)),
                ("type_id", Value::Int(99)),
            ]);
            object(vec![("user", user)])
        }
    }
}

fn api(event: &Event) -> Value {
    object(vec![
        ("operation", text(known(&event.route, &event.check))),
        ("request", object(vec![("uid", text(&event.request))])),
        ("service", object(vec![("name", text(&event.upstream))])),
        ("response", object(vec![("code", event.status.map_or(Value::Null, Value::from))])),
    ])
}

/// The methods the schema knows.
const METHODS: [&str; 8] = ["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"];

fn http_request(event: &Event) -> Value {
    let known = METHODS.iter().find(|method| **method == event.method);
    object(vec![
        ("http_method", text(known.copied().unwrap_or_default())),
        ("url", object(vec![("path", text(&event.route))])),
    ])
}

fn http_response(event: &Event) -> Value {
    object(vec![("code", event.status.map_or(Value::Null, Value::from))])
}

fn resources(event: &Event) -> Value {
    match event.model.is_empty() {
        true => Value::Null,
        false => {
            Value::Array(vec![object(vec![("name", text(&event.model)), ("type", "model".into())])])
        }
    }
}

fn known<'t>(text: &'t str, otherwise: &'t str) -> &'t str {
    if text.is_empty() { otherwise } else { text }
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn list(texts: &[String]) -> Value {
    Value::array(texts.iter().filter(|text| !text.is_empty()).map(String::as_str))
}

/// A number that fits: times of the format end in the year 2286.
fn millis(number: u64) -> Value {
    Value::from(i64::try_from(number).unwrap_or(i64::MAX))
}
