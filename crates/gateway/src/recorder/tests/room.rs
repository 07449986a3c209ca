//! A disk that fills up: new requests stay out while those under way are recorded to their end.

use std::io;

use ledger::store::{Item, Room, Source};

use super::*;

/// A memory store that tells how much room it has.
struct Small {
    inner: MemoryStore,
    free: AtomicU64,
}

impl Source for Small {
    fn list(&self) -> io::Result<Vec<Item>> {
        self.inner.list()
    }
    fn len(&self, name: &str) -> io::Result<u64> {
        self.inner.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(name, offset, buffer)
    }
}

impl Store for Small {
    fn create(&self, name: &str) -> io::Result<()> {
        self.inner.create(name)
    }
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.append(name, at, bytes)
    }
    fn sync(&self, name: &str) -> io::Result<()> {
        self.inner.sync(name)
    }
    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.inner.truncate(name, length)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.inner.sync_dir(name)
    }
    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        self.inner.set_aside(name, bytes)
    }
    fn room(&self) -> io::Result<Option<Room>> {
        Ok(Some(Room { free: self.free.load(Ordering::SeqCst), total: 1 << 30 }))
    }
}

#[test]
fn little_room_is_left_to_those_under_way() {
    let store = Arc::new(Small { inner: MemoryStore::new(), free: AtomicU64::new(1 << 20) });
    let clock = Arc::new(Ticking(AtomicU64::new(1_700_000_000_000)));
    let state = State::seeded(store.clone(), clock);
    let start = |headroom_bytes| {
        let setup = Setup { headroom_bytes, ..setup(Profile::Full) };
        Recorder::start_seeded(&state, setup, [1; 32]).expect("the ledger opens")
    };
    let bench =
        Bench { recorder: start(10_000), state: State::seeded(store.clone(), state.clock()) };
    assert_eq!((bench.recorder.shut(), bench.recorder.room()), (None, Some((1 << 20, 10_000))));
    let mut under_way = bench.admit("billing", FIRST);
    store.free.store(9_999, Ordering::SeqCst);
    // A few entries are more than an eighth of what is kept: then the disk is looked at again.
    bench.turn("billing", FIRST, "", &[]);
    assert_eq!(bench.recorder.shut(), Some(Shut::Headroom));
    assert!(!bench.recorder.ready());
    let ended = under_way.complete(outcome("done", &[])).wait();
    assert!(ended.expect("it is recorded").receipt().is_some());
    store.free.store(10_000, Ordering::SeqCst);
    // Looked at again four times a second.
    while bench.recorder.shut().is_some() {
        std::thread::yield_now();
    }
    bench.recorder.signed(false);
    assert_eq!(bench.recorder.shut(), Some(Shut::Unsigned));
    bench.recorder.signed(true);
    assert!(bench.recorder.ready());
    drop(bench);
    // A start looks, too; and nothing is kept where nothing is asked for.
    store.free.store(1, Ordering::SeqCst);
    assert_eq!(start(10_000).shut(), Some(Shut::Headroom));
    assert_eq!(start(0).shut(), None);
}
