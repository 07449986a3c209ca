//! What is expected of evidence is always held against it, and odd files keep nobody waiting.

use std::fs;
use std::path::Path;

use countersign::trustfile::TrustFile;
use countersign::{AgentIdentity, Digest, ExitClass, ProvenanceLogger, Tracer, Verifier};
use record::report::{Code, Report};

fn agent() -> AgentIdentity {
    AgentIdentity::generate("agent:tester").expect("a good name").issue().expect("good terms")
}

fn judged(verifier: Verifier, path: &Path) -> Report {
    verifier.verify(path).expect("readable")
}

#[test]
fn expectations_hold_for_every_kind_of_evidence() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let agent = agent();
    let mut log = ProvenanceLogger::to_ledger(&agent, dir.path()).expect("the ledger opens");
    let head = log.record_user_input("hello").expect("recorded");
    drop(log);
    let chain = dir.path().join("chain.jsonl");
    let mut log = ProvenanceLogger::to_file(&agent, &chain).expect("the chain opens");
    let first = log.record_user_input("hello").expect("recorded");
    drop(log);
    let line = fs::read_to_string(&chain).expect("a chain");
    let jws = line.split('"').find(|part| part.matches('.').count() == 2).expect("a receipt");
    let token = dir.path().join("receipt.jws");
    fs::write(&token, jws).expect("written");
    let ledger = dir.path().join(".countersign").join("ledger");
    for (path, head) in [(&ledger, head), (&chain, first), (&token, first)] {
        let with = |head, count| {
            let verifier = Verifier::new().trust(agent.trust());
            judged(verifier.expect_head(head).expect_count(count), path)
        };
        let met = with(Some(head), Some(1));
        assert!(!met.has(Code::ChainTruncated), "{}", met.to_table());
        for unmet in [with(Some(Digest::of(b"another")), None), with(None, Some(2))] {
            assert!(unmet.has(Code::ChainTruncated), "{}", unmet.to_table());
            assert_eq!(unmet.exit_class(), ExitClass::Tampered, "{}", unmet.to_table());
        }
    }
}

#[test]
fn nothing_hides_behind_a_token() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("token");
    fs::write(&path, format!("a.b.c{}garbage", " ".repeat(80 << 10))).expect("written");
    let report = judged(Verifier::new(), &path);
    assert!(report.has(Code::FileLimit), "{}", report.to_table());
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_keep_nobody_waiting() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    assert!(TrustFile::read(&pipe, None).is_err());
    assert!(judged(Verifier::new(), &pipe).has(Code::FileSpecial));
    let trace = Tracer::over_chain(&pipe).trace("0123456789abcdef").expect("judged");
    assert!(trace.report.has(Code::FileSpecial), "{}", trace.to_table());
}
