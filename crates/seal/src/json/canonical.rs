//! Recognising the `audit` form without building anything, for readers of millions of lines.
//!
//! It says yes only to what [`parse`](super::parse) accepts and
//! [`write_audit`](super::write_audit) would write byte for byte. Its no means nothing: floats and
//! escapes in names are left to those two, and so is saying what is wrong.

use super::Limits;

/// A member of a canonical object, as it stands in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name; names with escapes are not recognised.
    pub name: &'a str,
    /// Its value's bytes, quotes and escapes included.
    pub value: &'a str,
    /// Where it begins in the document, the comma before it included.
    pub start: usize,
}

/// Hands every member of the object that `document` is to `f`, in order; `false` when it is not
/// recognised as canonical, whatever `f` has seen by then.
pub fn audit_members<'a>(
    document: &'a [u8],
    limits: Limits,
    f: &mut dyn FnMut(Member<'a>),
) -> bool {
    if document.len() > limits.bytes {
        return false;
    }
    let Ok(text) = std::str::from_utf8(document) else { return false };
    let mut scan = Scan { text, bytes: document, at: 0, depth: limits.depth };
    scan.object(Some(f)).is_some() && scan.at == document.len()
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// How many more levels may be opened.
    depth: usize,
}

impl<'a> Scan<'a> {
    fn take(&mut self, byte: u8) -> Option<()> {
        (*self.bytes.get(self.at)? == byte).then(|| self.at += 1)
    }

