//! Syslog messages of RFC 5424, facility 13 (log audit), everything as structured data.

use seal::escape::{syslog_header, syslog_value, terminal};
use seal::time::UnixMillis;

use super::{Event, Severity, Style};

/// The facility: log audit.
const FACILITY: u8 = 13;

pub(super) fn message(event: &Event, style: &Style) -> String {
    let severity = match event.severity {
        Severity::Informational => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
    };
    let mut out = format!(
        "<{}>1 {} {} countersign {} {} [countersign@{}",
        FACILITY * 8 + severity,
        UnixMillis(event.time),
        syslog_header(style.hostname.as_deref().unwrap_or_default(), 255),
        syslog_header(&event.place.writer, 128),
        syslog_header(&event.decision, 32),
        style.enterprise,
    );
    let index = event.place.index.to_string();
    let status = event.status.map(|status| status.to_string()).unwrap_or_default();
    let pairs = [
        ("id", event.uid.as_str()),
        ("dataset", event.dataset),
        ("log", &event.place.log),
        ("index", &index),
        ("decision", &event.decision),
        ("check", &event.check),
        ("code", &event.code),
        ("ownerType", &event.owner_type),
        ("owner", &event.owner),
        ("verdict", &event.verdict),
        ("request", &event.request),
        ("method", &event.method),
        ("route", &event.route),
        ("status", &status),
        ("model", &event.model),
        ("upstream", &event.upstream),
        ("requestDigest", &event.request_digest),
    ];
    let rules = event.rules.iter().map(|rule| ("rule", rule.as_str()));
    let sources = event.sources.iter().map(|source| ("source", source.as_str()));
    let listed = rules.chain(sources);
    for (name, value) in pairs.into_iter().chain(listed).filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!(" {name}=\"{}\"", syslog_value(value)));
    }
    out.push_str("] ");
    let sentence = terminal(&event.sentence());
    // MSG-UTF8 begins with the byte order mark, so that nobody guesses the encoding.
    if !sentence.is_ascii() {
        out.push('\u{feff}');
    }
    out.push_str(&sentence);
    out
}
