//! Inspection and commitment of an answer, whole or streamed: every text and
//! every complete tool call is judged, and only what was judged can become
//! [`Released`], the only thing that goes to a caller.

use std::ops::Range;

use bytes::Bytes;
use chat::edit::{Edit, apply_text};
use chat::event::{Channel, ToolCall};
use chat::openai::{Answer, AssembleError, Assembler, Chunk, Step};
use chat::sse::Event;
use guard::{Ending, TextEvent};
use seal::digest::Digest;

use crate::gate::{Denied, Gate, Judged, worse};
use crate::problem::Refusal;
use crate::recorder::{Answered, Outcome, Proposal, RequestLog, Ruling, Scanned};
use crate::upstream::UpstreamError;

/// Bytes that a caller may see.
#[derive(Debug)]
pub(crate) struct Released(Bytes);

impl Released {
    /// Our own words need no inspection.
    pub(crate) fn ours(text: String) -> Self {
        Self(Bytes::from(text))
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Why an answer does not go on.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// A check denied it.
    Denied(Denied),
    /// It cannot be read for certain, so it cannot be released.
    Unreadable(UpstreamError),
}

impl From<Denied> for Stopped {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<AssembleError> for Stopped {
    fn from(error: AssembleError) -> Self {
        match error {
            AssembleError::TooLarge { .. } | AssembleError::TooManyPlaces { .. } => {
                Self::Unreadable(UpstreamError::TooLarge)
            }
            // Text to be cut stands where nothing can be cut: withhold all of it.
            AssembleError::NotEditable => Self::Denied(Denied::not_editable()),
        }
    }
}

/// The inspection of one answer.
pub(crate) struct Inspection {
    gate: Gate,
    model: String,
    assembler: Assembler,
    ruling: Ruling,
    scan: Scanned,
    /// By choice and call: one that is judged again stands once.
    proposals: Vec<(u32, u32, Proposal)>,
    /// Content as delivered, for choices that were redacted; others are as they came.
    redacted: Vec<(u32, String)>,
    /// Arguments as delivered, for calls that were redacted.
    rewritten: Vec<(u32, u32, String)>,
}

/// How an answer was delivered.
pub(crate) struct Delivery {
    /// Over what the upstream answered.
    pub(crate) output: Digest,
    /// Over what the caller got.
    pub(crate) response: Digest,
    /// The status the caller got.
    pub(crate) status: u16,
    pub(crate) end: End,
}

/// How far it came.
pub(crate) enum End {
    Delivered,
    Gone,
    Withheld(Denied),
    /// The upstream broke off; the ruling says how.
    Failed(Ruling),
}

/// Spans of a tool call's arguments that must go: choice, call, what and by what.
type CallCuts = (u32, u32, Vec<(Range<usize>, String)>);

/// An event that waits for its tool call.
struct Waiting {
    event: Event,
    chunk: Box<Chunk>,
    step: Step,
    edits: Vec<Edit>,
}

/// Events that wait for a tool call to be whole, in order.
#[derive(Default)]
pub(crate) struct Held {
    events: Vec<Waiting>,
    bytes: usize,
}

/// More than any sane tool call; memory per stream stays bounded.
const HELD_BYTES: usize = 4 << 20;

impl Inspection {
    /// `model` is the one asked for, for answers that name none.
    pub(crate) fn new(gate: Gate, model: &str) -> Self {
        Self {
            gate,
            model: model.to_owned(),
            assembler: Assembler::new(),
            ruling: Ruling::allow(),
            scan: Scanned::clean(),
            proposals: Vec::new(),
            redacted: Vec::new(),
            rewritten: Vec::new(),
        }
    }

    /// Judges a whole answer and returns it, redacted where that was the ruling.
    pub(crate) fn whole(&mut self, body: Bytes, answer: &Answer) -> Result<Released, Stopped> {
        let step = self.assembler.push_answer(answer)?;
        let mut edits = self.texts(&step, true)?;
        for (choice, index, spans) in self.calls(&step.calls)? {
            edits.extend(cuts(&step, choice, Err(index), &spans)?);
        }
        self.gate.complete(self.assembler.usage(), self.assembler.finish_reason(0))?;
        if edits.is_empty() {
            return Ok(Released(body));
        }
        let body = answer.edited(&edits).map_err(|_| Denied::not_editable())?;
        Ok(Released(Bytes::from(body)))
    }

    /// Judges one event of a stream; what may go on is appended to `free`. An
    /// event that carries a piece of a tool call, and all behind it, waits.
    pub(crate) fn event(
        &mut self,
        event: Event,
        chunk: Box<Chunk>,
        held: &mut Held,
        free: &mut Vec<Released>,
    ) -> Result<(), Stopped> {
        let step = self.assembler.push(&chunk)?;
        let edits = self.texts(&step, false)?;
        let cuts = self.calls(&step.calls)?;
        if held.events.is_empty() && !step.holds {
            free.push(rewritten(event, &chunk, &edits)?);
            return Ok(());
        }
        held.bytes += event.raw.len();
        if held.bytes > HELD_BYTES {
            return Err(Stopped::Unreadable(UpstreamError::TooLarge));
        }
        held.events.push(Waiting { event, chunk, step, edits });
        held.cut(&cuts)?;
        if !self.assembler.has_open_calls() {
            held.release(free)?;
        }
        Ok(())
    }

