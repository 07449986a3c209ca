//! What every store must carry.

use std::sync::Arc;
use std::sync::mpsc;

use ledger::store::Store;
use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use ledger::{AppendError, Entry, Kind, Ledger};
use testkit::clock::TestClock;
use testkit::fault_store::FaultStore;

use crate::support::{Acked, append, check, check_reading, entries, open, options, options_with};

#[test]
fn memory() {
    every_case(&mut || Arc::new(MemoryStore::new()));
}

#[test]
fn fault_store_without_faults() {
    every_case(&mut || Arc::new(FaultStore::new()));
}

#[test]
fn files() {
    let home = tempfile::tempdir().unwrap();
    let mut count = 0;
    every_case(&mut || {
        count += 1;
        Arc::new(FileStore::open(home.path().join(format!("{count}/ledger"))).unwrap())
    });
}

fn every_case(store: &mut dyn FnMut() -> Arc<dyn Store>) {
    empty_ledger_is_signed(store());
    appends_survive_closing(store());
    appends_survive_dropping(store());
    segments_roll(store());
    submissions_are_answered(store());
    time_never_runs_back(store());
    bad_entries_are_refused(store());
    closed_is_closed(store());
}

fn empty_ledger_is_signed(store: Arc<dyn Store>) {
    open(store.clone()).unwrap().close().unwrap();
    let summary = check(store, &Acked::new());
    assert_eq!((summary.size, summary.checkpointed), (0, 0));
    assert_eq!(summary.root, Some(seal::merkle::empty_root()));
}

fn appends_survive_closing(store: Arc<dyn Store>) {
    let mut acked = Acked::new();
    let ledger = open(store.clone()).unwrap();
    for round in 0..5 {
        append(&ledger, &mut acked, entries(&format!("a{round}"), round + 1));
    }
    assert_eq!(ledger.append(vec![]).unwrap(), 15..15);
    ledger.close().unwrap();
    drop(ledger);
    let summary = check(store.clone(), &acked);
    assert_eq!((summary.size, summary.checkpointed), (15, 15));
    let ledger = open(store.clone()).unwrap();
    append(&ledger, &mut acked, entries("b", 3));
    ledger.checkpoint().unwrap();
    append(&ledger, &mut acked, entries("c", 2));
    let summary = check_reading(store, &acked);
    assert_eq!((summary.size, summary.checkpointed), (20, 18));
}

fn appends_survive_dropping(store: Arc<dyn Store>) {
    let mut acked = Acked::new();
    let ledger = open(store.clone()).unwrap();
    append(&ledger, &mut acked, entries("a", 9));
    drop(ledger);
    assert_eq!(check_reading(store.clone(), &acked).checkpointed, 0);
    check(store.clone(), &acked);
    // The start signed what the stop had not.
    assert_eq!(check_reading(store, &acked).checkpointed, 9);
}

fn segments_roll(store: Arc<dyn Store>) {
    let mut acked = Acked::new();
    for round in 0..3 {
        let options = ledger::Options { segment_bytes: 2000, ..options() };
        let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
        for n in 0..6 {
            append(&ledger, &mut acked, entries(&format!("r{round}-{n}"), 3));
        }
    }
    let segments = store.list().unwrap();
    assert!(segments.len() > 6, "{segments:?}");
    check(store, &acked);
}

fn submissions_are_answered(store: Arc<dyn Store>) {
    let mut acked = Acked::new();
    let ledger = open(store.clone()).unwrap();
    let (send, answers) = mpsc::channel();
    for n in 0..20 {
        let (batch, send) = (entries(&format!("s{n}"), 1 + n % 3), send.clone());
        let kept = batch.clone();
        ledger.submit(batch, Box::new(move |done| send.send((done, kept)).unwrap()));
    }
    drop(send);
    for (done, batch) in answers {
        let range = done.unwrap();
        assert_eq!(range.end - range.start, batch.len() as u64);
        acked.extend(range.zip(batch));
    }
    assert_eq!(acked.len() as u64, ledger.size());
    ledger.close().unwrap();
    drop(ledger);
    check(store, &acked);
}

fn time_never_runs_back(store: Arc<dyn Store>) {
    let clock = Arc::new(TestClock::at(5_000));
    let mut times = Vec::new();
    for _ in 0..2 {
        let ledger =
            Ledger::open(store.clone(), options_with(clock.clone()), &mut |_, _, _| {}).unwrap();
        for now in [6_000, 1_000, 7_000] {
            clock.set(now);
            ledger.append(entries(&format!("t{}", ledger.size()), 1)).unwrap();
        }
        clock.set(10);
    }
    Ledger::open(store, options(), &mut |_, leaf, _| times.push(leaf.ts)).unwrap();
    assert_eq!(times, [6_000, 6_000, 7_000, 7_000, 7_000, 7_000]);
}

fn bad_entries_are_refused(store: Arc<dyn Store>) {
    let ledger = open(store.clone()).unwrap();
    let entry = |kind, id: &str, body: &[u8]| Entry { kind, id: id.into(), body: body.to_vec() };
    let refuse = |entry| ledger.append(vec![entries("good", 1).remove(0), entry]).unwrap_err();
    assert!(matches!(refuse(entry(Kind::Audit, "", b"x")), AppendError::Id { .. }));
    assert!(matches!(refuse(entry(Kind::Audit, "a\nb", b"x")), AppendError::Id { .. }));
    assert!(matches!(refuse(entry(Kind::Audit, &"x".repeat(257), b"x")), AppendError::Id { .. }));
    assert!(matches!(refuse(entry(Kind::Audit, "a", b"\xff")), AppendError::NotText { .. }));
    assert!(matches!(refuse(entry(Kind::Audit, "a", b"a\0b")), AppendError::NotText { .. }));
    assert!(matches!(refuse(entry(Kind::Repair, "a", b"x")), AppendError::Reserved { .. }));
    let long = vec![b'x'; Kind::Decision.max_body() + 1];
    assert!(matches!(refuse(entry(Kind::Decision, "a", &long)), AppendError::TooLong { .. }));
    assert_eq!(ledger.size(), 0, "a call with one bad entry appends none");
    // The widest ids fit a leaf, escaped or not.
    let odd = ["\"".repeat(256), "\\".repeat(256), "é".repeat(128), "x".repeat(256)];
    let odd: Vec<Entry> = odd.iter().map(|id| entry(Kind::Attestation, id, b"")).collect();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, odd);
    drop(ledger);
    check(store, &acked);
}

fn closed_is_closed(store: Arc<dyn Store>) {
    let ledger = open(store).unwrap();
    ledger.close().unwrap();
    assert!(matches!(ledger.append(entries("x", 1)), Err(AppendError::Closed)));
    let (send, answer) = mpsc::channel();
    ledger.submit(entries("x", 1), Box::new(move |done| send.send(done).unwrap()));
    assert!(matches!(answer.recv().unwrap(), Err(AppendError::Closed)));
    ledger.close().unwrap();
}
