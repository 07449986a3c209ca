//! Our own first look for thousands of literals at once: every four letters of the text are looked
//! up in a table of bits, and only where the bit is set are literals compared.
//!
//! Unlike an automaton it keeps no state between bytes, so that a text is read at the speed of the
//! table, which stays in the processor's nearest caches (two bytes for a literal); ten thousand
//! literals are made ready in milliseconds. Of each literal the rarest six letters are looked for, as
//! two times five of them, so that every second place of the text suffices. No such letters stand for more than [`SHARED`] literals: what has to be compared at one
//! place of the text is bounded, whoever wrote the literals.

use std::collections::HashMap;

/// So many bytes are read at once.
const BLOCK: usize = 1_024;

/// At most so many literals are compared where the same letters stand.
pub(crate) const SHARED: u32 = 256;

/// Collects literals.
pub(crate) struct Draft {
    width: usize,
    /// How many places in a row are known for each literal: every so many are looked at.
    stride: usize,
    known: HashMap<Box<[u8]>, u32>,
    literals: Vec<Box<[u8]>>,
    /// Letters, whose, and where in it they stand.
    places: Vec<(u64, u32, u16)>,
    load: HashMap<u64, u32>,
}

impl Draft {
    /// For literals of at least `width + stride - 1` bytes; the width is five, four or two, the stride
    /// two where the width is five, else one.
    pub fn new(width: usize, stride: usize) -> Draft {
        Draft {
            width,
            stride,
            known: HashMap::new(),
            literals: Vec::new(),
            places: Vec::new(),
            load: HashMap::new(),
        }
    }

    /// Adds a literal, once, and gives its number; letters compare without case. Refuses one that is
    /// too short or whose letters all stand for too many others.
    pub fn add(&mut self, literal: &[u8]) -> Option<u32> {
        let literal: Box<[u8]> = literal.to_ascii_lowercase().into();
        if let Some(number) = self.known.get(&literal) {
            return Some(*number);
        }
        let seen = literal.len().min(usize::from(u16::MAX));
        let span = self.width + self.stride - 1;
        let places = literal.get(..seen).unwrap_or(&literal).windows(span).enumerate();
        let weighed = places.map(|(at, letters)| {
            let load = |letters: &[u8]| self.load.get(&gram(letters)).copied().unwrap_or(0);
            let load = letters.windows(self.width).map(load).max().unwrap_or(0);
            let common: u32 = letters.iter().map(|letter| u32::from(commonness(*letter))).sum();
            (load >= SHARED, common + load / 4, at)
        });
        let Some((false, _, at)) = weighed.min() else { return None };
        let number = u32::try_from(self.literals.len()).ok()?;
        for (at, letters) in literal.windows(self.width).enumerate().skip(at).take(self.stride) {
            *self.load.entry(gram(letters)).or_insert(0) += 1;
            self.places.push((gram(letters), number, u16::try_from(at).unwrap_or(0)));
        }
        self.known.insert(literal.clone(), number);
        self.literals.push(literal);
        Some(number)
    }

    /// The table; `None` without literals.
    pub fn build(mut self) -> Option<Filter> {
        if self.literals.is_empty() {
            return None;
        }
        self.places.sort_unstable();
        let grams = self.load.len();
        // one bit in thirty-two is set at most
        let bits = (grams * 32).next_power_of_two().clamp(1 << 12, 1 << 24);
        let slots = (grams * 2).next_power_of_two().max(2);
        let (mut letters, mut spans) = (Vec::new(), Vec::new());
        for literal in &self.literals {
            let start = letters.len() as u32;
            letters.extend_from_slice(literal);
            spans.push((start, letters.len() as u32));
        }
        let mut filter = Filter {
            width: self.width,
            stride: self.stride,
            shift: 32 - bits.trailing_zeros(),
            slot_shift: 32 - slots.trailing_zeros(),
            bits: vec![0; bits / 64].into(),
            slots: vec![(0, 0, 0); slots].into(),
            anchors: Box::default(),
            letters: letters.into(),
        };
        let mut anchors = Vec::with_capacity(self.places.len());
        for group in self.places.chunk_by(|one, next| one.0 == next.0) {
            let first = anchors.len() as u32;
            for (_, literal, at) in group {
                let span = spans.get(*literal as usize).copied().unwrap_or_default();
                let letters = self.literals.get(*literal as usize).map_or(&[][..], |one| one);
                anchors.push(Anchor::new(letters, *literal, span, *at));
            }
            if let Some(all) = anchors.get_mut(first as usize..) {
                all.sort_unstable_by_key(|anchor| (anchor.side, anchor.probe));
            }
            if let Some((gram, ..)) = group.first() {
                filter.enter(*gram, first, anchors.len() as u32);
            }
        }
        filter.anchors = anchors.into();
        Some(filter)
    }
}

