//! Tiles and bundles: what a size implies, what a start and a verifier make of what is there.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use ledger::store::Source;
use ledger::store::memory::MemoryStore;
use ledger::{Cause, Entry, Kind, Ledger, OpenError};
use seal::merkle::{leaf_hash, verify_inclusion};
use seal::tile::{self, Bundle, FULL_BYTES, Tile, TileSource, bundles_between, tiles_of};
use testkit::fault_store::{Fault, FaultStore};

use crate::support::{Acked, append, check, check_reading, open, options, read_all};

type Files = BTreeMap<String, Vec<u8>>;

fn small(tag: &str, count: usize) -> Vec<Entry> {
    let one = |n| Entry { kind: Kind::Audit, id: format!("{tag}-{n}"), body: b"{}".to_vec() };
    (0..count).map(one).collect()
}

/// A ledger with a checkpoint at each of these sizes.
fn ledger_of(sizes: &[u64]) -> (Arc<MemoryStore>, Acked) {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    for &size in sizes {
        let count = usize::try_from(size - ledger.size()).unwrap();
        append(&ledger, &mut acked, small(&format!("to{size}"), count));
        ledger.checkpoint().unwrap();
    }
    (store, acked)
}

/// The tiles as a static host would serve them.
struct Served<'a>(&'a dyn Source);

impl TileSource for Served<'_> {
    type Error = io::Error;

    fn tile(&self, tile: Tile) -> io::Result<Vec<u8>> {
        let read = |tile: Tile| self.0.read(&format!("public/{}", tile.path()), FULL_BYTES);
        read(tile).or_else(|_| read(tile.full()))
    }
}

/// Holds the files against the implementation of the format that clients use.
pub fn check_tiles(source: &dyn Source, size: u64, root: seal::Digest, leaves: &[Vec<u8>]) {
    let served = Served(source);
    if size == 0 {
        return;
    }
    assert_eq!(tile::root(&served, size).unwrap(), root, "root from the tiles of {size}");
    for implied in tiles_of(size) {
        let bytes = served.tile(implied).unwrap();
        assert!(bytes.len() >= implied.bytes(), "{}", implied.path());
    }
    for bundle in bundles_between(0, size) {
        let read = |bundle: Bundle| source.read(&format!("entries/{}", bundle.place()), 1 << 20);
        let bytes = read(bundle).or_else(|_| read(bundle.full())).unwrap();
        let first = usize::try_from(bundle.index * 256).unwrap();
        let found = tile::decode_bundle(&bytes).unwrap();
        for (at, leaf) in found.into_iter().take(usize::from(bundle.width)).enumerate() {
            assert_eq!(leaf, leaves[first + at], "{} leaf {at}", bundle.place());
        }
    }
    for index in [0, size / 3, size - 1] {
        let proof = tile::inclusion(&served, index, size).unwrap();
        let leaf = leaf_hash(&leaves[usize::try_from(index).unwrap()]);
        assert!(verify_inclusion(index, size, &leaf, &proof, &root), "{index} of {size}");
    }
}

#[test]
fn every_checkpoint_has_the_tiles_it_implies() {
    let steps: &[&[u64]] = &[
        &[1],
        &[255, 256, 257],
        &[256],
        &[3, 300, 512],
        &[700],
        &[1, 2, 3, 511, 513, 767, 768],
        &[65_535, 65_536, 65_537, 65_800],
    ];
    for sizes in steps {
        let (store, acked) = ledger_of(sizes);
        check(store.clone(), &acked);
        // Of what lies left of the edge only full pieces stay.
        let size = *sizes.last().unwrap();
        for name in store.snapshot().into_keys() {
            let tile = Tile::parse(name.trim_start_matches("public/"));
            let (level, index, full) = match (tile, name.strip_prefix("entries/")) {
                (Some(tile), _) => (tile.level, tile.index, tile.is_full()),
                (None, Some(place)) => {
                    let bundle = Bundle::parse_place(place).unwrap();
                    (0, bundle.index, bundle.width == tile::FULL)
                }
                (None, None) => continue,
            };
            let current = tile::hashes_at(level, size) / 256;
            assert!(full || index == current, "{name} at {sizes:?}");
        }
    }
}

