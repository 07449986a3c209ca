//! Recording into a chain file: what is refused, what a crash leaves, who may write.

use std::fs;
use std::path::Path;

use countersign::logger::{OpenError, RecordError};
use countersign::{
    AgentIdentity, Digest, ExitClass, ProvenanceLogger, Scanner, TaintSet, Tracer, Value, Verifier,
};

fn agent() -> AgentIdentity {
    AgentIdentity::generate("agent:tester")
        .expect("a good name")
        .allowed_models(["m1"])
        .allowed_tools(["mail", "redactor"])
        .sanitisation_authority(["rag:kb"])
        .issue()
        .expect("good terms")
}

fn verify(agent: &AgentIdentity, chain: &Path) -> countersign::Report {
    Verifier::new()
        .trust(agent.trust())
        .statements([agent.statement().clone()])
        .verify(chain)
        .expect("the chain can be read")
}

#[test]
fn all_eight_operations_verify_under_the_statement() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let chain = dir.path().join("chain.jsonl");
    let agent = agent();
    let mut log = ProvenanceLogger::to_file(&agent, &chain).expect("a new chain");
    let record = |log: &mut ProvenanceLogger| -> Result<Digest, RecordError> {
        let asked = log.record_user_input("what do we know of Dana?")?;
        let scan = Scanner::builtin().scan("what do we know of Dana?");
        let scanned = log.record_guardrail_scan(&[asked], "what do we know of Dana?", &scan)?;
        let chunks = Value::array(["Dana pays late"]);
        let found = log.record_retrieval(&[scanned], "kb", "Dana", &chunks, false)?;
        assert!(log.taint(&found).is_some_and(|taint| taint.contains("rag:kb")));
        let removed = TaintSet::of(["rag:kb"]);
        let clean =
            log.record_sanitisation(&[found], "redactor", &removed, "Dana pays late", "D. pays")?;
        assert!(log.taint(&clean).is_some_and(|taint| !taint.contains("rag:kb")));
        let answered = log.record_model_call(&[scanned, clean], "m1", "in", "out")?;
        let sent = log.record_tool_call(
            &[answered],
            "mail",
            &Value::object([("to", "dana".into())]),
            &Value::Null,
        )?;
        let merged = log.record_merge(&[sent, answered], &Value::Bool(true))?;
        let other = "agent:other".parse().expect("a good name");
        log.record_agent_handoff(&[merged], &other, &Value::object([("note", "done".into())]))
    };
    let last = record(&mut log).expect("everything is allowed");
    drop(log);

    let report = verify(&agent, &chain);
    assert!(report.ok(), "{}", report.to_table());
    let trace = Tracer::over_chain(&chain)
        .trust(agent.trust())
        .trace(&last.to_string())
        .expect("the receipt is there");
    assert!(trace.report.ok(), "{}", trace.report.to_table());
    assert_eq!(trace.rows.len(), 8);
    let explained = trace.explain();
    for part in ["The model m1", "redactor cleared rag:kb", "said CLEAN", "No. 8 steps"] {
        assert!(explained.contains(part), "no {part:?} in\n{explained}");
    }
}

#[test]
fn what_the_statement_does_not_allow_is_refused_before_it_is_written() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let chain = dir.path().join("chain.jsonl");
    let mut log = ProvenanceLogger::to_file(&agent(), &chain).expect("a new chain");
    let asked = log.record_user_input("hello").expect("a root");
    let before = fs::read(&chain).expect("the chain is there");
    let stranger = Digest::of(b"nobody");
    let tags = TaintSet::of(["external_user"]);
    let refusals = [
        log.record_model_call(&[asked], "m2", "in", "out"),
        log.record_tool_call(&[asked], "shell", &Value::Null, &Value::Null),
        log.record_sanitisation(&[asked], "redactor", &tags, "in", "out"),
        log.record_model_call(&[stranger], "m1", "in", "out"),
        log.record_model_call(&[], "m1", "in", "out"),
        log.record_merge(&[asked, asked], &Value::Null),
        log.record_tool_call(&[asked], "mail", &Value::Float(1.5), &Value::Null),
    ];
    let names = refusals.map(|refusal| match refusal {
        Ok(hash) => format!("recorded {hash}"),
        Err(RecordError::ModelNotAllowed { .. }) => "model".to_owned(),
        Err(RecordError::ToolNotAllowed { .. }) => "tool".to_owned(),
        Err(RecordError::TagNotAllowed { .. }) => "tag".to_owned(),
        Err(RecordError::UnknownParent(_)) => "parent".to_owned(),
        Err(RecordError::Parents { .. }) => "parents".to_owned(),
        Err(RecordError::Value(_)) => "value".to_owned(),
        Err(other) => other.to_string(),
    });
    assert_eq!(names, ["model", "tool", "tag", "parent", "parents", "parents", "value"]);
    assert_eq!(before, fs::read(&chain).expect("the chain is there"));
}

