//! Puts an answer together again, whatever pieces it came in.

use std::fmt;
use std::ops::Range;

use seal::json::{Value, write_receipt};

use super::document::{Answer, CallDelta, Chunk, Text};
use super::partial::{NAME_BYTES, Named, PartialCall};
use crate::edit::Edit;
use crate::event::{CallKind, Channel, ToolCall, Usage};

/// Accumulates text per (choice, channel) and tool calls per (choice, index). A whole answer and a
/// stream of chunks go through the same assembler and yield the same [`Step`]s.
#[derive(Debug, Clone)]
pub struct Assembler {
    texts: Vec<Accumulated>,
    /// The member that a channel of a choice came in first.
    members: Vec<(u32, Channel, String)>,
    calls: Vec<PartialCall>,
    finish: Vec<(u32, String)>,
    model: Option<String>,
    usage: Option<Usage>,
    bytes: usize,
    cap: usize,
}

/// What one chunk, or a whole answer, added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Text that grew; judge it before the event is released.
    pub texts: Vec<NewText>,
    /// Tool calls that are now complete; judge them before the events that carried them are
    /// released.
    pub calls: Vec<ToolCall>,
    /// Whether the event carries a piece of a tool call: then it is held until
    /// [`Assembler::has_open_calls`] is false and the calls were judged.
    pub holds: bool,
    /// Where each accumulated piece is in this document, for [`Step::edits`].
    pub segments: Vec<Segment>,
}

/// Accumulated text that grew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewText {
    /// The choice.
    pub choice: u32,
    /// The channel.
    pub channel: Channel,
    /// Where the new part of the accumulated text begins.
    pub from: usize,
}

/// A piece of accumulated text or arguments, and its place in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The choice.
    pub choice: u32,
    /// The text's channel, or the index of the call whose arguments these are.
    pub of: Result<Channel, u32>,
    /// Its span in the accumulated text.
    pub span: Range<usize>,
    /// The place in the document; `None` when it cannot be edited.
    pub pointer: Option<String>,
}

/// Why an answer is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// More text than is ever inspected; nothing passes uninspected, so nothing passes.
    #[error("the answer holds more than {cap} bytes of text")]
    TooLarge {
        /// The cap in bytes.
        cap: usize,
    },
    /// Text in more places, or more tool calls, than an answer of this API has: judging each of
    /// them costs time and evidence, and whoever answers must not decide how much.
    #[error("the answer has more than {cap} places with text, or as many tool calls")]
    TooManyPlaces {
        /// The cap.
        cap: usize,
    },
    /// A redaction falls on text that cannot be edited, such as an object key.
    #[error("the text to redact is in a place that cannot be edited")]
    NotEditable,
}

#[derive(Debug, Clone)]
struct Accumulated {
    choice: u32,
    channel: Channel,
    text: String,
    /// Where the latest piece begins.
    last: usize,
}

impl Default for Assembler {
    fn default() -> Self {
        Assembler::with_cap(16 << 20)
    }
}

impl Assembler {
    /// An assembler with the default cap of 16 MiB of text.
    pub fn new() -> Assembler {
        Assembler::default()
    }

    /// An assembler that gives up beyond `cap` bytes of text.
    pub fn with_cap(cap: usize) -> Assembler {
        Assembler {
            texts: Vec::new(),
            members: Vec::new(),
            calls: Vec::new(),
            finish: Vec::new(),
            model: None,
            usage: None,
            bytes: 0,
            cap,
        }
    }

    /// Adds a chunk.
    ///
    /// # Errors
    /// The answer is too large.
    pub fn push(&mut self, chunk: &Chunk) -> Result<Step, AssembleError> {
        let mut step = Step::default();
        self.texts(&chunk.texts, &mut step)?;
        for delta in &chunk.calls {
            self.call_delta(delta, &mut step)?;
        }
        for (choice, reason) in &chunk.finish {
            let of_choice = |call: &PartialCall| call.call.choice == *choice;
            let again = self.complete(of_choice, &mut step.calls);
            self.charge(again)?;
            self.finish(*choice, reason);
        }
        self.about(chunk.model.as_deref(), chunk.usage);
        Ok(step)
    }

    /// Adds a whole answer.
    ///
    /// # Errors
    /// The answer is too large.
    pub fn push_answer(&mut self, answer: &Answer) -> Result<Step, AssembleError> {
        let mut step = Step { holds: !answer.tool_calls.is_empty(), ..Step::default() };
        self.texts(&answer.texts, &mut step)?;
        if answer.tool_calls.len() > CALLS {
            return Err(AssembleError::TooManyPlaces { cap: CALLS });
        }
        for call in &answer.tool_calls {
            self.charge(call.id.len() + call.name.len() + call.arguments.len())?;
            step.segments.push(Segment {
                choice: call.choice,
                of: Err(call.index),
                span: 0..call.arguments.len(),
                pointer: call.pointer.clone(),
            });
            step.calls.push(call.clone());
            let call = call.clone();
            self.calls.push(PartialCall {
                wire_index: call.index,
                call,
                complete: true,
                before: true,
                named: Named::default(),
            });
        }
        for (choice, reason) in &answer.finish {
            self.finish(*choice, reason);
        }
        self.about(answer.model.as_deref(), answer.usage);
        Ok(step)
    }

