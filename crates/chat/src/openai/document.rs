//! One answer document: a `chat.completion`, or one chunk of a stream.

use seal::json::{JsonErrorKind, Limits, Value, parse, write_plain};

use crate::edit::{self, Edit, EditError};
use crate::event::{CallKind, Channel, ToolCall, Usage};
use crate::exchange::{MAX_CHOICES, calls, text_of};
use crate::leaves::{Path, walk};
use crate::sse::Event;

use super::words::{FINISH, OBJECTS, ROLES, known_key};

/// One string of an answer and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The choice; 0 for what belongs to none.
    pub choice: u32,
    /// The channel.
    pub channel: Channel,
    /// Its place, when it can be edited: object keys and the lines beside `data:` cannot.
    pub pointer: Option<String>,
    /// The string.
    pub text: String,
}

/// An error object in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiError {
    /// `message`, or the error itself where a provider sends a bare string.
    pub message: String,
    /// `type`.
    pub class: String,
    /// `code`, as text.
    pub code: String,
}

/// A piece of a tool call in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallDelta {
    /// The choice.
    pub choice: u32,
    /// The call's index on the wire.
    pub index: u32,
    /// How it is written.
    pub kind: CallKind,
    /// The id, where this piece has one.
    pub id: String,
    /// The name or a part of it.
    pub name: String,
    /// The next part of the arguments.
    pub arguments: String,
    /// The place of the arguments.
    pub pointer: String,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The document.
    pub value: Value,
    /// The model that says it answered.
    pub model: Option<String>,
    /// All strings that are not tool calls, in document order.
    pub texts: Vec<Text>,
    /// All tool calls.
    pub tool_calls: Vec<ToolCall>,
    /// `finish_reason` per choice, known or not.
    pub finish: Vec<(u32, String)>,
    /// `usage`.
    pub usage: Option<Usage>,
    /// The error, if it is one.
    pub error: Option<ApiError>,
}

/// One event of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The document.
    pub value: Value,
    /// The model that says it answers.
    pub model: Option<String>,
    /// All strings that are not tool calls, in document order.
    pub texts: Vec<Text>,
    /// Pieces of tool calls.
    pub calls: Vec<CallDelta>,
    /// Choices that end here, with their reason.
    pub finish: Vec<(u32, String)>,
    /// `usage`, usually in the last chunk.
    pub usage: Option<Usage>,
    /// The error, if it is one.
    pub error: Option<ApiError>,
}

/// What one server-sent event means.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamItem {
    /// A chunk; an event without data is one with nothing but its side text.
    Chunk(Box<Chunk>),
    /// `data: [DONE]`.
    Done,
}

/// Why an upstream's answer cannot be read, and so not be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not strict JSON, too long or too deep.
    #[error("the answer is not readable JSON: {0}")]
    Json(JsonErrorKind),
    /// A member that decides how clients read the answer has the wrong type.
    #[error("the answer has an unexpected {found} at {pointer}")]
    Shape {
        /// The place.
        pointer: String,
        /// What was found there.
        found: &'static str,
    },
    /// The terminal event carries other lines.
    #[error("the terminal event carries other text")]
    TerminalText,
}

impl Answer {
    /// Reads a `chat.completion` or an error body.
    ///
    /// # Errors
    /// The body cannot be read for certain; it must not be released.
    pub fn parse(body: &[u8], limits: Limits) -> Result<Answer, AnswerError> {
        let value = parse(body, limits).map_err(|error| AnswerError::Json(error.kind))?;
        let mut surface = Surface { unary: true, ..Surface::default() };
        surface.document(&value)?;
        Ok(Answer {
            model: model(&value),
            usage: usage(&value),
            error: api_error(&value),
            texts: surface.texts,
            tool_calls: surface.whole_calls,
            finish: surface.finish,
            value,
        })
    }

    /// The body with the edits made. Log probabilities of edited choices are dropped: they spell
    /// out what was cut.
    ///
    /// # Errors
    /// An edit that does not fit; then nothing may be released.
    pub fn edited(&self, edits: &[Edit]) -> Result<Vec<u8>, EditError> {
        edited(&self.value, edits).map(String::into_bytes)
    }
}

