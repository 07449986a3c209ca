//! Feeds of signed indicators, and the drafts they are made of.

use std::sync::LazyLock;

use record::feed::{self, Drafts, Feed, Judge, Pin, judge};
use record::feeddelta;
use record::feedproof::{self, Part, judge_part};
use record::feedrotation;
use record::ioc;
use seal::json::{Limits, Value, parse, write_plain};
use seal::{PublicKey, SecretKey, Signer as _};

pub(crate) const FEEDS: &str = include_str!("../../../vectors/feeds/v1.json");
const PROOFS: &str = include_str!("../../../vectors/feeds/proof-v1.json");

static FEED: LazyLock<Feed> = LazyLock::new(|| {
    let vectors = parse(FEEDS.as_bytes(), Limits::DOCUMENT).expect("our vectors");
    let text = vectors.get("feed").and_then(Value::as_str).expect("our vectors");
    feed::read(text.as_bytes()).expect("our vectors")
});

/// A feed that is read is what its own writer writes, and is believed under its own pin alone.
pub fn feed(input: &[u8]) {
    static PIN: LazyLock<PublicKey> = LazyLock::new(|| {
        let vectors = parse(FEEDS.as_bytes(), Limits::DOCUMENT).expect("our vectors");
        let pem = vectors.get("public_key_pem").and_then(Value::as_str).expect("our vectors");
        PublicKey::from_pem(pem).expect("our vectors")
    });
    match feed::read(input) {
        Ok(read) => {
            assert_eq!(feed::read(read.to_json().as_bytes()), Ok(read.clone()), "its own file");
            for signed in &read.iocs {
                let alone = write_plain(&signed.to_value());
                assert_eq!(ioc::read(alone.as_bytes()), Ok(signed.clone()));
                assert_eq!(signed.verify(&read.key, &read.issuer), Ok(()));
            }
        }
        Err(findings) => assert!(!findings.is_empty()),
    }
    let pins = [Pin::new(PIN.clone())];
    for skip_bad in [false, true] {
        let how = Judge { pins: &pins, threads: 1, skip_bad, ..Judge::default() };
        let judged = judge(input, &how);
        assert_eq!(judged.verified.is_some(), judged.report.ok());
        if let Some(verified) = judged.verified {
            assert_eq!(verified.feed().key, *PIN);
            let left = verified.feed().iocs.len() + judged.skipped.len();
            assert_eq!(left as u64, verified.feed().count);
        }
    }
}

/// Drafts that are read are what their own file says.
pub fn drafts(input: &[u8]) {
    match Drafts::read(input) {
        Ok(drafts) => {
            let again = Drafts::read(drafts.to_json().as_bytes());
            assert_eq!(again, Ok(drafts), "its own file");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A proof or a part that is read is what its own file says, and of another feed it proves nothing.
pub fn feedproof(input: &[u8]) {
    if let Ok(proof) = feedproof::read(input) {
        assert_eq!(feedproof::read(proof.to_json().as_bytes()), Ok(proof.clone()), "its own file");
        let found = proof.judge(&FEED, None, None);
        let ours = proof.statement.manifest == seal::Digest::of(FEED.manifest().as_bytes());
        assert!(ours || !found.is_empty());
    }
    if let Ok(part) = Part::read(input) {
        assert_eq!(Part::read(part.to_json().as_bytes()), Ok(part), "its own file");
    }
    // What comes out is as strange as what went in, and judged like any document.
    if let Ok(document) = feeddelta::apply(&FEED, input) {
        let _ = feed::read(&document);
    }
    let pins = [Pin::new(FEED.key.clone())];
    let (report, held) = judge_part(input, &pins, &|_, _| Ok(()), None);
    assert!(report.ok() || held.is_empty());
    for ioc in held {
        assert_eq!(ioc.verify(&FEED.key, &ioc.ioc.issuer), Ok(()));
    }
}

/// Statements of new keys lead from a key to another one only where each was signed by the one
/// before it.
pub fn feedrotation(input: &[u8]) {
    let [old, new, _] = keys();
    let Ok(text) = std::str::from_utf8(input) else { return };
    match feedrotation::follow(text, "alpha.example", old.public(), new.public(), i64::MAX) {
        Ok(path) => assert_eq!(path.last(), Some(new.public())),
        Err(found) => assert!(!found.is_empty()),
    }
    for line in text.lines() {
        if let Ok(read) = feedrotation::read(line, old.public()) {
            let again = feedrotation::sign(&read.issuer, &read.new, read.iat, &old);
            assert_eq!(again.as_deref().ok(), Some(line), "its own bytes");
        }
    }
}

fn keys() -> [SecretKey; 3] {
    [1, 2, 3].map(|n| SecretKey::from_seed([n; 32]))
}

/// A statement, and two that lead on.
pub(crate) fn rotations() -> Vec<Vec<u8>> {
    let [old, new, between] = keys();
    let sign = |to: &SecretKey, by: &SecretKey| {
        feedrotation::sign("alpha.example", to.public(), 1_800_000_000, by).expect("it is signed")
    };
    let (one, two) = (sign(&new, &old), [sign(&new, &between), sign(&between, &old)].join("\n"));
    vec![one.into_bytes(), two.into_bytes()]
}

/// A proof, a part and a proof with a log part, from the vectors.
pub(crate) fn proofs() -> Vec<Vec<u8>> {
    let vectors = parse(PROOFS.as_bytes(), Limits::DOCUMENT).expect("our vectors");
    let texts = ["proof", "part", "logged_proof"].map(|name| vectors.get(name));
    let texts = texts.into_iter().flatten().filter_map(Value::as_str);
    let mut seeds: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).collect();
    seeds.extend(feeddelta::write(&FEED, &FEED).map(String::into_bytes));
    seeds
}

/// Small drafts.
pub(crate) const DRAFTS: &[&str] = &[
    r#"[{"kind":"regex","pattern":"(?i)x+","severity":"high","categories":["a"],"revokes":[]}]"#,
    r#"{"version":"countersign-feed-drafts/v1","feed_id":null,"issuer":"a","indicators":[{"kind":"unicode_signature","pattern":"200B,E0001","attacks":["a\u200bb"],"benign":["ab"],"issued_at":1,"expires_at":2}]}"#,
];
