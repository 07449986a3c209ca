//! The list of subjects as [`Statement::write`](super::Statement::write) spells it, written and read
//! without a value of each of its parts: a statement may have hundreds of thousands.
//!
//! A no means nothing: what is spelled otherwise is read as any JSON is, and so is what is wrong.

use seal::digest::Digest;
use seal::json::{MAX_SAFE_INTEGER, push_string};

use super::Subject;
use crate::shape::{ITEMS, is_text};

/// What stands before the list.
const BEFORE: &str = ",\"subject\":[";
/// What stands behind it: it is the last member.
const BEHIND: &str = "]}";

/// Appends the member and the end of the payload.
pub fn write(subjects: &[Subject], out: &mut String) {
    out.reserve(subjects.iter().map(|one| 180 + one.role.len() + one.path.len()).sum());
    out.push_str(BEFORE);
    for (at, one) in subjects.iter().enumerate() {
        out.push_str(if at > 0 {
            ",{\"annotations\":{\"role\":"
        } else {
            "{\"annotations\":{\"role\":"
        });
        push_string(&one.role, out);
        if let Some(salt) = &one.salt {
            out.push_str(",\"salt\":\"");
            push_hex(salt, out);
            out.push('"');
        }
        out.push_str(",\"size\":");
        push_size(one.size, out);
        out.push_str("},\"digest\":{\"sha256\":\"");
        push_hex(&one.digest, out);
        out.push_str("\"},\"name\":");
        push_string(&one.path, out);
        out.push('}');
    }
    out.push_str(BEHIND);
}

fn push_hex(digest: &Digest, out: &mut String) {
    // digits are ASCII
    out.push_str(std::str::from_utf8(&seal::hex::digits(digest.as_bytes())).unwrap_or_default());
}

/// Appends a number.
pub fn push_size(size: u64, out: &mut String) {
    use std::fmt::Write as _;
    // writing into a String cannot fail
    let _ = write!(out, "{size}");
}

/// The subjects of a payload, and the payload with the first of them only.
///
/// What stands before the list must make a whole document with that one subject in it, which the
/// caller finds out; then it is a document with all of them, too, and each was judged as the schema
/// judges it.
pub fn read(payload: &[u8]) -> Option<(String, Vec<Subject>)> {
    let text = std::str::from_utf8(payload).ok()?;
    let start = text.find(BEFORE)? + BEFORE.len();
    let (mut subjects, mut first) = (Vec::new(), None);
    let mut rest = Rest(text.get(start..)?);
    loop {
        subjects.push(subject(&mut rest)?);
        let end = text.len() - rest.0.len();
        first = first.or(Some(end));
        match rest.take(",") {
            Some(()) => {}
            None => break,
        }
    }
    if rest.0 != BEHIND || subjects.len() > ITEMS {
        return None;
    }
    let frame = text.get(..first?)?;
    Some((format!("{frame}{BEHIND}"), subjects))
}

fn subject(rest: &mut Rest<'_>) -> Option<Subject> {
    rest.take("{\"annotations\":{\"role\":\"")?;
    let role = rest.text()?;
    let salt = match rest.take(",\"salt\":\"") {
        Some(()) => Some(rest.digest()?),
        None => None,
    };
    rest.take(",\"size\":")?;
    let size = rest.size()?;
    rest.take("},\"digest\":{\"sha256\":\"")?;
    let digest = rest.digest()?;
    rest.take("},\"name\":\"")?;
    let path = rest.text()?;
    rest.take("}")?;
    Some(Subject { role: role.to_owned(), path: path.to_owned(), digest, size, salt })
}

