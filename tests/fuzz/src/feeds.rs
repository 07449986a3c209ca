//! Feeds of signed indicators, and the drafts they are made of.

use std::sync::LazyLock;

use record::feed::{self, Drafts, Judge, Pin, judge};
use record::ioc;
use seal::PublicKey;
use seal::json::{Limits, Value, parse, write_plain};

pub(crate) const FEEDS: &str = include_str!("../../../vectors/feeds/v1.json");

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

/// Small drafts.
pub(crate) const DRAFTS: &[&str] = &[
    r#"[{"kind":"regex","pattern":"(?i)x+","severity":"high","categories":["a"],"revokes":[]}]"#,
    r#"{"version":"countersign-feed-drafts/v1","feed_id":null,"issuer":"a","indicators":[{"kind":"unicode_signature","pattern":"200B,E0001","attacks":["a\u200bb"],"benign":["ab"],"issued_at":1,"expires_at":2}]}"#,
];
