//! The checklist of what a verifier must refuse, numbered as the format numbers it (1 to 70).

use std::fmt;

use record::capability::{self, Statement, Terms};
use record::receipt::{Receipt, sign};
use record::report::{Code, ExitClass};
use record::{SignedReceipt, Verdict};
use seal::Signer;
use seal::json::{Value, write_plain};

use crate::common::*;
use Code::*;

/// One variant of one case.
pub struct Case {
    /// In the checklist.
    pub number: u8,
    pub name: String,
    pub input: Input,
    pub code: Code,
    pub exit: ExitClass,
}

/// What is put before the verifier. Key 1 signs what surrounds the case and is trusted, as is
/// key 2.
pub enum Input {
    /// A token: judged alone and as a line of a chain.
    Token(String),
    /// Lines of a chain; the finding is about this one of them.
    Lines(Vec<String>, usize),
    /// The same under these statements.
    Under(Vec<Statement>, Vec<String>, usize),
    /// A statement that does not hold, or its file that cannot be read.
    Statement(Vec<u8>),
    /// The bytes that a file ends in, without newline.
    Tail(Vec<u8>),
    /// No receipts at all.
    Nothing,
    /// A chain that ends too early for who noted its head or its count.
    ShortOfHead,
    ShortOfCount,
    /// A trust file that must not be read, as text; what its refusal must say.
    Keys(String, &'static str),
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case {} ({})", self.number, self.name)
    }
}

struct List(Vec<Case>);

impl List {
    fn add(&mut self, number: u8, name: impl Into<String>, input: Input, code: Code) {
        let exit = code.exit();
        self.0.push(Case { number, name: name.into(), input, code, exit });
    }

    fn token(&mut self, number: u8, name: impl Into<String>, jws: String, code: Code) {
        self.add(number, name, Input::Token(jws), code);
    }

    fn line(&mut self, number: u8, name: impl Into<String>, line: String, code: Code) {
        self.add(number, name, Input::Lines(vec![line], 0), code);
    }

    fn chain(&mut self, number: u8, name: impl Into<String>, receipts: &[Receipt], code: Code) {
        let lines = receipts.iter().map(|receipt| line_of(&signed(receipt.clone()).jws)).collect();
        self.add(number, name, Input::Lines(lines, receipts.len() - 1), code);
    }
}

/// Every way to spoil a receipt, a chain or a statement that the format's checklist names.
pub fn cases() -> Vec<Case> {
    let mut list = List(Vec::new());
    header_cases(&mut list);
    key_cases(&mut list);
    segment_cases(&mut list);
    json_cases(&mut list);
    member_cases(&mut list);
    list_cases(&mut list);
    link_cases(&mut list);
    envelope_cases(&mut list);
    statement_cases(&mut list);
    later_version_cases(&mut list);
    list.0
}

/// The payload of a good root.
fn good() -> String {
    String::from_utf8(seal::jws::split(&parent().jws, 65_536).unwrap().payload).unwrap()
}

/// A root with its header changed.
fn head(from: &str, to: &str) -> String {
    let changed = header().replacen(from, to, 1);
    assert_ne!(changed, header(), "{from} is in no header");
    forge(changed, good())
}

/// A root with its payload changed.
fn body(from: &str, to: &str) -> String {
    let changed = good().replacen(from, to, 1);
    assert_ne!(changed, good(), "{from} is in no payload");
    forge(header(), changed)
}

/// A root with one member set.
fn set(member: &str, value: impl Into<Value>) -> String {
    spoiled(&parent(), member, Some(value.into()))
}

/// A model call with one member set.
fn set_call(member: &str, value: impl Into<Value>) -> String {
    spoiled(&signed(model_call(&parent())), member, Some(value.into()))
}

fn texts(items: &[&str]) -> Value {
    Value::array(items.iter().copied())
}

fn header_cases(list: &mut List) {
    list.token(1, "alg none", head("EdDSA", "none"), ReceiptHeader);
    list.token(2, "alg HS256", head("EdDSA", "HS256"), ReceiptHeader);
    list.token(2, "alg ES256", head("EdDSA", "ES256"), ReceiptHeader);
    list.token(3, "header typ JWT", head("provenance-receipt/v1", "JWT"), ReceiptHeader);
    list.token(4, "payload typ", set("typ", "provenance-receipt/v2"), ReceiptType);
    let crit = "[\"raucle/v1\"]";
    list.token(5, "crit missing", head("\"crit\":[\"raucle/v1\"],", ""), ReceiptHeader);
    list.token(5, "crit null", head(crit, "null"), ReceiptHeader);
    list.token(5, "crit text", head(crit, "\"raucle/v1\""), ReceiptHeader);
    list.token(5, "crit object", head(crit, "{\"raucle/v1\":true}"), ReceiptHeader);
    list.token(5, "crit empty", head(crit, "[]"), ReceiptHeader);
    list.token(6, "crit b64", head(crit, "[\"raucle/v1\",\"b64\"]"), ReceiptHeader);
    list.token(6, "crit b64 first", head(crit, "[\"b64\",\"raucle/v1\"]"), ReceiptHeader);
    list.token(7, "crit twice", head(crit, "[\"raucle/v1\",\"raucle/v1\"]"), ReceiptHeader);
    list.token(8, "profile", head("\"provenance\"", "\"verdict\""), ReceiptHeader);
    list.token(9, "header member", head("\"}", "\",\"x-acme\":1}"), ReceiptHeader);
    list.token(9, "header key", head(",\"kid\"", ",\"jwk\":{},\"kid\""), ReceiptHeader);
    let (one, two) = (key(1).key_id().to_string(), key(2).key_id().to_string());
    list.token(10, "kid of another", head(&one, &two), ReceiptHeader);
    for bad in ["ABCDEF0123456789", "abc", "0123456789abcdef0", "0123456789abcdeg", ""] {
        let header = header().replace(&one, bad);
        let jws = forge(header, good().replace(&one, bad));
        list.token(11, format!("kid {bad:?}"), jws, ReceiptKeyId);
    }
}

