//! The built-in model simulator: a real upstream without a network. The same
//! request always gets the same bytes, so that evidence can be compared; it
//! speaks chat completions, unary and streamed, tools and usage included.

use bytes::Bytes;
use http::StatusCode;
use seal::digest::Digest;
use seal::json::{self, Limits, Value};

use crate::upstream::AnswerKind;

/// The simulator. It answers any model name as `simulator`.
#[derive(Debug, Clone, Copy)]
pub struct Simulator;

/// What it answers.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) status: StatusCode,
    pub(crate) kind: AnswerKind,
    pub(crate) pieces: Vec<Bytes>,
}

/// One choice of an answer, before it is written out.
struct Reply {
    text: String,
    calls: Vec<(String, String)>,
    finish: &'static str,
}

const MODEL: &str = "simulator";
/// Nobody needs more choices from a simulator.
const MOST_CHOICES: i64 = 8;
/// So much of the question is repeated in the answer.
const ECHO_CHARS: usize = 400;

impl Simulator {
    /// The list of models: itself.
    pub(crate) fn models(&self) -> Made {
        let body = chat::problem::models([MODEL], "countersign", 0);
        Made { status: StatusCode::OK, kind: AnswerKind::Json, pieces: vec![Bytes::from(body)] }
    }

    /// A chat completion.
    pub(crate) fn chat(&self, body: &[u8]) -> Made {
        let Ok(request) = json::parse(body, Limits::REQUEST) else {
            return refused("the body is not JSON");
        };
        let Some(messages) = request.get("messages").and_then(Value::as_array) else {
            return refused("messages are missing");
        };
        let id = format!("chatcmpl-sim-{}", &Digest::of(body).hex()[..24]);
        let reply = reply(&request, messages);
        let choices = request.get("n").and_then(Value::as_i64).unwrap_or(1).clamp(1, MOST_CHOICES);
        let prompt = tokens(body.len());
        let completion = choices
            * (tokens(reply.text.len())
                + reply
                    .calls
                    .iter()
                    .map(|(name, args)| tokens(name.len() + args.len()))
                    .sum::<i64>());
        let usage = Value::object([
            ("prompt_tokens", prompt.into()),
            ("completion_tokens", completion.into()),
            ("total_tokens", (prompt + completion).into()),
        ]);
        if request.get("stream").and_then(Value::as_bool) == Some(true) {
            let wants_usage = request
                .get("stream_options")
                .and_then(|options| options.get("include_usage"))
                .and_then(Value::as_bool)
                == Some(true);
            return events(&id, &reply, choices, wants_usage.then_some(usage));
        }
        let choices = (0..choices).map(|index| {
            Value::object([
                ("index", index.into()),
                ("message", message(&reply)),
                ("logprobs", Value::Null),
                ("finish_reason", reply.finish.into()),
            ])
        });
        let answer = Value::object([
            ("id", id.as_str().into()),
            ("object", "chat.completion".into()),
            ("created", 0_i64.into()),
            ("model", MODEL.into()),
            ("choices", Value::array(choices)),
            ("usage", usage),
        ]);
        json_answer(StatusCode::OK, &answer)
    }
}

/// What the model would say: a tool call where one is asked for, the tool's
/// result where one has come back, an echo otherwise.
fn reply(request: &Value, messages: &[Value]) -> Reply {
    let last = messages.last();
    let role = last.and_then(|m| m.get("role")).and_then(Value::as_str).unwrap_or("");
    let text = last.map(text_of).unwrap_or_default();
    if role == "tool" {
        return limited(format!("The tool answered: {}", clipped(&text)), request);
    }
    let calls = wanted_calls(request, &text);
    if !calls.is_empty() {
        return Reply { text: String::new(), calls, finish: "tool_calls" };
    }
    limited(format!("The simulator heard: {}", clipped(&text)), request)
}

/// Which tools the request asks to be called, with arguments made from the
/// required properties of their schemas.
fn wanted_calls(request: &Value, text: &str) -> Vec<(String, String)> {
    let Some(tools) = request.get("tools").and_then(Value::as_array) else { return Vec::new() };
    let choice = request.get("tool_choice");
    if choice.and_then(Value::as_str) == Some("none") {
        return Vec::new();
    }
    let forced =
        choice.and_then(|c| c.get("function")).and_then(|f| f.get("name")).and_then(Value::as_str);
    let functions: Vec<(&str, Option<&Value>)> = tools
        .iter()
        .filter_map(|tool| tool.get("function"))
        .filter_map(|f| Some((f.get("name")?.as_str()?, f.get("parameters"))))
        .collect();
    let made = |(name, schema): &(&str, Option<&Value>)| {
        let arguments = schema.map_or_else(|| Value::Object(Vec::new()), |s| example("", s, 0));
        ((*name).to_owned(), json::write_plain(&arguments))
    };
    let named: Vec<_> = functions
        .iter()
        .filter(|(name, _)| forced.map_or_else(|| text.contains(name), |forced| forced == *name))
        .map(made)
        .collect();
    if !named.is_empty() {
        return named;
    }
    let must = choice.and_then(Value::as_str) == Some("required");
    let says_call =
        text.split(|c: char| !c.is_alphanumeric()).any(|w| w.eq_ignore_ascii_case("call"));
    if must || says_call { functions.iter().take(1).map(made).collect() } else { Vec::new() }
}