#[test]
fn the_same_words_said_twice_are_two_events() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let chain = dir.path().join("chain.jsonl");
    let agent = agent();
    let mut log = ProvenanceLogger::to_file(&agent, &chain).expect("a new chain");
    let first = log.record_user_input("again").expect("a root");
    let second = log.record_user_input("again").expect("a root");
    assert_ne!(first, second);
    assert!(verify(&agent, &chain).ok());
}

#[test]
fn a_torn_line_is_set_aside_and_the_chain_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let chain = dir.path().join("chain.jsonl");
    let agent = agent();
    let mut log = ProvenanceLogger::to_file(&agent, &chain).expect("a new chain");
    let asked = log.record_user_input("one").expect("a root");
    log.record_user_input("two").expect("a root");
    drop(log);
    let whole = fs::read(&chain).expect("the chain is there");
    let cut = whole.len() - 40;
    fs::write(&chain, &whole[..cut]).expect("a torn chain");
    assert_eq!(verify(&agent, &chain).exit_class(), ExitClass::Malformed);

    let mut log = ProvenanceLogger::to_file(&agent, &chain).expect("the torn chain opens");
    log.record_model_call(&[asked], "m1", "in", "out").expect("the first receipt is known");
    drop(log);
    assert!(verify(&agent, &chain).ok());
    let aside: Vec<_> = fs::read_dir(dir.path())
        .expect("the directory")
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().contains(".torn-"))
        .collect();
    let [kept] = aside.as_slice() else { panic!("{aside:?}") };
    let second_line = whole.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    assert_eq!(fs::read(kept.path()).expect("kept"), &whole[second_line..cut]);
}

#[test]
fn a_damaged_chain_is_not_written_to() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let chain = dir.path().join("chain.jsonl");
    let agent = agent();
    let mut log = ProvenanceLogger::to_file(&agent, &chain).expect("a new chain");
    log.record_user_input("one").expect("a root");
    drop(log);
    let text = fs::read_to_string(&chain).expect("the chain is there");
    let other = text.replacen("sha256:", "sha256:0", 1).replacen("\", \"jws", "\",\"jws", 1);
    fs::write(&chain, other).expect("a damaged chain");
    match ProvenanceLogger::to_file(&agent, &chain) {
        Err(OpenError::Damaged { place, .. }) => assert_eq!(place, "line 1"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_chain_has_one_writer() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let chain = dir.path().join("chain.jsonl");
    let log = ProvenanceLogger::to_file(&agent(), &chain).expect("a new chain");
    match ProvenanceLogger::to_file(&agent(), &chain) {
        Err(OpenError::InUse { .. }) => {}
        other => panic!("{other:?}"),
    }
    drop(log);
    ProvenanceLogger::to_file(&agent(), &chain).expect("the first one is gone");
}

#[test]
fn identities_are_saved_once_and_load_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let prefix = dir.path().join("tester");
    let agent = agent();
    let saved = agent.save(&prefix).expect("a new identity");
    assert!(agent.save(&prefix).is_err(), "nothing is overwritten");
    let loaded = AgentIdentity::load(&saved.private_key, &saved.statement, None)
        .expect("what was saved loads");
    assert_eq!(loaded.statement(), agent.statement());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&saved.private_key).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let forged = fs::read_to_string(&saved.statement).expect("text").replace("m1", "m2");
    fs::write(&saved.statement, forged).expect("a forged statement");
    assert!(AgentIdentity::load(&saved.private_key, &saved.statement, None).is_err());
}
