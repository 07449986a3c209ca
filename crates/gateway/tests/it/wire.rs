//! HTTP as nobody's library writes it: names, framing, folding, and callers that take their time.

use testkit::upstream::Script;

use crate::client::{Client, Reply};
use crate::harness::{Gateway, ask};

/// Whether the other side closes without another byte.
fn closed(client: &mut Client) -> bool {
    client.text().is_empty() && !client.chunk_or_end()
}

fn code(reply: &Reply) -> String {
    let text = reply.text();
    let (_, code) = text.split_once(r#""code":""#).unwrap_or(("", "\""));
    code.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn only_our_own_names_are_served_on_either_listener() {
    let gateway = Gateway::with("hosts: [gate.example]\nlimits: {refusals_per_minute: 1000}");
    gateway.upstream.push(Script::json(200, r#"{"object":"list","data":[]}"#));
    let good = [
        "localhost",
        "LocalHost:8443",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:65535",
        "gate.example",
        "GATE.EXAMPLE:443",
        "localhost:",
    ];
    let bad = [
        "",
        "evil.example",
        "localhost.",
        "localhost.evil.example",
        "evil.localhost",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "127.0.0.2",
        "[::ffff:127.0.0.1]",
        "::1",
        "[::1",
        "[::]",
        "[::1]x",
        "localhost:80:80",
        "localhost:-1",
        "localhost, localhost",
        "user@localhost",
        "localhost/",
        "localhost#",
        "lоcalhost",
        "localhost\u{200b}",
    ];
    for (hosts, served) in [(&good[..], true), (&bad[..], false)] {
        for host in hosts {
            for (mut client, path, other) in
                [(gateway.client(), "/nothing", 404), (gateway.admin(), "/healthz", 200)]
            {
                client.request("GET", path, "", &[("Host", host)]);
                let reply = client.reply();
                assert_eq!(reply.status, if served { other } else { 421 }, "{host:?} {path}");
                assert!(!reply.id().is_empty());
            }
        }
    }
    for (lines, status) in [
        ("GET /nothing HTTP/1.1\r\n", 421),
        ("GET /nothing HTTP/1.0\r\n", 421),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 421),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n", 421),
        ("GET http://evil.example/nothing HTTP/1.1\r\nHost: localhost\r\n", 421),
        ("GET http://localhost/nothing HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("GET http://localhost@evil.example/nothing HTTP/1.1\r\nHost: localhost\r\n", 421),
        ("GET http://localhost/nothing HTTP/1.1\r\nHost: localhost\r\n", 404),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n", 421),
        ("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n", 404),
        ("GET //evil.example/nothing HTTP/1.1\r\nHost: localhost\r\n", 404),
        ("GET /v1/../v1/models HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\n", 404),
        ("GET /v1/models?x=1 HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\n", 200),
        ("GET /v1/%6dodels HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\n", 404),
    ] {
        let mut client = gateway.client();
        client.send(format!("{lines}\r\n"));
        let reply = client.reply();
        assert_eq!(reply.status, status, "{lines:?}");
        assert!(!reply.id().is_empty());
    }
    gateway.stop();
}

#[test]
fn a_request_has_one_end_and_everybody_agrees_where() {
    let gateway = Gateway::with("limits: {refusals_per_minute: 1000}");
    let hi = ask("hi");
    let length = hi.len();
    let chunked = format!("{length:x}\r\n{hi}\r\n0\r\n\r\n");
    let smuggled = "GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let start = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\n";

    // Both framings: the chunks count, and what follows is no request.
    for both in [
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ] {
        gateway.upstream.push(Script::says("fine"));
        let mut client = gateway.client();
        client.send(format!("{start}{both}\r\n{chunked}{smuggled}"));
        let reply = client.reply();
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")), "{both:?}");
        assert!(closed(&mut client), "{both:?}: {}", client.text());
    }
    // Chunks alone are no riddle: what follows is the next request.
    gateway.upstream.push(Script::says("fine"));
    let mut client = gateway.client();
    client.send(format!(
        "{start}Transfer-Encoding: chunked\r\n\r\n{chunked}GET /v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ));
    assert_eq!((client.reply().status, client.reply().status), (200, 404));
    let forwarded = gateway.upstream.seen();
    assert!(
        forwarded
            .iter()
            .all(|seen| seen.text() == hi && seen.header("transfer-encoding").is_empty())
    );

    // What has no one reading is refused, and nothing behind it is read.
    for broken in [
        format!("{start}Transfer-Encoding: gzip, chunked, identity\r\n\r\n{chunked}"),
        format!("{start}Transfer-Encoding: identity\r\nContent-Length: {length}\r\n\r\n{hi}"),
        format!("{start}Transfer-Encoding : chunked\r\n\r\n{chunked}"),
        format!("{start}Transfer-Encoding: xchunked\r\n\r\n{chunked}"),
        format!("{start}Content-Length: {length}\r\nContent-Length: {}\r\n\r\n{hi}", length + 1),
        format!("{start}Content-Length: {length}, {length}\r\n\r\n{hi}"),
        format!("{start}Content-Length: +{length}\r\n\r\n{hi}"),
        format!("{start}Content-Length: -1\r\n\r\n{hi}"),
        format!("{start}Content-Length: 0x10\r\n\r\n{hi}"),
        format!("{start}Content-Length: 99999999999999999999999\r\n\r\n{hi}"),
        format!("{start}X-Folded: a\r\n b\r\nContent-Length: {length}\r\n\r\n{hi}"),
        format!("{start} Content-Length: {length}\r\n\r\n{hi}"),
        format!("{start}Bad Name: x\r\nContent-Length: {length}\r\n\r\n{hi}"),
        format!("{start}: nothing\r\nContent-Length: {length}\r\n\r\n{hi}"),
        format!(
            "POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
        ),
        format!("POST /v1/chat/completions HTTP/9.9\r\nHost: localhost\r\n\r\n{hi}"),
        format!(
            "POST  /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{hi}"
        ),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(65 << 10)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(200)),
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(65 << 10)),
    ] {
        let name: String = broken.chars().take(200).collect();
        let mut client = gateway.client();
        client.try_send(format!("{broken}{smuggled}"));
        if let Some(head) = client.try_head() {
            let refused = (400..=431).contains(&head.status) || head.status == 505;
            assert!(refused, "{name}: {}", head.status);
        }
        while client.chunk_or_end() {
            assert!(!client.text().contains("unknown_route"), "{name}: read on");
        }
    }
    // Chunks that no two parsers read alike.
    for chunks in [
        format!("{length:x} \r\n{hi}X\r\n0\r\n\r\n"),
        format!("+{length:x}\r\n{hi}\r\n0\r\n\r\n"),
        format!("0x{length:x}\r\n{hi}\r\n0\r\n\r\n"),
        format!("-1\r\n{hi}\r\n0\r\n\r\n"),
        format!("fffffffffffffffff\r\n{hi}\r\n0\r\n\r\n"),
        format!("{length:x}\r\n{hi}0\r\n\r\n"),
        format!("{length:x};x=\n{hi}\r\n0\r\n\r\n"),
    ] {
        let mut client = gateway.client();
        client.send(format!("{start}Transfer-Encoding: chunked\r\n\r\n{chunks}{smuggled}"));
        let reply = client.reply();
        assert_eq!((reply.status, code(&reply)), (400, "body_incomplete".to_owned()), "{chunks:?}");
        assert!(closed(&mut client), "{chunks:?}");
    }
    assert_eq!(gateway.upstream.seen().len(), 3);
    let evidence = gateway.stop();
    let next = evidence.decisions.iter().filter(|decision| decision.reason_code == "unknown_route");
    assert_eq!(next.count(), 1, "nothing that was smuggled was read");
    let unread = evidence.decisions.iter().filter(|d| d.reason_code == "malformed_http");
    assert!(unread.count() >= 18, "what is no HTTP is on record");
}

#[test]
fn requests_in_one_piece_are_answered_in_order() {
    let gateway = Gateway::start();
    let mut text = String::new();
    for n in 0..3 {
        gateway.upstream.push(Script::says(&format!("answer {n}")));
        let hi = ask(&format!("question {n}"));
        text += &format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\nContent-Length: {}\r\n\r\n{hi}",
            hi.len()
        );
        text += "GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
    }
    let mut client = gateway.client();
    client.send(text);
    for n in 0..3 {
        assert!(client.reply().text().contains(&format!("answer {n}")));
        assert_eq!(client.reply().status, 404);
    }
    let asked: Vec<String> = gateway.upstream.seen().iter().map(|seen| seen.text()).collect();
    assert_eq!(asked, [0, 1, 2].map(|n| ask(&format!("question {n}"))));
    gateway.stop();
}

#[test]
fn who_takes_too_long_is_let_go() {
    let gateway = Gateway::with("limits: {header_read_seconds: 1, connections: 3}");
    // One that never speaks, one that drips, one that stays after its answer: all places taken.
    let mut silent = gateway.client();
    let mut dripping = gateway.client();
    let mut idle = gateway.client();
    dripping.send("GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nX-Drip: ");
    idle.request("GET", "/v1/nothing", "", &[]);
    assert_eq!(idle.reply().status, 404);
    for _ in 0..3 {
        dripping.try_send("x");
    }
    let mut next = gateway.client();
    next.request("GET", "/v1/nothing", "", &[]);
    for slow in [&mut silent, &mut dripping, &mut idle] {
        while slow.chunk_or_end() {}
    }
    assert_eq!(next.reply().status, 404, "their places are free again");
    gateway.stop();
}
