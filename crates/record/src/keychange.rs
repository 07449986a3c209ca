//! Keys over time: what a log's `root` key says about its other keys.
//!
//! A rotation (`countersign-key-rotation/v1`) brings a new key for an old one, a revocation
//! (`countersign-key-revocation/v1`) takes one away. Both are entries of the log they speak about
//! and count from their own index on. Bytes and rules: `spec/key-changes.md`.

mod history;
mod read;

use std::fmt::Write as _;
use std::str::FromStr;

use seal::digest::Digest;
use seal::key::{KeyId, PublicKey};
use seal::mac::MacKey;
use seal::signer::Signer;
use seal::time::UnixMillis;

use crate::agent::AgentId;
use crate::text::{digest_member, is_label, member, plain_member};
use crate::trust::Purpose;

pub use history::{Brought, Gone, History, Known};
pub use read::read_signed;

/// The type constant of a rotation.
pub const ROTATION: &str = "countersign-key-rotation/v1";
/// The type constant of a revocation.
pub const REVOCATION: &str = "countersign-key-revocation/v1";
/// Longest statement, bytes.
pub const LIMIT: usize = 4_096;
/// Longest single text, bytes.
const TEXT_LIMIT: usize = 256;

/// Why a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its time is over.
    Retired,
    /// Another one takes its place.
    Superseded,
    /// Somebody else may have it.
    Compromised,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 3] = [Reason::Retired, Reason::Superseded, Reason::Compromised];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Retired => "retired",
            Reason::Superseded => "superseded",
            Reason::Compromised => "compromised",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = crate::receipt::UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Reason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| crate::receipt::UnknownName(text.to_string()))
    }
}

/// The key a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldKey {
    /// A signing key, by its short id and the fingerprint that settles which one is meant.
    Public {
        /// The short id.
        id: KeyId,
        /// SHA-256 over its canonical PEM.
        fingerprint: Digest,
    },
    /// A shared secret, by the id that audit lines name it by.
    Secret {
        /// The id.
        id: String,
    },
}

impl OldKey {
    /// The statement's way to name a public key.
    pub fn of(key: &PublicKey) -> OldKey {
        OldKey::Public { id: key.key_id(), fingerprint: key.fingerprint() }
    }

    /// The id, as text.
    pub fn id(&self) -> String {
        match self {
            OldKey::Public { id, .. } => id.to_string(),
            OldKey::Secret { id } => id.clone(),
        }
    }
}

/// The key a rotation brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewKey {
    /// A signing key.
    Public(PublicKey),
    /// A shared secret: its id, and what it can be recognised by ([`commitment`]).
    Secret {
        /// The id.
        id: String,
        /// Says which secret is meant, without saying the secret.
        commitment: Digest,
    },
}

impl NewKey {
    /// The id, as text.
    pub fn id(&self) -> String {
        match self {
            NewKey::Public(key) => key.key_id().to_string(),
            NewKey::Secret { id, .. } => id.clone(),
        }
    }
}

/// What the root key says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The log it is about, and the only one it counts in.
    pub log_origin: String,
    /// What the key is for; the new one is for the same.
    pub purpose: Purpose,
    /// The key that goes.
    pub old: OldKey,
    /// The key that comes; `None` for a revocation.
    pub new: Option<NewKey>,
    /// The agent the old key may sign as, and the new one too. Rotations of receipts only.
    pub agent_id: Option<AgentId>,
    /// Why.
    pub reason: Reason,
    /// Unix seconds from which somebody else may have used the key; exactly when compromised.
    pub compromised_at: Option<i64>,
    /// When it was signed, Unix seconds.
    pub iat: i64,
}

/// A statement that cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key statement breaks a rule of its format: {0}")]
pub struct Refused(pub String);

