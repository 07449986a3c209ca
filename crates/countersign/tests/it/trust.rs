//! Which trust file counts: the search order and its exceptions.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign::trustfile::{FILE_NAME, TrustFile, TrustFileError};
use countersign::{AgentIdentity, ProvenanceLogger};
use seal::cosign::CosignerKey;
use seal::note::VerifierKey;
use seal::{SecretKey, Signer as _};

fn agent() -> AgentIdentity {
    AgentIdentity::generate("agent:tester").expect("a good name").issue().expect("good terms")
}

/// A directory with a trust file, and evidence in `evidence/` beside it.
fn scene() -> (tempfile::TempDir, AgentIdentity) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let agent = agent();
    fs::write(dir.path().join(FILE_NAME), agent.trust_yaml()).expect("written");
    let evidence = dir.path().join("evidence");
    fs::create_dir(&evidence).expect("made");
    let mut log = ProvenanceLogger::to_file(&agent, &evidence.join("chain.jsonl")).expect("new");
    log.record_user_input("hello").expect("recorded");
    (dir, agent)
}

fn found(beside: &Path, evidence: &Path) -> Option<String> {
    let (file, passed_over) = TrustFile::find(None, beside, evidence).expect("readable");
    match file {
        Some(file) if file.path.starts_with(beside) => None,
        _ => Some(passed_over.join("; ")),
    }
}

#[test]
fn a_file_beside_the_evidence_counts() {
    let (dir, _) = scene();
    assert_eq!(found(dir.path(), &dir.path().join("evidence")), None);
    assert_eq!(found(dir.path(), &dir.path().join("evidence/chain.jsonl")), None);
}

#[test]
fn a_file_that_came_with_the_evidence_does_not() {
    let (dir, _) = scene();
    let below = found(dir.path(), dir.path()).expect("passed over");
    assert!(below.contains("at or below the path under test"), "{below}");
    #[cfg(unix)]
    {
        // Through a link it is still the same place.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).expect("a link");
        assert!(found(&link, dir.path()).is_some());
        assert!(found(dir.path(), &link).is_some());
    }
}

#[test]
fn a_file_that_git_tracks_does_not_count_unless_named() {
    let (dir, _) = scene();
    let git = |args: &[&str]| {
        let done = Command::new("git").current_dir(dir.path()).args(args).output();
        assert!(done.expect("git runs").status.success(), "git {args:?}");
    };
    git(&["init", "--quiet"]);
    let evidence = dir.path().join("evidence");
    assert_eq!(found(dir.path(), &evidence), None, "untracked counts");
    git(&["add", FILE_NAME]);
    let tracked = found(dir.path(), &evidence).expect("passed over");
    assert!(tracked.contains("git tracks it"), "{tracked}");
    let named = dir.path().join(FILE_NAME);
    let (file, _) = TrustFile::find(Some(&named), dir.path(), &evidence).expect("readable");
    assert!(file.is_some(), "naming it is meaning it");
}

#[test]
fn keys_are_looked_up_beside_the_file_and_never_in_the_evidence() {
    let (dir, agent) = scene();
    let trust = |reference: &str| {
        let text = format!(
            "version: 1\nkeys:\n  - name: tester\n    purpose: receipts\n    key: \"{reference}\"\n"
        );
        fs::write(dir.path().join(FILE_NAME), text).expect("written");
        TrustFile::read(&dir.path().join(FILE_NAME), Some(&dir.path().join("evidence")))
    };
    fs::write(dir.path().join("tester.pem"), agent.public().to_pem()).expect("written");
    fs::write(dir.path().join("evidence/tester.pem"), agent.public().to_pem()).expect("written");
    assert_eq!(trust("file:tester.pem").expect("beside it").trust.keys().len(), 1);
    match trust("file:evidence/tester.pem") {
        Err(TrustFileError::Content { error, .. }) => {
            assert!(error.to_string().contains("at or below the path under test"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(trust("file:missing.pem").is_err());
}

#[test]
fn a_secret_that_cannot_be_read_leaves_the_rest_usable() {
    let (dir, agent) = scene();
    let text = agent
        .trust_yaml()
        .replace("logs:", "  - name: k1\n    purpose: hmac\n    key: \"file:hmac.hex\"\nlogs:");
    fs::write(dir.path().join(FILE_NAME), text).expect("written");
    let file = TrustFile::read(&dir.path().join(FILE_NAME), None).expect("readable");
    assert_eq!(file.trust.keys().len(), 2);
    assert_eq!(file.unreadable.len(), 1);
    assert!(file.keyring().is_empty());
}

#[test]
fn a_witness_policy_is_read_beside_the_file_and_never_from_the_evidence() {
    let (dir, _) = scene();
    let key = |n: u8| SecretKey::from_seed([n; 32]).public().clone();
    let log = VerifierKey::new("log.example", key(1)).expect("a good name");
    let witness = CosignerKey::new("witness.example", key(2)).expect("a good name");
    let policy = format!("log {log}\nwitness w {witness}\nquorum w\n");
    fs::write(dir.path().join("witnesses"), &policy).expect("written");
    fs::write(dir.path().join("evidence/witnesses"), &policy).expect("written");
    let path = dir.path().join("trust.yaml");
    let evidence = dir.path().join("evidence");
    let read = |reference: &str| {
        let text = format!("version: 1\nlogs:\n  - key: {log}\n    quorum: \"{reference}\"\n");
        fs::write(&path, text).expect("written");
        TrustFile::read(&path, Some(&evidence))
    };
    let file = read("file:witnesses").expect("read");
    let found = file.policy_of("log.example").expect("a policy");
    assert_eq!(found.witnesses()[0].key, witness);
    assert!(file.policy_of("other.example").is_none());
    for (reference, cause) in [
        ("file:evidence/witnesses", "lies at or below the path under test"),
        ("file:gone", "No such file"),
    ] {
        let error = read(reference).expect_err(reference).to_string();
        assert!(error.contains(cause) && error.contains("log.example"), "{error}");
    }
    fs::write(dir.path().join("witnesses"), policy.replace("quorum w\n", "")).expect("written");
    let error = read("file:witnesses").expect_err("no quorum").to_string();
    assert!(error.contains("there is no quorum line"), "{error}");
}
