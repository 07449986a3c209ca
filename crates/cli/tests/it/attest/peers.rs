//! Statements, schemas and bundles in the hands of others: PyPI jsonschema, in-toto-attestation and
//! securesystemslib, npm @sigstore/verify. Their packages are pinned in tests/python and tests/node and
//! installed by `./x test`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use attest::types::{self, Type};
use attest::verify::{Blob, How, Stage, verify};
use seal::json::{Limits, Value, parse, write_plain};

use super::project::{Project, sign};
use super::tamper;
use crate::collect::Project as Example;
use crate::running::{countersign, said};
use crate::sdk::{node_modules, python, repository};

/// What a program printed; it must not fail.
fn printed(command: &mut Command) -> String {
    let run = command.output().expect("it runs");
    assert!(run.status.success(), "{command:?}\n{}", said(&run));
    String::from_utf8(run.stdout).expect("text").trim().to_owned()
}

/// Which of the instances the published schema of a type takes, as jsonschema says, which also says
/// that the schema is one.
fn schema_takes(python: &Path, kind: &Type, instances: &[Value]) -> Vec<bool> {
    let dir = tempfile::tempdir().expect("a directory");
    let output = countersign(dir.path(), &["attest", "schema", kind.name]);
    assert!(output.status.success(), "{}", said(&output));
    let schema = parse(&output.stdout, Limits::DOCUMENT).expect("JSON");
    let given =
        Value::object([("schema", schema), ("instances", Value::Array(instances.to_vec()))]);
    let file = dir.path().join("given.json");
    fs::write(&file, write_plain(&given)).expect("written");
    let script = repository().join("tests/python/config_schema.py");
    let told = printed(Command::new(python).arg(script).arg(file));
    let told = parse(told.as_bytes(), Limits::DOCUMENT).expect("JSON");
    let told = told.as_array().expect("a list");
    assert_eq!(told.len(), instances.len());
    told.iter().map(|one| one.as_bool().expect("a verdict")).collect()
}

/// Which of the payloads our reader finds nothing wrong with in the stage `schema`.
fn reader_takes(payloads: &[Value]) -> Vec<bool> {
    let blob = |(at, payload): (usize, &Value)| Blob {
        name: format!("{at:06}"),
        bytes: Ok(sign(&write_plain(payload), 1).write().into_bytes()),
        proof: None,
    };
    let blobs: Vec<Blob> = payloads.iter().enumerate().map(blob).collect();
    let verification = verify(blobs, None, None, &How::default());
    let judged = verification.bundles();
    assert_eq!(judged.len(), payloads.len());
    judged.iter().map(|one| one.findings.iter().all(|(stage, _)| *stage != Stage::Schema)).collect()
}

/// A statement with one thing about it changed, and what.
struct Mutant {
    what: String,
    value: Value,
    /// It must be refused, not only alike.
    refused: bool,
}

/// Everything that can be changed at one place: members taken away and added, values of other types,
/// texts that are almost right. Of long lists the first two items.
fn mutants(whole: &Value) -> Vec<Mutant> {
    let mut found = Vec::new();
    let mut left = vec![Vec::new()];
    while let Some(way) = left.pop() {
        let value = at(whole, &way).expect("a place");
        let mut tell = |what: &str, refused: bool, to: Option<Value>| {
            found.push(Mutant {
                what: format!("/{}: {what}", way.join("/")),
                value: changed(whole, &way, to),
                refused,
            });
        };
        if !way.is_empty() {
            tell("missing", false, None);
        }
        tell("null", true, Some(Value::Null));
        tell("a number below zero", true, Some(Value::from(-1i64)));
        match value {
            Value::Object(members) => {
                let mut more = members.clone();
                more.push(("unknown".into(), "x".into()));
                tell("an unknown member", true, Some(Value::Object(more)));
                tell("a text", true, Some("x".into()));
                tell("empty", false, Some(Value::Object(Vec::new())));
                let names = members.iter().map(|(name, _)| name.as_str());
                left.extend(names.map(|name| [&way[..], &[name]].concat()));
            }
            Value::Array(items) => {
                tell("no list", true, Some(Value::object([("0", Value::from("x"))])));
                tell("empty", false, Some(Value::Array(Vec::new())));
                let doubled = items.iter().chain(items.first()).cloned();
                tell("the first item twice", false, Some(Value::Array(doubled.collect())));
                left.extend(
                    ["0", "1"].iter().take(items.len()).map(|at| [&way[..], &[*at]].concat()),
                );
            }
            Value::String(text) => {
                tell("a list", true, Some(Value::array([text.as_str()])));
                tell("junk", false, Some("../ABC".into()));
                // Which file lies in which directory no schema can say.
                if !matches!(way[..], ["subject", _, "name"] | ["predicate", "trees", _, "path"]) {
                    tell("in capitals", false, Some(text.to_uppercase().into()));
                }
                tell("a line feed more", true, Some(format!("{text}\n").into()));
            }
            _ => tell("a text", true, Some("x".into())),
        }
    }
    found
}

