//! The table of keys, the structs that read the file, the schema and the operator's page say the
//! same.

use std::collections::BTreeSet;

use seal::json::{Limits, Value, parse, write_plain};
use serde_saphyr::Error;

use super::keys::{Absent, KEYS, Key, Kind, below, distance, find, nearest, tables};
use super::{Config, ConfigError, schema};

/// A document with `value` at `path`, and what its sections need besides.
fn document(path: &str, value: &Value) -> String {
    let mut parts = path.rsplit('.');
    let last = parts.next().unwrap_or_default();
    let mut document = Value::object([(last, value.clone())]);
    let mut rest: Vec<&str> = parts.collect();
    if rest == ["upstream"] && last != "url" {
        document = Value::object([("url", "http://a/v1".into()), (last, value.clone())]);
    }
    for section in rest.drain(..) {
        document = Value::object([(section, document)]);
    }
    write_plain(&document)
}

#[test]
fn the_structs_read_exactly_the_keys_of_the_table() {
    let sections = KEYS.iter().filter(|key| key.kind == Kind::Section).map(|key| key.path);
    for section in [""].into_iter().chain(sections) {
        let path = format!("{section}.no_such_key");
        let yaml = document(path.trim_start_matches('.'), &Value::Null);
        let error = serde_saphyr::from_str::<Config>(&yaml).expect_err("an unknown key");
        let Error::SerdeUnknownField { expected, .. } = error.without_snippet() else {
            panic!("{section:?}: {error}");
        };
        let read: BTreeSet<&str> = expected.iter().copied().collect();
        let told: BTreeSet<&str> = below(section).map(Key::name).collect();
        assert_eq!(read, told, "below {section:?}");
    }
    let paths: BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(paths.len(), KEYS.len(), "each key once");
    for key in KEYS {
        let section = key.section();
        let held = section.is_empty() || find(section).is_some_and(|s| s.kind == Kind::Section);
        assert!(held && !key.about.is_empty(), "{}", key.path);
    }
}

#[test]
fn the_settings_hold_every_key_and_no_other() {
    fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
        for (name, below) in value.as_object().unwrap_or_default() {
            let path = format!("{at}{name}");
            if find(&path).is_some_and(|key| key.kind == Kind::Section) {
                paths(below, &format!("{path}."), into);
            }
            into.insert(path);
        }
    }
    let config = Config::parse("upstream: {url: 'http://a/v1'}").expect("a configuration");
    let mut held = BTreeSet::new();
    paths(&config.settings(), "", &mut held);
    let told: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(held, told);
}

