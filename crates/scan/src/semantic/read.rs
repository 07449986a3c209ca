//! A text as sentences of words, each word with its concepts.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::lexicon::{ADDRESSED, Lexicon};
use super::spell::{LONGEST_WORD, Spelled, spell};
use crate::confusables;
use crate::normalize::{fold_char, is_invisible};

/// A word, or one character of a script without spaces.
#[derive(Clone, Copy, Default)]
pub(crate) struct Word {
    /// Byte range in the text.
    pub start: u32,
    pub end: u32,
    /// Stands for the word.
    pub code: u32,
    /// Stands for its first letters; in a script without spaces for it and the character before.
    pub head: u32,
    /// Bits of [`Lexicon`].
    pub concepts: u64,
}

/// One sentence, or one with the end of the sentence before it.
pub(crate) struct Window<'w> {
    pub words: &'w [Word],
    /// Where in `words` the last sentence starts.
    pub sentence: usize,
    /// Bits of [`Sign`].
    pub signs: u32,
    /// The concepts of all words.
    pub concepts: u64,
}

/// What is written between words.
#[derive(Clone, Copy)]
pub(crate) enum Sign {
    Question,
    Exclamation,
    Quote,
    Address,
    At,
    Tag,
    Brace,
    Template,
    Bracket,
    Code,
    Heading,
    Colon,
    Number,
    Rule,
}

/// How many kinds of signs there are.
pub(crate) const SIGNS: usize = 14;

/// A sentence that is longer goes on as the next.
const LONGEST: usize = 64;
/// A sentence of so many words is read together with the one before, too.
const SHORT: usize = 12;
/// So many words of a sentence are read together with the next one.
const CARRIED: usize = 24;

/// Reads `text`; `each` sees every sentence alone and together with the one before.
pub(crate) fn read(text: &str, lexicon: &Lexicon, each: &mut dyn FnMut(&Window<'_>)) {
    let mut reader = Reader {
        text,
        lexicon,
        words: [Word::default(); LONGEST + CARRIED],
        len: 0,
        sentence: 0,
        carried: (0, 0),
        signs: 0,
        concepts: 0,
        before: 0,
        each,
    };
    let mut at = 0;
    while at < text.len() {
        at = reader.next(at);
    }
    reader.close();
}

struct Reader<'a> {
    text: &'a str,
    lexicon: &'a Lexicon,
    /// The end of the sentence before, then the sentence.
    words: [Word; LONGEST + CARRIED],
    len: usize,
    sentence: usize,
    /// Signs and concepts of the sentence before.
    carried: (u32, u64),
    signs: u32,
    concepts: u64,
    /// The last character of a script without spaces.
    before: u32,
    each: &'a mut dyn FnMut(&Window<'_>),
}

