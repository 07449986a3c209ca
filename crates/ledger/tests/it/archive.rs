//! Archives: what is copied, what comes back, and what is refused.

use std::sync::Arc;

use ledger::archive::{ArchiveError, archive, restore};
use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use ledger::store::{Source, Store};
use ledger::{Kind, Ledger};
use seal::Digest;

use crate::prune::{bodies, everything, fill, policy, prune, small};
use crate::support::{Acked, append, entries, open, vkey};

#[test]
fn bodies_come_back_from_an_archive() {
    let home = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(FileStore::open(home.path().join("ledger")).unwrap());
    let acked = fill(&store);
    let copy = FileStore::open(home.path().join("archive")).unwrap();
    let archived = archive(&*store, &vkey(), &copy, None).unwrap();
    assert_eq!(archived.copied, archived.manifest.segments.len() as u64);
    for segment in &archived.manifest.segments {
        let content = store.read(&segment.file, 1 << 20).unwrap();
        assert_eq!(copy.read(&segment.file, 1 << 20).unwrap(), content, "verbatim");
        assert_eq!(Digest::of(&content), segment.digest);
        let leaves: Vec<Digest> =
            leaf_hashes(&store).into_iter().take(segment.end as usize).collect();
        assert_eq!(seal::merkle::root_of(&leaves), segment.root);
    }
    let before = bodies(&store).0;
    prune(&store, &policy(&[Kind::Audit], 1 << 50), vec![]);
    let half = bodies(&store).0;
    // What is archived is not copied again, nor written over by the pruned segment.
    let again = archive(&*store, &vkey(), &copy, None).unwrap();
    assert_eq!(again.there, archived.copied);
    prune(&store, &everything(), vec![]);
    let restored = restore(&*store, &vkey(), &copy, None).unwrap();
    assert!(restored.bodies > 20, "{restored:?}");
    let (found, accounts) = bodies(&store);
    assert_eq!(accounts.stripped, []);
    for (index, entry) in &acked {
        if (*index as usize) < archived.manifest.segments.last().unwrap().end as usize {
            assert_eq!(found[index].as_ref(), Some(&entry.body), "entry {index}");
        }
    }
    assert!(before.len() < found.len() && half.values().any(Option::is_none));
    assert_eq!(restore(&*store, &vkey(), &copy, None).unwrap().bodies, 0);
    let mut more = Acked::new();
    append(&open(store.clone()).unwrap(), &mut more, entries("more", 2));
}

fn leaf_hashes(store: &Arc<dyn Store>) -> Vec<Digest> {
    let reader = ledger::Reader::open(store.clone(), Some(&[vkey()])).unwrap();
    let (mut walk, mut hashes) = (reader.entries(), Vec::new());
    while let Some(ledger::read::Item::Entry(entry)) = walk.next().unwrap() {
        hashes.push(seal::merkle::leaf_hash(entry.leaf_bytes));
    }
    hashes
}

#[test]
fn a_time_limits_what_is_archived() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    fill(&store);
    let mut times = Vec::new();
    drop(Ledger::open(store.clone(), small(), &mut |_, leaf, _| times.push(leaf.ts)).unwrap());
    let copy = MemoryStore::new();
    let archived = archive(&*store, &vkey(), &copy, Some(times[24])).unwrap();
    let all = archive(&*store, &vkey(), &MemoryStore::new(), None).unwrap();
    assert!(archived.copied > 0 && archived.copied < all.copied);
    let last = archived.manifest.segments.last().unwrap();
    assert!(times[last.end as usize - 1] <= times[24]);
    assert_eq!(archive(&*store, &vkey(), &MemoryStore::new(), Some(0)).unwrap().copied, 0);
}

#[test]
fn another_ledger_s_archive_is_refused() {
    let (store, other): (Arc<dyn Store>, Arc<dyn Store>) =
        (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    fill(&store);
    // The same log, another history.
    let ledger = Ledger::open(other.clone(), small(), &mut |_, _, _| {}).unwrap();
    for n in 0..12 {
        append(&ledger, &mut Acked::new(), entries(&format!("x{n}"), 4));
    }
    ledger.close().unwrap();
    drop(ledger);
    let copy = MemoryStore::new();
    archive(&*other, &vkey(), &copy, None).unwrap();
    prune(&store, &everything(), vec![]);
    let refused = restore(&*store, &vkey(), &copy, None);
    assert!(matches!(refused, Err(ArchiveError::Leaf { .. })), "{refused:?}");
    let refused = restore(&*store, &vkey(), &MemoryStore::new(), None);
    assert!(matches!(refused, Err(ArchiveError::NoManifest)), "{refused:?}");
    // And an archive of one history takes no segment of another.
    let refused = archive(&*store, &vkey(), &copy, None);
    assert!(matches!(refused, Err(ArchiveError::History { .. })), "{refused:?}");
}

#[test]
fn a_damaged_ledger_is_not_archived() {
    let store = Arc::new(MemoryStore::new());
    fill(&(store.clone() as Arc<dyn Store>));
    let mut files = store.snapshot();
    let name = files.keys().find(|name| name.starts_with("journal/")).unwrap().clone();
    files.get_mut(&name).unwrap()[300] ^= 1;
    let copy = MemoryStore::new();
    let refused = archive(&MemoryStore::of(files), &vkey(), &copy, None);
    assert!(matches!(refused, Err(ArchiveError::Damaged(_))), "{refused:?}");
    assert!(copy.snapshot().is_empty());
}
