//! Cases 31 to 46 and 52: the members of a payload, each on its own.

use record::SignedReceipt;
use record::report::Code::*;
use seal::json::Value;

use super::{List, merge, parent, scan, set, set_call, texts, with_parents};
use crate::common::*;

pub fn member_cases(list: &mut List) {
    let root = parent();
    let without = |member: &str| spoiled(&root, member, None);
    list.token(31, "empty", set("iss", ""), ReceiptMember);
    list.token(31, "missing", without("iss"), ReceiptMember);
    list.token(31, "number", set("iss", 1_i64), ReceiptMember);
    list.token(32, "missing", without("iat"), ReceiptMember);
    list.token(32, "string", set("iat", "1"), ReceiptMember);
    list.token(32, "bool", set("iat", true), ReceiptMember);
    list.token(32, "object", set("iat", Value::Object(vec![])), ReceiptMember);
    list.token(32, "null", set("iat", Value::Null), ReceiptMember);
    list.token(32, "negative", set("iat", -1_i64), ReceiptMember);
    list.token(32, "zero", set("iat", 0_i64), ReceiptMember);
    list.token(33, "missing", without("agent_id"), ReceiptMember);
    list.token(33, "integer", set("agent_id", 1_i64), ReceiptMember);
    let long = format!("agent:{}", "a".repeat(129));
    for bad in [
        "agent:Test",
        "test",
        "agent:",
        "agent:test.",
        "agent:a..b",
        "agent:test\n",
        "agent:a/b",
        &long,
    ] {
        let name: String = bad.chars().take(12).collect();
        list.token(33, format!("{name:?}"), set("agent_id", bad), ReceiptAgentId);
    }
    list.token(34, "unknown", set("operation", "think"), ReceiptOperation);
    list.token(34, "of a vendor", set("operation", "x-acme:foo"), ReceiptOperation);
    list.token(34, "in capitals", set("operation", "User_Input"), ReceiptOperation);
    list.token(34, "array", set("operation", Value::Array(vec![])), ReceiptMember);
    list.token(34, "missing", without("operation"), ReceiptMember);
    for (member, receipt) in required() {
        let name = format!("{} {member}", receipt.receipt.operation);
        list.token(35, format!("{name} absent"), spoiled(&receipt, member, None), ReceiptRequired);
        let empty = spoiled(&receipt, member, Some("".into()));
        list.token(35, format!("{name} empty"), empty, ReceiptOptional);
    }
    let hash = digest("x").to_string();
    for (name, bad) in [
        ("raw text", Value::from("hello")),
        ("capitals", hash.to_uppercase().into()),
        ("hex in capitals", format!("sha256:{}", digest("x").hex().to_uppercase()).into()),
        ("bare", digest("x").hex().into()),
        ("short", hash[..70].into()),
        ("long", format!("{hash}0").into()),
        ("newline", format!("{hash}\n").into()),
        ("another hash", hash.replace("sha256", "sha512").into()),
        ("number", 7_i64.into()),
        ("null", Value::Null),
    ] {
        list.token(36, format!("input_hash {name}"), set("input_hash", bad.clone()), ReceiptHash);
        list.token(36, format!("output_hash {name}"), set_call("output_hash", bad), ReceiptHash);
    }
    list.token(36, "parent", set_call("parents", texts(&["abc"])), ReceiptHash);
    list.token(36, "ruleset", set("ruleset_hash", "rules"), ReceiptHash);
    for name in ["prompt", "x-acme", "X_acme", "exp", "", "raucle/v1"] {
        list.token(37, format!("{name:?}"), set(name, "hello"), ReceiptUnknownMember);
    }
    for bad in ["allow", "clean", "CLEAN ", "BLOCK"] {
        list.token(
            38,
            bad,
            spoiled(&scan(), "guardrail_verdict", Some(bad.into())),
            ReceiptVerdict,
        );
    }
    list.token(39, "tenant null", set("tenant", Value::Null), ReceiptOptional);
    list.token(39, "tenant number", set("tenant", 1_i64), ReceiptOptional);
    for member in ["model", "tool", "corpus", "ruleset_hash", "guardrail_verdict", "output_hash"] {
        list.token(39, format!("{member} empty"), set(member, ""), ReceiptOptional);
    }
    for member in ["model", "tool", "corpus", "ruleset_hash", "guardrail_verdict"] {
        list.token(39, format!("{member} null"), set(member, Value::Null), ReceiptOptional);
        list.token(39, format!("{member} list"), set(member, texts(&["a"])), ReceiptOptional);
    }
}

pub fn list_cases(list: &mut List) {
    let (root, hash) = (parent(), digest("x").to_string());
    for member in ["parents", "taint"] {
        list.token(40, member, spoiled(&root, member, None), ReceiptMember);
        list.token(41, format!("{member} null"), set(member, Value::Null), ReceiptMember);
        list.token(41, format!("{member} string"), set(member, "a"), ReceiptMember);
        list.token(
            41,
            format!("{member} numbers"),
            set(member, Value::array([1_i64])),
            ReceiptMember,
        );
        list.token(
            41,
            format!("{member} null in it"),
            set(member, Value::array([Value::Null])),
            ReceiptMember,
        );
        list.token(
            41,
            format!("{member} object"),
            set(member, Value::Object(vec![])),
            ReceiptMember,
        );
        let twice = texts(&[hash.as_str(), hash.as_str()]);
        list.token(42, format!("{member} repeated"), set_call(member, twice), ReceiptOrder);
    }
    let (low, high) = (format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64)));
    list.token(42, "parents unsorted", set_call("parents", texts(&[&high, &low])), ReceiptOrder);
    list.token(42, "taint unsorted", set("taint", texts(&["b", "a"])), ReceiptOrder);
    let by_code_point = texts(&["\u{e000}", "🔑"]);
    list.token(42, "taint by code point", set("taint", by_code_point), ReceiptOrder);
    for bad in ["", "a,b", ",", "a\nb", "\u{7f}", "a\u{0}", "\u{85}"] {
        list.token(43, format!("{bad:?}"), set("taint", texts(&[bad])), ReceiptTag);
    }
    for receipt in with_parents() {
        let name = receipt.receipt.operation.as_str();
        let orphan = spoiled(&receipt, "parents", Some(Value::Array(vec![])));
        list.token(44, name, orphan, ReceiptParents);
    }
    list.token(45, "one", set("parents", texts(&[&hash])), ReceiptParents);
    let one = spoiled(&merge(), "parents", Some(texts(&[&hash])));
    list.token(46, "merge of one", one, ReceiptParents);
}

/// Each member an operation requires, with a receipt that has it.
fn required() -> Vec<(&'static str, SignedReceipt)> {
    let all = with_parents();
    let of = |at: usize, members: &[&'static str]| {
        members.iter().map(|member| (*member, all[at].clone())).collect::<Vec<_>>()
    };
    let mut list = vec![("input_hash", parent())];
    list.extend(of(0, &["input_hash", "output_hash", "model"]));
    list.extend(of(1, &["input_hash", "output_hash", "tool"]));
    list.extend(of(2, &["input_hash", "output_hash", "corpus"]));
    list.extend(of(3, &["output_hash"]));
    list.extend(of(4, &["input_hash", "output_hash", "tool", "corpus"]));
    list.extend(of(5, &["output_hash"]));
    for member in ["input_hash", "ruleset_hash", "guardrail_verdict"] {
        list.push((member, scan()));
    }
    list
}
