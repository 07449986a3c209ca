//! Which trust file counts, and reading it with the keys it names.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use record::entry::Keyring;
use record::trust::{KeyMaterial, Purpose, Trust, TrustError};
use seal::policy::Policy;
use seal::{Digest, Zeroizing};

use crate::{anchor, files, git};

/// Longest trust or key file read, bytes.
const LIMIT: u64 = 4 << 20;

/// Name of the trust file beside the state directory.
pub const FILE_NAME: &str = "countersign.trust.yaml";

/// A trust file, read.
#[derive(Clone, Debug)]
pub struct TrustFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Whose keys count, for what.
    pub trust: Trust,
    /// Secrets it names that cannot be read here, with the reason: an auditor need not hold the
    /// gateway's HMAC key to check its signatures.
    pub unreadable: Vec<(String, String)>,
}

/// Why a trust file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustFileError {
    /// The file named is not there.
    #[error("{path}: no such trust file")]
    NotFound {
        /// The file named.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is not a trust file.
    #[error("{path}: {error}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: TrustError,
    },
}

impl TrustFile {
    /// Reads the trust file at `path`. Its `file:` references are looked up beside it, and never
    /// at or below `evidence`: nothing is believed because it travels with what it signs.
    pub fn read(path: &Path, evidence: Option<&Path>) -> Result<TrustFile, TrustFileError> {
        let text = files::read_text(path, LIMIT).map_err(|error| {
            let path = path.to_path_buf();
            if error.kind() == std::io::ErrorKind::NotFound {
                TrustFileError::NotFound { path }
            } else {
                TrustFileError::Read { path, error }
            }
        })?;
        let failures = RefCell::new(Vec::new());
        let parsed = Trust::parse(&text, &|reference| {
            look_up(reference, beside(path), evidence).or_else(|cause| {
                failures.borrow_mut().push((reference.to_owned(), cause));
                // Reads as an HMAC secret and as no key of any other purpose.
                Ok("00".repeat(32))
            })
        });
        let failures = failures.into_inner();
        let content = |error| TrustFileError::Content { path: path.to_path_buf(), error };
        let trust = match (parsed, failures.last()) {
            (Ok(trust), _) => trust,
            (Err(TrustError::Key { name, .. }), Some((reference, cause))) => {
                return Err(content(TrustError::Reference {
                    name,
                    reference: reference.clone(),
                    cause: cause.clone(),
                }));
            }
            (Err(TrustError::Policy { log, reference, .. }), Some((_, cause))) => {
                return Err(content(TrustError::Policy { log, reference, cause: cause.clone() }));
            }
            (Err(error), _) => return Err(content(error)),
        };
        // Whether certificates can be trusted as those of an authority is seen here, not when the
        // first timestamp is judged.
        anchor::authorities(&trust).map_err(content)?;
        let unreadable = trust
            .keys()
            .iter()
            .filter_map(|key| {
                let (_, cause) = failures
                    .iter()
                    .find(|(reference, _)| Some(reference) == key.reference.as_ref())?;
                Some((key.name.clone(), cause.clone()))
            })
            .collect();
        Ok(TrustFile {
            path: path.to_path_buf(),
            digest: Digest::of(text.as_bytes()),
            trust,
            unreadable,
        })
    }

    /// The witness policy of the log with this origin, read with this file; see
    /// [`Trust::policy_of`].
    pub fn policy_of(&self, origin: &str) -> Option<&Policy> {
        self.trust.policy_of(origin)
    }

    /// The HMAC keys that could be read.
    pub fn keyring(&self) -> Keyring {
        let mut ring = Keyring::new();
        for key in self.trust.keys() {
            let readable = self.unreadable.iter().all(|(name, _)| *name != key.name);
            if let (KeyMaterial::Secret(secret), true) = (&key.key, readable) {
                ring.insert(key.name.clone(), secret.clone());
            }
        }
        ring
    }

