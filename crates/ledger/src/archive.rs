//! Copies of full segments, and bringing their bodies back.
//!
//! An archive is a directory with the segments as they were (`journal/`), the checkpoint of the day
//! (`public/checkpoint`) and `manifest.json`. A segment is listed only after its copy was made
//! durable and read back. Nothing in an archive is believed when it comes back: leaves must be the
//! bytes that the ledger has, bodies must have the digests that those state.

mod manifest;

use std::io;
use std::sync::Arc;

use crypt::Identities;
use seal::digest::Digest;
use seal::note::VerifierKey;

use crate::damage::{Cause, Damage};
use crate::frame::{self, Form};
use crate::prune;
use crate::segment::{Choice, Segment};
use crate::store::{CHECKPOINT, Source, Store};
use crate::survey::{Statements, Survey};
use crate::walk::{Found, Walk};

pub use manifest::{ArchivedSegment, Manifest};

/// What an archive run did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Archived {
    /// Everything the archive now holds.
    pub manifest: Manifest,
    /// How many segments were copied by this run.
    pub copied: u64,
    /// How many were there already, read again and found whole.
    pub there: u64,
    /// Bytes copied.
    pub bytes: u64,
}

/// What a restore did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Segments that were written anew.
    pub segments: u64,
    /// Bodies that came back.
    pub bodies: u64,
    /// Bodies that stay away: the archive has them neither.
    pub missing: u64,
}

/// Why nothing, or not everything, was archived or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The ledger is not whole.
    #[error(
        "{0}; a damaged ledger is neither archived nor restored into: run `countersign verify`"
    )]
    Damaged(Damage),
    /// There is no manifest.
    #[error("there is no manifest.json: this is no archive, or it was never finished")]
    NoManifest,
    /// The manifest is not in its form.
    #[error("manifest.json is not in the form an archive writes")]
    Manifest,
    /// The archive is of another log.
    #[error("the archive is of the log {archive}, the ledger is {ledger}")]
    Origin {
        /// Whose archive.
        archive: String,
        /// Whose ledger.
        ledger: String,
    },
    /// A copy is not what the manifest says.
    #[error(
        "{file} in the archive has the digest {found}, the manifest says {expected}: use another copy"
    )]
    Copy {
        /// The segment.
        file: String,
        /// What the manifest says.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// The archive's segment has other entries.
    #[error("{file} in the archive is of another history of this log; use another directory")]
    History {
        /// The segment.
        file: String,
    },
    /// A copy does not hold by itself.
    #[error("in the archive: {0}")]
    CopyDamaged(Damage),
    /// A leaf of the archive is not the ledger's.
    #[error(
        "entry {index}: the archive has another leaf than the ledger; nothing was taken from it"
    )]
    Leaf {
        /// The entry.
        index: u64,
    },
    /// An archived body is encrypted and cannot be held against its leaf.
    #[error(
        "entry {index} is encrypted in the archive: name the identity, so that it can be checked"
    )]
    Encrypted {
        /// The entry.
        index: u64,
    },
    /// The ledger's files.
    #[error("the ledger's files cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// The archive's files.
    #[error("the archive's files cannot be read or written: {0}")]
    Archive(io::Error),
}

/// Copies the full segments under the checkpoint, those that end at or before a time (Unix
/// milliseconds) if one is given. What the archive has already is read again, never overwritten: it
/// may hold bodies that are pruned here by now. Takes nothing away.
pub fn archive(
    source: &dyn Source,
    key: &VerifierKey,
    to: &dyn Store,
    before: Option<u64>,
) -> Result<Archived, ArchiveError> {
    let survey = Survey::read(source)?;
    let mut damage: Vec<Damage> = survey.unlisted_damage().collect();
    let keys = std::slice::from_ref(key);
    let statements = Statements::read(&survey, Some(keys), &mut damage);
    refuse(&mut damage)?;
    let (Some(checkpoint), Some(note)) = (&statements.checkpoint, &survey.checkpoint) else {
        return Err(ArchiveError::Damaged(Damage::of_file(CHECKPOINT, Cause::Missing)));
    };
    let mut closed = prune::closed(source, &survey.segments, checkpoint.size)?;
    closed.retain(|extent| before.is_none_or(|before| extent.until <= before));

    // The roots that the copies will be known by; on the way the whole ledger is verified.
    let mut sizes = statements.sizes();
    sizes.extend(closed.iter().map(|extent| extent.end));
    let mut walk = Walk::new(source, survey.segments.clone(), &sizes);
    loop {
        match walk.next()? {
            Found::Entry(_) => {}
            Found::End => break,
            Found::Fault(fault) => return Err(ArchiveError::Damaged(fault.damage)),
        }
    }
    statements.compare(&walk, &mut damage);
    refuse(&mut damage)?;

    let mut manifest = match Manifest::read(to) {
        Err(ArchiveError::NoManifest) => Manifest::new(&checkpoint.origin),
        read => read?,
    };
    if manifest.origin != checkpoint.origin {
        let (archive, ledger) = (manifest.origin, checkpoint.origin.clone());
        return Err(ArchiveError::Origin { archive, ledger });
    }
    let (mut copied, mut there, mut bytes) = (0, 0, 0);
    for extent in &closed {
        let file = frame::segment_name(extent.first);
        if let Some(known) = manifest.find(&file) {
            // The same entries, whatever became of their bodies here or there.
            if known.end != extent.end || walk.root_at(extent.end) != Some(known.root) {
                return Err(ArchiveError::History { file });
            }
            read_copy(to, known)?;
            there += 1;
            continue;
        }
        let content = prune::whole(source, &file)?;
        Segment::read(&file, &content).map_err(ArchiveError::Damaged)?;
        let Some(root) = walk.root_at(extent.end) else {
            return Err(ArchiveError::Damaged(Damage::of_file(file, Cause::Truncated)));
        };
        to.replace(&file, &content).map_err(ArchiveError::Archive)?;
        let segment = ArchivedSegment {
            bytes: content.len() as u64,
            digest: Digest::of(&content),
            end: extent.end,
            file: file.clone(),
            first: extent.first,
            root,
            until: extent.until,
        };
        // Listed only once it was read back.
        read_copy(to, &segment)?;
        to.freeze(&file).map_err(ArchiveError::Archive)?;
        copied += 1;
        bytes += segment.bytes;
        manifest.segments.push(segment);
    }
    manifest.segments.sort_by_key(|segment| segment.first);
    to.replace(CHECKPOINT, note).map_err(ArchiveError::Archive)?;
    manifest.write(to)?;
    Ok(Archived { manifest, copied, there, bytes })
}

