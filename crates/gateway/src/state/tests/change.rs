//! Replacing and revoking keys, with a crash behind each step.

use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use record::keychange::Reason;
use record::trust::{Purpose, TrustKey};
use seal::key::SecretKey;

use super::super::change::may_be_logged;
use super::*;

const SUPERSEDED: Cause = Cause { reason: Reason::Superseded, compromised_at: None };

fn root() -> SecretKey {
    SecretKey::from_seed([42; 32])
}

fn init() -> Init {
    Init { memory: false, clock: Arc::new(Fixed) }
}

/// A directory whose trust file has a root key.
fn rooted() -> Scratch {
    let scratch = Scratch::new();
    let state = scratch.open().expect("made");
    let mut trust = state.trust.clone();
    trust
        .add_key(TrustKey::public("root", Purpose::Root, root().public().clone()))
        .expect("another key");
    fs::write(state.trust_path(), trust.to_yaml()).expect("written");
    scratch
}

fn start(scratch: &Scratch) -> Result<Recorder, crate::recorder::StartError> {
    let setup = Setup {
        config: Value::object([("a", Value::from(1i64))]),
        rules: "[]".to_owned(),
        ruleset: "{}".to_owned(),
        profile: Profile::Full,
        agent: AGENT.parse().expect("an agent id"),
        refusals_per_minute: 10,
        headroom_bytes: 0,
        storing: crate::config::Storing::default(),
    };
    Recorder::start(&scratch.open().expect("opens"), setup)
}

fn change(scratch: &Scratch, purpose: Purpose, at: &dyn Fn(Step)) -> Result<Changed, ChangeError> {
    let target = Target { purpose, file: None };
    rotate(&scratch.0, init(), target, &root(), SUPERSEDED, at)
}

/// The key ids that a start uses, by purpose: of the files, and of the ledger.
fn in_use(scratch: &Scratch) -> [String; 3] {
    start(scratch).expect("a working pair").close().expect("closed");
    let state = scratch.open().expect("opens");
    let mut statements = Statements::default();
    let options = ledger::Options::new(state.origin(), state.log_signer(), WRITER, state.clock());
    let ledger = ledger::Ledger::open(state.store(), options, &mut |index, leaf, body| {
        statements.visit(index, leaf, body);
    })
    .expect("opens");
    let history = statements.history(&state);
    let keys = InForce::of(&state, &history).expect("in force");
    ledger.close().expect("closed");
    // After a start, the files are what the ledger says.
    assert_eq!(state.receipt_signer().key_id(), keys.receipts.key_id());
    assert_eq!(state.decision_signer().key_id(), keys.decisions.key_id());
    [keys.receipts.key_id().to_string(), keys.decisions.key_id().to_string(), keys.hmac.0]
}

#[test]
fn a_crash_behind_any_step_leaves_a_working_pair() {
    for purpose in [Purpose::Receipts, Purpose::Decisions, Purpose::Hmac] {
        for last in [Step::Made, Step::Logged, Step::Swapped] {
            let scratch = rooted();
            let before = in_use(&scratch);
            let crash = |step| assert!(step < last, "the process is gone");
            let died = catch_unwind(AssertUnwindSafe(|| change(&scratch, purpose, &crash)));
            assert!(died.is_err(), "{purpose} {last:?}");
            let after = in_use(&scratch);
            let at = match purpose {
                Purpose::Receipts => 0,
                Purpose::Decisions => 1,
                _ => 2,
            };
            for (n, (before, after)) in before.iter().zip(&after).enumerate() {
                let changed = before != after;
                assert_eq!(changed, n == at && last != Step::Made, "{purpose} {last:?} {n}");
            }
            // And it can be done again, whatever was left.
            let again = change(&scratch, purpose, &|_| ()).expect("rotated");
            assert_eq!(again.old, after[at]);
            assert_eq!(in_use(&scratch)[at], again.new.expect("a key").0);
        }
    }
}

#[test]
fn a_revoked_key_stops_the_start_until_it_is_replaced() {
    let scratch = rooted();
    start(&scratch).expect("started").close().expect("closed");
    let lost = Cause { reason: Reason::Compromised, compromised_at: Some(1_600_000_000) };
    let gone = revoke(&scratch.0, init(), "gateway", &root(), lost).expect("revoked");
    assert_eq!(gone.purpose, Purpose::Receipts);
    let error = start(&scratch).err().expect("refused").to_string();
    assert!(error.contains("was revoked at entry 3 of the ledger (compromised)"), "{error}");
    assert!(error.contains("countersign keys rotate receipts --root FILE"), "{error}");
    change(&scratch, Purpose::Receipts, &|_| ()).expect("rotated");
    start(&scratch).expect("started").close().expect("closed");
    // The same for the shared secret.
    revoke(&scratch.0, init(), "k1", &root(), SUPERSEDED).expect("revoked");
    let error = start(&scratch).err().expect("refused").to_string();
    assert!(error.contains("the hmac key k1 was revoked"), "{error}");
    change(&scratch, Purpose::Hmac, &|_| ()).expect("rotated");
    start(&scratch).expect("started").close().expect("closed");
}

