//! One statement, or one model that is only spoken of, as a component.

use std::collections::{BTreeMap, BTreeSet};

use seal::digest::Digest;
use seal::json::{Value, write_plain};

use crate::purl::encode;
use crate::statement::{Statement, Subject};
use crate::verify::Attested;

/// Longest version that the format takes, characters.
const VERSION: usize = 1024;

/// A model that a route or a chain of models names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Referenced {
    name: String,
    provider: Option<String>,
    purl: Option<String>,
    /// The payload of the statement about it, if it is attested.
    pub statement: Option<Digest>,
}

/// The models that a statement names.
pub fn models(statement: &Statement) -> Vec<Referenced> {
    let (list, name) = match statement.kind.name {
        "route" => ("providers", "model"),
        "model" => ("chain", "name"),
        _ => return Vec::new(),
    };
    let list = statement.own.get(list).and_then(Value::as_array).unwrap_or_default();
    let model = |one: &Value| {
        let text = |name: &str| Some(one.get(name)?.as_str()?.to_owned());
        Some(Referenced {
            name: text(name)?,
            provider: text("provider"),
            purl: text("purl"),
            statement: text("statement").and_then(|hex| Digest::from_hex(&hex)),
        })
    };
    list.iter().filter_map(model).collect()
}

/// The models that are named and not attested, with their `bom-ref`s.
pub fn referenced(sorted: &[&Attested<'_>]) -> BTreeMap<Referenced, String> {
    let open: BTreeSet<Referenced> = sorted
        .iter()
        .flat_map(|one| models(one.statement))
        .filter(|model| model.statement.is_none())
        .collect();
    open.into_iter().enumerate().map(|(at, one)| (one, format!("referenced:{at}"))).collect()
}

impl Referenced {
    /// As a component that says that nobody attested it.
    pub fn component(&self, reference: &str) -> Value {
        let mut members = vec![
            ("type".to_owned(), Value::from("machine-learning-model")),
            ("bom-ref".into(), reference.into()),
            ("name".into(), Value::from(&self.name)),
        ];
        let provider = |name: &String| Value::object([("name", Value::from(name))]);
        members.extend(self.provider.as_ref().map(|name| ("supplier".into(), provider(name))));
        members.extend(self.purl.as_ref().map(|purl| ("purl".into(), purl.into())));
        members.push(("properties".into(), Value::array([property("attested", "false")])));
        Value::Object(members)
    }
}

/// The `bom-ref` of a statement.
pub fn reference(one: &Attested<'_>) -> String {
    format!("{}:{}", one.statement.kind.name, one.payload)
}

/// A property of ours.
pub fn property(name: &str, value: &str) -> Value {
    Value::object([("name", Value::from(format!("countersign:{name}"))), ("value", value.into())])
}

/// A statement as a component.
pub fn component(one: &Attested<'_>, all: &[&Attested<'_>]) -> Value {
    let statement = one.statement;
    let own = |name: &str| statement.own.get(name).and_then(Value::as_str);
    let model = statement.kind.name == "model";
    let (name, version) = match statement.kind.name {
        "model" => (own("name"), own("version")),
        "eval" => (own("suite_id"), None),
        "slo" => (own("profile_id"), None),
        "corpus" => (None, own("snapshot_id")),
        _ => (None, own("version")),
    };
    let (digest, of) = match own("root").filter(|_| model).and_then(Digest::from_hex) {
        Some(root) => (root, "openssf-model-signing-root"),
        None => (statement.manifest(), "labelled-manifest"),
    };
    let mut members = vec![
        ("type".to_owned(), Value::from(if model { "machine-learning-model" } else { "data" })),
        ("bom-ref".into(), reference(one).into()),
        ("name".into(), name.unwrap_or(statement.kind.name).into()),
    ];
    let version = version.filter(|text| text.chars().count() <= VERSION);
    members.extend(version.map(|text| ("version".to_owned(), text.into())));
    members.push(("description".into(), statement.kind.about.into()));
    members.push(("hashes".into(), hashes(digest)));
    members.extend(own("purl").map(|purl| ("purl".to_owned(), purl.into())));
    members.extend(ancestor(statement).map(|one| ("pedigree".to_owned(), one)));
    members.push(("externalReferences".into(), Value::array(references(one))));
    members.push(("components".into(), Value::array(statement.subjects.iter().map(file))));
    match model {
        true => members.extend(card(one, all).map(|card| ("modelCard".to_owned(), card))),
        false => members.push(("data".into(), data(statement))),
    }
    members.push(("properties".into(), Value::array(properties(one, of))));
    Value::Object(members)
}

