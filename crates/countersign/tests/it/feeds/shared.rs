//! The vectors that other implementations share with us, when they are at hand.

use std::path::PathBuf;

use seal::json::{Limits, Value, parse};

use super::*;

fn shared(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/feeds");
    path.is_dir().then(|| std::fs::read(path.join(name)).unwrap())
}

fn index() -> Option<Value> {
    Some(parse(&shared("index.json")?, Limits::DOCUMENT).unwrap())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap()
}

fn wanted(pem: &str) -> Wanted {
    let text = String::from_utf8(shared(pem).unwrap()).unwrap();
    PublicKey::from_pem(&text).map_or_else(|_| Wanted::default(), |key| pin(&key))
}

fn owner(name: &str) -> &'static str {
    if name.contains("bravo") { "bravo.pub.pem" } else { "alpha.pub.pem" }
}

#[test]
fn store_scenarios_give_their_live_sets_in_order() {
    let Some(index) = index() else { return };
    let scenarios = list(&index, "store_scenarios");
    assert_eq!(scenarios.len(), 4);
    for scenario in scenarios {
        let place = Place::new();
        for name in list(scenario, "merge") {
            let name = name.as_str().unwrap();
            let outcome = place.subscribe(&wanted(owner(name)), &shared(name).unwrap());
            assert!(
                outcome.report.ok() && outcome.changed,
                "{name}: {:?}",
                outcome.report.findings
            );
        }
        let now = scenario.get("now").and_then(Value::as_i64).unwrap();
        let view = View::new(place.store().load_all().unwrap().held);
        let live: Vec<String> =
            view.live(now).iter().map(|member| member.ioc.content_hash.text()).collect();
        let expected: Vec<&str> =
            list(scenario, "live_content_hashes").iter().filter_map(Value::as_str).collect();
        assert_eq!(live, expected, "{}", text(scenario, "name"));
        let foreign = text(scenario, "name").contains("cross-issuer");
        assert_eq!(!view.strange(now).is_empty(), foreign || expected.len() == 9);
    }
}

#[test]
fn weak_entries_are_handled_as_a_strict_reader_does() {
    let Some(index) = index() else { return };
    let mut stores = 0;
    for entry in list(&index, "divergences_upstream_accepts") {
        let (file, expect) = (text(entry, "file"), text(entry, "strict_expect"));
        let place = Place::new();
        let alpha = taken(
            place.subscribe(&wanted("alpha.pub.pem"), &shared("feed1_alpha_core.json").unwrap()),
        );
        let before = place.live();
        let wanted = wanted(text(entry, "pin"));
        let outcome = place.subscribe(&wanted, &shared(file).unwrap());
        // Some are older than what alpha published: then the mark refuses what the form allows.
        let own = Place::new().subscribe(&wanted, &shared(file).unwrap());
        assert_eq!(
            own.report.ok(),
            expect.starts_with("accept"),
            "{file}: {:?}",
            own.report.findings
        );
        if text(entry, "level") == "store" {
            stores += 1;
            assert_ne!(taken(outcome).slot, alpha.slot, "{file} took another's place");
            assert!(before.iter().all(|pattern| place.live().contains(pattern)), "{file}");
            assert_eq!(place.store().load(alpha.slot).unwrap().feed, alpha.feed);
        } else if !own.report.ok() {
            assert_eq!(place.live(), before, "{file} changed what counts");
        }
    }
    assert_eq!(stores, 1);
}

#[test]
fn tampered_files_are_no_update() {
    let Some(index) = index() else { return };
    let place = Place::new();
    let document = shared("feed1_alpha_core.json").unwrap();
    let held = taken(place.subscribe(&wanted("alpha.pub.pem"), &document));
    let before = place.live();
    let mut tried = 0;
    for entry in list(&index, "tampered_rejected_by_upstream") {
        let Some(bytes) = entry.get("file").and_then(Value::as_str).and_then(shared) else {
            continue;
        };
        tried += 1;
        let outcome = place.update(&held, &bytes);
        assert!(!outcome.report.ok() && !outcome.changed, "{entry:?}");
        assert_eq!(place.live(), before);
        assert!(!Place::new().subscribe(&wanted("alpha.pub.pem"), &bytes).report.ok());
    }
    assert!(tried >= 12, "{tried}");
}

#[test]
fn an_older_feed_does_not_replace_a_newer_one() {
    if index().is_none() {
        return;
    }
    let place = Place::new();
    let newer = shared("rollback_newer_alpha_core.json").unwrap();
    let older = shared("feed1_alpha_core.json").unwrap();
    let (store, later) = (place.store(), terms(1_800_000_000));
    let subscribe = |document: &Vec<u8>| {
        let documents = [Document { bytes: document.clone(), proof: None }];
        let offer = Offer { documents: &documents, ..Offer::default() };
        let wanted = wanted("alpha.pub.pem");
        store.write().unwrap().subscribe(&wanted, offer, &mut NoMemory, later).unwrap()
    };
    let held = taken(subscribe(&newer));
    for outcome in [place.update(&held, &older), subscribe(&older)] {
        assert_eq!(codes(&outcome.report)[0], Code::FeedRollback);
        assert!(!outcome.changed);
    }
    assert_eq!(store.load(held.slot).unwrap().feed, held.feed);
}
