//! The evidence of one request, step by step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ledger::Kind;
use record::entry::{AuditDecision, AuditEntry, Owner};
use record::source::{self, Source};
use seal::digest::Digest;
use seal::json::Value;

use super::decide::{Close, Decided, decision_entry};
use super::members::{heads, member, remembered, scanned, sources, sources_of};
use super::names;
use super::receipts::{self, Stamp, name};
use super::step::{Caller, Failure, Forward, Input, Outcome, Proposal, Refusal, Ruling};
use super::write::{Batch, Committed, Fate, Pending};
use super::{Core, Profile, RecordError};
use crate::lineage::{Key, Known, Memory, RememberedCall, Scope, Thread};

/// The evidence of one request. Each method that returns [`Pending`] writes its entries in one
/// append, in the order of the calls; the writing goes on whether or not the future is awaited.
/// Dropping a log that was not closed records that it was interrupted.
pub struct RequestLog {
    pub(super) core: Arc<Core>,
    id: String,
    /// The one that this request is judged under, whatever comes into force meanwhile.
    ruleset: Digest,
    peer: String,
    method: String,
    path: String,
    request: Option<Digest>,
    pub(super) caller: Caller,
    phase: Phase,
    proposals: Vec<Proposal>,
}

enum Phase {
    Open,
    Admitted(Box<Admitted>),
    Closed,
}

/// What the outcome needs to know of the admission.
struct Admitted {
    scan: Known,
    thread: Option<Thread>,
    facts: Digest,
    forward: Forward,
    decision: AuditDecision,
    fate: Arc<Fate>,
    /// Indicators of signed feeds that fired in the request.
    sources: Vec<Source>,
}

impl RequestLog {
    pub(super) fn new(
        core: Arc<Core>,
        ruleset: Digest,
        peer: &str,
        method: &str,
        path: &str,
    ) -> Self {
        RequestLog {
            id: core.uuid(),
            core,
            ruleset,
            peer: peer.to_owned(),
            method: names::method(method).to_owned(),
            path: path.to_owned(),
            request: None,
            caller: Caller {
                owner: Owner::unresolved(),
                how: "unresolved".to_owned(),
                approval_chain: Vec::new(),
            },
            phase: Phase::Open,
            proposals: Vec::new(),
        }
    }

    /// The request id: UUIDv4 text, the correlation id of every answer.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The digest of the body as received, which is the request digest.
    pub fn body(&mut self, digest: Digest) {
        self.request = Some(digest);
    }

    /// Who asks.
    pub fn caller(&mut self, caller: Caller) {
        self.caller = caller;
    }

    /// A refusal before any content check (404, 405, 413, bad JSON, no owner …). Closes the
    /// request. Beyond the peer's rate it is aggregated: then [`Committed::receipt`] is `None`.
    pub fn preflight(&mut self, refusal: Refusal) -> Pending {
        if let Err(error) = self.open() {
            return Pending::failed(error);
        }
        if !self.core.note_refusal(&self.peer, self.fingerprint()) {
            self.phase = Phase::Closed;
            return Pending::done(Committed::once_durable(String::new(), None));
        }
        let mut audit = self.audit("preflight", "pipeline.preflight", &refusal.ruling);
        audit.metadata.push(member("_outcome", "refused"));
        audit.metadata.push(member("_pre_pipeline_refusal", true));
        self.close_refused(Batch::default(), audit, refusal, Vec::new())
    }

    /// A route without checks was served (`GET /v1/models`). Closes the request.
    pub fn served(&mut self, status: u16, response: Digest) -> Pending {
        if let Err(error) = self.open() {
            return Pending::failed(error);
        }
        let ruling = Ruling {
            decision: AuditDecision::Allow,
            check: String::new(),
            code: "ok".to_owned(),
            reason: "served without content checks".to_owned(),
        };
        let mut audit = self.audit("complete", "pipeline.complete", &ruling);
        audit.metadata.push(member("_outcome", "served"));
        let refusal = Refusal { ruling, status, response };
        self.close_refused(Batch::default(), audit, refusal, Vec::new())
    }

