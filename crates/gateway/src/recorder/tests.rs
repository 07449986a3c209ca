//! Whole conversations against a ledger in memory, judged by the verifiers of the floors below.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chat::event::ToolCall;
use chat::exchange::Exchange;
use ledger::store::memory::MemoryStore;
use ledger::store::{Item, Source, Store};
use ledger::{Kind, Ledger};
use record::dag::{ChainOptions, ChainSource, Graph, verify_chain};
use record::decision::{Decision, read_signed};
use record::entry::{AuditDecision, AuditEntry, Owner, OwnerType, read_line, verify_lines};
use record::receipt::{Operation, SignedReceipt, Verdict, read};
use record::report::Report;
use seal::digest::Digest;
use seal::json::{Limits, Value};
use seal::time::UnixMillis;

use super::*;

/// Advances by a second whenever it is asked.
struct Ticking(AtomicU64);

impl ledger::Clock for Ticking {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

struct Bench {
    state: State,
    recorder: Recorder,
}

fn setup(profile: Profile) -> Setup {
    Setup {
        config: Value::object([("routes", Value::array(["chat"]))]),
        ruleset: r#"{"rules":[]}"#.to_owned(),
        profile,
        agent: crate::state::AGENT.parse().expect("an agent id"),
        refusals_per_minute: 2,
    }
}

fn bench_on(store: Arc<dyn Store>, profile: Profile, seed: u8) -> Bench {
    let clock = Arc::new(Ticking(AtomicU64::new(1_700_000_000_000)));
    let state = State::seeded(store, clock);
    let recorder =
        Recorder::start_seeded(&state, setup(profile), [seed; 32]).expect("the ledger opens");
    Bench { state, recorder }
}

fn bench(profile: Profile) -> (Arc<MemoryStore>, Bench) {
    let store = Arc::new(MemoryStore::new());
    (store.clone(), bench_on(store, profile, 0))
}

fn agent(id: &str) -> Owner {
    Owner::new(OwnerType::Agent, id)
}

impl Bench {
    fn log(&self, owner: &str, body: &str) -> (RequestLog, Input) {
        let mut log = self.recorder.begin("127.0.0.1", "POST", "/v1/chat/completions");
        log.body(body.as_bytes());
        let owner = agent(owner);
        let approval_chain = owner.approval_chain();
        log.caller(Caller { owner, how: "asserted".to_owned(), approval_chain });
        let exchange = Exchange::parse(body.as_bytes(), Limits::REQUEST).expect("a request");
        let input = Input {
            conversation: Conversation::of(&exchange),
            scan: Scanned::clean(),
            facts: Value::object([("classification", Value::from("public"))]),
        };
        (log, input)
    }

    fn admit(&self, owner: &str, body: &str) -> RequestLog {
        let (mut log, input) = self.log(owner, body);
        let forward = Forward {
            body: Digest::of(body.as_bytes()),
            upstream: "simulator".to_owned(),
            model: "m".to_owned(),
        };
        let committed = log.admitted(input, Ruling::allow(), forward).wait().expect("durable");
        assert_eq!(committed.receipt(), None);
        log
    }

    /// One whole turn; answers with the request id and the decision receipt.
    fn turn(&self, owner: &str, body: &str, text: &str, calls: &[ToolCall]) -> (String, String) {
        let mut log = self.admit(owner, body);
        for call in calls {
            log.proposed(Proposal::of(call, Scanned::clean(), Ruling::allow()));
        }
        let committed = log.complete(outcome(text, calls)).wait().expect("durable");
        let jws = committed.receipt().expect("a decision receipt").to_owned();
        (log.id().to_owned(), jws)
    }
}

fn outcome(text: &str, calls: &[ToolCall]) -> Outcome {
    Outcome {
        ruling: Ruling::allow(),
        status: 200,
        upstream: "simulator".to_owned(),
        model: "m-2026".to_owned(),
        output: Digest::of(format!("upstream {text}").as_bytes()),
        scan: Scanned::clean(),
        response: Digest::of(text.as_bytes()),
        answers: vec![Answered::of(text, calls)],
        usage: Some((3, 4, 7)),
        facts: None,
    }
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "send_email".to_owned(),
        arguments: arguments.to_owned(),
        ..ToolCall::default()
    }
}

