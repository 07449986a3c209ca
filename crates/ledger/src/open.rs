//! Starting: verify everything, set a torn last batch aside, refuse whatever a crash cannot explain.

use std::io;
use std::sync::Arc;

use seal::note::{NoteSigner, VerifierKey};

use crate::append::Failure;
use crate::body::Body;
use crate::damage::{Cause, Damage};
use crate::frame;
use crate::head::Head;
use crate::journal::Journal;
use crate::leaf::{Leaf, MAX_WRITER, check_name};
use crate::lock::Lock;
use crate::materialise::Tiles;
use crate::options::Options;
use crate::publish::{PublishError, Publisher};
use crate::setaside::{self, Cut};
use crate::store::HEAD;
use crate::store::joints::{Blobs, Joints};
use crate::survey::{Statements, Survey};
use crate::tail::{self, Judgement};
use crate::tilecheck::{Standing, TilesFound};
use crate::tiles::Piece;
use crate::walk::{Fault, Found, Walk};

/// Why a ledger does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The files are not what was written. `ledger repair` explains.
    #[error(
        "{0}; nothing was changed: restore the file from a copy, or see `countersign ledger repair`"
    )]
    Damaged(Damage),
    /// The store failed.
    #[error("the ledger's files cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// Head or checkpoint could not be written.
    #[error("the ledger does not start: {0}")]
    Publish(Failure),
    /// The origin cannot name a log.
    #[error(
        "`{0}` cannot be a log's origin: expected text without white space, `+` or control characters"
    )]
    Origin(String),
    /// The writer id is empty, too long or has control characters.
    #[error("`{0}` cannot be a writer id: expected 1 to 64 bytes without control characters")]
    Writer(String),
}

/// A ledger that was read to its end.
pub(crate) struct Opened {
    pub journal: Journal,
    pub publisher: Publisher,
    pub vkey: VerifierKey,
}

