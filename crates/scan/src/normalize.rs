//! Reading text as a model would: fold to ASCII, then words.
//!
//! Folding keeps for every byte the range of the text it came from, so a hit names bytes of the
//! original. Text that is ASCII already is never folded.

use std::ops::Range;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::confusables;

/// Version of the Unicode data that folding uses; part of the ruleset's digest.
pub fn unicode_version() -> String {
    let (major, minor, patch) = unicode_normalization::UNICODE_VERSION;
    format!("{major}.{minor}.{patch}")
}

/// Stands for a letter of a script that does not fold to ASCII.
pub(crate) const FOREIGN: u8 = 0x7f;

/// ASCII made of any text, with where each byte came from.
#[derive(Default)]
pub(crate) struct Folded {
    pub bytes: Vec<u8>,
    /// For each byte the byte range of its source character.
    pub map: Vec<(u32, u32)>,
    pub hidden: Hidden,
}

/// Characters that no reader sees.
#[derive(Default)]
pub(crate) struct Hidden {
    /// Runs of tag characters and what they spell; emoji flags are not among them.
    pub tags: Vec<(Range<usize>, String)>,
    /// Runs of variation selectors or invisible bits and the bytes they carry.
    pub bytes: Vec<(Range<usize>, Vec<u8>)>,
    /// Override characters.
    pub overrides: Vec<Range<usize>>,
    /// Zero-width characters between two ASCII letters.
    pub in_word: Vec<Range<usize>>,
    /// Whether anything invisible was dropped: words may then be glued.
    pub dropped: bool,
}

/// Folds `text`.
pub(crate) fn fold(text: &str) -> Folded {
    let mut out = Folded {
        bytes: Vec::with_capacity(text.len()),
        map: Vec::with_capacity(text.len()),
        hidden: Hidden::default(),
    };
    let mut invisible = Run::default();
    for (start, c) in text.char_indices() {
        if c.is_ascii() && CLASS[usize::from(c as u8)] & CONTROL == 0 {
            if !invisible.is_empty() {
                invisible.finish(text, start, &mut out.hidden);
            }
            out.bytes.push(c as u8);
            out.map.push((start as u32, start as u32 + 1));
            continue;
        }
        let span = (start as u32, (start + c.len_utf8()) as u32);
        if is_invisible(c) {
            invisible.push(start, c);
            out.hidden.dropped = true;
            if matches!(c, '\u{202d}' | '\u{202e}') {
                out.hidden.overrides.push(start..span.1 as usize);
            }
            continue;
        }
        if !invisible.is_empty() {
            invisible.finish(text, start, &mut out.hidden);
        }
        fold_char(c, &mut |byte| {
            out.bytes.push(byte);
            out.map.push(span);
        });
    }
    if !invisible.is_empty() {
        invisible.finish(text, text.len(), &mut out.hidden);
    }
    out
}

/// What one visible character folds to: nothing for marks that combine.
pub(crate) fn fold_char(c: char, push: &mut dyn FnMut(u8)) {
    if let Some(ascii) = confusables::lookup(c) {
        ascii.bytes().for_each(push);
        return;
    }
    if is_combining_mark(c) {
        return;
    }
    // Arabic presentation forms: up to eighteen letters from three bytes, none of them ASCII
    if matches!(c, '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}') {
        push(FOREIGN);
        return;
    }
    decompose_compatible(c, |part| {
        if part.is_ascii() {
            push(part as u8);
        } else if is_combining_mark(part) {
        } else if let Some(ascii) = confusables::lookup(part) {
            ascii.bytes().for_each(&mut *push);
        } else if part.is_alphabetic() {
            push(FOREIGN);
        } else {
            push(b' ');
        }
    });
}

/// Characters without a glyph of their own: dropped before matching.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}')
}

/// One run of invisible characters.
#[derive(Default)]
struct Run {
    start: usize,
    chars: Vec<char>,
}

/// Shorter runs are ordinary typography.
const SMUGGLED_SELECTORS: usize = 4;
const SMUGGLED_BITS: usize = 16;

impl Run {
    fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    fn push(&mut self, at: usize, c: char) {
        if self.chars.is_empty() {
            self.start = at;
        }
        self.chars.push(c);
    }

