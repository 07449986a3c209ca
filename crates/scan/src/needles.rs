//! The patterns of others, made ready: exact strings and characters are looked up, expressions run
//! only where a literal of theirs stands, and never over more than [`Work`] allows.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use record::ioc::code_points;
use regex_automata::meta;
use regex_automata::meta::Regex;
use regex_syntax::hir::Hir;

use crate::common::often;
use crate::filter::{Found, SHARED, Work};
use crate::indicator::{Indicator, Kind, Limits, Refusal, Refused, Source};
use crate::lanes::{Drafts, FOUR, Lane, RAW, SHORT, lane_of, telling};
use crate::near::{Group, LANES, Reach, Reading, Window, stands};
use crate::normalize::FOREIGN;
use crate::required::{self, Over, spell};
use crate::rule::Severity;

/// All patterns of others.
#[derive(Debug)]
pub(crate) struct Needles {
    pub indicators: Vec<Indicator>,
    matchers: Vec<Matcher>,
    lanes: Vec<Lane>,
    /// Single characters and who asks for them.
    points: HashMap<char, Vec<u32>>,
    /// One bit for the last of the bits of each.
    point_bits: [u64; POINT_BITS / 64],
    /// Whether one of them is ASCII.
    ascii_points: bool,
    /// Expressions that are run over every text.
    slow: Vec<u32>,
}

#[derive(Debug)]
enum Matcher {
    /// How the pattern folds; how many bytes stand before the first that does not vanish.
    Exact {
        folded: Box<[u8]>,
        lead: usize,
    },
    Points,
    Expression(Expression),
}

#[derive(Debug)]
struct Expression {
    /// Of each group of literals every match holds one; the needle is looked at where the first
    /// group stands.
    groups: Box<[Group]>,
    reach: Reach,
    /// What a byte costs that it reads.
    weight: usize,
    regex: OnceLock<Option<Regex>>,
}

/// A match, in bytes of the text as it was given.
pub(crate) struct Match {
    pub needle: u32,
    pub span: Range<usize>,
}

/// A pattern is reported at so many places.
const PLACES: usize = 16;
/// A compiled expression and its lazy automaton may take so much memory.
const REGEX_BYTES: usize = 1 << 22;
const CACHE_BYTES: usize = 1 << 18;
/// An expression may have so many classes with a name.
const CLASSES: usize = 64;
/// Characters are told apart by so many bits before they are looked up.
const POINT_BITS: usize = 4_096;
/// So much price makes a byte cost one more.
const WEIGHT: usize = 128;

impl Needles {
    /// Makes the patterns ready; what cannot be used is told, and is not among them.
    pub fn build(indicators: Vec<Indicator>, limits: &Limits) -> (Needles, Vec<Refused>) {
        let mut made = Needles {
            indicators: Vec::new(),
            matchers: Vec::new(),
            lanes: Vec::new(),
            points: HashMap::new(),
            point_bits: [0; POINT_BITS / 64],
            ascii_points: false,
            slow: Vec::new(),
        };
        let mut drafts = Drafts::new();
        let mut spent: HashMap<String, usize> = HashMap::new();
        let mut refused = Vec::new();
        for (index, indicator) in indicators.into_iter().enumerate() {
            match made.add(&indicator, &mut drafts, &mut spent, limits) {
                Ok(matcher) => {
                    made.matchers.push(matcher);
                    made.indicators.push(indicator);
                }
                Err(reason) => refused.push(Refused { index, id: indicator.id, reason }),
            }
        }
        made.lanes = drafts.build().into();
        (made, refused)
    }

