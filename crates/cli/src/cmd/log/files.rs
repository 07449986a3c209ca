//! A log's files at one moment: those of a ledger, or a copy of what it serves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ledger::read::Item;
use ledger::store::Source as _;
use ledger::store::file::FileStore;
use ledger::{Leaf, Reader};
use record::report::ExitClass;
use seal::Digest;
use seal::merkle::{consistency_proof, inclusion_proof, leaf_hash, root_of};
use seal::note::Checkpoint;
use seal::tile::{self, Bundle, FULL_BYTES, Tile, TileError, TileSource};
use seal::tlog_proof::stated;

use crate::exit::{Exit, Failure};

/// Longest checkpoint read, bytes.
const NOTE: usize = 64 << 10;
/// Longest bundle read, bytes: 256 entries of 65,535 with their lengths.
const BUNDLE: usize = 256 * (2 + 65_535);

/// The files of a log up to its checkpoint, none of them believed.
pub struct LogFiles {
    path: PathBuf,
    store: FileStore,
    /// Before the names of checkpoint and tiles.
    public: &'static str,
    /// Before the places of entry bundles.
    entries: &'static str,
    /// The checkpoint as it stands there.
    pub note: String,
    /// What it states.
    pub checkpoint: Checkpoint,
    /// The leaf hashes of a ledger that was written before there were tiles.
    walked: Option<Vec<Digest>>,
}

impl LogFiles {
    /// Looks at a ledger, or at a directory with `checkpoint` and `tile/`.
    pub fn open(path: &Path) -> Result<LogFiles, Failure> {
        super::super::must_exist(path)?;
        let store = FileStore::read_only(path);
        let is_ledger = path.join("journal").is_dir();
        let (public, entries) =
            if is_ledger { ("public/", "entries/") } else { ("", "tile/entries/") };
        let bytes = store.read(&format!("{public}checkpoint"), NOTE).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                let sentence = "there is no checkpoint; expected a ledger, or a directory with `checkpoint` and `tile/`";
                evidence(ExitClass::Missing, path, sentence)
            } else {
                Failure::io(path, &error)
            }
        })?;
        let malformed = || evidence(ExitClass::Malformed, path, "its checkpoint is not one");
        let note = String::from_utf8(bytes).map_err(|_| malformed())?;
        let checkpoint = stated(&note).map_err(|_| malformed())?;
        let has_tiles = path.join(public).join("tile").is_dir();
        let walked = match is_ledger && !has_tiles {
            true => Some(walk(path, checkpoint.size)?),
            false => None,
        };
        let path = path.to_path_buf();
        Ok(LogFiles { path, store, public, entries, note, checkpoint, walked })
    }

    /// The root of the first `size` leaves.
    pub fn root(&self, size: u64) -> Result<Digest, Failure> {
        match &self.walked {
            Some(leaves) => self.first(leaves, size).map(root_of),
            None => self.told(tile::root(self, size)),
        }
    }

    /// The hash of a leaf under the checkpoint, and its proof.
    pub fn inclusion(&self, index: u64) -> Result<(Digest, Vec<Digest>), Failure> {
        let size = self.checkpoint.size;
        if let Some(leaves) = &self.walked {
            let (at, leaf) = usize::try_from(index)
                .ok()
                .and_then(|at| Some((at, *leaves.get(at)?)))
                .ok_or_else(|| self.beyond(index))?;
            return Ok((leaf, inclusion_proof(leaves, at)));
        }
        let proof = self.told(tile::inclusion(self, index, size))?;
        Ok((self.told(tile::leaf(self, index, size))?, proof))
    }

    /// The proof between two sizes.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>, Failure> {
        match &self.walked {
            Some(leaves) => {
                let (new, old) = (self.first(leaves, new)?, self.first(leaves, old)?.len());
                Ok(consistency_proof(new, old))
            }
            None => self.told(tile::consistency(self, old, new)),
        }
    }

    /// The bytes of an entry under the checkpoint; `None` where bundles are not kept, as in a copy
    /// for everybody.
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, Failure> {
        let Some((bundle, at)) = Bundle::holding(index, self.checkpoint.size) else {
            return Err(self.beyond(index));
        };
        let Some(bytes) = self.bundle(bundle)? else { return Ok(None) };
        let entries = self.decoded(bundle, &bytes)?;
        Ok(entries.get(at).map(|entry| entry.to_vec()))
    }

    /// The index of the entry under the checkpoint that was logged under this id.
    pub fn find(&self, id: &str) -> Result<u64, Failure> {
        let mut found = Vec::new();
        self.each(&BTreeSet::from([id]), |at, _| found.push(at))?;
        match found[..] {
            [index] => Ok(index),
            [] => {
                let sentence = format!(
                    "no entry under the checkpoint of size {} has this id; what is newer can be proved once a checkpoint covers it",
                    self.checkpoint.size
                );
                Err(evidence(ExitClass::Missing, &self.path, sentence))
            }
            _ => {
                let shown: Vec<String> = found.iter().take(8).map(u64::to_string).collect();
                let sentence = format!(
                    "{} entries have this id, at {}; give --index",
                    found.len(),
                    shown.join(", ")
                );
                Err(Failure::new(Exit::Usage, format!("{}: {sentence}", self.path.display())))
            }
        }
    }

    /// Shows the entries under the checkpoint that were logged under one of these ids, in one pass.
    pub fn each(
        &self,
        ids: &BTreeSet<&str>,
        mut see: impl FnMut(u64, Leaf),
    ) -> Result<(), Failure> {
        for bundle in tile::bundles_between(0, self.checkpoint.size) {
            let Some(bytes) = self.bundle(bundle)? else {
                let sentence =
                    "no entry bundles are kept here, so nothing is found by id; give --index";
                return Err(evidence(ExitClass::Missing, &self.path, sentence));
            };
            for (at, entry) in (bundle.index * 256..).zip(self.decoded(bundle, &bytes)?) {
                if let Ok(leaf) = Leaf::parse(entry)
                    && ids.contains(leaf.id.as_str())
                {
                    see(at, leaf);
                }
            }
        }
        Ok(())
    }

    fn bundle(&self, bundle: Bundle) -> Result<Option<Vec<u8>>, Failure> {
        for place in [bundle.place(), bundle.full().place()] {
            match self.store.read(&format!("{}{place}", self.entries), BUNDLE) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::io(&self.path, &error)),
            }
        }
        Ok(None)
    }

    fn decoded<'b>(&self, bundle: Bundle, bytes: &'b [u8]) -> Result<Vec<&'b [u8]>, Failure> {
        let damaged = |cause: String| {
            let sentence = format!("{}{}: {cause}", self.entries, bundle.place());
            evidence(ExitClass::Tampered, &self.path, sentence)
        };
        let mut entries = tile::decode_bundle(bytes).map_err(|error| damaged(error.to_string()))?;
        if entries.len() < usize::from(bundle.width) {
            return Err(damaged(format!("{} entries are not there", bundle.width)));
        }
        // What a wider bundle has beyond is not covered by the checkpoint.
        entries.truncate(bundle.width.into());
        Ok(entries)
    }

    fn first<'l>(&self, leaves: &'l [Digest], size: u64) -> Result<&'l [Digest], Failure> {
        let size = usize::try_from(size).ok();
        size.and_then(|size| leaves.get(..size)).ok_or_else(|| self.beyond(self.checkpoint.size))
    }

    fn beyond(&self, index: u64) -> Failure {
        let size = self.checkpoint.size;
        let sentence = format!("there is no entry {index} under the checkpoint of size {size}");
        evidence(ExitClass::Missing, &self.path, sentence)
    }

    fn told<T>(&self, result: Result<T, TileError<std::io::Error>>) -> Result<T, Failure> {
        result.map_err(|error| match error {
            TileError::Beyond { position, .. } => self.beyond(position),
            TileError::Source { tile, error } if error.kind() == std::io::ErrorKind::NotFound => {
                let sentence = format!(
                    "{} is missing; `countersign log check` says what else is",
                    tile.path()
                );
                evidence(ExitClass::Malformed, &self.path, sentence)
            }
            TileError::Source { tile, error }
                if error.kind() == std::io::ErrorKind::FileTooLarge =>
            {
                let sentence = format!("{} is longer than any tile", tile.path());
                evidence(ExitClass::Tampered, &self.path, sentence)
            }
            TileError::Source { error, .. } => Failure::io(&self.path, &error),
            error => evidence(ExitClass::Tampered, &self.path, error.to_string()),
        })
    }
}