    /// Looks at a finished run, which ends before byte `end`.
    fn finish(&mut self, text: &str, end: usize, hidden: &mut Hidden) {
        let span = self.start..end;
        let chars = std::mem::take(&mut self.chars);
        let before = text.get(..span.start).and_then(|t| t.chars().next_back());
        let after = text.get(end..).and_then(|t| t.chars().next());
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
        if letter(before) && letter(after) && chars.iter().all(|c| *c != '\u{ad}') {
            hidden.in_word.push(span.clone());
        }
        let tags: String = chars
            .iter()
            .filter_map(|c| (*c as u32).checked_sub(0xe0000))
            .filter(|code| (0x20..0x7f).contains(code))
            .filter_map(char::from_u32)
            .collect();
        if !tags.is_empty() && !is_flag(before, &chars) {
            hidden.tags.push((span.clone(), tags));
        }
        let selectors: Vec<u8> = chars.iter().filter_map(|c| selector_byte(*c)).collect();
        if selectors.len() >= SMUGGLED_SELECTORS {
            hidden.bytes.push((span.clone(), selectors));
        }
        for (zero, one) in [('\u{2062}', '\u{2064}'), ('\u{200b}', '\u{200c}')] {
            let bits: Vec<u8> = chars
                .iter()
                .filter(|c| **c == zero || **c == one)
                .map(|c| u8::from(*c == one))
                .collect();
            if bits.len() >= SMUGGLED_BITS {
                let bytes = bits
                    .chunks_exact(8)
                    .map(|byte| byte.iter().fold(0, |acc, bit| acc << 1 | bit))
                    .collect();
                hidden.bytes.push((span.clone(), bytes));
            }
        }
    }
}

/// A black flag, then the letters of a region, then the cancel tag (UTS #51, emoji tag sequence).
fn is_flag(before: Option<char>, chars: &[char]) -> bool {
    let region = |c: &char| matches!(*c as u32, 0xe0030..=0xe0039 | 0xe0061..=0xe007a);
    let Some(end) = chars.iter().position(|c| *c == '\u{e007f}') else { return false };
    let after = |c: &char| !matches!(*c as u32, 0xe0000..=0xe007f);
    before == Some('\u{1f3f4}')
        && (2..=6).contains(&end)
        && chars[..end].iter().all(region)
        && chars[end + 1..].iter().all(after)
}

fn selector_byte(c: char) -> Option<u8> {
    match c as u32 {
        code @ 0xfe00..=0xfe0f => u8::try_from(code - 0xfe00).ok(),
        code @ 0xe0100..=0xe01ef => u8::try_from(code - 0xe0100 + 16).ok(),
        _ => None,
    }
}

/// How tokens become words.
#[derive(Clone, Copy)]
pub(crate) enum Reading<'a> {
    /// As they stand.
    Plain,
    /// `1gn0re` and `i*g*nore` as `ignore`; the function says whether a spelling is known.
    Leet(&'a dyn Fn(&[u8]) -> bool),
    /// `i g n o r e` as `ignore`.
    Spaced,
}

/// Words of a folded text, with the offset in it for each byte.
#[derive(Default)]
pub(crate) struct Words {
    pub bytes: Vec<u8>,
    pub map: Vec<u32>,
}

impl Words {
    /// Reads `text`; the map is made only when asked for, since only hits need it.
    pub fn read(text: &[u8], reading: Reading<'_>, with_map: bool) -> Words {
        let mut words = Words::default();
        words.bytes.reserve(text.len());
        match reading {
            Reading::Plain => words.plain(text, with_map),
            Reading::Leet(known) => words.leet(text, known),
            Reading::Spaced => words.spaced(text),
        }
        words
    }

    fn plain(&mut self, text: &[u8], with_map: bool) {
        let mut space = true;
        for (at, byte) in text.iter().enumerate() {
            let lower = LOWER[usize::from(*byte)];
            if lower > b' ' {
                self.bytes.push(lower);
                space = false;
            } else if space || lower == 0 {
                continue;
            } else {
                self.bytes.push(b' ');
                space = true;
            }
            if with_map {
                self.map.push(at as u32);
            }
        }
    }

    fn leet(&mut self, text: &[u8], known: &dyn Fn(&[u8]) -> bool) {
        for token in tokens(text) {
            let token = leet_span(text, token);
            self.space(token.start);
            let bytes = text.get(token.clone()).unwrap_or_default();
            if let Some(spelling) = deleet(bytes, known) {
                for (letter, at) in spelling.placed() {
                    self.push(letter, token.start + at);
                }
            } else {
                for (at, byte) in bytes.iter().enumerate() {
                    match LOWER[usize::from(*byte)] {
                        0 => {}
                        b' ' => self.space(token.start + at),
                        lower => self.push(lower, token.start + at),
                    }
                }
            }
        }
    }

