//! `config` over files as people and attackers write them.

use std::fs;
use std::path::Path;

use crate::running::{countersign, said};

const BASE: &str = "upstream: {url: 'http://127.0.0.1:1/v1'}\n";

fn check(dir: &Path, text: impl AsRef<[u8]>) -> (Option<i32>, String) {
    let file = dir.join("config.yaml");
    fs::write(&file, text).expect("the file is written");
    let output = countersign(dir, &["config", "check", file.to_str().expect("a path")]);
    (output.status.code(), said(&output))
}

#[test]
fn every_problem_is_told_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let (exit, text) = check(
        dir.path(),
        format!("{BASE}limts: {{}}\nlimits:\n  body_bytes: 0\nhosts: ['http://x']\n"),
    );
    assert_eq!(exit, Some(78), "{text}");
    for part in [
        "line 2: unknown key `limts`",
        "`limits`",
        "line 4: limits.body_bytes",
        "line 5: ",
        "3 problems",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (exit, text) = check(dir.path(), BASE);
    assert_eq!(exit, Some(0), "{text}");
}

#[test]
fn hostile_files_are_78_and_leave_the_terminal_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        laughs += &format!("a{level}: &a{level} [{}]\n", format!("*a{}, ", level - 1).repeat(10));
    }
    for text in [
        laughs.into_bytes(),
        b"hosts: [\xff\xfe]".to_vec(),
        b"\xff\xfel\0i\0".to_vec(),
        b"listen: \"127.0.0.1:1\0\"".to_vec(),
        b"\x1b[31m\x1b]0;title\x07: 1".to_vec(),
        "\u{202e}limits\u{202c}: 1".as_bytes().to_vec(),
        vec![b'x'; 10 << 20],
        "[".repeat(200_000).into_bytes(),
        format!("{BASE}limits: {{body_bytes: 5, body_bytes: 6}}").into_bytes(),
        format!("{BASE}admin: 127.0.0.1:1\n---\nadmin: 127.0.0.1:2").into_bytes(),
    ] {
        let (exit, said) = check(dir.path(), &text);
        assert_eq!(exit, Some(78), "{said}");
        let quiet = |c: char| c == '\n' || !(c.is_control() || "\u{202e}\u{202c}".contains(c));
        assert!(said.chars().all(quiet), "{said:?}");
        assert!(said.len() < 20_000, "{} bytes", said.len());
    }
    // A start says so too, and makes nothing.
    fs::write(dir.path().join("config.yaml"), "limts: 1").expect("the file is written");
    for start in [["gateway", "serve"].as_slice(), &["up"]] {
        let file = dir.path().join("config.yaml");
        let args = [start, &["--config", file.to_str().expect("a path")]].concat();
        let output = countersign(dir.path(), &args);
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(!dir.path().join(".countersign").exists());
    }
}
