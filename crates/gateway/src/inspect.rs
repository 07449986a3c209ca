//! Inspection and commitment of an answer, whole or streamed: every text and
//! every complete tool call is judged, and only what was judged can become
//! [`Released`], the only thing that goes to a caller.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use chat::edit::{Edit, apply_text};
use chat::event::{Channel, ToolCall};
use chat::openai::{
    self, Answer, AssembleError, Assembler, Chunk, NewText, Segment, Step, StreamItem,
};
use chat::sse::Event;
use guard::{Ending, TextEvent};
use seal::digest::Digest;

use crate::gate::{Denied, Gate, Judged, worse};
use crate::problem::Refusal;
use crate::recorder::{Answered, Outcome, Proposal, RequestLog, Ruling, Scanned};
use crate::stream::EVENT_LIMITS;
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
    /// What was cut out of the content of a choice.
    cuts: Vec<(u32, Range<usize>, String)>,
    /// Per text of a stream.
    extents: Vec<Extent>,
    /// Whole calls whose arguments could become something else if they went on.
    unsure: Vec<(u32, u32)>,
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

/// Spans that must go, and what stands there instead.
type Cuts = Vec<(Range<usize>, String)>;
/// The same of a tool call's arguments: choice, call, what.
type CallCuts = (u32, u32, Cuts);

/// How much of a text of the answer may go, and went.
struct Extent {
    choice: u32,
    channel: Channel,
    /// Before this nothing can become part of something forbidden.
    certain: usize,
    /// So much was released.
    open: usize,
}

/// An event that must not go yet. Its document is not kept: it weighs many times its bytes, and is
/// read again in the rare case that something is cut out.
struct Waiting {
    event: Event,
    step: Step,
    edits: Vec<Edit>,
}

/// Events that wait, in order: for their tool call to be whole, or for the text behind theirs.
#[derive(Default)]
pub(crate) struct Held {
    events: VecDeque<Waiting>,
    bytes: usize,
    /// What came since the first one waits and its text last grew, see [`Waiting::weight`].
    behind: usize,
}

