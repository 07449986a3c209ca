//! The sequencer: many callers, one order, one write and one sync per batch.
//!
//! Group commit without a thread of its own: a caller who finds nobody writing writes for itself
//! (no hop); callers who come meanwhile wait, and one of them writes the next batch for all.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crypt::Recipients;
use seal::cosign::Cosignature;
use seal::digest::Digest;
use seal::note::{Checkpoint, VerifierKey};
use seal::tile::{self, TileError};

use crate::append::{AppendError, Failure};
use crate::body::Body;
use crate::entry::{Entry, Prepared};
use crate::journal::{CommitError, Journal, State};
use crate::leaf::Leaf;
use crate::lock::Lock;
use crate::log::LogState;
use crate::open::{self, OpenError};
use crate::options::Options;
use crate::publish::{CheckpointError, PublishError, Publisher, Signed};
use crate::store::Room;
use crate::store::joints::{Blobs, Joints};
use crate::stored::StoredTiles;

/// An open ledger: the one place where evidence becomes durable.
///
/// Dropping it without [`Ledger::close`] is what a crash looks like: everything acknowledged is
/// there, the last entries are not covered by a checkpoint yet.
pub struct Ledger {
    core: Arc<Core>,
    committer: Mutex<Option<JoinHandle<()>>>,
    _lock: Option<Lock>,
}

/// What is called when submitted entries are durable, or not.
pub type Done = Box<dyn FnOnce(Result<Range<u64>, AppendError>) + Send>;

