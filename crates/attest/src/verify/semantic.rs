//! Whether what a statement says follows from its files, and its parts agree.

use std::collections::{BTreeMap, BTreeSet};

use record::report::{Code, Finding};
use seal::digest::{Digest, Hasher};
use seal::json::Value;
use seal::mac::hmac_sha256;

use super::{How, Stage, subjects};
use crate::eval::{Bound, Figures, RESULTS_LIMIT, SCORING_LIMIT};
use crate::files::Files;
use crate::shape::{Decimal, ONE};
use crate::statement::{Privacy, Statement, Subject};

/// What is wrong with what a statement says.
pub fn judge(statement: &Statement, files: Option<&dyn Files>, how: &How) -> Vec<(Stage, Finding)> {
    let mut found = privacy(statement);
    match statement.kind.name {
        "eval" => found.extend(eval(statement, files, how)),
        "slo" => found.extend(slo(statement)),
        "model" => found.extend(root(statement)),
        _ => {}
    }
    found.into_iter().map(|finding| (Stage::Semantics, finding)).collect()
}

/// Texts that are embedded are the files.
fn privacy(statement: &Statement) -> Vec<Finding> {
    let Privacy::PlaintextExplicit(texts) = &statement.privacy else { return Vec::new() };
    let wrong = |(path, text): &&(String, String)| {
        let digest = Digest::of(text.as_bytes());
        !statement.subjects.iter().any(|one| one.path == *path && one.digest == digest)
    };
    let told = |(path, _): &(String, String)| Finding::new(Code::PrivacyContent, "", path.as_str());
    texts.iter().filter(wrong).map(told).collect()
}

/// Figures are computed again; what the statement says must be the same to the billionth.
fn eval(statement: &Statement, files: Option<&dyn Files>, how: &How) -> Vec<Finding> {
    let mut found = Vec::new();
    let own = &statement.own;
    let flag = |name: &str| own.get(name).and_then(Value::as_bool).unwrap_or(false);
    let failures = own.get("failures").and_then(Value::as_array).unwrap_or_default();
    if flag("passed") != failures.is_empty() || (flag("passed") && flag("regression_detected")) {
        let detail = "passed, regression_detected and failures";
        found.push(Finding::new(Code::AttestBounds, "", detail));
    } else if !flag("passed") {
        let names = failures.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        found.push(Finding::new(Code::EvalFails, "", names));
    }
    let asked = own.get("thresholds").and_then(Value::as_object).unwrap_or_default();
    for (name, _) in asked.iter().filter(|(_, bound)| Bound::of(bound) == Bound::default()) {
        let detail = format!("thresholds: {name} asks for nothing; min, max, max_drop or max_rise");
        found.push(Finding::new(Code::AttestBounds, "", detail));
    }
    let Some(files) = files else { return found };
    let (mut texts, mut refused) = (BTreeMap::new(), false);
    for (role, limit) in [
        ("scoring_config", SCORING_LIMIT),
        ("candidate_results", RESULTS_LIMIT),
        ("baseline_results", RESULTS_LIMIT),
    ] {
        match content(statement, role, limit, files, how) {
            Content::Same(text) => {
                texts.insert(role, text);
            }
            // The digest stage tells.
            Content::Other => refused = true,
            Content::TooLong(path) => {
                let detail = format!("{path}: more than {limit} bytes");
                found.push(Finding::new(Code::EvalResults, "", detail));
                refused = true;
            }
        }
    }
    if refused {
        return found;
    }
    let thresholds = own.get("thresholds").and_then(Value::as_object).unwrap_or_default();
    let thresholds: BTreeMap<String, Bound> =
        thresholds.iter().map(|(name, bound)| (name.clone(), Bound::of(bound))).collect();
    let text = |role: &str| texts.get(role).map(Vec::as_slice).unwrap_or_default();
    let (scoring, candidate) = (text("scoring_config"), text("candidate_results"));
    match Figures::compute(scoring, candidate, text("baseline_results"), &thresholds) {
        Err(error) => found.push(Finding::new(Code::EvalResults, "", error.to_string())),
        Ok(figures) => {
            for (name, computed) in figures.members(&thresholds) {
                let stated = own.get(&name);
                if stated.is_none_or(|stated| !same(stated, &computed)) {
                    let detail =
                        format!("{name}: the results give {}", seal::json::write_plain(&computed));
                    found.push(Finding::new(Code::EvalFigures, "", detail));
                }
            }
        }
    }
    found
}

enum Content {
    Same(Vec<u8>),
    /// Not the attested bytes, or not to be had.
    Other,
    TooLong(String),
}

