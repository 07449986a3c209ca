//! The recorder: the only writer of evidence during a request.
//!
//! The flow opens a [`RequestLog`], tells it each step, and gets a [`Pending`] back. Awaiting it
//! yields [`Committed`], which only durable evidence can make: the decision receipt that an answer
//! carries is reachable through it alone, so an answer cannot be released before its record.
//! Entries and metadata members: `spec/request-evidence.md`.

mod ancestry;
mod decide;
mod flood;
mod joined;
mod judge;
mod members;
mod names;
mod receipts;
mod replay;
mod request;
mod room;
mod rulesets;
mod salt;
mod step;
mod write;

pub use request::RequestLog;
pub(crate) use room::Shut;
pub use rulesets::Ruleset;
pub(crate) use salt::salted;
pub use step::{
    Answered, Caller, Conversation, Failure, Forward, Input, Outcome, Proposal, Refusal, Ruling,
    Scanned,
};
pub use write::{Committed, Pending};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use ledger::lock::Lock;
use ledger::socket::{Server, Serving, serve};
use ledger::{Kind, Ledger, Log};
use record::agent::AgentId;
use record::entry::{AuditChain, AuditDecision, AuditEntry, Owner};
use record::receipt::Emitter;
use seal::Zeroizing;
use seal::digest::Digest;
use seal::json::Value;
use seal::mac::{MacKey, hmac_sha256};
use seal::signer::Signer;

use decide::{Close, Decided, decision_entry};
use flood::Flood;
use joined::{Joined, RereadError};
use members::{member, sources_of};
use replay::{Orphan, Replay};
use room::Headroom;
use salt::own_salt;
use write::{Batch, Writer, lock};

use crate::config::Storing;
use crate::lineage::Lineage;
use crate::state::{InForce, State, StateError, Statements, WRITER};

/// How much each request leaves behind (spec/request-evidence.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Every step a v1 receipt, every answer a decision receipt.
    Full,
    /// Audit entries and the decision receipt only.
    Sealed,
}

impl Profile {
    /// `full` or `sealed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Full => "full",
            Profile::Sealed => "sealed",
        }
    }
}

/// What the recorder needs to know before the first request.
pub struct Setup {
    /// The effective configuration (an object; integers only, thresholds as decimal strings).
    pub config: Value,
    /// `scan::Engine::rules_body()`.
    pub rules: String,
    /// `scan::Engine::ruleset_body()`.
    pub ruleset: String,
    /// How much to write.
    pub profile: Profile,
    /// The gateway's own identity (`agent:gateway`).
    pub agent: AgentId,
    /// Refusals before any content check that one peer may have recorded one by one, per minute;
    /// what comes beyond is aggregated.
    pub refusals_per_minute: u32,
    /// Room on the disk that new requests leave to those under way, in bytes.
    pub headroom_bytes: u64,
    /// How the ledger stores.
    pub storing: Storing,
}

/// Why the recorder cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The ledger is damaged or cannot be opened.
    #[error("the ledger cannot be opened: {0}")]
    Open(#[from] ledger::OpenError),
    /// An audit line of ours is not readable, so the chain cannot be continued.
    #[error(
        "the audit entry at index {index} is not a readable line, so its chain cannot be continued: run `countersign verify`"
    )]
    Chain {
        /// Its place in the ledger.
        index: u64,
    },
    /// An audit line of ours is encrypted, and no identity that opens it is at hand.
    #[error(
        "the audit entry at index {index} is encrypted for others, so its chain cannot be continued: name the identity in ledger.encryption.identity"
    )]
    Encrypted {
        /// Its place in the ledger.
        index: u64,
    },
    /// A key of ours does not count any more, or the one that does is not here.
    #[error(transparent)]
    Key(#[from] StateError),
    /// The system gave no randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The ledger of another process cannot be joined.
    #[error("the ledger of the process that writes it cannot be joined: {0}")]
    Join(String),
    /// It would store in the clear what is to be encrypted.
    #[error("{0}")]
    Plain(String),
    /// The writing thread could not be started.
    #[error("the thread that writes evidence cannot be started: {0}")]
    Thread(std::io::Error),
    /// The first entries could not be written.
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
    /// An earlier append failed and is not settled yet, or the ledger is closed.
    #[error("the ledger is not available after a failed append")]
    Unavailable,
    /// A receipt, audit line or facts body has no canonical form.
    #[error("the evidence has no canonical form: {0}")]
    Form(String),
    /// The request was already closed, or already admitted.
    #[error("the request is already past this step")]
    Closed,
    /// The step needs an admission first.
    #[error("the request was not admitted")]
    NotAdmitted,
}

