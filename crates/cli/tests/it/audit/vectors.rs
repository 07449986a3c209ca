//! The fixtures of the format's other implementation, when they are at hand: each gets the verdict
//! of our rules, which are stricter where its verifier is blind, crashes or stops.

use std::path::PathBuf;

use seal::json::{Limits, Value, parse};

use super::{Kinds, audit, audit_json, breaks};
use crate::machine::skipped;

/// The folder of the shared audit vectors.
pub fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("COUNTERSIGN_SHARED").map(PathBuf::from);
    let folder = shared.unwrap_or_else(|| super::repository().join("../shared"));
    let folder = folder.join("vectors/audit");
    if folder.join("index.json").exists() {
        return Some(folder);
    }
    skipped(&format!("no {}; set COUNTERSIGN_SHARED", folder.display()));
    None
}

/// The description of the fixtures.
pub fn index(folder: &std::path::Path) -> Value {
    let bytes = std::fs::read(folder.join("index.json")).expect("index.json");
    parse(&bytes, Limits::DOCUMENT).expect("JSON")
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name}"))
}

pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("{name}"))
}

/// The exit of every fixture, and the breaks our verdict adds to those its index lists.
const VERDICTS: &[(&str, i32, Kinds)] = &[
    ("plain", 0, &[]),
    ("empty", 0, &[]),
    ("rotated-full-ring", 0, &[]),
    ("rotated-missing-legacy", 11, &[]),
    ("rotated-missing-new", 11, &[]),
    ("anchored", 0, &[]),
    ("anchor-failed", 0, &[]),
    ("anchor-garbage", 0, &[]),
    ("tamper/identity", 0, &[]),
    ("tamper/unknown-key", 11, &[]),
    ("tamper/mod-owner_id", 12, &[]),
    ("tamper/mod-decision", 12, &[]),
    ("tamper/mod-request_fingerprint", 12, &[]),
    ("tamper/mod-ts_ns", 12, &[]),
    ("tamper/mod-metadata", 12, &[]),
    ("tamper/mod-hmac", 12, &[]),
    ("tamper/delete-middle", 12, &[]),
    ("tamper/truncate-tail", 0, &[]),
    ("tamper/duplicate", 12, &[]),
    ("tamper/forged-insert-withkey", 12, &[]),
    ("tamper/drop-key-id", 14, &[]),
    ("tamper/key-id-list", 14, &[]),
    ("tamper/anchor-swapped", 12, &[]),
    ("tamper/short-hmac", 14, &[]),
    ("tamper/type-hmac-42", 14, &[]),
    ("tamper/type-ts_ns-null", 14, &[]),
    ("tamper/type-ts_ns-1.5", 14, &[]),
    ("tamper/type-ts_ns-100000000000", 14, &[]),
    ("tamper/type-check_name-null", 14, &[]),
    ("tamper/type-metadata-L", 14, &[]),
    ("tamper/type-approval_chain-L1", 14, &[]),
    ("tamper/type-decision-alloS", 14, &[]),
    ("tamper/ts-max", 12, &[]),
    ("tamper/missing-ts_ns", 14, &[]),
    ("tamper/missing-decision", 14, &[]),
    ("tamper/missing-owner_type", 14, &[]),
    ("tamper/missing-opt-hmac", 12, &[(2, "non_canonical")]),
    ("tamper/missing-opt-metadata", 14, &[(2, "non_canonical")]),
    ("tamper/missing-opt-request_fingerprint", 12, &[(2, "non_canonical"), (2, "self_mismatch")]),
    ("tamper/truncated-last", 14, &[]),
    ("tamper/infinity", 14, &[]),
    ("tamper/json-null", 14, &[]),
    ("tamper/blank-lines", 0, &[]),
    ("tamper/bom", 0, &[]),
    ("tamper/append-after-no-newline", 14, &[]),
    ("tamper/reorder-keys", 14, &[(2, "non_canonical")]),
    ("tamper/dup-key", 14, &[(2, "malformed_line")]),
    ("tamper/lone-surrogate", 14, &[(2, "malformed_line")]),
    ("tamper/deep-nesting", 14, &[(2, "malformed_line")]),
    ("proxy-live", 0, &[]),
];

/// The keys a fixture is judged with, as `ID=HEX`: a list of ids, or ids with their secrets' names.
fn keys(index: &Value, fixture: &Value) -> Vec<String> {
    let secrets = index.get("keys").expect("keys");
    // One fixture names an id the file has no key for: any secret will do.
    let secret = |name: &str| secrets.get(name).and_then(Value::as_str);
    let key = |id: &str, name: &str| {
        format!("{id}={}", secret(name).or_else(|| secret("wrong")).expect("a secret"))
    };
    match fixture.get("keys").expect("keys") {
        Value::Object(pairs) => {
            pairs.iter().map(|(id, name)| key(id, name.as_str().expect("a name"))).collect()
        }
        ids => {
            let ids = ids.as_array().expect("a list").iter().filter_map(Value::as_str);
            ids.map(|id| key(id, id)).collect()
        }
    }
}

