//! What retention reads: policies, `prune` entries, manifests and segments of archives, encrypted
//! bodies. The first byte chooses.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crypt::{Identities, Recipients};
use ledger::archive::{Manifest, restore};
use ledger::prune::{Policy, Record, Spare, explain, perform};
use ledger::read::EntryRef;
use ledger::store::Store;
use ledger::store::memory::MemoryStore;
use ledger::{Entry, Kind, Ledger, Options, Reader};
use record::retention::Retention;
use seal::Digest;

use crate::journal::{log_key, options};

/// Whatever comes: an answer, and nothing that an archive could make of a ledger but itself.
pub fn retention(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    match choice % 5 {
        0 => {
            if let Ok(text) = std::str::from_utf8(rest)
                && let Ok(policy) = Retention::parse(text)
            {
                assert_eq!(policy.digest, Digest::of(rest));
            }
        }
        1 => drop(Record::parse(rest)),
        2 => {
            let files = BTreeMap::from([("manifest.json".to_owned(), rest.to_vec())]);
            drop(Manifest::read(&MemoryStore::of(files)));
        }
        3 => segment(rest),
        _ => encrypted(rest),
    }
}

fn encrypted(input: &[u8]) {
    let Ok(ours) = Identities::parse(SECRET) else { return };
    if let Ok(body) = ours.open(input, 1 << 16) {
        assert!(body.len() <= 1 << 16);
    }
    let text = String::from_utf8_lossy(input);
    drop((Identities::parse(&text), Recipients::parse([&*text])));
}

/// A segment of an archive whose manifest vouches for it.
fn segment(input: &[u8]) {
    let store = Arc::new(MemoryStore::of(pruned().clone()));
    let (origin, digest, bytes) = (log_key().name, Digest::of(input), input.len());
    let manifest = format!(
        "{{\"origin\":\"{origin}\",\"segments\":[{{\"bytes\":{bytes},\"digest\":\"{digest}\",\"end\":4,\"file\":\"{SEGMENT}\",\"first\":0,\"root\":\"{digest}\",\"until\":1}}],\"v\":1}}"
    );
    let files = [("manifest.json", manifest.into_bytes()), (SEGMENT, input.to_vec())];
    let archive = MemoryStore::of(files.map(|(name, bytes)| (name.to_owned(), bytes)).into());
    let restored = restore(&*store, &log_key(), &archive, None);
    let store: Arc<dyn Store> = store;
    let reader = Reader::open(store, Some(&[log_key()])).expect("a ledger");
    let summary = reader.check().expect("memory");
    assert_eq!(summary.damage, [], "{restored:?}");
    assert_eq!(summary.bodies.stripped, [], "{restored:?}");
}

const SEGMENT: &str = "journal/00000000000000000000.seg";
const SECRET: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

struct Nothing;

impl Spare for Nothing {
    fn look(&mut self, _: &EntryRef<'_>, _: bool) {}
    fn stays(&mut self, _: &EntryRef<'_>) -> bool {
        false
    }
}

type Files = BTreeMap<String, Vec<u8>>;

fn filled() -> Files {
    let store = Arc::new(MemoryStore::new());
    let small = || Options { segment_bytes: 1_000, ..options() };
    let ledger = Ledger::open(store.clone(), small(), &mut |_, _, _| {}).expect("an empty store");
    for batch in 0..3 {
        let entry = |n: u32| Entry {
            kind: if n.is_multiple_of(2) { Kind::Facts } else { Kind::Receipt },
            id: format!("{batch}.{n}"),
            body: "body ".repeat(n as usize * 9).into_bytes(),
        };
        ledger.append((0..4).map(entry).collect()).expect("memory");
    }
    ledger.close().expect("memory");
    store.snapshot()
}

fn pruned() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let store = Arc::new(MemoryStore::of(filled()));
        let before = [(Kind::Facts, 1 << 50), (Kind::Receipt, 1 << 50)].into();
        let policy = Policy { before, digest: Digest::of(b"policy") };
        let plan = explain(&*store, &log_key(), None, &policy, &mut Nothing).expect("whole");
        perform(store.clone(), options(), &policy, &plan).expect("memory");
        store.snapshot()
    })
}

/// One of each.
pub fn seeds() -> Vec<Vec<u8>> {
    let with = |choice: u8, rest: &[u8]| [&[choice][..], rest].concat();
    let policy = "version: 1\nkeep: {audit: 400d, receipt: 2w, facts: 1y, config: forever}\n";
    let reader = Reader::open(Arc::new(MemoryStore::of(pruned().clone())), None).expect("a ledger");
    let (mut entries, mut record) = (reader.entries(), Vec::new());
    while let Some(ledger::read::Item::Entry(entry)) = entries.next().expect("memory") {
        if entry.leaf.kind == Kind::Prune {
            record = entry.body.present().unwrap_or_default().to_vec();
        }
    }
    let copy = MemoryStore::new();
    ledger::archive::archive(&MemoryStore::of(filled()), &log_key(), &copy, None).expect("whole");
    let copy = copy.snapshot();
    let ours = Identities::parse(SECRET).expect("an identity");
    let sealed = ours.recipients().seal(b"a body").expect("memory");
    vec![
        with(0, policy.as_bytes()),
        with(1, &record),
        with(2, &copy["manifest.json"]),
        with(3, &copy[SEGMENT]),
        with(3, &pruned()[SEGMENT]),
        with(4, &sealed),
        with(4, SECRET.as_bytes()),
    ]
}
