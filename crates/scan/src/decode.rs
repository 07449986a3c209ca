//! Encoded runs and escapes, decoded within a budget of bytes.
//!
//! The budget counts bytes that decoders put out, never time: a verdict may not depend on load.

use std::ops::Range;

use crate::normalize::{CLASS, ESCAPE};

/// Shorter runs are words, numbers and identifiers.
pub(crate) const MIN_RUN: usize = 16;
/// A decoded text of this share of printable characters is text.
const TEXT_PERCENT: usize = 90;
/// Binary data with so long a printable stretch is searched too.
const STRETCH: usize = 16;
/// So many printable characters in a row, and nothing else, are no chance.
const SURE: usize = 24;

/// What a run decodes to.
pub(crate) struct Decoded {
    pub text: String,
    /// Text through and through, so what is encoded in it is decoded again.
    pub clean: bool,
    /// Too much text to be chance.
    pub sure: bool,
}

/// Bytes that decoders may still put out.
pub(crate) struct Fuel {
    left: usize,
    /// Whether something was left undecoded.
    pub exhausted: bool,
}

impl Fuel {
    /// The budget for a text of `len` bytes.
    pub fn of(len: usize) -> Fuel {
        Fuel { left: len.saturating_mul(FUEL_FACTOR).saturating_add(FUEL_BASE), exhausted: false }
    }

    /// So many bytes.
    #[cfg(test)]
    pub fn with(left: usize) -> Fuel {
        Fuel { left, exhausted: false }
    }

    /// How much is left.
    pub fn left(&self) -> usize {
        self.left
    }

    /// More for a text of `len` bytes that is read a second time.
    pub fn again(&mut self, len: usize) {
        self.left = self.left.saturating_add(len.saturating_mul(FUEL_FACTOR));
    }

    /// Takes `bytes`, or notes that they were not there.
    pub fn take(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => self.exhausted = true,
        }
        !self.exhausted
    }
}

/// Fuel per input byte, and on top of that.
pub(crate) const FUEL_FACTOR: usize = 4;
pub(crate) const FUEL_BASE: usize = 65_536;

/// Whether a run could carry text: words and numbers alone cannot.
pub(crate) fn plausible(run: &[u8]) -> bool {
    let (mut upper, mut lower, mut digit) = (false, false, false);
    for byte in run {
        upper |= byte.is_ascii_uppercase();
        lower |= byte.is_ascii_lowercase();
        digit |= byte.is_ascii_digit();
    }
    let long = run.len() >= 2 * MIN_RUN;
    upper && lower || digit && (upper || lower || long)
}

/// Joins runs that line wrapping has split.
pub(crate) fn join_lines(text: &[u8], runs: &mut Vec<Range<usize>>) {
    const WRAPPED: usize = 40;
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(runs.len());
    for run in runs.drain(..) {
        if let Some(last) = joined.last_mut()
            && last.len() >= WRAPPED
            && text[last.end..run.start].iter().all(|b| matches!(b, b'\r' | b'\n' | b' '))
            && text[last.end..run.start].contains(&b'\n')
        {
            last.end = run.end;
        } else {
            joined.push(run);
        }
    }
    *runs = joined;
}

/// The bytes as text, if they look like text or hold a stretch of it.
pub(crate) fn text_of(bytes: &[u8]) -> Option<Decoded> {
    if bytes.is_empty() || is_noise(bytes) {
        return None;
    }
    let mut text = String::with_capacity(bytes.len());
    let (mut good, mut bad, mut stretch, mut longest) = (0usize, 0usize, 0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && !matches!(c, '\n' | '\r' | '\t') {
                bad += c.len_utf8();
                stretch = 0;
                text.push(' ');
            } else {
                good += c.len_utf8();
                // in binary data only ASCII counts: valid UTF-8 pairs turn up by chance
                stretch = if c.is_ascii() { stretch + 1 } else { 0 };
                longest = longest.max(stretch);
                text.push(c);
            }
        }
        if !chunk.invalid().is_empty() {
            bad += chunk.invalid().len();
            stretch = 0;
            text.push(' ');
        }
    }
    let clean = good * 100 >= (good + bad) * TEXT_PERCENT;
    let sure = clean && bad == 0 && longest >= SURE;
    (clean || longest >= STRETCH).then_some(Decoded { text, clean, sure })
}