impl Chunk {
    /// Reads one chunk.
    ///
    /// # Errors
    /// The chunk cannot be read for certain; it must not be released.
    pub fn parse(data: &str, limits: Limits) -> Result<Chunk, AnswerError> {
        let value =
            parse(data.as_bytes(), limits).map_err(|error| AnswerError::Json(error.kind))?;
        let mut surface = Surface::default();
        surface.document(&value)?;
        Ok(Chunk {
            model: model(&value),
            usage: usage(&value),
            error: api_error(&value),
            texts: surface.texts,
            calls: surface.calls,
            finish: surface.finish,
            value,
        })
    }

    /// The event with the edits made in its data. Log probabilities of edited choices are dropped.
    ///
    /// # Errors
    /// An edit that does not fit; then nothing may be released.
    pub fn edited(&self, event: &Event, edits: &[Edit]) -> Result<Vec<u8>, EditError> {
        Ok(event.with_data(&edited(&self.value, edits)?))
    }
}

/// Reads one event of a stream. The text beside its data comes along on `other:sse`.
///
/// # Errors
/// The event cannot be read for certain; it must not be released.
pub fn item(event: &Event, limits: Limits) -> Result<StreamItem, AnswerError> {
    let side = event.side_text();
    if event.is_done() {
        return match side {
            None => Ok(StreamItem::Done),
            Some(_) => Err(AnswerError::TerminalText),
        };
    }
    let mut chunk = match event.data.as_deref() {
        None | Some("") => Chunk {
            value: Value::Null,
            model: None,
            texts: Vec::new(),
            calls: Vec::new(),
            finish: Vec::new(),
            usage: None,
            error: None,
        },
        Some(data) => Chunk::parse(data, limits)?,
    };
    if let Some(text) = side {
        let channel = Channel::Other("sse".to_owned());
        chunk.texts.push(Text { choice: 0, channel, pointer: None, text });
    }
    Ok(StreamItem::Chunk(Box::new(chunk)))
}

/// Sorts the strings of a document onto channels.
#[derive(Default)]
struct Surface {
    unary: bool,
    /// The choices so far.
    choices: Vec<u32>,
    texts: Vec<Text>,
    calls: Vec<CallDelta>,
    whole_calls: Vec<ToolCall>,
    finish: Vec<(u32, String)>,
}

impl Surface {
    fn document(&mut self, value: &Value) -> Result<(), AnswerError> {
        let root = Path::Root("");
        let members = value.as_object().ok_or_else(|| shape(&root, value))?;
        for (key, member) in members {
            let path = Path::Member(&root, key);
            match (key.as_str(), member) {
                ("choices", Value::Array(choices)) => {
                    if choices.len() as u64 > MAX_CHOICES {
                        return Err(shape(&path, member));
                    }
                    for (at, choice) in choices.iter().enumerate() {
                        self.choice(&Path::Item(&path, at), at, choice)?;
                    }
                }
                ("choices", Value::Null) if !self.unary => {}
                ("choices", _) => return Err(shape(&path, member)),
                ("object", Value::String(text)) if OBJECTS.contains(&text.as_str()) => {}
                _ => self.other(0, &path, key, member),
            }
        }
        Ok(())
    }

    fn choice(&mut self, path: &Path<'_>, at: usize, value: &Value) -> Result<(), AnswerError> {
        let members = value.as_object().ok_or_else(|| shape(path, value))?;
        // SDKs find the choices of a whole answer by position, of a stream by index.
        let index = match value.get("index") {
            _ if self.unary => at as u64,
            None | Some(Value::Null) => 0,
            Some(number) => number
                .as_i64()
                .and_then(|number| u64::try_from(number).ok())
                .filter(|number| *number < MAX_CHOICES)
                .ok_or_else(|| shape(&Path::Member(path, "index"), number))?,
        };
        let choice = u32::try_from(index).unwrap_or(u32::MAX);
        // Some clients read the first entry only, some all that share the index.
        if self.choices.contains(&choice) {
            return Err(shape(path, value));
        }
        self.choices.push(choice);
        for (key, member) in members {
            let path = Path::Member(path, key);
            match (key.as_str(), member) {
                ("message" | "delta", Value::Object(_)) => {
                    let before = self.calls.len();
                    self.message(choice, &path, member)?;
                    if key == "message" {
                        // A client that joins deltas does not join these with them.
                        self.calls[before..].iter_mut().for_each(|call| call.index += MAX_CALLS);
                    }
                }
                ("message" | "delta", Value::Null) => {}
                ("message" | "delta", _) => return Err(shape(&path, member)),
                // Providers exist that send an empty one with every chunk.
                ("finish_reason", Value::String(reason)) if reason.is_empty() => {}
                ("finish_reason", Value::String(reason)) => {
                    if !FINISH.contains(&reason.as_str()) {
                        self.push(choice, None, &path, reason);
                    }
                    self.finish.push((choice, reason.clone()));
                }
                _ => self.other(choice, &path, key, member),
            }
        }
        Ok(())
    }