    /// A check refused the request. Closes it. `input` where the body was understood.
    pub fn refused(&mut self, input: Option<Input>, refusal: Refusal) -> Pending {
        match self.open().and_then(|()| input.map(|input| self.judge(input)).transpose()) {
            Err(error) => Pending::failed(error),
            Ok(judged) => {
                let mut audit = self.audit("admission", "pipeline.admission", &refusal.ruling);
                audit.metadata.push(member("_outcome", "refused"));
                let mut batch = Batch::default();
                let mut heads = Vec::new();
                if let Some(judged) = judged {
                    audit.metadata.push(member("_facts", judged.facts));
                    scanned(&mut audit, &judged.scanned);
                    remembered(&mut audit, judged.lineage);
                    heads.extend(judged.scan.receipt);
                    batch = judged.batch;
                }
                self.close_refused(batch, audit, refusal, heads)
            }
        }
    }

    /// The request is admitted (allow or redact) and goes upstream. Await the result before the
    /// first upstream byte reaches the caller.
    pub fn admitted(&mut self, input: Input, ruling: Ruling, forward: Forward) -> Pending {
        let judged = match self.open().and_then(|()| self.judge(input)) {
            Ok(judged) => judged,
            Err(error) => return Pending::failed(error),
        };
        let mut audit = self.audit("admission", "pipeline.admission", &ruling);
        audit.metadata.extend([
            member("_facts", judged.facts),
            member("_forward", forward.body),
            member("_upstream", name(&forward.upstream)),
            member("_model", name(&forward.model)),
        ]);
        scanned(&mut audit, &judged.scanned);
        heads(&mut audit, judged.scan.receipt);
        remembered(&mut audit, judged.lineage);
        let entry_id = audit.entry_id.clone();
        let mut batch = judged.batch;
        // Stray tool results come first: they were judged on the way to the admission.
        batch.audits.push(audit);
        let fate = Arc::new(Fate::default());
        batch.fate = Some(fate.clone());
        self.phase = Phase::Admitted(Box::new(Admitted {
            scan: judged.scan,
            thread: judged.thread,
            facts: judged.facts,
            forward,
            decision: ruling.decision,
            fate,
            sources: source::sorted(&judged.scanned.sources),
        }));
        self.core.writer.write(batch, Committed::once_durable(entry_id, None))
    }

    /// A tool call the model proposed: kept, and written with the outcome.
    pub fn proposed(&mut self, proposal: Proposal) {
        self.proposals.push(proposal);
    }

    /// The answer is complete, delivered or withheld by its ruling. Closes the request. Await the
    /// result before the unary body or the terminal event.
    pub fn complete(&mut self, outcome: Outcome) -> Pending {
        let ended = match outcome.ruling.decision {
            AuditDecision::Allow | AuditDecision::Redact => Ended::Complete,
            AuditDecision::Block | AuditDecision::Escalate => Ended::Withheld,
        };
        match self.close() {
            Ok(admitted) => self.answered(&admitted, outcome, ended),
            Err(error) => Pending::failed(error),
        }
    }

    /// The upstream (or the gateway itself) failed. Closes the request.
    pub fn failed(&mut self, failure: Failure) -> Pending {
        let admitted = match self.close() {
            Ok(admitted) => admitted,
            Err(error) => return Pending::failed(error),
        };
        let ruling = Ruling {
            decision: AuditDecision::Block,
            check: String::new(),
            code: failure.code,
            reason: failure.reason,
        };
        let mut audit = self.audit("upstream", "pipeline.upstream", &ruling);
        audit.metadata.extend([
            member("_outcome", "failed"),
            member("_status", i64::from(failure.status)),
            member("_facts", admitted.facts),
            member("_upstream", name(&failure.upstream)),
            member("_model", name(&admitted.forward.model)),
            member("_response", failure.response),
        ]);
        sources(&mut audit, &admitted.sources);
        let close = Close {
            decision: "error",
            code: &ruling.code,
            response: Some(failure.response),
            upstream: &failure.upstream,
            model: &admitted.forward.model,
            heads: admitted.scan.receipt.into_iter().collect(),
        };
        self.decide(Batch::after(&admitted.fate), audit, &close)
    }

    /// The upstream failed after it had begun to answer: what was judged, and may have been seen, is
    /// recorded like a whole answer. `outcome.ruling` says how it failed. Closes the request.
    pub fn broken(&mut self, outcome: Outcome) -> Pending {
        match self.close() {
            Ok(admitted) => self.answered(&admitted, outcome, Ended::Failed),
            Err(error) => Pending::failed(error),
        }
    }