fn at<'v>(value: &'v Value, way: &[&str]) -> Option<&'v Value> {
    way.iter().try_fold(value, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => value.get(name),
    })
}

/// A copy in which another value, or none, stands at a place.
fn changed(value: &Value, way: &[&str], to: Option<Value>) -> Value {
    let Some((name, rest)) = way.split_first() else { return to.expect("a value") };
    let inner = |inner: &Value| match (rest.is_empty(), &to) {
        (true, None) => None,
        _ => Some(changed(inner, rest, to.clone())),
    };
    match value {
        Value::Array(items) => {
            let place: usize = name.parse().expect("a number");
            let keep = |(at, item): (usize, &Value)| match at == place {
                true => inner(item),
                false => Some(item.clone()),
            };
            Value::Array(items.iter().enumerate().filter_map(keep).collect())
        }
        Value::Object(members) => {
            let keep = |(one, value): &(String, Value)| match one == name {
                true => Some((one.clone(), inner(value)?)),
                false => Some((one.clone(), value.clone())),
            };
            Value::Object(members.iter().filter_map(keep).collect())
        }
        _ => panic!("nothing lies in {value:?}"),
    }
}

#[test]
fn published_schemas_refuse_what_the_reader_refuses() {
    let Some(python) = python() else { return };
    let example = Example::new();
    example.attest(&["create"], 0);
    for kind in types::ALL {
        let good = example.statement(kind.name).to_value();
        let mutants = mutants(&good);
        let values: Vec<Value> =
            mutants.iter().map(|one| one.value.clone()).chain([good]).collect();
        let (theirs, ours) = (schema_takes(&python, kind, &values), reader_takes(&values));
        assert_eq!((theirs.last(), ours.last()), (Some(&true), Some(&true)), "{}", kind.name);
        let verdicts = theirs.iter().zip(&ours);
        let wrong = mutants.iter().zip(verdicts).filter(|(mutant, (theirs, ours))| {
            theirs != ours || (mutant.refused && (**theirs || **ours))
        });
        let wrong: Vec<String> = wrong
            .map(|(mutant, (theirs, ours))| {
                format!("{}: schema {theirs}, reader {ours}", mutant.what)
            })
            .collect();
        assert!(wrong.is_empty(), "{}\n{}", kind.name, wrong.join("\n"));
        assert!(ours.iter().filter(|taken| !**taken).count() > 100, "{}", kind.name);
    }
}

