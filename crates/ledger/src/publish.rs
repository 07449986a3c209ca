//! Head and checkpoint: what the log says about itself, in an order that cannot contradict.

use std::io;
use std::sync::Arc;

use seal::cosign::Cosignature;
use seal::digest::Digest;
use seal::note::{self, Checkpoint, NoteSigner};
use seal::signer::Signer;

use crate::append::Failure;
use crate::head::{Head, MAX_CHECKPOINT};
use crate::journal::State;
use crate::materialise::{TileError, Tiles};
use crate::store::joints::{Joints, SwapError};
use crate::store::{CHECKPOINT, HEAD};

/// Writes tiles and heads and signs checkpoints; the only user of the log's key.
pub(crate) struct Publisher {
    pub joints: Joints,
    pub signer: Arc<dyn Signer>,
    pub origin: String,
    /// The tiles as they lie in the store.
    pub tiles: Tiles,
    /// The head as it lies in the store, and what it says.
    pub head: Option<(Vec<u8>, Head)>,
    /// Whether the checkpoint in the store is the one of the head.
    pub published: bool,
}

/// Why no checkpoint was published.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The store refused and everything is as it was: try again later.
    #[error("the checkpoint was not written: {0}; it will be with the next one")]
    Unwritten(Arc<io::Error>),
    /// The ledger stopped.
    #[error("the ledger stopped: {0}; check the disk, then start again")]
    Stopped(Arc<Failure>),
}

/// What a log says about itself, and its word for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Size and root, recorded in the head.
    pub checkpoint: Checkpoint,
    /// The same as a signed note, with the log's line alone.
    pub note: String,
}

pub(crate) enum PublishError {
    Unwritten(io::Error),
    Broken(Failure),
}

impl From<TileError> for PublishError {
    fn from(error: TileError) -> PublishError {
        match error {
            TileError::Unwritten(error) => PublishError::Unwritten(error),
            TileError::Broken(failure) => PublishError::Broken(failure),
        }
    }
}

impl Publisher {
    /// Records and signs a state of the durable tree.
    ///
    /// Its tiles come first: whoever is told of a size finds what the size implies. Then the head,
    /// compared with what we believe it to be. A crash in between leaves a head ahead of the
    /// checkpoint: the next start signs that same head, never another one of its size.
    pub fn publish(&mut self, state: State) -> Result<(), PublishError> {
        self.record(state)?;
        self.sign()?;
        self.tiles.tidy(&*self.joints.blobs);
        Ok(())
    }

    /// The first half of [`Publisher::publish`]: tiles and head, and what is signed of them but not
    /// published yet. Between the halves witnesses may be asked.
    pub fn record(&mut self, state: State) -> Result<Signed, PublishError> {
        let (size, root) = (state.size, state.root);
        self.tiles.advance(&*self.joints.blobs, state)?;
        if self.head.as_ref().is_none_or(|(_, head)| head.size < size) {
            self.advance(size, root)?;
        }
        self.statement()
    }

    /// Signs the head, unless its checkpoint is there.
    pub fn sign(&mut self) -> Result<(), PublishError> {
        if self.published || self.head.is_none() {
            return Ok(());
        }
        let signed = self.statement()?;
        self.write(&signed.note)
    }

    /// Publishes the checkpoint of the head with these cosignatures and those it has already;
    /// `false` when the head is another one by now, and nothing was done.
    pub fn publish_cosigned(
        &mut self,
        checkpoint: &Checkpoint,
        cosignatures: &[Cosignature],
    ) -> Result<bool, PublishError> {
        let mut signed = self.statement()?;
        if signed.checkpoint != *checkpoint {
            return Ok(false);
        }
        let is_new = |line: &str| {
            Cosignature::parse(line).is_ok_and(|old| {
                !cosignatures.iter().any(|new| (&new.name, new.id) == (&old.name, old.id))
            })
        };
        let there = self.joints.blobs.read(CHECKPOINT, MAX_CHECKPOINT).unwrap_or_default();
        let there = String::from_utf8(there).unwrap_or_default();
        // Lines over another text are not worth keeping.
        let kept = there.strip_prefix(&signed.note).unwrap_or_default();
        let kept: String =
            kept.lines().filter(|line| is_new(line)).map(|line| format!("{line}\n")).collect();
        signed.note.push_str(&kept);
        signed.note.extend(cosignatures.iter().map(Cosignature::to_string));
        self.write(&signed.note)?;
        self.tiles.tidy(&*self.joints.blobs);
        Ok(true)
    }

    /// What the log says about its head.
    fn statement(&self) -> Result<Signed, PublishError> {
        let (Some((_, head)), Some(signer)) =
            (&self.head, NoteSigner::new(&self.origin, &*self.signer))
        else {
            // Checked when the ledger was opened; without a name there is nothing to sign as.
            return Err(PublishError::Unwritten(io::ErrorKind::InvalidInput.into()));
        };
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root };
        let note = note::sign(&checkpoint.text(), &[signer]);
        Ok(Signed { checkpoint, note })
    }

    fn write(&mut self, note: &str) -> Result<(), PublishError> {
        // Old or new, either is a checkpoint of ours at or below the head.
        let written = self.joints.blobs.replace(CHECKPOINT, note.as_bytes());
        written.map_err(|error| PublishError::Unwritten(error.into()))?;
        self.published = true;
        Ok(())
    }

    fn advance(&mut self, size: u64, root: Digest) -> Result<(), PublishError> {
        let believed = self.head.as_ref().map(|(bytes, _)| bytes.as_slice());
        let head = Head { origin: self.origin.clone(), size, root };
        let Some(bytes) = head.to_bytes() else {
            return Err(PublishError::Unwritten(io::ErrorKind::InvalidInput.into()));
        };
        self.joints.head.swap(believed, &bytes).map_err(|error| match error {
            SwapError::Moved => PublishError::Broken(Failure::HeadMoved),
            SwapError::Unwritten(error) => PublishError::Unwritten(error),
            SwapError::Broken(error) => {
                PublishError::Broken(Failure::store("replacement", HEAD, error))
            }
        })?;
        self.head = Some((bytes, head));
        self.published = false;
        Ok(())
    }
}
