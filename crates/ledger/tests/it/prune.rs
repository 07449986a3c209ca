//! Pruning: what goes, what stays, and what a reader makes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::prune::{self, Account, Accounts, Policy, PruneError, Spare};
use ledger::read::{EntryRef, Item, Reader};
use ledger::store::Store;
use ledger::store::memory::MemoryStore;
use ledger::{Body, Kind, Ledger, Options};
use seal::Digest;

use crate::support::{Acked, append, entries, open, options, vkey};

/// Keeps what its list says, and nothing else.
#[derive(Default)]
pub struct Kept(pub Vec<u64>);

impl Spare for Kept {
    fn look(&mut self, _: &EntryRef<'_>, _: bool) {}
    fn stays(&mut self, entry: &EntryRef<'_>) -> bool {
        self.0.contains(&entry.index)
    }
}

pub fn small() -> Options {
    Options { segment_bytes: 2400, ..options() }
}

/// Several segments, all under the checkpoint.
pub fn fill(store: &Arc<dyn Store>) -> Acked {
    let mut acked = Acked::new();
    let ledger = Ledger::open(store.clone(), small(), &mut |_, _, _| {}).unwrap();
    for n in 0..12 {
        append(&ledger, &mut acked, entries(&format!("p{n}"), 4));
    }
    ledger.close().unwrap();
    acked
}

pub fn policy(kinds: &[Kind], before: u64) -> Policy {
    let before = kinds.iter().map(|kind| (*kind, before)).collect();
    Policy { before, digest: Digest::of(b"policy") }
}

pub fn everything() -> Policy {
    policy(Kind::ALL, 1 << 50)
}

pub fn prune(store: &Arc<dyn Store>, policy: &Policy, kept: Vec<u64>) -> Vec<u64> {
    let plan = prune::explain(&**store, &vkey(), None, policy, &mut Kept(kept)).unwrap();
    prune::perform(store.clone(), small(), policy, &plan).unwrap()
}

/// Every body, or that it is gone; and the account of those that are.
pub fn bodies(store: &Arc<dyn Store>) -> (BTreeMap<u64, Option<Vec<u8>>>, Accounts) {
    let reader = Reader::open(store.clone(), Some(&[vkey()])).unwrap();
    let covered = reader.checkpoint().unwrap().size;
    let (mut account, mut found) = (Account::default(), BTreeMap::new());
    let mut walk = reader.entries();
    while let Some(item) = walk.next().unwrap() {
        let Item::Entry(entry) = item else { panic!("damage") };
        account.see(&entry, entry.index < covered);
        assert!(!matches!(entry.body, Body::Encrypted(_)));
        found.insert(entry.index, entry.body.present().map(<[u8]>::to_vec));
    }
    assert_eq!(walk.finish().damage, []);
    (found, account.finish())
}

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

#[test]
fn the_tree_stays_and_the_bodies_go() {
    let store = store();
    let acked = fill(&store);
    let before = Reader::open(store.clone(), Some(&[vkey()])).unwrap().check().unwrap();
    let kept = vec![1, 5];
    let policy = policy(&[Kind::Audit, Kind::Receipt], u64::MAX);
    let plan = prune::explain(&*store, &vkey(), None, &policy, &mut Kept(kept.clone())).unwrap();
    assert!(plan.segments.len() > 3 && plan.bytes() > 1000 && plan.spared == 2, "{plan:?}");
    let last_full = plan.segments.iter().map(|segment| segment.end).max().unwrap();
    let records = prune::perform(store.clone(), small(), &policy, &plan).unwrap();
    assert_eq!(records, [acked.len() as u64]);

    let (found, accounts) = bodies(&store);
    for (index, entry) in &acked {
        let goes = [Kind::Audit, Kind::Receipt].contains(&entry.kind)
            && !kept.contains(index)
            && *index < last_full;
        let expected = (!goes).then(|| entry.body.clone());
        assert_eq!(found[index], expected, "entry {index} ({})", entry.kind);
    }
    assert_eq!(accounts.stripped, []);
    assert_eq!(accounts.pruned, plan.kinds());
    assert_eq!(accounts.records.len(), 1);
    assert_eq!(accounts.records[0].kinds, plan.kinds());
    // The tree over what was there is the same tree.
    let copy = open(store.clone()).unwrap();
    assert_eq!(copy.size(), before.size + 1);
    copy.close().unwrap();
    drop(copy);
    let reader = Reader::open(store.clone(), Some(&[vkey()])).unwrap();
    let mut frontier = seal::merkle::Frontier::new();
    let mut walk = reader.entries();
    while let Some(Item::Entry(entry)) = walk.next().unwrap() {
        if entry.index < before.size {
            frontier.push(seal::merkle::leaf_hash(entry.leaf_bytes));
        }
    }
    assert_eq!(Some(frontier.root()), before.root);
    // Nothing is left to do but what the entry of the prune closed, and the ledger goes on.
    let again = prune::explain(&*store, &vkey(), None, &policy, &mut Kept(kept)).unwrap();
    assert!(again.segments.iter().all(|segment| segment.first >= last_full), "{again:?}");
    let ledger = open(store.clone()).unwrap();
    let mut more = Acked::new();
    append(&ledger, &mut more, entries("more", 3));
    drop(ledger);
    check_pruned(&store, &more);
}

/// The checker of all invariants, for bodies that are here.
fn check_pruned(store: &Arc<dyn Store>, acked: &Acked) {
    let (found, accounts) = bodies(store);
    assert_eq!(accounts.stripped, []);
    for (index, entry) in acked {
        assert_eq!(found[index].as_ref(), Some(&entry.body));
    }
    open(store.clone()).unwrap();
}

#[test]
fn prunes_add_up_and_each_is_accounted_for() {
    let store = store();
    fill(&store);
    prune(&store, &policy(&[Kind::Audit], u64::MAX), vec![]);
    prune(&store, &policy(&[Kind::Audit, Kind::Facts], u64::MAX), vec![]);
    let (_, accounts) = bodies(&store);
    assert_eq!(accounts.records.len(), 2);
    assert!(accounts.stripped.is_empty() && accounts.malformed.is_empty());
    let kinds: Vec<Kind> = accounts.pruned.keys().copied().collect();
    assert_eq!(kinds, [Kind::Audit, Kind::Facts]);
}

#[test]
fn age_is_that_of_the_whole_segment() {
    let store = store();
    let acked = fill(&store);
    let mut times = Vec::new();
    let ledger = Ledger::open(store.clone(), small(), &mut |_, leaf, _| times.push(leaf.ts));
    drop(ledger.unwrap());
    let cut = times[20];
    prune(&store, &policy(Kind::ALL, cut), vec![]);
    let (found, _) = bodies(&store);
    let gone: Vec<u64> =
        found.iter().filter(|(_, body)| body.is_none()).map(|(index, _)| *index).collect();
    assert!(!gone.is_empty());
    assert!(gone.iter().all(|index| times[*index as usize] < cut), "{gone:?} {times:?}");
    assert!(found.len() > acked.len());
    // What nobody's age lets go, stays: for ever is the default.
    let other = self::store();
    fill(&other);
    assert_eq!(prune(&other, &policy(&[], u64::MAX), vec![]), Vec::<u64>::new());
}

#[test]
fn permanent_kinds_and_open_segments_stay() {
    let store = store();
    fill(&store);
    // The entry of the first prune may close one segment more; then there is nothing left.
    for _ in 0..4 {
        prune(&store, &everything(), vec![]);
    }
    let (found, accounts) = bodies(&store);
    let kinds: Vec<Kind> = accounts.pruned.keys().copied().collect();
    assert!(!kinds.iter().any(|kind| kind.is_permanent()), "{kinds:?}");
    assert!(found.values().next_back().unwrap().is_some());
    assert!(accounts.records.len() <= 2, "a prune without anything to do writes nothing");
}

#[test]
fn bodies_that_were_stripped_are_found() {
    let whole = Arc::new(MemoryStore::new());
    let store: Arc<dyn Store> = whole.clone();
    fill(&store);
    let before = whole.snapshot();
    prune(&store, &policy(&[Kind::Audit], u64::MAX), vec![]);
    let audits = whole.snapshot();
    prune(&store, &everything(), vec![]);
    let after = whole.snapshot();
    let segment = |files: &BTreeMap<String, Vec<u8>>| {
        files.keys().find(|name| name.starts_with("journal/")).cloned().unwrap()
    };
    let with = |files: &BTreeMap<String, Vec<u8>>, from: &BTreeMap<String, Vec<u8>>| {
        let mut files = files.clone();
        files.insert(segment(&files), from[&segment(from)].clone());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::of(files));
        bodies(&store).1
    };
    // A segment without its bodies, in a ledger whose entries announce none, or fewer.
    let stripped = with(&before, &after).stripped;
    assert_eq!((stripped.len(), stripped[0].file.clone()), (1, segment(&before)));
    assert_eq!(with(&audits, &after).stripped.len(), 1);
    assert_eq!(with(&before, &audits).stripped.len(), 1);
    // Fewer gone than announced: a crash before the swap, or bodies that were restored.
    assert_eq!(with(&after, &audits).stripped, []);
    assert_eq!(with(&after, &before).stripped, []);
    // The announcement itself is above the checkpoint: nobody signed it.
    let reader = Reader::open(store, Some(&[vkey()])).unwrap();
    let (mut account, mut walk) = (Account::default(), reader.entries());
    while let Some(Item::Entry(entry)) = walk.next().unwrap() {
        account.see(&entry, false);
    }
    assert!(!account.finish().stripped.is_empty());
}

