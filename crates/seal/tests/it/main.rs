//! Properties of the parser and the writers, against readers and writers that are not ours.

mod dsse;
mod policy;
mod proofs;
mod tlog_proof;
mod vectors;

use countersign_seal as seal;
use proptest::prelude::*;
use seal::json::{Limits, parse, write_audit, write_plain, write_receipt};

/// Any JSON value whose numbers the receipt form knows.
fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-((1i64 << 53) - 1)..=(1i64 << 53) - 1).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..24)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_form_agrees_with_an_rfc_8785_writer(value in document()) {
        let text = serde_json::to_vec(&value).unwrap();
        let ours = write_receipt(&parse(&text, Limits::DOCUMENT).unwrap()).unwrap();
        let theirs = serde_json_canonicalizer::to_string(&value).unwrap();
        prop_assert_eq!(&ours, &theirs);
        // Canonical bytes are a fixed point, and the other writers lose nothing.
        let again = parse(ours.as_bytes(), Limits::DOCUMENT).unwrap();
        prop_assert_eq!(write_receipt(&again).unwrap(), ours);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&write_plain(&again)).unwrap(), value.clone());
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&write_audit(&again).unwrap()).unwrap(), value);
    }

    #[test]
    fn the_parser_never_panics_and_accepts_nothing_a_lax_reader_refuses(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if parse(&bytes, Limits::DOCUMENT).is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn json_looking_noise_is_judged_like_a_lax_reader_does(text in "[\\[\\]{}:,\"0-9eE+. a-dtrufalsn\\\\-]{0,24}") {
        let ours = parse(text.as_bytes(), Limits::DOCUMENT);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        // Only duplicates are refused beyond what the other reader refuses here.
        let duplicate = matches!(&ours, Err(error) if error.kind == seal::json::JsonErrorKind::DuplicateKey);
        prop_assert!(duplicate || ours.is_ok() == theirs.is_ok(), "{:?} {:?}", ours, theirs);
    }

    #[test]
    fn floats_survive_the_audit_form(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let value = seal::json::Value::Float(number);
        let text = write_audit(&value).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
        prop_assert!(text.contains(['.', 'e']));
    }

    #[test]
    fn readers_of_outside_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256), text in ".{0,128}") {
        let _ = seal::note::open(&bytes, &[]);
        let _ = seal::note::Checkpoint::parse(&text);
        let _ = seal::policy::Policy::parse(&bytes);
        let _ = seal::policy::Policy::parse(text.as_bytes());
        let _ = seal::tlog_proof::TlogProof::parse(&bytes);
        let _ = seal::tlog_proof::ConsistencyProof::parse(text.as_bytes());
        let _ = seal::cosign::Cosignature::parse(&text);
        let _ = text.parse::<seal::cosign::CosignerKey>();
        let _ = seal::tile::Tile::parse(&text);
        let _ = seal::tile::Bundle::parse(&text);
        let _ = seal::tile::decode_bundle(&bytes);
        let _ = text.parse::<seal::note::VerifierKey>();
        let _ = seal::jws::split(&text, 64);
        let _ = seal::PublicKey::from_pem(&text);
        let _ = seal::SecretKey::from_pem(&text);
        let _ = seal::time::parse_rfc3339(&text);
        let _ = text.parse::<seal::Digest>();
        let _ = seal::escape::terminal(&text);
    }
}
