//! Statements that hold as a bill of materials: CycloneDX 1.6 (ECMA-424) with models and data.
//!
//! The same statements give the same bytes. What the format has no member for stands in properties of
//! our own names (`countersign:...`). Bytes: `spec/sbom.md`.

mod part;

use std::collections::{BTreeMap, BTreeSet};

use seal::digest::{Digest, Hasher};
use seal::json::Value;
use seal::time::UnixMillis;

use crate::statement::STATEMENT;
use crate::verify::Attested;
use part::Referenced;

/// The version of the format.
pub const SPEC_VERSION: &str = "1.6";
/// The predicateType of a bill of materials as an in-toto statement.
pub const URI: &str = "https://cyclonedx.org/bom";

/// What a bill of materials says besides the statements.
#[derive(Debug, Clone, Default)]
pub struct About<'a> {
    /// When it was made; else when the newest statement was.
    pub at: Option<UnixMillis>,
    /// What made it: name and version.
    pub tool: (&'a str, &'a str),
    /// What all of it is a part of.
    pub name: Option<&'a str>,
    /// The version of that.
    pub version: Option<&'a str>,
    /// The trust file under which the statements were verified.
    pub trust: Option<Digest>,
    /// Whether the files were compared.
    pub compared: bool,
}

/// The bill of materials; of no statements there is none.
pub fn document(attested: &[Attested<'_>], about: &About<'_>) -> Option<Value> {
    let newest = attested.iter().map(|one| one.statement.generated_at).max()?;
    let mut sorted: Vec<&Attested<'_>> = attested.iter().collect();
    sorted.sort_by_key(|one| (one.statement.kind.name, one.payload));
    let referenced = part::referenced(&sorted);
    let mut components: Vec<Value> =
        sorted.iter().map(|one| part::component(one, &sorted)).collect();
    components.extend(referenced.iter().map(|(what, reference)| what.component(reference)));
    let mut dependencies = dependencies(&sorted, &referenced);
    let mut metadata = vec![
        ("timestamp".to_owned(), Value::from(about.at.unwrap_or(newest).to_string())),
        ("tools".into(), Value::object([("components", tool(about.tool))])),
    ];
    if let Some(name) = about.name {
        let mut whole = vec![
            ("type".to_owned(), Value::from("application")),
            ("bom-ref".into(), WHOLE.into()),
            ("name".into(), name.into()),
        ];
        whole.extend(about.version.map(|version| ("version".to_owned(), version.into())));
        metadata.push(("component".into(), Value::Object(whole)));
        dependencies.insert(0, depends(WHOLE, sorted.iter().map(|one| part::reference(one))));
    }
    let mut told =
        vec![part::property("files", if about.compared { "compared" } else { "not compared" })];
    told.extend(about.trust.map(|digest| part::property("trust", &digest.to_string())));
    metadata.push(("properties".into(), told.into()));
    Some(Value::object([
        ("$schema", Value::from("http://cyclonedx.org/schema/bom-1.6.schema.json")),
        ("bomFormat", "CycloneDX".into()),
        ("specVersion", SPEC_VERSION.into()),
        ("serialNumber", serial(&sorted).into()),
        ("version", 1u32.into()),
        ("metadata", Value::Object(metadata)),
        ("components", components.into()),
        ("dependencies", dependencies.into()),
    ]))
}

/// The same as the predicate of an in-toto statement about the statements' payloads.
pub fn intoto(attested: &[Attested<'_>], bom: Value) -> Value {
    let mut subjects: Vec<(String, Digest)> = attested
        .iter()
        .map(|one| (format!("{}/{}", one.statement.kind.name, one.statement.id), one.payload))
        .collect();
    subjects.sort();
    let subjects = subjects.iter().map(|(name, payload)| {
        let sha256 = Value::object([("sha256", Value::from(payload.hex()))]);
        Value::object([("name", Value::from(name)), ("digest", sha256)])
    });
    Value::object([
        ("_type", Value::from(STATEMENT)),
        ("subject", Value::array(subjects)),
        ("predicateType", URI.into()),
        ("predicate", bom),
    ])
}

/// The `bom-ref` of what all of it is a part of.
const WHOLE: &str = "whole";

fn tool((name, version): (&str, &str)) -> Value {
    Value::array([Value::object([
        ("type", Value::from("application")),
        ("name", name.into()),
        ("version", version.into()),
    ])])
}

/// A UUID of version 8 (RFC 9562, 5.8: made of a SHA-256) over the payloads.
fn serial(sorted: &[&Attested<'_>]) -> String {
    let payloads: BTreeSet<Digest> = sorted.iter().map(|one| one.payload).collect();
    let mut hasher = Hasher::new();
    hasher.update(b"countersign bom\0");
    payloads.iter().for_each(|payload| hasher.update(payload.as_bytes()));
    let digest = hasher.finish();
    let mut hex: Vec<char> = digest.hex().chars().take(32).collect();
    hex[12] = '8';
    hex[16] = match hex[16].to_digit(16).unwrap_or(0) % 4 {
        0 => '8',
        1 => '9',
        2 => 'a',
        _ => 'b',
    };
    let part = |from: usize, to: usize| hex[from..to].iter().collect::<String>();
    let (a, b, c, d, e) = (part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

fn dependencies(sorted: &[&Attested<'_>], referenced: &BTreeMap<Referenced, String>) -> Vec<Value> {
    let known: BTreeMap<Digest, String> =
        sorted.iter().map(|one| (one.payload, part::reference(one))).collect();
    let mut found: Vec<Value> = sorted
        .iter()
        .map(|one| {
            let built_on = one.statement.depends_on.iter().map(|on| on.digest);
            let mut on: Vec<String> =
                built_on.filter_map(|digest| known.get(&digest).cloned()).collect();
            for model in part::models(one.statement) {
                on.extend(match model.statement {
                    Some(digest) => known.get(&digest).cloned(),
                    None => referenced.get(&model).cloned(),
                });
            }
            depends(&part::reference(one), on)
        })
        .collect();
    found.extend(referenced.values().map(|reference| depends(reference, [])));
    found
}

fn depends(reference: &str, on: impl IntoIterator<Item = String>) -> Value {
    let on: BTreeSet<String> = on.into_iter().collect();
    let mut members = vec![("ref".to_owned(), Value::from(reference))];
    if !on.is_empty() {
        members.push(("dependsOn".into(), Value::array(on)));
    }
    Value::Object(members)
}
