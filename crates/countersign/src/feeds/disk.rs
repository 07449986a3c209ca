//! Where feeds come from without a network, and how files here come to lie where they lie.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use record::feed::LIMIT;
use record::feedproof;

use crate::files;

/// Where a feed is fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An `https://` address.
    Https(String),
    /// A file, or a directory in which feeds lie, by its absolute path.
    Path(PathBuf),
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no source of a feed: {why}")]
pub struct SourceError {
    text: String,
    why: &'static str,
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Source, SourceError> {
        let wrong = |why| Err(SourceError { text: text.to_owned(), why });
        if text.chars().any(char::is_control) {
            return wrong("it has control characters");
        }
        if let Some(rest) = text.strip_prefix("file://") {
            return match Path::new(rest).is_absolute() {
                true if !rest.contains('%') => Ok(Source::Path(rest.into())),
                _ => wrong("expected file:///absolute/path, without percent signs"),
            };
        }
        if text.starts_with("https://") {
            return Ok(Source::Https(text.to_owned()));
        }
        if text.contains("://") {
            return wrong("feeds are fetched over https:// or from file:// only");
        }
        match std::path::absolute(text) {
            Ok(path) => Ok(Source::Path(path)),
            Err(_) => wrong("an empty path"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Https(url) => f.write_str(url),
            Source::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A document, and the proof that lies beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The feed as it came.
    pub bytes: Vec<u8>,
    /// The proof file (`countersign-feed-proof/v1`) as it came.
    pub proof: Option<Vec<u8>>,
}

/// Files of a directory that are looked at.
const FILES: usize = 256;
/// Bytes of them that are held at once.
const DIRECTORY: usize = 2 * LIMIT;

/// The documents of a path: a file's own, or those of a directory's `*.json` and `*.json.gz`, by name;
/// each with the proof beside it (`core.json`, `core.proof.json`), unpacked. Statements of new keys
/// are in files named `*.rotation.jws`.
pub fn read_source(path: &Path) -> io::Result<(Vec<Document>, Option<String>)> {
    let document = |path: &PathBuf| {
        let proof = match files::read(&stem(path).with_extension(PROOF), feedproof::LIMIT as u64) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let bytes =
            seal::gzip::plain(files::read(path, LIMIT as u64)?, LIMIT).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("gzip: it {error}"))
            })?;
        Ok(Document { bytes, proof })
    };
    if !fs::metadata(path)?.is_dir() {
        let mut beside = stem(path).with_extension("").into_os_string();
        beside.push(ROTATION);
        return Ok((vec![document(&path.to_owned())?], statements([PathBuf::from(beside)])?));
    }
    let mut names =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    names.sort();
    let ends = |path: &PathBuf, end: &str| path.to_string_lossy().ends_with(end);
    let rotations: Vec<PathBuf> = names.iter().filter(|p| ends(p, ROTATION)).cloned().collect();
    let beside = |path: &PathBuf| {
        ends(path, &format!(".{PROOF}")) || path.to_string_lossy().contains(".delta.")
    };
    names.retain(|path| ends(&stem(path), ".json") && !beside(path));
    if names.len().max(rotations.len()) > FILES {
        let text = format!("more than {FILES} .json files or {ROTATION} files lie there");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let (mut documents, mut bytes) = (Vec::with_capacity(names.len()), 0);
    for name in &names {
        let document = document(name)?;
        bytes += document.bytes.len();
        if bytes > DIRECTORY {
            let text = format!("more than {DIRECTORY} bytes of .json files lie there");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        documents.push(document);
    }
    Ok((documents, statements(rotations)?))
}

/// `core.json` of `core.json.gz`.
pub fn stem(path: &Path) -> PathBuf {
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    if packed { path.with_extension("") } else { path.to_owned() }
}

/// The extension of a proof beside a feed.
pub const PROOF: &str = "proof.json";
/// What the name of a file with statements of new keys ends in.
pub const ROTATION: &str = ".rotation.jws";

fn statements(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<Option<String>> {
    let mut all = String::new();
    for path in paths {
        match files::read_text(&path, record::feedrotation::FILE_LIMIT as u64) {
            Ok(text) => {
                all.push_str(&text);
                all.push('\n');
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok((!all.is_empty()).then_some(all))
}

/// Puts a file in its place: a crash leaves the old one, the new one, or none, never a half.
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    // Left by a crash; who writes here holds the lock.
    remove(fresh)?;
    files::create(fresh, bytes, true)?;
    fs::rename(fresh, path)?;
    files::sync_directory_of(path)
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The lock of all who write here; given back when the file is closed.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}
