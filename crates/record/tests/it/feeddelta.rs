//! What changed between two publishings.

use record::feed::{Feed, publish};
use record::feeddelta::{apply, write};
use record::ioc::{Ioc, Kind, Severity};
use seal::signer::Signer as _;

use crate::common::key;

fn feed(issued_at: i64, patterns: std::ops::Range<usize>) -> Feed {
    let key = key(71);
    let one = |n: usize| {
        let ioc = Ioc {
            kind: Kind::Substring,
            pattern: format!("pattern {n} \u{2028}\"\\"),
            severity: Severity::Low,
            categories: vec!["b".into(), "a".into()],
            description: "\u{7f}\té".into(),
            issuer: "alpha.example".into(),
            key_id: key.key_id(),
            issued_at: 1,
            revokes: Vec::new(),
            expires_at: n.is_multiple_of(2).then_some(9),
        };
        ioc.sign(&key).unwrap()
    };
    publish("core", "alpha.example", issued_at, patterns.map(one).collect(), &key).unwrap()
}

#[test]
fn the_newer_document_comes_out_byte_for_byte() {
    let base = feed(10, 0..30);
    for new in [feed(11, 3..34), feed(11, 0..30), feed(11, 0..1), feed(11, 29..60)] {
        let delta = write(&base, &new).unwrap();
        assert_eq!(apply(&base, delta.as_bytes()), Ok(new.to_json().into_bytes()));
    }
    assert_eq!(write(&base, &feed(11, 30..60)), None, "nothing is saved");
}

#[test]
fn what_does_not_fit_is_refused() {
    let (base, new) = (feed(10, 0..30), feed(11, 3..34));
    let delta = write(&base, &new).unwrap();
    assert!(apply(&feed(10, 1..30), delta.as_bytes()).is_err(), "another base");
    let id = base.iocs[5].content_hash.text();
    let first = base.iocs[3].content_hash.text();
    for bad in [
        delta.replace(&id, &first),
        delta.replace(&id, "sha256:00"),
        delta.replace("delta/v1", "delta/v2"),
        delta.replace("\"ids\":[", "\"ids\":[3,"),
        delta.replace("\"added\":[", "\"added\":[7,"),
        delta.replace("\"head\":{", "\"head\":[],\"x\":{"),
        "[]".into(),
        String::new(),
    ] {
        assert!(apply(&base, bad.as_bytes()).is_err(), "{bad}");
    }
}

/// A delta comes from whoever serves it, and a few packed bytes can be any number of values.
#[test]
fn one_of_too_many_values_is_not_read() {
    let (base, new) = (feed(10, 0..3), feed(11, 0..4));
    let delta = write(&base, &new).unwrap();
    let many = format!("{{\"x\":[{}0],", "0,".repeat(record::feed::VALUES));
    assert!(apply(&base, delta.replacen('{', "{\"x\":[0],", 1).as_bytes()).is_ok());
    assert!(apply(&base, delta.replacen('{', &many, 1).as_bytes()).is_err());
}
