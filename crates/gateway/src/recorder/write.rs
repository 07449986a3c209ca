//! The one place where evidence meets the ledger: audit lines are sealed into the HMAC chain and
//! appended by whoever holds the chain, so that chain order and ledger order are the same.
//!
//! A store that syncs at no cost is written by the caller. Any other is written by one thread, which
//! takes what has gathered during the last sync as its next append: that is the group commit of the
//! gateway. Sealing there, not in the callers, means that a failed append takes the chain back to
//! its last durable line before anything else is sealed behind it.

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use ledger::{AppendError, Entry, Kind, Log, Prepared};
use record::entry::{AuditChain, AuditEntry};
use seal::digest::Digest;
use tokio::sync::oneshot;

use super::RecordError;
use super::joined::{BEAT, Joined};
use super::room::Headroom;
use crate::lineage::{Lineage, Memory};

/// Seals and appends. Receipts are signed before it is called.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// `None` when callers write for themselves.
    thread: Mutex<Option<JoinHandle<()>>>,
    immediate: bool,
}

struct Shared {
    log: Arc<dyn Log>,
    /// Where another process writes the ledger.
    joined: Option<Arc<Joined>>,
    chain: Mutex<Chain>,
    lineage: Mutex<Lineage>,
    queue: Mutex<Queue>,
    wake: Condvar,
    stopped: AtomicBool,
    /// Whether the last append failed.
    failing: AtomicBool,
    headroom: Headroom,
}

/// What only the one who writes may touch.
struct Chain {
    lines: AuditChain,
    /// Time of the last line: entries are made outside the chain, and none may seem older than the
    /// one before it.
    last_ns: u64,
    bodies: HashSet<Digest>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    bytes: usize,
    closed: bool,
}

struct Job {
    batch: Batch,
    bytes: usize,
    committed: Committed,
    fate: Settling,
    reply: oneshot::Sender<Result<Committed, RecordError>>,
}

/// The entries of one append, in the order of the ledger.
#[derive(Default)]
pub(super) struct Batch {
    /// Bodies that are stored once each.
    pub bodies: Vec<(Kind, Digest, String)>,
    pub receipts: Vec<Prepared>,
    pub audits: Vec<AuditEntry>,
    pub decisions: Vec<Prepared>,
    /// Remembered once the append is durable.
    pub memories: Vec<Memory>,
    /// Told whether this append became durable.
    pub fate: Option<Arc<Fate>>,
    /// What this append cites: without it nothing is written.
    pub after: Option<Arc<Fate>>,
}

/// Whether an append that others cite became durable.
#[derive(Default)]
pub(super) struct Fate(AtomicU8);

impl Fate {
    fn settle(&self, durable: bool) {
        self.0.store(if durable { DURABLE } else { LOST }, Ordering::Release);
    }

    /// Jobs are sealed in order, so what is not settled yet stands before in the same append.
    fn is_lost(&self) -> bool {
        self.0.load(Ordering::Acquire) == LOST
    }
}

const DURABLE: u8 = 1;
const LOST: u8 = 2;

/// Tells a batch's fate when it is dropped without having become durable.
struct Settling(Option<Arc<Fate>>);

impl Settling {
    fn durable(mut self) {
        if let Some(fate) = self.0.take() {
            fate.settle(true);
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if let Some(fate) = self.0.take() {
            fate.settle(false);
        }
    }
}

impl Writer {
    /// Writes to `log`, going on with `lines`; `immediate` if its store syncs at no cost.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        log: Arc<dyn Log>,
        joined: Option<Arc<Joined>>,
        immediate: bool,
        lines: AuditChain,
        lineage: Lineage,
        last_ns: u64,
        bodies: HashSet<Digest>,
        headroom: Headroom,
    ) -> io::Result<Writer> {
        headroom.look(&*log);
        let shared = Arc::new(Shared {
            log,
            joined,
            chain: Mutex::new(Chain { lines, last_ns, bodies }),
            lineage: Mutex::new(lineage),
            queue: Mutex::default(),
            wake: Condvar::new(),
            stopped: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            headroom,
        });
        let mut thread = None;
        if !immediate {
            let shared = shared.clone();
            let name = thread::Builder::new().name("recorder".to_owned());
            thread = Some(name.spawn(move || shared.write_until_closed())?);
        }
        Ok(Writer { shared, thread: Mutex::new(thread), immediate })
    }

