//! Statements: in-toto Statement v1 (in-toto attestation framework, v1.0) with a typed predicate.
//!
//! Files are subjects and nothing else is: each names its path below the root that was attested, its
//! SHA-256, and in its annotations what it is for and how long it is. The predicate does not repeat
//! digests, so that there is nothing to compare.

mod schema;
mod subjects;

use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::time::{UnixMillis, parse_rfc3339};

use crate::manifest::labelled;
use crate::shape::{Field, ITEMS, Misfit, Shape, may, must};
use crate::types::{self, Type};
use crate::weight::has_more;
pub use schema::schema;
pub(crate) use subjects::push_size;

/// `_type` of every statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The media type under which a statement is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Longest payload, bytes.
pub const LIMIT: usize = 64 << 20;
/// More values than lists of so many entries have, whoever wrote them.
const VALUES: usize = 24 * ITEMS;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its type.
    pub kind: &'static Type,
    /// A random UUID, lower case.
    pub id: String,
    /// When it was made.
    pub generated_at: UnixMillis,
    /// From then on it no longer counts.
    pub expires_at: Option<UnixMillis>,
    /// What made it: name and version.
    pub generator: (String, String),
    /// The commit of the sources that were attested, and where they live.
    pub source: Option<Source>,
    /// The files, sorted by role and path.
    pub subjects: Vec<Subject>,
    /// The directories whose files are all subjects, sorted by role and path.
    pub trees: Vec<Tree>,
    /// The statements that this one builds on, by the digests of their payloads.
    pub depends_on: Vec<Dependency>,
    /// How much of the files can be told from the statement.
    pub privacy: Privacy,
    /// What is sensitive in the files, in the words of who attests.
    pub sensitivity: Vec<String>,
    /// The type's own members.
    pub own: Value,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// What it is for.
    pub role: String,
    /// Its path below the root, with `/`.
    pub path: String,
    /// SHA-256 of its content; with [`Subject::salt`], the commitment to it.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
    /// For what can be guessed: the digest is HMAC-SHA256 of the content under this salt, which is
    /// kept apart and named by its own digest.
    pub salt: Option<Digest>,
}

/// A directory of which every file is a subject: none may be added to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tree {
    /// What its files are for.
    pub role: String,
    /// Its path below the root, with `/`; [`Tree::ROOT`] for the root itself.
    pub path: String,
}

impl Tree {
    /// How the attested root itself is written.
    pub const ROOT: &str = ".";

    /// Whether a file lies in it.
    pub fn holds(&self, path: &str) -> bool {
        self.path == Tree::ROOT
            || path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// A statement that another one builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Name of its type.
    pub kind: String,
    /// SHA-256 of its payload.
    pub digest: Digest,
}

/// Where sources come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// An address, or a name.
    pub repository: Option<String>,
    /// The commit, as git names it.
    pub commit: String,
}

/// How much of the files can be told from a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Privacy {
    /// Digests only.
    #[default]
    HashOnly,
    /// The files themselves, in the predicate: path and content as text.
    PlaintextExplicit(Vec<(String, String)>),
    /// An encrypted archive of the files, which travels beside the statement.
    EncryptedPayload {
        /// SHA-256 of the encrypted bytes.
        ciphertext: Digest,
        /// The commitment to what is inside.
        commitment: Digest,
        /// For how many recipients.
        recipients: u64,
    },
}

impl Privacy {
    /// The name of the mode.
    pub fn mode(&self) -> &'static str {
        match self {
            Privacy::HashOnly => "hash_only",
            Privacy::PlaintextExplicit(_) => "plaintext_explicit",
            Privacy::EncryptedPayload { .. } => "encrypted_payload",
        }
    }
}

const DIGEST: &[Field] = &[must("sha256", Shape::Sha256, "SHA-256.")];

const SUBJECT: &[Field] = &[
    must("name", Shape::Text, "Path below the root, with /."),
    must("digest", Shape::Object(DIGEST), "Of its content, or the commitment to it."),
    must("annotations", Shape::Object(ANNOTATIONS), "What it is for."),
];

const ANNOTATIONS: &[Field] = &[
    must("role", Shape::Text, "A role of the statement's type."),
    must("size", Shape::Count, "Bytes."),
    may("salt", Shape::Sha256, "Of the salt of a commitment."),
];