    /// The caller went away; `partial` is what the upstream had answered so far, if anything.
    /// Closes the request.
    pub fn disconnected(&mut self, partial: Option<Outcome>) -> Pending {
        let admitted = match self.close() {
            Ok(admitted) => admitted,
            Err(RecordError::NotAdmitted) => return self.abandoned(),
            Err(error) => return Pending::failed(error),
        };
        if let Some(mut outcome) = partial {
            outcome.ruling = outcome.ruling.left();
            return self.answered(&admitted, outcome, Ended::Disconnected);
        }
        self.unanswered(
            &admitted,
            ("complete", "pipeline.complete", "disconnected"),
            &Ruling::gone(),
        )
    }

    /// An admission that nobody answers any more: stage, check and outcome of its last entry.
    fn unanswered(&self, admitted: &Admitted, end: (&str, &str, &str), why: &Ruling) -> Pending {
        let mut audit = self.audit(end.0, end.1, why);
        let (upstream, model) = (&admitted.forward.upstream, &admitted.forward.model);
        audit.metadata.extend([
            member("_outcome", end.2),
            member("_facts", admitted.facts),
            member("_upstream", name(upstream)),
            member("_model", name(model)),
        ]);
        sources(&mut audit, &admitted.sources);
        let heads = admitted.scan.receipt.into_iter().collect();
        let (decision, code) = ("interrupted", why.code.as_str());
        let close = Close { decision, code, response: None, upstream, model, heads };
        self.decide(Batch::after(&admitted.fate), audit, &close)
    }

    /// Gone before any decision: a preflight entry like any other refusal, under the flood rule.
    fn abandoned(&mut self) -> Pending {
        self.preflight(Refusal { ruling: Ruling::gone(), status: 499, response: Digest::of(b"") })
    }

    fn open(&self) -> Result<(), RecordError> {
        match self.phase {
            Phase::Open => Ok(()),
            Phase::Admitted(_) | Phase::Closed => Err(RecordError::Closed),
        }
    }

