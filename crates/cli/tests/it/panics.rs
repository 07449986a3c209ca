//! A fault of ours at any moment: the caller gets an answer or a closed connection, never silence;
//! the process ends with a fault or goes on refusing; and what was admitted is closed in the end.

use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use gateway::server::{Bound, ServeError};
use gateway::state::{Init, State, StateError};
use ledger::SystemClock;
use seal::time::UnixMillis;
use tokio::sync::oneshot;

use crate::kill::Evidence;
use crate::running::{PATIENCE, ask, chat, countersign, said};

/// A clock that panics at two looks in a row: every task looks at it, each at a moment of its own,
/// and what records that a flow has failed looks again.
struct Trap(AtomicI64);

impl ledger::Clock for Trap {
    fn now(&self) -> UnixMillis {
        let left = self.0.fetch_sub(1, Ordering::SeqCst);
        assert!(!matches!(left, -1 | 0), "a planned fault");
        SystemClock.now()
    }
}

const NEVER: i64 = i64::MIN;

#[test]
fn a_panic_at_every_look_at_the_clock() {
    let mut seen = [0_usize; 3];
    for at in 0..16 {
        let home = tempfile::tempdir().expect("a directory");
        let trap = Arc::new(Trap(AtomicI64::new(NEVER)));
        let (ended, status) = live(home.path(), trap, at);
        match status {
            Some(200) => seen[0] += 1,
            Some(500 | 503) => seen[1] += 1,
            None => seen[2] += 1,
            Some(other) => panic!("look {at}: status {other}"),
        }
        match ended {
            Ok(()) | Err(ServeError::Fault | ServeError::Close(_)) => {}
            Err(error) => panic!("look {at}: {error}"),
        }
        // Another life finds nothing it cannot close.
        let again = Arc::new(Trap(AtomicI64::new(NEVER)));
        let (ended, status) = live(home.path(), again, NEVER);
        assert!(ended.is_ok(), "look {at}: {ended:?}");
        assert_eq!(status, Some(200), "look {at}");
        let verify = countersign(home.path(), &["verify", ".countersign/ledger"]);
        assert!(verify.status.success(), "look {at}: {}", said(&verify));
        let evidence = Evidence::read(home.path());
        let closed = catch_unwind(AssertUnwindSafe(|| evidence.every_admission_has_an_outcome()));
        assert!(closed.is_ok(), "look {at}");
    }
    assert!(seen[0] > 0 && seen[1] > 3, "answered, refused, closed: {seen:?}");
}

#[test]
fn housekeeping_that_fails_ends_the_process() {
    let home = tempfile::tempdir().expect("a directory");
    // The first start writes more than every later one.
    assert!(Life::start(home.path(), Arc::new(Trap(AtomicI64::new(NEVER)))).stop().is_ok());
    let whole = Arc::new(Trap(AtomicI64::new(NEVER)));
    let life = Life::start(home.path(), whole.clone());
    let looks = whole.0.load(Ordering::SeqCst).wrapping_sub(NEVER).unsigned_abs();
    assert!(life.stop().is_ok());
    // The next look behind those of a start is that of the housekeeping; nobody stops it.
    let trap = Arc::new(Trap(AtomicI64::new(looks.try_into().expect("a few"))));
    let life = Life::start(home.path(), trap);
    let ended = life.ended.recv_timeout(PATIENCE).expect("it ends by itself");
    assert!(matches!(ended, Err(ServeError::Fault)), "{ended:?}");
    drop(life);
    assert!(Life::start(home.path(), Arc::new(Trap(AtomicI64::new(NEVER)))).stop().is_ok());
}

/// One life of a gateway: three requests, the trap armed before the second. Returns how it ended
/// and what the last request got.
fn live(dir: &Path, trap: Arc<Trap>, at: i64) -> (Result<(), ServeError>, Option<u16>) {
    let life = Life::start(dir, trap.clone());
    let port = life.bound.data.port();
    assert_eq!(chat(port, &ask("before", false)).expect("an answer").status, 200);
    trap.0.store(at, Ordering::SeqCst);
    // Both answers come, or the connection ends: PATIENCE is the test's own limit of reading.
    let during = chat(port, &ask("during", true)).map(|answer| answer.status);
    if let Ok(status) = during {
        assert!(matches!(status, 200 | 500 | 503), "{status}");
    }
    let after = chat(port, &ask("after", false)).map(|answer| answer.status);
    (life.stop(), after.ok())
}

/// A gateway in this process.
struct Life {
    bound: Bound,
    stop: oneshot::Sender<()>,
    ended: mpsc::Receiver<Result<(), ServeError>>,
}

impl Life {
    fn start(dir: &Path, clock: Arc<Trap>) -> Life {
        let begun = Instant::now();
        let state = loop {
            match State::open_or_init(dir, Init { memory: false, clock: clock.clone() }) {
                // Other tests start processes: between fork and exec they hold our files open,
                // and with them the lock of the life before.
                Err(StateError::Locked(_)) if begun.elapsed() < PATIENCE => thread::yield_now(),
                state => break state.expect("the state opens"),
            }
        };
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let defaults = gateway::Config::default();
        let config = gateway::Config { simulator: true, listen: any, admin: any, ..defaults };
        let (ready, bound) = mpsc::channel::<Bound>();
        let (stop, stopped) = oneshot::channel::<()>();
        let (over, ended) = mpsc::channel();
        thread::spawn(move || {
            let ready = move |bound| ready.send(bound).expect("the test waits");
            let served = gateway::serve(config, state, ready, async {
                let _ = stopped.await;
            });
            let _ = over.send(served);
        });
        Life { bound: bound.recv_timeout(PATIENCE).expect("it starts"), stop, ended }
    }

    fn stop(self) -> Result<(), ServeError> {
        // Where a task failed the gateway stops by itself, and nobody is there to be told.
        let _ = self.stop.send(());
        self.ended.recv_timeout(PATIENCE).expect("it ends")
    }
}
