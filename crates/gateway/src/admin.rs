//! The admin listener: is it alive, is it ready, what does it count. Liveness
//! and readiness answer without a token, metrics with one that opens nothing
//! else, and everything else needs the operator's.

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use seal::json::Value;

use crate::body::Body;
use crate::feeding::Alarm;
use crate::metrics::Now;
use crate::problem::{Refusal, answer, begun, not_ready, ok};
use crate::server::App;

/// Answers one request, or says why not; the server has checked `Host` and
/// `Origin` and records refusals. Good answers are not recorded: a scrape every
/// few seconds is no evidence.
pub(crate) fn handle(app: &App, request: &Parts) -> Result<Response<Body>, Refusal> {
    let path = request.uri.path();
    let page = match path {
        "/healthz" => Page::Alive,
        "/readyz" => Page::Ready,
        "/metrics" => Page::Metrics,
        "/version" => Page::Version,
        "/feeds/pull" => Page::Pull,
        _ => Page::None,
    };
    let with = |token| authorised(&request.headers, token);
    let may = match page {
        Page::Alive | Page::Ready => true,
        // Whoever scrapes needs no more than that.
        Page::Metrics => with(app.scrape_token()) | with(app.admin_token()),
        Page::Version | Page::Pull | Page::None => with(app.admin_token()),
    };
    if !may {
        return Err(Refusal::Unauthorised);
    }
    match page {
        Page::Pull if request.method != Method::POST => {
            return Err(Refusal::MethodNotAllowed { allow: "POST" });
        }
        Page::Alive | Page::Ready | Page::Metrics | Page::Version
            if !matches!(request.method, Method::GET | Method::HEAD) =>
        {
            return Err(Refusal::MethodNotAllowed { allow: "GET, HEAD" });
        }
        _ => {}
    }
    let recorder = app.recorder();
    let json = "application/json";
    let (status, kind, text) = match page {
        Page::None => return Err(Refusal::UnknownRoute),
        Page::Pull if app.feeding.pull_now() => (begun(), json, r#"{"status":"asked"}"#.to_owned()),
        Page::Pull => return Err(Refusal::UnknownRoute),
        Page::Alive => (ok(), json, r#"{"status":"ok"}"#.to_owned()),
        // Ready means: evidence can be written. The upstream is not asked, since
        // its outage must not take the gate out of service.
        Page::Ready => {
            let (ready, text) = readiness(app);
            (if ready { ok() } else { not_ready() }, json, text)
        }
        Page::Metrics => {
            let text = app.metrics().render(&Now {
                ledger_entries: recorder.size(),
                room: recorder.room(),
                reserved_tokens: app.counters.outstanding(),
                ready: recorder.ready(),
                anchor_age_seconds: app.anchoring.age_seconds(app.now()),
                witnessed_entries: app.witnessing.size(),
                witnessed_age_seconds: app.witnessing.age_seconds(app.now()),
                feeds: app.feeding.ages(app.now()),
                feeds_alarm: app.feeding.alarm(app.now()).is_some(),
            });
            (ok(), "text/plain; version=0.0.4", text)
        }
        Page::Version => {
            let text = Value::object([
                ("service", "countersign".into()),
                ("version", env!("CARGO_PKG_VERSION").into()),
                ("config", recorder.config_digest().into()),
                ("ruleset", recorder.ruleset_digest().into()),
                ("log", recorder.origin().into()),
            ]);
            (ok(), json, seal::json::write_plain(&text))
        }
    };
    Ok(answer(status, kind, Body::from(text), &fresh_id(), None))
}

/// Whether requests are served, and what an operator should look at although they are.
fn readiness(app: &App) -> (bool, String) {
    let now = app.now();
    let alarm = app.feeding.alarm(now);
    let reason = match app.recorder().shut() {
        Some(shut) => Some(shut.as_str()),
        None if app.anchoring.is_overdue(now) => Some("anchor_overdue"),
        None if app.feeding.is_shut() => Some(alarm.map_or("feeds_stale", Alarm::as_str)),
        None => None,
    };
    if let Some(reason) = reason {
        return (false, format!(r#"{{"status":"not_ready","reason":"{reason}"}}"#));
    }
    let mut text = r#"{"status":"ready""#.to_owned();
    // Witnesses that are away take nothing out of service; how long is told.
    if app.witnessing.is_on() {
        let age = app.witnessing.age_seconds(now);
        let age = age.map_or_else(|| "null".to_owned(), |age| age.to_string());
        text.push_str(&format!(r#","witnessed_age_seconds":{age}"#));
    }
    if app.feeding.is_on() {
        let feeds = alarm.map_or("ok", Alarm::as_str);
        text.push_str(&format!(r#","feeds":"{feeds}""#));
    }
    text.push('}');
    (true, text)
}

enum Page {
    Alive,
    Ready,
    Metrics,
    Version,
    Pull,
    None,
}

/// A correlation id for an answer that leaves no entry. Without randomness it
/// is empty: nothing depends on it.
pub(crate) fn fresh_id() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return String::new();
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = seal::hex::encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Exactly one `Authorization: Bearer <token>`, compared in constant time.
pub(crate) fn authorised(headers: &HeaderMap, token: &str) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let given = value.as_bytes().strip_prefix(b"Bearer ").unwrap_or(b"");
    !token.is_empty() && seal::mac::equal(given, token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_the_one_right_token_opens() {
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            authorised(&headers, "secret")
        };
        assert!(check(&["Bearer secret"]));
        assert!(!check(&["Bearer secre"]));
        assert!(!check(&["bearer secret"]));
        assert!(!check(&["Basic secret"]));
        assert!(!check(&["Bearer secret", "Bearer secret"]));
        assert!(!check(&[]));
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer "));
        assert!(!authorised(&headers, ""), "an empty token opens nothing");
    }
}
