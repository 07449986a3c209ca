//! The patterns of others, made ready: exact strings and characters are looked up, expressions run
//! only where a literal of theirs stands, and never over more than [`Work`] allows.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::{Input, meta};
use regex_syntax::hir::Hir;

use crate::filter::{Draft, Filter, Found, SHARED, Work};
use crate::indicator::{Indicator, Kind, Limits, Refusal, Refused, Source};
use crate::normalize::FOREIGN;
use crate::required::{self, Over, spell};

/// All patterns of others.
#[derive(Debug, Default)]
pub(crate) struct Needles {
    pub indicators: Vec<Indicator>,
    matchers: Vec<Matcher>,
    /// Over folded text.
    folded: Option<Filter>,
    /// The same for literals of two and three letters.
    short: Option<Filter>,
    /// Over text as it was given, where it is not ASCII.
    raw: Option<Filter>,
    /// Single characters and who asks for them.
    points: HashMap<char, Vec<u32>>,
    /// Whether one of them is ASCII.
    ascii_points: bool,
    /// Expressions that are run over every text.
    slow: Vec<u32>,
}

#[derive(Debug)]
enum Matcher {
    /// The pattern; how it folds; how many bytes stand before the first that does not vanish.
    Exact {
        folded: Box<[u8]>,
        lead: usize,
    },
    Points,
    Expression(Expression),
}

#[derive(Debug)]
struct Expression {
    /// The longest match, if it is bounded.
    reach: Option<usize>,
    /// What a byte costs that it reads.
    weight: usize,
    regex: OnceLock<Option<Regex>>,
}

/// A match, in bytes of the text as it was given.
pub(crate) struct Match {
    pub needle: u32,
    pub span: Range<usize>,
}

/// Where literals of fewer bytes are looked for by a filter of their own.
const WIDTH: usize = 4;
const NARROW: usize = 2;
/// An exact string is recognised behind a disguise if it has so many letters, digits and signs.
const DISGUISED: usize = 6;
/// A pattern is reported at so many places.
const PLACES: usize = 16;
/// A filter and a lazy automaton may take so much memory for one expression.
const REGEX_BYTES: usize = 1 << 22;
const CACHE_BYTES: usize = 1 << 18;
/// So much price makes a byte cost one more.
const WEIGHT: usize = 64;

