//! The vectors that other implementations share with us, when they are at hand.

use std::collections::BTreeSet;

use record::feed::{self, Judge, Judged, Pin, judge, live, publish, root_preimage};
use record::ioc::SignedIoc;
use record::report::{Assurance, Code, ExitClass};
use seal::hex;
use seal::json::{Limits, Value, parse};
use seal::key::{KeyError, PublicKey, SecretKey};
use seal::signer::Signer as _;

use crate::common::shared;

fn index() -> Option<Value> {
    Some(parse(&shared("feeds/index.json")?, Limits::DOCUMENT).unwrap())
}

fn file(name: &str) -> Vec<u8> {
    shared(&format!("feeds/{name}")).expect("listed in the index")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name}"))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("{name}"))
}

/// The key pinned in an entry. A key of small order is none, so nothing is pinned then.
fn pins(entry: &Value) -> Vec<Pin> {
    let Some(name) = entry.get("pin").and_then(Value::as_str) else { return Vec::new() };
    match PublicKey::from_pem(&String::from_utf8(file(name)).unwrap()) {
        Ok(key) => vec![Pin::new(key)],
        Err(KeyError::Point) => Vec::new(),
        Err(error) => panic!("{name}: {error}"),
    }
}

fn judged(entry: &Value) -> Judged {
    let pins = pins(entry);
    judge(&file(text(entry, "file")), &Judge { pins: &pins, ..Judge::default() })
}

fn secret(index: &Value, name: &str) -> SecretKey {
    let seed = hex::decode(text(index.get("keys").unwrap().get(name).unwrap(), "seed_hex"));
    SecretKey::from_seed(seed.unwrap().try_into().unwrap())
}

#[test]
fn every_preimage_hash_and_signature_is_reproduced() {
    let Some(index) = index() else { return };
    let mut indicators = 0;
    for entry in list(&index, "feeds") {
        let bytes = file(text(entry, "file"));
        let judged = judged(entry);
        assert!(judged.report.findings.is_empty(), "{:?}", judged.report.findings);
        assert_eq!(judged.report.assurance, Assurance::Signed);
        let feed = judged.verified.unwrap().into_feed();
        assert_eq!(feed.to_json().as_bytes(), bytes, "{}", text(entry, "file"));
        assert_eq!(feed.feed_id, text(entry, "feed_id"));
        assert_eq!(feed.root.to_string(), text(entry, "merkle_root"));
        let ids: Vec<String> = feed.iocs.iter().map(|ioc| ioc.content_hash.text()).collect();
        let preimage = root_preimage(ids.iter().map(String::as_str));
        assert_eq!(preimage, text(entry, "merkle_preimage_utf8"));
        assert_eq!(feed.manifest(), text(entry, "manifest_signature_preimage_utf8"));
        assert_eq!(seal::base64::url_encode(&feed.signature), text(entry, "signature"));
        for (ioc, expected) in feed.iocs.iter().zip(list(entry, "iocs")) {
            assert_eq!(ioc.ioc.preimage(), text(expected, "body_preimage_utf8"));
            let hexed = hex::encode(ioc.ioc.preimage().as_bytes());
            assert_eq!(hexed, text(expected, "body_preimage_hex"));
            assert_eq!(ioc.content_hash.text(), text(expected, "content_hash"));
            assert_eq!(seal::base64::url_encode(&ioc.signature), text(expected, "signature"));
            indicators += 1;
        }
        // Made anew from the seeds, every byte is the same.
        let name = feed.issuer.strip_suffix(".example").unwrap();
        let key = secret(&index, name);
        let iocs: Vec<SignedIoc> =
            feed.iocs.iter().map(|ioc| ioc.ioc.clone().sign(&key).unwrap()).collect();
        let made = publish(&feed.feed_id, &feed.issuer, feed.issued_at, iocs, &key).unwrap();
        assert_eq!(made, feed);
    }
    assert!(indicators >= 12, "{indicators}");
}

#[test]
fn keys_and_their_ids_are_reproduced() {
    let Some(index) = index() else { return };
    for (name, key) in index.get("keys").and_then(Value::as_object).unwrap() {
        let secret = secret(&index, name);
        assert_eq!(secret.public().to_pem(), text(key, "public_key_pem"));
        assert_eq!(secret.key_id().to_string(), text(key, "key_id"));
        assert_eq!(hex::encode(secret.public().as_bytes()), text(key, "public_key_hex"));
    }
}