fn key_cases(list: &mut List) {
    let stranger = Receipt::user_input(agent(), key(5).key_id(), T0, digest("hello"));
    list.token(12, "unknown key", sign(&stranger, &key(5)).unwrap().jws, ReceiptKeyUnknown);
    // A statement is where a key comes with an id of its own beside it.
    let mut renamed = capability::issue(terms(2), &key(2)).unwrap();
    renamed.key_id = key(3).key_id();
    statement(list, 13, "id of another key", renamed, CapKey);
    let mut swapped = capability::issue(terms(2), &key(2)).unwrap();
    swapped.public_key = key(3).public().clone();
    statement(list, 13, "another key under the id", swapped, CapKey);
    // In a trust file ids are made from the keys.
    let entry = |key: &str| {
        format!("version: 1\nkeys:\n  - name: a\n    purpose: receipts\n    key: {key:?}\n")
    };
    let keys: [(&str, &str); 4] = [
        // id-X25519, RFC 8410
        ("X25519", "MCowBQYDK2VuAyEAcSZR9FC6BbY4mLme9fe6RWMujiUn9/cVzWcexAJMxR4="),
        (
            "P-256",
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==",
        ),
        // Of order one: a signature by it says nothing.
        ("small order", "MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("no DER", "aGVsbG8="),
    ];
    for (name, body) in keys {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        list.add(13, name, Input::Keys(entry(&pem), "is not usable"), TrustNone);
    }
    let pem = key(3).to_pem();
    list.add(13, "private key", Input::Keys(entry(&pem), "is not usable"), TrustNone);
    let twice = entry(&key(3).public().to_pem());
    let again = twice.split_once("keys:\n").unwrap().1.replace("name: a", "name: b");
    list.add(13, "key twice", Input::Keys(twice + &again, "already there"), TrustNone);

    let root = parent();
    let (input, signature) = root.jws.rsplit_once('.').unwrap();
    let foreign = seal::base64::url_encode(&key(2).sign(input.as_bytes()));
    list.token(14, "by another key", format!("{input}.{foreign}"), ReceiptSignature);
    let zero = seal::base64::url_encode(&[0; 64]);
    list.token(14, "of zeros", format!("{input}.{zero}"), ReceiptSignature);
    list.token(14, "empty", format!("{input}."), ReceiptSignature);
    for cut in [1, 84, 85] {
        let jws = format!("{input}.{}", &signature[..cut]);
        list.token(14, format!("cut to {cut}"), jws, ReceiptSignature);
    }
    // S + L is the same number modulo L: the same signature for who does not look.
    let mut bytes: [u8; 64] = seal::base64::url_decode(signature).unwrap().try_into().unwrap();
    add_order(&mut bytes);
    let jws = format!("{input}.{}", seal::base64::url_encode(&bytes));
    list.token(14, "S beyond the order", jws, ReceiptSignature);
}

/// Adds the order of the group, little-endian, to the second half of a signature.
fn add_order(signature: &mut [u8; 64]) {
    let order =
        seal::hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order.unwrap()) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
}

