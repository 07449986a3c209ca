//! Bodies encrypted at rest: who reads them, who does not, and what damage to them looks like.

use std::sync::Arc;

use crypt::Identities;
use ledger::archive::{self, ArchiveError};
use ledger::prune::{self, PruneError};
use ledger::read::{Item, Reader, Summary};
use ledger::store::Store;
use ledger::store::memory::MemoryStore;
use ledger::{Body, Cause, Entry, Kind, Ledger, Options};
use testkit::fault_store::FaultStore;

use crate::prune::{Kept, everything, small};
use crate::support::{Acked, append, entries, open, vkey};

/// Of the age specification's test suite: nobody's keys.
const SECRET: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const OTHER: &str = "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6";

fn identities(text: &str) -> Option<Arc<Identities>> {
    Identities::parse(text).ok().map(Arc::new)
}

fn encrypting() -> Options {
    let ours = identities(SECRET).unwrap();
    Options { recipients: Some(Arc::new(ours.recipients())), identities: Some(ours), ..small() }
}

fn fill(store: &Arc<dyn Store>) -> Acked {
    let mut acked = Acked::new();
    let ledger = Ledger::open(store.clone(), encrypting(), &mut |_, _, _| {}).unwrap();
    for n in 0..6 {
        append(&ledger, &mut acked, entries(&format!("e{n}"), 4));
    }
    let anchor = Entry { kind: Kind::Anchor, id: "an anchor".into(), body: b"{}".to_vec() };
    append(&ledger, &mut acked, vec![anchor]);
    append(&ledger, &mut acked, entries("last", 4));
    ledger.close().unwrap();
    acked
}