const ARGUMENTS: &str = r#"{"to":"a@example.org"}"#;
const SECRET_TEXT: &str = "please write to Ada about the purple elephant";
const FIRST: &str = r#"{"model":"m","messages":[{"role":"user","content":"please write to Ada about the purple elephant"}]}"#;

/// The second turn of a tool conversation.
fn second(arguments: &str, result: &str, more: &str) -> String {
    let quoted = |text: &str| seal::json::write_plain(&text.into());
    format!(
        r#"{{"model":"m","messages":[{{"role":"system","content":"be kind"}},{{"role":"user","content":{}}},{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_1","type":"function","function":{{"name":"send_email","arguments":{}}}}}]}},{{"role":"tool","tool_call_id":"call_1","content":{}}}{more}]}}"#,
        quoted(SECRET_TEXT),
        quoted(arguments),
        quoted(result),
    )
}

/// Everything in a ledger, by kind.
#[derive(Default)]
struct Evidence {
    kinds: Vec<Kind>,
    receipts: Vec<SignedReceipt>,
    lines: Vec<Vec<u8>>,
    audits: Vec<AuditEntry>,
    decisions: Vec<Decision>,
    bodies: BTreeMap<&'static str, Vec<Vec<u8>>>,
}

impl Evidence {
    fn of(store: &MemoryStore, state: &State) -> Evidence {
        let copy = Arc::new(MemoryStore::of(store.snapshot()));
        let options = ledger::Options::new(
            state.origin(),
            state.log_signer(),
            "reader",
            Arc::new(Ticking(AtomicU64::new(2_000_000_000_000))),
        );
        let mut found = Evidence::default();
        Ledger::open(copy, options, &mut |_, leaf, body| {
            let text = std::str::from_utf8(body).expect("text");
            found.kinds.push(leaf.kind);
            found.bodies.entry(leaf.kind.as_str()).or_default().push(body.to_vec());
            match leaf.kind {
                Kind::Receipt => {
                    let signed = read(text).expect("a strict receipt");
                    assert_eq!(leaf.id, signed.hash.to_string());
                    found.receipts.push(signed);
                }
                Kind::Audit => {
                    let line = read_line(body).expect("a canonical line");
                    assert_eq!(leaf.id, line.entry.entry_id);
                    found.lines.push(body.to_vec());
                    found.audits.push(line.entry);
                }
                Kind::Decision => {
                    let signed = read_signed(text).expect("a strict decision");
                    assert!(signed.verify(state.decision_signer().public()));
                    assert_eq!(leaf.id, signed.hash.to_string());
                    found.decisions.push(signed.decision);
                }
                _ => {}
            }
        })
        .expect("an undamaged ledger");
        found
    }

    /// Whatever happened: the DAG and the chain verify without a finding, every decision cites an
    /// audit entry, and no text of the conversation is anywhere.
    fn check(self, state: &State) -> Evidence {
        let mut report = Report::new("test");
        let trust = state.trust();
        let mut source = Receipts(&self.receipts);
        if !self.receipts.is_empty() {
            let summary = verify_chain(&mut source, &trust, ChainOptions::default(), &mut report);
            assert_eq!(summary.signed, self.receipts.len() as u64);
        }
        let mut log = self.lines.join(&b"\n"[..]);
        log.push(b'\n');
        if !self.lines.is_empty() {
            verify_lines(&log, Some(&trust.keyring()), &mut report);
        }
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        for decision in &self.decisions {
            let cited = self.audits.iter().find(|a| a.entry_id == decision.audit_entry_id);
            let request = cited.and_then(|audit| audit.meta_text("_request"));
            assert_eq!(request, Some(decision.request_id.as_str()));
            assert_eq!(decision.log_origin, state.origin());
        }
        for body in self.bodies.values().flatten() {
            let text = String::from_utf8_lossy(body);
            assert!(!text.contains("elephant") && !text.contains("example.org"), "{text}");
        }
        self
    }