const DEPENDENCY: &[Field] = &[
    must("name", Shape::OneOf(&["prompt", "corpus", "eval", "route", "slo", "model"]), "Its type."),
    must("digest", Shape::Object(DIGEST), "Of its payload."),
];

const TREE: &[Field] = &[
    must("role", Shape::Text, "What its files are for."),
    must("path", Shape::Text, "Path below the root, with /; . for the root itself."),
];

const GENERATOR: &[Field] = &[
    must("name", Shape::Text, "What made the statement."),
    must("version", Shape::Text, "Its version."),
];

const SOURCE: &[Field] = &[
    may("repository", Shape::Text, "Where the sources live."),
    must("commit", Shape::Text, "The commit that was attested."),
];

const FILE: &[Field] = &[
    must("name", Shape::Text, "Path of the subject."),
    must("content", Shape::Content, "Its text."),
];

const PRIVACY: &[Field] = &[
    must("mode", Shape::OneOf(&MODES), "How much can be told from the statement."),
    may("files", Shape::List(&Shape::Object(FILE), 1), "With plaintext_explicit: the files."),
    may("ciphertext", Shape::Sha256, "With encrypted_payload: of the encrypted bytes."),
    may("commitment", Shape::Sha256, "With encrypted_payload: to what is inside."),
    may("recipients", Shape::Count, "With encrypted_payload: how many can read it."),
];

const MODES: [&str; 3] = ["hash_only", "plaintext_explicit", "encrypted_payload"];

/// The members that `privacy` has in a mode, besides `mode`: what is embedded is told by its mode.
fn of_mode(mode: &str) -> &'static [&'static str] {
    match mode {
        "plaintext_explicit" => &["files"],
        "encrypted_payload" => &["ciphertext", "commitment", "recipients"],
        _ => &[],
    }
}

/// What predicates of all types have.
pub(crate) const COMMON: &[Field] = &[
    must("id", Shape::Uuid, "The statement's id."),
    must("generated_at", Shape::Time, "When it was made."),
    may("expires_at", Shape::Time, "From then on it no longer counts."),
    must("generator", Shape::Object(GENERATOR), "What made it."),
    may("source", Shape::Object(SOURCE), "Where the files come from."),
    must("manifest", Shape::Sha256, "Over all subjects with their roles, paths and sizes."),
    must(
        "trees",
        Shape::List(&Shape::Object(TREE), 0),
        "Directories of which every file is a subject: none may be added.",
    ),
    must("depends_on", Shape::List(&Shape::Object(DEPENDENCY), 0), "What it builds on."),
    must("privacy", Shape::Object(PRIVACY), "How much can be told from it."),
    must("sensitivity", Shape::List(&Shape::Text, 0), "What is sensitive in the files."),
];

/// What encloses the predicate.
const WHOLE: &[Field] = &[
    must("_type", Shape::Is(STATEMENT), "The format."),
    must("subject", Shape::List(&Shape::Object(SUBJECT), 1), "The files."),
    must("predicateType", Shape::Text, "The type."),
    must("predicate", Shape::Any, "What is said of them."),
];

/// Why a payload is no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not strict JSON within the limits.
    #[error("not strict JSON: {0}")]
    Json(String),
    /// Of another `_type` or predicateType.
    #[error("{0}")]
    Kind(String),
    /// Members that are missing, unknown or wrong.
    #[error("{}", .1.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Misfits(&'static Type, Vec<Misfit>),
    /// The digest over the subjects is that of others.
    #[error("/predicate/manifest: is not the digest of the subjects")]
    Manifest,
}

impl Statement {
    /// Reads a payload.
    pub fn read(payload: &[u8]) -> Result<Statement, StatementError> {
        match Statement::read_stated(payload)? {
            (statement, stated) if stated == statement.manifest() => Ok(statement),
            _ => Err(StatementError::Manifest),
        }
    }

    /// Reads a payload whose `manifest` may be wrong; second is what it says.
    pub(crate) fn read_stated(payload: &[u8]) -> Result<(Statement, Digest), StatementError> {
        if payload.len() <= LIMIT
            && let Some((frame, subjects)) = subjects::read(payload)
            && let Ok((statement, stated)) = Statement::read_whole(frame.as_bytes())
        {
            return Ok((Statement { subjects, ..statement }, stated));
        }
        Statement::read_whole(payload)
    }

