//! Provenance receipts: one signed step of an AI system's life (`provenance-receipt/v1`).
//!
//! [`sign`] writes the format byte for byte; [`read`] accepts only what [`sign`] could have
//! written, so that one receipt has one hash. Bytes and rules: `spec/receipt.md`.

mod emit;
mod read;
mod rules;

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use seal::digest::Digest;
use seal::json::Value;
use seal::key::{KeyId, PublicKey};

use crate::agent::AgentId;
use crate::taint::{EXTERNAL_USER, TaintSet};

pub use emit::{EmitError, Emitter, sign};
pub use read::read;
pub(crate) use read::{Parts, read_parts, read_with_signature};

/// The issuer constant of the format; frozen.
pub const ISS: &str = "raucle-detect/provenance";
/// The type constant of the format, in header and payload.
pub const TYP: &str = "provenance-receipt/v1";
/// Longest receipt, characters.
pub const JWS_LIMIT: usize = 65_536;

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A person or system outside said something.
    UserInput,
    /// A model answered.
    ModelCall,
    /// A tool ran.
    ToolCall,
    /// A corpus was searched.
    Retrieval,
    /// Content was scanned.
    GuardrailScan,
    /// Work was handed to another agent.
    AgentHandoff,
    /// Taint was removed.
    Sanitisation,
    /// Several branches became one.
    Merge,
}

impl Operation {
    /// All eight.
    pub const ALL: [Operation; 8] = [
        Operation::UserInput,
        Operation::ModelCall,
        Operation::ToolCall,
        Operation::Retrieval,
        Operation::GuardrailScan,
        Operation::AgentHandoff,
        Operation::Sanitisation,
        Operation::Merge,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::UserInput => "user_input",
            Operation::ModelCall => "model_call",
            Operation::ToolCall => "tool_call",
            Operation::Retrieval => "retrieval",
            Operation::GuardrailScan => "guardrail_scan",
            Operation::AgentHandoff => "agent_handoff",
            Operation::Sanitisation => "sanitisation",
            Operation::Merge => "merge",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no operation or verdict of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown name {0:?}")]
pub struct UnknownName(pub String);

impl FromStr for Operation {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Operation::ALL.into_iter().find(|operation| operation.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_string()))
    }
}

/// What a scan concluded, ordered from harmless to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing, or only what redaction removes.
    Clean,
    /// Something to look at, or a text that could not be read to the end.
    Suspicious,
    /// Something to refuse.
    Malicious,
}

impl Verdict {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Clean => "CLEAN",
            Verdict::Suspicious => "SUSPICIOUS",
            Verdict::Malicious => "MALICIOUS",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Verdict::Clean, Verdict::Suspicious, Verdict::Malicious]
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| UnknownName(text.to_string()))
    }
}

/// The claims of one receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// Issuer; [`ISS`] for receipts made here.
    pub iss: String,
    /// When, Unix seconds.
    pub iat: i64,
    /// Who.
    pub agent_id: AgentId,
    /// The key that signs.
    pub key_id: KeyId,
    /// What.
    pub operation: Operation,
    /// Hashes of the receipts this step builds on, sorted.
    pub parents: Vec<Digest>,
    /// What the content is marked with.
    pub taint: TaintSet,
    /// Hash of what went in.
    pub input_hash: Option<Digest>,
    /// Hash of what came out.
    pub output_hash: Option<Digest>,
    /// Which model.
    pub model: Option<String>,
    /// Which tool or sanitiser.
    pub tool: Option<String>,
    /// Which corpus; for a sanitisation `removed:` and the tags it cleared.
    pub corpus: Option<String>,
    /// Which rules, as `sha256:<hex>` (bare hex is accepted when read).
    pub ruleset_hash: Option<String>,
    /// What the scan concluded.
    pub verdict: Option<Verdict>,
    /// For whom.
    pub tenant: Option<String>,
    /// Members of our own or of others; names begin with `x_`.
    pub extensions: Vec<(String, Value)>,
}

impl Receipt {
    fn new(
        operation: Operation,
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
    ) -> Self {
        Receipt {
            iss: ISS.to_string(),
            iat,
            agent_id: agent.borrow().clone(),
            key_id: *key_id.borrow(),
            operation,
            parents: Vec::new(),
            taint: TaintSet::new(),
            input_hash: None,
            output_hash: None,
            model: None,
            tool: None,
            corpus: None,
            ruleset_hash: None,
            verdict: None,
            tenant: None,
            extensions: Vec::new(),
        }
    }

    fn hashes(mut self, input: Option<Digest>, output: Option<Digest>) -> Self {
        self.input_hash = input;
        self.output_hash = output;
        self
    }

    /// Someone outside said something: a root, tainted `external_user`.
    pub fn user_input(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        input: Digest,
    ) -> Self {
        let mut receipt = Receipt::new(Operation::UserInput, agent, key_id, iat);
        receipt.taint.insert(EXTERNAL_USER);
        receipt.hashes(Some(input), None)
    }