/// A value that a schema would accept, the same every time.
fn example(name: &str, schema: &Value, depth: usize) -> Value {
    if let Some(given) = schema.get("const").or_else(|| schema.get("default")) {
        return given.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|e| e.first()) {
        return first.clone();
    }
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or("object");
    match kind {
        "string" => format!("example {name}").trim_end().into(),
        "integer" | "number" => 1_i64.into(),
        "boolean" => true.into(),
        "null" => Value::Null,
        "array" => Value::Array(Vec::new()),
        _ if depth >= 8 => Value::Object(Vec::new()),
        _ => {
            let required = schema.get("required").and_then(Value::as_array).unwrap_or(&[]);
            let members = required.iter().filter_map(Value::as_str).map(|name| {
                let schema = schema.get("properties").and_then(|p| p.get(name));
                let value = schema.map_or(Value::Null, |s| example(name, s, depth + 1));
                (name.to_owned(), value)
            });
            Value::Object(members.collect())
        }
    }
}

/// Cuts at the token limit as a model would.
fn limited(text: String, request: &Value) -> Reply {
    let limit = request
        .get("max_completion_tokens")
        .or_else(|| request.get("max_tokens"))
        .and_then(Value::as_i64)
        .and_then(|tokens| usize::try_from(tokens).ok())
        .map(|tokens| tokens.saturating_mul(4));
    match limit.and_then(|chars| text.char_indices().nth(chars)) {
        Some((at, _)) => Reply { text: text[..at].to_owned(), calls: Vec::new(), finish: "length" },
        None => Reply { text, calls: Vec::new(), finish: "stop" },
    }
}

fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

fn clipped(text: &str) -> &str {
    text.char_indices().nth(ECHO_CHARS).map_or(text, |(at, _)| &text[..at])
}

fn tokens(bytes: usize) -> i64 {
    i64::try_from(bytes.div_ceil(4)).unwrap_or(i64::MAX)
}

fn call_id(arguments: &str, name: &str, index: usize) -> String {
    let digest = Digest::of(format!("{index}\n{name}\n{arguments}").as_bytes()).hex();
    format!("call_{}", &digest[..24])
}

fn tool_call(index: Option<usize>, at: usize, name: &str, arguments: &str, shown: &str) -> Value {
    let mut members = vec![
        ("id".to_owned(), call_id(arguments, name, at).into()),
        ("type".to_owned(), "function".into()),
        (
            "function".to_owned(),
            Value::object([("name", name.into()), ("arguments", shown.into())]),
        ),
    ];
    if let Some(index) = index {
        members.insert(0, ("index".to_owned(), i64::try_from(index).unwrap_or(0).into()));
    }
    Value::Object(members)
}

fn message(reply: &Reply) -> Value {
    if reply.calls.is_empty() {
        return Value::object([
            ("role", "assistant".into()),
            ("content", reply.text.as_str().into()),
            ("refusal", Value::Null),
        ]);
    }
    let calls = reply
        .calls
        .iter()
        .enumerate()
        .map(|(at, (name, arguments))| tool_call(None, at, name, arguments, arguments));
    Value::object([
        ("role", "assistant".into()),
        ("content", Value::Null),
        ("refusal", Value::Null),
        ("tool_calls", Value::array(calls)),
    ])
}

