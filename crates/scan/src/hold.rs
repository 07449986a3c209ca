//! How much of a growing text must wait: the end of it that may still become part of a match.
//!
//! The end of the text is read backwards through an automaton for *everything a match can begin
//! with*, turned around. It dies after a few characters of ordinary text, so little waits and
//! little is read. Repetitions are loosened in it (`{20,200}` counts as "any number"), which can
//! only hold more; [`HOLD_BACK`] bounds what is held all the same.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, MatchKind, hybrid};
use regex_syntax::hir::{Hir, HirKind, Repetition};
use unicode_normalization::char::is_combining_mark;

use crate::decode::{self, MIN_RUN};
use crate::indicator::Indicator;
use crate::normalize::{CLASS, CODED, CONTROL, ESCAPE, WORD, fold_char, is_invisible};
use crate::phrase::expression;
use crate::prefixes::Prefixes;
use crate::rule::{Action, Detector, Pattern, Rule, Severity, Target, View};

/// No more significant characters than this are held, whatever the rules say. A match that needs
/// more of them to be recognised (a JWT, a private key behind a long PEM header) is found all the
/// same, but its beginning may be gone by then.
pub const HOLD_BACK: usize = 256;

/// So many bytes are read backwards at most, however many invisible characters are among them.
const FARTHEST: usize = 1 << 16;
/// So many bytes at the end are read with their escapes resolved: six for each character, twice.
const ESCAPED: usize = 12 * HOLD_BACK;
/// Memory that the rules of one automaton may take; with more of them the last [`HOLD_BACK`]
/// characters are held.
const NFA_BYTES: usize = 1 << 24;

/// Says for a target from where on the end of a growing text must be held.
#[derive(Debug)]
pub struct Holder {
    ruled: Arc<Ruled>,
    /// What others look for.
    others: Prefixes,
    significant: usize,
}

/// The part that depends on rules alone: engines that differ in what others look for share it.
#[derive(Debug)]
pub(crate) struct Ruled {
    /// Over folded text.
    exact: Option<Backward>,
    /// Over letters and digits alone.
    words: Option<Backward>,
    /// Whether there are rules in other scripts.
    native: bool,
    significant: usize,
}

impl Ruled {
    /// For the rules of `target`, each with its reach, that ask for more than a note or are `wanted`.
    pub fn new<'r>(
        rules: impl Iterator<Item = (&'r Rule, usize)>,
        target: Target,
        wanted: &dyn Fn(&Rule) -> bool,
    ) -> Ruled {
        let (mut exact, mut words, mut cut) = (Vec::new(), Vec::new(), Vec::new());
        let (mut significant, mut native) = (0, false);
        for (rule, reach) in rules {
            if !rule.targets.contains(target) || !(wanted(rule) || judged(rule)) {
                continue;
            }
            significant = significant.max(reach);
            match &rule.pattern {
                Pattern::Phrase { groups, gap, apart: true, .. } => {
                    cut.extend(joined(&expression(groups, *gap, true)))
                }
                Pattern::Phrase { groups, .. } => {
                    words.extend(groups.first().into_iter().flat_map(|group| openings(group)))
                }
                Pattern::Regex { view: View::Words, regex, .. } => cut.extend(joined(regex)),
                Pattern::Regex { view: View::Exact, regex, .. } => {
                    exact.extend(parse(regex).map(|hir| beginning(&hir)));
                }
                Pattern::Regex { view: View::Native, .. } => native = true,
                Pattern::Detector(detector) => {
                    exact.extend(shape(*detector).and_then(parse).map(|hir| beginning(&hir)));
                }
            }
        }
        if !words.is_empty() {
            cut.extend(from_any(words));
        }
        Ruled {
            exact: (!exact.is_empty()).then(|| Backward::new(exact)),
            words: (!cut.is_empty()).then(|| Backward::new(cut)),
            native,
            significant,
        }
    }
}

impl Holder {
    pub(crate) fn new(ruled: Arc<Ruled>, indicators: &[Indicator], target: Target) -> Holder {
        let others = Prefixes::new(indicators, target);
        let significant = ruled.significant.max(others.longest()).min(HOLD_BACK);
        Holder { ruled, others, significant }
    }

    /// The number of significant characters behind which text may always be released. Characters
    /// that the engine drops (zero-width ones, combining marks, controls) do not count, and where
    /// rules over words apply only letters and digits do.
    pub fn hold_back(&self) -> usize {
        self.significant
    }

