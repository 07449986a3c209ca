//! Reading a ledger without being its sequencer: for verifiers, tracers and exports.
//!
//! A reader takes no lock and writes nothing. It works on a directory that is read-only, and on one
//! whose sequencer is appending right now.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crypt::Identities;
use seal::digest::Digest;
use seal::note::{Checkpoint, VerifierKey};

use crate::damage::Damage;
use crate::head::Head;
use crate::prune::{Account, Accounts};
use crate::store::Source;
use crate::store::file::FileStore;
use crate::stored::StoredTiles;
use crate::survey::{Statements, Survey};
use crate::tilecheck::Standing;
use crate::walk::{Fault, Found, Walk};

pub use crate::body::{Body, EntryRef};

/// A look at a ledger at one moment.
pub struct Reader {
    source: Arc<dyn Source>,
    survey: Survey,
    statements: Statements,
    damage: Vec<Damage>,
    identities: Option<Arc<Identities>>,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No head, no checkpoint and no journal.
    #[error("there is no ledger here: expected `head` and `journal/`")]
    NoLedger,
    /// The store failed.
    #[error("the ledger's files cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// What the next step of reading brought.
pub enum Item<'a> {
    /// An entry that holds by itself and stands in its place.
    Entry(EntryRef<'a>),
    /// Something that does not hold; reading goes on behind it.
    Damage(Damage),
}

/// An unfinished batch at the end of the journal: being written right now, or torn by a crash that
/// the next start repairs. Nobody was told that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: String,
    /// Where the batch begins to be incomplete.
    pub offset: u64,
    /// The first index that is not whole.
    pub index: u64,
}

/// How far a check came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries and faults read.
    pub read: u64,
    /// Entries there are at least: what head and checkpoint say.
    pub of: u64,
}

/// What reading to the end told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Summary {
    /// Number of entries in the journal.
    pub size: u64,
    /// Root over them, unless a leaf was lost.
    pub root: Option<Digest>,
    /// How many entries the checkpoint covers.
    pub checkpointed: u64,
    /// Everything that is wrong, entries and statements.
    pub damage: Vec<Damage>,
    /// An unfinished batch at the end.
    pub torn: Option<TornTail>,
    /// Bodies that are not here, held against the entries that say they were pruned.
    pub bodies: Accounts,
    /// Head or checkpoint cover entries, and there are no tiles and bundles, or they are still being
    /// made: a ledger from before there were any, or somebody removed them. The next start makes
    /// them from the journal.
    pub untiled: bool,
}

impl Reader {
    /// Looks at a store. With keys, the checkpoint must be signed by one of them and by nobody
    /// else; without, its signature is not judged.
    pub fn open(
        source: Arc<dyn Source>,
        keys: Option<&[VerifierKey]>,
    ) -> Result<Reader, ReadError> {
        let survey = Survey::read(&*source)?;
        if survey.is_empty() {
            return Err(ReadError::NoLedger);
        }
        let mut damage: Vec<Damage> = survey.unlisted_damage().collect();
        let statements = Statements::read(&survey, keys, &mut damage);
        Ok(Reader { source, survey, statements, damage, identities: None })
    }

    /// Looks at a directory.
    pub fn open_dir(dir: &Path, keys: Option<&[VerifierKey]>) -> Result<Reader, ReadError> {
        // A directory that is not there is an error of its own, not an empty ledger.
        std::fs::metadata(dir)?;
        Reader::open(Arc::new(FileStore::read_only(dir)), keys)
    }

    /// The same look, with encrypted bodies opened where they are addressed to one of these.
    #[must_use]
    pub fn opening(mut self, identities: Option<Arc<Identities>>) -> Reader {
        self.identities = identities;
        self
    }

    /// The recorded head, if it can be read.
    pub fn head(&self) -> Option<&Head> {
        self.statements.head.as_ref()
    }

