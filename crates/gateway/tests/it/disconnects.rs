//! Callers that go away, and a gateway that is told to stop.

use testkit::upstream::{Gate, Script, finish_delta};

use crate::client::header;
use crate::harness::{Evidence, Gateway, ask, ask_stream};

fn only_request(evidence: &Evidence) -> String {
    let admission = evidence.audits.iter().find(|audit| audit.check_name == "pipeline.admission");
    admission.and_then(|audit| audit.meta_text("_request")).expect("an admission").to_owned()
}

#[test]
fn a_caller_that_leaves_before_the_answer_cancels_the_upstream() {
    let gateway = Gateway::start();
    gateway.upstream.push(Script::default().hang());
    let mut client = gateway.client();
    client.chat(&ask("hi"), &[]);
    gateway.upstream.wait_seen(1);
    drop(client);
    gateway.upstream.wait_hung_up(1);
    let evidence = gateway.stop();
    let id = only_request(&evidence);
    assert_eq!(evidence.last(&id).meta_text("_outcome"), Some("disconnected"));
    assert_eq!(evidence.decision(&id).decision, "interrupted");
}

#[test]
fn a_caller_that_leaves_a_stream_cancels_the_upstream() {
    let gateway = Gateway::start();
    gateway.upstream.push(Script::events().delta("first, ").hang());
    let mut client = gateway.client();
    client.chat(&ask_stream("hi"), &[]);
    let head = client.head();
    client.read_until("first");
    drop(client);
    gateway.upstream.wait_hung_up(1);
    let evidence = gateway.stop();
    let id = header(&head.headers, "x-countersign-correlation-id").expect("an id");
    assert_eq!(evidence.last(id).meta_text("_outcome"), Some("disconnected"));
}

#[test]
fn a_caller_that_leaves_within_its_body_is_recorded() {
    let gateway = Gateway::start();
    let mut client = gateway.client();
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Agent-Id: agent:a\r\nContent-Length: 50\r\n\r\n{");
    // The answer to a second connection shows that the first was accepted.
    let mut other = gateway.client();
    other.request("GET", "/v1/nothing", "", &[]);
    other.reply();
    drop(client);
    let evidence = gateway.stop();
    assert_eq!(evidence.audits.len(), 2, "{:?}", evidence.audits);
}

#[test]
fn a_stop_lets_requests_finish() {
    let gateway = Gateway::start();
    let gate = Gate::new();
    gateway
        .upstream
        .push(Script::events().delta("first, ").wait(&gate).event(&finish_delta(0, "stop")).done());
    let mut client = gateway.client();
    client.chat(&ask_stream("hi"), &[]);
    client.head();
    client.read_until("first");
    let reader = std::thread::spawn(move || client.read_until("[DONE]"));
    let opener = std::thread::spawn(move || gate.open());
    let evidence = gateway.stop();
    opener.join().expect("opened");
    assert!(reader.join().expect("the stream ends").contains("x-countersign-receipt"));
    assert_eq!(evidence.last(&only_request(&evidence)).check_name, "pipeline.complete");
}

#[test]
fn a_caller_that_never_reads_does_not_keep_its_connection() {
    let gateway = Gateway::with("limits: {caller_stall_seconds: 1, connections: 1}");
    // More than the buffers of both ends of a connection hold.
    let list = format!(r#"{{"data":"{}"}}"#, "x".repeat(15 << 20));
    gateway.upstream.push(Script::json(200, &list));
    gateway.upstream.push(Script::json(200, r#"{"data":[]}"#));
    let mut idle = gateway.client();
    idle.request("GET", "/v1/models", "", &[]);
    gateway.upstream.wait_seen(1);
    // There is one place only: an answer shows that the first caller has lost it.
    let mut next = gateway.client();
    next.request("GET", "/v1/models", "", &[]);
    assert_eq!(next.reply().status, 200);
    let mut got = 0;
    while idle.chunk_or_end() {
        got += idle.text().len();
    }
    assert!(got < list.len(), "{got} bytes arrived");
    gateway.stop();
}
