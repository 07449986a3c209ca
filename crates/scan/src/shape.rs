//! The shape of a folded text, read sixty-four bytes at a time: where words are, what kinds of bytes
//! there are, where digits or signs stand among letters.

use std::ops::Range;

use crate::decode::MIN_RUN;
use crate::normalize::{CLASS, CODED, DIGIT, GLUE, LETTER, WORD};
use crate::words::{MIN_SPACED, trim_glue};

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// So many letters around single ones are read together with them.
pub(crate) const AROUND: u32 = 1_024;

/// What a text looks like.
#[derive(Default)]
pub(crate) struct Shape {
    /// Classes of all bytes.
    pub classes: u8,
    /// How many digits.
    pub digits: u32,
    /// Where digits begin that stand behind none.
    pub numbers: Vec<u32>,
    /// Where single letters stand in a row.
    pub spaced: Vec<Range<usize>>,
    /// Runs that may be encoded data.
    pub runs: Vec<Range<usize>>,
    /// Tokens of letters with digits or signs among them.
    pub mixed: Vec<Range<usize>>,
    blocks: Vec<Block>,
}

/// Sixty-four bytes, a bit for each, and what stands before them.
struct Block {
    /// Word characters.
    words: u64,
    /// Those that begin a word; none behind a sign that may stand for a letter.
    starts: u64,
    words_before: u32,
    starts_before: u32,
}

/// How many word characters, from 1, and how many words there are up to a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub letters: u32,
    pub words: u32,
}

impl Shape {
    pub fn of(text: &[u8]) -> Shape {
        let mut shape = Shape::default();
        shape.blocks.reserve_exact(text.len() / BLOCK + 1);
        let mut read =
            Reader { text, run: 0, before: Masks::default(), singles: 0, single: 0, token: 0 };
        // 0 letters stand for no place at all
        let mut count = Count { letters: 1, words: 0 };
        let (whole, rest) = text.as_chunks::<BLOCK>();
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        for (at, block) in whole.iter().chain([&last]).enumerate() {
            let masks = Masks::of(block, &mut shape.classes);
            let token = masks.words | masks.glue;
            let starts = masks.words & !(token << 1 | read.before.token() >> 63);
            shape.blocks.push(Block {
                words: masks.words,
                starts,
                words_before: count.letters,
                starts_before: count.words,
            });
            if masks.digits != 0 {
                shape.digits += masks.digits.count_ones();
                let mut first = masks.digits & !(masks.digits << 1 | read.before.digits >> 63);
                while first != 0 {
                    shape.numbers.push((at * BLOCK) as u32 + first.trailing_zeros());
                    first &= first - 1;
                }
            }
            count.letters += masks.words.count_ones();
            count.words += starts.count_ones();
            read.runs(at * BLOCK, &masks, &mut shape.runs);
            read.mixed(at * BLOCK, &masks, &mut shape.mixed);
            read.spaced(at * BLOCK, &masks, &mut shape.spaced);
            read.before = masks;
        }
        if text.len() - read.run.min(text.len()) >= MIN_RUN {
            shape.runs.push(read.run..text.len());
        }
        shape
    }

    /// What there is up to the byte at `at` and with it.
    #[inline]
    pub fn count(&self, at: usize) -> Count {
        let Some(block) = self.blocks.get(at / BLOCK) else {
            return Count { letters: 1, words: 0 };
        };
        let upto = u64::MAX >> (BLOCK - 1 - at % BLOCK);
        Count {
            letters: block.words_before + (block.words & upto).count_ones(),
            words: block.starts_before + (block.starts & upto).count_ones(),
        }
    }

