//! The one pass over a text: the automaton over all required literals, and beside it the tokens,
//! encoded runs and classes of bytes that decide what else has to be looked at.

use std::ops::Range;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::{Anchored, MatchKind, StartKind, dfa};

use crate::decode::MIN_RUN;
use crate::normalize::{
    CLASS, CODED, DIGIT, GLUE, LETTER, MIN_SPACED, WORD, deleet, leet_span, trim_glue,
};
use crate::rule::RuleError;
use crate::turn::{self, Turn};

/// The literals of one rule: one list for each group.
pub(crate) struct Needs {
    pub groups: Vec<Vec<String>>,
    /// No match is longer than this many bytes of its view.
    pub reach: u32,
}

/// One automaton over the literals of all rules.
pub(crate) struct Walker {
    dfa: dfa::DFA,
    /// For each literal the groups it stands in.
    slots_of: Vec<Vec<u16>>,
    /// For each group its rule.
    rule_of: Vec<u16>,
    /// For each rule its groups and reach.
    rules: Vec<(Range<u16>, u32)>,
    /// For each literal the turns that it gives away.
    turns_of: Vec<u32>,
}

/// What one walk saw.
pub(crate) struct Pass {
    /// Rules all of whose groups stood within reach of one another.
    pub candidates: Vec<u16>,
    /// Classes of all bytes.
    pub classes: u8,
    /// How many digits.
    pub digits: u32,
    /// Whether single letters stand in a row.
    pub spaced: bool,
    /// Whether a literal was found only by reading digits and signs as letters.
    pub leet: bool,
    /// Ways of turning text that a literal gave away.
    pub turns: u32,
    /// Runs that may be encoded data.
    pub runs: Vec<Range<usize>>,
    /// Literals and where they ended, in word characters from 1.
    seen: Vec<(u32, u32)>,
}

impl Walker {
    pub fn new(rules: &[Option<Needs>]) -> Result<Walker, RuleError> {
        let mut literals: Vec<String> = Vec::new();
        let mut slots_of: Vec<Vec<u16>> = Vec::new();
        let mut rule_of = Vec::new();
        let mut spans = Vec::new();
        let full = || RuleError::Automaton { reason: "more than 65,535 groups".to_owned() };
        for (rule, needs) in rules.iter().enumerate() {
            let rule = u16::try_from(rule).map_err(|_| full())?;
            let first = u16::try_from(rule_of.len()).map_err(|_| full())?;
            for group in needs.iter().flat_map(|needs| &needs.groups) {
                let slot = u16::try_from(rule_of.len()).map_err(|_| full())?;
                rule_of.push(rule);
                for literal in group {
                    let literal = literal.to_ascii_lowercase();
                    let at = literals.iter().position(|known| *known == literal);
                    let at = at.unwrap_or_else(|| {
                        literals.push(literal);
                        slots_of.push(Vec::new());
                        literals.len() - 1
                    });
                    slots_of[at].push(slot);
                }
            }
            let end = u16::try_from(rule_of.len()).map_err(|_| full())?;
            spans.push((first..end, needs.as_ref().map_or(0, |needs| needs.reach)));
        }
        let mut turns_of = vec![0; literals.len()];
        if !literals.is_empty() {
            for turn in Turn::all() {
                for word in turn::TELLTALES.iter().filter(|word| turn.gives_away(word)) {
                    literals.push(turn.apply(word));
                    slots_of.push(Vec::new());
                    turns_of.push(turn.bit());
                }
            }
        }
        let dfa = dfa::Builder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(&literals)
            .map_err(|error| RuleError::Automaton { reason: error.to_string() })?;
        Ok(Walker { dfa, slots_of, rule_of, rules: spans, turns_of })
    }

    /// Walks a folded text.
    pub fn walk(&self, text: &[u8]) -> Pass {
        let mut pass = Pass {
            candidates: Vec::new(),
            classes: 0,
            digits: 0,
            spaced: false,
            leet: false,
            turns: 0,
            runs: Vec::new(),
            seen: Vec::new(),
        };
        let Ok(start) = self.dfa.start_state(Anchored::No) else { return pass };
        let mut state = start;
        let (mut token, mut kind, mut run, mut singles, mut words) = (0, 0u8, 0, 0, 1u32);
        // not in `pass`: what is counted for every byte stays in registers
        let (mut classes, mut digits) = (0u8, 0u32);
        for (at, byte) in text.iter().enumerate() {
            state = self.dfa.next_state(Anchored::No, state, *byte);
            let class = CLASS[usize::from(*byte)];
            classes |= class;
            digits += u32::from(class & DIGIT != 0);
            words += u32::from(class & WORD);
            if self.dfa.is_special(state) {
                self.found(state, words, &mut pass);
            }
            if class & (WORD | GLUE) != 0 {
                kind |= class;
            } else {
                if kind != 0 {
                    self.token(text, token..at, kind, words, &mut singles, &mut pass);
                    kind = 0;
                }
                token = at + 1;
            }
            if class & CODED == 0 {
                if at - run >= MIN_RUN {
                    pass.runs.push(run..at);
                }
                run = at + 1;
            }
        }
        if kind != 0 {
            self.token(text, token..text.len(), kind, words, &mut singles, &mut pass);
        }
        if text.len() - run >= MIN_RUN {
            pass.runs.push(run..text.len());
        }
        (pass.classes, pass.digits) = (classes, digits);
        if !pass.seen.is_empty() {
            pass.candidates = self.candidates(&pass.seen);
        }
        pass
    }

