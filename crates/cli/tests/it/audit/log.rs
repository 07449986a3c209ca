//! Logs of our own, as they were written and as somebody would like them to be read.

use std::fs;
use std::process::Command;

use record::entry::{AuditChain, read_line};
use seal::json::Value;

use super::{KEY, Kinds, audit, audit_json, breaks, own_log};
use crate::running::{countersign, said};

#[test]
fn framing_is_a_warning_and_edits_are_breaks() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = own_log();
    let lines: Vec<&str> = log.lines().collect();
    let join = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let deep = format!("{}{}\n", "[".repeat(20_000), "]".repeat(20_000));
    let cases: &[(&str, Vec<u8>, i32, Kinds, &str)] = &[
        ("as written", log.clone().into(), 0, &[], ""),
        ("BOM", format!("\u{feff}{log}").into(), 0, &[], "a byte order mark"),
        ("CRLF", log.replace('\n', "\r\n").into(), 0, &[], "CRLF"),
        ("blank", log.replace('\n', "\n\n").into(), 0, &[], "blank lines"),
        ("no last newline", log.trim_end().into(), 0, &[], "no newline at the end"),
        (
            "UTF-16",
            log.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            14,
            &[
                (0, "malformed_line"),
                (1, "malformed_line"),
                (2, "malformed_line"),
                (3, "malformed_line"),
                (4, "malformed_line"),
            ],
            "",
        ),
        ("edited", log.replacen("reason 0", "reason 1", 1).into(), 12, &[(0, "self_mismatch")], ""),
        ("cut out", join(&[lines[0], lines[2], lines[3]]).into(), 12, &[(1, "link_mismatch")], ""),
        ("beginning gone", join(&lines[1..]).into(), 12, &[(0, "link_mismatch")], ""),
        ("spaced", log.replacen(':', ": ", 1).into(), 14, &[(0, "non_canonical")], ""),
        ("nested", format!("{log}{deep}").into(), 14, &[(4, "malformed_line")], ""),
        (
            "overlong",
            [log.as_bytes(), &vec![b'x'; 5 << 20], b"\n"].concat(),
            14,
            &[(4, "malformed_line")],
            "",
        ),
        ("number", format!("{log}1e999\n").into(), 14, &[(4, "malformed_line")], ""),
        ("zeros", [log.as_bytes(), &[0; 512]].concat(), 14, &[(4, "malformed_line")], "no newline"),
    ];
    for (name, bytes, exit, expected, warning) in cases {
        fs::write(dir.path().join("log.jsonl"), bytes).expect("written");
        let report = audit_json(dir.path(), &["verify", "log.jsonl", "--hmac-key", KEY], *exit);
        let found = breaks(&report);
        let found: Vec<(i64, &str)> =
            found.iter().map(|(index, _, kind)| (*index, kind.as_str())).collect();
        assert_eq!(found, *expected, "{name}");
        assert!(format!("{report:?}").contains(warning), "{name}: {report:?}");
    }
}

#[test]
fn keys_come_from_files_environment_and_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    let secret = KEY.trim_start_matches("k1=");
    write("log.jsonl", &own_log());
    write("k1.hex", secret);
    write("ring", "# the gateway's\nk1=file:k1.hex\n\nold=000102030405060708090a0b0c0d0e0f\n");
    write("ring.json", &format!("{{\"k1\":\"{secret}\"}}"));
    write("twice", &format!("{KEY}\n{KEY}\n"));
    write("short", "k1=0011\n");
    let wrong = "k1=0202020202020202020202020202020202020202020202020202020202020202";
    for (options, exit, said_too) in [
        (&["--keyring", "ring"][..], 0, ""),
        (&["--keyring", "ring.json"], 0, ""),
        (&["--hmac-key", "k1=file:k1.hex"], 0, ""),
        (&["--hmac-key", KEY], 0, "visible to every user"),
        (&["--hmac-key", wrong], 12, "CS-AUDIT-004"),
        (&["--hmac-key", "other=file:k1.hex"], 11, "CS-AUDIT-005"),
        (&[], 11, "CS-TRUST-001"),
        (&["--hmac-key", KEY, "--require", "signed"], 11, "CS-TRUST-002"),
        (&["--hmac-key", KEY, "--require", "witnessed"], 11, "CS-TRUST-002"),
        (&["--hmac-key", KEY, "--require", "consistent"], 0, ""),
        (&["--hmac-key", KEY, "--hmac-key", KEY], 64, "given twice"),
        (&["--hmac-key", "k1=xyz"], 64, "hex"),
        (&["--hmac-key", "k 1=00"], 64, "key id"),
        (&["--hmac-key", KEY, "--expect-head", "abc"], 64, "expected"),
        (&["--hmac-key", KEY, "--statement", "s.json"], 64, "--statement"),
        (&["--keyring", "twice"], 78, "given twice"),
        (&["--keyring", "short"], 78, "shorter than 16"),
        (&["--keyring", "missing"], 66, "missing"),
    ] {
        let output = audit(dir.path(), &[&["verify", "log.jsonl"], options].concat(), exit);
        let said = said(&output);
        assert!(said.contains(said_too), "{options:?}\n{said}");
        assert!(!said.contains(secret), "{options:?}: the secret is printed\n{said}");
    }
    audit(dir.path(), &["verify", "nothing.jsonl", "--hmac-key", KEY], 66);
}