    pub fn log(&self) -> &dyn Log {
        &*self.shared.log
    }

    /// The way to the process that writes the ledger, where it is another one.
    pub fn joined(&self) -> Option<&Joined> {
        self.shared.joined.as_deref()
    }

    pub fn lineage(&self) -> MutexGuard<'_, Lineage> {
        lock(&self.shared.lineage)
    }

    /// False once the ledger has stopped for good; a full disk may have room again.
    pub fn healthy(&self) -> bool {
        !self.shared.stopped.load(Ordering::Acquire)
    }

    /// The ledger stopped, as something else than an append found out.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Release);
    }

    /// Whether the last append went through.
    pub fn taking(&self) -> bool {
        self.healthy()
            && !self.shared.failing.load(Ordering::Acquire)
            && !self.joined().is_some_and(Joined::is_gone)
    }

    /// The disk beneath.
    pub fn headroom(&self) -> &Headroom {
        &self.shared.headroom
    }

    /// Appends the batch; `committed` is what the durable append proves.
    pub fn write(&self, mut batch: Batch, committed: Committed) -> Pending {
        let (reply, receiver) = oneshot::channel();
        let fate = Settling(batch.fate.take());
        let job = Job { bytes: batch.bytes(), batch, committed, fate, reply };
        if self.immediate {
            self.shared.append(vec![job]);
            return Pending(Ok(receiver));
        }
        let mut queue = lock(&self.shared.queue);
        if queue.closed {
            return Pending::failed(RecordError::Unavailable);
        }
        if queue.bytes.saturating_add(job.bytes) > WAITING {
            return Pending::failed(RecordError::Append(
                "the disk does not keep up, try later".to_owned(),
            ));
        }
        queue.bytes += job.bytes;
        queue.jobs.push(job);
        drop(queue);
        self.shared.wake.notify_one();
        Pending(Ok(receiver))
    }

    /// Writes what waits and takes nothing more.
    pub fn close(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = lock(&self.thread).take()
            // The last request may be dropped by the writing thread itself.
            && thread.thread().id() != thread::current().id()
        {
            // A panic has failed what was queued; there is nothing left to report.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn write_until_closed(&self) {
        let _gone = Gone(self);
        loop {
            let mut queue = lock(&self.queue);
            while queue.jobs.is_empty() {
                if queue.closed {
                    return;
                }
                queue = match &self.joined {
                    None => self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
                    Some(joined) => {
                        let waited = self.wake.wait_timeout(queue, BEAT);
                        drop(waited.unwrap_or_else(PoisonError::into_inner));
                        self.keep_joined(joined);
                        lock(&self.queue)
                    }
                };
            }
            let mut jobs = std::mem::take(&mut queue.jobs);
            queue.bytes = 0;
            drop(queue);
            if let Some(joined) = &self.joined {
                joined.beat();
                // One message takes so much and no more; what one job has goes together.
                while jobs.len() > 1 {
                    let mut bytes = 0;
                    let fit = jobs.iter().take_while(|job| {
                        bytes += job.bytes + FRAME;
                        bytes <= MESSAGE
                    });
                    let rest = jobs.split_off(fit.count().max(1));
                    self.append(std::mem::replace(&mut jobs, rest));
                    if jobs.is_empty() {
                        break;
                    }
                }
            }
            if !jobs.is_empty() {
                self.append(jobs);
            }
        }
    }

    /// Asks whether the sequencer is there; looks for another one when it is gone, and goes on
    /// behind what the ledger has of ours.
    fn keep_joined(&self, joined: &Joined) {
        if self.stopped.load(Ordering::Acquire) {
            return;
        }
        joined.beat();
        if !joined.is_gone() {
            return;
        }
        let mut chain = lock(&self.chain);
        match joined.rejoin() {
            Ok(None) => {}
            Ok(Some(replay)) => {
                let head = replay.head(chain.lines.key_id()).unwrap_or_default();
                chain.lines.rewind(head);
                chain.last_ns = chain.last_ns.max(replay.last_ns);
                chain.remember(replay.bodies.into_iter().collect());
                self.failing.store(false, Ordering::Release);
                self.headroom.look(&*self.log);
            }
            Err(error) => {
                tracing::error!(%error, "the ledger cannot be continued: this gateway refuses requests");
                self.stopped.store(true, Ordering::Release);
            }
        }
    }

    /// One append for all jobs, then their answers. A job that cannot be written fails alone and
    /// leaves no trace in the chain; a failed append fails them all.
    fn append(&self, jobs: Vec<Job>) {
        let mut chain = lock(&self.chain);
        let mut requests = Vec::new();
        if let Some(joined) = &self.joined {
            requests.extend(jobs.iter().flat_map(|job| job.batch.requests()));
            if joined.is_gone() {
                joined.doubt(requests);
                for job in jobs {
                    drop(job.reply.send(Err(RecordError::Unavailable)));
                }
                return;
            }
        }
        let head = chain.lines.head().to_owned();
        let mut entries = Vec::new();
        let mut stored = Vec::new();
        let mut sealed = Vec::with_capacity(jobs.len());
        for job in jobs {
            match chain.seal(job.batch, &mut entries, &mut stored) {
                Ok(memories) => sealed.push((job.reply, job.committed, job.fate, memories)),
                // Whoever asked may be gone: nothing depends on the answer being heard.
                Err(error) => drop(job.reply.send(Err(error))),
            }
        }
        if sealed.is_empty() {
            return;
        }
        let bytes = entries.iter().map(|prepared: &Prepared| prepared.entry().body.len() + FRAME);
        let bytes: usize = bytes.sum();
        match self.log.append_prepared(entries) {
            Ok(_) => {
                self.failing.store(false, Ordering::Release);
                self.headroom.wrote(&*self.log, bytes as u64);
                chain.remember(stored);
                let mut lineage = lock(&self.lineage);
                let mut answers = Vec::with_capacity(sealed.len());
                for (reply, committed, fate, memories) in sealed {
                    fate.durable();
                    memories.into_iter().for_each(|memory| lineage.remember(memory));
                    answers.push((reply, committed));
                }
                drop(lineage);
                drop(chain);
                for (reply, committed) in answers {
                    drop(reply.send(Ok(committed)));
                }
            }
            Err(error) => {
                chain.lines.rewind(head);
                drop(chain);
                let mut full = matches!(
                    error,
                    AppendError::Full(_) | AppendError::Unwritten(_) | AppendError::Busy { .. }
                );
                if matches!(error, AppendError::Full(_)) {
                    self.headroom.full();
                }
                if let Some(joined) = &self.joined {
                    joined.doubt(requests);
                    // What ends here goes on elsewhere.
                    full = joined.failed(&error) || !matches!(error, AppendError::Closed);
                }
                self.stopped.fetch_or(!full, Ordering::AcqRel);
                self.failing.store(true, Ordering::Release);
                let error = RecordError::Append(error.to_string());
                for (reply, _, fate, _) in sealed {
                    drop(fate);
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }
}

/// When the writing thread ends, even by a panic, nobody may wait for it: what is queued fails.
struct Gone<'a>(&'a Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.stopped.fetch_or(thread::panicking(), Ordering::AcqRel);
        let mut queue = lock(&self.0.queue);
        queue.closed = true;
        queue.jobs.clear();
    }
}

impl Chain {
    /// Seals one job's audit lines and adds its entries, all or none.
    fn seal(
        &mut self,
        batch: Batch,
        entries: &mut Vec<Prepared>,
        stored: &mut Vec<Digest>,
    ) -> Result<Vec<Memory>, RecordError> {
        if batch.after.as_ref().is_some_and(|after| after.is_lost()) {
            return Err(RecordError::NotAdmitted);
        }
        let (head, first, known) = (self.lines.head().to_owned(), entries.len(), stored.len());
        let mut result = Ok(batch.memories);
        for (kind, digest, body) in batch.bodies {
            if !self.bodies.contains(&digest) && !stored.contains(&digest) {
                stored.push(digest);
                match prepared(kind, digest.text(), body, Some(digest)) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => result = Err(error),
                }
            }
        }
        entries.extend(batch.receipts);
        for mut audit in batch.audits {
            audit.ts_ns = audit.ts_ns.max(self.last_ns);
            self.last_ns = audit.ts_ns;
            let line = self.lines.seal(audit).map_err(|error| RecordError::Form(error.to_string()));
            match line.and_then(|line| prepared(Kind::Audit, line.entry_id, line.line, None)) {
                Ok(entry) => entries.push(entry),
                Err(error) => result = Err(error),
            }
        }
        entries.extend(batch.decisions);
        if result.is_err() {
            self.lines.rewind(head);
            entries.truncate(first);
            stored.truncate(known);
        }
        result
    }

    fn remember(&mut self, stored: Vec<Digest>) {
        // Forgetting costs a second copy of a body, nothing else.
        if self.bodies.len() > BODIES {
            self.bodies.clear();
        }
        self.bodies.extend(stored);
    }
}

