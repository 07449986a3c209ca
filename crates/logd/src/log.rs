//! The log over HTTP (C2SP tlog-tiles): checkpoint and hash tiles for everybody, entries and bodies
//! for who has the token. `spec/log-serving.md`.
//!
//! Only names that a tile, a bundle or an index can have reach the disk; nothing is listed.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, IF_NONE_MATCH};
use http::{Method, Request};
use hyper::body::Incoming;
use ledger::read::{Body, ReadError, Reader};
use ledger::store::Source as _;
use ledger::store::file::FileStore;
use seal::Zeroizing;
use seal::digest::Digest;
use seal::merkle::leaf_hash;
use seal::tile::{self, Bundle, FULL_BYTES, LEVELS, Tile};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::door::{self, Answers, Door, ServeError};
use crate::reply::{self, BYTES, Reply, TEXT};

/// What is served.
pub struct Setup {
    /// The ledger.
    pub ledger: PathBuf,
    /// What opens entries and bodies; without it they are not served at all.
    pub token: Option<Token>,
}

/// A bearer token. Never printed.
pub struct Token(Zeroizing<String>);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is one line of 16 to 512 visible ASCII characters")]
pub struct TokenError;

impl Token {
    /// Reads the text of a token file; white space around it does not count.
    pub fn read(text: &str) -> Result<Token, TokenError> {
        let text = text.trim();
        let good = (16..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Token(Zeroizing::new(text.to_owned()))).ok_or(TokenError)
    }

    /// Exactly one `Authorization: Bearer` with this token, compared in constant time.
    fn opens(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let given = value.as_bytes().strip_prefix(b"Bearer ").unwrap_or(b"");
        seal::mac::equal(given, self.0.as_bytes())
    }
}

/// Serves until `shutdown` resolves. Blocking. Reads only what lies there and takes no lock, so it
/// may run beside the sequencer, under another account.
pub fn serve(
    setup: Setup,
    door: &Door,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let files = Files { store: FileStore::read_only(&setup.ledger), dir: setup.ledger };
    let service =
        Service { files: Arc::new(files), token: setup.token, searches: Semaphore::new(SEARCHES) };
    door::serve(door, Arc::new(service), ready, shutdown)
}

struct Service {
    files: Arc<Files>,
    token: Option<Token>,
    /// A body costs a look through its segment.
    searches: Semaphore,
}

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Checkpoint,
    Tile(Tile),
    Entries(Bundle),
    Body(u64),
}

impl Place {
    fn of(path: &str) -> Option<Place> {
        let path = path.strip_prefix('/')?;
        if path == "checkpoint" {
            return Some(Place::Checkpoint);
        }
        if let Some(index) = path.strip_prefix("body/") {
            let number: u64 = index.parse().ok()?;
            return (number.to_string() == index).then_some(Place::Body(number));
        }
        if let Some(bundle) = Bundle::parse(path) {
            return Some(Place::Entries(bundle));
        }
        Tile::parse(path).filter(|tile| tile.level < LEVELS).map(Place::Tile)
    }

    fn is_private(self) -> bool {
        matches!(self, Place::Entries(_) | Place::Body(_))
    }
}

impl Answers for Service {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let Some(place) = Place::of(request.uri().path()) else { return reply::not_found() };
        if place.is_private() {
            match &self.token {
                // As if there were no such place.
                None => return reply::not_found(),
                Some(token) if token.opens(request.headers()) => {}
                Some(_) => return reply::unauthorised(),
            }
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return reply::wrong_method("GET, HEAD");
        }
        let _search = match place {
            Place::Body(_) => self.searches.acquire().await.ok(),
            _ => None,
        };
        let files = self.files.clone();
        let answered = spawn_blocking(move || files.answer(place)).await;
        let reply = match answered {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => reply::not_found(),
            Ok(Err(error)) => {
                tracing::error!(%error, ?place, "a file of the log cannot be served");
                reply::fault()
            }
            Err(_) => reply::fault(),
        };
        reply::unless_known(reply, request.headers().get_all(IF_NONE_MATCH))
    }
}

struct Files {
    store: FileStore,
    dir: PathBuf,
}

impl Files {
    fn answer(&self, place: Place) -> io::Result<Reply> {
        match place {
            Place::Checkpoint => {
                let note = self.store.read("public/checkpoint", NOTE_BYTES)?;
                Ok(reply::cached(reply::tagged(TEXT, note), "public, max-age=2"))
            }
            Place::Tile(tile) => {
                let bytes = self.tile(tile)?;
                Ok(reply::cached(reply::tagged(BYTES, bytes), FOREVER))
            }
            Place::Entries(bundle) => {
                let bytes = self.bundle(bundle)?;
                Ok(reply::cached(
                    reply::tagged(BYTES, bytes),
                    "private, max-age=31536000, immutable",
                ))
            }
            Place::Body(index) => self.body(index),
        }
    }