#[test]
fn the_settings_are_what_the_file_says() {
    // Each key with a value that is not its default comes back as written.
    for key in KEYS.iter().filter(|key| key.kind != Kind::Section) {
        let value = other(key);
        let yaml = document(key.path, &value);
        let config = Config::parse(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        assert_eq!(key.value(&config), value, "{yaml}");
        assert_ne!(key.value(&Config::default()), value, "{yaml} is the default");
        // And a file written from the settings means the same.
        let again = Config::parse(&write_plain(&config.settings()));
        let again = again.unwrap_or_else(|error| panic!("{yaml}: {error}"));
        assert_eq!(again.settings(), config.settings(), "{yaml}");
        assert_eq!(again.effective(), config.effective(), "{yaml}");
    }
}

/// A value that works and is not the default.
fn other(key: &Key) -> Value {
    match key.kind {
        Kind::Section => Value::Object(Vec::new()),
        Kind::Address => "127.0.0.1:1".into(),
        Kind::Text => "http://b/v1".into(),
        Kind::Secret => "env:NAME".into(),
        Kind::Flag => (key.value(&Config::default()) != Value::from(true)).into(),
        Kind::Number { least, .. } => (least + 7).into(),
        Kind::Choice(words) => {
            let default = key.value(&Config::default());
            let word = words.iter().find(|word| Some(**word) != default.as_str());
            (*word.expect("more than one word")).into()
        }
        // Addresses of services are looked at before anything starts.
        Kind::Texts if key.path == "ledger.anchors.tsa" => Value::array(["http://a.example"]),
        Kind::Hosts | Kind::Texts => Value::array(["a.example"]),
        Kind::Rules(words) => Value::object([("CS-PII-004", words[0].into())]),
    }
}

#[test]
fn the_schema_accepts_what_the_start_accepts() {
    let schema = schema();
    let again = seal::json::parse(write_plain(&schema).as_bytes(), Limits::DOCUMENT);
    assert_eq!(again.as_ref(), Ok(&schema));
    let engine = scan::Engine::builtin();
    let mut judged = [0_usize; 2];
    for key in KEYS {
        for value in tries(key) {
            let yaml = document(key.path, &value);
            // A key pasted into the file is refused where its source is asked for it.
            let source = |config: &Config| {
                let key = config.upstream.as_ref().and_then(|upstream| upstream.key.as_deref());
                key.is_none_or(super::keys::is_source)
            };
            let by_start = Config::parse(&yaml).is_ok_and(|config| {
                source(&config) && config.guard.validate(engine.rules()).is_ok()
            });
            let instance = parse(yaml.as_bytes(), Limits::DOCUMENT).expect("JSON");
            let by_schema = valid(&schema, &instance);
            assert_eq!(by_schema, by_start, "{yaml}: {:?}", Config::parse(&yaml));
            judged[usize::from(by_start)] += 1;
        }
    }
    assert!(judged.iter().all(|count| *count > KEYS.len()), "{judged:?}");
    for yaml in [r#"{"upstream":{}}"#, r#"{"upstream":{"name":"x"}}"#] {
        assert!(Config::parse(yaml).is_err(), "{yaml}");
        let instance = parse(yaml.as_bytes(), Limits::DOCUMENT).expect("JSON");
        assert!(!valid(&schema, &instance), "{yaml}");
    }
}

/// Values at and beyond the borders of what a key takes.
fn tries(key: &Key) -> Vec<Value> {
    let mut tries = vec![other(key), Value::from(true), Value::array([Value::array(["x"])])];
    if key.kind != Kind::Section {
        tries.push(Value::object([("x", 1_i64.into())]));
    }
    if matches!(key.absent, Absent::Means(_)) {
        tries.push(Value::Null);
    }
    match key.kind {
        Kind::Number { least, most } => {
            tries.extend([least.into(), most.into(), Value::from("many"), Value::from(-1_i64)]);
            tries.extend(least.checked_sub(1).map(Value::from));
            tries.extend(most.checked_add(1).filter(|_| most != u64::MAX).map(Value::from));
        }
        Kind::Choice(words) => {
            tries.extend(words.iter().map(|word| Value::from(*word)));
            tries.push("none_of_them".into());
        }
        Kind::Hosts => tries.push(Value::array(["http://x"])),
        Kind::Rules(_) => {
            tries.push(Value::object([("CS-PII-004", "drop".into())]));
            tries.push(Value::object([("CS-INJ-001", "flag".into())]));
        }
        Kind::Section => tries.push(Value::object([("no_such_key", 1_i64.into())])),
        Kind::Secret => tries.extend(
            ["pasted", "file:", "file:key", "command:", "command:vault read key"].map(Value::from),
        ),
        Kind::Address | Kind::Text | Kind::Flag | Kind::Texts => {}
    }
    if key.path == "guard.scope_drift.chars_per_token" {
        // 0 goes together with another key, which is for the start to judge.
        tries.retain(|value| value.as_i64() != Some(0));
    }
    tries
}

/// As much of JSON Schema as our schema uses; a keyword it does not know fails the test.
fn valid(schema: &Value, instance: &Value) -> bool {
    schema.as_object().unwrap_or_default().iter().all(|(keyword, say)| match keyword.as_str() {
        "$schema" | "title" | "description" | "default" => true,
        "type" => match say.as_array() {
            Some(types) => types.iter().any(|one| is(one, instance)),
            None => is(say, instance),
        },
        "enum" => say.as_array().unwrap_or_default().contains(instance),
        "minimum" => size(instance).is_none_or(|n| Some(n) >= size(say)),
        "maximum" => size(instance).is_none_or(|n| Some(n) <= size(say)),
        "items" => instance.as_array().unwrap_or_default().iter().all(|item| valid(say, item)),
        "required" => {
            let names = say.as_array().unwrap_or_default().iter().filter_map(Value::as_str);
            instance.as_object().is_none() || names.into_iter().all(|n| instance.get(n).is_some())
        }
        "properties" => say.as_object().unwrap_or_default().iter().all(|(name, property)| {
            instance.get(name).is_none_or(|member| valid(property, member))
        }),
        "additionalProperties" => instance
            .as_object()
            .unwrap_or_default()
            .iter()
            .filter(|(name, _)| schema.get("properties").and_then(|p| p.get(name)).is_none())
            .all(|(_, member)| say.as_bool().unwrap_or_else(|| valid(say, member))),
        "propertyNames" => {
            let names = instance.as_object().unwrap_or_default().iter();
            names.into_iter().all(|(name, _)| valid(say, &Value::from(name.as_str())))
        }
        "pattern" => instance.as_str().is_none_or(|text| match say.as_str() {
            Some("^(env|file|command):.") => super::keys::is_source(text),
            Some("^[A-Za-z0-9._-]{1,253}$") => {
                (1..=253).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            }
            other => panic!("a pattern this test does not know: {other:?}"),
        }),
        other => panic!("a keyword this test does not know: {other}"),
    })
}

fn is(kind: &Value, instance: &Value) -> bool {
    match instance {
        Value::Null => kind.as_str() == Some("null"),
        Value::Bool(_) => kind.as_str() == Some("boolean"),
        Value::Int(_) | Value::Big(_) => kind.as_str() == Some("integer"),
        Value::Float(_) => false,
        Value::String(_) => kind.as_str() == Some("string"),
        Value::Array(_) => kind.as_str() == Some("array"),
        Value::Object(_) => kind.as_str() == Some("object"),
    }
}

fn size(value: &Value) -> Option<i128> {
    match value {
        Value::Int(n) => Some(i128::from(*n)),
        Value::Big(digits) => digits.parse().ok(),
        _ => None,
    }
}

#[test]
fn the_operators_page_has_the_tables() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating/gateway.md");
    let page = std::fs::read_to_string(page).expect("the page");
    for table in tables() {
        for row in table.lines() {
            assert!(page.lines().any(|line| line == row), "the page lacks the row\n{row}");
        }
        assert!(page.contains(&table), "the page has other rows too; the table is\n{table}");
    }
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_name() {
    let check = |yaml: &str, at: u64, expect: &str| match Config::parse(yaml) {
        Err(ConfigError::UnknownKey { line, nearest, .. }) => {
            assert_eq!((line, nearest), (at, expect), "{yaml}");
        }
        got => panic!("{yaml}: {got:?}"),
    };
    check("limts: {}", 1, "limits");
    check("listen: 127.0.0.1:1\n\n# a remark\nlimits:\n  body_byte: 1\n", 5, "body_bytes");
    check("guard:\n  tools:\n    alowed: []\n", 3, "allowed");
    check("upstream:\n  url: http://a/v1\n  Key: env:A\n", 3, "key");
    check("body_bytes: 5", 1, "limits.body_bytes");
    check("token_budget: {}", 1, "guard.token_budget");
    assert_eq!(nearest("limits.bodybytes", &[]), "limits.body_bytes");
    assert_eq!([distance("", "ab"), distance("ab", "ba"), distance("abc", "axc")], [2, 1, 1]);
}

#[test]
fn what_is_wrong_is_told_without_repeating_a_secret() {
    let secret = "sk-0123456789abcdef0123456789abcdef0123";
    for yaml in [
        format!("upstream: {secret}"),
        format!("upstream: {{url: 'http://a/v1', key: {{{secret}: 1}}}}"),
        format!("upstream: {{url: 'http://a/v1', {secret}: 1}}"),
        format!("listen: {secret}"),
        format!("limits: {{body_bytes: {secret}}}"),
        format!("evidence: {{profile: {secret}}}"),
        format!("upstream: {{key: {secret}}}"),
        format!("upstream: {{url: 'http://a/v1', key: {secret}}}\nunknown: 1"),
        format!("upstream: {{url: 'http://a/v1', key: {secret}}}\nhosts: ["),
        format!("hosts: [*{secret}]"),
        format!("{secret}: 1\n{secret}: 1"),
        format!("upstream: {{url: 'http://a/v1', key: {secret}, key: {secret}}}"),
        format!("upstream: !{secret} 1"),
        format!("upstream: {{url: 'http://a/v1', key: \"{secret}"),
        format!("limits: {{body_bytes: 1, <<: {secret}}}"),
    ] {
        let error = Config::parse(&yaml).expect_err(&yaml).to_string();
        assert!(!error.contains("sk-0123"), "{yaml}: {error}");
        assert!(error.contains("line "), "{yaml}: {error}");
    }
    let key = find("upstream.key").expect("a key");
    let url = find("upstream.url").expect("a key");
    let config = Config::parse(&format!(
        "upstream: {{url: 'http://user:{secret}@a/v1?key={secret}', key: {secret}}}"
    ));
    let config = config.expect("only the start judges sources");
    assert!(!format!("{}{}", key.shown(&config), url.shown(&config)).contains("sk-0123"));
    assert_eq!(key.shown(&Config::parse("upstream: {url: u, key: 'env:A'}").expect("x")), "env:A");
}