impl Ledger {
    /// Opens a ledger, makes it if the store is empty, and verifies everything in it.
    ///
    /// `visit` sees every entry in order, a repair entry written by this very start included. When
    /// an error is returned, what was visited must be forgotten.
    ///
    /// `store` is a [`crate::Store`], which makes both joints, or a pair of [`Joints`].
    pub fn open(
        store: impl Into<Joints>,
        options: Options,
        visit: &mut dyn FnMut(u64, &Leaf, Body<'_>),
    ) -> Result<Ledger, OpenError> {
        let Options { batch_bytes, queue_bytes, .. } = options;
        let recipients = options.recipients.clone();
        let (opened, lock) = open::open(store.into(), options, visit)?;
        let core = Core {
            store: opened.journal.store.clone(),
            immediate: opened.journal.store.is_immediate(),
            recipients,
            batch_bytes,
            queue_bytes,
            size: AtomicU64::new(opened.journal.index),
            vkey: opened.vkey,
            writer: opened.journal.writer.clone(),
            checkpointed: AtomicU64::new(0),
            journal: Mutex::new(opened.journal),
            publisher: Mutex::new(opened.publisher),
            queue: Mutex::default(),
            wake: Condvar::new(),
        };
        Ok(Ledger { core: Arc::new(core), committer: Mutex::default(), _lock: lock })
    }

    /// Appends entries, contiguous and in this order, and returns their indices once they are
    /// durable. Blocks for one sync, or two when another batch is being written.
    pub fn append(&self, entries: Vec<Entry>) -> Result<Range<u64>, AppendError> {
        self.append_call(Call::prepare(entries, self.core.recipients.as_deref())?)
    }

    /// As [`Ledger::append`], for entries that are prepared already.
    pub fn append_prepared(&self, entries: Vec<Prepared>) -> Result<Range<u64>, AppendError> {
        self.append_call(Call::of(entries, self.core.recipients.as_deref())?)
    }

    fn append_call(&self, call: Call) -> Result<Range<u64>, AppendError> {
        if call.entries.is_empty() {
            return Ok(self.size()..self.size());
        }
        let core = &*self.core;
        let mut queue = core.admit(call.bytes)?;
        if !queue.leading && queue.waiting.is_empty() {
            queue.leading = true;
            drop(queue);
            return core.lead(call);
        }
        let ticket = queue.push(call, Reply::Ticket);
        loop {
            if let Some(result) = queue.results.remove(&ticket) {
                core.leave(queue);
                return result;
            }
            if !queue.leading && !queue.waiting.is_empty() {
                queue = core.lead_waiting(queue);
                continue;
            }
            if !queue.leading {
                // Nobody writes, nothing waits, and no result: the leader of this call was lost.
                let lost = || Arc::new(Failure::Abandoned);
                return Err(AppendError::Failed(queue.stopped.clone().unwrap_or_else(lost)));
            }
            queue = core.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Appends entries and calls `done` when they are durable, or with the reason why not.
    ///
    /// Never waits for a disk: a store that syncs at no cost commits here and now, any other through
    /// one thread that starts with the first call. `done` runs on either thread and must not block.
    pub fn submit(&self, entries: Vec<Entry>, done: Done) {
        let call = match Call::prepare(entries, self.core.recipients.as_deref()) {
            Ok(call) if call.entries.is_empty() => return done(Ok(self.size()..self.size())),
            Ok(call) => call,
            Err(error) => return done(Err(error)),
        };
        let core = &*self.core;
        let mut queue = match core.admit(call.bytes) {
            Ok(queue) => queue,
            Err(error) => return done(Err(error)),
        };
        if core.immediate && !queue.leading && queue.waiting.is_empty() {
            queue.leading = true;
            drop(queue);
            return done(core.lead(call));
        }
        queue.push(call, Reply::Done(done));
        drop(queue);
        // With an immediate store whoever leads drains the queue before it leaves.
        if !core.immediate {
            self.start_committer();
            core.wake.notify_all();
        }
    }

    /// Number of durable entries.
    pub fn size(&self) -> u64 {
        self.core.size.load(Ordering::Acquire)
    }

    /// How much room the store has for more; `None` where nothing tells.
    pub fn room(&self) -> io::Result<Option<Room>> {
        self.core.store.room()
    }

    /// Root over all durable entries.
    pub fn root(&self) -> Digest {
        lock(&self.core.journal).frontier.root()
    }

    /// Size, root and room now. Does not wait for a checkpoint that is being signed.
    pub fn state(&self) -> LogState {
        let core = &*self.core;
        if let Ok(publisher) = core.publisher.try_lock()
            && let Some((_, head)) = publisher.head.as_ref().filter(|_| publisher.published)
        {
            core.checkpointed.fetch_max(head.size, Ordering::AcqRel);
        }
        let (size, root) = {
            let journal = lock(&core.journal);
            (journal.index, journal.frontier.root())
        };
        let checkpointed = core.checkpointed.load(Ordering::Acquire);
        LogState { size, root, checkpointed, room: core.store.room().ok().flatten() }
    }

    /// The next sequence number of a writer.
    pub fn next_seq(&self, writer: &str) -> u64 {
        lock(&self.core.journal).next_seq(writer)
    }

    /// Whether bodies are encrypted before they are written ([`Options::recipients`]).
    pub fn encrypts(&self) -> bool {
        self.core.recipients.is_some()
    }

    /// Who appends through this ledger itself.
    pub fn writer(&self) -> &str {
        &self.core.writer
    }

    /// What stopped the ledger, if it stopped.
    pub fn stopped(&self) -> Option<Arc<Failure>> {
        lock(&self.core.queue).stopped.clone()
    }

    /// The key that verifies this log's checkpoints.
    pub fn vkey(&self) -> &VerifierKey {
        &self.core.vkey
    }

    /// Records and signs the current size and root. Appends go on meanwhile.
    pub fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.core.checkpoint()
    }

    /// The first half of [`Ledger::checkpoint`]: everything durable has its tiles and is recorded in
    /// the head, and the log's word for it is returned but not published. Whoever asks witnesses
    /// does so now, and then calls [`Ledger::publish_cosigned`], with or without cosignatures; a
    /// crash before that is made good by the next start.
    pub fn sign_checkpoint(&self) -> Result<Signed, CheckpointError> {
        self.core.publishing(|publisher, state| publisher.record(state))
    }

    /// Publishes a checkpoint of [`Ledger::sign_checkpoint`] with cosignature lines, which the caller
    /// verified, behind the log's own; those that are published already stay. `false` when a larger
    /// one was recorded meanwhile: nothing was done, and that one is for its own caller. Also after
    /// [`Ledger::close`], while this is alive.
    pub fn publish_cosigned(
        &self,
        checkpoint: &Checkpoint,
        cosignatures: &[Cosignature],
    ) -> Result<bool, CheckpointError> {
        self.core.publishing(|publisher, _| publisher.publish_cosigned(checkpoint, cosignatures))
    }

    /// The proof that a tree of `new` entries extends the one of its first `old`, from the tiles;
    /// `new` is the size of a checkpoint of ours. Reads a few files.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>, TileError<io::Error>> {
        tile::consistency(&StoredTiles(&*self.core.store), old, new)
    }

    /// Waits for what was handed in, takes nothing more, and publishes a last checkpoint.
    pub fn close(&self) -> Result<(), CheckpointError> {
        let mut queue = lock(&self.core.queue);
        queue.closed = true;
        self.core.wake.notify_all();
        while queue.leading || !queue.waiting.is_empty() {
            queue = match queue.leading {
                true => self.core.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
                false => self.core.lead_waiting(queue),
            };
        }
        drop(queue);
        self.join_committer();
        self.core.checkpoint()
    }

    fn start_committer(&self) {
        let mut committer = lock(&self.committer);
        if committer.is_some() {
            return;
        }
        let core = self.core.clone();
        let thread = thread::Builder::new().name("ledger".into());
        match thread.spawn(move || core.commit_until_closed()) {
            Ok(handle) => *committer = Some(handle),
            // No thread to be had: then this caller writes, late rather than never.
            Err(_) => {
                let mut queue = lock(&self.core.queue);
                while !queue.leading && !queue.waiting.is_empty() {
                    queue = self.core.lead_waiting(queue);
                }
            }
        }
    }

    fn join_committer(&self) {
        let handle = lock(&self.committer).take();
        if let Some(handle) = handle
            // A callback may own the last reference to this ledger: a thread cannot join itself.
            && handle.thread().id() != thread::current().id()
        {
            // Its panics are caught and stop the ledger; there is nothing left to report.
            let _ = handle.join();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        lock(&self.core.queue).closed = true;
        self.core.wake.notify_all();
        self.join_committer();
    }
}

struct Core {
    store: Arc<dyn Blobs>,
    immediate: bool,
    /// Encrypts bodies, in the thread of whoever hands them in.
    recipients: Option<Arc<Recipients>>,
    batch_bytes: usize,
    queue_bytes: usize,
    size: AtomicU64,
    vkey: VerifierKey,
    writer: String,
    /// As far as anybody asked.
    checkpointed: AtomicU64,
    /// Held while a batch is written, so what it says is durable for whoever gets it.
    journal: Mutex<Journal>,
    /// Taken before `journal`, never after it.
    publisher: Mutex<Publisher>,
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Somebody writes a batch.
    leading: bool,
    closed: bool,
    stopped: Option<Arc<Failure>>,
    waiting: VecDeque<(Call, Reply, u64)>,
    waiting_bytes: usize,
    tickets: u64,
    results: HashMap<u64, Result<Range<u64>, AppendError>>,
}

/// All entries of one call.
struct Call {
    entries: Vec<Prepared>,
    bytes: usize,
}

enum Reply {
    /// A thread waits for the result under its ticket.
    Ticket,
    Done(Done),
}

impl Call {
    fn prepare(entries: Vec<Entry>, recipients: Option<&Recipients>) -> Result<Call, AppendError> {
        let entries = entries
            .into_iter()
            .map(Prepared::of)
            .collect::<Result<Vec<Prepared>, AppendError>>()?;
        Call::of(entries, recipients)
    }

    fn of(entries: Vec<Prepared>, recipients: Option<&Recipients>) -> Result<Call, AppendError> {
        let entries = match recipients {
            Some(recipients) => entries
                .into_iter()
                .map(|prepared| prepared.encrypted_for(recipients))
                .collect::<Result<_, _>>()?,
            None => entries,
        };
        // A frame's overhead and leaf, roughly; bodies dominate.
        let bytes = entries.iter().map(|prepared| prepared.stored_len() + 512).sum();
        Ok(Call { entries, bytes })
    }
}

impl Queue {
    fn push(&mut self, call: Call, reply: Reply) -> u64 {
        self.tickets += 1;
        self.waiting_bytes += call.bytes;
        self.waiting.push_back((call, reply, self.tickets));
        self.tickets
    }
}

impl Core {
    /// The queue, if it takes a call of this size.
    fn admit(&self, bytes: usize) -> Result<MutexGuard<'_, Queue>, AppendError> {
        let queue = lock(&self.queue);
        if queue.closed {
            return Err(AppendError::Closed);
        }
        if let Some(failure) = &queue.stopped {
            return Err(AppendError::Stopped(failure.clone()));
        }
        let waiting = queue.waiting_bytes;
        if !queue.waiting.is_empty() && waiting.saturating_add(bytes) > self.queue_bytes {
            return Err(AppendError::Busy { waiting, limit: self.queue_bytes });
        }
        Ok(queue)
    }

    /// Writes one call as a batch of its own. The caller has set `leading`.
    fn lead(&self, call: Call) -> Result<Range<u64>, AppendError> {
        let lead = Lead { core: self };
        let result = self.write(call.entries.iter()).map(|first| {
            let end = first + call.entries.len() as u64;
            first..end
        });
        // The memory of the bodies goes back before the next leader is let in.
        drop(call);
        lead.finish();
        self.leave(lock(&self.queue));
        result
    }

    /// What a caller owes before it goes: with an immediate store no thread writes what was only
    /// submitted while it led, so whoever led drains the queue.
    fn leave<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) {
        while self.immediate && !queue.leading && !queue.waiting.is_empty() {
            queue = self.lead_waiting(queue);
        }
    }

