//! An audit line of ours that cannot be read stops the start: its chain could not be continued.

use super::*;

#[test]
fn an_unreadable_line_stops_the_start_and_is_named() {
    let store = Arc::new(MemoryStore::new());
    let bench = bench_on(store.clone(), Profile::Full, 1);
    bench.turn("billing", FIRST, "", &[]);
    let good = bench.recorder.ledger().size();
    bench.recorder.close().expect("closed");
    // Longer than one piece of what is read at a time, and more than one of them.
    let clock = Arc::new(Ticking(AtomicU64::new(1_800_000_000_000)));
    let (origin, signer) = (bench.state.origin(), bench.state.log_signer());
    let options = ledger::Options::new(origin, signer, WRITER, clock);
    let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).expect("it opens");
    for n in 0..20 {
        let body = format!("{{\"not\":\"a line of ours\",\"{}\":{n}}}", "x".repeat(60_000));
        let entry = ledger::Entry { kind: Kind::Audit, id: format!("bad-{n}"), body: body.into() };
        ledger.append(vec![entry]).expect("the ledger does not read lines");
    }
    ledger.close().expect("closed");
    let started = Recorder::start_seeded(&bench.state, setup(Profile::Full), [2; 32]);
    match started.map(drop) {
        Err(StartError::Chain { index }) => assert_eq!(index, good),
        other => panic!("{other:?}"),
    }
}
