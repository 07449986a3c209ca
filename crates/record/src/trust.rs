//! The trust file: whose keys count, and for what. Bytes and rules: `spec/trust-file.md`.

mod material;
mod pem;
mod read;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use seal::Zeroizing;
use seal::digest::Digest;
use seal::key::{KeyId, PublicKey};
use seal::note::VerifierKey;
use seal::policy::Policy;
use seal::time::UnixMillis;
use seal::verifier::VerifyKey;

use crate::agent::AgentId;
use crate::entry::Keyring;
pub use material::KeyMaterial;

/// What a key may be used for; exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signs rotations and revocations; offline.
    Root,
    /// Signs provenance receipts.
    Receipts,
    /// Signs decision receipts.
    Decisions,
    /// Issues capability statements.
    Capabilities,
    /// Signs feeds.
    Feed,
    /// Signs attestations.
    Statements,
    /// Signs verification summaries.
    Vsa,
    /// Signs approvals.
    Approvals,
    /// Issues to signers of timestamps; a certificate.
    Tsa,
    /// Authenticates audit lines; a shared secret.
    Hmac,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 10] = [
        Purpose::Root,
        Purpose::Receipts,
        Purpose::Decisions,
        Purpose::Capabilities,
        Purpose::Feed,
        Purpose::Statements,
        Purpose::Vsa,
        Purpose::Approvals,
        Purpose::Tsa,
        Purpose::Hmac,
    ];

    /// The name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Root => "root",
            Purpose::Receipts => "receipts",
            Purpose::Decisions => "decisions",
            Purpose::Capabilities => "capabilities",
            Purpose::Feed => "feed",
            Purpose::Statements => "statements",
            Purpose::Vsa => "vsa",
            Purpose::Approvals => "approvals",
            Purpose::Tsa => "tsa",
            Purpose::Hmac => "hmac",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Purpose {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let found = Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == text);
        found.ok_or_else(|| TrustError::Purpose { name: String::new(), purpose: text.to_string() })
    }
}

/// When a key counts: from inclusive, until exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validity {
    /// Not before.
    pub from: Option<UnixMillis>,
    /// Not at or after.
    pub until: Option<UnixMillis>,
}

impl Validity {
    /// Whether the time lies within.
    pub fn contains(&self, at: UnixMillis) -> bool {
        self.from.is_none_or(|from| from.0 <= at.0) && self.until.is_none_or(|until| at.0 < until.0)
    }

    /// Whether this Unix second lies within.
    pub fn contains_seconds(&self, seconds: i64) -> bool {
        u64::try_from(seconds).is_ok_and(|s| self.contains(UnixMillis(s.saturating_mul(1000))))
    }
}

/// One key of the trust file.
#[derive(Debug, Clone)]
pub struct TrustKey {
    /// Shown in reports; for an HMAC key it is the key id.
    pub name: String,
    /// The one thing it is for.
    pub purpose: Purpose,
    /// The key.
    pub key: KeyMaterial,
    /// How the file gives it: `file:…`, `env:…`, or `None` for the PEM text itself.
    pub reference: Option<String>,
    /// For receipts: the agent it may sign as, sub-scopes included.
    pub agent_id: Option<AgentId>,
    /// For feeds: the issuer it publishes for. Without one, whichever the feed names.
    pub issuer: Option<String>,
    /// When it counts.
    pub valid: Validity,
    /// For timestamp authorities: the policies (dotted OIDs) whose stamps count; none means any.
    pub policies: Vec<String>,
    /// For statements: the types that it may sign; none means any.
    pub types: Vec<String>,
}

impl TrustKey {
    /// A public key, valid always and for any agent.
    pub fn public(name: impl Into<String>, purpose: Purpose, key: PublicKey) -> Self {
        TrustKey {
            name: name.into(),
            purpose,
            key: KeyMaterial::Public(key),
            reference: None,
            agent_id: None,
            issuer: None,
            valid: Validity::default(),
            policies: Vec::new(),
            types: Vec::new(),
        }
    }

    /// An HMAC secret under its key id.
    pub fn hmac(
        id: impl Into<String>,
        secret: Zeroizing<Vec<u8>>,
        reference: Option<String>,
    ) -> Self {
        TrustKey {
            name: id.into(),
            purpose: Purpose::Hmac,
            key: KeyMaterial::Secret(secret),
            reference,
            agent_id: None,
            issuer: None,
            valid: Validity::default(),
            policies: Vec::new(),
            types: Vec::new(),
        }
    }

