//! Following a ledger that grows: every entry once, only what is signed, and no byte twice.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ledger::Ledger;
use ledger::follow::{Cursor, Follow, FollowError};
use ledger::store::memory::MemoryStore;
use ledger::store::{Item, Source, Store};

use crate::support::{entries, open, options, vkey};

/// A store that counts what is read of it.
struct Counted {
    store: Arc<MemoryStore>,
    bytes: AtomicU64,
    lists: AtomicU64,
}

impl Counted {
    fn over(store: &Arc<MemoryStore>) -> Arc<Counted> {
        let (bytes, lists) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Counted { store: store.clone(), bytes, lists })
    }
}

impl Source for Counted {
    fn list(&self) -> io::Result<Vec<Item>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.store.list()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.store.len(name)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.store.read_at(name, offset, buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A ledger whose segments end soon.
fn small(store: &Arc<MemoryStore>) -> Ledger {
    let mut options = options();
    options.segment_bytes = 4_096;
    Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap()
}

fn follow(source: Arc<dyn Source>, cursor: Option<&Cursor>) -> Result<Follow, FollowError> {
    Follow::open(source, Some(vec![vkey()]), cursor)
}

/// The ids that a poll brings.
fn news(follow: &mut Follow) -> Vec<String> {
    let mut ids = Vec::new();
    let polled = follow.poll(&mut |entry| {
        ids.push(entry.leaf.id.clone());
        ControlFlow::Continue(())
    });
    assert_eq!(polled.unwrap(), ids.len() as u64);
    ids
}

fn ids(tag: &str, count: usize) -> Vec<String> {
    entries(tag, count).into_iter().map(|entry| entry.id).collect()
}

#[test]
fn every_entry_comes_once_and_only_when_it_is_signed() {
    let store = Arc::new(MemoryStore::new());
    let ledger = small(&store);
    let mut signed = follow(store.clone(), None).unwrap();
    let mut eager = follow(store.clone(), None).unwrap().unsigned(true);
    for round in 0..40 {
        let (tag, count) = (format!("r{round}"), round % 7 + 1);
        ledger.append(entries(&tag, count)).unwrap();
        assert_eq!(news(&mut eager), ids(&tag, count), "round {round}");
        assert_eq!(news(&mut signed), Vec::<String>::new(), "round {round}");
        ledger.checkpoint().unwrap();
        assert_eq!(news(&mut signed), ids(&tag, count), "round {round}");
        assert_eq!(news(&mut eager), Vec::<String>::new(), "round {round}");
        // Whoever begins again from a cursor goes on where it was, in whatever segment.
        let cursor = signed.cursor().unwrap();
        assert_eq!((cursor.size, cursor.root()), (ledger.size(), Some(ledger.root())));
        signed = follow(store.clone(), Some(&cursor)).unwrap();
    }
    let segments = store.snapshot().keys().filter(|name| name.starts_with("journal/")).count();
    assert!(segments > 10, "{segments} segments: the test turns no page");
    let mut all = follow(store.clone(), None).unwrap();
    assert_eq!(news(&mut all).len() as u64, ledger.size());
}

#[test]
fn a_sink_that_stops_misses_nothing() {
    let store = Arc::new(MemoryStore::new());
    let ledger = small(&store);
    ledger.append(entries("a", 25)).unwrap();
    ledger.checkpoint().unwrap();
    let mut follow = follow(store, None).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 25 {
        let polled = follow.poll(&mut |entry| {
            seen.push(entry.leaf.id.clone());
            if seen.len() % 4 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(polled.unwrap() > 0);
    }
    assert_eq!(seen, ids("a", 25));
}

/// What a poll reads depends on what is new, not on the length of the log.
#[test]
fn bytes_read_per_entry_do_not_grow() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let counted = Counted::over(&store);
    ledger.checkpoint().unwrap();
    let mut follow = follow(counted.clone(), None).unwrap();
    let mut first = 0;
    for round in 0..400 {
        ledger.append(entries("same", 3)).unwrap();
        ledger.checkpoint().unwrap();
        let lists = counted.lists.load(Ordering::Relaxed);
        let before = counted.bytes.swap(0, Ordering::Relaxed);
        assert!(before > 0);
        assert_eq!(news(&mut follow).len(), 3);
        let read = counted.bytes.swap(1, Ordering::Relaxed);
        assert_eq!(counted.lists.load(Ordering::Relaxed), lists, "a poll lists the directory");
        if round == 0 {
            first = read;
        }
        // Numbers get longer: a few bytes a decade.
        assert!(read < first + 100, "round {round}: {read} bytes, {first} at first");
        assert_eq!(news(&mut follow).len(), 0);
        let idle = counted.bytes.swap(1, Ordering::Relaxed);
        assert!(idle < 600, "a poll that brings nothing reads {idle} bytes");
    }
}

#[test]
fn a_log_that_does_not_begin_so_is_refused() {
    let store = Arc::new(MemoryStore::new());
    let ledger = small(&store);
    ledger.append(entries("a", 9)).unwrap();
    ledger.checkpoint().unwrap();
    let older = store.snapshot();
    ledger.append(entries("b", 30)).unwrap();
    ledger.checkpoint().unwrap();
    let mut reader = follow(store.clone(), None).unwrap();
    news(&mut reader);
    let cursor = reader.cursor().unwrap();

    // An older copy was put back.
    let shrunk = follow(Arc::new(MemoryStore::of(older.clone())), Some(&cursor)).map(|_| ());
    assert!(matches!(shrunk, Err(FollowError::Shrunk { had: 39, has: 9 })), "{shrunk:?}");

    // It went on in another way from there: the same length, and longer.
    for more in [30, 50] {
        let fork = Arc::new(MemoryStore::of(older.clone()));
        let other = small(&fork);
        other.append(entries("c", more)).unwrap();
        other.checkpoint().unwrap();
        let forked = follow(fork, Some(&cursor)).and_then(|mut follow| {
            follow.poll(&mut |_| panic!("nothing of a fork is handed over")).map(|_| ())
        });
        assert!(matches!(forked, Err(FollowError::Forked { size: 39 })), "{more}: {forked:?}");
    }

    // While it is followed, the signed root changes under the same entries.
    let fork = Arc::new(MemoryStore::of(older.clone()));
    small(&fork).append(entries("c", 9)).unwrap();
    let mut wrong = cursor.clone();
    wrong.peaks.pop();
    assert!(matches!(follow(store.clone(), Some(&wrong)), Err(FollowError::Cursor)));
    wrong = Cursor { origin: "another.log".to_owned(), ..cursor };
    assert!(matches!(follow(store, Some(&wrong)), Err(FollowError::Origin { .. })));
    let empty = Arc::new(MemoryStore::new());
    assert!(matches!(follow(empty, None), Err(FollowError::NoLedger)));

    // The checkpoint, or all of it, is taken away under the follower: that is no log that begins.
    for gone in ["public/checkpoint", ""] {
        let store = Arc::new(MemoryStore::of(older.clone()));
        let mut reader = follow(store.clone(), None).unwrap();
        news(&mut reader);
        let cursor = reader.cursor().unwrap();
        for name in older.keys().filter(|name| name.starts_with(gone)) {
            store.remove(name).unwrap();
        }
        let polled = reader.poll(&mut |_| panic!("there is nothing"));
        assert!(matches!(polled, Err(FollowError::Shrunk { had: 9, has: 0 })), "{polled:?}");
        let again = follow(store, Some(&cursor)).map(|_| ());
        assert!(matches!(again, Err(FollowError::Shrunk { had: 9, has: 0 })), "{again:?}");
    }
}

#[test]
fn damage_and_a_foreign_signature_end_it() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 5)).unwrap();
    ledger.checkpoint().unwrap();
    let name = crate::support::SEGMENT;
    let mut files = store.snapshot();
    let length = files[name].len();
    files.get_mut(name).unwrap()[length / 2] ^= 1;
    let mut bent = follow(Arc::new(MemoryStore::of(files)), None).unwrap();
    let polled = bent.poll(&mut |_| panic!("nothing of a bent log is handed over"));
    assert!(matches!(polled, Err(FollowError::Damage(_))), "{polled:?}");