#[test]
fn every_tampered_feed_is_refused_with_its_own_finding() {
    let Some(index) = index() else { return };
    let mut seen = BTreeSet::new();
    for entry in list(&index, "tampered_rejected_by_upstream") {
        let name = text(entry, "file");
        let report = judged(entry).report;
        let (code, class) = match text(entry, "failing_check") {
            "ioc_content_hash" => (Code::IocHash, ExitClass::Tampered),
            "merkle_root" => (Code::FeedRoot, ExitClass::Tampered),
            "ioc_signature" => (Code::IocSignature, ExitClass::Untrusted),
            "key_parse" => (Code::FeedKey, ExitClass::Untrusted),
            "manifest_signature" if name.contains("truncated") => {
                (Code::FeedSignatureForm, ExitClass::Untrusted)
            }
            "manifest_signature" => (Code::FeedSignature, ExitClass::Untrusted),
            "pin" => (Code::FeedPin, ExitClass::Untrusted),
            other => panic!("{name}: what is {other}?"),
        };
        assert!(report.has(code), "{name}: {:?}", report.findings);
        assert_eq!(report.exit_class(), class, "{name}: {:?}", report.findings);
        assert!(judged(entry).verified.is_none() && judged(entry).unpinned.is_none(), "{name}");
        seen.insert(text(entry, "failing_check"));
        // What the change is about beyond the check that fails first.
        let also = [
            ("version_changed", Code::FeedVersion),
            ("ioc_removed", Code::FeedCount),
            ("ioc_duplicated", Code::IocDuplicate),
            ("content_hash_blank", Code::IocHash),
            ("pattern_hash_root", Code::IocSignature),
        ];
        for (part, code) in also {
            assert!(!name.contains(part) || report.has(code), "{name}: {:?}", report.findings);
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
}

#[test]
fn every_weakness_is_handled_as_a_strict_reader_should() {
    let Some(index) = index() else { return };
    let code = |name: &str| match &name[..7] {
        "weak_01" => Code::IocIssuer,
        "weak_05" => Code::FeedCount,
        "weak_07" => Code::IocKind,
        "weak_09" => Code::IocPattern,
        "weak_11" | "weak_13" => Code::FeedMember,
        "weak_19" => Code::FeedKeyWeak,
        // Vectors that came later: any finding will do.
        _ => Code::EvidenceEmpty,
    };
    for entry in list(&index, "divergences_upstream_accepts") {
        let name = text(entry, "file");
        let judged = judged(entry);
        if text(entry, "strict_expect").starts_with("accept") {
            assert!(judged.report.findings.is_empty(), "{name}: {:?}", judged.report.findings);
            assert!(judged.verified.is_some(), "{name}");
            continue;
        }
        assert!(!judged.report.ok() && judged.verified.is_none(), "{name}");
        assert!(
            code(name) == Code::EvidenceEmpty || judged.report.has(code(name)),
            "{name}: {:?}",
            judged.report.findings
        );
    }
}

#[test]
fn an_indicator_in_anothers_name_is_left_out_alone() {
    let Some(index) = index() else { return };
    let entry = list(&index, "divergences_upstream_accepts")
        .iter()
        .find(|entry| text(entry, "file").starts_with("weak_01"))
        .unwrap();
    let pinned = pins(entry);
    let how = Judge { pins: &pinned, skip_bad: true, ..Judge::default() };
    let judged = judge(&file(text(entry, "file")), &how);
    assert!(judged.report.ok(), "{:?}", judged.report.findings);
    let feed = judged.verified.unwrap().into_feed();
    assert_eq!(judged.skipped.len(), 1);
    assert!(judged.report.has(Code::IocSkipped));
    assert_eq!(feed.iocs.len() as u64 + 1, feed.count);
    assert!(feed.iocs.iter().all(|ioc| ioc.ioc.issuer == feed.issuer));
    // Forged ones are not: skipping is for what the publisher signed.
    let tampered = list(&index, "tampered_rejected_by_upstream");
    for entry in tampered.iter().filter(|entry| text(entry, "failing_check").starts_with("ioc_")) {
        let pins = pins(entry);
        let how = Judge { pins: &pins, skip_bad: true, ..Judge::default() };
        assert!(judge(&file(text(entry, "file")), &how).verified.is_none());
    }
}

#[test]
fn the_live_set_of_each_scenario() {
    let Some(index) = index() else { return };
    for scenario in list(&index, "store_scenarios") {
        let merged = list(scenario, "merge").iter().filter_map(Value::as_str);
        let mut feeds: Vec<_> = merged.map(|name| feed::read(&file(name)).unwrap()).collect();
        feeds.sort_by_key(|feed| feed.feed_id.replace('/', "__"));
        let all = feeds.iter().flat_map(|feed| feed.iocs.iter().map(|ioc| (feed.publisher(), ioc)));
        let now = scenario.get("now").and_then(Value::as_i64).unwrap();
        let live = live(all, now);
        let hashes: Vec<String> =
            live.indicators.iter().map(|(_, ioc)| ioc.content_hash.text()).collect();
        let expected: Vec<&str> =
            list(scenario, "live_content_hashes").iter().filter_map(Value::as_str).collect();
        assert_eq!(hashes, expected, "{}", text(scenario, "name"));
        let hostile = text(scenario, "name").contains("cross-issuer");
        assert_eq!(!live.strange.is_empty(), hostile || text(scenario, "name") == "all four");
    }
}