    /// A timestamp authority: its root certificate in PEM, or a chain that ends with it.
    pub fn tsa(name: impl Into<String>, pem: &str) -> Result<Self, TrustError> {
        let name = name.into();
        match pem::certificates(pem) {
            Ok(chain) => Ok(TrustKey {
                name,
                purpose: Purpose::Tsa,
                key: KeyMaterial::Certificates(chain),
                reference: None,
                agent_id: None,
                issuer: None,
                valid: Validity::default(),
                policies: Vec::new(),
                types: Vec::new(),
            }),
            Err(cause) => Err(TrustError::Key { name, cause: cause.to_owned() }),
        }
    }

    /// The public key, unless it is a secret or certificates.
    pub fn public_key(&self) -> Option<&PublicKey> {
        match &self.key {
            KeyMaterial::Public(key) => Some(key),
            KeyMaterial::Ecdsa(_) | KeyMaterial::Secret(_) | KeyMaterial::Certificates(_) => None,
        }
    }

    /// The public key of either kind, unless it is a secret or certificates.
    pub fn verify_key(&self) -> Option<VerifyKey> {
        match &self.key {
            KeyMaterial::Public(key) => Some(VerifyKey::Ed25519(key.clone())),
            KeyMaterial::Ecdsa(key) => Some(key.clone()),
            KeyMaterial::Secret(_) | KeyMaterial::Certificates(_) => None,
        }
    }

    /// The certificates, DER, the root last; none unless the purpose is [`Purpose::Tsa`].
    pub fn certificates(&self) -> &[Vec<u8>] {
        match &self.key {
            KeyMaterial::Certificates(chain) => chain,
            KeyMaterial::Public(_) | KeyMaterial::Ecdsa(_) | KeyMaterial::Secret(_) => &[],
        }
    }
}

/// What a log's checkpoints need beside the log's own signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Quorum {
    /// Nothing.
    #[default]
    None,
    /// What the tlog-policy in this file says (`file:PATH`).
    Policy(String),
}

/// A log of the trust file; its key's name is the origin.
#[derive(Debug, Clone)]
pub struct LogKey {
    /// The verifier key.
    pub vkey: VerifierKey,
    /// The witnesses it takes.
    pub quorum: Quorum,
}

/// A trust file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Not the YAML of the format.
    #[error("the trust file is malformed: {0}")]
    Yaml(String),
    /// A version this program does not know.
    #[error("the trust file has version {0}, expected 1")]
    Version(u64),
    /// Larger than any trust file needs to be.
    #[error("the trust file is larger than {0} bytes")]
    TooLong(usize),
    /// No such purpose.
    #[error("key {name:?} has purpose {purpose:?}, which is unknown; see spec/trust-file.md")]
    Purpose {
        /// The key.
        name: String,
        /// As given.
        purpose: String,
    },
    /// A name is empty or has control characters.
    #[error("key name {0:?} is empty, too long or has control characters")]
    Name(String),
    /// A reference could not be read.
    #[error("key {name:?}: {reference} cannot be read: {cause}")]
    Reference {
        /// The key.
        name: String,
        /// `file:…` or `env:…`.
        reference: String,
        /// What the reader said.
        cause: String,
    },
    /// Not an Ed25519 public key; for `tsa`, not certificates.
    #[error("key {name:?} is not usable: {cause}")]
    Key {
        /// The key.
        name: String,
        /// Why.
        cause: String,
    },
    /// A secret stands in the file itself.
    #[error("key {0:?} is a secret; give it as file: or env:, never in the trust file")]
    SecretInline(String),
    /// An HMAC secret is too short or not hex.
    #[error("key {0:?} is not at least 16 bytes as lower-case hex")]
    Secret(String),
    /// An agent id that is none, or on a key that signs neither receipts nor feeds.
    #[error(
        "key {name:?} has agent_id {agent_id:?}: it must be an agent id, on a key for receipts, or an issuer, on one for feeds"
    )]
    Agent {
        /// The key.
        name: String,
        /// As given.
        agent_id: String,
    },
    /// A time that is none, or an empty interval.
    #[error("key {0:?}: valid.from and valid.until are RFC 3339 times in this order")]
    Validity(String),
    /// The same key for two purposes.
    #[error("key {name:?} is already there as {other:?}; one key has one purpose")]
    Reused {
        /// The second.
        name: String,
        /// The first.
        other: String,
    },
    /// Two different keys under one short id.
    #[error("keys {name:?} and {other:?} are different and share the id {id}; replace one")]
    SameId {
        /// The second.
        name: String,
        /// The first.
        other: String,
        /// The id.
        id: String,
    },
    /// A log's verifier key or quorum is malformed.
    #[error("log {0:?}: expected a verifier key name+hash+base64 and quorum none or file:PATH")]
    Log(String),
    /// A log's witness policy cannot be read or is not about that log.
    #[error("log {log:?}: the witness policy {reference}: {cause}")]
    Policy {
        /// The log.
        log: String,
        /// `file:…`.
        reference: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Two keys for one log origin.
    #[error("log {0:?} is there twice; change the entry that names it")]
    SameLog(String),
}

