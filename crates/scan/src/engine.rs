//! The engine: one walk, then only what the walk gave cause for.

use std::sync::{Arc, LazyLock, OnceLock};

use seal::digest::Digest;

use crate::builtin;
use crate::finding::{Hit, Scan};
use crate::hold::Holder;
use crate::indicator::{Indicator, Limits, Refused, Source};
use crate::mode::Mode;
use crate::needles::Needles;
use crate::quote;
use crate::rule::{Action, Category, Rule, RuleError, Severity, Target};
use crate::ruleset::{self, FeedRoot, Ready};
use crate::semantic::{self, JUDGE_RULE, Judge, SEMANTIC_RULE, Semantic};
use crate::session::Session;

/// Version of the way texts are read. Part of the ruleset's digest: a change that may change a
/// verdict changes this.
pub const ENGINE_VERSION: &str = "13";

/// The rules that come with the product, made ready once: every engine over them shares them.
static BUILTIN: LazyLock<(Ready, Arc<Semantic>)> = LazyLock::new(|| {
    let ready = Ready::new(builtin::rules(), false).expect("a test compiles the built-in rules");
    (ready, Arc::new(Semantic::builtin()))
});

/// So many layers of encoding are taken off.
pub(crate) const MAX_DEPTH: u8 = 16;
/// A rule that is not about redaction reports so many places at most.
pub(crate) const MAX_PLACES: usize = 16;

/// What an engine is built with besides rules and indicators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How severities become verdicts.
    pub mode: Mode,
    /// What indicators may cost.
    pub limits: Limits,
    /// The feeds that the indicators are from; part of the digest.
    pub feeds: Vec<FeedRoot>,
    /// The digest of the judge that [`Engine::scan_with`] will be given, if any.
    pub judge: Option<Digest>,
}

