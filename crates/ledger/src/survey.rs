//! A first look at a ledger's directory: what is there, and what head and checkpoint say.

use std::io;

use seal::cosign::Cosignature;
use seal::note::{self, Checkpoint, VerifierKey};

use crate::damage::{Cause, Damage};
use crate::frame;
use crate::head::{Head, MAX_CHECKPOINT, MAX_HEAD};
use crate::leaves::Place;
use crate::store::joints::Joints;
use crate::store::{self, CHECKPOINT, HEAD, Item, Source};
use crate::tilecheck::{Standing, TileCheck};
use crate::tiles::Piece;
use crate::walk::Walk;

/// What is in the directory.
///
/// The checkpoint is read first, then the head, then the list of segments. A writer works in the
/// opposite order (journal, head, checkpoint), so what was read later is never behind what was read
/// before, and a live ledger never looks damaged.
pub(crate) struct Survey {
    pub checkpoint: Option<Vec<u8>>,
    pub head: Option<Vec<u8>>,
    pub segments: Vec<u64>,
    pub pieces: Vec<Piece>,
    pub leftovers: Vec<String>,
    pub unlisted: Vec<String>,
}

impl Survey {
    /// What a reader sees: the head as it lies beside the rest.
    pub fn read(source: &dyn Source) -> io::Result<Survey> {
        Survey::with(source, &|| read_statement(source, HEAD, MAX_HEAD))
    }

    /// What a start goes by.
    pub fn of(joints: &Joints) -> io::Result<Survey> {
        Survey::with(&*joints.blobs, &|| match joints.head.load(MAX_HEAD) {
            Err(error) => unreadable(&*joints.blobs, HEAD, error),
            head => head,
        })
    }

    fn with(
        source: &dyn Source,
        head: &dyn Fn() -> io::Result<Option<Vec<u8>>>,
    ) -> io::Result<Survey> {
        let survey = Survey::look(source, head)?;
        // The very first start may have gone by between the first look and the last.
        let incomplete = survey.checkpoint.is_none() || survey.head.is_none();
        let again = incomplete && !survey.segments.is_empty();
        if again { Survey::look(source, head) } else { Ok(survey) }
    }

    fn look(
        source: &dyn Source,
        head: &dyn Fn() -> io::Result<Option<Vec<u8>>>,
    ) -> io::Result<Survey> {
        let checkpoint = read_statement(source, CHECKPOINT, MAX_CHECKPOINT)?;
        let head = head()?;
        let mut survey = Survey {
            checkpoint,
            head,
            segments: Vec::new(),
            pieces: Vec::new(),
            leftovers: Vec::new(),
            unlisted: Vec::new(),
        };
        for item in source.list()? {
            match item {
                Item::File(name) => match frame::parse_segment_name(&name) {
                    Some(first) => survey.segments.push(first),
                    None if let Some(piece) = Piece::parse(&name) => survey.pieces.push(piece),
                    None if store::is_listed(&name) => {}
                    None if store::is_leftover(&name) => survey.leftovers.push(name),
                    None => survey.unlisted.push(name),
                },
                Item::Other(name) => survey.unlisted.push(name),
            }
        }
        survey.segments.sort_unstable();
        survey.unlisted.sort_unstable();
        Ok(survey)
    }

    /// Whether there is nothing of a ledger here.
    pub fn is_empty(&self) -> bool {
        self.checkpoint.is_none()
            && self.head.is_none()
            && self.segments.is_empty()
            && self.pieces.is_empty()
    }

    /// Whether there are tiles.
    pub fn standing(&self) -> Standing {
        Standing::of(&self.pieces, &self.leftovers)
    }

    pub fn unlisted_damage(&self) -> impl Iterator<Item = Damage> {
        self.unlisted.iter().map(|name| Damage::of_file(name.clone(), Cause::Unlisted))
    }
}

/// A statement's bytes; one that is too long is kept as far as needed to be refused by its reader.
fn read_statement(source: &dyn Source, name: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
    match source.read(name, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => unreadable(source, name, error),
    }
}

/// What is to be said of a statement that could not be read.
fn unreadable(source: &dyn Source, name: &str, error: io::Error) -> io::Result<Option<Vec<u8>>> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(None),
        io::ErrorKind::FileTooLarge => Ok(Some(Vec::new())),
        // Not a file: the listing says so as well, as something that does not belong here.
        _ if source.list()?.contains(&Item::Other(name.to_owned())) => Ok(None),
        _ => Err(error),
    }
}

/// What head and checkpoint say, as far as they can be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statements {
    pub head: Option<Head>,
    pub checkpoint: Option<Checkpoint>,
}