    /// Writes waiting calls as one batch and hands out their results. Nobody leads yet, and
    /// somebody waits.
    fn lead_waiting<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let mut calls = Vec::new();
        let mut bytes = 0usize;
        while let Some((call, _, _)) = queue.waiting.front() {
            if !calls.is_empty() && bytes.saturating_add(call.bytes) > self.batch_bytes {
                break;
            }
            bytes = bytes.saturating_add(call.bytes);
            calls.extend(queue.waiting.pop_front());
        }
        queue.waiting_bytes = queue.waiting_bytes.saturating_sub(bytes);
        let stopped = queue.stopped.clone();
        queue.leading = true;
        drop(queue);

        let lead = Lead { core: self };
        let entries = calls.iter().flat_map(|(call, _, _)| call.entries.iter());
        let mut result = match stopped {
            None => self.write(entries),
            Some(failure) => Err(AppendError::Stopped(failure)),
        };
        let mut tickets = Vec::new();
        let mut callbacks = Vec::new();
        for (call, reply, ticket) in calls {
            let part = result.clone().map(|first| first..first + call.entries.len() as u64);
            if let (Ok(first), Ok(part)) = (&mut result, &part) {
                *first = part.end;
            }
            match reply {
                Reply::Ticket => tickets.push((ticket, part)),
                Reply::Done(done) => callbacks.push((done, part)),
            }
        }
        // Threads first: they can go on while the callbacks run.
        lock(&self.queue).results.extend(tickets);
        lead.finish();
        for (done, part) in callbacks {
            // A callback that panics is its owner's fault, not a reason to stop the evidence.
            let _ = catch_unwind(AssertUnwindSafe(|| done(part)));
        }
        lock(&self.queue)
    }

    fn write<'a>(&self, entries: impl Iterator<Item = &'a Prepared>) -> Result<u64, AppendError> {
        let mut journal = lock(&self.journal);
        match journal.commit(entries) {
            Ok(first) => {
                self.size.store(journal.index, Ordering::Release);
                Ok(first)
            }
            Err(CommitError::Full(error)) => Err(AppendError::Full(Arc::new(error))),
            Err(CommitError::Unwritten(error)) => Err(AppendError::Unwritten(Arc::new(error))),
            Err(CommitError::Broken(failure)) => Err(AppendError::Failed(self.stop(failure))),
        }
    }

    /// Fail closed: nothing is appended or signed any more until the ledger is opened again.
    fn stop(&self, failure: Failure) -> Arc<Failure> {
        lock(&self.queue).stopped.get_or_insert(Arc::new(failure)).clone()
    }

    fn commit_until_closed(&self) {
        let mut queue = lock(&self.queue);
        loop {
            if !queue.leading && !queue.waiting.is_empty() {
                queue = self.lead_waiting(queue);
            } else if queue.closed && queue.waiting.is_empty() {
                return;
            } else {
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.publishing(|publisher, state| publisher.publish(state))
    }

    /// One publisher at a time, and none behind a failure.
    fn publishing<T>(
        &self,
        act: impl FnOnce(&mut Publisher, State) -> Result<T, PublishError>,
    ) -> Result<T, CheckpointError> {
        let mut publisher = lock(&self.publisher);
        let state = lock(&self.journal).state();
        if let Some(failure) = &lock(&self.queue).stopped {
            return Err(CheckpointError::Stopped(failure.clone()));
        }
        match act(&mut publisher, state) {
            Ok(done) => Ok(done),
            Err(PublishError::Unwritten(error)) => Err(CheckpointError::Unwritten(Arc::new(error))),
            Err(PublishError::Broken(failure)) => Err(CheckpointError::Stopped(self.stop(failure))),
        }
    }
}

/// The duty to let the next one lead, also when the leader panics.
struct Lead<'a> {
    core: &'a Core,
}

impl Lead<'_> {
    fn finish(self) {
        drop(self);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.core.queue);
        if thread::panicking() {
            // The journal's state is unknown. Whoever waits learns of it as the next leader.
            queue.stopped.get_or_insert(Arc::new(Failure::Abandoned));
        }
        queue.leading = false;
        // A wake-up is a system call: not for a lone caller.
        let wanted = queue.closed || !queue.waiting.is_empty() || !queue.results.is_empty();
        let wanted = wanted || queue.stopped.is_some();
        drop(queue);
        if wanted {
            self.core.wake.notify_all();
        }
    }
}

/// A lock whose data is consistent even if a holder panicked: `Lead` stops the ledger then.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