    /// A model answered.
    pub fn model_call(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        model: impl Into<String>,
        input: Digest,
        output: Digest,
    ) -> Self {
        let mut receipt = Receipt::new(Operation::ModelCall, agent, key_id, iat);
        receipt.model = Some(model.into());
        receipt.hashes(Some(input), Some(output))
    }

    /// A tool ran.
    pub fn tool_call(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        tool: impl Into<String>,
        input: Digest,
        output: Digest,
    ) -> Self {
        let mut receipt = Receipt::new(Operation::ToolCall, agent, key_id, iat);
        receipt.tool = Some(tool.into());
        receipt.hashes(Some(input), Some(output))
    }

    /// A corpus was searched; unless it is trusted the result is tainted `rag:<corpus>`.
    pub fn retrieval(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        corpus: impl Into<String>,
        input: Digest,
        output: Digest,
        trusted: bool,
    ) -> Self {
        let corpus = corpus.into();
        let mut receipt = Receipt::new(Operation::Retrieval, agent, key_id, iat);
        if !trusted {
            receipt.taint.insert(format!("rag:{corpus}"));
        }
        receipt.corpus = Some(corpus);
        receipt.hashes(Some(input), Some(output))
    }

    /// Content was scanned; `target` is `input`, `output`, `tool_call` or `tool_result`.
    pub fn guardrail_scan(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        input: Digest,
        ruleset: Digest,
        verdict: Verdict,
        target: &str,
    ) -> Self {
        let mut receipt = Receipt::new(Operation::GuardrailScan, agent, key_id, iat);
        receipt.taint.insert(format!("guardrail-scan:{target}"));
        receipt.ruleset_hash = Some(ruleset.text());
        receipt.verdict = Some(verdict);
        receipt.hashes(Some(input), None)
    }

    /// Work was handed to another agent; `output` is the hash of the payload.
    pub fn agent_handoff(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        target: &AgentId,
        output: Digest,
    ) -> Self {
        // The canonical form of {"target":"<agent id>"}; agent ids need no escapes.
        let input = crate::hash::text(&format!("{{\"target\":\"{target}\"}}"));
        Receipt::new(Operation::AgentHandoff, agent, key_id, iat).hashes(Some(input), Some(output))
    }

    /// Taint was removed; [`Receipt::parents`] then leaves the removed tags out.
    pub fn sanitisation(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        sanitiser: impl Into<String>,
        removed: &TaintSet,
        input: Digest,
        output: Digest,
    ) -> Self {
        let mut receipt = Receipt::new(Operation::Sanitisation, agent, key_id, iat);
        receipt.tool = Some(sanitiser.into());
        receipt.corpus = Some(format!("removed:{removed}"));
        receipt.hashes(Some(input), Some(output))
    }

    /// Several branches became one.
    pub fn merge(
        agent: impl Borrow<AgentId>,
        key_id: impl Borrow<KeyId>,
        iat: i64,
        output: Digest,
    ) -> Self {
        Receipt::new(Operation::Merge, agent, key_id, iat).hashes(None, Some(output))
    }

    /// Cites parents and inherits their taint; a sanitisation drops what it removed.
    pub fn parents(mut self, parents: &[(Digest, &TaintSet)]) -> Self {
        let removed = self.removed().unwrap_or_default();
        for (hash, taint) in parents {
            self.parents.push(*hash);
            if removed.is_empty() {
                self.taint.merge(taint);
            } else {
                self.taint.merge(&taint.minus(&removed));
            }
        }
        self.parents.sort_unstable();
        self.parents.dedup();
        self
    }

    /// Adds taint beyond what is inherited.
    pub fn tainted(mut self, tags: &TaintSet) -> Self {
        self.taint.merge(tags);
        self
    }

    /// Adds an `x_` member.
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extensions.push((name.into(), value.into()));
        self
    }

    /// Names the tenant.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The `x_` member of this name.
    pub fn extension_value(&self, name: &str) -> Option<&Value> {
        self.extensions.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The tags a sanitisation says it removed; `None` for other operations, or when it does not
    /// say.
    pub fn removed(&self) -> Option<TaintSet> {
        if self.operation != Operation::Sanitisation {
            return None;
        }
        let tags = self.corpus.as_deref()?.strip_prefix("removed:")?;
        Some(TaintSet::of(tags.split(',').filter(|tag| !tag.is_empty())))
    }
}

/// A receipt with the bytes that were signed. Made by [`sign`] and [`read`] alone, so the three
/// parts always belong together; whether the signature holds is [`SignedReceipt::verify`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SignedReceipt {
    /// SHA-256 over the compact JWS: the receipt's id in the DAG.
    pub hash: Digest,
    /// The compact JWS.
    pub jws: String,
    /// What it claims.
    pub receipt: Receipt,
}

impl SignedReceipt {
    /// Whether `key` signed these bytes.
    pub fn verify(&self, key: &PublicKey) -> bool {
        verify_signature(&self.jws, key)
    }
}

/// Whether `key` signed this compact JWS. Says nothing about its content.
pub fn verify_signature(jws: &str, key: &PublicKey) -> bool {
    match seal::jws::split(jws, JWS_LIMIT) {
        Ok(token) => key.verify(token.signing_input.as_bytes(), &token.signature),
        Err(_) => false,
    }
}
