//! The recorder: the only writer of evidence during a request.
//!
//! The flow opens a [`RequestLog`], tells it each step, and gets a [`Pending`] back. Awaiting it
//! yields [`Committed`], which only durable evidence can make: the decision receipt that an answer
//! carries is reachable through it alone, so an answer cannot be released before its record.

mod step;

pub use step::{
    Answered, Caller, Conversation, Failure, Forward, Input, Outcome, Proposal, Refusal, Ruling,
    Scanned,
};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ledger::Ledger;
use record::agent::AgentId;
use seal::digest::Digest;
use seal::json::Value;

use crate::state::State;

/// How much each request leaves behind (contracts.md 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Every step a v1 receipt, every answer a decision receipt.
    Full,
    /// Audit entries and the decision receipt only.
    Sealed,
}

/// What the recorder needs to know before the first request.
pub struct Setup {
    /// The effective configuration (an object; integers only, thresholds as decimal strings).
    pub config: Value,
    /// `scan::Engine::ruleset_body()`.
    pub ruleset: String,
    /// How much to write.
    pub profile: Profile,
    /// The gateway's own identity (`agent:gateway`).
    pub agent: AgentId,
    /// Refusals before any content check that one peer may have recorded one by one, per minute;
    /// what comes beyond is aggregated.
    pub refusals_per_minute: u32,
}

/// Why the recorder cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration holds what cannot be digested.
    #[error("the effective configuration has no canonical form: {0}")]
    Config(seal::json::WriteError),
    /// The ledger is damaged or cannot be opened.
    #[error("the ledger cannot be opened: {0}")]
    Open(#[from] ledger::OpenError),
    /// The audit line that the chain must continue is not readable.
    #[error("audit entry at index {index} is not a readable line, so the chain cannot be continued: run `countersign verify`")]
    Chain {
        /// Its place in the ledger.
        index: u64,
    },
    /// The closing of orphan admissions could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Why evidence could not be written: the request must be refused with 503.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The ledger did not take the entries.
    #[error("the ledger did not take the entry: {0}")]
    Append(String),
    /// An earlier append failed and is not settled yet.
    #[error("the ledger is not available after a failed append")]
    Unavailable,
    /// A receipt, audit line or facts body could not be written canonically.
    #[error("the evidence has no canonical form: {0}")]
    Form(String),
    /// The request was already closed.
    #[error("the request is already closed")]
    Closed,
    /// The step needs an admission first.
    #[error("the request was not admitted")]
    NotAdmitted,
}

/// Writes all evidence of the gateway. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    core: Arc<Core>,
}

struct Core {
    ledger: Arc<Ledger>,
    config: Digest,
    ruleset: Digest,
    origin: String,
}

impl Recorder {
    /// Opens the ledger of `state`, rebuilds chain, lineage and known bodies from it, stores
    /// configuration and ruleset once each, and closes what a crash left open.
    pub fn start(_state: &State, _setup: Setup) -> Result<Recorder, StartError> {
        Err(StartError::Record(RecordError::Unavailable))
    }

    /// A new request from `peer` (the address without its port, for the flood rule). Nothing is
    /// written yet; whatever happens to the log, even being dropped, leaves an audit entry.
    pub fn begin(&self, _peer: &str, _method: &str, _path: &str) -> RequestLog {
        RequestLog { id: String::new() }
    }

    /// Writes aggregated refusals that are due. Call it every few seconds and before closing.
    pub fn tick(&self) {}

    /// Flushes aggregates and signs a last checkpoint. Blocking.
    pub fn close(&self) -> Result<(), RecordError> {
        Ok(())
    }

    /// The ledger (metrics, checkpoints, readiness).
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.core.ledger
    }

    /// Whether evidence can be written now; if not, answer 503.
    pub fn ready(&self) -> bool {
        true
    }

    /// Digest of the stored configuration body.
    pub fn config_digest(&self) -> Digest {
        self.core.config
    }

    /// Digest of the stored ruleset body.
    pub fn ruleset_digest(&self) -> Digest {
        self.core.ruleset
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.core.origin
    }
}

/// The evidence of one request. Each method that returns [`Pending`] writes its entries in one
/// append, in the order of the calls; the writing goes on whether or not the future is awaited.
/// Dropping a log that was not closed records the disconnect.
pub struct RequestLog {
    id: String,
}

impl RequestLog {
    /// The request id: UUIDv4 text, the correlation id of every answer.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The body as received: its digest is the request digest.
    pub fn body(&mut self, _body: &[u8]) {}

    /// Who asks.
    pub fn caller(&mut self, _caller: Caller) {}

    /// A refusal before any content check (404, 405, 413, bad JSON, no owner …). Closes the
    /// request. Beyond the peer's rate it is aggregated: then [`Committed::receipt`] is `None`.
    pub fn preflight(&mut self, _refusal: Refusal) -> Pending {
        Pending::failed(RecordError::Unavailable)
    }

    /// A route without checks was served (`GET /v1/models`). Closes the request.
    pub fn served(&mut self, _status: u16, _response: Digest) -> Pending {
        Pending::failed(RecordError::Unavailable)
    }

    /// A check refused the request. Closes it. `input` where the body was understood.
    pub fn refused(&mut self, _input: Option<Input>, _refusal: Refusal) -> Pending {
        Pending::failed(RecordError::Unavailable)
    }

    /// The request is admitted (allow or redact) and goes upstream. Await the result before the
    /// first upstream byte reaches the caller.
    pub fn admitted(&mut self, _input: Input, _ruling: Ruling, _forward: Forward) -> Pending {
        Pending::failed(RecordError::Unavailable)
    }

    /// A tool call the model proposed: kept, and written with the outcome.
    pub fn proposed(&mut self, _proposal: Proposal) {}

    /// The answer is complete, delivered or withheld by its ruling. Closes the request. Await the
    /// result before the unary body or the terminal event.
    pub fn complete(&mut self, _outcome: Outcome) -> Pending {
        Pending::failed(RecordError::Unavailable)
    }

    /// The upstream (or the gateway itself) failed. Closes the request.
    pub fn failed(&mut self, _failure: Failure) -> Pending {
        Pending::failed(RecordError::Unavailable)
    }

    /// The caller went away; `partial` is what the upstream had answered so far, if anything.
    /// Closes the request.
    pub fn disconnected(&mut self, _partial: Option<Outcome>) -> Pending {
        Pending::failed(RecordError::Unavailable)
    }
}

/// Resolves when the entries are durable. Dropping it does not stop the writing.
pub struct Pending {
    inner: Result<tokio::sync::oneshot::Receiver<Result<Committed, RecordError>>, Option<RecordError>>,
}

impl Pending {
    fn failed(error: RecordError) -> Pending {
        Pending {
            inner: Err(Some(error)),
        }
    }
}

impl Future for Pending {
    type Output = Result<Committed, RecordError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.inner {
            Ok(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|result| result.unwrap_or(Err(RecordError::Unavailable))),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(RecordError::Unavailable))),
        }
    }
}

/// Proof that the entries of one step are durable.
#[derive(Debug)]
pub struct Committed {
    entry_id: String,
    receipt: Option<String>,
}

impl Committed {
    /// The audit entry's id.
    pub fn entry_id(&self) -> &str {
        &self.entry_id
    }

    /// The decision receipt for `X-Countersign-Receipt`; `None` for admissions and aggregated
    /// refusals.
    pub fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }
}