/// Brings bodies back into pruned segments. The caller holds the ledger's lock.
///
/// Every segment is checked as a whole before it is swapped in; a crash leaves the old one or the
/// new one.
pub fn restore(
    store: &dyn Store,
    key: &VerifierKey,
    from: &dyn Source,
    identities: Option<Arc<Identities>>,
) -> Result<Restored, ArchiveError> {
    let manifest = Manifest::read(from)?;
    let survey = Survey::read(store)?;
    let mut damage: Vec<Damage> = Vec::new();
    let statements = Statements::read(&survey, Some(std::slice::from_ref(key)), &mut damage);
    refuse(&mut damage)?;
    let checkpoint = statements.checkpoint;
    let ledger = checkpoint.as_ref().map(|cp| cp.origin.clone()).unwrap_or_default();
    if manifest.origin != ledger {
        return Err(ArchiveError::Origin { archive: manifest.origin, ledger });
    }
    let size = checkpoint.map_or(0, |checkpoint| checkpoint.size);
    let mut restored = Restored::default();
    for extent in prune::closed(store, &survey.segments, size)? {
        let name = frame::segment_name(extent.first);
        let content = prune::whole(store, &name)?;
        let ours = Segment::read(&name, &content).map_err(ArchiveError::Damaged)?;
        let pruned = ours.frames.iter().filter(|frame| frame.form == Form::Pruned).count() as u64;
        if pruned == 0 {
            continue;
        }
        let Some(known) = manifest.find(&name) else {
            restored.missing += pruned;
            continue;
        };
        let copy = read_copy(from, known)?;
        let theirs = Segment::read(&name, &copy).map_err(ArchiveError::CopyDamaged)?;
        let back = fitting(&ours, &theirs, identities.as_deref())?;
        restored.missing += pruned - back;
        if back == 0 {
            continue;
        }
        let (fresh, _) = ours.rewrite(&mut |frame| match (frame.form, theirs.frame(frame.index)) {
            (Form::Pruned, Some(found)) if found.form != Form::Pruned => {
                Choice::Put(found.form, theirs.stored(found))
            }
            _ => Choice::Keep,
        });
        // What is about to count as evidence again is judged as evidence is.
        Segment::read(&name, &fresh).map_err(ArchiveError::CopyDamaged)?;
        store.replace(&name, &fresh)?;
        store.freeze(&name)?;
        restored.segments += 1;
        restored.bodies += back;
    }
    Ok(restored)
}

/// How many bodies the archive has that the ledger lacks, if all leaves are the same bytes and all
/// those bodies have the digests these state. Plain ones were compared when the copy was read.
fn fitting(
    ours: &Segment<'_>,
    theirs: &Segment<'_>,
    identities: Option<&Identities>,
) -> Result<u64, ArchiveError> {
    let mut back = 0;
    for frame in &ours.frames {
        let index = frame.index;
        let Some(found) = theirs.frame(index) else { return Err(ArchiveError::Leaf { index }) };
        if ours.leaf_bytes(frame) != theirs.leaf_bytes(found) {
            return Err(ArchiveError::Leaf { index });
        }
        if frame.form != Form::Pruned || found.form == Form::Pruned {
            continue;
        }
        if found.form == Form::Encrypted {
            let refused = || ArchiveError::Encrypted { index };
            let opened = crate::body::decrypt(
                identities.ok_or_else(refused)?,
                &found.leaf,
                theirs.stored(found),
            );
            let damaged = |cause| {
                let mut damage = Damage::of_file(frame::segment_name(theirs.first), cause);
                damage.index = Some(index);
                ArchiveError::CopyDamaged(damage)
            };
            opened.map_err(damaged)?.ok_or_else(refused)?;
        }
        back += 1;
    }
    if theirs.end() == ours.end() {
        Ok(back)
    } else {
        Err(ArchiveError::Leaf { index: ours.end() })
    }
}

/// A copy, if it is the one that the manifest lists.
fn read_copy(
    from: &(impl Source + ?Sized),
    known: &ArchivedSegment,
) -> Result<Vec<u8>, ArchiveError> {
    let limit = usize::try_from(known.bytes).unwrap_or(usize::MAX);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", known.file));
    let copy = from.read(&known.file, limit).map_err(named).map_err(ArchiveError::Archive)?;
    let found = Digest::of(&copy);
    if found == known.digest {
        return Ok(copy);
    }
    Err(ArchiveError::Copy { file: known.file.clone(), expected: known.digest, found })
}

fn refuse(damage: &mut Vec<Damage>) -> Result<(), ArchiveError> {
    if damage.is_empty() { Ok(()) } else { Err(ArchiveError::Damaged(damage.swap_remove(0))) }
}