    /// Some runs, in order, and so many letters on each side of them, up to the `end` of the text.
    pub fn around(&self, runs: &[Range<usize>], letters: u32, end: usize) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = Vec::new();
        for run in runs {
            let first = self.count(run.start).letters.saturating_sub(letters);
            let start = if first <= 1 { 0 } else { self.place(first).min(end) };
            let next = self.place(self.count(run.end).letters.saturating_add(letters)).min(end);
            match all.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(next),
                _ => all.push(start..next),
            }
        }
        all
    }

    /// Where the word character with this number stands; the end of the text behind the last.
    pub fn place(&self, letter: u32) -> usize {
        let next = self.blocks.partition_point(|block| block.words_before <= letter);
        let at = next.saturating_sub(1);
        let Some(block) = self.blocks.get(at) else { return 0 };
        let mut words = block.words;
        for _ in block.words_before..letter {
            words &= words.wrapping_sub(1);
        }
        at * BLOCK + words.trailing_zeros() as usize
    }
}

/// A bit for each byte of a block.
#[derive(Clone, Copy, Default)]
struct Masks {
    words: u64,
    digits: u64,
    glue: u64,
    coded: u64,
}

impl Masks {
    fn of(block: &[u8; BLOCK], classes: &mut u8) -> Masks {
        let mut masks = Masks::default();
        let mut rare = 0;
        let (eights, _) = block.as_chunks::<8>();
        for (at, eight) in eights.iter().enumerate() {
            let bytes = u64::from_le_bytes(*eight);
            let lower = bytes | all(0x20);
            let letters = within(lower, b'a', b'z');
            let digits = within(bytes, b'0', b'9');
            let dash = is(bytes, b'-');
            // what ordinary prose holds besides
            let plain = within(bytes, b':', b';') | within(bytes, b',', b'.');
            let plain = plain | is(bytes, b' ') | is(bytes, b'\n');
            let words = letters | digits;
            rare |= !(words | plain) & all(0x80) | bytes & all(0x80);
            let by = 8 * at;
            masks.words |= bits(words) << by;
            masks.digits |= bits(digits) << by;
            masks.coded |= bits(words | dash) << by;
        }
        if rare != 0 {
            return Masks::looked_up(block, classes);
        }
        if masks.digits != 0 {
            *classes |= WORD | DIGIT | CODED;
        }
        if masks.words != masks.digits {
            *classes |= WORD | LETTER | CODED;
        }
        if masks.coded != 0 {
            *classes |= CODED;
        }
        masks
    }

    /// The same for a block with any bytes.
    #[inline(never)]
    fn looked_up(block: &[u8; BLOCK], classes: &mut u8) -> Masks {
        let mut masks = Masks::default();
        for (at, byte) in block.iter().enumerate() {
            let class = CLASS[usize::from(*byte)];
            *classes |= class;
            masks.words |= u64::from(class & WORD != 0) << at;
            masks.digits |= u64::from(class & DIGIT != 0) << at;
            masks.glue |= u64::from(class & GLUE != 0) << at;
            masks.coded |= u64::from(class & CODED != 0) << at;
        }
        masks
    }

    fn token(&self) -> u64 {
        self.words | self.glue
    }
}

