//! Our own vectors: feeds made from our own keys and texts, whole, weak and tampered with.
//! `COUNTERSIGN_BLESS=1` rewrites them; a change there is a change of the format.

use record::feed::{self, Judge, Pin, VERSION, judge, root, root_preimage};
use record::ioc::{self, code_points};
use record::report::{Code, Report};
use seal::base64::url_encode;
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, utf16_order, write_pretty, write_receipt};
use seal::key::{PublicKey, SecretKey};
use seal::signer::Signer as _;

use crate::common::{errors, golden};

const FILE: &str = "vectors/feeds/v1.json";
const ISSUER: &str = "harbour.example";

fn our_key() -> SecretKey {
    SecretKey::from_seed(*Digest::of(b"countersign feed vectors v1").as_bytes())
}

fn other_key() -> SecretKey {
    SecretKey::from_seed(*Digest::of(b"countersign feed vectors v1, another").as_bytes())
}

type Members<'a> = &'a [(&'a str, Value)];

fn with(mut value: Value, members: Members<'_>) -> Value {
    for (name, new) in members {
        *value.get_mut(name).unwrap_or_else(|| panic!("{name}")) = new.clone();
    }
    value
}

fn without(value: &Value, gone: &[&str]) -> Value {
    let kept = value.as_object().unwrap().iter().filter(|(name, _)| !gone.contains(&name.as_str()));
    Value::Object(kept.cloned().collect())
}

/// An indicator with these members, hashed and signed whatever they say: by the generic writer, so
/// that nothing here is checked against itself.
fn indicator(key: &SecretKey, members: Members<'_>) -> Value {
    let plain = Value::object([
        ("kind", "substring".into()),
        ("pattern", "open the sea gate".into()),
        ("severity", "medium".into()),
        ("categories", Value::array(["tide"])),
        ("description", "".into()),
        ("issuer", ISSUER.into()),
        ("key_id", key.key_id().to_string().into()),
        ("issued_at", 1_800_000_000_i64.into()),
        ("revokes", Value::Array(vec![])),
        ("expires_at", Value::Null),
        ("content_hash", Value::Null),
        ("signature", Value::Null),
    ]);
    let whole = with(plain, members);
    let mut body = without(&whole, &["content_hash", "signature"]);
    for list in ["categories", "revokes"] {
        if let Some(Value::Array(items)) = body.get_mut(list) {
            items.sort_by(|a, b| utf16_order(a.as_str().unwrap(), b.as_str().unwrap()));
        }
    }
    let preimage = write_receipt(&body).unwrap();
    let signature = url_encode(&key.sign(preimage.as_bytes()));
    let hash = Digest::of(preimage.as_bytes());
    with(whole, &[("content_hash", hash.into()), ("signature", signature.into())])
}

fn hashes(iocs: &[Value]) -> Vec<String> {
    let hash = |ioc: &Value| ioc.get("content_hash").and_then(Value::as_str).unwrap().to_owned();
    iocs.iter().map(hash).collect()
}

/// A feed with these members over these indicators, signed whatever they say.
fn feed(key: &SecretKey, members: Members<'_>, iocs: &[Value]) -> Value {
    let ids = hashes(iocs);
    let plain = Value::object([
        ("version", VERSION.into()),
        ("feed_id", "harbour/core".into()),
        ("issuer", ISSUER.into()),
        ("key_id", key.key_id().to_string().into()),
        ("public_key_pem", key.public().to_pem().into()),
        ("issued_at", 1_800_000_100_i64.into()),
        ("merkle_root", root(ids.iter().map(String::as_str)).into()),
        ("ioc_count", iocs.len().into()),
        ("signature", Value::Null),
        ("iocs", Value::array(iocs.iter().cloned())),
    ]);
    let whole = with(plain, members);
    let manifest = write_receipt(&without(&whole, &["signature", "iocs"])).unwrap();
    with(whole, &[("signature", url_encode(&key.sign(manifest.as_bytes())).into())])
}

/// One of each kind, with everything a string can hold, a revocation and an end.
fn indicators(key: &SecretKey) -> Vec<Value> {
    let text = |text: &str| Value::from(text);
    let one = |members: Members<'_>| indicator(key, members);
    let regex = one(&[
        ("kind", text("regex")),
        ("pattern", text(r"(?i)lower\s+the\s+(?:drawbridge|gangway)")),
        ("severity", text("high")),
        ("categories", Value::array(["\u{ffff}", "b", "\u{1f511}", "a", "b"])),
    ]);
    let revoked = hashes(std::slice::from_ref(&regex));
    vec![
        regex,
        one(&[
            ("pattern", text("quote \" backslash \\ slash / é \u{1f511} \u{7f} \u{2028} \u{1}\t")),
            ("severity", text("critical")),
            ("description", text("line\nline <&>")),
            ("expires_at", 1_900_000_000_i64.into()),
        ]),
        one(&[
            ("kind", text("unicode_signature")),
            ("pattern", text("200B,feff,E0001,10FFFF")),
            ("severity", text("low")),
        ]),
        one(&[
            ("pattern", text("_revocation_")),
            ("severity", text("low")),
            ("revokes", Value::array(revoked)),
        ]),
    ]
}

struct Case {
    name: &'static str,
    document: String,
    pin: SecretKey,
    codes: Vec<Code>,
}

fn cases(key: &SecretKey) -> Vec<Case> {
    let iocs = indicators(key);
    let whole = feed(key, &[], &iocs);
    let mut all = Vec::new();
    let mut case = |name, document: &Value, codes: &[Code]| {
        let (document, codes) = (write_pretty(document), codes.to_vec());
        all.push(Case { name, document, pin: our_key(), codes });
    };
    let text = |text: &str| Value::from(text);
    let edited = |members: Members<'_>| with(whole.clone(), members);
    let of = |iocs: Vec<Value>| edited(&[("iocs", Value::Array(iocs))]);
    let first = |members: Members<'_>| {
        let mut changed = iocs.clone();
        changed[0] = with(changed[0].clone(), members);
        of(changed)
    };
    let resigned = |members: Members<'_>| feed(key, &[], &[indicator(key, members)]);

    case("whole", &whole, &[]);
    case("no indicators", &feed(key, &[], &[]), &[]);
    let mut backwards = iocs.clone();
    backwards.reverse();
    case("another order", &of(backwards), &[]);
    case(
        "signed for, feed id of another's",
        &feed(key, &[("feed_id", text("other/core"))], &iocs),
        &[],
    );

    // Changed after they were signed.
    case(
        "pattern changed",
        &first(&[("pattern", text("x"))]),
        &[Code::IocHash, Code::IocSignature],
    );
    case(
        "end removed",
        &of([&iocs[..1], &[with(iocs[1].clone(), &[("expires_at", Value::Null)])], &iocs[2..]]
            .concat()),
        &[Code::IocHash, Code::IocSignature],
    );
    case(
        "indicator removed",
        &of(iocs[1..].to_vec()),
        &[Code::FeedRoot, Code::FeedCount, Code::FeedSignature],
    );
    case(
        "indicator doubled",
        &of([&iocs[..], &iocs[..1]].concat()),
        &[Code::FeedRoot, Code::FeedCount, Code::FeedSignature, Code::IocDuplicate],
    );
    case("hash blank", &first(&[("content_hash", text(""))]), &[Code::IocHash, Code::FeedRoot]);
    let signature = |at: usize| iocs[at].get("signature").unwrap().clone();
    let swapped = [
        with(iocs[0].clone(), &[("signature", signature(1))]),
        with(iocs[1].clone(), &[("signature", signature(0))]),
    ];
    case("signatures exchanged", &of([&swapped[..], &iocs[2..]].concat()), &[Code::IocSignature]);
    let mine = whole.get("signature").unwrap().as_str().unwrap();
    let other = if mine.starts_with('A') { "B" } else { "A" };
    case(
        "manifest signature changed",
        &edited(&[("signature", format!("{other}{}", &mine[1..]).into())]),
        &[Code::FeedSignature],
    );
    case(
        "manifest signature cut",
        &edited(&[("signature", text(&mine[..84]))]),
        &[Code::FeedSignatureForm],
    );
    case(
        "manifest signature padded",
        &edited(&[("signature", format!("{mine}==").into())]),
        &[Code::FeedSignatureForm],
    );
    let last = mine.chars().last().unwrap();
    let alias = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let alias = alias.as_bytes()[alias.find(last).unwrap() + 1] as char;
    case(
        "manifest signature in another spelling",
        &edited(&[("signature", format!("{}{alias}", &mine[..85]).into())]),
        &[Code::FeedSignatureForm],
    );
    case("time moved", &edited(&[("issued_at", 1_800_000_101_i64.into())]), &[Code::FeedSignature]);
    case(
        "another version",
        &edited(&[("version", text("another-feed/v1"))]),
        &[Code::FeedVersion, Code::FeedSignature],
    );
    case(
        "key unreadable",
        &edited(&[(
            "public_key_pem",
            text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        )]),
        &[Code::FeedKey],
    );

    // Signed like this.
    case(
        "an indicator in another's name",
        &resigned(&[("issuer", text("alpha.example"))]),
        &[Code::IocIssuer],
    );
    case(
        "an indicator in another key's name",
        &resigned(&[("key_id", text("0123456789abcdef"))]),
        &[Code::IocIssuer],
    );
    case(
        "a key id of another key",
        &feed(key, &[("key_id", text("0123456789abcdef"))], &iocs),
        &[Code::FeedKeyId],
    );
    case("count that lies", &edited(&[("ioc_count", 9_i64.into())]), &[Code::FeedCount]);
    case("unknown kind", &resigned(&[("kind", text("yara"))]), &[Code::IocKind]);
    case("unknown severity", &resigned(&[("severity", text("HIGH"))]), &[Code::IocSeverity]);
    case("empty pattern", &resigned(&[("pattern", text(""))]), &[Code::IocPattern]);
    for (name, pattern) in [
        ("code points with a prefix", "U+200B"),
        ("a surrogate", "D800"),
        ("a code point beyond all", "110000"),
        ("a code point of three digits", "20B"),
        ("a gap between code points", "200B,,FEFF"),
    ] {
        let members = [("kind", text("unicode_signature")), ("pattern", text(pattern))];
        case(name, &resigned(&members), &[Code::IocPattern]);
    }
    case(
        "an end that is text",
        &resigned(&[("expires_at", text("1900000000"))]),
        &[Code::IocMember],
    );
    case(
        "revokes what is no id",
        &resigned(&[("revokes", Value::array(["6c1ea08b8ff4664c"]))]),
        &[Code::IocMember],
    );
    case("time as text", &edited(&[("issued_at", text("1800000100"))]), &[Code::FeedMember]);
    case(
        "time as float",
        &first(&[("issued_at", Value::Float(1_800_000_000.0))]),
        &[Code::IocMember],
    );
    let mut more = whole.clone();
    let Value::Object(members) = &mut more else { panic!("an object") };
    members.push(("note".into(), text("trust me")));
    case("unknown member", &more, &[Code::FeedMember]);
    let more = |ioc: &Value| {
        let mut members = ioc.as_object().unwrap().to_vec();
        members.push(("action".into(), text("ignore")));
        Value::Object(members)
    };
    case(
        "unknown member of an indicator",
        &of([&[more(&iocs[0])], &iocs[1..]].concat()),
        &[Code::IocMember],
    );
    case(
        "end left out",
        &of([&[without(&iocs[0], &["expires_at"])], &iocs[1..]].concat()),
        &[Code::IocMember],
    );
    case("issuer left out", &without(&whole, &["issuer"]), &[Code::FeedMember]);
    case("issuer empty", &feed(key, &[("issuer", text(""))], &[]), &[Code::FeedMember]);
    let crlf = key.public().to_pem().replace('\n', "\r\n");
    case(
        "PEM text with CRLF",
        &feed(key, &[("public_key_pem", text(&crlf))], &iocs),
        &[Code::FeedKey],
    );

    // The whole one under another key, one with a key that signs everything, one that is ambiguous.
    let document = write_pretty(&whole);
    let twice = document.replacen("\"ioc_count\": 4,", "\"ioc_count\": 4,\n  \"ioc_count\": 4,", 1);
    assert_ne!(twice, document);
    let ours = our_key();
    all.push(Case { name: "another pin", document, pin: other_key(), codes: vec![Code::FeedPin] });
    let codes = vec![Code::FeedJson];
    all.push(Case { name: "a member twice", document: twice, pin: ours.clone(), codes });
    let weak = weak_feed();
    all.push(Case {
        name: "key of small order",
        document: weak,
        pin: ours,
        codes: vec![Code::FeedKeyWeak],
    });
    all
}

/// A feed under the identity point, whose one signature is good for every text.
fn weak_feed() -> String {
    let mut point = [0_u8; 32];
    point[0] = 1;
    let der = [&seal::hex::decode("302a300506032b6570032100").unwrap()[..], &point].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        seal::base64::std_encode(&der)
    );
    let key_id = &Digest::of(pem.as_bytes()).hex()[..16];
    let signature = url_encode(&[&point[..], &[0; 32]].concat());
    let members = [("public_key_pem", pem.as_str().into()), ("key_id", key_id.into())];
    let whole = feed(&our_key(), &members, &[]);
    write_pretty(&with(whole, &[("signature", signature.into())]))
}