impl From<RereadError> for StartError {
    fn from(error: RereadError) -> StartError {
        match error {
            RereadError::Damaged(damage) => StartError::Open(ledger::OpenError::Damaged(damage)),
            RereadError::Chain(index) => StartError::Chain { index },
            RereadError::Plain => StartError::Plain(error.to_string()),
            error => StartError::Join(error.to_string()),
        }
    }
}

/// Writes all evidence of the gateway. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    core: Arc<Core>,
}

struct Core {
    writer: Writer,
    config: Digest,
    /// The one in force: what no request is spoken of names it.
    ruleset: RwLock<Digest>,
    origin: String,
    profile: Profile,
    agent: AgentId,
    receipts: Arc<dyn Signer>,
    emitter: Emitter,
    decisions: Arc<dyn Signer>,
    salt: Vec<u8>,
    flood: Mutex<Flood>,
    clock: Arc<dyn ledger::Clock>,
    last_ms: AtomicU64,
    /// The clock was behind the last entry when it was looked at.
    behind: AtomicBool,
    seed: MacKey,
    ids: AtomicU64,
    /// Where this process is the sequencer.
    ledger: Option<Arc<Ledger>>,
    /// Lets other processes append; goes before the ledger is closed.
    server: Mutex<Option<Server>>,
    _lock: Option<Arc<Lock>>,
}