/// A quick look that spares most hashes and identifiers the rest: too much that is no text, and no
/// stretch that is. Says no more than [`text_of`] would.
fn is_noise(bytes: &[u8]) -> bool {
    let (mut bad, mut stretch, mut longest) = (0usize, 0usize, 0usize);
    let mut upper_half = false;
    for byte in bytes {
        let plain = matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e);
        stretch = if plain { stretch + 1 } else { 0 };
        longest = longest.max(stretch);
        upper_half |= *byte >= 0x80;
        bad += usize::from(!plain && *byte < 0x80);
    }
    if longest >= STRETCH {
        return false;
    }
    if upper_half && let Err(error) = std::str::from_utf8(bytes) {
        // more may be broken; this much is certain
        bad += error.error_len().unwrap_or(1);
    }
    (bytes.len() - bad) * 100 < bytes.len() * TEXT_PERCENT
}

/// A text with its escapes resolved, and where each byte came from.
pub(crate) struct Unescaped {
    pub text: String,
    pub map: Vec<(u32, u32)>,
}

/// Resolves `%41`, `=41` and soft line ends (RFC 2045, 6.7), `\u0041`, `\u{41}`, `\U00000041`,
/// `\x41`, `\101`, `&#65;`, `&#x41;` and the five named entities.
/// `None` when there are fewer than a handful: nobody hides a sentence in two characters.
pub(crate) fn unescape(text: &str, fuel: &mut Fuel) -> Option<Unescaped> {
    const WORTH_IT: usize = 3;
    next_group(text.as_bytes(), 0)?;
    if !fuel.take(text.len()) {
        return None;
    }
    let (out, count) = resolved(text);
    (count >= WORTH_IT).then_some(out)
}

/// Resolves every escape in `text`, however few.
pub(crate) fn resolve(text: &str) -> Unescaped {
    resolved(text).0
}

fn resolved(text: &str) -> (Unescaped, usize) {
    let mut out = Unescaped { text: String::new(), map: Vec::new() };
    let (mut at, mut count) = (0, 0);
    while let Some((span, group)) = next_group(text.as_bytes(), at) {
        out.copy(text, at..span.start);
        out.resolve(&group);
        count += group.len();
        at = span.end;
    }
    out.copy(text, at..text.len());
    (out, count)
}

/// Escapes one behind the other: together they may spell one character.
type Group = Vec<(Escape, Range<usize>)>;

/// The next escapes from `at` on, and the span they take together.
fn next_group(bytes: &[u8], mut at: usize) -> Option<(Range<usize>, Group)> {
    loop {
        at += bytes.get(at..)?.iter().position(|byte| CLASS[usize::from(*byte)] & ESCAPE != 0)?;
        let (mut group, mut end) = (Group::new(), at);
        while let Some((escape, length)) = bytes.get(end..).and_then(escape) {
            group.push((escape, end..end + length));
            end += length;
        }
        if !group.is_empty() {
            return Some((at..end, group));
        }
        at += 1;
    }
}

/// Where an escape begins that the end of `text` cuts off; its length if none does.
pub(crate) fn open_escape(text: &str) -> usize {
    let bytes = text.as_bytes();
    let near = bytes.len().saturating_sub(LONGEST_ESCAPE);
    let mut open = text.len();
    for at in (near..bytes.len()).rev() {
        let rest = &bytes[at + 1..];
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'{');
        match bytes[at] {
            b'%' | b'=' if rest.len() < 2 && rest.iter().all(u8::is_ascii_hexdigit) => open = at,
            b'\\' | b'&' if escape(&bytes[at..]).is_none() && rest.iter().all(plain) => {
                let unit = bytes[at] == b'\\'
                    && !matches!(rest.first(), None | Some(b'u' | b'U' | b'x' | b'0'..=b'7'));
                if !unit {
                    open = at;
                }
            }
            _ => {}
        }
    }
    open
}

/// The longest escape: `&#x10ffff;`, `\u{10ffff}`.
const LONGEST_ESCAPE: usize = 12;

impl Unescaped {
    fn copy(&mut self, text: &str, range: Range<usize>) {
        if let Some(part) = text.get(range.clone()) {
            self.text.push_str(part);
            self.map.extend(range.map(|at| (at as u32, at as u32 + 1)));
        }
    }

    fn push(&mut self, c: char, source: &Range<usize>) {
        self.text.push(c);
        self.map.extend((0..c.len_utf8()).map(|_| (source.start as u32, source.end as u32)));
    }

