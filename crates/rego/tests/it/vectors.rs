//! `vectors/rego`: policies, documents, and what OPA says of them.

use std::path::Path;

use countersign_rego::{Dialect, Policy};
use seal::json::{Limits, Value, parse};

fn read(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/rego").join(name);
    let bytes = std::fs::read(path).unwrap();
    parse(&bytes, Limits { bytes: 16 << 20, depth: 32 }).unwrap().as_array().unwrap().to_vec()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap().to_owned()
}

fn policy(case: &Value) -> Result<Policy, countersign_rego::PolicyError> {
    let files: Vec<(String, String)> = case
        .get("files")
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .map(|file| {
            let parts = file.as_array().unwrap();
            (parts[0].as_str().unwrap().to_owned(), parts[1].as_str().unwrap().to_owned())
        })
        .collect();
    let dialect = if text(case, "dialect") == "v0" { Dialect::V0 } else { Dialect::V1 };
    Policy::parse(&files, dialect)
}

/// In the form of the vectors.
fn said(policy: &Policy, input: &Value) -> Value {
    match policy.judge(input) {
        Ok(verdict) => Value::object([
            ("violations", Value::array(&verdict.violations)),
            ("allow", verdict.allow.map_or(Value::Null, Value::Bool)),
        ]),
        Err(_) => Value::object([("error", Value::Bool(true))]),
    }
}

#[test]
fn policies_say_what_opa_says() {
    let (inputs, cases) = (read("inputs.json"), read("cases.json"));
    let (mut policies, mut results) = (0, 0);
    let mut differ = Vec::new();
    for case in &cases {
        let name = text(case, "name");
        let policy = policy(case);
        if case.get("refused").is_some() {
            if policy.is_ok() {
                differ.push(format!("{name} is taken"));
            }
            continue;
        }
        let policy = match policy {
            Ok(policy) => policy,
            Err(error) => {
                differ.push(format!("{name} is refused: {error}"));
                continue;
            }
        };
        policies += 1;
        let expected = case.get("results").and_then(Value::as_array).unwrap();
        assert_eq!(expected.len(), inputs.len(), "{name}");
        let before = differ.len();
        for (at, (input, expected)) in inputs.iter().zip(expected).enumerate() {
            results += 1;
            let ours = said(&policy, input);
            if ours != *expected {
                let error = policy.judge(input).err();
                differ.push(format!("{name} on {at}: {ours:?} {error:?}, OPA: {expected:?}"));
            }
        }
        if case.get("differs").is_some() {
            assert!(differ.len() > before, "{name} no longer differs; take it off the list");
            differ.truncate(before);
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(policies >= 150 && results >= 750, "{policies} policies, {results} results");
}
