//! Keys over time, with the built binary: made, replaced, revoked, and what `verify` says then.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use seal::json::{Limits, Value, parse};
use seal::time::{UnixMillis, parse_rfc3339};
use testkit::tsa_server::{OpensslTsa, TsaServer};

use crate::running::{Running, ask, countersign, said};

const LEDGER: &str = ".countersign/ledger";

/// A gateway's directory whose trust file has a root key; a few requests were answered.
struct Place {
    dir: tempfile::TempDir,
    trust: Vec<u8>,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        let place = Place { dir, trust: Vec::new() };
        place.serve(1);
        place.good(&["keys", "generate", "root", "-o", "root.pem"]);
        place.good(&[
            "trust",
            "add",
            "--name",
            "root",
            "--purpose",
            "root",
            "--key",
            "root.pub.pem",
        ]);
        let trust = fs::read(place.path().join("countersign.trust.yaml")).expect("a trust file");
        Place { trust, ..place }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the gateway, asks, stops it; the decision receipts it gave.
    fn serve(&self, requests: usize) -> Vec<String> {
        let product = Running::up(self.path(), &[], &[]);
        let receipts = (0..requests)
            .map(|n| {
                let answer =
                    product.chat(&ask(&format!("question {n}"), false)).expect("an answer");
                assert_eq!(answer.status, 200, "{answer:?}");
                answer.receipt().expect("a decision receipt").to_owned()
            })
            .collect();
        assert!(product.stop().success(), "a clean stop");
        receipts
    }

