//! What lies on disk, and what the ledger remembers.

use std::cell::RefCell;
use std::fs;
use std::sync::Arc;

use countersign::feeds::{LedgerMarks, Mark, Slot, StoreError};
use ledger::store::file::FileStore;
use ledger::{Entry, Kind as EntryKind, Ledger, Options, SystemClock};

use super::*;

/// A memory like a ledger's, by id only.
#[derive(Default)]
struct Marks(RefCell<Vec<(Slot, Mark)>>);

impl Memory for &Marks {
    fn newest(&mut self, slots: &[Slot]) -> Result<Option<Mark>, MemoryError> {
        let marks = self.0.borrow();
        let own = marks.iter().filter(|(slot, _)| slots.contains(slot));
        Ok(own.map(|(_, mark)| *mark).reduce(Mark::and))
    }

    fn remember(&mut self, entries: Vec<Entry>) -> Result<(), MemoryError> {
        for entry in entries {
            let mut parts = entry.id.split(':').skip(1);
            let (slot, time, root) =
                (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let mark = Mark {
                issued_at: time.parse().unwrap(),
                root: Digest::from_hex(root).unwrap(),
                sequence: parts.next().map(|number| number.parse().unwrap()),
            };
            self.0.borrow_mut().push((Slot::from_hex(slot).unwrap(), mark));
        }
        Ok(())
    }
}

#[test]
fn what_the_ledger_saw_outlives_the_store() {
    let (place, alpha, marks) = (Place::new(), key(1), Marks::default());
    let [older, newer] = [50, 40].map(|age| json(&feed(&alpha, NOW - age, &[])));
    let held = taken(place.subscribe_with(&pin(alpha.public()), &older, &mut &marks));
    let saved = copy(&place.home());
    taken(place.update_with(&held, &newer, None, &mut &marks, NOW));
    assert_eq!(marks.0.borrow().len(), 2);

    // The directory is put back to an earlier state, with its key.
    restore(&place.home(), &saved);
    let outcome = place.update_with(&held, &older, None, &mut &marks, NOW);
    assert_eq!(codes(&outcome.report), [Code::FeedRollback]);
    taken(place.update_with(&held, &newer, None, &mut &marks, NOW));

    // Or taken away altogether.
    fs::remove_dir_all(place.home()).unwrap();
    let outcome = place.subscribe_with(&pin(alpha.public()), &older, &mut &marks);
    assert_eq!(codes(&outcome.report), [Code::FeedRollback]);
}

#[test]
fn a_ledger_that_takes_nothing_lets_nothing_in() {
    struct Closed;
    impl Memory for Closed {
        fn newest(&mut self, _: &[Slot]) -> Result<Option<Mark>, MemoryError> {
            Ok(None)
        }
        fn remember(&mut self, _: Vec<Entry>) -> Result<(), MemoryError> {
            Err(MemoryError::Write("the disk is full".into()))
        }
    }
    let (place, alpha) = (Place::new(), key(1));
    let documents = [Document { bytes: json(&feed(&alpha, NOW - 50, &[])), proof: None }];
    let offer = Offer { documents: &documents, ..Offer::default() };
    let store = place.store();
    let tried =
        store.write().unwrap().subscribe(&pin(alpha.public()), offer, &mut Closed, terms(NOW));
    assert!(tried.is_err());
    assert!(store.slots().unwrap().is_empty());
}

#[test]
fn a_missing_ledger_remembers_nothing() {
    let place = Place::new();
    let mut marks = LedgerMarks::new(&place.0.path().join("none"), |_| Ok(()));
    assert!(marks.newest(&[]).is_err(), "a directory that is not there is no empty ledger");
}

#[test]
fn marks_are_read_from_a_ledger_and_not_read_again() {
    let (place, alpha) = (Place::new(), key(1));
    let log = |dir: &Path, seed: u8| {
        let store = FileStore::open(dir).unwrap();
        let clock = Arc::new(SystemClock);
        let options = Options::new("log.example", Arc::new(key(seed)), "feeds-1", clock);
        Ledger::open(Arc::new(store), options, &mut |_, _, _| {}).unwrap()
    };
    let path = place.0.path().join("ledger");
    let ledger = log(&path, 5);
    let store = place.store();
    let memory = || {
        let write = |entries| ledger.append(entries).map(drop).map_err(|error| error.to_string());
        LedgerMarks::new(&path, write).with_cache(&store)
    };
    let held = taken(place.subscribe_with(
        &pin(alpha.public()),
        &json(&feed(&alpha, NOW - 50, &[])),
        &mut memory(),
    ));
    let newer = feed(&alpha, NOW - 40, &[ioc(&alpha, "one", &[], None)]);
    taken(place.update_with(&held, &json(&newer), None, &mut memory(), NOW));
    // No checkpoint covers them yet, and they count.
    let newest = || memory().newest(&[held.slot]).unwrap();
    let mark = Mark { issued_at: NOW - 40, root: newer.root, sequence: None };
    assert_eq!(newest(), Some(mark));
    assert_eq!(memory().newest(&[]).unwrap(), None, "a mark is of its slot");
    let other =
        Entry { kind: EntryKind::Feed, id: "feed-state:x:1:2".into(), body: b"{}".to_vec() };
    ledger.append(vec![other]).unwrap();
    assert_eq!(newest(), Some(mark), "what only looks like a mark is none");

    // What was read is sealed: changed, it is read again.
    let cache = place.home().join("feeds/marks");
    let text = fs::read_to_string(&cache).unwrap();
    assert!(text.contains(&newer.root.hex()));
    fs::write(&cache, text.replace(&newer.root.hex(), &"0".repeat(64))).unwrap();
    assert_eq!(newest(), Some(mark));
    // Another ledger in its place takes nothing away.
    ledger.close().unwrap();
    let elsewhere = place.0.path().join("elsewhere");
    let second = log(&elsewhere, 6);
    second
        .append(vec![Entry { kind: EntryKind::Feed, id: "x".into(), body: b"{}".to_vec() }])
        .unwrap();
    second.close().unwrap();
    let mut memory = LedgerMarks::new(&elsewhere, |_| Ok(())).with_cache(&store);
    assert_eq!(memory.newest(&[held.slot]).unwrap(), Some(mark));
}

#[test]
fn every_changed_byte_of_the_state_is_seen() {
    let (place, alpha) = (Place::new(), key(1));
    let first = feed(&alpha, NOW - 50, &["one", "two"].map(|p| ioc(&alpha, p, &[], None)));
    let held = taken(place.subscribe(&pin(alpha.public()), &json(&first)));
    place.update(&held, &json(&feed(&alpha, NOW - 40, &[ioc(&alpha, "two", &[], None)])));
    assert_eq!(place.live().len(), 2);
    let files: Vec<_> = files(&place.home().join("feeds"));
    assert_eq!(files.len(), 4, "lock, record, feed, kept: {files:?}");
    let store = place.store();
    for path in files.iter().filter(|path| !path.ends_with("lock")) {
        let whole = fs::read(path).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 23) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(path, &bytes).unwrap();
            let loaded = store.load(held.slot);
            assert!(matches!(loaded, Err(StoreError::Seal(_))), "{path:?} at {at}: {loaded:?}");
        }
        fs::remove_file(path).unwrap();
        assert!(store.load(held.slot).is_err(), "{path:?} gone");
        fs::write(path, &whole).unwrap();
    }
    assert!(store.load(held.slot).is_ok());
    // Another record under this name, and another machine's seal.
    let record = place.home().join("feeds").join(format!("{}.json", held.slot));
    let other = record.with_file_name(format!("{}.json", "0".repeat(64)));
    fs::copy(&record, &other).unwrap();
    let all = store.load_all().unwrap();
    assert_eq!((all.held.len(), all.broken.len()), (1, 1), "one is no obstacle to the others");
    fs::remove_file(other).unwrap();
    fs::write(place.home().join("keys/feeds-seal.key"), "00".repeat(32)).unwrap();
    assert!(matches!(place.store().load(held.slot), Err(StoreError::Seal(_))));
    // Subscribing again is the way out.
    assert!(place.subscribe(&pin(alpha.public()), &json(&first)).report.ok());
    assert!(place.store().load(held.slot).is_ok());
}

