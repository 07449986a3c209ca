use countersign_chat::Channel;
use countersign_chat::openai::{AnswerError, Assembler, Chunk, Step, StreamItem, item};
use countersign_chat::sse::{Event, Parser};
use proptest::prelude::*;
use seal::json::Limits;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 64 };

/// Reads a stream cut into pieces of `size` bytes; returns the steps and the assembler.
fn assemble(stream: &str, size: usize) -> (Vec<(Event, Chunk, Step)>, Assembler) {
    let mut parser = Parser::new();
    let mut assembler = Assembler::new();
    let mut steps = Vec::new();
    for bytes in stream.as_bytes().chunks(size) {
        for event in parser.push(bytes).expect("valid stream") {
            if let StreamItem::Chunk(chunk) = item(&event, LIMITS).expect("valid event") {
                let step = assembler.push(&chunk).expect("small");
                steps.push((event, *chunk, step));
            }
        }
    }
    (steps, assembler)
}

fn delta(choice: u32, delta: &str) -> String {
    format!(
        "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{{\"index\":{choice},\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
    )
}

fn finish(choice: u32, reason: &str) -> String {
    format!(
        "data: {{\"id\":\"x\",\"model\":\"m\",\"choices\":[{{\"index\":{choice},\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n"
    )
}

#[test]
fn interleaved_choices_and_repeated_fields_do_not_split_text() {
    let stream = [
        delta(0, r#"{"role":"assistant","content":"SEC"}"#),
        delta(1, r#"{"role":"assistant","content":"other "}"#),
        ": ping SIDE\n\n".to_owned(),
        delta(0, r#"{"content":"RET\u002f"}"#),
        delta(1, r#"{"content":"choice\u2028"}"#),
        delta(0, r#"{"content":"/NOFORN","zzz":"A"}"#),
        delta(0, r#"{"zzz":"B"}"#),
        finish(0, "stop"),
        finish(1, "weird"),
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    for size in [1, 7, 4096] {
        let (steps, assembler) = assemble(&stream, size);
        assert_eq!(assembler.text(0, &Channel::Content), "SECRET//NOFORN");
        assert_eq!(assembler.text(1, &Channel::Content), "other choice\u{2028}");
        assert_eq!(assembler.text(0, &Channel::Other("/choices/*/delta/zzz".to_owned())), "AB");
        assert_eq!(assembler.text(0, &Channel::Other("sse".to_owned())), "ping SIDE\n");
        assert_eq!(assembler.text(0, &Channel::Other("/id".to_owned())), "x", "repeated whole");
        let key = Channel::Other("/choices/*/delta/zzz#key".to_owned());
        assert_eq!(assembler.text(0, &key), "zzz", "keys too");
        assert_eq!(assembler.usage().map(|usage| usage.total), Some(3));
        assert_eq!(steps[3].2.texts[0].from, 3);
        assert_eq!(
            assembler.normal_form(),
            concat!(
                r#"{"choices":[{"content":"SECRET//NOFORN","finish_reason":"stop","index":0},"#,
                "{\"content\":\"other choice\u{2028}\",\"finish_reason\":\"weird\",\"index\":1}],\"v\":1}"
            )
        );
    }
}

#[test]
fn what_clients_do_not_join_does_not_split_a_word() {
    let stream = [
        delta(0, r#"{"reasoning_content":"SEC","reasoning":"SEC"}"#),
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"AK\"},\"message\":{\"content\":\"zz\"}}]}\n\n".to_owned(),
        delta(0, r#"{"reasoning":"RET"}"#),
        delta(0, r#"{"content":[{"type":"text","text":"IA"},{"type":"refusal","refusal":"n"}],"refusal":"m"}"#),
        delta(0, r#"{"reasoning_content":"RET"}"#),
    ]
    .concat();
    for size in [1, 4096] {
        let (_, assembler) = assemble(&stream, size);
        let other = |member: &str| {
            assembler.text(0, &Channel::Other(format!("/choices/*/{member}"))).to_owned()
        };
        assert_eq!(assembler.text(0, &Channel::Reasoning), "SECRET");
        assert_eq!(other("delta/reasoning"), "SECRET");
        assert_eq!(assembler.text(0, &Channel::Content), "AKIA", "strings and parts are joined");
        assert_eq!(other("message/content"), "zz");
        assert_eq!(assembler.text(0, &Channel::Refusal), "n");
        assert_eq!(other("delta/refusal"), "m");
        assert_eq!(
            assembler.normal_form(),
            r#"{"choices":[{"content":"AKIA","index":0,"reasoning":"SECRET","refusal":"n"}],"v":1}"#
        );
    }
    let call = |holder: &str, piece: &str| {
        format!(
            r#"data: {{"choices":[{{"index":0,"{holder}":{{"tool_calls":[{{"index":0,"function":{{"name":"f","arguments":"{piece}"}}}}]}}}}]}}"#
        ) + "\n\n"
    };
    let stream = [call("delta", "12"), call("message", "0"), call("delta", "34")].concat();
    let (_, mut assembler) = assemble(&stream, 7);
    assembler.end();
    let arguments: Vec<&str> = assembler.all_calls().map(|call| &*call.arguments).collect();
    assert_eq!(arguments, ["1234", "0"]);
}

#[test]
fn tool_calls_come_whole() {
    let stream = [
        delta(0, r#"{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"rm","arguments":""}}]}"#),
        delta(0, r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"pa"}}]}"#),
        delta(0, r#"{"tool_calls":[{"index":0,"function":{"arguments":"th\":1}"}}]}"#),
        delta(0, r#"{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"ls","arguments":"{}"}}]}"#),
        finish(0, "tool_calls"),
    ]
    .concat();
    let (steps, mut assembler) = assemble(&stream, 50);
    let complete: Vec<Vec<&str>> = steps
        .iter()
        .map(|(_, _, step)| step.calls.iter().map(|call| call.name.as_str()).collect())
        .collect();
    assert_eq!(complete, [vec![], vec![], vec![], vec!["rm"], vec!["ls"]]);
    assert_eq!(steps[3].2.calls[0].arguments, r#"{"path":1}"#);
    assert!(steps.iter().take(4).all(|(_, _, step)| step.holds) && !steps[4].2.holds);
    assert_eq!(assembler.end(), []);
    assert_eq!(
        assembler.normal_form(),
        r#"{"choices":[{"finish_reason":"tool_calls","index":0,"tool_calls":[{"arguments":"{\"path\":1}","id":"c1","kind":"function","name":"rm"},{"arguments":"{}","id":"c2","kind":"function","name":"ls"}]}],"v":1}"#
    );
    // A span over both pieces of the arguments: the first keeps the mark, the second loses its part.
    let edited: Vec<String> = steps
        .iter()
        .take(4)
        .map(|(event, chunk, step)| {
            let edits = step.edits(0, Err(0), [(2..6, "secret")]).expect("editable");
            String::from_utf8(chunk.edited(event, &edits).expect("fits")).expect("utf-8")
        })
        .collect();
    assert!(edited[1].contains(r#""arguments":"{\"secret""#), "{}", edited[1]);
    assert!(edited[2].contains(r#""arguments":"\":1}""#), "{}", edited[2]);
    assert!(edited.iter().all(|event| event.starts_with("data: {") && event.ends_with("}\n\n")));
}

#[test]
fn providers_with_their_own_ideas_of_tool_calls() {
    // Every call has index 0 and its own id.
    let (_, assembler) = assemble(
        &[
            delta(
                0,
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
            ),
            delta(
                0,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
            ),
        ]
        .concat(),
        4096,
    );
    let names: Vec<(u32, &str)> =
        assembler.all_calls().map(|call| (call.index, call.name.as_str())).collect();
    assert_eq!(names, [(0, "f"), (1, "g")]);

    // Both calls are announced first; a finished one goes on; one is legacy; the stream just ends.
    let (steps, mut assembler) = assemble(
        &[
            delta(0, r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g"}}]}"#),
            delta(0, r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#),
            delta(0, r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"[]"}}]}"#),
            delta(1, r#"{"function_call":{"name":"ol","arguments":"{"}}"#),
            delta(1, r#"{"function_call":{"name":"d","arguments":"}"}}"#),
        ]
        .concat(),
        4096,
    );
    assert!(steps.iter().all(|(_, _, step)| step.calls.is_empty()) && assembler.has_open_calls());
    let ended: Vec<(String, String)> =
        assembler.end().into_iter().map(|call| (call.name, call.arguments)).collect();
    let expect =
        [("f", "{}"), ("g", "[]"), ("old", "{}")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(ended, expect);

    // A call that goes on after another began is judged again, whole.
    let (steps, _) = assemble(
        &[
            delta(0, r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#),
            delta(0, r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#),
            delta(0, r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#),
            finish(0, "tool_calls"),
        ]
        .concat(),
        4096,
    );
    let last: Vec<&str> = steps[3].2.calls.iter().map(|call| call.arguments.as_str()).collect();
    assert_eq!(last, [r#"{"x":1}"#, "{}"]);
}

#[test]
fn events_that_cannot_be_read_are_refused() {
    let read = |stream: &str| {
        let events = Parser::new().push(stream.as_bytes()).expect("a stream");
        item(&events[0], LIMITS)
    };
    for bad in [
        "data: {\n\n",
        "data: 7\n\n",
        "data: []\n\n",
        "data: {\"choices\":[7]}\n\n",
        "data: {\"choices\":7}\n\n",
        "data: {\"choices\":[{\"index\":-1}]}\n\n",
        "data: {\"choices\":[{\"index\":1},{\"index\":1}]}\n\n",
        "data: {\"choices\":[{\"delta\":{}},{\"delta\":{}}]}\n\n",
        "data: {\"choices\":[{\"index\":4096}]}\n\n",
        "data: {\"choices\":[{\"delta\":[]}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\",\"content\":\"b\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":\"0\"}]}}]}\n\n",
        "data: [DONE] and more\n\n",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let deep = format!("data: {}{}\n\n", "[".repeat(200), "]".repeat(200));
    assert!(read(&deep).is_err());
    assert_eq!(read("data: [DONE]\nid: smuggled\n\n"), Err(AnswerError::TerminalText));
    assert_eq!(read("data: [DONE]\n\n"), Ok(StreamItem::Done));
}

#[test]
fn an_edited_event_keeps_its_framing_and_the_rest() {
    let stream = "event: e\nid: 9\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"my AKIA key\"},\"logprobs\":{\"content\":[{\"token\":\"AKIA\"}]}}],\"f\":1.5}\n\n";
    let (steps, _) = assemble(stream, 4096);
    let (event, chunk, step) = &steps[0];
    let edits = step.edits(0, Ok(&Channel::Content), [(3..7, "[CUT]")]).expect("editable");
    assert_eq!(
        String::from_utf8(chunk.edited(event, &edits).expect("fits")).expect("utf-8"),
        "event: e\nid: 9\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"my [CUT] key\"},\"logprobs\":null}],\"f\":1.5}\n\n"
    );
    assert_eq!(event.raw, stream.as_bytes());
}

#[test]
fn text_without_end_is_refused() {
    let mut assembler = Assembler::with_cap(10);
    let chunk =
        Chunk::parse(r#"{"choices":[{"delta":{"content":"123456"}}]}"#, LIMITS).expect("a chunk");
    assert!(assembler.push(&chunk).is_ok());
    assert!(assembler.push(&chunk).is_err());
}

#[test]
fn an_upstream_does_not_decide_how_many_places_and_calls_are_judged() {
    let keys = |range: std::ops::Range<usize>| {
        let members: Vec<String> = range.map(|at| format!(r#""odd{at}":"v""#)).collect();
        let chunk = format!(r#"{{"choices":[{{"delta":{{{}}}}}]}}"#, members.join(","));
        Chunk::parse(&chunk, Limits::DOCUMENT).expect("a chunk")
    };
    let mut assembler = Assembler::new();
    assert!(assembler.push(&keys(0..500)).is_ok());
    assert!(assembler.push(&keys(0..500)).is_ok(), "known places are not new");
    assert!(assembler.push(&keys(500..1000)).is_err());

    // Every id is another call, whatever its index.
    let mut assembler = Assembler::new();
    let call = |id: usize| {
        let call = format!(
            r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"id":"c{id}","function":{{"name":"f","arguments":"{{}}"}}}}]}}}}]}}"#
        );
        Chunk::parse(&call, LIMITS).expect("a chunk")
    };
    for id in 0..1024 {
        assert!(assembler.push(&call(id)).is_ok(), "{id}");
    }
    assert!(assembler.push(&call(1024)).is_err());
}

#[test]
fn calls_that_share_an_index_are_judged_joined_too() {
    let call = |index: u32, id: &str, arguments: &str| {
        delta(
            0,
            &format!(
                r#"{{"tool_calls":[{{"index":{index},"id":"{id}","function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#
            ),
        )
    };
    let stream = [call(0, "a", "SEC"), call(1, "b", "x"), call(0, "c", "RET"), call(0, "c", "!")];
    let (steps, assembler) = assemble(&stream.concat(), 5);
    let joined = Channel::Other("/choices/*/delta/tool_calls/0".to_owned());
    assert_eq!(assembler.text(0, &joined), "SECRET!");
    let from: Vec<Option<usize>> = steps
        .iter()
        .map(|(_, _, step)| step.texts.iter().find(|t| t.channel == joined).map(|t| t.from))
        .collect();
    assert_eq!(from, [None, None, Some(0), Some(6)]);
    assert_eq!(assembler.all_calls().count(), 3);
}

#[test]
fn calls_that_share_an_id_are_judged_joined_too() {
    let call = |index: &str, id: &str, arguments: &str| {
        delta(
            0,
            &format!(
                r#"{{"tool_calls":[{{{index}"id":"{id}","function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#
            ),
        )
    };
    for (index, again) in [("", ""), (r#""index":0,"#, r#""index":2,"#)] {
        let stream = [call(index, "a", "SEC"), call(index, "b", "x"), call(again, "a", "RET")];
        let stream = [&stream.concat(), &call(again, "", "!")[..]].concat();
        let (_, assembler) = assemble(&stream, 5);
        let joined = Channel::Other("/choices/*/delta/tool_calls/id/0".to_owned());
        assert_eq!(assembler.text(0, &joined), "SECRET!", "{index}");
    }
}

#[test]
fn a_call_that_ends_again_and_again_is_not_judged_without_end() {
    let piece = format!(
        r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"id":"a","function":{{"name":"f","arguments":"{}"}}}}]}},"finish_reason":"tool_calls"}}]}}"#,
        "x".repeat(1000)
    );
    let chunk = Chunk::parse(&piece, LIMITS).expect("a chunk");
    let mut assembler = Assembler::with_cap(100_000);
    let mut judged = 0;
    while let Ok(step) = assembler.push(&chunk) {
        judged += step.calls.iter().map(|call| call.arguments.len()).sum::<usize>();
    }
    assert!((10_000..=100_000).contains(&judged), "{judged}");
}

#[test]
fn a_name_in_pieces_has_every_name_a_client_may_read() {
    let call = |id: &str, name: &str| {
        let function = format!(r#"{{"name":"{name}","arguments":""}}"#);
        delta(0, &format!(r#"{{"tool_calls":[{{"index":0,"id":"{id}","function":{function}}}]}}"#))
    };
    let check = |pieces: &[(&str, &str)], names: &[&str]| {
        let stream: String = pieces.iter().map(|(id, name)| call(id, name)).collect();
        let (_, assembler) = assemble(&stream, 5);
        let last = assembler.all_calls().last().expect("a call");
        let mut all = assembler.other_names(last);
        all.push(last.name.clone());
        all.sort_unstable();
        assert_eq!(all, names, "{pieces:?}");
    };
    check(&[("a", "time")], &["time"]);
    check(&[("a", "time"), ("", "")], &["time"]);
    check(&[("a", "da"), ("", "da")], &["da", "dada"]);
    check(&[("a", "get_"), ("", "time")], &["get_", "get_time", "time"]);
    check(&[("a", "da"), ("b", "da")], &["da", "dada"]);
}

#[test]
fn a_repeated_name_opens_its_call_again() {
    let named = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"da","arguments":""}}]}"#;
    let mut assembler = Assembler::new();
    let stream = [delta(0, named), finish(0, "tool_calls"), delta(0, named)];
    let judged: Vec<usize> = stream
        .iter()
        .map(|event| {
            let data = event.trim_start_matches("data: ");
            let chunk = Chunk::parse(data, LIMITS).expect("a chunk");
            assembler.push(&chunk).expect("within bounds").calls.len()
        })
        .collect();
    assert_eq!(judged, [0, 1, 0]);
    assert_eq!(assembler.end().len(), 1, "the longer name is judged, too");
}

proptest! {
    #[test]
    fn the_normal_form_does_not_depend_on_the_cut(text in "[a-zA-Zé😀\"\\\\\n]{0,40}", cuts in proptest::collection::vec(1usize..5, 1..20), arguments in "[a-z{}\":]{1,20}") {
        let quote = |text: &str| seal::json::write_plain(&text.into());
        let mut stream = String::new();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        for cut in cuts.iter().cycle().take(60) {
            let piece: String = chars.iter().skip(at).take(*cut).collect();
            at += cut;
            stream.push_str(&delta(0, &format!(r#"{{"content":{}}}"#, quote(&piece))));
        }
        for (index, piece) in arguments.chars().enumerate() {
            let id = if index == 0 { "\"c\"" } else { "null" };
            let name = if index == 0 { "\"f\"" } else { "null" };
            stream.push_str(&delta(0, &format!(r#"{{"tool_calls":[{{"index":0,"id":{id},"function":{{"name":{name},"arguments":{}}}}}]}}"#, quote(&piece.to_string()))));
        }
        let whole = [
            delta(0, &format!(r#"{{"content":{}}}"#, quote(&text))),
            delta(0, &format!(r#"{{"tool_calls":[{{"index":0,"id":"c","function":{{"name":"f","arguments":{}}}}}]}}"#, quote(&arguments))),
        ].concat();
        prop_assert_eq!(assemble(&stream, 13).1.normal_form(), assemble(&whole, 4096).1.normal_form());
    }

    #[test]
    fn no_event_makes_it_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = std::str::from_utf8(&data) {
            let _ = Chunk::parse(text, LIMITS);
        }
    }

    /// Any bytes, in any pieces: the same events, the same error, and the bytes of all events are
    /// the input up to where it was given up.
    #[test]
    fn any_bytes_in_any_pieces_are_the_same_events(
        lines in proptest::collection::vec(
            prop_oneof![
                Just(b"data: {}".to_vec()), Just(b":".to_vec()), Just(b"\xef\xbb\xbf".to_vec()),
                Just("\u{2028}\u{85}\u{b}\u{c}\u{1c}".as_bytes().to_vec()), Just(b"\r".to_vec()),
                Just(b"\n".to_vec()), Just(b"\r\n".to_vec()), Just(b"\n\n".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..12),
            ],
            0..24,
        ),
        cuts in proptest::collection::vec(0usize..200, 0..12),
        cap in prop_oneof![Just(24usize), Just(1 << 20)],
    ) {
        let bytes = lines.concat();
        let read = |cuts: &[usize]| {
            let mut parser = Parser::with_cap(cap);
            let mut events = Vec::new();
            let mut from = 0;
            let mut error = None;
            for &cut in cuts.iter().chain([&bytes.len()]) {
                error = error.or(parser.push_into(&bytes[from..cut], &mut events).err());
                from = cut;
            }
            let tail = match parser.finish() {
                Ok(finish) => {
                    events.extend(finish.event);
                    finish.tail
                }
                Err(last) => {
                    error = error.or(Some(last));
                    None
                }
            };
            (events, tail, error)
        };
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
        cuts.sort_unstable();
        let whole = read(&[]);
        let raw: Vec<u8> = whole.0.iter().chain(&whole.1).flat_map(|event| event.raw.clone()).collect();
        match whole.2 {
            None => prop_assert_eq!(&raw, &bytes),
            Some(_) => prop_assert!(bytes.starts_with(&raw)),
        }
        prop_assert!(whole.0.iter().all(|event| event.raw.len() <= cap));
        let every: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(&read(&every), &whole, "byte by byte");
        prop_assert_eq!(read(&cuts), whole);
    }

    /// Whatever a stream says, and however it is cut: the same steps, and the pieces of a text are
    /// side by side and make all of it.
    #[test]
    fn the_steps_of_a_stream_do_not_depend_on_the_cut(
        parts in proptest::collection::vec((0u32..3, 0usize..6, "[a-zé/ \u{2028}]{0,6}"), 1..16),
        size in 1usize..90,
    ) {
        let quote = |text: &str| seal::json::write_plain(&text.into());
        let event = |(choice, kind, text): &(u32, usize, String)| {
            let text = quote(text);
            match kind {
                0 => delta(*choice, &format!(r#"{{"content":{text}}}"#)),
                1 => delta(*choice, &format!(r#"{{"reasoning_content":{text},"zzz":{text}}}"#)),
                2 => delta(*choice, &format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":{text}}}}}]}}"#)),
                3 => delta(*choice, &format!(r#"{{"tool_calls":[{{"index":1,"id":{text},"function":{{"name":"f"}}}}]}}"#)),
                4 => finish(*choice, "stop"),
                _ => format!(": {choice}\r\n\r\n"),
            }
        };
        let stream: String = parts.iter().map(event).collect();
        let (steps, mut assembler) = assemble(&stream, size);
        let (whole, mut same) = assemble(&stream, stream.len());
        prop_assert_eq!(steps.len(), parts.len());
        prop_assert_eq!(&steps, &whole);
        prop_assert_eq!(assembler.end(), same.end());
        prop_assert_eq!(assembler.normal_form(), same.normal_form());
        for (choice, channel, text) in assembler.all_texts() {
            let mut end = 0;
            for segment in steps.iter().flat_map(|(_, _, step)| &step.segments) {
                if segment.choice == choice && segment.of.as_ref() == Ok(channel) {
                    prop_assert_eq!(segment.span.start, end, "{} of {}", channel, choice);
                    end = segment.span.end;
                }
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
