//! The feed that comes with the repository is what its drafts make.

use record::feed::{Drafts, Judge, Pin, judge, root};
use record::ioc::Ioc;
use record::report::Assurance;
use seal::PublicKey;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(crate::common::root().join("feeds/genesis").join(name)).unwrap()
}

#[test]
fn the_published_feed_is_what_the_drafts_make() {
    let key = PublicKey::from_pem(&String::from_utf8(file("feed.pub.pem")).unwrap()).unwrap();
    let drafts = Drafts::read(&file("drafts.json")).unwrap();
    let issuer = drafts.issuer.clone().unwrap();
    let pins = [Pin::new(key.clone()).issuer(&issuer)];
    let published = file("public/feed.json");
    let judged = judge(&published, &Judge { pins: &pins, ..Judge::default() });
    assert!(judged.report.findings.is_empty(), "{:?}", judged.report.findings);
    assert_eq!(judged.report.assurance, Assurance::Signed);
    let feed = judged.verified.unwrap().into_feed();
    assert_eq!(feed.to_json().as_bytes(), published);
    assert_eq!(Some(&feed.feed_id), drafts.feed_id.as_ref());
    // Without the private key: everything that is signed, from the drafts alone.
    let made: Vec<Ioc> =
        drafts.indicators.iter().map(|draft| draft.ioc(&issuer, key.key_id(), 0)).collect();
    let signed: Vec<Ioc> = feed.iocs.iter().map(|signed| signed.ioc.clone()).collect();
    assert_eq!(made, signed);
    let ids: Vec<String> = made.iter().map(|ioc| ioc.content_hash().text()).collect();
    assert_eq!(root(ids.iter().map(String::as_str)), feed.root);
    assert!(key.verify(feed.manifest().as_bytes(), &feed.signature));
}

#[test]
fn every_class_has_an_indicator_and_every_indicator_samples() {
    let drafts = Drafts::read(&file("drafts.json")).unwrap();
    assert_eq!(drafts.indicators.len(), 12);
    for draft in &drafts.indicators {
        assert!(draft.attacks.len() >= 2 && draft.benign.len() >= 2, "{}", draft.pattern);
        assert!(draft.issued_at.is_some() && !draft.description.is_empty(), "{}", draft.pattern);
    }
    let of = |category: &str| {
        drafts.indicators.iter().any(|draft| draft.categories.iter().any(|known| known == category))
    };
    for category in [
        "instruction_override",
        "prompt_extraction",
        "persona_swap",
        "restriction_stripping",
        "invisible_characters",
        "bidi_override",
        "encoded_execution",
        "role_token",
        "data_exfiltration",
        "tool_abuse",
        "remote_execution",
    ] {
        assert!(of(category), "{category}");
    }
}
