//! The vectors of the format's other implementations, when they are at hand.

use record::capability::{self, Terms};
use record::entry::{Keyring, ReadEntry, Walk, read_line};
use record::receipt::{Receipt, Verdict, read, sign};
use record::report::Code;
use record::{SignedReceipt, hash};
use seal::digest::Digest;
use seal::hex;
use seal::json::{Limits, Value, parse, write_audit, write_receipt};
use seal::key::SecretKey;
use seal::{Signer, Zeroizing};

use crate::common::*;

/// The file holds lone-surrogate escapes, which the strict parser refuses: they are replaced by a
/// marker before parsing, and put back where a vector needs them.
const MARK: &str = "\u{f8ff}";

fn receipts_file() -> Option<Value> {
    let text = String::from_utf8(shared("receipts/provenance-v1.json")?).unwrap();
    let text =
        text.replace("\"\\ud800\"", "\"\u{f8ff}d800\"").replace("\"\\udc00\"", "\"\u{f8ff}dc00\"");
    Some(parse(text.as_bytes(), Limits::DOCUMENT).unwrap())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).unwrap_or_else(|| panic!("{name}")).as_str().unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).unwrap_or_else(|| panic!("{name}")).as_array().unwrap()
}

fn fixed_key(file: &Value) -> SecretKey {
    let seed = hex::decode(text(file, "fixed_seed_hex")).unwrap();
    SecretKey::from_seed(seed.try_into().unwrap())
}

/// The five receipts, made from their described contents alone.
fn made_here(key: &SecretKey) -> Vec<SignedReceipt> {
    let agent: record::AgentId = "agent:test-vectors".parse().unwrap();
    let id = key.key_id();
    let (hello, greetings) = (hash::text("Hello, world."), hash::text("Greetings."));
    let cite = |receipt: Receipt, parent: &SignedReceipt| {
        sign(&receipt.parents(&[(parent.hash, &parent.receipt.taint)]), key).unwrap()
    };
    let at = |n: i64| 1_700_000_000 + n;
    let one = sign(&Receipt::user_input(&agent, id, at(1), hello), key).unwrap();
    let call = Receipt::model_call(&agent, id, at(2), "test-model-v1", hello, greetings);
    let two = cite(call, &one);
    let argument = hash::object(&Value::object([("argument", Value::from(42_i64))])).unwrap();
    let result = hash::object(&Value::object([("result", Value::from(true))])).unwrap();
    let three = cite(Receipt::tool_call(&agent, id, at(3), "test-tool", argument, result), &two);
    let redacted = hash::text("[REDACTED]");
    let removed = tags(&["external_user"]);
    let clean =
        Receipt::sanitisation(&agent, id, at(4), "redactor:pii-v1", &removed, greetings, redacted);
    let four = cite(clean, &three);
    let rules = Digest::from_bytes([0; 32]);
    let scan = Receipt::guardrail_scan(&agent, id, at(5), hello, rules, Verdict::Clean, "input");
    let five = cite(scan, &one);
    vec![one, two, three, four, five]
}

#[test]
fn receipts_agree_byte_for_byte() {
    let Some(file) = receipts_file() else { return };
    let key = fixed_key(&file);
    assert_eq!(key.public().to_pem(), text(&file, "public_key_pem"));
    assert_eq!(key.key_id().to_string(), text(&file, "agent_key_id"));
    let vectors = list(&file, "vectors");
    let made = made_here(&key);
    assert_eq!(vectors.len(), made.len());
    for (vector, made) in vectors.iter().zip(&made) {
        let name = text(vector, "name");
        assert_eq!(made.jws, text(vector, "expected_jws"), "{name}");
        assert_eq!(made.hash.to_string(), text(vector, "expected_receipt_hash"), "{name}");
        let found = read(text(vector, "expected_jws")).unwrap();
        assert_eq!(found, *made, "{name}");
        assert!(found.verify(key.public()), "{name}");
    }
}

#[test]
fn canonical_forms_agree() {
    let Some(file) = receipts_file() else { return };
    let vectors = list(&file, "canonicalization_vectors");
    assert_eq!(vectors.len(), 6);
    for vector in vectors {
        let form = write_receipt(vector.get("input_object").unwrap()).unwrap();
        assert_eq!(form, text(vector, "expected_canonical_utf8"));
        assert_eq!(hex::encode(form.as_bytes()), text(vector, "expected_canonical_hex"));
        let digest = Digest::of(form.as_bytes()).to_string();
        assert_eq!(digest, text(vector, "expected_canonical_sha256"));
    }
}