    /// The byte offset before which `text` may be released, given that everything before it was
    /// scanned without a finding (or that what was found has been dealt with).
    ///
    /// What lies behind it may still become a match or part of one, or is a match that may still
    /// grow: `sk-...` at the end of the text is held from its `s`. The offset lies on the border
    /// of a character, never between a character and marks that combine with it. `text` may be
    /// the end of a longer text; 64 KiB of it always suffice.
    ///
    /// Data that is encoded is held from its sixteenth character on, for shorter runs are words:
    /// so many characters of an encoded secret can be out before it is recognised as such.
    pub fn held_from(&self, text: &str) -> usize {
        let Ruled { exact, words, native, .. } = &*self.ruled;
        if exact.is_none() && words.is_none() && !native && self.others.is_empty() {
            return text.len();
        }
        let mut held = invisible_end(text);
        if !self.others.is_empty() {
            held = held.min(self.others.held(pieces(text)).unwrap_or(text.len()));
        }
        if exact.is_some() || !self.others.is_empty() {
            held = held.min(encoded_end(text));
        }
        if let Some(exact) = exact {
            held = held.min(exact.held(pieces(text), |_| true).unwrap_or(text.len()));
            held = held.min(escaped_end(text, exact));
        }
        if let Some(words) = words {
            let lower = pieces(text).map(|(at, byte)| (at, byte.to_ascii_lowercase()));
            let letters = |byte: u8| CLASS[usize::from(byte)] & WORD != 0;
            held = held.min(words.held(lower, letters).unwrap_or(text.len()));
        }
        if *native {
            held = held.min(native_end(text));
        }
        unsplit(text, held)
    }
}

/// Findings that are only noted hold nothing up.
fn judged(rule: &Rule) -> bool {
    rule.action != Action::Flag || rule.severity > Severity::Low
}

/// An automaton that reads backwards. Its states are made as texts need them.
struct Backward {
    dfa: Option<DFA>,
    caches: Pool<Option<Cache>, MakeCache>,
}

type MakeCache = Box<dyn Fn() -> Option<Cache> + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl std::fmt::Debug for Backward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backward").finish_non_exhaustive()
    }
}

impl Backward {
    fn new(beginnings: Vec<Hir>) -> Backward {
        let config = thompson::Config::new()
            .utf8(false)
            .reverse(true)
            .which_captures(thompson::WhichCaptures::None)
            .nfa_size_limit(Some(NFA_BYTES));
        let nfa = thompson::Compiler::new()
            .configure(config)
            .build_from_hir(&Hir::alternation(beginnings));
        let config =
            hybrid::dfa::Config::new().match_kind(MatchKind::All).skip_cache_capacity_check(true);
        let build = |nfa| hybrid::dfa::Builder::new().configure(config).build_from_nfa(nfa).ok();
        let dfa: Option<DFA> = nfa.ok().and_then(build);
        let model = dfa.as_ref().map(DFA::create_cache);
        Backward { dfa, caches: Pool::new(Box::new(move || model.clone())) }
    }

    /// Where the longest beginning of a match starts that runs to the end; `None` if there is
    /// none. `bytes` come last first, each with where its character begins; only those that count
    /// are read, and at most [`HOLD_BACK`] of them.
    fn held(
        &self,
        bytes: impl Iterator<Item = (usize, u8)>,
        counts: impl Fn(u8) -> bool,
    ) -> Option<usize> {
        let bytes = bytes.filter(|(_, byte)| counts(*byte)).take(HOLD_BACK);
        let mut cache = self.caches.get();
        let (Some(dfa), Some(cache)) = (&self.dfa, cache.as_mut()) else {
            return bytes.last().map(|(at, _)| at);
        };
        longest(dfa, cache, bytes).unwrap_or(Some(0))
    }
}

/// Fails when the automaton gives up, which it is not configured to do.
fn longest(
    dfa: &DFA,
    cache: &mut Cache,
    bytes: impl Iterator<Item = (usize, u8)>,
) -> Option<Option<usize>> {
    let input = Input::new(b"").anchored(Anchored::Yes);
    let mut state = dfa.start_state_reverse(cache, &input).ok()?;
    let (mut held, mut last) = (None, None);
    // a match shows one byte after its end
    for (at, byte) in bytes {
        state = dfa.next_state(cache, state, byte).ok()?;
        if state.is_match() {
            held = last;
        } else if state.is_dead() {
            return Some(held);
        } else if state.is_quit() {
            return None;
        }
        last = Some(at);
    }
    state = dfa.next_eoi_state(cache, state).ok()?;
    Some(if state.is_match() { last } else { held })
}