fn segment_cases(list: &mut List) {
    let root = parent();
    let (input, signature) = root.jws.rsplit_once('.').unwrap();
    let (head, payload) = input.split_once('.').unwrap();
    let last = flip_last(signature);
    list.token(15, "signature", format!("{input}.{}{last}", &signature[..85]), ReceiptEncoding);
    // Validly signed all the same: the signature covers the text with the stray bits.
    for part in ["header", "payload"] {
        // A segment whose length is no multiple of four has unused bits at its end.
        let (mut header, mut body) = (header(), good());
        let mut jws = String::new();
        for _ in 0..3 {
            let (a, b) = (encode(&header), encode(&body));
            let target = if part == "header" { &a } else { &b };
            if !target.len().is_multiple_of(4) {
                let stray = format!("{}{}", &target[..target.len() - 1], flip_last(target));
                let input = match part {
                    "header" => format!("{stray}.{b}"),
                    _ => format!("{a}.{stray}"),
                };
                jws = format!("{input}.{}", encode_bytes(&key(1).sign(input.as_bytes())));
                break;
            }
            header.insert(1, ' ');
            body.insert(1, ' ');
        }
        list.token(15, part, jws, ReceiptEncoding);
    }
    list.token(16, "signature ==", format!("{input}.{signature}=="), ReceiptEncoding);
    list.token(16, "signature =", format!("{input}.{signature}="), ReceiptEncoding);
    for (part, input) in [
        ("header", format!("{head}=.{payload}")),
        ("header ==", format!("{head}==.{payload}")),
        ("payload", format!("{head}.{payload}=")),
        ("payload ==", format!("{head}.{payload}==")),
    ] {
        let jws = format!("{input}.{}", encode_bytes(&key(1).sign(input.as_bytes())));
        list.token(16, part, jws, ReceiptEncoding);
    }
    for stray in ["+", "/"] {
        let jws = format!("{input}.{stray}{}", &signature[1..]);
        list.token(17, format!("signature {stray}"), jws, ReceiptEncoding);
        let input = format!("{head}.{}{stray}", &payload[..payload.len() - 1]);
        let jws = format!("{input}.{}", encode_bytes(&key(1).sign(input.as_bytes())));
        list.token(17, format!("payload {stray}"), jws, ReceiptEncoding);
    }
    for junk in ["!!!!", "\n", " ", "\0", "%3D", "*"] {
        let jws = format!("{input}.{}{junk}{}", &signature[..8], &signature[8..]);
        list.token(18, format!("signature {junk:?}"), jws, ReceiptEncoding);
        let jws = format!("{}{junk}{}.{signature}", &input[..8], &input[8..]);
        list.token(18, format!("header {junk:?}"), jws, ReceiptEncoding);
    }
    list.token(19, "no segments", String::new(), ReceiptEncoding);
    list.token(19, "one segment", head.to_string(), ReceiptEncoding);
    list.token(19, "two segments", input.to_string(), ReceiptEncoding);
    list.token(19, "four segments", format!("{}.{signature}", root.jws), ReceiptEncoding);
    list.token(19, "five segments", format!("{}.a.b", root.jws), ReceiptEncoding);
    list.token(14, "three empty segments", "..".to_string(), ReceiptSignature);
    list.token(20, "non-ASCII", format!("é{}", root.jws), ReceiptEncoding);
    list.token(20, "full width", root.jws.replacen('e', "ｅ", 1), ReceiptEncoding);
}

fn encode(text: &str) -> String {
    encode_bytes(text.as_bytes())
}

fn encode_bytes(bytes: &[u8]) -> String {
    seal::base64::url_encode(bytes)
}