impl Batch {
    /// A batch that cites what another append wrote.
    pub fn after(fate: &Arc<Fate>) -> Batch {
        Batch { after: Some(fate.clone()), ..Batch::default() }
    }

    /// The requests that its audit lines speak of.
    fn requests(&self) -> impl Iterator<Item = String> + '_ {
        let audits = self.audits.iter();
        audits.filter_map(|audit| audit.meta_text("_request").map(str::to_owned))
    }

    /// About as many bytes as will wait for the disk.
    fn bytes(&self) -> usize {
        let bodies: usize = self.bodies.iter().map(|(_, _, body)| body.len()).sum();
        let entries = self.receipts.iter().chain(&self.decisions);
        let entries: usize = entries.map(|prepared| prepared.entry().body.len()).sum();
        bodies + entries + self.audits.len() * LINE
    }
}

/// An entry that the ledger will take, since it refuses a whole append for one that it does not.
/// `digest`: of the body, where it is known already.
pub(super) fn prepared(
    kind: Kind,
    id: String,
    body: String,
    digest: Option<Digest>,
) -> Result<Prepared, RecordError> {
    let entry = Entry { kind, id, body: body.into_bytes() };
    match digest {
        Some(digest) => Prepared::digested(entry, digest),
        None => Prepared::of(entry),
    }
    .map_err(|error| RecordError::Form(error.to_string()))
}

