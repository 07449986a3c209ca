//! A feed: one publisher's indicators under one signature.
//!
//! `raucle-feed/v1` (`spec/feeds.md`) is projection-signed: the manifest covers who publishes, when,
//! how many indicators and a digest over the sorted list of their ids. The file may be laid out as
//! it likes; there is one writer. [`judge()`] verifies one under pinned keys, [`live()`] says which
//! indicators of many feeds count at a moment.

mod draft;
mod judge;
mod live;
mod read;

use seal::base64;
use seal::digest::Digest;
use seal::json::{MAX_SAFE_INTEGER, Value, push_string, utf16_order, write_pretty};
use seal::key::PublicKey;
use seal::signer::Signer;

use crate::ioc::{ISSUER_LIMIT, SignedIoc};
use crate::text::{is_label, key_of, member};
use crate::trust::{Purpose, Trust, TrustKey, Validity};

pub use draft::{DRAFTS, DRAFTS_LIMIT, Draft, DraftError, Drafts, Fault};
pub use judge::{Compiles, Judge, Judged, Skipped, Verified, judge};
pub use live::{Gone, Live, live, live_where};
pub use read::{read, value};

/// Whether a draft's pattern is found in a text, or why it cannot be looked for.
pub type Finds<'a> = dyn Fn(&str) -> Result<bool, String> + 'a;

/// The one version of the format.
pub const VERSION: &str = "raucle-feed/v1";
/// Largest feed document, bytes: some hundred thousand indicators.
pub const LIMIT: usize = 128 << 20;
/// Most values (and commas within texts) of a feed document.
pub const VALUES: usize = 8_000_000;
/// Most indicators of a feed. Each has fifteen separators at least, so that hardly more could be
/// meant within [`VALUES`]; what is none, and takes two bytes, must not cost as much as one.
pub const INDICATORS: usize = 500_000;
/// Longest feed id, bytes.
pub const ID_LIMIT: usize = 512;

/// A feed as it was read or made. Reading one does not verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The publisher's name for it; says nothing beyond the publisher.
    pub feed_id: String,
    /// Who publishes it.
    pub issuer: String,
    /// The key it carries. Believed only when a [`Pin`] says so.
    pub key: PublicKey,
    /// When it was signed, Unix seconds.
    pub issued_at: i64,
    /// The digest over the ids, as declared.
    pub root: Digest,
    /// Ed25519 over [`Feed::manifest`].
    pub signature: [u8; 64],
    /// The indicators, in the order of the document.
    pub iocs: Vec<SignedIoc>,
    /// How many indicators the manifest is about; more than `iocs` when bad ones were left out.
    pub count: u64,
    /// The ids of those.
    pub left_out: Vec<Digest>,
}

/// A key that may publish, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The key, compared by its 32 bytes.
    pub key: PublicKey,
    /// The issuer it publishes for; `None` takes the one the feed names.
    pub issuer: Option<String>,
    /// When it counts, by the feed's own time.
    pub valid: Validity,
}

impl Pin {
    /// A key for any issuer, at any time.
    pub fn new(key: PublicKey) -> Pin {
        Pin { key, issuer: None, valid: Validity::default() }
    }

    /// The keys that a trust file holds for feeds.
    pub fn of(trust: &Trust) -> Vec<Pin> {
        let pin = |key: &TrustKey| {
            let (issuer, valid) = (key.issuer.clone(), key.valid);
            Some(Pin { key: key.public_key()?.clone(), issuer, valid })
        };
        trust.keys_for(Purpose::Feed).filter_map(pin).collect()
    }

    /// The same key for this issuer only.
    pub fn issuer(self, issuer: impl Into<String>) -> Pin {
        Pin { issuer: Some(issuer.into()), ..self }
    }
}

/// Who published: a name means nothing without the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Publisher {
    /// The name.
    pub issuer: String,
    /// The 32 bytes of the key.
    pub key: [u8; 32],
}

/// A feed that no reader would take is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Empty, too long, or with control characters.
    #[error("{name} {text:?} is not 1 to {limit} bytes without control characters")]
    Label {
        /// The member.
        name: &'static str,
        /// As given.
        text: String,
        /// The longest.
        limit: usize,
    },
    /// A time that no reader takes.
    #[error("issued_at {0} is not between 0 and 2^53-1 seconds")]
    Time(i64),
    /// An indicator of somebody else, or one whose hash or signature is bad.
    #[error("indicator {index} is not this publisher's: {why}")]
    Foreign {
        /// Its place, from 0.
        index: usize,
        /// The finding.
        why: String,
    },
    /// The same indicator twice.
    #[error("indicator {index} stands there twice; leave one of them out")]
    Twice {
        /// The place of the second, from 0.
        index: usize,
    },
}