fn json_cases(list: &mut List) {
    for payload in ["[]", "\"a\"", "null", "1", "true"] {
        list.token(21, format!("payload {payload}"), forge(header(), payload), ReceiptType);
    }
    let typ = ",\"typ\":\"provenance-receipt/v1\"}";
    list.token(22, "member twice", body("}", typ), ReceiptCanonical);
    let nested = body("}", ",\"x_a\":{\"b\":1,\"b\":1}}");
    list.token(22, "member of a member twice", nested, ReceiptCanonical);
    let escaped = body("}", ",\"t\\u0079p\":\"provenance-receipt/v1\"}");
    list.token(22, "member twice, escaped", escaped, ReceiptCanonical);
    list.token(23, "white space", body(":", ": "), ReceiptCanonical);
    list.token(23, "newline at the end", forge(header(), good() + "\n"), ReceiptCanonical);
    let unsorted = body("{\"agent_id\":\"agent:test\",", "{\"zzz\":1,");
    list.token(23, "unsorted", unsorted, ReceiptCanonical);
    let unsorted = body("}", ",\"x_b\":1,\"x_a\":1}");
    list.token(23, "unsorted extensions", unsorted, ReceiptCanonical);
    let astral = body("}", ",\"x_\u{e000}\":1,\"x_🔑\":1}");
    list.token(23, "sorted by code point", astral, ReceiptCanonical);
    list.token(23, "\\/", body("raucle-detect/", "raucle-detect\\/"), ReceiptCanonical);
    list.token(23, "\\u005f", body("user_input", "user\\u005finput"), ReceiptCanonical);
    list.token(23, "\\u00e9", body("external_user", "\\u00e9"), ReceiptCanonical);
    list.token(23, "\\u000A", body("}", ",\"x_a\":\"\\u000A\"}"), ReceiptCanonical);
    list.token(23, "-0", body(&T0.to_string(), "-0"), ReceiptCanonical);
    list.token(23, "extension -0", body("}", ",\"x_a\":-0}"), ReceiptCanonical);
    let spaced = forge(header().replace(':', ": "), good());
    list.token(24, "header spaced", spaced, ReceiptCanonical);
    list.token(24, "header twice", head("{", "{\"alg\":\"EdDSA\","), ReceiptCanonical);
    let last = forge(
        header().replace("\"alg\":\"EdDSA\",", "").replace("\"}", "\",\"alg\":\"EdDSA\"}"),
        good(),
    );
    list.token(24, "header unsorted", last, ReceiptCanonical);
    list.token(24, "header escaped", head("raucle/v1\":", "raucle\\/v1\":"), ReceiptCanonical);
    list.token(25, "high surrogate", body("external_user", "\\ud800"), ReceiptJson);
    list.token(25, "low surrogate", body("external_user", "\\udc00"), ReceiptJson);
    list.token(25, "two high", body("external_user", "\\ud800\\ud800"), ReceiptJson);
    list.token(25, "in a key", body("}", ",\"x_\\ud800\":1}"), ReceiptJson);
    list.token(25, "in the header", head("provenance\"", "\\ud800\""), ReceiptJson);
    let bytes = |bytes: &[u8]| forge(header(), bytes);
    list.token(26, "invalid UTF-8", bytes(&[good().as_bytes(), b"\xff"].concat()), ReceiptJson);
    let mut overlong = good().into_bytes();
    overlong.splice(12..13, [0xc0, 0xaf]);
    list.token(26, "overlong UTF-8", bytes(&overlong), ReceiptJson);
    list.token(26, "byte order mark", forge(header(), format!("\u{feff}{}", good())), ReceiptJson);
    let marked = forge(format!("\u{feff}{}", header()), good());
    list.token(26, "byte order mark of the header", marked, ReceiptJson);
    let wide: Vec<u8> = good().encode_utf16().flat_map(u16::to_le_bytes).collect();
    list.token(26, "UTF-16LE", bytes(&wide), ReceiptJson);
    let wide: Vec<u8> = good().encode_utf16().flat_map(u16::to_be_bytes).collect();
    list.token(26, "UTF-16BE", bytes(&wide), ReceiptJson);
    list.token(26, "nothing", bytes(b""), ReceiptJson);
    let iat = T0.to_string();
    for bad in ["1.0", "1e9", "1E9", "1.5", "NaN", "Infinity", "-Infinity", "1e999"] {
        list.token(27, bad, body(&iat, bad), ReceiptCanonical);
    }
    list.token(27, "extension 1.5", body("}", ",\"x_a\":1.5}"), ReceiptCanonical);
    for bad in ["9007199254740992", "-9007199254740992", "9223372036854775808"] {
        list.token(28, bad, body(&iat, bad), ReceiptCanonical);
        list.token(
            28,
            format!("extension {bad}"),
            body("}", &format!(",\"x_a\":{bad}}}")),
            ReceiptCanonical,
        );
    }
    list.token(28, "5,000 digits", body(&iat, &"9".repeat(5_000)), ReceiptCanonical);
    for (name, levels) in [("a level too deep", 32), ("12,000 levels", 12_000)] {
        let deep = format!(",\"x_d\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        list.token(29, name, body("}", &deep), ReceiptLimit);
        let deep = format!(
            ",\"x_d\":{}1{}}}",
            "{\"a\":".repeat(levels.min(5_000)),
            "}".repeat(levels.min(5_000))
        );
        list.token(29, format!("{name} of objects"), body("}", &deep), ReceiptLimit);
    }
    let open = format!(",\"x_d\":{}}}", "[".repeat(12_000));
    list.token(29, "never closed", body("}", &open), ReceiptLimit);
    let deep = head("\"provenance\"", &format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)));
    list.token(29, "header", deep, ReceiptLimit);
    let room = 32_768 - good().len() - ",\"x_a\":\"\"".len();
    let long = body("}", &format!(",\"x_a\":\"{}\"}}", "a".repeat(room + 1)));
    list.token(30, "payload a byte too long", long, ReceiptLimit);
    let root = parent();
    list.token(
        30,
        "token too long",
        format!("{}{}", "A".repeat(65_537 - root.jws.len()), root.jws),
        ReceiptLimit,
    );
    list.token(
        30,
        "header too long",
        head("\"}", &format!("\",\"x\":\"{}\"}}", "a".repeat(5_000))),
        ReceiptLimit,
    );
}