#[test]
fn more_leaves_than_are_kept_in_memory_are_read_back() {
    // 30,000 leaves of 330 bytes are more than 8 MiB.
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let id = "i".repeat(170);
    for n in 0..30 {
        let one = |m| Entry { kind: Kind::Facts, id: format!("{id}{n}.{m}"), body: b"1".to_vec() };
        ledger.append((0..1000).map(one).collect()).unwrap();
    }
    ledger.close().unwrap();
    drop(ledger);
    assert_eq!(check(store, &Acked::new()).checkpointed, 30_000);
}

#[test]
fn an_interval_checkpoint_writes_a_handful_of_files() {
    let store = Arc::new(FaultStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(small("a", 1000)).unwrap();
    ledger.checkpoint().unwrap();
    let before = store.steps().len();
    ledger.append(small("b", 1)).unwrap();
    ledger.checkpoint().unwrap();
    let steps = store.steps().split_off(before);
    let syncs = steps.iter().filter(|step| step.starts_with("sync")).count();
    // The append; bundle, tile, head and checkpoint, a file and a directory each.
    assert_eq!(syncs, 1 + 4 * 2, "{steps:?}");
    // With nothing new there is nothing to do.
    let before = store.steps().len();
    ledger.checkpoint().unwrap();
    assert_eq!(store.steps().len(), before);
}

/// A ledger as it was before there were tiles.
fn without_tiles() -> (Files, Acked) {
    let (store, acked) = ledger_of(&[200, 600]);
    let mut files = store.snapshot();
    files.retain(|name, _| !name.starts_with("entries/") && !name.starts_with("public/tile/"));
    (files, acked)
}

#[test]
fn a_ledger_from_before_there_were_tiles_gets_them() {
    let (files, acked) = without_tiles();
    let store = Arc::new(MemoryStore::of(files.clone()));
    let (summary, _) = read_all(store.clone());
    assert_eq!(summary.damage, [], "nothing is wrong with it");
    // But it is said: it may also be a ledger whose tiles somebody removed.
    assert!(summary.untiled);
    open(store.clone()).unwrap();
    check(store.clone(), &acked);
    assert!(!read_all(store.clone()).0.untiled);
    let (again, _) = ledger_of(&[200, 600]);
    assert_eq!(store.snapshot(), again.snapshot());
    // A fault and a crash at every step of that start.
    let whole = Arc::new(FaultStore::of(files.clone()));
    open(whole.clone()).unwrap();
    for at in 0..whole.steps().len() {
        for fault in [Fault::Error(ErrorKind::StorageFull), Fault::Crash] {
            let store = Arc::new(FaultStore::of(files.clone()));
            store.fault_at(at, fault);
            let _ = open(store.clone());
            for seed in 0..2 {
                let crashed = Arc::new(store.crash(seed));
                check_reading(crashed.clone(), &acked);
                open(crashed.clone()).unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
                check(crashed, &acked);
            }
        }
    }
}

fn refused(files: Files, file: &str, expect: impl Fn(&Cause) -> bool) {
    let store = Arc::new(MemoryStore::of(files.clone()));
    let damage = read_all(store.clone()).0.damage;
    assert!(damage.iter().any(|damage| damage.file == file && expect(&damage.cause)), "{damage:?}");
    match open(store.clone()) {
        Err(OpenError::Damaged(damage)) => assert!(expect(&damage.cause), "{damage}"),
        other => panic!("{file}: {:?}", other.map(|ledger| ledger.size())),
    }
    assert_eq!(store.snapshot(), files, "a refused start changes nothing");
}

fn pieces(files: &Files) -> Vec<String> {
    let piece = |name: &&String| name.starts_with("entries/") || name.starts_with("public/tile/");
    files.keys().filter(piece).cloned().collect()
}

#[test]
fn a_missing_tile_or_bundle_is_told_and_refused() {
    let (store, _) = ledger_of(&[200, 600]);
    let files = store.snapshot();
    // Three bundles, three tiles of level 0, one of level 1.
    assert_eq!(pieces(&files).len(), 7, "{:?}", pieces(&files));
    for name in pieces(&files) {
        let mut without = files.clone();
        without.remove(&name);
        refused(without, &name, |cause| *cause == Cause::TileMissing { size: 600 });
    }
}

#[test]
fn a_changed_tile_or_bundle_is_told_and_refused() {
    let (store, _) = ledger_of(&[200, 600]);
    let files = store.snapshot();
    for name in pieces(&files) {
        let length = files[&name].len();
        for at in (0..length).step_by(length / 20 + 1) {
            let mut changed = files.clone();
            changed.get_mut(&name).unwrap()[at] ^= 1 << (at % 8);
            refused(changed, &name, |cause| *cause == Cause::Tile);
        }
        let mut shorter = files.clone();
        shorter.get_mut(&name).unwrap().pop();
        refused(shorter, &name, |cause| *cause == Cause::Tile);
        let mut longer = files.clone();
        longer.get_mut(&name).unwrap().push(0);
        refused(longer, &name, |cause| *cause == Cause::Tile);
    }
    // One that head and checkpoint do not imply must be right all the same.
    for name in ["public/tile/0/001.p/7", "entries/002.p/3", "public/tile/1/000.p/1"] {
        let mut more = files.clone();
        more.insert(name.into(), vec![0; 7 * 32]);
        refused(more, name, |cause| *cause == Cause::Tile);
    }
}

#[test]
fn a_tile_behind_the_journal_says_that_the_journal_was_cut() {
    let (store, acked) = ledger_of(&[10]);
    let shorter = store.snapshot();
    let (longer, _) = ledger_of(&[10, 20]);
    // The tiles of 20 entries are durable, their head is not, and the entries are gone.
    for name in ["entries/000.p/20", "public/tile/0/000.p/20"] {
        let mut files = shorter.clone();
        files.insert(name.into(), longer.snapshot()[name].clone());
        refused(files, name, |cause| *cause == Cause::TileBeyond { journal: 10 });
    }
    check(store, &acked);
}

#[test]
fn partial_tiles_of_a_crash_agree_and_go_when_they_are_full() {
    let (store, mut acked) = ledger_of(&[10]);
    let old = store.snapshot();
    let ledger = open(store.clone()).unwrap();
    append(&ledger, &mut acked, small("b", 5));
    ledger.checkpoint().unwrap();
    drop(ledger);
    // The power went between tiles and head.
    let mut files = store.snapshot();
    for name in ["head", "public/checkpoint"] {
        files.insert(name.into(), old[name].clone());
    }
    let store = Arc::new(MemoryStore::of(files));
    assert_eq!(check_reading(store.clone(), &acked).checkpointed, 10);
    assert_eq!(check(store.clone(), &acked).checkpointed, 10);
    assert_eq!(check(store.clone(), &acked).checkpointed, 15);
    let ledger = open(store.clone()).unwrap();
    append(&ledger, &mut acked, small("c", 300));
    ledger.close().unwrap();
    drop(ledger);
    check(store.clone(), &acked);
    let left = pieces(&store.snapshot());
    let expected = [
        "entries/000",
        "entries/001.p/59",
        "public/tile/0/000",
        "public/tile/0/001.p/59",
        "public/tile/1/000.p/1",
    ];
    assert_eq!(left, expected);
}

#[test]
fn an_error_or_crash_while_full_tiles_are_written_is_survived() {
    let life = |store: &Arc<FaultStore>, acked: &mut Acked| {
        for (round, count) in [250usize, 10, 3].into_iter().enumerate() {
            let Ok(ledger) = Ledger::open(store.clone(), options(), &mut |_, _, _| {}) else {
                continue;
            };
            let batch = small(&format!("r{round}"), count);
            if let Ok(range) = ledger.append(batch.clone()) {
                acked.extend(range.zip(batch));
            }
            let _ = ledger.checkpoint();
            let _ = ledger.checkpoint();
        }
    };
    let whole = Arc::new(FaultStore::new());
    life(&whole, &mut Acked::new());
    let steps = whole.steps().len();
    assert!(whole.files().contains_key("public/tile/0/000"), "a tile became full");
    for at in 0..steps {
        let kinds =
            [Fault::Error(ErrorKind::Other), Fault::Done(ErrorKind::StorageFull), Fault::Crash];
        for fault in kinds {
            let store = Arc::new(FaultStore::new());
            store.fault_at(at, fault);
            let mut acked = Acked::new();
            life(&store, &mut acked);
            let crashed = Arc::new(store.crash(at as u64));
            open(crashed.clone()).unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
            check(crashed, &acked);
        }
    }
}