#[test]
fn every_fixture_gets_its_verdict() {
    let Some(folder) = shared() else { return };
    let index = index(&folder);
    let scratch = tempfile::tempdir().expect("a directory");
    let fixtures = list(&index, "fixtures");
    for fixture in fixtures {
        let name = text(fixture, "name");
        let (_, exit, stricter) =
            VERDICTS.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{name}"));
        let keyring = scratch.path().join("keyring");
        std::fs::write(&keyring, keys(&index, fixture).join("\n")).expect("written");
        let (log, keyring) = (folder.join(text(fixture, "file")), keyring.display().to_string());
        let log = log.display().to_string();
        let report = audit_json(scratch.path(), &["verify", &log, "--keyring", &keyring], *exit);
        let expect = fixture.get("expect").expect("expect");
        let mut listed: Vec<(i64, String, String)> = Vec::new();
        if expect.get("breaks").is_some() {
            listed = breaks(expect);
        }
        let mut found = breaks(&report);
        for broken in &listed {
            let at = found.iter().position(|known| known == broken);
            found.remove(at.unwrap_or_else(|| panic!("{name}: no {broken:?} in {report:?}")));
        }
        let found: Vec<(i64, &str)> =
            found.iter().map(|(index, _, kind)| (*index, kind.as_str())).collect();
        assert_eq!(found, *stricter, "{name}");
        // Its verifier stops at a line it cannot read; ours goes on and counts what follows.
        let stops = listed.iter().any(|(_, id, kind)| kind == "malformed_line" && id.is_empty());
        if !stops && stricter.is_empty() {
            for member in ["total_entries", "last_known_good_index", "last_known_good_hmac"] {
                assert_eq!(report.get(member), expect.get(member), "{name}: {member}");
            }
        }
        let framed = matches!(name, "tamper/blank-lines" | "tamper/bom" | "tamper/truncated-last");
        let warned =
            list(&report, "findings").iter().any(|finding| text(finding, "code") == "CS-AUDIT-007");
        assert_eq!(warned, framed, "{name}: {report:?}");
    }
    assert_eq!(fixtures.len(), VERDICTS.len());
}

/// What no chain shows by itself: the end is missing.
#[test]
fn a_noted_head_or_count_shows_the_cut() {
    let Some(folder) = shared() else { return };
    let index = index(&folder);
    let path = |name: &str| folder.join(name).display().to_string();
    let (whole, cut) = (path("tamper/identity.jsonl"), path("tamper/truncate-tail.jsonl"));
    let key = format!("k1={}", text(index.get("keys").expect("keys"), "k1"));
    let fixture = list(&index, "fixtures")
        .iter()
        .find(|fixture| text(fixture, "name") == "tamper/identity")
        .expect("the fixture");
    let head = text(fixture.get("expect").expect("expect"), "last_known_good_hmac");
    let dir = tempfile::tempdir().expect("a directory");
    for (log, extra, exit) in [
        (&whole, &["--expect-head", head][..], 0),
        (&whole, &["--expect-count", "6"], 0),
        (&cut, &["--expect-head", head], 12),
        (&cut, &["--expect-count", "6"], 12),
        (&cut, &["--expect-count", "4"], 0),
        (&whole, &["--require", "anchored"], 11),
    ] {
        audit(dir.path(), &[&["verify", log, "--hmac-key", &key], extra].concat(), exit);
    }
}

/// Timestamps of another authority's software, judged and found junk.
#[test]
fn their_timestamps_are_judged() {
    let Some(folder) = shared() else { return };
    let index = index(&folder);
    let key = format!("k1={}", text(index.get("keys").expect("keys"), "k1"));
    let dir = tempfile::tempdir().expect("a directory");
    let root = folder.join("tsa_ca.pem").display().to_string();
    let add = ["trust", "add", "--name", "theirs", "--purpose", "tsa", "--key", &root];
    assert!(crate::running::countersign(dir.path(), &add).status.success());
    let judge = |file: &str, extra: &[&str], exit: i32| {
        let log = folder.join(file).display().to_string();
        let args = ["verify", &log, "--hmac-key", &key, "--trust", "countersign.trust.yaml"];
        audit_json(dir.path(), &[&args, extra].concat(), exit)
    };
    let count = |report: &Value, name: &str| {
        report.get("counts").and_then(|counts| counts.get(name)).and_then(Value::as_i64)
    };
    let must: &[&str] = &["--require", "anchored"];
    let report = judge("anchored.jsonl", must, 0);
    assert_eq!(count(&report, "anchored"), Some(3));
    let report = judge("anchor-garbage.jsonl", &[], 14);
    assert_eq!(breaks(&report).len(), 3);
    assert_eq!(count(&report, "bad anchors"), Some(3));
    let report = judge("anchor-failed.jsonl", &[], 0);
    assert_eq!(count(&report, "unanchored"), Some(3));
    judge("anchor-failed.jsonl", must, 10);
    judge("plain.jsonl", must, 10);
    let report = judge("tamper/anchor-swapped.jsonl", &[], 12);
    assert!(format!("{report:?}").contains("CS-AUDIT-004"), "{report:?}");
}
