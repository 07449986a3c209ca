//! The power goes: acknowledged entries stay, everything else is whole or recorded as cut.

use std::sync::Arc;

use ledger::{Kind, Ledger, Options};
use testkit::fault_store::{Fault, FaultStore, Lie};
use testkit::rng::Rng;

use crate::support::{Acked, append, check, entries, kinds, open, options, read_all};

/// Opens what a crash left. Afterwards everything acknowledged is there, once.
fn recover(crashed: FaultStore, acked: &Acked) -> Arc<FaultStore> {
    let store = Arc::new(crashed);
    open(store.clone()).unwrap();
    check(store.clone(), acked);
    store
}

#[test]
fn acknowledged_is_durable_for_every_seed() {
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    for round in 0..4 {
        append(&ledger, &mut acked, entries(&format!("a{round}"), 5));
        for seed in 0..60 {
            // Right after the answer, with no further step in between.
            recover(store.crash(seed), &acked);
        }
    }
}

#[test]
fn a_store_that_lies_about_sync_loses_entries() {
    // Shows that the test above can fail.
    for lie in [Lie::Sync, Lie::SyncDir] {
        let store = Arc::new(FaultStore::new());
        let ledger = open(store.clone()).unwrap();
        store.lie(lie);
        ledger.append(entries("a", 5)).unwrap();
        let lost = (0..60).filter(|&seed| {
            let crashed = Arc::new(store.crash(seed));
            match open(crashed.clone()) {
                Ok(_) => {
                    read_all(crashed).1.values().filter(|e| e.kind != Kind::Repair).count() < 5
                }
                Err(_) => true,
            }
        });
        assert!(lost.count() > 10, "{lie:?}");
    }
}

#[test]
fn lost_sectors_of_an_unsynced_batch_are_set_aside_and_recorded() {
    let mut cut = 0;
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let store = Arc::new(FaultStore::new());
        let options = Options { segment_bytes: 4000, ..options() };
        let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
        let mut acked = Acked::new();
        for round in 0..rng.below(5) {
            let count = 1 + rng.below(6) as usize;
            append(&ledger, &mut acked, entries(&format!("a{round}"), count));
            if rng.chance(30) {
                ledger.checkpoint().unwrap();
            }
        }
        // The power goes while the next batch is written, or before its sync returns.
        let step = store.steps().len() + rng.below(4) as usize;
        store.fault_at(step, Fault::Crash);
        let torn = entries("torn", 1 + rng.below(8) as usize);
        let answered = ledger.append(torn.clone());
        if let Ok(range) = &answered {
            // The crash came later: then it counts.
            acked.extend(range.clone().zip(torn.clone()));
        }
        drop(ledger);
        let crashed = store.crash(seed ^ 0xabcd);
        let before = crashed.files();
        let recovered = recover(crashed, &acked);
        let after = kinds(recovered.clone());
        let repairs = after.iter().filter(|&&kind| kind == Kind::Repair).count();
        let changed: Vec<_> = recovered
            .files()
            .into_iter()
            .filter(|(name, now)| {
                name.starts_with("journal/") && before.get(name).is_some_and(|then| then != now)
            })
            .collect();
        // Something was cut if and only if it is recorded.
        assert_eq!(repairs, changed.len(), "seed {seed}");
        cut += repairs;
        // The recovered ledger goes on, crashes again and is whole again.
        let ledger = open(recovered.clone()).unwrap();
        append(&ledger, &mut acked, entries("after", 3));
        recover(recovered.crash(seed), &acked);
    }
    assert!(cut > 100, "only {cut} of 400 crashes tore a batch: the test tests little");
}

#[test]
fn a_crash_at_every_step_of_a_life_is_survived() {
    let life = |store: &Arc<FaultStore>, acked: &mut Acked| -> Option<()> {
        for round in 0..3 {
            let options = Options { segment_bytes: 3000, ..options() };
            let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).ok()?;
            for n in 0..3 {
                let batch = entries(&format!("{round}.{n}"), 4);
                let range = ledger.append(batch.clone()).ok()?;
                acked.extend(range.zip(batch));
                if n == 1 {
                    ledger.checkpoint().ok()?;
                }
            }
            ledger.close().ok()?;
        }
        Some(())
    };
    let whole = Arc::new(FaultStore::new());
    life(&whole, &mut Acked::new()).unwrap();
    let steps = whole.steps().len();
    assert!(steps > 60, "{steps}");
    for step in 0..steps {
        let store = Arc::new(FaultStore::new());
        store.fault_at(step, Fault::Crash);
        let mut acked = Acked::new();
        assert!(life(&store, &mut acked).is_none());
        for seed in 0..12 {
            recover(store.crash(seed), &acked);
        }
    }
}

#[test]
fn a_crash_during_recovery_loses_no_record_of_the_cut() {
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 3));
    store.fault_at(store.steps().len() + 1, Fault::Crash);
    ledger.append(entries("torn", 8)).unwrap_err();
    drop(ledger);
    // A crash that leaves a torn batch.
    let torn = (0..).map(|seed| store.crash(seed)).find(|crashed| {
        let whole = crashed.files()[crate::support::SEGMENT].len();
        let (summary, seen) = read_all(Arc::new(FaultStore::of(crashed.files())));
        whole > 4000 && seen.len() < 11 && (summary.torn.is_some() || !summary.damage.is_empty())
    });
    let files = torn.unwrap().files();
    for step in 0..12 {
        let again = Arc::new(FaultStore::of(files.clone()));
        again.fault_at(step, Fault::Crash);
        let _ = open(again.clone());
        for seed in 0..20 {
            let recovered = recover(again.crash(seed), &acked);
            let repairs = kinds(recovered).into_iter().filter(|&kind| kind == Kind::Repair);
            assert_eq!(repairs.count(), 1, "step {step}, seed {seed}");
        }
    }
}
