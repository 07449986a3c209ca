//! Cases 1 to 30: header, keys, segments and JSON.

use record::capability;
use record::receipt::{Receipt, sign};
use record::report::Code::*;
use seal::Signer;

use super::statements::{statement, terms};
use super::{Input, List, body, good, head, parent, set};
use crate::common::*;

pub fn header_cases(list: &mut List) {
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

pub fn key_cases(list: &mut List) {
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

pub fn segment_cases(list: &mut List) {
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

pub fn json_cases(list: &mut List) {
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

/// Another character whose unused low bits differ: same bytes for a lax decoder.
fn flip_last(segment: &str) -> char {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = segment.chars().last().unwrap();
    let at = ALPHABET.find(last).unwrap();
    ALPHABET.chars().nth(at ^ 1).unwrap()
}
