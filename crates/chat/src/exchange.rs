//! A chat completions request, read strictly and kept byte for byte.
//!
//! What decides how the upstream will read the request (messages, model, stream, counts) must have
//! the documented type: a gateway that reads `"stream": "true"` otherwise than its upstream does
//! has been talked past. Everything else may be anything, is inspected and goes on unchanged.

use seal::base64;
use seal::digest::Digest;
use seal::json::{JsonErrorKind, Limits, Value, parse, write_plain};

use crate::edit::{self, Edit, EditError};
use crate::event::{CallKind, ToolCall};

/// A request as it was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The bytes as received. They are what is forwarded unless a redaction changed them.
    pub body: Vec<u8>,
    /// The document they hold; always an object.
    pub value: Value,
    /// `model`, not empty.
    pub model: String,
    /// `stream`; absent and null are false.
    pub stream: bool,
    /// Whether `stream_options.include_usage` asks for a usage event.
    pub include_usage: bool,
    /// `max_tokens`.
    pub max_tokens: Option<u64>,
    /// `max_completion_tokens`, which supersedes it.
    pub max_completion_tokens: Option<u64>,
    /// `n`, at least 1.
    pub n: u64,
    /// Names of the tools and legacy functions offered to the model.
    pub tools: Vec<String>,
}

/// Why a request is not one. Every kind is the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}{}", place(.at))]
pub struct RequestError {
    /// What is wrong.
    pub kind: RequestErrorKind,
    /// Where: a byte offset or a JSON pointer, as text for people. Never content.
    pub at: String,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestErrorKind {
    /// More bytes than allowed.
    #[error("the body is larger than allowed")]
    BodyTooLarge,
    /// No bytes, or nothing but white space.
    #[error("the body is empty; send a JSON object")]
    EmptyBody,
    /// Not UTF-8, or with a byte order mark, or half a surrogate pair in an escape.
    #[error("the body is not UTF-8 text without a byte order mark")]
    InvalidEncoding,
    /// Not JSON.
    #[error("the body is not JSON")]
    JsonDecode,
    /// An object has a key twice.
    #[error("an object has a key twice")]
    DuplicateKey,
    /// Nested too deep.
    #[error("the body is nested too deep")]
    TooDeep,
    /// NaN, Infinity or a number beyond the range of a double.
    #[error("a number is not finite")]
    NonFinite,
    /// Not an object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// `messages` is not what the API documents.
    #[error("`messages` must be a non-empty array of objects with a role and text content")]
    Messages,
    /// `model` is not a non-empty string.
    #[error("`model` must be a non-empty string")]
    Model,
    /// Another member that decides how the request is read has the wrong type.
    #[error("a member has the wrong type")]
    Member,
}

impl RequestErrorKind {
    /// The stable code for audit entries and error bodies.
    pub fn code(self) -> &'static str {
        match self {
            RequestErrorKind::BodyTooLarge => "body_too_large",
            RequestErrorKind::EmptyBody => "empty_body",
            RequestErrorKind::InvalidEncoding => "invalid_encoding",
            RequestErrorKind::JsonDecode => "json_decode_error",
            RequestErrorKind::DuplicateKey => "json_duplicate_key",
            RequestErrorKind::TooDeep => "json_too_deeply_nested",
            RequestErrorKind::NonFinite => "non_finite_float",
            RequestErrorKind::NotAnObject => "non_object_body",
            RequestErrorKind::Messages => "messages_invalid",
            RequestErrorKind::Model => "model_invalid",
            RequestErrorKind::Member => "member_invalid",
        }
    }

    /// Whether the size is what is wrong, for which HTTP has a status of its own.
    pub fn is_too_large(self) -> bool {
        self == RequestErrorKind::BodyTooLarge
    }
}

impl From<JsonErrorKind> for RequestErrorKind {
    fn from(kind: JsonErrorKind) -> RequestErrorKind {
        match kind {
            JsonErrorKind::TooLong => RequestErrorKind::BodyTooLarge,
            JsonErrorKind::TooDeep => RequestErrorKind::TooDeep,
            JsonErrorKind::Utf8 | JsonErrorKind::Bom | JsonErrorKind::LoneSurrogate => {
                RequestErrorKind::InvalidEncoding
            }
            JsonErrorKind::Empty => RequestErrorKind::EmptyBody,
            JsonErrorKind::DuplicateKey => RequestErrorKind::DuplicateKey,
            JsonErrorKind::NonFinite => RequestErrorKind::NonFinite,
            // Syntax, Trailing, and whatever the parser learns to refuse.
            _ => RequestErrorKind::JsonDecode,
        }
    }
}