#[test]
fn a_key_that_was_replaced_is_not_signed_with() {
    let scratch = rooted();
    let old = fs::read(scratch.key("decisions.pem")).expect("the key");
    let changed = change(&scratch, Purpose::Decisions, &|_| ()).expect("rotated");
    let kept = fs::read(changed.kept.expect("a copy")).expect("the old key");
    assert_eq!(kept, old);
    // Somebody puts a backup back.
    fs::write(scratch.key("decisions.pem"), &old).expect("written");
    let error = start(&scratch).err().expect("refused").to_string();
    assert!(error.contains("the decisions key is") && error.contains("is not there"), "{error}");
    // The new one is lost: the root key's word is enough for another.
    change(&scratch, Purpose::Decisions, &|_| ()).expect("rotated");
    start(&scratch).expect("started").close().expect("closed");
}

#[test]
fn a_secret_that_is_not_the_one_that_was_logged_is_refused() {
    let scratch = rooted();
    change(&scratch, Purpose::Hmac, &|_| ()).expect("rotated");
    fs::write(scratch.key("hmac-k2.hex"), format!("{}\n", "00".repeat(32))).expect("written");
    let error = start(&scratch).err().expect("refused").to_string();
    assert!(error.contains("the secret that its rotation names"), "{error}");
}

#[test]
fn a_key_of_another_file_is_replaced_there() {
    let scratch = rooted();
    let issuer = SecretKey::from_seed([43; 32]);
    let file = scratch.0.join("authority.pem");
    fs::write(&file, issuer.to_pem().as_bytes()).expect("written");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its owner's");
    let target = Target { purpose: Purpose::Capabilities, file: Some(&file) };
    let turn = || rotate(&scratch.0, init(), target, &root(), SUPERSEDED, &|_| ());
    let error = turn().expect_err("not trusted").to_string();
    assert!(error.contains("in the trust file"), "{error}");
    let path = scratch.0.join(TRUST);
    let mut trust = scratch.open().expect("opens").trust.clone();
    let public = issuer.public().clone();
    trust.add_key(TrustKey::public("issuer", Purpose::Capabilities, public)).expect("another key");
    fs::write(path, trust.to_yaml()).expect("written");
    let changed = turn().expect("rotated");
    let new = SecretKey::from_pem(&fs::read_to_string(&file).expect("the file")).expect("a key");
    assert_eq!(changed.new.expect("a key").0, new.public().key_id().to_string());
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn nothing_is_changed_without_the_root_key() {
    let scratch = rooted();
    let files = || {
        let mut names: Vec<_> = fs::read_dir(scratch.0.join(".countersign/keys"))
            .expect("the keys")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let before = files();
    for wrong in [[1; 32], [41; 32]] {
        let root = SecretKey::from_seed(wrong);
        let target = Target { purpose: Purpose::Receipts, file: None };
        let error = rotate(&scratch.0, init(), target, &root, SUPERSEDED, &|_| ());
        assert!(matches!(error, Err(ChangeError::Root { .. })), "{error:?}");
    }
    for purpose in [Purpose::Root, Purpose::Tsa] {
        let error = change(&scratch, purpose, &|_| ());
        assert!(matches!(error, Err(ChangeError::Purpose { .. })), "{error:?}");
    }
    // A statement that would not count is not written.
    let ahead = Cause { reason: Reason::Compromised, compromised_at: Some(1_800_000_000) };
    let error = revoke(&scratch.0, init(), "decisions", &root(), ahead);
    assert!(matches!(error, Err(ChangeError::Refused(_))), "{error:?}");
    assert_eq!(files(), before);
}

/// A sync that failed says nothing of what the disk has: the new private key must outlive it.
#[test]
fn a_key_whose_statement_may_be_logged_is_kept() {
    use ledger::{AppendError, Failure};
    use std::io::{Error, ErrorKind};
    let failed = || Arc::new(Failure::HeadMoved);
    for (error, kept) in [
        (AppendError::Failed(failed()), true),
        (AppendError::Stopped(failed()), true),
        (AppendError::Gone { in_doubt: true }, true),
        (AppendError::Gone { in_doubt: false }, false),
        (AppendError::Full(Arc::new(Error::from(ErrorKind::StorageFull))), false),
        (AppendError::Closed, false),
    ] {
        let shown = error.to_string();
        assert_eq!(may_be_logged(&ChangeError::Append(error)), kept, "{shown}");
    }
}

/// Where the configuration that shares it lies is no business of whoever replaces a key.
#[test]
fn whom_the_evidence_is_shared_with_reads_on() {
    let scratch = rooted();
    let group = rustix::process::getegid().as_raw().to_string();
    let shared = scratch.open().expect("opens").readable_by(Some(&group)).expect("shared");
    let (home, ledger) = (shared.home(), shared.ledger_dir());
    drop(shared);
    change(&scratch, Purpose::Receipts, &|_| ()).expect("rotated");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").mode() & 0o777;
    assert_eq!(mode(&home), 0o750);
    for file in ["head", "public/checkpoint", "journal/00000000000000000000.seg"] {
        assert_eq!(mode(&ledger.join(file)), 0o640, "{file}");
    }
    // The owner takes it back.
    drop(scratch.open().expect("opens").readable_by(None).expect("its owner's"));
    assert_eq!(mode(&home), 0o700);
}