impl Recorder {
    /// Opens the ledger of `state`, rebuilds chain, lineage and known bodies from it, stores
    /// configuration and ruleset once each, and closes what a crash left open. Blocking.
    pub fn start(state: &State, setup: Setup) -> Result<Recorder, StartError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| StartError::Random(error.to_string()))?;
        Recorder::start_seeded(state, setup, seed)
    }

    fn start_seeded(state: &State, setup: Setup, seed: [u8; 32]) -> Result<Recorder, StartError> {
        let writer_id = state.writer();
        let mut replay = Replay::new(Lineage::new(REMEMBERED), writer_id);
        let options = ledger::Options {
            segment_bytes: setup.storing.segment_bytes,
            segment_age: setup.storing.segment_age,
            recipients: setup.storing.recipients,
            identities: setup.storing.identities.clone(),
            ..ledger::Options::new(state.origin(), state.log_signer(), WRITER, state.clock())
        };
        let mut statements = Statements::default();
        let (mut ledger, mut joined) = (None, None);
        if let Some(client) = state.client() {
            let mut way = Joined::new(client.clone(), state.ledger_dir(), writer_id, client.vkey())
                .opening(setup.storing.identities, options.recipients.is_some());
            replay = way.first(replay, &mut |index, leaf, body| {
                statements.visit(index, leaf, body);
            })?;
            joined = Some(Arc::new(way));
        } else {
            let opened = Ledger::open(state.store(), options, &mut |index, leaf, body| {
                statements.visit(index, leaf, body);
                replay.visit(index, leaf, body);
            })?;
            ledger = Some(Arc::new(opened));
        }
        let keys = InForce::of(state, &statements.history(state))?;
        if let Some(index) = replay.encrypted {
            return Err(StartError::Encrypted { index });
        }
        if let Some(index) = replay.unreadable.or(replay.pruned) {
            return Err(StartError::Chain { index });
        }
        let orphans = replay.orphans().map_err(|index| StartError::Chain { index })?;
        let head = replay.head(&keys.hmac.0);
        let lines = AuditChain::new(
            keys.hmac.0,
            Zeroizing::new(keys.hmac.1.to_vec()),
            writer_id.to_owned(),
            head,
        );
        let log: Arc<dyn Log> = match (&ledger, &joined) {
            (Some(ledger), _) => ledger.clone(),
            (None, Some(joined)) => joined.client.clone(),
            (None, None) => return Err(StartError::Record(RecordError::Unavailable)),
        };
        let writer = Writer::new(
            log,
            joined,
            state.store().is_immediate(),
            lines,
            replay.lineage,
            replay.last_ns,
            replay.bodies,
            Headroom::new(setup.headroom_bytes),
        )
        .map_err(StartError::Thread)?;
        let (config, config_body) = salted(state.salt(), "config", &setup.config)?;
        let ruleset = Digest::of(setup.ruleset.as_bytes());
        let recorder = Recorder {
            core: Arc::new(Core {
                writer,
                config,
                ruleset: RwLock::new(ruleset),
                origin: state.origin().to_owned(),
                profile: setup.profile,
                agent: setup.agent,
                emitter: Emitter::of(&*keys.receipts),
                receipts: keys.receipts,
                decisions: keys.decisions,
                salt: own_salt(state.salt(), writer_id),
                flood: Mutex::new(Flood::new(setup.refusals_per_minute)),
                clock: state.clock(),
                last_ms: AtomicU64::new(replay.last_ms),
                behind: AtomicBool::new(false),
                seed: MacKey::new(&seed),
                ids: AtomicU64::new(0),
                ledger,
                server: Mutex::new(None),
                _lock: state.lock(),
            }),
        };
        let mut batch = Batch::default();
        batch.bodies.push((Kind::Config, config, config_body));
        batch.bodies.push((Kind::Ruleset, Digest::of(setup.rules.as_bytes()), setup.rules));
        batch.bodies.push((Kind::Ruleset, ruleset, setup.ruleset));
        recorder.core.writer.write(batch, nothing()).wait()?;
        recorder.core.interrupted(&orphans)?;
        // Not before our own first entries: whoever comes then finds the ruleset there.
        if let (Some(ledger), Some(run)) = (&recorder.core.ledger, state.serves()) {
            // A file system without sockets is no reason to serve nobody: there are no others then.
            match serve(ledger.clone(), &run, Serving::default()) {
                Ok(server) => *lock(&recorder.core.server) = Some(server),
                Err(error) => {
                    tracing::warn!(%error, "other processes cannot append through this one");
                }
            }
        }
        Ok(recorder)
    }

    /// A new request from `peer` (the address without its port, for the flood rule), judged under
    /// `ruleset` to its end. Nothing is written yet; whatever happens to the log, even being
    /// dropped, leaves an audit entry.
    pub fn begin(&self, ruleset: &Ruleset, peer: &str, method: &str, path: &str) -> RequestLog {
        RequestLog::new(self.core.clone(), ruleset.digest(), peer, method, path)
    }

    /// Writes aggregated refusals that are due. Call it every few seconds. Never blocks.
    pub fn tick(&self) {
        self.core.writer.headroom().look(self.core.writer.log());
        // After a change of sequencers.
        if let Some(joined) = self.core.writer.joined().filter(|joined| !joined.is_gone()) {
            let orphans = joined.take_orphans();
            if let Err(error) = self.core.close_orphans(&orphans, drop) {
                tracing::error!(%error, "requests without an outcome could not be closed");
            }
        }
        for pending in self.core.aggregates(Some(self.core.now_ms())) {
            drop(pending);
        }
    }

    /// Writes what is still counted and signs a last checkpoint. Blocking.
    pub fn close(&self) -> Result<(), RecordError> {
        for pending in self.core.aggregates(None) {
            pending.wait()?;
        }
        self.core.writer.close();
        drop(lock(&self.core.server).take());
        self.core.writer.log().close().map_err(|error| RecordError::Append(error.to_string()))
    }

    /// The ledger, where this process is its sequencer: for checkpoints and all that follows them.
    pub fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.core.ledger.as_ref()
    }

    /// Number of entries in the ledger, as far as this process knows.
    pub fn size(&self) -> u64 {
        self.core.writer.log().size()
    }

    /// Whether evidence can be written now; if not, answer 503.
    pub fn ready(&self) -> bool {
        self.shut().is_none()
    }

    /// Why no new request may come in, if so: answer 503 with an id, and write nothing.
    pub(crate) fn shut(&self) -> Option<Shut> {
        if !self.core.writer.healthy() {
            return Some(Shut::Evidence);
        }
        if self.core.writer.joined().is_some_and(Joined::is_gone) {
            return Some(Shut::Sequencer);
        }
        self.core.writer.headroom().shut(self.core.writer.log())
    }

    /// Whether the last checkpoint was written: entries that nobody signs are half an evidence.
    pub(crate) fn signed(&self, signed: bool) {
        self.core.writer.headroom().signed(signed);
    }

    /// The ledger stopped for good while a checkpoint was written.
    pub(crate) fn stopped(&self) {
        self.core.writer.stop();
    }

    /// Bytes free beneath the ledger and bytes kept for requests under way, where the disk tells.
    pub(crate) fn room(&self) -> Option<(u64, u64)> {
        self.core.writer.headroom().bytes()
    }

    /// An id for an answer that leaves no evidence.
    pub(crate) fn id(&self) -> String {
        self.core.uuid()
    }

    /// Whether the last entries could be written; while they cannot, nothing may go upstream before
    /// its own are.
    pub(crate) fn taking(&self) -> bool {
        self.core.writer.taking()
    }

    /// Digest of the stored configuration body.
    pub fn config_digest(&self) -> Digest {
        self.core.config
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.core.origin
    }
}

