//! One scan under way: from the text as it was given to everything that is written inside of it.

use std::ops::Range;
use std::sync::Arc;

use crate::decode::{self, Fuel};
use crate::detect;
use crate::engine::{Engine, MAX_DEPTH, MAX_PLACES};
use crate::expression::Expression;
use crate::filter::Work;
use crate::finding::Hit;
use crate::native::{self, Native};
use crate::normalize::{AT, CLASS, CONTROL, ESCAPE, FOREIGN, Hidden, fold};
use crate::origin::Origin;
use crate::rule::{Action, Detector, Severity, Target, Targets};
use crate::ruleset::{Compiled, Matcher};
use crate::turn::Turn;
use crate::unpack;
use crate::views::{Part, Views};
use crate::walk::{Candidate, Pass};
use crate::words::{Reading, Words};

/// One scan under way.
pub(crate) struct Session<'e> {
    engine: &'e Engine,
    target: Target,
    pub hits: Vec<Hit>,
    pub fuel: Fuel,
    pub work: Work,
    /// An indicator could not be looked for.
    pub skipped: bool,
    /// The highest score of a sentence, where it stands, and whether it had to be decoded.
    pub worst: (u16, Range<usize>, bool),
}

impl<'e> Session<'e> {
    /// For a text of `len` bytes.
    pub fn new(engine: &'e Engine, target: Target, len: usize) -> Session<'e> {
        let (fuel, work) = (Fuel::of(len), Work::of(len));
        Session {
            engine,
            target,
            hits: Vec::new(),
            fuel,
            work,
            skipped: false,
            worst: (0, 0..0, false),
        }
    }

    /// Reads the text that was given.
    pub fn read(&mut self, text: &str) {
        self.inspect(text, &Origin::Itself, 0);
    }

    fn inspect(&mut self, text: &str, origin: &Origin<'_>, depth: u8) {
        self.weigh(text, origin);
        if text.is_ascii() {
            self.inspect_needles(text, text.as_bytes(), None, origin);
            let classes = self.inspect_folded(text.as_bytes(), text, origin, false, depth);
            if classes & CONTROL == 0 {
                return;
            }
            // read once more as somebody does who does not see control characters
            if depth == 0 {
                self.fuel.again(text.len());
            }
        }
        let folded = fold(text);
        self.inspect_hidden(&folded.hidden, origin, depth);
        let mapped = Origin::Mapped(&folded.map, origin);
        self.inspect_needles(text, &folded.bytes, Some(&folded.map), origin);
        self.inspect_folded(&folded.bytes, text, &mapped, folded.hidden.dropped, depth);
        if folded.bytes.contains(&FOREIGN) {
            self.inspect_native(text, origin);
        }
        // escapes are resolved in the text itself: what they spell need not be ASCII
        if folded.bytes.iter().any(|byte| CLASS[usize::from(*byte)] & ESCAPE != 0) {
            self.inspect_escapes(text, origin, depth);
        }
    }

    /// Weighs the sentences of what a model reads.
    fn weigh(&mut self, text: &str, origin: &Origin<'_>) {
        let Some(semantic) = &self.engine.semantic else { return };
        if !Targets::READ.contains(self.target) {
            return;
        }
        let scored = semantic.score(text);
        if scored.per_mille > self.worst.0 {
            self.worst = (scored.per_mille, origin.raw(scored.span), origin.is_decoded());
        }
    }

    /// What others look for, in a text and in what it folds to.
    fn inspect_needles(
        &mut self,
        text: &str,
        folded: &[u8],
        map: Option<&[(u32, u32)]>,
        origin: &Origin<'_>,
    ) {
        let needles = &self.engine.needles;
        if needles.is_empty() {
            return;
        }
        let mut matches = Vec::new();
        self.skipped |= !needles.find(text, folded, map, &mut self.work, &mut matches);
        for found in matches {
            let Some(indicator) = needles.indicators.get(found.needle as usize) else { continue };
            if indicator.targets.contains(self.target) {
                let span = origin.raw(found.span);
                self.hits.push(Hit::of_indicator(indicator, span, origin.is_decoded()));
            }
        }
    }

    /// What rules in other scripts find.
    fn inspect_native(&mut self, text: &str, origin: &Origin<'_>) {
        let engine = self.engine;
        if engine.ready.native.is_empty() {
            return;
        }
        let native = Native::read(text, false);
        let mut map = Vec::new();
        for rule in engine.ready.native.find(&native.bytes) {
            let Some(compiled) = engine.ready.rules.get(usize::from(rule)) else { continue };
            let Matcher::Native(expression) = &compiled.matcher else { continue };
            if !compiled.rule.targets.contains(self.target) {
                continue;
            }
            let found = expression.find(&native.bytes, 0..native.bytes.len(), MAX_PLACES);
            self.skipped |= found.is_none();
            for span in found.unwrap_or_default() {
                if native::is_negated(&native.bytes[..span.start]) {
                    continue;
                }
                if map.is_empty() {
                    map = Native::read(text, true).map;
                }
                // a space at either end is the border of a word
                let letter = |at: &usize| native.bytes.get(*at).is_some_and(|byte| *byte != b' ');
                let first = span.clone().find(letter).and_then(|at| map.get(at));
                let last = span.rev().find(letter).and_then(|at| map.get(at));
                if let (Some((start, _)), Some((_, end))) = (first, last) {
                    let span = origin.raw(*start as usize..*end as usize);
                    self.hit(compiled, span, origin.is_decoded());
                }
            }
        }
    }

    /// Everything that is found in folded text; returns the classes of its bytes.
    fn inspect_folded(
        &mut self,
        folded: &[u8],
        text: &str,
        origin: &Origin<'_>,
        glued: bool,
        depth: u8,
    ) -> u8 {
        let engine = self.engine;
        let pass = engine.ready.walker.walk(folded, glued);
        let fired = self.verify(folded, &pass, origin, glued);
        if !pass.leet.is_empty() {
            let known = |word: &[u8]| engine.ready.walker.knows(word);
            let words = Words::read_some(folded, &pass.leet, Reading::Leet(&known));
            self.verify_again(&words, &fired, folded, origin, glued);
        }
        if !pass.spaced.is_empty() {
            let words = Words::read_some(folded, &pass.spaced, Reading::Spaced);
            if let Ok(plain) = std::str::from_utf8(folded) {
                let map: Vec<(u32, u32)> = words.map.iter().map(|at| (*at, at + 1)).collect();
                self.inspect_needles(plain, &words.bytes, Some(&map), origin);
            }
            if pass.spelled {
                self.verify_again(&words, &[], folded, origin, true);
            }
        }
        if pass.digits >= detect::MIN_DIGITS || pass.classes & AT != 0 {
            self.detect(folded, &pass, origin);
        }
        if pass.classes & ESCAPE != 0 && std::ptr::eq(folded.as_ptr(), text.as_ptr()) {
            self.inspect_escapes(text, origin, depth);
        }
        if pass.turns != 0 {
            self.inspect_turned(folded, pass.turns, origin);
        }
        if pass.digits >= detect::MIN_DIGITS {
            self.inspect_numbers(folded, &pass.numbers, origin, depth);
        }
        if !pass.runs.is_empty() {
            self.inspect_runs(folded, pass.runs, origin, depth);
        }
        pass.classes
    }

    /// The rules that fired.
    fn verify(&mut self, folded: &[u8], pass: &Pass, origin: &Origin<'_>, glued: bool) -> Vec<u16> {
        let mut fired = Vec::new();
        let mut words = Views::new(folded);
        for candidates in pass.candidates.chunk_by(|one, next| one.rule == next.rule) {
            let Some((rule, compiled)) = self.asked(candidates) else { continue };
            match &compiled.matcher {
                Matcher::Exact(exact) => {
                    self.verify_exact((compiled, exact), folded, candidates, origin);
                }
                Matcher::Words(_) | Matcher::Phrase { .. } => {
                    let parts = words.parts(&pass.candidates, candidates);
                    if self.verify_words(compiled, &parts, folded, origin, glued) {
                        fired.push(rule);
                    }
                }
                Matcher::Native(_) | Matcher::Detector(_) => {}
            }
        }
        fired
    }

    /// The same over another reading of the words, without rules that `fired`.
    fn verify_again(
        &mut self,
        words: &Words,
        fired: &[u16],
        folded: &[u8],
        origin: &Origin<'_>,
        glued: bool,
    ) {
        let pass = self.engine.ready.walker.walk(&words.bytes, glued);
        for candidates in pass.candidates.chunk_by(|one, next| one.rule == next.rule) {
            let Some((rule, compiled)) = self.asked(candidates) else { continue };
            if !fired.contains(&rule) {
                let part = |one: &Candidate| Part::of(words, one.span.clone());
                let parts: Vec<Part<'_>> = candidates.iter().map(part).collect();
                self.verify_words(compiled, &parts, folded, origin, glued);
            }
        }
    }

    /// The rule that the candidates are of, if it applies to this target.
    fn asked(&self, candidates: &[Candidate]) -> Option<(u16, &'e Compiled)> {
        let engine = self.engine;
        let rule = candidates.first()?.rule;
        let compiled = engine.ready.rules.get(usize::from(rule))?;
        compiled.rule.targets.contains(self.target).then_some((rule, compiled))
    }

    fn verify_exact(
        &mut self,
        (compiled, exact): (&'e Compiled, &Expression),
        folded: &[u8],
        candidates: &[Candidate],
        origin: &Origin<'_>,
    ) {
        let mut left = if compiled.rule.action == Action::Redact { usize::MAX } else { MAX_PLACES };
        for candidate in candidates {
            let found = exact.find(folded, candidate.span.clone(), left);
            self.skipped |= found.is_none();
            for span in found.unwrap_or_default() {
                left = left.saturating_sub(1);
                self.hit(compiled, origin.raw(span), origin.is_decoded());
            }
        }
    }

    /// Whether the rule fired.
    fn verify_words(
        &mut self,
        compiled: &'e Compiled,
        parts: &[Part<'_>],
        folded: &[u8],
        origin: &Origin<'_>,
        lost_spaces: bool,
    ) -> bool {
        let mut spans = Vec::new();
        let mut negation = false;
        for part in parts {
            let left = MAX_PLACES.saturating_sub(spans.len());
            let found = match &compiled.matcher {
                Matcher::Words(expression) => {
                    let found = expression.find(part.bytes, part.span.clone(), left);
                    self.skipped |= found.is_none();
                    found.unwrap_or_default()
                }
                Matcher::Phrase { phrase, negatable, .. } => {
                    negation = *negatable;
                    let found = phrase.find(part.inside(), left).into_iter();
                    found.map(|span| part.placed(span)).collect()
                }
                Matcher::Exact(_) | Matcher::Native(_) | Matcher::Detector(_) => return false,
            };
            spans.extend(found.into_iter().filter_map(|span| part.source(span)));
        }
        if let Matcher::Phrase { phrase, apart: false, .. } = &compiled.matcher
            && lost_spaces
            && spans.is_empty()
        {
            spans.extend(parts.iter().find_map(|part| {
                phrase.find_glued(part.inside()).and_then(|span| part.source(part.placed(span)))
            }));
        }
        let mut fired = false;
        for span in spans {
            if negation && is_negated(folded.get(..span.start).unwrap_or_default()) {
                continue;
            }
            fired = true;
            self.hit(compiled, origin.raw(span), origin.is_decoded());
        }
        fired
    }

    fn detect(&mut self, folded: &[u8], pass: &Pass, origin: &Origin<'_>) {
        let engine = self.engine;
        let numbers = pass.digits >= detect::MIN_DIGITS;
        let starts =
            if numbers { detect::number_starts(folded, &pass.numbers) } else { Vec::new() };
        for rule in engine.ready.detectors.iter() {
            let Some(compiled) = engine.ready.rules.get(usize::from(*rule)) else { continue };
            if !compiled.rule.targets.contains(self.target) {
                continue;
            }
            let Matcher::Detector(detector) = compiled.matcher else { continue };
            let found = match detector {
                Detector::CreditCard if numbers => detect::credit_cards(folded, &starts),
                Detector::UsSsn if numbers => detect::us_ssns(folded, &starts),
                Detector::Iban if numbers => detect::ibans(folded, &pass.numbers),
                Detector::Email if pass.classes & AT != 0 => detect::emails(folded),
                _ => continue,
            };
            for span in found {
                self.hit(compiled, origin.raw(span), origin.is_decoded());
            }
        }
    }

    fn inspect_hidden(&mut self, hidden: &Hidden, origin: &Origin<'_>, depth: u8) {
        let raw = |span: &Range<usize>| origin.raw(span.clone());
        for (span, text) in &hidden.tags {
            self.structural(Detector::TagCharacters, raw(span), origin);
            self.inspect_decoded(text, raw(span), depth);
        }
        for (span, bytes) in &hidden.bytes {
            self.structural(Detector::InvisibleBytes, raw(span), origin);
            if let Some(decoded) = decode::text_of(bytes) {
                self.inspect_decoded(&decoded.text, raw(span), depth);
            }
        }
        for span in hidden.overrides.iter().take(MAX_PLACES) {
            self.structural(Detector::BidiOverride, raw(span), origin);
        }
        for span in hidden.in_word.iter().take(MAX_PLACES) {
            self.structural(Detector::ZeroWidthInWord, raw(span), origin);
        }
    }

    fn structural(&mut self, detector: Detector, span: Range<usize>, origin: &Origin<'_>) {
        let engine = self.engine;
        if origin.is_spelled() {
            return;
        }
        for rule in engine.ready.detectors.iter() {
            if let Some(compiled) = engine.ready.rules.get(usize::from(*rule))
                && matches!(compiled.matcher, Matcher::Detector(d) if d == detector)
                && compiled.rule.targets.contains(self.target)
            {
                self.hit(compiled, span.clone(), origin.is_decoded());
            }
        }
    }

    fn inspect_escapes(&mut self, text: &str, origin: &Origin<'_>, depth: u8) {
        let Some(plain) = decode::unescape(text, &mut self.fuel) else { return };
        if depth >= MAX_DEPTH {
            self.fuel.exhausted = true;
            return;
        }
        self.inspect(&plain.text, &Origin::Spelled(&plain.map, origin), depth + 1);
    }

    fn inspect_runs(
        &mut self,
        folded: &[u8],
        mut runs: Vec<Range<usize>>,
        origin: &Origin<'_>,
        depth: u8,
    ) {
        decode::join_lines(folded, &mut runs);
        for run in runs {
            let Some(bytes) = folded.get(run.clone()).filter(|bytes| decode::plausible(bytes))
            else {
                continue;
            };
            for decoded in unpack::decode_run(bytes, &mut self.fuel) {
                if depth >= MAX_DEPTH {
                    self.fuel.exhausted |= decoded.clean;
                } else {
                    self.inspect_decoded(&decoded.text, origin.raw(run.clone()), depth);
                }
            }
            if self.fuel.exhausted {
                return;
            }
        }
    }

    /// Reads the text with its letters moved back, or from its end.
    fn inspect_turned(&mut self, folded: &[u8], turns: u32, origin: &Origin<'_>) {
        for turn in Turn::all().filter(|turn| turns & turn.bit() != 0) {
            if !self.fuel.take(folded.len()) {
                return;
            }
            let text = turn.undo(folded);
            let places = 0..folded.len() as u32;
            let map: Vec<(u32, u32)> = match turn {
                Turn::Reversed => places.rev().map(|at| (at, at + 1)).collect(),
                Turn::Moved(_) | Turn::Mirrored => places.map(|at| (at, at + 1)).collect(),
            };
            let origin = Origin::Turned(&map, origin);
            if let Ok(turned) = std::str::from_utf8(&text) {
                self.inspect_needles(turned, &text, None, &origin);
            }
            let pass = self.engine.ready.walker.walk(&text, false);
            self.verify(&text, &pass, &origin, false);
        }
    }

    /// Reads rows of numbers as the bytes they may stand for.
    fn inspect_numbers(&mut self, folded: &[u8], starts: &[u32], origin: &Origin<'_>, depth: u8) {
        for row in unpack::numbers(folded, starts) {
            if !self.fuel.take(row.bytes.len()) {
                return;
            }
            if let Some(decoded) = decode::text_of(&row.bytes).filter(|decoded| decoded.clean) {
                self.inspect_decoded(&decoded.text, origin.raw(row.span), depth);
            }
        }
    }

    fn inspect_decoded(&mut self, text: &str, run: Range<usize>, depth: u8) {
        if depth < MAX_DEPTH {
            self.inspect(text, &Origin::Inside(run), depth + 1);
        } else {
            self.fuel.exhausted = true;
        }
    }

    fn hit(&mut self, compiled: &Compiled, span: Range<usize>, decoded: bool) {
        let rule = &compiled.rule;
        // an address inside a token is no news; a secret or an instruction is
        if decoded && rule.action == Action::Flag && rule.severity == Severity::Low {
            return;
        }
        self.hits.push(Hit {
            rule: compiled.id.clone(),
            category: rule.category,
            technique: compiled.technique.clone(),
            severity: rule.severity,
            action: rule.action,
            span,
            redact: rule.action == Action::Redact,
            decoded,
            source: rule.source.clone(),
            labels: Arc::default(),
            monitor: false,
        });
    }
}

/// Whether the text ends in a plain negation: only spaces may follow it, so that `never. Ignore`
/// and `why not ignore` are not taken for one.
fn is_negated(before: &[u8]) -> bool {
    static NEGATIONS: &[&str] = &[
        "never",
        "do not",
        "don't",
        "dont",
        "must not",
        "should not",
        "shouldn't",
        "cannot",
        "can't",
        "will not",
        "won't",
        "did not",
        "didn't",
    ];
    let kept = before.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    let text = &before[..kept];
    NEGATIONS.iter().any(|negation| {
        let Some(start) = text.len().checked_sub(negation.len()) else { return false };
        text[start..].eq_ignore_ascii_case(negation.as_bytes())
            && start.checked_sub(1).is_none_or(|at| !text[at].is_ascii_alphanumeric())
    })
}