/// Resolves when the entries are durable. Dropping it does not stop the writing.
pub struct Pending(Result<oneshot::Receiver<Result<Committed, RecordError>>, RecordError>);

impl Pending {
    pub(super) fn failed(error: RecordError) -> Pending {
        Pending(Err(error))
    }

    pub(super) fn done(committed: Committed) -> Pending {
        let (sender, receiver) = oneshot::channel();
        let _ = sender.send(Ok(committed));
        Pending(Ok(receiver))
    }

    /// Whether it is known already that nothing was written.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.is_err()
    }

    /// Waits on this thread: for start and stop, where a runtime may or may not be there.
    pub(super) fn wait(mut self) -> Result<Committed, RecordError> {
        let waker = Arc::new(Unpark(std::thread::current())).into();
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

impl Future for Pending {
    type Output = Result<Committed, RecordError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|result| result.unwrap_or(Err(RecordError::Unavailable))),
            Err(error) => Poll::Ready(Err(error.clone())),
        }
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Proof that the entries of one step are durable; only a durable append makes one.
#[derive(Debug)]
pub struct Committed {
    entry_id: String,
    receipt: Option<String>,
}

impl Committed {
    pub(super) fn once_durable(entry_id: String, receipt: Option<String>) -> Committed {
        Committed { entry_id, receipt }
    }

    /// The audit entry's id; empty for an aggregated refusal, whose entry comes later.
    pub fn entry_id(&self) -> &str {
        &self.entry_id
    }

    /// The decision receipt for `X-Countersign-Receipt`; `None` for admissions and aggregated
    /// refusals.
    pub fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }
}

/// A panic elsewhere leaves these maps whole: each change is one call.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many bytes of jobs go in one message to another process's sequencer.
const MESSAGE: usize = 8 << 20;
/// As many stored bodies are remembered.
const BODIES: usize = 16_384;
/// More waiting bytes are refused: the request gets 503.
const WAITING: usize = 64 << 20;
/// What the ledger adds to a body, roughly.
const FRAME: usize = 512;
/// An audit line, roughly.
const LINE: usize = 2048;
