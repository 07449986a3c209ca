//! Changes to the strings of a document, exact to the byte.

use std::ops::Range;

use seal::json::Value;

use crate::leaves::{find_mut, tokens};

/// One span of one string, and what shall stand there instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// The place of the value; for a key, the place of the member it names.
    pub pointer: String,
    /// Whether the key is edited rather than the value.
    pub key: bool,
    /// The first byte of the span in the unescaped string.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// What takes its place.
    pub replacement: String,
}

impl Edit {
    /// An edit of a value.
    pub fn value(pointer: impl Into<String>, span: Range<usize>, replacement: &str) -> Edit {
        Edit {
            pointer: pointer.into(),
            key: false,
            start: span.start,
            end: span.end,
            replacement: replacement.to_owned(),
        }
    }

    /// The span in the unescaped string.
    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Why edits could not be made. The document may be half edited: drop it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no string at the place.
    #[error("no string at {pointer:?}")]
    NoString {
        /// The place.
        pointer: String,
    },
    /// The span is not within the string or cuts a character.
    #[error("bytes {start}..{end} are not a span of the string at {pointer:?}")]
    BadSpan {
        /// The place.
        pointer: String,
        /// The span's start.
        start: usize,
        /// The span's end.
        end: usize,
    },
    /// A changed key would equal another of the same object.
    #[error("the edited key at {pointer:?} would be a duplicate")]
    DuplicateKey {
        /// The place.
        pointer: String,
    },
}

/// Makes the edits. Spans that overlap in one string are replaced as one, by the replacement of
/// the first of them.
///
/// # Errors
/// An edit that does not fit the document.
pub fn apply(value: &mut Value, edits: &[Edit]) -> Result<(), EditError> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    // Values first, then keys from the deepest up: a pointer is valid until its own keys change.
    edits.sort_by(|a, b| {
        let depth = |edit: &Edit| edit.pointer.matches('/').count();
        let deepest = match a.key && b.key {
            true => depth(b).cmp(&depth(a)),
            false => std::cmp::Ordering::Equal,
        };
        a.key.cmp(&b.key).then(deepest).then_with(|| a.cmp(b))
    });
    for edits in edits.chunk_by(|a, b| a.key == b.key && a.pointer == b.pointer) {
        let (pointer, key) = (&edits[0].pointer, edits[0].key);
        if key { rename(value, pointer, edits)? } else { rewrite(value, pointer, edits)? }
    }
    Ok(())
}

/// One string with the spans replaced; `None` when a span does not fit. Overlapping spans are
/// replaced as one, by the replacement of the first of them.
pub fn apply_text<'e>(
    text: &str,
    spans: impl IntoIterator<Item = (Range<usize>, &'e str)>,
) -> Option<String> {
    let mut spans: Vec<(Range<usize>, &str)> = spans.into_iter().collect();
    spans.sort_by_key(|(span, _)| (span.start, span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, replacement) in spans {
        text.get(span.clone())?;
        if at <= span.start {
            out.push_str(text.get(at..span.start)?);
            out.push_str(replacement);
        }
        at = at.max(span.end);
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

fn rewrite(value: &mut Value, pointer: &str, edits: &[&Edit]) -> Result<(), EditError> {
    match find_mut(value, pointer) {
        Some(Value::String(text)) => {
            *text = replaced(text, edits)?;
            Ok(())
        }
        _ => Err(EditError::NoString { pointer: pointer.to_owned() }),
    }
}

fn rename(value: &mut Value, pointer: &str, edits: &[&Edit]) -> Result<(), EditError> {
    let missing = || EditError::NoString { pointer: pointer.to_owned() };
    let (parent, _) = pointer.rsplit_once('/').ok_or_else(missing)?;
    let name = tokens(pointer).and_then(|mut tokens| tokens.pop()).ok_or_else(missing)?;
    let Some(Value::Object(members)) = find_mut(value, parent) else {
        return Err(missing());
    };
    let new = replaced(&name, edits)?;
    if new != name && members.iter().any(|(key, _)| *key == new) {
        return Err(EditError::DuplicateKey { pointer: pointer.to_owned() });
    }
    let (key, _) = members.iter_mut().find(|(key, _)| *key == name).ok_or_else(missing)?;
    *key = new;
    Ok(())
}

fn replaced(text: &str, edits: &[&Edit]) -> Result<String, EditError> {
    let spans = edits.iter().map(|edit| (edit.span(), edit.replacement.as_str()));
    apply_text(text, spans).ok_or_else(|| {
        let bad = edits.iter().find(|edit| text.get(edit.span()).is_none()).unwrap_or(&edits[0]);
        EditError::BadSpan { pointer: bad.pointer.clone(), start: bad.start, end: bad.end }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::json::{Limits, parse, write_plain};

    fn check(document: &str, edits: &[Edit], expect: Result<&str, EditError>) {
        let mut value = parse(document.as_bytes(), Limits::REQUEST).expect("json");
        let outcome = apply(&mut value, edits).map(|()| write_plain(&value));
        assert_eq!(outcome, expect.map(str::to_owned));
    }

    fn key(pointer: &str, span: Range<usize>, replacement: &str) -> Edit {
        Edit { key: true, ..Edit::value(pointer, span, replacement) }
    }

    #[test]
    fn spans_keys_and_overlaps() {
        check(
            r#"{"k1":{"k2":["one two one","é"]},"z":1.50}"#,
            &[
                Edit::value("/k1/k2/0", 8..11, "C"),
                Edit::value("/k1/k2/0", 0..3, "A"),
                Edit::value("/k1/k2/0", 2..5, "B"),
                Edit::value("/k1/k2/1", 0..2, ""),
                key("/k1", 0..2, "K"),
                key("/k1/k2", 1..2, "K"),
            ],
            Ok(r#"{"K":{"kK":["Awo C",""]},"z":1.5}"#),
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let pointer = "/a".to_owned();
        check(
            r#"{"a":"é"}"#,
            &[Edit::value("/a", 0..1, "")],
            Err(EditError::BadSpan { pointer: pointer.clone(), start: 0, end: 1 }),
        );
        check(
            r#"{"a":"x"}"#,
            &[Edit::value("/a", 0..9, "")],
            Err(EditError::BadSpan { pointer: pointer.clone(), start: 0, end: 9 }),
        );
        check(
            r#"{"a":1}"#,
            &[Edit::value("/a", 0..0, "")],
            Err(EditError::NoString { pointer: pointer.clone() }),
        );
        check(
            r#"{"a":1,"b":2}"#,
            &[key("/a", 0..1, "b")],
            Err(EditError::DuplicateKey { pointer }),
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_of_a_span_survives(text in "[a-z]{0,30}", spans in proptest::collection::vec((0usize..30, 0usize..30), 0..6)) {
            let spans: Vec<Range<usize>> = spans
                .into_iter()
                .map(|(a, b)| a.min(b)..a.max(b))
                .filter(|span| span.end <= text.len())
                .collect();
            let out = apply_text(&text, spans.iter().map(|span| (span.clone(), ""))).expect("spans fit");
            let expect: String = text
                .char_indices()
                .filter(|(at, _)| !spans.iter().any(|span| span.contains(at)))
                .map(|(_, ch)| ch)
                .collect();
            proptest::prop_assert_eq!(out, expect);
        }
    }
}
