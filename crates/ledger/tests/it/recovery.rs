//! Which damage a start explains by lost writes, and which it refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::store::memory::MemoryStore;
use ledger::{Kind, OpenError};

use crate::support::{Acked, SEGMENT, append, check, entries, kinds, open, read_all};

type Files = BTreeMap<String, Vec<u8>>;

struct Built {
    files: Files,
    /// Length of the segment after each append.
    ends: Vec<usize>,
    acked: Acked,
}

/// Three batches above the head.
fn build() -> Built {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    let mut acked = Acked::new();
    let mut ends = Vec::new();
    for n in 0..3 {
        append(&ledger, &mut acked, entries(&format!("a{n}"), 6));
        ends.push(store.snapshot()[SEGMENT].len());
    }
    Built { files: store.snapshot(), ends, acked }
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Whole,
    SetAside { kept: usize },
    Refused,
}

fn outcome(built: &Built, change: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let mut files = built.files.clone();
    change(files.get_mut(SEGMENT).unwrap());
    let damaged = files[SEGMENT].clone();
    let store = Arc::new(MemoryStore::of(files));
    match open(store.clone()) {
        Err(OpenError::Damaged(damage)) => {
            assert_eq!(damage.file, SEGMENT);
            Outcome::Refused
        }
        Err(error) => panic!("{error}"),
        Ok(_) => {
            let found = kinds(store.clone());
            let kept = found.iter().filter(|&&kind| kind != Kind::Repair).count();
            let mut acked = built.acked.clone();
            acked.retain(|&index, _| index < kept as u64);
            check(store.clone(), &acked);
            if kept == found.len() {
                return Outcome::Whole;
            }
            assert_eq!(found.last(), Some(&Kind::Repair));
            check_record(&store, &damaged, kept as u64);
            Outcome::SetAside { kept }
        }
    }
}

/// The repair entry names exactly what was set aside, and that was kept.
fn check_record(store: &Arc<MemoryStore>, damaged: &[u8], first: u64) {
    let seen = read_all(store.clone()).1;
    let body = seal::json::parse(&seen[&first].body, seal::json::Limits::RECEIPT).unwrap();
    let piece = &body.get("set_aside").unwrap().as_array().unwrap()[0];
    let number = |name: &str| piece.get(name).unwrap().as_i64().unwrap() as usize;
    let (offset, length) = (number("offset"), number("length"));
    assert_eq!(offset + length, damaged.len());
    let gone = &damaged[offset..];
    let digest = seal::digest::Digest::of(gone).to_string();
    assert_eq!(piece.get("digest").unwrap().as_str(), Some(digest.as_str()));
    assert_eq!(seen[&first].id, digest);
    assert_eq!(body.get("first").unwrap().as_i64(), Some(first as i64));
    let aside = store.aside();
    assert_eq!(
        aside.values().map(Vec::as_slice).collect::<Vec<_>>(),
        match length {
            0 => vec![],
            _ => vec![gone],
        }
    );
}

#[test]
fn the_last_batch_cut_short_anywhere_is_set_aside() {
    let built = build();
    let (from, to) = (built.ends[1], built.ends[2]);
    assert_eq!(outcome(&built, |_| {}), Outcome::Whole);
    // A cut exactly between batches is not to be told from a batch that never was.
    assert_eq!(outcome(&built, |bytes| bytes.truncate(from)), Outcome::Whole);
    let mut kept = 12;
    for length in from + 1..to {
        match outcome(&built, |bytes| bytes.truncate(length)) {
            Outcome::SetAside { kept: now } => {
                assert!(now == kept || now == kept + 1, "{length}");
                kept = now;
            }
            other => panic!("{length}: {other:?}"),
        }
    }
    assert_eq!(kept, 18, "only the trailer was missing in the end");
}

#[test]
fn whole_sectors_of_zeros_in_the_last_batch_are_set_aside() {
    let built = build();
    let (from, to) = (built.ends[1], built.ends[2]);
    for sector in from / 512..to.div_ceil(512) {
        let (start, end) = ((sector * 512).max(from), ((sector + 1) * 512).min(to));
        let done = outcome(&built, |bytes| bytes[start..end].fill(0));
        assert!(matches!(done, Outcome::SetAside { .. }), "sector {sector}: {done:?}");
        // With one written byte left in the sector it is not what a disk does.
        let whole = &built.files[SEGMENT];
        let left = (start..end).find(|&at| whole[at] != 0).unwrap();
        let others = |at: &usize| *at != left;
        if (start..end).filter(others).any(|at| whole[at] != 0) {
            let done = outcome(&built, |bytes| {
                (start..end).filter(others).for_each(|at| bytes[at] = 0);
            });
            assert_eq!(done, Outcome::Refused, "sector {sector} but one byte");
        }
    }
    assert_eq!(outcome(&built, |bytes| bytes[from..].fill(0)), Outcome::SetAside { kept: 12 });
    assert_eq!(
        outcome(&built, |bytes| bytes.extend([0; 3000])),
        Outcome::SetAside { kept: 18 },
        "a batch of which only the length came"
    );
}

#[test]
fn any_other_change_of_the_last_batch_is_refused() {
    let built = build();
    for at in built.ends[1]..built.ends[2] {
        let done = outcome(&built, |bytes| bytes[at] ^= 0x40);
        assert_eq!(done, Outcome::Refused, "byte {at}");
    }
    assert_eq!(outcome(&built, |bytes| bytes.extend(b"hello")), Outcome::Refused);
    assert_eq!(outcome(&built, |bytes| bytes.extend([b'x'; 700])), Outcome::Refused);
}

#[test]
fn zeros_before_the_last_batch_are_refused() {
    let built = build();
    for sector in 1..built.ends[1] / 512 {
        let done = outcome(&built, |bytes| bytes[sector * 512..(sector + 1) * 512].fill(0));
        assert_eq!(done, Outcome::Refused, "sector {sector}");
    }
}

#[test]
fn damage_below_the_head_is_refused_even_in_the_last_batch() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 6)).unwrap();
    ledger.close().unwrap();
    let built = Built {
        ends: vec![store.snapshot()[SEGMENT].len()],
        files: store.snapshot(),
        acked: Acked::new(),
    };
    assert_eq!(outcome(&built, |bytes| bytes[512..1024].fill(0)), Outcome::Refused);
    assert_eq!(outcome(&built, |bytes| bytes.truncate(built.ends[0] - 1)), Outcome::Refused);
}

#[test]
fn a_torn_first_batch_of_a_new_segment_is_set_aside_with_its_header() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone()).unwrap();
    ledger.append(entries("a", 2)).unwrap();
    let files = store.snapshot();
    for length in [0, 1, 31, 32, 33, 511, 512, 513] {
        for zero in [false, true] {
            let mut files = files.clone();
            let bytes = files.get_mut(SEGMENT).unwrap();
            if zero {
                let end = 512.min(bytes.len());
                bytes[..end].fill(0);
            } else {
                bytes.truncate(length);
            }
            let store = Arc::new(MemoryStore::of(files));
            let ledger = open(store.clone()).unwrap();
            let mut acked = Acked::new();
            append(&ledger, &mut acked, entries("b", 2));
            drop(ledger);
            check(store, &acked);
        }
    }
}
