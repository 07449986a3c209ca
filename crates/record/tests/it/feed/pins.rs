//! Whose feed it is, decided by pins alone.

use record::feed::{Judge, Pin, judge};
use record::report::{Assurance, Code, ExitClass};
use record::trust::Validity;
use seal::signer::Signer as _;
use seal::time::UnixMillis;

use super::{feed, indicator};
use crate::common::key;

/// What is found in a feed of alpha.example, issued at 1,800,000,100, under these pins.
fn codes(pins: &[Pin]) -> Vec<Code> {
    let key = key(70);
    let feed =
        feed("alpha.example", &key, vec![indicator("alpha.example", &key, "p", vec![], None)]);
    let judged = judge(feed.to_json().as_bytes(), &Judge { pins, ..Judge::default() });
    assert_eq!(judged.verified.is_some(), judged.report.ok());
    assert_eq!(judged.unpinned.is_some(), !judged.report.ok(), "it agrees with itself");
    if !judged.report.ok() {
        assert_eq!(judged.report.exit_class(), ExitClass::Untrusted);
        assert_eq!(judged.report.assurance, Assurance::Consistent);
    }
    judged.report.findings.iter().map(|finding| finding.code).collect()
}

fn pin(n: u8) -> Pin {
    Pin::new(key(n).public().clone())
}

/// A document of nothing but separators would take sixteen times its size.
#[test]
fn a_document_of_too_many_values_is_not_read() {
    let judged = |document: String| {
        let report = judge(document.as_bytes(), &Judge::default()).report;
        report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(judged(format!("[{}0]", "0,".repeat(8_000_000))), [Code::FeedLimit]);
    assert_eq!(judged(format!("[{}0]", "0,".repeat(1_000))), [Code::FeedMember]);
    // What is no indicator takes two bytes, and must not take the memory of one.
    let many = record::feed::INDICATORS;
    assert_eq!(judged(format!("{{\"iocs\":[{}0]}}", "0,".repeat(many))), [Code::FeedLimit]);
    let unknown: String = (0..100).map(|n| format!("\"m{n}\":0,")).collect();
    let found = judged(format!("{{{unknown}\"iocs\":[{{{unknown}\"revokes\":[]}}]}}"));
    assert_eq!(found, [Code::FeedMember; 16]);
}

#[test]
fn a_pin_binds_key_issuer_and_time() {
    let none: [Code; 0] = [];
    assert_eq!(codes(&[]), [Code::FeedUnpinned]);
    assert_eq!(codes(&[pin(71)]), [Code::FeedPin]);
    assert_eq!(codes(&[pin(70)]), none);
    assert_eq!(codes(&[pin(70).issuer("alpha.example")]), none);
    assert_eq!(codes(&[pin(70).issuer("bravo.example")]), [Code::FeedIssuer]);
    // The right name with another key does not help the right key with another name.
    let apart = [pin(71).issuer("alpha.example"), pin(70).issuer("bravo.example")];
    assert_eq!(codes(&apart), [Code::FeedIssuer]);
    assert_eq!(codes(&[apart[0].clone(), pin(70).issuer("alpha.example")]), none);
    let at = |from: u64, until: u64| {
        let time = |seconds: u64| Some(UnixMillis(seconds * 1000));
        Pin { valid: Validity { from: time(from), until: time(until) }, ..pin(70) }
    };
    assert_eq!(codes(&[at(1_800_000_100, 1_800_000_101)]), none);
    assert_eq!(codes(&[at(1_800_000_101, 1_900_000_000)]), [Code::FeedKeyTime]);
    assert_eq!(codes(&[at(0, 1_800_000_100)]), [Code::FeedKeyTime]);
}
