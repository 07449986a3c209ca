//! Who an agent is: a key, and a signed statement of what it may do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use record::agent::{AgentId, AgentIdError};
use record::capability::{self, IssueError, Statement, Terms};
use record::report::Finding;
use record::trust::{KeyMaterial, Purpose, Trust, TrustKey, Validity};
use seal::{PublicKey, SecretKey, Signer};

use crate::files;

/// An agent's key and the statement of what it may do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AgentIdentity {
    key: Arc<SecretKey>,
    statement: Arc<Statement>,
}

/// Where an identity was written.
#[derive(Clone, Debug)]
pub struct Saved {
    /// `<prefix>-private.pem`, readable by its owner alone.
    pub private_key: PathBuf,
    /// `<prefix>-public.pem`.
    pub public_key: PathBuf,
    /// `<prefix>-capability.json`.
    pub statement: PathBuf,
    /// `<prefix>-trust.yaml`.
    pub trust: PathBuf,
}

impl Saved {
    fn all(&self) -> [&Path; 4] {
        [&self.private_key, &self.public_key, &self.statement, &self.trust]
    }
}

/// Longest key or statement file, bytes.
const LIMIT: u64 = 64 << 10;

/// Why an identity cannot be made, loaded or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The agent id is not well formed.
    #[error("{id:?} is no agent id: {error}")]
    AgentId {
        /// What was given.
        id: String,
        /// What is wrong.
        error: AgentIdError,
    },
    /// The terms cannot be stated.
    #[error(transparent)]
    Statement(#[from] IssueError),
    /// The system gave no randomness for a key.
    #[error("no randomness for a key: {0}")]
    Randomness(String),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The private key is not readable.
    #[error("{path}: {error}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: seal::key::KeyError,
    },
    /// The statement is not readable, or not about this key.
    #[error("{path}: the capability statement does not hold: {}", first(.findings))]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        findings: Vec<Finding>,
    },
}

fn first(findings: &[Finding]) -> String {
    findings.first().map(Finding::to_string).unwrap_or_default()
}

/// An identity in the making; [`AgentIdentityBuilder::issue`] signs its statement.
#[derive(Clone, Debug)]
pub struct AgentIdentityBuilder {
    agent_id: AgentId,
    key: Arc<SecretKey>,
    models: Vec<String>,
    tools: Vec<String>,
    classifications: Vec<String>,
    authority: Vec<String>,
    ttl: Option<Duration>,
    issuer: Option<String>,
}

impl AgentIdentity {
    /// A new key for `agent_id` (`agent:` and a name).
    pub fn generate(agent_id: &str) -> Result<AgentIdentityBuilder, IdentityError> {
        AgentIdentity::with_key(agent_id, new_secret_key()?)
    }

    /// An identity over a key that exists.
    pub fn with_key(agent_id: &str, key: SecretKey) -> Result<AgentIdentityBuilder, IdentityError> {
        let agent_id = agent_id
            .parse()
            .map_err(|error| IdentityError::AgentId { id: agent_id.to_owned(), error })?;
        Ok(AgentIdentityBuilder {
            agent_id,
            key: Arc::new(key),
            models: Vec::new(),
            tools: Vec::new(),
            classifications: Vec::new(),
            authority: Vec::new(),
            ttl: None,
            issuer: None,
        })
    }

    /// Loads what [`AgentIdentity::save`] wrote. The statement must be about the key, and signed
    /// by it or by `issuer`.
    pub fn load(
        key_path: &Path,
        statement_path: &Path,
        issuer: Option<&PublicKey>,
    ) -> Result<AgentIdentity, IdentityError> {
        let key = read_secret_key(key_path)?;
        let text = files::read_text(statement_path, LIMIT)
            .map_err(|error| IdentityError::File { path: statement_path.to_path_buf(), error })?;
        let refused =
            |findings| IdentityError::Refused { path: statement_path.to_path_buf(), findings };
        let statement = capability::read(text.trim_end().as_bytes()).map_err(refused)?;
        statement
            .verify(key.public(), issuer.unwrap_or(key.public()))
            .map_err(|finding| refused(vec![finding]))?;
        Ok(AgentIdentity { key: Arc::new(key), statement: Arc::new(statement) })
    }