fn hashes(digest: Digest) -> Value {
    let hash = [("alg", Value::from("SHA-256")), ("content", digest.hex().into())];
    Value::array([Value::object(hash)])
}

/// A file; of one that is committed to nobody knows the hash.
fn file(subject: &Subject) -> Value {
    let mut members =
        vec![("type".to_owned(), Value::from("file")), ("name".into(), Value::from(&subject.path))];
    let mut told =
        vec![property("role", &subject.role), property("size", &subject.size.to_string())];
    match subject.salt {
        None => members.push(("hashes".into(), hashes(subject.digest))),
        Some(_) => told.push(property("commitment", &subject.digest.to_string())),
    }
    members.push(("properties".into(), told.into()));
    Value::Object(members)
}

/// The model that it was made from.
fn ancestor(statement: &Statement) -> Option<Value> {
    let own = |name: &str| statement.own.get(name).and_then(Value::as_str);
    let name = own("base").or_else(|| own("base_purl"))?;
    let mut members = vec![
        ("type".to_owned(), Value::from("machine-learning-model")),
        ("name".into(), name.into()),
    ];
    members.extend(own("base_purl").map(|purl| ("purl".to_owned(), purl.into())));
    Some(Value::object([("ancestors", Value::array([Value::Object(members)]))]))
}

fn references(one: &Attested<'_>) -> Vec<Value> {
    let reference = |kind: &str, url: String| {
        vec![("type".to_owned(), Value::from(kind)), ("url".into(), url.into())]
    };
    let mut files: Vec<&str> = one.files.clone();
    files.sort_unstable();
    let mut found: Vec<Value> = files
        .into_iter()
        .map(|file| {
            let mut members = reference("attestation", encode(file, b""));
            members.push(("comment".into(), format!("payload {}", one.payload).into()));
            Value::Object(members)
        })
        .collect();
    for (role, kind) in [("model_card", "model-card"), ("license", "license")] {
        let plain = |subject: &&Subject| subject.role == role && subject.salt.is_none();
        for subject in one.statement.subjects.iter().filter(plain) {
            let mut members = reference(kind, encode(&subject.path, b"/"));
            members.push(("hashes".into(), hashes(subject.digest)));
            found.push(Value::Object(members));
        }
    }
    let source = one.statement.source.as_ref().and_then(|source| source.repository.as_deref());
    let address = source.filter(|text| is_address(text));
    found.extend(address.map(|url| Value::Object(reference("vcs", url.to_owned()))));
    found
}

/// Whether a text is an address as it stands (RFC 3986); others are told as properties only.
fn is_address(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte);
    text.contains("://")
        && text.starts_with(|one: char| one.is_ascii_alphabetic())
        && text.bytes().all(plain)
}

/// What is known of a model besides its files.
fn card(one: &Attested<'_>, all: &[&Attested<'_>]) -> Option<Value> {
    let evals = all.iter().filter(|other| {
        let on = |dependency: &crate::Dependency| dependency.digest == one.payload;
        other.statement.kind.name == "eval" && other.statement.depends_on.iter().any(on)
    });
    let (mut metrics, mut sets) = (BTreeSet::new(), BTreeSet::new());
    for eval in evals {
        let own = |name: &str| eval.statement.own.get(name);
        let suite = own("suite_id").and_then(Value::as_str).unwrap_or_default();
        sets.insert(reference(eval));
        for (name, value) in own("metrics").and_then(Value::as_object).unwrap_or_default() {
            metrics.insert((suite, name.as_str(), value.as_str().unwrap_or_default()));
        }
    }
    // "The datasets used to train and evaluate the model."
    let corpora = one.statement.depends_on.iter().filter(|on| on.kind == "corpus");
    sets.extend(corpora.map(|on| format!("corpus:{}", on.digest)));
    let mut members = Vec::new();
    if !sets.is_empty() {
        let sets = sets.into_iter().map(|set| Value::object([("ref", Value::from(set))]));
        let parameters = Value::object([("datasets", Value::array(sets))]);
        members.push(("modelParameters".to_owned(), parameters));
    }
    if !metrics.is_empty() {
        let metrics = metrics.into_iter().map(|(suite, name, value)| {
            let told = [("type", name), ("value", value), ("slice", suite)];
            Value::object(told.map(|(name, text)| (name, Value::from(text))))
        });
        let analysis = Value::object([("performanceMetrics", Value::array(metrics))]);
        members.push(("quantitativeAnalysis".into(), analysis));
    }
    let mut told = Vec::new();
    for name in ["quantisation", "chain"] {
        if let Some(value) = one.statement.own.get(name) {
            flatten(name, value, &mut told);
        }
    }
    if !told.is_empty() {
        members.push(("properties".into(), told.into()));
    }
    (!members.is_empty()).then_some(Value::Object(members))
}

