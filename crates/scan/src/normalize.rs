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
    let plain = |byte: &u8| byte.is_ascii() && CLASS[usize::from(*byte)] & CONTROL == 0;
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let run = rest.bytes().take_while(plain).count();
        if run > 0 {
            if !invisible.is_empty() {
                invisible.finish(text, start, &mut out.hidden);
            }
            out.bytes.extend_from_slice(rest.as_bytes().get(..run).unwrap_or_default());
            out.map.extend((start as u32..).take(run).map(|at| (at, at + 1)));
            start += run;
            continue;
        }
        let Some(c) = rest.chars().next() else { break };
        let at = start;
        start += c.len_utf8();
        let span = (at as u32, start as u32);
        if is_invisible(c) {
            invisible.push(at, c);
            out.hidden.dropped = true;
            if matches!(c, '\u{202d}' | '\u{202e}') {
                out.hidden.overrides.push(at..start);
            }
            continue;
        }
        if !invisible.is_empty() {
            invisible.finish(text, at, &mut out.hidden);
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
    if let Some(letter) = (c as usize).checked_sub(LATIN_FIRST).and_then(|at| LATIN.get(at))
        && *letter != b'.'
    {
        return push(*letter);
    }
    if let Some(ascii) = confusables::lookup(c) {
        ascii.bytes().for_each(push);
        return;
    }
    // letters that are taken apart into no letters of ours
    if matches!(c, '\u{410}'..='\u{44f}' | '\u{3041}'..='\u{3096}' | '\u{4e00}'..='\u{9fff}') {
        return push(FOREIGN);
    }
    if is_combining_mark(c) {
        return;
    }
    // Arabic presentation forms: up to eighteen letters from three bytes, none of them ASCII
    if matches!(c, '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}') {
        push(FOREIGN);
        return;
    }
    take_apart(c, push);
}

fn take_apart(c: char, push: &mut dyn FnMut(u8)) {
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

/// From `\u{c0}` on, Latin letters that are an ASCII letter and a mark.
const LATIN_FIRST: usize = 0xc0;
static LATIN: &[u8] =
    b"AAAAAA.CEEEEIIII.NOOOOO..UUUUY..aaaaaa.ceeeeiiii.nooooo..uuuuy.yAaAaAaCcCcCcCcDd\
    ..EeEeEeEeEeGgGgGgGgHh..IiIiIiIiI...JjKk.LlLlLl....NnNnNn...OoOoOo..RrRrRrSsSsSs\
    SsTtTt..UuUuUuUuUuUuWwYyYZzZzZzs................................Oo.............U\
    u............................AaIiOoUuUuUuUuUu.AaAa....GgKkOoOo..j...Gg..NnAa....\
    AaAaEeEeIiIiOoOoRrRrUuUuSsTt..Hh......AaEeOoOoOoOoYy............................";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Reading, Words};

    fn words(text: &str) -> String {
        let folded = fold(text);
        String::from_utf8(Words::read(&folded.bytes, Reading::Plain).bytes).unwrap()
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
    fn what_is_read_at_once_is_what_it_is_taken_apart_to() {
        let once = |c: char| {
            let mut bytes = Vec::new();
            fold_char(c, &mut |byte| bytes.push(byte));
            bytes
        };
        for c in ['\u{c0}'..='\u{24f}', '\u{410}'..='\u{44f}', '\u{3041}'..='\u{3096}']
            .into_iter()
            .flatten()
        {
            let mut apart = Vec::new();
            if let Some(ascii) = confusables::lookup(c) {
                apart.extend(ascii.bytes());
            } else {
                take_apart(c, &mut |byte| apart.push(byte));
            }
            assert_eq!(once(c), apart, "{c:?}");
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
}