    /// A tile; of a full one its first hashes, where a partial one is gone.
    fn tile(&self, tile: Tile) -> io::Result<Vec<u8>> {
        let named = |tile: Tile| self.store.read(&format!("public/{}", tile.path()), FULL_BYTES);
        let mut bytes = or_full(named(tile), !tile.is_full(), || named(tile.full()))?;
        if bytes.len() < tile.bytes() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        bytes.truncate(tile.bytes());
        Ok(bytes)
    }

    fn bundle(&self, bundle: Bundle) -> io::Result<Vec<u8>> {
        let named =
            |bundle: Bundle| self.store.read(&format!("entries/{}", bundle.place()), BUNDLE_BYTES);
        let partial = bundle != bundle.full();
        let bytes = or_full(named(bundle), partial, || named(bundle.full()))?;
        let bad = |_| io::Error::from(io::ErrorKind::InvalidData);
        let entries = tile::decode_bundle(&bytes).map_err(bad)?;
        let wanted = entries.get(..bundle.width.into()).ok_or(io::ErrorKind::InvalidData)?;
        if wanted.len() == entries.len() {
            return Ok(bytes);
        }
        tile::encode_bundle(wanted.iter().copied()).map_err(bad)
    }

    /// The body of an entry under the checkpoint, held against the tree: its leaf is the one that
    /// the tile at its place has.
    fn body(&self, index: u64) -> io::Result<Reply> {
        let reader = Reader::open_dir(&self.dir, None).map_err(|error| match error {
            ReadError::Io(error) => error,
            _ => io::ErrorKind::NotFound.into(),
        })?;
        let size = reader.checkpoint().map_or(0, |checkpoint| checkpoint.size);
        if index >= size {
            return Err(io::ErrorKind::NotFound.into());
        }
        let logged: Digest = tile::leaf(&reader.tiles(), index, size).map_err(io::Error::other)?;
        let found = reader.find(index, |entry| {
            let reply = match entry.body {
                Body::Present(bytes) => reply::tagged(BYTES, bytes.to_vec()),
                Body::Encrypted(bytes) => reply::tagged(reply::AGE, bytes.to_vec()),
                Body::Pruned => return (leaf_hash(entry.leaf_bytes), reply::gone(index)),
            };
            (leaf_hash(entry.leaf_bytes), reply::cached(reply, "private, no-cache"))
        })?;
        match found {
            Some((leaf, reply)) if leaf == logged => Ok(reply),
            Some(_) => {
                Err(io::Error::other("the entry is not the one of the tree: verify the ledger"))
            }
            None => {
                Err(io::Error::other("the entry is in no segment: it was archived, or is damaged"))
            }
        }
    }
}

/// What a partial name has, or else what the full one has.
fn or_full(
    read: io::Result<Vec<u8>>,
    partial: bool,
    full: impl FnOnce() -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u8>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound && partial => full(),
        read => read,
    }
}

/// A tile never changes once it is there.
const FOREVER: &str = "public, max-age=31536000, immutable";
const NOTE_BYTES: usize = 64 << 10;
/// 256 entries of 65,535 bytes with their lengths.
const BUNDLE_BYTES: usize = 256 * (2 + 65_535);
/// Bodies that are looked for at once.
const SEARCHES: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_a_log_are_places() {
        assert_eq!(Place::of("/checkpoint"), Some(Place::Checkpoint));
        assert_eq!(Place::of("/body/7"), Some(Place::Body(7)));
        assert!(matches!(Place::of("/tile/0/x001/067.p/3"), Some(Place::Tile(_))));
        assert!(matches!(Place::of("/tile/entries/000"), Some(Place::Entries(_))));
        for bad in [
            "",
            "/",
            "//checkpoint",
            "/checkpoint/",
            "/checkpoint.new",
            "/head",
            "/public/checkpoint",
            "/body/07",
            "/body/-1",
            "/body/7/",
            "/body/18446744073709551616",
            "/tile/8/000",
            "/tile/0/000/..",
            "/tile/0/../../head",
            "/tile/entries/../../head",
            "/tile/0/%2e%2e/head",
            "/tile/0/000.p/0",
            "/tile/0/000.p/256",
            "/journal/00000000000000000000.seg",
            "/../keys/log.pem",
        ] {
            assert_eq!(Place::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens() {
        assert!(Token::read(" 0123456789abcdef\n").is_ok());
        for bad in ["", "short", "0123456789 abcdef", "0123456789abcd\u{e9}", &"x".repeat(513)] {
            assert!(Token::read(bad).is_err(), "{bad}");
        }
        let token = Token::read("0123456789abcdef").unwrap();
        let opens = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            token.opens(&headers)
        };
        assert!(opens(&["Bearer 0123456789abcdef"]));
        for bad in [
            &[][..],
            &["Bearer 0123456789abcdeg"],
            &["Bearer 0123456789abcdef0"],
            &["Basic 0123456789abcdef"],
            &["Bearer "],
            &["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"],
        ] {
            assert!(!opens(bad), "{bad:?}");
        }
    }
}
