//! What may take the place of what.

use countersign::feeds::read_source;

use super::*;

#[test]
fn one_moment_has_one_feed() {
    let (place, alpha) = (Place::new(), key(1));
    let first = feed(&alpha, NOW - 50, &[ioc(&alpha, "one", &[], None)]);
    let held = taken(place.subscribe(&pin(alpha.public()), &json(&first)));
    let again = place.update(&held, &json(&first));
    assert!(again.report.ok() && !again.changed);
    let other = feed(&alpha, NOW - 50, &[ioc(&alpha, "two", &[], None)]);
    let outcome = place.update(&held, &json(&other));
    assert_eq!(codes(&outcome.report), [Code::FeedFork]);
    assert_eq!(place.live(), ["one"]);
}

#[test]
fn times_are_bounded_at_first_use_too() {
    let (place, alpha) = (Place::new(), key(1));
    let document = json(&feed(&alpha, NOW - 5_000, &[]));
    let young = Wanted { min_issued_at: Some(NOW - 4_999), ..pin(alpha.public()) };
    assert_eq!(codes(&place.subscribe(&young, &document).report), [Code::FeedRollback]);
    let fresh = Wanted { max_age: Some(4_999), ..pin(alpha.public()) };
    assert_eq!(codes(&place.subscribe(&fresh, &document).report), [Code::FeedStale]);
    let ahead = json(&feed(&alpha, NOW + 601, &[]));
    assert_eq!(codes(&place.subscribe(&pin(alpha.public()), &ahead).report), [Code::FeedFuture]);
    assert!(place.store().slots().unwrap().is_empty());

    let edge =
        Wanted { min_issued_at: Some(NOW - 5_000), max_age: Some(5_000), ..pin(alpha.public()) };
    let held = taken(place.subscribe(&edge, &document));
    // A mirror that stands still is told from one that has nothing new.
    let later = place.update_with(&held, &document, None, &mut NoMemory, NOW + 1);
    assert_eq!(codes(&later.report), [Code::FeedStale]);
    let store = place.store();
    let silent =
        store.write().unwrap().update(held.slot, Offer::default(), &mut NoMemory, terms(NOW + 1));
    assert_eq!(codes(&silent.unwrap().report), [Code::FeedStale]);
}

#[test]
fn another_feed_or_name_of_the_same_key_is_not_taken() {
    let (place, alpha) = (Place::new(), key(1));
    let held = taken(place.subscribe(&pin(alpha.public()), &json(&feed(&alpha, NOW - 50, &[]))));
    let other = publish("alpha/other", "alpha.example", NOW - 10, vec![], &alpha).unwrap();
    assert_eq!(codes(&place.update(&held, &json(&other)).report), [Code::FeedOther]);
    let named = publish("alpha/core", "beta.example", NOW - 10, vec![], &alpha).unwrap();
    assert_eq!(codes(&place.update(&held, &json(&named)).report), [Code::FeedIssuer]);
}

#[test]
fn what_vanishes_silently_is_kept_until_it_is_revoked_or_over() {
    let (place, alpha) = (Place::new(), key(1));
    let [stays, goes, ends] = [("stays", None), ("goes", None), ("ends", Some(NOW + 100))]
        .map(|(p, e)| ioc(&alpha, p, &[], e));
    let first = feed(&alpha, NOW - 50, &[stays.clone(), goes.clone(), ends.clone()]);
    let held = taken(place.subscribe(&pin(alpha.public()), &json(&first)));

    let outcome = place.update(&held, &json(&feed(&alpha, NOW - 40, std::slice::from_ref(&stays))));
    assert_eq!(codes(&outcome.report), [Code::FeedWithdrawn; 2]);
    assert_eq!(place.live(), ["stays", "goes", "ends"]);

    // Told once, kept on; what expires meanwhile goes.
    let third = json(&feed(&alpha, NOW - 30, std::slice::from_ref(&stays)));
    let outcome = place.update_with(&held, &third, None, &mut NoMemory, NOW + 100);
    assert_eq!(codes(&outcome.report), []);
    assert_eq!(place.live(), ["stays", "goes"]);

    let revocation = ioc(&alpha, "_revocation_", &[goes.content_hash], None);
    let fourth = feed(&alpha, NOW - 20, &[stays.clone(), revocation.clone()]);
    assert_eq!(codes(&place.update(&held, &json(&fourth)).report), []);
    assert_eq!(place.live(), ["stays", "_revocation_"]);

    // A revocation that vanishes brings nothing back, not even when it was over itself.
    let fifth = feed(&alpha, NOW - 10, &[stays, goes]);
    assert_eq!(codes(&place.update(&held, &json(&fifth)).report), [Code::FeedWithdrawn]);
    assert_eq!(place.live(), ["stays", "_revocation_"]);
}

