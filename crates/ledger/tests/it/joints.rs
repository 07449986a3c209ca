//! What every pair of joints must carry. A new store is done when it passes this, with the cases of
//! `suite`.

use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;

use ledger::store::Item;
use ledger::store::file::FileStore;
use ledger::store::joints::{BlobError, SwapError};
use ledger::store::memory::MemoryStore;
use ledger::{AppendError, CheckpointError, Joints, Ledger, Options};
use testkit::fault_store::{Fault, FaultStore};

use crate::support::{entries, options};

#[test]
fn memory() {
    every_case(&mut || Arc::new(MemoryStore::new()).into());
}

#[test]
fn fault_store_without_faults() {
    every_case(&mut || Arc::new(FaultStore::new()).into());
}

#[test]
fn files() {
    let home = tempfile::tempdir().unwrap();
    let mut count = 0;
    every_case(&mut || {
        count += 1;
        Arc::new(FileStore::open(home.path().join(format!("{count}/ledger"))).unwrap()).into()
    });
}

const SEGMENT: &str = "journal/00000000000000000000.seg";
const BUNDLE: &str = "entries/x001/067.p/3";

fn every_case(joints: &mut dyn FnMut() -> Joints) {
    blobs_are_created_once_and_grow_at_their_end(joints());
    blobs_are_replaced_and_put_as_a_whole(joints());
    what_is_removed_is_gone(joints());
    bytes_are_set_aside_outside(joints());
    a_head_is_swapped_against_what_it_is(joints());
    of_many_swaps_one_wins(joints());
    readers_see_whole_values(joints());
}

fn names(joints: &Joints) -> Vec<String> {
    let mut names: Vec<String> = joints
        .blobs
        .list()
        .unwrap()
        .into_iter()
        .map(|item| match item {
            Item::File(name) => name,
            Item::Other(name) => panic!("{name}"),
        })
        .collect();
    names.sort_unstable();
    names
}

fn blobs_are_created_once_and_grow_at_their_end(joints: Joints) {
    let blobs = &joints.blobs;
    blobs.create(SEGMENT).unwrap();
    assert_eq!(blobs.len(SEGMENT).unwrap(), 0);
    match blobs.create(SEGMENT) {
        Err(BlobError::Broken { source, .. }) => {
            assert_eq!(source.kind(), ErrorKind::AlreadyExists)
        }
        other => panic!("{other:?}"),
    }
    blobs.append(SEGMENT, 0, b"one").unwrap();
    blobs.append(SEGMENT, 3, b"two").unwrap();
    // Another length than the writer left: somebody else wrote.
    for at in [0, 3, 7] {
        assert!(matches!(blobs.append(SEGMENT, at, b"x"), Err(BlobError::Broken { .. })), "{at}");
    }
    assert_eq!(blobs.read(SEGMENT, 6).unwrap(), b"onetwo");
    assert_eq!(blobs.read(SEGMENT, 5).unwrap_err().kind(), ErrorKind::FileTooLarge);
    let mut buffer = [0; 4];
    assert_eq!(blobs.read_at(SEGMENT, 4, &mut buffer).unwrap(), 2);
    assert_eq!(buffer[..2], *b"wo");
    assert_eq!(blobs.read_at(SEGMENT, 99, &mut buffer).unwrap(), 0);
    blobs.confirm(SEGMENT).unwrap();
    blobs.freeze(SEGMENT).unwrap();
    assert_eq!(names(&joints), [SEGMENT]);
}

fn blobs_are_replaced_and_put_as_a_whole(joints: Joints) {
    let blobs = &joints.blobs;
    blobs.replace("public/checkpoint", b"first").unwrap();
    blobs.replace("public/checkpoint", b"2").unwrap();
    assert_eq!(blobs.read("public/checkpoint", 9).unwrap(), b"2");
    let many: Vec<String> = (1..40).map(|n| format!("entries/x001/067.p/{n}")).collect();
    for name in &many {
        blobs.put(name, name.as_bytes()).unwrap();
    }
    blobs.put("public/tile/0/000", b"t").unwrap();
    blobs.put(BUNDLE, b"again").unwrap();
    blobs.settle().unwrap();
    blobs.settle().unwrap();
    for name in many.iter().filter(|name| *name != BUNDLE) {
        assert_eq!(blobs.read(name, 99).unwrap(), name.as_bytes());
    }
    assert_eq!(blobs.read(BUNDLE, 99).unwrap(), b"again");
    assert_eq!(names(&joints).len(), 41, "nothing temporary is left");
}

