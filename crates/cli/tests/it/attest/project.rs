//! A small project with everything attested, in a directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use attest::eval::{Bound, Figures};
use attest::shape::Decimal;
use attest::statement::{PAYLOAD_TYPE, Privacy, Source, Tree};
use attest::types::Count;
use attest::{Bundle, Dependency, Statement, Subject, types};
use record::trust::{Purpose, Trust, TrustKey};
use seal::Digest;
use seal::dsse::{Envelope, PrivateKey, Signer as _};
use seal::json::{Limits, Value, parse};
use seal::key::SecretKey;
use seal::time::UnixMillis;

use crate::running::{countersign, said};

/// What lies in the project.
const FILES: &[(&str, &str)] = &[
    ("app/system.txt", "You answer questions about our handbook.\n"),
    ("app/safety.yaml", "refuse: [medical advice]\n"),
    ("app/templates/base.txt", "Answer: {question}\n"),
    ("app/templates/more/cite.txt", "Cite {source}.\n"),
    ("app/tools/search.json", "{\"name\": \"search\"}\n"),
    ("data/docs/a.md", "# Holidays\n"),
    ("data/docs/b.md", "# Travel\n"),
    ("data/documents.json", "[\"docs/a.md\", \"docs/b.md\"]\n"),
    ("data/chunking.yaml", "size: 200\n"),
    ("data/embedding.jsonl", "{\"text\": \"Holidays\"}\n"),
    ("data/index.bin", "0123456789\n"),
    ("eval/testset.jsonl", "{\"id\": \"q1\"}\n{\"id\": \"q2\"}\n"),
    ("eval/scoring.yaml", "metrics:\n  accuracy: {aggregate: mean}\n  latency: {aggregate: p95}\n"),
    (
        "eval/candidate.jsonl",
        "{\"id\":\"q1\",\"scores\":{\"accuracy\":1,\"latency\":\"0.8\"}}\n{\"id\":\"q2\",\"scores\":{\"accuracy\":\"0.5\",\"latency\":1}}\n",
    ),
    (
        "eval/baseline.jsonl",
        "{\"id\":\"q1\",\"scores\":{\"accuracy\":1,\"latency\":1}}\n{\"id\":\"q2\",\"scores\":{\"accuracy\":\"0.4\",\"latency\":1}}\n",
    ),
    ("route/route.yaml", "primary: small\n"),
    ("route/budget.yaml", "daily_usd: 10\n"),
    ("route/fallback.yaml", "small: [large]\n"),
    ("slo/profile.json", "{\"profile\": \"chat\"}\n"),
    ("model/weights/one.bin", "weights one\n"),
    ("model/weights/two.bin", "weights two\n"),
];