    fn read_whole(payload: &[u8]) -> Result<(Statement, Digest), StatementError> {
        if has_more(payload, VALUES) {
            return Err(StatementError::Json("more values than any statement has".into()));
        }
        let value = parse(payload, Limits { bytes: LIMIT, depth: 16 })
            .map_err(|error| StatementError::Json(error.to_string()))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("_type") != STATEMENT {
            return Err(StatementError::Kind(format!("_type is not {STATEMENT}")));
        }
        let kind = types::of_uri(text("predicateType")).ok_or_else(|| {
            StatementError::Kind(format!(
                "predicateType {:?} is of no known type",
                text("predicateType")
            ))
        })?;
        let misfits = misfits(kind, &value);
        if !misfits.is_empty() {
            return Err(StatementError::Misfits(kind, misfits));
        }
        let stated = value.get("predicate").and_then(|predicate| predicate.get("manifest"));
        let stated = stated.and_then(Value::as_str).and_then(Digest::from_hex);
        Statement::of(kind, &value)
            .zip(stated)
            .ok_or_else(|| StatementError::Kind("a member is not what its schema says".into()))
    }

    fn of(kind: &'static Type, value: &Value) -> Option<Statement> {
        let predicate = value.get("predicate")?;
        let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let time = |name: &str| parse_rfc3339(predicate.get(name)?.as_str()?);
        let digest = |value: &Value, name: &str| Digest::from_hex(value.get(name)?.as_str()?);
        let subject = |one: &Value| {
            let notes = one.get("annotations")?;
            Some(Subject {
                role: text(notes, "role")?,
                path: text(one, "name")?,
                digest: digest(one.get("digest")?, "sha256")?,
                size: u64::try_from(notes.get("size")?.as_i64()?).ok()?,
                salt: digest(notes, "salt"),
            })
        };
        let dependency = |one: &Value| {
            let digest = digest(one.get("digest")?, "sha256")?;
            Some(Dependency { kind: text(one, "name")?, digest })
        };
        let tree = |one: &Value| Some(Tree { role: text(one, "role")?, path: text(one, "path")? });
        let privacy = predicate.get("privacy")?;
        let file = |one: &Value| Some((text(one, "name")?, text(one, "content")?));
        let generator = predicate.get("generator")?;
        Some(Statement {
            kind,
            id: text(predicate, "id")?,
            generated_at: time("generated_at")?,
            expires_at: time("expires_at"),
            generator: (text(generator, "name")?, text(generator, "version")?),
            source: match predicate.get("source") {
                None => None,
                Some(source) => Some(Source {
                    repository: text(source, "repository"),
                    commit: text(source, "commit")?,
                }),
            },
            subjects: value
                .get("subject")?
                .as_array()?
                .iter()
                .map(subject)
                .collect::<Option<_>>()?,
            trees: predicate.get("trees")?.as_array()?.iter().map(tree).collect::<Option<_>>()?,
            depends_on: predicate
                .get("depends_on")?
                .as_array()?
                .iter()
                .map(dependency)
                .collect::<Option<_>>()?,
            privacy: match privacy.get("mode")?.as_str()? {
                "plaintext_explicit" => Privacy::PlaintextExplicit(
                    privacy.get("files")?.as_array()?.iter().map(file).collect::<Option<_>>()?,
                ),
                "encrypted_payload" => Privacy::EncryptedPayload {
                    ciphertext: digest(privacy, "ciphertext")?,
                    commitment: digest(privacy, "commitment")?,
                    recipients: u64::try_from(privacy.get("recipients")?.as_i64()?).ok()?,
                },
                _ => Privacy::HashOnly,
            },
            sensitivity: predicate
                .get("sensitivity")?
                .as_array()?
                .iter()
                .map(|one| Some(one.as_str()?.to_owned()))
                .collect::<Option<_>>()?,
            own: predicate.get(kind.name)?.clone(),
        })
    }

