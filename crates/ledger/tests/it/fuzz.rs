//! Arbitrary files: a reader and a start answer, whatever lies there, and never panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::store::memory::MemoryStore;
use ledger::{Leaf, Reader};
use proptest::prelude::*;

use crate::support::{SEGMENT, entries, open, vkey};

type Files = BTreeMap<String, Vec<u8>>;

fn good() -> Files {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 4)).unwrap();
    ledger.checkpoint().unwrap();
    ledger.append(entries("b", 3)).unwrap();
    store.snapshot()
}

/// Reads, explains and starts; returns whether a reader found damage.
fn survive(files: Files) -> bool {
    let store = Arc::new(MemoryStore::of(files));
    let mut found = false;
    if let Ok(reader) = Reader::open(store.clone(), Some(&[vkey()])) {
        found = !reader.check().unwrap().damage.is_empty();
    }
    ledger::repair::explain(&*store, &vkey()).unwrap();
    if let Ok(ledger) = open(store.clone()) {
        ledger.append(entries("after", 1)).unwrap();
        ledger.close().unwrap();
        let summary = Reader::open(store, Some(&[vkey()])).unwrap().check().unwrap();
        assert_eq!(summary.damage, []);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn arbitrary_bytes(journal: Vec<u8>, head: Vec<u8>, checkpoint: Vec<u8>) {
        let mut files = Files::new();
        files.insert(SEGMENT.into(), journal);
        files.insert("head".into(), head);
        files.insert("public/checkpoint".into(), checkpoint);
        survive(files);
    }

    #[test]
    fn pieces_of_a_journal_in_any_order(
        cuts in prop::collection::vec((0usize..4000, 0usize..1200, 0usize..4), 1..6),
    ) {
        let mut files = good();
        let whole = files[SEGMENT].clone();
        let mut mixed = Vec::new();
        for (from, count, zeros) in cuts {
            let from = from.min(whole.len());
            mixed.extend(&whole[from..(from + count).min(whole.len())]);
            mixed.extend(vec![0; zeros * 200]);
        }
        let changed = !whole.starts_with(&mixed);
        files.insert(SEGMENT.into(), mixed);
        let found = survive(files);
        prop_assert!(found || !changed);
    }

    #[test]
    fn changed_bytes(changes in prop::collection::vec((0usize..10_000, any::<u8>()), 1..8)) {
        let mut files = good();
        let segment = files.get_mut(SEGMENT).unwrap();
        let whole = segment.clone();
        for (at, byte) in changes {
            let at = at % segment.len();
            segment[at] = byte;
        }
        let changed = *segment != whole;
        prop_assert_eq!(survive(files), changed);
    }

    #[test]
    fn leaves_read_back_or_are_refused(bytes: Vec<u8>, text in "\\PC{0,40}") {
        let _ = Leaf::parse(&bytes);
        let line = format!(
            "{{\"body\":\"{}\",\"id\":\"{text}\",\"kind\":\"audit\",\"len\":1,\"seq\":2,\"ts\":3,\"v\":1,\"writer\":\"w\"}}",
            seal::digest::Digest::of(b"")
        );
        if let Ok(leaf) = Leaf::parse(line.as_bytes()) {
            prop_assert_eq!(leaf.to_bytes().unwrap(), line.into_bytes());
        }
    }
}