impl Reader<'_> {
    /// Reads what stands at `at`, and says where to go on.
    #[inline]
    fn next(&mut self, at: usize) -> usize {
        match self.text.as_bytes().get(at) {
            Some(byte) if byte.is_ascii_alphanumeric() => self.word(at),
            Some(b' ') | None => at + 1,
            Some(byte) if byte.is_ascii() => {
                self.sign(*byte, at);
                at + 1
            }
            Some(_) => self.other(at),
        }
    }

    #[inline]
    fn word(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let word = spell(bytes, start);
        let end = start + word.len;
        if let Some(byte) = bytes.get(end)
            && (*byte == b'\'' || !byte.is_ascii())
        {
            return self.long_word(start);
        }
        self.plain(start, end, &word);
        end
    }

    /// A word in ASCII letters.
    #[inline]
    fn plain(&mut self, start: usize, end: usize, word: &Spelled) {
        if word.number {
            self.signs |= 1 << Sign::Number as u32;
            self.push(start, end, (1, 1), 0);
        } else {
            let concepts = self.lexicon.table.concepts(word);
            self.push(start, end, (word.code, word.first as u32), concepts);
        }
    }

    /// A word with letters that are not ASCII, or with an apostrophe.
    #[inline(never)]
    fn long_word(&mut self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let mut letter = Letters::default();
        let (mut place, mut head) = (self.lexicon.start(), (FNV_BASIS, 0));
        let (mut ascii, mut foreign) = (false, false);
        let mut end = start;
        for c in rest.chars() {
            let mut any = c == '\'' || c == '\u{2019}';
            if ideograph(c) {
                break;
            }
            letters(c, &mut |c| {
                any = true;
                ascii |= c.is_ascii_alphabetic();
                foreign |= !c.is_ascii();
                self.lexicon.step(&mut place, c);
                if head.1 < HEAD {
                    head = (fnv(head.0, c as u32), head.1 + 1);
                }
                letter.push(c);
            });
            if !any && (c.is_ascii() || !is_invisible(c) && !is_combining_mark(c)) {
                break;
            }
            end += c.len_utf8();
        }
        if foreign && !ascii {
            let concepts = self.lexicon.concepts(place);
            self.push(start, end, (letter.code(), head.0), concepts);
        } else {
            if foreign {
                // letters of two scripts: read by their looks
                letter = Letters::default();
                for c in self.text.get(start..end).unwrap_or_default().chars() {
                    fold_char(c, &mut |byte| {
                        if byte.is_ascii_alphanumeric() {
                            letter.push(byte.to_ascii_lowercase() as char);
                        }
                    });
                }
            }
            let word = spell(letter.bytes(), 0);
            self.plain(start, end, &word);
        }
        end.max(start + 1)
    }

    /// What is not ASCII.
    #[inline(never)]
    fn other(&mut self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else { return at + 1 };
        let end = at + c.len_utf8();
        if ideograph(c) {
            let mut place = self.lexicon.start();
            for c in rest.chars().take(LONGEST_IDEOGRAMS) {
                letters(c, &mut |letter| self.lexicon.step(&mut place, letter));
                if place.is_lost() {
                    break;
                }
            }
            let code = fnv(FNV_BASIS, c as u32);
            self.push(at, end, (code, fnv(code, self.before)), place.stem());
            self.before = c as u32;
            return end;
        }
        let mut any = false;
        letters(c, &mut |_| any = true);
        if any {
            return self.long_word(at);
        }
        match c {
            '\u{3002}' | '\u{ff0e}' | '\u{964}' | '\u{6d4}' | '\u{2026}' => self.close(),
            '\u{ff01}' => {
                self.signs |= 1 << Sign::Exclamation as u32;
                self.close();
            }
            '\u{ff1f}' | '\u{61f}' => {
                self.signs |= 1 << Sign::Question as u32;
                self.close();
            }
            '\u{ff0c}' | '\u{3001}' | '\u{60c}' => self.address(),
            '\u{ff1a}' => {
                self.address();
                self.signs |= 1 << Sign::Colon as u32;
            }
            '\u{ab}' | '\u{bb}' | '\u{2018}'..='\u{201f}' | '\u{300c}'..='\u{300f}' => {
                self.signs |= 1 << Sign::Quote as u32;
            }
            _ => {}
        }
        end
    }

    fn sign(&mut self, byte: u8, at: usize) {
        let bytes = self.text.as_bytes();
        let next = bytes.get(at + 1).copied().unwrap_or(b'\n');
        let ends = !next.is_ascii_alphanumeric() && next != b'/';
        let sign = match byte {
            b'.' => {
                return if ends {
                    self.close()
                };
            }
            b'\n' => {
                // a line that goes on in small letters was only broken
                let goes_on = next.is_ascii_lowercase();
                return if self.len - self.sentence >= 3 && !goes_on || next == b'\n' {
                    self.close()
                };
            }
            b'?' => {
                self.signs |= u32::from(ends) << Sign::Question as u32;
                return if ends {
                    self.close()
                };
            }
            b'!' => {
                self.signs |= u32::from(ends) << Sign::Exclamation as u32;
                return if ends {
                    self.close()
                };
            }
            b'"' | b'`' => Sign::Quote,
            b'@' => Sign::At,
            b'<' if next == b'|' => Sign::Template,
            b'<' if next.is_ascii_alphabetic() || matches!(next, b'/' | b'!') => Sign::Tag,
            b'{' | b'}' => Sign::Brace,
            b'[' | b']' => Sign::Bracket,
            b'=' if next == b'=' => Sign::Rule,
            b'-' if next == b'-' => Sign::Rule,
            b'=' | b';' | b'_' | b'(' if byte != b'(' || next == b')' => Sign::Code,
            b'#' => Sign::Heading,
            b',' => return self.address(),
            b':' if next == b'/' => Sign::Address,
            b':' => {
                self.address();
                Sign::Colon
            }
            _ => return,
        };
        self.signs |= 1 << sign as u32;
    }

    /// A sign behind a word for a machine: the machine is spoken to.
    fn address(&mut self) {
        let sentence = self.words.get_mut(self.sentence..self.len).unwrap_or_default();
        if let Some(last) = sentence.last_mut()
            && last.concepts & self.lexicon.called != 0
        {
            last.concepts |= ADDRESSED;
            self.concepts |= ADDRESSED;
        }
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize, (code, head): (u32, u32), concepts: u64) {
        if self.len - self.sentence == LONGEST {
            self.close();
        }
        if let Some(word) = self.words.get_mut(self.len) {
            *word = Word { start: start as u32, end: end as u32, code, head, concepts };
            self.len += 1;
            self.concepts |= concepts;
        }
    }

    /// The sentence ends here.
    fn close(&mut self) {
        if self.len == self.sentence {
            return;
        }
        let words = self.words.get(..self.len).unwrap_or_default();
        let (signs, concepts) = (self.signs, self.concepts);
        (self.each)(&Window {
            words: words.get(self.sentence..).unwrap_or_default(),
            sentence: 0,
            signs,
            concepts,
        });
        if self.sentence > 0 && self.len - self.sentence <= SHORT {
            (self.each)(&Window {
                words,
                sentence: self.sentence,
                signs: signs | self.carried.0,
                concepts: concepts | self.carried.1,
            });
        }
        let kept = CARRIED.min(self.len - self.sentence);
        self.words.copy_within(self.len - kept..self.len, 0);
        let carried = self.words.get(..kept).unwrap_or_default();
        let concepts = carried.iter().fold(0, |all, word| all | word.concepts);
        (self.carried, self.signs, self.concepts) = ((signs, concepts), 0, 0);
        (self.sentence, self.len) = (kept, kept);
    }
}

