//! Audit lines of our own.

use record::entry::{
    AuditChain, AuditDecision, AuditEntry, Keyring, MacCheck, Owner, OwnerType, read_line,
    verify_lines,
};
use record::report::{Code, ExitClass, Report};
use seal::Zeroizing;
use seal::json::Value;

use crate::common::golden;

fn secret(n: u8) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![n; 32])
}

fn ring() -> Keyring {
    let mut ring = Keyring::new();
    ring.insert("k1", secret(1));
    ring
}

fn chain() -> AuditChain {
    AuditChain::new("k1".into(), secret(1), "gateway".into(), None)
}

fn entries() -> Vec<AuditEntry> {
    let entry = |n: u64, owner: Owner, decision| AuditEntry {
        entry_id: format!("00000000-0000-4000-8000-{n:012}"),
        ts_ns: 1_800_000_000_000_000_000 + n,
        approval_chain: owner.approval_chain(),
        owner,
        check_name: "pipeline.admission".into(),
        decision,
        reason: format!("reason {n}"),
        request_fingerprint: format!("sha256:{}", "0".repeat(64)),
        metadata: vec![("_request".into(), "r".into()), ("_stage".into(), "admission".into())],
    };
    let mut strange = entry(2, Owner::new(OwnerType::Policy, "p@1"), AuditDecision::Redact);
    strange.reason = "\"quoted\" \\ \u{1}\u{7f}\u{2028} 🔑,\"hmac\":\"".into();
    strange.metadata = vec![
        ("\u{ffff}".into(), 1_i64.into()),
        ("\u{10000}".into(), Value::Big("123456789012345678901234567890".into())),
        ("float".into(), Value::Float(1e16)),
        ("nested".into(), Value::object([("a", true.into()), ("b", Value::Null)])),
    ];
    vec![
        entry(0, Owner::new(OwnerType::Human, "alice@example.com"), AuditDecision::Allow),
        entry(1, Owner::unresolved(), AuditDecision::Block),
        strange,
        entry(3, Owner::new(OwnerType::Agent, "billing"), AuditDecision::Escalate),
    ]
}

fn log() -> String {
    let mut chain = chain();
    entries().into_iter().map(|entry| chain.seal(entry).unwrap().line + "\n").collect()
}

fn judge(bytes: &[u8], ring: Option<&Keyring>) -> Report {
    let mut report = Report::new("log");
    verify_lines(bytes, ring, &mut report);
    report
}

#[test]
fn our_lines_are_pinned() {
    golden("vectors/audit/v1.jsonl", &log());
}

#[test]
fn what_is_sealed_is_read() {
    let mut prev = String::new();
    for (line, entry) in log().lines().zip(entries()) {
        let read = read_line(line.as_bytes()).unwrap();
        assert_eq!(read.prev_hmac, prev);
        assert_eq!(read.check_mac(&ring()), MacCheck::Good);
        assert_eq!(read.check_mac(&Keyring::new()), MacCheck::UnknownKey);
        assert_eq!(read.writer(), Some("gateway"));
        for (name, value) in &entry.metadata {
            assert_eq!(read.entry.meta(name), Some(value));
        }
        assert_eq!((&read.entry.reason, &read.entry.owner), (&entry.reason, &entry.owner));
        prev = read.hmac;
    }
}

#[test]
fn a_chain_goes_on_where_it_was() {
    let mut first = chain();
    let mut lines = Vec::new();
    for entry in entries() {
        // A new process takes the chain over before each line.
        let head = Some(first.head().to_string()).filter(|head| !head.is_empty());
        first = AuditChain::new("k1".into(), secret(1), "gateway".into(), head);
        lines.push(first.seal(entry).unwrap().line + "\n");
    }
    assert_eq!(lines.concat(), log());
    let mut chain = chain();
    let head = chain.head().to_string();
    let lost = chain.seal(entries().remove(0)).unwrap();
    chain.rewind(head);
    assert_eq!(chain.seal(entries().remove(0)).unwrap(), lost);
}

