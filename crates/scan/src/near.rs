//! Where in a text a pattern may match: near the literals that it cannot do without.

use std::cell::OnceCell;
use std::ops::Range;

use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_syntax::hir::Hir;

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

/// How far a match goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// So many bytes at most.
    Bytes(usize),
    /// As far as it likes; so many bytes are looked at on each side of a literal, white space not
    /// counted.
    Open(usize),
}

/// On each side of a literal, where a match has no bound.
const OPEN: usize = 1_024;
/// A folded character may come from so many bytes and marks around it.
const SLACK: usize = 16;
/// An exact string is recognised behind a disguise if it has so many letters, digits and signs.
const DISGUISED: usize = 6;
/// So much white space in a row pushes literals apart.
const PADDING: usize = 32;
/// Places in one window.
const PLACES: usize = 16;

impl Reach {
    pub fn of(hir: &Hir) -> Reach {
        match hir.properties().maximum_len() {
            // a character may fold to two
            Some(bytes) if bytes <= 4 * OPEN => Reach::Bytes(2 * bytes + SLACK),
            _ => Reach::Open(OPEN),
        }
    }

    fn around(self, bytes: &[u8], at: usize, padded: bool) -> Range<usize> {
        match self {
            Reach::Bytes(reach) => at.saturating_sub(reach)..(at + reach).min(bytes.len()),
            Reach::Open(reach) if !padded => {
                at.saturating_sub(reach)..(at + reach).min(bytes.len())
            }
            Reach::Open(reach) => {
                let counts = |byte: &u8| !byte.is_ascii_whitespace();
                let (before, after) = bytes.split_at(at.min(bytes.len()));
                let mut left = before.iter().enumerate().rev().filter(|(_, byte)| counts(byte));
                let mut right = after.iter().enumerate().filter(|(_, byte)| counts(byte));
                let from = left.nth(reach).map_or(0, |(at, _)| at);
                let to = right.nth(reach).map_or(bytes.len(), |(after, _)| at + after);
                from..to
            }
        }
    }
}

/// Where a literal stands. `found` is sorted.
fn places(found: &[Found], literal: u32) -> &[Found] {
    let first = found.partition_point(|one| one.literal < literal);
    let rest = found.get(first..).unwrap_or_default();
    let count = rest.partition_point(|one| one.literal == literal);
    rest.get(..count).unwrap_or_default()
}

/// Whether a literal was found.
pub(crate) fn stands(found: &[Found], literal: u32) -> bool {
    found.binary_search_by_key(&literal, |one| one.literal).is_ok()
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
        groups: &[Box<[u32]>],
        found: &[Found],
        work: &mut Work,
    ) -> Vec<Window> {
        let bytes = match over {
            Over::Folded => self.folded,
            Over::Raw => self.text.as_bytes(),
        };
        let count =
            |group: &[u32]| group.iter().map(|one| places(found, *one).len()).sum::<usize>();
        let rarest = (0..groups.len()).min_by_key(|at| groups.get(*at).map(|group| count(group)));
        let Some(group) = rarest.and_then(|at| groups.get(at)) else { return Vec::new() };
        let all = group.iter().flat_map(|one| places(found, *one));
        let mut starts: Vec<usize> = all.map(|place| place.start as usize).collect();
        starts.sort_unstable();
        let mut windows: Vec<Range<usize>> = Vec::new();
        for start in starts {
            // far enough inside of what is looked at already
            if windows.last().is_some_and(|last| last.end == bytes.len()) {
                break;
            }
            let padded = matches!(reach, Reach::Open(_)) && self.is_padded();
            let window = reach.around(bytes, start, padded);
            if !work.take(if padded { window.len() } else { groups.len() * 4 }) {
                break;
            }
            let near = |one: &u32| {
                let places = places(found, *one);
                let next = places.partition_point(|place| (place.start as usize) < window.start);
                places.get(next).is_some_and(|place| (place.start as usize) < window.end)
            };
            if !groups.iter().all(|group| group.iter().any(near)) {
                continue;
            }
            match windows.last_mut() {
                Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
                _ => windows.push(window),
            }
        }
        windows.into_iter().map(|window| self.window(over, window)).collect()
    }

    fn is_padded(&self) -> bool {
        *self.padded.get_or_init(|| {
            let mut run = 0;
            self.text.bytes().any(|byte| {
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
