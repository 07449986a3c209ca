//! Errors at each step: refused clearly, never acknowledged, never retried over a failed sync.

use std::io::ErrorKind;
use std::sync::{Arc, mpsc};

use ledger::{AppendError, CheckpointError};
use testkit::fault_store::{Fault, FaultStore};

use crate::support::{Acked, append, check, entries, open, read_all};

#[test]
fn an_error_at_every_step_is_survived() {
    let life = |store: &Arc<FaultStore>, acked: &mut Acked| {
        for round in 0..2 {
            let Ok(ledger) = open(store.clone()) else { continue };
            for n in 0..3 {
                let batch = entries(&format!("{round}.{n}"), 3);
                if let Ok(range) = ledger.append(batch.clone()) {
                    acked.extend(range.zip(batch));
                }
                let _ = ledger.checkpoint();
            }
            let _ = ledger.close();
        }
    };
    let whole = Arc::new(FaultStore::new());
    life(&whole, &mut Acked::new());
    for step in 0..whole.steps().len() {
        for fault in [
            Fault::Error(ErrorKind::Other),
            Fault::Half(ErrorKind::Other),
            Fault::Error(ErrorKind::StorageFull),
            Fault::Half(ErrorKind::StorageFull),
        ] {
            let store = Arc::new(FaultStore::new());
            store.fault_at(step, fault);
            let mut acked = Acked::new();
            life(&store, &mut acked);
            for seed in 0..6 {
                let crashed = Arc::new(store.crash(seed));
                open(crashed.clone()).unwrap_or_else(|error| panic!("{step} {fault:?}: {error}"));
                check(crashed, &acked);
            }
        }
    }
}

#[test]
fn a_failed_sync_stops_the_ledger_for_good() {
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 2));
    store.fault_at(store.steps().len() + 1, Fault::Error(ErrorKind::Other));
    assert!(matches!(ledger.append(entries("b", 2)), Err(AppendError::Failed(_))));
    let steps = store.steps().len();
    // The next sync would succeed, and would mean nothing: it is never asked for.
    assert!(matches!(ledger.append(entries("c", 2)), Err(AppendError::Stopped(_))));
    let (send, answer) = mpsc::channel();
    ledger.submit(entries("d", 1), Box::new(move |done| send.send(done).unwrap()));
    assert!(matches!(answer.recv().unwrap(), Err(AppendError::Stopped(_))));
    assert!(matches!(ledger.checkpoint(), Err(CheckpointError::Stopped(_))));
    assert!(ledger.close().is_err());
    assert_eq!(store.steps().len(), steps, "a stopped ledger leaves the disk alone");
    assert_eq!(ledger.size(), 2);
}

#[test]
fn a_full_disk_refuses_and_goes_on_once_there_is_room() {
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 2));
    store.fault_at(store.steps().len(), Fault::Half(ErrorKind::StorageFull));
    assert!(matches!(ledger.append(entries("b", 9)), Err(AppendError::Full(_))));
    append(&ledger, &mut acked, entries("c", 2));
    for seed in 0..30 {
        let crashed = Arc::new(store.crash(seed));
        open(crashed.clone()).unwrap();
        let seen = read_all(crashed.clone()).1;
        assert!(seen.values().all(|entry| !entry.id.starts_with("b-")));
        check(crashed, &acked);
    }
    // The first batch of a new segment, too.
    let fresh = Arc::new(FaultStore::new());
    let ledger = open(fresh.clone()).unwrap();
    fresh.fault_at(fresh.steps().len(), Fault::Error(ErrorKind::StorageFull));
    assert!(matches!(ledger.append(entries("b", 1)), Err(AppendError::Full(_))));
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("c", 1));
    drop(ledger);
    check(fresh, &acked);
}

#[test]
fn a_crash_never_mixes_what_was_cut_off_with_what_came_later() {
    let mut repaired = 0;
    for seed in 0..200 {
        let store = Arc::new(FaultStore::new());
        let ledger = open(store.clone()).unwrap();
        let mut acked = Acked::new();
        append(&ledger, &mut acked, entries("a", 2));
        store.fault_at(store.steps().len(), Fault::Half(ErrorKind::StorageFull));
        assert!(matches!(ledger.append(entries("b", 9)), Err(AppendError::Full(_))));
        // The power goes before the next attempt is synced.
        store.fault_at(store.steps().len() + 1, Fault::Crash);
        assert!(ledger.append(entries("c", 7)).is_err());
        drop(ledger);
        let crashed = Arc::new(store.crash(seed));
        open(crashed.clone()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let seen = read_all(crashed.clone()).1;
        assert!(seen.values().all(|entry| !entry.id.starts_with("b-")), "seed {seed}");
        repaired += seen.values().filter(|entry| entry.kind == ledger::Kind::Repair).count();
        check(crashed, &acked);
    }
    assert!(repaired > 20, "{repaired}");
}

#[test]
fn a_checkpoint_that_could_not_be_written_is_written_later() {
    for behind in 0..23 {
        let store = Arc::new(FaultStore::new());
        let ledger = open(store.clone()).unwrap();
        let mut acked = Acked::new();
        append(&ledger, &mut acked, entries("a", 2));
        store.fault_at(store.steps().len() + behind, Fault::Error(ErrorKind::StorageFull));
        match ledger.checkpoint() {
            // Once the head was renamed its state is unknown: then the ledger stops.
            Ok(()) | Err(CheckpointError::Stopped(_)) => {}
            Err(_) => {
                ledger.checkpoint().unwrap();
                assert_eq!(read_all(store.clone()).0.checkpointed, 2);
            }
        }
        drop(ledger);
        check(store, &acked);
    }
}

#[test]
fn a_head_whose_name_was_never_synced_is_made_durable_before_it_is_signed_for() {
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 2));
    // A bundle and a tile: remove, create, append, sync, rename, each, and both directories. Then
    // swapping the head: create, append, sync, rename, sync_dir.
    let step = store.steps().len() + 12 + 4;
    store.fault_at(step, Fault::Error(ErrorKind::Other));
    assert!(matches!(ledger.checkpoint(), Err(CheckpointError::Stopped(_))));
    assert_eq!(store.steps()[step], "sync_dir");
    drop(ledger);
    // The next start sees the renamed head and publishes its checkpoint.
    drop(open(store.clone()).unwrap());
    for seed in 0..40 {
        let crashed = Arc::new(store.crash(seed));
        open(crashed.clone()).unwrap();
        check(crashed, &acked);
    }
}

#[test]
fn a_foreign_head_stops_the_signing() {
    use ledger::Store;
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 2)).unwrap();
    let checkpoint = store.files()["public/checkpoint"].clone();
    store.replace("head", b"{}").unwrap();
    assert!(matches!(ledger.checkpoint(), Err(CheckpointError::Stopped(_))));
    assert!(matches!(ledger.append(entries("b", 2)), Err(AppendError::Stopped(_))));
    assert_eq!(store.files()["public/checkpoint"], checkpoint);
}

#[test]
fn a_foreign_writer_is_noticed() {
    use ledger::Store;
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 2)).unwrap();
    let length = store.files()[crate::support::SEGMENT].len() as u64;
    store.append(crate::support::SEGMENT, length, b"hello").unwrap();
    assert!(matches!(ledger.append(entries("b", 2)), Err(AppendError::Failed(_))));
}
