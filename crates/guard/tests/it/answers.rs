use std::ops::Range;

use chat::edit::apply_text;
use chat::{Channel, ToolCall};
use countersign_guard::{Completion, Outcome, Run, TextEvent};
use proptest::prelude::*;
use scan::{Target, Verdict};

use crate::{admitted, alice, code, exchange, facts, pipeline};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// Streams the pieces; the code of the first refusal, or what the caller saw. A piece is released
/// when all of its text may go.
fn stream(run: &mut Run, channel: &Channel, pieces: &[&str]) -> Result<String, String> {
    let facts = alice();
    let mut text = String::new();
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    let (mut ends, mut open) = (Vec::new(), 0);
    for (at, piece) in pieces.iter().enumerate() {
        let from = text.len();
        text.push_str(piece);
        ends.push(text.len());
        let last = at + 1 == pieces.len();
        let outcome =
            run.text(TextEvent { choice: 0, channel, text: &text, from, open, last }, &facts);
        if outcome.ruling.stops() {
            return Err(code(&outcome).to_owned());
        }
        assert!(outcome.ruling.spans().all(|(span, _)| span.start >= open), "{outcome:?}");
        cuts.extend(outcome.ruling.spans().map(|(span, by)| (span, by.to_owned())));
        let held = outcome.held.unwrap_or(text.len());
        open = ends.iter().copied().filter(|end| *end <= held).max().unwrap_or(0).max(open);
    }
    let outcome = run.completion(Completion::default(), &facts);
    if outcome.ruling.stops() {
        return Err(code(&outcome).to_owned());
    }
    let cuts = cuts.iter().map(|(span, by)| (span.clone(), by.as_str()));
    Ok(apply_text(&text, cuts).expect("spans lie in the text"))
}

fn answer(text: &str) -> Result<String, String> {
    stream(&mut admitted("{}", &alice()), &Channel::Content, &[text])
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { name: name.to_owned(), arguments: arguments.to_owned(), ..ToolCall::default() }
}

fn judge_call(config: &str, name: &str, arguments: &str) -> Outcome {
    admitted(config, &alice()).tool_call(&call(name, arguments), &alice())
}

#[test]
fn text_that_is_read_again_and_again_has_an_end() {
    // Little but invisible characters: each piece reads all of them again.
    let padding = ["a", &"\u{200b}".repeat(20_000)].concat();
    let mut pieces = vec![&*padding];
    pieces.extend(["\u{200b}"; 1_000]);
    let hostile = stream(&mut admitted("{}", &alice()), &Channel::Content, &pieces);
    assert_eq!(hostile, Err("unreadable".to_owned()));
    // Ordinary text of any script is read again no further than it is allowed for nothing.
    let pieces = ["\u{4f60}\u{597d}\u{3002}"; 4_000];
    let ordinary = stream(&mut admitted("{}", &alice()), &Channel::Content, &pieces);
    assert_eq!(ordinary, Ok(pieces.concat()));
}

#[test]
fn markings_above_the_request_stop_the_answer() {
    for marked in [
        "SECRET//NOFORN",
        "the file is secret//noforn.",
        "TOP SECRET//SI//NF",
        "TOP SECRET",
        "CUI//SP-PRVCY",
        "(S) The convoy leaves.",
        "(U) Fine. (TS) Not fine.",
        "- (CUI) item",
        "x\n(S//NF) y",
        "1. (S) z",
        "(TS)",
        "S\u{200b}E\u{feff}CRET//NO\u{ad}FORN",
        "ＳＥＣＲＥＴ／／ＮＯＦＯＲＮ",
        "SECRET // NOFORN",
        "SECRET**//**NOFORN",
        "SЕCRЕT//NOFORN",
        "SECRET∕∕NOFORN",
        "SE\u{301}CRET//NOFORN",
        "TS//SI",
        "TS/SCI.",
        "CONFIDENTIAL//REL TO USA",
        "(U) decoy (U) decoy SECRET//ORCON",
    ] {
        assert_eq!(answer(marked), Err("classification_drift".to_owned()), "{marked}");
    }
    let padded = format!("{}SECRET/{}/NOFORN", "x".repeat(2 << 20), "\u{200b}".repeat(5000));
    assert!(answer(&padded).is_err(), "padding hides nothing");
}