#[test]
fn what_has_no_canonical_form_is_refused() {
    let Some(file) = receipts_file() else { return };
    let vectors = list(&file, "invalid_canonicalization_vectors");
    assert_eq!(vectors.len(), 6);
    let mut surrogates = 0;
    for vector in vectors {
        let input = vector.get("input_object").unwrap();
        let written = seal::json::write_plain(input);
        if written.contains(MARK) {
            surrogates += 1;
            let original = written.replace(MARK, "\\u");
            let error = parse(original.as_bytes(), Limits::LINE).unwrap_err();
            assert_eq!(error.kind, seal::json::JsonErrorKind::LoneSurrogate, "{original}");
        } else {
            assert!(write_receipt(input).is_err(), "{written}");
        }
    }
    assert_eq!(surrogates, 3);
}

#[test]
fn invalid_receipts_are_refused() {
    let Some(file) = receipts_file() else { return };
    let vectors = list(&file, "invalid_receipt_vectors");
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let jws = text(vector, "jws");
        let found = read(jws).expect_err(text(vector, "name"));
        let expected = match text(vector, "expected_error_substr") {
            "lone surrogate" => Code::ReceiptJson,
            _ => Code::ReceiptCanonical,
        };
        assert!(found.iter().any(|finding| finding.code == expected), "{found:?}");
        let key = fixed_key(&file);
        assert!(
            record::receipt::verify_signature(jws, key.public()),
            "validly signed all the same"
        );
    }
}

#[test]
fn a_statement_agrees() {
    let Some(file) = receipts_file() else { return };
    let key = fixed_key(&file);
    let terms = Terms {
        allowed_models: vec!["m".into()],
        allowed_tools: vec!["t".into()],
        ..Terms::new("agent:test-vectors".parse().unwrap(), key.public().clone(), 1_700_000_000)
    };
    let statement = capability::issue(terms, &key).unwrap();
    let expected =
        "ylaOgWeuf9dsk6YZqpd/Mb31y1HrwgeA7hynyYn4RxERtubY1ntEgCnpyZL/1Kye4I6mvDZX4En4rPYWrAs8Dg==";
    assert_eq!(seal::base64::std_encode(&statement.signature), expected);
    assert!(
        statement
            .preimage()
            .starts_with("{\"agent_id\":\"agent:test-vectors\",\"allowed_models\":[\"m\"]")
    );
    assert!(statement.preimage().contains("\"expires_at\":null"));
}

fn json(path: &str) -> Option<Value> {
    Some(parse(&shared(path)?, Limits::DOCUMENT).unwrap())
}

/// The keys a fixture is judged with: ids, or ids with the name of their secret.
fn ring(index: &Value, ids: &Value) -> Keyring {
    let named: Vec<(&str, &str)> = match ids {
        Value::Object(pairs) => {
            pairs.iter().map(|(id, name)| (id.as_str(), name.as_str().unwrap())).collect()
        }
        ids => ids
            .as_array()
            .unwrap()
            .iter()
            .map(|id| (id.as_str().unwrap(), id.as_str().unwrap()))
            .collect(),
    };
    let mut ring = Keyring::new();
    let keys = index.get("keys").unwrap();
    for (id, name) in named {
        // One fixture names an id the file has no key for: any secret will do.
        let secret = keys.get(name).or_else(|| keys.get("wrong")).unwrap().as_str().unwrap();
        ring.insert(id, Zeroizing::new(hex::decode(secret).unwrap()));
    }
    ring
}

/// Breaks that our stricter reading adds to those upstream reports: the stored bytes must be
/// canonical, with all twelve members. Upstream does not see the last four at all.
const STRICTER: [(&str, &[&str]); 5] = [
    ("tamper/missing-opt-hmac", &["non_canonical"]),
    ("tamper/missing-opt-metadata", &["non_canonical"]),
    ("tamper/missing-opt-request_fingerprint", &["non_canonical", "self_mismatch"]),
    ("tamper/reorder-keys", &["non_canonical"]),
    ("tamper/dup-key", &["malformed_line"]),
];