/// Finds literals.
#[derive(Debug)]
pub(crate) struct Filter {
    width: usize,
    stride: usize,
    shift: u32,
    slot_shift: u32,
    bits: Box<[u64]>,
    /// Letters, and the anchors from where to where; an empty range is a free slot.
    slots: Box<[(u64, u32, u32)]>,
    anchors: Box<[Anchor]>,
    letters: Box<[u8]>,
}

#[derive(Debug)]
struct Anchor {
    start: u32,
    end: u32,
    /// Its number.
    literal: u32,
    /// Where in the literal its rarest letters stand.
    at: u16,
    /// Four letters beside those, and on which side.
    side: Side,
    probe: u64,
}

/// Where further letters of a literal stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    After,
    Before,
    /// It is too short to have any.
    Nowhere,
}

impl Side {
    /// The letters on this side of those at `place`; always the same when there are none.
    fn letters(self, text: &[u8], place: usize) -> Option<u64> {
        let start = match self {
            Side::After => place + 4,
            Side::Before => place.checked_sub(4)?,
            Side::Nowhere => return Some(0),
        };
        text.get(start..start + 4).map(gram)
    }
}

impl Anchor {
    fn new(literal: &[u8], number: u32, (start, end): (u32, u32), at: u16) -> Anchor {
        let letters =
            |side: Side| side.letters(literal, usize::from(at)).map(|probe| (side, probe));
        let found = letters(Side::After).or_else(|| letters(Side::Before));
        let (side, probe) = found.unwrap_or((Side::Nowhere, 0));
        Anchor { start, end, literal: number, at, side, probe }
    }
}

/// A literal that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// Its number.
    pub literal: u32,
    /// Where it starts.
    pub start: u32,
}

impl Filter {
    fn enter(&mut self, gram: u64, first: u32, end: u32) {
        let hash = hash(gram);
        let bit = (hash >> self.shift) as usize;
        if let Some(word) = self.bits.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
        let mask = self.slots.len() - 1;
        let mut slot = (hash >> self.slot_shift) as usize;
        while let Some((_, from, to)) = self.slots.get(slot)
            && from != to
        {
            slot = (slot + 1) & mask;
        }
        if let Some(free) = self.slots.get_mut(slot) {
            *free = (gram, first, end);
        }
    }

    /// How many bytes it takes.
    pub fn memory(&self) -> usize {
        self.bits.len() * 8
            + self.slots.len() * 16
            + self.anchors.len() * size_of::<Anchor>()
            + self.letters.len()
    }

    /// Every place where a literal stands, `work` counting what was compared; ends when it is used
    /// up.
    pub fn find(&self, text: &[u8], work: &mut Work, found: &mut Vec<Found>) {
        match (self.width, self.stride) {
            (5, 2) => self.find_by::<5, 2>(text, work, found),
            (4, _) => self.find_by::<4, 1>(text, work, found),
            _ => self.find_by::<2, 1>(text, work, found),
        }
    }

