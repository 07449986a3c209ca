//! Text inside text: tool arguments, tool results and much else are JSON within a JSON string, so
//! a second layer of escapes can hide what a reader at the far end will see.
//!
//! The second reading covers the whole text rather than the string literals found in it: it does
//! not depend on where a quote is thought to open, so no stray quote can shift it out of step.

use std::ops::Range;

/// A text with its JSON escapes resolved, and the way back to the bytes they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unescaped {
    /// The text as the next reader sees it.
    pub text: String,
    /// Positions where the two texts stop running in step: (in `text`, in the source), ascending.
    anchors: Vec<(usize, usize)>,
}

impl Unescaped {
    /// The bytes of the source that a span of [`Unescaped::text`] came from: whole escapes only.
    pub fn source(&self, span: Range<usize>) -> Range<usize> {
        self.back(span.start)..self.back(span.end)
    }

    fn back(&self, at: usize) -> usize {
        let index = self.anchors.partition_point(|(out, _)| *out <= at);
        match index.checked_sub(1).and_then(|index| self.anchors.get(index)) {
            Some((out, source)) => source + (at - out),
            None => at,
        }
    }
}

/// Resolves one layer of JSON escapes; `None` when there is nothing to resolve.
///
/// A backslash before any other character stands for itself. Half a surrogate pair becomes
/// U+FFFD.
pub fn unescape(source: &str) -> Option<Unescaped> {
    let bytes = source.as_bytes();
    let mut from = bytes.iter().position(|&byte| byte == b'\\')?;
    let mut text = String::with_capacity(source.len());
    let mut anchors = Vec::new();
    text.push_str(source.get(..from)?);
    loop {
        match escape(&bytes[from..]) {
            Some((resolved, length)) => {
                anchors.push((text.len(), from));
                text.push(resolved);
                from += length;
                anchors.push((text.len(), from));
            }
            None => {
                text.push('\\');
                from += 1;
            }
        }
        let plain = bytes[from..].iter().position(|&byte| byte == b'\\');
        let next = plain.map_or(bytes.len(), |length| from + length);
        text.push_str(source.get(from..next)?);
        from = next;
        if plain.is_none() {
            break;
        }
    }
    (!anchors.is_empty()).then_some(Unescaped { text, anchors })
}

/// One escape at the start of `bytes`: what it stands for and how long it is.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit(bytes)?;
            let low = bytes.get(6..).and_then(unit).filter(|unit| unit >> 10 == 0x37);
            if let (0xd800..0xdc00, Some(second)) = (first, low) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Some((char::from_u32(code).unwrap_or('\u{fffd}'), 12));
            }
            return Some((char::from_u32(first).unwrap_or('\u{fffd}'), 6));
        }
        _ => return None,
    };
    Some((simple, 2))
}

/// The code unit of a `\uXXXX` at the start of `bytes`.
fn unit(bytes: &[u8]) -> Option<u32> {
    if !bytes.starts_with(b"\\u") {
        return None;
    }
    bytes
        .get(2..6)?
        .iter()
        .try_fold(0, |unit, &byte| Some(unit * 16 + char::from(byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &str) {
        assert_eq!(unescape(source).map(|view| view.text).as_deref(), Some(expect), "{source}");
    }

    #[test]
    fn escapes_resolve() {
        check(r"SECRET\u002f\/NOFORN", "SECRET//NOFORN");
        check(r#"{"a":"x\ny\"z\\n"}"#, "{\"a\":\"x\ny\"z\\n\"}");
        check(r"\ud83d\ude00\ud83d.\ude00", "😀\u{fffd}.\u{fffd}");
        check(r"\q\t", "\\q\t");
        assert_eq!(unescape("plain"), None);
        assert_eq!(unescape(r"C:\x and \u12"), None);
        assert_eq!(unescape("\\"), None);
    }

    #[test]
    fn spans_come_back_whole() {
        let source = r"aé\u0073\ud83d\ude00k\n-end";
        let view = unescape(source).expect("escapes");
        for word in ["s", "s😀", "😀k", "k\n", "é", "-end"] {
            let at = view.text.find(word).expect("in the text");
            let back = view.source(at..at + word.len());
            let slice = &source[back];
            let again = unescape(slice).map_or(slice.to_owned(), |view| view.text);
            assert_eq!(again, word);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_char_maps_to_its_escape(source in r#"([a-zé😀"/]|\\[\\"/bfnrtuq]|\\u[0-9a-f]{4}){0,40}"#) {
            if let Some(view) = unescape(&source) {
                let mut end = 0;
                for (at, ch) in view.text.char_indices() {
                    let back = view.source(at..at + ch.len_utf8());
                    proptest::prop_assert_eq!(back.start, end);
                    proptest::prop_assert!(source.get(back.clone()).is_some());
                    end = back.end;
                }
                proptest::prop_assert_eq!(end, source.len());
            }
        }
    }
}
