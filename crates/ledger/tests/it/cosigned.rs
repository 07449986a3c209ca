//! Checkpoints with the cosignatures of witnesses: two halves of one publication, through crashes,
//! faults and restarts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ledger::store::memory::MemoryStore;
use ledger::store::{Source, Store};
use ledger::{Cause, Ledger, OpenError};
use seal::cosign::{Cosignature, Cosigner};
use seal::merkle::verify_consistency;
use seal::note::open_cosigned;
use testkit::fault_store::FaultStore;

use crate::every_fault::EVERY;
use crate::support::{Acked, append, check, entries, open, options, vkey};

fn cosign(witness: u8, text: &str, seconds: u64) -> Cosignature {
    let key = testkit::key(witness);
    let cosigner = Cosigner::new(&format!("witness.test/{witness}"), &*key).unwrap();
    cosigner.sign(text, seconds).unwrap()
}

fn public(store: &dyn Source) -> String {
    String::from_utf8(store.read("public/checkpoint", 65_536).unwrap()).unwrap()
}

/// Size and witnesses (with times) of the published checkpoint.
fn published(store: &dyn Source) -> (u64, Vec<(String, u64)>) {
    let keys = [20, 21].map(|n| {
        let key = testkit::key(n);
        Cosigner::new(&format!("witness.test/{n}"), &*key).unwrap().vkey().clone()
    });
    let note = open_cosigned(public(store).as_bytes(), &[vkey()], &keys).unwrap();
    assert!(note.unknown.is_empty());
    let size = seal::note::Checkpoint::parse(&note.text).unwrap().size;
    (size, note.cosigned.into_iter().map(|by| (by.key.name, by.time_seconds)).collect())
}

fn by(witness: u8, seconds: u64) -> (String, u64) {
    (format!("witness.test/{witness}"), seconds)
}

#[test]
fn two_halves_of_a_publication() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    append(&ledger, &mut acked, entries("a", 3));
    let signed = ledger.sign_checkpoint().unwrap();
    assert_eq!(signed.checkpoint.size, 3);
    // Until witnesses answered, the world sees what it saw before; who looks now sees no damage.
    assert_eq!(published(&*store), (0, vec![]));
    check(Arc::new(MemoryStore::of(store.snapshot())), &acked);
    let text = signed.checkpoint.text();
    assert!(ledger.publish_cosigned(&signed.checkpoint, &[cosign(20, &text, 5)]).unwrap());
    assert_eq!(published(&*store), (3, vec![by(20, 5)]));
    assert!(public(&*store).starts_with(&signed.note));
    // A second one joins; the same witness again replaces its line.
    let more = [cosign(21, &text, 6), cosign(20, &text, 7)];
    assert!(ledger.publish_cosigned(&signed.checkpoint, &more).unwrap());
    assert_eq!(published(&*store), (3, vec![by(21, 6), by(20, 7)]));
    // Nobody answering takes nothing away, and neither does a checkpoint over nothing new.
    assert!(ledger.publish_cosigned(&signed.checkpoint, &[]).unwrap());
    ledger.checkpoint().unwrap();
    assert_eq!(published(&*store).1.len(), 2);
    check(Arc::new(MemoryStore::of(store.snapshot())), &acked);
}

#[test]
fn a_restart_keeps_what_witnesses_said() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    append(&ledger, &mut Acked::new(), entries("a", 3));
    ledger.close().unwrap();
    // The last checkpoint is cosigned after the log was closed.
    let signed = ledger.sign_checkpoint().unwrap();
    let line = cosign(20, &signed.checkpoint.text(), 5);
    assert!(ledger.publish_cosigned(&signed.checkpoint, &[line]).unwrap());
    drop(ledger);
    let ledger = open(store.clone()).unwrap();
    assert_eq!(published(&*store), (3, vec![by(20, 5)]));
    let again = ledger.sign_checkpoint().unwrap();
    assert_eq!(again, signed);
    assert!(ledger.publish_cosigned(&again.checkpoint, &[]).unwrap());
    assert_eq!(published(&*store), (3, vec![by(20, 5)]));
}

#[test]
fn answers_that_come_late_are_for_nobody() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    append(&ledger, &mut Acked::new(), entries("a", 3));
    let old = ledger.sign_checkpoint().unwrap();
    append(&ledger, &mut Acked::new(), entries("b", 2));
    ledger.checkpoint().unwrap();
    let line = cosign(20, &old.checkpoint.text(), 5);
    assert!(!ledger.publish_cosigned(&old.checkpoint, &[line]).unwrap());
    assert_eq!(published(&*store), (5, vec![]));
}