#[test]
fn a_revocation_that_is_over_goes_on_counting() {
    let (place, alpha) = (Place::new(), key(1));
    let gone = ioc(&alpha, "gone", &[], None);
    let revocation = ioc(&alpha, "_revocation_", &[gone.content_hash], Some(NOW - 1));
    let first = feed(&alpha, NOW - 50, &[gone.clone(), revocation]);
    let held = taken(place.subscribe(&pin(alpha.public()), &json(&first)));
    assert!(place.live().is_empty());
    let outcome = place.update(&held, &json(&feed(&alpha, NOW - 40, &[gone])));
    assert_eq!(codes(&outcome.report), []);
    assert!(place.live().is_empty(), "{:?}", place.live());
}

#[test]
fn a_new_key_needs_the_word_of_the_old_one() {
    let (place, old, new) = (Place::new(), key(1), key(2));
    let pattern = ["a", "b"];
    let held = taken(place.subscribe(
        &pin(old.public()),
        &json(&feed(&old, NOW - 50, &pattern.map(|p| ioc(&old, p, &[], None)))),
    ));
    let next = json(&feed(&new, NOW - 40, &pattern.map(|p| ioc(&new, p, &[], None))));
    let sign = |issuer, new: &SecretKey, by: &SecretKey| {
        record::feedrotation::sign(issuer, new.public(), NOW - 45, by).unwrap()
    };
    assert_eq!(codes(&place.update(&held, &next).report), [Code::FeedPin]);
    let (stranger, third) = (key(3), key(4));
    for wrong in [
        sign("alpha.example", &new, &stranger),
        sign("beta.example", &new, &old),
        sign("alpha.example", &third, &old),
        sign("alpha.example", &new, &old).replace('.', ".."),
        String::new(),
    ] {
        let outcome = place.update_with(&held, &next, Some(&wrong), &mut NoMemory, NOW);
        assert_eq!(codes(&outcome.report), [Code::FeedPin, Code::FeedRotation], "{wrong}");
        assert!(!outcome.changed);
    }
    // One key may have been missed; other publishers' statements do not matter.
    let chain = [
        sign("alpha.example", &old, &stranger),
        sign("alpha.example", &new, &third),
        sign("alpha.example", &third, &old),
    ]
    .join("\n");
    let outcome = place.update_with(&held, &next, Some(&chain), &mut NoMemory, NOW);
    assert_eq!(codes(&outcome.report), []);
    let turned = taken(outcome);
    assert_eq!(turned.slot, held.slot);
    // Signed anew, nothing was withdrawn.
    assert_eq!(place.live(), ["a", "b"]);
    assert!(place.store().load(held.slot).unwrap().kept.is_empty());

    // The old key is done: neither a newer feed of it nor a way back.
    let back = json(&feed(&old, NOW - 30, &[]));
    let text = sign("alpha.example", &old, &new);
    let outcome = place.update_with(&turned, &back, Some(&text), &mut NoMemory, NOW);
    assert_eq!(codes(&outcome.report), [Code::FeedPin, Code::FeedRotation]);
    assert_eq!(codes(&place.subscribe(&pin(old.public()), &back).report), [Code::FeedPin]);
    let newer = json(&feed(&new, NOW - 20, &pattern.map(|p| ioc(&new, p, &[], None))));
    assert!(taken(place.update(&turned, &newer)).kept.is_empty());
}

#[test]
fn one_bad_indicator_refuses_the_feed_or_is_left_out_and_listed() {
    let (place, alpha) = (Place::new(), key(1));
    let document =
        json(&feed(&alpha, NOW - 50, &["good", "bad"].map(|p| ioc(&alpha, p, &[], None))));
    let strict = Terms {
        now: NOW,
        compiles: &|_, pattern| if pattern == "bad" { Err("no".into()) } else { Ok(()) },
    };
    let store = place.store();
    let documents = [Document { bytes: document, proof: None }];
    let offer = Offer { documents: &documents, ..Offer::default() };
    let subscribe = |wanted: Wanted| {
        store.write().unwrap().subscribe(&wanted, offer, &mut NoMemory, strict).unwrap()
    };
    let refused = subscribe(pin(alpha.public()));
    assert_eq!(codes(&refused.report), [Code::IocPattern]);
    assert!(place.live().is_empty());
    let outcome = subscribe(Wanted { skip_bad: true, ..pin(alpha.public()) });
    assert_eq!(codes(&outcome.report), [Code::IocSkipped]);
    assert_eq!(taken(outcome).subscription.accepted.skipped.len(), 1);
    assert_eq!(place.live(), ["good"]);
}

#[test]
fn first_use_is_trusted_only_when_asked_and_only_once() {
    let (place, alpha, other) = (Place::new(), key(1), key(2));
    let document = json(&feed(&alpha, NOW - 50, &[]));
    assert_eq!(codes(&place.subscribe(&Wanted::default(), &document).report), [Code::FeedUnpinned]);
    let tofu = Wanted { tofu: true, ..Wanted::default() };
    let held = taken(place.subscribe(&tofu, &document));
    assert_eq!(held.subscription.keys[0].taken.as_str(), "tofu");
    assert_eq!(held.subscription.keys[0].key, *alpha.public());
    let swapped = json(&feed(&other, NOW - 40, &[]));
    assert_eq!(codes(&place.subscribe(&tofu, &swapped).report), [Code::FeedPin]);
    assert_eq!(codes(&place.update(&held, &swapped).report), [Code::FeedPin]);
    // Later the key is learnt another way.
    let pinned = taken(place.subscribe(&pin(alpha.public()), &document));
    assert_eq!(pinned.subscription.keys[0].taken.as_str(), "pin");
}

