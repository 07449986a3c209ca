//! Audit entries: the canonical JSON line with its HMAC chain, as the upstream proxy writes it.
//! Bytes and rules: `spec/audit-line.md`.

mod anchor;
mod chain;
mod header;
mod log;
mod quick;
mod read;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use seal::Zeroizing;
use seal::json::Value;

pub use anchor::{AnchorClaim, AnchorCounts, JudgeStamp, StampedAt};
pub use chain::{AuditChain, SealedLine};
pub use header::{HeaderAlgorithm, ReceiptHeader};
pub use log::{LINE_LIMIT, LogBreak, LogWalk};
pub use quick::{Glance, glance};
pub use read::{MacCheck, ReadEntry, read_line};
pub use walk::{Break, BreakKind, Walk, WalkSummary, verify_lines};

/// What kind of party answers for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerType {
    /// A person.
    Human,
    /// An agent.
    Agent,
    /// A policy.
    Policy,
    /// Nobody could be found.
    Unresolved,
}

impl OwnerType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            OwnerType::Human => "human",
            OwnerType::Agent => "agent",
            OwnerType::Policy => "policy",
            OwnerType::Unresolved => "unresolved",
        }
    }
}

impl FromStr for OwnerType {
    type Err = crate::receipt::UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [OwnerType::Human, OwnerType::Agent, OwnerType::Policy, OwnerType::Unresolved]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| crate::receipt::UnknownName(text.to_string()))
    }
}

/// Who answers for a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// What kind of party.
    pub kind: OwnerType,
    /// Its id; empty only when unresolved.
    pub id: String,
}

impl Owner {
    /// An owner of this kind.
    pub fn new(kind: OwnerType, id: impl Into<String>) -> Self {
        Owner { kind, id: id.into() }
    }

    /// Nobody could be found.
    pub fn unresolved() -> Self {
        Owner::new(OwnerType::Unresolved, "")
    }

    /// The chain of approval an owner starts with: itself, or nobody.
    pub fn approval_chain(&self) -> Vec<String> {
        match self.kind {
            OwnerType::Unresolved => Vec::new(),
            _ => vec![self.to_string()],
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            OwnerType::Unresolved => f.write_str("unresolved"),
            kind => write!(f, "{}:{}", kind.as_str(), self.id),
        }
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditDecision {
    /// Went through.
    Allow,
    /// Refused.
    Block,
    /// Went through, changed.
    Redact,
    /// Waits for somebody.
    Escalate,
}

impl AuditDecision {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditDecision::Allow => "allow",
            AuditDecision::Block => "block",
            AuditDecision::Redact => "redact",
            AuditDecision::Escalate => "escalate",
        }
    }
}

impl fmt::Display for AuditDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuditDecision {
    type Err = crate::receipt::UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [AuditDecision::Allow, AuditDecision::Block, AuditDecision::Redact, AuditDecision::Escalate]
            .into_iter()
            .find(|decision| decision.as_str() == text)
            .ok_or_else(|| crate::receipt::UnknownName(text.to_string()))
    }
}

/// The content of one audit line; its place in the chain is added by [`AuditChain::seal`].
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// UUIDv4 text.
    pub entry_id: String,
    /// When, Unix nanoseconds.
    pub ts_ns: u64,
    /// Who answers for it.
    pub owner: Owner,
    /// Who approved, in order.
    pub approval_chain: Vec<String>,
    /// Which check or stage spoke.
    pub check_name: String,
    /// What it said.
    pub decision: AuditDecision,
    /// Why, for the operator.
    pub reason: String,
    /// `sha256:` over the request body; empty when there was none.
    pub request_fingerprint: String,
    /// Further facts. `_signing_key_id`, `_anchor` and `_writer` are added when sealing.
    pub metadata: Vec<(String, Value)>,
}

impl AuditEntry {
    /// The metadata member of this name.
    pub fn meta(&self, name: &str) -> Option<&Value> {
        self.metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text of the metadata member of this name.
    pub fn meta_text(&self, name: &str) -> Option<&str> {
        self.meta(name).and_then(Value::as_str)
    }
}

/// HMAC keys by id.
#[derive(Clone, Default)]
pub struct Keyring(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl Keyring {
    /// No keys.
    pub fn new() -> Self {
        Keyring::default()
    }

    /// Adds or replaces a key.
    pub fn insert(&mut self, id: impl Into<String>, secret: Zeroizing<Vec<u8>>) {
        self.0.insert(id.into(), secret);
    }

    /// The key with this id.
    pub fn get(&self, id: &str) -> Option<&[u8]> {
        self.0.get(id).map(|secret| secret.as_slice())
    }

    /// The keys with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(id, secret)| (id.as_str(), secret.as_slice()))
    }

    /// Whether a key with this id is in the ring.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// No key at all: MACs cannot be checked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
