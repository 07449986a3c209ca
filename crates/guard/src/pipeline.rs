//! All checks over one request, from its arrival to its end.

use std::ops::Range;
use std::sync::Arc;

use chat::exchange::Exchange;
use chat::{Channel, ToolCall};
use scan::{Action, Engine, Holder, Rule, Target, Verdict};

use crate::check::{Check, Completion, Ending, Event, State, TextEvent};
use crate::checks::classification_gate::{self, ClassificationGate, Level};
use crate::checks::content::{Content, acts_on};
use crate::checks::injection::Injection;
use crate::checks::owner_resolution::{self, OwnerResolution};
use crate::checks::scope_drift::ScopeDrift;
use crate::checks::token_budget::TokenBudget;
use crate::checks::tool_policy::ToolPolicy;
use crate::config::GuardConfig;
use crate::facts::{Effect, Facts, Want};
use crate::finder::{self, Found, Scanned};
use crate::numbers;
use crate::owner::Owner;
use crate::verdict::{Cause, Ruling};

/// The checks under one configuration and ruleset. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pipeline {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: GuardConfig,
    engine: Arc<Engine>,
    /// Those without effects first.
    checks: Vec<Box<dyn Check>>,
    scans: bool,
    /// For outputs and for tool calls, when the configuration acts on more than the rules ask for.
    holders: Option<[Holder; 2]>,
}

impl Inner {
    /// From where on a growing text must be held.
    fn held_from(&self, text: &str, target: Target) -> usize {
        match (&self.holders, target) {
            (Some([_, calls]), Target::ToolCall) => calls.held_from(text),
            (Some([output, _]), _) => output.held_from(text),
            (None, _) => self.engine.held_from(text, target),
        }
    }
}

/// What the checks say to one event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// The join of all rulings. While facts are wanted it is a refusal.
    pub ruling: Ruling,
    /// Every check's own ruling.
    pub rulings: Vec<(&'static str, Ruling)>,
    /// Facts that are missing. When not empty: execute the effects, fetch these, add them to the
    /// facts and call again with the same event. What is still missing then is a refusal.
    pub wants: Vec<Want>,
    /// What is to be done, whatever the ruling.
    pub effects: Vec<Effect>,
    /// What the scan found, in this event.
    pub found: Vec<Found>,
    /// What each scan of this event said.
    pub scanned: Vec<Scanned>,
    /// About a text: from where on it must be held, for what is coming may make something of it
    /// that must not go. About a tool call: that its arguments must be, should they go on. `None`
    /// when all of it may go.
    pub held: Option<usize>,
}

impl Outcome {
    /// The ids of the rules that hit, sorted, each once.
    pub fn hits(&self) -> Vec<Arc<str>> {
        let mut rules: Vec<Arc<str>> = self.found.iter().map(|found| found.rule.clone()).collect();
        rules.sort();
        rules.dedup();
        rules
    }
}

impl Pipeline {
    /// Builds the checks.
    pub fn new(config: GuardConfig, engine: Arc<Engine>) -> Pipeline {
        let checks: Vec<Box<dyn Check>> = vec![
            Box::new(OwnerResolution::new(config.owner.clone())),
            Box::new(ClassificationGate::new(config.classification.clone())),
            Box::new(Injection::new(config.injection.clone())),
            Box::new(Content::new(config.content.clone())),
            Box::new(ScopeDrift::new(config.scope_drift.clone())),
            Box::new(ToolPolicy::new(config.tools.clone())),
            Box::new(TokenBudget::new(config.token_budget.clone(), config.owner.clone())),
        ];
        let scans = config.injection.enabled || config.content.enabled;
        Pipeline::with_checks(config, engine, checks, scans)
    }

