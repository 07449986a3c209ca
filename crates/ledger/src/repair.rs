//! Repair by an operator's decision: for damage that stops the start.
//!
//! Nothing here makes a log contradict what it signed: entries below the head are never cut, and a
//! lost head is rebuilt only from a checkpoint that the journal bears out. What is removed is kept
//! outside of the evidence, and an entry of kind `repair` says so for ever.

use std::io;
use std::sync::Arc;

use seal::digest::Digest;
use seal::json::{self, Value};
use seal::note::{NoteSigner, VerifierKey};

use crate::damage::Damage;
use crate::entry::{Entry, Prepared};
use crate::frame;
use crate::head::Head;
use crate::journal::{CommitError, Journal};
use crate::kind::Kind;
use crate::open::{self, OpenError};
use crate::options::Options;
use crate::rebuild::{self, Kept, behind, keep};
use crate::setaside::{self, Cut};
use crate::store::joints::{Blobs, Joints, SwapError};
use crate::store::{CHECKPOINT, HEAD, Source};
use crate::survey::{Statements, Survey};
use crate::tail::{self, Judgement};
use crate::tiles::Piece;
use crate::walk::{Fault, Found, Walk};

/// What is wrong with a ledger, and what can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairPlan {
    /// Everything that is wrong.
    pub damage: Vec<Damage>,
    /// What `perform` would do.
    pub action: Action,
}

/// What can be done about damage.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Nothing is wrong.
    Nothing,
    /// A crash tore the last batch: the next start sets it aside by itself.
    NextStart,
    /// Cut the journal at the first bad frame and set everything behind it aside.
    Cut {
        /// The segment to cut.
        file: String,
        /// Where.
        offset: u64,
        /// The first entry that goes.
        first: u64,
        /// Whole segments that go too.
        later: Vec<String>,
    },
    /// Rebuild the head from the checkpoint, which the journal bears out.
    RebuildHead,
    /// Sign the head again, which the journal bears out.
    SignAgain,
    /// Make tiles and bundles anew that are missing or do not agree with the journal, which bears
    /// out head and checkpoint.
    RebuildTiles {
        /// Which.
        files: Vec<String>,
    },
    /// Nothing that keeps the log honest: restore files from a copy, or begin a new ledger and keep
    /// this one as it is.
    Impossible(Obstacle),
}

/// Why a ledger cannot be repaired in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// The damage lies in entries whose root was signed.
    #[error("entries that a signed checkpoint or the head covers are damaged")]
    Signed,
    /// Neither head nor checkpoint agrees with the journal.
    #[error("neither head nor checkpoint agrees with the journal")]
    Disagreement,
    /// There are files that belong to no ledger.
    #[error("there are files that belong to no ledger: look at them and move them away")]
    Unlisted,
}

/// Why a repair was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// What is wrong is not what the plan said.
    #[error("the ledger is not in the state that was explained: explain it again")]
    Changed,
    /// There is nothing to do here.
    #[error("there is nothing to repair by hand")]
    Nothing,
    /// It cannot be repaired in place.
    #[error("{0}: restore the files from a copy, or begin a new ledger and keep this one as it is")]
    Impossible(Obstacle),
    /// The store failed.
    #[error("the ledger's files cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// The repaired ledger does not open.
    #[error("after the repair: {0}")]
    Open(#[from] OpenError),
}

/// Says what is wrong and what can be done. Changes nothing.
pub fn explain(source: &dyn Source, key: &VerifierKey) -> io::Result<RepairPlan> {
    let survey = Survey::read(source)?;
    Ok(Diagnosis::of(source, &survey, key)?.plan)
}