    fn value(&mut self) -> Option<()> {
        match *self.bytes.get(self.at)? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(None),
            b'[' => self.array(),
            b'-' | b'0'..=b'9' => self.integer(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn array(&mut self) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        self.at += 1;
        if self.take(b']').is_none() {
            loop {
                self.value()?;
                if self.take(b',').is_none() {
                    self.take(b']')?;
                    break;
                }
            }
        }
        self.depth += 1;
        Some(())
    }

    fn object(&mut self, mut each: Option<&mut dyn FnMut(Member<'a>)>) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        self.take(b'{')?;
        if self.take(b'}').is_none() {
            let mut before: Option<&str> = None;
            let mut start = self.at;
            loop {
                let name = self.name()?;
                // By code point, which is the order of UTF-8; and so none twice.
                if before.is_some_and(|before| before >= name) {
                    return None;
                }
                before = Some(name);
                self.take(b':')?;
                let from = self.at;
                self.value()?;
                if let Some(f) = &mut each {
                    f(Member { name, value: &self.text[from..self.at], start });
                }
                start = self.at;
                if self.take(b',').is_none() {
                    self.take(b'}')?;
                    break;
                }
            }
        }
        self.depth += 1;
        Some(())
    }

    fn name(&mut self) -> Option<&'a str> {
        if *self.bytes.get(self.at)? != b'"' {
            return None;
        }
        let from = self.at + 1;
        self.string()?.then(|| &self.text[from..self.at - 1])
    }

    fn integer(&mut self) -> Option<()> {
        let negative = self.take(b'-').is_some();
        let from = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        let minimal = match &self.bytes[from..self.at] {
            [] => false,
            [b'0'] => !negative,
            [first, ..] => *first != b'0',
        };
        let whole = !matches!(self.bytes.get(self.at), Some(b'.' | b'e' | b'E'));
        (minimal && whole).then_some(())
    }

    /// Passes a string; tells whether it is without escapes.
    fn string(&mut self) -> Option<bool> {
        self.at += 1;
        let mut plain = true;
        loop {
            self.skip_ordinary();
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(plain);
                }
                b'\\' => {
                    plain = false;
                    self.escape()?;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    /// Goes on by eights to those that hold a quote, a backslash or a control character, and to
    /// the first of these.
    fn skip_ordinary(&mut self) {
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = LOW << 7;
        const QUOTE: u64 = LOW * b'"' as u64;
        const BACKSLASH: u64 = LOW * b'\\' as u64;
        let zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
        while let Some(eight) = self.bytes.get(self.at..self.at + 8) {
            let Ok(eight) = eight.try_into() else { return };
            let word = u64::from_le_bytes(eight);
            let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
            let special = control | zero(word ^ QUOTE) | zero(word ^ BACKSLASH);
            if special != 0 {
                // Borrows may mark bytes behind the first hit, never before it.
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
    }

    /// An escape, the one that the writer would choose.
    fn escape(&mut self) -> Option<()> {
        let rest = &self.bytes[self.at + 1..];
        let length = match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return None,
        };
        self.at += length;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::{parse, write_audit};

    const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 8 };

    fn recognised(document: &[u8]) -> bool {
        audit_members(document, LIMITS, &mut |_| {})
    }

    fn canonical(document: &[u8]) -> bool {
        let value = parse(document, LIMITS).ok().filter(|value| value.as_object().is_some());
        value.is_some_and(|value| write_audit(&value).is_ok_and(|text| text.as_bytes() == document))
    }

    #[test]
    fn members_are_handed_over() {
        let text = "{\"a\":\"x\\n\",\"b\":[1,{\"c\":null}],\"\u{7f}\":-5}";
        let mut seen = Vec::new();
        let mut see = |member: Member<'_>| {
            seen.push((member.name.to_owned(), member.value.to_owned(), member.start));
        };
        assert!(audit_members(text.as_bytes(), LIMITS, &mut see));
        let expected = [("a", "\"x\\n\"", 1), ("b", "[1,{\"c\":null}]", 10), ("\u{7f}", "-5", 29)];
        let seen: Vec<_> = seen.iter().map(|(n, v, at)| (n.as_str(), v.as_str(), *at)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn yes_means_canonical() {
        for yes in [
            "{}",
            r#"{"":[]}"#,
            r#"{"a":"\u001f\u0000\b\u000b"}"#,
            r#"{"a":{"b":{"c":[[[[0]]]]}}}"#,
            "{\"a\":\"\u{2028}\u{1f511}/ and more than eight bytes\",\"b\":123456789012345678901}",
            "{\"\u{ffff}\":0,\"\u{10000}\":false}",
        ] {
            assert!(recognised(yes.as_bytes()) && canonical(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            "{",
            "[]",
            "1",
            "{} ",
            r#"{"a":1,}"#,
            r#"{"b":1,"a":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":01}"#,
            r#"{"a":-0}"#,
            r#"{"a":-}"#,
            r#"{"a": 1}"#,
            r#"{"a":"\/"}"#,
            r#"{"a":"\u001F"}"#,
            r#"{"a":"\u000a"}"#,
            r#"{"a":"\u000d"}"#,
            r#"{"a":"\u0008"}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\"#,
            r#"{"a":"\u00"#,
            r#"{"a":tru}"#,
            r#"{"a":nullx}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":{"b":{"c":[[[[[[0]]]]]]}}}"#,
            "{\"a\":\"\n\"}",
            "{\"a\":\"1234567\u{1}\"}",
            "{\"a\":\"12345678",
        ] {
            assert!(!recognised(no.as_bytes()), "{no}");
        }
        assert!(!recognised(b"{\"a\":\"\xff\"}"));
    }

    proptest! {
        #[test]
        fn never_more_than_the_parser_and_the_writer(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\"", "\"b\":", "0", "-1",
                    "10", "1.5", "\\n", "\\u001f", "\\u000a", "true", "null", " ", "\u{e9}",
                    "\u{1}", "text of a string",
                ]),
                0..12,
            )
        ) {
            let inside = pieces.concat();
            let as_value = format!("{{\"a\":{inside}}}");
            let as_text = format!("{{\"a\":\"{inside}\"}}");
            for document in [&inside, &as_value, &as_text] {
                let canonical = canonical(document.as_bytes());
                prop_assert!(!recognised(document.as_bytes()) || canonical);
                // Without floats and escaped names it is the same the other way.
                if canonical && !document.contains("1.5") && !document.contains('\\') {
                    prop_assert!(recognised(document.as_bytes()));
                }
            }
        }
    }
}