    fn add(
        &mut self,
        indicator: &Indicator,
        drafts: &mut Drafts,
        spent: &mut HashMap<String, usize>,
        limits: &Limits,
    ) -> Result<Matcher, Refusal> {
        let pattern = indicator.pattern.as_str();
        let needle = u32::try_from(self.indicators.len()).unwrap_or(u32::MAX);
        if self.indicators.len() >= limits.patterns {
            return Err(Refusal::TooMany { limit: limits.patterns });
        }
        if pattern.is_empty() {
            return Err(Refusal::Empty);
        }
        if pattern.len() > limits.pattern_bytes {
            let (length, limit) = (pattern.len(), limits.pattern_bytes);
            return Err(Refusal::TooLong { length, limit });
        }
        match indicator.kind {
            Kind::UnicodeSignature => {
                let points = code_points(pattern);
                for point in points.map_err(|reason| Refusal::BadSignature { reason })? {
                    self.point(point, needle);
                }
                Ok(Matcher::Points)
            }
            Kind::Substring => self.exact(pattern, needle, drafts),
            Kind::Regex => {
                let spent = spent.entry(source_key(&indicator.source)).or_insert(0);
                // nothing is read for a source that used up what it has, and what is refused counts
                if *spent >= limits.source_price {
                    return Err(Refusal::SourceTooDear { limit: limits.source_price });
                }
                let dear = limits.price.min(limits.source_price);
                if classes(pattern) > CLASSES {
                    *spent += dear;
                    return Err(Refusal::TooManyClasses { limit: CLASSES });
                }
                *spent += pattern.len();
                let hir = parse(pattern)?;
                let price = required::price(&hir);
                if price > limits.price {
                    *spent += dear;
                    return Err(Refusal::TooDear { price, limit: limits.price });
                }
                *spent += price;
                if *spent > limits.source_price {
                    return Err(Refusal::SourceTooDear { limit: limits.source_price });
                }
                let groups = self.groups(&hir, needle, drafts, limits.slow)?;
                Ok(Matcher::Expression(Expression {
                    groups,
                    reach: Reach::of(&hir),
                    weight: 1 + price / WEIGHT,
                    regex: OnceLock::new(),
                }))
            }
        }
    }

    fn exact(
        &mut self,
        pattern: &str,
        needle: u32,
        drafts: &mut Drafts,
    ) -> Result<Matcher, Refusal> {
        let mut chars = pattern.chars();
        if let (Some(only), None) = (chars.next(), chars.next()) {
            if only.is_ascii() && !only.is_ascii_control() {
                return Err(Refusal::TooShort);
            }
            self.point(only, needle);
            return Ok(Matcher::Points);
        }
        let folded: Box<[u8]> = spell(pattern, Over::Folded).into();
        let visible = |c: char| !spell(c.encode_utf8(&mut [0; 4]), Over::Folded).is_empty();
        let lead = pattern.find(visible).unwrap_or(0);
        let telling =
            folded.iter().filter(|byte| !matches!(**byte, FOREIGN | b' ' | b'\n')).count();
        let (lane, literal) = if telling >= FOUR {
            (lane_of(folded.len()), &*folded)
        } else if pattern.is_ascii() && folded.len() == pattern.len() {
            (SHORT, &*folded)
        } else if pattern.len() >= FOUR {
            (RAW, pattern.as_bytes())
        } else {
            // a letter and a control character: too little to look for by itself
            return Err(Refusal::TooShort);
        };
        if drafts.anchor(lane, &[literal.to_vec()], needle).is_none() {
            return Err(Refusal::Crowded { limit: SHARED });
        }
        Ok(Matcher::Exact { folded, lead })
    }

    fn groups(
        &mut self,
        hir: &Hir,
        needle: u32,
        drafts: &mut Drafts,
        slow: usize,
    ) -> Result<Box<[Group]>, Refusal> {
        if hir.properties().minimum_len().is_none_or(|shortest| shortest == 0) {
            return Err(Refusal::MatchesEmpty);
        }
        for (over, shortest) in [(Over::Folded, FOUR), (Over::Raw, 2 * FOUR), (Over::Folded, 3)] {
            let groups = required::literals(hir, over, shortest);
            if groups.is_empty() {
                continue;
            }
            let lane = |group: &[Vec<u8>]| match over {
                Over::Raw => RAW,
                Over::Folded => lane_of(group.iter().map(|one| telling(one)).min().unwrap_or(0)),
            };
            // looked at where those stand that ordinary text holds least
            let mut order: Vec<&Vec<Vec<u8>>> = groups.iter().collect();
            let common = |group: &[Vec<u8>]| group.iter().map(|one| often(one)).sum::<u32>();
            order.sort_by_cached_key(|group| (lane(group), common(group)));
            let mut found = Vec::new();
            for group in order {
                let lane = lane(group);
                // one that is too crowded to be looked for is one condition less
                found.extend(match found.is_empty() {
                    true => drafts.anchor(lane, group, needle),
                    false => drafts.add(lane, group),
                });
            }
            if found.is_empty() {
                return Err(Refusal::Crowded { limit: SHARED });
            }
            return Ok(found.into());
        }
        if self.slow.len() >= slow {
            return Err(Refusal::NoLiteral { limit: slow });
        }
        self.slow.push(needle);
        Ok(Box::default())
    }

