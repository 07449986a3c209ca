//! What a start reads of the lines there are: all of them, most at a glance. One that cannot be read
//! stops it: its chain could not be continued.

use super::*;
use crate::recorder::replay::Replay;

#[test]
fn a_glance_says_what_reading_says() {
    let (store, bench) = bench(Profile::Full);
    bench.turn("billing", FIRST, "", &[call("call_1", ARGUMENTS)]);
    bench.turn("billing", &second(ARGUMENTS, "sent", ""), "done", &[]);
    drop(bench.admit("billing", FIRST));
    bench.log("billing", FIRST).0.preflight(Refusal {
        ruling: Ruling::gone(),
        status: 499,
        response: Digest::of(b""),
    });
    let found = Evidence::of(&store, &bench.state);
    assert!(found.lines.len() > 6, "{}", found.lines.len());
    let mut remembered = 0;
    for line in &found.lines {
        let (mut one, mut other) = (
            Replay::new(Lineage::new(9), crate::state::WRITER),
            Replay::new(Lineage::new(9), crate::state::WRITER),
        );
        let glanced = one.glanced(line).expect("our own lines are recognised");
        assert_eq!(Some(&glanced), other.read(line).as_ref());
        assert_eq!((&one.last_hmac, one.last_ns), (&other.last_hmac, other.last_ns));
        remembered += format!("{glanced:?}").matches("Memory").count();
    }
    assert!(remembered > 3, "{remembered}");
}

/// A parent without its taint would be a link that breaks the chain, and hides where a text is from.
#[test]
fn a_memory_without_its_taint_is_none() {
    let (store, bench) = bench(Profile::Full);
    bench.turn("billing", FIRST, "", &[]);
    let memories = |line: &[u8]| {
        let said = Replay::new(Lineage::new(9), crate::state::WRITER)
            .glanced(line)
            .expect("still a canonical line");
        format!("{said:?}").matches("Memory").count()
    };
    let mut cut = 0;
    for line in &Evidence::of(&store, &bench.state).lines {
        let text = String::from_utf8(line.clone()).expect("text");
        for broken in ["", ",\"taint\":null", ",\"taint\":[0]"] {
            let other = text.replace(",\"taint\":[\"external_user\"]", broken);
            if other != text {
                assert!(memories(line) > memories(other.as_bytes()), "{other}");
                cut += 1;
            }
        }
    }
    assert!(cut > 0);
}

#[test]
fn an_unreadable_line_stops_the_start_and_is_named() {
    let store = Arc::new(MemoryStore::new());
    let bench = bench_on(store.clone(), Profile::Full, 1);
    bench.turn("billing", FIRST, "", &[]);
    let good = bench.recorder.size();
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
