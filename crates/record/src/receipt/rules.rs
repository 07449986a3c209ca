//! What holds for the claims of every receipt, checked alike when signing and when reading.

use std::collections::BTreeSet;

use seal::digest::Digest;
use seal::json::{MAX_SAFE_INTEGER, Value};

use super::{Operation, Receipt};
use crate::codes::Code;
use crate::report::Finding;
use crate::taint::is_tag;

/// Deepest nesting of an extension, so that the payload stays within the limit of readers.
const EXTENSION_DEPTH: usize = 31;

/// Every rule that these claims break; no findings for a receipt that may be signed.
pub(super) fn check(receipt: &Receipt) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |code, detail: String| found.push(Finding::here(code, detail));
    if receipt.iss.is_empty() {
        say(Code::ReceiptMember, "iss is empty".into());
    }
    if !(1..=MAX_SAFE_INTEGER).contains(&receipt.iat) {
        say(Code::ReceiptMember, format!("iat is {}, expected positive seconds", receipt.iat));
    }
    if !receipt.parents.is_sorted_by(|a, b| a < b) {
        say(Code::ReceiptOrder, "parents".into());
    }
    if let Some(tag) = receipt.taint.iter().find(|tag| !is_tag(tag)) {
        say(Code::ReceiptTag, format!("tag {tag:?}"));
    }
    if let Some(hash) = &receipt.ruleset_hash
        && hash.parse::<Digest>().is_err()
        && Digest::from_hex(hash).is_none()
    {
        say(Code::ReceiptHash, "ruleset_hash".into());
    }
    for (name, value) in optional_texts(receipt) {
        if value.as_ref().is_some_and(String::is_empty) {
            say(Code::ReceiptOptional, format!("{name} is empty"));
        }
    }
    check_required(receipt, &mut say);
    check_parents(receipt, &mut say);
    check_extensions(receipt, &mut say);
    found
}

fn optional_texts(receipt: &Receipt) -> [(&'static str, &Option<String>); 3] {
    [("model", &receipt.model), ("tool", &receipt.tool), ("corpus", &receipt.corpus)]
}

/// The members without which the operation means nothing.
fn check_required(receipt: &Receipt, say: &mut impl FnMut(Code, String)) {
    let has = |member: &str| match member {
        "input_hash" => receipt.input_hash.is_some(),
        "output_hash" => receipt.output_hash.is_some(),
        "model" => receipt.model.is_some(),
        "tool" => receipt.tool.is_some(),
        "corpus" => receipt.corpus.is_some(),
        "ruleset_hash" => receipt.ruleset_hash.is_some(),
        "guardrail_verdict" => receipt.verdict.is_some(),
        _ => false,
    };
    let required: &[&str] = match receipt.operation {
        Operation::UserInput => &["input_hash"],
        Operation::ModelCall => &["input_hash", "output_hash", "model"],
        Operation::ToolCall => &["input_hash", "output_hash", "tool"],
        Operation::Retrieval => &["input_hash", "output_hash", "corpus"],
        Operation::GuardrailScan => &["input_hash", "ruleset_hash", "guardrail_verdict"],
        Operation::AgentHandoff | Operation::Merge => &["output_hash"],
        Operation::Sanitisation => &["input_hash", "output_hash", "tool", "corpus"],
    };
    for member in required {
        if !has(member) {
            say(Code::ReceiptRequired, format!("{} without {member}", receipt.operation));
        }
    }
    if receipt.operation == Operation::Sanitisation
        && receipt.corpus.is_some()
        && receipt.removed().is_none()
    {
        say(Code::ReceiptRemoved, "corpus does not begin with removed:".into());
    }
}

/// How many parents an operation has. A scan may be a root by the specification, although some
/// verifiers demand a parent.
fn check_parents(receipt: &Receipt, say: &mut impl FnMut(Code, String)) {
    let allowed = match receipt.operation {
        Operation::UserInput => 0..=0,
        Operation::GuardrailScan => 0..=usize::MAX,
        Operation::Merge => 2..=usize::MAX,
        Operation::ModelCall
        | Operation::ToolCall
        | Operation::Retrieval
        | Operation::AgentHandoff
        | Operation::Sanitisation => 1..=usize::MAX,
    };
    if !allowed.contains(&receipt.parents.len()) {
        let detail = format!("{} with {} parents", receipt.operation, receipt.parents.len());
        say(Code::ReceiptParents, detail);
    }
}

fn check_extensions(receipt: &Receipt, say: &mut impl FnMut(Code, String)) {
    let mut names = BTreeSet::new();
    for (name, value) in &receipt.extensions {
        if !name.starts_with("x_") {
            say(Code::ReceiptUnknownMember, format!("member {name:?}"));
        }
        if !names.insert(name) {
            say(Code::ReceiptCanonical, format!("member {name:?} twice"));
        }
        if is_deeper_than(value, EXTENSION_DEPTH) {
            say(Code::ReceiptLimit, format!("member {name:?} is nested too deep"));
        }
    }
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let deeper = |inner: &Value| levels == 0 || is_deeper_than(inner, levels - 1);
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(deeper),
        Value::Object(members) => levels == 0 || members.iter().any(|(_, value)| deeper(value)),
        _ => false,
    }
}
