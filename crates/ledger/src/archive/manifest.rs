//! What an archive holds: `manifest.json`, canonical JSON.

use std::io;

use seal::digest::Digest;
use seal::json::{self, Limits, Value};

use super::ArchiveError;
use crate::frame;
use crate::store::{Source, Store};

/// The name of the file.
const MANIFEST: &str = "manifest.json";
/// The longest manifest, bytes: tens of thousands of segments.
const LIMIT: usize = 16 * 1024 * 1024;

/// The segments of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The log they are of.
    pub origin: String,
    /// Ascending.
    pub segments: Vec<ArchivedSegment>,
}

/// One copy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedSegment {
    /// Its name, in the archive as in the ledger.
    pub file: String,
    /// Index of its first entry.
    pub first: u64,
    /// Index behind its last entry.
    pub end: u64,
    /// Its length.
    pub bytes: u64,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Root of the log's tree over its first `end` entries.
    pub root: Digest,
    /// Nothing in it was logged later, Unix milliseconds.
    pub until: u64,
}

impl Manifest {
    pub(super) fn new(origin: &str) -> Manifest {
        Manifest { origin: origin.to_owned(), segments: Vec::new() }
    }

    /// The copy of a segment, by its name.
    pub fn find(&self, file: &str) -> Option<&ArchivedSegment> {
        self.segments.iter().find(|segment| segment.file == file)
    }

    /// Reads the manifest of an archive. Nothing in it is signed: it says what should be there.
    pub fn read(from: &(impl Source + ?Sized)) -> Result<Manifest, ArchiveError> {
        match from.read(MANIFEST, LIMIT) {
            Ok(bytes) => Manifest::parse(&bytes).ok_or(ArchiveError::Manifest),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ArchiveError::NoManifest),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(ArchiveError::Manifest)
            }
            Err(error) => Err(ArchiveError::Archive(error)),
        }
    }

    pub(super) fn write(&self, to: &dyn Store) -> Result<(), ArchiveError> {
        let bytes = self.to_bytes().ok_or(ArchiveError::Manifest)?;
        to.replace(MANIFEST, &bytes).map_err(ArchiveError::Archive)
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        let segments = self.segments.iter().map(|segment| {
            Value::object([
                ("bytes", segment.bytes.into()),
                ("digest", segment.digest.into()),
                ("end", segment.end.into()),
                ("file", segment.file.as_str().into()),
                ("first", segment.first.into()),
                ("root", segment.root.into()),
                ("until", segment.until.into()),
            ])
        });
        let value = Value::object([
            ("origin", self.origin.as_str().into()),
            ("segments", Value::array(segments)),
            ("v", 1u64.into()),
        ]);
        json::write_receipt(&value).ok().map(String::into_bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Manifest> {
        let value = json::parse(bytes, Limits { bytes: LIMIT, depth: 4 }).ok()?;
        let number = |value: &Value, name: &str| u64::try_from(value.get(name)?.as_i64()?).ok();
        let digest = |value: &Value, name: &str| value.get(name)?.as_str()?.parse().ok();
        let segment = |value: &Value| {
            let first = number(value, "first")?;
            let file = value.get("file")?.as_str()?.to_owned();
            // The name decides which file is opened: no other than a segment's.
            (file == frame::segment_name(first)).then_some(())?;
            Some(ArchivedSegment {
                bytes: number(value, "bytes")?,
                digest: digest(value, "digest")?,
                end: number(value, "end")?,
                file,
                first,
                root: digest(value, "root")?,
                until: number(value, "until")?,
            })
        };
        let manifest = Manifest {
            origin: value.get("origin")?.as_str()?.to_owned(),
            segments: value
                .get("segments")?
                .as_array()?
                .iter()
                .map(segment)
                .collect::<Option<_>>()?,
        };
        (manifest.to_bytes()? == bytes).then_some(manifest)
    }
}
