//! One changed byte, anywhere: named by every reader, refused by every start.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::store::memory::MemoryStore;
use ledger::{Cause, Kind, Ledger, OpenError, Options};

use testkit::clock::TestClock;

use crate::support::{entries, open, options, options_with, read_all};

type Files = BTreeMap<String, Vec<u8>>;

/// A ledger of several segments, its last entries not covered by the checkpoint.
fn ledger() -> Files {
    let store = Arc::new(MemoryStore::new());
    let options = Options { segment_bytes: 2500, ..options() };
    let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
    for n in 0..5 {
        ledger.append(entries(&format!("a{n}"), 3)).unwrap();
    }
    ledger.checkpoint().unwrap();
    for n in 0..2 {
        ledger.append(entries(&format!("b{n}"), 2)).unwrap();
    }
    store.snapshot()
}

#[test]
fn every_flipped_byte_of_every_file_is_found() {
    let files = ledger();
    let segments = files.keys().filter(|name| name.starts_with("journal/")).count();
    assert!(segments >= 3, "{segments}");
    for (name, bytes) in &files {
        for at in 0..bytes.len() {
            let mut changed = files.clone();
            changed.get_mut(name).unwrap()[at] ^= if at % 3 == 0 { 0xff } else { 1 << (at % 8) };
            check_found(&changed, name, at);
        }
    }
}

fn check_found(changed: &Files, name: &str, at: usize) {
    let store = Arc::new(MemoryStore::of(changed.clone()));
    let (summary, _) = read_all(store.clone());
    let named = summary.damage.iter().any(|damage| damage.file == name);
    assert!(named, "{name} byte {at}: {:?}", summary.damage);
    match open(store.clone()) {
        Err(OpenError::Damaged(damage)) => assert_eq!(damage.file, name),
        other => panic!("{name} byte {at}: {:?}", other.map(|ledger| ledger.size())),
    }
    assert_eq!(store.snapshot(), *changed, "a refused start changes nothing");
}

#[test]
fn a_flipped_byte_costs_one_finding_and_only_its_entry() {
    let files = ledger();
    let name = "journal/00000000000000000000.seg";
    for at in 32..files[name].len() {
        let mut changed = files.clone();
        changed.get_mut(name).unwrap()[at] ^= 0x10;
        let (summary, seen) = read_all(Arc::new(MemoryStore::of(changed)));
        assert_eq!(summary.damage.len(), 1, "byte {at}: {:?}", summary.damage);
        assert!(seen.len() >= 18, "byte {at}: {} of 19 entries were read", seen.len());
    }
}

#[test]
fn every_cut_below_the_head_is_found() {
    let files = ledger();
    let first = "journal/00000000000000000000.seg";
    for (name, bytes) in &files {
        let lengths = (0..bytes.len()).filter(|len| len % 7 == 0 || name == "head");
        for length in lengths {
            let mut changed = files.clone();
            changed.get_mut(name).unwrap().truncate(length);
            let store = Arc::new(MemoryStore::of(changed));
            let (summary, _) = read_all(store.clone());
            let opened = open(store);
            if name == files.keys().rfind(|name| name.starts_with("journal/")).unwrap() {
                continue;
            }
            assert!(!summary.damage.is_empty(), "{name} cut to {length}");
            assert!(opened.is_err(), "{name} cut to {length}");
        }
    }
    for gone in ["head", "public/checkpoint", first] {
        let mut changed = files.clone();
        changed.remove(gone);
        let store = Arc::new(MemoryStore::of(changed));
        assert!(!read_all(store.clone()).0.damage.is_empty(), "{gone}");
        assert!(open(store).is_err(), "{gone}");
    }
}

#[test]
fn a_clean_cut_below_the_head_is_found() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 3)).unwrap();
    let shorter = store.snapshot()[crate::support::SEGMENT].clone();
    ledger.append(entries("b", 3)).unwrap();
    ledger.close().unwrap();
    let mut changed = store.snapshot();
    changed.insert(crate::support::SEGMENT.into(), shorter);
    let store = Arc::new(MemoryStore::of(changed));
    let (summary, _) = read_all(store.clone());
    assert!(matches!(summary.damage[0].cause, Cause::Beyond { size: 6, journal: 3 }));
    assert!(matches!(open(store), Err(OpenError::Damaged(_))));
}

#[test]
fn unlisted_files_are_damage() {
    for name in ["note.txt", "journal/1.seg", "public/tile", "journal/00000000000000000099.seg.bak"]
    {
        let mut changed = ledger();
        changed.insert(name.into(), b"hello".to_vec());
        let store = Arc::new(MemoryStore::of(changed));
        let (summary, _) = read_all(store.clone());
        assert_eq!(summary.damage.len(), 1);
        assert_eq!(
            (summary.damage[0].file.as_str(), &summary.damage[0].cause),
            (name, &Cause::Unlisted)
        );
        assert!(matches!(open(store), Err(OpenError::Damaged(damage)) if damage.file == name));
    }
    // What an interrupted replacement leaves is not damage, and goes with the next start.
    let mut changed = ledger();
    changed.insert("head.new".into(), b"{".to_vec());
    let store = Arc::new(MemoryStore::of(changed));
    assert_eq!(read_all(store.clone()).0.damage, []);
    open(store.clone()).unwrap();
    assert!(!store.snapshot().contains_key("head.new"));
}