fn member_cases(list: &mut List) {
    let root = parent();
    let without = |member: &str| spoiled(&root, member, None);
    list.token(31, "empty", set("iss", ""), ReceiptMember);
    list.token(31, "missing", without("iss"), ReceiptMember);
    list.token(31, "number", set("iss", 1_i64), ReceiptMember);
    list.token(32, "missing", without("iat"), ReceiptMember);
    list.token(32, "string", set("iat", "1"), ReceiptMember);
    list.token(32, "bool", set("iat", true), ReceiptMember);
    list.token(32, "object", set("iat", Value::Object(vec![])), ReceiptMember);
    list.token(32, "null", set("iat", Value::Null), ReceiptMember);
    list.token(32, "negative", set("iat", -1_i64), ReceiptMember);
    list.token(32, "zero", set("iat", 0_i64), ReceiptMember);
    list.token(33, "missing", without("agent_id"), ReceiptMember);
    list.token(33, "integer", set("agent_id", 1_i64), ReceiptMember);
    let long = format!("agent:{}", "a".repeat(129));
    for bad in [
        "agent:Test",
        "test",
        "agent:",
        "agent:test.",
        "agent:a..b",
        "agent:test\n",
        "agent:a/b",
        &long,
    ] {
        let name: String = bad.chars().take(12).collect();
        list.token(33, format!("{name:?}"), set("agent_id", bad), ReceiptAgentId);
    }
    list.token(34, "unknown", set("operation", "think"), ReceiptOperation);
    list.token(34, "of a vendor", set("operation", "x-acme:foo"), ReceiptOperation);
    list.token(34, "in capitals", set("operation", "User_Input"), ReceiptOperation);
    list.token(34, "array", set("operation", Value::Array(vec![])), ReceiptMember);
    list.token(34, "missing", without("operation"), ReceiptMember);
    for (member, receipt) in required() {
        let name = format!("{} {member}", receipt.receipt.operation);
        list.token(35, format!("{name} absent"), spoiled(&receipt, member, None), ReceiptRequired);
        let empty = spoiled(&receipt, member, Some("".into()));
        list.token(35, format!("{name} empty"), empty, ReceiptOptional);
    }
    let hash = digest("x").to_string();
    for (name, bad) in [
        ("raw text", Value::from("hello")),
        ("capitals", hash.to_uppercase().into()),
        ("hex in capitals", format!("sha256:{}", digest("x").hex().to_uppercase()).into()),
        ("bare", digest("x").hex().into()),
        ("short", hash[..70].into()),
        ("long", format!("{hash}0").into()),
        ("newline", format!("{hash}\n").into()),
        ("another hash", hash.replace("sha256", "sha512").into()),
        ("number", 7_i64.into()),
        ("null", Value::Null),
    ] {
        list.token(36, format!("input_hash {name}"), set("input_hash", bad.clone()), ReceiptHash);
        list.token(36, format!("output_hash {name}"), set_call("output_hash", bad), ReceiptHash);
    }
    list.token(36, "parent", set_call("parents", texts(&["abc"])), ReceiptHash);
    list.token(36, "ruleset", set("ruleset_hash", "rules"), ReceiptHash);
    for name in ["prompt", "x-acme", "X_acme", "exp", "", "raucle/v1"] {
        list.token(37, format!("{name:?}"), set(name, "hello"), ReceiptUnknownMember);
    }
    for bad in ["allow", "clean", "CLEAN ", "BLOCK"] {
        list.token(
            38,
            bad,
            spoiled(&scan(), "guardrail_verdict", Some(bad.into())),
            ReceiptVerdict,
        );
    }
    list.token(39, "tenant null", set("tenant", Value::Null), ReceiptOptional);
    list.token(39, "tenant number", set("tenant", 1_i64), ReceiptOptional);
    for member in ["model", "tool", "corpus", "ruleset_hash", "guardrail_verdict", "output_hash"] {
        list.token(39, format!("{member} empty"), set(member, ""), ReceiptOptional);
    }
    for member in ["model", "tool", "corpus", "ruleset_hash", "guardrail_verdict"] {
        list.token(39, format!("{member} null"), set(member, Value::Null), ReceiptOptional);
        list.token(39, format!("{member} list"), set(member, texts(&["a"])), ReceiptOptional);
    }
}

fn list_cases(list: &mut List) {
    let (root, hash) = (parent(), digest("x").to_string());
    for member in ["parents", "taint"] {
        list.token(40, member, spoiled(&root, member, None), ReceiptMember);
        list.token(41, format!("{member} null"), set(member, Value::Null), ReceiptMember);
        list.token(41, format!("{member} string"), set(member, "a"), ReceiptMember);
        list.token(
            41,
            format!("{member} numbers"),
            set(member, Value::array([1_i64])),
            ReceiptMember,
        );
        list.token(
            41,
            format!("{member} null in it"),
            set(member, Value::array([Value::Null])),
            ReceiptMember,
        );
        list.token(
            41,
            format!("{member} object"),
            set(member, Value::Object(vec![])),
            ReceiptMember,
        );
        let twice = texts(&[hash.as_str(), hash.as_str()]);
        list.token(42, format!("{member} repeated"), set_call(member, twice), ReceiptOrder);
    }
    let (low, high) = (format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64)));
    list.token(42, "parents unsorted", set_call("parents", texts(&[&high, &low])), ReceiptOrder);
    list.token(42, "taint unsorted", set("taint", texts(&["b", "a"])), ReceiptOrder);
    let by_code_point = texts(&["\u{e000}", "🔑"]);
    list.token(42, "taint by code point", set("taint", by_code_point), ReceiptOrder);
    for bad in ["", "a,b", ",", "a\nb", "\u{7f}", "a\u{0}", "\u{85}"] {
        list.token(43, format!("{bad:?}"), set("taint", texts(&[bad])), ReceiptTag);
    }
    for receipt in with_parents() {
        let name = receipt.receipt.operation.as_str();
        let orphan = spoiled(&receipt, "parents", Some(Value::Array(vec![])));
        list.token(44, name, orphan, ReceiptParents);
    }
    list.token(45, "one", set("parents", texts(&[&hash])), ReceiptParents);
    let one = spoiled(&merge(), "parents", Some(texts(&[&hash])));
    list.token(46, "merge of one", one, ReceiptParents);
}

