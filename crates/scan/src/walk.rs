//! The one pass over a text: the automaton over required literals, and the places where those of a
//! rule stand so near one another that it has to be looked at.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, MatchKind, StartKind, dfa};

use crate::common::often;
use crate::normalize::{CLASS, DIGIT, WORD};
use crate::phrase::GLUE_PREFIX;
use crate::rule::RuleError;
use crate::shape::{AROUND, Count, Shape, is_mixed, kind};
use crate::turn::{self, Turn};
use crate::words::{leet_span, spell_leet};

/// The literals of one rule: one list for each group.
pub(crate) struct Needs {
    pub groups: Vec<Vec<String>>,
    /// No match is longer than this many bytes of its view.
    pub reach: u32,
    /// For a phrase, whose groups follow one another.
    pub phrase: Option<Spread>,
    /// Whether words are read, and not the text as it stands.
    pub words: bool,
}

/// How far apart the groups of a phrase may stand.
pub(crate) struct Spread {
    /// How many words an alternative of each group has at most.
    pub words: Vec<u16>,
    /// How many others may stand between two groups.
    pub gap: u16,
    /// Nothing is looked for inside of a word.
    pub apart: bool,
}

/// One automaton over the literals of all rules.
pub(crate) struct Walker {
    dfa: dfa::DFA,
    start: Option<StateID>,
    /// Over the literals of all groups.
    all: contiguous::NFA,
    /// The longest literal.
    longest: usize,
    /// For each literal where its visits begin, and the end.
    starts: Box<[u32]>,
    visits: Box<[Visit]>,
    rules: Vec<Looked>,
    /// How many groups there are.
    slots: usize,
    /// The longest reach of a rule that reads words.
    farthest: u32,
    /// For each literal the turns that it gives away.
    turns_of: Vec<u32>,
}

/// What is to be done where a literal of a group stands.
#[derive(Debug, Clone, Copy)]
struct Visit {
    /// The group.
    slot: u16,
    rule: u16,
    reach: u32,
    /// For a group that follows another of its rule: how many words on at most.
    behind: Option<u16>,
    /// The last one of a phrase.
    last: bool,
    /// The literal counts only as the beginning of a word, unless spaces were lost.
    begins: bool,
}

/// How a rule is looked for.
struct Looked {
    slots: Range<u16>,
    reach: u32,
    ordered: bool,
}

/// What one walk saw.
#[derive(Default)]
pub(crate) struct Pass {
    /// Where which rules have to be looked at, in order of rules and then of places.
    pub candidates: Vec<Candidate>,
    /// Classes of all bytes.
    pub classes: u8,
    /// How many digits.
    pub digits: u32,
    /// Where digits begin that stand behind none.
    pub numbers: Vec<u32>,
    /// Stretches where single letters stand in a row.
    pub spaced: Vec<Range<usize>>,
    /// Whether some of these letters are a literal.
    pub spelled: bool,
    /// Stretches around tokens in which digits and signs, read as letters, spell a literal.
    pub leet: Vec<Range<usize>>,
    /// Ways of turning text that a literal gave away.
    pub turns: u32,
    /// Runs that may be encoded data.
    pub runs: Vec<Range<usize>>,
}

/// A rule and a stretch of the text that holds whole matches of it, if it holds any: none touches
/// its ends, unless they are those of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub rule: u16,
    pub span: Range<usize>,
}

