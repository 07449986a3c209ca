//! Upstreams made to get something past the gateway, or to wear it out: one row or more for each
//! number of the list of attacks, over sockets on both sides. What is asserted is what the caller's
//! socket received, byte for byte, and what the ledger says of it afterwards.

mod rows;

use std::collections::BTreeSet;

use testkit::upstream::Script;

use crate::client::Reply;
use crate::harness::{Evidence, Gateway, digest};

/// One answer of the upstream, and what must become of it.
struct Row {
    number: u8,
    about: String,
    ask: String,
    script: Script,
    got: Got,
}

/// What the caller got: exactly these bytes, the receipt's block apart.
enum Got {
    /// What the upstream sent.
    Same(Vec<u8>),
    /// This, something having been cut out.
    Redacted(Vec<u8>),
    /// This, then an error event: a check stopped the stream.
    Stopped(Vec<u8>),
    /// This, then an error event: the upstream broke off.
    Broke(&'static str, Vec<u8>),
    /// This, the last of it being the upstream's own error.
    Failed(Vec<u8>),
    /// A refusal, and nothing of the answer.
    Refused(u16, &'static str),
}
use Got::{Broke, Failed, Redacted, Refused, Same, Stopped};

/// Numbers that no row of the table shows, and why.
const ELSEWHERE: [(u8, &str); 4] = [
    (50, "every split of every stream: any_chunking.rs"),
    (52, "needs a count of bytes: hostile_http.rs, an_endless_answer_is_not_read_on"),
    (
        58,
        "needs a caller that leaves: hostile_http.rs, a_caller_that_leaves_gets_nothing_that_waits",
    ),
    (59, "continuing consent is no check of this gateway yet"),
];

/// Nothing of these may reach a caller, however it was hidden.
const FORBIDDEN: [&str; 7] =
    ["SECRET", "NOFORN", "secret", "noforn", "AKIA", "ODNN7", "wire_money"];
const MARKER: &str = "SECRET//NOFORN";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const WITHHELD: Got = Refused(403, "answer_withheld");

/// The receipt of a stream, the bytes before its block, and those behind.
fn without_receipt<'b>(name: &str, body: &'b str) -> [&'b str; 3] {
    let start = body.find(": x-countersign-receipt ");
    let start = start.unwrap_or_else(|| panic!("{name}: no receipt in {body}"));
    let end = start + body[start..].find("\n\n").expect("a whole block") + 2;
    let receipt = body[start..end].trim_start_matches(": x-countersign-receipt ").trim();
    [receipt, &body[..start], &body[end..]]
}

/// What a caller got, and what the evidence has to say of it.
struct Told {
    row: String,
    id: String,
    receipt: String,
    /// Check and decision of the last entry, decision and code of the receipt.
    says: [&'static str; 4],
    /// What the receipt covers.
    signed: String,
}

fn check(row: &Row, reply: &Reply) -> Told {
    let name = format!("{} {}", row.number, row.about);
    let stream = reply.header("content-type") == Some("text/event-stream");
    let text = reply.text();
    let [receipt, signed, behind] = match stream {
        true => without_receipt(&name, &text),
        false => [reply.receipt(), text.as_str(), ""],
    };
    let delivered = [signed, behind].concat();
    let error = |code: &str| delivered.contains(&format!(r#""code":"{code}""#));
    let whole = |expect: &[u8]| {
        assert_eq!(delivered, String::from_utf8_lossy(expect), "{name}");
    };
    // Before the error event exactly this, and nothing behind it.
    let before = |expect: &[u8]| {
        let rest = delivered.as_bytes().strip_prefix(expect);
        let rest = rest.unwrap_or_else(|| panic!("{name}: {delivered}"));
        let rest = std::str::from_utf8(rest).expect("text");
        assert!(
            rest.starts_with("data: {\"error\":") && rest.matches("data: ").count() == 1,
            "{name}: {delivered}"
        );
    };
    let says = match &row.got {
        Same(expect) => {
            whole(expect);
            ["pipeline.complete", "allow", "allow", "ok"]
        }
        Failed(expect) => {
            whole(expect);
            ["pipeline.upstream", "block", "error", "upstream_error_event"]
        }
        Redacted(expect) => {
            whole(expect);
            ["pipeline.complete", "redact", "redact", "redacted"]
        }
        Stopped(expect) => {
            assert!(stream && error("answer_withheld"), "{name}: {delivered}");
            before(expect);
            ["pipeline.inspection|pipeline.commitment", "block", "block", "*"]
        }
        Broke(code, expect) => {
            assert!(stream && error(code), "{name}: {delivered}");
            before(expect);
            ["pipeline.upstream", "block", "error", code]
        }
        Refused(status, code) => {
            assert!(
                !stream && reply.status == *status && error(code),
                "{name}: {reply:?} {delivered}"
            );
            match code.starts_with("upstream_") {
                true => ["pipeline.upstream", "block", "error", code],
                false => ["*", "block", "*", "*"],
            }
        }
    };
    let quiet = !matches!(&row.got, Same(_)) && row.about != "a stream that dies";
    let received = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
    let received = received.replace(receipt, "");
    for needle in FORBIDDEN.iter().filter(|_| quiet) {
        assert!(!received.contains(needle), "{name}: {needle} in {received}");
    }
    Told {
        row: name,
        id: reply.id().to_owned(),
        receipt: receipt.to_owned(),
        says,
        signed: signed.to_owned(),
    }
}

fn recorded(evidence: &Evidence, told: &Told) {
    let Told { row, id, receipt, says, signed } = told;
    let [check, ruling, decision, code] = *says;
    let same = |expect: &str, is: &str| expect == "*" || expect.split('|').any(|one| one == is);
    let entries = evidence.of(id);
    assert_eq!(entries.first(), Some(&("pipeline.admission", "allow")), "{row}");
    let last = evidence.last(id);
    assert!(same(check, &last.check_name), "{row}: {entries:?}");
    assert_eq!(last.decision.as_str(), ruling, "{row}: {entries:?}");
    let made = evidence.decision(id);
    assert_eq!(&record::decision::read(receipt).expect("a decision receipt"), made, "{row}");
    assert!(same(decision, &made.decision) && same(code, &made.reason_code), "{row}: {made:?}");
    assert_eq!(made.response_digest, Some(digest(signed)), "{row}");
}

#[test]
fn nothing_hostile_comes_out_and_nothing_ordinary_is_held_back() {
    let gateway = Gateway::with("guard: {tools: {denied: [wire_money]}}");
    let rows = rows::table();
    let mut numbers: BTreeSet<u8> = rows.iter().map(|row| row.number).collect();
    numbers.extend(ELSEWHERE.map(|(number, _)| number));
    assert_eq!(numbers, (38..=61).collect(), "a number has no row");
    let mut told = Vec::new();
    for row in &rows {
        gateway.upstream.push(row.script.clone());
        let mut client = gateway.client();
        client.chat(&row.ask, &[]);
        told.push(check(row, &client.reply()));
    }
    // The other APIs of numbers 39 and 62 to 65 are no routes here: nothing is passed on unread.
    let mut client = gateway.client();
    for path in ["/v1/messages", "/v1/responses", "/v1/realtime", "/v1/completions"] {
        client.request("POST", path, "{}", &[]);
        assert_eq!(client.reply().status, 404, "{path}");
    }
    assert_eq!(gateway.upstream.seen().len(), rows.len());
    let evidence = gateway.stop();
    for told in &told {
        recorded(&evidence, told);
    }
    // A trace reads the whole ledger: one for each number and what is said of it.
    let mut kinds = BTreeSet::new();
    let first = |told: &&Told| kinds.insert((told.row[..2].to_owned(), told.says));
    let ids: Vec<&str> = told.iter().filter(first).map(|told| told.id.as_str()).collect();
    evidence.verify_and_trace(&ids);
}
