//! What requests leave, and how later requests build on it.

use record::dag::Graph;
use record::entry::AuditDecision;

use super::*;

#[test]
fn a_tool_conversation_is_one_connected_graph() {
    let (store, bench) = bench(Profile::Full);
    let calls = [call("call_1", ARGUMENTS)];
    let (first, jws) = bench.turn("billing", FIRST, "", &calls);
    let two = second(ARGUMENTS, "sent", "");
    let (next, _) = bench.turn("billing", &two, "It is sent.", &[]);
    let more =
        r#",{"role":"assistant","content":"It is sent."},{"role":"user","content":"and now?"}"#;
    let three = second(ARGUMENTS, "sent", more);
    let (last, _) = bench.turn("billing", &three, "Rest.", &[]);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);

    let said = found.step(Operation::UserInput, &first)[0];
    let asked = found.step(Operation::ModelCall, &first)[0];
    assert_eq!(said.receipt.input_hash, Some(Digest::of(SECRET_TEXT.as_bytes())));
    assert_eq!(asked.receipt.model.as_deref(), Some("m-2026"));
    assert_eq!(asked.receipt.input_hash, Some(Digest::of(FIRST.as_bytes())));
    assert_eq!(asked.receipt.parents, [found.scan("input", &first).hash]);
    assert_eq!(found.scan("tool_call", &first).receipt.parents, [asked.hash]);

    let ran = found.step(Operation::ToolCall, &next)[0];
    assert_eq!(ran.receipt.parents, [asked.hash]);
    assert_eq!(ran.receipt.tool.as_deref(), Some("send_email"));
    assert_eq!(ran.receipt.input_hash, Some(Digest::of(ARGUMENTS.as_bytes())));
    assert_eq!(ran.receipt.output_hash, Some(Digest::of(b"sent")));
    let scan = found.scan("input", &next);
    assert!(scan.receipt.parents.contains(&ran.hash) && scan.receipt.parents.contains(&asked.hash));
    assert!(found.step(Operation::UserInput, &next).is_empty(), "the message is known");

    // The third turn builds on the answer of the second alone, and on what is new.
    let answered = found.step(Operation::ModelCall, &next)[0];
    let new = found.step(Operation::UserInput, &last)[0];
    let mut expected = vec![answered.hash, new.hash];
    expected.sort();
    assert_eq!(found.scan("input", &last).receipt.parents, expected);
    assert!(found.step(Operation::ToolCall, &last).is_empty());

    let mut graph = Graph::new();
    found.receipts.iter().for_each(|receipt| graph.insert(receipt.clone()));
    let head = found.scan("output", &last).hash;
    let ancestors = graph.ancestors(&head);
    assert!(ancestors.iter().any(|receipt| receipt.hash == said.hash));
    assert!(ancestors.iter().any(|receipt| receipt.hash == ran.hash));

    let decision = read_signed(&jws).expect("a decision").decision;
    assert_eq!(decision.decision, "allow");
    assert_eq!(decision.request_digest, Digest::of(FIRST.as_bytes()));
    assert_eq!(decision.response_digest, Some(Digest::of(b"")));
    assert_eq!((decision.upstream.as_str(), decision.model.as_str()), ("simulator", "m-2026"));
    assert!(
        decision.binds(&[found.scan("output", &first).hash, found.scan("tool_call", &first).hash])
    );
    assert_eq!(found.bodies["facts"].len(), 1, "equal facts are stored once");
}

#[test]
fn a_result_that_matches_no_call_never_becomes_a_tool_call() {
    for (owner, body, code) in [
        (
            "billing",
            second(r#"{"to":"eve@example.org"}"#, "sent", ""),
            "tool_result_altered_arguments",
        ),
        ("other", second(ARGUMENTS, "sent", ""), "tool_result_unknown_call"),
        (
            "billing",
            second(ARGUMENTS, "sent", "").replace(r#""id":"call_1""#, r#""id":"call_2""#),
            "tool_result_arguments_missing",
        ),
    ] {
        let (store, bench) = bench(Profile::Full);
        bench.turn("billing", FIRST, "", &[call("call_1", ARGUMENTS)]);
        let (next, _) = bench.turn(owner, &body, "ok", &[]);
        let found = Evidence::of(&store, &bench.state).check(&bench.state);
        assert!(
            found.receipts.iter().all(|r| r.receipt.operation != Operation::ToolCall),
            "{code}"
        );
        let stray = found.audits.iter().find(|a| a.check_name == "pipeline.tool_result");
        let stray = stray.expect("an audit entry of its own");
        assert_eq!(stray.meta_text("_code"), Some(code));
        let scans = found.step(Operation::GuardrailScan, &next);
        let root = scans.iter().find(|scan| scan.receipt.parents.is_empty()).expect("a root");
        assert!(root.receipt.taint.contains("guardrail-scan:tool_result"));
        assert_eq!(stray.meta_text("_receipt"), Some(root.hash.to_string().as_str()));
        assert!(found.scan("input", &next).receipt.parents.contains(&root.hash));
    }
}

#[test]
fn a_withheld_call_matches_no_result() {
    let (store, bench) = bench(Profile::Full);
    let mut log = bench.admit("billing", FIRST);
    let block = Ruling {
        decision: AuditDecision::Block,
        check: "scope_drift".to_owned(),
        code: "scope_drift".to_owned(),
        reason: "not offered".to_owned(),
    };
    let bad = call("call_1", ARGUMENTS);
    log.proposed(Proposal::of(&bad, Scanned::clean(), block.clone()));
    let ended = Outcome { ruling: block, answers: Vec::new(), status: 403, ..outcome("", &[]) };
    let committed = log.complete(ended).wait().expect("durable");
    let decision = read_signed(committed.receipt().expect("one")).expect("a decision").decision;
    assert_eq!(
        (decision.decision.as_str(), decision.reason_code.as_str()),
        ("block", "scope_drift")
    );
    bench.turn("billing", &second(ARGUMENTS, "sent", ""), "ok", &[]);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    assert!(found.receipts.iter().all(|r| r.receipt.operation != Operation::ToolCall));
    assert_eq!(found.outcomes()[0], ("pipeline.commitment", "withheld"));
}

#[test]
fn equal_requests_have_receipts_of_their_own() {
    let (store, bench) = bench(Profile::Full);
    let (one, _) = bench.turn("billing", FIRST, "a", &[]);
    let (two, _) = bench.turn("billing", FIRST, "a", &[]);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    for request in [&one, &two] {
        assert_eq!(found.step(Operation::UserInput, request).len(), 1);
    }
    assert_eq!(found.receipts.len(), 8);
}

#[test]
fn a_redacted_call_is_found_by_what_was_delivered() {
    let (store, bench) = bench(Profile::Full);
    let mut log = bench.admit("billing", FIRST);
    let redact = Ruling { decision: AuditDecision::Redact, ..Ruling::allow() };
    let proposed = call("call_1", r#"{"to":"secret@example.org"}"#);
    log.proposed(Proposal::of(&proposed, Scanned::clean(), redact));
    let delivered = [call("call_1", ARGUMENTS)];
    log.complete(outcome("", &delivered)).wait().expect("durable");
    let (next, _) = bench.turn("billing", &second(ARGUMENTS, "sent", ""), "ok", &[]);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    let ran = found.step(Operation::ToolCall, &next)[0];
    assert_eq!(ran.receipt.input_hash, Some(Digest::of(ARGUMENTS.as_bytes())));
}