/// Modes, commitments and embedded texts, which the example does not have.
#[test]
fn published_schemas_know_the_modes_of_privacy() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let good = project.statement("prompt").to_value();
    let with = |privacy: &str| {
        let privacy = parse(privacy.as_bytes(), Limits::DOCUMENT).expect("JSON");
        changed(&good, &["predicate", "privacy"], Some(privacy))
    };
    let digest = "0".repeat(64);
    let sealed = format!(
        r#"{{"mode":"encrypted_payload","ciphertext":"{digest}","commitment":"{digest}","recipients":1}}"#
    );
    let files =
        r#"{"mode":"plaintext_explicit","files":[{"name":"app/system.txt","content":"\n\u0000"}]}"#;
    let cases = [
        (true, with(r#"{"mode":"hash_only"}"#)),
        (true, with(&sealed)),
        (true, with(files)),
        (false, with(&files.replace("plaintext_explicit", "hash_only"))),
        (false, with(&sealed.replace("encrypted_payload", "hash_only"))),
        (false, with(r#"{"mode":"plaintext_explicit"}"#)),
        (false, with(r#"{"mode":"encrypted_payload"}"#)),
        (false, with(&files.replace(r#""\n\u0000""#, "7"))),
        (false, with(r#"{"mode":"other"}"#)),
    ];
    let values: Vec<Value> = cases.iter().map(|(_, value)| value.clone()).collect();
    let expect: Vec<bool> = cases.iter().map(|(taken, _)| *taken).collect();
    assert_eq!(reader_takes(&values), expect);
    assert_eq!(schema_takes(&python, types::named("prompt").expect("a type"), &values), expect);
}

/// Of the table of tampering: what the reader refuses by its form, the schema refuses, too.
#[test]
fn published_schemas_refuse_what_was_tampered_with() {
    let Some(python) = python() else { return };
    // Which of two times comes first, and whether a member stands there twice, no schema can say.
    let beyond = ["T54", "T63", "T69"];
    let form = ["014", "015", "016", "017", "018", "019"];
    let mut tried = tamper::cases();
    tried.retain(|case| case.codes.iter().any(|code| form.contains(code)));
    tried.retain(|case| !beyond.contains(&case.id));
    assert!(tried.len() >= 10);
    // One question for each type: whose statement it is, and what it says.
    let mut refused = BTreeSet::new();
    let projects: Vec<Project> = tried.iter().map(|_| Project::new()).collect();
    for (case, project) in tried.iter().zip(&projects) {
        (case.change)(project);
    }
    for kind in types::ALL {
        let payload = |(case, project): (&tamper::Case, &Project)| {
            let value = parse(&project.there(kind.name)?, Limits::DOCUMENT).ok()?;
            Some((case.id, value))
        };
        let (ids, values): (Vec<&str>, Vec<Value>) =
            tried.iter().zip(&projects).filter_map(payload).unzip();
        let taken = schema_takes(&python, kind, &values);
        refused.extend(ids.iter().zip(taken).filter(|(_, taken)| !taken).map(|(id, _)| *id));
    }
    let missed: Vec<&str> =
        tried.iter().map(|case| case.id).filter(|id| !refused.contains(id)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// The example's bundles by both kinds of key, and the public halves of both keys.
fn signed() -> (Example, [(&'static str, Vec<std::path::PathBuf>); 2]) {
    let example = Example::new();
    example.attest(&["create"], 0);
    let openssl = |args: &[&str]| {
        printed(Command::new("openssl").args(args).current_dir(example.0.path()));
    };
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        "ec.pem",
    ]);
    for name in ["key", "ec"] {
        let (private, public) = (format!("{name}.pem"), format!("{name}.pub.pem"));
        openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
        example.attest(&["sign", "--key", &private, "--out", name], 0);
    }
    let bundles = ["key", "ec"].map(|name| {
        let folder = fs::read_dir(example.path(name)).expect("a folder");
        let mut paths: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        assert_eq!(paths.len(), 6);
        // cosign passes over signatures with a keyid of another making (examples/cosign.sh).
        let text = fs::read_to_string(&paths[0]).expect("text");
        assert!(text.contains("\"keyid\":\"\""), "{text}");
        (name, paths)
    });
    (example, bundles)
}

/// The bundle with its payload changed under the old signature.
fn tampered(bundle: &Path) -> String {
    let text = fs::read_to_string(bundle).expect("text");
    let mut bundle = attest::Bundle::read(text.as_bytes()).expect("a bundle");
    let at = bundle.envelope.payload.len() - 10;
    bundle.envelope.payload[at] ^= 1;
    bundle.write()
}

#[test]
fn sigstore_verify_takes_our_bundles_with_our_keys() {
    let Some(modules) = node_modules() else { return };
    let (example, signed) = signed();
    let judge = |bundle: &Path, keys: &[&str]| {
        let script = repository().join("tests/node/peer_bundle.js");
        let mut command = Command::new("node");
        command.arg(script).arg(&modules).arg(bundle).args(keys);
        printed(command.current_dir(example.0.path()))
    };
    for (name, bundles) in &signed {
        let (own, other) = match *name {
            "key" => ("key.pub.pem", "ec.pub.pem"),
            _ => ("ec.pub.pem", "key.pub.pem"),
        };
        for bundle in bundles {
            assert_eq!(judge(bundle, &[own, other]), "yes", "{}", bundle.display());
        }
        let told = judge(&bundles[0], &[other]);
        assert!(told.starts_with("no: ") && told.contains("key not found"), "{told}");
        let file = example.path("tampered.json");
        fs::write(&file, tampered(&bundles[0])).expect("written");
        let told = judge(&file, &[own, other]);
        assert!(told.starts_with("no: ") && told.contains("signature"), "{told}");
    }
}

#[test]
fn in_toto_and_securesystemslib_take_ours_and_we_theirs() {
    let Some(python) = python() else { return };
    let (example, signed) = signed();
    let peer = |args: &[&str]| {
        let script = repository().join("tests/python/peer_statement.py");
        printed(Command::new(&python).arg(script).args(args).current_dir(example.0.path()))
    };
    for (name, bundles) in &signed {
        let (own, other) = match *name {
            "key" => ("key.pub.pem", "ec.pub.pem"),
            _ => ("ec.pub.pem", "key.pub.pem"),
        };
        let bundle = bundles[0].display().to_string();
        assert_eq!(peer(&["verify", &bundle, own]), "yes");
        assert_eq!(peer(&["verify", &bundle, other]), "no");
        fs::write(example.path("tampered.json"), tampered(&bundles[0])).expect("written");
        assert_eq!(peer(&["verify", "tampered.json", own]), "no");
    }
    let add = ["trust", "add", "--trust", "t.yaml", "--purpose", "statements", "--name"];
    for name in ["key", "ec"] {
        let public = format!("{name}.pub.pem");
        let output = countersign(example.0.path(), &[&add[..], &[name, "--key", &public]].concat());
        assert!(output.status.success(), "{}", said(&output));
    }
    for (at, bundle) in signed[0].1.iter().enumerate() {
        let told = peer(&["statement", &bundle.display().to_string()]);
        let told = parse(told.as_bytes(), Limits::DOCUMENT).expect("JSON");
        let payload = attest::Bundle::read(&fs::read(bundle).expect("bytes")).expect("a bundle");
        let payload = payload.envelope.payload;
        let statement = attest::Statement::read(&payload).expect("a statement");
        assert_eq!(told.get("type").and_then(Value::as_str), Some(statement.kind.uri));
        let subjects = told.get("subjects").and_then(Value::as_object).expect("subjects");
        assert_eq!(subjects.len(), statement.subjects.len());
        for subject in &statement.subjects {
            let found = subjects.iter().find(|(name, _)| *name == subject.path);
            assert_eq!(found.and_then(|(_, hex)| hex.as_str()), Some(&*subject.digest.hex()));
        }
        // What they sign is judged here, by either kind of key.
        let (private, out) = (["key.pem", "ec.pem"][at % 2], format!("theirs/{at}.bundle.json"));
        fs::create_dir_all(example.path("theirs")).expect("made");
        fs::write(example.path("payload"), &payload).expect("written");
        peer(&["sign", "payload", private, &out]);
    }
    let verify = ["verify", "theirs", "--trust", "t.yaml"];
    let told = example.attest(&verify, 0);
    assert_eq!(told.matches("ok; signed by ").count(), 6, "{told}");
    let file = example.path("theirs/0.bundle.json");
    fs::write(&file, tampered(&file)).expect("written");
    example.attest(&verify, 12);
}