impl TileSource for LogFiles {
    type Error = std::io::Error;

    /// The tile as it is at the checkpoint's size, which may be wider; a newer checkpoint may have
    /// replaced it by the full one meanwhile.
    fn tile(&self, tile: Tile) -> Result<Vec<u8>, std::io::Error> {
        let first = tile.index.saturating_mul(256);
        let now = Tile::holding(tile.level, first, self.checkpoint.size).map(|(now, _)| now);
        let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
        for tile in [now.unwrap_or(tile), tile.full(), tile] {
            match self.store.read(&format!("{}{}", self.public, tile.path()), FULL_BYTES) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => last = error,
                done => return done,
            }
        }
        Err(last)
    }
}

/// The leaf hashes of a ledger's journal up to a size.
fn walk(path: &Path, size: u64) -> Result<Vec<Digest>, Failure> {
    let reader: Reader = super::super::ledger::open(path)?;
    let mut entries = reader.entries();
    let mut leaves = Vec::new();
    while (leaves.len() as u64) < size {
        match entries.next().map_err(|error| Failure::io(path, &error))? {
            Some(Item::Entry(entry)) => leaves.push(leaf_hash(entry.leaf_bytes)),
            Some(Item::Damage(damage)) => {
                return Err(evidence(ExitClass::Tampered, path, damage.to_string()));
            }
            None => break,
        }
    }
    Ok(leaves)
}

/// A failure that is about the evidence at `path`.
pub fn evidence(class: ExitClass, path: &Path, sentence: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Evidence(class), format!("{}: {sentence}", path.display()))
}