#[test]
fn proofs_for_witnesses_come_from_the_tiles() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store).unwrap();
    let mut checkpoints = vec![ledger.sign_checkpoint().unwrap().checkpoint];
    for n in [1, 6, 248, 1, 1, 300] {
        append(&ledger, &mut Acked::new(), entries(&format!("{n}-{}", ledger.size()), n));
        let signed = ledger.sign_checkpoint().unwrap();
        ledger.publish_cosigned(&signed.checkpoint, &[]).unwrap();
        checkpoints.push(signed.checkpoint);
    }
    for (at, old) in checkpoints.iter().enumerate() {
        for new in &checkpoints[at..] {
            let proof = ledger.consistency(old.size, new.size).unwrap();
            assert!(
                verify_consistency(old.size, new.size, &proof, &old.root, &new.root),
                "{} to {}",
                old.size,
                new.size
            );
        }
    }
    assert!(ledger.consistency(8, 7).is_err());
    assert!(ledger.consistency(8, 9999).is_err());
}

#[test]
fn only_cosignatures_may_follow_the_logs_line() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    append(&ledger, &mut Acked::new(), entries("a", 3));
    ledger.close().unwrap();
    drop(ledger);
    let plain = public(&*store);
    let text = &plain[..=plain.rfind("\n\n").unwrap()];
    let line = cosign(30, text, 5).to_string();
    let with = |more: &str| {
        let store = MemoryStore::of(store.snapshot());
        store.replace("public/checkpoint", format!("{plain}{more}").as_bytes()).unwrap();
        open(Arc::new(store)).map(drop)
    };
    // One that nobody here named is for the verifier to judge.
    with(&line).unwrap();
    let own = plain.lines().last().unwrap();
    for bad in [
        "\n".to_owned(),
        "x\n".to_owned(),
        line.trim_end().to_owned(),
        format!("{line}\n"),
        format!("{own}\n"),
        line.replace("witness.test/30", "log.test/ledger"),
        line.replace("witness.test/30", "witness+30"),
        line.replacen('\u{2014}', "-", 1),
        // The signature of a log, without a time.
        own.replace("log.test/ledger", "log.test/other") + "\n",
    ] {
        match with(&bad) {
            Err(OpenError::Damaged(damage)) => {
                assert_eq!(damage.file, "public/checkpoint", "{bad:?}");
                assert!(matches!(damage.cause, Cause::Signature | Cause::Form), "{bad:?}");
            }
            other => panic!("{bad:?}: {other:?}"),
        }
    }
}

/// Appends and publishes with a cosignature, goes on after errors.
fn life(store: &Arc<FaultStore>, acked: &mut Acked) {
    for round in 0..2 {
        let Ok(ledger) = Ledger::open(store.clone(), options(), &mut |_, _, _| {}) else {
            continue;
        };
        for n in 0..2 {
            let batch = entries(&format!("{round}.{n}"), 3);
            if let Ok(range) = ledger.append(batch.clone()) {
                acked.extend(range.zip(batch));
            }
            let Ok(signed) = ledger.sign_checkpoint() else { continue };
            let line = cosign(20, &signed.checkpoint.text(), 5);
            let _ = ledger.publish_cosigned(&signed.checkpoint, &[line]);
        }
    }
}

#[test]
fn every_fault_between_the_halves() {
    let whole = Arc::new(FaultStore::new());
    life(&whole, &mut Acked::new());
    let steps = whole.steps();
    for (at, name) in steps.iter().enumerate() {
        for fault in EVERY {
            let store = Arc::new(FaultStore::new());
            store.fault_at(at, fault);
            let mut acked = Acked::new();
            life(&store, &mut acked);
            for seed in 0..2 {
                let case = || format!("{fault:?} at step {at}, {name}, seed {seed}");
                let crashed = Arc::new(store.crash(seed));
                open(crashed.clone()).unwrap_or_else(|error| panic!("{}: {error}", case()));
                let checked = catch_unwind(AssertUnwindSafe(|| check(crashed, &acked)));
                assert!(checked.is_ok(), "{}", case());
            }
        }
    }
}

#[test]
fn one_entry_is_found_in_its_segment() {
    let store = Arc::new(MemoryStore::new());
    let options = ledger::Options { segment_bytes: 2400, ..options() };
    let ledger = Ledger::open(store.clone(), options, &mut |_, _, _| {}).unwrap();
    let mut acked = Acked::new();
    for n in 0..10 {
        append(&ledger, &mut acked, entries(&format!("s{n}"), 3));
    }
    ledger.close().unwrap();
    let segments = store.snapshot().keys().filter(|name| name.starts_with("journal/")).count();
    assert!(segments > 3, "{segments}");
    let reader = ledger::read::Reader::open(store, None).unwrap();
    for (index, entry) in &acked {
        let found = reader.find(*index, |found| {
            (found.leaf.id.clone(), found.body.present().map(<[u8]>::to_vec))
        });
        assert_eq!(found.unwrap(), Some((entry.id.clone(), Some(entry.body.clone()))), "{index}");
    }
    assert_eq!(reader.find(30, |_| ()).unwrap(), None);
}