impl Walker {
    pub fn new(rules: &[Option<Needs>]) -> Result<Walker, RuleError> {
        let mut literals: Vec<String> = Vec::new();
        let mut all: BTreeSet<String> = BTreeSet::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut visits_of: Vec<Vec<Visit>> = Vec::new();
        let mut looked = Vec::new();
        let mut slots = 0u16;
        let full = || RuleError::Automaton { reason: "more than 65,535 groups".to_owned() };
        for (rule, needs) in rules.iter().enumerate() {
            let rule = u16::try_from(rule).map_err(|_| full())?;
            let groups = needs.as_ref().map(telling).unwrap_or_default();
            let first = slots;
            let end = u16::try_from(groups.len()).ok().and_then(|count| first.checked_add(count));
            let end = end.ok_or_else(full)?;
            let reach = needs.as_ref().map_or(0, |needs| needs.reach);
            let phrase = needs.as_ref().and_then(|needs| needs.phrase.as_ref());
            for (slot, telling) in (first..).zip(groups) {
                for literal in telling.literals {
                    let literal = literal.to_ascii_lowercase();
                    let begins = phrase.is_some_and(|phrase| {
                        telling.follows || phrase.apart || literal.len() < GLUE_PREFIX - 1
                    });
                    let at = *places.entry(literal.clone()).or_insert_with(|| {
                        literals.push(literal);
                        visits_of.push(Vec::new());
                        literals.len() - 1
                    });
                    let (behind, last) = (telling.behind, phrase.is_some() && slot + 1 == end);
                    let visit = Visit { slot, rule, reach, behind, last, begins };
                    if let Some(visits) = visits_of.get_mut(at)
                        && visits.last().is_none_or(|last| last.slot != slot)
                    {
                        visits.push(visit);
                    }
                }
            }
            for literal in needs.iter().flat_map(|needs| &needs.groups).flatten() {
                all.insert(literal.to_ascii_lowercase());
            }
            slots = end;
            looked.push(Looked { slots: first..end, reach, ordered: phrase.is_some() });
        }
        let mut turns_of = vec![0; literals.len()];
        if !literals.is_empty() {
            for turn in Turn::all() {
                for word in turn::TELLTALES.iter().filter(|word| turn.gives_away(word)) {
                    literals.push(turn.apply(word));
                    visits_of.push(Vec::new());
                    turns_of.push(turn.bit());
                }
            }
        }
        let fails = |error: aho_corasick::BuildError| {
            let reason = error.to_string();
            RuleError::Automaton { reason }
        };
        all.extend(literals.iter().cloned());
        let dfa = dfa::Builder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(&literals)
            .map_err(fails)?;
        let all = contiguous::Builder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(&all)
            .map_err(fails)?;
        let (mut starts, mut visits) = (vec![0], Vec::new());
        for of_literal in visits_of {
            // the last group first: a place is not behind itself
            visits.extend(of_literal.into_iter().rev());
            starts.push(u32::try_from(visits.len()).map_err(|_| full())?);
        }
        let words = rules.iter().flatten().filter(|needs| needs.words);
        Ok(Walker {
            all,
            start: dfa.start_state(Anchored::No).ok(),
            dfa,
            longest: literals.iter().map(String::len).max().unwrap_or(0),
            starts: starts.into(),
            visits: visits.into(),
            rules: looked,
            slots: usize::from(slots),
            farthest: words.map(|needs| needs.reach).max().unwrap_or(0),
            turns_of,
        })
    }

    /// Walks a folded text. Where spaces were lost (`glued`), words cannot be counted.
    pub fn walk(&self, text: &[u8], glued: bool) -> Pass {
        let shape = Shape::of(text);
        let mut pass = Pass::default();
        let mut seen = Seen::new(self, glued);
        let mut mixed = shape.mixed.iter();
        let mut next = mixed.next();
        self.run(text, &mut |state, at| {
            while let Some(token) = next.filter(|token| token.end <= at) {
                self.mixed(text, token, &shape, &mut seen, &mut pass);
                next = mixed.next();
            }
            self.found(state, (text, &shape), at, &mut seen, &mut pass);
        });
        for token in next.into_iter().chain(mixed) {
            self.mixed(text, token, &shape, &mut seen, &mut pass);
        }
        pass.candidates = seen.candidates(&shape, text.len());
        (pass.classes, pass.digits) = (shape.classes, shape.digits);
        pass.spelled = shape.spaced.iter().any(|run| self.spells(text, run));
        pass.spaced = shape.around(&shape.spaced, AROUND, text.len());
        pass.leet = shape.around(&pass.leet, self.farthest + SLACK, text.len());
        (pass.runs, pass.numbers) = (shape.runs, shape.numbers);
        pass
    }

