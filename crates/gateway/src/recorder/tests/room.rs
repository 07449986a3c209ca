//! A disk that fills up: new requests stay out while those under way are recorded to their end.

use testkit::stubborn_store::StubbornStore;

use super::*;

#[test]
fn little_room_is_left_to_those_under_way() {
    let store = Arc::new(StubbornStore::default());
    store.tell_free(1 << 20);
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
    store.tell_free(9_999);
    // A few entries are more than an eighth of what is kept: then the disk is looked at again.
    bench.turn("billing", FIRST, "", &[]);
    assert_eq!(bench.recorder.shut(), Some(Shut::Headroom));
    assert!(!bench.recorder.ready());
    let ended = under_way.complete(outcome("done", &[])).wait();
    assert!(ended.expect("it is recorded").receipt().is_some());
    store.tell_free(10_000);
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
    store.tell_free(1);
    assert_eq!(start(10_000).shut(), Some(Shut::Headroom));
    assert_eq!(start(0).shut(), None);
}