/// What was noted of a log counts for `verify` as for `audit verify`, and is about no other kind.
#[test]
fn a_noted_end_is_looked_for_by_every_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    let log = own_log();
    let end = log.trim_end().len() - log.lines().last().map_or(0, str::len);
    let head = read_line(log[end..].trim_end().as_bytes()).expect("an entry").hmac;
    let receipt = format!("sha256:{head}");
    write("whole.jsonl", &log);
    write("cut.jsonl", &log[..end]);
    write("other.jsonl", "{}\n");
    write("k1.hex", KEY.trim_start_matches("k1="));
    write("trust.yaml", "version: 1\nkeys:\n  - {name: k1, purpose: hmac, key: \"file:k1.hex\"}\n");
    let verify: [&[&str]; 2] = [&["verify"], &["audit", "verify"]];
    for (path, option, value, exit) in [
        ("whole.jsonl", "--expect-head", head.as_str(), 0),
        ("whole.jsonl", "--expect-count", "4", 0),
        ("cut.jsonl", "--expect-head", &head, 12),
        ("cut.jsonl", "--expect-count", "4", 12),
        ("whole.jsonl", "--expect-count", "5", 12),
    ] {
        for command in verify {
            let common = [path, "--trust", "trust.yaml", "--require", "consistent", option, value];
            let output = countersign(dir.path(), &[command, &common].concat());
            let said = said(&output);
            assert_eq!(output.status.code(), Some(exit), "{command:?} {common:?}\n{said}");
            assert_eq!(said.contains("CS-CHAIN-008"), exit != 0, "{command:?} {common:?}\n{said}");
        }
    }
    for (path, head) in [("whole.jsonl", &receipt), ("other.jsonl", &head)] {
        let args = ["verify", path, "--trust", "trust.yaml", "--expect-head", head];
        let output = countersign(dir.path(), &args);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(12), "{args:?}\n{said}");
        assert!(said.contains("CS-CHAIN-008"), "{args:?}\n{said}");
    }
}

/// Pipes and devices are refused before they are opened; a link to a log is a log.
#[cfg(unix)]
#[test]
fn only_files_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("log.jsonl"), own_log()).expect("written");
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, dir.path().join(name)).expect("a link");
    };
    link("log.jsonl", "link");
    link("/dev/zero", "zero");
    link("loop", "loop");
    let made = Command::new("mkfifo").arg(dir.path().join("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    for (path, exit) in
        [("link", 0), ("zero", 14), ("/dev/zero", 14), ("pipe", 14), ("loop", 74), ("gone", 66)]
    {
        audit(dir.path(), &["verify", path, "--hmac-key", KEY], exit);
    }
}

/// What a line says is never followed: a marker of archived lines may name any path.
#[test]
fn a_path_in_a_line_is_not_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = own_log();
    let line = log.lines().next().expect("a line");
    let mut entry = read_line(line.as_bytes()).expect("an entry").entry;
    entry.check_name = "_compaction".into();
    let marker = [
        ("archive_path", Value::from("/dev/zero")),
        ("compacted_count", Value::from("many")),
        ("_marker_signature", Value::from("a")),
    ];
    entry.metadata = vec![("_compaction_marker".into(), Value::object(marker))];
    let secret = seal::Zeroizing::new(vec![1; 32]);
    let mut chain = AuditChain::new("k1".into(), secret, String::new(), None);
    let line = chain.seal(entry).expect("sealed").line;
    fs::write(dir.path().join("log.jsonl"), line + "\n").expect("written");
    audit(dir.path(), &["verify", "log.jsonl", "--hmac-key", KEY], 0);
    // Read twice, which standard input is not.
    audit(dir.path(), &["export", "--ledger", "-"], 66);
}
