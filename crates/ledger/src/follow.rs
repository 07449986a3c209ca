//! Following a ledger while it grows: every entry once, in order, from where one stopped.
//!
//! A follower takes no lock and writes nothing. A poll that brings nothing reads the checkpoint; one
//! that brings entries reads the checkpoint and those entries, whatever the length of the log: once
//! to hold them against the signed root, and once more to hand them over, so that nothing is handed
//! over that the checkpoint does not cover. Segments are found by name, never by listing, except at
//! the beginning and behind a change of the files (a prune, a repair).

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crypt::Identities;
use seal::digest::Digest;
use seal::merkle::Frontier;
use seal::note::{Checkpoint, VerifierKey};

use crate::damage::{Cause, Damage};
use crate::frame;
use crate::head::MAX_CHECKPOINT;
use crate::store::file::FileStore;
use crate::store::{CHECKPOINT, Item, Source};
use crate::survey::read_checkpoint;
use crate::walk::{Found, Pause, Walk};

pub use crate::body::{Body, EntryRef};

/// How far a follower came: enough to go on later, and to tell whether the log still begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The log.
    pub origin: String,
    /// Entries that were handed over or passed by.
    pub size: u64,
    /// Roots of the perfect subtrees over these entries, largest first.
    pub peaks: Vec<Digest>,
}

impl Cursor {
    /// The root over the entries; `None` when the peaks are not those of any tree of this size.
    pub fn root(&self) -> Option<Digest> {
        Frontier::from_peaks(self.size, self.peaks.clone()).map(|frontier| frontier.root())
    }
}

/// Why following ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// No checkpoint and no journal.
    #[error("there is no ledger here: expected `public/checkpoint` and `journal/`")]
    NoLedger,
    /// Something in the files does not hold.
    #[error("{0}; run `countersign verify`")]
    Damage(Damage),
    /// The log has fewer entries than were read of it.
    #[error("the log has {has} entries, {had} were read before: its end was cut off")]
    Shrunk {
        /// Entries read before.
        had: u64,
        /// Entries the checkpoint covers now, or the journal has.
        has: u64,
    },
    /// The log does not begin with what was read of it.
    #[error("the log no longer contains the {size} entries that were read before")]
    Forked {
        /// Entries read before.
        size: u64,
    },
    /// Another log lies here.
    #[error("expected the log {expected}, found {found}")]
    Origin {
        /// The log that was read before.
        expected: String,
        /// The one that is here.
        found: String,
    },
    /// The first entries are not here, so the tree over them cannot be told.
    #[error(
        "the journal begins with entry {first}, and without those before it nothing shows that the checkpoint covers the rest: put the segments before it back into journal/, from a copy or an archive"
    )]
    Archived {
        /// The first entry that is here.
        first: u64,
    },
    /// The peaks of a cursor are not those of a tree of its size.
    #[error("the cursor's peaks do not fit its size")]
    Cursor,
    /// The files cannot be read.
    #[error("the ledger's files cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A reader that goes on where it stopped.
pub struct Follow {
    source: Arc<dyn Source>,
    keys: Option<Vec<VerifierKey>>,
    identities: Option<Arc<Identities>>,
    origin: Option<String>,
    pause: Pause,
    /// The checkpoint that was read last, as it lay there.
    seen: Vec<u8>,
    /// Also entries that no checkpoint covers yet.
    unsigned: bool,
}