    /// The end of a token: single letters are counted, mixed tokens read as leet.
    #[inline]
    fn token(
        &self,
        text: &[u8],
        token: Range<usize>,
        kind: u8,
        words: u32,
        singles: &mut usize,
        pass: &mut Pass,
    ) {
        if kind & GLUE == 0 && kind & (LETTER | DIGIT) != (LETTER | DIGIT) {
            *singles = if token.len() == 1 { *singles + 1 } else { 0 };
            pass.spaced |= *singles >= MIN_SPACED;
            return;
        }
        self.mixed(text, token, words, singles, pass);
    }

    #[inline(never)]
    fn mixed(
        &self,
        text: &[u8],
        mut token: Range<usize>,
        words: u32,
        singles: &mut usize,
        pass: &mut Pass,
    ) {
        let full = token.clone();
        token.end = trim_glue(text, token.start, token.end);
        let lead = text[token.clone()].iter().position(|b| CLASS[usize::from(*b)] & WORD != 0);
        token.start += lead.unwrap_or(0);
        *singles = if token.len() == 1 { *singles + 1 } else { 0 };
        pass.spaced |= *singles >= MIN_SPACED;
        let bytes = &text[leet_span(text, full)];
        let kind = bytes.iter().fold(0, |kind, byte| kind | CLASS[usize::from(*byte)]);
        let plain = kind & GLUE == 0 && kind & (LETTER | DIGIT) != (LETTER | DIGIT);
        if plain || bytes.len() < MIN_LEET {
            return;
        }
        let Some(spelling) = deleet(bytes, &|word| self.knows(word)) else { return };
        pass.leet = true;
        let Ok(mut state) = self.dfa.start_state(Anchored::No) else { return };
        for letter in spelling.letters() {
            state = self.dfa.next_state(Anchored::No, state, *letter);
            if self.dfa.is_special(state) {
                self.found(state, words, pass);
            }
        }
    }

    /// Whether any literal occurs in `word`.
    pub fn knows(&self, word: &[u8]) -> bool {
        let Ok(mut state) = self.dfa.start_state(Anchored::No) else { return false };
        word.iter().any(|byte| {
            state = self.dfa.next_state(Anchored::No, state, *byte);
            self.dfa.is_match(state)
        })
    }

    #[cold]
    fn found(&self, state: aho_corasick::automaton::StateID, words: u32, pass: &mut Pass) {
        if !self.dfa.is_match(state) {
            return;
        }
        for index in 0..self.dfa.match_len(state) {
            let literal = self.dfa.match_pattern(state, index).as_usize();
            pass.turns |= self.turns_of[literal];
            if !self.slots_of[literal].is_empty() {
                pass.seen.push((literal as u32, words));
            }
        }
    }

    /// The rules that have a literal of each group in the text, and then those whose literals stand
    /// near one another.
    fn candidates(&self, seen: &[(u32, u32)]) -> Vec<u16> {
        let mut open: Vec<u16> =
            self.rules.iter().map(|(slots, _)| slots.end - slots.start).collect();
        let mut known = vec![false; self.slots_of.len()];
        let mut filled = vec![false; self.rule_of.len()];
        let mut any = false;
        for (literal, _) in seen {
            if std::mem::replace(&mut known[*literal as usize], true) {
                continue;
            }
            for slot in &self.slots_of[*literal as usize] {
                if !std::mem::replace(&mut filled[usize::from(*slot)], true) {
                    let left = &mut open[usize::from(self.rule_of[usize::from(*slot)])];
                    *left -= 1;
                    any |= *left == 0;
                }
            }
        }
        let mut candidates = Vec::new();
        if !any {
            return candidates;
        }
        // for each group where it was last seen, in word characters from 1; 0 is never
        let mut last = vec![0; self.rule_of.len()];
        for (literal, words) in seen {
            for slot in &self.slots_of[*literal as usize] {
                let rule = self.rule_of[usize::from(*slot)];
                if open[usize::from(rule)] != 0 {
                    continue;
                }
                last[usize::from(*slot)] = *words;
                let (slots, reach) = &self.rules[usize::from(rule)];
                let near = |slot: u16| {
                    let last = last[usize::from(slot)];
                    last != 0 && words - last <= *reach
                };
                if slots.clone().all(near) {
                    candidates.push(rule);
                    // no need to look for it again
                    open[usize::from(rule)] = u16::MAX;
                }
            }
        }
        candidates
    }
}

/// Shorter tokens are not read as leet.
const MIN_LEET: usize = 3;