#[test]
fn audit_fixtures_break_where_they_must() {
    let Some(index) = json("audit/index.json") else { return };
    let mut judged = 0;
    for fixture in list(&index, "fixtures") {
        let (name, expect) = (text(fixture, "name"), fixture.get("expect"));
        let Some(expected) = expect.and_then(|expect| expect.get("breaks")) else { continue };
        let ring = ring(&index, fixture.get("keys").unwrap());
        let bytes = shared(&format!("audit/{}", text(fixture, "file"))).unwrap();
        let mut walk = Walk::new(Some(&ring));
        let mut found: Vec<(u64, &str)> = Vec::new();
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        for line in lines {
            let (_, breaks) = walk.line(line);
            found.extend(breaks.iter().map(|broken| (broken.index, broken.kind.as_str())));
        }
        let expected: Vec<(u64, &str)> = expected
            .as_array()
            .unwrap()
            .iter()
            .map(|broken| {
                (broken.get("index").unwrap().as_i64().unwrap() as u64, text(broken, "kind"))
            })
            .collect();
        // Upstream stops at a line it cannot read; ours goes on. Only what both say is compared.
        let stop = expected.iter().find(|(_, kind)| *kind == "malformed_line").map(|(at, _)| *at);
        let stricter =
            STRICTER.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, k)| *k);
        let more: Vec<&str> = found
            .iter()
            .filter(|known| !expected.contains(known))
            .filter(|(at, _)| stop.is_none_or(|stop| *at < stop))
            .map(|(_, kind)| *kind)
            .collect();
        // A duplicate key makes the line unreadable, and so its successor's link unjudged.
        assert_eq!(more, stricter, "{name}: {found:?}, expected {expected:?}");
        for broken in &expected {
            assert!(found.contains(broken), "{name}: {broken:?} not among {found:?}");
        }
        judged += 1;
    }
    assert!(judged >= 40, "{judged} fixtures");
}

/// Hostile lines on which other verifiers crash are findings like any other.
#[test]
fn hostile_lines_are_findings() {
    for file in ["lone-surrogate", "deep-nesting", "infinity", "json-null"] {
        let Some(bytes) = shared(&format!("audit/tamper/{file}.jsonl")) else { return };
        let mut report = record::Report::new(file);
        record::entry::verify_lines(&bytes, None, &mut report);
        assert!(report.has(Code::AuditMalformed), "{}", report.to_table());
    }
}

/// Every plain line is read, its preimage is upstream's, and it can be made again from what was
/// read.
#[test]
fn audit_lines_agree_byte_for_byte() {
    let Some(index) = json("audit/index.json") else { return };
    let preimages = json("audit/plain.preimages.json").unwrap();
    let preimages = preimages.as_array().unwrap();
    let bytes = shared("audit/plain.jsonl").unwrap();
    let secret = hex::decode(text(index.get("keys").unwrap(), "k1")).unwrap();
    // Upstream lines name no writer.
    let mut chain =
        record::entry::AuditChain::new("k1".into(), Zeroizing::new(secret), String::new(), None);
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).collect();
    assert_eq!(lines.len(), preimages.len());
    for (line, expected) in lines.into_iter().zip(preimages) {
        let ReadEntry { entry, hmac, .. } = read_line(line).unwrap();
        let preimage = seal::base64::std_decode(text(expected, "preimage_utf8_b64")).unwrap();
        let read = read_line(line).unwrap();
        assert_eq!(read.preimage().as_bytes(), preimage);
        let sealed = chain.seal(entry).unwrap();
        assert_eq!(sealed.line.as_bytes(), line);
        assert_eq!((sealed.hmac.as_str(), text(expected, "hmac")), (hmac.as_str(), hmac.as_str()));
    }
}

#[test]
fn floats_are_written_as_python_writes_them() {
    let Some(table) = json("audit/float_format.json") else { return };
    let table = table.as_array().unwrap();
    assert!(table.len() > 20);
    for row in table {
        let bits = u64::from_str_radix(text(row, "bits_hex"), 16).unwrap();
        let written = write_audit(&Value::Float(f64::from_bits(bits))).unwrap();
        assert_eq!(written, text(row, "python_json"));
    }
}
