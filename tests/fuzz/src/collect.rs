//! What statements are made of: configurations in YAML, salts, archives, the cache of digests; and the
//! manifests of models that others sign.

use std::collections::BTreeMap;

use ::attest::openssf::Manifest;
use ::attest::privacy::{Archive, Salts};
use ::attest::shape::Shape;
use ::attest::statement::{Privacy, Statement};
use ::attest::{Subject, types};
use ::collect::{Cached, Config, Mode, Project, Stamp, write_cache};
use seal::json::Value;
use seal::time::UnixMillis;
use seal::{Digest, hex};

/// The first byte is the type. What a configuration says of itself has the shape that statements want,
/// and its files are for roles of the type.
pub fn attestconfig(input: &[u8]) {
    let Some((first, yaml)) = input.split_first() else { return };
    let kind = types::ALL[usize::from(*first) % types::ALL.len()];
    match Config::read(kind, yaml) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(config) => {
            assert!(config.files.iter().all(|(role, _)| kind.role(role.name).is_some()));
            assert!(config.salted.iter().all(|role| kind.role(role).is_some()));
            assert_eq!(config.mode == Mode::Encrypted, !config.recipients.is_empty());
            let known: Vec<&str> = kind.fields.iter().map(|field| field.name).collect();
            assert!(config.own.iter().all(|(name, _)| known.contains(&name.as_str())));
            config.names(&["a".into()]);
            config.leans_on();
        }
    }
}

/// Every path of a project lies below it.
pub fn project(input: &[u8]) {
    match Project::read(input) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(project) => {
            assert_eq!(Project::read(input).as_ref(), Ok(&project));
            let below = |path: &str| ::attest::files::is_path(path);
            assert!(project.root == "." || below(&project.root));
            assert!(project.statements.iter().all(|one| below(&one.config)));
        }
    }
}

/// Salts that are read are what their own writer writes.
pub fn salts(input: &[u8]) {
    if let Ok((statement, salts)) = Salts::read(input) {
        let again = Salts::read(salts.write(&statement).as_bytes());
        assert_eq!(again, Ok((statement, salts)));
    }
}

/// As it is, and as the body of a cache whose digest is right.
pub fn cache(input: &[u8]) {
    let head: &[u8] = b"countersign collect cache 2\n";
    let mut whole = [head, input].concat();
    whole.extend_from_slice(Digest::of(&whole).as_bytes());
    for bytes in [input.to_vec(), whole] {
        let Some(cached) = Cached::parse(bytes.clone()) else { continue };
        let all: BTreeMap<&str, (Stamp, Digest)> = cached.entries().collect();
        let written = write_cache(&all);
        // paths that are no text are nobody's
        assert!(written == bytes || written.len() < bytes.len());
        let again = Cached::parse(written).expect("what is written is read");
        assert_eq!(again.entries().collect::<BTreeMap<_, _>>(), all);
    }
}

/// What follows the secret of an archive; the statement commits to it. One that is read is what its
/// own writer writes.
pub fn archive(input: &[u8]) {
    let secret = [7; 32];
    let salts = Salts::of(secret);
    let (commitment, salt) = salts.commit("system_prompt", "a", b"hello");
    let statement = |sealed: Digest| Statement {
        kind: types::named("prompt").expect("a type"),
        id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
        generated_at: UnixMillis(0),
        expires_at: None,
        generator: ("x".into(), "1".into()),
        source: None,
        subjects: vec![Subject {
            role: "system_prompt".into(),
            path: "a".into(),
            digest: commitment,
            size: 5,
            salt: Some(salt),
        }],
        trees: Vec::new(),
        depends_on: Vec::new(),
        privacy: Privacy::EncryptedPayload {
            ciphertext: Digest::of(b""),
            commitment: sealed,
            recipients: 1,
        },
        sensitivity: Vec::new(),
        own: Value::Object(Vec::new()),
    };
    let sealed = seal::mac::hmac_sha256_of(&secret, &[b"archive\0", input]);
    let statement = statement(Digest::from_bytes(sealed));
    let bytes = [hex::encode(&secret).as_bytes(), b"\n", input, b"\n"].concat();
    if let Ok(archive) = Archive::read(&bytes, &statement) {
        let file = ("system_prompt".to_owned(), "a".to_owned(), b"hello".to_vec());
        assert_eq!(archive, Archive { salts, files: vec![file] });
    }
    assert!(Archive::read(input, &statement).is_err(), "nobody committed to this");
}