    fn point(&mut self, point: char, needle: u32) {
        self.ascii_points |= point.is_ascii();
        let bit = point as usize % POINT_BITS;
        if let Some(word) = self.point_bits.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
        let all = self.points.entry(point).or_default();
        if all.last() != Some(&needle) {
            all.push(needle);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.indicators.is_empty()
    }

    /// How many bytes it takes, without expressions that were compiled since.
    pub fn memory(&self) -> usize {
        let pattern = |one: &Indicator| one.pattern.len() + 2 * one.id.len();
        let matcher = |one: &Matcher| match one {
            Matcher::Exact { folded, .. } => folded.len(),
            Matcher::Points => 0,
            Matcher::Expression(one) => one.groups.iter().map(Group::memory).sum(),
        };
        self.lanes.iter().map(Lane::memory).sum::<usize>()
            + self.indicators.iter().map(pattern).sum::<usize>()
            + self.matchers.iter().map(matcher).sum::<usize>()
            + self.indicators.len() * (size_of::<Indicator>() + size_of::<Matcher>())
            + self.points.len() * 64
    }

    /// Every match in `text`, which folds to `folded`; `map` says for each folded byte where it came
    /// from and is `None` when nothing was folded. `false` when an expression could not be run.
    pub fn find(
        &self,
        text: &str,
        folded: &[u8],
        map: Option<&[(u32, u32)]>,
        work: &mut Work,
        matches: &mut Vec<Match>,
    ) -> bool {
        let plain = text.is_ascii();
        if !self.points.is_empty() && (self.ascii_points || !plain) {
            self.find_points(text, work, matches);
        }
        let reading =
            Reading { text, folded, map, padded: OnceCell::new(), grows: OnceCell::new() };
        let mut whole = true;
        let mut found: [Vec<Found>; LANES] = Default::default();
        for (lane, found) in self.lanes.iter().zip(&mut found) {
            let bytes = match lane.over {
                Over::Folded => folded,
                Over::Raw if plain => continue,
                Over::Raw => text.as_bytes(),
            };
            if let Some(filter) = &lane.filter {
                filter.find(bytes, work, found);
                found.sort_unstable();
            }
        }
        for (at, lane) in self.lanes.iter().enumerate() {
            if found.get(at).is_some_and(|found| !found.is_empty()) {
                whole &= self.look_closer((at, lane), &found, &reading, work, matches);
            }
        }
        for needle in &self.slow {
            if let Some(Matcher::Expression(expression)) = self.matchers.get(*needle as usize) {
                let all = Window { raw: 0..text.len(), folded: 0..folded.len() };
                whole &= self.run(*needle, expression, &[all], &reading, work, matches);
            }
        }
        whole
    }

    /// What stands behind the literals that were found.
    #[inline(never)]
    fn look_closer(
        &self,
        (at, lane): (usize, &Lane),
        found: &[Vec<Found>; LANES],
        reading: &Reading<'_>,
        work: &mut Work,
        matches: &mut Vec<Match>,
    ) -> bool {
        let mut asked = Vec::new();
        let here = found.get(at).map_or(&[][..], |found| found);
        for places in here.chunk_by(|one, next| one.literal == next.literal) {
            let Some(literal) = places.first().map(|first| first.literal) else { continue };
            for needle in lane.needles_of(literal) {
                match self.matchers.get(*needle as usize) {
                    Some(Matcher::Exact { folded, lead }) => {
                        let Some(one) = self.indicators.get(*needle as usize) else { continue };
                        let spans = places.iter().filter_map(|place| {
                            let at = place.start as usize;
                            match lane.over {
                                Over::Folded => reading.exact(at, &one.pattern, folded, *lead),
                                Over::Raw => reading.exact_raw(at, &one.pattern),
                            }
                        });
                        let places = spans.take(PLACES);
                        matches.extend(places.map(|span| Match { needle: *needle, span }));
                    }
                    Some(Matcher::Expression(expression)) => {
                        if !work.take(expression.groups.len()) {
                            return true;
                        }
                        let other = expression.groups.get(1..).unwrap_or_default();
                        if other.iter().all(|group| stands(found, group)) {
                            asked.push(*needle);
                        }
                    }
                    Some(Matcher::Points) | None => {}
                }
            }
        }
        asked.sort_unstable();
        asked.dedup();
        let mut whole = true;
        for needle in asked {
            let Some(Matcher::Expression(expression)) = self.matchers.get(needle as usize) else {
                continue;
            };
            let (reach, groups) = (expression.reach, &expression.groups);
            let windows = reading.windows(lane.over, reach, groups, found, work);
            whole &= self.run(needle, expression, &windows, reading, work, matches);
            if work.exhausted {
                break;
            }
        }
        whole
    }

    fn find_points(&self, text: &str, work: &mut Work, matches: &mut Vec<Match>) {
        let mut seen: HashMap<u32, usize> = HashMap::new();
        for (at, c) in text.char_indices() {
            let bit = c as usize % POINT_BITS;
            let word = self.point_bits.get(bit / 64).copied().unwrap_or(0);
            if word >> (bit % 64) & 1 == 0 {
                continue;
            }
            let Some(needles) = self.points.get(&c) else { continue };
            if !work.take(needles.len()) {
                return;
            }
            for needle in needles {
                let count = seen.entry(*needle).or_insert(0);
                *count += 1;
                if *count <= PLACES {
                    matches.push(Match { needle: *needle, span: at..at + c.len_utf8() });
                }
            }
        }
    }

    /// Whether the expression could be run.
    fn run(
        &self,
        needle: u32,
        expression: &Expression,
        windows: &[Window],
        reading: &Reading<'_>,
        work: &mut Work,
        matches: &mut Vec<Match>,
    ) -> bool {
        if windows.is_empty() {
            return true;
        }
        let Some(regex) = self.regex(needle, expression) else { return false };
        let mut places = 0;
        for window in windows {
            if !work.take(window.len().saturating_mul(expression.weight)) {
                return true;
            }
            for span in reading.search(regex, window) {
                matches.push(Match { needle, span });
                places += 1;
            }
            if places >= PLACES {
                return true;
            }
        }
        true
    }

    fn regex<'n>(&self, needle: u32, expression: &'n Expression) -> Option<&'n Regex> {
        let compile = || {
            let pattern = &self.indicators.get(needle as usize)?.pattern;
            let config = meta::Config::new()
                .nfa_size_limit(Some(REGEX_BYTES))
                .hybrid_cache_capacity(CACHE_BYTES)
                .onepass(false)
                .dfa(false);
            meta::Regex::builder().configure(config).build(&dialect(pattern)).ok()
        };
        expression.regex.get_or_init(compile).as_ref()
    }
}