    fn find_by<const WIDTH: usize, const STRIDE: usize>(
        &self,
        text: &[u8],
        work: &mut Work,
        found: &mut Vec<Found>,
    ) {
        // Places are noted without a branch, which no processor could foresee, and looked at after.
        let mut noted = [0u16; BLOCK];
        let mut first = 0;
        while let Some(rest) = text.get(first..).filter(|rest| rest.len() >= WIDTH) {
            let part = &rest[..rest.len().min(BLOCK + WIDTH - 1)];
            let mut count = 0;
            let mut note = |at: u16, letters: &[u8]| {
                let bit = hash(gram(letters)) >> self.shift;
                let word = self.bits.get(bit as usize / 64).copied().unwrap_or(0);
                if let Some(place) = noted.get_mut(count) {
                    *place = at;
                }
                count += (word >> (bit % 64) & 1) as usize;
            };
            if STRIDE == 2 {
                let (pairs, odd) = part.as_chunks::<2>();
                for (at, three) in (0u16..).zip(pairs.array_windows::<3>()) {
                    note(2 * at, &three.as_flattened()[..WIDTH]);
                }
                // the last five letters, where they end with half a pair
                if let ([.., one, two], [last]) = (pairs, odd) {
                    let at = u16::try_from(part.len() - WIDTH).unwrap_or(0);
                    note(at, &[one[0], one[1], two[0], two[1], *last]);
                }
            } else {
                for (at, letters) in (0u16..).zip(part.array_windows::<WIDTH>()) {
                    note(at, letters);
                }
            }
            for at in noted.get(..count).unwrap_or_default() {
                let place = first + usize::from(*at);
                let letters = text.get(place..place + WIDTH).unwrap_or_default();
                if !self.compare(text, place, gram(letters), work, found) {
                    return;
                }
            }
            first += BLOCK;
        }
    }

    #[inline]
    fn compare(
        &self,
        text: &[u8],
        place: usize,
        gram: u64,
        work: &mut Work,
        found: &mut Vec<Found>,
    ) -> bool {
        let mask = self.slots.len() - 1;
        let mut slot = (hash(gram) >> self.slot_shift) as usize;
        let anchors = loop {
            match self.slots.get(slot) {
                Some((known, from, to)) if from != to => {
                    if *known == gram {
                        break self.anchors.get(*from as usize..*to as usize).unwrap_or_default();
                    }
                    slot = (slot + 1) & mask;
                }
                _ => return true,
            }
        };
        for side in [Side::After, Side::Before, Side::Nowhere] {
            let Some(probe) = side.letters(text, place) else { continue };
            let first = anchors.partition_point(|one| (one.side, one.probe) < (side, probe));
            let same = anchors.get(first..).unwrap_or_default().iter();
            for anchor in same.take_while(|one| (one.side, one.probe) == (side, probe)) {
                let Some(start) = place.checked_sub(usize::from(anchor.at)) else { continue };
                let literal = self.letters.get(anchor.start as usize..anchor.end as usize);
                let Some(literal) = literal else { continue };
                let part = text.get(start..start + literal.len());
                if !work.take(1) {
                    return false;
                }
                if part.is_some_and(|part| part.eq_ignore_ascii_case(literal)) {
                    if !work.take(literal.len()) {
                        return false;
                    }
                    found.push(Found { literal: anchor.literal, start: start as u32 });
                }
            }
        }
        true
    }
}

/// What may still be spent on looking closer, in bytes: deterministic, so that a verdict does not
/// depend on load.
#[derive(Debug)]
pub(crate) struct Work {
    left: usize,
    /// Whether something was not looked at.
    pub exhausted: bool,
}

/// Work per byte of the text, and on top of that.
pub(crate) const WORK_FACTOR: usize = 8;
pub(crate) const WORK_BASE: usize = 1 << 18;

impl Work {
    /// For a text of `len` bytes.
    pub fn of(len: usize) -> Work {
        Work { left: len.saturating_mul(WORK_FACTOR).saturating_add(WORK_BASE), exhausted: false }
    }

    /// Takes so much, or notes that it was not there.
    pub fn take(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => self.exhausted = true,
        }
        !self.exhausted
    }
}

