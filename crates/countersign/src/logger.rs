//! Recording an agent's steps as signed receipts, durable before the hash comes back.

mod chain;
mod store;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use record::agent::AgentId;
use record::hash;
use record::receipt::{self, EmitError, Receipt, SignedReceipt};
use record::taint::TaintSet;
use scan::Target;
use seal::Digest;
use seal::json::{Value, WriteError};

use crate::identity::{AgentIdentity, now};
use crate::scanner::ScanResult;

/// Why a step was not recorded. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The statement names its models, and this is none of them.
    #[error("{agent} may not call the model {model:?}: its statement does not allow it")]
    ModelNotAllowed {
        /// The agent.
        agent: AgentId,
        /// The model.
        model: String,
    },
    /// The statement names its tools, and this is none of them.
    #[error("{agent} may not use the tool {tool:?}: its statement does not allow it")]
    ToolNotAllowed {
        /// The agent.
        agent: AgentId,
        /// The tool or sanitiser.
        tool: String,
    },
    /// The statement gives no authority to clear this tag.
    #[error("{agent} may not clear the taint {tag:?}: its statement gives no authority over it")]
    TagNotAllowed {
        /// The agent.
        agent: AgentId,
        /// The tag.
        tag: String,
    },
    /// The statement is not valid now.
    #[error("the statement of {agent} is not valid at this time; issue a new one")]
    StatementTime {
        /// The agent.
        agent: AgentId,
    },
    /// A parent that was never recorded here.
    #[error("the parent {0} is not recorded here; record it first")]
    UnknownParent(Digest),
    /// Not as many parents as the operation needs.
    #[error("{operation} needs {least} or more different parents, {given} were given")]
    Parents {
        /// The operation.
        operation: &'static str,
        /// How many it needs.
        least: usize,
        /// How many came.
        given: usize,
    },
    /// The value has no canonical form (a float, or an integer beyond 2^53-1).
    #[error("the value cannot be hashed: {0}")]
    Value(#[from] WriteError),
    /// The receipt cannot be written.
    #[error("the receipt cannot be written: {0}")]
    Emit(#[from] EmitError),
    /// The line or entry was not stored.
    #[error("the receipt was not stored: {0}")]
    Store(String),
}

/// Why a log of receipts cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another process, or another logger, writes to it.
    #[error("{path} is in use by another writer; one chain has one writer")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// What is there already does not hold together.
    #[error("{path}, {place}: {finding}; nothing was written. Run `countersign verify`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line or entry.
        place: String,
        /// What is wrong.
        finding: String,
    },
    /// The ledger cannot be opened.
    #[error("the ledger cannot be opened: {0}")]
    Ledger(String),
    /// The log's key cannot be read or made.
    #[error("{path}: {reason}")]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Records the steps of one agent. Each method returns the receipt's hash, by which later steps
/// cite it; when it returns, the receipt is on disk.
pub struct ProvenanceLogger {
    identity: AgentIdentity,
    sink: Box<dyn Sink>,
    taints: HashMap<Digest, Arc<TaintSet>>,
    tenant: Option<String>,
}

/// Where receipts go: durable when `append` returns; after an error nothing of it remains, or the
/// sink takes no more.
trait Sink: Send {
    fn append(&mut self, receipt: &SignedReceipt) -> Result<(), RecordError>;
}

impl ProvenanceLogger {
    /// Appends to a chain file (JSON Lines), made when missing. A line torn by a crash is set
    /// aside beside the file before anything is written.
    pub fn to_file(identity: &AgentIdentity, path: &Path) -> Result<Self, OpenError> {
        let mut taints = HashMap::new();
        let sink = chain::ChainFile::open(path, &mut |receipt| note(&mut taints, receipt))?;
        Ok(ProvenanceLogger::over(identity, Box::new(sink), taints))
    }

    /// Appends to the ledger under `dir` (`.countersign/ledger`), made when missing.
    pub fn to_ledger(identity: &AgentIdentity, dir: &Path) -> Result<Self, OpenError> {
        let mut taints = HashMap::new();
        // A writer id is at most 64 bytes; an agent's name may be longer, and is ASCII.
        let name = identity.agent_id().as_str();
        let writer = name.get(..64).unwrap_or(name);
        let sink = store::LedgerSink::open(dir, writer, &mut |receipt| note(&mut taints, receipt))?;
        Ok(ProvenanceLogger::over(identity, Box::new(sink), taints))
    }

    fn over(
        identity: &AgentIdentity,
        sink: Box<dyn Sink>,
        taints: HashMap<Digest, Arc<TaintSet>>,
    ) -> Self {
        ProvenanceLogger { identity: identity.clone(), sink, taints, tenant: None }
    }

    /// Names the tenant in every receipt from now on.
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// Someone outside said `text`.
    pub fn record_user_input(&mut self, text: &str) -> Result<Digest, RecordError> {
        let receipt = Receipt::user_input(self.agent(), self.key(), now(), hash::text(text));
        self.record(receipt, &[], 0)
    }

    /// A model answered.
    pub fn record_model_call(
        &mut self,
        parents: &[Digest],
        model: &str,
        input: &str,
        output: &str,
    ) -> Result<Digest, RecordError> {
        if !self.identity.statement().allows_model(model) {
            return Err(RecordError::ModelNotAllowed {
                agent: self.agent().clone(),
                model: model.to_owned(),
            });
        }
        let (input, output) = (hash::text(input), hash::text(output));
        let receipt = Receipt::model_call(self.agent(), self.key(), now(), model, input, output);
        self.record(receipt, parents, 1)
    }