    fn spaced(&mut self, text: &[u8]) {
        let trimmed = |token: Range<usize>| {
            let lead =
                text[token.clone()].iter().position(|b| CLASS[usize::from(*b)] & WORD != 0)?;
            let start = token.start + lead;
            Some(start..trim_glue(text, start, token.end))
        };
        let all: Vec<Range<usize>> = tokens(text).filter_map(trimmed).collect();
        let single =
            |token: &Range<usize>| token.len() == 1 && text[token.start].is_ascii_alphanumeric();
        let mut index = 0;
        while let Some(token) = all.get(index) {
            let run = all[index..].iter().take_while(|token| single(token)).count();
            self.space(token.start);
            if run < MIN_SPACED {
                for at in token.clone() {
                    match LOWER[usize::from(text[at])] {
                        0 => {}
                        b' ' => self.space(at),
                        lower => self.push(lower, at),
                    }
                }
                index += 1;
                continue;
            }
            for (n, token) in all[index..index + run].iter().enumerate() {
                // a wider gap than the one between letters is a gap between words
                if n > 0 && token.start - all[index + n - 1].end > 1 {
                    self.space(token.start);
                }
                self.push(LOWER[usize::from(text[token.start])], token.start);
            }
            index += run;
        }
    }

    fn push(&mut self, byte: u8, at: usize) {
        self.bytes.push(byte);
        self.map.push(at as u32);
    }

    fn space(&mut self, at: usize) {
        if self.bytes.last().is_some_and(|last| *last != b' ') {
            self.push(b' ', at);
        }
    }
}

/// So many single letters in a row are read as one word.
pub(crate) const MIN_SPACED: usize = 4;

/// Runs of word and glue characters.
fn tokens(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let inside =
        |at: usize| text.get(at).is_some_and(|byte| CLASS[usize::from(*byte)] & (WORD | GLUE) != 0);
    let mut at = 0;
    std::iter::from_fn(move || {
        while !inside(at) {
            at += 1;
            if at >= text.len() {
                return None;
            }
        }
        let start = at;
        while inside(at) {
            at += 1;
        }
        Some(start..at)
    })
}

/// The part of a token that may be read as leet: signs that stand for letters stay at its ends,
/// those that end a sentence or emphasise do not.
pub(crate) fn leet_span(text: &[u8], mut token: Range<usize>) -> Range<usize> {
    let emphasis = |byte: u8| matches!(byte, b'*' | b'~' | b'`' | b'\'');
    while token.end > token.start && (emphasis(text[token.end - 1]) || text[token.end - 1] == b'!')
    {
        token.end -= 1;
    }
    while token.start < token.end && emphasis(text[token.start]) {
        token.start += 1;
    }
    token
}

/// The end of `start..end` without glue characters at the end.
pub(crate) fn trim_glue(text: &[u8], start: usize, end: usize) -> usize {
    let kept = text[start..end].iter().rposition(|byte| CLASS[usize::from(*byte)] & WORD != 0);
    kept.map_or(start, |last| start + last + 1)
}

/// The longest token that is read as leet.
const MAX_LEET: usize = 64;

/// A token with its look-alikes spelled as letters, and where each letter stood.
pub(crate) struct Spelling {
    letters: [u8; MAX_LEET],
    at: [u8; MAX_LEET],
    len: usize,
}

impl Spelling {
    pub fn letters(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or_default()
    }

    pub fn placed(&self) -> impl Iterator<Item = (u8, usize)> + '_ {
        self.letters().iter().zip(&self.at).map(|(letter, at)| (*letter, usize::from(*at)))
    }
}

/// Spells a token, if that gives something known. `1` may be `i` or `l`: the first that does
/// counts.
pub(crate) fn deleet(token: &[u8], known: &dyn Fn(&[u8]) -> bool) -> Option<Spelling> {
    if token.len() > MAX_LEET {
        return None;
    }
    let two_ways = token.iter().any(|byte| matches!(byte, b'1' | b'|'));
    for one in [b'i', b'l'].into_iter().take(if two_ways { 2 } else { 1 }) {
        let mut out = Spelling { letters: [0; MAX_LEET], at: [0; MAX_LEET], len: 0 };
        for (at, byte) in (0u8..).zip(token) {
            let letter = match byte {
                b'0' => b'o',
                b'1' | b'|' => one,
                b'!' => b'i',
                b'2' => b'z',
                b'3' => b'e',
                b'4' | b'@' => b'a',
                b'5' | b'$' => b's',
                b'7' => b't',
                b'8' => b'b',
                b'9' => b'g',
                b'*' | b'~' | b'`' | b'\'' => continue,
                other => other.to_ascii_lowercase(),
            };
            out.letters[out.len] = letter;
            out.at[out.len] = at;
            out.len += 1;
        }
        if known(out.letters()) {
            return Some(out);
        }
    }
    None
}

