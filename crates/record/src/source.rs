//! Which indicators of signed feeds fired, as evidence names them: issuer and content hash.

use std::fmt::Write as _;

use seal::digest::Digest;
use seal::json::Value;

use crate::text::is_label;

/// An indicator of a signed feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    content_hash: Digest,
    name: String,
}

impl Source {
    /// Of an issuer, whose name may be any text: control characters are left out, and so is what
    /// lies behind 96 bytes. The hash alone says which indicator it is.
    pub fn of_feed(issuer: &str, content_hash: Digest) -> Source {
        let end = (0..=ISSUER.min(issuer.len())).rev().find(|end| issuer.is_char_boundary(*end));
        let mut name = format!("{FEED}{}", issuer.get(..end.unwrap_or(0)).unwrap_or_default());
        name.retain(|c| !c.is_control());
        Source { content_hash, name }
    }

    /// `feed:<issuer>`: free text of others, to be escaped where it is printed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The indicator.
    pub fn content_hash(&self) -> &Digest {
        &self.content_hash
    }

    /// `{"content_hash":"sha256:…","source":"feed:<issuer>"}`.
    pub fn to_value(&self) -> Value {
        Value::object([
            ("content_hash", Value::from(self.content_hash)),
            ("source", self.name.as_str().into()),
        ])
    }

    /// Reads what [`Source::to_value`] gave.
    pub fn read(value: &Value) -> Option<Source> {
        let members = value.as_object().filter(|members| members.len() == 2)?;
        let text = |name: &str| {
            members.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_str())
        };
        let content_hash = text("content_hash")?.parse().ok()?;
        let name = text("source")
            .filter(|name| name.starts_with(FEED) && is_label(name, FEED.len() + ISSUER))?;
        Some(Source { content_hash, name: name.to_owned() })
    }
}

/// As many are named at most; of more, those with the smallest hashes.
pub const SOURCES: usize = 16;

/// Sorted, each once, at most [`SOURCES`].
pub fn sorted<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<Source> {
    let mut all: Vec<Source> = sources.into_iter().cloned().collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(SOURCES);
    all
}

/// What stands for sources where there is no room for them: SHA-256 over their lines
/// `<content hash> feed:<issuer>`, sorted, each ended by LF.
pub fn digest(sources: &[Source]) -> Digest {
    let mut text = String::with_capacity(sources.len() * 128);
    for source in sorted(sources) {
        let _ = writeln!(text, "{} {}", source.content_hash, source.name);
    }
    Digest::of(text.as_bytes())
}

/// Bytes of an issuer's name.
const ISSUER: usize = 96;
const FEED: &str = "feed:";