/// Compiled rules. Shared freely between threads. The first over the built-in rules takes
/// milliseconds to build; later ones only what is new in them.
pub struct Engine {
    /// Everything about the rules, which other engines may share.
    pub(crate) ready: Ready,
    /// What others look for.
    pub(crate) needles: Needles,
    /// What weighs sentences whose words no rule knows; beside the built-in rules alone.
    pub(crate) semantic: Option<Arc<Semantic>>,
    judge: Option<Digest>,
    mode: Mode,
    body: String,
    digest: Digest,
    /// For each target, made when first asked for.
    holders: [OnceLock<Holder>; Target::ALL.len()],
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("rules", &self.ready.rules.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// The rules and the second layer that come with the product.
    pub fn builtin() -> Engine {
        Engine::builtin_with(Vec::new(), &Options::default())
            .expect("a test compiles the built-in rules")
            .0
    }

    /// An engine over `rules`; refuses what cannot be bounded.
    pub fn from_rules(rules: Vec<Rule>) -> Result<Engine, RuleError> {
        Engine::build(rules, Vec::new(), &Options::default()).map(|(engine, _)| engine)
    }

    /// The rules and the second layer that come with the product, and what others look for.
    pub fn builtin_with(
        indicators: Vec<Indicator>,
        options: &Options,
    ) -> Result<(Engine, Vec<Refused>), RuleError> {
        let (ready, semantic) = BUILTIN.clone();
        Engine::make(ready, indicators, Some(semantic), options)
    }

    /// An engine over `rules` and `indicators`. A rule that cannot be bounded is an error;
    /// indicators that cannot be used are left out and told, each with the reason: whether that
    /// refuses their feed or file is the caller's decision.
    pub fn build(
        rules: Vec<Rule>,
        indicators: Vec<Indicator>,
        options: &Options,
    ) -> Result<(Engine, Vec<Refused>), RuleError> {
        Engine::make(Ready::new(rules, true)?, indicators, None, options)
    }

    fn make(
        ready: Ready,
        indicators: Vec<Indicator>,
        semantic: Option<Arc<Semantic>>,
        options: &Options,
    ) -> Result<(Engine, Vec<Refused>), RuleError> {
        let (needles, refused) = Needles::build(indicators, &options.limits);
        let body = ruleset::body(&ready, &needles.indicators, semantic.as_deref(), options)?;
        let digest = Digest::of(body.as_bytes());
        let engine = Engine {
            ready,
            needles,
            semantic,
            judge: options.judge,
            mode: options.mode,
            body,
            digest,
            holders: Default::default(),
        };
        Ok((engine, refused))
    }

    /// What others look for, in order, without what was refused.
    pub fn indicators(&self) -> &[Indicator] {
        &self.needles.indicators
    }

    /// How severities become verdicts.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// About the bytes of memory that the indicators take; expressions that have run take up to a
    /// few hundred KiB more, each.
    pub fn indicator_memory(&self) -> usize {
        self.needles.memory()
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> + Clone {
        self.ready.rules.iter().map(|compiled| &compiled.rule)
    }

    /// The digest of [`Engine::ruleset_body`].
    pub fn ruleset_digest(&self) -> Digest {
        self.digest
    }

    /// Canonical JSON of everything that decides a verdict: limits, the mapping from severity to
    /// verdict, engine and Unicode version, and the digest of [`Engine::rules_body`].
    pub fn ruleset_body(&self) -> String {
        self.body.clone()
    }

    /// Canonical JSON of the rules themselves, without what others look for. It changes with the
    /// product, not with feeds.
    pub fn rules_body(&self) -> String {
        self.ready.described.to_string()
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
        self.holders[at]
            .get_or_init(|| Holder::new(self.ready.held(target), &self.needles.indicators, target))
    }

    /// The same, and also for the rules that are `wanted`: a configuration may cut out or refuse
    /// what a rule only reports. Takes milliseconds; make it once.
    pub fn holder_with(&self, target: Target, wanted: &dyn Fn(&Rule) -> bool) -> Holder {
        let ruled = Arc::new(self.ready.held_with(target, wanted));
        Holder::new(ruled, &self.needles.indicators, target)
    }

    /// Scans one text. The same text, target and ruleset always give the same result.
    pub fn scan(&self, text: &str, target: Target) -> Scan {
        Scan::of(self.hits(text, target), self.mode)
    }

    /// The same, with a second opinion from outside. A judge that is not the one of
    /// [`Options::judge`], or that gives no answer, makes the scan incomplete (`CS-ENG-004`).
    pub fn scan_with(&self, text: &str, target: Target, judge: &dyn Judge) -> Scan {
        let mut hits = self.hits(text, target);
        let known = self.judge == Some(judge.digest());
        let scored = known.then(|| judge.score(text, target)).flatten();
        let hit = match scored {
            Some(scored) => {
                let span = text.get(scored.span.clone()).map_or(0..text.len(), |_| scored.span);
                semantic::hit(JUDGE_RULE, (scored.per_mille, span, false), &hits, self.mode)
            }
            None => Some(limit(JUDGE_SILENT_RULE, "no-second-opinion", text.len())),
        };
        hits.extend(hit);
        Scan::of(hits, self.mode)
    }

    fn hits(&self, text: &str, target: Target) -> Vec<Hit> {
        let mut session = Session::new(self, target, text.len());
        session.read(text);
        let mut hits = session.hits;
        let mut worst = session.worst;
        let weighs = self.semantic.is_some() && !worst.2 && semantic::counts(worst.0);
        // quotations are looked for only where there is something to take off
        let quoted = if weighs || hits.iter().any(quote::speaks) {
            let judge = |text: &str| self.said(text, target);
            quote::discount(text, target, self.mode, &mut hits, &judge)
        } else {
            Vec::new()
        };
        if let Some(semantic) = &self.semantic
            && !quoted.is_empty()
            && !worst.2
            && semantic::counts(worst.0)
        {
            let said = semantic.score(&quote::without(text, &quoted));
            worst = (said.per_mille, said.span, false);
        }
        hits.extend(semantic::hit(SEMANTIC_RULE, worst, &hits, self.mode));
        if session.fuel.exhausted {
            hits.push(self.unread(text.len()));
        }
        if session.work.exhausted {
            hits.push(limit(WORK_RULE, "work-limit", text.len()));
        }
        if session.skipped {
            hits.push(limit(SKIPPED_RULE, "skipped-rule", text.len()));
        }
        hits
    }

    /// How bad the worst is that rules find said in a text.
    fn said(&self, text: &str, target: Target) -> Option<Severity> {
        let mut session = Session::new(self, target, text.len());
        session.read(text);
        session.hits.iter().filter(|hit| quote::speaks(hit)).map(|hit| hit.severity).max()
    }

    /// What is reported of a text of `length` bytes that was not read to its end.
    pub fn unread(&self, length: usize) -> Hit {
        limit(FUEL_RULE, "decoding-limit", length)
    }
}

/// A limit of the engine that was reached: something was not looked at.
fn limit(rule: &str, technique: &str, length: usize) -> Hit {
    Hit {
        rule: rule.into(),
        category: Category::Engine,
        technique: technique.into(),
        severity: Severity::Medium,
        action: Action::Flag,
        span: 0..length,
        redact: false,
        decoded: true,
        source: Source::Builtin,
        labels: Arc::default(),
        monitor: false,
    }
}

/// Reported when a text holds more encoded data, or deeper, than the engine takes off.
pub(crate) const FUEL_RULE: &str = "CS-ENG-001";
/// Reported when indicators asked for more work than a text of its length is given.
pub(crate) const WORK_RULE: &str = "CS-ENG-002";
/// Reported when an indicator could not be looked for.
pub(crate) const SKIPPED_RULE: &str = "CS-ENG-003";
/// Reported when the judge that was promised did not judge.
pub(crate) const JUDGE_SILENT_RULE: &str = "CS-ENG-004";