/// A role and its files.
type Role = (&'static str, &'static [&'static str]);

/// The files of each type, by their roles.
const ROLES: &[(&str, &[Role])] = &[
    ("model", &[("weights", &["model/weights/one.bin", "model/weights/two.bin"])]),
    (
        "prompt",
        &[
            ("system_prompt", &["app/system.txt"]),
            ("safety_policy", &["app/safety.yaml"]),
            ("templates", &["app/templates/base.txt", "app/templates/more/cite.txt"]),
            ("tool_schemas", &["app/tools/search.json"]),
        ],
    ),
    (
        "corpus",
        &[
            ("documents", &["data/docs/a.md", "data/docs/b.md"]),
            ("document_manifest", &["data/documents.json"]),
            ("chunking_config", &["data/chunking.yaml"]),
            ("embedding_input", &["data/embedding.jsonl"]),
            ("vector_index", &["data/index.bin"]),
        ],
    ),
    (
        "eval",
        &[
            ("testset", &["eval/testset.jsonl"]),
            ("scoring_config", &["eval/scoring.yaml"]),
            ("baseline_results", &["eval/baseline.jsonl"]),
            ("candidate_results", &["eval/candidate.jsonl"]),
        ],
    ),
    (
        "route",
        &[
            ("route_config", &["route/route.yaml"]),
            ("budget_policy", &["route/budget.yaml"]),
            ("fallback_graph", &["route/fallback.yaml"]),
        ],
    ),
    ("slo", &[("profile", &["slo/profile.json"])]),
];

/// The directory that a role which is one covers.
const TREES: &[(&str, &str)] = &[
    ("weights", "model/weights"),
    ("templates", "app/templates"),
    ("tool_schemas", "app/tools"),
    ("documents", "data/docs"),
];

/// The time at which everything was attested.
pub const MADE: UnixMillis = UnixMillis(1_704_067_200_000);

/// A project whose bundles of all types hold.
pub struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// With a bundle of every type, signed by [`key`] of 1, whom the trust file names `ada`; `ben` is
    /// the key of 2, `cai` of 3 signs summaries and `dot` of 4 evals only.
    pub fn new() -> Project {
        let project = Project { dir: tempfile::tempdir().expect("a directory") };
        for (path, text) in FILES {
            let path = project.path(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        fs::create_dir(project.path("attestations")).expect("made");
        fs::write(project.path("trust.yaml"), trust().to_yaml()).expect("written");
        for (kind, _) in ROLES {
            let statement = project.statement(kind);
            project.put(kind, &sign(&statement.write(), 1));
        }
        project
    }

    /// A path below it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A good statement of a type about the files as they are, on top of the bundles that are there.
    pub fn statement(&self, kind: &str) -> Statement {
        let kind = types::named(kind).expect("a type");
        let (_, roles) = ROLES.iter().find(|(name, _)| *name == kind.name).expect("roles");
        let subject = |role: &str, path: &str| {
            let content = fs::read(self.path(path)).expect("a file");
            Subject {
                role: role.into(),
                path: path.into(),
                digest: Digest::of(&content),
                size: content.len() as u64,
                salt: None,
            }
        };
        let subjects = roles
            .iter()
            .flat_map(|(role, paths)| paths.iter().map(move |path| subject(role, path)));
        let mut subjects: Vec<Subject> = subjects.collect();
        subjects.sort();
        let whole = |role: &str| {
            let count = kind.role(role).expect("a role").count;
            matches!(count, Count::Tree | Count::OptionalTree)
        };
        let tree = |role: &str| {
            let (_, path) = TREES.iter().find(|(name, _)| *name == role).expect("a tree");
            Tree { role: role.into(), path: (*path).into() }
        };
        let depends_on = kind
            .needs
            .iter()
            .map(|need| Dependency { kind: (*need).into(), digest: self.payload(need).1 });
        Statement {
            kind,
            id: format!(
                "0f8fad5b-d9cb-469f-a165-70867728{:04x}",
                kind.name.len() * 256 + usize::from(kind.name.as_bytes()[0])
            ),
            generated_at: MADE,
            expires_at: None,
            generator: ("countersign".into(), "0.1.0".into()),
            source: Some(Source { repository: None, commit: "0123abcd".into() }),
            trees: roles
                .iter()
                .filter(|(role, _)| whole(role))
                .map(|(role, _)| tree(role))
                .collect(),
            depends_on: depends_on.collect(),
            privacy: Privacy::HashOnly,
            sensitivity: Vec::new(),
            own: self.own(kind.name, &subjects),
            subjects,
        }
    }

    fn own(&self, kind: &str, subjects: &[Subject]) -> Value {
        let json = |text: &str| parse(text.as_bytes(), Limits::DOCUMENT).expect("JSON");
        match kind {
            "corpus" => json(&format!(
                "{{\"snapshot_id\":\"s1\",\"embedding_model\":\"small\",\"index_builder_image\":\"{}\"}}",
                "0".repeat(64)
            )),
            "eval" => self.figures(),
            "route" => Value::object([
                ("strategy", Value::from("cheapest")),
                (
                    "providers",
                    Value::array([Value::object([
                        ("provider", Value::from("local")),
                        ("model", "small".into()),
                        ("statement", self.payload("model").1.hex().into()),
                    ])]),
                ),
            ]),
            "slo" => json(
                "{\"profile_id\":\"chat\",\"window\":{\"start\":\"2024-01-01T00:00:00Z\",\"end\":\"2024-02-01T00:00:00Z\"},\"ttft_ms_p50\":\"200\",\"ttft_ms_p95\":\"900\",\"tokens_per_second_p50\":\"50\",\"cost_per_1k_tokens_cap_usd\":\"0.02\",\"error_rate_cap\":\"0.01\",\"error_budget_remaining\":\"0.8\"}",
            ),
            "model" => {
                let root = attest::verify::model_root(subjects);
                Value::object([("name", Value::from("small")), ("root", root.hex().into())])
            }
            _ => Value::Object(Vec::new()),
        }
    }

    fn figures(&self) -> Value {
        let text = |name: &str| fs::read(self.path(name)).expect("a file");
        let decimal = |text: &str| Decimal::parse(text);
        let thresholds = BTreeMap::from([
            (
                "accuracy".to_owned(),
                Bound { min: decimal("0.7"), max_drop: decimal("0.01"), ..Bound::default() },
            ),
            ("latency".to_owned(), Bound { max: decimal("2"), ..Bound::default() }),
        ]);
        let figures = Figures::compute(
            &text("eval/scoring.yaml"),
            &text("eval/candidate.jsonl"),
            &text("eval/baseline.jsonl"),
            &thresholds,
        );
        let mut members = figures.expect("figures").members(&thresholds);
        members.push(("suite_id".into(), "smoke".into()));
        Value::Object(members)
    }

    /// The payload of the bundle of a type, and its digest.
    pub fn payload(&self, kind: &str) -> (Vec<u8>, Digest) {
        let payload = self.bundle(kind).envelope.payload;
        let digest = Digest::of(&payload);
        (payload, digest)
    }

    /// The same, when there is one and it can be read.
    pub fn there(&self, kind: &str) -> Option<Vec<u8>> {
        let bundle = Bundle::read(&fs::read(self.place(kind)).ok()?).ok()?;
        Some(bundle.envelope.payload)
    }

    /// The bundle of a type.
    pub fn bundle(&self, kind: &str) -> Bundle {
        Bundle::read(&fs::read(self.place(kind)).expect("a bundle")).expect("a bundle")
    }

    fn place(&self, kind: &str) -> PathBuf {
        self.path(&format!("attestations/{kind}.bundle.json"))
    }

    /// Writes a bundle under a name.
    pub fn put(&self, name: &str, bundle: &Bundle) {
        self.put_text(name, &bundle.write());
    }

    /// Writes what may be a bundle.
    pub fn put_text(&self, name: &str, text: &str) {
        fs::write(self.place(name), text).expect("written");
    }

    /// Takes bundles away.
    pub fn take(&self, names: &[&str]) {
        for name in names {
            fs::remove_file(self.place(name)).expect("removed");
        }
    }

    /// Signs the statement of a type again after `change` of its text, with the key of 1.
    pub fn resign(&self, kind: &str, change: impl FnOnce(String) -> String) {
        let (payload, _) = self.payload(kind);
        let before = String::from_utf8(payload).expect("text");
        let after = change(before.clone());
        assert_ne!(before, after, "nothing changed");
        self.put(kind, &sign(&after, 1));
    }

    /// Signs another statement of its type, as `change` makes it.
    pub fn restate(&self, kind: &str, change: impl FnOnce(&mut Statement)) {
        let mut statement = self.statement(kind);
        change(&mut statement);
        self.put(kind, &sign(&statement.write(), 1));
    }

    /// `attest verify` over all bundles with more arguments: the exit and the report.
    pub fn verify(&self, more: &[&str]) -> (i32, Value) {
        let args = ["attest", "verify", "attestations", "--trust", "trust.yaml"];
        let args = [&args[..], &["--format", "json"], more].concat();
        let output = countersign(self.dir(), &args);
        let report = parse(&output.stdout, Limits { bytes: 64 << 20, depth: 16 });
        let report = report.unwrap_or_else(|_| panic!("{}", said(&output)));
        (output.status.code().unwrap_or(-1), report)
    }
}

/// The codes of a report's errors and warnings, each once, sorted.
pub fn codes(report: &Value) -> Vec<String> {
    let findings = report.get("findings").and_then(Value::as_array).expect("findings");
    let code = |one: &Value| one.get("code").and_then(Value::as_str).expect("a code").to_owned();
    let mut codes: Vec<String> = findings.iter().map(code).collect();
    codes.sort();
    codes.dedup();
    codes
}

/// A key of the tests.
pub fn key(number: u8) -> PrivateKey {
    PrivateKey::ed25519(SecretKey::from_seed([number; 32]))
}

/// A bundle around a payload, by the key of a number.
pub fn sign(payload: &str, number: u8) -> Bundle {
    let key = key(number);
    let envelope = Envelope::sign(PAYLOAD_TYPE, payload.as_bytes().to_vec(), &key);
    Bundle::of(envelope.expect("signed"), key.public().hint())
}

fn trust() -> Trust {
    let mut trust = Trust::empty();
    for (number, name, purpose, types) in [
        (1, "ada", Purpose::Statements, vec![]),
        (2, "ben", Purpose::Statements, vec![]),
        (3, "cai", Purpose::Vsa, vec![]),
        (4, "dot", Purpose::Statements, vec!["eval".to_owned()]),
    ] {
        let public = seal::signer::Signer::public(&SecretKey::from_seed([number; 32])).clone();
        let key = TrustKey { types, ..TrustKey::public(name, purpose, public) };
        trust.add_key(key).expect("a key");
    }
    trust
}