    /// Every state of the automaton at which literals end, with the place of their last byte, in
    /// order.
    fn run(&self, text: &[u8], each: &mut dyn FnMut(StateID, usize)) {
        let Some(start) = self.start else { return };
        let part = text.len() / LANES;
        if part < self.longest.max(SHORTEST) {
            let mut state = start;
            for (at, byte) in text.iter().enumerate() {
                state = self.dfa.next_state(Anchored::No, state, *byte);
                if self.dfa.is_special(state) {
                    each(state, at);
                }
            }
            return;
        }
        // The next state is known only when the one before is: several walks at once wait together.
        // Each begins so far before its part that no literal is cut.
        let lead = self.longest;
        let from = |lane: usize| (lane * part).saturating_sub(lead);
        let lanes: [&[u8]; LANES] =
            std::array::from_fn(|lane| text.get(from(lane)..(lane + 1) * part).unwrap_or_default());
        let mut found: [Vec<(StateID, u32)>; LANES] = Default::default();
        let mut states = [start; LANES];
        let length = lanes.iter().map(|lane| lane.len()).min().unwrap_or(0);
        let heads = lanes.map(|lane| lane.get(..length).unwrap_or_default());
        let [one, two, three, four] = heads;
        for (at, (((one, two), three), four)) in
            (0u32..).zip(one.iter().zip(two).zip(three).zip(four))
        {
            let bytes = [*one, *two, *three, *four];
            let mut special = false;
            for (state, byte) in states.iter_mut().zip(bytes) {
                *state = self.dfa.next_state(Anchored::No, *state, byte);
                special |= self.dfa.is_special(*state);
            }
            if special {
                for (state, found) in states.iter().zip(&mut found) {
                    if self.dfa.is_special(*state) {
                        found.push((*state, at));
                    }
                }
            }
        }
        for lane in 0..LANES {
            let (begin, own) = (from(lane), lane * part);
            let (Some(found), Some(state)) = (found.get(lane), states.get_mut(lane)) else {
                return;
            };
            for (state, at) in found {
                let at = begin + *at as usize;
                if at >= own {
                    each(*state, at);
                }
            }
            let end = if lane + 1 == LANES { text.len() } else { own + part };
            let rest = text.get(begin + length..end).unwrap_or_default();
            for (at, byte) in rest.iter().enumerate() {
                *state = self.dfa.next_state(Anchored::No, *state, *byte);
                if self.dfa.is_special(*state) {
                    each(*state, begin + length + at);
                }
            }
        }
    }

    /// A token with digits or signs among its letters: apostrophes vanish in words, anything else is
    /// leet.
    #[inline(never)]
    fn mixed(
        &self,
        text: &[u8],
        token: &Range<usize>,
        shape: &Shape,
        seen: &mut Seen<'_>,
        pass: &mut Pass,
    ) {
        let span = leet_span(text, token.clone());
        let kind = kind(text, &span);
        if !is_mixed(kind) {
            return;
        }
        let bytes = text.get(span).unwrap_or_default();
        if kind & DIGIT != 0
            || bytes.iter().any(|byte| *byte != b'\'' && CLASS[usize::from(*byte)] & WORD == 0)
        {
            if self.disguises(bytes) {
                pass.leet.push(token.clone());
            }
            return;
        }
        let Some(mut state) = self.start else { return };
        let count = shape.count(token.end.saturating_sub(1));
        for letter in bytes.iter().filter(|byte| **byte != b'\'') {
            state = self.dfa.next_state(Anchored::No, state, *letter);
            if self.dfa.is_special(state) {
                self.spelled(state, count, seen, pass);
            }
        }
    }

    /// A literal in a word whose letters do not stand one behind the other.
    fn spelled(&self, state: StateID, count: Count, seen: &mut Seen<'_>, pass: &mut Pass) {
        for index in 0..self.dfa.match_len(state) {
            let literal = self.dfa.match_pattern(state, index).as_usize();
            pass.turns |= self.turns_of.get(literal).copied().unwrap_or(0);
            self.visits_of(literal).iter().for_each(|visit| seen.visit(visit, count));
        }
    }

    fn visits_of(&self, literal: usize) -> &[Visit] {
        let start = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        self.visits.get(start(literal)..start(literal + 1)).unwrap_or_default()
    }

    /// Whether any literal occurs in `word`.
    pub fn knows(&self, word: &[u8]) -> bool {
        let Ok(mut state) = self.all.start_state(Anchored::No) else { return false };
        word.iter().any(|byte| {
            state = self.all.next_state(Anchored::No, state, *byte);
            self.all.is_match(state)
        })
    }

