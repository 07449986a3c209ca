//! Whole answers.

use record::receipt::Operation;
use testkit::upstream::{Script, completion};

use crate::harness::{Gateway, ask, body, digest};

#[test]
fn an_answer_comes_as_the_upstream_sent_it_with_its_evidence() {
    let gateway = Gateway::start();
    gateway.upstream.push(Script::says("hello there"));
    let mut client = gateway.client();
    let request = ask("hi");
    client.chat(&request, &[]);
    let reply = client.reply();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text(), completion("hello there"));
    let seen = gateway.upstream.seen();
    assert_eq!(seen[0].text(), request, "an untouched body goes on byte for byte");
    assert_eq!(seen[0].path, "/v1/chat/completions");
    assert_eq!(seen[0].header("accept-encoding"), ["identity"]);
    assert_eq!(seen[0].header("x-agent-id"), Vec::<&str>::new(), "identity stays here");

    let evidence = gateway.stop();
    let id = reply.id();
    assert_eq!(evidence.of(id), [("pipeline.admission", "allow"), ("pipeline.complete", "allow")]);
    assert_eq!(
        evidence.operations(id),
        [
            Operation::UserInput,
            Operation::GuardrailScan,
            Operation::ModelCall,
            Operation::GuardrailScan
        ]
    );
    let decision = evidence.decision(id);
    assert_eq!(record::decision::read(reply.receipt()).expect("a receipt"), *decision);
    assert_eq!(decision.decision, "allow");
    assert_eq!(decision.request_digest, digest(&request));
    assert_eq!(decision.response_digest, Some(digest(&reply.body)));
    assert_eq!(decision.model, "fake-model");
}

#[test]
fn large_bodies_are_judged_like_small_ones() {
    let gateway = Gateway::start();
    let (word, secret) = ("word ".repeat(40 << 10), "AKIAIOSFODNN7EXAMPLE");
    gateway.upstream.push(Script::says(&word));
    gateway.upstream.push(Script::says(&format!("{word}{secret}")));
    let mut client = gateway.client();
    let request = ask(&word);
    client.chat(&request, &[]);
    let plain = client.reply();
    assert_eq!(plain.text(), completion(&word));
    client.chat(&ask(&format!("{word}SECRET//NOFORN")), &[("X-Classification", "bogus")]);
    let refused = client.reply();
    assert_eq!(refused.status, 403);
    client.chat(&ask(&format!("{word}{secret}")), &[]);
    let cut = client.reply();
    assert_eq!(cut.text(), completion(&format!("{word}[REDACTED:aws-access-key]")));
    assert!(!gateway.upstream.seen()[1].text().contains(secret));
    let evidence = gateway.stop();
    assert_eq!(evidence.decision(plain.id()).request_digest, digest(&request));
    assert_eq!(evidence.decision(plain.id()).response_digest, Some(digest(&plain.body)));
    assert_eq!(evidence.decision(cut.id()).response_digest, Some(digest(&cut.body)));
    assert_eq!(evidence.last(cut.id()).decision.as_str(), "redact");
    assert_eq!(evidence.last(refused.id()).decision.as_str(), "block");
}

#[test]
fn connections_are_kept_and_every_request_has_its_own_id() {
    let gateway = Gateway::start();
    let mut client = gateway.client();
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        gateway.upstream.push(Script::says(text));
        client.chat(&ask("hi"), &[]);
        ids.push(client.reply().id().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let evidence = gateway.stop();
    assert!(ids.iter().all(|id| evidence.of(id).len() == 2));
}

#[test]
fn a_tool_call_is_committed_before_it_is_delivered() {
    let gateway = Gateway::start();
    let answer = r#"{"id":"c","object":"chat.completion","created":1,"model":"fake-model","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bern\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#;
    gateway.upstream.push(Script::json(200, answer));
    let mut client = gateway.client();
    let tools = r#""tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}],"#;
    client.chat(&body("the weather?", tools), &[]);
    let first = client.reply();
    assert_eq!(first.text(), answer);

    // The result comes back with the next request and is tied to the proposal.
    gateway.upstream.push(Script::says("sunny"));
    let next = r#"{"model":"m","messages":[{"role":"user","content":"the weather?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bern\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"20 degrees"}]}"#;
    client.chat(next, &[]);
    let second = client.reply();
    assert_eq!(second.status, 200);

    let evidence = gateway.stop();
    assert_eq!(
        evidence.of(first.id()),
        [
            ("pipeline.admission", "allow"),
            ("pipeline.commitment", "allow"),
            ("pipeline.complete", "allow")
        ]
    );
    assert!(evidence.operations(second.id()).contains(&Operation::ToolCall));
}

#[test]
fn a_tool_that_is_not_allowed_is_withheld() {
    let gateway = Gateway::with("guard: {tools: {allowed: [weather]}}");
    let answer = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"wire_money","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    gateway.upstream.push(Script::json(200, answer));
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[]);
    let reply = client.reply();
    assert_eq!(reply.status, 403);
    assert!(!reply.text().contains("wire_money"));
    let evidence = gateway.stop();
    assert!(evidence.of(reply.id()).contains(&("pipeline.commitment", "block")));
    assert_eq!(evidence.decision(reply.id()).decision, "block");
}

