//! What is written reads back; no bytes make a reader panic.

use proptest::prelude::*;
use record::dag::ChainOptions;
use record::receipt::{Receipt, Verdict, read, sign};
use record::report::Report;
use record::{capability, chainfile, decision, entry};
use seal::Signer;
use seal::json::Value;

use crate::common::*;

fn label() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "\\PC{1,6}", Just("\u{e000}".to_string()), Just("🔑\\\"".to_string())]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn receipt()(
        operation in 0..4_usize,
        iat in 1..9_007_199_254_740_991_i64,
        parents in prop::collection::vec(any::<[u8; 32]>(), 0..5),
        taint in prop::collection::vec(label(), 0..5),
        text in label(),
        tenant in prop::option::of(any::<String>()),
        extensions in prop::collection::btree_map("x_\\PC{0,4}", json(), 0..4),
    ) -> Receipt {
        let (id, hash) = (key(1).key_id(), digest(&text));
        let verdict = Verdict::Suspicious;
        let mut receipt = match operation {
            0 => Receipt::user_input(agent(), id, iat, hash),
            1 => Receipt::model_call(agent(), id, iat, &text, hash, hash),
            2 => Receipt::tool_call(agent(), id, iat, &text, hash, hash),
            _ => Receipt::guardrail_scan(agent(), id, iat, hash, hash, verdict, "input"),
        };
        let none = tags(&[]);
        let parents: Vec<_> =
            parents.into_iter().map(|bytes| (seal::Digest::from_bytes(bytes), &none)).collect();
        if operation != 0 {
            receipt = receipt.parents(&parents);
        }
        receipt = receipt.tainted(&taint.into_iter().collect());
        receipt.tenant = tenant;
        for (name, value) in extensions {
            receipt = receipt.extension(name, value);
        }
        receipt
    }
}

/// Lists that a caller filled by hand are held to the format before anything is signed.
#[test]
fn what_readers_refuse_is_not_signed() {
    let one = signed(user_input());
    let (low, high) = (one.hash.min(digest("x")), one.hash.max(digest("x")));
    let merge = |parents: Vec<seal::Digest>| {
        let merge = Receipt::merge(agent(), key(1).key_id(), 1, digest("m"));
        sign(&Receipt { parents, ..merge }, &key(1))
    };
    assert!(merge(vec![low, high]).is_ok());
    for parents in [vec![high, low], vec![low, low], vec![low], vec![]] {
        assert!(merge(parents).is_err());
    }
    let tagged = |tag: &str| sign(&user_input().tainted(&tags(&[tag])), &key(1));
    assert!(tagged("a").is_ok() && tagged("a,b").is_err() && tagged("").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever may be signed is read as it was meant, and signs to the same bytes again.
    #[test]
    fn emit_read_emit_agrees(receipt in receipt()) {
        if let Ok(signed) = sign(&receipt, &key(1)) {
            let found = read(&signed.jws);
            prop_assert!(found.is_ok(), "{found:?}");
            let found = found.unwrap();
            prop_assert_eq!(&found.jws, &signed.jws);
            prop_assert_eq!(sign(&found.receipt, &key(1)).unwrap().jws, signed.jws);
        }
    }

    #[test]
    fn readers_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = read(&text);
        let _ = read(&forge(header(), &bytes));
        let _ = read(&forge(&bytes, "{}"));
        let _ = decision::read(&text);
        let _ = capability::read(&bytes);
        let _ = chainfile::parse_line(&text);
        let _ = entry::read_line(&bytes);
        let _ = text.parse::<entry::ReceiptHeader>();
        let _ = record::Trust::parse(&text, &|_| Err("nothing".into()));
        let mut report = Report::new("bytes");
        entry::verify_lines(&bytes, None, &mut report);
        let _ = report.to_table();
        let (report, _) = judge(&bytes, &trust(), ChainOptions { threads: 1, ..ChainOptions::default() });
        prop_assert!(!report.ok());
    }

    /// One changed byte anywhere in a receipt is noticed, whatever it makes of it.
    #[test]
    fn a_flipped_byte_is_a_finding(at in 0..10_000_usize, bit in 0..8_u8) {
        let one = signed(user_input());
        let mut chain = chain_of(&[&one, &signed(model_call(&one))]).into_bytes();
        let at = at % chain.len();
        chain[at] ^= 1 << bit;
        let (report, _) = judge(&chain, &trust(), ChainOptions { threads: 1, ..ChainOptions::default() });
        // White space between the members of the envelope is free.
        let free = report.findings.is_empty() && (chain[at].is_ascii_whitespace());
        prop_assert!(!report.ok() || free || report.has(record::Code::ChainFraming), "byte {at}");
    }
}
