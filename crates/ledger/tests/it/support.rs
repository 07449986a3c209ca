//! One way to open, one way to fill, and the checker of all invariants.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ledger::read::{Item, Reader, Summary};
use ledger::store::{Source, Store};
use ledger::{Clock, Entry, Kind, Ledger, OpenError, Options};
use seal::note::{NoteSigner, VerifierKey};
use testkit::clock::TestClock;

use crate::tiles::check_tiles;

pub const ORIGIN: &str = "log.test/ledger";
pub const SEGMENT: &str = "journal/00000000000000000000.seg";

pub fn options() -> Options {
    options_with(Arc::new(TestClock::stepping(1_700_000_000_000, 1)))
}

pub fn options_with(clock: Arc<dyn Clock>) -> Options {
    Options::new(ORIGIN, testkit::key(7), "tests", clock)
}

pub fn vkey() -> VerifierKey {
    let key = testkit::key(7);
    NoteSigner::new(ORIGIN, &*key).unwrap().vkey().clone()
}

pub fn open(store: Arc<dyn Store>) -> Result<Ledger, OpenError> {
    Ledger::open(store, options(), &mut |_, _, _| {})
}

/// Entries with ids that occur once, of sizes that cross sectors in many ways.
pub fn entries(tag: &str, count: usize) -> Vec<Entry> {
    let one = |n: usize| {
        let id = format!("{tag}-{n}");
        let body = format!("{{\"id\":\"{id}\",\"text\":\"{}\"}}", "x".repeat(n * 211 % 1500));
        let kind = [Kind::Audit, Kind::Receipt, Kind::Decision, Kind::Facts][n % 4];
        Entry { kind, id, body: body.into_bytes() }
    };
    (0..count).map(one).collect()
}

/// What was acknowledged: index and entry.
pub type Acked = BTreeMap<u64, Entry>;

pub fn append(ledger: &Ledger, acked: &mut Acked, entries: Vec<Entry>) {
    let range = ledger.append(entries.clone()).unwrap();
    assert_eq!(range.end - range.start, entries.len() as u64);
    acked.extend(range.zip(entries));
}

/// The checker of all invariants, run after every case: no damage, every acknowledged entry once
/// and in its place, checkpoint and head borne out, and a fresh start agrees.
pub fn check(store: Arc<dyn Store>, acked: &Acked) -> Summary {
    let summary = check_reading(store.clone(), acked);
    let mut leaves = Vec::new();
    let ledger = Ledger::open(store.clone(), options(), &mut |index, leaf, body| {
        assert_eq!(index, leaves.len() as u64);
        assert!(body.present().is_none_or(|body| leaf.len == body.len() as u64));
        leaves.push(leaf.to_bytes().unwrap());
    })
    .unwrap();
    let visited = leaves.len() as u64;
    assert_eq!(ledger.size(), visited);
    if summary.torn.is_none() {
        assert_eq!((visited, Some(ledger.root())), (summary.size, summary.root));
    }
    // What the start has left, as `log check` sees it, and as a client of the tiles does.
    let after = Reader::open(store.clone(), Some(&[vkey()])).unwrap().check().unwrap();
    assert_eq!((after.damage, after.torn), (vec![], None));
    assert_eq!((after.size, after.checkpointed), (visited, visited));
    check_tiles(&*store, visited, ledger.root(), &leaves);
    summary
}

/// The same without starting a sequencer.
pub fn check_reading(source: Arc<dyn Source>, acked: &Acked) -> Summary {
    let (summary, seen) = read_all(source);
    assert_eq!(summary.damage, []);
    let mut places: HashMap<&str, u64> = HashMap::new();
    for (index, entry) in &seen {
        assert_eq!(places.insert(&entry.id, *index), None, "{} occurs twice", entry.id);
    }
    for (index, entry) in acked {
        assert_eq!(seen.get(index), Some(entry), "acknowledged entry {index}");
    }
    assert!(summary.checkpointed <= summary.size);
    summary
}

/// Everything a reader finds.
pub fn read_all(source: Arc<dyn Source>) -> (Summary, BTreeMap<u64, Entry>) {
    let keys = [vkey()];
    let reader = Reader::open(source, Some(&keys)).unwrap();
    let mut entries = reader.entries();
    let mut seen = BTreeMap::new();
    while let Some(item) = entries.next().unwrap() {
        match item {
            Item::Entry(entry) => {
                let found = Entry {
                    kind: entry.leaf.kind,
                    id: entry.leaf.id.clone(),
                    body: entry.body.present().unwrap().to_vec(),
                };
                assert_eq!(seen.insert(entry.index, found), None);
            }
            Item::Damage(_) => {}
        }
    }
    (entries.finish(), seen)
}

/// The kinds of all entries, by index.
pub fn kinds(source: Arc<dyn Source>) -> Vec<Kind> {
    read_all(source).1.values().map(|entry| entry.kind).collect()
}
