//! `vectors/audit/cases.json` through the binary: rotated keys, tampering, timestamps.

use std::fs;

use seal::Signer;
use seal::json::{Limits, Value, parse};

use super::vectors::{list, text};
use super::{audit, audit_json, breaks, repository};
use crate::running::{countersign, said};

fn vector(name: &str) -> String {
    fs::read_to_string(repository().join("vectors/audit").join(name)).expect("the vector")
}

#[test]
fn every_case_gets_its_verdict() {
    let file = parse(vector("cases.json").as_bytes(), Limits::DOCUMENT).expect("JSON");
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("root.pem"), text(&file, "tsa")).expect("written");
    let add = ["trust", "add", "--trust", "tsa.yaml", "--name", "t", "--purpose", "tsa"];
    let added = countersign(dir.path(), &[&add[..], &["--key", "root.pem"]].concat());
    assert!(added.status.success(), "{}", said(&added));
    fs::write(dir.path().join("none.yaml"), "version: 1\nkeys: []\n").expect("written");
    let secrets = file.get("keys").expect("keys");
    let mut judged = 0;
    for case in list(&file, "cases") {
        let name = text(case, "name");
        fs::write(dir.path().join("log.jsonl"), text(case, "log")).expect("written");
        let ids = list(case, "keys").iter().filter_map(Value::as_str);
        let lines: Vec<String> = ids.map(|id| format!("{id}={}", text(secrets, id))).collect();
        fs::write(dir.path().join("keyring"), lines.join("\n")).expect("written");
        let tsa = case.get("tsa").and_then(Value::as_bool) == Some(true);
        let trust = if tsa { "tsa.yaml" } else { "none.yaml" };
        let mut args = vec!["verify", "log.jsonl", "--keyring", "keyring", "--trust", trust];
        args.extend(list(case, "options").iter().filter_map(Value::as_str));
        let exit = match text(case, "result") {
            "ok" => 0,
            "missing" => 10,
            "untrusted" => 11,
            "tampered" => 12,
            "malformed" => 14,
            other => panic!("{name}: {other}"),
        };
        let report = audit_json(dir.path(), &args, exit);
        assert_eq!(breaks(&report), breaks(case), "{name}");
        judged += 1;
    }
    assert!(judged > 50, "{judged}");
}

/// An authority in the trust file: added, shown, checked, and what cannot be one refused.
#[test]
fn an_authority_is_trusted_by_its_root() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |args: &[&str], exit: i32| {
        let output = countersign(dir.path(), args);
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
        said(&output)
    };
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    let root = vector("tsa-root.pem");
    write("root.pem", &root);
    write("log.jsonl", &vector("anchored.jsonl"));
    let add = |name: &str, key: &str, exit: i32| {
        run(&["trust", "add", "--name", name, "--purpose", "tsa", "--key", key], exit)
    };
    let said = add("tsa", "root.pem", 0);
    assert!(said.contains("CN=countersign test root"), "{said}");
    let shown = run(&["trust", "show"], 0);
    for part in ["tsa", "CN=countersign test root", "sha256:", "2020-01-01T00:00:00Z to 2040-01-01"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = run(&["trust", "show", "--format", "json"], 0);
    assert!(shown.contains("\"subject\": \"CN=countersign test root\""), "{shown}");
    assert!(run(&["trust", "check"], 0).contains("keys        1"));
    // Where the trust file lies beside the evidence it has to be named.
    let verify = ["verify", "log.jsonl", "--hmac-key", super::KEY];
    let named = [&verify[..], &["--trust", "countersign.trust.yaml"]].concat();
    let report = audit_json(dir.path(), &[&named[..], &["--require", "anchored"]].concat(), 0);
    assert_eq!(report.get("anchored"), Some(&Value::Bool(true)), "{report:?}");
    // The same root again, a signer without its root, a key, nothing.
    assert!(add("again", "root.pem", 78).contains("already there"));
    let signer = testkit::tsa::Issue::root("root\u{1b}[31m\u{202e}", 31);
    let leaf = testkit::tsa::Issue::signer("leaf", 32, &signer);
    write("leaf.pem", &testkit::tsa::pem(&leaf.certificate()));
    assert!(add("leaf", "leaf.pem", 78).contains("not that of a CA"));
    write("key.pem", &testkit::key(5).public().to_pem());
    assert!(add("key", "key.pem", 65).contains("PEM certificate"));
    write("empty.pem", "");
    add("empty", "empty.pem", 65);
    write("cut.pem", &root[..root.len() - 40]);
    add("cut", "cut.pem", 65);
    // A chain with the root last; names that would play with the terminal are written out.
    let chain = [leaf.certificate(), signer.certificate()].map(|der| testkit::tsa::pem(&der));
    write("chain.pem", &chain.concat());
    let text = add("chain", "chain.pem", 0) + &run(&["trust", "show"], 0);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    assert!(text.contains("CN=leaf"), "{text}");
    // The window of the file counts, not the certificate's alone.
    let late = ["trust", "add", "--trust", "late.yaml", "--name", "t", "--purpose", "tsa"];
    run(&[&late[..], &["--key", "root.pem", "--from", "2027-02-01T00:00:00Z"]].concat(), 0);
    let output = audit(dir.path(), &[&verify[..], &["--trust", "late.yaml"]].concat(), 11);
    assert!(crate::running::said(&output).contains("CS-ANCHOR-007"));
    // What is believed is not looked for in the evidence: without a trust file it is only said.
    let output = audit(dir.path(), &[&verify[..], &["--trust", "none.yaml"]].concat(), 78);
    assert!(crate::running::said(&output).contains("none.yaml"));
    let bare = tempfile::tempdir().expect("a directory");
    fs::write(bare.path().join("log.jsonl"), vector("anchored.jsonl")).expect("written");
    let text = crate::running::said(&audit(bare.path(), &verify, 0));
    assert!(text.contains("CS-ANCHOR-013") && text.contains("purpose tsa"), "{text}");
    let text = crate::running::said(&audit(
        bare.path(),
        &[&verify[..], &["--require", "anchored"]].concat(),
        11,
    ));
    assert!(text.contains("trust add --name NAME --purpose tsa"), "{text}");
}
