//! `countersign log anchor`, and what `verify` and `trace` make of anchors: `openssl ts` stamps.

use std::fs;
use std::path::Path;
use std::process::Output;

use ledger::read::Item;
use ledger::{Kind, Reader};
use record::anchor::Anchor;
use record::trust::TrustKey;
use seal::json::{Limits, Value, parse};
use stamp::{Hash, Window};
use testkit::tsa::{CODE_SIGNING, Issue, Named, Reply, TIME_STAMPING, pem};
use testkit::tsa_server::{OpensslTsa, Says, TsaServer, accuracy};

use crate::running::{Running, ask, countersign, said};
use crate::sdk::{python, repository};

/// A directory whose ledger has a request in it, and a trust file with the root of `openssl ts`.
fn made(tsa: &OpensslTsa) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let running = Running::up(dir.path(), &[], &[]);
    assert_eq!(running.chat(&ask("hello", false)).expect("an answer").status, 200);
    assert!(running.stop().success());
    let trust = |name: &str| dir.path().join(name);
    fs::copy(trust("countersign.trust.yaml"), trust("without.yaml")).expect("copied");
    let root = tsa.root();
    let add = ["trust", "add", "--name", "openssl", "--purpose", "tsa", "--key"];
    let add = countersign(dir.path(), &[&add[..], &[root.to_str().expect("UTF-8")]].concat());
    assert!(add.status.success(), "{}", said(&add));
    dir
}

fn anchor(dir: &Path, server: &TsaServer) -> Output {
    countersign(dir, &["log", "anchor", "--tsa", &server.url(), "--timeout", "5"])
}

fn verify(dir: &Path, more: &[&str]) -> (i32, Value) {
    let args = ["verify", ".countersign/ledger", "--format", "json"];
    let output = countersign(dir, &[&args[..], more].concat());
    let report =
        parse(&output.stdout, Limits::DOCUMENT).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output.status.code().expect("an exit"), report)
}

/// The anchors of a ledger and their indices.
fn anchors(dir: &Path) -> Vec<(u64, Anchor)> {
    let reader = Reader::open_dir(&dir.join(".countersign/ledger"), None).expect("a ledger");
    let mut entries = reader.entries();
    let mut found = Vec::new();
    while let Some(item) = entries.next().expect("readable") {
        let Item::Entry(entry) = item else { panic!("damage") };
        if entry.leaf.kind == Kind::Anchor {
            let body = entry.body.present().expect("a body");
            found.push((entry.index, Anchor::read(body).expect("an anchor")));
        }
    }
    found
}