/// Whether the engine could look for this pattern, were it the only one.
pub fn check_pattern(kind: Kind, pattern: &str, limits: &Limits) -> Result<(), Refusal> {
    let one = Indicator::of_feed("".into(), "", kind, pattern.to_owned(), Severity::Low, vec![]);
    let (_, mut refused) = Needles::build(vec![one], limits);
    refused.pop().map_or(Ok(()), |refused| Err(refused.reason))
}

/// How many classes with a name (`\w`, `\pL`) an expression has: reading one takes much longer than
/// reading anything else.
fn classes(pattern: &str) -> usize {
    let letters = pattern.as_bytes().windows(2);
    letters
        .filter(|two| matches!(two, [b'\\', b'p' | b'P' | b'w' | b'W' | b's' | b'S' | b'd' | b'D']))
        .count()
}

/// The expression as the engine reads it: `\Z` of other dialects is `\z` here.
pub(crate) fn dialect(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '\\'
            && let Some(next) = chars.next()
        {
            out.push(if next == 'Z' { 'z' } else { next });
        }
    }
    out
}

pub(crate) fn parse(pattern: &str) -> Result<Hir, Refusal> {
    regex_syntax::ParserBuilder::new().nest_limit(64).build().parse(&dialect(pattern)).map_err(
        |error| {
            // the last line says what is wrong; those before it repeat the pattern
            let told = error.to_string();
            let reason = told.lines().last().unwrap_or_default();
            Refusal::BadRegex { reason: reason.trim_start_matches("error: ").to_owned() }
        },
    )
}

fn source_key(source: &Source) -> String {
    match source {
        Source::File(file) => format!("file:{file}"),
        other => other.name(),
    }
}