#[test]
fn nothing_is_left_behind_and_all_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, alpha) = (Place::new(), key(1));
    let held = taken(place.subscribe(&pin(alpha.public()), &json(&feed(&alpha, NOW - 50, &[]))));
    for age in (1..10).rev() {
        taken(place.update(&held, &json(&feed(&alpha, NOW - age, &[]))));
    }
    let dir = place.home().join("feeds");
    assert_eq!(files(&dir).len(), 3, "{:?}", files(&dir));
    for path in files(&dir).into_iter().chain([place.home().join("keys/feeds-seal.key")]) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
    }
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let store = place.store();
    assert!(store.write().unwrap().unsubscribe(held.slot, &mut NoMemory).unwrap());
    assert!(!store.write().unwrap().unsubscribe(held.slot, &mut NoMemory).unwrap());
    assert_eq!(files(&dir).len(), 1, "the lock");
}

#[test]
fn when_a_feed_was_confirmed_is_remembered_and_sealed() {
    let (place, alpha) = (Place::new(), key(1));
    let document = json(&feed(&alpha, NOW - 50, &[]));
    let held = taken(place.subscribe(&pin(alpha.public()), &document));
    assert_eq!(place.store().confirmed(held.slot), 0, "nobody was asked since");
    let at = |at| place.update_with(&held, &document, None, &mut NoMemory, at);
    assert!(at(NOW + 100).report.ok());
    assert_eq!(place.store().confirmed(held.slot), NOW + 100);
    // A refusal confirms nothing, and neither does who writes there.
    let older = json(&feed(&alpha, NOW - 60, &[]));
    let refused = place.update_with(&held, &older, None, &mut NoMemory, NOW + 200);
    assert!(!refused.report.ok());
    assert_eq!(place.store().confirmed(held.slot), NOW + 100);
    let path = place.home().join("feeds").join(format!("{}.confirmed", held.slot));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(&(NOW + 100).to_string(), &(NOW + 900).to_string())).unwrap();
    assert_eq!(place.store().confirmed(held.slot), 0);
    fs::write(&path, "9999999999999999999 \u{0}").unwrap();
    assert_eq!(place.store().confirmed(held.slot), 0);
}