    /// Whether digits and signs, read as letters, make up a literal that is no chance.
    fn disguises(&self, token: &[u8]) -> bool {
        let mut disguised = false;
        let plain = |at: usize| token.get(at).is_some_and(u8::is_ascii_alphabetic);
        // nothing is known for good: every way to spell it is looked at
        for one in [b'i', b'l'] {
            let Some(spelling) = spell_leet(token, one) else { return false };
            let placed: Vec<(u8, usize)> = spelling.placed().collect();
            self.each(spelling.letters(), &mut |span| {
                // literals stand without the s at the end of a word
                let more = usize::from(placed.get(span.end).is_some_and(|(next, _)| *next == b's'));
                let (first, last) = (placed.get(span.start), placed.get(span.end - 1 + more));
                if let (Some((_, first)), Some((_, last))) = (first, last) {
                    let straight = last - first + 1 == span.len() + more;
                    let whole = straight && (*first..=*last).all(plain);
                    disguised |= !whole && span.len() >= MIN_LEET;
                }
            });
        }
        disguised
    }

    /// Whether the letters of a stretch, one behind the other, hold a literal that is no chance.
    fn spells(&self, text: &[u8], span: &Range<usize>) -> bool {
        let stretch = text.get(span.start..=span.end).unwrap_or_default();
        let letters: Vec<u8> = stretch.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        let mut spelled = false;
        self.each(&letters, &mut |span| spelled |= span.len() >= MIN_LEET);
        spelled
    }

    /// Every literal in `letters`, and where it stands.
    fn each(&self, letters: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        let Ok(mut state) = self.all.start_state(Anchored::No) else { return };
        for (at, byte) in letters.iter().enumerate() {
            state = self.all.next_state(Anchored::No, state, *byte);
            if self.all.is_match(state) {
                for index in 0..self.all.match_len(state) {
                    let length = self.all.pattern_len(self.all.match_pattern(state, index));
                    found((at + 1).saturating_sub(length)..at + 1);
                }
            }
        }
    }

    fn found(
        &self,
        state: StateID,
        (text, shape): (&[u8], &Shape),
        at: usize,
        seen: &mut Seen<'_>,
        pass: &mut Pass,
    ) {
        if !self.dfa.is_match(state) {
            return;
        }
        for index in 0..self.dfa.match_len(state) {
            let literal = self.dfa.match_pattern(state, index).as_usize();
            pass.turns |= self.turns_of.get(literal).copied().unwrap_or(0);
            let visits = self.visits_of(literal);
            if visits.is_empty() {
                continue;
            }
            let length = self.dfa.pattern_len(self.dfa.match_pattern(state, index));
            let before = at.checked_sub(length).and_then(|before| text.get(before));
            let begins = seen.glued || before.is_none_or(|byte| !byte.is_ascii_alphanumeric());
            let mut asked = visits.iter().filter(|visit| begins || !visit.begins).peekable();
            if asked.peek().is_some() {
                let count = shape.count(at);
                asked.for_each(|visit| seen.visit(visit, count));
            }
        }
    }
}

/// Where literals were seen.
struct Seen<'w> {
    walker: &'w Walker,
    glued: bool,
    /// For each group where it was last seen behind one of the group before; no letters is never.
    last: Vec<Count>,
    /// For each rule the window that may grow, from 1.
    open: Vec<u32>,
    windows: Vec<Window>,
}

/// Where all groups of a rule stood together: from the first to the last place, in letters.
struct Window {
    rule: u16,
    first: u32,
    last: u32,
}