#[test]
fn a_damaged_ledger_is_not_pruned() {
    let store = Arc::new(MemoryStore::new());
    fill(&(store.clone() as Arc<dyn Store>));
    let files = store.snapshot();
    let statement = |name: &str| name == "head" || name == "public/checkpoint";
    // Tiles and bundles are the business of the start, which comes before anything is written.
    let judged = |name: &str| statement(name) || name.starts_with("journal/");
    for (name, bytes) in files.iter().filter(|(name, _)| judged(name)) {
        for at in (0..bytes.len()).step_by(101) {
            let mut damaged = files.clone();
            damaged.get_mut(name).unwrap()[at] ^= 0x20;
            let damaged = MemoryStore::of(damaged);
            let refused =
                prune::explain(&damaged, &vkey(), None, &everything(), &mut Kept::default());
            assert!(matches!(refused, Err(PruneError::Damaged(_))), "{name} {at}: {refused:?}");
        }
    }
}

#[test]
fn flipped_bytes_in_a_pruned_segment_are_found() {
    let store = Arc::new(MemoryStore::new());
    let dynamic: Arc<dyn Store> = store.clone();
    fill(&dynamic);
    prune(&dynamic, &everything(), vec![]);
    let files = store.snapshot();
    let name = files.keys().find(|name| name.starts_with("journal/")).unwrap();
    for at in (0..files[name].len()).step_by(3) {
        let mut damaged = files.clone();
        damaged.get_mut(name).unwrap()[at] ^= 0x04;
        let reader = Reader::open(Arc::new(MemoryStore::of(damaged)), Some(&[vkey()])).unwrap();
        assert_ne!(reader.check().unwrap().damage, [], "byte {at}");
    }
}

#[test]
fn a_plan_for_another_state_is_refused() {
    let store = store();
    fill(&store);
    let policy = everything();
    let plan = prune::explain(&*store, &vkey(), None, &policy, &mut Kept::default()).unwrap();
    prune::perform(store.clone(), small(), &policy, &plan).unwrap();
    // Carried out once more the result is the same, so nothing is lost by it.
    let again = prune::perform(store.clone(), small(), &policy, &plan).unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(bodies(&store).1.stripped, []);
    let empty = self::store();
    open(empty.clone()).unwrap();
    assert!(matches!(prune::perform(empty, small(), &policy, &plan), Err(PruneError::Changed)));
}