/// Whose keys count.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    keys: Vec<TrustKey>,
    logs: Vec<LogKey>,
    /// The witness policies that were read, by origin, each for its log alone.
    policies: BTreeMap<String, Policy>,
    digest: Option<Digest>,
}

impl Trust {
    /// No trust in anyone.
    pub fn empty() -> Self {
        Trust::default()
    }

    /// Reads a trust file. `resolve` reads what `file:…` and `env:…` refer to.
    pub fn parse(
        yaml: &str,
        resolve: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Trust, TrustError> {
        read::parse(yaml, resolve)
    }

    /// The file that says this, ready to be read again.
    pub fn to_yaml(&self) -> String {
        write::yaml(self)
    }

    /// Digest of the text this was read from; `None` for trust that was put together.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Whether there is no key and no log at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.logs.is_empty()
    }

    /// Adds a key, under the same rules as reading.
    pub fn add_key(&mut self, key: TrustKey) -> Result<(), TrustError> {
        if !crate::text::is_label(&key.name, 256) {
            return Err(TrustError::Name(key.name));
        }
        if key.agent_id.is_some() && key.purpose != Purpose::Receipts {
            let agent_id = key.agent_id.map(|id| id.to_string()).unwrap_or_default();
            return Err(TrustError::Agent { name: key.name, agent_id });
        }
        let fits = |issuer: &str| crate::text::is_label(issuer, crate::ioc::ISSUER_LIMIT);
        if let Some(issuer) = &key.issuer
            && (key.purpose != Purpose::Feed || !fits(issuer))
        {
            let agent_id = issuer.clone();
            return Err(TrustError::Agent { name: key.name, agent_id });
        }
        if let (Some(from), Some(until)) = (key.valid.from, key.valid.until)
            && from.0 >= until.0
        {
            return Err(TrustError::Validity(key.name));
        }
        if !key.types.is_empty() && key.purpose != Purpose::Statements {
            let cause = "only a key for statements has types".to_owned();
            return Err(TrustError::Key { name: key.name, cause });
        }
        match &key.key {
            KeyMaterial::Ecdsa(public) => {
                if !matches!(key.purpose, Purpose::Statements | Purpose::Vsa) {
                    let cause = "a P-256 key is for purpose statements or vsa".to_owned();
                    return Err(TrustError::Key { name: key.name, cause });
                }
                let same = |known: &&TrustKey| known.verify_key().as_ref() == Some(public);
                if let Some(other) = self.keys.iter().find(same) {
                    return Err(TrustError::Reused { name: key.name, other: other.name.clone() });
                }
            }
            KeyMaterial::Public(public) => {
                if key.purpose == Purpose::Hmac {
                    return Err(TrustError::Secret(key.name));
                }
                if key.purpose == Purpose::Tsa {
                    let cause = "expected a certificate, not a bare key".to_owned();
                    return Err(TrustError::Key { name: key.name, cause });
                }
                self.refuse_reuse(&key.name, public)?;
            }
            KeyMaterial::Certificates(chain) => {
                let Some(root) = chain.last().filter(|_| key.purpose == Purpose::Tsa) else {
                    let cause = "certificates are for purpose tsa".to_owned();
                    return Err(TrustError::Key { name: key.name, cause });
                };
                self.refuse_certified(&key.name, chain)?;
                let same = |known: &&TrustKey| known.certificates().last() == Some(root);
                if let Some(other) = self.keys.iter().find(same) {
                    return Err(TrustError::Reused { name: key.name, other: other.name.clone() });
                }
            }
            KeyMaterial::Secret(secret) => {
                if key.purpose != Purpose::Hmac || secret.len() < 16 {
                    return Err(TrustError::Secret(key.name));
                }
                if let Some(other) = self.keys_for(Purpose::Hmac).find(|k| k.name == key.name) {
                    let (other, id) = (other.name.clone(), key.name.clone());
                    return Err(TrustError::SameId { name: key.name, other, id });
                }
            }
        }
        self.keys.push(key);
        Ok(())
    }

    /// Adds a log, under the same rules as reading.
    pub fn add_log(&mut self, log: LogKey) -> Result<(), TrustError> {
        if self.log(&log.vkey.name).is_some() {
            return Err(TrustError::SameLog(log.vkey.name));
        }
        self.refuse_reuse(&log.vkey.name, &log.vkey.key)?;
        self.logs.push(log);
        Ok(())
    }