    fn with_checks(
        config: GuardConfig,
        engine: Arc<Engine>,
        mut checks: Vec<Box<dyn Check>>,
        scans: bool,
    ) -> Pipeline {
        checks.sort_by_key(|check| check.has_effects());
        // The engine's own holders leave out what its rules only report.
        let wanted = |rule: &Rule| rule.action == Action::Flag && acts_on(&config.content, rule);
        let holders = engine.rules().any(&wanted).then(|| {
            [Target::Output, Target::ToolCall].map(|target| engine.holder_with(target, &wanted))
        });
        Pipeline { inner: Arc::new(Inner { config, engine, checks, scans, holders }) }
    }

    /// The configuration.
    pub fn config(&self) -> &GuardConfig {
        &self.inner.config
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The names of the checks, in the order they are run.
    pub fn checks(&self) -> impl Iterator<Item = &'static str> {
        self.inner.checks.iter().map(|check| check.name())
    }

    /// Begins a request.
    pub fn start(&self) -> Run {
        let checks = self.inner.checks.len();
        Run {
            pipeline: self.clone(),
            states: vec![State::Start; checks],
            rulings: vec![None; checks],
            asked: Vec::new(),
            open: false,
            request: None,
            owner: None,
            level: Level::Unclass,
            streams: Vec::new(),
            far: finder::FAR,
            output: None,
            calls: None,
        }
    }
}

/// One request on its way through the checks.
#[derive(Debug)]
pub struct Run {
    pipeline: Pipeline,
    states: Vec<State>,
    /// Of the event at hand.
    rulings: Vec<Option<Ruling>>,
    asked: Vec<Want>,
    /// Whether the event at hand waits for facts.
    open: bool,
    request: Option<(Vec<Found>, Vec<Scanned>)>,
    owner: Option<Owner>,
    level: Level,
    streams: Vec<Stream>,
    /// What is left of [`finder::FAR`].
    far: usize,
    output: Option<Scanned>,
    calls: Option<Scanned>,
}

/// What is remembered of a text of the answer.
#[derive(Debug)]
struct Stream {
    choice: u32,
    channel: Channel,
    /// The last span that was cut out.
    redacted: Option<Range<usize>>,
    /// Where it was held from; what lies before is settled.
    held: usize,
}

impl Run {
    /// Judges the request. The ruling's redactions are in the request body
    /// ([`Ruling::edits`]).
    pub fn request(&mut self, exchange: &Exchange, facts: &Facts) -> Outcome {
        if let Some(identity) = &facts.identity {
            let config = &self.pipeline.inner.config.owner;
            self.owner = owner_resolution::owner(config, identity).ok();
            self.level = classification_gate::classification(identity).unwrap_or_default();
        }
        let inner = self.pipeline.inner.clone();
        let (found, scanned) = match self.request.take() {
            Some(before) => before,
            None if inner.scans => {
                let (mut found, mut scanned) = finder::request(&inner.engine, exchange);
                numbers::request(&inner.engine, exchange, &mut found, &mut scanned);
                (found, scanned)
            }
            None => (Vec::new(), Vec::new()),
        };
        let mut outcome = self.judge(&Event::Request { exchange, found: &found }, facts);
        outcome.found.clone_from(&found);
        outcome.scanned.clone_from(&scanned);
        self.request = Some((found, scanned));
        outcome
    }

