//! A clock that is set back, while the gateway runs and between two of its lives.

use testkit::clock::TestClock;

use super::*;

fn starts(store: &Arc<MemoryStore>, clock: &Arc<TestClock>, seed: u8) -> Bench {
    let state = State::seeded(store.clone(), clock.clone());
    let recorder = Recorder::start_seeded(&state, setup(Profile::Full), [seed; 32]);
    Bench { state, recorder: recorder.expect("the ledger opens") }
}

#[test]
fn time_stands_still_until_the_clock_has_caught_up() {
    let store = Arc::new(MemoryStore::new());
    let hour = 3_600_000;
    let noon = 1_700_000_000_000;
    let clock = Arc::new(TestClock::at(noon));
    let bench = starts(&store, &clock, 1);
    bench.turn("billing", FIRST, "one", &[]);
    clock.set(noon - hour);
    bench.turn("billing", FIRST, "two", &[]);
    // The start finds the ledger ahead of its clock.
    let bench = starts(&Arc::new(MemoryStore::of(store.snapshot())), &clock, 2);
    drop(bench);
    let again = Arc::new(MemoryStore::of(store.snapshot()));
    let bench = starts(&again, &clock, 3);
    bench.turn("billing", FIRST, "three", &[]);
    clock.set(noon + hour);
    bench.turn("billing", FIRST, "four", &[]);

    let mut stamps = Vec::new();
    let reader = ledger::Reader::open(again.clone(), None).expect("a ledger");
    let mut entries = reader.entries();
    while let Some(item) = entries.next().expect("readable") {
        let ledger::read::Item::Entry(entry) = item else { panic!("damaged") };
        stamps.push(entry.leaf.ts);
    }
    assert!(stamps.is_sorted(), "{stamps:?}");
    assert_eq!((stamps.first(), stamps.last()), (Some(&noon), Some(&(noon + hour))));
    let found = Evidence::of(&again, &bench.state).check(&bench.state);
    let lines: Vec<u64> = found.audits.iter().map(|audit| audit.ts_ns / 1_000_000).collect();
    assert!(lines.is_sorted() && lines[0] == noon, "{lines:?}");
    // A receipt is never older than what it builds on, nor an answer than the one before.
    let issued: Vec<i64> = found.receipts.iter().map(|signed| signed.receipt.iat).collect();
    assert!(issued.is_sorted(), "{issued:?}");
    let decided: Vec<i64> = found.decisions.iter().map(|decision| decision.iat).collect();
    let (noon, hour) = (noon as i64 / 1000, hour as i64 / 1000);
    assert_eq!(decided, [noon, noon, noon, noon + hour]);
}
