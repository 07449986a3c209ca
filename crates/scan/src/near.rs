//! Where in a text a pattern may match: near the literals that it cannot do without.

use std::cell::OnceCell;
use std::ops::Range;

use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::filter::{Found, Work};
use crate::normalize::FOREIGN;
use crate::required::Over;

/// A text and what it folds to.
pub(crate) struct Reading<'t> {
    pub text: &'t str,
    pub folded: &'t [u8],
    /// For each folded byte where it came from; `None` when nothing was folded.
    pub map: Option<&'t [(u32, u32)]>,
    /// Whether there is white space enough to push literals apart.
    pub padded: OnceCell<bool>,
    /// Whether some character folds to more than one byte.
    pub grows: OnceCell<bool>,
}

/// A stretch of a text and what it folds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub raw: Range<usize>,
    pub folded: Range<usize>,
}

impl Window {
    /// How many bytes are read.
    pub fn len(&self) -> usize {
        self.raw.len() + self.folded.len()
    }
}

/// In how many ways literals are looked for.
pub(crate) const LANES: usize = 4;

/// Literals of one lane, one of which every match holds.
#[derive(Debug)]
pub(crate) struct Group {
    pub lane: usize,
    pub literals: Box<[u32]>,
}

impl Group {
    /// How many bytes it takes.
    pub fn memory(&self) -> usize {
        size_of::<Group>() + 4 * self.literals.len()
    }

    fn places<'f>(&self, found: &'f [Vec<Found>; LANES]) -> impl Iterator<Item = &'f [Found]> {
        let found = found.get(self.lane).map_or(&[][..], |found| found);
        self.literals.iter().map(move |literal| places(found, *literal))
    }
}

/// How far a match goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// So far at most.
    Within { bytes: usize, chars: usize },
    /// So many characters at most, where no long white space pushes its parts apart.
    Spaced { chars: usize },
    /// As far as it likes; so many bytes are looked at on each side of a literal, white space not
    /// counted.
    Open,
}

/// What a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A character.
    Char,
    /// What a character folds to.
    Plain,
    /// Part of what a character folds to, seldom more than four.
    Folded,
    /// Part of a character, among others that vanish.
    Raw,
}

/// On each side of a literal, where a match has no bound.
const OPEN: usize = 1_024;
/// Marks around a character that was folded.
const SLACK: usize = 16;
/// An exact string is recognised behind a disguise if it has so many letters, digits and signs.
const DISGUISED: usize = 6;
/// So much white space in a row pushes literals apart.
const PADDING: usize = 32;
/// Places in one window.
const PLACES: usize = 16;

impl Reach {
    pub fn of(hir: &Hir) -> Reach {
        match (hir.properties().maximum_len(), longest(hir)) {
            (Some(bytes), Some(chars)) if bytes <= 4 * OPEN => Reach::Within { bytes, chars },
            (None, Some(chars)) if chars <= OPEN => Reach::Spaced { chars },
            _ => Reach::Open,
        }
    }

    /// What has to be looked at around `at`.
    fn around(self, bytes: &[u8], at: usize, unit: Unit, padded: bool) -> Range<usize> {
        let folded = |chars: usize| match unit {
            Unit::Char => chars + 1,
            Unit::Plain => chars + SLACK,
            Unit::Folded => 4 * chars + SLACK,
            Unit::Raw => 8 * chars + SLACK,
        };
        let (reach, padded) = match self {
            Reach::Within { bytes, .. } if unit == Unit::Raw => (2 * bytes + SLACK, false),
            Reach::Within { chars, .. } => (folded(chars), false),
            Reach::Spaced { chars } => (folded(chars), padded),
            Reach::Open => (OPEN, padded),
        };
        if !padded {
            return at.saturating_sub(reach)..(at + reach).min(bytes.len());
        }
        let counts = |byte: &u8| !byte.is_ascii_whitespace();
        let (before, after) = bytes.split_at(at.min(bytes.len()));
        let mut left = before.iter().enumerate().rev().filter(|(_, byte)| counts(byte));
        let mut right = after.iter().enumerate().filter(|(_, byte)| counts(byte));
        let from = left.nth(reach).map_or(0, |(at, _)| at);
        let to = right.nth(reach).map_or(bytes.len(), |(after, _)| at + after);
        from..to
    }
}

