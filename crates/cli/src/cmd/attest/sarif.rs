//! A verification as SARIF, for whatever shows findings beside code.

use std::collections::BTreeMap;

use record::report::{Code, Severity};
use seal::Digest;
use seal::json::Value;

use crate::cmd::sarif::{self, Run, object, text, uri};

/// The log of a verification's JSON.
pub fn document(value: &Value) -> Value {
    let member = |one: &Value, name: &str| {
        one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let findings = value.get("findings").and_then(Value::as_array).unwrap_or_default();
    let code = |one: &Value| Code::from_id(&member(one, "code"));
    let mut rules: BTreeMap<Code, usize> = BTreeMap::new();
    for code in findings.iter().filter_map(code) {
        rules.insert(code, 0);
    }
    for (index, at) in rules.values_mut().enumerate() {
        *at = index;
    }
    let subject = member(value, "subject");
    // Of a bill of materials the bundles lie elsewhere.
    let folder = value.get("sbom").map(|sbom| member(sbom, "attestations"));
    let folder = folder.unwrap_or_else(|| subject.clone());
    let result = |one: &Value| {
        let code = code(one)?;
        let (place, detail) = (member(one, "place"), member(one, "detail"));
        let said = match detail.is_empty() {
            true => code.title().to_owned(),
            false => format!("{}: {detail}", code.title()),
        };
        let print = Digest::of(format!("{}\n{place}\n{detail}", code.id()).as_bytes());
        // The names of components are their authors'.
        let file = if code.id().starts_with("CS-BOM-") { "" } else { place.as_str() };
        let artifact = object(vec![("uri", uri(&within(&subject, &folder, file)).into())]);
        let location = object(vec![("artifactLocation", artifact)]);
        Some(object(vec![
            ("ruleId", code.id().into()),
            ("ruleIndex", (*rules.get(&code)?).into()),
            ("level", level(code).into()),
            ("message", text(&said)),
            ("locations", Value::array([object(vec![("physicalLocation", location)])])),
            ("partialFingerprints", object(vec![("countersign/v1", print.to_string().into())])),
        ]))
    };
    sarif::document(Run {
        rules: rules.keys().map(|code| rule(*code)).collect(),
        results: findings.iter().filter_map(result).collect(),
        notifications: Vec::new(),
        properties: object(vec![("result", member(value, "result").into())]),
    })
}

/// A bundle of a directory; of a single file, or of a part of one, that file.
fn within(subject: &str, folder: &str, place: &str) -> String {
    match place.ends_with(super::bundles::SUFFIX) && !place.contains('/') {
        true if folder.ends_with(super::bundles::SUFFIX) => folder.to_owned(),
        true => format!("{}/{place}", folder.trim_end_matches('/')),
        false => subject.to_owned(),
    }
}

fn rule(code: Code) -> Value {
    object(vec![
        ("id", code.id().into()),
        ("shortDescription", text(code.title())),
        ("fullDescription", text(code.explanation())),
        ("help", text(code.remedy())),
        ("defaultConfiguration", object(vec![("level", level(code).into())])),
    ])
}

fn level(code: Code) -> &'static str {
    match code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}