/// What a chain must hold together; the good root is its first line.
fn link_cases(list: &mut List) {
    let root = parent();
    let call = model_call(&root);
    let stray = Receipt { parents: vec![digest("nowhere")], ..call.clone() };
    list.chain(47, "the only parent", &[stray], ChainParent);
    let mut both = vec![root.hash, digest("nowhere")];
    both.sort();
    list.chain(47, "one of two parents", &[Receipt { parents: both, ..call.clone() }], ChainParent);
    let late = signed(user_input_of("late"));
    let lines = vec![line_of(&signed(model_call(&late)).jws), line_of(&late.jws)];
    list.add(48, "child first", Input::Lines(lines, 0), ChainOrder);
    list.chain(49, "a second beyond", &[Receipt { iat: T0 - 301, ..call.clone() }], ChainTime);
    list.chain(49, "the first second", &[Receipt { iat: 1, ..call.clone() }], ChainTime);
    list.chain(50, "all", &[Receipt { taint: tags(&[]), ..call.clone() }], ChainTaint);
    let other = Receipt { taint: tags(&["other"]), ..call.clone() };
    list.chain(50, "another instead", &[other], ChainTaint);
    for (name, taint) in
        [("kept", &["external_user"][..]), ("added", &["new"]), ("both", &["external_user", "new"])]
    {
        let receipt = Receipt { taint: tags(taint), ..sanitisation().receipt };
        list.chain(51, name, &[receipt], ChainSanitised);
    }
    let keeps = Receipt { corpus: Some("removed:other".into()), ..sanitisation().receipt };
    list.chain(51, "clears what it does not name", &[keeps], ChainSanitised);
    for silent in ["x", "removed", "Removed:external_user", "external_user"] {
        let jws = spoiled(&sanitisation(), "corpus", Some(silent.into()));
        list.token(52, silent, jws, ReceiptRemoved);
    }
    for (name, authority) in [("none", vec![]), ("another", vec!["other".to_string()])] {
        let terms = Terms { sanitisation_authority: authority, ..terms(2) };
        under(list, 53, name, terms, sanitisation().receipt, CapSanitise);
    }
    let untagged = Receipt { taint: tags(&["external_user"]), ..with_parents()[2].receipt.clone() };
    list.chain(54, "no tag", &[untagged.clone()], ChainRetrieval);
    let other = Receipt { taint: tags(&["external_user", "rag:other"]), ..untagged };
    list.chain(54, "tag of another corpus", &[other], ChainRetrieval);
}

fn envelope_cases(list: &mut List) {
    let one = signed(user_input_of("one"));
    let line = line_of(&one.jws);
    let other = digest("other").to_string();
    let stated = one.hash.to_string();
    list.line(55, "other", line.replace(&stated, &other), ChainHash);
    list.line(55, "missing", format!("{{\"jws\":\"{}\"}}\n", one.jws), ChainEnvelope);
    for (name, bad) in [
        ("null", "null".to_string()),
        ("bare", format!("\"{}\"", one.hash.hex())),
        ("capitals", format!("\"{}\"", stated.to_uppercase())),
        ("empty", "\"\"".to_string()),
    ] {
        let bad = line.replace(&format!("\"{stated}\""), &bad);
        list.line(55, format!("form {name}"), bad, ChainEnvelope);
    }
    list.line(56, "extra", line.replace('}', ",\"a\":1}"), ChainEnvelope);
    list.line(56, "twice", line.replace('}', ",\"jws\":\"\"}"), ChainEnvelope);
    list.line(56, "jws missing", format!("{{\"receipt_hash\":\"{other}\"}}\n"), ChainEnvelope);
    list.line(56, "both missing", "{}\n".into(), ChainEnvelope);
    list.line(57, "null", "null\n".into(), ChainEnvelope);
    for bad in ["1", "null", "[]", "{}", "true"] {
        let line = format!("{{\"receipt_hash\":\"{other}\",\"jws\":{bad}}}\n");
        list.line(57, format!("jws {bad}"), line, ChainEnvelope);
    }
    for bad in ["[]", "\"a\"", "hello", "1", "{", "}", "[[[[", "\u{feff}{}", "\u{1b}[2J", "{} {}"] {
        list.line(58, bad, format!("{bad}\n"), ChainEnvelope);
    }
    list.line(58, "array of an envelope", format!("[{}]\n", line.trim_end()), ChainEnvelope);
    list.line(58, "two on one line", format!("{}{line}", line.trim_end()), ChainEnvelope);
    list.line(58, "deep", format!("{}\n", "[".repeat(100_000)), ChainEnvelope);
    list.line(58, "long", format!("{}\n", "a".repeat(200_000)), ChainLine);
    list.add(59, "at once", Input::Lines(vec![line.clone(), line.clone()], 1), ChainDuplicate);
    let (spaced, between) = (line.replace(',', " , "), line_of(&signed(user_input_of("x")).jws));
    let lines = vec![line.clone(), between, spaced];
    list.add(59, "later, spelt otherwise", Input::Lines(lines, 2), ChainDuplicate);
    list.add(60, "empty", Input::Nothing, ChainEmpty);
    list.add(60, "head", Input::ShortOfHead, ChainTruncated);
    list.add(60, "count", Input::ShortOfCount, ChainTruncated);
    for cut in [1, 10, 90, line.len() - 3, line.len() - 2] {
        let tail = line.as_bytes()[..cut].to_vec();
        list.add(61, format!("after {cut} bytes"), Input::Tail(tail), ChainTorn);
    }
    list.add(61, "zeros", Input::Tail(vec![0; 700]), ChainTorn);
    let half = [&line.as_bytes()[..200], &[0; 300]].concat();
    list.add(61, "zeros at its end", Input::Tail(half), ChainTorn);
    let rich = |member: &str| line.replace('}', &format!(",{member}}}"));
    list.line(70, "payload beside it", rich("\"payload\":{}"), ChainLegacy);
    list.line(
        70,
        "claims beside it",
        rich("\"operation\":\"user_input\",\"parents\":[]"),
        ChainLegacy,
    );
}