    let mut files = store.snapshot();
    let note = files.get_mut("public/checkpoint").unwrap();
    let at = note.len() - 8;
    note[at] = if note[at] == b'A' { b'B' } else { b'A' };
    let forged = follow(Arc::new(MemoryStore::of(files)), None).map(|_| ());
    assert!(matches!(forged, Err(FollowError::Damage(_))), "{forged:?}");
}

/// A prune writes segments anew, so the next frame lies elsewhere: a follower that stands in one
/// goes on all the same.
#[test]
fn a_prune_under_way_loses_no_entry() {
    let store: Arc<dyn ledger::Store> = Arc::new(MemoryStore::new());
    let acked = crate::prune::fill(&store);
    let reading: Arc<dyn Source> = store.clone();
    let mut follow = follow(reading, None).unwrap();
    let mut seen = Vec::new();
    let polled = follow.poll(&mut |entry| {
        seen.push(entry.index);
        if seen.len() == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(polled.unwrap(), 5);
    crate::prune::prune(&store, &crate::prune::everything(), Vec::new());
    let mut gone = Vec::new();
    let polled = follow.poll(&mut |entry| {
        seen.push(entry.index);
        gone.extend(entry.body.present().is_none().then_some(entry.index));
        ControlFlow::Continue(())
    });
    assert!(polled.is_ok(), "{polled:?}");
    // The batch it stands in is one of those that were written anew.
    assert!(gone.iter().any(|index| (5..8).contains(index)), "{gone:?}");
    assert!(seen.len() > acked.len(), "{} of {}", seen.len(), acked.len());
    assert_eq!(seen, (0..seen.len() as u64).collect::<Vec<_>>());
}
