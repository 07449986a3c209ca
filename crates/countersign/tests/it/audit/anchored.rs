//! What the timestamps of a log come to, as a report tells it.

use countersign::{Level, Verifier};
use record::report::{Code, ExitClass};
use record::trust::Trust;
use seal::Zeroizing;
use seal::json::Value;
use stamp::Hash;
use testkit::tsa::{Reply, der};

use super::{Case, anchored, cases, join, judge, plain, ring, signer, stamped, success, trust};

/// What a reader is told of a log that is all stamped, and of one that is in part.
#[test]
fn anchored_is_earned_by_every_line() {
    let find = |name: &str| cases().into_iter().find(|case| case.name == name).expect("a case");
    let (report, _) = judge(&find("stamped"));
    assert!(report.anchored);
    // Stamped when they were written, so there is nothing to remark.
    assert!(!report.has(Code::AnchorTime), "{}", report.to_table());
    assert!(
        report.to_table().contains("assurance   consistent, anchored"),
        "{}",
        report.to_table()
    );
    assert_eq!(report.to_json().get("anchored"), Some(&Value::Bool(true)));
    let (report, _) = judge(&find("one line is not stamped"));
    assert!(!report.anchored && report.ok());
    let count = |name: &str| report.counts.iter().find(|(known, _)| known == name).map(|c| c.1);
    assert_eq!(
        (count("anchored"), count("unanchored"), count("bad anchors")),
        (Some(3), Some(1), Some(0))
    );
    let (report, _) = judge(&find("stamped, and nobody is trusted"));
    assert!(!report.anchored && report.has(Code::AnchorUnjudged), "{}", report.to_table());
    for name in ["empty", "not stamped, and it must be", "stamped with junk"] {
        assert!(!judge(&Case { tsa: true, ..find(name) }).0.anchored, "{name}");
    }
}

/// What a timestamp shows is its own time, not the line's: where the two disagree it is told. The
/// lines are of 2027-01-15T08:00:00Z.
#[test]
fn a_line_is_as_old_as_its_timestamp() {
    for (time, accuracy, told) in [
        ("20270115080000Z", 0, None),
        ("20270115080500Z", 0, None),
        ("20270115080502Z", 0, Some("stamped 302 s after its own time")),
        ("20270115080502Z", 3, None),
        ("20270115075457Z", 0, Some("stamped 303 s before its own time")),
        ("20270115075457Z", 9, None),
        ("20370115080000Z", 0, Some("s after its own time")),
    ] {
        let log = stamped(&plain()[..1], &|_, digest| {
            let reply = Reply::over(Hash::Sha256, &digest, &signer());
            let accuracy = der(0x30, &[&der(2, &[&[accuracy]])]);
            success(&Reply { time: time.to_owned(), accuracy, ..reply }.bytes())
        });
        let (report, breaks) = judge(&Case {
            name: "of another time",
            log: join(&log),
            keys: &["k1"],
            tsa: true,
            options: vec![("--require", "anchored".to_owned())],
            result: ExitClass::Ok,
            breaks: &[],
        });
        let table = report.to_table();
        assert!(report.ok() && report.anchored && breaks.is_empty(), "{time}: {table}");
        assert_eq!(report.has(Code::AnchorTime), told.is_some(), "{time}: {table}");
        assert!(table.contains(told.unwrap_or("the timestamps are of 2027-01-15T")), "{table}");
    }
}

/// The general verifier says of a log, a chain or a ledger what is missing for the level.
#[test]
fn the_level_is_asked_of_all_evidence() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log.jsonl");
    std::fs::write(&path, join(&anchored())).expect("written");
    let secret = || ring(&["k1"]).get("k1").map(|s| Zeroizing::new(s.to_vec())).expect("k1");
    let verify = |trust: Trust| {
        let verifier = Verifier::new().trust(trust).hmac_key("k1", secret());
        verifier.require(Level::Anchored).verify(&path).expect("a report")
    };
    let report = verify(trust());
    assert!(report.ok() && report.anchored, "{}", report.to_table());
    let report = verify(Trust::empty());
    assert_eq!(report.exit_class(), ExitClass::Untrusted);
    assert!(report.to_table().contains("--purpose tsa"), "{}", report.to_table());
    std::fs::write(&path, join(&plain())).expect("written");
    let report = verify(trust());
    assert_eq!(report.exit_class(), ExitClass::Missing);
    assert!(report.has(Code::AnchorMissing), "{}", report.to_table());
}