impl Needles {
    /// Makes the patterns ready; what cannot be used is told, and is not among them.
    pub fn build(indicators: Vec<Indicator>, limits: &Limits) -> (Needles, Vec<Refused>) {
        let mut made = Needles::default();
        let mut drafts =
            Drafts { folded: Draft::new(WIDTH), short: Draft::new(NARROW), raw: Draft::new(WIDTH) };
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
        made.folded = drafts.folded.build();
        made.short = drafts.short.build();
        made.raw = drafts.raw.build();
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
                for point in code_points(pattern)? {
                    self.point(point, needle);
                }
                Ok(Matcher::Points)
            }
            Kind::Substring => self.exact(pattern, needle, drafts),
            Kind::Regex => {
                let hir = parse(pattern)?;
                let price = required::price(&hir);
                if price > limits.price {
                    return Err(Refusal::TooDear { price, limit: limits.price });
                }
                let spent = spent.entry(source_key(&indicator.source)).or_insert(0);
                if *spent + price > limits.source_price {
                    return Err(Refusal::SourceTooDear { limit: limits.source_price });
                }
                self.expression(&hir, needle, drafts, limits.slow)?;
                *spent += price;
                Ok(Matcher::Expression(Expression {
                    reach: hir.properties().maximum_len().filter(|reach| *reach < FAR),
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
        let crowded = Refusal::Crowded { limit: SHARED };
        let added = if telling >= WIDTH {
            drafts.folded.add(&folded, needle)
        } else if pattern.is_ascii() && folded.len() == pattern.len() {
            drafts.short.add(&folded, needle)
        } else if pattern.len() >= WIDTH {
            drafts.raw.add(pattern.as_bytes(), needle)
        } else {
            // a letter and a control character: too little to look for by itself
            return Err(Refusal::TooShort);
        };
        if added { Ok(Matcher::Exact { folded, lead }) } else { Err(crowded) }
    }

    fn expression(
        &mut self,
        hir: &Hir,
        needle: u32,
        drafts: &mut Drafts,
        slow: usize,
    ) -> Result<(), Refusal> {
        if hir.properties().minimum_len().is_none_or(|shortest| shortest == 0) {
            return Err(Refusal::MatchesEmpty);
        }
        for (over, shortest) in [(Over::Folded, WIDTH), (Over::Raw, 2 * WIDTH), (Over::Folded, 3)] {
            let Some(literals) = required::literals(hir, over, shortest) else { continue };
            let draft = match over {
                Over::Raw => &mut drafts.raw,
                Over::Folded if literals.iter().all(|one| one.len() >= WIDTH) => &mut drafts.folded,
                Over::Folded => &mut drafts.short,
            };
            if literals.iter().all(|literal| draft.add(literal, needle)) {
                return Ok(());
            }
            return Err(Refusal::Crowded { limit: SHARED });
        }
        if self.slow.len() >= slow {
            return Err(Refusal::NoLiteral { limit: slow });
        }
        self.slow.push(needle);
        Ok(())
    }

    fn point(&mut self, point: char, needle: u32) {
        self.ascii_points |= point.is_ascii();
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
        let filters = [&self.folded, &self.short, &self.raw];
        let patterns: usize = self
            .indicators
            .iter()
            .map(|one| one.pattern.len() + 2 * one.id.len() + size_of::<Indicator>())
            .sum();
        filters.into_iter().flatten().map(Filter::memory).sum::<usize>()
            + patterns
            + self.matchers.len() * size_of::<Matcher>()
            + self.points.len() * 64
    }

    /// Every match in `text`, which folds to `folded`; `map` says for each folded byte where it came
    /// from and is `None` when nothing was folded. Also says whether an expression did not compile.
    pub fn find(
        &self,
        text: &str,
        folded: &[u8],
        map: Option<&[(u32, u32)]>,
        work: &mut Work,
        matches: &mut Vec<Match>,
    ) -> bool {
        if self.is_empty() {
            return true;
        }
        if !self.points.is_empty() && (self.ascii_points || !text.is_ascii()) {
            self.find_points(text, work, matches);
        }
        let mut found = Vec::new();
        for filter in [&self.folded, &self.short].into_iter().flatten() {
            filter.find(folded, work, &mut found);
        }
        let text_of = Reading { text, folded, map };
        // the places of literals are told in bytes of the text
        let mut places: Vec<Found> = Vec::new();
        let mut at_places: HashMap<u32, usize> = HashMap::new();
        for one in found {
            match self.matchers.get(one.needle as usize) {
                Some(Matcher::Exact { folded, lead }) => {
                    let Some(indicator) = self.indicators.get(one.needle as usize) else {
                        continue;
                    };
                    let span = text_of.exact(one.start as usize, &indicator.pattern, folded, *lead);
                    let Some(span) = span else { continue };
                    let count = at_places.entry(one.needle).or_insert(0);
                    *count += 1;
                    if *count <= PLACES {
                        matches.push(Match { needle: one.needle, span });
                    }
                }
                Some(Matcher::Expression(_)) => {
                    let (start, _) = text_of.source(one.start as usize);
                    places.push(Found { needle: one.needle, start: start as u32 });
                }
                Some(Matcher::Points) | None => {}
            }
        }
        if !text.is_ascii()
            && let Some(raw) = &self.raw
        {
            let mut found = Vec::new();
            raw.find(text.as_bytes(), work, &mut found);
            for one in found {
                match self.matchers.get(one.needle as usize) {
                    Some(Matcher::Exact { .. }) => self.exact_raw(text, one, matches),
                    Some(Matcher::Expression(_)) => places.push(one),
                    Some(Matcher::Points) | None => {}
                }
            }
        }
        self.run(&text_of, places, work, matches)
    }

    fn exact_raw(&self, text: &str, one: Found, matches: &mut Vec<Match>) {
        let Some(indicator) = self.indicators.get(one.needle as usize) else { return };
        let start = one.start as usize;
        let span = start..start + indicator.pattern.len();
        if text.get(span.clone()) == Some(indicator.pattern.as_str()) {
            matches.push(Match { needle: one.needle, span });
        }
    }

    fn find_points(&self, text: &str, work: &mut Work, matches: &mut Vec<Match>) {
        let mut seen: HashMap<u32, usize> = HashMap::new();
        for (at, c) in text.char_indices() {
            if c.is_ascii() && !self.ascii_points {
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

    /// Runs the expressions whose literals stand at `places`, and those of the slow lane.
    fn run(
        &self,
        reading: &Reading<'_>,
        mut places: Vec<Found>,
        work: &mut Work,
        matches: &mut Vec<Match>,
    ) -> bool {
        places.sort();
        places.dedup();
        let mut whole = true;
        for group in places.chunk_by(|one, next| one.needle == next.needle) {
            let Some(needle) = group.first().map(|one| one.needle) else { continue };
            let Some(Matcher::Expression(expression)) = self.matchers.get(needle as usize) else {
                continue;
            };
            let Some(regex) = self.regex(needle, expression) else {
                whole = false;
                continue;
            };
            let starts = group.iter().map(|one| one.start as usize);
            for span in windows(starts, expression.reach, reading.text) {
                let before = matches.len();
                reading.search(regex, needle, span, expression.weight, work, matches);
                if matches.len() - before >= PLACES {
                    break;
                }
            }
            if work.exhausted {
                return whole;
            }
        }
        for needle in &self.slow {
            let Some(Matcher::Expression(expression)) = self.matchers.get(*needle as usize) else {
                continue;
            };
            match self.regex(*needle, expression) {
                Some(regex) => {
                    let span = 0..reading.text.len();
                    reading.search(regex, *needle, span, expression.weight, work, matches);
                }
                None => whole = false,
            }
        }
        whole
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

struct Drafts {
    folded: Draft,
    short: Draft,
    raw: Draft,
}

/// A text and what it folds to.
struct Reading<'t> {
    text: &'t str,
    folded: &'t [u8],
    map: Option<&'t [(u32, u32)]>,
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
    fn exact(&self, at: usize, pattern: &str, folded: &[u8], lead: usize) -> Option<Range<usize>> {
        let (first, _) = self.source(at);
        let start = first.checked_sub(lead)?;
        let span = start..start + pattern.len();
        if self.text.as_bytes().get(span.clone()) == Some(pattern.as_bytes()) {
            return Some(span);
        }
        // letters that were changed or dropped among: then case counts no more either
        self.map?;
        let (_, end) = self.source((at + folded.len()).checked_sub(1)?);
        let disguised = end - first != folded.len() || !self.text.get(first..end)?.is_ascii();
        let telling = folded.iter().filter(|byte| !matches!(**byte, FOREIGN | b' ')).count();
        (disguised && telling >= DISGUISED).then_some(first..end)
    }

    fn search(
        &self,
        regex: &Regex,
        needle: u32,
        span: Range<usize>,
        weight: usize,
        work: &mut Work,
        matches: &mut Vec<Match>,
    ) {
        if !work.take(span.len().saturating_mul(weight)) {
            return;
        }
        let mut place = |span: Range<usize>| matches.push(Match { needle, span });
        let before = span.clone();
        let mut any = false;
        for found in regex.find_iter(Input::new(self.text).range(before)).take(PLACES) {
            any = true;
            place(found.range());
        }
        let Some(map) = self.map.filter(|_| !any) else { return };
        let Ok(folded) = std::str::from_utf8(self.folded) else { return };
        // the same stretch of the folded text
        let first = map.partition_point(|(start, _)| (*start as usize) < span.start);
        let last = map.partition_point(|(start, _)| (*start as usize) < span.end);
        if !work.take((last - first).saturating_mul(weight)) {
            return;
        }
        for found in regex.find_iter(Input::new(folded).range(first..last)).take(PLACES) {
            let (start, _) = self.source(found.start());
            let (_, end) = self.source(found.end().saturating_sub(1));
            if start < end {
                place(start..end);
            }
        }
    }
}

/// Longer matches count as unbounded.
const FAR: usize = 1 << 16;
/// A folded character may come from so many bytes and marks around it.
const SLACK: usize = 16;

/// Stretches of the text in which a match may lie that contains a literal at one of `starts`.
fn windows(
    starts: impl Iterator<Item = usize>,
    reach: Option<usize>,
    text: &str,
) -> Vec<Range<usize>> {
    let Some(reach) = reach else { return vec![Range { start: 0, end: text.len() }] };
    let mut windows: Vec<Range<usize>> = Vec::new();
    for start in starts {
        let mut from = start.saturating_sub(reach + SLACK);
        let mut to = (start + reach + SLACK).min(text.len());
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        while !text.is_char_boundary(to) {
            to += 1;
        }
        match windows.last_mut() {
            Some(last) if from <= last.end => last.end = last.end.max(to),
            _ => windows.push(from..to),
        }
    }
    windows
}

/// The characters of a signature.
fn code_points(pattern: &str) -> Result<Vec<char>, Refusal> {
    let point = |part: &str| {
        let digits = (4..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
        let code = u32::from_str_radix(part, 16).ok().filter(|_| digits);
        code.and_then(char::from_u32).ok_or_else(|| Refusal::BadSignature { part: part.to_owned() })
    };
    pattern.split(',').map(point).collect()
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