impl Core {
    /// The clock, never running backwards: a receipt is not older than its parents.
    fn now_ms(&self) -> u64 {
        let now = self.clock.now().0;
        let last = self.last_ms.fetch_max(now, Ordering::AcqRel);
        let behind = last.saturating_sub(now) >= NOTICED_MS;
        if self.behind.load(Ordering::Relaxed) != behind
            && self.behind.swap(behind, Ordering::Relaxed) != behind
        {
            match behind {
                true => tracing::warn!(
                    milliseconds = last - now,
                    "the clock went back: time stamps stand still until it has caught up"
                ),
                false => tracing::warn!("the clock has caught up: time stamps go on"),
            }
        }
        last.max(now)
    }

    /// UUIDv4 text from a seed of the start and a counter: unguessable, no system call.
    fn uuid(&self) -> String {
        let count = self.ids.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.seed.hmac(&count)[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = seal::hex::encode(&bytes);
        for dash in [8, 13, 18, 23] {
            text.insert(dash, '-');
        }
        text
    }

    fn salted(&self, kind: &str, value: &Value) -> Result<(Digest, String), RecordError> {
        salted(&self.salt, kind, value)
    }

    fn note_refusal(&self, peer: &str, digest: Digest) -> bool {
        lock(&self.flood).note(peer, digest, self.now_ms())
    }

    /// One entry per peer and window. The peer is named by a keyed digest: it can be recognised
    /// by whoever holds the salt, and not guessed by others.
    fn aggregates(&self, now_ms: Option<u64>) -> Vec<Pending> {
        let due = lock(&self.flood).take(now_ms);
        let write = |aggregate: flood::Aggregate| {
            let peer = hmac_sha256(&self.salt, format!("peer\0{}", aggregate.peer).as_bytes());
            let counted = Value::object([
                ("count", aggregate.count.into()),
                ("first", aggregate.first.into()),
                ("from_ms", aggregate.from_ms.into()),
                ("last", aggregate.last.into()),
                ("peer", seal::hex::encode(&peer[..16]).into()),
                ("until_ms", aggregate.until_ms.into()),
            ]);
            let audit = AuditEntry {
                entry_id: self.uuid(),
                ts_ns: self.now_ms().saturating_mul(1_000_000),
                owner: Owner::unresolved(),
                approval_chain: Vec::new(),
                check_name: "pipeline.preflight".to_owned(),
                decision: AuditDecision::Block,
                reason: "refusals beyond the rate of one peer, counted".to_owned(),
                request_fingerprint: String::new(),
                metadata: vec![
                    member("_request", self.uuid()),
                    member("_stage", "preflight"),
                    member("_outcome", "aggregate"),
                    member("_config", self.config),
                    member("_ruleset", self.ruleset()),
                    member("_code", "aggregated"),
                    member("_aggregate", counted),
                ],
            };
            let committed = Committed::once_durable(audit.entry_id.clone(), None);
            let mut batch = Batch::default();
            batch.audits.push(audit);
            self.writer.write(batch, committed)
        };
        due.into_iter().map(write).collect()
    }

    /// Closes admissions that a crash left without an outcome.
    fn interrupted(&self, orphans: &[(String, Orphan)]) -> Result<(), RecordError> {
        let mut pending = Vec::new();
        self.close_orphans(orphans, |closing| pending.push(closing))?;
        pending.into_iter().try_for_each(|closing| closing.wait().map(drop))
    }

    fn close_orphans(
        &self,
        orphans: &[(String, Orphan)],
        mut each: impl FnMut(Pending),
    ) -> Result<(), RecordError> {
        for some in orphans.chunks(ORPHANS) {
            let mut batch = Batch::default();
            for (request, orphan) in some {
                let (audit, jws) = self.interrupt(request, orphan)?;
                batch.audits.push(audit);
                batch.decisions.push(decision_entry(&jws)?);
            }
            each(self.writer.write(batch, nothing()));
        }
        Ok(())
    }

    fn interrupt(
        &self,
        request: &str,
        orphan: &Orphan,
    ) -> Result<(AuditEntry, String), RecordError> {
        let code = "interrupted";
        let entry_id = self.uuid();
        let empty = Digest::of(b"");
        let close = Close {
            decision: "interrupted",
            code,
            response: None,
            upstream: orphan.text("_upstream").unwrap_or_default(),
            model: orphan.text("_model").unwrap_or_default(),
            heads: orphan.digest("_receipt").into_iter().collect(),
        };
        let jws = self.decide(&Decided {
            request_id: request,
            entry_id: &entry_id,
            request: orphan.fingerprint.parse().unwrap_or(empty),
            route: orphan.text("_route").unwrap_or("other"),
            config: orphan.digest("_config").unwrap_or(self.config),
            ruleset: orphan.digest("_ruleset").unwrap_or_else(|| self.ruleset()),
            close: &close,
            sources: sources_of(&orphan.metadata),
        })?;
        let repeated = [
            "_config",
            "_ruleset",
            "_facts",
            "_how",
            "_method",
            "_route",
            "_upstream",
            "_model",
            "_receipt",
            "_sources",
        ];
        let mut metadata: Vec<_> = orphan
            .metadata
            .iter()
            .filter(|(name, _)| repeated.contains(&name.as_str()))
            .cloned()
            .collect();
        metadata.extend([
            member("_request", request),
            member("_stage", "interrupted"),
            member("_outcome", "interrupted"),
            member("_code", code),
            member("_admission", orphan.entry_id.as_str()),
        ]);
        let audit = AuditEntry {
            entry_id,
            ts_ns: self.now_ms().saturating_mul(1_000_000),
            owner: orphan.owner.clone(),
            approval_chain: orphan.approval_chain.clone(),
            check_name: "pipeline.interrupted".to_owned(),
            decision: AuditDecision::Block,
            reason: "the gateway stopped between admission and outcome".to_owned(),
            request_fingerprint: orphan.fingerprint.clone(),
            metadata,
        };
        Ok((audit, jws))
    }
}

fn nothing() -> Committed {
    Committed::once_durable(String::new(), None)
}

/// As many messages are remembered for lineage; a quarter as many calls.
const REMEMBERED: usize = 65_536;
/// A clock that is set back by less is not worth a line.
const NOTICED_MS: u64 = 1_000;
/// As many orphans are closed in one append.
const ORPHANS: usize = 64;

#[cfg(test)]
mod tests;
