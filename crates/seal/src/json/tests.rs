//! The parser's refusals and the writers' bytes.

use super::*;
use JsonErrorKind::*;

const LIMITS: Limits = Limits { bytes: 4096, depth: 8 };

fn refused(document: &[u8]) -> JsonErrorKind {
    match parse(document, LIMITS) {
        Ok(value) => panic!("{:?} was read as {value:?}", String::from_utf8_lossy(document)),
        Err(error) => error.kind,
    }
}

#[test]
fn refusals() {
    for (document, kind) in [
        (&b""[..], Empty),
        (b" \n", Empty),
        (b"\xef\xbb\xbf{}", Bom),
        (b"\"\xff\"", Utf8),
        (b"{\"a\":1,\"a\":2}", DuplicateKey),
        (b"[{\"a\":1,\"\\u0061\":2}]", DuplicateKey),
        (b"\"\\ud800\"", LoneSurrogate),
        (b"\"\\ud800\\u0041\"", LoneSurrogate),
        (b"\"\\udc00\"", LoneSurrogate),
        (b"{\"\\ud800\":1}", LoneSurrogate),
        (b"NaN", NonFinite),
        (b"-Infinity", NonFinite),
        (b"1e999", NonFinite),
        (b"[[[[[[[[[0]]]]]]]]]", TooDeep),
        (b"{} x", Trailing),
        (b"01", Syntax),
        (b"1.", Syntax),
        (b".5", Syntax),
        (b"+1", Syntax),
        (b"1e", Syntax),
        (b"-", Syntax),
        (b"[1,]", Syntax),
        (b"{\"a\":1,}", Syntax),
        (b"{a:1}", Syntax),
        (b"'a'", Syntax),
        (b"\"\n\"", Syntax),
        (b"\"\\x\"", Syntax),
        (b"\"\\u12g4\"", Syntax),
        (b"\"open", Syntax),
        (b"[", Syntax),
        (b"tru", Syntax),
        (b"\xff\xfe{\x00}\x00", Utf8),
    ] {
        assert_eq!(refused(document), kind, "{:?}", String::from_utf8_lossy(document));
    }
    assert_eq!(refused(&vec![b' '; 5000]), TooLong);
}

#[test]
fn many_members_are_checked_for_duplicates() {
    let mut members: Vec<String> = (0..200).map(|n| format!("\"k{n}\":0")).collect();
    assert!(parse(format!("{{{}}}", members.join(",")).as_bytes(), LIMITS).is_ok());
    members.push("\"k7\":1".into());
    assert_eq!(refused(format!("{{{}}}", members.join(",")).as_bytes()), DuplicateKey);
}

#[test]
fn receipt_form() {
    for (document, canonical) in [
        ("{\"b\":1,\"a\":[true,null,-7]}", "{\"a\":[true,null,-7],\"b\":1}"),
        ("{\"a\":3,\"🔑\":2,\"\u{e000}\":1}", "{\"a\":3,\"🔑\":2,\"\u{e000}\":1}"),
        ("{\"\u{e000}\":1,\"🔑\":2,\"a\":3}", "{\"a\":3,\"🔑\":2,\"\u{e000}\":1}"),
        (
            r#""\u0001\b\t\n\f\r\"\\\/\u007f\u2028é""#,
            "\"\\u0001\\b\\t\\n\\f\\r\\\"\\\\/\u{7f}\u{2028}é\"",
        ),
        ("9007199254740991", "9007199254740991"),
        ("-0", "0"),
        (r#""\ud83d\ude00""#, "\"😀\""),
    ] {
        let value = parse(document.as_bytes(), LIMITS).unwrap();
        assert_eq!(write_receipt(&value).unwrap(), canonical);
    }
    for (document, kind, pointer) in [
        ("{\"a\":[0,1.5]}", WriteErrorKind::Float, "/a/1"),
        ("{\"x/y\":9007199254740992}", WriteErrorKind::Range, "/x~1y"),
        ("-9007199254740992", WriteErrorKind::Range, ""),
        ("123456789012345678901234567890", WriteErrorKind::Range, ""),
    ] {
        let value = parse(document.as_bytes(), LIMITS).unwrap();
        assert_eq!(write_receipt(&value), Err(WriteError { kind, pointer: pointer.into() }));
    }
    let twice = Value::object([("a", Value::Null), ("a", Value::Null)]);
    assert_eq!(write_receipt(&twice).unwrap_err().kind, WriteErrorKind::DuplicateKey);
}

#[test]
fn audit_form() {
    for (document, canonical) in [
        ("{\"🔑\":2,\"\u{ffff}\":1}", "{\"\u{ffff}\":1,\"🔑\":2}"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e-5", "1e-05"),
        ("0.0001", "0.0001"),
        ("0.54", "0.54"),
        ("1.0", "1.0"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("123456789012345678.0", "1.2345678901234568e+17"),
        ("5e-324", "5e-324"),
        ("-0.0", "-0.0"),
        ("100.25", "100.25"),
        ("1e100", "1e+100"),
    ] {
        let value = parse(document.as_bytes(), LIMITS).unwrap();
        assert_eq!(write_audit(&value).unwrap(), canonical, "{document}");
    }
}

#[test]
fn plain_and_pretty_keep_document_order() {
    let text = "{\"b\":[1,{}],\"a\":\"x\",\"f\":0.5}";
    let value = parse(text.as_bytes(), LIMITS).unwrap();
    assert_eq!(write_plain(&value), text);
    assert_eq!(
        write_pretty(&value),
        "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": \"x\",\n  \"f\": 0.5\n}\n"
    );
}

#[test]
fn escapes_are_found_at_every_place() {
    let naive = |text: &str| {
        let mut out = "\"".to_owned();
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\u{8}' => out.push_str("\\b"),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\u{c}' => out.push_str("\\f"),
                '\r' => out.push_str("\\r"),
                control if control < ' ' => out.push_str(&format!("\\u{:04x}", control as u32)),
                plain => out.push(plain),
            }
        }
        out + "\""
    };
    let characters = (0..=0xff).chain([0x7ff, 0x800, 0xffff, 0x1_0000, 0x10_ffff]);
    for character in characters.filter_map(char::from_u32) {
        for before in 0..18 {
            for filling in ["a", "!", " ", "#", "\u{1}", "\u{7f}", "\u{e9}", "\u{20ac}"] {
                let text = format!("{}{character}{}", filling.repeat(before), filling.repeat(9));
                let mut written = String::new();
                push_string(&text, &mut written);
                assert_eq!(written, naive(&text));
            }
        }
    }
}
