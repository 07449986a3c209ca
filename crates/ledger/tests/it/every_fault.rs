//! One fault at every operation of a life, then two, then faults of looking and of repairing. After
//! each: a crash, a start, and the checker of all invariants.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ledger::lock::Lock;
use ledger::repair::{self, Action};
use ledger::store::memory::MemoryStore;
use ledger::{AppendError, CheckpointError, Kind, Ledger, OpenError, Options};
use testkit::clock::TestClock;
use testkit::fault_store::{Fault, FaultStore};
use testkit::rng::Rng;

use crate::support::{
    Acked, SEGMENT, append, check, entries, kinds, open, options, options_with, vkey,
};

pub const EVERY: [Fault; 9] = [
    Fault::Error(ErrorKind::Other),
    Fault::Error(ErrorKind::Interrupted),
    Fault::Error(ErrorKind::StorageFull),
    Fault::Half(ErrorKind::Other),
    Fault::Half(ErrorKind::StorageFull),
    Fault::Done(ErrorKind::Other),
    Fault::Done(ErrorKind::StorageFull),
    Fault::Os(NO_DESCRIPTOR),
    Fault::Crash,
];
const NO_DESCRIPTOR: i32 = 24;

/// Starts, appends over a segment's end, checkpoints, stops cleanly and not, starts again. Goes on
/// after errors as a gateway would, while its clock jumps ahead and back.
fn life(store: &Arc<FaultStore>, acked: &mut Acked) {
    for round in 0..3 {
        let now = [1_700_000_000_000, 5, 1_900_000_000_000][round];
        let clock = Arc::new(TestClock::at(now));
        let options = Options { segment_bytes: 2400, ..options_with(clock.clone()) };
        let Ok(ledger) = Ledger::open(store.clone(), options, &mut |_, _, _| {}) else { continue };
        for n in 0..3 {
            clock.set([now + 60_000, now / 2, now][n]);
            let batch = entries(&format!("{round}.{n}"), 4);
            if let Ok(range) = ledger.append(batch.clone()) {
                acked.extend(range.zip(batch));
            }
            if n != 1 {
                let _ = ledger.checkpoint();
            }
        }
        if round != 1 {
            let _ = ledger.close();
        }
    }
}

fn survives(store: &FaultStore, acked: &Acked, seeds: u64, case: &dyn Fn() -> String) {
    for seed in 0..seeds {
        let crashed = Arc::new(store.crash(seed));
        open(crashed.clone()).unwrap_or_else(|error| panic!("{}, seed {seed}: {error}", case()));
        let checked = catch_unwind(AssertUnwindSafe(|| check(crashed, acked)));
        assert!(checked.is_ok(), "{}, seed {seed}", case());
    }
}

#[test]
fn every_fault_at_every_step() {
    let whole = Arc::new(FaultStore::new());
    life(&whole, &mut Acked::new());
    let steps = whole.steps();
    // The life has every kind of step that a ledger makes outside of a repair or a full disk.
    for kind in ["create", "append", "sync", "rename", "sync_dir"] {
        assert!(steps.iter().filter(|&&step| step == kind).count() > 5, "{kind}");
    }
    for (at, name) in steps.iter().enumerate() {
        for fault in EVERY {
            let store = Arc::new(FaultStore::new());
            store.fault_at(at, fault);
            let mut acked = Acked::new();
            life(&store, &mut acked);
            survives(&store, &acked, 3, &|| format!("{fault:?} at step {at}, {name}"));
        }
    }
}

#[test]
fn two_faults_in_a_row() {
    let mut rng = Rng::new(22);
    let mut pick = |most: u64| rng.below(most) as usize;
    for case in 0..250 {
        let first = pick(70);
        // Most often close behind: what answers a fault meets the next.
        let second = first + 1 + if pick(2) == 0 { pick(4) } else { pick(40) };
        let faults = [(first, EVERY[pick(8)]), (second, EVERY[pick(9)])];
        let store = Arc::new(FaultStore::new());
        faults.iter().for_each(|&(at, fault)| store.fault_at(at, fault));
        let mut acked = Acked::new();
        life(&store, &mut acked);
        survives(&store, &acked, 2, &|| format!("case {case}: {faults:?}"));
    }
}