    #[track_caller]
    fn good(&self, args: &[&str]) -> String {
        let output = countersign(self.path(), args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    #[track_caller]
    fn refused(&self, args: &[&str], exit: i32, words: &str) {
        let output = countersign(self.path(), args);
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{args:?}: {}", said(&output));
    }

    /// Exit and report of `verify`.
    #[track_caller]
    fn verify(&self, args: &[&str]) -> (i32, Value) {
        let mut all = vec!["verify", "--format", "json"];
        all.extend(args);
        let output = countersign(self.path(), &all);
        let report =
            parse(&output.stdout, Limits::DOCUMENT).unwrap_or_else(|_| panic!("{}", said(&output)));
        (output.status.code().expect("an exit"), report)
    }

    #[track_caller]
    fn verifies(&self) -> Value {
        let (exit, report) = self.verify(&[LEDGER]);
        assert_eq!((exit, text(&report, "assurance")), (0, "signed"), "{report:?}");
        report
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        parse(self.good(args).as_bytes(), Limits::DOCUMENT).expect("JSON")
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_i64).unwrap_or_else(|| panic!("{name} in {value:?}"))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_default()
}

/// The errors of a report: code and place.
fn errors(report: &Value) -> Vec<(String, String)> {
    let errors = list(report, "findings").iter().filter(|f| text(f, "severity") == "error");
    errors.map(|f| (text(f, "code").to_owned(), text(f, "place").to_owned())).collect()
}

/// Places of the entries of a kind, from `ledger show`.
fn entries(place: &Place, kind: &str) -> Vec<i64> {
    let shown = place.good(&["ledger", "show", "--format", "json"]);
    let all = shown.lines().map(|line| parse(line.as_bytes(), Limits::DOCUMENT).expect("JSON"));
    (0..)
        .zip(all)
        .filter(|(_, entry)| text(entry, "kind") == kind)
        .map(|(index, _)| index)
        .collect()
}

fn rotate(place: &Place, purpose: &str, more: &[&str]) -> Value {
    let mut args = vec!["keys", "rotate", purpose, "--root", "root.pem", "--format", "json"];
    args.extend(more);
    place.json(&args)
}

#[test]
fn replaced_keys_verify_under_the_same_trust_file() {
    let place = Place::new();
    let before = place.serve(2);
    let receipts = rotate(&place, "receipts", &[]);
    let decisions = rotate(&place, "decisions", &["--reason", "retired"]);
    let hmac = rotate(&place, "hmac", &[]);
    assert_eq!((text(&hmac, "old_key_id"), text(&hmac, "new_key_id")), ("k1", "k2"));
    // The old private keys stay, for their owner alone.
    for kept in [&receipts, &decisions, &hmac] {
        let kept = place.path().join(text(kept, "kept"));
        let mode = fs::metadata(&kept).expect("it was kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", kept.display());
    }
    let after = place.serve(2);
    let trust = fs::read(place.path().join("countersign.trust.yaml")).expect("a trust file");
    assert_eq!(trust, place.trust, "the trust file was changed");

    let report = place.verifies();
    assert_eq!(errors(&report), []);
    let keys = list(&report, "keys");
    assert_eq!(keys.len(), 6, "{keys:?}");
    let new = keys
        .iter()
        .find(|key| text(key, "key_id") == text(&receipts, "new_key_id"))
        .expect("the new key");
    assert_eq!(number(new, "since"), number(&receipts, "index"));
    assert_eq!(text(new, "rotated_from"), text(&receipts, "old_key_id"));
    // Both epochs of the HMAC chain were checked: nothing is left unchecked.
    let said: Vec<&str> = list(&report, "findings").iter().map(|f| text(f, "code")).collect();
    assert!(!said.contains(&"CS-AUDIT-008"), "{said:?}");
    place.good(&["audit", "verify", LEDGER]);
    // Each epoch is a log of its own, for verifiers that know one key.
    for id in ["k1", "k2"] {
        let (log, key) =
            (format!("{id}.jsonl"), format!("{id}=file:.countersign/keys/hmac-{id}.hex"));
        place.good(&["audit", "export", "--key", id, "--out", &log]);
        place.good(&["audit", "verify", &log, "--hmac-key", &key]);
    }

    // Single tokens: the old one with and without the ledger, the new one only with it.
    fs::write(place.path().join("old.jws"), &before[0]).expect("written");
    fs::write(place.path().join("new.jws"), &after[0]).expect("written");
    assert_eq!(place.verify(&["old.jws"]).0, 0);
    let (exit, report) = place.verify(&["new.jws"]);
    assert_eq!((exit, errors(&report)[0].0.as_str()), (11, "CS-DECISION-004"), "{report:?}");
    for token in ["old.jws", "new.jws"] {
        let (exit, report) = place.verify(&[token, "--ledger", LEDGER]);
        assert_eq!(exit, 0, "{report:?}");
    }
    let (_, report) = place.verify(&["new.jws", "--ledger", LEDGER]);
    let story = format!(
        "signed by decisions key {} (decisions), in force since entry {}, rotated from {}",
        text(&decisions, "new_key_id"),
        number(&decisions, "index"),
        text(&decisions, "old_key_id")
    );
    assert!(list(&report, "notes").iter().any(|note| note.as_str() == Some(&story)), "{report:?}");

    // A trace says which key signed, and since when.
    let last = parse_payload(&after[1]);
    let trace = place.json(&["trace", text(&last, "request_id"), "--format", "json"]);
    for step in list(&trace, "steps") {
        let key = step.get("key").expect("the key of the step");
        assert_eq!(text(key, "key_id"), text(&receipts, "new_key_id"), "{step:?}");
    }
    let told = place.good(&["trace", text(&last, "request_id")]);
    assert!(told.contains("in force since entry"), "{told}");

    let shown = place.json(&["keys", "show", "--format", "json"]);
    let state = |id: &str| {
        let row = shown.as_array().unwrap_or_default().iter().find(|row| text(row, "key_id") == id);
        text(row.unwrap_or_else(|| panic!("{id} in {shown:?}")), "state").to_owned()
    };
    for change in [&receipts, &decisions, &hmac] {
        assert_eq!(state(text(change, "new_key_id")), "in force");
        assert_eq!(state(text(change, "old_key_id")), "replaced");
    }
    // Twice in a row, and again it all holds.
    rotate(&place, "receipts", &[]);
    rotate(&place, "hmac", &["--reason", "retired"]);
    place.serve(1);
    place.verifies();
}

fn parse_payload(jws: &str) -> Value {
    let payload = seal::jws::split(jws, 4096).expect("a token").payload;
    parse(&payload, Limits::RECEIPT).expect("JSON")
}

#[test]
fn a_revoked_key_ends_and_a_compromise_reaches_back() {
    let place = Place::new();
    place.serve(1);
    let old = place.json(&["keys", "show", "--format", "json"]);
    let old =
        old.as_array().unwrap_or_default().iter().find(|row| text(row, "name") == "decisions");
    let old = text(old.expect("the key"), "key_id").to_owned();
    let revoked = place.json(&[
        "keys",
        "revoke",
        &old,
        "--root",
        "root.pem",
        "--compromised-at",
        "always",
        "--format",
        "json",
    ]);
    // Nothing shows that what it signed is older.
    let (exit, report) = place.verify(&[LEDGER]);
    let signed = entries(&place, "decision");
    assert_eq!(signed.len(), 2);
    let expected: Vec<(String, String)> = signed
        .iter()
        .map(|index| ("CS-KEY-006".to_owned(), format!("entry {index} (decision)")))
        .collect();
    assert_eq!((exit, errors(&report)), (11, expected), "{report:?}");
    assert_eq!(text(&report, "assurance"), "consistent");

    // The gateway does not sign with it any more, and says what to do.
    place.refused(&["up"], 78, "countersign keys rotate decisions --root FILE");
    let rotated = rotate(&place, "decisions", &[]);
    assert!(number(&rotated, "index") > number(&revoked, "index"));
    place.serve(1);
    let (exit, report) = place.verify(&[LEDGER]);
    assert_eq!((exit, errors(&report).len()), (11, 2), "{report:?}");
}

#[test]
fn whoever_signs_with_a_key_that_is_gone_is_found() {
    let place = Place::new();
    // The gateway of a thief: the same keys, from before.
    let keys = place.path().join(".countersign/keys");
    let stolen = fs::read(keys.join("gateway.pem")).expect("the key");
    rotate(&place, "receipts", &[]);
    // It does not even start with the old key: the new one is gone.
    let new = fs::read(keys.join("gateway.pem")).expect("the new key");
    fs::write(keys.join("gateway.pem"), &stolen).expect("written");
    place.refused(&["up"], 78, "is not there");
    fs::write(keys.join("gateway.pem"), &new).expect("written");
    let verified = place.serve(1);
    assert_eq!(verified.len(), 1);
    place.verifies();
}

#[test]
fn what_cannot_be_changed_is_refused_with_what_to_do() {
    let place = Place::new();
    let no_root = tempfile::tempdir().expect("a directory");
    place.refused(&["keys", "rotate", "log", "--root", "root.pem"], 64, "begin a new log");
    place.refused(&["keys", "rotate", "root", "--root", "root.pem"], 64, "keys generate root");
    place.refused(&["keys", "rotate", "tsa", "--root", "root.pem"], 64, "trust file");
    place.refused(&["keys", "rotate", "approvals", "--root", "root.pem"], 64, "--key");
    place.refused(&["keys", "rotate", "receipts", "--root", "nowhere.pem"], 66, "nowhere.pem");
    // What was given and would not be used is not passed over.
    let useless = ["keys", "rotate", "hmac", "--key", "root.pem", "--root", "root.pem"];
    place.refused(&useless, 64, "signing keys");
    place.refused(&["keys", "generate", "hmac", "--name", "../k1"], 64, "id of an hmac key");
    place.refused(&["keys", "revoke", "nobody", "--root", "root.pem"], 64, "keys show");
    place.refused(&["keys", "revoke", "log", "--root", "root.pem"], 64, "keys show");
    let both = ["keys", "rotate", "receipts", "--root", "root.pem", "--reason", "compromised"];
    place.refused(&both, 64, "--compromised-at");
    // Another root, which the trust file does not have.
    place.good(&["keys", "generate", "root", "-o", "other.pem"]);
    place.refused(&["keys", "rotate", "receipts", "--root", "other.pem"], 78, "trust add");
    place.refused(
        &["keys", "rotate", "receipts", "--root", ".countersign/keys/gateway.pem"],
        78,
        "does not count",
    );
    let elsewhere = no_root.path().to_str().expect("text");
    place.refused(
        &["--dir", elsewhere, "keys", "rotate", "receipts", "--root", "root.pem"],
        66,
        "--dir",
    );
    // While a gateway writes, nobody else does.
    let product = Running::up(place.path(), &[], &[]);
    place.refused(&["keys", "rotate", "receipts", "--root", "root.pem"], 69, "stop it first");
    place.refused(&["keys", "revoke", "decisions", "--root", "root.pem"], 69, "stop it first");
    assert!(product.stop().success(), "a clean stop");
    // Nothing of all that left anything behind.
    assert_eq!(entries(&place, "rotation").len() + entries(&place, "revocation").len(), 0);
    let names: BTreeSet<String> = fs::read_dir(place.path().join(".countersign/keys"))
        .expect("the keys")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".pem") || name.starts_with("hmac"))
        .collect();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["decisions.pem", "gateway.pem", "hmac-k1.hex", "log.pem"]
    );
    place.verifies();
}

