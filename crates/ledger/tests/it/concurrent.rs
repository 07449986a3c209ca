//! Many callers, one order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use ledger::store::{Source, Store};
use ledger::{AppendError, Entry, Ledger, Options};
use testkit::fault_store::FaultStore;

use crate::support::{Acked, check, check_reading, entries, open, options, read_all};

/// Eight threads append and submit; every call's entries lie together, in its order.
fn race(store: Arc<dyn Store>) -> Acked {
    let ledger = Arc::new(open(store).unwrap());
    let acked = Mutex::new(Acked::new());
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (ledger, acked, start) = (&ledger, &acked, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..25 {
                    let batch = entries(&format!("{thread}.{n}"), 1 + (thread + n) % 4);
                    let range = if n % 3 == 0 {
                        let (send, answer) = mpsc::channel();
                        let done = Box::new(move |done| send.send(done).unwrap());
                        ledger.submit(batch.clone(), done);
                        answer.recv().unwrap().unwrap()
                    } else {
                        ledger.append(batch.clone()).unwrap()
                    };
                    if n % 10 == 9 {
                        ledger.checkpoint().unwrap();
                    }
                    acked.lock().unwrap().extend(range.zip(batch));
                }
            });
        }
    });
    ledger.close().unwrap();
    let acked = acked.into_inner().unwrap();
    assert_eq!(acked.len() as u64, ledger.size());
    acked
}

#[test]
fn eight_threads_on_memory() {
    let store = Arc::new(MemoryStore::new());
    check(store.clone(), &race(store));
}

#[test]
fn eight_threads_on_a_disk_that_loses_what_was_not_synced() {
    let store = Arc::new(FaultStore::new());
    let acked = race(store.clone());
    for seed in 0..5 {
        check(Arc::new(store.crash(seed)), &acked);
    }
}

#[test]
fn eight_threads_on_files_beside_a_reader() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let store = Arc::new(FileStore::open(&dir).unwrap());
    open(store.clone()).unwrap();
    let stop = AtomicBool::new(false);
    let acked = thread::scope(|scope| {
        // A verifier that looks again and again must never raise a false alarm.
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !stop.load(Ordering::Relaxed) || looks == 0 {
                check_reading(Arc::new(FileStore::read_only(&dir)), &Acked::new());
                looks += 1;
            }
            looks
        });
        let acked = race(store.clone());
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
        acked
    });
    check(store, &acked);
}

/// What a store may leave to whoever leads must not be left by a leader who only waited.
#[test]
fn what_is_submitted_while_another_waits_is_not_forgotten() {
    for _ in 0..200 {
        let ledger = Arc::new(open(Arc::new(MemoryStore::new())).unwrap());
        thread::scope(|scope| {
            for thread in 0..4 {
                let ledger = &ledger;
                scope.spawn(move || {
                    for n in 0..10 {
                        let batch = entries(&format!("{thread}.{n}"), 1);
                        let (send, answer) = mpsc::channel();
                        match thread % 2 {
                            0 => drop(ledger.append(batch).unwrap()),
                            _ => {
                                ledger
                                    .submit(batch, Box::new(move |done| send.send(done).unwrap()));
                                answer.recv().unwrap().unwrap();
                            }
                        }
                    }
                });
            }
        });
    }
}

/// A store that waits at each sync until it is let through.
struct Gate {
    inner: MemoryStore,
    arrived: Mutex<mpsc::Sender<()>>,
    pass: Mutex<mpsc::Receiver<()>>,
    closed: AtomicBool,
    panics: AtomicBool,
}

impl Source for Gate {
    fn list(&self) -> std::io::Result<Vec<ledger::store::Item>> {
        self.inner.list()
    }
    fn len(&self, name: &str) -> std::io::Result<u64> {
        self.inner.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read_at(name, offset, buffer)
    }
}

impl Store for Gate {
    fn create(&self, name: &str) -> std::io::Result<()> {
        self.inner.create(name)
    }
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.inner.append(name, at, bytes)
    }
    fn sync(&self, name: &str) -> std::io::Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            self.arrived.lock().unwrap().send(()).unwrap();
            self.pass.lock().unwrap().recv().unwrap();
        }
        assert!(!self.panics.load(Ordering::SeqCst), "a store with a bug");
        self.inner.sync(name)
    }
    fn truncate(&self, name: &str, length: u64) -> std::io::Result<()> {
        self.inner.truncate(name, length)
    }
    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self, name: &str) -> std::io::Result<()> {
        self.inner.sync_dir(name)
    }
    fn set_aside(&self, name: &str, bytes: &[u8]) -> std::io::Result<String> {
        self.inner.set_aside(name, bytes)
    }
}