/// The bytes that `text` folds to, last first, each with where its character begins.
fn pieces(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let near = text.len().saturating_sub(FARTHEST);
    let mut chars = text.char_indices().rev().take_while(move |(at, _)| *at >= near);
    // no character folds to more
    let mut waiting = ([0u8; FOLDED], 0, 0);
    std::iter::from_fn(move || {
        loop {
            let (bytes, count, at) = &mut waiting;
            if *count > 0 {
                *count -= 1;
                return Some((*at, bytes[*count]));
            }
            let (start, c) = chars.next()?;
            *at = start;
            if c.is_ascii() {
                if CLASS[usize::from(c as u8)] & CONTROL == 0 {
                    return Some((start, c as u8));
                }
            } else if !is_invisible(c) {
                fold_char(c, &mut |byte| {
                    if let Some(slot) = bytes.get_mut(*count) {
                        *slot = byte;
                        *count += 1;
                    }
                });
            }
        }
    })
}

/// Bytes of the longest folding of one character (U+FDFA has 18 letters).
const FOLDED: usize = 32;

/// Where the letters begin that a rule in another script may read, with a few Latin ones before them
/// (`AI`).
fn native_end(text: &str) -> usize {
    let (mut held, mut latin) = (text.len(), 0);
    for (at, _) in pieces(text).take(HOLD_BACK) {
        let foreign = text.as_bytes().get(at).is_some_and(|byte| !byte.is_ascii());
        latin = if foreign { 0 } else { latin + 1 };
        if latin <= LATIN {
            held = at;
        }
    }
    held
}

/// So many Latin letters and spaces stand at the beginning of a rule in another script at most.
const LATIN: usize = 4;

/// Where the invisible characters at the end begin: what they may spell is not known yet.
fn invisible_end(text: &str) -> usize {
    let run = text.char_indices().rev().take(HOLD_BACK).take_while(|(_, c)| is_invisible(*c));
    run.last().map_or(text.len(), |(at, _)| at)
}

/// The nearest place at or before `at` that does not tear marks from what they combine with.
fn unsplit(text: &str, at: usize) -> usize {
    let joins = |c: char| is_combining_mark(c) || is_invisible(c) && !c.is_ascii();
    if !text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(joins) {
        return at;
    }
    let before = text.get(..at).unwrap_or_default().char_indices().rev().take(HOLD_BACK);
    let mut start = at;
    for (before, c) in before {
        start = before;
        if !joins(c) {
            break;
        }
    }
    start
}

/// Where a run at the end begins that may be encoded data.
fn encoded_end(text: &str) -> usize {
    let coded = |byte: u8| CLASS[usize::from(byte)] & CODED != 0;
    let run: Vec<(usize, u8)> =
        pieces(text).take_while(|(_, byte)| coded(*byte)).take(HOLD_BACK).collect();
    let bytes: Vec<u8> = run.iter().map(|(_, byte)| *byte).collect();
    match run.last() {
        Some((at, _)) if run.len() >= MIN_RUN && decode::plausible(&bytes) => *at,
        _ => text.len(),
    }
}

/// The same as for plain text, where some of it is written as escapes: whole ones are resolved, one
/// that is cut off at the end is held.
fn escaped_end(text: &str, exact: &Backward) -> usize {
    let mut from = text.len().saturating_sub(ESCAPED);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let tail = text.get(from..).unwrap_or_default();
    if !tail.bytes().any(|byte| CLASS[usize::from(byte)] & ESCAPE != 0) {
        return text.len();
    }
    let open = decode::open_escape(tail);
    let mut held = tail.len().min(open);
    let whole = tail.get(..open).unwrap_or(tail);
    let mut plain = decode::resolve(whole);
    if open == tail.len() && plain.text == whole && !whole.contains('\\') {
        return text.len();
    }
    // an escape may be spelled with escapes
    for _ in 0..3 {
        let source = |at: usize| plain.map.get(at).map_or(0, |(start, _)| *start as usize);
        // one that is cut off, or a character whose last bytes are not there yet
        let open = decode::open_escape(&plain.text);
        let open = open.min(plain.text.trim_end_matches('\u{fffd}').len());
        if open < plain.text.len() {
            held = held.min(source(open));
        }
        let whole = plain.text.get(..open).unwrap_or_default();
        for strip in [false, true] {
            let found = exact.held(pieces(whole), |byte| !strip || byte != b'\\');
            held = held.min(found.map_or(tail.len(), source));
        }
        plain.text.truncate(open);
        plain.map.truncate(open);
        let deeper = decode::resolve(&plain.text);
        if deeper.text == plain.text {
            break;
        }
        let map = deeper.map.iter().map(|(start, end)| {
            let (first, last) = (*start as usize, (*end as usize).saturating_sub(1));
            let end = plain.map.get(last).map_or(0, |(_, end)| *end);
            (plain.map.get(first).map_or(0, |(start, _)| *start), end)
        });
        let map: Vec<(u32, u32)> = map.collect();
        plain = decode::Unescaped { text: deeper.text, map };
    }
    from + held
}

