//! Streams as upstreams send them, made by us in the shapes that providers and proxies really use,
//! and what of each a caller gets.

/// A whole body of an event stream.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What it is.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What becomes of it.
    pub told: Told,
}

/// What a caller gets of a recorded stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Every byte.
    All,
    /// These bytes, in which something was cut out.
    Redacted(Vec<u8>),
    /// These bytes, and then no more of it.
    Before(Vec<u8>),
}

/// One stream of every kind.
pub fn streams() -> Vec<Recorded> {
    vec![
        benign(),
        tool_calls(),
        key(),
        marked(),
        two_choices(),
        lines_and_characters(),
        through_a_proxy(),
    ]
}

fn recorded(name: &'static str, text: String, told: Told) -> Recorded {
    Recorded { name, bytes: text.into_bytes(), told }
}

fn lean(choice: u32, delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":{choice},\"delta\":{delta}}}]}}\n\n")
}

fn lean_end(choice: u32, reason: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":{choice},\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n"
    )
}

const DONE: &str = "data: [DONE]\n\n";

/// The shape of the provider's own API: role first, usage last.
fn benign() -> Recorded {
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-Bq1\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_07871e2ad8\",\"choices\":[{choices}],\"usage\":{usage},\"obfuscation\":\"Zx9\"}}\n\n"
        )
    };
    let delta = |delta: &str, finish: &str| {
        let choice = format!(
            "{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}"
        );
        chunk(&choice, "null")
    };
    let text = [
        delta(r#"{"role":"assistant","content":"","refusal":null}"#, "null"),
        delta(r#"{"content":"The secret"}"#, "null"),
        delta(r#"{"content":" is patience (s)"}"#, "null"),
        delta("{}", "\"stop\""),
        chunk("", r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}"#),
        DONE.to_owned(),
    ];
    recorded("benign", text.concat(), Told::All)
}

fn tool_calls() -> Recorded {
    let call = |call: &str| lean(0, &format!("{{\"tool_calls\":[{call}]}}"));
    let text = [
        call(
            r#"{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}"#,
        ),
        call(r#"{"index":0,"function":{"arguments":"{\"city\":"}}"#),
        call(
            r#"{"index":1,"id":"call_2","type":"function","function":{"name":"time","arguments":"{}"}}"#,
        ),
        call(r#"{"index":0,"function":{"arguments":"\"Oslo\"}"}}"#),
        lean_end(0, "tool_calls"),
        DONE.to_owned(),
    ];
    recorded("tool calls", text.concat(), Told::All)
}

fn key() -> Recorded {
    let all = |pieces: &[&str]| {
        let deltas = pieces.iter().map(|piece| lean(0, &format!("{{\"content\":\"{piece}\"}}")));
        deltas.chain([lean_end(0, "stop"), DONE.to_owned()]).collect::<String>()
    };
    let told = all(&["the key ", "is [REDACTED:aws-access-key]", "", ", keep it"]);
    let text = all(&["the key ", "is AKIAIO", "SFODNN7EXAM", "PLE, keep it"]);
    recorded("a key", text, Told::Redacted(told.into_bytes()))
}

fn marked() -> Recorded {
    let good = lean(0, r#"{"content":"Good. "}"#);
    let text = [
        good.clone(),
        lean(0, r#"{"content":"SECRET"}"#),
        ": ping\n\n".to_owned(),
        lean(0, r#"{"content":"\u002f/NOF"}"#),
        lean(0, r#"{"content":"ORN and more"}"#),
        lean_end(0, "stop"),
        DONE.to_owned(),
    ];
    recorded("a marking", text.concat(), Told::Before(good.into_bytes()))
}

fn two_choices() -> Recorded {
    let text = [
        lean(0, r#"{"content":"SECRET//"}"#),
        lean(1, r#"{"content":"NOFORN, "}"#),
        lean(0, r#"{"content":" is how a banner begins"}"#),
        lean(1, r#"{"content":"they say"}"#),
        lean_end(1, "stop"),
        lean_end(0, "length"),
        DONE.to_owned(),
    ];
    recorded("two choices", text.concat(), Told::All)
}

fn lines_and_characters() -> Recorded {
    let text = [
        ": keep-alive\n\n".to_owned(),
        format!(
            "event: message\nid: 1\n{}",
            lean(0, "{\"content\":\"Grüße \u{2028}世界 🦀\u{85}\"}")
        ),
        "data: {\"choices\":\ndata: [{\"index\":0,\"delta\":{\"content\":\"ok.\"}}]}\n\n"
            .to_owned(),
        lean_end(0, "stop"),
        DONE.to_owned(),
    ];
    recorded("lines and characters", text.concat().replace('\n', "\r\n"), Told::All)
}

/// The shape that a proxy in front of other providers gives it.
fn through_a_proxy() -> Recorded {
    let chunk = |choice: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-7b\",\"created\":1750000000,\"model\":\"claude-sonnet\",\"object\":\"chat.completion.chunk\",\"choices\":[{choice}],\"stream_options\":{{\"include_usage\":true}}}}\n\n"
        )
    };
    let text = [
        chunk(
            r#"{"index":0,"delta":{"reasoning_content":"It asks","provider_specific_fields":{"reasoning_content":"It asks"},"content":"","role":"assistant"}}"#,
        ),
        chunk(r#"{"index":0,"delta":{"content":"Top tips: rest"}}"#),
        chunk(r#"{"finish_reason":"stop","index":0,"delta":{}}"#),
        DONE.to_owned(),
    ];
    recorded("through a proxy", text.concat(), Told::All)
}
