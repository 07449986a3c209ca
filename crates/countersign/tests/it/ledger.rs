//! Recording into a ledger of the program's own, verifying it and tracing in it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use countersign::{
    AgentIdentity, Assurance, Digest, ExitClass, Level, ProvenanceLogger, Scanner, Tracer, Value,
    Verifier,
};
use crypt::Recipients;
use ledger::store::file::FileStore;
use ledger::{Entry, Kind, Ledger, Options, SystemClock};
use record::report::Code;
use record::trust::{LogKey, Quorum, Trust};
use seal::note::NoteSigner;
use seal::{SecretKey, Signer};

fn agent() -> AgentIdentity {
    AgentIdentity::generate("agent:tester").expect("a good name").issue().expect("good terms")
}

fn fill(agent: &AgentIdentity, dir: &Path, turns: usize) -> Digest {
    let mut log = ProvenanceLogger::to_ledger(agent, dir).expect("the ledger opens");
    let mut last = None;
    for turn in 0..turns {
        let text = format!("message {turn}");
        let asked = log.record_user_input(&text).expect("recorded");
        let scan = Scanner::builtin().scan(&text);
        let scanned = log.record_guardrail_scan(&[asked], &text, &scan).expect("recorded");
        let called = log.record_model_call(&[scanned], "m", &text, "answer").expect("recorded");
        let sent = log.record_tool_call(&[called], "mail", &Value::Null, &Value::Null);
        last = Some(sent.expect("recorded"));
    }
    last.expect("at least one turn")
}

/// Believes the agent and the log.
fn trust(agent: &AgentIdentity, dir: &Path) -> Trust {
    let pem = fs::read_to_string(dir.join(".countersign/keys/log.pem")).expect("the log's key");
    let key = SecretKey::from_pem(&pem).expect("a key");
    let origin = format!("countersign.local/{}", &key.public().fingerprint().hex()[..12]);
    let vkey = NoteSigner::new(&origin, &key).expect("a good name").vkey().clone();
    let mut trust = agent.trust();
    trust.add_log(LogKey { vkey, quorum: Quorum::None }).expect("another key");
    trust
}

#[test]
fn every_step_is_proven_under_the_checkpoint() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let agent = agent();
    let first = fill(&agent, dir.path(), 3);
    let last = fill(&agent, dir.path(), 20);
    let trust = trust(&agent, dir.path());
    let ledger = dir.path().join(".countersign").join("ledger");

    let report = Verifier::new().trust(trust.clone()).verify(&ledger).expect("readable");
    assert!(report.ok(), "{}", report.to_table());
    assert_eq!(report.assurance, Assurance::Signed);

    for what in [first, last] {
        let trace = Tracer::over_ledger(dir.path())
            .trust(trust.clone())
            .trace(&what.hex()[..16])
            .expect("the receipt is there");
        assert_eq!(trace.path(), "mail > model_call > guardrail_scan > user_input");
        assert_eq!(trace.report.assurance, Assurance::Signed, "{}", trace.to_table());
        for row in &trace.rows {
            let proof = row.proof.as_ref().expect("a proof for each step");
            assert!(proof.index < proof.size && !proof.proof.is_empty());
            assert_eq!(row.inclusion.holds, Some(true));
        }
    }
}

#[test]
fn trust_decides_what_is_believed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let agent = agent();
    let last = fill(&agent, dir.path(), 1);
    let check = |verifier: Verifier, class: ExitClass, code: Option<Code>, level: Assurance| {
        let report = verifier.verify(dir.path()).expect("readable");
        assert_eq!(report.exit_class(), class, "{}", report.to_table());
        assert!(code.is_none_or(|code| report.has(code)), "{}", report.to_table());
        assert_eq!(report.assurance, level, "{}", report.to_table());
    };
    let all = trust(&agent, dir.path());
    use Assurance::{Consistent, Signed};
    use ExitClass::{Ok, Untrusted};
    check(Verifier::new(), Untrusted, Some(Code::TrustNone), Consistent);
    check(Verifier::new().trust(agent.trust()), Untrusted, Some(Code::LedgerOrigin), Consistent);
    check(Verifier::new().trust(all.clone()), Ok, None, Signed);
    let mut quorum = agent.trust();
    let policy = Quorum::Policy("file:witnesses".to_owned());
    for log in all.logs() {
        let log = LogKey { vkey: log.vkey.clone(), quorum: policy.clone() };
        quorum.add_log(log).expect("another key");
    }
    check(Verifier::new().trust(quorum), Untrusted, Some(Code::TrustQuorum), Consistent);
    for level in [Level::Anchored, Level::Witnessed] {
        let verifier = Verifier::new().trust(all.clone()).require(level);
        check(verifier, Untrusted, Some(Code::TrustLevel), Signed);
    }
    let stranger = self::agent();
    let trace = Tracer::over_ledger(dir.path())
        .trust(stranger.trust())
        .trace(&last.to_string())
        .expect("the receipt is there");
    assert_eq!(trace.report.exit_class(), ExitClass::Untrusted);
    assert!(trace.explain().contains("It cannot be relied on"));
}