/// Does what a plan says, provided the ledger is still in the state the plan was made from. Returns
/// the index of the repair entry.
pub fn perform(
    store: impl Into<Joints>,
    options: Options,
    plan: &RepairPlan,
) -> Result<u64, RepairError> {
    let vkey = NoteSigner::new(&options.origin, &*options.signer).map(|s| s.vkey().clone());
    let Some(vkey) = vkey else { return Err(OpenError::Origin(options.origin).into()) };
    let joints = store.into();
    let store = joints.blobs.clone();
    let survey = Survey::of(&joints)?;
    let Diagnosis { plan: now, good, fault, statements, size } =
        Diagnosis::of(&*store, &survey, &vkey)?;
    if now != *plan {
        return Err(RepairError::Changed);
    }
    let (file, old) = match now.action {
        Action::Nothing | Action::NextStart => return Err(RepairError::Nothing),
        Action::Impossible(obstacle) => return Err(RepairError::Impossible(obstacle)),
        Action::Cut { .. } => {
            let Some(fault) = fault else { return Err(RepairError::Changed) };
            let mut journal = good.journal(store.clone(), &options);
            let mut cut = Cut::of_fault(&fault, "operator");
            cut.later = survey.segments.iter().copied().filter(|&s| s > cut.segment).collect();
            cut.pieces = behind(&survey.pieces, cut.first).map(Piece::name).collect();
            let (index, _, _) = setaside::perform(&mut journal, &cut)?;
            drop(journal);
            open::open(joints, options, &mut |_, _, _| {})?;
            return Ok(index);
        }
        Action::RebuildTiles { files } => {
            let file = files.into_iter().next().unwrap_or_default();
            (file, None)
        }
        Action::RebuildHead => {
            let Some(checkpoint) = statements.checkpoint else { return Err(RepairError::Changed) };
            let head =
                Head { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root };
            let bytes = head.to_bytes().ok_or(RepairError::Changed)?;
            let old = keep(&*store, HEAD, survey.head.as_deref())?;
            match joints.head.swap(survey.head.as_deref(), &bytes) {
                Ok(()) => {}
                Err(SwapError::Moved) => return Err(RepairError::Changed),
                Err(SwapError::Unwritten(error) | SwapError::Broken(error)) => {
                    return Err(error.into());
                }
            }
            (HEAD.to_owned(), old)
        }
        Action::SignAgain => {
            let Some((head, bytes)) = statements.head.zip(survey.head.clone()) else {
                return Err(RepairError::Changed);
            };
            let old = keep(&*store, CHECKPOINT, survey.checkpoint.as_deref())?;
            open::sign_again(&joints, &options, bytes, head)?;
            (CHECKPOINT.to_owned(), old)
        }
    };
    let cause = now.damage.first().map(|damage| damage.cause.to_string()).unwrap_or_default();
    let mut kept: Vec<Kept> = old.into_iter().collect();
    kept.extend(rebuild::tiles(&*store, &survey, &now.damage, size)?);
    kept.truncate(setaside::MAX_LISTED);
    let entry = record(&file, &kept, &cause)?;
    let (mut opened, _lock) = open::open(joints, options, &mut |_, _, _| {})?;
    let digest = Digest::of(&entry.body);
    let entry = Prepared::reserved(entry, digest);
    let index = match opened.journal.commit(std::iter::once(&entry)) {
        Ok(index) => index,
        Err(CommitError::Full(error) | CommitError::Unwritten(error)) => return Err(error.into()),
        Err(CommitError::Broken(failure)) => return Err(OpenError::Publish(failure).into()),
    };
    opened.publish()?;
    Ok(index)
}

struct Diagnosis {
    plan: RepairPlan,
    good: GoodEnd,
    fault: Option<Fault>,
    statements: Statements,
    /// Number of entries.
    size: u64,
}

/// Enough of a walk to continue behind its last good frame.
struct GoodEnd {
    end: crate::walk::End,
    good: crate::walk::Good,
}

impl GoodEnd {
    fn journal(self, store: Arc<dyn Blobs>, options: &Options) -> Journal {
        Journal::behind(store, options, &self.end, self.good)
    }
}

impl Diagnosis {
    fn of(source: &dyn Source, survey: &Survey, key: &VerifierKey) -> io::Result<Diagnosis> {
        let mut damage: Vec<Damage> = survey.unlisted_damage().collect();
        let unlisted = !damage.is_empty();
        let keys = Some(std::slice::from_ref(key));
        let statements = Statements::read(survey, keys, &mut damage);
        let mut walk = Walk::new(source, survey.segments.clone(), &statements.sizes())
            .comparing(statements.tile_check(survey));
        let mut first: Option<Fault> = None;
        let mut end = None;
        loop {
            match walk.next()? {
                Found::Entry(_) => {}
                Found::End => break,
                Found::Fault(fault) => {
                    damage.push(fault.damage.clone());
                    end.get_or_insert_with(|| walk.end().clone());
                    first.get_or_insert(fault);
                }
            }
        }
        statements.compare(&walk, &mut damage);
        let stated = damage.len();
        if first.is_none()
            && let Some(tiles) = walk.take_tiles()
        {
            damage.extend(tiles.finish(source)?.damage);
        }
        let good = GoodEnd { end: end.unwrap_or_else(|| walk.end().clone()), good: walk.good() };
        let action = match &first {
            _ if damage.is_empty() => Action::Nothing,
            _ if unlisted => Action::Impossible(Obstacle::Unlisted),
            None if stated == 0 => {
                let files = damage.iter().map(|damage| damage.file.clone());
                Action::RebuildTiles { files: files.collect() }
            }
            None => statement_action(&statements, &walk, &key.name),
            Some(fault) => journal_action(source, survey, &statements, &walk, fault, &key.name)?,
        };
        let plan = RepairPlan { damage, action };
        Ok(Diagnosis { plan, good, fault: first, statements, size: walk.size() })
    }
}