#[test]
fn a_marker_in_an_answer_is_denied() {
    let gateway = Gateway::start();
    gateway.upstream.push(Script::says("The report. SECRET//NOFORN and more."));
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[]);
    let reply = client.reply();
    assert_eq!(reply.status, 403);
    assert!(!reply.text().contains("NOFORN"));
    let evidence = gateway.stop();
    assert_eq!(evidence.last(reply.id()).decision.as_str(), "block");
    let decision = evidence.decision(reply.id());
    assert_eq!(decision.decision, "block");
    assert_eq!(decision.response_digest, Some(digest(&reply.body)));
}

#[test]
fn a_secret_is_cut_out_of_request_and_answer_to_the_byte() {
    const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";
    let gateway = Gateway::start();
    gateway.upstream.push(Script::says(&format!("you said {SECRET}, right?")));
    let mut client = gateway.client();
    client.chat(&body(&format!("my key {SECRET}!"), r#""temperature":0.50,"#), &[]);
    let reply = client.reply();
    assert_eq!(reply.status, 200);
    let seen = gateway.upstream.seen()[0].text();
    assert!(!seen.contains(SECRET));
    assert!(seen.contains("my key [REDACTED:aws-access-key]!"), "{seen}");
    assert_eq!(
        reply.text(),
        completion("you said [REDACTED:aws-access-key], right?"),
        "everything else stays as it was"
    );
    let evidence = gateway.stop();
    assert_eq!(
        evidence.of(reply.id()),
        [("pipeline.admission", "redact"), ("pipeline.complete", "redact")]
    );
    assert!(evidence.bodies.iter().all(|body| !body.contains(SECRET)));
}

#[test]
fn a_whole_answer_to_a_stream_request_is_judged_and_passed_on() {
    let gateway = Gateway::start();
    gateway.upstream.push(Script::says("fine"));
    gateway.upstream.push(Script::says("SECRET//NOFORN"));
    let mut client = gateway.client();
    client.chat(&crate::harness::ask_stream("hi"), &[]);
    let good = client.reply();
    assert_eq!((good.status, good.header("content-type")), (200, Some("application/json")));
    client.chat(&crate::harness::ask_stream("hi"), &[]);
    assert_eq!(client.reply().status, 403);
    gateway.stop();
}

#[test]
fn the_models_list_is_passed_on_and_recorded() {
    let gateway = Gateway::start();
    let list = r#"{"object":"list","data":[{"id":"fake-model","object":"model"}]}"#;
    gateway.upstream.push(Script::json(200, list));
    let mut client = gateway.client();
    client.request("GET", "/v1/models", "", &[]);
    let reply = client.reply();
    assert_eq!((reply.status, reply.text()), (200, list.to_owned()));
    client.request("GET", "/v1/models", "", &[("X-Nobody", "1")]);
    let nobody = client.reply();
    assert_eq!(nobody.status, 403);
    let evidence = gateway.stop();
    assert_eq!(evidence.of(reply.id()), [("pipeline.complete", "allow")]);
    assert_eq!(evidence.of(nobody.id()), [("pipeline.preflight", "block")]);
}

#[test]
fn the_simulator_answers_calls_tools_and_streams() {
    let gateway = Gateway::simulator();
    let mut client = gateway.client();
    client.chat(&ask("good morning"), &[]);
    let reply = client.reply();
    assert!(reply.text().contains("The simulator heard: good morning"), "{}", reply.text());
    let tools = r#""tools":[{"type":"function","function":{"name":"send_email","parameters":{"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}}}],"#;
    client.chat(&body("please use send_email", tools), &[]);
    assert!(client.reply().text().contains(r#"{\"to\":\"example to\"}"#));
    client.chat(&body("please use send_email", &format!(r#""stream":true,{tools}"#)), &[]);
    let stream = client.reply();
    assert!(stream.text().ends_with("data: [DONE]\n\n"), "{}", stream.text());
    client.request("GET", "/v1/models", "", &[]);
    assert!(client.reply().text().contains(r#""id":"simulator""#));
    let evidence = gateway.stop();
    assert_eq!(evidence.decision(reply.id()).upstream, "simulator");
    assert_eq!(evidence.decision(stream.id()).model, "simulator");
}

#[test]
fn the_sealed_profile_leaves_no_receipts() {
    let gateway = Gateway::with("evidence: {profile: sealed}");
    gateway.upstream.push(Script::says("fine"));
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[]);
    let reply = client.reply();
    let evidence = gateway.stop();
    assert!(evidence.receipts.is_empty());
    assert_eq!(evidence.of(reply.id()).len(), 2);
    assert_eq!(evidence.decision(reply.id()).profile, "sealed");
}

#[test]
fn an_owner_may_be_optional_but_not_contradictory() {
    let gateway = Gateway::with("guard: {owner: {required: false}}");
    gateway.upstream.push(Script::says("fine"));
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[("X-Nobody", "1")]);
    let reply = client.reply();
    assert_eq!(reply.status, 200);
    client.chat(&ask("hi"), &[("X-Agent-Id", "agent:a"), ("X-Commit-Owner", "human:b")]);
    assert_eq!(client.reply().status, 403);
    let evidence = gateway.stop();
    assert_eq!(evidence.last(reply.id()).owner.to_string(), "policy:unattributed");
}