fn gate() -> (Arc<Gate>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (arrived, arrivals) = mpsc::channel();
    let (passes, pass) = mpsc::channel();
    let gate = Gate {
        inner: MemoryStore::new(),
        arrived: Mutex::new(arrived),
        pass: Mutex::new(pass),
        closed: AtomicBool::new(false),
        panics: AtomicBool::new(false),
    };
    (Arc::new(gate), arrivals, passes)
}

fn big(tag: &str) -> Vec<Entry> {
    let body = vec![b'x'; 40_000];
    vec![Entry { kind: ledger::Kind::Receipt, id: tag.into(), body }]
}

#[test]
fn nobody_is_answered_before_the_sync_and_those_who_wait_share_one() {
    let (gate, arrivals, passes) = gate();
    let ledger = open(gate.clone()).unwrap();
    gate.closed.store(true, Ordering::SeqCst);
    let (send, answers) = mpsc::channel();
    let submit = |tag: &str| {
        let send = send.clone();
        ledger.submit(entries(tag, 2), Box::new(move |done| send.send(done.unwrap()).unwrap()));
    };
    submit("a");
    arrivals.recv().unwrap();
    // Written, not synced: the entry does not exist yet.
    assert_eq!(ledger.size(), 0);
    assert!(answers.try_recv().is_err());
    for tag in ["b", "c", "d"] {
        submit(tag);
    }
    passes.send(()).unwrap();
    assert_eq!(answers.recv().unwrap(), 0..2);
    arrivals.recv().unwrap();
    assert_eq!(ledger.size(), 2);
    passes.send(()).unwrap();
    let rest: Vec<_> = (0..3).map(|_| answers.recv().unwrap()).collect();
    assert_eq!(rest, [2..4, 4..6, 6..8], "three calls, one sync");
    assert!(arrivals.try_recv().is_err());
    gate.closed.store(false, Ordering::SeqCst);
    drop(ledger);
    assert_eq!(read_all(gate).1.len(), 8);
}

#[test]
fn too_much_waiting_is_refused() {
    let (gate, arrivals, passes) = gate();
    let options = Options { queue_bytes: 100_000, ..options() };
    let ledger = Ledger::open(gate.clone(), options, &mut |_, _, _| {}).unwrap();
    gate.closed.store(true, Ordering::SeqCst);
    let (send, answers) = mpsc::channel();
    let submit = |tag: &str| {
        let send = send.clone();
        ledger.submit(big(tag), Box::new(move |done| send.send(done).unwrap()));
    };
    submit("a");
    arrivals.recv().unwrap();
    for tag in ["b", "c", "d"] {
        submit(tag);
    }
    assert!(matches!(answers.recv().unwrap(), Err(AppendError::Busy { limit: 100_000, .. })));
    gate.closed.store(false, Ordering::SeqCst);
    passes.send(()).unwrap();
    for _ in 0..3 {
        answers.recv().unwrap().unwrap();
    }
    assert_eq!(ledger.size(), 3);
}

#[test]
fn a_leader_that_panics_stops_the_ledger_and_strands_nobody() {
    let (gate, arrivals, passes) = gate();
    let ledger = open(gate.clone()).unwrap();
    gate.closed.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let leader = scope.spawn(|| ledger.append(entries("a", 1)));
        arrivals.recv().unwrap();
        let (send, answer) = mpsc::channel();
        ledger.submit(entries("b", 1), Box::new(move |done| send.send(done).unwrap()));
        let follower = scope.spawn(|| ledger.append(entries("c", 1)));
        gate.panics.store(true, Ordering::SeqCst);
        gate.closed.store(false, Ordering::SeqCst);
        passes.send(()).unwrap();
        assert!(leader.join().is_err());
        assert!(matches!(answer.recv().unwrap(), Err(AppendError::Stopped(_))));
        assert!(matches!(follower.join().unwrap(), Err(AppendError::Stopped(_))));
    });
    assert!(matches!(ledger.append(entries("d", 1)), Err(AppendError::Stopped(_))));
    assert_eq!(ledger.size(), 0);
    assert!(ledger.close().is_err());
}