    fn step(&self, operation: Operation, request: &str) -> Vec<&SignedReceipt> {
        let of = |signed: &&SignedReceipt| {
            let id = signed.receipt.extension_value("x_countersign_request");
            signed.receipt.operation == operation && id.and_then(Value::as_str) == Some(request)
        };
        self.receipts.iter().filter(of).collect()
    }

    fn scan(&self, target: &str, request: &str) -> &SignedReceipt {
        let tag = format!("guardrail-scan:{target}");
        let own = |signed: &&SignedReceipt| {
            // Scans of the answer inherit the input's tag; their parent tells them apart.
            let parents = &signed.receipt.parents;
            let of_answer =
                self.step(Operation::ModelCall, request).iter().any(|c| parents.contains(&c.hash));
            signed.receipt.taint.contains(&tag) && of_answer == (target != "input")
        };
        let scans = self.step(Operation::GuardrailScan, request);
        scans.into_iter().find(own).expect("the scan")
    }

    fn outcomes(&self) -> Vec<(&str, &str)> {
        let named = |audit: &'_ AuditEntry| audit.meta_text("_outcome").is_some();
        let told = self.audits.iter().filter(|audit| named(audit));
        told.map(|a| (a.check_name.as_str(), a.meta_text("_outcome").unwrap_or(""))).collect()
    }
}

struct Receipts<'a>(&'a [SignedReceipt]);

impl ChainSource for Receipts<'_> {
    fn for_each(&mut self, f: &mut dyn FnMut(&str, Option<&str>, &str)) {
        for (at, signed) in self.0.iter().enumerate() {
            f(&format!("entry {at}"), Some(&signed.hash.to_string()), &signed.jws);
        }
    }
}

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
fn a_restart_continues_chain_and_lineage_and_closes_orphans() {
    let store = Arc::new(MemoryStore::new());
    let bench = bench_on(store.clone(), Profile::Full, 1);
    bench.turn("billing", FIRST, "", &[call("call_1", ARGUMENTS)]);
    // What a crash leaves: neither outcome nor disconnect.
    let orphan = bench.admit("billing", FIRST);
    let id = orphan.id().to_owned();
    std::mem::forget(orphan);

    let survived = Arc::new(MemoryStore::of(store.snapshot()));
    let again = bench_on(survived.clone(), Profile::Full, 2);
    let (next, _) = again.turn("billing", &second(ARGUMENTS, "sent", ""), "done", &[]);
    let found = Evidence::of(&survived, &again.state).check(&again.state);
    assert_eq!(found.step(Operation::ToolCall, &next).len(), 1, "lineage survives");
    assert!(found.step(Operation::UserInput, &next).is_empty());
    assert_eq!(found.bodies["config"].len(), 1);
    assert_eq!(found.bodies["ruleset"].len(), 1);
    let closed: Vec<_> = found.decisions.iter().filter(|d| d.request_id == id).collect();
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].decision.as_str(), closed[0].response_digest), ("interrupted", None));
    assert_eq!(closed[0].request_digest, Digest::of(FIRST.as_bytes()));
    assert!(found.outcomes().contains(&("pipeline.interrupted", "interrupted")));

    let third = bench_on(Arc::new(MemoryStore::of(survived.snapshot())), Profile::Full, 3);
    let size = third.recorder.ledger().size();
    assert_eq!(size, found.kinds.len() as u64, "nothing is left to close");
}

