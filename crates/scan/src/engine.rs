//! The engine: one walk, then only what the walk gave cause for.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex::bytes::Regex;
use seal::digest::Digest;

use crate::builtin;
use crate::decode::{self, Fuel};
use crate::detect;
use crate::finding::{Hit, Scan};
use crate::hold::Holder;
use crate::normalize::{AT, CONTROL, ESCAPE, Hidden, Reading, Words, fold};
use crate::rule::{Action, Category, Detector, Rule, RuleError, Severity, Target};
use crate::ruleset::{self, Compiled, Matcher};
use crate::unpack;
use crate::walk::{Needs, Pass, REVERSED, TURNS, Walker};

/// Version of the way texts are read. Part of the ruleset's digest: a change that may change a
/// verdict changes this.
pub const ENGINE_VERSION: &str = "2";

/// So many layers of encoding are taken off.
pub(crate) const MAX_DEPTH: u8 = 16;
/// A rule that is not about redaction reports so many places at most.
const MAX_PLACES: usize = 16;

/// Compiled rules. Shared freely between threads; building one takes milliseconds, so build once.
pub struct Engine {
    rules: Vec<Compiled>,
    walker: Walker,
    /// Rules without literals that look at numbers and addresses.
    detectors: Vec<u16>,
    fuel_rule: Arc<str>,
    body: String,
    digest: Digest,
    /// For each rule how far its literals can stand apart, in significant characters.
    reach: Vec<usize>,
    /// For each target, made when first asked for.
    holders: [OnceLock<Holder>; Target::ALL.len()],
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("rules", &self.rules.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// The rules that come with the product.
    pub fn builtin() -> Engine {
        Engine::from_rules(builtin::rules()).expect("a test compiles the built-in rules")
    }

    /// An engine over `rules`; refuses what cannot be bounded.
    pub fn from_rules(rules: Vec<Rule>) -> Result<Engine, RuleError> {
        let (rules, needs) = ruleset::compile(rules)?;
        let walker = Walker::new(&needs)?;
        let body = ruleset::body(&rules)?;
        let detectors = (0u16..)
            .zip(&rules)
            .filter(|(_, compiled)| matches!(compiled.matcher, Matcher::Detector(_)))
            .map(|(index, _)| index)
            .collect();
        let digest = Digest::of(body.as_bytes());
        let reach = needs.iter().map(|needs| needs.as_ref().map_or(LONGEST_NUMBER, reach_of));
        Ok(Engine {
            rules,
            walker,
            detectors,
            fuel_rule: FUEL_RULE.into(),
            body,
            digest,
            reach: reach.collect(),
            holders: Default::default(),
        })
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// The digest of [`Engine::ruleset_body`].
    pub fn ruleset_digest(&self) -> Digest {
        self.digest
    }

    /// Canonical JSON of everything that decides a verdict: rules, limits, the mapping from
    /// severity to verdict, engine and Unicode version.
    pub fn ruleset_body(&self) -> String {
        self.body.clone()
    }

    /// How many significant characters at the end of a growing text may still become part of a
    /// match of a rule of `target`: what lies behind them may be released. At most
    /// [`HOLD_BACK`](crate::HOLD_BACK); see [`Holder::hold_back`] for what counts.
    ///
    /// This is the bound for the worst text. [`Engine::held_from`] is exact for a given one, and
    /// mostly a few characters.
    pub fn hold_back(&self, target: Target) -> usize {
        self.holder(target).hold_back()
    }

    /// From which byte of `text` on it must be held; see [`Holder::held_from`].
    pub fn held_from(&self, text: &str, target: Target) -> usize {
        self.holder(target).held_from(text)
    }

    /// The holder of `target` for every rule that redacts, blocks, or says more than clean.
    pub fn holder(&self, target: Target) -> &Holder {
        let at = Target::ALL.iter().position(|known| *known == target).unwrap_or(0);
        self.holders[at].get_or_init(|| self.holder_with(target, &|_| false))
    }

    /// The same, and also for the rules that are `wanted`: a configuration may cut out or refuse
    /// what a rule only reports. Takes milliseconds; make it once.
    pub fn holder_with(&self, target: Target, wanted: &dyn Fn(&Rule) -> bool) -> Holder {
        let rules = self.rules.iter().map(|compiled| &compiled.rule);
        Holder::new(rules.zip(self.reach.iter().copied()), target, wanted)
    }

    /// Scans one text. The same text, target and ruleset always give the same result.
    pub fn scan(&self, text: &str, target: Target) -> Scan {
        let mut session =
            Session { engine: self, target, hits: Vec::new(), fuel: Fuel::of(text.len()) };
        session.inspect(text, &Origin::Itself, 0);
        if session.fuel.exhausted {
            session.hits.push(self.unread(text.len()));
        }
        Scan::of(session.hits)
    }

    /// What is reported of a text of `length` bytes that was not read to its end.
    pub fn unread(&self, length: usize) -> Hit {
        Hit {
            rule: self.fuel_rule.clone(),
            category: Category::Engine,
            technique: "decoding-limit".into(),
            severity: Severity::Medium,
            action: Action::Flag,
            span: 0..length,
            redact: false,
            decoded: true,
        }
    }
}

fn reach_of(needs: &Needs) -> usize {
    needs.reach as usize
}

/// No detector reads more of a text for one finding (an IBAN with separators is 42 long).
const LONGEST_NUMBER: usize = 64;

/// Reported when a text holds more encoded data, or deeper, than the engine takes off.
pub(crate) const FUEL_RULE: &str = "CS-ENG-001";

/// Where the bytes of a text come from in the text that was given.
enum Origin<'a> {
    /// It is that text.
    Itself,
    /// Each byte has its own range in a parent.
    Mapped(&'a [(u32, u32)], &'a Origin<'a>),
    /// The same, and what it was made from spells its characters out as escapes.
    Spelled(&'a [(u32, u32)], &'a Origin<'a>),
    /// Its letters are those of a parent, moved or turned around.
    Turned(&'a [(u32, u32)], &'a Origin<'a>),
    /// All of it comes from one encoded run.
    Inside(Range<usize>),
}

impl Origin<'_> {
    fn raw(&self, span: Range<usize>) -> Range<usize> {
        match self {
            Origin::Itself => span,
            Origin::Inside(run) => run.clone(),
            Origin::Mapped(map, parent)
            | Origin::Spelled(map, parent)
            | Origin::Turned(map, parent) => {
                let last = span.end.checked_sub(1).unwrap_or(span.end);
                let first = map.get(span.start).copied().unwrap_or_default();
                let last = map.get(last).copied().unwrap_or(first);
                let (start, end) = (first.0.min(last.0), first.1.max(last.1));
                parent.raw(start as usize..end as usize)
            }
        }
    }

    fn is_decoded(&self) -> bool {
        match self {
            Origin::Itself => false,
            Origin::Inside(_) | Origin::Turned(..) => true,
            Origin::Mapped(_, parent) | Origin::Spelled(_, parent) => parent.is_decoded(),
        }
    }

    /// Whether a reader sees each character as an escape: then none of them is hidden.
    fn is_spelled(&self) -> bool {
        match self {
            Origin::Itself | Origin::Inside(_) => false,
            Origin::Spelled(..) => true,
            Origin::Mapped(_, parent) | Origin::Turned(_, parent) => parent.is_spelled(),
        }
    }
}

/// One scan under way.
struct Session<'e> {
    engine: &'e Engine,
    target: Target,
    hits: Vec<Hit>,
    fuel: Fuel,
}

impl<'e> Session<'e> {
    fn inspect(&mut self, text: &str, origin: &Origin<'_>, depth: u8) {
        if text.is_ascii() {
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
        self.inspect_folded(&folded.bytes, text, &mapped, folded.hidden.dropped, depth);
        // escapes are resolved in the text itself: what they spell need not be ASCII
        if folded.bytes.iter().any(|byte| matches!(byte, b'%' | b'&' | b'\\')) {
            self.inspect_escapes(text, origin, depth);
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
        let pass = engine.walker.walk(folded);
        if !pass.candidates.is_empty() {
            self.verify(folded, &pass, origin, glued);
        }
        if pass.spaced {
            let words = Words::read(folded, Reading::Spaced, true);
            let again = engine.walker.walk(&words.bytes);
            for rule in again.candidates {
                self.verify_words(rule, &words, folded, origin, true);
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
            self.inspect_numbers(folded, origin, depth);
        }
        if !pass.runs.is_empty() {
            self.inspect_runs(folded, pass.runs, origin, depth);
        }
        pass.classes
    }

    fn verify(&mut self, folded: &[u8], pass: &Pass, origin: &Origin<'_>, glued: bool) {
        let engine = self.engine;
        let mut plain = None;
        let mut leet = None;
        for rule in &pass.candidates {
            let Some(compiled) = engine.rules.get(usize::from(*rule)) else { continue };
            if !compiled.rule.targets.contains(self.target) {
                continue;
            }
            match &compiled.matcher {
                Matcher::Exact(regex) => self.verify_exact(compiled, regex, folded, origin),
                Matcher::Words { .. } => {
                    let words =
                        plain.get_or_insert_with(|| Words::read(folded, Reading::Plain, false));
                    let found = self.verify_words(*rule, words, folded, origin, glued);
                    if !found && pass.leet {
                        let known = |word: &[u8]| engine.walker.knows(word);
                        let words = leet.get_or_insert_with(|| {
                            Words::read(folded, Reading::Leet(&known), true)
                        });
                        self.verify_words(*rule, words, folded, origin, glued);
                    }
                }
                Matcher::Detector(_) => {}
            }
        }
    }

    fn verify_exact(
        &mut self,
        compiled: &'e Compiled,
        regex: &Regex,
        folded: &[u8],
        origin: &Origin<'_>,
    ) {
        let places = if compiled.rule.action == Action::Redact { usize::MAX } else { MAX_PLACES };
        for found in regex.find_iter(folded).take(places) {
            self.hit(compiled, origin.raw(found.range()), origin.is_decoded());
        }
    }

    /// Whether the rule fired.
    fn verify_words(
        &mut self,
        rule: u16,
        words: &Words,
        folded: &[u8],
        origin: &Origin<'_>,
        lost_spaces: bool,
    ) -> bool {
        let Some(compiled) = self.engine.rules.get(usize::from(rule)) else { return false };
        let Matcher::Words { regex, glued, negatable } = &compiled.matcher else { return false };
        if !compiled.rule.targets.contains(self.target) {
            return false;
        }
        let mut spans: Vec<Range<usize>> =
            regex.find_iter(&words.bytes).take(MAX_PLACES).map(|found| found.range()).collect();
        if spans.is_empty()
            && lost_spaces
            && let Some(found) = glued.as_ref().and_then(|regex| regex.find(&words.bytes))
        {
            spans.push(found.range());
        }
        if spans.is_empty() {
            return false;
        }
        // the map is made only now that something was found
        let mapped;
        let map = if words.map.len() == words.bytes.len() {
            &words.map
        } else {
            mapped = Words::read(folded, Reading::Plain, true).map;
            &mapped
        };
        let mut fired = false;
        for span in spans {
            let Some(start) = map.get(span.start) else { continue };
            let Some(last) = span.end.checked_sub(1).and_then(|last| map.get(last)) else {
                continue;
            };
            let (start, end) = (*start as usize, *last as usize + 1);
            if *negatable && is_negated(&folded[..start]) {
                continue;
            }
            fired = true;
            self.hit(compiled, origin.raw(start..end), origin.is_decoded());
        }
        fired
    }

    fn detect(&mut self, folded: &[u8], pass: &Pass, origin: &Origin<'_>) {
        let engine = self.engine;
        let numbers = pass.digits >= detect::MIN_DIGITS;
        let starts = if numbers { detect::number_starts(folded) } else { Vec::new() };
        for rule in &engine.detectors {
            let Some(compiled) = engine.rules.get(usize::from(*rule)) else { continue };
            if !compiled.rule.targets.contains(self.target) {
                continue;
            }
            let Matcher::Detector(detector) = compiled.matcher else { continue };
            let found = match detector {
                Detector::CreditCard if numbers => detect::credit_cards(folded, &starts),
                Detector::UsSsn if numbers => detect::us_ssns(folded, &starts),
                Detector::Iban if numbers => detect::ibans(folded),
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
        for rule in &engine.detectors {
            if let Some(compiled) = engine.rules.get(usize::from(*rule))
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
    fn inspect_turned(&mut self, folded: &[u8], turns: u8, origin: &Origin<'_>) {
        for (turn, bit) in TURNS {
            if turns & bit == 0 || !self.fuel.take(folded.len()) {
                continue;
            }
            let text = turn(folded);
            let places = 0..folded.len() as u32;
            let map: Vec<(u32, u32)> = match *bit {
                REVERSED => places.rev().map(|at| (at, at + 1)).collect(),
                _ => places.map(|at| (at, at + 1)).collect(),
            };
            let pass = self.engine.walker.walk(&text);
            self.verify(&text, &pass, &Origin::Turned(&map, origin), false);
        }
    }

    /// Reads rows of numbers as the bytes they may stand for.
    fn inspect_numbers(&mut self, folded: &[u8], origin: &Origin<'_>, depth: u8) {
        for row in unpack::numbers(folded) {
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