    /// The stream has ended: what waits is judged and goes.
    pub(crate) fn end(&mut self, held: &mut Held, free: &mut Vec<Released>) -> Result<(), Stopped> {
        let calls = self.assembler.end();
        let cuts = self.calls(&calls)?;
        held.cut(&cuts)?;
        self.gate.complete(self.assembler.usage(), self.assembler.finish_reason(0))?;
        held.release(free)
    }

    /// Whether every choice that began has said why it ended.
    pub(crate) fn finished(&self) -> bool {
        let mut began = false;
        self.assembler
            .all_texts()
            .filter(|(_, channel, _)| !matches!(channel, Channel::Other(_)))
            .all(|(choice, _, _)| {
                began = true;
                self.assembler.finish_reason(choice).is_some()
            })
            && self.assembler.all_calls().all(|call| {
                began = true;
                self.assembler.finish_reason(call.choice).is_some()
            })
            && (began || self.assembler.finish_reason(0).is_some())
    }

    /// The digest of a streamed answer: over its normal form, however it was cut.
    pub(crate) fn normal_digest(&self) -> Digest {
        Digest::of(self.assembler.normal_form().as_bytes())
    }

    /// Whether anything of the answer was judged, and so may have been released.
    pub(crate) fn began(&self) -> bool {
        self.assembler.all_texts().next().is_some() || self.assembler.all_calls().next().is_some()
    }

    /// The upstream failed before it answered: what was reserved is settled.
    pub(crate) fn abandon(mut self) {
        self.gate.end(Ending::Aborted(self.assembler.usage()));
    }

    /// Hands the proposals to the log and makes the outcome. Nothing is judged
    /// after this, and what was reserved is settled.
    pub(crate) fn outcome(mut self, log: &mut RequestLog, delivery: Delivery) -> Outcome {
        let Delivery { output, response, status, end } = delivery;
        let usage = self.assembler.usage();
        // What was withheld cannot be repeated by the caller.
        let seen = !matches!(end, End::Withheld(_));
        let (ruling, ending) = match end {
            End::Delivered => (None, Ending::Aborted(usage)),
            End::Gone => (None, Ending::Disconnected(usage)),
            End::Withheld(denied) => (Some(denied.ruling), Ending::Aborted(usage)),
            End::Failed(ruling) => (Some(ruling), Ending::Aborted(usage)),
        };
        self.gate.end(ending);
        let answers = if seen { self.answers() } else { Vec::new() };
        for (_, _, proposal) in self.proposals {
            log.proposed(proposal);
        }
        Outcome {
            ruling: ruling.unwrap_or(self.ruling),
            status,
            upstream: self.gate.upstream().to_owned(),
            model: self.assembler.model().unwrap_or(&self.model).to_owned(),
            output,
            scan: self.scan,
            response,
            answers,
            usage: usage.map(|usage| (usage.prompt, usage.completion, usage.total)),
            facts: self.gate.settlement(),
        }
    }

    /// What a client will repeat in its next request, per choice.
    fn answers(&self) -> Vec<Answered> {
        let mut choices: Vec<u32> = self
            .assembler
            .all_texts()
            .filter(|(_, channel, _)| **channel == Channel::Content)
            .map(|(choice, _, _)| choice)
            .chain(self.assembler.all_calls().map(|call| call.choice))
            .collect();
        choices.sort_unstable();
        choices.dedup();
        let answered = |choice: u32| {
            let text = match self.redacted.iter().find(|(of, _)| *of == choice) {
                Some((_, text)) => text,
                None => self.assembler.text(choice, &Channel::Content),
            };
            let mut calls: Vec<ToolCall> =
                self.assembler.all_calls().filter(|call| call.choice == choice).cloned().collect();
            for call in &mut calls {
                let cut = self.rewritten.iter().find(|(c, i, _)| (*c, *i) == (choice, call.index));
                if let Some((_, _, arguments)) = cut {
                    call.arguments.clone_from(arguments);
                }
            }
            Answered::of(text, &calls)
        };
        choices.into_iter().map(answered).collect()
    }

    fn texts(&mut self, step: &Step, last: bool) -> Result<Vec<Edit>, Stopped> {
        let mut edits = Vec::new();
        for new in &step.texts {
            let text = self.assembler.text(new.choice, &new.channel);
            let judged = self.gate.text(TextEvent {
                choice: new.choice,
                channel: &new.channel,
                text,
                from: new.from,
                last,
            });
            self.note(&judged);
            let spans = judged.cuts?;
            if new.channel == Channel::Content {
                self.keep(step, new.choice, &spans);
            }
            if !spans.is_empty() {
                edits.extend(cuts(step, new.choice, Ok(&new.channel), &spans)?);
            }
        }
        Ok(edits)
    }

