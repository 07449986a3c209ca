//! The configuration file as JSON Schema (2020-12), for editors and pipelines. What only the start
//! can know (ports, secrets, rules that go together) is `config check`'s.

use scan::Category;
use seal::json::Value;

use super::Config;
use super::keys::{Absent, Key, Kind, below};

/// The schema of the whole file.
pub fn schema() -> Value {
    let mut members = vec![
        ("$schema".to_owned(), Value::from("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), Value::from("Countersign gateway configuration")),
    ];
    members.extend(section(""));
    Value::Object(members)
}

/// The members that describe the keys right below `path`.
fn section(path: &str) -> Vec<(String, Value)> {
    let properties =
        below(path).map(|key| (key.name().to_owned(), property(key))).collect::<Vec<_>>();
    let required: Vec<Value> = below(path)
        .filter(|key| key.absent == Absent::Refused)
        .map(|key| key.name().into())
        .collect();
    let mut members = vec![
        ("type".to_owned(), Value::from("object")),
        ("additionalProperties".to_owned(), Value::from(false)),
        ("properties".to_owned(), Value::Object(properties)),
    ];
    if !required.is_empty() {
        members.push(("required".to_owned(), Value::Array(required)));
    }
    members
}

fn property(key: &Key) -> Value {
    let mut members = vec![("description".to_owned(), Value::from(key.about))];
    let mut say = |name: &str, value: Value| members.push((name.to_owned(), value));
    let matching = |pattern: &str| {
        Value::object([("type", Value::from("string")), ("pattern", pattern.into())])
    };
    match key.kind {
        Kind::Section => members.extend(section(key.path)),
        Kind::Address | Kind::Text => say("type", "string".into()),
        Kind::Secret => {
            say("type", "string".into());
            say("pattern", "^(env|file|command):.".into());
        }
        Kind::Flag => say("type", "boolean".into()),
        Kind::Number { least, most } => {
            say("type", "integer".into());
            say("minimum", least.into());
            if most != u64::MAX {
                say("maximum", most.into());
            }
        }
        Kind::Choice(words) => say("enum", Value::array(words.iter().copied())),
        Kind::Hosts => {
            say("type", "array".into());
            say("items", matching("^[A-Za-z0-9._-]{1,253}$"));
        }
        Kind::Texts => {
            say("type", "array".into());
            say("items", Value::object([("type", Value::from("string"))]));
        }
        Kind::Rules(words) => {
            say("type", "object".into());
            let ids: Vec<Value> = super::RULES
                .iter()
                .filter(|rule| matches!(rule.category, Category::Secret | Category::Pii))
                .map(|rule| Value::from(&*rule.id))
                .collect();
            say("propertyNames", Value::object([("enum", Value::Array(ids))]));
            let word = Value::object([("enum", Value::array(words.iter().copied()))]);
            say("additionalProperties", word);
        }
    }
    // Whatever may be left out may also be said to be nothing; so may sections and lists, which an
    // editor leaves empty behind their name.
    let empty = matches!(key.kind, Kind::Section | Kind::Hosts | Kind::Texts | Kind::Rules(_));
    let null = (empty && key.absent != Absent::Refused) || matches!(key.absent, Absent::Means(_));
    if null && let Some((_, kind)) = members.iter_mut().find(|(name, _)| name == "type") {
        *kind = Value::array([kind.clone(), "null".into()]);
    }
    match key.absent {
        Absent::Default if key.kind != Kind::Section => {
            members.push(("default".to_owned(), default(key)));
        }
        Absent::Default | Absent::Refused | Absent::Means(_) => {}
    }
    Value::Object(members)
}

fn default(key: &Key) -> Value {
    key.value(&Config::default())
}