    /// The stream has ended: the calls that never saw a finish reason.
    pub fn end(&mut self) -> Vec<ToolCall> {
        let mut calls = Vec::new();
        self.complete(|_| true, &mut calls);
        calls
    }

    /// Whether a tool call is still incomplete.
    pub fn has_open_calls(&self) -> bool {
        self.calls.iter().any(|call| !call.complete)
    }

    /// The accumulated text of a channel.
    pub fn text(&self, choice: u32, channel: &Channel) -> &str {
        let same = |text: &&Accumulated| text.choice == choice && text.channel == *channel;
        self.texts.iter().find(same).map_or("", |text| &text.text)
    }

    /// Every (choice, channel) with its text so far.
    pub fn all_texts(&self) -> impl Iterator<Item = (u32, &Channel, &str)> {
        self.texts.iter().map(|text| (text.choice, &text.channel, text.text.as_str()))
    }

    /// Every tool call so far, complete or not, in order of appearance.
    pub fn all_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.calls.iter().map(|call| &call.call)
    }

    /// Other names under which a client may take a call of a stream: some join all pieces of a name,
    /// some take the first or the last, and those that know calls by their index join the names of
    /// all that share one. A call is judged under each of them.
    pub fn other_names(&self, call: &ToolCall) -> Vec<String> {
        let same = |partial: &&PartialCall| {
            (partial.call.choice, partial.call.index) == (call.choice, call.index)
        };
        let Some(own) = self.calls.iter().find(same) else { return Vec::new() };
        let mut shared = String::new();
        for partial in self.calls.iter().filter(|partial| partial.shares(own)) {
            if shared.len() > NAME_BYTES {
                break;
            }
            shared.push_str(&partial.named.all);
        }
        let Named { first, last, all } = own.named.clone();
        let mut names = vec![first, last, all, shared];
        names.retain(|name| !name.is_empty() && *name != call.name);
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The model that says it answered; the last one that said so.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The last usage reported.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The finish reason of a choice.
    pub fn finish_reason(&self, choice: u32) -> Option<&str> {
        self.finish.iter().find(|(of, _)| *of == choice).map(|(_, reason)| reason.as_str())
    }

    /// The answer's text and tool calls in canonical JSON: what `output_hash` of a streamed
    /// `model_call` covers. It is the same for every way to cut the same answer into chunks and
    /// holds nothing that changes from chunk to chunk (spec/event-model.md).
    pub fn normal_form(&self) -> String {
        let mut choices: Vec<u32> = self.texts.iter().map(|text| text.choice).collect();
        choices.extend(self.calls.iter().map(|call| call.call.choice));
        choices.extend(self.finish.iter().map(|(choice, _)| *choice));
        choices.sort_unstable();
        choices.dedup();
        let choices = choices.into_iter().filter_map(|choice| self.normal_choice(choice));
        let form = Value::object([("choices", Value::array(choices)), ("v", 1i64.into())]);
        write_receipt(&form).expect("strings and small integers are always writable")
    }

    fn normal_choice(&self, choice: u32) -> Option<Value> {
        let mut members = Vec::new();
        for channel in [Channel::Content, Channel::Reasoning, Channel::Refusal, Channel::Transcript]
        {
            let text = self.text(choice, &channel);
            if !text.is_empty() {
                members.push((channel.name().to_owned(), text.into()));
            }
        }
        let calls: Vec<Value> = self
            .all_calls()
            .filter(|call| call.choice == choice)
            .map(|call| {
                Value::object([
                    ("arguments", call.arguments.as_str().into()),
                    ("id", call.id.as_str().into()),
                    ("kind", call.kind.as_str().into()),
                    ("name", call.name.as_str().into()),
                ])
            })
            .collect();
        if !calls.is_empty() {
            members.push(("tool_calls".to_owned(), Value::Array(calls)));
        }
        if let Some(reason) = self.finish_reason(choice) {
            members.push(("finish_reason".to_owned(), reason.into()));
        }
        // A choice that only undefined fields mention says nothing.
        if members.is_empty() {
            return None;
        }
        members.push(("index".to_owned(), i64::from(choice).into()));
        Some(Value::Object(members))
    }

    /// Where a piece belongs. Clients join what came in one member, such as `reasoning_content`;
    /// what comes in another, such as `reasoning`, must not stand between its pieces. So the first
    /// member is the channel, and each other one a place of its own.
    fn channel(&mut self, piece: &Text) -> Channel {
        let places =
            piece.pointer.as_deref().filter(|_| !matches!(piece.channel, Channel::Other(_)));
        let Some(pointer) = places else { return piece.channel.clone() };
        // /choices/0/delta/content, and what is below it
        let member: String = pointer
            .split('/')
            .enumerate()
            .take(5)
            .map(|(at, part)| if at == 2 { "*" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let same = |(choice, channel, _): &&(u32, Channel, String)| {
            *choice == piece.choice && *channel == piece.channel
        };
        match self.members.iter().find(same) {
            Some((_, _, first)) if *first != member => Channel::Other(member),
            Some(_) => piece.channel.clone(),
            None => {
                self.members.push((piece.choice, piece.channel.clone(), member));
                piece.channel.clone()
            }
        }
    }

    fn texts(&mut self, texts: &[Text], step: &mut Step) -> Result<(), AssembleError> {
        for piece in texts {
            self.charge(piece.text.len())?;
            let channel = self.channel(piece);
            let same = |text: &Accumulated| text.choice == piece.choice && text.channel == channel;
            let at = match self.texts.iter().position(same) {
                Some(at) => at,
                None if self.texts.len() >= CHANNELS => {
                    return Err(AssembleError::TooManyPlaces { cap: CHANNELS });
                }
                None => {
                    self.texts.push(Accumulated {
                        choice: piece.choice,
                        channel: channel.clone(),
                        text: String::new(),
                        last: 0,
                    });
                    self.texts.len() - 1
                }
            };
            let text = &mut self.texts[at];
            // Ids, model names, keys repeat in every chunk; once judged is judged.
            if text.channel.repeats()
                && !text.text.is_empty()
                && text.text[text.last..] == piece.text
            {
                continue;
            }
            let from = text.text.len();
            text.last = from;
            text.text.push_str(&piece.text);
            step.segments.push(Segment {
                choice: piece.choice,
                of: Ok(channel.clone()),
                span: from..text.text.len(),
                pointer: piece.pointer.clone(),
            });
            let known = |new: &NewText| new.choice == piece.choice && new.channel == channel;
            if !step.texts.iter().any(known) {
                step.texts.push(NewText { choice: piece.choice, channel, from });
            }
        }
        Ok(())
    }

    /// A call is complete when its choice finishes, when the stream ends, or when another call
    /// begins after it received arguments. Providers exist that go back to an earlier call: it is
    /// open again then, and judged again as a whole.
    fn call_delta(&mut self, delta: &CallDelta, step: &mut Step) -> Result<(), AssembleError> {
        self.charge(delta.id.len() + delta.name.len() + delta.arguments.len())?;
        step.holds = true;
        let legacy = delta.kind == CallKind::Legacy;
        let same = |call: &PartialCall| {
            call.call.choice == delta.choice
                && call.wire_index == delta.index
                && (call.call.kind == CallKind::Legacy) == legacy
        };
        // Providers exist that give every call index 0: another id is another call.
        let continues = |call: &PartialCall| {
            delta.id.is_empty() || call.call.id.is_empty() || call.call.id == delta.id
        };
        let at = match self.calls.iter().rposition(same) {
            Some(at) if continues(&self.calls[at]) => at,
            _ if self.calls.len() >= CALLS => {
                return Err(AssembleError::TooManyPlaces { cap: CALLS });
            }
            _ => {
                let filled = |call: &PartialCall| {
                    call.call.choice == delta.choice && !call.call.arguments.is_empty()
                };
                let again = self.complete(filled, &mut step.calls);
                self.charge(again)?;
                let of_choice = self.calls.iter().filter(|call| call.call.choice == delta.choice);
                let index = u32::try_from(of_choice.count()).unwrap_or(u32::MAX);
                let call = ToolCall {
                    choice: delta.choice,
                    index,
                    kind: delta.kind,
                    ..ToolCall::default()
                };
                self.calls.push(PartialCall {
                    wire_index: delta.index,
                    call,
                    complete: false,
                    before: false,
                    named: Named::default(),
                });
                self.calls.len() - 1
            }
        };
        // Clients that know calls by their index, or by their id, join what we keep apart: judged
        // joined, too.
        let known = &self.calls[at].call;
        let id = if known.id.is_empty() { delta.id.clone() } else { known.id.clone() };
        let place = format_args!("/choices/*/delta/tool_calls/{}", delta.index);
        self.joined(at, place, same, delta, step)?;
        let same_id = |call: &PartialCall| {
            call.call.choice == delta.choice && !id.is_empty() && call.call.id == id
        };
        if let Some(first) = self.calls.iter().position(same_id) {
            let place = format_args!("/choices/*/delta/tool_calls/id/{first}");
            self.joined(at, place, same_id, delta, step)?;
        }
        let open = &mut self.calls[at];
        let call = &mut open.call;
        // A name that is repeated makes a longer one for some clients.
        if !delta.arguments.is_empty() || !delta.name.is_empty() {
            open.complete = false;
        }
        open.named.push(&delta.name);
        if call.id.is_empty() {
            call.id.clone_from(&delta.id);
        }
        // A name may come in pieces, or be repeated whole with every piece of the arguments.
        if call.name != delta.name {
            call.name.push_str(&delta.name);
        }
        let from = call.arguments.len();
        call.arguments.push_str(&delta.arguments);
        step.segments.push(Segment {
            choice: call.choice,
            of: Err(call.index),
            span: from..call.arguments.len(),
            pointer: Some(delta.pointer.clone()),
        });
        Ok(())
    }

    /// Adds the arguments of the calls that are the `same` to some client to one text, when there
    /// are others than the one at `at`. It has no place of its own, so nothing of it can be cut out.
    fn joined(
        &mut self,
        at: usize,
        place: fmt::Arguments<'_>,
        same: impl Fn(&PartialCall) -> bool,
        delta: &CallDelta,
        step: &mut Step,
    ) -> Result<(), AssembleError> {
        let others = |(place, call): (usize, &PartialCall)| place != at && same(call);
        if !self.calls.iter().enumerate().any(others) {
            return Ok(());
        }
        let channel = Channel::Other(place.to_string());
        let known = |text: &Accumulated| text.choice == delta.choice && text.channel == channel;
        let mut pieces = Vec::new();
        if !self.texts.iter().any(known) {
            let shared = self.calls.iter().filter(|call| same(call));
            pieces.extend(shared.map(|call| call.call.arguments.clone()));
        }
        pieces.push(delta.arguments.clone());
        let piece = |text: String| Text {
            choice: delta.choice,
            channel: channel.clone(),
            pointer: None,
            text,
        };
        let pieces: Vec<Text> =
            pieces.into_iter().filter(|text| !text.is_empty()).map(piece).collect();
        self.texts(&pieces, step)
    }

    /// Completes the open calls that `which` picks. Returns the bytes of those that were complete
    /// before: to judge them again costs as much as new text, and counts like it, or a stream that
    /// ends its call with every piece would cost the square of its length.
    fn complete(
        &mut self,
        which: impl Fn(&PartialCall) -> bool,
        calls: &mut Vec<ToolCall>,
    ) -> usize {
        let mut again = 0;
        for open in self.calls.iter_mut().filter(|open| !open.complete && which(open)) {
            open.complete = true;
            if std::mem::replace(&mut open.before, true) {
                again += open.weight();
            }
            calls.push(open.call.clone());
        }
        again
    }

    fn finish(&mut self, choice: u32, reason: &str) {
        if self.finish_reason(choice).is_none() {
            self.finish.push((choice, reason.to_owned()));
        }
    }

    fn about(&mut self, model: Option<&str>, usage: Option<Usage>) {
        match model {
            Some(model) if !model.is_empty() && self.model.as_deref() != Some(model) => {
                self.model = Some(model.to_owned());
            }
            _ => {}
        }
        if usage.is_some() {
            self.usage = usage;
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), AssembleError> {
        self.bytes += bytes;
        if self.bytes > self.cap { Err(AssembleError::TooLarge { cap: self.cap }) } else { Ok(()) }
    }
}

impl Step {
    /// What spans of accumulated text, or of a call's accumulated arguments, mean in this
    /// document. A span that began in an earlier document loses its rest here; its replacement
    /// stands where it began.
    ///
    /// # Errors
    /// A span touches text that cannot be edited: withhold the document.
    pub fn edits<'e>(
        &self,
        choice: u32,
        of: Result<&Channel, u32>,
        spans: impl IntoIterator<Item = (Range<usize>, &'e str)>,
    ) -> Result<Vec<Edit>, AssembleError> {
        let mut edits = Vec::new();
        for (span, replacement) in spans {
            for segment in &self.segments {
                if segment.choice != choice || segment.of.as_ref().map_err(|index| *index) != of {
                    continue;
                }
                let start = span.start.max(segment.span.start);
                let end = span.end.min(segment.span.end);
                if start >= end {
                    continue;
                }
                let pointer = segment.pointer.clone().ok_or(AssembleError::NotEditable)?;
                let replacement = if start == span.start { replacement } else { "" };
                let base = segment.span.start;
                edits.push(Edit::value(pointer, start - base..end - base, replacement));
            }
        }
        Ok(edits)
    }
}

/// The most channels of one answer, all choices together.
const CHANNELS: usize = 1024;
/// The most tool calls of one answer, all choices together.
const CALLS: usize = 1024;