    fn message(&mut self, choice: u32, path: &Path<'_>, value: &Value) -> Result<(), AnswerError> {
        for (key, member) in value.as_object().unwrap_or(&[]) {
            let path = Path::Member(path, key);
            match (key.as_str(), member) {
                ("content", Value::String(text)) => {
                    self.push(choice, Some(Channel::Content), &path, text);
                }
                ("content", Value::Array(parts)) => self.parts(choice, &path, parts),
                ("refusal", Value::String(text)) => {
                    self.push(choice, Some(Channel::Refusal), &path, text);
                }
                ("reasoning_content" | "reasoning", Value::String(text)) => {
                    self.push(choice, Some(Channel::Reasoning), &path, text);
                }
                ("audio", Value::Object(members)) => {
                    for (key, member) in members {
                        let path = Path::Member(&path, key);
                        match (key.as_str(), member) {
                            ("transcript", Value::String(text)) => {
                                self.push(choice, Some(Channel::Transcript), &path, text);
                            }
                            _ => self.other(choice, &path, key, member),
                        }
                    }
                }
                ("role", Value::String(role)) if ROLES.contains(&role.as_str()) => {}
                ("tool_calls", Value::Array(items)) => {
                    for (at, item) in items.iter().enumerate() {
                        self.call(choice, &Path::Item(&path, at), at, item)?;
                    }
                }
                ("function_call", Value::Object(_)) => {
                    self.call_body(choice, &path, member, "arguments")?;
                    self.delta(choice, &path, 0, CallKind::Legacy, "", member);
                }
                ("tool_calls" | "function_call", Value::Null) => {}
                ("tool_calls" | "function_call", _) => return Err(shape(&path, member)),
                _ => self.other(choice, &path, key, member),
            }
        }
        if self.unary {
            self.whole_calls.extend(calls(choice, value, &path.pointer()));
        }
        Ok(())
    }

    fn parts(&mut self, choice: u32, path: &Path<'_>, parts: &[Value]) {
        for (at, part) in parts.iter().enumerate() {
            let path = Path::Item(path, at);
            match part {
                Value::String(text) => self.push(choice, Some(Channel::Content), &path, text),
                Value::Object(members) => {
                    for (key, member) in members {
                        let path = Path::Member(&path, key);
                        match (key.as_str(), member) {
                            ("text", Value::String(text)) => {
                                self.push(choice, Some(Channel::Content), &path, text);
                            }
                            ("refusal", Value::String(text)) => {
                                self.push(choice, Some(Channel::Refusal), &path, text);
                            }
                            _ => self.other(choice, &path, key, member),
                        }
                    }
                }
                _ => self.other(choice, &path, "content", part),
            }
        }
    }