/// More than any sane tool call; memory per stream stays bounded.
const HELD_BYTES: usize = 4 << 20;
/// An event that waits costs memory besides its bytes: millions of blank lines behind half a tool
/// call must not weigh a hundred times what they are.
const EVENT_COST: usize = 128;
/// So much may come on other channels while one waits for its next text, some fifty words; then its
/// end is judged as it is. Otherwise a thought that ends in an `s` would hold up the whole answer.
const PATIENCE: usize = 16 << 10;
/// The same for members that the API does not define: signatures and data in base64 could always go
/// on, and mostly do not.
const LITTLE_PATIENCE: usize = 4 << 10;
/// An event without data is a sign of life. Four of them are as good as [`PATIENCE`]: a caller that
/// waits for them must not take a slow upstream for a dead one.
const SIGN_OF_LIFE: usize = PATIENCE / 4;

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
            cuts: Vec::new(),
            extents: Vec::new(),
            unsure: Vec::new(),
            rewritten: Vec::new(),
        }
    }

    /// Judges a whole answer and returns it, redacted where that was the ruling.
    pub(crate) fn whole(&mut self, body: Bytes, answer: &Answer) -> Result<Released, Stopped> {
        let step = self.assembler.push_answer(answer)?;
        let mut edits = Vec::new();
        for new in &step.texts {
            let (spans, _) = self.text(new.choice, &new.channel, new.from, 0, true)?;
            edits.extend(cuts(&step, new.choice, Ok(&new.channel), &spans)?);
        }
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

    /// Judges one event of a stream; what may go on is appended to `free`. The event waits, and all
    /// behind it, while its text may still become part of something forbidden, or while it carries
    /// a piece of a tool call that is not whole.
    pub(crate) fn event(
        &mut self,
        event: Event,
        chunk: &Chunk,
        held: &mut Held,
        free: &mut Vec<Released>,
    ) -> Result<(), Stopped> {
        let mut step = self.assembler.push(chunk)?;
        let (texts, calls) = (std::mem::take(&mut step.texts), std::mem::take(&mut step.calls));
        held.push(Waiting { event, step, edits: Vec::new() })?;
        for new in &texts {
            held.grew(new);
            self.stretch(new.choice, &new.channel, new.from, new.channel.is_whole(), held)?;
        }
        held.cut_calls(&self.calls(&calls)?)?;
        self.release(held, free)
    }

    /// The stream has ended: what waits is judged and goes.
    pub(crate) fn end(&mut self, held: &mut Held, free: &mut Vec<Released>) -> Result<(), Stopped> {
        let calls = self.assembler.end();
        held.cut_calls(&self.calls(&calls)?)?;
        self.settle(false, held)?;
        self.gate.complete(self.assembler.usage(), self.assembler.finish_reason(0))?;
        self.release(held, free)
    }

    /// The stream breaks off: text that waits is judged as it is and goes, up to a tool call that is
    /// not whole. `said` is whether the last event says so itself: it goes whatever is before it.
    pub(crate) fn cut_off(
        &mut self,
        said: bool,
        held: &mut Held,
        free: &mut Vec<Released>,
    ) -> Result<(), Stopped> {
        self.settle(false, held)?;
        self.release(held, free)?;
        match held.events.pop_back().filter(|last| said && !last.step.holds) {
            Some(last) => self.let_go(last, free),
            None => Ok(()),
        }
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

    /// What the evidence would say of the answer.
    #[cfg(test)]
    pub(crate) fn said(&self) -> String {
        format!("{:?} {:?} {:?} {:?}", self.ruling, self.scan, self.proposals, self.answers())
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
            let text = self.assembler.text(choice, &Channel::Content);
            let of_choice = self.cuts.iter().filter(|(of, _, _)| *of == choice);
            let cuts = of_choice.map(|(_, span, by)| (span.clone(), by.as_str()));
            let text = apply_text(text, cuts).unwrap_or_default();
            let mut calls: Vec<ToolCall> =
                self.assembler.all_calls().filter(|call| call.choice == choice).cloned().collect();
            for call in &mut calls {
                let cut = self.rewritten.iter().find(|(c, i, _)| (*c, *i) == (choice, call.index));
                if let Some((_, _, arguments)) = cut {
                    call.arguments.clone_from(arguments);
                }
            }
            Answered::of(&text, &calls)
        };
        choices.into_iter().map(answered).collect()
    }

    /// Judges a text from `from` on, of which `open` bytes are gone: what to cut, and how much of it
    /// is certain.
    fn text(
        &mut self,
        choice: u32,
        channel: &Channel,
        from: usize,
        open: usize,
        last: bool,
    ) -> Result<(Cuts, usize), Stopped> {
        let text = self.assembler.text(choice, channel);
        let judged = self.gate.text(TextEvent { choice, channel, text, from, open, last });
        let certain = judged.held.unwrap_or(text.len());
        self.note(&judged);
        let spans = judged.cuts?;
        if *channel == Channel::Content {
            // A span that is named again is cut once.
            self.cuts.extend(spans.iter().map(|(span, by)| (choice, span.clone(), by.clone())));
        }
        Ok((spans, certain))
    }

    /// The same for a stream: cuts it out of the events that wait, and notes how much is certain.
    fn stretch(
        &mut self,
        choice: u32,
        channel: &Channel,
        from: usize,
        last: bool,
        held: &mut Held,
    ) -> Result<(), Stopped> {
        let same = |extent: &Extent| extent.choice == choice && extent.channel == *channel;
        let at = self.extents.iter().position(same).unwrap_or_else(|| {
            let channel = channel.clone();
            self.extents.push(Extent { choice, channel, certain: 0, open: 0 });
            self.extents.len() - 1
        });
        let (spans, certain) = self.text(choice, channel, from, self.extents[at].open, last)?;
        self.extents[at].certain = certain;
        held.cut(choice, Ok(channel), &spans)
    }

    /// Judges texts whose end was waited for as if they ended here: all of them, or those of the
    /// first event that waits.
    fn settle(&mut self, first: bool, held: &mut Held) -> Result<(), Stopped> {
        let of_first = |extent: &Extent| {
            let same = |segment: &Segment| {
                segment.choice == extent.choice && segment.of.as_ref() == Ok(&extent.channel)
            };
            held.events.front().is_some_and(|first| first.step.segments.iter().any(same))
        };
        let waits = |extent: &&Extent| {
            extent.certain < self.assembler.text(extent.choice, &extent.channel).len()
                && (!first || of_first(extent))
        };
        let ends: Vec<(u32, Channel)> = self
            .extents
            .iter()
            .filter(waits)
            .map(|extent| (extent.choice, extent.channel.clone()))
            .collect();
        // Behind an end no arguments go on, and a call has been judged as it is.
        self.unsure.clear();
        for (choice, channel) in ends {
            let length = self.assembler.text(choice, &channel).len();
            self.stretch(choice, &channel, length, true, held)?;
        }
        Ok(())
    }

    /// Lets go what may go, in order.
    fn release(&mut self, held: &mut Held, free: &mut Vec<Released>) -> Result<(), Stopped> {
        let open_calls = self.assembler.has_open_calls();
        while let Some(first) = held.events.front() {
            if first.step.holds && open_calls {
                break;
            }
            if let Some(patience) = self.patience(&first.step) {
                if held.behind < patience {
                    break;
                }
                self.settle(true, held)?;
            }
            if let Some(first) = held.pop() {
                self.let_go(first, free)?;
            }
        }
        Ok(())
    }

    /// How much may come behind an event that carries what can still become part of something
    /// forbidden; `None` where it carries nothing of the kind.
    fn patience(&self, step: &Step) -> Option<usize> {
        let certain = |choice: u32, channel: &Channel, end: usize| {
            let same = |extent: &&Extent| extent.choice == choice && extent.channel == *channel;
            self.extents.iter().find(same).is_some_and(|extent| extent.certain >= end)
        };
        let patience = |segment: &Segment| match &segment.of {
            Ok(channel) if certain(segment.choice, channel, segment.span.end) => None,
            Ok(Channel::Other(_)) => Some(LITTLE_PATIENCE),
            Ok(_) => Some(PATIENCE),
            Err(_) => (!self.unsure.is_empty()).then_some(PATIENCE),
        };
        step.segments.iter().filter_map(patience).max()
    }

    fn let_go(&mut self, waiting: Waiting, free: &mut Vec<Released>) -> Result<(), Stopped> {
        for segment in &waiting.step.segments {
            let Ok(channel) = &segment.of else { continue };
            let same = |extent: &&mut Extent| {
                extent.choice == segment.choice && extent.channel == *channel
            };
            if let Some(extent) = self.extents.iter_mut().find(same) {
                extent.open = extent.open.max(segment.span.end);
            }
        }
        free.push(rewritten(waiting.event, &waiting.edits)?);
        Ok(())
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
            self.unsure.retain(|unsure| *unsure != place);
            if judged.held.is_some() {
                self.unsure.push(place);
            }
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
}

impl Held {
    fn push(&mut self, waiting: Waiting) -> Result<(), Stopped> {
        self.bytes += waiting.cost();
        if self.bytes > HELD_BYTES {
            return Err(Stopped::Unreadable(UpstreamError::TooLarge));
        }
        if !self.events.is_empty() {
            self.behind += waiting.weight();
        }
        self.events.push_back(waiting);
        Ok(())
    }

    fn pop(&mut self) -> Option<Waiting> {
        let first = self.events.pop_front()?;
        self.bytes -= first.cost();
        self.behind = 0;
        Some(first)
    }

    /// A text that grows is waited for anew.
    fn grew(&mut self, new: &NewText) {
        let same = |segment: &Segment| {
            segment.choice == new.choice && segment.of.as_ref() == Ok(&new.channel)
        };
        if self.events.front().is_some_and(|first| first.step.segments.iter().any(same)) {
            self.behind = 0;
        }
    }

    fn cut(
        &mut self,
        choice: u32,
        of: Result<&Channel, u32>,
        spans: &[(Range<usize>, String)],
    ) -> Result<(), Stopped> {
        if spans.is_empty() {
            return Ok(());
        }
        for waiting in &mut self.events {
            let edits = cuts(&waiting.step, choice, of, spans)?;
            waiting.edits.extend(edits);
        }
        Ok(())
    }

    fn cut_calls(&mut self, all: &[CallCuts]) -> Result<(), Stopped> {
        all.iter().try_for_each(|(choice, index, spans)| self.cut(*choice, Err(*index), spans))
    }
}

impl Waiting {
    /// What it counts against [`HELD_BYTES`].
    fn cost(&self) -> usize {
        self.event.raw.len().max(EVENT_COST)
    }

    fn weight(&self) -> usize {
        match self.event.data {
            Some(_) => self.event.raw.len(),
            None => self.event.raw.len().max(SIGN_OF_LIFE),
        }
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
fn rewritten(event: Event, edits: &[Edit]) -> Result<Released, Stopped> {
    if edits.is_empty() {
        return Ok(Released(Bytes::from(event.raw)));
    }
    let Ok(StreamItem::Chunk(chunk)) = openai::item(&event, EVENT_LIMITS) else {
        return Err(Denied::not_editable().into());
    };
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
