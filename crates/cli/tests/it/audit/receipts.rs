//! The upstream proxy's receipt headers: what its own verifier accepts is accepted, the rest is
//! refused with a reason.

use std::fs;

use super::vectors::{index, list, shared, text};
use super::{KEY, audit, own_log};
use crate::running::said;

#[test]
fn headers_get_the_verdict_of_their_own_verifier() {
    let Some(folder) = shared() else { return };
    let index = index(&folder);
    let receipts = index.get("receipts").expect("receipts");
    let log = folder.join(text(receipts, "entries_file")).display().to_string();
    let pem = folder.join(text(receipts, "ed25519_public_pem")).display().to_string();
    let (hmac, ed) =
        (format!("k1={}", text(index.get("keys").expect("keys"), "k1")), format!("ed-1={pem}"));
    let dir = tempfile::tempdir().expect("a directory");
    let check = |header: &str, entry: &str, exit: i32| {
        let args = ["check-receipt", header, "--log", &log, "--entry", entry];
        audit(dir.path(), &[&args[..], &["--hmac-key", &hmac, "--ed25519-key", &ed]].concat(), exit)
    };
    let positive = list(receipts, "positive");
    assert_eq!(positive.len(), 8);
    for case in positive {
        for form in ["hmac", "ed25519"] {
            check(text(case, form), text(case, "entry_id"), 0);
        }
    }
    // What is refused, and why: another entry 12, an unreadable header 14, else the signature 11.
    let verdicts = [
        ("wrong entry", 12),
        ("alg mismatch", 11),
        ("no alg => hmac", 0),
        ("version v2", 14),
        ("extra field", 0),
        ("unknown key", 11),
        ("sig flipped", 11),
        ("uppercase sig", 11),
        ("reordered", 0),
        ("dup sig last wins", 0),
        ("ed25519 uppercase sig", 0),
        ("ed25519 sig not hex", 11),
    ];
    let negative = list(receipts, "negative");
    assert_eq!(negative.len(), verdicts.len());
    for case in negative {
        let name = text(case, "case");
        let (_, exit) = verdicts.iter().find(|(known, _)| *known == name).expect("a verdict");
        let accepted = |form: &str| case.get(form).and_then(seal::json::Value::as_bool);
        let theirs =
            accepted("hmac_verify") == Some(true) || accepted("ed25519_verify") == Some(true);
        assert_eq!(theirs, *exit == 0, "{name}");
        check(text(case, "header"), text(case, "against_entry"), *exit);
    }
}

#[test]
fn a_header_stands_or_falls_with_its_entry() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = own_log();
    let line = log.lines().next().expect("a line");
    let member = |name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\":\"")).expect("the member");
        rest.split('"').next().expect("its end").to_owned()
    };
    // Under one key the header's signature is the line's own HMAC.
    let header = format!(
        "signet=v1; alg=hmac-sha256; entry={}; key=k1; sig={}",
        member("entry_id"),
        member("hmac")
    );
    let edited = log.replacen("reason 0", "reason 1", 1);
    let spaced = log.replacen(':', ": ", 1);
    let twice = format!("{log}{line}\n");
    let named = format!("X-Signet-Receipt: {header}");
    let (wide, repeated) =
        (format!("{header}; {}", "x".repeat(5_000)), format!("{header}; key=k1"));
    let other = header.replace("000000000000;", "000000000009;");
    for (log, header, exit, told) in [
        (&log, &header, 0, "allow by pipeline.admission"),
        (&log, &named, 0, "result      ok"),
        (&log, &repeated, 0, "stands there twice"),
        (&edited, &header, 12, "CS-AUDIT-004"),
        (&spaced, &header, 14, "CS-AUDIT-002"),
        (&twice, &header, 14, "CS-LEDGER-025"),
        (&log, &other, 10, "CS-EVIDENCE-001"),
        (&log, &wide, 14, "CS-RECEIPT-005"),
    ] {
        fs::write(dir.path().join("log.jsonl"), log).expect("written");
        let args = ["check-receipt", header, "--log", "log.jsonl", "--hmac-key", KEY];
        let output = audit(dir.path(), &args, exit);
        assert!(said(&output).contains(told), "{header}\n{}", said(&output));
    }
    fs::write(dir.path().join("header"), &header).expect("written");
    fs::write(dir.path().join("log.jsonl"), &log).expect("written");
    audit(dir.path(), &["check-receipt", "@header", "--log", "log.jsonl", "--hmac-key", KEY], 0);
    audit(dir.path(), &["check-receipt", "@header", "--log", "log.jsonl"], 11);
    audit(dir.path(), &["check-receipt", "@header", "--log", "gone"], 66);
}