impl Statement {
    /// The type constant of what this is.
    pub fn typ(&self) -> &'static str {
        if self.new.is_some() { ROTATION } else { REVOCATION }
    }

    /// When the key may have been somebody else's.
    pub fn compromised(&self) -> Option<UnixMillis> {
        self.compromised_at.map(UnixMillis::from_seconds)
    }

    fn check(&self) -> Result<(), String> {
        if !is_label(&self.log_origin, TEXT_LIMIT) {
            return Err(format!(
                "log_origin is empty, longer than {TEXT_LIMIT} bytes or has controls"
            ));
        }
        if !can_change(self.purpose) {
            return Err(format!(
                "a key for {} is changed in the trust file only, by whoever keeps it",
                self.purpose
            ));
        }
        let secret = self.purpose == Purpose::Hmac;
        let kind = match (&self.old, &self.new) {
            (OldKey::Public { .. }, None | Some(NewKey::Public(_))) => !secret,
            (OldKey::Secret { .. }, None | Some(NewKey::Secret { .. })) => secret,
            _ => false,
        };
        if !kind {
            return Err(format!("the keys are not of the kind that {} needs", self.purpose));
        }
        let new = self.new.as_ref().map(NewKey::id);
        let old = self.old.id();
        if secret && ![Some(&old), new.as_ref()].into_iter().flatten().all(|id| is_secret_id(id)) {
            return Err("the id of an hmac key has up to 64 letters, digits and _ . : -".into());
        }
        if new.is_some_and(|new| new == old) {
            return Err("the new key is the old one".into());
        }
        if self.agent_id.is_some() && (self.purpose != Purpose::Receipts || self.new.is_none()) {
            return Err("agent_id belongs to rotations of keys for receipts".into());
        }
        if self.compromised_at.is_some() != (self.reason == Reason::Compromised) {
            return Err("compromised_at is given exactly when the reason is compromised".into());
        }
        let times = [Some(self.iat), self.compromised_at];
        if !times.into_iter().flatten().all(|time| (1..=LATEST).contains(&time)) {
            return Err("iat or compromised_at is no time between 1970 and 9999".into());
        }
        if self.compromised_at.is_some_and(|at| at > self.iat) {
            return Err("compromised_at lies behind iat".into());
        }
        Ok(())
    }
}

/// Whether a root key may speak about keys of this purpose. Roots and authorities are the trust
/// file's own; a log's key is the log's name.
pub fn can_change(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Root | Purpose::Tsa => false,
        Purpose::Receipts
        | Purpose::Decisions
        | Purpose::Capabilities
        | Purpose::Feed
        | Purpose::Statements
        | Purpose::Vsa
        | Purpose::Approvals
        | Purpose::Hmac => true,
    }
}

/// Whether this may be the id of a shared secret: it also names a file.
pub fn is_secret_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(fits)
}

/// What a shared secret is recognised by: it can be told to anyone, and only the secret gives it.
pub fn commitment(secret: &[u8], log_origin: &str, id: &str) -> Digest {
    let text = format!("countersign-hmac-key/v1\n{log_origin}\n{id}\n");
    Digest::from_bytes(MacKey::new(secret).hmac(text.as_bytes()))
}

/// Signs a statement as a compact JWS. `root` is the key for purpose `root`.
pub fn sign(statement: &Statement, root: &dyn Signer) -> Result<String, Refused> {
    statement.check().map_err(Refused)?;
    let header = header(&root.key_id(), statement.typ());
    Ok(seal::jws::encode(&header, &payload(statement), root))
}

fn header(kid: &KeyId, typ: &str) -> String {
    format!("{{\"alg\":\"EdDSA\",\"kid\":\"{kid}\",\"typ\":\"{typ}\"}}")
}

/// Canonical: the members stand in the order of their names.
fn payload(statement: &Statement) -> String {
    let mut out = String::with_capacity(512);
    out.push('{');
    if let Some(agent) = &statement.agent_id {
        member(&mut out, "agent_id", agent.as_str());
    }
    let comma = |out: &String| if out.ends_with('{') { "" } else { "," };
    if let Some(at) = statement.compromised_at {
        let _ = write!(out, "{}\"compromised_at\":{at}", comma(&out));
    }
    let _ = write!(out, "{}\"iat\":{}", comma(&out), statement.iat);
    if let OldKey::Public { fingerprint, .. } = &statement.old {
        digest_member(&mut out, "key_fingerprint", fingerprint);
    }
    member(&mut out, "key_id", &statement.old.id());
    member(&mut out, "log_origin", &statement.log_origin);
    match &statement.new {
        None => {}
        Some(NewKey::Public(key)) => {
            member(&mut out, "new_key", &key.to_pem());
            member(&mut out, "new_key_id", &key.key_id().to_string());
        }
        Some(NewKey::Secret { id, commitment }) => {
            digest_member(&mut out, "new_commitment", commitment);
            member(&mut out, "new_key_id", id);
        }
    }
    plain_member(&mut out, "purpose", statement.purpose.as_str());
    plain_member(&mut out, "reason", statement.reason.as_str());
    out.push('}');
    out
}

/// A statement with the bytes that were signed; whether the signature holds is
/// [`SignedStatement::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedStatement {
    /// SHA-256 over the compact JWS; its entry in the log is filed under it.
    pub hash: Digest,
    /// The root key that is said to have signed.
    pub key_id: KeyId,
    /// The compact JWS.
    pub jws: String,
    /// What it says.
    pub statement: Statement,
}

impl SignedStatement {
    /// Whether `key` signed these bytes.
    pub fn verify(&self, key: &PublicKey) -> bool {
        match seal::jws::split(&self.jws, LIMIT) {
            Ok(token) => key.verify(token.signing_input.as_bytes(), &token.signature),
            Err(_) => false,
        }
    }
}

/// 9999-12-31T23:59:59Z.
const LATEST: i64 = 253_402_300_799;