/// How many characters the longest match has, taken that white space without a bound is [`PADDING`]
/// long.
fn longest(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(0),
        HirKind::Literal(literal) => Some(
            std::str::from_utf8(&literal.0).map_or(literal.0.len(), |text| text.chars().count()),
        ),
        HirKind::Class(_) => Some(1),
        HirKind::Capture(capture) => longest(&capture.sub),
        HirKind::Repetition(rep) => {
            let times = match rep.max {
                Some(times) => times as usize,
                None if is_space(&rep.sub) => PADDING,
                None => return None,
            };
            longest(&rep.sub)?.checked_mul(times)
        }
        HirKind::Concat(parts) => {
            parts.iter().try_fold(0usize, |sum, part| sum.checked_add(longest(part)?))
        }
        HirKind::Alternation(parts) => {
            parts.iter().try_fold(0, |most, part| Some(longest(part)?.max(most)))
        }
    }
}

/// Whether it matches one white space character and nothing else.
fn is_space(hir: &Hir) -> bool {
    const SPACES: usize = 64;
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize = class.iter().map(|range| range.len()).sum();
            let mut chars = class.iter().flat_map(|range| range.start()..=range.end());
            count <= SPACES && chars.all(char::is_whitespace)
        }
        HirKind::Literal(literal) => matches!(*literal.0, [byte] if byte.is_ascii_whitespace()),
        _ => false,
    }
}

/// Where a literal stands. `found` is sorted.
fn places(found: &[Found], literal: u32) -> &[Found] {
    let first = found.partition_point(|one| one.literal < literal);
    let rest = found.get(first..).unwrap_or_default();
    let count = rest.partition_point(|one| one.literal == literal);
    rest.get(..count).unwrap_or_default()
}

/// Whether one of the literals was found.
pub(crate) fn stands(found: &[Vec<Found>; LANES], group: &Group) -> bool {
    group.places(found).any(|places| !places.is_empty())
}

