//! `config` over files as people and attackers write them.

use std::fs;
use std::path::Path;
use std::process::Command;

use gateway::Config;
use gateway::config::keys::{KEYS, Key, Kind};
use seal::json::{Limits, Value, parse, write_plain};

use crate::running::{countersign, said};
use crate::sdk::{python, repository};

const BASE: &str = "upstream: {url: 'http://127.0.0.1:1/v1'}\n";

fn check(dir: &Path, text: impl AsRef<[u8]>) -> (Option<i32>, String) {
    let file = dir.join("config.yaml");
    fs::write(&file, text).expect("the file is written");
    let output = countersign(dir, &["config", "check", file.to_str().expect("a path")]);
    (output.status.code(), said(&output))
}

#[test]
fn every_problem_is_told_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let (exit, text) = check(
        dir.path(),
        format!("{BASE}limts: {{}}\nlimits:\n  body_bytes: 0\nhosts: ['http://x']\n"),
    );
    assert_eq!(exit, Some(78), "{text}");
    for part in [
        "line 2: unknown key `limts`",
        "`limits`",
        "line 4: limits.body_bytes",
        "line 5: ",
        "3 problems",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (exit, text) = check(dir.path(), BASE);
    assert_eq!(exit, Some(0), "{text}");
}

#[test]
fn hostile_files_are_78_and_leave_the_terminal_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        laughs += &format!("a{level}: &a{level} [{}]\n", format!("*a{}, ", level - 1).repeat(10));
    }
    for text in [
        laughs.into_bytes(),
        b"hosts: [\xff\xfe]".to_vec(),
        b"\xff\xfel\0i\0".to_vec(),
        b"listen: \"127.0.0.1:1\0\"".to_vec(),
        b"\x1b[31m\x1b]0;title\x07: 1".to_vec(),
        "\u{202e}limits\u{202c}: 1".as_bytes().to_vec(),
        vec![b'x'; 10 << 20],
        "[".repeat(200_000).into_bytes(),
        format!("{BASE}limits: {{body_bytes: 5, body_bytes: 6}}").into_bytes(),
        format!("{BASE}admin: 127.0.0.1:1\n---\nadmin: 127.0.0.1:2").into_bytes(),
    ] {
        let (exit, said) = check(dir.path(), &text);
        assert_eq!(exit, Some(78), "{said}");
        let quiet = |c: char| c == '\n' || !(c.is_control() || "\u{202e}\u{202c}".contains(c));
        assert!(said.chars().all(quiet), "{said:?}");
        assert!(said.len() < 20_000, "{} bytes", said.len());
    }
    // A start says so too, and makes nothing.
    fs::write(dir.path().join("config.yaml"), "limts: 1").expect("the file is written");
    for start in [["gateway", "serve"].as_slice(), &["up"]] {
        let file = dir.path().join("config.yaml");
        let args = [start, &["--config", file.to_str().expect("a path")]].concat();
        let output = countersign(dir.path(), &args);
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(!dir.path().join(".countersign").exists());
    }
}

#[test]
fn the_published_schema_judges_as_the_start_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(python) = python() else { return };
    let schema = countersign(dir.path(), &["config", "schema"]);
    let schema = parse(&schema.stdout, Limits::DOCUMENT).expect("JSON");
    let instances: Vec<Value> = KEYS.iter().flat_map(instances).collect();
    let given = Value::object([("schema", schema), ("instances", instances.clone().into())]);
    let file = dir.path().join("given.json");
    fs::write(&file, write_plain(&given)).expect("the file is written");
    let script = repository().join("tests/python/config_schema.py");
    let run = Command::new(python).arg(script).arg(&file).output().expect("python runs");
    assert!(run.status.success(), "{}", said(&run));
    let judged = parse(run.stdout.trim_ascii(), Limits::DOCUMENT).expect("JSON");
    let judged = judged.as_array().expect("a list");
    assert_eq!(judged.len(), instances.len());
    let (mut good, mut apart) = (0, Vec::new());
    for (instance, by_schema) in instances.iter().zip(judged) {
        let yaml = write_plain(instance);
        let problems = Config::problems(&yaml);
        if by_schema != &Value::from(problems.is_empty()) {
            apart.push(format!("{yaml}: {problems:?}"));
        }
        good += usize::from(problems.is_empty());
    }
    assert!(apart.is_empty(), "the schema says the contrary of\n{}", apart.join("\n"));
    assert!(good > KEYS.len() && instances.len() - good > 5 * KEYS.len(), "{good}");
}