#[test]
fn openssl_stamps_the_checkpoint_and_everything_stands_under_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = std::sync::Arc::new(OpensslTsa::new(folder.path()));
    let dir = made(&openssl);
    let must = ["--require", "anchored"];
    let (exit, report) = verify(dir.path(), &must);
    assert_eq!((exit, report.get("anchored")), (11, Some(&Value::Bool(false))), "{report:?}");

    let own = openssl.clone();
    let server = TsaServer::start(move |query| own.answer(query));
    let done = anchor(dir.path(), &server);
    assert!(done.status.success(), "{}", said(&done));
    let found = anchors(dir.path());
    let [(index, stored)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(stored.checkpoint().size, *index);
    // The other side's word: openssl itself takes what was stored as a stamp over the note.
    assert!(openssl.accepts(stored.reply(), stored.note().as_bytes()));
    assert!(!openssl.accepts(stored.reply(), stored.note().replacen('c', "d", 1).as_bytes()));

    let (exit, report) = verify(dir.path(), &must);
    assert_eq!((exit, report.get("anchored")), (0, Some(&Value::Bool(true))), "{report:?}");
    let reach = report.get("anchored_to").expect("a reach");
    assert_eq!(reach.get("size").and_then(Value::as_i64), i64::try_from(*index).ok());
    assert_eq!(reach.get("authority").and_then(Value::as_str), Some("openssl"));
    let table = countersign(dir.path(), &["verify", ".countersign/ledger"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("assurance   signed, anchored\nanchored    entries 0.."), "{table}");
    assert!(!table.contains("were not judged: only logged"), "{table}");

    // One more request, and the log is only anchored so far.
    let running = Running::up(dir.path(), &[], &[]);
    assert_eq!(running.chat(&ask("again", false)).expect("an answer").status, 200);
    // Beside a running gateway it goes through its socket.
    let beside = anchor(dir.path(), &server);
    assert!(beside.status.success(), "{}", said(&beside));
    assert_eq!(running.chat(&ask("and again", false)).expect("an answer").status, 200);
    assert!(running.stop().success());
    let (exit, report) = verify(dir.path(), &[]);
    assert_eq!((exit, report.get("anchored")), (0, Some(&Value::Bool(false))), "{report:?}");
    let (exit, report) = verify(dir.path(), &must);
    let told = format!("{:?}", report.get("findings"));
    assert!(exit == 11 && told.contains("not every entry is under a timestamp"), "{told}");
    assert_eq!(anchors(dir.path()).len(), 2);
    // Without the root in the trust file anchors are not judged, and nothing is anchored.
    let without = dir.path().join("without.yaml");
    let without = ["--trust", without.to_str().expect("UTF-8")];
    let (exit, report) = verify(dir.path(), &without);
    let told = format!("{:?}", report.get("findings"));
    assert!(exit == 0 && told.contains("CS-ANCHOR-013"), "{told}");
    assert_eq!(verify(dir.path(), &[&without[..], &must].concat()).0, 11);
}

#[test]
fn what_proves_nothing_is_told_and_not_stored() {
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = OpensslTsa::new(folder.path());
    let dir = made(&openssl);
    let size = || {
        let reader = Reader::open_dir(&dir.path().join(".countersign/ledger"), None);
        reader.expect("a ledger").checkpoint().expect("a checkpoint").size
    };
    let before = size();
    let stranger = Issue::signer("tsa", 2, &Issue::root("root", 1));
    let server = TsaServer::good(stranger);
    let refuse = |server: &TsaServer, exit: i32, text: &str| {
        let output = anchor(dir.path(), server);
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
        assert!(said(&output).contains(text), "{}", said(&output));
        assert_eq!(size(), before);
    };
    refuse(&server, 11, "no chain to a trusted authority");
    server.change(|_| Says::Reply(b"<html>it works</html>".to_vec()));
    refuse(&server, 11, "nothing was stored");
    server.change(|_| Says::half(&[0; 100]));
    refuse(&server, 69, "broke the protocol");
    server.change(|_| Says::http(503, "text/plain", b"later"));
    refuse(&server, 69, "status 503");
    let bad = countersign(dir.path(), &["log", "anchor", "--tsa", "tsa.example"]);
    assert_eq!(bad.status.code(), Some(64), "{}", said(&bad));
    let bare = tempfile::tempdir().expect("a directory");
    assert!(Running::up(bare.path(), &[], &[]).stop().success());
    let rootless = anchor(bare.path(), &server);
    assert_eq!(rootless.status.code(), Some(78), "{}", said(&rootless));
}

/// An authority that was added with `--policy` is believed under that policy alone, by `log anchor`
/// and by `verify` alike.
#[test]
fn stamps_under_another_policy_are_refused_by_anchor_and_by_verify() {
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = std::sync::Arc::new(OpensslTsa::new(folder.path()));
    let dir = made(&openssl);
    let root = openssl.root();
    let root = root.to_str().expect("UTF-8");
    // Its stamps are under 1.2.3.4.1 unless 1.2.3.4.5 is asked for.
    let trust_of = |policy: &str| {
        let name = format!("{policy}.yaml");
        fs::copy(dir.path().join("without.yaml"), dir.path().join(&name)).expect("copied");
        let add = ["trust", "add", "--name", "openssl", "--purpose", "tsa", "--key", root];
        let more = ["--policy", policy, "--trust", &name];
        let added = countersign(dir.path(), &[&add[..], &more].concat());
        assert!(added.status.success(), "{}", said(&added));
        dir.path().join(name).to_str().expect("UTF-8").to_owned()
    };
    let (one, five) = (trust_of("1.2.3.4.1"), trust_of("1.2.3.4.5"));
    let shown = countersign(dir.path(), &["trust", "show", "--trust", &five]);
    assert!(said(&shown).contains("under 1.2.3.4.5"), "{}", said(&shown));

    let own = openssl.clone();
    let server = TsaServer::start(move |query| own.answer(query));
    let anchor = |trust: &str, more: &[&str]| {
        let args = ["log", "anchor", "--tsa", &server.url(), "--timeout", "5", "--trust", trust];
        countersign(dir.path(), &[&args[..], more].concat())
    };
    let refused = anchor(&five, &[]);
    assert_eq!(refused.status.code(), Some(11), "{}", said(&refused));
    assert!(said(&refused).contains("nothing was stored"), "{}", said(&refused));
    assert_eq!(anchor(&one, &["--policy", "1.2.3.4.5"]).status.code(), Some(11));
    assert!(anchors(dir.path()).is_empty());
    let kept = anchor(&one, &[]);
    assert!(kept.status.success(), "{}", said(&kept));

    let must = |trust: &str| verify(dir.path(), &["--require", "anchored", "--trust", trust]);
    let (exit, report) = must(&one);
    assert_eq!((exit, report.get("anchored")), (0, Some(&Value::Bool(true))), "{report:?}");
    let (exit, report) = must(&five);
    let told = format!("{:?}", report.get("findings"));
    assert_eq!((exit, report.get("anchored")), (11, Some(&Value::Bool(false))), "{told}");
    assert!(told.contains("1.2.3.4.1"), "{told}");

    let receipts = ["--purpose", "receipts", "--key", root, "--policy", "1.2.3.4.5"];
    for bad in [&receipts[..], &["--purpose", "tsa", "--key", root, "--policy", "any"]] {
        let bad = countersign(dir.path(), &[&["trust", "add", "--name", "bad"], bad].concat());
        assert!(!bad.status.success(), "{}", said(&bad));
    }
}

/// Killed while the authority thinks: nothing was written, and the next call does it.
#[test]
fn a_kill_while_the_authority_thinks_leaves_the_ledger_whole() {
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = std::sync::Arc::new(OpensslTsa::new(folder.path()));
    let dir = made(&openssl);
    let server = TsaServer::start(|_| Says::Nothing);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("--dir")
        .arg(dir.path())
        .args(["log", "anchor", "--timeout", "600", "--tsa", &server.url()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    server.wait_asked(1);
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(verify(dir.path(), &[]).0, 0);
    assert!(anchors(dir.path()).is_empty());
    server.change(move |query| openssl.answer(query));
    let done = anchor(dir.path(), &server);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(verify(dir.path(), &["--require", "anchored"]).0, 0);
}

/// What a verifier that is not ours (PyPI `rfc3161-client`) makes of our generator's replies and of
/// one of `openssl ts`: the same as ours, but for what it does not look at.
#[test]
fn another_verifier_agrees() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = OpensslTsa::new(folder.path());
    let data = b"a checkpoint";
    let digest = seal::Digest::of(data);
    let root = Issue::root("root", 1);
    let signer = || Issue { p256: true, ..Issue::signer("tsa", 2, &root) };
    let by = |signer: Issue| Reply::over(Hash::Sha256, digest.as_bytes(), &signer);
    let good = || by(signer());
    let asked = stamp::request(Hash::Sha256, digest.as_bytes(), Some(&[7]), None, true);
    let Says::Reply(real) = openssl.answer(&asked.expect("a query")) else { panic!("a reply") };
    let real_root = fs::read_to_string(openssl.root()).expect("PEM");
    let own_root = pem(&root.certificate());
    let purposes = |critical, list| Some((critical, list));
    let issued = |change: fn(&mut Issue)| {
        let mut signer = signer();
        change(&mut signer);
        by(signer).bytes()
    };
    // Name, root, reply, what we say, whether the other one says the same.
    let cases: Vec<(&str, &str, Vec<u8>, bool, bool)> = vec![
        ("openssl", &real_root, real.clone(), true, true),
        ("openssl, another root", &own_root, real, false, true),
        ("good", &own_root, good().bytes(), true, true),
        ("with accuracy", &own_root, Reply { accuracy: accuracy(1), ..good() }.bytes(), true, true),
        ("another key", &own_root, Reply { seed: 9, ..good() }.bytes(), false, true),
        (
            "another digest",
            &own_root,
            Reply { imprint: (Hash::Sha256, vec![8; 32]), ..good() }.bytes(),
            false,
            true,
        ),
        (
            "a stranger",
            &own_root,
            by(Issue { p256: true, ..Issue::signer("tsa", 5, &Issue::root("root", 4)) }).bytes(),
            false,
            true,
        ),
        ("expired", &own_root, issued(|issue| issue.until = "20260101000000Z".into()), false, true),
        ("no purpose", &own_root, issued(|issue| issue.purposes = None), false, true),
        (
            "not critical",
            &own_root,
            {
                let mut signer = signer();
                signer.purposes = purposes(false, vec![TIME_STAMPING]);
                by(signer).bytes()
            },
            false,
            true,
        ),
        (
            "for code",
            &own_root,
            {
                let mut signer = signer();
                signer.purposes = purposes(true, vec![CODE_SIGNING]);
                by(signer).bytes()
            },
            false,
            true,
        ),
        ("two signers", &own_root, Reply { signers: 2, ..good() }.bytes(), false, true),
        // RFC 3161 section 2.4.2: granted with modifications holds a token, too.
        ("modified", &own_root, Reply { status: 1, ..good() }.bytes(), true, false),
        // It does not look at ESSCertID.
        (
            "names nobody",
            &own_root,
            Reply { named: Named::Nothing, ..good() }.bytes(),
            false,
            false,
        ),
    ];
    let listed = Value::array(cases.iter().map(|(name, root, reply, _, _)| {
        Value::object([
            ("name", Value::from(*name)),
            ("root", Value::from(*root)),
            ("reply", seal::base64::std_encode(reply).into()),
            ("data", seal::base64::std_encode(data).into()),
        ])
    }));
    let input = folder.path().join("cases.json");
    fs::write(&input, seal::json::write_plain(&listed)).expect("written");
    let output = std::process::Command::new(python)
        .arg(repository().join("tests/python/tsa_oracle.py"))
        .stdin(fs::File::open(&input).expect("opened"))
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", said(&output));
    let theirs = parse(&output.stdout, Limits::DOCUMENT).expect("JSON");
    for (name, root, reply, ours, agrees) in &cases {
        let root = TrustKey::tsa("root", root).expect("PEM");
        let authority = stamp::Authority::new("root", root.certificates(), Window::default());
        let asked = stamp::Asked::bytes(data);
        let judged = stamp::verify(reply, &asked, &[authority.expect("an authority")]);
        assert_eq!(judged.is_ok(), *ours, "{name}: {judged:?}");
        let said = theirs.get(name).and_then(Value::as_str).expect("a verdict");
        assert_eq!((said == "good") == *ours, *agrees, "{name}: {said}");
    }
}