#[test]
fn sources_are_https_files_and_directories() {
    for good in ["https://a.example/core.json", "file:///srv/feeds", "/srv/feeds/core.json"] {
        let source: Source = good.parse().unwrap();
        assert_eq!(source.to_string().parse(), Ok(source), "{good}");
    }
    for bad in
        ["http://a.example/core.json", "ftp://a", "file://relative", "file:///a%20b", "", "a\nb"]
    {
        assert!(bad.parse::<Source>().is_err(), "{bad}");
    }
}

/// Under the same key an indicator that was issued anew is another one; under the next key it takes
/// the place of the old one only when it says no less.
#[test]
fn only_a_new_key_issues_the_same_indicator_again() {
    let again = |by: &SecretKey, severity, expires_at| {
        let body =
            Ioc { severity, expires_at, issued_at: NOW - 10, ..ioc(by, "one", &[], None).ioc };
        body.sign(by).unwrap()
    };
    let (old, new) = (key(1), key(2));
    let first = json(&feed(&old, NOW - 50, &[ioc(&old, "one", &[], None)]));
    let statement =
        record::feedrotation::sign("alpha.example", new.public(), NOW - 45, &old).unwrap();
    for (by, severity, expires_at, kept) in [
        (&old, Severity::High, None, 1),
        (&new, Severity::High, None, 0),
        (&new, Severity::Critical, None, 0),
        (&new, Severity::Medium, None, 1),
        (&new, Severity::High, Some(NOW + 100), 1),
    ] {
        let place = Place::new();
        let held = taken(place.subscribe(&pin(old.public()), &first));
        let next = json(&feed(by, NOW - 40, &[again(by, severity, expires_at)]));
        let outcome = place.update_with(&held, &next, Some(&statement), &mut NoMemory, NOW);
        assert_eq!(codes(&outcome.report).len(), kept, "{severity:?} {expires_at:?}");
        assert_eq!(taken(outcome).kept.len(), kept);
        // What is kept was signed by the key before, and is believed when it is opened again.
        assert_eq!(place.store().load(held.slot).unwrap().kept.len(), kept);
    }
}

/// Who signs over to a stranger's key has no say over what the stranger published, before or later.
#[test]
fn a_key_that_went_revokes_nothing_of_its_successors() {
    let (thief, alpha) = (key(1), key(2));
    let [one, two] = ["one", "two"].map(|pattern| ioc(&alpha, pattern, &[], None));
    let ids = [one.content_hash, two.content_hash];
    let own = ioc(&thief, "own", &[], None);
    let over = [&ids[..], &[own.content_hash]].concat();
    let bait = json(&feed(&thief, NOW - 50, &[own, ioc(&thief, "bait", &over, None)]));
    let real = |at, iocs: &[SignedIoc]| json(&feed(&alpha, NOW - at, iocs));
    let place = Place::new();
    let held = taken(place.subscribe(&pin(thief.public()), &bait));
    let word =
        record::feedrotation::sign("alpha.example", alpha.public(), NOW - 49, &thief).unwrap();
    let first = real(40, std::slice::from_ref(&one));
    taken(place.update_with(&held, &first, Some(&word), &mut NoMemory, NOW));
    // The key that is pinned now is known here already, by the word of the one that went.
    let held = taken(place.subscribe(&pin(alpha.public()), &first));
    assert_eq!(place.live(), ["one", "bait"]);
    taken(place.update(&held, &real(30, &[one, two.clone()])));
    assert_eq!(place.live(), ["one", "two", "bait"]);
    // Nor does one go that vanishes, since only the one that went revoked it.
    let held = taken(place.update(&held, &real(20, &[two])));
    assert_eq!(held.kept.len(), 2);
    assert_eq!(place.live(), ["two", "one", "bait"]);
    // What it revoked of its own stays revoked, and a successor can revoke what came before.
    let last = ioc(&alpha, "last", &ids[..1], None);
    taken(place.update(&held, &real(10, &[last])));
    assert_eq!(place.live(), ["last", "two", "bait"]);
}

/// A medium that somebody brings is read within bounds: documents, and statements beside them.
#[test]
fn a_directory_of_too_many_files_is_not_read() {
    for end in [".json", ".rotation.jws"] {
        let dir = tempfile::tempdir().unwrap();
        let put = |n: usize| std::fs::write(dir.path().join(format!("{n}{end}")), "{}").unwrap();
        (0..256).for_each(put);
        assert!(read_source(dir.path()).is_ok(), "{end}");
        put(256);
        assert!(read_source(dir.path()).is_err(), "{end}");
    }
}
