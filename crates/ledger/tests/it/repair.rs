//! What an operator may do about damage, and what nobody may.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::repair::{Action, Obstacle, RepairError, explain, perform};
use ledger::store::memory::MemoryStore;
use ledger::{Kind, Ledger, Options};

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