pub(crate) fn open(
    joints: Joints,
    options: Options,
    visit: &mut dyn FnMut(u64, &Leaf, Body<'_>),
) -> Result<(Opened, Option<Lock>), OpenError> {
    if options.writer.len() > MAX_WRITER || !check_name(&options.writer) {
        return Err(OpenError::Writer(options.writer));
    }
    let Some(vkey) = NoteSigner::new(&options.origin, &*options.signer).map(|s| s.vkey().clone())
    else {
        return Err(OpenError::Origin(options.origin));
    };

    let store = joints.blobs.clone();
    let survey = Survey::of(&joints)?;
    let mut found: Vec<Damage> = survey.unlisted_damage().collect();
    let statements = Statements::read(&survey, Some(std::slice::from_ref(&vkey)), &mut found);
    if let Some(head) = &statements.head
        && head.origin != options.origin
    {
        let cause = Cause::Origin { found: head.origin.clone() };
        found.push(Damage::of_file(HEAD, cause));
    }
    refuse(&mut found)?;

    let (mut journal, cut, tiles) =
        replay(&store, &options, &survey, &statements, &mut found, visit)?;
    refuse(&mut found)?;

    // From here on the ledger is known to be whole, or torn as a crash tears it.
    let begun = statements.head.as_ref().is_some_and(|head| head.size > 0);
    let tiles = match survey.standing() {
        Standing::None | Standing::Begun if begun => {
            discard(&*store, &survey.pieces)?;
            Tiles::late(tiles.place)
        }
        _ => Tiles::new(tiles.edge, tiles.place, &survey.pieces),
    };
    for name in &survey.leftovers {
        store.remove(name).map_err(io::Error::from)?;
    }
    if let Some(cut) = cut {
        let (index, leaf, body) = setaside::perform(&mut journal, &cut)?;
        visit(index, &leaf, Body::Present(&body));
    } else if let Some(segment) = journal.segment {
        let name = frame::segment_name(segment);
        if journal.index > statements.head.as_ref().map_or(0, |head| head.size) {
            rewrite(&*store, &name)?;
        } else {
            // The last start may have made the segment and stopped before its name was durable.
            // A journal that cannot be written is news for the start, not for the first request.
            store.confirm(&name).map_err(io::Error::from)?;
        }
    }
    if statements.head.is_some() {
        // The same holds for the head, and a checkpoint must never outlive its head.
        joints.head.settle()?;
    }
    let publisher = Publisher {
        published: statements.checkpoint.as_ref().map(|cp| cp.size)
            == statements.head.as_ref().map(|head| head.size)
            && statements.head.is_some(),
        tiles,
        head: survey.head.zip(statements.head),
        joints,
        signer: options.signer,
        origin: options.origin,
    };
    let mut opened = Opened { journal, publisher, vkey };
    opened.publish()?;
    Ok((opened, options.lock))
}

/// Removes tiles that a crash left half made, before the temporary file that says so.
fn discard(store: &dyn Blobs, pieces: &[Piece]) -> io::Result<()> {
    for piece in pieces {
        store.remove(&piece.name())?;
    }
    Ok(store.settle()?)
}

/// Writes a segment anew before anything is signed over it.
///
/// After a stop without a checkpoint the last batch may be in the page cache only: the process was
/// killed before its sync, or the sync failed. In the second case a further sync would report
/// success and do nothing, because the kernel counts those pages as clean. New pages are the only
/// bytes whose sync can be believed.
fn rewrite(store: &dyn Blobs, segment: &str) -> io::Result<()> {
    let length = usize::try_from(store.len(segment)?).unwrap_or(usize::MAX);
    let bytes = store.read(segment, length)?;
    Ok(store.replace(segment, &bytes)?)
}

impl Opened {
    /// Records and signs the state of the journal.
    pub fn publish(&mut self) -> Result<(), OpenError> {
        refuse_publish(self.publisher.publish(self.journal.state()))
    }
}

/// Signs a head that lies in the store once more, where its checkpoint was lost.
pub(crate) fn sign_again(
    joints: &Joints,
    options: &Options,
    bytes: Vec<u8>,
    head: Head,
) -> Result<(), OpenError> {
    let mut publisher = Publisher {
        joints: joints.clone(),
        signer: options.signer.clone(),
        origin: options.origin.clone(),
        // Of a head that was recorded the tiles are there.
        tiles: Tiles::default(),
        head: Some((bytes, head)),
        published: false,
    };
    refuse_publish(publisher.sign())
}

fn refuse_publish(published: Result<(), PublishError>) -> Result<(), OpenError> {
    published.map_err(|error| match error {
        PublishError::Unwritten(error) => OpenError::Io(error),
        PublishError::Broken(failure) => OpenError::Publish(failure),
    })
}

/// Walks the journal. Returns the writing end, the cut that a torn last batch asks for, and the
/// right edge of the tiles.
fn replay(
    store: &Arc<dyn Blobs>,
    options: &Options,
    survey: &Survey,
    statements: &Statements,
    found: &mut Vec<Damage>,
    visit: &mut dyn FnMut(u64, &Leaf, Body<'_>),
) -> Result<(Journal, Option<Cut>, TilesFound), OpenError> {
    let head_size = statements.head.as_ref().map_or(0, |head: &Head| head.size);
    let mut walk = Walk::new(&**store, survey.segments.clone(), &statements.sizes())
        .opening(options.identities.clone())
        .comparing(statements.tile_check(survey));
    let mut torn: Option<Fault> = None;
    loop {
        match walk.next()? {
            Found::Entry(place) => {
                if let Some(entry) = walk.entry_at(place) {
                    visit(entry.index, entry.leaf, entry.body);
                }
            }
            Found::End => break,
            Found::Fault(fault) => match tail::judge(&**store, &fault, head_size)? {
                Judgement::Damaged(damage) => return Err(OpenError::Damaged(damage)),
                Judgement::LostWrites => {
                    torn = Some(fault);
                    break;
                }
            },
        }
    }
    // A torn batch lies above the head, so the roots at and below the head are known here too.
    statements.compare(&walk, found);
    let mut tiles = match walk.take_tiles() {
        Some(check) => check.finish(&**store)?,
        None => TilesFound::default(),
    };
    found.append(&mut tiles.damage);
    let journal = Journal::continuing(store.clone(), options, &walk);
    Ok((journal, torn.map(|fault| Cut::of_fault(&fault, "start")), tiles))
}

fn refuse(found: &mut Vec<Damage>) -> Result<(), OpenError> {
    if found.is_empty() { Ok(()) } else { Err(OpenError::Damaged(found.swap_remove(0))) }
}