fn content(statement: &Statement, role: &str, limit: u64, files: &dyn Files, how: &How) -> Content {
    let Some(subject) = statement.subjects.iter().find(|one| one.role == role) else {
        return Content::Other;
    };
    if !crate::files::is_path(&subject.path) {
        return Content::Other;
    }
    let salt = match &subject.salt {
        None => None,
        Some(named) => match subjects::salted(subject, named, how) {
            // The digest stage tells that it is missing.
            None => return Content::Other,
            salt => salt,
        },
    };
    let digest = |bytes: &[u8]| match &salt {
        None => Digest::of(bytes),
        Some(salt) => Digest::from_bytes(hmac_sha256(salt, bytes)),
    };
    if subject.size > limit {
        return Content::TooLong(subject.path.clone());
    }
    match files.bytes(&subject.path, subject.size) {
        Ok(bytes) if digest(&bytes) == subject.digest => Content::Same(bytes),
        Ok(_) | Err(_) => Content::Other,
    }
}

/// Equal as figures: `0.50` is `0.5`, members have no order.
fn same(stated: &Value, computed: &Value) -> bool {
    match (stated, computed) {
        (Value::Object(stated), Value::Object(computed)) => {
            stated.len() == computed.len()
                && stated.iter().all(|(name, one)| {
                    computed.iter().any(|(other, two)| name == other && same(one, two))
                })
        }
        (Value::String(stated), Value::String(computed)) => {
            stated == computed
                || Decimal::parse(stated).is_some_and(|one| Some(one) == Decimal::parse(computed))
        }
        (stated, computed) => stated == computed,
    }
}

fn slo(statement: &Statement) -> Vec<Finding> {
    let own = &statement.own;
    let number = |name: &str| own.get(name)?.as_str().and_then(Decimal::parse);
    let mut found = Vec::new();
    let mut wrong = |detail: &str| found.push(Finding::new(Code::AttestBounds, "", detail));
    if number("ttft_ms_p95") < number("ttft_ms_p50") {
        wrong("ttft_ms_p95 is below ttft_ms_p50");
    }
    for name in ["ttft_ms_p50", "tokens_per_second_p50", "cost_per_1k_tokens_cap_usd"] {
        if number(name).is_some_and(|figure| figure.0 < 0) {
            wrong(&format!("{name} is negative"));
        }
    }
    for name in ["error_rate_cap", "error_budget_remaining"] {
        if number(name).is_some_and(|part| part.0 < 0 || part.0 > ONE) {
            wrong(&format!("{name} is no part of one"));
        }
    }
    let time = |name: &str| {
        let text = own.get("window")?.get(name)?.as_str()?;
        seal::time::parse_rfc3339(text)
    };
    if time("end") <= time("start") {
        found.push(Finding::new(Code::AttestTimes, "", "the window ends before it begins"));
    }
    found
}

fn root(statement: &Statement) -> Option<Finding> {
    let computed = model_root(&statement.subjects);
    let stated = statement.own.get("root").and_then(Value::as_str).and_then(Digest::from_hex);
    let detail = || format!("the weights give {}", computed.hex());
    (stated != Some(computed)).then(|| Finding::new(Code::ModelRoot, "", detail()))
}

/// SHA-256 over the raw digests of the weights, in the order of their paths, name by name.
pub fn model_root(subjects: &[Subject]) -> Digest {
    let mut weights: Vec<&Subject> = subjects.iter().filter(|one| one.role == "weights").collect();
    weights.sort_by(|a, b| crate::openssf::order(&a.path, &b.path));
    let mut hasher = Hasher::new();
    weights.iter().for_each(|one| hasher.update(one.digest.as_bytes()));
    hasher.finish()
}

/// Statements about models that a route or a chain of models refers to are there.
pub fn references(
    statement: &Statement,
    kinds: &BTreeMap<Digest, &str>,
    unread: &BTreeSet<Digest>,
) -> Vec<Finding> {
    let list = match statement.kind.name {
        "route" => statement.own.get("providers"),
        "model" => statement.own.get("chain"),
        _ => None,
    };
    let named = |one: &Value| Digest::from_hex(one.get("statement")?.as_str()?);
    let missing = |digest: &Digest| {
        !unread.contains(digest) && kinds.get(digest).is_none_or(|kind| *kind != "model")
    };
    let list = list.and_then(Value::as_array).unwrap_or_default();
    let told = |digest: Digest| Finding::new(Code::ModelReference, "", digest.to_string());
    list.iter().filter_map(named).filter(missing).map(told).collect()
}