#[test]
fn another_log_or_key_is_refused() {
    let files = ledger();
    let open_as = |options| {
        let store = Arc::new(MemoryStore::of(files.clone()));
        Ledger::open(store, options, &mut |_, _, _| {}).map(drop)
    };
    let other_origin = Options { origin: "log.test/other".into(), ..options() };
    assert!(matches!(open_as(other_origin), Err(OpenError::Damaged(_))));
    let other_key = Options { signer: testkit::key(8), ..options() };
    match open_as(other_key) {
        Err(OpenError::Damaged(damage)) => {
            assert_eq!(damage.file, "public/checkpoint");
            assert_eq!(damage.cause, Cause::Signature);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rewritten_entry_with_right_checksums_is_found_by_the_roots() {
    // Whoever can write the files can also compute checksums; not signatures.
    let forge = |text: &str| {
        let store = Arc::new(MemoryStore::new());
        let ledger = open(store.clone()).unwrap();
        let entry = ledger::Entry { kind: Kind::Audit, id: "a".into(), body: text.into() };
        ledger.append(vec![entry]).unwrap();
        ledger.close().unwrap();
        store.snapshot()
    };
    let (honest, forged) = (forge("allow"), forge("block"));
    let mut changed = honest.clone();
    changed.insert(crate::support::SEGMENT.into(), forged[crate::support::SEGMENT].clone());
    let store = Arc::new(MemoryStore::of(changed));
    let (summary, _) = read_all(store.clone());
    let files: Vec<&str> = summary.damage.iter().map(|damage| damage.file.as_str()).collect();
    let tiles = ["entries/000.p/1", "public/tile/0/000.p/1"];
    assert_eq!(files, ["head", "public/checkpoint", tiles[0], tiles[1]]);
    assert!(open(store).is_err());
    // Forging the head as well leaves the checkpoint.
    let mut changed = forged;
    changed.insert("public/checkpoint".into(), honest["public/checkpoint"].clone());
    let (summary, _) = read_all(Arc::new(MemoryStore::of(changed)));
    assert_eq!(summary.damage[0].file, "public/checkpoint");
    assert_eq!(summary.damage[0].cause, Cause::Root { size: 1 });
}

#[test]
fn gaps_in_sequence_and_time_are_found_though_every_checksum_holds() {
    // Two batches above the head, each by a writer at a time; the second follows the first's bytes.
    let build = |first: (&str, u64), second: (&str, u64)| {
        let store = Arc::new(MemoryStore::new());
        let mut ends = Vec::new();
        for (writer, now) in [first, second] {
            let clock = Arc::new(TestClock::at(now));
            let options = Options { writer: writer.into(), ..options_with(clock) };
            let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
            ledger.append(entries(&format!("{writer}{now}"), 1)).unwrap();
            ends.push(store.snapshot()[crate::support::SEGMENT].len());
        }
        (store.snapshot(), ends[0])
    };
    let empty = {
        let store = Arc::new(MemoryStore::new());
        open(store.clone()).unwrap();
        store.snapshot()
    };
    let splice = |one: (Files, usize), two: (Files, usize)| {
        let mut journal = one.0[crate::support::SEGMENT][..one.1].to_vec();
        journal.extend(&two.0[crate::support::SEGMENT][two.1..]);
        let mut files = empty.clone();
        files.insert(crate::support::SEGMENT.into(), journal);
        let store = Arc::new(MemoryStore::of(files));
        let damage = read_all(store.clone()).0.damage;
        match open(store) {
            Err(OpenError::Damaged(first)) => assert_eq!(first, damage[0]),
            Err(error) => panic!("{error}"),
            Ok(_) => assert_eq!(damage, []),
        }
        damage.into_iter().map(|damage| damage.cause).collect::<Vec<_>>()
    };
    let mine = |first, second| build(("tests", first), ("tests", second));
    assert_eq!(splice(mine(10, 20), mine(10, 30)), []);
    assert_eq!(splice(mine(10, 20), mine(3, 5)), [Cause::Time { previous: 10, found: 5 }]);
    let other = build(("other", 10), ("tests", 20));
    let gap = Cause::Sequence { writer: "tests".into(), expected: 1, found: 0 };
    assert_eq!(splice(mine(10, 20), other.clone()), [gap]);
    let gap = Cause::Sequence { writer: "tests".into(), expected: 0, found: 1 };
    assert_eq!(splice(other, mine(10, 20)), [gap]);
}
