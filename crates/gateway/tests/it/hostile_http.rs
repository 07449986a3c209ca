//! Upstreams that abuse HTTP itself: answers without end, heads that smuggle, connections that
//! speak out of turn, and those that never come to the point.

use testkit::upstream::{Script, call_delta, completion, content_delta, finish_delta};

use crate::client::header;
use crate::harness::{Gateway, ask, ask_stream, digest};

/// What the buffers of two sockets and of one connection may take before anyone looks.
const BUFFERS: usize = 24 << 20;
const ENDLESS: usize = 250 << 20;

#[test]
fn an_endless_answer_is_not_read_on() {
    let gateway = Gateway::with("limits: {answer_bytes: 1000000}");
    let events = || Script::events().delta("Good. ");
    let chunk = |script: Script| script.send(format!("{ENDLESS:x}\r\n"));
    let line = "x".repeat(64 << 10);
    let in_event = |data: &str| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8);
    let head = |kind: &str, length: &str| {
        Script::default()
            .send(format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{length}\r\n\r\n"))
    };
    let cases: [(&str, bool, Script, &str); 6] = [
        (
            "one event",
            true,
            chunk(events()).send("data: ").flood(&line, ENDLESS),
            "upstream_sse_malformed",
        ),
        (
            "one comment",
            true,
            chunk(events()).send(": ").flood(&line, ENDLESS),
            "upstream_sse_malformed",
        ),
        (
            "one tool call",
            true,
            events()
                .event(&call_delta(0, 0, Some(("c", "time")), ""))
                .flood(in_event(&call_delta(0, 0, None, &line)), ENDLESS),
            "upstream_answer_too_large",
        ),
        (
            "a whole answer",
            false,
            head("application/json", &format!("content-length: {ENDLESS}")).flood(&line, ENDLESS),
            "upstream_answer_too_large",
        ),
        (
            "a whole answer in chunks",
            false,
            head("application/json", "transfer-encoding: chunked")
                .flood("1\r\nx\r\n".repeat(9000), ENDLESS),
            "upstream_answer_too_large",
        ),
        (
            "a head",
            false,
            Script::default().send("HTTP/1.1 200 OK\r\nx: ").flood(&line, ENDLESS),
            "upstream_protocol_violation",
        ),
    ];
    let mut ids = Vec::new();
    for (about, stream, script, code) in cases {
        let before = gateway.upstream.flooded();
        gateway.upstream.push(script);
        let mut client = gateway.client();
        client.chat(&if stream { ask_stream("hi") } else { ask("hi") }, &[]);
        let reply = client.reply();
        assert!(
            reply.text().contains(&format!(r#""code":"{code}""#)),
            "{about}: {:?}",
            reply.status
        );
        ids.push((reply.id().to_owned(), code));
        // It is hung up on, so what it sent can be counted.
        gateway.upstream.wait_hung_up(ids.len());
        let taken = gateway.upstream.flooded() - before;
        assert!(taken < BUFFERS, "{about}: {taken} bytes were taken");
    }
    let evidence = gateway.stop();
    for (id, code) in &ids {
        assert_eq!(evidence.last(id).check_name, "pipeline.upstream", "{code}");
        assert_eq!(evidence.decision(id).reason_code, *code);
    }
}

#[test]
fn an_upstream_that_drips_has_its_time_and_no_more() {
    let gateway = Gateway::with("limits: {upstream_answer_seconds: 1, upstream_read_seconds: 5}");
    let body = completion("Good.");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let cases = [
        (false, Script::default().drip(&head)),
        (false, Script::default().send(&head).drip(&body)),
        (true, Script::events().delta("Good. ").send("400\r\ndata: ").drip("x".repeat(1024))),
        (true, Script::events().delta("Good. ").hang()),
    ];
    for (at, (stream, script)) in cases.into_iter().enumerate() {
        gateway.upstream.push(script);
        let mut client = gateway.client();
        client.chat(&if stream { ask_stream("hi") } else { ask("hi") }, &[]);
        let text = client.reply().text();
        assert!(text.contains("upstream_timeout"), "{at}: {text}");
        assert_eq!(text.contains("Good. "), stream, "{at}: {text}");
        gateway.upstream.wait_hung_up(at + 1);
    }
    gateway.stop();
}

#[test]
fn a_caller_that_leaves_gets_nothing_that_waits() {
    let gateway = Gateway::start();
    let script = Script::events().delta("Good. ").delta("SECRET").delta("/").hang();
    gateway.upstream.push(script);
    let mut client = gateway.client();
    client.chat(&ask_stream("hi"), &[]);
    let head = client.head();
    let text = client.read_until("Good. ");
    assert!(!text.contains("SECRET") && !client.text().contains("SECRET"), "{text}");
    drop(client);
    gateway.upstream.wait_hung_up(1);
    let evidence = gateway.stop();
    let id = header(&head.headers, "x-countersign-correlation-id").expect("an id");
    assert_eq!(evidence.last(id).meta_text("_outcome"), Some("disconnected"));
    let good = format!("data: {}\n\n", content_delta(0, "Good. "));
    assert_eq!(evidence.decision(id).response_digest, Some(digest(good)));
    evidence.verify_and_trace(&[id]);
}

#[test]
fn of_an_upstreams_head_nothing_is_passed_on() {
    let gateway = Gateway::start();
    let body = completion("Good.");
    let headers = "set-cookie: a=b\r\nx-countersign-receipt: forged\r\nx-countersign-correlation-id: forged\r\naccess-control-allow-origin: *\r\nlocation: http://evil/\r\nrefresh: 0\r\nserver: evil\r\nretry-after: 9\r\nx-odd: \u{1b}[31m\r\nkeep-alive: timeout=9\r\n";
    let whole = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let early =
        |status: &str| format!("HTTP/1.1 {status}\r\nx-early: 1\r\nset-cookie: early=1\r\n\r\n");
    let plain = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: x-countersign-receipt\r\n\r\n";
    let trailed = format!(
        "{plain}{:x}\r\n{body}\r\n0\r\nx-countersign-receipt: forged\r\nset-cookie: t=1\r\n\r\n",
        body.len()
    );
    let whole = whole.replace('\u{1b}', "");
    for answer in [
        whole.clone(),
        format!("{}{}{whole}", early("103 Early Hints"), early("100 Continue")),
        trailed,
    ] {
        gateway.upstream.push(Script::raw(&answer));
        let mut client = gateway.client();
        client.chat(&ask("hi"), &[]);
        let reply = client.reply();
        assert_eq!((reply.status, reply.text()), (200, body.clone()), "{answer}");
        let mut names: Vec<&str> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let expect = [
            "content-length",
            "content-type",
            "date",
            "x-countersign-correlation-id",
            "x-countersign-receipt",
        ];
        assert_eq!(names, expect, "{answer}");
        assert!(reply.receipt() != "forged" && reply.id() != "forged");
    }
    gateway.stop();
}

#[test]
fn heads_and_frames_that_smuggle_are_refused() {
    let body = completion("SECRET//NOFORN");
    let json = "content-type: application/json\r\n";
    let framed =
        |headers: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{json}{headers}\r\n{body}");
    let length = body.len();
    let chunked = |chunks: &str| framed("transfer-encoding: chunked\r\n", chunks);
    let cases = [
        (
            "two lengths",
            framed(&format!("content-length: 2\r\ncontent-length: {length}\r\n"), &body),
        ),
        ("a list of lengths", framed(&format!("content-length: 2, {length}\r\n"), &body)),
        ("a negative length", framed("content-length: -1\r\n", &body)),
        ("a signed length", framed(&format!("content-length: +{length}\r\n"), &body)),
        ("an odd coding", framed("transfer-encoding: gzip\r\n", &body)),
        ("chunked, but not last", framed("transfer-encoding: chunked, identity\r\n", &body)),
        ("a size that is none", chunked(&format!("-1\r\n{body}\r\n0\r\n\r\n"))),
        ("a size beyond all", chunked(&format!("fffffffffffffffff\r\n{body}"))),
        ("a chunk that is longer than its size", chunked(&format!("2\r\n{body}\r\n0\r\n\r\n"))),
        ("extensions without end", chunked(&format!("1;{}\r\nx\r\n", "x".repeat(1 << 20)))),
        ("NUL in a name", format!("HTTP/1.1 200 OK\r\n{json}x\0y: 1\r\n\r\n{body}")),
        ("NUL in a value", format!("HTTP/1.1 200 OK\r\n{json}x: a\0b\r\n\r\n{body}")),
        ("a folded header", format!("HTTP/1.1 200 OK\r\n{json}x: a\r\n b\r\n\r\n{body}")),
        (
            "a space before the colon",
            format!("HTTP/1.1 200 OK\r\n{json}content-length : 2\r\n\r\n{body}"),
        ),
        (
            "a switch of protocols",
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n{body}"
            ),
        ),
        ("another protocol", format!("HTTP/9.9 200 OK\r\n{json}\r\n{body}")),
        (
            "headers without number",
            format!("HTTP/1.1 200 OK\r\n{json}{}\r\n{body}", "x: 1\r\n".repeat(5000)),
        ),
        ("early answers without number", "HTTP/1.1 100 Continue\r\n\r\n".repeat(200_000)),
    ];
    let gateway = Gateway::with("limits: {upstream_answer_seconds: 5, upstream_read_seconds: 1}");
    for (about, answer) in cases {
        gateway.upstream.push(Script::raw(&answer));
        let mut client = gateway.client();
        client.chat(&ask("hi"), &[]);
        let reply = client.reply();
        assert!(
            matches!(reply.status, 403 | 502 | 504),
            "{about}: {} {}",
            reply.status,
            reply.text()
        );
        assert!(!reply.text().contains("SECRET"), "{about}");
        reply.receipt();
    }
    gateway.stop();
}

#[test]
fn a_connection_that_speaks_out_of_turn_answers_nobody_else() {
    let gateway = Gateway::start();
    let evil = completion("evil");
    let answer = |body: &str, length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let mine = completion("mine");
    let whole = answer(&mine, mine.len());
    let second = answer(&evil, evil.len());
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{mine}\r\n0\r\n\r\n",
        mine.len()
    );
    let done = |events: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{events}\r\n",
            events.len()
        )
    };
    let events = format!(
        "data: {}\n\ndata: {}\n\ndata: [DONE]\n\n",
        content_delta(0, "mine"),
        finish_delta(0, "stop")
    );
    for (about, stream, first) in [
        ("a second answer", false, format!("{whole}{second}")),
        ("a second answer behind chunks", false, format!("{chunked}{second}")),
        ("half a second answer", false, format!("{whole}{}", &second[..second.len() - 1])),
        ("a body longer than its length", false, answer(&format!("{mine}{second}"), mine.len())),
        ("an early answer for the next", false, format!("{whole}HTTP/1.1 103 Early Hints\r\n\r\n")),
        (
            "a body behind the end of a stream",
            true,
            format!("{}{:x}\r\n{second}\r\n0\r\n\r\n{second}", done(&events), second.len()),
        ),
        ("a second answer behind a stream", true, format!("{}0\r\n\r\n{second}", done(&events))),
    ] {
        for _ in 0..5 {
            gateway.upstream.push(Script::default().send(&first));
            let mut client = gateway.client();
            client.chat(&if stream { ask_stream("hi") } else { ask("hi") }, &[]);
            let text = client.reply().text();
            assert!(text.contains("mine") && !text.contains("evil"), "{about}: {text}");
            gateway.upstream.push(Script::says("next"));
            client.chat(&ask("hi"), &[]);
            let text = client.reply().text();
            assert!(text.contains("next") && !text.contains("evil"), "{about}: {text}");
        }
    }
    // What broke is not used again, either.
    let broken = [
        Script::default().send(answer(&mine, mine.len() + 5)).close(),
        Script::events().delta("mine").event("{not json"),
        Script::events().delta("mine").delta("SECRET//NOFORN"),
    ];
    for (at, script) in broken.into_iter().enumerate() {
        gateway.upstream.push(script);
        let mut client = gateway.client();
        client.chat(&if at > 0 { ask_stream("hi") } else { ask("hi") }, &[]);
        client.reply();
        gateway.upstream.push(Script::says("next"));
        client.chat(&ask("hi"), &[]);
        let reply = client.reply();
        assert!(reply.text().contains("next"), "{at}: {}", reply.text());
    }
    gateway.stop();
}
