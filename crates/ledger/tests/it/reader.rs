//! Looking without touching.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use ledger::read::{Item, ReadError, Reader};
use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use ledger::{Cause, Store};

use crate::support::{Acked, SEGMENT, append, check_reading, entries, open, read_all, vkey};

#[test]
fn entries_come_with_all_that_a_verifier_needs() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 3)).unwrap();
    ledger.checkpoint().unwrap();
    ledger.append(entries("b", 1)).unwrap();
    let files = store.snapshot();
    let reader = Reader::open(store, None).unwrap();
    assert_eq!(reader.head().unwrap().size, 3);
    assert_eq!(reader.checkpoint().unwrap().size, 3);
    assert_eq!(reader.checkpoint_bytes(), Some(&files["public/checkpoint"][..]));
    assert!(reader.unlisted().is_empty() && reader.damage().is_empty());
    let mut pass = reader.entries();
    let mut count = 0;
    while let Some(item) = pass.next().unwrap() {
        let Item::Entry(entry) = item else { panic!() };
        let at = entry.offset as usize;
        assert_eq!(entry.file, SEGMENT);
        assert_eq!(files[SEGMENT][at..at + 4], *b"\xffCSF");
        assert_eq!(entry.leaf.to_bytes().unwrap(), entry.leaf_bytes);
        assert_eq!(seal::digest::Digest::of(entry.body.present().unwrap()), entry.leaf.body);
        let (index, seq) = (entry.index, entry.leaf.seq);
        assert_eq!((index, seq), (count, count));
        assert_eq!(pass.is_checkpointed(index), index < 3);
        count += 1;
    }
    let summary = pass.finish();
    assert_eq!((summary.size, summary.checkpointed, count), (4, 3, 4));
    assert_eq!(summary.root, Some(ledger.root()));
    assert_eq!(ledger.vkey(), &vkey());
}

#[test]
fn a_short_tail_is_news_and_anything_else_damage() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 3));
    let whole = store.snapshot()[SEGMENT].len();
    append(&ledger, &mut acked, entries("b", 3));
    acked.retain(|&index, _| index < 3);
    let files = store.snapshot();
    for length in whole + 1..files[SEGMENT].len() {
        let mut files = files.clone();
        files.get_mut(SEGMENT).unwrap().truncate(length);
        let summary = check_reading(Arc::new(MemoryStore::of(files)), &acked);
        let torn = summary.torn.unwrap();
        assert!(torn.offset as usize <= length && torn.index >= 3);
    }
    let mut files = files;
    files.get_mut(SEGMENT).unwrap().extend(b"hello");
    let (summary, _) = read_all(Arc::new(MemoryStore::of(files)));
    assert_eq!(summary.damage[0].cause, Cause::FrameHeader);
}

#[test]
fn an_old_frame_at_the_end_does_not_make_the_journal_look_cut() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 3)).unwrap();
    ledger.close().unwrap();
    let mut files = store.snapshot();
    let journal = files.get_mut(SEGMENT).unwrap();
    // The first frame's header: it holds, and it stands where entry 3 would.
    journal.extend_from_within(32..64);
    let (summary, _) = read_all(Arc::new(MemoryStore::of(files)));
    assert_eq!(summary.size, 3);
    assert_eq!(summary.damage[0].cause, Cause::Index { expected: 3, found: 0 });
    assert!(summary.damage.iter().all(|damage| damage.file == SEGMENT), "{:?}", summary.damage);
}

#[test]
fn a_body_longer_than_the_view_is_read() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    for length in [10, 300_000, 255 * 1024, 3 << 20, 1] {
        let body = "r".repeat(length).into_bytes();
        let id = format!("ruleset-{length}");
        let entry = ledger::Entry { kind: ledger::Kind::Ruleset, id, body };
        append(&ledger, &mut acked, vec![entry]);
    }
    check_reading(store, &acked);
}

#[test]
fn a_read_only_directory_is_read_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("state/ledger");
    let store = Arc::new(FileStore::open(&dir).unwrap());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 5));
    drop(ledger);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (name, expect) in
        [("", 0o700), ("journal", 0o700), ("public", 0o700), ("head", 0o600), (SEGMENT, 0o600)]
    {
        assert_eq!(mode(&dir.join(name)), expect, "{name}");
    }
    let set = |mode| {
        for part in ["", "journal", "public"] {
            let path = dir.join(part);
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
    };
    let listing = || store.list_sorted();
    set(0o500);
    let before = listing();
    let reader = Reader::open_dir(&dir, Some(&[vkey()])).unwrap();
    let summary = reader.check().unwrap();
    assert_eq!((summary.size, summary.damage.len()), (5, 0));
    check_reading(Arc::new(FileStore::read_only(&dir)), &acked);
    assert_eq!(listing(), before);
    set(0o700);
    assert!(FileStore::read_only(&dir).create("head.new").is_err());
    assert!(FileStore::read_only(&dir).append(SEGMENT, 0, b"x").is_err());
}

trait Sorted {
    fn list_sorted(&self) -> Vec<ledger::store::Item>;
}

impl Sorted for FileStore {
    fn list_sorted(&self) -> Vec<ledger::store::Item> {
        let mut items = ledger::store::Source::list(self).unwrap();
        items.sort();
        items
    }
}

#[test]
fn what_is_no_ledger_is_said_so() {
    let home = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open_dir(home.path(), None), Err(ReadError::NoLedger)));
    assert!(matches!(Reader::open_dir(&home.path().join("x"), None), Err(ReadError::Io(_))));
    assert!(matches!(Reader::open(Arc::new(MemoryStore::new()), None), Err(ReadError::NoLedger)));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn links_and_directories_do_not_belong_into_a_ledger() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    open(Arc::new(FileStore::open(&dir).unwrap())).unwrap();
    std::fs::create_dir(dir.join("more")).unwrap();
    std::fs::rename(dir.join("head"), home.path().join("head")).unwrap();
    std::os::unix::fs::symlink(home.path().join("head"), dir.join("head")).unwrap();
    let reader = Reader::open_dir(&dir, None).unwrap();
    assert_eq!(reader.unlisted(), ["head", "more"]);
    assert!(open(Arc::new(FileStore::open(&dir).unwrap())).is_err());
}