#[test]
fn what_is_not_there_is_said_so() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let agent = agent();
    fill(&agent, dir.path(), 1);
    let trust = trust(&agent, dir.path());
    let tracer = Tracer::over_ledger(dir.path()).trust(trust);
    for what in [
        &Digest::of(b"nothing").to_string(),
        "0123456789abcdef",
        "4eb79957-960e-425b-ac33-81617170ddb6",
    ] {
        let trace = tracer.trace(what).expect("a good id");
        assert_eq!(trace.report.exit_class(), ExitClass::Missing, "{what}");
    }
    for what in ["", "with space", "sha256:12", "a\u{1b}[31mb"] {
        assert!(tracer.trace(what).is_err(), "{what:?} is no id");
    }
}

#[test]
fn a_changed_byte_is_seen_by_the_trace_too() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let agent = agent();
    let last = fill(&agent, dir.path(), 2);
    let trust = trust(&agent, dir.path());
    let journal = dir.path().join(".countersign/ledger/journal/00000000000000000000.seg");
    let whole = fs::read(&journal).expect("the journal");
    for at in (40..whole.len()).step_by(whole.len() / 23) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs::write(&journal, &bytes).expect("written");
        let trace = Tracer::over_ledger(dir.path())
            .trust(trust.clone())
            .trace(&last.to_string())
            .expect("readable");
        assert!(!trace.report.ok(), "byte {at}: {}", trace.to_table());
        let report = Verifier::new().trust(trust.clone()).verify(dir.path()).expect("readable");
        assert!(!report.ok(), "byte {at}: {}", report.to_table());
        assert!(report.findings.iter().any(|finding| finding.place.contains("journal/")));
    }
}

/// It does not know for whom, and what others hand it meanwhile would lie in the clear, too.
#[test]
fn where_bodies_are_encrypted_no_program_becomes_the_sequencer() {
    let (dir, agent) = (tempfile::tempdir().expect("a temporary directory"), agent());
    fill(&agent, dir.path(), 1);
    let home = dir.path().join(".countersign");
    let pem = fs::read_to_string(home.join("keys/log.pem")).expect("the log's key");
    let key = SecretKey::from_pem(&pem).expect("a key");
    let origin = format!("countersign.local/{}", &key.public().fingerprint().hex()[..12]);
    let store = FileStore::open(home.join("ledger")).expect("the store");
    let mut options = Options::new(origin, Arc::new(key), "gateway", Arc::new(SystemClock));
    let reader = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    options.recipients = Some(Arc::new(Recipients::parse([reader]).expect("a key")));
    let ledger = Ledger::open(Arc::new(store), options, &mut |_, _, _| {}).expect("opened");
    let facts = Entry { kind: Kind::Facts, id: "facts".to_owned(), body: b"{}".to_vec() };
    ledger.append(vec![facts]).expect("appended");
    ledger.close().expect("closed");
    drop(ledger);
    let refused = ProvenanceLogger::to_ledger(&agent, dir.path()).expect_err("refused");
    assert!(refused.to_string().contains("bodies here are encrypted"), "{refused}");
}

/// The first is the sequencer; when it goes, the next one takes over.
#[test]
fn programs_beside_each_other_write_one_ledger() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let named = |name: &str| AgentIdentity::generate(name).expect("a name").issue().expect("terms");
    let agents = [named("agent:one"), named("agent:two"), named("agent:three")];
    let mut logs: Vec<ProvenanceLogger> = agents
        .iter()
        .map(|agent| ProvenanceLogger::to_ledger(agent, dir.path()).expect("a place"))
        .collect();
    let refused = ProvenanceLogger::to_ledger(&agents[0], dir.path());
    assert!(refused.is_err_and(|error| error.to_string().contains("in use")));
    let record = |logs: &mut Vec<ProvenanceLogger>, turn: usize| {
        for log in logs {
            let asked = log.record_user_input(&format!("turn {turn}")).expect("recorded");
            log.record_model_call(&[asked], "m", "question", "answer").expect("recorded");
        }
    };
    for turn in 0..5 {
        record(&mut logs, turn);
    }
    logs.remove(0);
    for turn in 5..10 {
        record(&mut logs, turn);
    }
    drop(logs);
    let mut trust = trust(&agents[0], dir.path());
    for agent in &agents[1..] {
        for key in agent.trust().keys() {
            trust.add_key(key.clone()).expect("another key");
        }
    }
    let ledger = dir.path().join(".countersign").join("ledger");
    let report = Verifier::new().trust(trust).verify(&ledger).expect("readable");
    assert!(report.ok(), "{}", report.to_table());
    assert_eq!(report.assurance, Assurance::Signed);
    assert!(report.to_table().contains("50"), "{}", report.to_table());
}
