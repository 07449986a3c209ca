use countersign_chat::exchange::{Exchange, Part, RequestErrorKind};
use countersign_chat::leaves::string_leaves;
use countersign_chat::{Edit, ToolCall};
use proptest::prelude::*;
use seal::digest::Digest;
use seal::json::Limits;

fn exchange(body: &str) -> Exchange {
    Exchange::parse(body, Limits::REQUEST).expect(body)
}

fn refused(body: impl Into<Vec<u8>>, expect: RequestErrorKind) {
    let body = body.into();
    let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let error = Exchange::parse(body, Limits { bytes: 4096, depth: 64 }).expect_err(&shown);
    assert_eq!(error.kind, expect, "{shown}: {error}");
    assert!(!error.to_string().contains("xyzzy"), "{error} repeats content");
}

#[test]
fn bodies_that_are_no_request_are_refused_by_kind() {
    use RequestErrorKind as Kind;
    let with = |member: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{member}}}"#)
    };
    let messages = |messages: &str| format!(r#"{{"model":"m","messages":{messages}}}"#);
    let nested = |depth: usize| with(&format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused("", Kind::EmptyBody);
    refused(" \n", Kind::EmptyBody);
    refused("x".repeat(5000), Kind::BodyTooLarge);
    refused(utf16, Kind::JsonDecode);
    refused(b"\xff\xfe{\0}\0".to_vec(), Kind::InvalidEncoding);
    refused(b"\x1f\x8b\x08\x00gzip".to_vec(), Kind::InvalidEncoding);
    refused(b"\xef\xbb\xbf{}".to_vec(), Kind::InvalidEncoding);
    refused(with(r#""x":"\ud800""#), Kind::InvalidEncoding);
    refused(with(r#""x":NaN"#), Kind::NonFinite);
    refused(with(r#""x":1e999"#), Kind::NonFinite);
    refused(with(r#""x":1,"x":2"#), Kind::DuplicateKey);
    refused(with(r#""x":1,"\u0078":2"#), Kind::DuplicateKey);
    refused(with(r#""x":{"y":{"z":1,"z":1}}"#), Kind::DuplicateKey);
    refused(nested(64), Kind::TooDeep);
    refused(nested(1000), Kind::TooDeep);
    refused("{} {}", Kind::JsonDecode);
    refused("[]", Kind::NotAnObject);
    refused("null", Kind::NotAnObject);
    for bad in [
        "null",
        "{}",
        "7",
        "\"xyzzy\"",
        "[]",
        "[1]",
        "[null]",
        r#"[{"content":"x"}]"#,
        r#"[{"role":1}]"#,
        r#"[{"role":""}]"#,
        r#"[{"role":"user","content":{"text":"xyzzy"}}]"#,
        r#"[{"role":"user","content":5}]"#,
        r#"[{"role":"user","content":[1,2,3]}]"#,
        r#"[{"role":"user","content":[["x"]]}]"#,
        r#"[{"role":"assistant","tool_calls":{}}]"#,
        r#"[{"role":"assistant","tool_calls":["x"]}]"#,
        r#"[{"role":"tool","tool_call_id":7}]"#,
        r#"[{"role":"user","name":[]}]"#,
    ] {
        refused(messages(bad), Kind::Messages);
    }
    refused(r#"{"model":"m"}"#, Kind::Messages);
    for bad in [
        r#"{"messages":[]}"#,
        r#"{"model":"","messages":[]}"#,
        r#"{"model":" ","messages":[]}"#,
        r#"{"model":["m"],"messages":[]}"#,
    ] {
        refused(bad, Kind::Model);
    }
    for bad in [
        r#""stream":"true""#,
        r#""stream":1"#,
        r#""stream_options":[]"#,
        r#""stream_options":{"include_usage":1}"#,
        r#""max_tokens":-1"#,
        r#""max_tokens":1.5"#,
        r#""max_tokens":"9""#,
        r#""max_completion_tokens":99999999999999999999"#,
        r#""n":0"#,
        r#""n":129"#,
        r#""n":"2""#,
        r#""tools":{}"#,
        r#""tools":["x"]"#,
        r#""functions":7"#,
        r#""prompt":[15496,995]"#,
        r#""prompt":[[15496],[995]]"#,
        r#""prompt_token_ids":[1]"#,
        r#""input_ids":[1]"#,
        r#""input":7"#,
    ] {
        refused(with(bad), Kind::Member);
    }
}

#[test]
fn a_request_is_read_and_kept() {
    let body = r#" {"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"n":2,
      "max_tokens":5,"max_completion_tokens":7,"temperature":1.0,
      "tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}}],
      "functions":[{"name":"old"}],
      "messages":[
        {"role":"developer","content":"be brief"},
        {"role":"user","name":"ann","content":[{"type":"text","text":"look"},
           {"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},
           {"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}},
           {"type":"file","file":{"file_id":"file-1"}},
           {"type":"odd","x":1},"bare"]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0}"}}],
           "function_call":{"name":"old","arguments":"{}"}},
        {"role":"tool","tool_call_id":"c1","content":"done"}]}"#;
    let exchange = exchange(body);
    assert_eq!(exchange.body, body.as_bytes());
    assert_eq!(exchange.edited(&[]).expect("no edits"), body.as_bytes());
    assert_eq!(
        (exchange.model.as_str(), exchange.stream, exchange.include_usage, exchange.n),
        ("gpt-4o", true, true, 2)
    );
    assert_eq!(exchange.token_limit(), Some(7));
    assert_eq!(exchange.tools, ["f", "c", "old"]);
    let messages = exchange.messages();
    let hi = Digest::of(b"hi");
    let file = Digest::of(b"file-1");
    let odd = Digest::of(br#"{"type":"odd","x":1}"#);
    assert_eq!(
        messages[1].parts,
        [
            Part::Text("look"),
            Part::Binary { kind: "image_url", digest: hi },
            Part::Binary { kind: "input_audio", digest: hi },
            Part::Binary { kind: "file", digest: file },
            Part::Binary { kind: "odd", digest: odd },
            Part::Text("bare"),
        ]
    );
    assert_eq!(exchange.user_texts(), [(1, format!("look\n{hi}\n{hi}\n{file}\n{odd}\nbare"))]);
    let calls: Vec<(&str, &str, &str)> = messages[2]
        .tool_calls
        .iter()
        .map(|call: &ToolCall| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
        .collect();
    assert_eq!(calls, [("c1", "f", r#"{"a":1.0}"#), ("", "old", "{}")]);
    assert_eq!((messages[3].tool_call_id, messages[3].text()), (Some("c1"), "done".to_owned()));
}

#[test]
fn every_string_is_a_leaf_wherever_it_stands() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"input_text","input_text":"L1"},{"type":"Text","Text":"L2"},{"type":"zzz","deep":[{"L3":"L4"}]}],
        "refusal":"L5","function_call":{"name":"L6","arguments":"L7"}}],
        "functions":[{"name":"n","description":"L8"}],"tools":[{"type":"function","function":{"name":"n","description":"L9","parameters":{"properties":{"L10":{"description":"L11"}}}}}],
        "prediction":{"type":"content","content":"L12"},"response_format":{"json_schema":{"schema":{"enum":["L13"]}}},"metadata":{"k":"L14"},"L15":1}"#;
    let exchange = exchange(body);
    let leaves = string_leaves(&exchange.value);
    for number in 1..=15 {
        let text = format!("L{number}");
        assert!(leaves.iter().any(|leaf| leaf.text == text), "{text}");
    }
}

#[test]
fn only_a_redaction_changes_the_bytes() {
    let body = "{\"model\": \"m\",  \"messages\":[{\"role\":\"user\",\"content\":\"my key is AKIA\"}], \"x\": 1e2}";
    let exchange = exchange(body);
    let edit = Edit::value("/messages/0/content", 10..14, "[CUT]");
    assert_eq!(
        String::from_utf8(exchange.edited(&[edit]).expect("fits")).expect("utf-8"),
        r#"{"model":"m","messages":[{"role":"user","content":"my key is [CUT]"}],"x":100.0}"#
    );
    assert!(exchange.edited(&[Edit::value("/messages/0/content", 10..99, "")]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Exchange::parse(body, Limits::REQUEST);
    }

    #[test]
    fn no_document_makes_it_panic(body in r#"\{"model":"m","messages":\[\{("(role|content|tool_calls|name|type|text|image_url)":(null|1|"[a-z]*"|\[\]|\{\}|\[\{"type":"[a-z_]*","text":[1"]"?\}\]),?){0,5}\}\](,"(n|stream|tools)":(1|true|\[\]|null))?\}"#) {
        if let Ok(exchange) = Exchange::parse(body, Limits::REQUEST) {
            prop_assert_eq!(exchange.messages().len(), 1);
            let _ = exchange.user_texts();
        }
    }
}

#[test]
fn a_request_has_no_more_turns_than_can_be_recorded() {
    let messages = |role: &str, count: usize| {
        let one = format!(r#"{{"role":"{role}","content":"x"}}"#);
        format!(r#"{{"model":"m","messages":[{}]}}"#, vec![one; count].join(","))
    };
    let kind = |body: String| Exchange::parse(body, Limits::REQUEST).map_err(|error| error.kind);
    for role in ["user", "tool", "function"] {
        assert!(kind(messages(role, 2048)).is_ok());
        assert_eq!(kind(messages(role, 2049)).err(), Some(RequestErrorKind::Messages));
    }
    assert!(kind(messages("assistant", 16_384)).is_ok());
    assert_eq!(kind(messages("assistant", 16_385)).err(), Some(RequestErrorKind::Messages));
}