/// Eight times the same byte.
const fn all(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// The high bit of each byte that is in the range, if every byte is ASCII.
#[inline]
fn within(bytes: u64, first: u8, last: u8) -> u64 {
    bytes.wrapping_add(all(0x80 - first)) & !bytes.wrapping_add(all(0x7f - last)) & all(0x80)
}

#[inline]
fn is(bytes: u64, byte: u8) -> u64 {
    within(bytes, byte, byte)
}

/// The high bits of eight bytes, one behind the other.
#[inline]
fn bits(high: u64) -> u64 {
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// What is carried from block to block.
struct Reader<'t> {
    text: &'t [u8],
    /// Where the run of coded bytes begins.
    run: usize,
    before: Masks,
    /// How many single letters stood last, one behind the other.
    singles: usize,
    /// Where the first of them stands.
    single: usize,
    /// Tokens that end before were looked at.
    token: usize,
}

impl Reader<'_> {
    fn runs(&mut self, base: usize, masks: &Masks, runs: &mut Vec<Range<usize>>) {
        let mut coded = masks.coded;
        if coded == u64::MAX {
            return;
        }
        let end = base + coded.trailing_ones() as usize;
        if end - self.run >= MIN_RUN {
            runs.push(self.run..end);
        }
        // a bit for each place where sixteen begin
        coded &= u64::MAX << (end - base);
        let mut long = coded & coded >> 1;
        long &= long >> 2;
        long &= long >> 4;
        long &= long >> 8;
        while long != 0 {
            let first = long.trailing_zeros();
            let length = (masks.coded >> first).trailing_ones();
            if first + length == BLOCK as u32 {
                break;
            }
            let start = base + first as usize;
            runs.push(start..start + length as usize);
            long &= u64::MAX << (first + length);
        }
        self.run = base + BLOCK - masks.coded.leading_ones() as usize;
    }

    /// Tokens with signs, and with both letters and digits.
    fn mixed(&mut self, base: usize, masks: &Masks, mixed: &mut Vec<Range<usize>>) {
        let others = masks.words & !masks.digits;
        let before = self.before;
        let behind = |mask: u64, before: u64| mask << 1 | before >> 63;
        let mut places = masks.glue
            | masks.digits & behind(others, before.words & !before.digits)
            | others & behind(masks.digits, before.digits);
        while places != 0 {
            let at = base + places.trailing_zeros() as usize;
            places &= places - 1;
            if at < self.token {
                continue;
            }
            let token = self.token_at(at);
            self.token = token.end;
            if is_mixed(kind(self.text, &token)) {
                mixed.push(token);
            }
        }
    }

    fn token_at(&self, at: usize) -> Range<usize> {
        let inside = |byte: &u8| CLASS[usize::from(*byte)] & (WORD | GLUE) != 0;
        let (before, after) = self.text.split_at(at.min(self.text.len()));
        // what stands before the last token that was looked at is none of this one
        let first = before.iter().rev().take_while(|byte| inside(byte)).count();
        let rest = after.iter().take_while(|byte| inside(byte)).count();
        at - first..at + rest
    }

    /// Where so many single letters stand in a row that they are one word.
    fn spaced(&mut self, base: usize, masks: &Masks, spaced: &mut Vec<Range<usize>>) {
        let token = masks.token();
        let starts = token & !(token << 1 | self.before.token() >> 63);
        let single = starts & !(token >> 1);
        if single == 0 && masks.glue == 0 {
            if starts != 0 {
                self.singles = 0;
            }
            return;
        }
        let mut starts = starts;
        while starts != 0 {
            let bit = starts.trailing_zeros();
            starts &= starts - 1;
            let plain = masks.glue == 0 && bit < 62 && token >> (bit + 1) & 1 == 0;
            let alone = plain || {
                let range = self.token_at(base + bit as usize);
                let end = trim_glue(self.text, range.start, range.end);
                let word = |byte: &u8| CLASS[usize::from(*byte)] & WORD != 0;
                let inside = self.text.get(range.start..end).unwrap_or_default();
                let lead = inside.iter().position(word).unwrap_or(0);
                inside.len() - lead == 1
            };
            self.singles = if alone { self.singles + 1 } else { 0 };
            let at = base + bit as usize;
            if self.singles == 1 {
                self.single = at;
            }
            match spaced.last_mut() {
                Some(last) if self.singles > MIN_SPACED => last.end = at,
                _ if self.singles == MIN_SPACED => spaced.push(self.single..at),
                _ => {}
            }
        }
    }
}

/// The classes of the bytes of a token.
pub(crate) fn kind(text: &[u8], token: &Range<usize>) -> u8 {
    let bytes = text.get(token.clone()).unwrap_or_default();
    bytes.iter().fold(0, |kind, byte| kind | CLASS[usize::from(*byte)])
}

/// Whether letters and digits stand together, or signs among them.
pub(crate) fn is_mixed(kind: u8) -> bool {
    kind & GLUE != 0 || kind & (LETTER | DIGIT) == LETTER | DIGIT
}