    /// The secret that rotations put in the place of the HMAC key `first` of this file: it lies
    /// beside that one's file, under the same name with the new id in it. It proves nothing by
    /// itself: the rotation says what it is recognised by.
    pub(crate) fn rotated_secret(
        &self,
        first: &str,
        id: &str,
        evidence: &Path,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.trust.keys_for(Purpose::Hmac).find(|key| key.name == first)?;
        let reference = key.reference.as_deref()?;
        let (directory, name) = match reference.rsplit_once('/') {
            Some((directory, name)) => (format!("{directory}/"), name),
            None => ("file:".to_owned(), reference.strip_prefix("file:")?),
        };
        let at = name.rfind(first)?;
        let (before, after) = (name.get(..at)?, name.get(at + first.len()..)?);
        let beside = format!("{directory}{before}{id}{after}");
        let text = Zeroizing::new(look_up(&beside, self::beside(&self.path), Some(evidence)).ok()?);
        seal::hex::decode(text.trim()).map(Zeroizing::new)
    }

    /// The trust file for judging `evidence`: `explicit`, else the one in `beside` unless it lies
    /// at or below the evidence or git tracks it, else the user's own. What was passed over, and
    /// why, comes back as sentences.
    pub fn find(
        explicit: Option<&Path>,
        beside: &Path,
        evidence: &Path,
    ) -> Result<(Option<TrustFile>, Vec<String>), TrustFileError> {
        if let Some(path) = explicit {
            return Ok((Some(TrustFile::read(path, Some(evidence))?), Vec::new()));
        }
        let mut passed_over = Vec::new();
        let near = beside.join(FILE_NAME);
        if near.exists() {
            match refusal(&near, evidence) {
                None => return Ok((Some(TrustFile::read(&near, Some(evidence))?), passed_over)),
                Some(reason) => passed_over.push(format!(
                    "{} was passed over: {reason}; name it with --trust if you mean it",
                    near.display()
                )),
            }
        }
        if let Some(own) = users_own()
            && own.exists()
        {
            return Ok((Some(TrustFile::read(&own, Some(evidence))?), passed_over));
        }
        Ok((None, passed_over))
    }
}

/// Why a trust file that merely lies there is not believed.
fn refusal(file: &Path, evidence: &Path) -> Option<&'static str> {
    let Ok(real) = file.canonicalize() else {
        return Some("its real path cannot be found");
    };
    let below = evidence.canonicalize().is_ok_and(|evidence| real.starts_with(evidence));
    // The name it is found under may be tracked even when it is a link to somewhere else.
    let named = match file.parent().map(Path::canonicalize) {
        Some(Ok(parent)) => parent.join(FILE_NAME),
        Some(Err(_)) | None => return Some("its real path cannot be found"),
    };
    if below || evidence.canonicalize().is_ok_and(|evidence| named.starts_with(evidence)) {
        Some("it lies at or below the path under test")
    } else if git::tracks(&real) || git::tracks(&named) {
        Some("git tracks it, so it may have come with the evidence")
    } else {
        None
    }
}

/// `$XDG_CONFIG_HOME/countersign/trust.yaml`, or below `~/.config`.
fn users_own() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(config.join("countersign").join("trust.yaml"))
}

/// The text behind `file:PATH` (beside the trust file) or `env:NAME`.
pub fn resolve(reference: &str, trust_file: &Path) -> Result<String, String> {
    look_up(reference, beside(trust_file), None)
}

/// The directory a file lies in.
fn beside(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn look_up(reference: &str, beside: &Path, evidence: Option<&Path>) -> Result<String, String> {
    if let Some(name) = reference.strip_prefix("env:") {
        return std::env::var(name).map_err(|_| {
            format!("the environment variable {name} is not set, or is not text; set it")
        });
    }
    let Some(name) = reference.strip_prefix("file:") else {
        return Err("expected file:PATH or env:NAME".to_owned());
    };
    let path = beside.join(name);
    let real = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    if let Some(Ok(evidence)) = evidence.map(Path::canonicalize)
        && real.starts_with(&evidence)
    {
        return Err(format!(
            "{} lies at or below the path under test; keep keys apart from what they judge",
            path.display()
        ));
    }
    files::read_text(&real, LIMIT).map_err(|error| format!("{}: {error}", path.display()))
}