#[test]
fn a_store_that_was_emptied_is_not_one_without_subscriptions() {
    let (place, alpha) = (Place::new(), key(1));
    let first = json(&feed(&alpha, NOW - 50, &[]));
    taken(place.subscribe(&pin(alpha.public()), &first));
    for emptied in [false, true] {
        fs::remove_dir_all(place.home().join("feeds")).unwrap();
        if emptied {
            fs::create_dir(place.home().join("feeds")).unwrap();
        }
        let opened = countersign::feeds::Store::open(&place.home());
        assert!(matches!(opened, Err(StoreError::Gone { .. })), "{opened:?}");
        taken(place.subscribe(&pin(alpha.public()), &first));
        assert_eq!(place.store().slots().unwrap().len(), 1);
    }
}

/// Writers at once, and readers between them: each sees one whole state.
#[test]
fn readers_never_see_halves() {
    let (place, alpha) = (Place::new(), key(1));
    let feeds: Vec<Vec<u8>> = (0..24)
        .map(|n| {
            let all: Vec<SignedIoc> =
                (0..=n).map(|i| ioc(&alpha, &format!("p{i}"), &[], None)).collect();
            json(&feed(&alpha, NOW - 100 + n, &all))
        })
        .collect();
    let held = taken(place.subscribe(&pin(alpha.public()), &feeds[0]));
    let store = place.store();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (place, held, feeds) = (&place, &held, &feeds);
            scope.spawn(move || {
                for document in feeds.iter().skip(half) {
                    // Older than what the other one wrote is refused; a failure is not.
                    place.update(held, document);
                }
            });
        }
        scope.spawn(|| {
            let mut seen = 0;
            while seen < feeds.len() {
                let held = store.load(held.slot).expect("a whole state");
                assert!(held.feed.iocs.len() >= seen, "time goes on");
                seen = held.feed.iocs.len();
            }
        });
    });
    assert_eq!(place.live().len(), feeds.len());
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

type Saved = Vec<(std::path::PathBuf, Vec<u8>)>;

fn copy(home: &Path) -> Saved {
    files(&home.join("feeds"))
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn restore(home: &Path, saved: &Saved) {
    for path in files(&home.join("feeds")) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in saved {
        fs::write(path, bytes).unwrap();
    }
}

/// What is found out about a stored document does not rest on its seal alone: who has the seal's key
/// and not the publisher's gets nothing in.
#[test]
fn a_sealed_document_is_judged_by_its_publishers_key() {
    let (place, alpha, thief) = (Place::new(), key(1), key(9));
    let first = feed(&alpha, NOW - 50, &[ioc(&alpha, "one", &[], None)]);
    let held = taken(place.subscribe(&pin(alpha.public()), &json(&first)));
    let own = taken(Place::new().subscribe(
        &pin(thief.public()),
        &json(&feed(&thief, NOW - 50, &[ioc(&thief, "evil", &[], None)])),
    ));
    let dir = place.home().join("feeds");
    let document =
        files(&dir).into_iter().find(|path| path.extension().is_some_and(|e| e == "feed"));
    let forged = own.feed.to_json().into_bytes();
    let name = format!("{}.{}.feed", held.slot, &Digest::of(&forged).hex()[..16]);
    fs::write(document.unwrap().with_file_name(name), &forged).unwrap();
    let path = dir.join(format!("{}.json", held.slot));
    let text = fs::read_to_string(&path).unwrap();
    let before = held.subscription.accepted;
    // The record as the thief would have it, sealed with the machine's own key.
    let text = text
        .replace(&before.digest.text(), &Digest::of(&forged).text())
        .replace(&before.root.text(), &own.feed.root.text());
    let seal = text.split("\"seal\":\"").nth(1).unwrap()[..64].to_owned();
    let bare = text.replace(&format!("\"seal\":\"{seal}\","), "");
    let secret = fs::read_to_string(place.home().join("keys/feeds-seal.key")).unwrap();
    let secret = seal::hex::decode(secret.trim()).unwrap();
    let again = seal::hex::encode(&seal::mac::hmac_sha256(&secret, bare.as_bytes()));
    fs::write(&path, text.replace(&seal, &again)).unwrap();
    let store = place.store();
    assert!(store.record(held.slot).is_ok(), "the seal is right");
    assert!(matches!(store.load(held.slot), Err(StoreError::Seal(_))));
}