/// The letters as a number; case does not matter, and neither do a few signs that differ from one
/// another as case does.
#[inline]
pub(crate) fn gram(letters: &[u8]) -> u64 {
    let of = |bytes: [u8; 8]| u64::from_le_bytes(bytes) | 0x20_2020_2020;
    match *letters {
        [a, b] => of([a, b, 0, 0, 0, 0, 0, 0]),
        [a, b, c] => of([a, b, c, 0, 0, 0, 0, 0]),
        [a, b, c, d] => of([a, b, c, d, 0, 0, 0, 0]),
        [a, b, c, d, e, ..] => of([a, b, c, d, e, 0, 0, 0]),
        _ => 0,
    }
}

#[inline]
pub(crate) const fn hash(gram: u64) -> u32 {
    (gram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// How common a byte is in text, roughly: a literal is looked for by its rarest part.
fn commonness(byte: u8) -> u8 {
    match byte.to_ascii_lowercase() {
        b' ' | b'e' => 60,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 50,
        b'c' | b'd' | b'h' | b'l' | b'm' | b'p' | b'u' => 40,
        b'b' | b'f' | b'g' | b'v' | b'w' | b'y' => 30,
        // a letter of another script that folds to none
        0x7f => 60,
        b'\n' | b',' | b'.' | b'-' => 30,
        b'k' | b'0'..=b'9' => 20,
        b'j' | b'q' | b'x' | b'z' => 10,
        0x80.. => 20,
        _ => 12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        (width, stride): (usize, usize),
        literals: &[&str],
        text: &str,
        expect: &[(u32, u32)],
    ) {
        let mut draft = Draft::new(width, stride);
        for (n, literal) in (0..).zip(literals) {
            assert_eq!(draft.add(literal.as_bytes()), Some(n), "{literal}");
        }
        let mut found = Vec::new();
        let filter = draft.build().unwrap();
        filter.find(text.as_bytes(), &mut Work::of(text.len()), &mut found);
        found.sort();
        let found: Vec<(u32, u32)> = found.iter().map(|f| (f.literal, f.start)).collect();
        assert_eq!(found, expect, "{literals:?} in {} bytes", text.len());
    }

    #[test]
    fn literals_are_found_wherever_they_stand() {
        let all = [(0, 0), (0, 7), (0, 13), (1, 1), (1, 8), (1, 14)];
        check((5, 2), &["ignore", "gnore "], "Ignore ", &[(0, 0), (1, 1)]);
        check((5, 2), &["ignore"], "Ignore IGNOREignore", &[(0, 0), (0, 7), (0, 13)]);
        check((4, 1), &["ignore", "GNORE"], "Ignore IGNOREignore", &all);
        check((5, 2), &["xyzwvu"], "xyzw xyzwvu", &[(0, 5)]);
        check((4, 1), &["abcd"], "abc", &[]);
        check((2, 1), &["ab", "abc"], "ab abc", &[(0, 0), (0, 3), (1, 3)]);
        check((2, 1), &["a\u{e9}"], "xa\u{e9}", &[(0, 1)]);
        let far = format!("{}needle", " x".repeat(3 * BLOCK));
        for cut in 0..8 {
            check((5, 2), &["needle"], &far[cut..], &[(0, (6 * BLOCK - cut) as u32)]);
        }
    }

    #[test]
    fn what_one_place_can_cost_is_bounded() {
        let mut draft = Draft::new(4, 1);
        let taken = (4..1000).filter_map(|n| draft.add(&vec![b'a'; n])).count();
        assert_eq!(taken, SHARED as usize);
        assert_eq!(draft.add(b"aaaa"), Some(0));
        assert_eq!(draft.add(b"abc"), None);
        let filter = draft.build().unwrap();
        let text = vec![b'a'; 1 << 16];
        let (mut work, mut found) = (Work::of(text.len()), Vec::new());
        filter.find(&text, &mut work, &mut found);
        assert!(work.exhausted && found.len() < WORK_FACTOR * text.len());
    }
}