pub(crate) const WORD: u8 = 1;
pub(crate) const DIGIT: u8 = 2;
pub(crate) const LETTER: u8 = 4;
/// Signs that stand for letters or are strewn between them.
pub(crate) const GLUE: u8 = 8;
/// Alphabet of base64, base64url and hex.
pub(crate) const CODED: u8 = 16;
/// Starts an escape.
pub(crate) const ESCAPE: u8 = 32;
/// Starts an address.
pub(crate) const AT: u8 = 64;

/// Control characters that are no white space. [`FOREIGN`] is among them: in text that was not
/// folded it is an ordinary DEL.
pub(crate) const CONTROL: u8 = 128;

/// What a byte of folded text is.
pub(crate) static CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let b = byte as u8;
        let mut class = 0;
        if b.is_ascii_alphabetic() {
            class |= WORD | LETTER | CODED;
        }
        if b.is_ascii_digit() {
            class |= WORD | DIGIT | CODED;
        }
        if b == FOREIGN {
            class |= WORD;
        }
        if matches!(b, b'*' | b'~' | b'`' | b'\'' | b'@' | b'$' | b'!' | b'|') {
            class |= GLUE;
        }
        if matches!(b, b'+' | b'/' | b'-' | b'_') {
            class |= CODED;
        }
        if matches!(b, b'%' | b'&' | b'\\' | b'=') {
            class |= ESCAPE;
        }
        if b == b'@' {
            class |= AT;
        }
        if b < 0x20 && !matches!(b, b'\t' | b'\n' | 0x0b | 0x0c | b'\r') || b == 0x7f {
            class |= CONTROL;
        }
        table[byte] = class;
        byte += 1;
    }
    table
};

/// Lower case for word characters, a space for everything else, 0 for what vanishes in a word.
static LOWER: [u8; 256] = {
    let mut table = [b' '; 256];
    let mut byte = 0usize;
    while byte < 256 {
        if CLASS[byte] & WORD != 0 {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table[b'\'' as usize] = 0;
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let folded = fold(text);
        String::from_utf8(Words::read(&folded.bytes, Reading::Plain, true).bytes).unwrap()
    }

    #[test]
    fn folds_to_words() {
        for (text, expect) in [
            ("Ignore\n previous. INSTRUCTIONS!", "ignore previous instructions "),
            ("don\u{2019}t", "dont"),
            ("\u{456}gn\u{43e}r\u{435}", "ignore"),
            ("\u{ff49}\u{ff47}\u{ff4e}\u{ff4f}\u{ff52}\u{ff45}", "ignore"),
            ("i\u{200b}g\u{ad}n\u{fe0f}ore", "ignore"),
            ("\u{1d422}\u{1d420}nore", "ignore"),
            ("na\u{ef}ve caf\u{e9} Stra\u{df}e", "naive cafe strasse"),
            ("i\u{301}gnore", "ignore"),
        ] {
            assert_eq!(words(text), expect, "{text:?}");
        }
    }

    #[test]
    fn every_byte_knows_its_source() {
        let text = "a\u{e9}\u{fb01}\u{200b}z";
        let folded = fold(text);
        assert_eq!(folded.bytes, b"aefiz");
        let sources: Vec<&str> =
            folded.map.iter().map(|(s, e)| &text[*s as usize..*e as usize]).collect();
        assert_eq!(sources, ["a", "\u{e9}", "\u{fb01}", "\u{fb01}", "z"]);
    }

    #[test]
    fn hidden_text_is_read() {
        let tags: String =
            "hi".chars().map(|c| char::from_u32(0xe0000 + c as u32).unwrap()).collect();
        assert_eq!(fold(&format!("x{tags}y")).hidden.tags, [(1..9, "hi".to_owned())]);
        let scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
        assert!(fold(scotland).hidden.tags.is_empty());
    }

    #[test]
    fn spaced_and_leet_words() {
        let spaced = Words::read(b"now i g n o r e  a l l it", Reading::Spaced, true);
        assert_eq!(String::from_utf8(spaced.bytes).unwrap(), "now ignore all it");
        let known = |word: &[u8]| word == b"ignore" || word == b"rules";
        let leet =
            Words::read(b"so 1gn0re ru1es, v2 (i*g*n*o*r*e) a@b.c", Reading::Leet(&known), true);
        assert_eq!(String::from_utf8(leet.bytes).unwrap(), "so ignore rules v2 ignore a b c");
    }
}