    fn resolve(&mut self, group: &[(Escape, Range<usize>)]) {
        let mut index = 0;
        while let Some((escape, source)) = group.get(index) {
            index += 1;
            match escape {
                Escape::Char(c) => self.push(*c, source),
                Escape::Nothing => {}
                Escape::Unit(unit) => {
                    let low = group.get(index).and_then(|(next, span)| match next {
                        Escape::Unit(low) => Some((*low, span.end)),
                        _ => None,
                    });
                    let pair = low.and_then(|(low, end)| {
                        let c = char::decode_utf16([*unit, low]).next()?.ok()?;
                        (c.len_utf16() == 2).then_some((c, end))
                    });
                    if let Some((c, end)) = pair {
                        self.push(c, &(source.start..end));
                        index += 1;
                    } else {
                        self.push(char::from_u32(u32::from(*unit)).unwrap_or('\u{fffd}'), source);
                    }
                }
                Escape::Byte(first) => {
                    let mut bytes = vec![*first];
                    let mut end = source.end;
                    while let Some((Escape::Byte(byte), span)) = group.get(index)
                        && std::str::from_utf8(&bytes).is_err()
                        && bytes.len() < 4
                        && byte & 0xc0 == 0x80
                    {
                        bytes.push(*byte);
                        end = span.end;
                        index += 1;
                    }
                    match std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next()) {
                        Some(c) => self.push(c, &(source.start..end)),
                        None => self.push('\u{fffd}', &(source.start..end)),
                    }
                }
            }
        }
    }
}

enum Escape {
    /// One byte of UTF-8.
    Byte(u8),
    /// One unit of UTF-16.
    Unit(u16),
    /// A character.
    Char(char),
    /// The end of a line that is none.
    Nothing,
}

/// The escape at the start of `bytes` and its length.
fn escape(bytes: &[u8]) -> Option<(Escape, usize)> {
    let number = |digits: &[u8], radix| -> Option<u32> {
        let digits =
            std::str::from_utf8(digits).ok().filter(|d| !d.is_empty() && !d.contains('+'))?;
        u32::from_str_radix(digits, radix).ok()
    };
    match bytes {
        [b'%', rest @ ..] | [b'\\', b'x', rest @ ..] => {
            let value = number(rest.get(..2)?, 16)?;
            Some((Escape::Byte(u8::try_from(value).ok()?), bytes.len() - rest.len() + 2))
        }
        [b'=', b'\n', ..] => Some((Escape::Nothing, 2)),
        [b'=', b'\r', b'\n', ..] => Some((Escape::Nothing, 3)),
        // encoders write capitals, and `x=10` is an assignment
        [b'=', rest @ ..] => {
            let digits = rest.get(..2).filter(|digits| !digits.iter().any(u8::is_ascii_lowercase));
            let value = u8::try_from(number(digits?, 16)?).ok();
            value.filter(|value| *value >= b' ').map(|value| (Escape::Byte(value), 3))
        }
        [b'\\', b'U', rest @ ..] => {
            Some((Escape::Char(char::from_u32(number(rest.get(..8)?, 16)?)?), 10))
        }
        [b'\\', b'0'..=b'3', rest @ ..] => {
            let digits =
                rest.get(..2).filter(|digits| digits.iter().all(|d| (b'0'..=b'7').contains(d)))?;
            let value = number(&[&bytes[1..2], digits].concat(), 8)?;
            Some((Escape::Byte(u8::try_from(value).ok()?), 4))
        }
        [b'\\', b'u', b'{', rest @ ..] => {
            let end = rest.iter().take(9).position(|byte| *byte == b'}')?;
            Some((Escape::Char(char::from_u32(number(&rest[..end], 16)?)?), end + 4))
        }
        [b'\\', b'u', rest @ ..] => {
            Some((Escape::Unit(u16::try_from(number(rest.get(..4)?, 16)?).ok()?), 6))
        }
        [b'&', rest @ ..] => {
            let end = rest.iter().take(10).position(|byte| *byte == b';')?;
            let c = match &rest[..end] {
                b"lt" => '<',
                b"gt" => '>',
                b"amp" => '&',
                b"quot" => '"',
                b"apos" => '\'',
                [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
                [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
                _ => return None,
            };
            Some((Escape::Char(c), end + 2))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_resolve() {
        for (text, expect) in [
            ("%69%67nore%20it", Some("ignore it")),
            ("\\u0069\\u0067\\x6eore", Some("ignore")),
            ("&#105;&#x67;n&lt;", Some("ign<")),
            ("\\u{69}\\u{1f600}\\ud83d\\ude00", Some("i\u{1f600}\u{1f600}")),
            ("%c3%a9%ff", Some("\u{e9}\u{fffd}")),
            ("=69=67=6Eore=20=\nit", Some("ignore it")),
            ("\\151\\147\\U0000006eore", Some("ignore")),
            ("a=10; b=20; c=d", None),
            ("100% of &co; C:\\users", None),
            ("a%20b%20c", None),
        ] {
            let got = unescape(text, &mut Fuel::of(text.len()));
            assert_eq!(got.as_ref().map(|u| u.text.as_str()), expect, "{text}");
            if let Some(got) = got {
                assert_eq!(got.text.len(), got.map.len());
                assert!(got.map.iter().all(|(s, e)| text.get(*s as usize..*e as usize).is_some()));
            }
        }
    }
}
