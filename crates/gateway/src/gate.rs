//! The checks of one request, with their facts fetched and their effects
//! executed. A [`Gate`] that is dropped gives back what it reserved.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chat::event::{ToolCall, Usage};
use chat::exchange::Exchange;
use guard::{Completion, Effect, Ending, Outcome, Run, TextEvent};
use record::entry::AuditDecision;
use record::source::Source;
use seal::digest::Digest;
use seal::json::Value;

use crate::facts::Gathered;
use crate::problem::Refusal;
use crate::recorder::{Conversation, Forward, Input, Ruling, Scanned};
use crate::rules::Rules;
use crate::server::App;

/// The checks of one request.
pub(crate) struct Gate {
    app: Arc<App>,
    gathered: Gathered,
    run: Run,
    ended: bool,
    settled: Vec<Value>,
    /// Held as long as the run, and given back after it.
    _rules: Arc<Rules>,
}

/// A request that every check let pass. Made by [`Gate::admit`] alone.
#[derive(Debug)]
pub(crate) struct Admitted {
    body: Bytes,
    digest: Digest,
    stream: bool,
    model: String,
}

/// A request that a check turned away.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) input: Input,
    pub(crate) denied: Denied,
}

/// What a check denied, for the evidence and for the caller.
#[derive(Debug, Clone)]
pub(crate) struct Denied {
    pub(crate) ruling: Ruling,
    pub(crate) refusal: Refusal,
}

/// What the checks say of a piece of an answer.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) scan: Scanned,
    pub(crate) ruling: Ruling,
    /// What to cut and what to put there, or why nothing may pass.
    pub(crate) cuts: Result<Vec<(Range<usize>, String)>, Denied>,
    /// Of a text: from where on it must be held. Of a tool call: that it must, should it go on.
    pub(crate) held: Option<usize>,
}

impl Gate {
    /// The checks of a request that was begun under these rules.
    pub(crate) fn new(app: &Arc<App>, rules: Arc<Rules>, gathered: Gathered) -> Self {
        let (app, run) = (app.clone(), rules.start());
        Self { app, gathered, run, ended: false, settled: Vec::new(), _rules: rules }
    }

    /// What judging and recording a request costs, in bytes: its own, or what the
    /// signatures over its messages amount to.
    pub(crate) fn work(exchange: &Exchange) -> usize {
        let messages = exchange.value.get("messages").and_then(Value::as_array);
        exchange.body.len().max(messages.map_or(0, <[Value]>::len) * MESSAGE)
    }

    /// Asks all checks about the request. Whoever is admitted comes with what
    /// the evidence needs.
    pub(crate) fn admit(
        &mut self,
        exchange: Exchange,
    ) -> Result<(Admitted, Input, Ruling), Box<Turned>> {
        let mut outcome = self.run.request(&exchange, &self.gathered.facts);
        // Rounds are bounded by the pipeline: a fact that is still missing when
        // it is asked for again is a refusal.
        loop {
            self.execute(&outcome.effects);
            if outcome.wants.is_empty() {
                break;
            }
            outcome = self.run.request(&exchange, &self.gathered.facts);
        }
        self.count("admission", &outcome);
        self.app.metrics.decided("pipeline", "admission", outcome.ruling.name());
        let input = self.input(&exchange, &outcome);
        if let Err(denied) = passed(&outcome) {
            self.end(Ending::NotForwarded);
            return Err(Box::new(Turned { input, denied }));
        }
        let edits = outcome.ruling.edits();
        let Exchange { stream, .. } = exchange;
        let model = exchange.model.clone();
        let body = if edits.is_empty() {
            exchange.body
        } else {
            match exchange.edited(&edits) {
                Ok(body) => body,
                Err(_) => {
                    self.end(Ending::NotForwarded);
                    return Err(Box::new(Turned { input, denied: Denied::not_editable() }));
                }
            }
        };
        let digest = Digest::of(&body);
        let admitted = Admitted { body: Bytes::from(body), digest, stream, model };
        Ok((admitted, input, ruling(&outcome)))
    }

    /// Asks about the part of a text that no event showed before.
    pub(crate) fn text(&mut self, text: TextEvent<'_>) -> Judged {
        let outcome = self.run.text(text, &self.gathered.facts);
        self.judged("inspection", &outcome)
    }

    /// Asks about a whole tool call.
    pub(crate) fn call(&mut self, call: &ToolCall) -> Judged {
        let outcome = self.run.tool_call(call, &self.gathered.facts);
        self.judged("commitment", &outcome)
    }

