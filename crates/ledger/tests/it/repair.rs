//! What an operator may do about damage, and what nobody may.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::repair::{Action, Obstacle, RepairError, explain, perform};
use ledger::store::memory::MemoryStore;
use ledger::{Cause, Kind, Ledger, OpenError, Options};

use crate::support::{Acked, SEGMENT, append, check, entries, kinds, open, options, vkey};

struct Built {
    files: BTreeMap<String, Vec<u8>>,
    acked: Acked,
    last: String,
}

/// Six entries below the head, then twelve above it in several segments.
fn build() -> Built {
    let store = Arc::new(MemoryStore::new());
    let options = Options { segment_bytes: 6000, ..options() };
    let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 6));
    ledger.checkpoint().unwrap();
    for n in 0..4 {
        append(&ledger, &mut acked, entries(&format!("b{n}"), 3));
    }
    let files = store.snapshot();
    let last = files.keys().rfind(|name| name.starts_with("journal/")).unwrap().clone();
    assert_ne!(last, SEGMENT);
    Built { files, acked, last }
}

fn damaged(built: &Built, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Arc<MemoryStore> {
    let mut files = built.files.clone();
    change(files.get_mut(name).unwrap());
    Arc::new(MemoryStore::of(files))
}

fn action(store: &MemoryStore) -> Action {
    explain(store, &vkey()).unwrap().action
}

#[test]
fn a_whole_or_merely_torn_ledger_needs_no_hand() {
    let built = build();
    let store = damaged(&built, SEGMENT, |_| {});
    assert_eq!(action(&store), Action::Nothing);
    let plan = explain(&*store, &vkey()).unwrap();
    assert!(matches!(perform(store, options(), &plan), Err(RepairError::Nothing)));
    let store = damaged(&built, &built.last, |bytes| bytes.truncate(bytes.len() - 5));
    assert_eq!(action(&store), Action::NextStart);
}

#[test]
fn damage_above_the_head_is_cut_and_recorded() {
    let built = build();
    let length = built.files[SEGMENT].len();
    let store = damaged(&built, SEGMENT, |bytes| bytes[length - 300] ^= 1);
    assert!(open(store.clone()).is_err());
    let plan = explain(&*store, &vkey()).unwrap();
    let Action::Cut { file, first, later, .. } = &plan.action else { panic!("{plan:?}") };
    assert_eq!((file.as_str(), later.is_empty()), (SEGMENT, false));
    let first = *first;
    assert!(first >= 6);
    let index = perform(store.clone(), options(), &plan).unwrap();
    assert_eq!(index, first);
    let mut acked = built.acked.clone();
    acked.retain(|&index, _| index < first);
    let summary = check(store.clone(), &acked);
    assert_eq!((summary.size, summary.checkpointed), (first + 1, first + 1));
    assert_eq!(kinds(store.clone()).last(), Some(&Kind::Repair));
    assert_eq!(store.aside().len(), 1 + later.len());
    // The same plan does not fit twice.
    assert!(matches!(perform(store, options(), &plan), Err(RepairError::Changed)));
}

#[test]
fn damage_below_the_head_is_never_cut() {
    let built = build();
    let store = damaged(&built, SEGMENT, |bytes| bytes[100] ^= 1);
    assert_eq!(action(&store), Action::Impossible(Obstacle::Signed));
    let plan = explain(&*store, &vkey()).unwrap();
    let before = store.snapshot();
    let refused = perform(store.clone(), options(), &plan);
    assert!(matches!(refused, Err(RepairError::Impossible(Obstacle::Signed))));
    assert_eq!(store.snapshot(), before);
}

#[test]
fn a_lost_head_is_rebuilt_and_a_lost_checkpoint_signed_again() {
    let built = build();
    for (name, expect) in [("head", Action::RebuildHead), ("public/checkpoint", Action::SignAgain)]
    {
        for gone in [false, true] {
            let store = match gone {
                false => damaged(&built, name, |bytes| bytes[20] ^= 1),
                true => {
                    let mut files = built.files.clone();
                    files.remove(name);
                    Arc::new(MemoryStore::of(files))
                }
            };
            assert!(open(store.clone()).is_err());
            let plan = explain(&*store, &vkey()).unwrap();
            assert_eq!(plan.action, expect, "{name}");
            assert_eq!(perform(store.clone(), options(), &plan).unwrap(), 18);
            let summary = check(store.clone(), &built.acked);
            assert_eq!((summary.size, summary.checkpointed), (19, 19));
            assert_eq!(store.aside().len(), usize::from(!gone));
        }
    }
}

#[test]
fn two_signed_truths_are_never_reconciled() {
    let built = build();
    // Head and checkpoint agree with each other and not with the journal.
    let other = Arc::new(MemoryStore::new());
    let ledger = open(other.clone()).unwrap();
    ledger.append(entries("z", 6)).unwrap();
    ledger.close().unwrap();
    let mut files = built.files.clone();
    for name in ["head", "public/checkpoint"] {
        files.insert(name.into(), other.snapshot()[name].clone());
    }
    let store = MemoryStore::of(files);
    assert_eq!(action(&store), Action::Impossible(Obstacle::Disagreement));
    let mut files = built.files.clone();
    files.insert("readme".into(), vec![]);
    assert_eq!(action(&MemoryStore::of(files)), Action::Impossible(Obstacle::Unlisted));
}

#[test]
fn tiles_are_made_anew_from_a_journal_that_holds() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 520));
    ledger.close().unwrap();
    drop(ledger);
    let files = store.snapshot();
    let pieces = files.keys().filter(|name| name.contains("tile/") || name.contains("entries/"));
    let pieces: Vec<String> = pieces.cloned().collect();
    assert_eq!(pieces.len(), 7);
    for gone in [false, true] {
        let mut damaged = files.clone();
        for name in &pieces {
            match gone {
                true => drop(damaged.remove(name)),
                false => damaged.get_mut(name).unwrap()[9] ^= 1,
            }
        }
        if gone {
            // With none at all it is a ledger from before there were any.
            damaged.insert(pieces[0].clone(), files[&pieces[0]].clone());
        }
        let store = Arc::new(MemoryStore::of(damaged));
        assert!(open(store.clone()).is_err());
        let plan = explain(&*store, &vkey()).unwrap();
        let Action::RebuildTiles { files: named } = &plan.action else { panic!("{plan:?}") };
        assert_eq!(named.len(), if gone { 6 } else { 7 });
        assert_eq!(perform(store.clone(), options(), &plan).unwrap(), 520);
        check(store.clone(), &acked);
        assert_eq!(store.aside().len(), if gone { 0 } else { 7 });
        assert_eq!(kinds(store).last(), Some(&Kind::Repair));
    }
}

