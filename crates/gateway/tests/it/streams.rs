//! Streamed answers: nothing goes out before it was judged, and what goes out
//! is what came.

use record::receipt::Operation;
use testkit::upstream::{Gate, Script, call_delta, content_delta, finish_delta};

use crate::client::Client;
use crate::harness::{Gateway, ask_stream, digest};

/// The whole body of a streamed answer, and the id.
fn streamed(client: &mut Client, body: &str) -> (String, String) {
    client.chat(body, &[]);
    let reply = client.reply();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    (reply.text(), reply.id().to_owned())
}

/// The receipt in the comment block, and the text without that block.
fn receipt(text: &str) -> (record::decision::Decision, String) {
    let start = text.find(": x-countersign-receipt ").expect("a receipt in the stream");
    let end = start + text[start..].find("\n\n").expect("a whole block") + 2;
    let jws = text[start..end].trim_start_matches(": x-countersign-receipt ").trim();
    let rest = format!("{}{}", &text[..start], &text[end..]);
    (record::decision::read(jws).expect("a decision receipt"), rest)
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

#[test]
fn events_go_out_byte_for_byte_and_the_receipt_before_the_end() {
    let gateway = Gateway::start();
    let odd = format!(
        ": ping\r\n\r\nevent: x\r\nid: 7\r\ndata: {}\r\n\r\n",
        content_delta(0, "a\u{2028}b")
    );
    let events = [
        odd.clone(),
        event(&content_delta(0, "hello ")),
        event(&content_delta(0, "wörld")),
        event(&finish_delta(0, "stop")),
    ];
    let whole = events.concat();
    let mut script = Script::events();
    // Cut without regard to events, lines or characters.
    for piece in whole.as_bytes().chunks(7) {
        script = script.piece(piece);
    }
    gateway.upstream.push(script.done());
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    let (decision, rest) = receipt(&text);
    assert_eq!(rest, format!("{whole}data: [DONE]\n\n"));
    assert!(text.ends_with("\n\ndata: [DONE]\n\n"));
    assert_eq!(decision.response_digest, Some(digest(&whole)));
    let evidence = gateway.stop();
    assert_eq!(*evidence.decision(&id), decision);
    assert_eq!(evidence.of(&id), [("pipeline.admission", "allow"), ("pipeline.complete", "allow")]);
    assert_eq!(evidence.operations(&id).len(), 4);
}

#[test]
fn an_event_arrives_while_the_next_is_still_coming() {
    let gateway = Gateway::start();
    let gate = Gate::new();
    gateway.upstream.push(
        Script::events()
            .delta("first, ")
            .wait(&gate)
            .delta("second")
            .event(&finish_delta(0, "stop"))
            .done(),
    );
    let mut client = gateway.client();
    client.chat(&ask_stream("hi"), &[]);
    assert_eq!(client.head().status, 200);
    let text = client.read_until("first");
    assert!(!text.contains("second"));
    gate.open();
    client.read_until("[DONE]");
    gateway.stop();
}

#[test]
fn a_secret_in_an_event_is_cut_out_of_that_event() {
    let gateway = Gateway::start();
    gateway.upstream.push(
        Script::events()
            .delta("the key is ")
            .delta("AKIAIOSFODNN7EXAMPLE, keep it")
            .event(&finish_delta(0, "stop"))
            .done(),
    );
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    let (_, rest) = receipt(&text);
    let expect = [
        event(&content_delta(0, "the key is ")),
        event(&content_delta(0, "[REDACTED:aws-access-key], keep it")),
        event(&finish_delta(0, "stop")),
        event("[DONE]"),
    ];
    assert_eq!(rest, expect.concat());
    let evidence = gateway.stop();
    assert_eq!(evidence.last(&id).decision.as_str(), "redact");
}

#[test]
fn a_marker_that_comes_in_pieces_ends_the_stream() {
    let gateway = Gateway::start();
    gateway.upstream.push(
        Script::events().delta("good ").delta("SECRET//").delta("NOFORN").delta(" more").done(),
    );
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    let (decision, rest) = receipt(&text);
    assert!(rest.starts_with(&event(&content_delta(0, "good "))));
    assert!(
        !rest.contains("NOFORN") && !rest.contains("more") && !rest.contains("[DONE]"),
        "{rest}"
    );
    assert!(rest.contains(r#""code":"answer_withheld""#) && rest.contains(&id), "{rest}");
    assert_eq!(decision.decision, "block");
    assert_eq!(decision.response_digest, Some(digest(&rest)));
    let evidence = gateway.stop();
    assert_eq!(evidence.last(&id).decision.as_str(), "block");
}

#[test]
fn a_tool_call_is_held_until_it_is_whole_and_judged() {
    let gateway = Gateway::start();
    let gate = Gate::new();
    let events = [
        event(&content_delta(0, "calling. ")),
        event(&call_delta(0, 0, Some(("call_1", "weather")), "")),
        event(&call_delta(0, 0, None, "{\"ci")),
        event(&call_delta(0, 1, Some(("call_2", "time")), "")),
        event(&call_delta(0, 1, None, "{}")),
        event(&call_delta(0, 0, None, "ty\":1}")),
        event(&finish_delta(0, "tool_calls")),
    ];
    let (first, last) = events.split_at(6);
    gateway
        .upstream
        .push(Script::events().piece(first.concat()).wait(&gate).piece(last.concat()).done());
    let mut client = gateway.client();
    client.chat(&ask_stream("hi"), &[]);
    let head = client.head();
    let mut text = client.read_until("calling. ");
    gateway.upstream.wait_seen(1);
    assert!(client.silent(std::time::Duration::from_millis(300)), "{}", client.text());
    gate.open();
    text.push_str(&client.read_until("[DONE]"));
    let (_, rest) = receipt(&text);
    assert_eq!(rest, format!("{}data: [DONE]\n\n", events.concat()));
    let evidence = gateway.stop();
    let id = crate::client::header(&head.headers, "x-countersign-correlation-id").expect("an id");
    let commitments =
        evidence.of(id).iter().filter(|(check, _)| *check == "pipeline.commitment").count();
    assert_eq!(commitments, 2);
    let scans = evidence.operations(id);
    assert_eq!(scans.iter().filter(|o| **o == Operation::GuardrailScan).count(), 4);
}

#[test]
fn a_tool_call_that_is_denied_leaves_nothing_of_itself() {
    let gateway = Gateway::with("guard: {tools: {denied: [wire_money]}}");
    gateway.upstream.push(
        Script::events()
            .delta("well, ")
            .event(&call_delta(0, 0, Some(("c1", "wire_money")), "{\"to\":"))
            .event(&call_delta(0, 0, None, "\"me\"}"))
            .delta("done")
            .event(&finish_delta(0, "tool_calls"))
            .done(),
    );
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    assert!(text.contains("well, "));
    assert!(!text.contains("wire_money") && !text.contains("done") && !text.contains("[DONE]"));
    let evidence = gateway.stop();
    assert!(evidence.of(&id).contains(&("pipeline.commitment", "block")));
    assert_eq!(evidence.decision(&id).decision, "block");
}

#[test]
fn a_name_in_pieces_is_denied_under_every_name_a_client_may_read() {
    let pieces = |names: &[(&str, &str)]| {
        let mut script = Script::events();
        for piece in names {
            script = script.event(&call_delta(0, 0, Some(*piece), ""));
        }
        script.event(&call_delta(0, 0, None, "{}")).event(&finish_delta(0, "tool_calls")).done()
    };
    let check = |yaml: &str, names: &[(&str, &str)], passes: bool| {
        let gateway = Gateway::with(yaml);
        gateway.upstream.push(pieces(names));
        let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
        assert_eq!(text.contains("[DONE]"), passes, "{yaml} {names:?}: {text}");
        let evidence = gateway.stop();
        let denied = evidence.of(&id).contains(&("pipeline.commitment", "block"));
        assert_eq!(denied, !passes, "{yaml} {names:?}");
    };
    let denied = "guard: {tools: {denied: [dada, transfer]}}";
    check(denied, &[("c1", "da"), ("c1", "da")], false);
    check(denied, &[("c1", "x"), ("c1", "transfer")], false);
    check(denied, &[("c1", "transfer"), ("c1", "x")], false);
    check(denied, &[("c1", "trans"), ("c1", "fer")], false);
    check(denied, &[("c1", "trans"), ("c2", "fer")], false);
    check(denied, &[("c1", "time"), ("c1", "time")], true);
    let allowed = "guard: {tools: {allowed: [time]}}";
    check(allowed, &[("c1", "time")], true);
    check(allowed, &[("c1", "ti"), ("c1", "me")], false);
}

#[test]
fn a_secret_in_tool_arguments_is_cut_over_all_fragments() {
    let gateway = Gateway::start();
    gateway.upstream.push(
        Script::events()
            .event(&call_delta(0, 0, Some(("c1", "store")), "{\"key\":\"AKIAIOSF"))
            .event(&call_delta(0, 0, None, "ODNN7EXAMPLE\",\"n\":1}"))
            .event(&finish_delta(0, "tool_calls"))
            .done(),
    );
    let (text, _) = streamed(&mut gateway.client(), &ask_stream("hi"));
    assert!(!text.contains("AKIAIOSF") && !text.contains("ODNN7EXAMPLE"), "{text}");
    assert!(text.contains("REDACTED") && text.contains(r#"\",\"n\":1}"#), "{text}");
    gateway.stop();
}

#[test]
fn broken_streams_end_with_one_error_event_and_an_entry() {
    let cases: [(Script, &str); 7] = [
        (Script::events().delta("good").close(), "upstream_truncated"),
        (Script::events().delta("good").end(), "upstream_truncated"),
        (Script::events().delta("good").event("{not json").done(), "upstream_sse_malformed"),
        (Script::events().delta("good").event("[1]").done(), "upstream_sse_malformed"),
        (Script::events().delta("good").event(r#"{"a":1,"a":2}"#).done(), "upstream_sse_malformed"),
        (Script::events().delta("good").piece(b"data: \xff\n\n").done(), "upstream_sse_malformed"),
        (
            Script::events()
                .delta("good")
                .piece(format!("data: {}", "x".repeat(1 << 20)))
                .piece("x")
                .done(),
            "upstream_sse_malformed",
        ),
    ];
    let gateway = Gateway::start();
    let mut ids = Vec::new();
    for (script, code) in cases {
        gateway.upstream.push(script);
        let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
        let (decision, rest) = receipt(&text);
        assert!(rest.starts_with(&event(&content_delta(0, "good"))), "{code}: {rest}");
        assert!(rest.contains(&format!(r#""code":"{code}""#)), "{code}: {rest}");
        assert_eq!(rest.matches("data: ").count(), 2, "{code}: {rest}");
        assert_eq!(decision.response_digest, Some(digest(&rest)));
        ids.push((id, code));
    }
    let evidence = gateway.stop();
    for (id, code) in ids {
        assert_eq!(evidence.last(&id).check_name, "pipeline.upstream", "{code}");
        assert_eq!(evidence.decision(&id).reason_code, code);
    }
}

#[test]
fn what_went_out_before_a_stream_broke_is_on_record() {
    let gateway = Gateway::start();
    let called = || {
        Script::events()
            .delta("wait")
            .event(&call_delta(0, 0, Some(("c1", "send_email")), "{}"))
            .event(&finish_delta(0, "tool_calls"))
    };
    let broken = [
        called().close(),
        called().event("{not json").done(),
        called().event(r#"{"error":{"message":"overloaded"}}"#).end(),
    ];
    let mut ids = Vec::new();
    for script in broken {
        gateway.upstream.push(script);
        let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
        assert!(text.contains("send_email"), "{text}");
        ids.push(id);
    }
    let evidence = gateway.stop();
    for id in ids {
        let told = [
            ("pipeline.admission", "allow"),
            ("pipeline.commitment", "allow"),
            ("pipeline.upstream", "block"),
        ];
        assert_eq!(evidence.of(&id), told);
        assert_eq!(evidence.last(&id).meta_text("_outcome"), Some("failed"));
        assert_eq!(evidence.decision(&id).decision, "error");
        let made = evidence.operations(&id);
        assert!(made.contains(&Operation::ModelCall), "{made:?}");
        assert_eq!(made.iter().filter(|o| **o == Operation::GuardrailScan).count(), 3);
    }
}

#[test]
fn an_upstream_that_falls_silent_is_given_up() {
    let gateway = Gateway::with("limits: {upstream_read_seconds: 1}");
    gateway.upstream.push(Script::events().delta("good").hang());
    let (text, _) = streamed(&mut gateway.client(), &ask_stream("hi"));
    assert!(text.contains("upstream_timeout"));
    gateway.upstream.wait_hung_up(1);
    gateway.stop();
}

#[test]
fn a_stream_without_done_is_whole_when_it_said_why_it_ended() {
    let gateway = Gateway::start();
    gateway.upstream.push(Script::events().delta("hi").event(&finish_delta(0, "stop")).end());
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    let (decision, rest) = receipt(&text);
    assert_eq!(decision.decision, "allow");
    assert!(!rest.contains("[DONE]") && !rest.contains("error"));
    let evidence = gateway.stop();
    assert_eq!(evidence.last(&id).check_name, "pipeline.complete");
}

#[test]
fn choices_are_judged_apart_and_their_calls_held_together() {
    let gateway = Gateway::start();
    let events = [
        event(&content_delta(0, "SECRET//")),
        event(&content_delta(1, "NOFORN")),
        event(&call_delta(1, 0, Some(("c1", "weather")), "{")),
        event(&content_delta(0, " is how a banner begins")),
        event(&call_delta(1, 0, None, "}")),
        event(&finish_delta(0, "stop")),
        event(&finish_delta(1, "tool_calls")),
    ];
    gateway.upstream.push(Script::events().piece(events.concat()).done());
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    let (decision, rest) = receipt(&text);
    assert_eq!(rest, format!("{}data: [DONE]\n\n", events.concat()));
    assert_eq!(decision.decision, "allow");
    let evidence = gateway.stop();
    assert!(evidence.of(&id).contains(&("pipeline.commitment", "allow")));
}

#[test]
fn an_upstream_that_says_no_mid_stream_is_passed_on_and_recorded() {
    let gateway = Gateway::start();
    let error = r#"{"error":{"message":"overloaded","type":"server_error","code":null}}"#;
    gateway.upstream.push(Script::events().delta("good").event(error).delta("not sent").done());
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    let (decision, rest) = receipt(&text);
    assert_eq!(rest, format!("{}{}", event(&content_delta(0, "good")), event(error)));
    assert_eq!(decision.decision, "error");
    let evidence = gateway.stop();
    assert_eq!(evidence.last(&id).check_name, "pipeline.upstream");
}

#[test]
fn a_stream_that_is_done_leaves_its_connection_to_the_next() {
    let gateway = Gateway::start();
    // The connection is given back just after the caller has its end, so the
    // very next request may still be too early for it.
    let reused = (1..=20).any(|streams| {
        gateway.upstream.push(Script::events().delta("hi").event(&finish_delta(0, "stop")).done());
        let (text, _) = streamed(&mut gateway.client(), &ask_stream("hi"));
        assert!(text.ends_with("data: [DONE]\n\n"));
        gateway.upstream.connections() < streams
    });
    gateway.stop();
    assert!(reused);
}

#[test]
fn the_beginning_of_a_marking_waits_and_what_is_behind_it_too() {
    let gateway = Gateway::start();
    let gate = Gate::new();
    let events = [
        event(&content_delta(0, "It is TOP")),
        ": ping\n\n".to_owned(),
        event(&content_delta(1, "Fine. ")),
        event(&content_delta(0, " of the hill.")),
        event(&finish_delta(0, "stop")),
        event(&finish_delta(1, "stop")),
    ];
    let (first, last) = events.split_at(3);
    let script = Script::events().delta("Good. ").piece(first.concat());
    gateway.upstream.push(script.wait(&gate).piece(last.concat()).done());
    let mut client = gateway.client();
    client.chat(&ask_stream("hi"), &[]);
    client.head();
    let mut text = client.read_until("Good. ");
    assert!(client.silent(std::time::Duration::from_millis(300)), "{}", client.text());
    gate.open();
    text.push_str(&client.read_until("[DONE]"));
    let (_, rest) = receipt(&text);
    assert_eq!(
        rest,
        format!("{}{}{}", event(&content_delta(0, "Good. ")), events.concat(), event("[DONE]"))
    );
    gateway.stop();
}

#[test]
fn what_waits_does_not_wait_for_ever() {
    let signs = ": ping\n\n".repeat(4);
    let others = event(&content_delta(1, "All is well. ")).repeat(120);
    for behind in [signs, others] {
        let gateway = Gateway::start();
        let gate = Gate::new();
        let script = Script::events().delta("What is SECRET").piece(&behind).wait(&gate);
        gateway.upstream.push(script.delta("//NOFORN").event(&finish_delta(0, "stop")).done());
        let mut client = gateway.client();
        client.chat(&ask_stream("hi"), &[]);
        let head = client.head();
        // The other half has not come yet, and is not let through.
        client.read_until("What is SECRET");
        gate.open();
        let text = client.read_until("x-countersign-receipt");
        assert!(text.contains("answer_withheld") && !text.contains("NOFORN"), "{text}");
        let evidence = gateway.stop();
        let id = crate::client::header(&head.headers, "x-countersign-correlation-id");
        assert_eq!(evidence.decision(id.expect("an id")).decision, "block");
    }
}

#[test]
fn a_key_in_several_events_is_what_a_client_may_repeat_without_it() {
    let gateway = Gateway::start();
    let mut script = Script::events();
    for piece in ["the key is AKIAIO", "SFODNN7", "EXAMPLE", ", keep it"] {
        script = script.delta(piece);
    }
    gateway.upstream.push(script.event(&finish_delta(0, "stop")).done());
    let (text, id) = streamed(&mut gateway.client(), &ask_stream("hi"));
    let (decision, rest) = receipt(&text);
    let told = ["the key is [REDACTED:aws-access-key]", "", "", ", keep it"];
    let told: String = told.iter().map(|text| event(&content_delta(0, text))).collect();
    assert_eq!(rest, format!("{told}{}{}", event(&finish_delta(0, "stop")), event("[DONE]")));
    assert_eq!(decision.decision, "redact");
    let evidence = gateway.stop();
    assert_eq!(evidence.last(&id).decision.as_str(), "redact");
    evidence.verify_and_trace(&[&id]);
}

#[test]
fn an_event_larger_than_a_worker_should_judge_is_judged_all_the_same() {
    let gateway = Gateway::start();
    let large = "All is well. ".repeat(10_000);
    let whole = [event(&content_delta(0, &large)), event(&finish_delta(0, "stop"))].concat();
    gateway.upstream.push(Script::events().piece(&whole).done());
    let (text, _) = streamed(&mut gateway.client(), &ask_stream("hi"));
    assert_eq!(receipt(&text).1, format!("{whole}{}", event("[DONE]")));
    gateway.upstream.push(Script::events().delta(&format!("{large}SECRET//NOFORN")).done());
    let (text, _) = streamed(&mut gateway.client(), &ask_stream("hi"));
    assert!(text.contains("answer_withheld") && !text.contains("well"), "{text}");
    gateway.stop();
}

#[test]
fn a_signature_holds_up_an_answer_only_for_moments() {
    let gateway = Gateway::start();
    let gate = Gate::new();
    let signature = "EqQBCgIYAhIkMGQ3ZDQ5YWUtZGI1Yi00ZjE2LWE2MzUtMGYxY2Y4YzE2ZjM2";
    let signed = format!(
        r#"{{"choices":[{{"index":0,"delta":{{"thinking_blocks":[{{"type":"thinking","signature":"{signature}"}}]}}}}]}}"#
    );
    let text = event(&content_delta(0, "All is well. ")).repeat(30);
    let script = Script::events().event(&signed).piece(&text).wait(&gate);
    gateway.upstream.push(script.event(&finish_delta(0, "stop")).done());
    let mut client = gateway.client();
    client.chat(&ask_stream("hi"), &[]);
    client.head();
    let mut told = client.read_until("All is well. ");
    gate.open();
    told.push_str(&client.read_until("[DONE]"));
    let whole = [event(&signed), text, event(&finish_delta(0, "stop")), event("[DONE]")];
    assert_eq!(receipt(&told).1, whole.concat());
    gateway.stop();
}
