//! The last batch: what a crash may leave behind, and what no crash explains.
//!
//! Batch k+1 is written only after the sync of batch k returned. So only the last batch can be
//! incomplete without anybody's doing, and only in the way disks lose writes: the file is shorter,
//! or whole 512-byte sectors were never written and read as zeros. A sector the batch shares with
//! the one before keeps the earlier bytes, so only the part inside the batch is zero. No written
//! part is ever all zeros: frames begin with a magic, trailers end with one, a header fits into a
//! sector several times, and bodies hold no NUL.

use std::io;

use crate::damage::Damage;
use crate::look::find_header;
use crate::store::Source;
use crate::walk::Fault;
use crate::window::Window;

/// The unit a disk loses.
const SECTOR: u64 = 512;

/// Whether lost writes explain a fault that a start met.
pub(crate) enum Judgement {
    /// Set the batch aside from the bad frame on.
    LostWrites,
    /// Bytes that were there are gone or changed.
    Damaged(Damage),
}

pub(crate) fn judge(source: &dyn Source, fault: &Fault, head_size: u64) -> io::Result<Judgement> {
    let damaged = Ok(Judgement::Damaged(fault.damage.clone()));
    // Below the head everything was synced, whatever it looks like now.
    if !fault.last_segment
        || fault.batch_first < head_size
        || !fault.damage.cause.may_be_lost_write()
    {
        return damaged;
    }
    let mut window = Window::open(source, fault.damage.file.clone())?;
    if !fault.short && !sector_lost(source, &mut window, fault)? {
        return damaged;
    }
    // A frame of a later batch proves that this one was synced once.
    let mut from = fault.damage.offset;
    while let Some((at, header)) = find_header(source, &mut window, from)? {
        if header.batch != fault.batch {
            return damaged;
        }
        from = at + 1;
    }
    Ok(Judgement::LostWrites)
}

/// Whether a sector that the bad frame touches is all zeros as far as it lies inside the batch.
fn sector_lost(source: &dyn Source, window: &mut Window, fault: &Fault) -> io::Result<bool> {
    let length = window.length();
    let from = fault.damage.offset;
    // Where a header is lost, nobody knows how far its frame went: only the header itself counts.
    let to = from.saturating_add(fault.extent as u64).min(length);
    let mut sector = from / SECTOR * SECTOR;
    while sector < to {
        let start = sector.max(fault.batch_offset);
        let end = (sector + SECTOR).min(length);
        let count = usize::try_from(end - start).unwrap_or(0);
        let part = window.load(source, start, count)?;
        if !part.is_empty() && part.iter().all(|&byte| byte == 0) {
            return Ok(true);
        }
        sector += SECTOR;
    }
    Ok(false)
}