#[test]
fn a_cut_takes_the_tiles_of_what_it_cuts_along() {
    // The tiles of everything are there, the head is older: a crash between the two, then damage.
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 6));
    ledger.checkpoint().unwrap();
    let old = store.snapshot();
    ledger.append(entries("b", 6)).unwrap();
    ledger.checkpoint().unwrap();
    drop(ledger);
    let mut files = store.snapshot();
    for name in ["head", "public/checkpoint"] {
        files.insert(name.into(), old[name].clone());
    }
    let cut = files[SEGMENT].len() - 400;
    files.get_mut(SEGMENT).unwrap().truncate(cut);
    let store = Arc::new(MemoryStore::of(files));
    // Without the tiles the last batch would be one that a crash tore.
    let Err(OpenError::Damaged(damage)) = open(store.clone()) else { panic!() };
    assert!(matches!(damage.cause, Cause::TileBeyond { .. }), "{damage}");
    let plan = explain(&*store, &vkey()).unwrap();
    let Action::Cut { first, .. } = plan.action else { panic!("{plan:?}") };
    assert_eq!(perform(store.clone(), options(), &plan).unwrap(), first);
    assert_eq!(store.aside().len(), 3, "{:?}", store.aside().keys());
    acked.retain(|&index, _| index < first);
    check(store, &acked);
}