/// One message of a request, as a view.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'v> {
    /// Its index in `messages`.
    pub index: usize,
    /// `system`, `developer`, `user`, `assistant`, `tool`, `function`, or what was sent.
    pub role: &'v str,
    /// `name`.
    pub name: Option<&'v str>,
    /// The content in order.
    pub parts: Vec<Part<'v>>,
    /// Calls that an assistant message repeats.
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool message answers.
    pub tool_call_id: Option<&'v str>,
}

/// One piece of a message's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'v> {
    /// Text.
    Text(&'v str),
    /// Anything else, by the digest of its bytes: of the decoded data where the part carries
    /// base64, of its reference where it carries one, else of the part's own JSON.
    Binary {
        /// The part's `type`.
        kind: &'v str,
        /// The digest.
        digest: Digest,
    },
}

impl Message<'_> {
    /// The content as one text: text parts in order joined by newlines, binary parts as their
    /// digests. This is what `input_hash` of a `user_input` receipt and `output_hash` of a
    /// `tool_call` receipt cover (spec/event-model.md).
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Binary { digest, .. } => text.push_str(&digest.to_string()),
            }
        }
        text
    }
}

impl Exchange {
    /// Reads the body of a chat completions request.
    ///
    /// # Errors
    /// What is wrong with it; nothing makes this panic.
    pub fn parse(body: impl Into<Vec<u8>>, limits: Limits) -> Result<Exchange, RequestError> {
        let body = body.into();
        let value = parse(&body, limits).map_err(|error| RequestError {
            kind: error.kind.into(),
            at: format!("byte {}", error.at),
        })?;
        if value.as_object().is_none() {
            return Err(wrong(RequestErrorKind::NotAnObject, ""));
        }
        let model = match value.get("model").and_then(Value::as_str) {
            Some(model) if !model.trim().is_empty() => model.to_owned(),
            _ => return Err(wrong(RequestErrorKind::Model, "/model")),
        };
        check_messages(&value)?;
        check_token_ids(&value)?;
        let stream = flag(&value, "stream", "/stream")?;
        let include_usage = match value.get("stream_options") {
            None | Some(Value::Null) => false,
            Some(options @ Value::Object(_)) => {
                flag(options, "include_usage", "/stream_options/include_usage")?
            }
            Some(_) => return Err(wrong(RequestErrorKind::Member, "/stream_options")),
        };
        let n = match count(&value, "n", "/n")? {
            None => 1,
            Some(n @ 1..=MAX_CHOICES) => n,
            Some(_) => return Err(wrong(RequestErrorKind::Member, "/n")),
        };
        Ok(Exchange {
            model,
            stream,
            include_usage,
            max_tokens: count(&value, "max_tokens", "/max_tokens")?,
            max_completion_tokens: count(
                &value,
                "max_completion_tokens",
                "/max_completion_tokens",
            )?,
            n,
            tools: tool_names(&value)?,
            value,
            body,
        })
    }

    /// The most tokens one choice may have, when the caller says so.
    pub fn token_limit(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// The messages in order.
    pub fn messages(&self) -> Vec<Message<'_>> {
        let items = self.value.get("messages").and_then(Value::as_array).unwrap_or(&[]);
        items.iter().enumerate().map(|(index, item)| message(index, item)).collect()
    }

    /// The text of every user message with its index: what `user_input` receipts cover. Which of
    /// them are new is for whoever remembers the earlier ones.
    pub fn user_texts(&self) -> Vec<(usize, String)> {
        self.messages()
            .iter()
            .filter(|message| message.role == "user")
            .map(|message| (message.index, message.text()))
            .collect()
    }