    fn calls(&mut self, calls: &[ToolCall]) -> Result<Vec<CallCuts>, Stopped> {
        let mut all = Vec::new();
        let mut stopped = None;
        // All calls of the step are judged and recorded, even behind a denied one.
        for call in calls {
            let mut judged = self.gate.call(call);
            for name in self.assembler.other_names(call) {
                // The rest is the same under every name, and was judged.
                let (choice, index, kind) = (call.choice, call.index, call.kind);
                let other = ToolCall { choice, index, kind, name, ..ToolCall::default() };
                judged.under(self.gate.call(&other));
            }
            self.note(&judged);
            let proposal = Proposal::of(call, judged.scan, judged.ruling);
            let place = (call.choice, call.index);
            self.proposals.retain(|(choice, index, _)| (*choice, *index) != place);
            self.proposals.push((call.choice, call.index, proposal));
            match judged.cuts {
                Err(denied) => stopped = stopped.or(Some(denied)),
                Ok(spans) if spans.is_empty() => {}
                Ok(spans) => {
                    let pairs = spans.iter().map(|(span, by)| (span.clone(), by.as_str()));
                    let text =
                        apply_text(&call.arguments, pairs).ok_or_else(Denied::not_editable)?;
                    self.rewritten.retain(|(choice, index, _)| (*choice, *index) != place);
                    self.rewritten.push((call.choice, call.index, text));
                    all.push((call.choice, call.index, spans));
                }
            }
        }
        stopped.map_or(Ok(all), |denied| Err(denied.into()))
    }

    /// Remembers the strongest ruling and the worst scan.
    fn note(&mut self, judged: &Judged) {
        worse(&mut self.scan, &judged.scan);
        crate::gate::stronger(&mut self.ruling, &judged.ruling);
    }

    /// Keeps the content of a redacted choice as the caller sees it.
    fn keep(&mut self, step: &Step, choice: u32, spans: &[(Range<usize>, String)]) {
        let mut pieces = step
            .segments
            .iter()
            .filter(|segment| segment.choice == choice && segment.of == Ok(Channel::Content));
        let text = self.assembler.text(choice, &Channel::Content);
        let known = self.redacted.iter().position(|(of, _)| *of == choice);
        let at = match known {
            Some(at) => at,
            None if spans.is_empty() => return,
            None => {
                let Some(first) = pieces.clone().next() else { return };
                self.redacted.push((choice, text[..first.span.start].to_owned()));
                self.redacted.len() - 1
            }
        };
        let seen = &mut self.redacted[at].1;
        pieces.by_ref().for_each(|segment| {
            let base = segment.span.start;
            let clipped = spans.iter().filter_map(|(span, by)| {
                let start = span.start.max(base);
                let end = span.end.min(segment.span.end);
                let by = if start == span.start { by.as_str() } else { "" };
                (start < end).then(|| (start - base..end - base, by))
            });
            let piece = &text[segment.span.clone()];
            seen.push_str(&apply_text(piece, clipped).unwrap_or_default());
        });
    }
}

impl Held {
    fn cut(&mut self, all: &[CallCuts]) -> Result<(), Stopped> {
        for (choice, index, spans) in all {
            for waiting in &mut self.events {
                let edits = cuts(&waiting.step, *choice, Err(*index), spans)?;
                waiting.edits.extend(edits);
            }
        }
        Ok(())
    }

    fn release(&mut self, free: &mut Vec<Released>) -> Result<(), Stopped> {
        self.bytes = 0;
        for waiting in self.events.drain(..) {
            free.push(rewritten(waiting.event, &waiting.chunk, &waiting.edits)?);
        }
        Ok(())
    }
}

fn cuts(
    step: &Step,
    choice: u32,
    of: Result<&Channel, u32>,
    spans: &[(Range<usize>, String)],
) -> Result<Vec<Edit>, Stopped> {
    let spans = spans.iter().map(|(span, by)| (span.clone(), by.as_str()));
    Ok(step.edits(choice, of, spans)?)
}

/// The event as it came, unless a redaction changed it.
fn rewritten(event: Event, chunk: &Chunk, edits: &[Edit]) -> Result<Released, Stopped> {
    if edits.is_empty() {
        return Ok(Released(Bytes::from(event.raw)));
    }
    let bytes = chunk.edited(&event, edits).map_err(|_| Denied::not_editable())?;
    Ok(Released(Bytes::from(bytes)))
}

/// What the caller is told when an answer stops.
pub(crate) fn refusal(stopped: &Stopped) -> Refusal {
    match stopped {
        Stopped::Denied(_) => Refusal::AnswerWithheld,
        Stopped::Unreadable(error) => Refusal::Upstream(*error),
    }
}