    fn call(
        &mut self,
        choice: u32,
        path: &Path<'_>,
        at: usize,
        value: &Value,
    ) -> Result<(), AnswerError> {
        let members = value.as_object().ok_or_else(|| shape(path, value))?;
        let index = match value.get("index") {
            None | Some(Value::Null) => u32::try_from(at).unwrap_or(u32::MAX),
            Some(number) => number
                .as_i64()
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| *number < MAX_CALLS)
                .ok_or_else(|| shape(&Path::Member(path, "index"), number))?,
        };
        if at >= MAX_CALLS as usize {
            return Err(shape(path, value));
        }
        let custom = value.get("custom").is_some();
        let mut id = "";
        for (key, member) in members {
            let path = Path::Member(path, key);
            match (key.as_str(), member) {
                ("id", Value::String(text)) => id = text,
                ("type", Value::String(text)) if matches!(text.as_str(), "function" | "custom") => {
                }
                ("custom", Value::Object(_)) => self.call_body(choice, &path, member, "input")?,
                ("function", Value::Object(_)) if !custom => {
                    self.call_body(choice, &path, member, "arguments")?;
                }
                ("function" | "custom", Value::Null) => {}
                ("function" | "custom", _) => return Err(shape(&path, member)),
                _ => self.other(choice, &path, key, member),
            }
        }
        let (kind, member) = match custom {
            true => (CallKind::Custom, "custom"),
            false => (CallKind::Function, "function"),
        };
        let body = value.get(member).unwrap_or(&Value::Null);
        self.delta(choice, &Path::Member(path, member), index, kind, id, body);
        Ok(())
    }

    /// The members of a call that are neither its name nor its arguments.
    fn call_body(
        &mut self,
        choice: u32,
        path: &Path<'_>,
        value: &Value,
        field: &str,
    ) -> Result<(), AnswerError> {
        for (key, member) in value.as_object().unwrap_or(&[]) {
            let path = Path::Member(path, key);
            match (key.as_str(), member) {
                ("name", Value::String(_) | Value::Null) => {}
                ("name", _) => return Err(shape(&path, member)),
                (key, _) if key == field => {}
                _ => self.other(choice, &path, key, member),
            }
        }
        Ok(())
    }

    fn delta(
        &mut self,
        choice: u32,
        path: &Path<'_>,
        index: u32,
        kind: CallKind,
        id: &str,
        body: &Value,
    ) {
        if self.unary {
            return;
        }
        let field = if kind == CallKind::Custom { "input" } else { "arguments" };
        self.calls.push(CallDelta {
            choice,
            index,
            kind,
            id: id.to_owned(),
            name: body.get("name").and_then(Value::as_str).unwrap_or("").to_owned(),
            arguments: text_of(body.get(field)),
            pointer: Path::Member(path, field).pointer(),
        });
    }

    /// Everything at a place that has no meaning of its own: every string, and every key that is
    /// not the API's.
    fn other(&mut self, choice: u32, path: &Path<'_>, key: &str, value: &Value) {
        if !known_key(key) {
            self.key(choice, path, key);
        }
        walk(path, value, &mut |path, is_key, text| match is_key {
            true if known_key(text) => {}
            true => self.key(choice, path, text),
            false => self.push(choice, None, path, text),
        });
    }

    fn key(&mut self, choice: u32, path: &Path<'_>, key: &str) {
        let channel = Channel::Other(format!("{}#key", path.pattern()));
        self.texts.push(Text { choice, channel, pointer: None, text: key.to_owned() });
    }

    fn push(&mut self, choice: u32, channel: Option<Channel>, path: &Path<'_>, text: &str) {
        if text.is_empty() {
            return;
        }
        let channel = channel.unwrap_or_else(|| Channel::Other(path.pattern()));
        let pointer = Some(path.pointer());
        self.texts.push(Text { choice, channel, pointer, text: text.to_owned() });
    }
}

/// The most tool calls a choice may have.
const MAX_CALLS: u32 = 1024;

fn shape(path: &Path<'_>, value: &Value) -> AnswerError {
    AnswerError::Shape { pointer: path.pointer(), found: value.kind() }
}

fn model(value: &Value) -> Option<String> {
    value.get("model").and_then(Value::as_str).map(str::to_owned)
}

fn usage(value: &Value) -> Option<Usage> {
    let usage = value.get("usage").filter(|usage| usage.as_object().is_some())?;
    let count = |name| {
        let number = usage.get(name).and_then(Value::as_i64).unwrap_or(0);
        u64::try_from(number).unwrap_or(0)
    };
    let (prompt, completion) = (count("prompt_tokens"), count("completion_tokens"));
    let total = count("total_tokens").max(prompt.saturating_add(completion));
    Some(Usage { prompt, completion, total })
}

fn api_error(value: &Value) -> Option<ApiError> {
    let error = match value.get("error") {
        None | Some(Value::Null) => return None,
        Some(error) => error,
    };
    if error.as_object().is_none() {
        return Some(ApiError { message: text_of(Some(error)), ..ApiError::default() });
    }
    Some(ApiError {
        message: text_of(error.get("message")),
        class: text_of(error.get("type")),
        code: text_of(error.get("code")),
    })
}

fn edited(value: &Value, edits: &[Edit]) -> Result<String, EditError> {
    let mut value = value.clone();
    edit::apply(&mut value, edits)?;
    for edit in edits {
        let place = edit.pointer.strip_prefix("/choices/").and_then(|rest| rest.split('/').next());
        let index = place.and_then(|index| index.parse::<usize>().ok());
        if let (Some(index), Some(Value::Array(choices))) = (index, value.get_mut("choices"))
            && let Some(logprobs) = choices.get_mut(index).and_then(|c| c.get_mut("logprobs"))
        {
            *logprobs = Value::Null;
        }
    }
    Ok(write_plain(&value))
}