    /// A tool ran with these arguments and gave this output (integers and strings, no floats).
    pub fn record_tool_call(
        &mut self,
        parents: &[Digest],
        tool: &str,
        arguments: &Value,
        output: &Value,
    ) -> Result<Digest, RecordError> {
        self.allow_tool(tool)?;
        let (input, output) = (hash::object(arguments)?, hash::object(output)?);
        let receipt = Receipt::tool_call(self.agent(), self.key(), now(), tool, input, output);
        self.record(receipt, parents, 1)
    }

    /// A corpus was searched. What came from a corpus that is not trusted is tainted `rag:<corpus>`.
    pub fn record_retrieval(
        &mut self,
        parents: &[Digest],
        corpus: &str,
        query: &str,
        chunks: &Value,
        trusted: bool,
    ) -> Result<Digest, RecordError> {
        let (input, output) = (hash::text(query), hash::object(chunks)?);
        let receipt =
            Receipt::retrieval(self.agent(), self.key(), now(), corpus, input, output, trusted);
        self.record(receipt, parents, 1)
    }

    /// A text was scanned. Without parents the scan is a root of its own.
    pub fn record_guardrail_scan(
        &mut self,
        parents: &[Digest],
        text: &str,
        result: &ScanResult,
    ) -> Result<Digest, RecordError> {
        let target = match result.target {
            Target::Input => "input",
            Target::Output => "output",
            Target::ToolCall => "tool_call",
            Target::ToolResult => "tool_result",
        };
        let receipt = Receipt::guardrail_scan(
            self.agent(),
            self.key(),
            now(),
            hash::text(text),
            result.ruleset,
            result.verdict,
            target,
        );
        self.record(receipt, parents, 0)
    }

    /// Work was handed to another agent.
    pub fn record_agent_handoff(
        &mut self,
        parents: &[Digest],
        target: &AgentId,
        payload: &Value,
    ) -> Result<Digest, RecordError> {
        let output = hash::object(payload)?;
        let receipt = Receipt::agent_handoff(self.agent(), self.key(), now(), target, output);
        self.record(receipt, parents, 1)
    }

    /// `sanitiser` took `removed` out of the text; the statement must give the authority.
    pub fn record_sanitisation(
        &mut self,
        parents: &[Digest],
        sanitiser: &str,
        removed: &TaintSet,
        input: &str,
        output: &str,
    ) -> Result<Digest, RecordError> {
        self.allow_tool(sanitiser)?;
        if let Some(tag) = removed.iter().find(|tag| !self.identity.statement().may_clear(tag)) {
            return Err(RecordError::TagNotAllowed {
                agent: self.agent().clone(),
                tag: tag.to_owned(),
            });
        }
        let (input, output) = (hash::text(input), hash::text(output));
        let (agent, key) = (self.agent(), self.key());
        let receipt = Receipt::sanitisation(agent, key, now(), sanitiser, removed, input, output);
        self.record(receipt, parents, 1)
    }

    /// Several branches became one output.
    pub fn record_merge(
        &mut self,
        parents: &[Digest],
        output: &Value,
    ) -> Result<Digest, RecordError> {
        let receipt = Receipt::merge(self.agent(), self.key(), now(), hash::object(output)?);
        self.record(receipt, parents, 2)
    }

    /// The taint of a receipt recorded here.
    pub fn taint(&self, receipt: &Digest) -> Option<&TaintSet> {
        self.taints.get(receipt).map(|taint| &**taint)
    }

    fn agent(&self) -> &AgentId {
        self.identity.agent_id()
    }

    fn key(&self) -> seal::KeyId {
        self.identity.public().key_id()
    }

    fn allow_tool(&self, tool: &str) -> Result<(), RecordError> {
        if self.identity.statement().allows_tool(tool) {
            return Ok(());
        }
        Err(RecordError::ToolNotAllowed { agent: self.agent().clone(), tool: tool.to_owned() })
    }

    fn record(
        &mut self,
        receipt: Receipt,
        parents: &[Digest],
        least: usize,
    ) -> Result<Digest, RecordError> {
        if !self.identity.statement().valid_at(receipt.iat) {
            return Err(RecordError::StatementTime { agent: self.agent().clone() });
        }
        let mut cited = Vec::with_capacity(parents.len());
        for parent in parents {
            let taint = self.taints.get(parent).ok_or(RecordError::UnknownParent(*parent))?;
            if !cited.iter().any(|(known, _)| known == parent) {
                cited.push((*parent, &**taint));
            }
        }
        if cited.len() < least {
            return Err(RecordError::Parents {
                operation: receipt.operation.as_str(),
                least,
                given: cited.len(),
            });
        }
        // The format has no nonce: without a number of its own, the same text said twice in one
        // second would be one receipt for two events.
        let mut receipt =
            receipt.parents(&cited).extension("x_countersign_event", self.taints.len());
        if let Some(tenant) = &self.tenant {
            receipt = receipt.tenant(tenant.as_str());
        }
        let signed = receipt::sign(&receipt, self.identity.signer())?;
        self.sink.append(&signed)?;
        let hash = signed.hash;
        note(&mut self.taints, signed);
        Ok(hash)
    }
}

impl std::fmt::Debug for ProvenanceLogger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProvenanceLogger")
            .field("agent", self.agent())
            .field("receipts", &self.taints.len())
            .finish_non_exhaustive()
    }
}

/// Remembers what later steps inherit. Long chains have few different taints: they are shared
/// with the parent's where equal.
fn note(taints: &mut HashMap<Digest, Arc<TaintSet>>, signed: SignedReceipt) {
    let shared = signed
        .receipt
        .parents
        .iter()
        .filter_map(|parent| taints.get(parent))
        .find(|taint| ***taint == signed.receipt.taint)
        .cloned();
    let taint = shared.unwrap_or_else(|| Arc::new(signed.receipt.taint));
    taints.insert(signed.hash, taint);
}
