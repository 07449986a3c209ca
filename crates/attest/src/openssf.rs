//! Model signatures of the OpenSSF (PyPI `model-signing`, version 1): an in-toto statement with one
//! subject, the model, and a list of its files.

use seal::digest::{Digest, Hasher};
use seal::json::{Limits, Value, parse, write_plain};

use crate::files::is_path;
use crate::statement::{LIMIT, STATEMENT};

/// The predicateType.
pub const PREDICATE: &str = "https://model_signing/signature/v1.0";

/// What is signed of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The name of its directory when it was signed.
    pub name: String,
    /// Paths below the directory that do not count, nor what lies below them.
    pub ignored: Vec<String>,
    /// Every other file with its digest, in the order of their paths, name by name.
    pub files: Vec<(String, Digest)>,
}

/// Why a payload is no manifest of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no OpenSSF model signature with whole files and SHA-256: {0}")]
pub struct ManifestError(pub &'static str);

/// Paths compared name by name, as the format's root has them: `a/b` comes before `a-b`.
pub fn order(one: &str, other: &str) -> std::cmp::Ordering {
    one.split('/').cmp(other.split('/'))
}

impl Manifest {
    /// Of files in any order.
    pub fn of(name: &str, ignored: Vec<String>, mut files: Vec<(String, Digest)>) -> Manifest {
        files.sort_by(|(one, _), (other, _)| order(one, other));
        Manifest { name: name.to_owned(), ignored, files }
    }

    /// SHA-256 over the raw digests.
    pub fn root(&self) -> Digest {
        let mut hasher = Hasher::new();
        self.files.iter().for_each(|(_, digest)| hasher.update(digest.as_bytes()));
        hasher.finish()
    }

    /// Whether a path does not count.
    pub fn ignores(&self, path: &str) -> bool {
        self.ignored.iter().any(|ignored| {
            path.strip_prefix(ignored.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The payload.
    pub fn write(&self) -> String {
        let resources = self.files.iter().map(|(path, digest)| {
            Value::object([
                ("algorithm", Value::from("sha256")),
                ("digest", digest.hex().into()),
                ("name", path.into()),
            ])
        });
        let serialization = Value::object([
            ("allow_symlinks", Value::from(false)),
            ("hash_type", "sha256".into()),
            ("ignore_paths", Value::array(&self.ignored)),
            ("method", "files".into()),
        ]);
        let subject = Value::object([
            ("name", Value::from(&self.name)),
            ("digest", Value::object([("sha256", Value::from(self.root().hex()))])),
        ]);
        write_plain(&Value::object([
            ("_type", Value::from(STATEMENT)),
            ("subject", Value::array([subject])),
            ("predicateType", PREDICATE.into()),
            (
                "predicate",
                Value::object([
                    ("resources", Value::array(resources)),
                    ("serialization", serialization),
                ]),
            ),
        ]))
    }

    /// Reads a payload; its root must be that of its files. Members that are not known are passed over,
    /// as the format wants it.
    pub fn read(payload: &[u8]) -> Result<Manifest, ManifestError> {
        let value = parse(payload, Limits { bytes: LIMIT, depth: 16 })
            .map_err(|_| ManifestError("not strict JSON"))?;
        let is = |value: Option<&Value>, text: &str| value.and_then(Value::as_str) == Some(text);
        if !is(value.get("_type"), STATEMENT) || !is(value.get("predicateType"), PREDICATE) {
            return Err(ManifestError("another type of statement"));
        }
        let subject = match value.get("subject").and_then(Value::as_array) {
            Some([subject]) => subject,
            _ => return Err(ManifestError("not one subject")),
        };
        let name = subject.get("name").and_then(Value::as_str).ok_or(ManifestError("no name"))?;
        let stated = subject.get("digest").and_then(|digest| digest.get("sha256"));
        let stated = stated.and_then(Value::as_str).and_then(Digest::from_hex);
        let predicate = value.get("predicate").ok_or(ManifestError("no predicate"))?;
        let how = predicate.get("serialization").ok_or(ManifestError("no serialization"))?;
        if !is(how.get("method"), "files") || !is(how.get("hash_type"), "sha256") {
            return Err(ManifestError("files in pieces, or another digest"));
        }
        let ignored = how.get("ignore_paths").and_then(Value::as_array).unwrap_or_default();
        let ignored = ignored.iter().map(|path| path.as_str().map(str::to_owned));
        let ignored: Option<Vec<String>> = ignored.collect();
        let listed = predicate.get("resources").and_then(Value::as_array);
        let file = |one: &Value| {
            let path = one.get("name")?.as_str().filter(|path| is_path(path))?;
            let digest = Digest::from_hex(one.get("digest")?.as_str()?)?;
            is(one.get("algorithm"), "sha256").then(|| (path.to_owned(), digest))
        };
        let files: Option<Vec<_>> =
            listed.ok_or(ManifestError("no resources"))?.iter().map(file).collect();
        let manifest = Manifest {
            name: name.to_owned(),
            ignored: ignored.ok_or(ManifestError("ignore_paths"))?,
            files: files.ok_or(ManifestError("a resource without path and SHA-256"))?,
        };
        let grows = |pair: &[(String, Digest)]| match pair {
            [(one, _), (other, _)] => order(one, other).is_lt(),
            _ => true,
        };
        if !manifest.files.windows(2).all(grows) {
            return Err(ManifestError("files out of order, or twice"));
        }
        match stated == Some(manifest.root()) {
            true => Ok(manifest),
            false => Err(ManifestError("the digest of the subject is not that of the files")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let files =
            ["a.b", "a/b", "a-b"].map(|path| (path.to_owned(), Digest::of(path.as_bytes())));
        Manifest::of("m", vec!["model.sig".into()], files.to_vec())
    }

    #[test]
    fn what_is_written_is_read() {
        let manifest = sample();
        let paths: Vec<&str> = manifest.files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a/b", "a-b", "a.b"]);
        assert_eq!(Manifest::read(manifest.write().as_bytes()), Ok(manifest.clone()));
        assert!(manifest.ignores("model.sig") && manifest.ignores("model.sig/x"));
        assert!(!manifest.ignores("model.sigs"));
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let text = sample().write();
        for (from, to) in [
            ("signature/v1.0", "signature/v9"),
            ("\"files\"", "\"shards\""),
            ("\"hash_type\":\"sha256\"", "\"hash_type\":\"blake2b\""),
            ("\"name\":\"a/b\"", "\"name\":\"../b\""),
            ("\"name\":\"a/b\"", "\"name\":\"z\""),
            ("\"algorithm\":\"sha256\"", "\"algorithm\":\"md5\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Manifest::read(changed.as_bytes()).is_err(), "{changed}");
        }
        let hex = Digest::of(b"a/b").hex();
        let changed = text.replace(&hex, &Digest::of(b"x").hex());
        assert!(Manifest::read(changed.as_bytes()).is_err());
    }
}