/// What each role of a statement's files is.
fn data(statement: &Statement) -> Value {
    let roles: BTreeSet<&str> =
        statement.subjects.iter().map(|subject| subject.role.as_str()).collect();
    Value::array(roles.into_iter().map(|role| {
        let files: Vec<&Subject> =
            statement.subjects.iter().filter(|subject| subject.role == role).collect();
        let trees: Vec<&str> = statement
            .trees
            .iter()
            .filter(|tree| tree.role == role)
            .map(|tree| tree.path.as_str())
            .collect();
        let path = match (trees.as_slice(), files.as_slice()) {
            ([path], _) => Some(*path),
            ([], [file]) => Some(file.path.as_str()),
            _ => None,
        };
        let url = path.map(|path| ("url".to_owned(), encode(path, b"/").into()));
        let count = Value::array([property("files", &files.len().to_string())]);
        let contents = url.into_iter().chain([("properties".to_owned(), count)]).collect();
        let mut members = vec![
            ("type".to_owned(), Value::from(kind_of(role))),
            ("name".into(), role.into()),
            ("contents".into(), Value::Object(contents)),
        ];
        if !statement.sensitivity.is_empty() {
            members.push(("classification".into(), statement.sensitivity.join(", ").into()));
            members.push(("sensitiveData".into(), Value::array(&statement.sensitivity)));
        }
        Value::Object(members)
    }))
}

/// What kind of data the files of a role are, in the format's words.
fn kind_of(role: &str) -> &'static str {
    match role {
        "documents" | "document_manifest" | "embedding_input" | "vector_index" | "testset"
        | "test_suite" | "baseline_results" | "candidate_results" | "simulation_result" => {
            "dataset"
        }
        "system_prompt" | "templates" | "tool_schemas" => "definition",
        "safety_policy"
        | "render_config"
        | "connector_configs"
        | "chunking_config"
        | "scoring_config"
        | "run_environment"
        | "route_config"
        | "budget_policy"
        | "fallback_graph"
        | "canary_config"
        | "profile"
        | "observability_query" => "configuration",
        _ => "other",
    }
}

/// What the format has no member for. `hash` is what the component's hash is over.
fn properties(one: &Attested<'_>, hash: &str) -> Vec<Value> {
    let statement = one.statement;
    let mut told = vec![
        property("attested", "true"),
        property("type", statement.kind.name),
        property("payload", &one.payload.to_string()),
        property("id", &statement.id),
        property("generated_at", &statement.generated_at.to_string()),
        property("hash", hash),
        property("manifest", &statement.manifest().to_string()),
        property("privacy", statement.privacy.mode()),
        property("logged", if one.logged { "true" } else { "false" }),
    ];
    told.extend(statement.expires_at.map(|at| property("expires_at", &at.to_string())));
    let mut signers = one.signers.clone();
    signers.sort_unstable();
    told.extend(signers.into_iter().map(|signer| property("signer", signer)));
    told.extend(one.stamped.map(|at| property("stamped", &at.to_string())));
    if let Some(source) = &statement.source {
        told.push(property("source:commit", &source.commit));
        told.extend(source.repository.iter().map(|at| property("source:repository", at)));
    }
    told.extend(statement.sensitivity.iter().map(|word| property("sensitivity", word)));
    flatten(statement.kind.name, &statement.own, &mut told);
    told
}

/// Members as properties, one for each text or number, with the names of the way there.
fn flatten(name: &str, value: &Value, told: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<&(String, Value)> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            for (inner, value) in members {
                flatten(&format!("{name}:{inner}"), value, told);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                flatten(&format!("{name}:{at}"), value, told);
            }
        }
        Value::String(text) => told.push(property(name, text)),
        other => told.push(property(name, &write_plain(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types;

    #[test]
    fn every_role_of_data_is_of_some_kind() {
        let data = types::ALL.into_iter().filter(|kind| kind.name != "model");
        let roles = data.flat_map(|kind| kind.roles.iter().map(|role| role.name));
        let other: Vec<&str> = roles.filter(|role| kind_of(role) == "other").collect();
        assert_eq!(other, ["build_log"]);
    }

    #[test]
    fn only_addresses_are_references() {
        for text in ["https://git.example/a/b", "ssh://git@git.example/a"] {
            assert!(is_address(text), "{text}");
        }
        for text in ["git@git.example:a/b", "https://x/ y", "https://x/\u{e9}", "://x", "a/b"] {
            assert!(!is_address(text), "{text}");
        }
    }
}