    /// Judges text of the answer before its new part is released. The ruling's redactions are
    /// spans of the accumulated text and begin at `open` or later: what was released before stays
    /// released. What lies behind [`Outcome::held`] is not settled: a span there may be named
    /// again, and longer, and what ends with the text is only judged when more of it, or its end,
    /// is there.
    pub fn text(&mut self, text: TextEvent<'_>, facts: &Facts) -> Outcome {
        let inner = self.pipeline.inner.clone();
        let same =
            |stream: &Stream| stream.choice == text.choice && stream.channel == *text.channel;
        let at = self.streams.iter().position(same).unwrap_or_else(|| {
            let (choice, channel) = (text.choice, text.channel.clone());
            self.streams.push(Stream { choice, channel, redacted: None, held: 0 });
            self.streams.len() - 1
        });
        let redacted = self.streams[at].redacted.clone();
        let settled = self.streams[at].held.min(text.from);
        let (found, scanned, held) = match inner.scans {
            true => {
                let (far, held_from) =
                    (&mut self.far, |window: &str| inner.held_from(window, Target::Output));
                finder::text(&inner.engine, &text, redacted.as_ref(), settled, far, &held_from)
            }
            false => (Vec::new(), Scanned::clean(Target::Output, None), text.text.len()),
        };
        let mut outcome = self.judge(&Event::Text { text, found: &found }, facts);
        let held = outcome.held.filter(|_| !text.last).map_or(held, |other| other.min(held));
        self.streams[at].held = held;
        outcome.held = (held < text.text.len()).then_some(held);
        if let Ruling::Redact(_) = outcome.ruling {
            let furthest = outcome.ruling.redactions().iter().max_by_key(|r| (r.end, r.start));
            self.streams[at].redacted = furthest.map(|redaction| match &redacted {
                // The same span, grown: it still began where it began.
                Some(old) if redaction.start < old.end => old.start..redaction.end,
                _ => redaction.span(),
            });
            clip(&mut outcome.ruling, text.open, redacted.as_ref());
            for (_, ruling) in &mut outcome.rulings {
                clip(ruling, text.open, redacted.as_ref());
            }
        }
        if inner.scans {
            let output = self.output.get_or_insert_with(|| Scanned::clean(Target::Output, None));
            output.merge(scanned.verdict, scanned.rules.iter().cloned());
            scanned.sources.iter().for_each(|source| output.came_from(source));
            note_drift(output, &outcome);
            outcome.scanned = vec![scanned];
        }
        outcome.found = found;
        outcome
    }

    /// Judges a complete tool call before anything of it is released. The ruling's redactions are
    /// spans of its arguments.
    pub fn tool_call(&mut self, call: &ToolCall, facts: &Facts) -> Outcome {
        let inner = self.pipeline.inner.clone();
        let (found, mut scanned) = match inner.scans {
            true => finder::tool_call(&inner.engine, call),
            false => (Vec::new(), Scanned::clean(Target::ToolCall, None)),
        };
        let mut outcome = self.judge(&Event::ToolCall { call, found: &found }, facts);
        if inner.scans {
            let held = inner.held_from(&call.arguments, Target::ToolCall);
            let held = (held < call.arguments.len()).then_some(held);
            outcome.held = [outcome.held, held].into_iter().flatten().min();
            note_drift(&mut scanned, &outcome);
            let calls = self.calls.get_or_insert_with(|| Scanned::clean(Target::ToolCall, None));
            calls.merge(scanned.verdict, scanned.rules.iter().cloned());
            scanned.sources.iter().for_each(|source| calls.came_from(source));
            outcome.scanned = vec![scanned];
        }
        outcome.found = found;
        outcome
    }

    /// The answer is complete and judged; call it before the terminal event is released, or the
    /// body of a unary answer. Its effects settle what was reserved.
    pub fn completion(&mut self, completion: Completion<'_>, facts: &Facts) -> Outcome {
        let outcome = self.judge(&Event::Completion(completion), facts);
        if let Some(output) = &mut self.output {
            note_drift(output, &outcome);
        }
        outcome
    }

    /// The request ends without a completed answer: refused, failed, or the caller left. Its
    /// effects settle what was reserved. Harmless after a completion.
    pub fn disconnect(&mut self, ending: Ending, facts: &Facts) -> Outcome {
        self.judge(&Event::Disconnect(ending), facts)
    }

    /// The owner, once the request was judged and had exactly one.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// The classification of the request.
    pub fn classification(&self) -> Level {
        self.level
    }

    /// What all scans of the answer's text said together; `None` when none was made.
    pub fn output(&self) -> Option<&Scanned> {
        self.output.as_ref()
    }

    /// What all scans of proposed tool calls said together; `None` when none was made.
    pub fn calls(&self) -> Option<&Scanned> {
        self.calls.as_ref()
    }

