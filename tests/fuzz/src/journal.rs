//! A ledger's files under a reader, an explainer and a start.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use ledger::store::memory::MemoryStore;
use ledger::{Entry, Kind, Leaf, Ledger, OpenError, Options, Reader};
use seal::note::{NoteSigner, VerifierKey};
use testkit::clock::TestClock;

type Files = BTreeMap<String, Vec<u8>>;

const ORIGIN: &str = "log.test/fuzz";
const SEGMENT: &str = "journal/00000000000000000000.seg";

/// The key of the log whose files are the seeds.
pub fn log_key() -> VerifierKey {
    let key = testkit::key(7);
    NoteSigner::new(ORIGIN, &*key).expect("a valid name").vkey().clone()
}

/// How its ledger is opened.
pub fn options() -> Options {
    let clock = Arc::new(TestClock::stepping(1_700_000_000_000, 1));
    Options::new(ORIGIN, testkit::key(7), "fuzz", clock)
}

fn open(store: Arc<MemoryStore>) -> Result<Ledger, OpenError> {
    Ledger::open(store, options(), &mut |_, _, _| {})
}

/// The files of a small ledger: a checkpoint over a part, and entries behind it.
pub fn good() -> &'static Files {
    static GOOD: LazyLock<Files> = LazyLock::new(|| {
        let entries = |tag: &str| {
            let one = |n: usize| Entry {
                kind: [Kind::Audit, Kind::Receipt, Kind::Facts][n % 3],
                id: format!("{tag}-{n}"),
                body: "x".repeat(n * 90).into_bytes(),
            };
            (0..3).map(one).collect()
        };
        let store = Arc::new(MemoryStore::new());
        let ledger = open(store.clone()).expect("an empty store");
        ledger.append(entries("a")).expect("memory");
        ledger.checkpoint().expect("memory");
        ledger.append(entries("b")).expect("memory");
        store.snapshot()
    });
    &GOOD
}

/// The first byte chooses: bytes as a leaf; as the journal, the head or the checkpoint of the good
/// ledger; or as edits of its journal, four bytes each.
pub fn journal(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let mut files = good().clone();
    match choice % 5 {
        0 => {
            if let Ok(leaf) = Leaf::parse(rest) {
                assert_eq!(leaf.to_bytes().expect("it was read"), rest);
            }
            return;
        }
        1 => drop(files.insert(SEGMENT.into(), rest.to_vec())),
        2 => drop(files.insert("head".into(), rest.to_vec())),
        3 => drop(files.insert("public/checkpoint".into(), rest.to_vec())),
        _ => edit(files.get_mut(SEGMENT).expect("it was written"), rest),
    }
    survive(files);
}

/// Sets, cuts, drops or repeats bytes at places of the journal.
fn edit(journal: &mut Vec<u8>, edits: &[u8]) {
    for edit in edits.chunks_exact(4).take(8) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % journal.len().max(1);
        match edit[2] % 4 {
            0 => journal.truncate(at),
            1 => drop(journal.drain(at..journal.len().min(at + usize::from(edit[3])))),
            2 => journal.extend_from_within(at..journal.len().min(at + usize::from(edit[3]))),
            _ => {
                if let Some(byte) = journal.get_mut(at) {
                    *byte = edit[3];
                }
            }
        }
    }
}

/// Whatever lies there: reading ends, and a start that succeeds leaves a ledger without damage.
fn survive(files: Files) {
    let store = Arc::new(MemoryStore::of(files));
    if let Ok(reader) = Reader::open(store.clone(), Some(&[log_key()])) {
        reader.check().expect("memory");
    }
    ledger::repair::explain(&*store, &log_key()).expect("memory");
    if let Ok(ledger) = open(store.clone()) {
        ledger.close().expect("memory");
        let reader = Reader::open(store, Some(&[log_key()])).expect("it was just written");
        assert_eq!(reader.check().expect("memory").damage, []);
    }
}