    /// Takes the text of the policy that a log of this trust refers to: what [`Trust::parse`] does
    /// for a file. It may name that log or no log at all, and none of the keys here as a witness.
    pub fn set_policy(&mut self, origin: &str, text: &str) -> Result<(), TrustError> {
        let log = self.logs.iter().find(|log| log.vkey.name == origin);
        let Some((log, Quorum::Policy(reference))) = log.map(|log| (log, &log.quorum)) else {
            return Err(TrustError::Log(origin.to_owned()));
        };
        let refused = |cause: String| TrustError::Policy {
            log: origin.to_owned(),
            reference: reference.clone(),
            cause,
        };
        let policy = Policy::parse(text.as_bytes()).map_err(|error| refused(error.to_string()))?;
        let policy = policy.for_log(&log.vkey).ok_or_else(|| {
            refused(format!("it is not about this log; its log line must be {}", log.vkey))
        })?;
        for witness in policy.witnesses() {
            self.refuse_reuse(&witness.key.name, &witness.key.key)?;
        }
        self.policies.insert(origin.to_owned(), policy);
        Ok(())
    }

    /// The witness policy of the log with this origin, for that log alone. `None` both where no
    /// quorum is asked for and where one is and its file was not read: [`LogKey::quorum`] tells
    /// which, and the second must never pass for the first.
    pub fn policy_of(&self, origin: &str) -> Option<&Policy> {
        self.policies.get(origin)
    }

    /// A key that stands here for another purpose does not come back within a certificate.
    fn refuse_certified(&self, name: &str, chain: &[Vec<u8>]) -> Result<(), TrustError> {
        let known = self.keys.iter().filter_map(|key| Some((&key.name, key.public_key()?)));
        let logs = self.logs.iter().map(|log| (&log.vkey.name, &log.vkey.key));
        for (other, held) in known.chain(logs) {
            if chain.iter().any(|der| holds(der, held)) {
                return Err(TrustError::Reused { name: name.into(), other: other.clone() });
            }
        }
        Ok(())
    }

    /// One key, one purpose; one short id, one key.
    fn refuse_reuse(&self, name: &str, public: &PublicKey) -> Result<(), TrustError> {
        let known = self.keys.iter().filter_map(|key| Some((&key.name, key.public_key()?)));
        let logs = self.logs.iter().map(|log| (&log.vkey.name, &log.vkey.key));
        for (other, held) in known.chain(logs) {
            if held == public {
                return Err(TrustError::Reused { name: name.into(), other: other.clone() });
            }
            if held.key_id() == public.key_id() {
                let id = public.key_id().to_string();
                return Err(TrustError::SameId { name: name.into(), other: other.clone(), id });
            }
        }
        let certified = |key: &&TrustKey| key.certificates().iter().any(|der| holds(der, public));
        match self.keys.iter().find(certified) {
            Some(other) => Err(TrustError::Reused { name: name.into(), other: other.name.clone() }),
            None => Ok(()),
        }
    }

    /// All keys, in the order of the file.
    pub fn keys(&self) -> &[TrustKey] {
        &self.keys
    }

    /// All logs, in the order of the file.
    pub fn logs(&self) -> &[LogKey] {
        &self.logs
    }

    /// The keys for a purpose.
    pub fn keys_for(&self, purpose: Purpose) -> impl Iterator<Item = &TrustKey> {
        self.keys.iter().filter(move |key| key.purpose == purpose)
    }

    /// The key with this short id, for this purpose.
    pub fn find(&self, purpose: Purpose, id: &KeyId) -> Option<&TrustKey> {
        self.keys_for(purpose).find(|key| key.public_key().is_some_and(|k| k.key_id() == *id))
    }

    /// The key with this short id, whatever it is for.
    pub fn find_any(&self, id: &KeyId) -> Option<&TrustKey> {
        self.keys.iter().find(|key| key.public_key().is_some_and(|k| k.key_id() == *id))
    }

    /// The verifier key of the log with this origin.
    pub fn log(&self, origin: &str) -> Option<&VerifierKey> {
        self.logs.iter().map(|log| &log.vkey).find(|vkey| vkey.name == origin)
    }

    /// The HMAC keys, for audit lines.
    pub fn keyring(&self) -> Keyring {
        let mut ring = Keyring::new();
        for key in self.keys_for(Purpose::Hmac) {
            if let KeyMaterial::Secret(secret) = &key.key {
                ring.insert(key.name.clone(), secret.clone());
            }
        }
        ring
    }
}

/// Whether a certificate has this key.
fn holds(der: &[u8], key: &PublicKey) -> bool {
    der.windows(32).any(|window| window == key.as_bytes())
}