#[test]
fn a_generated_key_is_its_owners_and_never_written_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |args: &[&str]| countersign(dir.path(), args);
    let made = run(&["keys", "generate", "root", "-o", "root.pem"]);
    assert!(made.status.success(), "{}", said(&made));
    let private = dir.path().join("root.pem");
    assert_eq!(fs::metadata(&private).expect("the key").permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&private).expect("the key");
    let printed = String::from_utf8(made.stdout).expect("text");
    assert!(printed.contains("purpose: root") && !printed.contains("PRIVATE"), "{printed}");
    let again = run(&["keys", "generate", "root", "-o", "root.pem"]);
    assert_eq!(again.status.code(), Some(73), "{}", said(&again));
    assert_eq!(fs::read(&private).expect("the key"), bytes);
    let hmac = run(&["keys", "generate", "hmac", "--name", "k1", "-o", "hmac-k1.hex"]);
    assert!(hmac.status.success(), "{}", said(&hmac));
    let secret = fs::read_to_string(dir.path().join("hmac-k1.hex")).expect("the secret");
    assert_eq!(secret.trim().len(), 64);
    assert!(!said(&hmac).contains(secret.trim()), "the secret was printed");
    for (args, name) in [
        (["--name", "root", "--purpose", "root", "--key", "root.pub.pem"], "root"),
        (["--name", "k1", "--purpose", "hmac", "--reference", "file:hmac-k1.hex"], "k1"),
    ] {
        let mut all = vec!["trust", "add"];
        all.extend(args);
        assert!(run(&all).status.success(), "{name}");
    }
    assert_eq!(run(&["keys", "generate", "tsa"]).status.code(), Some(64));
    // A bare `up` never makes a root key.
    let bare = tempfile::tempdir().expect("a directory");
    Running::up(bare.path(), &[], &[]).kill();
    let trust =
        fs::read_to_string(bare.path().join("countersign.trust.yaml")).expect("a trust file");
    assert!(!trust.contains("purpose: root"), "{trust}");
}