fn journal_action(
    source: &dyn Source,
    survey: &Survey,
    statements: &Statements,
    walk: &Walk<'_>,
    fault: &Fault,
    origin: &str,
) -> io::Result<Action> {
    // What was signed is the larger of the two: a head that was set back does not unsign anything.
    let (Some(head), Some(checkpoint)) = (&statements.head, &statements.checkpoint) else {
        return Ok(Action::Impossible(Obstacle::Disagreement));
    };
    let signed = head.size.max(checkpoint.size);
    if fault.damage.index.is_none_or(|index| index < signed) {
        return Ok(Action::Impossible(Obstacle::Signed));
    }
    let agrees = |size, root| walk.root_at(size) == Some(root);
    if head.origin != origin
        || !agrees(head.size, head.root)
        || !agrees(checkpoint.size, checkpoint.root)
    {
        return Ok(Action::Impossible(Obstacle::Disagreement));
    }
    let cut = Cut::of_fault(fault, "operator");
    // Tiles of what is torn say that it was whole once: then no lost write explains it.
    let tiled = behind(&survey.pieces, cut.first).next().is_some();
    if !tiled && matches!(tail::judge(source, fault, signed)?, Judgement::LostWrites) {
        return Ok(Action::NextStart);
    }
    let later = survey.segments.iter().filter(|&&first| first > cut.segment);
    Ok(Action::Cut {
        file: fault.damage.file.clone(),
        offset: cut.offset,
        first: cut.first,
        later: later.map(|&first| frame::segment_name(first)).collect(),
    })
}

/// The journal holds; head or checkpoint does not.
fn statement_action(statements: &Statements, walk: &Walk<'_>, origin: &str) -> Action {
    let borne_out = |size: u64, root| walk.root_at(size) == Some(root);
    let head = statements
        .head
        .as_ref()
        .filter(|head| head.origin == origin && borne_out(head.size, head.root));
    let checkpoint = statements.checkpoint.as_ref().filter(|cp| borne_out(cp.size, cp.root));
    match (head, checkpoint) {
        // Set back behind what was published: the checkpoint is the later truth.
        (Some(head), Some(checkpoint)) if head.size < checkpoint.size => Action::RebuildHead,
        (Some(_), Some(_)) => Action::Impossible(Obstacle::Disagreement),
        (None, Some(_)) => Action::RebuildHead,
        // A checkpoint that verifies and says something else was signed, rightly or not.
        (Some(_), None) if statements.checkpoint.is_none() => Action::SignAgain,
        (Some(_), None) => Action::Impossible(Obstacle::Disagreement),
        (None, None) => Action::Impossible(Obstacle::Disagreement),
    }
}

fn record(file: &str, kept: &[Kept], cause: &str) -> io::Result<Entry> {
    let pieces = kept.iter().map(|piece| {
        Value::object([
            ("digest", piece.digest.into()),
            ("file", piece.file.as_str().into()),
            ("length", piece.length.into()),
            ("offset", 0u64.into()),
        ])
    });
    let body = Value::object([
        ("by", "operator".into()),
        ("cause", cause.into()),
        ("file", file.into()),
        ("set_aside", Value::array(pieces)),
        ("v", 1u64.into()),
    ]);
    let body = json::write_receipt(&body).map_err(io::Error::other)?.into_bytes();
    let id = kept.first().map_or_else(|| Digest::of(&body), |piece| piece.digest).to_string();
    Ok(Entry { kind: Kind::Repair, id, body })
}