/// A ledger in several segments whose last batch is torn, with what was acknowledged before.
fn torn() -> (BTreeMap<String, Vec<u8>>, Acked) {
    let store = Arc::new(MemoryStore::new());
    let options = Options { segment_bytes: 1000, ..options() };
    let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
    let mut acked = Acked::new();
    for n in 0..3 {
        append(&ledger, &mut acked, entries(&format!("a{n}"), 4));
        if n == 0 {
            ledger.checkpoint().unwrap();
        }
    }
    ledger.append(entries("torn", 4)).unwrap();
    drop(ledger);
    let mut files = store.snapshot();
    let last = files.iter_mut().rfind(|(name, _)| name.starts_with("journal/")).unwrap().1;
    last.truncate(last.len() - 20);
    (files, acked)
}

#[test]
fn a_fault_at_every_step_of_a_start_that_repairs() {
    let (files, acked) = torn();
    let whole = Arc::new(FaultStore::of(files.clone()));
    open(whole.clone()).unwrap();
    assert!(whole.steps().contains(&"set_aside"), "{:?}", whole.steps());
    for at in 0..whole.steps().len() {
        for fault in EVERY {
            let store = Arc::new(FaultStore::of(files.clone()));
            store.fault_at(at, fault);
            let _ = open(store.clone());
            survives(&store, &acked, 3, &|| format!("{fault:?} at step {at}"));
            let recovered = Arc::new(store.crash(9));
            open(recovered.clone()).unwrap();
            let repairs = kinds(recovered).into_iter().filter(|&kind| kind == Kind::Repair);
            assert_eq!(repairs.count(), 1, "{fault:?} at step {at}");
        }
    }
}

#[test]
fn a_fault_at_every_look_of_a_start_changes_nothing() {
    let (files, acked) = torn();
    let whole = Arc::new(FaultStore::of(files.clone()));
    open(whole.clone()).unwrap();
    assert!(whole.looks() > 12, "{}", whole.looks());
    for at in 0..whole.looks() {
        for kind in [ErrorKind::Other, ErrorKind::Interrupted, ErrorKind::PermissionDenied] {
            let store = Arc::new(FaultStore::of(files.clone()));
            store.fault_at_look(at, kind);
            match open(store.clone()) {
                // Never as damage, which would send an operator to repair a ledger that is whole.
                Err(OpenError::Io(_) | OpenError::Publish(_)) => {}
                Err(error) => panic!("look {at}: {error}"),
                Ok(_) => {}
            }
            survives(&store, &acked, 1, &|| format!("{kind:?} at look {at}"));
        }
    }
}

#[test]
fn a_fault_at_every_step_of_a_repair_by_hand() {
    let (mut files, mut acked) = torn();
    // A byte that no crash changes, above the head and before the last batch.
    let whole = files.clone();
    let names: Vec<String> =
        files.keys().filter(|name| name.starts_with("journal/")).cloned().collect();
    assert!(names.len() > 2, "{names:?}");
    let second = files.get_mut(&names[1]).unwrap();
    second[200] ^= 1;
    assert_ne!(files, whole);
    let perform = |store: &Arc<FaultStore>| {
        let Ok(plan) = repair::explain(&**store, &vkey()) else { return };
        let _ = repair::perform(store.clone(), options(), &plan);
    };
    let store = Arc::new(FaultStore::of(files.clone()));
    assert!(matches!(repair::explain(&*store, &vkey()).unwrap().action, Action::Cut { .. }));
    perform(&store);
    // What the operator agreed to lose is the only thing that is gone.
    let kept = kinds(store.clone()).len() as u64 - 1;
    acked.retain(|&index, _| index < kept);
    assert!(acked.len() >= 4);
    for at in 0..store.steps().len() {
        for fault in EVERY {
            let store = Arc::new(FaultStore::of(files.clone()));
            store.fault_at(at, fault);
            perform(&store);
            for seed in 0..3 {
                let crashed = Arc::new(store.crash(seed));
                // Done, or to be done again: each time explained, never half.
                perform(&crashed);
                open(crashed.clone()).unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
                check(crashed, &acked);
            }
        }
    }
}

#[test]
fn a_start_that_fails_gives_the_lock_back() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lock");
    let store = Arc::new(FaultStore::new());
    store.fault_at(0, Fault::Error(ErrorKind::Other));
    let options = Options { lock: Some(Lock::take(&path).unwrap()), ..options() };
    assert!(Ledger::open(store, options, &mut |_, _, _| {}).is_err());
    Lock::take(&path).unwrap();
}