    /// The answer is complete: asks one last time, and settles.
    pub(crate) fn complete(
        &mut self,
        usage: Option<Usage>,
        finish: Option<&str>,
    ) -> Result<(), Denied> {
        let completion = Completion { usage, finish };
        let outcome = self.run.completion(completion, &self.gathered.facts);
        self.ended = true;
        self.execute(&outcome.effects);
        self.count("completion", &outcome);
        passed(&outcome)
    }

    /// The answer is not completed: settles, once.
    pub(crate) fn end(&mut self, ending: Ending) {
        if !std::mem::replace(&mut self.ended, true) {
            let outcome = self.run.disconnect(ending, &self.gathered.facts);
            self.execute(&outcome.effects);
        }
    }

    /// What was settled, as facts of the outcome.
    pub(crate) fn settlement(&self) -> Option<Value> {
        (!self.settled.is_empty())
            .then(|| Value::object([("settled", Value::Array(self.settled.clone()))]))
    }

    /// What evidence calls the upstream.
    pub(crate) fn upstream(&self) -> &str {
        self.app.upstream.name()
    }

    fn judged(&mut self, stage: &'static str, outcome: &Outcome) -> Judged {
        self.execute(&outcome.effects);
        self.count(stage, outcome);
        let mut scan = Scanned::clean();
        for scanned in &outcome.scanned {
            worse(&mut scan, &scan_of(scanned));
        }
        let cuts = passed(outcome)
            .map(|()| outcome.ruling.spans().map(|(span, by)| (span, by.to_owned())).collect());
        Judged { scan, ruling: ruling(outcome), cuts, held: outcome.held }
    }

    fn execute(&mut self, effects: &[Effect]) {
        if effects.is_empty() {
            return;
        }
        let grants = self.app.counters.execute(effects, self.gathered.now);
        self.gathered.facts.grants.extend(grants);
        for effect in effects {
            if let Effect::Settle { key, reserved, used } = effect {
                self.settled.push(Value::object([
                    ("key", key.to_string().into()),
                    ("reserved", reserved.to_string().into()),
                    ("used", used.to_string().into()),
                ]));
            }
        }
    }

    fn count(&self, stage: &'static str, outcome: &Outcome) {
        for (check, ruling) in &outcome.rulings {
            if !matches!(ruling, guard::Ruling::Allow) {
                self.app.metrics.decided(check, stage, ruling.name());
            }
        }
    }

    fn input(&self, exchange: &Exchange, outcome: &Outcome) -> Input {
        let mut conversation = Conversation::of(exchange);
        let mut scan = Scanned::clean();
        let results = outcome.scanned.iter().any(|scanned| scanned.message.is_some());
        let places: Vec<usize> = if results {
            let messages = exchange.messages();
            messages
                .iter()
                .filter(|message| matches!(message.role, "tool" | "function"))
                .map(|message| message.index)
                .collect()
        } else {
            Vec::new()
        };
        for scanned in &outcome.scanned {
            let one = scan_of(scanned);
            worse(&mut scan, &one);
            let at = places.iter().position(|place| Some(*place) == scanned.message);
            if let Some(at) = at {
                conversation.result_scanned(at, one);
            }
        }
        Input { conversation, scan, facts: self.gathered.facts.to_value() }
    }
}

impl Judged {
    /// The same call under another of its names: it passes only under both.
    pub(crate) fn under(&mut self, other: Judged) {
        worse(&mut self.scan, &other.scan);
        stronger(&mut self.ruling, &other.ruling);
        match other.cuts {
            Err(denied) if self.cuts.is_ok() => self.cuts = Err(denied),
            Ok(spans) if !spans.is_empty() && self.cuts.is_ok() => {
                self.cuts = Err(Denied::not_editable());
            }
            Ok(_) | Err(_) => {}
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.end(Ending::Aborted(None));
    }
}

impl Admitted {
    /// The bytes that go upstream: as received, or redacted.
    pub(crate) fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Whether the caller asked for a stream.
    pub(crate) fn stream(&self) -> bool {
        self.stream
    }