fn what_is_removed_is_gone(joints: Joints) {
    let blobs = &joints.blobs;
    blobs.put(BUNDLE, b"x").unwrap();
    blobs.settle().unwrap();
    blobs.remove(BUNDLE).unwrap();
    blobs.settle().unwrap();
    assert_eq!(blobs.len(BUNDLE).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(blobs.read(BUNDLE, 1).unwrap_err().kind(), ErrorKind::NotFound);
    match blobs.remove(BUNDLE) {
        Err(BlobError::Unwritten(error)) => assert_eq!(error.kind(), ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
    assert!(names(&joints).is_empty());
    blobs.put(BUNDLE, b"y").unwrap();
    blobs.settle().unwrap();
    assert_eq!(blobs.read(BUNDLE, 1).unwrap(), b"y");
}

fn bytes_are_set_aside_outside(joints: Joints) {
    let first = joints.blobs.set_aside("0-9-abc.bytes", b"gone").unwrap();
    assert_eq!(joints.blobs.set_aside("0-9-abc.bytes", b"gone").unwrap(), first);
    assert!(names(&joints).is_empty());
}

fn a_head_is_swapped_against_what_it_is(joints: Joints) {
    let head = &joints.head;
    assert_eq!(head.load(9).unwrap(), None);
    assert!(matches!(head.swap(Some(b"a"), b"b"), Err(SwapError::Moved)));
    head.swap(None, b"a").unwrap();
    assert!(matches!(head.swap(None, b"b"), Err(SwapError::Moved)));
    assert!(matches!(head.swap(Some(b"ab"), b"b"), Err(SwapError::Moved)));
    assert_eq!(head.load(9).unwrap().as_deref(), Some(&b"a"[..]));
    head.swap(Some(b"a"), b"longer than before").unwrap();
    head.swap(Some(b"longer than before"), b"c").unwrap();
    head.settle().unwrap();
    assert_eq!(head.load(1).unwrap().as_deref(), Some(&b"c"[..]));
    assert_eq!(head.load(0).unwrap_err().kind(), ErrorKind::FileTooLarge);
}

fn of_many_swaps_one_wins(joints: Joints) {
    let mut believed: Option<Vec<u8>> = None;
    for round in 0..20 {
        let won: Vec<Vec<u8>> = thread::scope(|scope| {
            let tries: Vec<_> = (0..4)
                .map(|n| {
                    let (head, believed) = (&joints.head, believed.as_deref());
                    scope.spawn(move || {
                        let new = format!("{round} by {n}").into_bytes();
                        head.swap(believed, &new).is_ok().then_some(new)
                    })
                })
                .collect();
            tries.into_iter().filter_map(|done| done.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1, "round {round}");
        assert_eq!(joints.head.load(99).unwrap().as_ref(), won.first());
        believed = won.into_iter().next();
    }
}

fn readers_see_whole_values(joints: Joints) {
    let (old, new) = (vec![b'o'; 40_000], vec![b'n'; 30_000]);
    joints.blobs.replace("public/checkpoint", &old).unwrap();
    joints.head.swap(None, &old).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            loop {
                let read = joints.blobs.read("public/checkpoint", 50_000).unwrap();
                assert!(read == old || read == new);
                let head = joints.head.load(50_000).unwrap().unwrap();
                assert!(head == old || head == new);
                if head == new && read == new {
                    break;
                }
            }
        });
        joints.blobs.replace("public/checkpoint", &new).unwrap();
        joints.head.swap(Some(&old), &new).unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn two_processes_that_swap_one_head_are_told_apart() {
    // Each opens the directory for itself, as processes do: nothing is shared but the files.
    let home = tempfile::tempdir().unwrap();
    let joints = || -> Joints { Arc::new(FileStore::open(home.path()).unwrap()).into() };
    joints().head.swap(None, b"0").unwrap();
    for round in 0..40u32 {
        let (now, next) = (round.to_string(), (round + 1).to_string());
        let won = thread::scope(|scope| {
            let tries: Vec<_> = (0..4)
                .map(|_| {
                    let own = joints();
                    let (now, next) = (now.as_bytes(), next.as_bytes());
                    scope.spawn(move || own.head.swap(Some(now), next).is_ok())
                })
                .collect();
            tries.into_iter().map(|done| done.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1, "round {round}");
    }
}

#[test]
fn a_second_sequencer_that_got_past_every_lock_signs_nothing() {
    // Two copies of the files, and the one head.
    let heads: Joints = Arc::new(MemoryStore::new()).into();
    let stores = [(); 2].map(|()| Arc::new(MemoryStore::new()));
    let [first, second] = stores.each_ref().map(|store| {
        let blobs: Joints = store.clone().into();
        let pair = Joints { blobs: blobs.blobs, head: heads.head.clone() };
        Ledger::open(pair, options(), &mut |_, _, _| {}).unwrap()
    });
    first.append(entries("a", 1)).unwrap();
    second.append(entries("b", 1)).unwrap();
    first.checkpoint().unwrap();
    let published = stores[1].snapshot()["public/checkpoint"].clone();
    let refused = second.checkpoint();
    assert!(matches!(refused, Err(CheckpointError::Stopped(_))), "{refused:?}");
    assert!(matches!(second.append(entries("c", 1)), Err(AppendError::Stopped(_))));
    assert_eq!(stores[1].snapshot()["public/checkpoint"], published);
}

#[test]
fn a_full_disk_takes_nothing_and_says_so() {
    let full = Fault::Half(ErrorKind::StorageFull);
    let store = Arc::new(FaultStore::new());
    let joints: Joints = store.clone().into();
    joints.blobs.create(SEGMENT).unwrap();
    joints.blobs.append(SEGMENT, 0, b"before").unwrap();
    joints.head.swap(None, b"head").unwrap();
    store.fault_at(store.steps().len(), full);
    assert!(matches!(joints.blobs.append(SEGMENT, 6, b"more"), Err(BlobError::Full(_))));
    // What was written of it is gone, and the same call may come again.
    joints.blobs.append(SEGMENT, 6, b"more").unwrap();
    assert_eq!(joints.blobs.read(SEGMENT, 99).unwrap(), b"beforemore");
    for step in 0..4 {
        store.fault_at(store.steps().len() + step, Fault::Error(ErrorKind::StorageFull));
        let new = format!("head {step}").into_bytes();
        let now = joints.head.load(99).unwrap().unwrap();
        match joints.head.swap(Some(&now), &new) {
            Err(SwapError::Unwritten(_)) => {
                assert_eq!(joints.head.load(99).unwrap(), Some(now.clone()));
                joints.head.swap(Some(&now), &new).unwrap();
            }
            other => panic!("step {step}: {other:?}"),
        }
    }
}

#[test]
fn a_ledger_stands_on_any_two_joints() {
    // The head in one store, everything else in another.
    let (files, heads) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let pair = || {
        let (blobs, head): (Joints, Joints) = (files.clone().into(), heads.clone().into());
        Joints { blobs: blobs.blobs, head: head.head }
    };
    let open = || Ledger::open(pair(), options(), &mut |_, _, _| {});
    let ledger = open().unwrap();
    ledger.append(entries("a", 3)).unwrap();
    ledger.close().unwrap();
    drop(ledger);
    assert_eq!(open().unwrap().size(), 3);
    assert!(!files.snapshot().contains_key("head"));
    assert_eq!(heads.snapshot().into_keys().collect::<Vec<_>>(), ["head"]);
    let segments = Options { segment_bytes: 1, ..options() };
    Ledger::open(pair(), segments, &mut |_, _, _| {}).unwrap().append(entries("b", 1)).unwrap();
}