#[test]
fn a_segment_that_cannot_be_made_now_is_made_later() {
    let raw = [13, 23, NO_DESCRIPTOR, 30];
    for number in raw {
        let store = Arc::new(FaultStore::new());
        let options = Options { segment_bytes: 1, ..options() };
        let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
        let mut acked = Acked::new();
        append(&ledger, &mut acked, entries("a", 2));
        store.fault_at(store.steps().len(), Fault::Os(number));
        let refused = ledger.append(entries("b", 2));
        assert!(matches!(refused, Err(AppendError::Unwritten(_))), "{number}: {refused:?}");
        // The same for a checkpoint: removal of a leftover, then creation.
        store.fault_at(store.steps().len() + 1, Fault::Os(number));
        assert!(matches!(ledger.checkpoint(), Err(CheckpointError::Unwritten(_))));
        append(&ledger, &mut acked, entries("c", 2));
        ledger.close().unwrap();
        drop(ledger);
        assert_eq!(check(store, &acked).checkpointed, 4);
    }
}

#[test]
fn a_creation_of_which_nobody_knows_what_it_made_stops_the_ledger() {
    for fault in [Fault::Error(ErrorKind::Other), Fault::Done(ErrorKind::Other)] {
        let store = Arc::new(FaultStore::new());
        let options = Options { segment_bytes: 1, ..options() };
        let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
        let mut acked = Acked::new();
        append(&ledger, &mut acked, entries("a", 2));
        store.fault_at(store.steps().len(), fault);
        assert!(matches!(ledger.append(entries("b", 2)), Err(AppendError::Failed(_))));
        assert!(matches!(ledger.append(entries("c", 2)), Err(AppendError::Stopped(_))));
        drop(ledger);
        open(store.clone()).unwrap();
        check(store, &acked);
    }
}

#[test]
fn the_checker_fails_where_something_is_wrong() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 3));
    append(&ledger, &mut acked, entries("b", 3));
    ledger.close().unwrap();
    drop(ledger);
    let files = store.snapshot();
    check(Arc::new(MemoryStore::of(files.clone())), &acked);
    let fails = |what: &str, files: &BTreeMap<String, Vec<u8>>, acked: &Acked| {
        let store = Arc::new(MemoryStore::of(files.clone()));
        let checked = catch_unwind(AssertUnwindSafe(|| check(store, acked)));
        assert!(checked.is_err(), "the checker let pass: {what}");
    };
    let mut one_more = acked.clone();
    one_more.insert(6, entries("c", 1).remove(0));
    fails("an acknowledged entry that is not there", &files, &one_more);
    let mut swapped = acked.clone();
    let (first, second) = (swapped[&1].clone(), swapped[&2].clone());
    swapped.extend([(1, second), (2, first)]);
    fails("acknowledged entries in another order", &files, &swapped);
    for name in files.keys() {
        for at in (0..files[name].len()).step_by(17) {
            let mut damaged = files.clone();
            damaged.get_mut(name).unwrap()[at] ^= 0x10;
            fails(&format!("another byte {at} in {name}"), &damaged, &acked);
        }
        let mut without = files.clone();
        without.remove(name);
        fails(&format!("{name} is gone"), &without, &acked);
    }
    // The same entry twice, in a ledger that is otherwise whole.
    let twice = Arc::new(MemoryStore::new());
    let ledger = open(twice.clone()).unwrap();
    append(&ledger, &mut Acked::new(), entries("a", 1));
    append(&ledger, &mut Acked::new(), entries("a", 1));
    ledger.close().unwrap();
    drop(ledger);
    fails("an entry twice", &twice.snapshot(), &Acked::new());
    // A whole ledger of the same log that holds other entries, and one that was set back.
    let other = Arc::new(MemoryStore::new());
    let ledger = open(other.clone()).unwrap();
    append(&ledger, &mut Acked::new(), entries("x", 6));
    ledger.close().unwrap();
    drop(ledger);
    fails("another history", &other.snapshot(), &acked);
    let mut mixed = files.clone();
    mixed.insert(SEGMENT.into(), other.snapshot()[SEGMENT].clone());
    fails("the journal of another history", &mixed, &Acked::new());
}
