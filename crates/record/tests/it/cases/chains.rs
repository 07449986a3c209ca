//! Cases 47 to 61 and 70: how receipts stand on each other, and the lines they stand in.

use record::capability::Terms;
use record::receipt::Receipt;
use record::report::Code::*;

use super::statements::{terms, under};
use super::{Input, List, parent, sanitisation, user_input_of, with_parents};
use crate::common::*;

/// What a chain must hold together; the good root is its first line.
pub fn link_cases(list: &mut List) {
    let root = parent();
    let call = model_call(&root);
    let stray = Receipt { parents: vec![digest("nowhere")], ..call.clone() };
    list.chain(47, "the only parent", &[stray], ChainParent);
    let mut both = vec![root.hash, digest("nowhere")];
    both.sort();
    list.chain(47, "one of two parents", &[Receipt { parents: both, ..call.clone() }], ChainParent);
    let late = signed(user_input_of("late"));
    let lines = vec![line_of(&signed(model_call(&late)).jws), line_of(&late.jws)];
    list.add(48, "child first", Input::Lines(lines, 0), ChainOrder);
    list.chain(49, "a second beyond", &[Receipt { iat: T0 - 301, ..call.clone() }], ChainTime);
    list.chain(49, "the first second", &[Receipt { iat: 1, ..call.clone() }], ChainTime);
    list.chain(50, "all", &[Receipt { taint: tags(&[]), ..call.clone() }], ChainTaint);
    let other = Receipt { taint: tags(&["other"]), ..call.clone() };
    list.chain(50, "another instead", &[other], ChainTaint);
    for (name, taint) in
        [("kept", &["external_user"][..]), ("added", &["new"]), ("both", &["external_user", "new"])]
    {
        let receipt = Receipt { taint: tags(taint), ..sanitisation().receipt };
        list.chain(51, name, &[receipt], ChainSanitised);
    }
    let keeps = Receipt { corpus: Some("removed:other".into()), ..sanitisation().receipt };
    list.chain(51, "clears what it does not name", &[keeps], ChainSanitised);
    for silent in ["x", "removed", "Removed:external_user", "external_user"] {
        let jws = spoiled(&sanitisation(), "corpus", Some(silent.into()));
        list.token(52, silent, jws, ReceiptRemoved);
    }
    for (name, authority) in [("none", vec![]), ("another", vec!["other".to_string()])] {
        let terms = Terms { sanitisation_authority: authority, ..terms(2) };
        under(list, 53, name, terms, sanitisation().receipt, CapSanitise);
    }
    let untagged = Receipt { taint: tags(&["external_user"]), ..with_parents()[2].receipt.clone() };
    list.chain(54, "no tag", std::slice::from_ref(&untagged), ChainRetrieval);
    let other = Receipt { taint: tags(&["external_user", "rag:other"]), ..untagged };
    list.chain(54, "tag of another corpus", &[other], ChainRetrieval);
}

pub fn envelope_cases(list: &mut List) {
    let one = signed(user_input_of("one"));
    let line = line_of(&one.jws);
    let other = digest("other").to_string();
    let stated = one.hash.to_string();
    list.line(55, "other", line.replace(&stated, &other), ChainHash);
    list.line(55, "missing", format!("{{\"jws\":\"{}\"}}\n", one.jws), ChainEnvelope);
    for (name, bad) in [
        ("null", "null".to_string()),
        ("bare", format!("\"{}\"", one.hash.hex())),
        ("capitals", format!("\"{}\"", stated.to_uppercase())),
        ("empty", "\"\"".to_string()),
    ] {
        let bad = line.replace(&format!("\"{stated}\""), &bad);
        list.line(55, format!("form {name}"), bad, ChainEnvelope);
    }
    list.line(56, "extra", line.replace('}', ",\"a\":1}"), ChainEnvelope);
    list.line(56, "twice", line.replace('}', ",\"jws\":\"\"}"), ChainEnvelope);
    list.line(56, "jws missing", format!("{{\"receipt_hash\":\"{other}\"}}\n"), ChainEnvelope);
    list.line(56, "both missing", "{}\n".into(), ChainEnvelope);
    list.line(57, "null", "null\n".into(), ChainEnvelope);
    for bad in ["1", "null", "[]", "{}", "true"] {
        let line = format!("{{\"receipt_hash\":\"{other}\",\"jws\":{bad}}}\n");
        list.line(57, format!("jws {bad}"), line, ChainEnvelope);
    }
    for bad in ["[]", "\"a\"", "hello", "1", "{", "}", "[[[[", "\u{feff}{}", "\u{1b}[2J", "{} {}"] {
        list.line(58, bad, format!("{bad}\n"), ChainEnvelope);
    }
    list.line(58, "array of an envelope", format!("[{}]\n", line.trim_end()), ChainEnvelope);
    list.line(58, "two on one line", format!("{}{line}", line.trim_end()), ChainEnvelope);
    list.line(58, "deep", format!("{}\n", "[".repeat(100_000)), ChainEnvelope);
    // An envelope in the usual spelling, a byte over the limit and at it.
    for (name, over, code) in [("over", 1, ChainLine), ("at", 0, ReceiptLimit)] {
        let room = record::chainfile::LINE_LIMIT + over - line_of("").trim_end().len();
        list.line(58, format!("{name} the limit"), line_of(&"A".repeat(room)), code);
    }
    list.line(58, "long", format!("{}\n", "a".repeat(200_000)), ChainLine);
    list.add(59, "at once", Input::Lines(vec![line.clone(), line.clone()], 1), ChainDuplicate);
    let (spaced, between) = (line.replace(',', " , "), line_of(&signed(user_input_of("x")).jws));
    let lines = vec![line.clone(), between, spaced];
    list.add(59, "later, spelt otherwise", Input::Lines(lines, 2), ChainDuplicate);
    list.add(60, "empty", Input::Nothing, ChainEmpty);
    list.add(60, "head", Input::ShortOfHead, ChainTruncated);
    list.add(60, "count", Input::ShortOfCount, ChainTruncated);
    for cut in [1, 10, 90, line.len() - 3, line.len() - 2] {
        let tail = line.as_bytes()[..cut].to_vec();
        list.add(61, format!("after {cut} bytes"), Input::Tail(tail), ChainTorn);
    }
    list.add(61, "zeros", Input::Tail(vec![0; 700]), ChainTorn);
    let half = [&line.as_bytes()[..200], &[0; 300]].concat();
    list.add(61, "zeros at its end", Input::Tail(half), ChainTorn);
    let whole = [line.trim_end().as_bytes(), &[0; 300]].concat();
    list.add(61, "zeros behind it", Input::Tail(whole), ChainTorn);
    let rich = |member: &str| line.replace('}', &format!(",{member}}}"));
    list.line(70, "payload beside it", rich("\"payload\":{}"), ChainLegacy);
    list.line(
        70,
        "claims beside it",
        rich("\"operation\":\"user_input\",\"parents\":[]"),
        ChainLegacy,
    );
}