/// Files with one key set to all sorts of things. What only a start can know is left out: whether
/// an address, a URL or a group is one, and rules that go together.
fn instances(key: &Key) -> Vec<Value> {
    let texts = [
        "",
        "x",
        "127.0.0.1:1",
        "http://b/v1",
        "env:PATH",
        "env:",
        "file:",
        "0640",
        "redact",
        "sealed",
        "true",
        "5",
    ];
    let numbers = [
        -1,
        0,
        1,
        2,
        3600,
        3601,
        86_400,
        86_401,
        1 << 20,
        (8 << 20) + 1,
        (256 << 20) + 1,
        i64::MAX,
    ];
    let mut values: Vec<Value> = texts.map(Value::from).to_vec();
    values.extend(numbers.map(Value::from));
    values.extend([Value::Null, true.into(), false.into(), Value::Float(1.5)]);
    values.extend([Value::array([""; 0]), Value::array(["a.example"]), Value::array(["http://x"])]);
    values.extend([Value::array([1_i64]), Value::array([Value::array(["x"])])]);
    values.extend([
        Value::Object(Vec::new()),
        Value::object([("x", 1_i64)].map(|(k, v)| (k, Value::from(v)))),
    ]);
    for (rule, word) in [("CS-PII-004", "block"), ("CS-PII-004", "burn"), ("CS-INJ-001", "block")] {
        values.push(Value::object([(rule, word.into())]));
    }
    let address = |value: &Value| {
        value.as_str().is_some_and(|text| text.parse::<std::net::SocketAddr>().is_ok())
    };
    values.retain(|value| match (key.kind, key.path) {
        // Nothing is served without one, but a file may leave it to the command line.
        (Kind::Section, "upstream") => value != &Value::Null,
        (Kind::Address, _) => value.as_str().is_none() || address(value),
        (Kind::Text, "upstream.url") => value.as_str().is_none_or(|text| text.starts_with("http")),
        (Kind::Number { .. }, "guard.scope_drift.chars_per_token") => value != &Value::from(0_i64),
        // Age keys, addresses of services, files: a start opens them.
        (Kind::Texts, "ledger.encryption.recipients" | "ledger.anchors.tsa") => {
            !value.as_array().is_some_and(|list| list.iter().any(|item| item.as_str().is_some()))
        }
        (Kind::Secret, "ledger.encryption.identity") | (Kind::Text, "ledger.witnesses.policy") => {
            value.as_str().is_none()
        }
        _ => true,
    });
    values.into_iter().map(|value| document(key.path, value)).collect()
}

/// `value` at `path`, beside what every file needs.
fn document(path: &str, value: Value) -> Value {
    let url = || ("url".to_owned(), Value::from("http://a/v1"));
    let mut document = value;
    for (depth, name) in path.split('.').enumerate().collect::<Vec<_>>().into_iter().rev() {
        let mut members = vec![(name.to_owned(), document)];
        if depth == 1 && path.starts_with("upstream.") && name != "url" {
            members.push(url());
        }
        document = Value::Object(members);
    }
    if let Value::Object(members) = &mut document
        && !path.starts_with("upstream")
    {
        members.push(("upstream".to_owned(), Value::Object(vec![url()])));
    }
    document
}
