//! Whole conversations against a ledger in memory, judged by the verifiers of the floors below.

mod clock;
mod conversations;
mod endings;
mod faults;
mod joined;
mod room;
mod unreadable;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat::event::ToolCall;
use chat::exchange::Exchange;
use ledger::store::Store;
use ledger::store::memory::MemoryStore;
use ledger::{Kind, Ledger};
use record::dag::{ChainOptions, ChainSource, verify_chain};
use record::decision::{Decision, read_signed};
use record::entry::{AuditEntry, Owner, OwnerType, read_line, verify_lines};
use record::receipt::{Operation, SignedReceipt, read};
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
        rules: "[]".to_owned(),
        ruleset: r#"{"rules":[]}"#.to_owned(),
        profile,
        agent: crate::state::AGENT.parse().expect("an agent id"),
        refusals_per_minute: 2,
        headroom_bytes: 0,
        storing: crate::config::Storing::default(),
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
        let mut log = self.recorder.begin(
            &self.recorder.ruleset(),
            "127.0.0.1",
            "POST",
            "/v1/chat/completions",
        );
        log.body(Digest::of(body.as_bytes()));
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
            let body = body.present().expect("a body");
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
    fn for_each(&mut self, f: &mut dyn FnMut(&[u8])) {
        for signed in self.0 {
            f(record::chainfile::write_line(signed).as_bytes());
        }
    }
}