    /// Asks every check about one event; those with effects about a request only when the others
    /// let it pass. After a round that wanted facts, only the checks that wanted them.
    fn judge(&mut self, event: &Event<'_>, facts: &Facts) -> Outcome {
        let inner = self.pipeline.inner.clone();
        if !std::mem::take(&mut self.open) {
            self.rulings.fill(None);
            self.asked.clear();
        }
        let mut outcome = Outcome::default();
        let cheap = inner.checks.iter().take_while(|check| !check.has_effects()).count();
        self.round(&inner.checks, 0..cheap, event, facts, &mut outcome);
        let request = matches!(event, Event::Request { .. });
        let stopped = self.rulings.iter().flatten().any(Ruling::stops);
        if !request || (outcome.wants.is_empty() && !stopped) {
            self.round(&inner.checks, cheap..inner.checks.len(), event, facts, &mut outcome);
        }
        outcome.rulings.reserve_exact(inner.checks.len());
        for (check, ruling) in inner.checks.iter().zip(&self.rulings) {
            if let Some(ruling) = ruling {
                outcome.rulings.push((check.name(), ruling.clone()));
                outcome.ruling = std::mem::take(&mut outcome.ruling).join(ruling.clone());
            }
        }
        if !outcome.wants.is_empty() {
            self.open = true;
            let missing = missing("pipeline", &outcome.wants);
            outcome.ruling = std::mem::take(&mut outcome.ruling).join(missing);
        }
        self.asked.extend(outcome.wants.iter().cloned());
        outcome
    }

    fn round(
        &mut self,
        checks: &[Box<dyn Check>],
        range: Range<usize>,
        event: &Event<'_>,
        facts: &Facts,
        outcome: &mut Outcome,
    ) {
        for at in range {
            if self.rulings[at].is_some() {
                continue;
            }
            let check = &checks[at];
            let turn = check.rule(std::mem::take(&mut self.states[at]), event, facts);
            self.states[at] = turn.state;
            outcome.effects.extend(turn.effects);
            outcome.held = [outcome.held, turn.held].into_iter().flatten().min();
            if turn.wants.is_empty() {
                self.rulings[at] = Some(turn.ruling);
            } else if turn.wants.iter().any(|want| self.asked.contains(want)) {
                self.rulings[at] = Some(missing(check.name(), &turn.wants));
            } else {
                for want in turn.wants {
                    if !outcome.wants.contains(&want) {
                        outcome.wants.push(want);
                    }
                }
            }
        }
    }
}

fn missing(check: &'static str, wants: &[Want]) -> Ruling {
    let name = |want: &Want| match want {
        Want::Identity => "identity".to_owned(),
        Want::Now => "time".to_owned(),
        Want::Grant(key) => format!("grant of {key}"),
    };
    let wants: Vec<String> = wants.iter().map(name).collect();
    Ruling::Deny(Cause::new(check, "fact_missing", format!("missing: {}", wants.join(", "))))
}

/// Cuts redactions down to what is not released yet. One that goes on from what was released has
/// its mark there already.
fn clip(ruling: &mut Ruling, from: usize, before: Option<&Range<usize>>) {
    let Ruling::Redact(redactions) = ruling else {
        return;
    };
    redactions.retain(|redaction| redaction.end > from);
    for redaction in redactions.iter_mut().filter(|redaction| redaction.start < from) {
        if before.is_some_and(|before| before.end == from && redaction.start < before.end) {
            redaction.replacement.clear();
        }
        redaction.start = from;
    }
    if redactions.is_empty() {
        *ruling = Ruling::Allow;
    }
}

/// An answer that drifts is not clean, whatever the scan says: the receipt names the check.
fn note_drift(scanned: &mut Scanned, outcome: &Outcome) {
    let drifted = |(check, ruling): &(&str, Ruling)| *check == "scope_drift" && ruling.stops();
    if outcome.rulings.iter().any(drifted) {
        scanned.merge(Verdict::Malicious, [Arc::from("scope_drift")]);
    }
}
