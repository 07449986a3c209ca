//! Regular expressions of rules, made ready when a text first asks for them.
//!
//! Most rules never meet a text that holds their literals. So an expression is its source until
//! then; afterwards it is an automaton whose states are made as texts need them. What is kept of
//! these states is bounded for each expression, however many threads scan.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex_automata::hybrid::dfa::{Builder, Cache, Config, DFA};
use regex_automata::nfa::thompson::{Compiler, Config as Thompson, WhichCaptures};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

/// An expression over bytes, with a bounded length.
#[derive(Debug)]
pub(crate) struct Expression {
    source: Box<str>,
    /// Whether its classes are of characters; else they are of ASCII.
    unicode: bool,
    /// No match is longer.
    reach: usize,
    /// Finds ends; `None` inside is an expression that is too large, which a build refuses.
    forward: OnceLock<Option<DFA>>,
    /// Finds beginnings, made with the first match.
    reverse: OnceLock<Option<DFA>>,
    /// States made so far, while no scan uses them.
    idle: Mutex<Option<Idle>>,
}

/// Memory that one compiled expression may take.
const REGEX_BYTES: usize = 1 << 20;
/// Memory that the states of one expression may take before they are made anew.
const STATES_BYTES: usize = 1 << 17;

#[derive(Debug)]
struct Idle {
    forward: Cache,
    reverse: Option<Cache>,
}

/// Why an expression is refused.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// What the parser or the compiler said.
    Invalid(String),
    /// It has no longest match.
    Unbounded,
}

impl Expression {
    /// Parses the expression, and compiles it only if `now`.
    pub fn new(source: &str, unicode: bool, now: bool) -> Result<Expression, Unusable> {
        let hir = parse(source, unicode).map_err(Unusable::Invalid)?;
        let longest =
            hir.properties().maximum_len().filter(|length| u32::try_from(*length).is_ok());
        let made = Expression {
            source: source.into(),
            unicode,
            reach: longest.ok_or(Unusable::Unbounded)?,
            forward: OnceLock::new(),
            reverse: OnceLock::new(),
            idle: Mutex::new(None),
        };
        if now {
            let dfa = compile(&hir, false).map_err(Unusable::Invalid)?;
            made.forward.get_or_init(|| Some(dfa));
        }
        Ok(made)
    }

    /// No match is longer than this.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// Matches inside of `span` from left to right, none inside another; at most `most`. `None` when
    /// the expression cannot be run.
    pub fn find(&self, text: &[u8], span: Range<usize>, most: usize) -> Option<Vec<Range<usize>>> {
        let forward = self.forward.get_or_init(|| self.compile(false)).as_ref()?;
        let idle = self.idle().take();
        let mut caches =
            idle.unwrap_or_else(|| Idle { forward: forward.create_cache(), reverse: None });
        let mut found = Vec::new();
        let mut from = span.start;
        while found.len() < most && from <= span.end {
            let input = Input::new(text).range(from..span.end);
            let end = forward.try_search_fwd(&mut caches.forward, &input).ok()?;
            let Some(end) = end.map(|end| end.offset()) else { break };
            let reverse = self.reverse.get_or_init(|| self.compile(true)).as_ref()?;
            let cache = caches.reverse.get_or_insert_with(|| reverse.create_cache());
            let input = Input::new(text).range(from..end).anchored(Anchored::Yes);
            let start = reverse.try_search_rev(cache, &input).ok()??.offset();
            found.push(start..end);
            from = end.max(start + 1);
        }
        *self.idle() = Some(caches);
        Some(found)
    }

    fn compile(&self, reverse: bool) -> Option<DFA> {
        parse(&self.source, self.unicode).and_then(|hir| compile(&hir, reverse)).ok()
    }

    /// A panic elsewhere leaves it whole: it is taken out and put back as one.
    fn idle(&self) -> std::sync::MutexGuard<'_, Option<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(source: &str, unicode: bool) -> Result<Hir, String> {
    let config = syntax::Config::new().unicode(unicode).utf8(false);
    syntax::parse_with(source, &config).map_err(|error| error.to_string())
}

fn compile(hir: &Hir, reverse: bool) -> Result<DFA, String> {
    let thompson = Thompson::new()
        .utf8(false)
        .reverse(reverse)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(REGEX_BYTES));
    let nfa = Compiler::new().configure(thompson).build_from_hir(hir);
    let kind = if reverse { MatchKind::All } else { MatchKind::LeftmostFirst };
    let prefilter = if reverse { None } else { Prefilter::from_hir_prefix(kind, hir) };
    let config = Config::new()
        .match_kind(kind)
        .prefilter(prefilter.filter(Prefilter::is_fast))
        .cache_capacity(STATES_BYTES)
        .skip_cache_capacity_check(true);
    let nfa = nfa.map_err(|error| error.to_string())?;
    Builder::new().configure(config).build_from_nfa(nfa).map_err(|error| error.to_string())
}