/// No entry of the lexicon has more characters without a space.
const LONGEST_IDEOGRAMS: usize = 12;

/// The letters of a word that is not read where it stands.
struct Letters {
    bytes: [u8; LONGEST_WORD],
    len: usize,
}

impl Default for Letters {
    fn default() -> Letters {
        Letters { bytes: [0; LONGEST_WORD], len: 0 }
    }
}

impl Letters {
    /// What has no place any more does not count.
    fn push(&mut self, letter: char) {
        let end = self.len + letter.len_utf8();
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            letter.encode_utf8(place);
            self.len = end;
        } else {
            self.len = LONGEST_WORD;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn code(&self) -> u32 {
        self.bytes().iter().fold(FNV_BASIS, |code, byte| fnv(code, u32::from(*byte)))
    }
}

/// How many letters are the head of a word.
const HEAD: u32 = 4;
// Fowler, Noll and Vo's hash of 32 bits, over letters instead of bytes
const FNV_BASIS: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

fn fnv(code: u32, letter: u32) -> u32 {
    (code ^ letter).wrapping_mul(FNV_PRIME)
}

/// The letters that a character is read as: in lower case, without accents; none for signs.
pub(crate) fn letters(c: char, push: &mut dyn FnMut(char)) {
    if c.is_ascii() {
        if c.is_ascii_alphanumeric() {
            push(c.to_ascii_lowercase());
        }
        return;
    }
    // most of what is not ASCII has nothing to be taken apart
    match c {
        '\u{4e00}'..='\u{9fff}' | '\u{430}'..='\u{438}' | '\u{43a}'..='\u{44f}' => return push(c),
        '\u{410}'..='\u{418}' | '\u{41a}'..='\u{42f}' => return c.to_lowercase().for_each(push),
        _ => {}
    }
    if is_invisible(c) || is_combining_mark(c) {
        return;
    }
    // Arabic presentation forms spell whole sentences
    if matches!(c, '\u{fb50}'..='\u{fdff}') {
        return;
    }
    if (c as u32) < 0x250
        && c.is_alphabetic()
        && let Some(ascii) = confusables::lookup(c)
    {
        return ascii.chars().for_each(push);
    }
    decompose_compatible(c, |part| {
        if part.is_alphanumeric() && !is_combining_mark(part) {
            part.to_lowercase().filter(|part| !is_combining_mark(*part)).for_each(&mut *push);
        }
    });
}

/// Whether a character is a word of its own: scripts without spaces, and Korean, whose words end in
/// what other languages write apart.
fn ideograph(c: char) -> bool {
    matches!(c as u32,
        0xe00..=0xe7f | 0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7a3 | 0xf900..=0xfaff
        | 0x20000..=0x3ffff)
}
