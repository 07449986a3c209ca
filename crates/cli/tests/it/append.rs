//! `countersign log append`: alone, many at a time, and beside a running gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ledger::Reader;
use ledger::read::Item;

use crate::running::{Running, ask, countersign, said};

/// A directory whose keys and ledger were made.
fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(Running::up(dir.path(), &[], &[]).stop().success());
    dir
}

fn append(dir: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("--dir")
        .arg(dir)
        .args(["log", "append"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // It may refuse and go before it has read everything.
    let feed = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("it ends");
    feed.join().expect("written");
    output
}

fn verified(dir: &Path) {
    let verify = countersign(dir, &["verify", ".countersign/ledger"]);
    assert!(verify.status.success(), "{}", said(&verify));
}

/// Entries by writer.
fn writers(dir: &Path) -> BTreeMap<String, u64> {
    let reader = Reader::open_dir(&dir.join(".countersign/ledger"), None).expect("a ledger");
    let mut entries = reader.entries();
    let mut writers = BTreeMap::new();
    while let Some(item) = entries.next().expect("readable") {
        let Item::Entry(entry) = item else { panic!("damage") };
        *writers.entry(entry.leaf.writer.clone()).or_default() += 1;
    }
    writers
}

fn lines(name: &str, count: usize) -> String {
    (0..count).map(|n| format!("{{\"by\":\"{name}\",\"n\":{n}}}\n")).collect()
}

#[test]
fn alone_it_is_the_sequencer_for_its_time() {
    let dir = made();
    let done = append(dir.path(), &["--kind", "attestation", "--id", "build 7", "-"], "{\"a\":1}");
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "3 build 7\n");
    let each = ["--kind", "attestation", "--writer", "scanner", "--each-line", "--format", "json"];
    let each = [&each[..], &["-"]].concat();
    let done = append(dir.path(), &each, "{\"b\":1}\n\n{\"b\":2}");
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(printed.lines().count(), 2);
    assert!(
        printed.starts_with("{\"id\":\"sha256:") || printed.contains("\"index\":4"),
        "{printed}"
    );
    // A bad line is named; what came before it is there.
    let done = append(dir.path(), &each, "{\"c\":1}\n{\"c\":2\n{\"c\":3}\n");
    assert_eq!(done.status.code(), Some(65), "{}", said(&done));
    assert!(said(&done).contains("line 2"), "{}", said(&done));
    let by = writers(dir.path());
    assert_eq!((by["append-1"], by["scanner"]), (1, 3), "{by:?}");
    verified(dir.path());
}

#[test]
fn what_does_not_come_by_hand_is_refused() {
    let dir = made();
    let refused = |args: &[&str], input: &str, exit: i32| {
        let done = append(dir.path(), args, input);
        assert_eq!(done.status.code(), Some(exit), "{args:?}: {}", said(&done));
    };
    for kind in ["audit", "decision", "ruleset", "config", "facts", "repair", "anchor", "nothing"] {
        refused(&["--kind", kind, "-"], "{}", 64);
    }
    for kind in ["rotation", "revocation"] {
        let done = append(dir.path(), &["--kind", kind, "-"], "{}");
        assert!(said(&done).contains("root key"), "{}", said(&done));
    }
    for kind in ["attestation", "feed", "capability", "receipt"] {
        refused(&["--kind", kind, "-"], "{\"a\":", 65);
        refused(&["--kind", kind, "-"], "", 65);
    }
    for writer in ["operator", "gateway", ""] {
        refused(&["--kind", "attestation", "--writer", writer, "-"], "{}", 64);
    }
    refused(&["--kind", "attestation", "--id", "a\nb", "-"], "{}", 64);
    refused(&["--kind", "attestation", "/nowhere"], "", 66);
    let empty = tempfile::tempdir().expect("a directory");
    assert_eq!(append(empty.path(), &["--kind", "feed", "-"], "{}").status.code(), Some(66));
    assert!(empty.path().read_dir().expect("readable").next().is_none(), "nothing was made");
    verified(dir.path());
}

#[test]
fn a_last_checkpoint_that_cannot_be_written_is_told_as_that() {
    let dir = made();
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("--dir")
        .arg(dir.path())
        .args(["log", "append", "--kind", "attestation", "--each-line", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"{\"a\":1}\n").expect("it reads");
    let mut printed = BufReader::new(child.stdout.take().expect("piped"));
    printed.read_line(&mut String::new()).expect("an answer");
    let way = dir.path().join(".countersign/ledger/public/checkpoint.new");
    // Between two checkpoints; the name is free but for the moment of one.
    while std::fs::create_dir(&way).is_err() {
        thread::yield_now();
    }
    stdin.write_all(b"{\"a\":2}\n").expect("it reads");
    printed.read_line(&mut String::new()).expect("an answer");
    drop(stdin);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(74), "{}", said(&ended));
    assert!(said(&ended).contains("not under a checkpoint yet"), "{}", said(&ended));
    std::fs::remove_dir(&way).expect("removed");
    verified(dir.path());
    assert_eq!(writers(dir.path())["append-1"], 2);
}

/// Lines that are handed in one by one, each when the one before is acknowledged: as many appends.
fn one_by_one(dir: &Path, name: &str, count: usize, acknowledged: &AtomicUsize) -> BTreeSet<u64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("--dir")
        .arg(dir)
        .args(["log", "append", "--kind", "attestation", "--writer", name, "--each-line", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut printed = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut indices = BTreeSet::new();
    for line in lines(name, count).lines() {
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it reads");
        let said = printed.next().expect("an answer").expect("text");
        let index = said.split(' ').next().and_then(|index| index.parse().ok()).expect("an index");
        assert!(indices.insert(index), "{index} twice");
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    indices
}

#[test]
fn eight_at_a_time_beside_a_gateway_that_dies_and_comes_back() {
    let dir = made();
    let product = Running::up(dir.path(), &[], &[]);
    let (count, acknowledged) = (120, AtomicUsize::new(0));
    let indices = thread::scope(|scope| {
        let appending: Vec<_> = (0..8)
            .map(|n| {
                let (dir, acknowledged) = (dir.path(), &acknowledged);
                scope.spawn(move || one_by_one(dir, &format!("tool-{n}"), count, acknowledged))
            })
            .collect();
        let answer = product.chat(&ask("Hello.", false)).expect("an answer");
        assert_eq!(answer.status, 200);
        while acknowledged.load(Ordering::Relaxed) < 300 {
            thread::yield_now();
        }
        product.kill();
        let mut indices = BTreeSet::new();
        for tool in appending {
            indices.extend(tool.join().expect("it ends"));
        }
        indices
    });
    assert_eq!(indices.len(), 8 * count, "each of them has a place of its own");
    let by = writers(dir.path());
    for n in 0..8 {
        assert_eq!(by[&format!("tool-{n}")], count as u64, "{by:?}");
    }
    verified(dir.path());
    let product = Running::up(dir.path(), &[], &[]);
    assert_eq!(product.chat(&ask("Hello again.", false)).expect("an answer").status, 200);
    assert!(product.stop().success());
    verified(dir.path());
}
