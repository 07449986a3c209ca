//! The proof beside a feed: once there was one, there is one.

use record::feedproof;

use super::*;

/// A feed with its proof.
fn published(key: &SecretKey, issued_at: i64, sequence: u64, not_after: i64) -> Document {
    let feed = feed(key, issued_at, &[ioc(key, "one", &[], None)]);
    let proof = feedproof::sign(&feed, sequence, not_after, key).unwrap();
    Document { bytes: json(&feed), proof: Some(proof.to_json().into_bytes()) }
}

fn subscribe(place: &Place, wanted: &Wanted, document: Document) -> Outcome {
    let (store, documents) = (place.store(), [document]);
    let offer = Offer { documents: &documents, ..Offer::default() };
    store.write().unwrap().subscribe(wanted, offer, &mut NoMemory, terms(NOW)).unwrap()
}

fn update(place: &Place, held: &Held, document: Document, now: i64) -> Outcome {
    let (store, documents) = (place.store(), [document]);
    let offer = Offer { documents: &documents, ..Offer::default() };
    store.write().unwrap().update(held.slot, offer, &mut NoMemory, terms(now)).unwrap()
}

#[test]
fn once_seen_it_is_required() {
    let (place, alpha) = (Place::new(), key(1));
    let end = NOW + 1_000;
    let bare = Document { proof: None, ..published(&alpha, NOW - 60, 1, end) };
    let held = taken(subscribe(&place, &pin(alpha.public()), bare));
    let held = taken(update(&place, &held, published(&alpha, NOW - 50, 7, end), NOW));
    assert_eq!(held.subscription.accepted.proof.unwrap().sequence, 7);

    let without = |at| Document { proof: None, ..published(&alpha, at, 8, end) };
    let refused = |document: Document, code| {
        let outcome = update(&place, &held, document.clone(), NOW);
        assert_eq!(codes(&outcome.report), [code]);
        assert!(!outcome.changed);
        assert_eq!(codes(&subscribe(&place, &pin(alpha.public()), document).report), [code]);
    };
    refused(without(NOW - 40), Code::FeedProofMissing);
    refused(published(&alpha, NOW - 40, 6, end), Code::FeedRollback);
    refused(published(&alpha, NOW - 40, 7, end), Code::FeedFork);
    refused(published(&alpha, NOW - 40, 8, NOW), Code::FeedProofTime);
    let other = published(&alpha, NOW - 30, 8, end).proof;
    refused(Document { proof: other, ..published(&alpha, NOW - 40, 8, end) }, Code::FeedProofOther);
    let broken = Some(b"{}".to_vec());
    refused(Document { proof: broken, ..published(&alpha, NOW - 40, 8, end) }, Code::FeedProof);
    let held = taken(update(&place, &held, published(&alpha, NOW - 40, 8, end), NOW));

    // It has an end, also where nothing is new.
    let store = place.store();
    let silent = |now| {
        let writing = store.write().unwrap();
        writing.update(held.slot, Offer::default(), &mut NoMemory, terms(now)).unwrap().report
    };
    assert!(silent(end - 1).ok());
    assert_eq!(codes(&silent(end)), [Code::FeedProofTime]);
    assert_eq!(place.live(), ["one"], "what was accepted goes on counting");
}

/// It is seen beside the document that is there already, too.
#[test]
fn one_that_comes_later_is_remembered() {
    let (place, alpha) = (Place::new(), key(1));
    let with = published(&alpha, NOW - 60, 3, NOW + 1_000);
    let without = Document { proof: None, ..with.clone() };
    let held = taken(subscribe(&place, &pin(alpha.public()), without.clone()));
    let outcome = update(&place, &held, with.clone(), NOW);
    assert!(!outcome.changed, "the feed is the same");
    let seen = |held: Held| held.subscription.accepted.proof.map(|seen| seen.sequence);
    assert_eq!(seen(taken(outcome)), Some(3));
    assert_eq!(seen(place.store().load(held.slot).unwrap()), Some(3));
    let outcome = update(&place, &held, without, NOW);
    assert_eq!(codes(&outcome.report), [Code::FeedProofMissing]);
    let again = update(&place, &held, with, NOW);
    assert!(again.report.ok() && !again.changed);
}

#[test]
fn a_log_that_is_asked_for_must_be_there() {
    let (place, alpha) = (Place::new(), key(1));
    let policy = Wanted {
        log_policy: Some("log log.example+0a5b2a2f+AQ==\nquorum none\n".into()),
        ..pin(alpha.public())
    };
    // A policy that does not read is no policy that holds.
    let outcome = subscribe(&place, &policy, published(&alpha, NOW - 50, 1, NOW + 9));
    assert_eq!(codes(&outcome.report), [Code::FeedProofLog]);
    assert!(place.store().slots().unwrap().is_empty());
}
