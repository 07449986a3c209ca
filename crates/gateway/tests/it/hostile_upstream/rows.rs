//! The table: what hostile upstreams send, by number.

use testkit::upstream::{Script, call_delta, completion, content_delta, finish_delta, quoted};

use super::{Broke, Failed, Got, KEY, MARKER, Redacted, Refused, Row, Same, Stopped, WITHHELD};
use crate::harness::{ask, ask_stream, body};

pub fn table() -> Vec<Row> {
    let mut rows = Rows::default();
    whole_answers(&mut rows);
    tool_calls(&mut rows);
    split_markers(&mut rows);
    inside_events(&mut rows);
    framing(&mut rows);
    unreadable(&mut rows);
    ordinary(&mut rows);
    answers_that_are_none(&mut rows);
    cut_out(&mut rows);
    rows.0
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn whole(&mut self, number: u8, about: &str, answer: &str, got: Got) {
        let script = Script::json(200, answer);
        self.row(number, about, ask("hi"), script, got);
    }

    fn row(&mut self, number: u8, about: &str, ask: String, script: Script, got: Got) {
        self.0.push(Row { number, about: about.to_owned(), ask, script, got });
    }

    /// A good event, then these, then the end of a stream.
    fn stream(&mut self, number: u8, about: &str, events: &[String], got: fn(Vec<u8>) -> Got) {
        let script = Script::events().piece(good()).piece(events.concat()).piece(ending());
        self.row(number, about, ask_stream("hi"), script, got(good().into_bytes()));
    }

    /// The same where all of it passes.
    fn passes(&mut self, number: u8, about: &str, events: &[String]) {
        let all = [good(), events.concat(), ending()].concat();
        let script = Script::events().piece(&all);
        self.row(number, about, ask_stream("hi"), script, Same(all.into_bytes()));
    }
}