/// What a follower does with an entry.
pub type Sink<'f> = &'f mut dyn FnMut(&EntryRef<'_>) -> ControlFlow<()>;

impl Follow {
    /// Begins with the first entry, or behind a cursor. With keys each checkpoint must be signed by
    /// one of them; without, its signature is not judged.
    pub fn open(
        source: Arc<dyn Source>,
        keys: Option<Vec<VerifierKey>>,
        cursor: Option<&Cursor>,
    ) -> Result<Follow, FollowError> {
        let mut follow = Follow {
            source,
            keys,
            identities: None,
            origin: cursor.map(|cursor| cursor.origin.clone()),
            pause: Pause::at_segment(0),
            seen: Vec::new(),
            unsigned: false,
        };
        let frontier = match cursor {
            Some(cursor) => Frontier::from_peaks(cursor.size, cursor.peaks.clone())
                .ok_or(FollowError::Cursor)?,
            None => Frontier::new(),
        };
        let checkpoint = follow.checkpoint().map_err(|error| match error {
            FollowError::Shrunk { has, .. } => FollowError::Shrunk { had: frontier.size(), has },
            error => error,
        })?;
        follow.seen.clear();
        // Before anything is looked for where it may no longer be.
        let covered = checkpoint.map_or(0, |checkpoint| checkpoint.size);
        match follow.find(frontier) {
            Err(FollowError::Shrunk { had, .. }) if had > covered => {
                Err(FollowError::Shrunk { had, has: covered })
            }
            Err(error) => Err(error),
            Ok(pause) => {
                follow.pause = pause;
                Ok(follow)
            }
        }
    }

    /// The same over a directory.
    pub fn open_dir(
        dir: &Path,
        keys: Option<Vec<VerifierKey>>,
        cursor: Option<&Cursor>,
    ) -> Result<Follow, FollowError> {
        // A directory that is not there is an error of its own, not an empty ledger.
        std::fs::metadata(dir)?;
        Follow::open(Arc::new(FileStore::read_only(dir)), keys, cursor)
    }

    /// Also hands over entries of whole batches that no checkpoint covers yet.
    #[must_use]
    pub fn unsigned(mut self, also: bool) -> Follow {
        self.unsigned = also;
        self
    }

    /// Opens encrypted bodies that are addressed to one of these.
    #[must_use]
    pub fn opening(mut self, identities: Option<Arc<Identities>>) -> Follow {
        self.identities = identities;
        self
    }

    /// The log, once a checkpoint named it.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Index of the next entry.
    pub fn size(&self) -> u64 {
        self.pause.index()
    }

    /// How far this follower came; `None` before a first checkpoint or when the beginning of the
    /// log is not here.
    pub fn cursor(&self) -> Option<Cursor> {
        let frontier = self.pause.frontier.as_ref()?;
        let origin = self.origin.clone()?;
        Some(Cursor { origin, size: frontier.size(), peaks: frontier.peaks().to_vec() })
    }

    /// Hands over what is new; returns how many entries that were. A sink that breaks has had its
    /// last entry, and the next poll goes on behind it.
    pub fn poll(&mut self, sink: Sink<'_>) -> Result<u64, FollowError> {
        let before = self.pause.index();
        let (raw, checkpoint) = self.look()?;
        let news = raw != self.seen;
        if let (Some(checkpoint), true) = (&checkpoint, news) {
            self.hold(checkpoint)?;
            let covered = checkpoint.size;
            if covered > before {
                self.hand_over(covered, Some(checkpoint.root), sink)?;
                if self.pause.index() < covered {
                    return Ok(self.pause.index() - before);
                }
            }
        }
        self.seen = raw;
        if self.unsigned {
            let whole = self.twice(&|follow, pause| follow.last_batch(pause))?;
            if whole > self.pause.index() {
                self.hand_over(whole, None, sink)?;
            }
        }
        Ok(self.pause.index() - before)
    }

    /// Whether the log that the checkpoint speaks of begins with what was read.
    fn hold(&mut self, checkpoint: &Checkpoint) -> Result<(), FollowError> {
        let had = self.pause.index();
        if checkpoint.size < had && !self.unsigned {
            return Err(FollowError::Shrunk { had, has: checkpoint.size });
        }
        let same = checkpoint.size == had;
        match self.pause.root() {
            Some(root) if same && root != checkpoint.root => Err(FollowError::Forked { size: had }),
            _ => Ok(()),
        }
    }

    /// Reads up to `to`, holds it against the root, and reads it again for the sink.
    fn hand_over(
        &mut self,
        to: u64,
        root: Option<Digest>,
        sink: Sink<'_>,
    ) -> Result<(), FollowError> {
        let ahead = self.twice(&|follow, pause| {
            follow.read(pause, to, &mut |_| ControlFlow::Continue(())).map(|read| read.root())
        })?;
        match (root, ahead) {
            (Some(expected), Some(found)) if expected != found => {
                return Err(FollowError::Forked { size: self.pause.index() });
            }
            (Some(_), None) if !self.unsigned => {
                return Err(FollowError::Archived { first: self.pause.index() });
            }
            _ => {}
        }
        self.pause = self.read(self.pause.clone(), to, sink)?;
        Ok(())
    }

    /// Does something from where this follower stands. Where the files were written anew in between
    /// (a prune, a repair) the next frame lies elsewhere: the place is looked for once.
    fn twice<T>(
        &mut self,
        act: &dyn Fn(&Follow, Pause) -> Result<T, FollowError>,
    ) -> Result<T, FollowError> {
        match (act(self, self.pause.clone()), self.pause.frontier.clone()) {
            (Err(FollowError::Damage(_)), Some(frontier)) => {
                self.pause = self.find(frontier)?;
                act(self, self.pause.clone())
            }
            (done, _) => done,
        }
    }

    /// Reads entries up to index `to`.
    fn read(&self, from: Pause, to: u64, sink: Sink<'_>) -> Result<Pause, FollowError> {
        let mut at = from;
        while at.index() < to {
            let mut walk = Walk::go_on(&*self.source, &at)?.opening(self.identities.clone());
            loop {
                match walk.next()? {
                    Found::Entry(place) => {
                        let Some(entry) = walk.entry_at(place) else { break };
                        let (flow, next) = (sink(&entry), entry.index + 1);
                        if (flow.is_break() || next >= to)
                            && let Some(here) = walk.pause()
                        {
                            return Ok(here);
                        }
                    }
                    Found::Fault(fault) => return Err(FollowError::Damage(fault.damage)),
                    Found::End => break,
                }
            }
            at = self.behind(walk.pause().unwrap_or(at))?.ok_or_else(|| {
                let (size, journal) = (to, walk.size());
                let mut damage = Damage::of_file(CHECKPOINT, Cause::Beyond { size, journal });
                damage.index = Some(journal);
                FollowError::Damage(damage)
            })?;
        }
        Ok(at)
    }

    /// The beginning of the next segment, if there is one.
    fn behind(&self, end: Pause) -> Result<Option<Pause>, FollowError> {
        let next = end.index();
        if next == end.segment() {
            return Ok(None);
        }
        match self.source.len(&frame::segment_name(next)) {
            Ok(_) => Ok(Some(end.next_segment())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Behind the last entry of a whole batch.
    fn last_batch(&self, from: Pause) -> Result<u64, FollowError> {
        let mut at = from;
        loop {
            let mut walk = Walk::go_on(&*self.source, &at)?;
            let mut closed = at.index().max(walk.closed());
            loop {
                match walk.next()? {
                    Found::Entry(_) => closed = closed.max(walk.closed()),
                    // Being written right now, or torn by a crash.
                    Found::Fault(fault) if fault.short => return Ok(closed),
                    Found::Fault(fault) => return Err(FollowError::Damage(fault.damage)),
                    Found::End => break,
                }
            }
            closed = closed.max(walk.closed());
            match walk.pause().map(|end| self.behind(end)).transpose()?.flatten() {
                Some(next) => at = next,
                None => return Ok(closed),
            }
        }
    }

    /// The place behind the entries of `frontier`.
    fn find(&self, frontier: Frontier) -> Result<Pause, FollowError> {
        let size = frontier.size();
        let mut segments = Vec::new();
        for item in self.source.list()? {
            if let Item::File(name) = item
                && let Some(first) = frame::parse_segment_name(&name)
            {
                segments.push(first);
            }
        }
        segments.sort_unstable();
        let Some(&first) = segments.iter().rev().find(|first| **first <= size) else {
            return match segments.first() {
                Some(&first) => Err(FollowError::Archived { first }),
                None if size == 0 && self.origin.is_some() => Ok(Pause::at_segment(0)),
                None if size == 0 => Err(FollowError::NoLedger),
                None => Err(FollowError::Shrunk { had: size, has: 0 }),
            };
        };
        let start = Pause::at_segment(first);
        let mut pause = match self.read(start, size, &mut |_| ControlFlow::Continue(())) {
            Ok(pause) => pause,
            Err(FollowError::Damage(Damage { cause: Cause::Beyond { size, journal }, .. })) => {
                return Err(FollowError::Shrunk { had: size, has: journal });
            }
            Err(error) => return Err(error),
        };
        if pause.root().is_some_and(|found| found != frontier.root()) {
            return Err(FollowError::Forked { size });
        }
        pause.frontier = Some(frontier);
        Ok(pause)
    }

    fn checkpoint(&mut self) -> Result<Option<Checkpoint>, FollowError> {
        Ok(self.look()?.1)
    }

    /// The checkpoint that lies there now, and what it says.
    fn look(&mut self) -> Result<(Vec<u8>, Option<Checkpoint>), FollowError> {
        let raw = match self.source.read(CHECKPOINT, MAX_CHECKPOINT) {
            Ok(raw) => raw,
            // What was signed once is not there any more: no wait for a first checkpoint.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.origin.is_some() => {
                return Err(FollowError::Shrunk { had: self.pause.index(), has: 0 });
            }
            // The first start has not come so far.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
            Err(error) => return Err(error.into()),
        };
        if raw == self.seen {
            return Ok((raw, None));
        }
        let checkpoint = read_checkpoint(&raw, self.keys.as_deref())
            .map_err(|cause| FollowError::Damage(Damage::of_file(CHECKPOINT, cause)))?;
        match &self.origin {
            Some(expected) if *expected != checkpoint.origin => {
                return Err(FollowError::Origin {
                    expected: expected.clone(),
                    found: checkpoint.origin,
                });
            }
            Some(_) => {}
            None => self.origin = Some(checkpoint.origin.clone()),
        }
        Ok((raw, Some(checkpoint)))
    }
}
