//! The ways a request may end.

use record::entry::AuditDecision;
use record::receipt::Verdict;
use record::source::{self, Source};

use super::*;

#[test]
fn a_dropped_log_was_interrupted() {
    let (store, bench) = bench(Profile::Full);
    drop(bench.admit("billing", FIRST));
    drop(bench.log("billing", FIRST).0);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    let expected = [("pipeline.interrupted", "interrupted"), ("pipeline.preflight", "refused")];
    assert_eq!(found.outcomes(), expected);
    assert_eq!(found.decisions[0].decision, "interrupted");
    assert_eq!(found.decisions[0].reason_code, "interrupted");
    assert_eq!(found.audits[2].meta_text("_code"), Some("client_disconnected"));
}

#[test]
fn a_disconnect_keeps_what_the_model_had_said() {
    let (store, bench) = bench(Profile::Full);
    let mut log = bench.admit("billing", FIRST);
    log.disconnected(Some(outcome("half of", &[]))).wait().expect("durable");
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    assert_eq!(found.step(Operation::ModelCall, log.id()).len(), 1);
    assert_eq!(found.decisions[0].decision, "interrupted");
    assert_eq!(found.decisions[0].reason_code, "client_disconnected");
    let last = found.audits.last().expect("an outcome");
    assert_eq!(last.reason, "the caller went away before the answer was complete");
}

#[test]
fn a_disconnect_does_not_hide_what_was_ruled_before() {
    let (store, bench) = bench(Profile::Full);
    let mut log = bench.admit("billing", FIRST);
    let ruling = Ruling {
        decision: AuditDecision::Redact,
        check: "content".to_owned(),
        code: "redacted".to_owned(),
        reason: "1 spans redacted by aws-access-key".to_owned(),
    };
    let partial = Outcome { ruling, ..outcome("half of", &[]) };
    log.disconnected(Some(partial)).wait().expect("durable");
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    let last = found.audits.last().expect("an outcome");
    assert_eq!(last.decision, AuditDecision::Redact);
    assert_eq!(last.meta_text("_code"), Some("redacted"));
    assert!(last.reason.starts_with("the caller went away") && last.reason.contains("aws-access"));
}

#[test]
fn refusals_and_failures_are_recorded_with_decisions() {
    let (store, bench) = bench(Profile::Full);
    let ruling = Ruling {
        decision: AuditDecision::Block,
        check: "injection".to_owned(),
        code: "injection".to_owned(),
        reason: "rule cs.inj.001".to_owned(),
    };
    let response = Digest::of(b"refused");
    let (mut log, mut input) = bench.log("billing", FIRST);
    input.scan = Scanned {
        verdict: Verdict::Malicious,
        rules: vec!["cs.inj.001".to_owned()],
        sources: Vec::new(),
    };
    let refusal = Refusal { ruling, status: 403, response };
    log.refused(Some(input), refusal.clone()).wait().expect("durable");
    assert!(matches!(log.complete(outcome("", &[])).wait(), Err(RecordError::Closed)));
    let refused = log.id().to_owned();

    let mut log = bench.admit("billing", FIRST);
    let failure = Failure {
        code: "upstream_timeout".to_owned(),
        reason: "no answer in 60 s".to_owned(),
        status: 504,
        upstream: "simulator".to_owned(),
        response,
    };
    log.failed(failure).wait().expect("durable");
    let mut log = bench.recorder.begin(&bench.recorder.ruleset(), "peer", "GET", "/v1/models");
    log.served(200, response).wait().expect("durable");
    let mut log = bench.recorder.begin(&bench.recorder.ruleset(), "peer", "GET", "/secret-token");
    log.preflight(Refusal { status: 404, ..refusal }).wait().expect("durable");

    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    let decisions: Vec<&str> = found.decisions.iter().map(|d| d.decision.as_str()).collect();
    assert_eq!(decisions, ["block", "error", "allow", "block"]);
    assert!(found.decisions.iter().all(|d| d.response_digest == Some(response)));
    let scan = found.step(Operation::GuardrailScan, &refused)[0];
    assert_eq!(scan.receipt.verdict, Some(Verdict::Malicious));
    assert!(found.decisions[0].binds(&[scan.hash]));
    let expected = [
        ("pipeline.admission", "refused"),
        ("pipeline.upstream", "failed"),
        ("pipeline.complete", "served"),
        ("pipeline.preflight", "refused"),
    ];
    assert_eq!(found.outcomes(), expected);
    assert_eq!(found.decisions[3].route, "other");
    let bytes = found.lines.concat();
    assert!(!String::from_utf8_lossy(&bytes).contains("secret-token"));
}

#[test]
fn the_sealed_profile_leaves_audit_entries_and_decisions_only() {
    let (store, bench) = bench(Profile::Sealed);
    bench.turn("billing", FIRST, "", &[call("call_1", ARGUMENTS)]);
    bench.turn("billing", &second(ARGUMENTS, "sent", ""), "done", &[]);
    bench.turn("billing", &second("{}", "sent", ""), "done", &[]);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    assert!(found.receipts.is_empty());
    assert!(found.decisions.iter().all(|d| d.profile == "sealed" && d.heads.is_empty()));
    assert_eq!(found.decisions.len(), 3);
    let strays = found.audits.iter().filter(|a| a.check_name == "pipeline.tool_result");
    assert_eq!(strays.count(), 1, "matching does not need receipts");
}