fn read(store: &Arc<dyn Store>, identities: Option<Arc<Identities>>) -> (Vec<State>, Summary) {
    let reader = Reader::open(store.clone(), Some(&[vkey()])).unwrap().opening(identities);
    let (mut walk, mut found) = (reader.entries(), Vec::new());
    while let Some(item) = walk.next().unwrap() {
        let Item::Entry(entry) = item else { continue };
        found.push(match entry.body {
            Body::Present(body) => State::Present(body.to_vec()),
            Body::Encrypted(body) => {
                assert!(body.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"));
                State::Encrypted
            }
            Body::Pruned => State::Pruned,
        });
    }
    (found, walk.finish())
}

#[derive(Debug, PartialEq)]
enum State {
    Present(Vec<u8>),
    Encrypted,
    Pruned,
}

#[test]
fn recipients_read_and_others_see_that_it_was_logged() {
    let memory = Arc::new(MemoryStore::new());
    let store: Arc<dyn Store> = memory.clone();
    let acked = fill(&store);
    for (name, bytes) in memory.snapshot() {
        let shown = bytes.windows(8).any(|window| window == b"\"text\":\"");
        assert!(!shown, "a body lies in {name} as it is");
    }
    let (found, summary) = read(&store, identities(SECRET));
    assert_eq!(summary.damage, []);
    for (index, entry) in &acked {
        assert_eq!(found[*index as usize], State::Present(entry.body.clone()));
    }
    for stranger in [None, identities(OTHER)] {
        let (found, summary) = read(&store, stranger);
        assert_eq!(summary.damage, []);
        for (index, entry) in &acked {
            let plain = entry.kind == Kind::Anchor;
            let expected = if plain { State::Present(b"{}".to_vec()) } else { State::Encrypted };
            assert_eq!(found[*index as usize], expected, "{index}");
        }
    }
    // The start hands them over as any reader sees them.
    let mut visited = 0;
    Ledger::open(store.clone(), encrypting(), &mut |_, leaf, body| {
        assert_eq!(body.present().map(|body| body.len() as u64), Some(leaf.len));
        visited += 1;
    })
    .unwrap();
    assert_eq!(visited, acked.len());
    open(store).unwrap();
}

#[test]
fn no_flipped_byte_of_an_encrypted_segment_passes() {
    let memory = Arc::new(MemoryStore::new());
    fill(&(memory.clone() as Arc<dyn Store>));
    let files = memory.snapshot();
    let name = files.keys().find(|name| name.starts_with("journal/")).unwrap();
    for at in (0..files[name].len()).step_by(5) {
        let mut damaged = files.clone();
        damaged.get_mut(name).unwrap()[at] ^= 0x04;
        let damaged: Arc<dyn Store> = Arc::new(MemoryStore::of(damaged));
        // Also for those who cannot look inside.
        assert_ne!(read(&damaged, None).1.damage, [], "byte {at}");
    }
}

#[test]
fn another_body_under_the_same_leaf_is_found_by_its_recipients() {
    let memory = Arc::new(MemoryStore::new());
    let store: Arc<dyn Store> = memory.clone();
    let ours = identities(SECRET).unwrap();
    let ledger = Ledger::open(store, encrypting(), &mut |_, _, _| {}).unwrap();
    let body = b"the same length".to_vec();
    let entry = |body: &[u8]| Entry { kind: Kind::Facts, id: "x".into(), body: body.to_vec() };
    ledger.append(vec![entry(&body)]).unwrap();
    ledger.close().unwrap();
    drop(ledger);
    let mut files = memory.snapshot();
    let name = files.keys().find(|name| name.starts_with("journal/")).unwrap().clone();
    let segment = files.get_mut(&name).unwrap();
    let begin = segment.windows(5).position(|window| window == b"-----").unwrap();
    for (other, cause) in [
        (b"The same length".to_vec(), Cause::BodyDigest),
        (b"another".to_vec(), Cause::BodyLength { leaf: 15, found: 7 }),
    ] {
        // With every checksum right, as somebody with the directory can make them.
        let sealed = ours.recipients().seal(&other).unwrap();
        let forged = forge(segment, begin, &sealed);
        let mut forged_files = memory.snapshot();
        forged_files.insert(name.clone(), forged);
        let forged: Arc<dyn Store> = Arc::new(MemoryStore::of(forged_files));
        let damage = read(&forged, Some(ours.clone())).1.damage;
        assert_eq!(damage.first().map(|damage| &damage.cause), Some(&cause));
        assert_eq!(read(&forged, None).1.damage, [], "nobody else can tell");
    }
}

/// The one entry of a segment with another encrypted body.
fn forge(segment: &[u8], begin: usize, sealed: &[u8]) -> Vec<u8> {
    let mut out = segment[..32].to_vec();
    let mut head = segment[32..begin].to_vec();
    head[24..28].copy_from_slice(&(sealed.len() as u32).to_be_bytes());
    let check = crc32c::crc32c(&head[..28]);
    head[28..32].copy_from_slice(&check.to_be_bytes());
    let leaf_end = head.len() - 4;
    let check = crc32c::crc32c(&head[..leaf_end]);
    head[leaf_end..].copy_from_slice(&check.to_be_bytes());
    head.extend_from_slice(sealed);
    head.extend_from_slice(&crc32c::crc32c(sealed).to_be_bytes());
    out.extend_from_slice(&head);
    let trailer = &segment[segment.len() - 40..segment.len() - 8];
    let check = crc32c::crc32c_append(crc32c::crc32c(&head), trailer);
    out.extend_from_slice(trailer);
    out.extend_from_slice(&check.to_be_bytes());
    out.extend_from_slice(b"end\n");
    out
}

#[test]
fn encrypted_bodies_are_pruned_and_restored_by_who_can_look_into_them() {
    let memory = Arc::new(MemoryStore::new());
    let store: Arc<dyn Store> = memory.clone();
    fill(&store);
    let before = read(&store, identities(SECRET)).0;
    let copy = MemoryStore::new();
    // A copy needs no identity: it is verbatim.
    archive::archive(&*store, &vkey(), &copy, None).unwrap();
    let (policy, mut kept) = (everything(), Kept::default());
    let refused = prune::explain(&*store, &vkey(), None, &policy, &mut kept);
    assert!(matches!(refused, Err(PruneError::Encrypted { .. })), "{refused:?}");
    let plan = prune::explain(&*store, &vkey(), identities(SECRET), &policy, &mut kept).unwrap();
    prune::perform(store.clone(), encrypting(), &policy, &plan).unwrap();
    let (found, summary) = read(&store, None);
    assert_eq!(summary.damage, []);
    assert!(found.iter().filter(|state| **state == State::Pruned).count() > 10, "{found:?}");
    for stranger in [None, identities(OTHER)] {
        let refused = archive::restore(&*store, &vkey(), &copy, stranger);
        assert!(matches!(refused, Err(ArchiveError::Encrypted { .. })), "{refused:?}");
    }
    archive::restore(&*store, &vkey(), &copy, identities(SECRET)).unwrap();
    let after = read(&store, identities(SECRET)).0;
    assert_eq!(after[..before.len()], before[..]);
}

#[test]
fn a_torn_batch_of_encrypted_bodies_is_set_aside() {
    let whole = Arc::new(FaultStore::new());
    let store: Arc<dyn Store> = whole.clone();
    let mut acked = Acked::new();
    let ledger = Ledger::open(store.clone(), encrypting(), &mut |_, _, _| {}).unwrap();
    append(&ledger, &mut acked, entries("a", 3));
    ledger.checkpoint().unwrap();
    ledger.append(entries("torn", 4)).unwrap();
    drop(ledger);
    let files = whole.files();
    let name = files.keys().rfind(|name| name.starts_with("journal/")).unwrap();
    for cut in (1..files[name].len()).step_by(37) {
        let mut torn = files.clone();
        let length = files[name].len() - cut;
        torn.get_mut(name).unwrap().truncate(length);
        let torn: Arc<dyn Store> = Arc::new(MemoryStore::of(torn));
        if open(torn.clone()).is_err() {
            // The cut went below the head: everything there was synced once.
            break;
        }
        let (found, summary) = read(&torn, identities(SECRET));
        assert_eq!(summary.damage, [], "{cut}");
        for (index, entry) in &acked {
            assert_eq!(found[*index as usize], State::Present(entry.body.clone()), "{cut}");
        }
    }
}
