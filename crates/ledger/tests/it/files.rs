//! The store of a directory where it meets the system: descriptors, moved directories, half of
//! what was set aside.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ledger::store::Store;
use ledger::store::file::FileStore;
use ledger::{AppendError, Cause, CheckpointError, Ledger, OpenError, Options, Reader};

use crate::support::{Acked, SEGMENT, append, check, entries, open, options};

fn ledger(dir: &Path) -> (Arc<FileStore>, Ledger) {
    let store = Arc::new(FileStore::open(dir).unwrap());
    let ledger = open(store.clone()).unwrap();
    (store, ledger)
}

/// How many files of this directory this process has open.
fn open_files(dir: &Path) -> usize {
    let dir = dir.canonicalize().unwrap();
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.starts_with(&dir))
        .count()
}

#[test]
fn a_thousand_segments_take_no_more_descriptors_than_three() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let store = Arc::new(FileStore::open(&dir).unwrap());
    let options = Options { segment_bytes: 1, ..options() };
    let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
    let mut acked = Acked::new();
    let mut most = Vec::new();
    for n in 0..12 {
        append(&ledger, &mut acked, entries(&format!("a{n}"), 1));
        ledger.checkpoint().unwrap();
        most.push(open_files(&dir));
    }
    assert_eq!(most[3..], [most[3]; 9], "{most:?}");
    drop(ledger);
    check(store, &acked);
}

#[test]
fn a_directory_that_is_removed_or_replaced_acknowledges_nothing() {
    type Act = fn(&Path, &Path);
    let acts: [(&str, Act); 5] = [
        ("removed", |dir, _| fs::remove_dir_all(dir).unwrap()),
        ("moved away", |dir, other| fs::rename(dir, other).unwrap()),
        ("replaced by a copy", |dir, other| {
            fs::rename(dir, other).unwrap();
            for part in ["", "journal", "public"] {
                fs::create_dir(dir.join(part)).unwrap();
            }
            for file in ["head", SEGMENT, "public/checkpoint"] {
                fs::copy(other.join(file), dir.join(file)).unwrap();
            }
        }),
        ("its segment removed", |dir, _| fs::remove_file(dir.join(SEGMENT)).unwrap()),
        ("its segment replaced", |dir, other| {
            fs::rename(dir.join(SEGMENT), other).unwrap();
            fs::copy(other, dir.join(SEGMENT)).map(drop).unwrap();
        }),
    ];
    for (name, act) in acts {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("ledger");
        let (_store, ledger) = ledger(&dir);
        ledger.append(entries("a", 2)).unwrap();
        ledger.checkpoint().unwrap();
        act(&dir, &home.path().join("other"));
        let refused = ledger.append(entries("b", 2));
        assert!(matches!(refused, Err(AppendError::Failed(_))), "{name}: {refused:?}");
        let refused = ledger.append(entries("c", 2));
        assert!(matches!(refused, Err(AppendError::Stopped(_))), "{name}: {refused:?}");
        assert!(matches!(ledger.checkpoint(), Err(CheckpointError::Stopped(_))), "{name}");
    }
}

#[test]
fn a_directory_that_was_taken_away_is_not_made_anew_by_a_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let (dir, other) = (home.path().join("ledger"), home.path().join("other"));
    let (_store, ledger) = ledger(&dir);
    ledger.append(entries("a", 2)).unwrap();
    fs::rename(&dir, &other).unwrap();
    assert!(ledger.checkpoint().is_err());
    assert!(!dir.exists());
    // Back in its place it goes on.
    fs::rename(&other, &dir).unwrap();
    ledger.checkpoint().unwrap();
    // Nor is a stranger's directory filled.
    ledger.append(entries("b", 2)).unwrap();
    fs::rename(&dir, &other).unwrap();
    fs::create_dir(&dir).unwrap();
    assert!(ledger.checkpoint().is_err());
    assert!(!dir.join("head").exists() && !dir.join("public").exists());
}

#[test]
fn a_ledger_that_a_link_leads_to_gets_its_checkpoints() {
    let home = tempfile::tempdir().unwrap();
    let (dir, other) = (home.path().join("ledger"), home.path().join("volume"));
    fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink("volume", &dir).unwrap();
    let mut acked = Acked::new();
    for n in 0..2 {
        let (_, ledger) = ledger(&dir);
        append(&ledger, &mut acked, entries(&format!("a{n}"), 2));
        ledger.checkpoint().unwrap();
        append(&ledger, &mut acked, entries(&format!("b{n}"), 2));
    }
    // A link that leads elsewhere now is another directory, as ever.
    let (store, ledger) = ledger(&dir);
    fs::remove_file(&dir).unwrap();
    fs::create_dir(home.path().join("new")).unwrap();
    std::os::unix::fs::symlink("new", &dir).unwrap();
    assert!(ledger.append(entries("c", 1)).is_err());
    drop((ledger, store));
    check(Arc::new(FileStore::open(&other).unwrap()), &acked);
}

#[test]
fn what_is_no_file_is_named_as_that_wherever_it_lies() {
    type Put = fn(&Path);
    let puts: [Put; 4] = [
        |at| std::os::unix::fs::symlink("../elsewhere", at).unwrap(),
        // A way that leads back to itself.
        |at| std::os::unix::fs::symlink(at.file_name().unwrap(), at).unwrap(),
        |at| drop(std::os::unix::net::UnixListener::bind(at).unwrap()),
        |at| fs::create_dir(at).unwrap(),
    ];
    let names = ["head", SEGMENT, "public/checkpoint", "public/tile/0/000.p/3", "entries/000.p/3"];
    // A directory in place of a directory is none of it.
    let ways = ["public", "journal", "public/tile", "public/tile/0", "public/tile/0/000.p"];
    let names = names.map(|name| (name, &puts[..]));
    for (name, puts) in names.into_iter().chain(ways.map(|name| (name, &puts[..3]))) {
        for (n, put) in puts.iter().enumerate() {
            let home = tempfile::tempdir().unwrap();
            let dir = home.path().join("l");
            let (_, ledger) = ledger(&dir);
            ledger.append(entries("a", 3)).unwrap();
            ledger.close().unwrap();
            drop(ledger);
            fs::rename(dir.join(name), home.path().join("was")).unwrap();
            put(&dir.join(name));
            let read = Reader::open_dir(&dir, None).and_then(|reader| reader.check());
            let read = read.unwrap_or_else(|error| panic!("{name} {n}: {error}"));
            let named = |damage: &ledger::Damage| {
                damage.file == name && matches!(damage.cause, Cause::Unlisted)
            };
            assert!(read.damage.iter().any(named), "{name} {n}: {:?}", read.damage);
            let store = Arc::new(FileStore::read_only(&dir));
            let Err(OpenError::Damaged(damage)) = open(store).map(drop) else {
                panic!("{name} {n}")
            };
            assert!(named(&damage), "{name} {n}: {damage}");
        }
    }
}

#[test]
fn what_was_half_set_aside_is_set_aside_again() {
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path().join("ledger")).unwrap();
    let first = store.set_aside("0-9-abc.bytes", b"half").unwrap();
    let again = store.set_aside("0-9-abc.bytes", b"the whole").unwrap();
    assert_eq!(first, again);
    assert_eq!(fs::read(again).unwrap(), b"the whole");
}

#[test]
fn a_directory_tells_its_room_and_memory_does_not() {
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path().join("ledger")).unwrap();
    let room = store.room().unwrap().unwrap();
    assert!(room.free > 0 && room.free <= room.total, "{room:?}");
    assert_eq!(ledger::store::memory::MemoryStore::new().room().unwrap(), None);
}