/// The streamed form: one event per word or per argument fragment.
fn events(id: &str, reply: &Reply, choices: i64, usage: Option<Value>) -> Made {
    let mut pieces = Vec::new();
    let chunk = |choices: Value, usage: Option<&Value>| {
        let mut members = vec![
            ("id".to_owned(), id.into()),
            ("object".to_owned(), "chat.completion.chunk".into()),
            ("created".to_owned(), 0_i64.into()),
            ("model".to_owned(), MODEL.into()),
            ("choices".to_owned(), choices),
        ];
        if let Some(usage) = usage {
            members.push(("usage".to_owned(), usage.clone()));
        }
        Bytes::from(format!("data: {}\n\n", json::write_plain(&Value::Object(members))))
    };
    let delta = |index: i64, delta: Value, finish: Option<&str>| {
        let choice = Value::object([
            ("index", index.into()),
            ("delta", delta),
            ("finish_reason", finish.map_or(Value::Null, Into::into)),
        ]);
        chunk(Value::array([choice]), None)
    };
    for index in 0..choices {
        let role = Value::object([("role", "assistant".into()), ("content", "".into())]);
        pieces.push(delta(index, role, None));
        for word in reply.text.split_inclusive(' ') {
            pieces.push(delta(index, Value::object([("content", word.into())]), None));
        }
        for (at, (name, arguments)) in reply.calls.iter().enumerate() {
            let call = |value| Value::object([("tool_calls", Value::array([value]))]);
            let opening = call(tool_call(Some(at), at, name, arguments, ""));
            pieces.push(delta(index, opening, None));
            for fragment in fragments(arguments, 8) {
                let part = Value::object([
                    ("index", i64::try_from(at).unwrap_or(0).into()),
                    ("function", Value::object([("arguments", fragment.into())])),
                ]);
                pieces.push(delta(index, call(part), None));
            }
        }
        pieces.push(delta(index, Value::Object(Vec::new()), Some(reply.finish)));
    }
    if let Some(usage) = usage {
        pieces.push(chunk(Value::Array(Vec::new()), Some(&usage)));
    }
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Made { status: StatusCode::OK, kind: AnswerKind::Events, pieces }
}

fn fragments(text: &str, chars: usize) -> Vec<&str> {
    let mut rest = text;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let at = rest.char_indices().nth(chars).map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(at);
        parts.push(part);
        rest = after;
    }
    parts
}

fn json_answer(status: StatusCode, value: &Value) -> Made {
    let body = Bytes::from(json::write_plain(value));
    Made { status, kind: AnswerKind::Json, pieces: vec![body] }
}

fn refused(message: &str) -> Made {
    let error = Value::object([
        ("message", message.into()),
        ("type", "invalid_request_error".into()),
        ("param", Value::Null),
        ("code", Value::Null),
    ]);
    json_answer(StatusCode::BAD_REQUEST, &Value::object([("error", error)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unary(request: &str) -> Value {
        let made = Simulator.chat(request.as_bytes());
        json::parse(&made.pieces[0], Limits::REQUEST).expect("the simulator writes JSON")
    }

    #[test]
    fn the_same_request_gets_the_same_bytes() {
        let request = br#"{"model":"any","messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(Simulator.chat(request).pieces, Simulator.chat(request).pieces);
    }

    #[test]
    fn a_named_tool_is_called_with_its_required_properties() {
        let answer = unary(
            r#"{"model":"m","messages":[{"role":"user","content":"use send_email now"}],
            "tools":[{"type":"function","function":{"name":"send_email","parameters":
            {"type":"object","properties":{"to":{"type":"string"},"cc":{"type":"string"},"n":{"type":"integer"}},
            "required":["to","n"]}}}]}"#,
        );
        let choice = &answer.get("choices").and_then(Value::as_array).expect("choices")[0];
        assert_eq!(choice.get("finish_reason").and_then(Value::as_str), Some("tool_calls"));
        let call = &choice
            .get("message")
            .and_then(|m| m.get("tool_calls"))
            .and_then(Value::as_array)
            .expect("calls")[0];
        let function = call.get("function").expect("function");
        assert_eq!(
            function.get("arguments").and_then(Value::as_str),
            Some(r#"{"to":"example to","n":1}"#)
        );
    }

    #[test]
    fn a_token_limit_cuts_the_text() {
        let answer =
            unary(r#"{"model":"m","max_tokens":2,"messages":[{"role":"user","content":"hello"}]}"#);
        let choice = &answer.get("choices").and_then(Value::as_array).expect("choices")[0];
        assert_eq!(choice.get("finish_reason").and_then(Value::as_str), Some("length"));
    }

    #[test]
    fn a_stream_ends_with_done() {
        let made = Simulator.chat(
            br#"{"model":"m","stream":true,"stream_options":{"include_usage":true},
            "messages":[{"role":"user","content":"a b"}]}"#,
        );
        let last = made.pieces.last().expect("pieces");
        assert_eq!(&last[..], b"data: [DONE]\n\n");
        let usage = &made.pieces[made.pieces.len() - 2];
        assert!(String::from_utf8_lossy(usage).contains("\"total_tokens\""));
    }
}