/// What is not read yet.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn take(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A text without escapes, up to its closing quote.
    fn text(&mut self) -> Option<&'t str> {
        let end = self.0.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        is_text(text).then_some(text)
    }

    fn digest(&mut self) -> Option<Digest> {
        let (digits, rest) = self.0.split_at_checked(64)?;
        self.0 = rest.strip_prefix('"')?;
        Digest::from_hex(digits)
    }

    fn size(&mut self) -> Option<u64> {
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        digits.parse().ok().filter(|size| *size <= MAX_SAFE_INTEGER as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seal::json::write_receipt;

    use super::super::tests::sample;
    use super::super::{Statement, StatementError};
    use super::*;

    fn many() -> Statement {
        let subject = |n: u64| Subject {
            role: if n.is_multiple_of(3) { "templates".into() } else { "tools \u{e9}".into() },
            path: format!("app/{n}.txt"),
            digest: Digest::of(&n.to_le_bytes()),
            size: n * n * n,
            salt: n.is_multiple_of(2).then(|| Digest::of(&n.to_be_bytes())),
        };
        Statement { subjects: (0..20).map(subject).collect(), ..sample() }
    }

    /// Both ways to read a payload, which are one.
    fn both(payload: &[u8]) -> Result<(Statement, Digest), StatementError> {
        let one = Statement::read_stated(payload);
        assert_eq!(one, Statement::read_whole(payload), "{}", String::from_utf8_lossy(payload));
        one
    }

    #[test]
    fn it_is_spelled_as_the_canonical_form_is() {
        let mut odd = many();
        odd.subjects[1].path = "a \"quote\" and a \\".into();
        odd.subjects[2].path = "\u{1f600}\u{2028}\u{fffd}".into();
        for statement in [sample(), many(), odd, Statement { subjects: Vec::new(), ..sample() }] {
            let text = statement.write();
            assert_eq!(text, write_receipt(&statement.to_value()).unwrap());
            let quick = read(text.as_bytes()).map(|(_, subjects)| subjects);
            let plain = !text.contains('\\') && !statement.subjects.is_empty();
            assert_eq!(quick, plain.then(|| statement.subjects.clone()));
            let _ = both(text.as_bytes());
        }
    }

    #[test]
    fn another_spelling_is_read_as_well_and_a_fault_is_told_as_ever() {
        let text = many().write();
        assert!(both(text.as_bytes()).is_ok());
        for (from, to, good) in [
            ("},{\"annotations\"", "}, {\"annotations\"", true),
            ("\"size\":8}", "\"size\":8 }", true),
            ("app/7.txt", "app/\\u0037.txt", true),
            ("\"size\":8", "\"size\":08", false),
            ("\"size\":8", "\"size\":9007199254740992", false),
            ("\"size\":8", "\"size\":8.0", false),
            ("app/7.txt", "app/7\u{85}.txt", false),
            ("app/7.txt", "", false),
            ("\"name\":\"app/7.txt\"", "\"name\":\"app/7.txt\",\"x\":1", false),
            ("\"subject\":[", "\"subject\":[],\"subject\":[", false),
            ("\"subject\":[", "\"predicate\":1,\"subject\":[", false),
            ("\"prompt\":{}", "\"prompt\":{\"a\":1,\"subject\":[]}", false),
            ("\"prompt\":{}", "\"prompt\":{\"a\":\",\\\"subject\\\":[\"}", false),
            ("internal", ",\\\"subject\\\":[{", true),
            ("]}", "]}]}", false),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            assert_eq!(both(changed.as_bytes()).is_ok(), good, "{changed}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_changed_is_read_in_one_way(
            at in 0usize..6000,
            gone in 0usize..40,
            put in prop::sample::select(vec![
                "", "\"", "\\", "}", "]}", "[", ",", "0", "\n", "{}", "\"subject\":[", "\u{7f}", "\u{0}", "é",
            ]),
        ) {
            let text = many().write();
            let at = text.floor_char_boundary(at.min(text.len()));
            let end = text.floor_char_boundary((at + gone).min(text.len()));
            let _ = both([&text[..at], put, &text[end..]].concat().as_bytes());
        }
    }
}
