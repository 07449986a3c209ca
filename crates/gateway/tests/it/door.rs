//! What is refused before anyone looks at the content, on both listeners.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crate::harness::{Gateway, ask, body};

type Headers<'h> = &'h [(&'h str, &'h str)];

#[test]
fn every_refusal_has_an_id_and_an_entry() {
    let gateway = Gateway::with("limits: {body_bytes: 1000}");
    let mut client = gateway.client();
    let long = ask(&"x".repeat(2000));
    let cases: [(&str, &str, &str, Headers, u16, &str); 16] = [
        ("GET", "/v1/nothing", "", &[], 404, "unknown_route"),
        ("GET", "/", "", &[], 404, "unknown_route"),
        ("GET", "/v1/chat/completions", "", &[], 405, "method_not_allowed"),
        ("OPTIONS", "/v1/chat/completions", "", &[], 405, "method_not_allowed"),
        ("POST", "/v1/models", "{}", &[], 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", "", &[], 400, "empty_body"),
        ("POST", "/v1/chat/completions", "{", &[], 400, "json_decode_error"),
        ("POST", "/v1/chat/completions", "[]", &[], 400, "non_object_body"),
        ("POST", "/v1/chat/completions", r#"{"a":1,"a":2}"#, &[], 400, "json_duplicate_key"),
        (
            "POST",
            "/v1/chat/completions",
            r#"{"model":"m","messages":null}"#,
            &[],
            400,
            "messages_invalid",
        ),
        (
            "POST",
            "/v1/chat/completions",
            "{}",
            &[("Content-Encoding", "gzip")],
            415,
            "unsupported_media_type",
        ),
        ("GET", "/v1/models", "", &[("Origin", "https://evil.example")], 403, "foreign_origin"),
        ("GET", "/v1/models", "", &[("Host", "evil.example")], 421, "host_not_allowed"),
        (
            "OPTIONS",
            "/v1/chat/completions",
            "",
            &[("Origin", "http://evil.example"), ("Access-Control-Request-Method", "POST")],
            403,
            "foreign_origin",
        ),
        ("POST", "/v1/chat/completions", &ask("x"), &[("X-Nobody", "1")], 403, "owner_missing"),
        ("POST", "/v1/chat/completions", &long, &[], 413, "body_too_large"),
    ];
    let mut ids = Vec::new();
    for (method, path, body, headers, status, code) in cases {
        client.request(method, path, body, headers);
        let reply = client.reply();
        assert_eq!(reply.status, status, "{method} {path} {code}: {}", reply.text());
        assert!(reply.text().contains(&format!(r#""code":"{code}""#)), "{}", reply.text());
        assert!(reply.text().contains(reply.id()));
        if status == 405 {
            assert!(reply.header("allow").is_some());
        }
        assert_eq!(reply.header("access-control-allow-origin"), None);
        ids.push((reply.id().to_owned(), code));
        if status == 413 {
            client = gateway.client();
        }
    }
    let evidence = gateway.stop();
    for (id, code) in ids {
        assert_eq!(evidence.of(&id), [("pipeline.preflight", "block")], "{code}");
        assert_eq!(evidence.decision(&id).reason_code, code);
    }
    assert!(gateway_never_forwarded(&evidence));
}

fn gateway_never_forwarded(evidence: &crate::harness::Evidence) -> bool {
    evidence.audits.iter().all(|audit| audit.check_name == "pipeline.preflight")
}

#[test]
fn a_body_without_an_announced_length_is_capped_too() {
    let gateway = Gateway::with("limits: {body_bytes: 1000}");
    let mut client = gateway.client();
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        client.send(format!("190\r\n{}\r\n", "x".repeat(400)));
    }
    let reply = client.reply();
    assert_eq!(reply.status, 413);
    let evidence = gateway.stop();
    assert_eq!(evidence.of(reply.id()), [("pipeline.preflight", "block")]);
}

#[test]
fn a_slow_body_is_given_up() {
    let gateway = Gateway::with("limits: {body_read_seconds: 1}");
    let mut client = gateway.client();
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\nContent-Length: 50\r\n\r\n{");
    let reply = client.reply();
    assert_eq!(reply.status, 408);
    gateway.stop();
}

#[test]
fn what_is_not_http_leaves_an_entry() {
    let gateway = Gateway::start();
    let mut client = gateway.client();
    client.send("\x16\x03\x01 hello\r\n\r\n");
    while client.chunk_or_end() {}
    let evidence = gateway.stop();
    assert!(evidence.decisions.iter().any(|decision| decision.reason_code == "malformed_http"));
}

#[test]
fn a_flood_of_refusals_becomes_one_entry() {
    let gateway = Gateway::with("limits: {refusals_per_minute: 5}");
    let mut client = gateway.client();
    let mut signed = 0;
    for _ in 0..50 {
        client.request("GET", "/v1/nothing", "", &[]);
        let reply = client.reply();
        assert_eq!(reply.status, 404);
        assert!(!reply.id().is_empty());
        signed += usize::from(reply.header("x-countersign-receipt").is_some());
    }
    assert_eq!(signed, 5);
    let evidence = gateway.stop();
    assert_eq!(evidence.audits.len(), 6, "five by themselves and one for the rest");
}

#[test]
fn the_admin_listener_wants_its_token() {
    let gateway = Gateway::start();
    let mut admin = gateway.admin();
    let bearer = format!("Bearer {}", gateway.token);
    let scrape = format!("Bearer {}", gateway.scrape);
    let cases: [(&str, &str, Headers, u16); 13] = [
        ("GET", "/metrics", &[("Authorization", &scrape)], 200),
        ("GET", "/version", &[("Authorization", &scrape)], 401),
        ("GET", "/nothing", &[("Authorization", &scrape)], 401),
        ("POST", "/metrics", &[("Authorization", &scrape)], 405),
        ("GET", "/healthz", &[], 200),
        ("GET", "/readyz", &[], 200),
        ("GET", "/metrics", &[], 401),
        ("GET", "/version", &[("Authorization", "Bearer wrong")], 401),
        ("GET", "/nothing", &[], 401),
        ("GET", "/nothing", &[("Authorization", &bearer)], 404),
        ("GET", "/version", &[("Authorization", &bearer)], 200),
        ("GET", "/healthz", &[("Host", "evil.example")], 421),
        ("GET", "/healthz", &[("Origin", "http://localhost:3000")], 403),
    ];
    for (method, path, headers, status) in cases {
        admin.request(method, path, "", headers);
        let reply = admin.reply();
        assert_eq!(reply.status, status, "{method} {path} {headers:?}");
        assert!(!reply.id().is_empty());
    }
    admin.request("GET", "/metrics", "", &[("Authorization", &bearer)]);
    let metrics = admin.reply().text();
    assert!(metrics.contains("countersign_ready 1"), "{metrics}");
    assert!(metrics.contains("countersign_info{"), "{metrics}");
    let mut client = gateway.client();
    client.request("GET", "/metrics", "", &[("Authorization", &bearer)]);
    assert_eq!(client.reply().status, 404, "the data listener has no admin pages");
    gateway.stop();
}

#[test]
fn what_cannot_work_stops_the_start() {
    let cases: [(&str, &str); 3] = [
        ("", "upstream is missing"),
        (
            "upstream: {url: 'http://127.0.0.1:1/v1'}\nguard: {content: {rules: {CS-INJ-001: block}}}",
            "CS-INJ-001",
        ),
        (
            "upstream: {url: 'http://127.0.0.1:1/v1'}\nguard: {token_budget: {per_day: 0}}",
            "per_day",
        ),
    ];
    for (yaml, expect) in cases {
        let error = crate::harness::start_error(yaml);
        assert!(error.contains(expect), "{yaml}: {error}");
    }
}

#[test]
fn beyond_the_cap_connections_wait_their_turn() {
    let gateway = Gateway::with("limits: {connections: 1}");
    let mut first = gateway.client();
    first.request("GET", "/v1/nothing", "", &[]);
    assert_eq!(first.reply().status, 404);
    let mut second = gateway.client();
    second.request("GET", "/v1/nothing", "", &[]);
    assert!(second.silent(std::time::Duration::from_millis(200)));
    drop(first);
    assert_eq!(second.reply().status, 404);
    gateway.stop();
}

#[test]
fn metrics_have_no_series_that_a_caller_made() {
    let gateway = Gateway::start();
    let series = || {
        let bearer = format!("Bearer {}", gateway.scrape);
        let mut admin = gateway.admin();
        admin.request("GET", "/metrics", "", &[("Authorization", &bearer)]);
        let text = admin.reply().text();
        let names = text.lines().filter(|line| !line.starts_with('#'));
        names.map(|line| line.rsplit_once(' ').expect("a value").0.to_owned()).collect::<Vec<_>>()
    };
    let mut client = gateway.client();
    let mut act = |n: usize| {
        let (path, owner) = (format!("/v1/made-up-{n}"), format!("agent:made-up-{n}"));
        client.request("GET", &path, "", &[]);
        assert_eq!(client.reply().status, 404);
        let text = body("hi", "").replace(r#""m""#, &format!(r#""made-up-{n}""#));
        gateway.upstream.push(testkit::upstream::Script::says("fine"));
        client.chat(&text, &[("X-Agent-Id", &owner)]);
        assert_eq!(client.reply().status, 200);
        client.request("GET", "/v1/models", "", &[("Host", &format!("made-up-{n}"))]);
        assert_eq!(client.reply().status, 421);
        client.request(&format!("MADEUP{n}"), "/v1/models", "", &[]);
        assert_eq!(client.reply().status, 405);
    };
    act(0);
    let before = series();
    (1..20).for_each(&mut act);
    assert_eq!(series(), before);
    assert!(before.iter().all(|line| !line.to_ascii_lowercase().contains("made")), "{before:?}");
    gateway.stop();
}

#[test]
fn a_stop_is_heard_before_anyone_is_told_of_the_start() {
    let (heard, told) = (AtomicBool::new(false), AtomicBool::new(false));
    // Like a signal, it is heard from the first poll on, and comes when the start is told.
    let stop = poll_fn(|context| {
        if heard.swap(true, Ordering::SeqCst) && told.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    let ready = || {
        assert!(heard.load(Ordering::SeqCst), "a stop that came now would be lost");
        told.store(true, Ordering::SeqCst);
    };
    crate::harness::serve_until(ready, stop);
    // And one that was there before the start is a stop, too.
    crate::harness::serve_until(|| {}, std::future::ready(()));
}