/// Metadata that cannot be written leaves the chain where it was.
#[test]
fn a_failed_line_does_not_move_the_chain() {
    let mut chain = chain();
    let mut bad = entries().remove(0);
    bad.metadata = vec![("f".into(), Value::Float(f64::NAN))];
    assert!(chain.seal(bad).is_err());
    assert_eq!(chain.head(), "");
}

#[test]
fn the_caller_cannot_speak_for_the_chain() {
    let mut entry = entries().remove(0);
    entry.metadata.push(("_signing_key_id".into(), "k9".into()));
    entry.metadata.push(("_writer".into(), "other".into()));
    let line = chain().seal(entry).unwrap().line;
    let read = read_line(line.as_bytes()).unwrap();
    assert_eq!((read.key_id.as_deref(), read.writer()), (Some("k1"), Some("gateway")));
}

#[test]
fn a_good_log_is_good() {
    let report = judge(log().as_bytes(), Some(&ring()));
    assert!(report.findings.is_empty(), "{}", report.to_table());
    let report = judge(log().as_bytes(), None);
    assert!(report.ok() && report.has(Code::AuditUnchecked));
}

#[test]
fn tampering_is_found() {
    use Code::*;
    let log = log();
    let lines: Vec<&str> = log.lines().collect();
    let join = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let edit = |from: &str, to: &str| {
        assert!(log.contains(from), "{from}");
        log.replacen(from, to, 1)
    };
    let spaced = log.replacen(":", ": ", 1);
    let duplicate = edit("{\"approval_chain\"", "{\"reason\":\"\",\"approval_chain\"");
    let extra = edit(",\"ts_ns\":", ",\"t\":1,\"ts_ns\":");
    let cases: Vec<(&str, String, Code, ExitClass)> = vec![
        ("decision", edit("\"allow\"", "\"block\""), AuditMac, ExitClass::Tampered),
        ("reason", edit("reason 0", "reason 9"), AuditMac, ExitClass::Tampered),
        ("deleted", join(&[lines[0], lines[2], lines[3]]), AuditLink, ExitClass::Tampered),
        ("swapped", join(&[lines[1], lines[0], lines[2]]), AuditLink, ExitClass::Tampered),
        ("twice", join(&[lines[0], lines[0]]), AuditLink, ExitClass::Tampered),
        ("first cut", join(&lines[1..]), AuditLink, ExitClass::Tampered),
        ("spaced", spaced, AuditCanonical, ExitClass::Malformed),
        ("duplicate key", duplicate, AuditMalformed, ExitClass::Malformed),
        ("extra member", extra, AuditMalformed, ExitClass::Tampered),
        (
            "key",
            edit("\"_signing_key_id\":\"k1\"", "\"_signing_key_id\":\"k2\""),
            AuditKeyUnknown,
            ExitClass::Untrusted,
        ),
        ("no key", edit("\"_signing_key_id\":\"k1\",", ""), AuditKeyMissing, ExitClass::Malformed),
        ("torn", log[..log.len() - 20].to_string(), AuditMalformed, ExitClass::Malformed),
    ];
    for (name, log, code, exit) in cases {
        let report = judge(log.as_bytes(), Some(&ring()));
        assert!(report.has(code), "{name}: {}", report.to_table());
        assert_eq!(report.exit_class(), exit, "{name}: {}", report.to_table());
    }
}

#[test]
fn framing_is_a_warning() {
    let log = log();
    let cases = [
        format!("\u{feff}{log}"),
        log.replace('\n', "\r\n"),
        log.replace('\n', "\n\n"),
        log.trim_end().into(),
    ];
    for log in cases {
        let report = judge(log.as_bytes(), Some(&ring()));
        assert!(report.ok() && report.has(Code::AuditFraming), "{}", report.to_table());
    }
}