/// Terms for key `n` under which it may do what the cases do.
pub fn terms(n: u8) -> Terms {
    Terms {
        allowed_models: vec!["model-a".into()],
        allowed_tools: vec!["tool-a".into(), "redactor".into()],
        sanitisation_authority: vec!["external_user".into()],
        ..Terms::new(agent(), key(n).public().clone(), T0 - 10)
    }
}

/// A step of key 2, under these terms.
fn under(list: &mut List, number: u8, name: &str, terms: Terms, receipt: Receipt, code: Code) {
    let statement = capability::issue(terms, &key(2)).unwrap();
    let receipt = Receipt { key_id: key(2).key_id(), ..receipt };
    let line = line_of(&sign(&receipt, &key(2)).unwrap().jws);
    list.add(number, name, Input::Under(vec![statement], vec![line], 0), code);
}

fn statement(list: &mut List, number: u8, name: &str, statement: Statement, code: Code) {
    list.add(number, name, Input::Statement(statement.to_json().into_bytes()), code);
}

fn statement_cases(list: &mut List) {
    let good = capability::issue(terms(2), &key(2)).unwrap();
    for (name, widen) in [
        ("models", (|s: &mut Statement| s.allowed_models.clear()) as fn(&mut Statement)),
        ("tools", |s| s.allowed_tools.push("tool-b".into())),
        ("authority", |s| s.sanitisation_authority = vec!["*".into()]),
        ("time", |s| s.expires_at = Some(9_000_000_000)),
        ("agent", |s| s.agent_id = "agent:other".parse().unwrap()),
        ("issuer", |s| s.issuer = "another".into()),
    ] {
        let mut widened = good.clone();
        widen(&mut widened);
        statement(list, 62, name, widened, CapSignature);
    }
    let foreign = capability::issue(terms(2), &key(9)).unwrap();
    statement(list, 62, "issued by nobody trusted", foreign, CapSignature);
    let mut renamed = good.clone();
    renamed.key_id = key(9).key_id();
    statement(list, 62, "key_id of another", renamed, CapKey);
    // A whole and valid statement of key 9, under the id of key 2.
    let mut registered = capability::issue(terms(9), &key(9)).unwrap();
    registered.key_id = key(2).key_id();
    statement(list, 62, "registered under another id", registered, CapKey);

    let by_two = |receipt: Receipt| {
        let receipt = Receipt { key_id: key(2).key_id(), ..receipt };
        line_of(&sign(&receipt, &key(2)).unwrap().jws)
    };
    let call = model_call(&parent());
    let line = by_two(call.clone());
    list.add(63, "another key's", Input::Under(vec![], vec![line], 0), CapMissing);
    let other = Terms { agent_id: "agent:other".parse().unwrap(), ..terms(2) };
    under(list, 64, "another", other, call.clone(), CapAgent);
    let wider = Terms { agent_id: "agent:test.sub".parse().unwrap(), ..terms(2) };
    under(list, 64, "a sub-scope", wider, call.clone(), CapAgent);
    let until = |at| Terms { expires_at: Some(at), ..terms(2) };
    under(list, 65, "at the end", until(call.iat), call.clone(), CapTime);
    under(list, 65, "long after", until(T0 - 9), call.clone(), CapTime);
    let from = |at| Terms { issued_at: at, ..terms(2) };
    under(list, 66, "a second before", from(call.iat + 1), call.clone(), CapTime);
    let model = Terms { allowed_models: vec!["model-b".into()], ..terms(2) };
    under(list, 67, "model", model, call, CapModel);
    let tool = Terms { allowed_tools: vec!["tool-b".into()], ..terms(2) };
    under(list, 67, "tool", tool.clone(), with_parents()[1].receipt.clone(), CapTool);
    under(list, 67, "sanitiser", tool, sanitisation().receipt, CapTool);

    let Value::Object(members) =
        seal::json::parse(good.to_json().as_bytes(), seal::json::Limits::LINE).unwrap()
    else {
        panic!("a statement is an object")
    };
    let mut file = |name: String, members: Vec<(String, Value)>| {
        let text = write_plain(&Value::Object(members));
        list.add(68, name, Input::Statement(text.into_bytes()), CapMalformed);
    };
    for (at, (name, _)) in members.iter().enumerate() {
        for wrong in [true.into(), Value::array([1_i64]), Value::Float(1.5), "".into(), Value::Null]
        {
            if name == "expires_at" && wrong == Value::Null {
                continue;
            }
            let mut changed = members.clone();
            changed[at].1 = wrong.clone();
            file(format!("{name} {}", wrong.kind()), changed);
        }
        let mut without = members.clone();
        without.remove(at);
        // Its absence has a meaning, and is seen by the signature.
        if name != "sanitisation_authority" {
            file(format!("without {name}"), without);
        }
        let mut twice = members.clone();
        twice.push(members[at].clone());
        file(format!("{name} twice"), twice);
    }
    let mut more = members.clone();
    more.push(("more".into(), 1_i64.into()));
    file("unknown member".into(), more);
    let text = good.to_json();
    for (name, bytes) in [
        ("null", b"null".to_vec()),
        ("array", format!("[{text}]").into_bytes()),
        ("empty", Vec::new()),
        ("not UTF-8", [text.as_bytes(), b"\xff"].concat()),
        ("byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("deep", vec![b'['; 60_000]),
        ("long", format!("{text}{}", " ".repeat(64 * 1024)).into_bytes()),
        ("signature unpadded", text.replace("==\"", "\"").into_bytes()),
        ("key with CRLF", text.replace("\\n", "\\r\\n").into_bytes()),
        ("float time", text.replace(&(T0 - 10).to_string(), "1.0").into_bytes()),
        ("time beyond 2^53", text.replace(&(T0 - 10).to_string(), "9007199254740992").into_bytes()),
    ] {
        list.add(68, name, Input::Statement(bytes), CapMalformed);
    }
}

/// The hybrid post-quantum form, which this version does not know: refused in every shape.
fn later_version_cases(list: &mut List) {
    let pq = |pqk: &str| {
        let crit = "[\"raucle/v1\",\"raucle/pq1\"]";
        let header = header().replace("[\"raucle/v1\"]", crit);
        header.replace(
            ",\"raucle/v1\":",
            &format!(",\"pqk\":\"{pqk}\",\"raucle/pq1\":\"ml-dsa-65\",\"raucle/v1\":"),
        )
    };
    let second = seal::base64::url_encode(&[7; 3309]);
    let hybrid = forge(pq("38cbe7cdb3ce5200"), good());
    list.token(69, "whole", format!("{hybrid}.{second}"), ReceiptHeader);
    list.token(69, "second half stripped", hybrid.clone(), ReceiptHeader);
    let (input, _) = hybrid.rsplit_once('.').unwrap();
    let zero = seal::base64::url_encode(&[0; 64]);
    list.token(69, "first half flipped", format!("{input}.{zero}.{second}"), ReceiptHeader);
    let flipped = seal::base64::url_encode(&[8; 3309]);
    list.token(69, "second half flipped", format!("{hybrid}.{flipped}"), ReceiptHeader);
    for pqk in ["0000000000000000", "38CBE7CDB3CE5200", ""] {
        let hybrid = forge(pq(pqk), good());
        list.token(69, format!("pqk {pqk:?}"), format!("{hybrid}.{second}"), ReceiptHeader);
    }
}

/// Another character whose unused low bits differ: same bytes for a lax decoder.
fn flip_last(segment: &str) -> char {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = segment.chars().last().unwrap();
    let at = ALPHABET.find(last).unwrap();
    ALPHABET.chars().nth(at ^ 1).unwrap()
}

/// The good root of every chain here.
pub fn parent() -> SignedReceipt {
    signed(user_input())
}

/// Another root.
pub fn user_input_of(text: &str) -> Receipt {
    Receipt::user_input(agent(), key(1).key_id(), T0, digest(text))
}

pub fn sanitisation() -> SignedReceipt {
    let (parent, removed) = (parent(), tags(&["external_user"]));
    let (a, b) = (digest("a"), digest("b"));
    let id = key(1).key_id();
    signed(
        Receipt::sanitisation(agent(), id, T0 + 2, "redactor", &removed, a, b)
            .parents(&[(parent.hash, &parent.receipt.taint)]),
    )
}

pub fn merge() -> SignedReceipt {
    let (one, two) = (parent(), signed(model_call(&parent())));
    signed(
        Receipt::merge(agent(), key(1).key_id(), T0 + 3, digest("m"))
            .parents(&[(one.hash, &one.receipt.taint), (two.hash, &two.receipt.taint)]),
    )
}

/// One receipt of each operation that needs a parent.
pub fn with_parents() -> Vec<SignedReceipt> {
    let parent = parent();
    let cite = |receipt: Receipt| signed(receipt.parents(&[(parent.hash, &parent.receipt.taint)]));
    let (a, b, id) = (digest("a"), digest("b"), key(1).key_id());
    let at = T0 + 5;
    vec![
        signed(model_call(&parent)),
        cite(Receipt::tool_call(agent(), id, at, "tool-a", a, b)),
        cite(Receipt::retrieval(agent(), id, at, "docs", a, b, false)),
        cite(Receipt::agent_handoff(agent(), id, at, &"agent:other".parse().unwrap(), b)),
        sanitisation(),
        merge(),
    ]
}

pub fn scan() -> SignedReceipt {
    let (a, rules) = (digest("a"), digest("rules"));
    let id = key(1).key_id();
    signed(Receipt::guardrail_scan(agent(), id, T0, a, rules, Verdict::Clean, "input"))
}

/// Each member an operation requires, with a receipt that has it.
fn required() -> Vec<(&'static str, SignedReceipt)> {
    let all = with_parents();
    let of = |at: usize, members: &[&'static str]| {
        members.iter().map(|member| (*member, all[at].clone())).collect::<Vec<_>>()
    };
    let mut list = vec![("input_hash", parent())];
    list.extend(of(0, &["input_hash", "output_hash", "model"]));
    list.extend(of(1, &["input_hash", "output_hash", "tool"]));
    list.extend(of(2, &["input_hash", "output_hash", "corpus"]));
    list.extend(of(3, &["output_hash"]));
    list.extend(of(4, &["input_hash", "output_hash", "tool", "corpus"]));
    list.extend(of(5, &["output_hash"]));
    for member in ["input_hash", "ruleset_hash", "guardrail_verdict"] {
        list.push((member, scan()));
    }
    list
}