fn whole_answers(rows: &mut Rows) {
    rows.whole(38, "content", &completion(MARKER), WITHHELD);
    let choice = |index: u32, message: &str| {
        format!(
            r#"{{"index":{index},"message":{{"role":"assistant",{message}}},"finish_reason":"stop"}}"#
        )
    };
    let answer = |choices: &[String]| {
        format!(
            r#"{{"id":"1","object":"chat.completion","model":"m","choices":[{}]}}"#,
            choices.join(",")
        )
    };
    for (about, message) in [
        (
            "parts",
            r#""content":[{"type":"text","text":"SECRET/"},{"type":"text","text":"/NOFORN"}]"#,
        ),
        ("refusal", r#""content":null,"refusal":"SECRET//NOFORN""#),
        ("reasoning", r#""content":"a","reasoning_content":"SECRET//NOFORN""#),
        ("a member nobody defined", r#""content":"a","thoughts":{"deep":["SECRET//NOFORN"]}"#),
        ("a transcript", r#""content":null,"audio":{"id":"a","transcript":"SECRET//NOFORN"}"#),
    ] {
        rows.whole(38, about, &answer(&[choice(0, message)]), WITHHELD);
        let second = answer(&[choice(0, r#""content":"fine""#), choice(1, message)]);
        rows.whole(38, &format!("{about}, second choice"), &second, WITHHELD);
    }
    rows.whole(48, "escapes", &completion(MARKER).replace('/', "\\u002f"), WITHHELD);
    rows.whole(48, "escaped slashes", &completion(MARKER).replace('/', "\\/"), WITHHELD);
    rows.whole(45, "a key", &answer(&[choice(0, r#""content":"a","SECRET//NOFORN":1"#)]), WITHHELD);
    rows.whole(
        44,
        "doubled keys",
        &answer(&[choice(0, r#""content":"SECRET//NOFORN","content":"a""#)]),
        Refused(502, "upstream_answer_malformed"),
    );
    for (about, message) in [
        (
            "a denied tool in the second choice",
            r#""content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"wire_money","arguments":"{}"}}]"#,
        ),
        (
            "a denied tool behind an allowed one",
            r#""content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"time","arguments":"{}"}},{"id":"d","type":"function","function":{"name":"wire_money","arguments":"{}"}}]"#,
        ),
        ("legacy", r#""content":null,"function_call":{"name":"wire_money","arguments":"{}"}"#),
        (
            "a custom tool",
            r#""content":null,"tool_calls":[{"id":"c","type":"custom","custom":{"name":"wire_money","input":"x"}}]"#,
        ),
        (
            "a marking in the arguments",
            r#""content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"time","arguments":"{\"x\":\"SECRET\\u002f/NOFORN\"}"}}]"#,
        ),
        (
            "a marking in legacy arguments",
            r#""content":null,"function_call":{"name":"time","arguments":"{\"x\":\"SECRET//NOFORN\"}"}"#,
        ),
    ] {
        let fine = choice(0, r#""content":"fine""#);
        rows.whole(39, about, &answer(&[fine, choice(1, message)]), WITHHELD);
    }
}

fn tool_calls(rows: &mut Rows) {
    let opening = |index, name| event(&call_delta(0, index, Some(("c1", name)), ""));
    let more = |index, arguments| event(&call_delta(0, index, None, arguments));
    let end = event(&finish_delta(0, "tool_calls"));
    rows.stream(
        39,
        "a denied tool",
        &[opening(0, "wire_money"), more(0, "{}"), end.clone()],
        Stopped,
    );
    rows.stream(
        39,
        "a denied tool beside an allowed one, in turns",
        &[
            opening(0, "time"),
            event(&call_delta(0, 1, Some(("c2", "wire_money")), "")),
            more(0, "{\"a\":"),
            more(1, "{}"),
            more(0, "1}"),
            end.clone(),
        ],
        Stopped,
    );
    rows.stream(
        39,
        "a denied tool of the second choice",
        &[
            event(&call_delta(1, 0, Some(("c1", "wire_money")), "{}")),
            event(&finish_delta(1, "tool_calls")),
        ],
        Stopped,
    );
    rows.stream(
        39,
        "a marking in fragments of arguments",
        &[
            opening(0, "time"),
            more(0, "{\"x\":\"SEC"),
            more(0, "RET\\u002"),
            more(0, "f/NOF"),
            more(0, "ORN\"}"),
            end,
        ],
        Stopped,
    );
    let legacy = |call: &str| event(&delta(0, &format!(r#"{{"function_call":{call}}}"#)));
    rows.stream(
        39,
        "a legacy call in pieces",
        &[
            legacy(r#"{"name":"wire_","arguments":""}"#),
            legacy(r#"{"name":"money","arguments":"{"}"#),
            legacy(r#"{"arguments":"}"}"#),
        ],
        Stopped,
    );
    rows.passes(
        39,
        "allowed calls, in turns",
        &[
            opening(0, "time"),
            event(&call_delta(0, 1, Some(("c2", "weather")), "{\"c")),
            more(0, "{}"),
            more(1, "ity\":\"Reykjavík\"}"),
            event(&finish_delta(0, "tool_calls")),
        ],
    );
}

fn split_markers(rows: &mut Rows) {
    let id = |id: usize, text: &str| {
        event(&format!(
            r#"{{"id":"chatcmpl-{id}","model":"m{id}","system_fingerprint":"fp{id}","obfuscation":"x{id}","choices":[{{"index":0,"delta":{{"content":{}}},"logprobs":null}}]}}"#,
            quoted(text)
        ))
    };
    let pieces: Vec<String> = ["SEC", "RET", "//N", "OFO", "RN"]
        .iter()
        .enumerate()
        .map(|(at, text)| id(at, text))
        .collect();
    rows.stream(40, "with other members between", &pieces, Stopped);
    let ping = || ": ping\n\n".to_owned();
    let between = [
        content("SECRET"),
        ping(),
        event(&delta(0, r#"{"reasoning":"hm. "}"#)),
        content("//"),
        ping(),
        content("NOFORN"),
    ];
    rows.stream(40, "with comments and thoughts between", &between, Stopped);
    let hidden = "\u{200b}".repeat(5000);
    rows.stream(
        41,
        "in one event",
        &[content(&format!("SECRET{hidden}//{hidden}NOFORN"))],
        Stopped,
    );
    rows.stream(
        41,
        "over events",
        &[content("SECRET/"), content(&hidden), content(&hidden), content("/NOFORN")],
        Stopped,
    );
    rows.stream(
        42,
        "in turns with another choice",
        &[
            content("SECRET"),
            event(&content_delta(1, "What a ")),
            content("//NO"),
            event(&content_delta(1, "day. ")),
            content("FORN"),
        ],
        Stopped,
    );
    rows.passes(
        42,
        "halves that belong to two choices",
        &[
            content("SECRET//"),
            event(&content_delta(1, "NOFORN. ")),
            content(" is a banner. "),
            event(&finish_delta(1, "stop")),
        ],
    );
    let padding = "All is well. ".repeat(5000);
    let mut padded: Vec<String> = (0..16).map(|_| content(&padding)).collect();
    let whole = [good(), padded.concat()].concat();
    padded.extend([content("SECRET/"), content("/NOFORN")]);
    let script = Script::events().piece(good()).piece(padded.concat()).piece(ending());
    rows.row(46, "a mebibyte before it", ask_stream("hi"), script, Stopped(whole.into_bytes()));
    let decoys = content("(U) Fine. (U) Also fine. ");
    let script = Script::events().piece(&decoys).piece(content("(S//")).piece(content("NF) Not. "));
    rows.row(
        47,
        "behind decoys",
        ask_stream("hi"),
        script.piece(ending()),
        Stopped(decoys.into_bytes()),
    );
    for (about, text) in [
        ("full width", "ＳＥＣＲＥＴ／／ＮＯＦＯＲＮ"),
        ("other scripts", "SЕCRЕT//NOFОRN"),
        ("small letters", "secret//noforn"),
        ("emphasis", "SECRET**//**NOFORN**"),
        ("spaces", "SECRET // NOFORN"),
        ("soft hyphens and marks", "SE\u{ad}CRE\u{301}T//NOF\u{feff}ORN"),
        ("other slashes", "SECRET∕⁄NOFORN"),
    ] {
        rows.stream(60, about, &[content(text)], Stopped);
        let characters: Vec<String> = text.chars().map(|ch| content(&ch.to_string())).collect();
        rows.stream(60, &format!("{about}, character by character"), &characters, Stopped);
    }
    for cut in 1..MARKER.len() {
        let (first, second) = MARKER.split_at(cut);
        rows.stream(61, &format!("cut at {cut}"), &[content(first), content(second)], Stopped);
    }
    let behind = [content("SECRET/"), event(&finish_delta(0, "stop")), content("/NOFORN")];
    rows.stream(61, "the other half behind the finish", &behind, Stopped);
    let call = |arguments: &str| event(&call_delta(0, 0, Some(("c", "time")), arguments));
    let behind = [call("{\"x\":\"SECRET/"), event(&finish_delta(0, "stop")), call("/NOFORN\"}")];
    rows.stream(61, "arguments that go on behind the finish", &behind, Stopped);
    let thought = |text| event(&delta(0, &format!(r#"{{"reasoning_content":{}}}"#, quoted(text))));
    rows.stream(
        61,
        "in a thought around the answer",
        &[thought("SECRET/"), content("So. "), thought("/NOFORN")],
        Stopped,
    );
}

fn inside_events(rows: &mut Rows) {
    let odd = "a\u{2028}b\u{2029}c\u{85}d. ";
    rows.passes(43, "line ends of Unicode in text", &[content(odd)]);
    let escaped =
        event(&content_delta(0, "a@. ").replace('@', "\\u000b\\u000c\\u001c\\u001d\\u001e"));
    rows.passes(43, "escaped controls", &[escaped]);
    for odd in ["\u{2028}", "\u{85}", "\u{2029}"] {
        rows.stream(
            43,
            "a marking behind one",
            &[content(&format!("x{odd}data: {MARKER}"))],
            Stopped,
        );
    }
    for control in ["\u{b}", "\u{c}", "\u{1c}", "\u{1e}"] {
        let raw = event(&content_delta(0, "@").replace('@', &format!("a{control}{MARKER}")));
        rows.stream(43, "raw controls", &[raw], |before| Broke("upstream_sse_malformed", before));
    }
    let doubled = event(&delta(0, r#"{"content":"SECRET//NOFORN","content":"a"}"#));
    rows.stream(44, "doubled keys", &[doubled], |before| Broke("upstream_sse_malformed", before));
    let doubled =
        event(r#"{"choices":[],"choices":[{"index":0,"delta":{"content":"SECRET//NOFORN"}}]}"#);
    rows.stream(44, "doubled choices", &[doubled], |before| {
        Broke("upstream_sse_malformed", before)
    });
    rows.stream(45, "a key", &[event(&delta(0, r#"{"content":"","SECRET//NOFORN":1}"#))], Stopped);
    rows.stream(
        45,
        "a key deep down",
        &[event(&delta(0, r#"{"x":{"y":[{"SECRET//NOFORN":null}]}}"#))],
        Stopped,
    );
    let escaped = |text: &str| event(&content_delta(0, text).replace("@", "\\u002f"));
    rows.stream(48, "escapes", &[escaped("SECRET@@NOFORN")], Stopped);
    rows.stream(48, "escapes over events", &[escaped("SECRET@"), escaped("@NOFORN")], Stopped);
    let letters: String = MARKER.bytes().map(|byte| format!("\\u{:04x}", byte)).collect();
    rows.stream(48, "all of it", &[event(&content_delta(0, "@").replace('@', &letters))], Stopped);
}

fn framing(rows: &mut Rows) {
    let text = [good(), content("Grüße, 世界 🦀. "), ending()].concat();
    let mut script = Script::events();
    for byte in text.as_bytes() {
        script = script.piece([*byte]);
    }
    rows.row(49, "characters across reads", ask_stream("hi"), script, Same(text.into_bytes()));
    let stream =
        [": ping\n\nevent: message\nid: 7\nretry: 10\n".to_owned(), good(), ending()].concat();
    for (about, end) in [("CR", "\r"), ("CRLF", "\r\n"), ("LF", "\n")] {
        let stream = stream.replace('\n', end);
        let script = Script::events().piece(&stream).end();
        rows.row(51, about, ask_stream("hi"), script, Same(stream.into_bytes()));
        let marked = format!("{}{}", good(), content(MARKER)).replace('\n', end);
        let script = Script::events().piece(&marked).piece(ending());
        let before = good().replace('\n', end);
        rows.row(
            51,
            &format!("{about}, marked"),
            ask_stream("hi"),
            script,
            Stopped(before.into_bytes()),
        );
    }
    let mixed = stream.replacen('\n', "\r\n", 3).replacen("}\n\n", "}\r\r\n", 1);
    rows.row(
        51,
        "mixed",
        ask_stream("hi"),
        Script::events().piece(&mixed).end(),
        Same(mixed.clone().into_bytes()),
    );
    for last in ["data: [DONE]\n", "data: [DONE]", "data:[DONE]\r"] {
        let stream = [good(), event(&finish_delta(0, "stop")), last.to_owned()].concat();
        let script = Script::events().piece(&stream).end();
        rows.row(51, "no last line end", ask_stream("hi"), script, Same(stream.into_bytes()));
    }
    let script = Script::events().piece(good()).piece(content(MARKER).trim_end()).end();
    let got = Broke("upstream_truncated", good().into_bytes());
    rows.row(51, "a marking without a line end", ask_stream("hi"), script, got);
    for side in ["event: @\n", "id: @\n", "retry: @\n", ": @\n", "@: 1\n", "@\n"] {
        let side = side.replace('@', MARKER);
        rows.stream(51, &side, &[format!("{side}{}", content("Hm. "))], Stopped);
        rows.stream(51, &format!("{side}, alone"), &[format!("{side}\n")], Stopped);
    }
    let folded = content(MARKER)
        .replace("\"choices\"", "\ndata: \"choices\"")
        .replace("\"delta\"", "\ndata: \"delta\"");
    rows.stream(51, "data in several lines", &[folded], Stopped);
    let torn = content(MARKER).replace("SECRET", "SEC\ndata: RET");
    rows.stream(51, "a string over lines", &[torn], |before| {
        Broke("upstream_sse_malformed", before)
    });
    let done = "data: [DONE]\nid: SECRET//NOFORN\n\n".to_owned();
    rows.stream(51, "beside the end", &[done], |before| Broke("upstream_sse_malformed", before));
    let behind = [good(), ending(), content(MARKER)].concat();
    let script = Script::events().piece(behind);
    let got = Same([good(), ending()].concat().into_bytes());
    rows.row(51, "behind the end", ask_stream("hi"), script, got);
}

fn unreadable(rows: &mut Rows) {
    let deep = format!("{}\"SECRET//NOFORN\"{}", "[".repeat(5000), "]".repeat(5000));
    let array = format!("[{}]", content_delta(0, MARKER));
    for (about, data) in [
        ("no json", "SECRET//NOFORN"),
        ("half a document", r#"{"choices":[{"delta":{"content":"SECRET//NOFORN""#),
        ("two documents", r#"{"choices":[]}{"choices":[{"delta":{"content":"SECRET//NOFORN"}}]}"#),
        ("an array", array.as_str()),
        ("a string", r#""SECRET//NOFORN""#),
        ("a number", "7"),
        ("too deep", deep.as_str()),
        ("choices that are none", r#"{"choices":{"0":{"delta":{"content":"SECRET//NOFORN"}}}}"#),
        ("not a number", r#"{"choices":[{"index":NaN,"delta":{"content":"SECRET//NOFORN"}}]}"#),
        ("half a surrogate", r#"{"choices":[{"delta":{"content":"\ud800 SECRET//NOFORN"}}]}"#),
    ] {
        rows.stream(53, about, &[event(data)], |before| Broke("upstream_sse_malformed", before));
    }
    let script = Script::events().piece(good()).piece(b"data: {\"a\":\"\xff SECRET//NOFORN\"}\n\n");
    let got = Broke("upstream_sse_malformed", good().into_bytes());
    rows.row(53, "no UTF-8", ask_stream("hi"), script.piece(ending()), got);
    for body in
        ["SECRET//NOFORN", r#"["SECRET//NOFORN"]"#, r#"{"a":"SECRET//NOFORN"}"#, deep.as_str(), ""]
    {
        rows.whole(53, "whole", body, Refused(502, "upstream_answer_malformed"));
    }
}

fn ordinary(rows: &mut Rows) {
    let lean = event(&format!(
        r#"{{"id":"{}","object":"chat.completion.chunk","model":"m","system_fingerprint":"{}","choices":[{{"index":0,"delta":{{"role":"assistant","content":"Ten words. "}},"logprobs":{{"content":[{{"token":"Ten","logprob":-0.5,"bytes":[84],"top_logprobs":[]}}]}}}}]}}"#,
        "i".repeat(1500),
        "f".repeat(1500)
    ));
    let all = [lean.clone(), lean, ending()].concat();
    let script = Script::events().piece(&all);
    let asked = body("hi", r#""stream":true,"max_tokens":10,"#);
    rows.row(54, "content counts, nothing else", asked, script, Same(all.into_bytes()));
    for reason in ["eos", "end_turn", "abort", "", "Reached the end."] {
        let all = [good(), event(&finish_delta(0, reason)), event("[DONE]")].concat();
        let script = Script::events().piece(&all);
        rows.row(55, reason, ask_stream("hi"), script, Same(all.into_bytes()));
    }
    rows.stream(55, "one that is marked", &[event(&finish_delta(0, MARKER))], Stopped);
}

fn answers_that_are_none(rows: &mut Rows) {
    let head = |status: &str, headers: &str, body: &str| {
        Script::raw(format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let marked = completion(MARKER);
    let (json, events) =
        ("content-type: application/json\r\n", "content-type: text/event-stream\r\n");
    for coding in ["gzip", "br", "deflate", "identity, gzip", "x-secret"] {
        for (kind, asked) in [(json, ask("hi")), (events, ask_stream("hi"))] {
            let headers = format!("{kind}content-encoding: {coding}\r\n");
            let script = head("200 OK", &headers, &marked);
            rows.row(56, coding, asked, script, Refused(502, "upstream_content_encoded"));
        }
    }
    for asked in [ask("hi"), ask_stream("hi")] {
        for status in ["301 Moved", "302 Found", "307 Again", "304 Same"] {
            let script = head(status, "location: http://127.0.0.1:1/SECRET\r\n", "");
            rows.row(57, status, asked.clone(), script, Refused(502, "upstream_redirect"));
        }
        for status in ["400 Bad", "500 Worse"] {
            let script = head(status, json, r#"{"error":{"message":"SECRET//NOFORN"}}"#);
            rows.row(57, status, asked.clone(), script, WITHHELD);
        }
        for (about, headers) in [
            ("a page", "content-type: text/html\r\n"),
            ("no type", ""),
            ("two types", "content-type: application/json\r\ncontent-type: text/html\r\n"),
            ("plain text", "content-type: text/plain; x=application/json\r\n"),
        ] {
            let script = head("200 OK", headers, &marked);
            rows.row(
                57,
                about,
                asked.clone(),
                script,
                Refused(502, "upstream_content_type_invalid"),
            );
        }
        let script =
            Script::raw(format!("HTTP/1.1 200 OK\r\n{json}content-length: 9999\r\n\r\n{marked}"));
        rows.row(57, "a body that ends early", asked, script, Refused(502, "upstream_truncated"));
    }
    let script = head("500 No", events, &content(MARKER));
    rows.row(
        57,
        "a failure that streams",
        ask_stream("hi"),
        script,
        Refused(502, "upstream_content_type_invalid"),
    );
    let script = Script::events().piece(good()).piece(content("SECRET/")).close();
    let told = [good(), content("SECRET/")].concat();
    // Half a marking is none: nothing more will come.
    rows.row(
        57,
        "a stream that dies",
        ask_stream("hi"),
        script,
        Broke("upstream_truncated", told.into_bytes()),
    );
    let script = Script::events()
        .piece(good())
        .piece(event(&call_delta(0, 0, Some(("c", "time")), "{}")))
        .close();
    rows.row(
        57,
        "a stream that dies in a call",
        ask_stream("hi"),
        script,
        Broke("upstream_truncated", good().into_bytes()),
    );
    let script = Script::events()
        .piece(good())
        .piece(content("key AKIAIOSF"))
        .piece(content("ODNN7EXAMPLE"));
    let told = [good(), content("key [REDACTED:aws-access-key]"), content("")].concat();
    let got = Broke("upstream_truncated", told.into_bytes());
    rows.row(57, "a stream that dies behind a key", ask_stream("hi"), script.close(), got);
    let refusal = event(r#"{"error":{"message":"Overloaded."}}"#);
    let script =
        Script::events().piece(good()).piece(event(&call_delta(0, 0, Some(("c", "time")), "{")));
    let script = script.piece(content("Hm. ")).piece(&refusal);
    let told = [good(), refusal].concat();
    rows.row(
        57,
        "an error event behind half a call",
        ask_stream("hi"),
        script,
        Failed(told.into_bytes()),
    );
    let error = event(r#"{"error":{"message":"SECRET//NOFORN","type":"server_error"}}"#);
    rows.stream(57, "a marked error event", &[error], Stopped);
}

fn cut_out(rows: &mut Rows) {
    let cut = |pieces: &[&str], told: &[&str]| {
        let [pieces, told] =
            [pieces, told].map(|all| all.iter().map(|text| content(text)).collect::<String>());
        let script = Script::events().piece(good()).piece(pieces).piece(ending());
        (ask_stream("hi"), script, Redacted([good(), told, ending()].concat().into_bytes()))
    };
    let mark = "[REDACTED:aws-access-key]";
    for at in 1..KEY.len() {
        let (first, second) = KEY.split_at(at);
        let (first, second) = (format!("key {first}"), format!("{second} kept"));
        let (asked, script, got) = cut(&[&first, &second], &[&format!("key {mark}"), " kept"]);
        rows.row(61, &format!("a key cut at {at}"), asked, script, got);
    }
    let letters: Vec<String> = KEY.chars().map(|ch| ch.to_string()).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    let told = [&[mark], vec![""; KEY.len() - 1].as_slice()].concat();
    let (asked, script, got) = cut(&letters, &told);
    rows.row(61, "a key letter by letter", asked, script, got);
    let other = "ABC is none. ";
    let (asked, script, _) = cut(&[&KEY[..8], other], &[]);
    let same = [good(), content(&KEY[..8]), content(other), ending()].concat();
    rows.row(61, "what looked like a key", asked, script, Same(same.into_bytes()));
}

fn good() -> String {
    content("Good. ")
}

fn ending() -> String {
    [event(&finish_delta(0, "stop")), event("[DONE]")].concat()
}

fn content(text: &str) -> String {
    event(&content_delta(0, text))
}

fn delta(choice: u32, delta: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"fake-model","choices":[{{"index":{choice},"delta":{delta},"finish_reason":null}}]}}"#
    )
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}