    fn close(&mut self) -> Result<Box<Admitted>, RecordError> {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Admitted(admitted) => Ok(admitted),
            Phase::Closed => Err(RecordError::Closed),
            Phase::Open => {
                self.phase = Phase::Open;
                Err(RecordError::NotAdmitted)
            }
        }
    }

    /// Receipts and entries of an answer: the model call, its scan, its proposals, the outcome.
    fn answered(&mut self, admitted: &Admitted, outcome: Outcome, ended: Ended) -> Pending {
        match self.answer(admitted, outcome, ended) {
            Ok(pending) => pending,
            Err(error) => Pending::failed(error),
        }
    }

    fn answer(
        &mut self,
        admitted: &Admitted,
        outcome: Outcome,
        ended: Ended,
    ) -> Result<Pending, RecordError> {
        let proposals = std::mem::take(&mut self.proposals);
        let mut batch = Batch::after(&admitted.fate);
        let facts = match &outcome.facts {
            Some(facts) => {
                let (digest, body) = self.core.salted("facts", facts)?;
                batch.bodies.push((Kind::Facts, digest, body));
                digest
            }
            None => admitted.facts,
        };
        let caller = self.caller.owner.to_string();
        let stamp = self.stamp(&caller);
        let mut model_call = Known::default();
        let mut cited = Vec::new();
        if let Some(stamp) = &stamp {
            let signed = stamp.model_call(
                &outcome.model,
                admitted.forward.body,
                outcome.output,
                &admitted.scan,
            )?;
            model_call = receipts::known(&signed);
            receipts::add(&mut batch.receipts, signed)?;
            let parent = std::slice::from_ref(&model_call);
            let scan = stamp.scan("output", outcome.output, &outcome.scan, parent, None)?;
            cited.push(scan.hash);
            receipts::add(&mut batch.receipts, scan)?;
        }
        let mut withheld_call = false;
        for proposal in &proposals {
            let mut head = None;
            let call = Digest::of(proposal.call_id.as_bytes());
            if let Some(stamp) = &stamp {
                let parent = std::slice::from_ref(&model_call);
                let (content, call) = (proposal.arguments, Some(&call));
                let scan = stamp.scan("tool_call", content, &proposal.scan, parent, call)?;
                head = Some(scan.hash);
                cited.push(scan.hash);
                receipts::add(&mut batch.receipts, scan)?;
            }
            withheld_call |=
                matches!(proposal.ruling.decision, AuditDecision::Block | AuditDecision::Escalate);
            let mut audit = self.audit("commitment", "pipeline.commitment", &proposal.ruling);
            audit.metadata.extend([
                member("_call", call),
                member("_tool", name(&proposal.tool)),
                member("_arguments", proposal.arguments),
            ]);
            scanned(&mut audit, &proposal.scan);
            heads(&mut audit, head);
            batch.audits.push(audit);
        }
        let (stage, check_name, word) = match ended {
            Ended::Complete => ("complete", "pipeline.complete", "complete"),
            Ended::Disconnected => ("complete", "pipeline.complete", "disconnected"),
            Ended::Failed => ("upstream", "pipeline.upstream", "failed"),
            Ended::Withheld if withheld_call => ("commitment", "pipeline.commitment", "withheld"),
            Ended::Withheld => ("inspection", "pipeline.inspection", "withheld"),
        };
        let mut audit = self.audit(stage, check_name, &outcome.ruling);
        audit.metadata.extend([
            member("_outcome", word),
            member("_status", i64::from(outcome.status)),
            member("_facts", facts),
            member("_upstream", name(&outcome.upstream)),
            member("_model", name(&outcome.model)),
            member("_output", outcome.output),
            member("_response", outcome.response),
        ]);
        scanned(&mut audit, &outcome.scan);
        // The last entry names all that fired, from the request to the last tool call.
        let scans = proposals.iter().map(|proposal| &proposal.scan).chain([&outcome.scan]);
        let fired = scans.flat_map(|scan| &scan.sources).chain(&admitted.sources);
        sources(&mut audit, &source::sorted(fired));
        if let Some((prompt, completion, total)) = outcome.usage {
            let usage = [
                ("completion", completion.into()),
                ("prompt", prompt.into()),
                ("total", total.into()),
            ];
            audit.metadata.push(member("_usage", Value::object(usage)));
        }
        heads(&mut audit, model_call.receipt);
        if let Some(memory) = self.memory(admitted, &outcome, &proposals, model_call) {
            remembered(&mut audit, vec![memory.to_value()]);
            batch.memories.push(memory);
        }
        let decision = match ended {
            Ended::Disconnected => "interrupted",
            Ended::Failed => "error",
            // What was changed on the way in was not the caller's own request any more.
            Ended::Complete if admitted.decision == AuditDecision::Redact => "redact",
            Ended::Complete | Ended::Withheld => outcome.ruling.decision.as_str(),
        };
        let close = Close {
            decision,
            code: &outcome.ruling.code,
            response: Some(outcome.response),
            upstream: &outcome.upstream,
            model: &outcome.model,
            heads: cited,
        };
        Ok(self.decide(batch, audit, &close))
    }

    /// What a later request of the same owner may refer to: delivered texts and calls.
    fn memory(
        &self,
        admitted: &Admitted,
        outcome: &Outcome,
        proposals: &[Proposal],
        model_call: Known,
    ) -> Option<Memory> {
        let scope = Scope::of(&self.caller.owner)?;
        let mut keys = Vec::new();
        for answer in outcome.answers.iter().take(REMEMBERED) {
            if let Some(thread) = &admitted.thread {
                keys.push(Key::place(&thread.assistant(&answer.text, &answer.calls)));
            }
            if !answer.empty {
                keys.push(Key::text(&scope, "assistant", &answer.text));
            }
        }
        // With the arguments as delivered: after a redaction they are what the tool gets.
        let delivered = outcome.answers.iter().flat_map(|answer| &answer.calls);
        let calls: Vec<RememberedCall> = delivered
            .filter_map(|(call_id, arguments)| {
                let passed = |proposal: &&Proposal| match proposal.ruling.decision {
                    AuditDecision::Allow | AuditDecision::Redact => proposal.call_id == *call_id,
                    AuditDecision::Block | AuditDecision::Escalate => false,
                };
                let tool = name(&proposals.iter().find(passed)?.tool);
                let key = Key::call(&scope, call_id);
                Some(RememberedCall { key, arguments: *arguments, tool })
            })
            .take(REMEMBERED)
            .collect();
        (!keys.is_empty() || !calls.is_empty()).then_some(Memory { known: model_call, keys, calls })
    }

    fn close_refused(
        &mut self,
        batch: Batch,
        mut audit: AuditEntry,
        refusal: Refusal,
        cited: Vec<Digest>,
    ) -> Pending {
        self.phase = Phase::Closed;
        audit.metadata.extend([
            member("_status", i64::from(refusal.status)),
            member("_response", refusal.response),
        ]);
        heads(&mut audit, cited.first().copied());
        let close = Close {
            decision: refusal.ruling.decision.as_str(),
            code: &refusal.ruling.code,
            response: Some(refusal.response),
            upstream: "",
            model: "",
            heads: cited,
        };
        self.decide(batch, audit, &close)
    }

    /// Signs the decision receipt over `audit` and appends everything.
    fn decide(&self, mut batch: Batch, audit: AuditEntry, close: &Close<'_>) -> Pending {
        let entry_id = audit.entry_id.clone();
        let signed = self.core.decide(&Decided {
            request_id: &self.id,
            entry_id: &entry_id,
            request: self.request_digest(),
            route: names::route(&self.path),
            config: self.core.config,
            ruleset: self.ruleset,
            close,
            sources: sources_of(&audit.metadata),
        });
        let decided = signed.and_then(|jws| Ok((decision_entry(&jws)?, jws)));
        let (entry, jws) = match decided {
            Ok(decided) => decided,
            Err(error) => return Pending::failed(error),
        };
        batch.audits.push(audit);
        batch.decisions.push(entry);
        self.core.writer.write(batch, Committed::once_durable(entry_id, Some(jws)))
    }

    pub(super) fn stamp<'a>(&'a self, caller: &'a str) -> Option<Stamp<'a>> {
        match self.core.profile {
            Profile::Full => Some(Stamp {
                agent: &self.core.agent,
                emitter: &self.core.emitter,
                signer: &*self.core.receipts,
                iat: self.core.now_ms() as i64 / 1000,
                ruleset: self.ruleset,
                request: &self.id,
                caller,
                origin: &self.core.origin,
            }),
            Profile::Sealed => None,
        }
    }

    /// An audit entry with the members every entry of the request has.
    pub(super) fn audit(&self, stage: &str, check_name: &str, ruling: &Ruling) -> AuditEntry {
        let mut metadata = Vec::with_capacity(METADATA);
        metadata.extend([
            member("_request", self.id.as_str()),
            member("_stage", stage),
            member("_config", self.core.config),
            member("_ruleset", self.ruleset),
            member("_how", name(&self.caller.how)),
            member("_method", self.method.as_str()),
            member("_route", names::route(&self.path)),
            member("_code", ruling.code.as_str()),
        ]);
        if !ruling.check.is_empty() {
            metadata.push(member("_check", ruling.check.as_str()));
        }
        AuditEntry {
            entry_id: self.core.uuid(),
            ts_ns: self.core.now_ms().saturating_mul(1_000_000),
            owner: self.caller.owner.clone(),
            approval_chain: self.caller.approval_chain.clone(),
            check_name: check_name.to_owned(),
            decision: ruling.decision,
            reason: ruling.reason.clone(),
            request_fingerprint: self.request.map(|digest| digest.text()).unwrap_or_default(),
            metadata,
        }
    }

    pub(super) fn request_digest(&self) -> Digest {
        self.request.unwrap_or_else(|| Digest::of(b""))
    }

    /// What an aggregate cites of a refusal: request line and body together.
    fn fingerprint(&self) -> Digest {
        let line = format!("{} {}\n{}", self.method, self.path, self.request_digest());
        Digest::of(line.as_bytes())
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        // Where this flow panicked, a second panic on the way would end the whole process.
        let _ = catch_unwind(AssertUnwindSafe(|| match self.phase {
            Phase::Closed => {}
            Phase::Open => drop(self.abandoned()),
            // The flow was cut off at a stop, or failed: nobody told the caller anything.
            Phase::Admitted(_) => {
                if let Ok(admitted) = self.close() {
                    let end = ("interrupted", "pipeline.interrupted", "interrupted");
                    drop(self.unanswered(&admitted, end, &Ruling::interrupted()));
                }
            }
        }));
    }
}

enum Ended {
    Complete,
    Withheld,
    Disconnected,
    Failed,
}

/// As many members has the metadata of an outcome, or a few less.
const METADATA: usize = 24;
/// As many choices and as many calls of one answer are remembered; it keeps the line bounded.
const REMEMBERED: usize = 128;
