//! What can be wrong with the files of a ledger, as data.

use std::fmt;

use crate::leaf::LeafError;

/// One thing that is wrong: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the ledger's directory.
    pub file: String,
    /// Where in the file.
    pub offset: u64,
    /// The entry concerned, where it is known. For a lost frame header: the one expected there.
    pub index: Option<u64>,
    /// Why.
    pub cause: Cause,
}

/// Why a file of the ledger is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The header of a segment does not hold.
    #[error("the segment header does not match its checksum")]
    SegmentHeader,
    /// A segment's header and name disagree.
    #[error("the segment's name and its header disagree: the header says index {header}")]
    SegmentName {
        /// The first index in the header.
        header: u64,
    },
    /// A segment does not continue the one before.
    #[error("the segment does not continue its predecessor: index {expected} is expected next")]
    SegmentOrder {
        /// The index that must come next.
        expected: u64,
    },
    /// A frame's header does not hold, or bytes lie outside of any frame.
    #[error(
        "no frame header where one must be: its checksum does not match, or the bytes belong to no frame"
    )]
    FrameHeader,
    /// The file ends inside a frame or a batch.
    #[error("the file ends inside a frame or before the end of its batch")]
    Truncated,
    /// Header and leaf do not match their checksum.
    #[error("the leaf does not match its checksum")]
    LeafChecksum,
    /// The leaf's checksum holds, but the leaf is not one.
    #[error("{0}")]
    Leaf(LeafError),
    /// The frame's body is not as long as the leaf says, or longer than its kind allows.
    #[error("the body has {found} bytes, its leaf says {leaf}")]
    BodyLength {
        /// What the leaf says.
        leaf: u64,
        /// What the frame holds.
        found: u64,
    },
    /// The body does not have the digest in its leaf.
    #[error("the body does not have the digest its leaf states")]
    BodyDigest,
    /// An encrypted body does not match the checksum behind it.
    #[error("the encrypted body does not match its checksum")]
    EncryptedBody,
    /// An encrypted body that is addressed to the identity at hand cannot be decrypted.
    #[error("the encrypted body cannot be decrypted: it was changed, or is not what age writes")]
    Undecryptable,
    /// An index is missing, repeated or out of order.
    #[error("the frame carries index {found}, expected {expected}")]
    Index {
        /// What must come next.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A batch number is missing, repeated or out of order, or a batch was not closed.
    #[error("the frame belongs to batch {found}, expected {expected}")]
    Batch {
        /// What must come next.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A batch trailer disagrees with the frames before it.
    #[error("the batch trailer does not match the frames of its batch")]
    BatchTrailer,
    /// A writer's sequence has a gap or a repetition.
    #[error("writer {writer}: sequence number {found}, expected {expected}")]
    Sequence {
        /// Whose entries.
        writer: String,
        /// What must come next.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// Time runs backwards.
    #[error("the time stamp {found} is before the one of the entry before, {previous}")]
    Time {
        /// The entry before.
        previous: u64,
        /// This entry.
        found: u64,
    },
    /// A file every ledger has is not there.
    #[error("the file is missing")]
    Missing,
    /// The file is not in its one form.
    #[error("the file is not in its canonical form")]
    Form,
    /// The file belongs to another log.
    #[error("the file belongs to the log {found}")]
    Origin {
        /// Whose it is.
        found: String,
    },
    /// Head or checkpoint counts more entries than the journal holds.
    #[error("it covers {size} entries, the journal holds {journal}: the journal was cut")]
    Beyond {
        /// What the file says.
        size: u64,
        /// What is there.
        journal: u64,
    },
    /// The entries do not have the root that was recorded or signed.
    #[error(
        "the journal's first {size} entries do not have this root: an entry was changed, or this file"
    )]
    Root {
        /// How many entries the root covers.
        size: u64,
    },
    /// The checkpoint counts more entries than the head that must precede it.
    #[error(
        "the checkpoint covers {checkpoint} entries, the head only {head}: the head was set back"
    )]
    AheadOfHead {
        /// Size in the checkpoint.
        checkpoint: u64,
        /// Size in the head.
        head: u64,
    },
    /// The checkpoint is not signed by the log's key alone.
    #[error("the checkpoint's signature does not verify, or it carries lines of unknown keys")]
    Signature,
    /// A tile or bundle does not hold what the journal's entries make it hold.
    #[error("it does not hold what the journal's entries have in this place of the tree")]
    Tile,
    /// A tile or bundle covers entries that the journal does not have. Tiles are made of entries
    /// that are durable already, so the entries were there.
    #[error("it covers entries behind the journal's end, entry {journal}: the journal was cut")]
    TileBeyond {
        /// Number of entries in the journal.
        journal: u64,
    },
    /// A tile or bundle that head or checkpoint imply is not there.
    #[error("a tile or bundle of a tree of {size} entries is missing")]
    TileMissing {
        /// The size in head or checkpoint.
        size: u64,
    },
    /// A file that does not belong here.
    #[error("a file that belongs to no ledger: move it away")]
    Unlisted,
}

impl Cause {
    /// Whether a write that never reached the disk can look like this. Everything else means that
    /// bytes were there and are now other bytes.
    pub(crate) fn may_be_lost_write(&self) -> bool {
        match self {
            Cause::SegmentHeader
            | Cause::FrameHeader
            | Cause::Truncated
            | Cause::LeafChecksum
            | Cause::BodyDigest
            | Cause::EncryptedBody
            | Cause::BatchTrailer => true,
            Cause::SegmentName { .. }
            | Cause::SegmentOrder { .. }
            | Cause::Leaf(_)
            | Cause::BodyLength { .. }
            | Cause::Undecryptable
            | Cause::Index { .. }
            | Cause::Batch { .. }
            | Cause::Sequence { .. }
            | Cause::Time { .. }
            | Cause::Missing
            | Cause::Form
            | Cause::Origin { .. }
            | Cause::Beyond { .. }
            | Cause::Root { .. }
            | Cause::AheadOfHead { .. }
            | Cause::Signature
            | Cause::Tile
            | Cause::TileBeyond { .. }
            | Cause::TileMissing { .. }
            | Cause::Unlisted => false,
        }
    }
}

impl Damage {
    pub(crate) fn of_file(file: impl Into<String>, cause: Cause) -> Damage {
        Damage { file: file.into(), offset: 0, index: None, cause }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.file, self.offset)?;
        if let Some(index) = self.index {
            write!(f, ", entry {index}")?;
        }
        write!(f, ": {}", self.cause)
    }
}