    /// The payload: canonical JSON, so that the same statement is the same bytes.
    pub fn write(&self) -> String {
        let predicate = write_receipt(&self.predicate());
        let predicate = predicate.expect("statements hold no floats and no large integers");
        let uri = self.kind.uri;
        let mut text =
            format!(r#"{{"_type":"{STATEMENT}","predicate":{predicate},"predicateType":"{uri}""#);
        subjects::write(&self.subjects, &mut text);
        text
    }

    /// The digest of the labelled manifest over all subjects.
    pub fn manifest(&self) -> Digest {
        labelled(&self.subjects)
    }

    /// The payload as a value.
    pub fn to_value(&self) -> Value {
        let subjects = self.subjects.iter().map(|one| {
            let mut notes =
                vec![("role".to_owned(), Value::from(&one.role)), ("size".into(), one.size.into())];
            notes.extend(one.salt.map(|salt| ("salt".to_owned(), salt.hex().into())));
            Value::object([
                ("name", Value::from(&one.path)),
                ("digest", sha256(one.digest)),
                ("annotations", Value::Object(notes)),
            ])
        });
        Value::object([
            ("_type", Value::from(STATEMENT)),
            ("subject", Value::array(subjects)),
            ("predicateType", self.kind.uri.into()),
            ("predicate", self.predicate()),
        ])
    }

    /// Its predicate as a value.
    pub fn predicate(&self) -> Value {
        let trees = self.trees.iter().map(|one| {
            Value::object([("role", Value::from(&one.role)), ("path", Value::from(&one.path))])
        });
        let depends_on = self.depends_on.iter().map(|one| {
            Value::object([("name", Value::from(&one.kind)), ("digest", sha256(one.digest))])
        });
        let mut members = vec![
            ("id".to_owned(), Value::from(&self.id)),
            ("generated_at".into(), self.generated_at.to_string().into()),
            (
                "generator".into(),
                Value::object([
                    ("name", Value::from(&self.generator.0)),
                    ("version", Value::from(&self.generator.1)),
                ]),
            ),
            ("manifest".into(), self.manifest().hex().into()),
            ("trees".into(), Value::array(trees)),
            ("depends_on".into(), Value::array(depends_on)),
            ("privacy".into(), self.privacy_value()),
            ("sensitivity".into(), Value::array(&self.sensitivity)),
            (self.kind.name.into(), self.own.clone()),
        ];
        members.extend(self.expires_at.map(|at| ("expires_at".to_owned(), at.to_string().into())));
        if let Some(source) = &self.source {
            let mut told = vec![("commit".to_owned(), Value::from(&source.commit))];
            told.extend(source.repository.iter().map(|at| ("repository".to_owned(), at.into())));
            members.push(("source".into(), Value::Object(told)));
        }
        Value::Object(members)
    }

    fn privacy_value(&self) -> Value {
        let mut members = vec![("mode".to_owned(), Value::from(self.privacy.mode()))];
        match &self.privacy {
            Privacy::HashOnly => {}
            Privacy::PlaintextExplicit(files) => {
                let files = files.iter().map(|(name, content)| {
                    Value::object([("name", Value::from(name)), ("content", content.into())])
                });
                members.push(("files".into(), Value::array(files)));
            }
            Privacy::EncryptedPayload { ciphertext, commitment, recipients } => {
                members.push(("ciphertext".into(), ciphertext.hex().into()));
                members.push(("commitment".into(), commitment.hex().into()));
                members.push(("recipients".into(), (*recipients).into()));
            }
        }
        Value::Object(members)
    }
}

fn sha256(digest: Digest) -> Value {
    Value::object([("sha256", Value::from(digest.hex()))])
}

/// Where `privacy` has not the members of its mode.
fn embedded(privacy: &Value) -> Vec<Misfit> {
    let mode = privacy.get("mode").and_then(Value::as_str).unwrap_or_default();
    let wanted = of_mode(mode);
    let told = |why: String| Misfit { place: "/predicate/privacy".into(), why };
    let others = PRIVACY.iter().map(|field| field.name).filter(|name| *name != "mode");
    let found = others.filter_map(|name| match (privacy.get(name), wanted.contains(&name)) {
        (None, true) => Some(told(format!("has no member {name:?}"))),
        (Some(_), false) => Some(told(format!("has {name:?}, which is not of {mode:?}"))),
        (None, false) | (Some(_), true) => None,
    });
    found.collect()
}

/// Where a statement of `kind` is not of its shape.
fn misfits(kind: &'static Type, value: &Value) -> Vec<Misfit> {
    let mut found = Shape::Object(WHOLE).judge(value, "");
    let Some(predicate) = value.get("predicate") else { return found };
    let Value::Object(mut members) = predicate.clone() else {
        found.push(Misfit { place: "/predicate".into(), why: "is not an object".into() });
        return found;
    };
    let own = members.iter().position(|(name, _)| name == kind.name).map(|at| members.remove(at));
    let common = Value::Object(members);
    found.extend(Shape::Object(COMMON).judge(&common, "/predicate"));
    found.extend(common.get("privacy").map(embedded).unwrap_or_default());
    match own {
        None => found.push(Misfit {
            place: "/predicate".into(),
            why: format!("has no member {:?}", kind.name),
        }),
        Some((_, own)) => {
            let place = format!("/predicate/{}", kind.name);
            found.extend(Shape::Object(kind.fields).judge(&own, &place));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> Statement {
        Statement {
            kind: types::named("prompt").unwrap(),
            id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
            generated_at: UnixMillis(1_700_000_000_000),
            expires_at: None,
            generator: ("countersign".into(), "0.1.0".into()),
            source: Some(Source { repository: None, commit: "abc".into() }),
            subjects: vec![Subject {
                role: "system_prompt".into(),
                path: "app/system.txt".into(),
                digest: Digest::of(b"hello"),
                size: 5,
                salt: None,
            }],
            trees: vec![Tree { role: "templates".into(), path: "app/templates".into() }],
            depends_on: vec![Dependency { kind: "model".into(), digest: Digest::of(b"m") }],
            privacy: Privacy::HashOnly,
            sensitivity: vec!["internal".into()],
            own: Value::Object(vec![]),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut statement = sample();
        for privacy in [
            Privacy::HashOnly,
            Privacy::PlaintextExplicit(vec![("app/system.txt".into(), "hello".into())]),
            Privacy::EncryptedPayload {
                ciphertext: Digest::of(b"c"),
                commitment: Digest::of(b"p"),
                recipients: 2,
            },
        ] {
            statement.privacy = privacy;
            statement.expires_at = Some(UnixMillis(1_800_000_000_000));
            assert_eq!(Statement::read(statement.write().as_bytes()), Ok(statement.clone()));
        }
    }

    /// What is made of it would take many times its length, and nobody has to sign it.
    #[test]
    fn what_has_too_many_values_is_not_taken_apart() {
        let text =
            sample().write().replace("[\"internal\"]", &format!("[{}0]", "[0],".repeat(VALUES)));
        let told = Statement::read(text.as_bytes());
        assert_eq!(told, Err(StatementError::Json("more values than any statement has".into())));
    }

    #[test]
    fn a_tree_holds_what_lies_below_it() {
        let tree = |path: &str| Tree { role: "r".into(), path: path.into() };
        assert!(tree(".").holds("a") && tree("a").holds("a/b") && tree("a").holds("a/b/c"));
        assert!(!tree("a").holds("a") && !tree("a").holds("ab/c") && !tree("a/b").holds("a/c"));
    }

    #[test]
    fn every_fault_has_its_place() {
        let text = sample().write();
        let places = |text: &str| match Statement::read(text.as_bytes()) {
            Err(StatementError::Misfits(_, found)) => {
                found.into_iter().map(|misfit| misfit.place).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        for (from, to, place) in [
            ("\"size\":5", "\"size\":-5", "/subject/0/annotations/size"),
            ("\"commit\":\"abc\"", "\"commit\":7", "/predicate/source/commit"),
            ("\"prompt\":{}", "\"prompt\":{\"x\":1}", "/predicate/prompt"),
            ("\"prompt\":{}", "\"corpus\":{}", "/predicate"),
            ("2023-11-14T22:13:20Z", "invalid-time", "/predicate/generated_at"),
            ("\"name\":\"app/system.txt\"", "\"name\":\"\"", "/subject/0/name"),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            assert_eq!(places(&changed)[0], place);
        }
        let kind = |from: &str, to: &str| Statement::read(text.replace(from, to).as_bytes());
        assert!(matches!(
            kind("attestation/prompt", "attestation/other"),
            Err(StatementError::Kind(_))
        ));
        assert!(matches!(kind("Statement/v1", "Statement/v2"), Err(StatementError::Kind(_))));
        assert!(matches!(
            kind("{\"_type\"", "{\"_type\":\"x\",\"_type\""),
            Err(StatementError::Json(_))
        ));
    }
}