    /// Writes the keys, the statement and a trust file that believes the key as this agent, all
    /// beside `prefix`. Nothing is ever overwritten.
    pub fn save(&self, prefix: &Path) -> Result<Saved, IdentityError> {
        let beside = |suffix: &str| {
            let mut name = prefix.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let saved = Saved {
            private_key: beside("-private.pem"),
            public_key: beside("-public.pem"),
            statement: beside("-capability.json"),
            trust: beside("-trust.yaml"),
        };
        let failed = |path: &Path, error| IdentityError::File { path: path.to_path_buf(), error };
        // All or nothing, as far as that goes: no new key beside an old statement.
        for path in saved.all() {
            if path.symlink_metadata().is_ok() {
                return Err(failed(path, io::ErrorKind::AlreadyExists.into()));
            }
        }
        for (path, text, secret) in [
            (&saved.private_key, self.key.to_pem().as_str(), true),
            (&saved.public_key, &self.public().to_pem(), false),
            (&saved.statement, &self.statement_json(), false),
            (&saved.trust, &self.trust_yaml(), false),
        ] {
            files::create(path, text.as_bytes(), secret).map_err(|error| failed(path, error))?;
        }
        Ok(saved)
    }

    /// The agent's name.
    pub fn agent_id(&self) -> &AgentId {
        &self.statement.agent_id
    }

    /// The signed statement of what it may do.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The statement as its JSON file has it.
    pub fn statement_json(&self) -> String {
        let mut text = self.statement.to_json();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        self.key.public()
    }

    /// A trust file that believes this identity as its agent, and nothing else. Hand it to those
    /// who shall verify, by a way they trust.
    pub fn trust_yaml(&self) -> String {
        self.trust().to_yaml()
    }

    /// The same, in memory.
    pub fn trust(&self) -> Trust {
        let mut trust = Trust::empty();
        let key = TrustKey {
            name: self.agent_id().as_str().to_owned(),
            purpose: Purpose::Receipts,
            key: KeyMaterial::Public(self.public().clone()),
            reference: None,
            agent_id: Some(self.agent_id().clone()),
            issuer: None,
            valid: Validity::default(),
            policies: Vec::new(),
            types: Vec::new(),
        };
        trust.add_key(key).expect("one key with a well-formed name refuses nothing");
        trust
    }

    pub(crate) fn signer(&self) -> &SecretKey {
        &self.key
    }
}

impl AgentIdentityBuilder {
    /// The models it may call; none named means any.
    pub fn allowed_models<S: Into<String>>(mut self, models: impl IntoIterator<Item = S>) -> Self {
        self.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// The tools it may call, and the sanitisers it may be; none named means any.
    pub fn allowed_tools<S: Into<String>>(mut self, tools: impl IntoIterator<Item = S>) -> Self {
        self.tools = tools.into_iter().map(Into::into).collect();
        self
    }

    /// The classifications of data it handles.
    pub fn data_classifications<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        self.classifications = names.into_iter().map(Into::into).collect();
        self
    }

    /// The taint tags it may clear (`*`: any); none named means none.
    pub fn sanitisation_authority<S: Into<String>>(
        mut self,
        tags: impl IntoIterator<Item = S>,
    ) -> Self {
        self.authority = tags.into_iter().map(Into::into).collect();
        self
    }

    /// How long the statement holds; without it, for ever.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The issuer's name in the statement; without it the agent's own, or the issuing key's id.
    pub fn issuer(mut self, name: &str) -> Self {
        self.issuer = Some(name.to_owned());
        self
    }

    /// Signs the statement with the agent's own key.
    pub fn issue(self) -> Result<AgentIdentity, IdentityError> {
        let key = self.key.clone();
        self.issue_by(&*key)
    }

    /// Signs the statement with an issuer's key.
    pub fn issue_by(self, issuer: &dyn Signer) -> Result<AgentIdentity, IdentityError> {
        let issued_at = now();
        let public = self.key.public().clone();
        // Text for people; whose word it is, the signature says.
        let by = match public == *issuer.public() {
            true => self.agent_id.to_string(),
            false => format!("key {}", issuer.key_id()),
        };
        let terms = Terms {
            allowed_models: self.models,
            allowed_tools: self.tools,
            data_classifications: self.classifications,
            sanitisation_authority: self.authority,
            issuer: self.issuer.unwrap_or(by),
            expires_at: self.ttl.map(|ttl| {
                let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
                issued_at.saturating_add(seconds)
            }),
            ..Terms::new(self.agent_id, public, issued_at)
        };
        let statement = capability::issue(terms, issuer)?;
        Ok(AgentIdentity { key: self.key, statement: Arc::new(statement) })
    }
}

/// A new key of the system's randomness.
///
/// # Errors
/// The system gives no random bytes.
pub fn new_secret_key() -> Result<SecretKey, IdentityError> {
    let mut seed = seal::Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *seed).map_err(|error| IdentityError::Randomness(error.to_string()))?;
    Ok(SecretKey::from_seed(*seed))
}

/// The private key in a PEM file.
pub fn read_secret_key(path: &Path) -> Result<SecretKey, IdentityError> {
    let pem = files::read_text(path, LIMIT)
        .map_err(|error| IdentityError::File { path: path.to_path_buf(), error })?;
    SecretKey::from_pem(&seal::Zeroizing::new(pem))
        .map_err(|error| IdentityError::Key { path: path.to_path_buf(), error })
}

/// Whole seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