    /// The body with the edits made: the received bytes when there are none.
    ///
    /// # Errors
    /// An edit that does not fit; then nothing may be forwarded.
    pub fn edited(&self, edits: &[Edit]) -> Result<Vec<u8>, EditError> {
        if edits.is_empty() {
            return Ok(self.body.clone());
        }
        let mut value = self.value.clone();
        edit::apply(&mut value, edits)?;
        Ok(write_plain(&value).into_bytes())
    }
}

/// The most choices a request may ask for, and an answer may have.
pub(crate) const MAX_CHOICES: u64 = 128;

/// The most messages of users and tools in one request: each of them may have to leave a receipt,
/// and a request whose evidence would be too much must be refused before anything is forwarded.
const MAX_TURNS: usize = 2048;

/// The most messages of one request.
const MAX_MESSAGES: usize = 16_384;

/// Every message must be an object with a role; content is a string, null, absent, or an array of
/// objects and strings. Token-id arrays and bare objects have no text that could be judged.
fn check_messages(value: &Value) -> Result<(), RequestError> {
    let wrong = |place: String| RequestError { kind: RequestErrorKind::Messages, at: place };
    let items = match value.get("messages") {
        Some(Value::Array(items)) if (1..=MAX_MESSAGES).contains(&items.len()) => items,
        _ => return Err(wrong("/messages".to_owned())),
    };
    let mut turns = 0;
    for (index, item) in items.iter().enumerate() {
        match item.get("role").and_then(Value::as_str) {
            None | Some("") => return Err(wrong(format!("/messages/{index}/role"))),
            Some("user" | "tool" | "function") if turns == MAX_TURNS => {
                return Err(wrong(format!("/messages/{index}")));
            }
            Some("user" | "tool" | "function") => turns += 1,
            Some(_) => {}
        }
        match item.get("content") {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(Value::Array(parts)) => {
                let readable = |part: &Value| matches!(part, Value::Object(_) | Value::String(_));
                if let Some(bad) = parts.iter().position(|part| !readable(part)) {
                    return Err(wrong(format!("/messages/{index}/content/{bad}")));
                }
            }
            Some(_) => return Err(wrong(format!("/messages/{index}/content"))),
        }
        match item.get("tool_calls") {
            None | Some(Value::Null) => {}
            Some(Value::Array(calls)) if calls.iter().all(|call| call.as_object().is_some()) => {}
            Some(_) => return Err(wrong(format!("/messages/{index}/tool_calls"))),
        }
        for member in ["tool_call_id", "name"] {
            if !matches!(item.get(member), None | Some(Value::Null | Value::String(_))) {
                return Err(wrong(format!("/messages/{index}/{member}")));
            }
        }
    }
    Ok(())
}

/// Members by which other endpoints, or some servers beside their API, take a prompt as token ids.
/// Nobody here can read those, so a request that has them is refused.
fn check_token_ids(value: &Value) -> Result<(), RequestError> {
    fn numbers(value: &Value) -> bool {
        match value {
            Value::Int(_) | Value::Big(_) | Value::Float(_) => true,
            Value::Array(items) => items.iter().any(numbers),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => false,
        }
    }
    for (member, pointer) in [
        ("prompt", "/prompt"),
        ("input", "/input"),
        ("prompt_token_ids", "/prompt_token_ids"),
        ("input_ids", "/input_ids"),
    ] {
        if value.get(member).is_some_and(numbers) {
            return Err(wrong(RequestErrorKind::Member, pointer));
        }
    }
    Ok(())
}

fn flag(value: &Value, name: &str, pointer: &str) -> Result<bool, RequestError> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(wrong(RequestErrorKind::Member, pointer)),
    }
}

fn count(value: &Value, name: &str, pointer: &str) -> Result<Option<u64>, RequestError> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Int(number)) => {
            u64::try_from(*number).map(Some).map_err(|_| wrong(RequestErrorKind::Member, pointer))
        }
        Some(_) => Err(wrong(RequestErrorKind::Member, pointer)),
    }
}