/// The words of a group without spaces and with look-alike digits: where a phrase may begin.
fn openings(group: &[String]) -> impl Iterator<Item = Hir> + '_ {
    let spelled = |word: &String| parse(&word.bytes().map(letter).collect::<String>());
    group.iter().filter_map(spelled)
}

/// Everything from one of the `openings` on, which may also be cut off.
fn from_any(openings: Vec<Hir>) -> Vec<Hir> {
    let cut = openings.iter().map(beginning).collect();
    let rest = parse("[a-z0-9\\x7f]*").unwrap_or_else(Hir::empty);
    let openings = openings.iter().map(whole).collect();
    vec![Hir::alternation(cut), Hir::concat(vec![Hir::alternation(openings), rest])]
}

fn letter(byte: u8) -> String {
    match byte {
        b' ' => String::new(),
        b'*' => "[a-z0-9]*".to_owned(),
        b'a' => "[a4]".to_owned(),
        b'b' => "[b8]".to_owned(),
        b'e' => "[e3]".to_owned(),
        b'g' => "[g9]".to_owned(),
        b'i' | b'l' => format!("[{}1]", byte as char),
        b'o' => "[o0]".to_owned(),
        b's' => "[s5]".to_owned(),
        b't' => "[t7]".to_owned(),
        b'z' => "[z2]".to_owned(),
        other => (other as char).to_string(),
    }
}

/// What a detector's findings look like. Those on invisible characters are seen by
/// [`invisible_end`].
fn shape(detector: Detector) -> Option<&'static str> {
    match detector {
        Detector::CreditCard => {
            Some("[0-9]{13,19}[ -]?|[0-9]{4}[ -][0-9]{4,6}(?:[ -][0-9]{3,5}){0,3}[ -]?")
        }
        Detector::UsSsn => Some("[0-9]{3}-[0-9]{2}-[0-9]{4}"),
        Detector::Iban => Some("[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}[ -]?"),
        Detector::Email => Some("[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}"),
        Detector::TagCharacters
        | Detector::InvisibleBytes
        | Detector::BidiOverride
        | Detector::ZeroWidthInWord
        | Detector::Fuel => None,
    }
}

/// What a match over words can begin with; the words are read without the spaces between them.
fn joined(regex: &str) -> Option<Hir> {
    parse(&regex.replace(' ', "")).map(|hir| beginning(&hir))
}

fn parse(regex: &str) -> Option<Hir> {
    let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
    regex_automata::util::syntax::parse_with(regex, &syntax).ok()
}

/// At most so many repetitions are counted.
const COUNTED: u32 = 4;

/// What the whole of `hir` matches, and more: without its conditions on what stands around, and
/// with long repetitions of any length.
fn whole(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
        HirKind::Repetition(rep) => {
            let sub = Box::new(whole(&rep.sub));
            let long = rep.max.is_none_or(|max| max > COUNTED);
            let (min, max) = if long { (rep.min.min(1), None) } else { (rep.min, rep.max) };
            Hir::repetition(Repetition { min, max, greedy: true, sub })
        }
        HirKind::Capture(capture) => whole(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(whole).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(whole).collect()),
    }
}

/// Everything that a match of `hir` can begin with, whole matches included.
fn beginning(hir: &Hir) -> Hir {
    let optional = |sub: Hir| {
        Hir::repetition(Repetition { min: 0, max: Some(1), greedy: true, sub: Box::new(sub) })
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Class(_) => optional(hir.clone()),
        HirKind::Literal(literal) => literal.0.iter().rev().fold(Hir::empty(), |rest, byte| {
            optional(Hir::concat(vec![Hir::literal([*byte]), rest]))
        }),
        HirKind::Repetition(rep) if rep.max == Some(1) => beginning(&rep.sub),
        HirKind::Repetition(rep) => {
            let sub = Box::new(whole(&rep.sub));
            let before = Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub });
            Hir::concat(vec![before, beginning(&rep.sub)])
        }
        HirKind::Capture(capture) => beginning(&capture.sub),
        HirKind::Concat(parts) => parts.iter().rev().fold(Hir::empty(), |rest, part| {
            Hir::alternation(vec![beginning(part), Hir::concat(vec![whole(part), rest])])
        }),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(beginning).collect()),
    }
}