/// A manifest that is read is what its own writer writes.
pub fn manifest(input: &[u8]) {
    match Manifest::read(input) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(manifest) => {
            assert_eq!(Manifest::read(manifest.write().as_bytes()), Ok(manifest));
        }
    }
}

/// Where fuzzing starts.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let texts = |all: &[&str]| all.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "attestconfig" => configs(),
        "project" => texts(&[
            "version: 1\nroot: .\nstatements:\n  - {type: prompt, config: attest/prompt.yaml}\n  - {type: model, config: ./m.yaml}\npaths: {prompt: [\"app/**\"]}\nprivacy: {plaintext_allowed: [prompt]}\n",
        ]),
        "salts" => vec![Salts::of([7; 32]).write("0f8fad5b").into_bytes()],
        "cache" => {
            let stamp = Stamp { device: 1, inode: 2, size: 3, modified: 4, changed: -5 };
            let all = BTreeMap::from([
                ("a", (stamp, Digest::of(b"a"))),
                ("b/c", (stamp, Digest::of(b"b"))),
            ]);
            let whole = write_cache(&all);
            let body = whole[28..whole.len() - 32].to_vec();
            vec![whole, body]
        }
        "archive" => {
            let file = ("system_prompt".to_owned(), "a".to_owned(), b"hello".to_vec());
            let archive = Archive { salts: Salts::of([7; 32]), files: vec![file] };
            let bytes = archive.write().0;
            vec![bytes[65..bytes.len() - 1].to_vec()]
        }
        _ => {
            let file = |path: &str| (path.to_owned(), Digest::of(path.as_bytes()));
            let files = vec![file("a/b"), file("a-b"), file("c")];
            vec![Manifest::of("m", vec![".git".into()], files).write().into_bytes()]
        }
    }
}

/// One that is complete, for each type.
fn configs() -> Vec<Vec<u8>> {
    let common = "sensitivity: [internal]\nexpires_days: 30\nrepository: here\nsalted: []\n";
    let one = |(at, kind): (usize, &&'static types::Type)| {
        let mut text = common.to_owned();
        for role in kind.roles {
            text += &format!("{}: a/{}\n", role.name, role.name);
        }
        for field in kind.fields.iter().filter(|field| !::collect::is_computed(field.name)) {
            text += &format!("{}: {}\n", field.name, sample(field.shape));
        }
        let mut bytes = vec![u8::try_from(at).unwrap_or(0)];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    types::ALL.iter().enumerate().map(one).collect()
}

/// A value of a shape, as YAML.
fn sample(shape: Shape) -> String {
    match shape {
        Shape::Bool => "true".into(),
        Shape::Count => "1".into(),
        Shape::Decimal => "0.50".into(),
        Shape::Time => "2026-01-01T00:00:00Z".into(),
        Shape::Sha256 => hex::encode(&[7; 32]),
        Shape::OneOf(all) => all.first().copied().unwrap_or_default().into(),
        Shape::Is(text) => text.into(),
        Shape::List(inner, _) => format!("[{}]", sample(*inner)),
        Shape::Map(inner, _) => format!("{{m: {}}}", sample(*inner)),
        Shape::Object(fields) => {
            let one =
                |field: &::attest::shape::Field| format!("{}: {}", field.name, sample(field.shape));
            format!("{{{}}}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        _ => "text".into(),
    }
}
