//! A writing process is killed at any moment, on a real directory, with segments so small that it
//! is always about to make the next one, and a checkpoint behind every other append.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use ledger::store::file::FileStore;
use ledger::{Ledger, Options};
use testkit::rng::Rng;

use crate::support::{Acked, check, entries, options};

const DIRECTORY: &str = "COUNTERSIGN_TEST_WRITER";

/// The writer. Run as a test of its own it has nothing to do.
#[test]
fn writer() {
    let Ok(dir) = env::var(DIRECTORY) else { return };
    let store = Arc::new(FileStore::open(&dir).unwrap());
    let options = Options { segment_bytes: 1500, ..options() };
    let ledger = Ledger::open(store, options, &mut |_, _, _| {}).unwrap();
    println!("at {}", ledger.size());
    for n in ledger.size().. {
        let range = ledger.append(entries(&format!("k{n}"), 2)).unwrap();
        println!("acknowledged {n} at {}", range.start);
        if n % 2 == 0 {
            ledger.checkpoint().unwrap();
        }
    }
}

#[test]
fn killed_while_it_rolls_and_signs() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let mut rng = Rng::new(9);
    let mut acked = Acked::new();
    for round in 0..16 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::writer", "--nocapture"])
            .env(DIRECTORY, &dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().map(Result::unwrap);
        while !line().expect("it starts").contains("at ") {}
        // In the first rounds right after its start.
        let mut left = if round < 3 { round } else { rng.below(40) };
        let mut killed = false;
        loop {
            if left == 0 && !killed {
                child.kill().unwrap();
                killed = true;
            }
            // What it said before it died was acknowledged, also when nobody had read it yet.
            let Some(said) = line() else { break };
            let Some(rest) = said.split("acknowledged ").nth(1) else { continue };
            if let Some((n, at)) = rest.split_once(" at ") {
                let (tag, at): (u64, u64) = (n.parse().unwrap(), at.parse().unwrap());
                acked.extend((at..).zip(entries(&format!("k{tag}"), 2)));
            }
            left = left.saturating_sub(1);
        }
        child.wait().unwrap();
        check(Arc::new(FileStore::open(&dir).unwrap()), &acked);
    }
    assert!(acked.len() > 100, "{}", acked.len());
}