#[test]
fn a_dropped_log_is_a_disconnect() {
    let (store, bench) = bench(Profile::Full);
    drop(bench.admit("billing", FIRST));
    drop(bench.log("billing", FIRST).0);
    let found = Evidence::of(&store, &bench.state).check(&bench.state);
    let expected = [("pipeline.complete", "disconnected"), ("pipeline.preflight", "refused")];
    assert_eq!(found.outcomes(), expected);
    assert_eq!(found.decisions[0].decision, "interrupted");
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
    input.scan = Scanned { verdict: Verdict::Malicious, rules: vec!["cs.inj.001".to_owned()] };
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
    let mut log = bench.recorder.begin("peer", "GET", "/v1/models");
    log.served(200, response).wait().expect("durable");
    let mut log = bench.recorder.begin("peer", "GET", "/secret-token");
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
        let mut log = bench.recorder.begin("10.0.0.1", "GET", &format!("/{at}"));
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

/// A store with a real disk's manners (callers wait for a thread) that can be full.
struct Filling {
    inner: MemoryStore,
    full: AtomicBool,
}

impl Source for Filling {
    fn list(&self) -> io::Result<Vec<Item>> {
        self.inner.list()
    }
    fn len(&self, name: &str) -> io::Result<u64> {
        self.inner.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(name, offset, buffer)
    }
}

impl Store for Filling {
    fn create(&self, name: &str) -> io::Result<()> {
        self.inner.create(name)
    }
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.inner.append(name, at, bytes),
        }
    }
    fn sync(&self, name: &str) -> io::Result<()> {
        self.inner.sync(name)
    }
    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.inner.truncate(name, length)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.inner.sync_dir(name)
    }
    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        self.inner.set_aside(name, bytes)
    }
}

#[test]
fn a_full_disk_refuses_and_the_chain_goes_on_where_it_was() {
    let store = Arc::new(Filling { inner: MemoryStore::new(), full: AtomicBool::new(false) });
    let bench = bench_on(store.clone(), Profile::Full, 0);
    bench.turn("billing", FIRST, "", &[call("call_1", ARGUMENTS)]);
    store.full.store(true, Ordering::SeqCst);
    let (mut log, input) = bench.log("billing", FIRST);
    let forward =
        Forward { body: Digest::of(b""), upstream: "simulator".to_owned(), model: "m".to_owned() };
    let refused = log.admitted(input, Ruling::allow(), forward).wait();
    assert!(matches!(refused, Err(RecordError::Append(_))), "{refused:?}");
    assert!(bench.recorder.ready(), "there may be room again");
    std::mem::forget(log);
    store.full.store(false, Ordering::SeqCst);
    bench.turn("billing", &second(ARGUMENTS, "sent", ""), "done", &[]);
    bench.recorder.close().expect("closed");
    let found = Evidence::of(&store.inner, &bench.state).check(&bench.state);
    assert_eq!(found.decisions.len(), 2);
}

#[test]
fn concurrent_requests_keep_chain_and_graph_whole() {
    let store = Arc::new(Filling { inner: MemoryStore::new(), full: AtomicBool::new(false) });
    let bench = bench_on(store.clone(), Profile::Full, 0);
    let ids = Mutex::new(std::collections::HashSet::new());
    std::thread::scope(|scope| {
        for owner in 0..8 {
            let (bench, ids) = (&bench, &ids);
            scope.spawn(move || {
                for _ in 0..10 {
                    let owner = format!("a{owner}");
                    let calls = [call("call_1", ARGUMENTS)];
                    let (one, _) = bench.turn(&owner, FIRST, "", &calls);
                    let (two, _) = bench.turn(&owner, &second(ARGUMENTS, "sent", ""), "done", &[]);
                    lock(ids).extend([one, two]);
                }
            });
        }
    });
    bench.recorder.close().expect("closed");
    let found = Evidence::of(&store.inner, &bench.state).check(&bench.state);
    assert_eq!(lock(&ids).len(), 160);
    assert_eq!(found.decisions.len(), 160);
    assert!(found.audits.is_sorted_by_key(|audit| audit.ts_ns));
}
