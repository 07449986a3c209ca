use countersign_chat::openai::{Answer, AnswerError, Assembler};
use countersign_chat::{Channel, Edit};
use seal::json::Limits;

fn answer(body: &str) -> Answer {
    Answer::parse(body.as_bytes(), Limits::DOCUMENT).expect(body)
}

const FULL: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2","odd":"O1",
 "choices":[
  {"index":0,"message":{"role":"assistant","content":"hello","refusal":null,"reasoning_content":"because","annotations":[{"type":"O2"}],
     "audio":{"id":"a","data":"QUJD","transcript":"spoken"},
     "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}","O3":0}},{"id":"c2","type":"custom","custom":{"name":"c","input":"free"},"x":"O4"}]},
   "logprobs":{"content":[{"token":"hel","logprob":-0.1,"bytes":[104]},{"token":"lo","logprob":-0.1}]},"finish_reason":"tool_calls"},
  {"index":0,"message":{"role":"O5","content":[{"type":"text","text":"part1"},{"type":"text","text":"part2"},{"type":"refusal","refusal":"no"},{"type":"O6","O7":"O8"}],
     "function_call":{"name":"old","arguments":"{}"}},"finish_reason":"O9"}],
 "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"O10":"O11"}}"#;

#[test]
fn every_string_of_an_answer_is_inspected() {
    let answer = answer(FULL);
    let mut assembler = Assembler::new();
    let step = assembler.push_answer(&answer).expect("small");
    let text = |choice, channel| assembler.text(choice, &channel).to_owned();
    assert_eq!(text(0, Channel::Content), "hello");
    assert_eq!(text(0, Channel::Reasoning), "because");
    assert_eq!(text(0, Channel::Transcript), "spoken");
    // The second choice says index 0 too: clients count positions.
    assert_eq!(text(1, Channel::Content), "part1part2");
    assert_eq!(text(1, Channel::Refusal), "no");
    let others: Vec<&str> = answer
        .texts
        .iter()
        .filter(|text| matches!(text.channel, Channel::Other(_)))
        .map(|text| text.text.as_str())
        .collect();
    for number in 1..=11 {
        let text = format!("O{number}");
        assert!(others.contains(&text.as_str()), "{text} not among {others:?}");
    }
    assert_eq!(text(0, Channel::Other("/choices/*/logprobs/content/*/token".to_owned())), "hello");
    let calls: Vec<_> = step
        .calls
        .iter()
        .map(|call| {
            (
                call.choice,
                call.index,
                call.name.as_str(),
                call.arguments.as_str(),
                call.pointer.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        calls,
        [
            (0, 0, "f", r#"{"x":1}"#, Some("/choices/0/message/tool_calls/0/function/arguments")),
            (0, 1, "c", "free", Some("/choices/0/message/tool_calls/1/custom/input")),
            (1, 0, "old", "{}", Some("/choices/1/message/function_call/arguments")),
        ]
    );
    assert!(step.holds && !assembler.has_open_calls());
    assert_eq!(
        (assembler.model(), assembler.usage().map(|usage| usage.total)),
        (Some("gpt-4o-2"), Some(7))
    );
    assert_eq!(assembler.finish_reason(1), Some("O9"));
}

#[test]
fn spans_of_joined_parts_become_edits_and_log_probabilities_go() {
    let answer = answer(FULL);
    let mut assembler = Assembler::new();
    let step = assembler.push_answer(&answer).expect("small");
    let edits = step.edits(1, Ok(&Channel::Content), [(3..7, "[X]")]).expect("editable");
    assert_eq!(
        edits,
        [
            Edit::value("/choices/1/message/content/0/text", 3..5, "[X]"),
            Edit::value("/choices/1/message/content/1/text", 0..2, ""),
        ]
    );
    let arguments = step.edits(0, Err(0), [(5..6, "2")]).expect("editable");
    let both: Vec<Edit> = edits.into_iter().chain(arguments).collect();
    let again = String::from_utf8(answer.edited(&both).expect("fits")).expect("utf-8");
    assert!(again.contains(r#""text":"par[X]"},{"type":"text","text":"rt2""#), "{again}");
    assert!(again.contains(r#""arguments":"{\"x\":2}""#), "{again}");
    assert!(again.contains(r#""logprobs":null"#) && !again.contains("-0.1"), "{again}");
    let key = Channel::Other("/odd#key".to_owned());
    assert!(step.edits(0, Ok(&key), [(0..1, "")]).is_err(), "a key cannot be edited");
}

#[test]
fn answers_of_another_shape_are_refused() {
    for bad in [
        "",
        "[]",
        "\"x\"",
        r#"{"choices":{}}"#,
        r#"{"choices":null}"#,
        r#"{"choices":["x"]}"#,
        r#"{"choices":[{"message":"x"}]}"#,
        r#"{"choices":[{"message":{"tool_calls":{}}}]}"#,
        r#"{"choices":[{"message":{"tool_calls":[1]}}]}"#,
        r#"{"choices":[{"message":{"tool_calls":[{"function":"x"}]}}]}"#,
        r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":1}}]}}]}"#,
        r#"{"choices":[{"message":{"function_call":"x"}}]}"#,
        r#"{"choices":[{"message":{"tool_calls":[{"custom":{"name":"c"},"function":{"name":"f"}}]}}]}"#,
        r#"{"choices":[],"choices":[]}"#,
        r#"{"choices":[{"message":{"content":"a","content":"b"}}]}"#,
    ] {
        assert!(Answer::parse(bad.as_bytes(), Limits::DOCUMENT).is_err(), "{bad}");
    }
    let duplicate = Answer::parse(br#"{"a":1,"a":2}"#, Limits::DOCUMENT);
    assert!(matches!(duplicate, Err(AnswerError::Json(_))));
}

#[test]
fn errors_are_read_whatever_their_shape() {
    let error = answer(r#"{"error":{"message":"m","type":"t","param":null,"code":429}}"#)
        .error
        .expect("an error");
    assert_eq!(
        (error.message.as_str(), error.class.as_str(), error.code.as_str()),
        ("m", "t", "429")
    );
    assert_eq!(answer(r#"{"error":"plain"}"#).error.expect("an error").message, "plain");
    assert_eq!(answer(r#"{"error":null,"choices":[]}"#).error, None);
    let texts: Vec<String> =
        answer(r#"{"error":{"message":"leak"}}"#).texts.into_iter().map(|text| text.text).collect();
    assert_eq!(texts, ["leak"]);
}

#[test]
fn more_tool_calls_than_any_answer_has_are_refused() {
    let choice = |calls: usize| {
        let calls: Vec<String> = (0..calls)
            .map(|id| {
                format!(
                    r#"{{"id":"c{id}","type":"function","function":{{"name":"f","arguments":""}}}}"#
                )
            })
            .collect();
        format!(r#"{{"message":{{"tool_calls":[{}]}}}}"#, calls.join(","))
    };
    let fits = answer(&format!(r#"{{"choices":[{},{}]}}"#, choice(512), choice(512)));
    assert!(Assembler::new().push_answer(&fits).is_ok());
    let more = answer(&format!(r#"{{"choices":[{},{}]}}"#, choice(512), choice(513)));
    assert!(Assembler::new().push_answer(&more).is_err());
}
