//! Restarts, full disks, many callers at once.

use std::collections::HashSet;
use std::sync::Mutex;

use testkit::stubborn_store::StubbornStore;

use super::*;

#[test]
fn a_restart_continues_chain_and_lineage_and_closes_orphans() {
    let store = Arc::new(MemoryStore::new());
    let bench = bench_on(store.clone(), Profile::Full, 1);
    bench.turn("billing", FIRST, "", &[call("call_1", ARGUMENTS)]);
    // What a crash leaves: neither outcome nor disconnect.
    let orphan = bench.admit("billing", FIRST);
    let id = orphan.id().to_owned();
    std::mem::forget(orphan);

    let survived = Arc::new(MemoryStore::of(store.snapshot()));
    let again = bench_on(survived.clone(), Profile::Full, 2);
    let (next, _) = again.turn("billing", &second(ARGUMENTS, "sent", ""), "done", &[]);
    let found = Evidence::of(&survived, &again.state).check(&again.state);
    assert_eq!(found.step(Operation::ToolCall, &next).len(), 1, "lineage survives");
    assert!(found.step(Operation::UserInput, &next).is_empty());
    assert_eq!(found.bodies["config"].len(), 1);
    assert_eq!(found.bodies["ruleset"].len(), 2, "the rules, and what names them");
    let closed: Vec<_> = found.decisions.iter().filter(|d| d.request_id == id).collect();
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].decision.as_str(), closed[0].response_digest), ("interrupted", None));
    assert_eq!(closed[0].request_digest, Digest::of(FIRST.as_bytes()));
    assert!(found.outcomes().contains(&("pipeline.interrupted", "interrupted")));

    let third = bench_on(Arc::new(MemoryStore::of(survived.snapshot())), Profile::Full, 3);
    let size = third.recorder.size();
    assert_eq!(size, found.kinds.len() as u64, "nothing is left to close");
}

#[test]
fn a_full_disk_refuses_and_the_chain_goes_on_where_it_was() {
    let store = Arc::new(StubbornStore::default());
    let bench = bench_on(store.clone(), Profile::Full, 0);
    bench.turn("billing", FIRST, "", &[call("call_1", ARGUMENTS)]);
    store.full.store(true, Ordering::SeqCst);
    let (mut log, input) = bench.log("billing", FIRST);
    let forward =
        Forward { body: Digest::of(b""), upstream: "simulator".to_owned(), model: "m".to_owned() };
    let refused = log.admitted(input, Ruling::allow(), forward).wait();
    assert!(matches!(refused, Err(RecordError::Append(_))), "{refused:?}");
    assert!(bench.recorder.ready(), "there may be room again");
    store.full.store(false, Ordering::SeqCst);
    // Its outcome would cite an admission that is not there.
    let late = log.complete(outcome("", &[])).wait();
    assert!(matches!(late, Err(RecordError::NotAdmitted)), "{late:?}");
    drop(log);
    bench.turn("billing", &second(ARGUMENTS, "sent", ""), "done", &[]);
    bench.recorder.close().expect("closed");
    let found = Evidence::of(&store.inner, &bench.state).check(&bench.state);
    assert_eq!(found.decisions.len(), 2);
}

#[test]
fn concurrent_requests_keep_chain_and_graph_whole() {
    let store = Arc::new(StubbornStore::default());
    let bench = bench_on(store.clone(), Profile::Full, 0);
    let ids = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for owner in 0..8 {
            let (bench, ids) = (&bench, &ids);
            scope.spawn(move || {
                for _ in 0..10 {
                    let owner = format!("a{owner}");
                    let calls = [call("call_1", ARGUMENTS)];
                    let (one, _) = bench.turn(&owner, FIRST, "", &calls);
                    let (two, _) = bench.turn(&owner, &second(ARGUMENTS, "sent", ""), "done", &[]);
                    lock(ids).extend([one, two]);
                }
            });
        }
    });
    bench.recorder.close().expect("closed");
    let found = Evidence::of(&store.inner, &bench.state).check(&bench.state);
    assert_eq!(lock(&ids).len(), 160);
    assert_eq!(found.decisions.len(), 160);
    assert!(found.audits.is_sorted_by_key(|audit| audit.ts_ns));
}

#[tokio::test]
async fn a_future_resolves_from_the_writing_thread() {
    let store = Arc::new(StubbornStore::default());
    let bench = bench_on(store.clone(), Profile::Full, 0);
    let mut log = bench.recorder.begin(&bench.recorder.ruleset(), "peer", "GET", "/v1/models");
    let committed = log.served(200, Digest::of(b"")).await.expect("durable");
    let decision = read_signed(committed.receipt().expect("one")).expect("strict").decision;
    assert_eq!(decision.audit_entry_id, committed.entry_id());
    // Not awaited, and yet written.
    drop(
        bench
            .recorder
            .begin(&bench.recorder.ruleset(), "peer", "GET", "/v1/models")
            .served(200, Digest::of(b"")),
    );
    bench.recorder.close().expect("closed");
    let mut late = bench.recorder.begin(&bench.recorder.ruleset(), "peer", "GET", "/v1/models");
    assert!(late.served(200, Digest::of(b"")).await.is_err());
    let found = Evidence::of(&store.inner, &bench.state).check(&bench.state);
    assert_eq!(found.outcomes(), [("pipeline.complete", "served"); 2]);
}

#[test]
fn a_lost_writing_thread_leaves_nobody_waiting() {
    let store = Arc::new(StubbornStore::default());
    let bench = bench_on(store.clone(), Profile::Full, 0);
    store.panics.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let mut log = bench.recorder.begin(&bench.recorder.ruleset(), "peer", "GET", "/v1/models");
        assert!(log.served(200, Digest::of(b"")).wait().is_err());
    }
    assert!(!bench.recorder.ready());
}
