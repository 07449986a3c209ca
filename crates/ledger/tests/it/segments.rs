//! When a segment is full, and what becomes of its mode.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use ledger::store::{Item, Source, Store};
use ledger::{Ledger, Options};
use testkit::clock::TestClock;

use crate::prune::{everything, fill, prune};
use crate::support::{Acked, append, check, entries, open, options_with};

fn segments(store: &dyn Source) -> Vec<String> {
    let name = |item| match item {
        Item::File(name) if name.starts_with("journal/") => Some(name),
        Item::File(_) | Item::Other(_) => None,
    };
    let mut names: Vec<String> = store.list().unwrap().into_iter().filter_map(name).collect();
    names.sort_unstable();
    names
}

#[test]
fn an_old_segment_is_closed_at_the_next_append() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = Arc::new(TestClock::at(1_000_000));
    let aged =
        || Options { segment_age: Some(Duration::from_secs(60)), ..options_with(clock.clone()) };
    let mut acked = Acked::new();
    let ledger = Ledger::open(store.clone(), aged(), &mut |_, _, _| {}).unwrap();
    append(&ledger, &mut acked, entries("a", 2));
    clock.set(1_059_999);
    append(&ledger, &mut acked, entries("b", 2));
    assert_eq!(segments(&*store).len(), 1);
    clock.set(1_060_000);
    append(&ledger, &mut acked, entries("c", 2));
    assert_eq!(segments(&*store).len(), 2);
    // Age is that of the first entry, also when another process goes on.
    drop(ledger);
    let ledger = Ledger::open(store.clone(), aged(), &mut |_, _, _| {}).unwrap();
    append(&ledger, &mut acked, entries("d", 2));
    assert_eq!(segments(&*store).len(), 2);
    // A clock that jumps back closes nothing, one that jumps forth at most one.
    clock.set(5);
    append(&ledger, &mut acked, entries("e", 2));
    assert_eq!(segments(&*store).len(), 2);
    clock.set(9_000_000);
    append(&ledger, &mut acked, entries("f", 2));
    append(&ledger, &mut acked, entries("g", 2));
    assert_eq!(segments(&*store).len(), 3);
    drop(ledger);
    check(store, &acked);
}

#[test]
fn full_segments_lose_the_right_to_be_written() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let store: Arc<dyn Store> = Arc::new(FileStore::open(&dir).unwrap());
    let acked = fill(&store);
    let modes = |dir: &std::path::Path| -> Vec<u32> {
        let mode = |name: &String| dir.join(name).metadata().unwrap().permissions().mode() & 0o777;
        segments(&*store).iter().map(mode).collect()
    };
    let check_modes = |full: u32, last: u32| {
        let modes = modes(&dir);
        assert!(modes.len() > 4, "{modes:?}");
        let (found, others) = modes.split_last().unwrap();
        assert_eq!(*found, last);
        assert!(others.iter().all(|mode| *mode == full), "{modes:?}");
    };
    check_modes(0o400, 0o600);
    prune(&store, &everything(), vec![]);
    check_modes(0o400, 0o600);
    // A group that may read may read full segments too.
    let group = rustix::process::getegid().as_raw();
    let store: Arc<dyn Store> =
        Arc::new(FileStore::open(&dir).unwrap().readable_by(group).unwrap());
    check_modes(0o440, 0o640);
    // So it may behind whoever writes next and knows nothing of it.
    append(
        &open(Arc::new(FileStore::reopen(&dir).unwrap())).unwrap(),
        &mut Acked::new(),
        entries("c", 9),
    );
    check_modes(0o440, 0o640);
    assert_eq!(
        dir.join("public/checkpoint").metadata().unwrap().permissions().mode() & 0o777,
        0o640
    );
    // One that is writable all the same is as good: the mode is no evidence.
    let first = dir.join(segments(&*store).first().unwrap());
    std::fs::set_permissions(&first, std::fs::Permissions::from_mode(0o600)).unwrap();
    drop(open(store.clone()).unwrap());
    // A copy that lost what came behind a full segment goes on there.
    let lost = home.path().join("copy/ledger");
    let copy: Arc<dyn Store> = Arc::new(FileStore::open(&lost).unwrap());
    let ledger = Ledger::open(copy.clone(), crate::prune::small(), &mut |_, _, _| {}).unwrap();
    append(&ledger, &mut Acked::new(), entries("a", 4));
    drop(ledger);
    let only = lost.join(segments(&*copy).first().unwrap());
    std::fs::set_permissions(&only, std::fs::Permissions::from_mode(0o400)).unwrap();
    let copy: Arc<dyn Store> = Arc::new(FileStore::open(&lost).unwrap());
    append(&open(copy).unwrap(), &mut Acked::new(), entries("b", 1));
    assert!(!acked.is_empty());
}