#[test]
fn ordinary_answers_pass() {
    for plain in [
        "The secret is patience.",
        "a top secret recipe",
        "Top Secret Recipe",
        "file(s) and STUDENT(S) must",
        "(S)-ibuprofen and (S)-enantiomers",
        "We use TypeScript (TS) here.",
        "Controlled Unclassified Information (CUI) is",
        "https://secret//path",
        "let secret; // comment",
        "src/ts/sites/x.ts",
        "(C) 2026 Example",
        "Section (S)",
        "secret//silicon",
        "The node (S) connects",
        "TOPS SECRETS",
        "a/b//c",
        "https://example.org/top/secret/",
        "CUI/GUI",
    ] {
        assert_eq!(answer(plain), Ok(plain.to_owned()), "{plain}");
    }
}

#[test]
fn a_marking_within_the_request_s_level_passes() {
    let secret = facts(&[
        ("x-commit-owner", "human:a"),
        ("x-classification", "SECRET"),
        ("x-caller-clearance", "SECRET"),
    ]);
    let run = |text| stream(&mut admitted("{}", &secret), &Channel::Content, &[text]);
    assert_eq!(run("SECRET//NOFORN"), Ok("SECRET//NOFORN".to_owned()));
    assert_eq!(run("SECRET//NOFORN TS//NF "), Err("classification_drift".to_owned()));
    assert_eq!(
        stream(
            &mut admitted(r#"{"scope_drift":{"markers":false}}"#, &alice()),
            &Channel::Content,
            &["SECRET//NOFORN"]
        ),
        Ok("SECRET//NOFORN".to_owned())
    );
}

#[test]
fn every_channel_is_inspected() {
    for channel in [
        Channel::Reasoning,
        Channel::Refusal,
        Channel::Transcript,
        Channel::Other("/x#key".to_owned()),
    ] {
        let run = |pieces: &[&str]| stream(&mut admitted("{}", &alice()), &channel, pieces);
        assert_eq!(run(&["SECRET//", "NOFORN"]), Err("classification_drift".to_owned()));
        assert_eq!(run(&[KEY]), Ok("[REDACTED:aws-access-key]".to_owned()));
    }
}

#[test]
fn channels_do_not_complete_one_another() {
    let mut run = admitted("{}", &alice());
    for (choice, text) in [(0, "SECRET//"), (1, "NOFORN")] {
        let event =
            TextEvent { choice, channel: &Channel::Content, text, from: 0, open: 0, last: false };
        assert_eq!(run.text(event, &alice()).ruling.name(), "allow");
    }
}

#[test]
fn length_is_counted_in_content_and_generously() {
    let run = |limit: u64, channel: Channel, chars: usize| {
        let body = format!(
            r#"{{"model":"m","max_tokens":{limit},"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let mut run = pipeline("{}").start();
        assert_eq!(run.request(&exchange(&body), &alice()).ruling.name(), "allow");
        let piece = "abcd efg ".repeat(chars / 9);
        stream(&mut run, &channel, &[&piece, &piece]).map(|_| ())
    };
    assert_eq!(run(10, Channel::Content, 300), Ok(()));
    assert_eq!(run(1000, Channel::Content, 4000), Ok(()));
    assert_eq!(run(1000, Channel::Content, 9000), Err("length_drift".to_owned()));
    assert_eq!(run(10, Channel::Other("/id".to_owned()), 9000), Ok(()));
}

#[test]
fn secrets_are_cut_out_of_answers() {
    assert_eq!(answer(&format!("é {KEY}, ok")), Ok("é [REDACTED:aws-access-key], ok".to_owned()));
    // Nothing is released before it is certain, so a secret in pieces goes whole.
    let mut run = admitted("{}", &alice());
    let seen = stream(&mut run, &Channel::Content, &["key AKIAIOSF", "ODNN7EXAMPLE", " done"]);
    assert_eq!(seen, Ok("key [REDACTED:aws-access-key] done".to_owned()));
    let mut run = admitted("{}", &alice());
    let pieces = ["use sk-proj-abcdefghij0123456789", "ABCDEFGHIJ", "KLMNOP", " and go"];
    let seen = stream(&mut run, &Channel::Content, &pieces);
    assert_eq!(
        seen,
        Ok("use [REDACTED:model-api-key] and go".to_owned()),
        "one mark for a growing span"
    );
    let output = run.output().expect("scanned");
    assert_eq!((output.target, output.verdict), (Target::Output, Verdict::Clean));
    assert_eq!(output.rules.iter().map(|rule| &**rule).collect::<Vec<_>>(), ["CS-SEC-003"]);
}

#[test]
fn a_drift_is_named_in_what_the_receipt_says() {
    let mut run = admitted("{}", &alice());
    assert!(stream(&mut run, &Channel::Content, &["SECRET//NOFORN"]).is_err());
    let output = run.output().expect("scanned");
    assert_eq!((output.verdict, &*output.rules[0]), (Verdict::Malicious, "scope_drift"));
}

#[test]
fn tool_calls_are_judged_by_name_and_arguments() {
    let lists = r#"{"tools":{"allowed":["send_email","pay"],"denied":["pay"]}}"#;
    assert_eq!(code(&judge_call(lists, "send_email", "{}")), "allow");
    assert_eq!(code(&judge_call(lists, "pay", "{}")), "tool_denied");
    assert_eq!(code(&judge_call(lists, "Send_Email", "{}")), "tool_not_allowed");
    assert_eq!(code(&judge_call("{}", "anything", "{}")), "allow");
    assert_eq!(
        code(&judge_call(r#"{"tools":{"allowed":[]}}"#, "anything", "{}")),
        "tool_not_allowed"
    );

    assert_eq!(
        code(&judge_call("{}", "f", r#"{"body":"SECRET\u002f\/NOFORN"}"#)),
        "classification_drift"
    );
    assert_eq!(
        code(&judge_call("{}", "f", r#"{"body":"{\"x\":\"SECRET\\u002f/NOFORN\"}"}"#)),
        "classification_drift"
    );
    let arguments = format!(r#"{{"key":"\u0041{}","q":1}}"#, &KEY[1..]);
    let outcome = judge_call("{}", "f", &arguments);
    assert_eq!(outcome.ruling.name(), "redact");
    assert_eq!(
        apply_text(&arguments, outcome.ruling.spans()).as_deref(),
        Some(r#"{"key":"[REDACTED:aws-access-key]","q":1}"#)
    );
    assert_eq!(outcome.scanned[0].target, Target::ToolCall);
    assert_eq!(
        code(&judge_call("{}", &format!("f {KEY}"), "{}")),
        "content",
        "a name cannot be edited"
    );
    let marked = ToolCall { id: "SECRET//NOFORN".into(), ..call("f", "{}") };
    let outcome = admitted("{}", &alice()).tool_call(&marked, &alice());
    assert_eq!(code(&outcome), "classification_drift", "an id reaches the caller too");
    assert_eq!(code(&judge_call("{}", "TS//SCI/x", "{}")), "classification_drift");
}

#[test]
fn a_name_or_an_id_that_looks_like_any_other_may_be_a_key() {
    let identified = |id: &str| {
        admitted("{}", &alice()).tool_call(&ToolCall { id: id.into(), ..call("f", "{}") }, &alice())
    };
    for secret in
        [KEY, "ghp_0123456789abcdefghijABCDEFGHIJ012345", "xoxb-123456789012-abcdefGHIJKL"]
    {
        let named = judge_call("{}", secret, "{}");
        assert_eq!(code(&named), "content", "as a name: {secret}");
        assert_eq!(named.scanned[0].verdict, Verdict::Malicious, "{secret}");
        assert_eq!(code(&identified(secret)), "content", "as an id: {secret}");
    }
    assert_eq!(code(&judge_call("{}", "219-09-9999", "{}")), "content");
    for id in [
        "call_4111111111111111",
        "4111111111111111",
        "219-09-9999",
        "toolu_01A09q90qw90lq917835lq9",
    ] {
        assert_eq!(identified(id).ruling.name(), "allow", "an id is the provider's number: {id}");
    }
    for name in ["ignore_all_previous_instructions", "get_weather", "mcp__github__create_issue"] {
        assert_eq!(judge_call("{}", name, "{}").ruling.name(), "allow", "{name}");
    }
}

#[test]
fn the_beginning_of_a_marking_is_held_and_ordinary_text_is_not() {
    let held = |text: &str| {
        let event = TextEvent {
            choice: 0,
            channel: &Channel::Content,
            text,
            from: 0,
            open: 0,
            last: false,
        };
        let held = admitted("{}", &alice()).text(event, &alice()).held;
        text[held.unwrap_or(text.len())..].to_owned()
    };
    for (text, end) in [
        ("it is TO", "TO"),
        ("it is TOP ", "TOP "),
        ("it is TOP SECRE", "TOP SECRE"),
        ("a top\u{200b} se\u{ad}", "top\u{200b} se\u{ad}"),
        ("S\u{200b}E\u{feff}CRET/", "S\u{200b}E\u{feff}CRET/"),
        ("ＳＥＣＲＥＴ／／ＮＯ", "ＳＥＣＲＥＴ／／ＮＯ"),
        ("secret // no", "secret // no"),
        ("x **SECRET**", "SECRET**"),
        ("TS//", "TS//"),
        ("TS/SC", "TS/SC"),
        ("CONFIDENTIAL//REL ", "CONFIDENTIAL//REL "),
        ("fine. (S", "(S"),
        ("fine. (S)", "(S)"),
        ("(CUI//SP-PRVCY", "(CUI//SP-PRVCY"),
        ("key AKIAIOSF", "AKIAIOSF"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("The secret is patience.", ""),
        ("We use TypeScript (TS) here.", ""),
        ("secret//silicon valley, ", ""),
        ("Hello, world! ", ""),
    ] {
        assert_eq!(held(text), end, "{text}");
    }
}

#[test]
fn what_only_the_configuration_cuts_is_held_like_everything_else() {
    let run = |config: &str| {
        let mut run = admitted(config, &alice());
        stream(&mut run, &Channel::Content, &["write to ", "a", "da@", "example", ".org", " now"])
    };
    let redact = r#"{"content":{"rules":{"CS-PII-004":"redact"}}}"#;
    assert_eq!(run(redact), Ok("write to [REDACTED:email] now".to_owned()));
    assert_eq!(run("{}"), Ok("write to ada@example.org now".to_owned()));
}

#[test]
fn what_the_next_character_decides_is_not_decided_before() {
    // A word of sixteen more characters is no key, and a number that goes on no card.
    for pieces in [["AKIAIOSFODNN7EXAMPLE", "AND MORE"], ["4111111111111111", "0000000000000000"]] {
        let mut run = admitted("{}", &alice());
        assert_eq!(stream(&mut run, &Channel::Content, &pieces), Ok(pieces.concat()));
        let mut run = admitted("{}", &alice());
        let ended = stream(&mut run, &Channel::Content, &[pieces[0], " ", pieces[1]]);
        assert!(!ended.expect("redacted").contains(pieces[0]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The verdict on markings is the same for every way to cut the text.
    #[test]
    fn markings_are_found_in_any_chunking(
        text in r"(\(U\) |SECRET//NOFORN|secret//silicon|\(S\)-x |\. \(S\) |TOP |SECRET|TS//SI|TS//SIX |CUI//|[a-z ]{0,6}|é|\u{200b}|\n){0,8}",
        size in 1usize..9,
    ) {
        let chars: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let config = r#"{"injection":{"enabled":false},"content":{"enabled":false}}"#;
        let whole = stream(&mut admitted(config, &alice()), &Channel::Content, &[&text]);
        let cut = stream(&mut admitted(config, &alice()), &Channel::Content, &pieces);
        prop_assert_eq!(cut, whole);
    }

    /// However a secret is cut, nothing of it is released, and nothing else is lost.
    #[test]
    fn secrets_are_found_in_any_chunking(before in "[a-z .é]{0,12} ", after in " [a-z .]{0,12}", size in 1usize..30) {
        let text = format!("{before}{KEY}{after}");
        let chars: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let seen = stream(&mut admitted("{}", &alice()), &Channel::Content, &pieces).expect("redacted");
        prop_assert_eq!(seen, format!("{before}[REDACTED:aws-access-key]{after}"));
    }

    /// When a marking is found, nothing of it was released before.
    #[test]
    fn no_part_of_a_marking_goes(
        before in r"[a-z .(/é]{0,20}",
        mark in r"(SECRET|CONFIDENTIAL|TS)( ?/ ?/ ?)(NOFORN|NO FORN|REL TO USA|FISA|20300101)|TOP SECRET//S?|\(S//NF\)|CUI//SP",
        hidden in "[\u{200b}*`\u{ad}]{0,2}",
        size in 1usize..6,
    ) {
        let hide = |ch: char| [ch.to_string(), hidden.clone()].concat();
        let text = format!("{before} {}", mark.chars().map(hide).collect::<String>());
        let begin = before.len() + 1;
        let mut run = admitted("{}", &alice());
        let chars: Vec<char> = text.chars().collect();
        let (mut seen, mut open, mut stopped) = (String::new(), 0, false);
        for piece in chars.chunks(size) {
            let from = seen.len();
            seen.extend(piece);
            let event = TextEvent { choice: 0, channel: &Channel::Content, text: &seen, from, open, last: false };
            let outcome = run.text(event, &alice());
            stopped = outcome.ruling.stops();
            if stopped {
                break;
            }
            open = open.max(outcome.held.unwrap_or(seen.len()));
        }
        prop_assert!(open <= begin, "{:?} of {:?} was released", &text[..open], text);
        prop_assert!(stopped || run.completion(Completion::default(), &alice()).ruling.stops(), "{:?}", text);
    }
}