fn judged(document: &str, pin: &PublicKey) -> Report {
    let pins = [Pin::new(pin.clone())];
    judge(document.as_bytes(), &Judge { pins: &pins, ..Judge::default() }).report
}

fn generate() -> String {
    let key = our_key();
    let iocs = indicators(&key);
    let whole = write_pretty(&feed(&key, &[], &iocs));
    let read = feed::read(whole.as_bytes()).unwrap();
    let ids = hashes(&iocs);
    let bodies = iocs.iter().zip(&read.iocs).map(|(value, signed)| {
        let preimage = write_receipt(&{
            let mut body = without(value, &["content_hash", "signature"]);
            *body.get_mut("categories").unwrap() = Value::array(&signed.ioc.categories);
            body
        });
        Value::object([
            ("preimage", preimage.unwrap().into()),
            ("content_hash", signed.content_hash.into()),
            ("signature", url_encode(&signed.signature).into()),
        ])
    });
    let cases = cases(&key).into_iter().map(|case| {
        let report = judged(&case.document, case.pin.public());
        Value::object([
            ("name", Value::from(case.name)),
            ("pin", case.pin.public().to_pem().into()),
            ("codes", Value::array(errors(&report).into_iter().map(Code::id))),
            ("exit", report.exit_class().as_str().into()),
            ("document", case.document.into()),
        ])
    });
    write_pretty(&Value::object([
        ("format", "countersign feed vectors v1".into()),
        ("seed", seal::hex::encode(&*key.seed()).into()),
        ("public_key_pem", key.public().to_pem().into()),
        ("key_id", key.key_id().to_string().into()),
        ("feed", read.to_json().into()),
        ("root_preimage", root_preimage(ids.iter().map(String::as_str)).into()),
        ("manifest_preimage", read.manifest().into()),
        ("indicators", Value::array(bodies)),
        ("cases", Value::array(cases)),
    ]))
}