    /// What the checkpoint says, if it can be read. Believe it only after its signature was
    /// verified: by the keys given to `open`, or over `checkpoint_bytes`.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.statements.checkpoint.as_ref()
    }

    /// The checkpoint as it was published.
    pub fn checkpoint_bytes(&self) -> Option<&[u8]> {
        self.survey.checkpoint.as_deref()
    }

    /// The hash tiles, for proofs.
    pub fn tiles(&self) -> StoredTiles<'_> {
        StoredTiles(&*self.source)
    }

    /// Files that do not belong into a ledger. Each is also damage.
    pub fn unlisted(&self) -> &[String] {
        &self.survey.unlisted
    }

    /// What was wrong at first sight, before any entry was read.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Reads all entries from the first.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            walk: Walk::new(&*self.source, self.survey.segments.clone(), &self.statements.sizes())
                .opening(self.identities.clone())
                .comparing(self.statements.tile_check(&self.survey)),
            source: &*self.source,
            statements: &self.statements,
            untiled: self.survey.standing() != Standing::Kept
                && self.statements.sizes().iter().any(|size| *size > 0),
            damage: self.damage.clone(),
            tiles: Vec::new(),
            torn: None,
            account: Account::default(),
        }
    }

    /// The root over the first so many entries, and when the last of them was logged, for each of
    /// these sizes that the journal bears out. Reads the whole journal.
    pub fn roots_at(&self, sizes: &[u64]) -> io::Result<BTreeMap<u64, (Digest, u64)>> {
        let mut times = BTreeMap::from([(0, 0)]);
        let mut walk = Walk::new(&*self.source, self.survey.segments.clone(), sizes);
        loop {
            let place = match walk.next()? {
                Found::End => break,
                Found::Fault(_) => continue,
                Found::Entry(place) => place,
            };
            if let Some(entry) = walk.entry_at(place)
                && sizes.contains(&(entry.index + 1))
            {
                times.insert(entry.index + 1, entry.leaf.ts);
            }
        }
        let root = |size: &u64| Some((*size, (walk.root_at(*size)?, *times.get(size)?)));
        Ok(sizes.iter().filter_map(root).collect())
    }

    /// Shows one entry to `see`: looks through the segment it must lie in, and through no other.
    /// What it holds is checked against itself; that it stands at this place of the log is for the
    /// caller to check by the tree. `None` where there is no such entry, or none that holds.
    pub fn find<T>(
        &self,
        index: u64,
        see: impl FnOnce(&EntryRef<'_>) -> T,
    ) -> io::Result<Option<T>> {
        let first = self.survey.segments.iter().copied().filter(|first| *first <= index).max();
        let mut see = Some(see);
        let mut seen = None;
        self.walk_over(first.into_iter().collect(), &mut |entry| {
            if entry.index == index
                && let Some(see) = see.take()
            {
                seen = Some(see(entry));
            }
            seen.is_some()
        })?;
        Ok(seen)
    }

    /// Shows every entry from this one on, as [`Reader::find`] does: looks through no segment before
    /// the one it lies in, and passes over what does not hold.
    pub fn since(&self, index: u64, see: &mut dyn FnMut(&EntryRef<'_>)) -> io::Result<()> {
        let first = self.survey.segments.iter().copied().filter(|first| *first <= index).max();
        let from = first.unwrap_or(0);
        let segments = self.survey.segments.iter().copied().filter(|first| *first >= from);
        self.walk_over(segments.collect(), &mut |entry| {
            if entry.index >= index {
                see(entry);
            }
            false
        })
    }

    /// Shows the entries of some segments, until `enough` says so.
    fn walk_over(
        &self,
        segments: Vec<u64>,
        enough: &mut dyn FnMut(&EntryRef<'_>) -> bool,
    ) -> io::Result<()> {
        let mut walk = Walk::new(&*self.source, segments, &[]).opening(self.identities.clone());
        loop {
            let place = match walk.next()? {
                Found::End => return Ok(()),
                // That it does not begin at 0 is one of them.
                Found::Fault(_) => continue,
                Found::Entry(place) => place,
            };
            if let Some(entry) = walk.entry_at(place)
                && enough(&entry)
            {
                return Ok(());
            }
        }
    }

    /// Reads everything and tells the result, without looking at the entries.
    pub fn check(&self) -> Result<Summary, ReadError> {
        self.check_with(&mut |_| {})
    }

    /// The same, saying every few thousand entries how far it came: journal, head, tiles, bundles
    /// and checkpoint against each other, the signature where keys were given to `open`.
    pub fn check_with(&self, progress: &mut dyn FnMut(Progress)) -> Result<Summary, ReadError> {
        const STRIDE: u64 = 8192;
        let of = self.statements.sizes().into_iter().max().unwrap_or(0);
        let mut entries = self.entries();
        let mut read = 0u64;
        while entries.next()?.is_some() {
            read += 1;
            if read.is_multiple_of(STRIDE) {
                progress(Progress { read, of: of.max(read) });
            }
        }
        Ok(entries.finish())
    }
}

/// A pass over the entries, in order, with memory for one at a time.
pub struct Entries<'r> {
    walk: Walk<'r>,
    source: &'r dyn Source,
    statements: &'r Statements,
    untiled: bool,
    damage: Vec<Damage>,
    tiles: Vec<Damage>,
    torn: Option<TornTail>,
    account: Account,
}

impl Entries<'_> {
    /// The next entry or damage; `None` at the end.
    // Not `Iterator`: an item borrows the view of the file it was read from.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> io::Result<Option<Item<'_>>> {
        match self.walk.next()? {
            Found::End => {
                let whole = self.walk.frontier().is_some();
                self.compare_tiles(whole)?;
                Ok(None)
            }
            Found::Fault(fault) if self.is_torn_tail(&fault) => {
                let Damage { file, offset, index, .. } = fault.damage;
                self.torn = Some(TornTail { file, offset, index: index.unwrap_or_default() });
                // Behind a batch that the file's end cuts short there is nothing.
                self.compare_tiles(true)?;
                Ok(None)
            }
            Found::Fault(fault) => {
                self.damage.push(fault.damage.clone());
                Ok(Some(Item::Damage(fault.damage)))
            }
            Found::Entry(place) => {
                let entry = self.walk.entry_at(place);
                if let Some(entry) = &entry {
                    let checkpoint = self.statements.checkpoint.as_ref();
                    let signed = checkpoint.is_some_and(|signed| entry.index < signed.size);
                    self.account.see(entry, signed);
                }
                Ok(entry.map(Item::Entry))
            }
        }
    }

    /// Whether an entry is covered by the checkpoint, as far as it can be read.
    pub fn is_checkpointed(&self, index: u64) -> bool {
        self.statements.checkpoint.as_ref().is_some_and(|checkpoint| index < checkpoint.size)
    }

    /// The result, once `next` returned `None`. Compares the journal with head and checkpoint; tiles
    /// and bundles were compared on the way.
    pub fn finish(mut self) -> Summary {
        self.statements.compare(&self.walk, &mut self.damage);
        self.damage.append(&mut self.tiles);
        Summary {
            size: self.walk.size(),
            root: self.walk.frontier().map(|frontier| frontier.root()),
            checkpointed: self.statements.checkpoint.as_ref().map_or(0, |cp| cp.size),
            damage: self.damage,
            torn: self.torn,
            bodies: self.account.finish(),
            untiled: self.untiled,
        }
    }

    /// Ends the comparison of tiles and bundles. Where a leaf was lost nothing can be told of those
    /// behind it.
    fn compare_tiles(&mut self, whole: bool) -> io::Result<()> {
        self.tiles.extend(match self.walk.take_tiles() {
            Some(check) if whole => check.finish(self.source)?.damage,
            Some(check) => check.interrupted(),
            None => Vec::new(),
        });
        Ok(())
    }

    fn is_torn_tail(&self, fault: &Fault) -> bool {
        let signed = self.statements.head.as_ref().map_or(0, |head| head.size);
        fault.short && fault.last_segment && fault.batch_first >= signed
    }
}
