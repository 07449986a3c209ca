//! Upstreams that misbehave, and what they are sent.

use testkit::upstream::Script;

use crate::harness::{Gateway, ask, ask_stream, digest};

#[test]
fn unusable_answers_are_refused_with_a_cause() {
    let head = |status: &str, headers: &str, body: &str| {
        Script::raw(format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let json = "content-type: application/json\r\n";
    let cases = [
        (Script::raw("garbage\r\n\r\n"), 502, "upstream_protocol_violation"),
        (Script::raw(""), 502, "upstream_protocol_violation"),
        (head("999 What", json, r#"{"choices":[]}"#), 502, "upstream_protocol_violation"),
        (
            head("206 Partial Content", json, r#"{"choices":[]}"#),
            502,
            "upstream_protocol_violation",
        ),
        (head("302 Found", "location: http://evil/\r\n", ""), 502, "upstream_redirect"),
        (
            head("200 OK", "content-type: text/html\r\n", "<p>"),
            502,
            "upstream_content_type_invalid",
        ),
        (head("200 OK", "", "{}"), 502, "upstream_content_type_invalid"),
        (
            head("200 OK", &format!("{json}content-encoding: gzip\r\n"), "{}"),
            502,
            "upstream_content_encoded",
        ),
        (head("200 OK", json, "{"), 502, "upstream_answer_malformed"),
        (head("200 OK", json, "{}"), 502, "upstream_answer_malformed"),
        (head("200 OK", json, r#"{"choices":[],"choices":[]}"#), 502, "upstream_answer_malformed"),
        (head("200 OK", json, &"x".repeat(3000)), 502, "upstream_answer_too_large"),
        (
            Script::raw(format!("HTTP/1.1 200 OK\r\n{json}content-length: 50\r\n\r\n{{")),
            502,
            "upstream_truncated",
        ),
        (Script::default().hang(), 504, "upstream_timeout"),
        (Script::events().delta("not asked for").done(), 502, "upstream_content_type_invalid"),
    ];
    let gateway = Gateway::with(
        "limits: {upstream_answer_seconds: 1, upstream_read_seconds: 1, answer_bytes: 2000}",
    );
    let mut ids = Vec::new();
    for (script, status, code) in cases {
        gateway.upstream.push(script);
        let mut client = gateway.client();
        client.chat(&ask("hi"), &[]);
        let reply = client.reply();
        assert_eq!(reply.status, status, "{code}: {}", reply.text());
        assert!(reply.text().contains(&format!(r#""code":"{code}""#)), "{code}: {}", reply.text());
        reply.receipt();
        ids.push((reply.id().to_owned(), code, digest(&reply.body)));
    }
    let evidence = gateway.stop();
    for (id, code, body) in ids {
        assert_eq!(
            evidence.of(&id),
            [("pipeline.admission", "allow"), ("pipeline.upstream", "block")],
            "{code}"
        );
        let decision = evidence.decision(&id);
        assert_eq!((decision.reason_code.as_str(), decision.response_digest), (code, Some(body)));
    }
}

#[test]
fn an_upstream_that_is_not_there_is_named_as_such() {
    let gateway = Gateway::with("upstream: {url: 'http://127.0.0.1:1/v1', name: nowhere}");
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[]);
    let reply = client.reply();
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("upstream_unreachable"));
    client.request("GET", "/v1/models", "", &[]);
    assert_eq!(client.reply().status, 502);
    let evidence = gateway.stop();
    assert_eq!(evidence.decision(reply.id()).upstream, "nowhere");
}

#[test]
fn the_providers_own_errors_pass_with_their_status() {
    let gateway = Gateway::start();
    let mut client = gateway.client();
    for (status, stream) in [(429, false), (400, true), (500, false), (401, true)] {
        let body = r#"{"error":{"message":"no","type":"some_error","param":null,"code":"x"}}"#;
        gateway.upstream.push(Script::json(status, body));
        client.chat(&if stream { ask_stream("hi") } else { ask("hi") }, &[]);
        let reply = client.reply();
        assert_eq!((reply.status, reply.text()), (status, body.to_owned()));
        reply.receipt();
    }
    let later = "HTTP/1.1 429 Later\r\nconnection: close\r\ncontent-type: application/json\r\nretry-after: 7\r\nx-other: 1\r\ncontent-length: 2\r\n\r\n{}";
    gateway.upstream.push(Script::raw(later));
    client.chat(&ask("hi"), &[]);
    let reply = client.reply();
    assert_eq!((reply.header("retry-after"), reply.header("x-other")), (Some("7"), None));
    // Also an error is inspected.
    gateway.upstream.push(Script::json(500, r#"{"error":{"message":"SECRET//NOFORN"}}"#));
    client.chat(&ask("hi"), &[]);
    let reply = client.reply();
    assert_eq!(reply.status, 403);
    assert!(!reply.text().contains("NOFORN"));
    let evidence = gateway.stop();
    assert_eq!(evidence.last(reply.id()).check_name, "pipeline.upstream");
}

#[test]
fn the_callers_key_is_forwarded_only_where_the_gateway_has_none() {
    let gateway = Gateway::start();
    gateway.upstream.push(Script::says("a"));
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[("Authorization", "Bearer sk-caller"), ("Cookie", "a=b")]);
    assert_eq!(client.reply().status, 200);
    let seen = &gateway.upstream.seen()[0];
    assert_eq!(seen.header("authorization"), ["Bearer sk-caller"]);
    assert!(seen.header("cookie").is_empty(), "nothing else of the caller's goes on");
    let evidence = gateway.stop();
    assert!(evidence.bodies.iter().all(|body| !body.contains("sk-caller")));

    let key = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(key.path(), "sk-gateway\n").expect("written");
    let upstream = testkit::upstream::FakeUpstream::start();
    let gateway = Gateway::with(&format!(
        "upstream: {{url: '{}', key: 'file:{}'}}",
        upstream.url(),
        key.path().display()
    ));
    upstream.push(Script::says("a"));
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[("Authorization", "Bearer sk-caller")]);
    assert_eq!(client.reply().status, 200);
    assert_eq!(upstream.seen()[0].header("authorization"), ["Bearer sk-gateway"]);
    let evidence = gateway.stop();
    assert!(evidence.bodies.iter().all(|body| !body.contains("sk-gateway")));
}
