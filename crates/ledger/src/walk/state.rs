//! What a walk knows where it stands: a fault, an end, what is good.

use std::collections::HashMap;

use seal::merkle::Frontier;

use crate::damage::Damage;
use crate::frame::SEGMENT_HEADER;

/// A fault, with what is needed to judge whether a lost write explains it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub damage: Damage,
    /// The file ends within the bad frame or batch, and what is there fits.
    pub short: bool,
    /// No segment follows.
    pub last_segment: bool,
    /// Where the batch begins in the file.
    pub batch_offset: u64,
    /// First index of the batch.
    pub batch_first: u64,
    /// The number the batch has or must have.
    pub batch: u64,
    /// Extent of the bad frame, as far as it is known.
    pub extent: usize,
}

/// Where the walk ended: what an appender continues from.
#[derive(Debug, Clone, Default)]
pub(crate) struct End {
    /// First index of the last segment, if there is one.
    pub segment: Option<u64>,
    /// Length of its good part: behind the last closed batch.
    pub length: u64,
    pub batch: u64,
}

/// What is known to be good: everything before the first fault.
#[derive(Debug, Clone)]
pub(crate) struct Good {
    pub index: u64,
    pub ts: u64,
    pub sequences: HashMap<String, u64>,
    pub frontier: Frontier,
}

/// Where the write of a batch began: the first one of a segment brings the segment's header along.
pub(super) fn write_start(batch: u64) -> u64 {
    if batch == SEGMENT_HEADER as u64 { 0 } else { batch }
}
