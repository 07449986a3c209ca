//! Links where the product keeps its own: whoever can make one must not get it to write, or to
//! believe, somewhere else.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::running::{Running, ask};

/// Everything below a directory, with what it holds.
fn held(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(held(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
    all.sort();
    all
}

#[test]
fn a_ledger_behind_a_link_is_not_written() {
    for place in [
        "ledger",
        "ledger/journal",
        "ledger/journal/00000000000000000000.seg",
        "ledger/head",
        "keys",
    ] {
        let (dir, elsewhere) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let product =
            Running::up(dir.path(), &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], &[]);
        assert_eq!(product.chat(&ask("hello", false)).expect("an answer").status, 200);
        assert!(product.stop().success());
        let (real, moved) =
            (dir.path().join(".countersign").join(place), elsewhere.path().join("moved"));
        fs::rename(&real, &moved).expect("it can be moved");
        symlink(&moved, &real).expect("a link can be made");
        let before = held(elsewhere.path());
        let exit = start(dir.path()).unwrap_or_else(|| panic!("{place}: it started"));
        assert!((12..=78).contains(&exit), "{place}: {exit}");
        assert!(held(elsewhere.path()) == before, "{place}: what the link leads to is as it was");
    }
}

#[test]
fn a_link_beside_evidence_is_not_followed_when_it_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let target = dir.path().join("precious");
    fs::write(&target, "precious").expect("the file is written");
    let ledger = dir.path().join(".countersign/ledger");
    let product =
        Running::up(dir.path(), &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], &[]);
    assert!(product.stop().success());
    for name in [
        "public/checkpoint",
        "head.new",
        ".head.new",
        "public/checkpoint.new",
        "journal/00000000000000000001.seg",
    ] {
        let link = ledger.join(name);
        let _ = fs::remove_file(&link);
        symlink(&target, &link).expect("a link can be made");
    }
    // It starts or it does not; either way nobody's file is its journal.
    let _ = start(dir.path());
    assert_eq!(fs::read_to_string(&target).expect("still there"), "precious");
}

/// The exit of a start that fails; `None` of one that works, which is ended at once.
fn start(dir: &Path) -> Option<i32> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["up", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().expect("stdout is piped"));
    // A first line when it is up, the end of the pipe when it is not.
    let up = said.read_line(&mut line).is_ok_and(|length| length > 0);
    if up {
        let _ = child.kill();
    }
    let status = child.wait().expect("it ends");
    if up { None } else { status.code() }
}