impl Statements {
    /// Reads both and compares them with each other. With keys, the checkpoint's signature counts.
    pub fn read(survey: &Survey, keys: Option<&[VerifierKey]>, found: &mut Vec<Damage>) -> Self {
        let mut report = |file: &str, cause| found.push(Damage::of_file(file, cause));
        let mut statements = Statements::default();
        match &survey.head {
            Some(bytes) => match Head::parse(bytes) {
                Some(head) => statements.head = Some(head),
                None => report(HEAD, Cause::Form),
            },
            // The first start writes head and checkpoint before the first entry.
            None if survey.is_empty() => {}
            None => report(HEAD, Cause::Missing),
        }
        match &survey.checkpoint {
            Some(bytes) => match read_checkpoint(bytes, keys) {
                Ok(checkpoint) => statements.checkpoint = Some(checkpoint),
                Err(cause) => report(CHECKPOINT, cause),
            },
            // A crash of the very first start, between head and checkpoint, and nothing else.
            None if survey.segments.is_empty()
                && statements.head.as_ref().is_none_or(|head| head.size == 0) => {}
            None => report(CHECKPOINT, Cause::Missing),
        }
        if let (Some(head), Some(checkpoint)) = (&statements.head, &statements.checkpoint) {
            if head.origin != checkpoint.origin {
                // Of the two only the checkpoint is signed, so the head is the one to doubt.
                report(HEAD, Cause::Origin { found: head.origin.clone() });
            } else if checkpoint.size > head.size {
                let cause = Cause::AheadOfHead { checkpoint: checkpoint.size, head: head.size };
                report(HEAD, cause);
            }
        }
        statements
    }

    /// The sizes at which the journal's root is needed.
    pub fn sizes(&self) -> Vec<u64> {
        let head = self.head.as_ref().map(|head| head.size);
        let checkpoint = self.checkpoint.as_ref().map(|checkpoint| checkpoint.size);
        head.into_iter().chain(checkpoint).collect()
    }

    /// The comparison of tiles and bundles that belongs to a walk over this ledger.
    pub fn tile_check(&self, survey: &Survey) -> TileCheck {
        let start = Place { segment: survey.segments.first().copied().unwrap_or(0), offset: 0 };
        let head = self.head.as_ref().map_or(0, |head| head.size);
        let other = survey.unlisted.iter().filter_map(|name| Piece::parse(name)).collect();
        let (pieces, standing) = (survey.pieces.clone(), survey.standing());
        TileCheck::new(pieces, other, standing, self.sizes(), head, start)
    }

    /// Compares both with a journal that was walked to its end.
    pub fn compare(&self, walk: &Walk<'_>, found: &mut Vec<Damage>) {
        let head = self.head.as_ref().map(|head| (HEAD, head.size, head.root));
        let checkpoint = self.checkpoint.as_ref().map(|cp| (CHECKPOINT, cp.size, cp.root));
        for (file, size, root) in head.into_iter().chain(checkpoint) {
            let journal = walk.size();
            if size > journal {
                let mut damage = Damage::of_file(file, Cause::Beyond { size, journal });
                damage.index = Some(journal);
                found.push(damage);
            } else if walk.root_at(size).is_some_and(|found| found != root) {
                found.push(Damage::of_file(file, Cause::Root { size }));
            }
        }
    }
}

/// Reads a checkpoint. Its first line is the log's, what follows are cosignatures of witnesses,
/// whoever they are: who counts among them is a verifier's to say, by its policy. With keys the
/// log's line must be by one of them; it must be in the one form the log writes.
pub(crate) fn read_checkpoint(
    bytes: &[u8],
    keys: Option<&[VerifierKey]>,
) -> Result<Checkpoint, Cause> {
    let text = std::str::from_utf8(bytes).map_err(|_| Cause::Form)?;
    let split = text.rfind("\n\n").ok_or(Cause::Form)?;
    let (body, signatures) = (&text[..=split], &text[split + 2..]);
    let checkpoint = Checkpoint::parse(body).map_err(|_| Cause::Form)?;
    // The log's key is named for the log, which tells a changed name even without the key.
    let mut lines = signatures.strip_suffix('\n').ok_or(Cause::Signature)?.split('\n');
    let first = lines.next().and_then(|line| line.strip_prefix("\u{2014} "));
    let signer = first.and_then(|line| line.split_once(' '));
    let witnessed = |line: &str| {
        Cosignature::parse(line).is_ok_and(|made| {
            // One spelling, and not in the log's own name.
            made.to_string().strip_suffix('\n') == Some(line) && made.name != checkpoint.origin
        })
    };
    if signer.is_none_or(|(name, _)| name != checkpoint.origin) || !lines.all(witnessed) {
        return Err(Cause::Signature);
    }
    if let Some(keys) = keys {
        let note = note::open(bytes, keys).map_err(|_| Cause::Signature)?;
        if note.verified != [checkpoint.origin.as_str()] {
            return Err(Cause::Signature);
        }
    }
    Ok(checkpoint)
}