    /// The model asked for.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Where it goes, as evidence.
    pub(crate) fn forward(&self, upstream: &str) -> Forward {
        Forward { body: self.digest, upstream: upstream.to_owned(), model: self.model.clone() }
    }
}

impl Denied {
    /// What must be cut stands where nothing can be cut: nothing passes.
    pub(crate) fn not_editable() -> Self {
        Self {
            ruling: Ruling {
                decision: AuditDecision::Block,
                check: "content".to_owned(),
                code: "redaction_not_possible".to_owned(),
                reason: "what must be redacted is in a place that cannot be edited".to_owned(),
            },
            refusal: Refusal::Denied,
        }
    }
}

/// Whether the outcome lets pass.
fn passed(outcome: &Outcome) -> Result<(), Denied> {
    let Some(cause) = outcome.ruling.cause() else { return Ok(()) };
    let refusal = match (&outcome.ruling, cause.retry_after) {
        (guard::Ruling::Escalate(_), _) => Refusal::ApprovalRequired,
        (_, Some(retry_after)) => Refusal::BudgetExhausted { retry_after },
        (_, None) => Refusal::Denied,
    };
    Err(Denied { ruling: ruling(outcome), refusal })
}

/// The outcome in the words of the evidence.
fn ruling(outcome: &Outcome) -> Ruling {
    let decision = match &outcome.ruling {
        guard::Ruling::Allow => return Ruling::allow(),
        guard::Ruling::Redact(redactions) => {
            let mut rules: Vec<&str> = redactions.iter().map(|one| &*one.rule).collect();
            rules.sort_unstable();
            rules.dedup();
            let check = outcome.rulings.iter().find(|(_, ruling)| !ruling.redactions().is_empty());
            return Ruling {
                decision: AuditDecision::Redact,
                check: check.map_or("", |(check, _)| check).to_owned(),
                code: "redacted".to_owned(),
                reason: format!("{} spans redacted by {}", redactions.len(), rules.join(", ")),
            };
        }
        guard::Ruling::Escalate(_) => AuditDecision::Escalate,
        guard::Ruling::Deny(_) => AuditDecision::Block,
    };
    let (check, code, reason) = outcome
        .ruling
        .cause()
        .map_or(("", "refused", ""), |cause| (cause.check, cause.code, cause.reason.as_str()));
    Ruling { decision, check: check.to_owned(), code: code.to_owned(), reason: reason.to_owned() }
}

fn scan_of(scanned: &guard::Scanned) -> Scanned {
    let verdict = scanned.verdict;
    let rules = scanned.rules.iter().map(|rule| rule.to_string()).collect();
    Scanned { verdict, rules, sources: scanned.sources.iter().filter_map(source_of).collect() }
}

/// An indicator of a signed feed, as evidence names it.
fn source_of(source: &scan::Source) -> Option<Source> {
    match source {
        scan::Source::Feed { issuer, content_hash } => {
            Some(Source::of_feed(issuer, content_hash.parse().ok()?))
        }
        scan::Source::Builtin | scan::Source::File(_) => None,
    }
}

/// Takes the worse verdict and the rules of both.
pub(crate) fn worse(kept: &mut Scanned, other: &Scanned) {
    kept.verdict = kept.verdict.max(other.verdict);
    for rule in &other.rules {
        if !kept.rules.contains(rule) {
            kept.rules.push(rule.clone());
        }
    }
    for source in &other.sources {
        if !kept.sources.contains(source) {
            kept.sources.push(source.clone());
        }
    }
}

/// Keeps the stronger of two rulings, of equals the first.
pub(crate) fn stronger(kept: &mut Ruling, other: &Ruling) {
    let rank = |decision: AuditDecision| match decision {
        AuditDecision::Allow => 0,
        AuditDecision::Redact => 1,
        AuditDecision::Escalate => 2,
        AuditDecision::Block => 3,
    };
    if rank(other.decision) > rank(kept.decision) {
        kept.clone_from(other);
    }
}

/// To sign for a message takes about as long as to judge so many bytes.
const MESSAGE: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use record::receipt::Verdict;

    use super::*;

    #[test]
    fn the_worse_scan_and_the_stronger_ruling_stay_in_either_order() {
        let scan = |verdict, rule: &str| Scanned {
            verdict,
            rules: vec![rule.to_owned()],
            sources: Vec::new(),
        };
        let ruled = |decision| Ruling { decision, ..Ruling::allow() };
        let verdicts = [Verdict::Clean, Verdict::Suspicious, Verdict::Malicious];
        let decisions = [
            AuditDecision::Allow,
            AuditDecision::Redact,
            AuditDecision::Escalate,
            AuditDecision::Block,
        ];
        for (low, high) in (0..3).flat_map(|low| (low..3).map(move |high| (low, high))) {
            for (first, second) in [(low, high), (high, low)] {
                let mut kept = scan(verdicts[first], "A");
                worse(&mut kept, &scan(verdicts[second], "B"));
                worse(&mut kept, &scan(Verdict::Clean, "A"));
                assert_eq!(kept.verdict, verdicts[high]);
                assert_eq!(kept.rules, ["A", "B"]);
            }
        }
        for (low, high) in (0..4).flat_map(|low| (low..4).map(move |high| (low, high))) {
            for (first, second) in [(low, high), (high, low)] {
                let mut kept = ruled(decisions[first]);
                stronger(&mut kept, &ruled(decisions[second]));
                assert_eq!(kept.decision, decisions[high]);
            }
        }
    }
}