#[test]
fn the_file_is_what_the_generator_makes() {
    golden(FILE, &generate());
}

#[test]
fn every_case_has_the_codes_it_was_made_for() {
    for case in cases(&our_key()) {
        let report = judged(&case.document, case.pin.public());
        for code in &case.codes {
            assert!(report.has(*code), "{}: {:?}", case.name, report.findings);
        }
        assert_eq!(report.ok(), case.codes.is_empty(), "{}: {:?}", case.name, report.findings);
    }
}

#[test]
fn the_file_is_read_and_made_again() {
    let bytes = std::fs::read(crate::common::root().join(FILE)).unwrap();
    let file = parse(&bytes, Limits::DOCUMENT).unwrap();
    let text = |value: &Value, name: &str| value.get(name).unwrap().as_str().unwrap().to_owned();
    let feed = feed::read(text(&file, "feed").as_bytes()).unwrap();
    assert_eq!(feed.to_json(), text(&file, "feed"));
    assert_eq!(feed.manifest(), text(&file, "manifest_preimage"));
    let key = our_key();
    let vectors = file.get("indicators").unwrap().as_array().unwrap();
    assert_eq!(vectors.len(), feed.iocs.len());
    for (signed, vector) in feed.iocs.iter().zip(vectors) {
        assert_eq!(signed.ioc.preimage(), text(vector, "preimage"));
        assert_eq!(signed.ioc.clone().sign(&key).unwrap(), *signed);
        assert_eq!(url_encode(&signed.signature), text(vector, "signature"));
        // By itself, as by the feed.
        let alone = seal::json::write_plain(&signed.to_value());
        assert_eq!(ioc::read(alone.as_bytes()).unwrap(), *signed);
        signed.verify(key.public(), ISSUER).unwrap();
        assert!(signed.verify(key.public(), "alpha.example").is_err());
        assert!(signed.verify(other_key().public(), ISSUER).is_err());
    }
    for vector in file.get("cases").unwrap().as_array().unwrap() {
        let pin = PublicKey::from_pem(&text(vector, "pin")).unwrap();
        let report = judged(&text(vector, "document"), &pin);
        let codes = Value::array(errors(&report).into_iter().map(Code::id));
        assert_eq!(Some(&codes), vector.get("codes"), "{}", text(vector, "name"));
        assert_eq!(report.exit_class().as_str(), text(vector, "exit"));
    }
}

#[test]
fn code_points_have_one_form() {
    assert_eq!(code_points("200B,e0001,10FFFF").unwrap(), ['\u{200b}', '\u{e0001}', '\u{10ffff}']);
    for bad in ["", "200B,", "U+200B", "20B", "0200B00", "D800", "110000", " 200B", "200B, FEFF"] {
        assert!(code_points(bad).is_err(), "{bad:?}");
    }
}