/// What was timestamped before the theft stays; the timestamps are those of `openssl ts`.
#[test]
fn what_was_anchored_before_a_theft_stays_valid() {
    let place = Place::new();
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = Arc::new(OpensslTsa::new(folder.path()));
    let root = openssl.root();
    let root = root.to_str().expect("UTF-8");
    place.good(&["trust", "add", "--name", "openssl", "--purpose", "tsa", "--key", root]);
    let server = TsaServer::start(move |query| openssl.answer(query));
    place.good(&["log", "anchor", "--tsa", &server.url(), "--timeout", "5"]);
    let report = place.verifies();
    let reach = report.get("anchored_to").expect("a reach");
    let before = parse_rfc3339(text(reach, "before")).expect("a time");
    // The theft is in the second behind it, and no statement lies in the future.
    let stolen = UnixMillis::from_seconds(before.seconds() + 2);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    // A report lists only so many findings: nothing is added while the second passes.
    while now() < u128::from(stolen.0) {
        place.verifies();
    }
    place.serve(1);
    let report = place.verifies();
    let covered = number(report.get("anchored_to").expect("a reach"), "size");
    let at = stolen.to_string();
    rotate(&place, "receipts", &["--compromised-at", &at]);
    rotate(&place, "decisions", &["--compromised-at", &at]);
    let later: Vec<(String, String)> = ["receipt", "decision"]
        .iter()
        .flat_map(|kind| entries(&place, kind).into_iter().map(move |index| (index, *kind)))
        .filter(|(index, _)| *index >= covered)
        .map(|(index, kind)| ("CS-KEY-006".to_owned(), format!("entry {index} ({kind})")))
        .collect();
    assert!(later.len() > 3, "{later:?}");
    place.serve(1);
    let (exit, report) = place.verify(&[LEDGER]);
    let mut found = errors(&report);
    found.sort();
    let mut expected = later;
    expected.sort();
    assert_eq!((exit, found), (11, expected), "{report:?}");
}

/// Killed behind each step it tells of, and in between: the next start has a working pair.
#[test]
fn a_kill_during_a_rotation_leaves_a_working_pair() {
    let place = Place::new();
    for (round, purpose) in
        ["receipts", "hmac", "decisions", "receipts", "hmac", "receipts"].iter().enumerate()
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["keys", "rotate", purpose, "--root", "root.pem"])
            .current_dir(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let heard = lines.map_while(Result::ok).take(round % 3 + 1).count();
        let _ = child.kill();
        let _ = child.wait();
        assert_eq!(heard, round % 3 + 1, "it told how far it came");
        place.serve(1);
        place.verifies();
    }
}