impl Reading<'_> {
    /// The bytes of the text that a folded byte came from.
    fn source(&self, at: usize) -> (usize, usize) {
        match self.map {
            None => (at, at + 1),
            Some(map) => map.get(at).map_or((self.text.len(), self.text.len()), |(start, end)| {
                (*start as usize, *end as usize)
            }),
        }
    }

    /// The pattern at a folded place: byte for byte, or in a disguise.
    pub fn exact(
        &self,
        at: usize,
        pattern: &str,
        folded: &[u8],
        lead: usize,
    ) -> Option<Range<usize>> {
        let (first, _) = self.source(at);
        let start = first.checked_sub(lead)?;
        if let Some(span) = self.exact_raw(start, pattern) {
            return Some(span);
        }
        // letters that were changed or dropped are among them: then case counts no more either
        self.map?;
        let (_, end) = self.source((at + folded.len()).checked_sub(1)?);
        let disguised = end - first != folded.len() || !self.text.get(first..end)?.is_ascii();
        let telling = folded.iter().filter(|byte| !matches!(**byte, FOREIGN | b' ')).count();
        (disguised && telling >= DISGUISED).then_some(first..end)
    }

    /// The pattern at this place of the text.
    pub fn exact_raw(&self, at: usize, pattern: &str) -> Option<Range<usize>> {
        let span = at..at + pattern.len();
        (self.text.as_bytes().get(span.clone()) == Some(pattern.as_bytes())).then_some(span)
    }

    /// Where one of each group stands near the others, in order; none when they nowhere do.
    pub fn windows(
        &self,
        over: Over,
        reach: Reach,
        groups: &[Group],
        found: &[Vec<Found>; LANES],
        work: &mut Work,
    ) -> Vec<Window> {
        let (bytes, unit) = match (over, self.map) {
            (Over::Folded, None) => (self.folded, Unit::Char),
            (Over::Folded, Some(_)) => (self.folded, Unit::Folded),
            (Over::Raw, _) => (self.text.as_bytes(), Unit::Raw),
        };
        let count = |group: &&Group| group.places(found).map(<[Found]>::len).sum::<usize>();
        let Some(group) = groups.iter().min_by_key(count) else { return Vec::new() };
        let all = group.places(found).flatten();
        let mut starts: Vec<usize> = all.map(|place| place.start as usize).collect();
        starts.sort_unstable();
        let mut windows: Vec<Range<usize>> = Vec::new();
        let padded = !matches!(reach, Reach::Within { .. }) && self.is_padded();
        for start in starts {
            // far enough inside of what is looked at already
            if windows.last().is_some_and(|last| last.end == bytes.len()) {
                break;
            }
            let unit = match (unit, reach) {
                (Unit::Folded, Reach::Within { chars, .. } | Reach::Spaced { chars })
                    if self.is_plain(start, chars + SLACK) =>
                {
                    Unit::Plain
                }
                _ => unit,
            };
            let window = reach.around(bytes, start, unit, padded);
            if !work.take(if padded { window.len() } else { groups.len() }) {
                break;
            }
            let near = |places: &[Found]| {
                let next = places.partition_point(|place| (place.start as usize) < window.start);
                places.get(next).is_some_and(|place| (place.start as usize) < window.end)
            };
            if !groups.iter().all(|group| group.places(found).any(near)) {
                continue;
            }
            match windows.last_mut() {
                Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
                _ => windows.push(window),
            }
        }
        windows.into_iter().map(|window| self.window(over, window)).collect()
    }

    /// Whether no character folds to more than one byte, so far around a folded place.
    fn is_plain(&self, at: usize, reach: usize) -> bool {
        let Some(map) = self.map else { return true };
        let grows = |range: Range<usize>| {
            let map = map.get(range.clone()).unwrap_or_default();
            let folded = self.folded.get(range).unwrap_or_default();
            // a space that was put before a word has its source
            let mut pairs = folded.iter().zip(map.array_windows());
            pairs.any(|(byte, [one, next])| one == next && *byte != b' ')
        };
        !*self.grows.get_or_init(|| grows(0..map.len()))
            || !grows(at.saturating_sub(reach)..(at + reach).min(map.len()))
    }

    fn is_padded(&self) -> bool {
        *self.padded.get_or_init(|| {
            let mut run = 0;
            // what is white space in the text is so in what it folds to
            self.folded.iter().any(|byte| {
                run = if byte.is_ascii_whitespace() { run + 1 } else { 0 };
                run >= PADDING
            })
        })
    }

    /// The same stretch in both texts.
    fn window(&self, over: Over, window: Range<usize>) -> Window {
        let Some(map) = self.map else { return Window { raw: window, folded: 0..0 } };
        let (raw, folded) = match over {
            Over::Folded => {
                let first = if window.start == 0 { 0 } else { self.source(window.start).0 };
                let last = self.source(window.end).0;
                (first..last, window)
            }
            Over::Raw => {
                let first = map.partition_point(|(start, _)| (*start as usize) < window.start);
                let last = map.partition_point(|(start, _)| (*start as usize) < window.end);
                (window, first..last)
            }
        };
        let (mut from, mut to) = (raw.start, raw.end.max(raw.start));
        while !self.text.is_char_boundary(from) {
            from -= 1;
        }
        while !self.text.is_char_boundary(to) {
            to += 1;
        }
        Window { raw: from..to, folded }
    }

    /// Matches in a window: of the text, or else of what it folds to.
    pub fn search(&self, regex: &Regex, window: &Window) -> Vec<Range<usize>> {
        let input = Input::new(self.text).range(window.raw.clone());
        let spans = regex.find_iter(input).take(PLACES).map(|found| found.range());
        let spans: Vec<Range<usize>> = spans.collect();
        if !spans.is_empty() || self.map.is_none() {
            return spans;
        }
        let Ok(folded) = std::str::from_utf8(self.folded) else { return spans };
        let input = Input::new(folded).range(window.folded.clone());
        let found = regex.find_iter(input).take(PLACES).map(|found| {
            let (start, _) = self.source(found.start());
            let (_, end) = self.source(found.end().saturating_sub(1));
            start..end.max(start)
        });
        found.filter(|span| !span.is_empty()).collect()
    }
}
