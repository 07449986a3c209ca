//! From a folded text to its words: as they stand, with look-alike digits and signs read as letters,
//! or with single letters joined.

use std::ops::Range;

use crate::normalize::{CLASS, GLUE, WORD};

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
    /// Reads `text`.
    pub fn read(text: &[u8], reading: Reading<'_>) -> Words {
        let mut words = Words::default();
        words.bytes.reserve(text.len());
        words.map.reserve(text.len());
        match reading {
            Reading::Plain => words.plain(text),
            Reading::Leet(known) => words.leet(text, known),
            Reading::Spaced => words.spaced(text),
        }
        words
    }

    /// Reads stretches of `text`, as if nothing but a space stood between them.
    pub fn read_some(text: &[u8], some: &[Range<usize>], reading: Reading<'_>) -> Words {
        let mut all = Words::default();
        for span in some {
            let part = Words::read(text.get(span.clone()).unwrap_or_default(), reading);
            all.bytes.extend_from_slice(&part.bytes);
            all.map.extend(part.map.iter().map(|at| at + span.start as u32));
            all.space(span.end.saturating_sub(1));
        }
        all
    }

    fn plain(&mut self, text: &[u8]) {
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
            self.map.push(at as u32);
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
    let ways = if two_ways { 2 } else { 1 };
    let mut spelled = [b'i', b'l'].into_iter().take(ways).filter_map(|one| spell_leet(token, one));
    spelled.find(|spelling| known(spelling.letters()))
}

/// Spells a token, `1` as the letter `one`.
pub(crate) fn spell_leet(token: &[u8], one: u8) -> Option<Spelling> {
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
        *out.letters.get_mut(out.len)? = letter;
        *out.at.get_mut(out.len)? = at;
        out.len += 1;
    }
    Some(out)
}

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

    #[test]
    fn spaced_and_leet_words() {
        let spaced = Words::read(b"now i g n o r e  a l l it", Reading::Spaced);
        assert_eq!(String::from_utf8(spaced.bytes).unwrap(), "now ignore all it");
        let known = |word: &[u8]| word == b"ignore" || word == b"rules";
        let leet = Words::read(b"so 1gn0re ru1es, v2 (i*g*n*o*r*e) a@b.c", Reading::Leet(&known));
        assert_eq!(String::from_utf8(leet.bytes).unwrap(), "so ignore rules v2 ignore a b c");
    }
}