fn tool_names(value: &Value) -> Result<Vec<String>, RequestError> {
    let mut names = Vec::new();
    for (member, pointer) in [("tools", "/tools"), ("functions", "/functions")] {
        let items = match value.get(member) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(items)) => items,
            Some(_) => return Err(wrong(RequestErrorKind::Member, pointer)),
        };
        for item in items {
            if item.as_object().is_none() {
                return Err(wrong(RequestErrorKind::Member, pointer));
            }
            let definition = item.get("function").or_else(|| item.get("custom")).unwrap_or(item);
            if let Some(name) = definition.get("name").and_then(Value::as_str) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

fn message(index: usize, item: &Value) -> Message<'_> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let parts = match item.get("content") {
        Some(Value::String(text)) => vec![Part::Text(text)],
        Some(Value::Array(parts)) => parts.iter().map(part).collect(),
        _ => Vec::new(),
    };
    Message {
        index,
        role: text("role").unwrap_or(""),
        name: text("name"),
        parts,
        tool_calls: calls(
            u32::try_from(index).unwrap_or(u32::MAX),
            item,
            &format!("/messages/{index}"),
        ),
        tool_call_id: text("tool_call_id"),
    }
}

fn part(value: &Value) -> Part<'_> {
    if let Value::String(text) = value {
        return Part::Text(text);
    }
    let kind = value.get("type").and_then(Value::as_str).unwrap_or("");
    // `text` of `text` and `input_text` parts, `refusal` of `refusal` parts.
    if let Some(text) = value.get("text").or_else(|| value.get("refusal")).and_then(Value::as_str) {
        return Part::Text(text);
    }
    let inner = value.get(kind);
    let reference = match kind {
        "image_url" => {
            inner.and_then(|image| image.as_str().or_else(|| image.get("url")?.as_str()))
        }
        "input_audio" => inner.and_then(|audio| audio.get("data")?.as_str()),
        "file" => inner.and_then(|file| {
            file.get("file_data").or_else(|| file.get("file_id")).and_then(Value::as_str)
        }),
        _ => None,
    };
    let digest = match reference {
        Some(reference) => data_digest(reference),
        None => Digest::of(write_plain(value).as_bytes()),
    };
    Part::Binary { kind, digest }
}

/// Of the decoded bytes of a `data:` URL or of plain base64; else of the text itself.
fn data_digest(reference: &str) -> Digest {
    let encoded = match reference.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,").map(|(_, data)| data),
        None => Some(reference),
    };
    match encoded.map(base64::std_decode) {
        Some(Ok(bytes)) => Digest::of(&bytes),
        _ => Digest::of(reference.as_bytes()),
    }
}

/// The calls of a message, whole, in order; the legacy member last.
pub(crate) fn calls(choice: u32, message: &Value, base: &str) -> Vec<ToolCall> {
    let mut calls = Vec::new();
    let items = message.get("tool_calls").and_then(Value::as_array).unwrap_or(&[]);
    for (at, item) in items.iter().enumerate() {
        let (kind, member, field) = match item.get("custom") {
            Some(_) => (CallKind::Custom, "custom", "input"),
            None => (CallKind::Function, "function", "arguments"),
        };
        let body = item.get(member).unwrap_or(&Value::Null);
        calls.push(ToolCall {
            choice,
            index: u32::try_from(calls.len()).unwrap_or(u32::MAX),
            id: item.get("id").and_then(Value::as_str).unwrap_or("").to_owned(),
            name: body.get("name").and_then(Value::as_str).unwrap_or("").to_owned(),
            arguments: text_of(body.get(field)),
            kind,
            pointer: Some(format!("{base}/tool_calls/{at}/{member}/{field}")),
        });
    }
    if let Some(body @ Value::Object(_)) = message.get("function_call") {
        calls.push(ToolCall {
            choice,
            index: u32::try_from(calls.len()).unwrap_or(u32::MAX),
            id: String::new(),
            name: body.get("name").and_then(Value::as_str).unwrap_or("").to_owned(),
            arguments: text_of(body.get("arguments")),
            kind: CallKind::Legacy,
            pointer: Some(format!("{base}/function_call/arguments")),
        });
    }
    calls
}

/// Arguments are text; a provider that sends the object itself is read as its compact JSON.
pub(crate) fn text_of(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => write_plain(other),
    }
}

fn wrong(kind: RequestErrorKind, pointer: &str) -> RequestError {
    RequestError { kind, at: pointer.to_owned() }
}

fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!(" (at {at})") }
}
