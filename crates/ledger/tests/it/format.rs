//! The bytes of the specification, spelled out: whoever changes them changes the format.

use std::sync::Arc;

use ledger::store::memory::MemoryStore;
use ledger::{Entry, Kind, Leaf, LeafError, Ledger};
use seal::digest::Digest;
use testkit::clock::TestClock;

use crate::support::{ORIGIN, SEGMENT, options_with};

#[test]
fn one_entry_byte_for_byte() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(TestClock::at(1_700_000_000_123));
    let ledger = Ledger::open(store.clone(), options_with(clock), &mut |_, _, _| {}).unwrap();
    let body = b"{\"decision\":\"allow\"}".to_vec();
    ledger.append(vec![Entry { kind: Kind::Audit, id: "e-1".into(), body: body.clone() }]).unwrap();
    ledger.close().unwrap();
    let leaf = format!(
        "{{\"body\":\"{}\",\"id\":\"e-1\",\"kind\":\"audit\",\"len\":20,\"seq\":0,\
         \"ts\":1700000000123,\"v\":1,\"writer\":\"tests\"}}",
        Digest::of(&body)
    );
    let crc = |bytes: &[u8]| crc32c::crc32c(bytes).to_be_bytes().to_vec();
    let sealed = |mut bytes: Vec<u8>| {
        let check = crc(&bytes);
        bytes.extend(check);
        bytes
    };
    let mut head = b"\xffCSJRNL\n\0\0\0\x01".to_vec();
    head.extend([0; 16]);
    let segment_header = sealed(head);
    let mut head = b"\xffCSF\x01\0".to_vec();
    head.extend((leaf.len() as u16).to_be_bytes());
    head.extend([0; 16]);
    head.extend(20u32.to_be_bytes());
    let mut frame = sealed(head);
    frame.extend(leaf.as_bytes());
    let mut frame = sealed(frame);
    frame.extend(&body);
    let mut head = b"\xffCSF\x02\0\0\0".to_vec();
    head.extend([0; 16]);
    head.extend(1u32.to_be_bytes());
    let trailer = sealed(head);
    let mut batch = frame;
    batch.extend(&trailer);
    let mut expected = segment_header;
    expected.extend(sealed(batch));
    expected.extend(b"end\n");
    let files = store.snapshot();
    assert_eq!(files[SEGMENT], expected);
    let root = seal::merkle::leaf_hash(leaf.as_bytes());
    let head = format!("{{\"origin\":\"{ORIGIN}\",\"root\":\"{root}\",\"size\":1,\"v\":1}}");
    assert_eq!(String::from_utf8(files["head"].clone()).unwrap(), head);
    assert!(files["public/checkpoint"].starts_with(format!("{ORIGIN}\n1\n").as_bytes()));
}

#[test]
fn a_leaf_has_one_encoding() {
    let leaf = Leaf {
        body: Digest::of(b"x"),
        id: "sha256:é\"\\".into(),
        kind: Kind::Receipt,
        len: 1,
        seq: 2,
        ts: 3,
        writer: "w".into(),
    };
    let bytes = leaf.to_bytes().unwrap();
    assert_eq!(Leaf::parse(&bytes), Ok(leaf));
    let text = String::from_utf8(bytes).unwrap();
    let parse = |text: String| Leaf::parse(text.as_bytes());
    let refuse = |from: &str, to: &str| parse(text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(refuse("{", "{ "), LeafError::NotCanonical);
    assert_eq!(refuse("é", "\\u00e9"), LeafError::NotCanonical);
    assert_eq!(refuse("\"len\":1,\"seq\":2", "\"seq\":2,\"len\":1"), LeafError::NotCanonical);
    assert_eq!(refuse("\"v\":1", "\"v\":2"), LeafError::Member("v"));
    assert_eq!(refuse("\"v\":1", "\"v\":1,\"x\":1"), LeafError::Member("(count)"));
    assert_eq!(refuse("receipt", "other"), LeafError::Kind);
    assert_eq!(refuse("\"len\":1", "\"len\":01"), LeafError::Json);
    assert_eq!(refuse("\"len\":1", "\"len\":-1"), LeafError::Member("len"));
    assert_eq!(refuse("\"len\":1", "\"len\":9007199254740992"), LeafError::NotCanonical);
    assert_eq!(refuse("\"len\":1", "\"len\":1.0"), LeafError::Member("len"));
    assert_eq!(refuse("}", "}x"), LeafError::Json);
    assert_eq!(refuse("\"w\"", "\"\""), LeafError::NotCanonical);
    assert_eq!(refuse("\"w\"", &format!("\"{}\"", "w".repeat(65))), LeafError::NotCanonical);
    assert_eq!(
        parse(text.replace("\"w\"", &format!("\"{}\"", "w".repeat(900)))),
        Err(LeafError::TooLong)
    );
}

#[test]
fn kinds_have_names_and_limits() {
    for &kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert!(kind.max_body() <= ledger::MAX_BODY);
    }
    assert!("Audit".parse::<Kind>().is_err());
}
