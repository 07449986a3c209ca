//! One fault at every operation of a prune, an archive and a restore. After each: a crash, a start,
//! the checker, and the same act once more.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::archive::{self, ArchiveError, Manifest};
use ledger::prune::{self, PruneError};
use ledger::store::memory::MemoryStore;
use ledger::store::{Source, Store};
use testkit::fault_store::FaultStore;

use crate::every_fault::EVERY;
use crate::prune::{Kept, bodies, everything, fill, prune, small};
use crate::support::{Acked, open, vkey};

type Files = BTreeMap<String, Vec<u8>>;

fn filled() -> (Files, Acked) {
    let store = Arc::new(MemoryStore::new());
    let acked = fill(&(store.clone() as Arc<dyn Store>));
    (store.snapshot(), acked)
}

/// The same ledger with everything pruned that may be.
fn pruned(files: &Files) -> Files {
    let store = Arc::new(MemoryStore::of(files.clone()));
    prune(&(store.clone() as Arc<dyn Store>), &everything(), vec![]);
    store.snapshot()
}

/// What is here is what was acknowledged, and what is not here is accounted for. Returns how many
/// bodies are gone.
fn sound(store: &Arc<dyn Store>, acked: &Acked, case: &dyn Fn() -> String) -> usize {
    drop(open(store.clone()).unwrap_or_else(|error| panic!("{}: {error}", case())));
    let (found, accounts) = bodies(store);
    assert_eq!(accounts.stripped, [], "{}", case());
    assert_eq!(accounts.malformed, [], "{}", case());
    for (index, entry) in acked {
        let body = found[index].as_ref();
        assert!(body.is_none_or(|body| *body == entry.body), "{}: entry {index}", case());
    }
    found.values().filter(|body| body.is_none()).count()
}

fn try_prune(store: &Arc<FaultStore>) -> Result<Vec<u64>, PruneError> {
    let plan = prune::explain(&**store, &vkey(), None, &everything(), &mut Kept(vec![2, 9]))?;
    prune::perform(store.clone(), small(), &everything(), &plan)
}

#[test]
fn a_fault_at_every_step_of_a_prune() {
    let (files, acked) = filled();
    let whole = Arc::new(FaultStore::of(files.clone()));
    try_prune(&whole).unwrap();
    let gone = sound(&(whole.clone() as Arc<dyn Store>), &acked, &|| "no fault".into());
    assert!(gone > 20, "{gone}");
    let steps = whole.steps();
    assert!(steps.iter().filter(|step| **step == "rename").count() > 5, "{steps:?}");
    for (at, name) in steps.iter().enumerate() {
        for fault in EVERY {
            let store = Arc::new(FaultStore::of(files.clone()));
            store.fault_at(at, fault);
            let _ = try_prune(&store);
            let seed = at as u64;
            let case = || format!("{fault:?} at step {at}, {name}, seed {seed}");
            let crashed = Arc::new(store.crash(seed));
            sound(&(crashed.clone() as Arc<dyn Store>), &acked, &case);
            // Once more, and the result is the one without a fault.
            try_prune(&crashed).unwrap_or_else(|error| panic!("{}: {error}", case()));
            let dynamic: Arc<dyn Store> = crashed.clone();
            assert!(sound(&dynamic, &acked, &case) >= gone, "{}", case());
        }
    }
}

#[test]
fn a_fault_at_every_step_of_an_archive() {
    let (files, _) = filled();
    let source = MemoryStore::of(files.clone());
    let whole = FaultStore::new();
    let done = archive::archive(&source, &vkey(), &whole, None).unwrap();
    assert!(done.copied > 3 && done.there == 0, "{done:?}");
    for at in 0..whole.steps().len() {
        for fault in EVERY {
            let to = FaultStore::new();
            to.fault_at(at, fault);
            let _ = archive::archive(&source, &vkey(), &to, None);
            for seed in 0..2 {
                let crashed = to.crash(seed);
                // What a manifest lists is there, whole; without one there is no archive yet.
                match Manifest::read(&crashed) {
                    Err(ArchiveError::NoManifest) => {}
                    Err(error) => panic!("{fault:?} at step {at}: {error}"),
                    Ok(manifest) => {
                        for segment in &manifest.segments {
                            let copy = crashed.read(&segment.file, 1 << 20).unwrap();
                            assert_eq!(copy, files[&segment.file], "{fault:?} at step {at}");
                        }
                    }
                }
                let again = archive::archive(&source, &vkey(), &crashed, None).unwrap();
                assert_eq!(again.manifest, done.manifest, "{fault:?} at step {at}");
            }
        }
    }
    assert_eq!(source.snapshot(), files, "an archive takes nothing away");
}

#[test]
fn a_fault_at_every_step_of_a_restore() {
    let (files, acked) = filled();
    let copy = MemoryStore::new();
    archive::archive(&MemoryStore::of(files.clone()), &vkey(), &copy, None).unwrap();
    let files = pruned(&files);
    let whole = FaultStore::of(files.clone());
    let done = archive::restore(&whole, &vkey(), &copy, None).unwrap();
    assert!(done.bodies > 20 && done.segments > 3 && done.missing == 0, "{done:?}");
    let steps = whole.steps();
    let whole: Arc<dyn Store> = Arc::new(whole);
    assert_eq!(sound(&whole, &acked, &|| "no fault".into()), 0);
    for at in 0..steps.len() {
        for fault in EVERY {
            let store = FaultStore::of(files.clone());
            store.fault_at(at, fault);
            let _ = archive::restore(&store, &vkey(), &copy, None);
            let seed = at as u64;
            let case = || format!("{fault:?} at step {at}, seed {seed}");
            let crashed: Arc<dyn Store> = Arc::new(store.crash(seed));
            sound(&crashed, &acked, &case);
            archive::restore(&*crashed, &vkey(), &copy, None).unwrap();
            assert_eq!(sound(&crashed, &acked, &case), 0, "{}", case());
        }
    }
}

#[test]
fn no_flipped_byte_of_an_archive_comes_back() {
    let (files, acked) = filled();
    let copy = MemoryStore::new();
    archive::archive(&MemoryStore::of(files.clone()), &vkey(), &copy, None).unwrap();
    let (copy, files) = (copy.snapshot(), pruned(&files));
    for (name, bytes) in &copy {
        for at in (0..bytes.len()).step_by(13) {
            let mut damaged = copy.clone();
            damaged.get_mut(name).unwrap()[at] ^= 0x04;
            let store: Arc<dyn Store> = Arc::new(MemoryStore::of(files.clone()));
            let restored = archive::restore(&*store, &vkey(), &MemoryStore::of(damaged), None);
            let case = || format!("{name} at {at}");
            // The checkpoint of the day and the figures of the manifest decide nothing.
            if name.starts_with("journal/") {
                assert!(restored.is_err(), "{}", case());
            }
            sound(&store, &acked, &case);
        }
    }
}