impl<'w> Seen<'w> {
    fn new(walker: &'w Walker, glued: bool) -> Seen<'w> {
        Seen { walker, glued, last: Vec::new(), open: Vec::new(), windows: Vec::new() }
    }

    #[inline]
    fn visit(&mut self, visit: &Visit, count: Count) {
        if self.last.is_empty() {
            self.last.resize(self.walker.slots, Count::default());
        }
        let slot = usize::from(visit.slot);
        let near = |last: &Count| last.letters != 0 && count.letters - last.letters <= visit.reach;
        if let Some(words) = visit.behind {
            let before = self.last.get(slot.wrapping_sub(1)).copied().unwrap_or_default();
            let apart = count.words.saturating_sub(before.words);
            if !near(&before) || !self.glued && apart > u32::from(words) {
                return;
            }
        }
        if let Some(last) = self.last.get_mut(slot) {
            *last = count;
        }
        let complete = visit.last || {
            let rule = self.walker.rules.get(usize::from(visit.rule));
            rule.filter(|rule| !rule.ordered).is_some_and(|rule| {
                let all = usize::from(rule.slots.start)..usize::from(rule.slots.end);
                self.last.get(all).is_some_and(|all| all.iter().all(near))
            })
        };
        if complete {
            self.window(visit.rule, visit.reach, count.letters);
        }
    }

    /// All groups of a rule stand together up to the letter with this number.
    fn window(&mut self, rule: u16, reach: u32, letter: u32) {
        if self.open.is_empty() {
            self.open.resize(self.walker.rules.len(), 0);
        }
        let Some(open) = self.open.get_mut(usize::from(rule)) else { return };
        if let Some(window) = self.windows.get_mut((*open as usize).wrapping_sub(1))
            && letter - window.last <= 2 * (reach + SLACK)
        {
            window.last = letter;
            return;
        }
        self.windows.push(Window { rule, first: letter, last: letter });
        *open = self.windows.len() as u32;
    }

    fn candidates(self, shape: &Shape, end: usize) -> Vec<Candidate> {
        let candidate = |window: &Window| {
            let reach =
                self.walker.rules.get(usize::from(window.rule)).map_or(0, |rule| rule.reach);
            let first = window.first.saturating_sub(reach + SLACK);
            let start = if first <= 1 { 0 } else { shape.place(first).min(end) };
            let last = shape.place(window.last.saturating_add(reach + SLACK)).min(end);
            Candidate { rule: window.rule, span: start..last.max(start) }
        };
        let mut candidates: Vec<Candidate> = self.windows.iter().map(candidate).collect();
        candidates.sort_by_key(|one| (one.rule, one.span.start));
        candidates
    }
}

/// A group that says where to look.
struct Telling<'n> {
    literals: &'n [String],
    /// How many words behind the one before it may stand.
    behind: Option<u16>,
    /// It is not the first of its phrase.
    follows: bool,
}

/// The groups that say where to look, in their order: as few of them as keep ordinary text from giving
/// cause to look closer.
fn telling(needs: &Needs) -> Vec<Telling<'_>> {
    let common = |group: &[String]| {
        let mut each: Vec<&String> = group.iter().collect();
        each.sort();
        each.dedup();
        each.iter().map(|one| u64::from(often(one.as_bytes()))).sum::<u64>()
    };
    let mut order: Vec<(u64, usize)> =
        needs.groups.iter().enumerate().map(|(at, group)| (common(group), at)).collect();
    order.sort_unstable();
    // how often they stand together in ordinary text, in thousandths
    let mut together = 0;
    let mut kept = Vec::new();
    for (common, at) in order {
        if kept.is_empty() {
            together = 1_000 * common.max(1);
        } else if together < RARE || common >= USELESS {
            break;
        } else {
            together = together * common.max(1) / WORDS;
        }
        kept.push(at);
    }
    kept.sort_unstable();
    let behind = |from: usize, to: usize| {
        let phrase = needs.phrase.as_ref()?;
        let of = |at: usize| phrase.words.get(at).copied().unwrap_or(0);
        let between: u16 = (from..=to).map(of).sum();
        Some(between + phrase.gap * u16::try_from(to - from).unwrap_or(u16::MAX))
    };
    let mut before = None;
    let mut groups = Vec::new();
    for at in kept {
        let behind = before.and_then(|before| behind(before, at));
        groups.extend(needs.groups.get(at).map(|literals| Telling {
            literals,
            behind,
            follows: at > 0,
        }));
        before = Some(at);
    }
    groups
}

/// So seldom do groups stand together by chance that there is no need for more of them: for 64 KiB, in
/// thousandths.
const RARE: u64 = 100;
/// A group with words so common stands nearly anywhere.
const USELESS: u64 = 500;
/// For a word that stands once in 64 KiB, one in so many places is near it.
const WORDS: u64 = 1_000;
/// So many walks at once, over texts of so many bytes for each at least.
const LANES: usize = 4;
const SHORTEST: usize = 256;
/// So many letters more are looked at on each side of a match, so that no word near it is cut: one
/// that is read as leet is seldom longer.
const SLACK: u32 = 48;
/// Shorter literals turn up by chance where digits are read as letters.
const MIN_LEET: usize = 3;