/// Signs a feed over indicators that `signer` signed in the name of `issuer`.
pub fn publish(
    feed_id: &str,
    issuer: &str,
    issued_at: i64,
    iocs: Vec<SignedIoc>,
    signer: &dyn Signer,
) -> Result<Feed, PublishError> {
    for (name, text, limit) in [("feed_id", feed_id, ID_LIMIT), ("issuer", issuer, ISSUER_LIMIT)] {
        if !is_label(text, limit) {
            return Err(PublishError::Label { name, text: text.to_owned(), limit });
        }
    }
    if !(0..=MAX_SAFE_INTEGER).contains(&issued_at) {
        return Err(PublishError::Time(issued_at));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (index, ioc) in iocs.iter().enumerate() {
        ioc.verify(signer.public(), issuer).map_err(|found| {
            let why = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            PublishError::Foreign { index, why }
        })?;
        if !seen.insert(ioc.content_hash) {
            return Err(PublishError::Twice { index });
        }
    }
    let mut feed = Feed {
        feed_id: feed_id.to_owned(),
        issuer: issuer.to_owned(),
        key: signer.public().clone(),
        issued_at,
        root: root_of(&iocs),
        signature: [0; 64],
        count: iocs.len() as u64,
        left_out: Vec::new(),
        iocs,
    };
    feed.signature = signer.sign(feed.manifest().as_bytes());
    Ok(feed)
}

impl Feed {
    /// Who published it, as the document says.
    pub fn publisher(&self) -> Publisher {
        Publisher { issuer: self.issuer.clone(), key: *self.key.as_bytes() }
    }

    /// The ids that the manifest is about, in no particular order.
    pub fn ids(&self) -> Vec<Digest> {
        self.iocs.iter().map(|ioc| ioc.content_hash).chain(self.left_out.iter().copied()).collect()
    }

    /// The canonical bytes that are signed.
    pub fn manifest(&self) -> String {
        manifest(&Head {
            feed_id: &self.feed_id,
            issuer: &self.issuer,
            key_id: &self.key.key_id().to_string(),
            public_key_pem: &self.key.to_pem(),
            issued_at: self.issued_at,
            root: &self.root.text(),
            count: self.count,
            version: VERSION,
        })
    }

    /// The document, byte for byte as the format's own tool writes it: two spaces a level, no line
    /// end after the last brace.
    pub fn to_json(&self) -> String {
        let document = Value::object([
            ("version", VERSION.into()),
            ("feed_id", Value::from(&self.feed_id)),
            ("issuer", Value::from(&self.issuer)),
            ("key_id", self.key.key_id().to_string().into()),
            ("public_key_pem", self.key.to_pem().into()),
            ("issued_at", self.issued_at.into()),
            ("merkle_root", self.root.into()),
            ("ioc_count", self.count.into()),
            ("signature", base64::url_encode(&self.signature).into()),
            ("iocs", Value::array(self.iocs.iter().map(SignedIoc::to_value))),
        ]);
        let mut text = write_pretty(&document);
        text.pop();
        text
    }
}

/// What the format calls a Merkle root: the digest of the canonical list of sorted ids. Of no ids
/// it is the digest of no bytes.
pub fn root<'a>(ids: impl IntoIterator<Item = &'a str>) -> Digest {
    Digest::of(root_preimage(ids).as_bytes())
}

/// The bytes under [`root`].
pub fn root_preimage<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let mut ids: Vec<&str> = ids.into_iter().collect();
    if ids.is_empty() {
        return String::new();
    }
    ids.sort_by(|a, b| utf16_order(a, b));
    let mut out = String::with_capacity(ids.len() * 74 + 2);
    for id in ids {
        out.push(if out.is_empty() { '[' } else { ',' });
        push_string(id, &mut out);
    }
    out.push(']');
    out
}

fn root_of(iocs: &[SignedIoc]) -> Digest {
    let ids: Vec<String> = iocs.iter().map(|ioc| ioc.content_hash.text()).collect();
    root(ids.iter().map(String::as_str))
}

/// What the manifest signs, as it came or as it is written.
struct Head<'a> {
    feed_id: &'a str,
    issuer: &'a str,
    key_id: &'a str,
    public_key_pem: &'a str,
    issued_at: i64,
    root: &'a str,
    /// The number of indicators there are, whatever the document says.
    count: u64,
    version: &'a str,
}

fn manifest(head: &Head<'_>) -> String {
    let mut out = String::with_capacity(512);
    out.push('{');
    member(&mut out, "feed_id", head.feed_id);
    key_of(&mut out, "ioc_count");
    out.push_str(&head.count.to_string());
    key_of(&mut out, "issued_at");
    out.push_str(&head.issued_at.to_string());
    member(&mut out, "issuer", head.issuer);
    member(&mut out, "key_id", head.key_id);
    member(&mut out, "merkle_root", head.root);
    member(&mut out, "public_key_pem", head.public_key_pem);
    member(&mut out, "version", head.version);
    out.push('}');
    out
}
