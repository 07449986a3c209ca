//! The checklist of what a verifier must refuse, numbered as the format numbers it (1 to 70).

mod chains;
mod members;
mod statements;
mod tokens;

use std::fmt;

use record::capability::Statement;
use record::receipt::Receipt;
use record::report::{Code, ExitClass};
use record::{SignedReceipt, Verdict};
use seal::Signer;
use seal::json::Value;

pub use statements::terms;

use crate::common::*;

/// One variant of one case.
pub struct Case {
    /// In the checklist.
    pub number: u8,
    pub name: String,
    pub input: Input,
    pub code: Code,
    pub exit: ExitClass,
}

/// What is put before the verifier. Key 1 signs what surrounds the case and is trusted, as is
/// key 2.
pub enum Input {
    /// A token: judged alone and as a line of a chain.
    Token(String),
    /// Lines of a chain; the finding is about this one of them.
    Lines(Vec<String>, usize),
    /// The same under these statements.
    Under(Vec<Statement>, Vec<String>, usize),
    /// A statement that does not hold, or its file that cannot be read.
    Statement(Vec<u8>),
    /// The bytes that a file ends in, without newline.
    Tail(Vec<u8>),
    /// No receipts at all.
    Nothing,
    /// A chain that ends too early for who noted its head or its count.
    ShortOfHead,
    ShortOfCount,
    /// A trust file that must not be read, as text; what its refusal must say.
    Keys(String, &'static str),
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case {} ({})", self.number, self.name)
    }
}

struct List(Vec<Case>);

impl List {
    fn add(&mut self, number: u8, name: impl Into<String>, input: Input, code: Code) {
        let exit = code.exit();
        self.0.push(Case { number, name: name.into(), input, code, exit });
    }

    fn token(&mut self, number: u8, name: impl Into<String>, jws: String, code: Code) {
        self.add(number, name, Input::Token(jws), code);
    }

    fn line(&mut self, number: u8, name: impl Into<String>, line: String, code: Code) {
        self.add(number, name, Input::Lines(vec![line], 0), code);
    }

    fn chain(&mut self, number: u8, name: impl Into<String>, receipts: &[Receipt], code: Code) {
        let lines = receipts.iter().map(|receipt| line_of(&signed(receipt.clone()).jws)).collect();
        self.add(number, name, Input::Lines(lines, receipts.len() - 1), code);
    }
}

/// Every way to spoil a receipt, a chain or a statement that the format's checklist names.
pub fn cases() -> Vec<Case> {
    let mut list = List(Vec::new());
    tokens::header_cases(&mut list);
    tokens::key_cases(&mut list);
    tokens::segment_cases(&mut list);
    tokens::json_cases(&mut list);
    members::member_cases(&mut list);
    members::list_cases(&mut list);
    chains::link_cases(&mut list);
    chains::envelope_cases(&mut list);
    statements::statement_cases(&mut list);
    statements::later_version_cases(&mut list);
    list.0
}

/// The payload of a good root.
fn good() -> String {
    String::from_utf8(seal::jws::split(&parent().jws, 65_536).unwrap().payload).unwrap()
}

/// A root with its header changed.
fn head(from: &str, to: &str) -> String {
    let changed = header().replacen(from, to, 1);
    assert_ne!(changed, header(), "{from} is in no header");
    forge(changed, good())
}

/// A root with its payload changed.
fn body(from: &str, to: &str) -> String {
    let changed = good().replacen(from, to, 1);
    assert_ne!(changed, good(), "{from} is in no payload");
    forge(header(), changed)
}

/// A root with one member set.
fn set(member: &str, value: impl Into<Value>) -> String {
    spoiled(&parent(), member, Some(value.into()))
}

/// A model call with one member set.
fn set_call(member: &str, value: impl Into<Value>) -> String {
    spoiled(&signed(model_call(&parent())), member, Some(value.into()))
}

fn texts(items: &[&str]) -> Value {
    Value::array(items.iter().copied())
}

/// The good root of every chain here.
pub fn parent() -> SignedReceipt {
    signed(user_input())
}

/// Another root.
pub fn user_input_of(text: &str) -> Receipt {
    Receipt::user_input(agent(), key(1).key_id(), T0, digest(text))
}

pub fn sanitisation() -> SignedReceipt {
    let (parent, removed) = (parent(), tags(&["external_user"]));
    let (a, b) = (digest("a"), digest("b"));
    let id = key(1).key_id();
    signed(
        Receipt::sanitisation(agent(), id, T0 + 2, "redactor", &removed, a, b)
            .parents(&[(parent.hash, &parent.receipt.taint)]),
    )
}

pub fn merge() -> SignedReceipt {
    let (one, two) = (parent(), signed(model_call(&parent())));
    signed(
        Receipt::merge(agent(), key(1).key_id(), T0 + 3, digest("m"))
            .parents(&[(one.hash, &one.receipt.taint), (two.hash, &two.receipt.taint)]),
    )
}

/// One receipt of each operation that needs a parent.
pub fn with_parents() -> Vec<SignedReceipt> {
    let parent = parent();
    let cite = |receipt: Receipt| signed(receipt.parents(&[(parent.hash, &parent.receipt.taint)]));
    let (a, b, id) = (digest("a"), digest("b"), key(1).key_id());
    let at = T0 + 5;
    vec![
        signed(model_call(&parent)),
        cite(Receipt::tool_call(agent(), id, at, "tool-a", a, b)),
        cite(Receipt::retrieval(agent(), id, at, "docs", a, b, false)),
        cite(Receipt::agent_handoff(agent(), id, at, &"agent:other".parse().unwrap(), b)),
        sanitisation(),
        merge(),
    ]
}

pub fn scan() -> SignedReceipt {
    let (a, rules) = (digest("a"), digest("rules"));
    let id = key(1).key_id();
    signed(Receipt::guardrail_scan(agent(), id, T0, a, rules, Verdict::Clean, "input"))
}