#[test]
fn a_flood_of_refusals_becomes_one_entry() {
    let (store, bench) = bench(Profile::Full);
    let refusal = Refusal {
        ruling: Ruling { decision: AuditDecision::Block, ..Ruling::allow() },
        status: 404,
        response: Digest::of(b""),
    };
    let mut signed = 0;
    for at in 0..10 {
        let mut log =
            bench.recorder.begin(&bench.recorder.ruleset(), "10.0.0.1", "GET", &format!("/{at}"));
        let committed = log.preflight(refusal.clone()).wait().expect("answered");
        signed += usize::from(committed.receipt().is_some());
    }
    assert_eq!(signed, 2);
    bench.recorder.close().expect("closed");
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    assert_eq!(found.audits.len(), 3);
    let counted = found.audits[2].meta("_aggregate").expect("the aggregate");
    assert_eq!(counted.get("count").and_then(Value::as_i64), Some(8));
    assert!(!String::from_utf8_lossy(&found.lines[2]).contains("10.0.0.1"));
}

#[test]
fn many_heads_and_long_names_stay_within_a_header() {
    let (store, bench) = bench(Profile::Full);
    let calls: Vec<ToolCall> = (0..9).map(|n| call(&format!("call_{n}"), ARGUMENTS)).collect();
    let mut log = bench.admit("billing", FIRST);
    for call in &calls {
        log.proposed(Proposal::of(call, Scanned::clean(), Ruling::allow()));
    }
    let long = "ü\n".repeat(500);
    let ended = Outcome { model: long.clone(), upstream: long, ..outcome("", &calls) };
    let committed = log.complete(ended).wait().expect("durable");
    let jws = committed.receipt().expect("a decision receipt");
    assert!(jws.len() <= 2_048, "{}", jws.len());
    let decision = read_signed(jws).expect("strict").decision;
    assert!(decision.heads.is_empty() && decision.heads_digest.is_some());
    Evidence::of(&store, &bench.state).check(&bench.state);
}

#[test]
fn one_message_said_twice_is_one_receipt() {
    let (store, bench) = bench(Profile::Full);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"yes"},{"role":"user","content":"yes"}]}"#;
    let (id, _) = bench.turn("billing", body, "ok", &[]);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    assert_eq!(found.step(Operation::UserInput, &id).len(), 1);
}

#[test]
fn a_long_unknown_history_is_cited_within_the_limit() {
    let (store, bench) = bench(Profile::Full);
    let message = |at| format!(r#"{{"role":"user","content":"{at}"}}"#);
    let all: Vec<String> = (0..300).map(message).collect();
    let body = format!(r#"{{"model":"m","messages":[{}]}}"#, all.join(","));
    let (id, _) = bench.turn("billing", &body, "ok", &[]);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    let scan = &found.scan("input", &id).receipt;
    assert_eq!(scan.parents.len(), 256);
    let omitted = scan.extension_value("x_countersign_parents_omitted");
    assert_eq!(omitted.and_then(Value::as_i64), Some(44));
}

#[test]
fn many_indicators_and_long_names_fit_into_the_header() {
    let (store, bench) = bench(Profile::Full);
    let source = |n: usize| {
        let issuer = format!("{n}{}", "\u{1f600}\"\\".repeat(40));
        Source::of_feed(&issuer, Digest::of(n.to_string().as_bytes()))
    };
    let name = "\u{1f600}".repeat(100);
    for count in [1, 2, 3, 100] {
        let scan = Scanned {
            verdict: Verdict::Malicious,
            rules: vec!["feed:x".to_owned()],
            sources: (0..count).map(source).collect(),
        };
        let (mut log, mut input) = bench.log("billing", FIRST);
        input.scan = scan.clone();
        let forward =
            Forward { body: Digest::of(b""), upstream: name.clone(), model: name.clone() };
        drop(log.admitted(input, Ruling::allow(), forward));
        for call in 0..3 {
            log.proposed(Proposal {
                call_id: call.to_string(),
                tool: name.clone(),
                arguments: Digest::of(b"{}"),
                scan: scan.clone(),
                ruling: Ruling::allow(),
            });
        }
        let outcome = Outcome {
            upstream: name.clone(),
            model: name.clone(),
            scan: scan.clone(),
            ..outcome("so", &[])
        };
        let committed = log.complete(outcome).wait().expect("durable");
        let receipt = committed.receipt().expect("a receipt");
        assert!(receipt.len() <= record::decision::LIMIT, "{}", receipt.len());
        let signed = read_signed(receipt).expect("a decision");
        let listed = source::sorted(&scan.sources);
        assert_eq!(signed.decision.sources_bound(), Some(source::digest(&listed)));
        assert_eq!(listed.len(), count.min(source::SOURCES));
    }
    Evidence::of(&store, &bench.state).check(&bench.state);
}

#[test]
fn what_no_request_is_spoken_of_names_the_ruleset_in_force() {
    let (store, bench) = bench(Profile::Full);
    let begun = bench.recorder.ruleset();
    let kept = bench.recorder.keep_ruleset("[]".to_owned(), r#"{"rules":[1]}"#.to_owned());
    let kept = futures_now(kept).expect("durable");
    assert_eq!(bench.recorder.ruleset(), begun, "stored is not in force");
    let mut before = bench.recorder.begin(&begun, "peer", "GET", "/v1/models");
    bench.recorder.enforce(&kept);
    assert_eq!(bench.recorder.ruleset_digest(), kept.digest());
    drop(before.served(200, Digest::of(b"")));
    let again =
        futures_now(bench.recorder.keep_ruleset("[]".to_owned(), r#"{"rules":[1]}"#.to_owned()));
    assert_eq!(again.expect("it is there"), kept);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    assert_eq!(found.bodies["ruleset"].len(), 3, "each once, and once the rules they share");
    let named = found.audits.last().and_then(|audit| audit.meta_text("_ruleset"));
    assert_eq!(named, Some(begun.digest().text().as_str()), "as it began");
}

/// A store in memory settles at once.
fn futures_now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it is not settled"),
    }
}
