//! One indicator of a feed: what to look for, who says so, and until when.
//!
//! Projection-signed (`spec/feeds.md`): the signature covers the canonical form of ten members, the
//! SHA-256 of the same bytes is the indicator's only id. Who made it is a part of it, so the same
//! pattern from two issuers is two indicators.

mod read;

use std::fmt;
use std::str::FromStr;

use seal::base64;
use seal::digest::Digest;
use seal::json::{MAX_SAFE_INTEGER, Value, push_string, utf16_order};
use seal::key::{KeyId, PublicKey};
use seal::signer::Signer;

use crate::codes::Code;
use crate::report::Finding;
use crate::text::{is_label, key_of, member};

pub use read::read;
pub(crate) use read::{FAULTS, Raw, seconds, signature};

/// Longest pattern, bytes.
pub const PATTERN_LIMIT: usize = 16 << 10;
/// Longest description, bytes.
pub const DESCRIPTION_LIMIT: usize = 16 << 10;
/// Most categories of an indicator; each is at most 256 bytes.
pub const CATEGORIES_LIMIT: usize = 64;
/// Most indicators that one indicator revokes.
pub const REVOKES_LIMIT: usize = 100_000;
/// Longest issuer, bytes.
pub const ISSUER_LIMIT: usize = 256;

/// How a pattern is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular expression, searched anywhere.
    Regex,
    /// These characters exactly, case included.
    Substring,
    /// Any one of these code points: hexadecimal, four to six digits each, separated by commas.
    UnicodeSignature,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Regex, Kind::Substring, Kind::UnicodeSignature];

    /// The name in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Regex => "regex",
            Kind::Substring => "substring",
            Kind::UnicodeSignature => "unicode_signature",
        }
    }
}

/// How bad a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A note.
    Low,
    /// An alert.
    Medium,
    /// Blocks.
    High,
    /// Blocks.
    Critical,
}

impl Severity {
    /// Every severity.
    pub const ALL: [Severity; 4] =
        [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The name in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

macro_rules! named {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $type::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| {
                    NameError {
                        name: text.to_owned(),
                        known: $type::ALL.map(|n| n.as_str()).join(", "),
                    }
                })
            }
        }
    };
}
named!(Kind);
named!(Severity);

/// A kind or severity that there is none of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is none of {known}")]
pub struct NameError {
    name: String,
    known: String,
}

/// What an indicator says: the ten members that are hashed and signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ioc {
    /// How the pattern is meant.
    pub kind: Kind,
    /// What to look for; never empty.
    pub pattern: String,
    /// How bad a match is.
    pub severity: Severity,
    /// What it is about, sorted by UTF-16 code units; duplicates stay.
    pub categories: Vec<String>,
    /// For people.
    pub description: String,
    /// Who says so; the same as the feed's.
    pub issuer: String,
    /// The key that signed it; the same as the feed's.
    pub key_id: KeyId,
    /// When it was signed, Unix seconds.
    pub issued_at: i64,
    /// Indicators of the same publisher that are withdrawn by this one, in the same order.
    pub revokes: Vec<Digest>,
    /// From this second on it no longer counts.
    pub expires_at: Option<i64>,
}

/// An indicator with its id and signature. Reading one does not verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIoc {
    /// What it says.
    pub ioc: Ioc,
    /// As declared: the SHA-256 of [`Ioc::preimage`].
    pub content_hash: Digest,
    /// Ed25519 over [`Ioc::preimage`].
    pub signature: [u8; 64],
}

/// An indicator that nobody could read cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The pattern is empty, too long or no list of code points.
    #[error("pattern: {0}")]
    Pattern(String),
    /// The issuer is empty, too long or has control characters.
    #[error("issuer {0:?} is not 1 to {ISSUER_LIMIT} bytes without control characters")]
    Issuer(String),
    /// More than a reader takes.
    #[error("{0}")]
    Limit(String),
    /// A time that no reader takes.
    #[error("{name} {seconds} is not between 0 and 2^53-1 seconds")]
    Time {
        /// The member.
        name: &'static str,
        /// As given.
        seconds: i64,
    },
    /// The key id is another key's.
    #[error("key_id {0} is not that of the signing key")]
    Key(KeyId),
}

impl Ioc {
    /// Hashes and signs it. Categories and revocations are sorted.
    pub fn sign(self, signer: &dyn Signer) -> Result<SignedIoc, SignError> {
        if self.key_id != signer.key_id() {
            return Err(SignError::Key(self.key_id));
        }
        if !is_label(&self.issuer, ISSUER_LIMIT) {
            return Err(SignError::Issuer(self.issuer));
        }
        for (name, seconds) in
            [("issued_at", Some(self.issued_at)), ("expires_at", self.expires_at)]
        {
            if let Some(seconds) = seconds.filter(|s| !(0..=MAX_SAFE_INTEGER).contains(s)) {
                return Err(SignError::Time { name, seconds });
            }
        }
        check_sizes(&self.description, &self.categories, self.revokes.len())
            .map_err(SignError::Limit)?;
        check_pattern(self.kind, &self.pattern).map_err(SignError::Pattern)?;
        let ioc = self.sorted();
        let preimage = ioc.preimage();
        let (content_hash, signature) =
            (Digest::of(preimage.as_bytes()), signer.sign(preimage.as_bytes()));
        Ok(SignedIoc { ioc, content_hash, signature })
    }

    /// With its lists in the order in which they are signed.
    pub(crate) fn sorted(mut self) -> Ioc {
        self.categories.sort_by(|a, b| utf16_order(a, b));
        self.revokes.sort_unstable();
        self
    }

    /// The id it has, or will have once it is signed.
    pub fn content_hash(&self) -> Digest {
        Digest::of(self.preimage().as_bytes())
    }

    /// The canonical bytes that are hashed and signed.
    pub fn preimage(&self) -> String {
        let (key_id, revokes) = (self.key_id.to_string(), digests(&self.revokes));
        Body {
            kind: self.kind.as_str(),
            pattern: &self.pattern,
            severity: self.severity.as_str(),
            categories: &self.categories,
            description: &self.description,
            issuer: &self.issuer,
            key_id: &key_id,
            issued_at: self.issued_at,
            revokes: &revokes,
            expires_at: self.expires_at,
        }
        .canonical()
    }

    /// Whether it no longer counts at this second.
    pub fn expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|until| now >= until)
    }
}

impl SignedIoc {
    /// Whether it is what its id says, and signed by `key` in the name of `issuer`. This needs no
    /// feed: a part of a feed can be verified piece by piece under the pin of the whole.
    pub fn verify(&self, key: &PublicKey, issuer: &str) -> Result<(), Vec<Finding>> {
        let mut found = Vec::new();
        let key_id = key.key_id();
        check_owner(&self.ioc.issuer, issuer, &self.ioc.key_id.to_string(), key_id, &mut found);
        let preimage = self.ioc.preimage();
        check_hash(&self.content_hash.to_string(), &preimage, &mut found);
        if !key.verify(preimage.as_bytes(), &self.signature) {
            found.push(Finding::here(Code::IocSignature, format!("key {key_id}")));
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// The first 16 hex digits of the id, for people and rule names.
    pub fn short_id(&self) -> String {
        self.content_hash.hex()[..16].to_owned()
    }

    /// The object as it stands in a feed, members in the order of the format.
    pub fn to_value(&self) -> Value {
        let Ioc { kind, pattern, severity, categories, description, issuer, .. } = &self.ioc;
        Value::object([
            ("kind", kind.as_str().into()),
            ("pattern", pattern.into()),
            ("severity", severity.as_str().into()),
            ("categories", Value::array(categories)),
            ("description", description.into()),
            ("issuer", issuer.into()),
            ("key_id", self.ioc.key_id.to_string().into()),
            ("issued_at", self.ioc.issued_at.into()),
            ("revokes", Value::array(&self.ioc.revokes)),
            ("expires_at", self.ioc.expires_at.into()),
            ("content_hash", self.content_hash.into()),
            ("signature", base64::url_encode(&self.signature).into()),
        ])
    }
}

/// The characters of a `unicode_signature`: each code point once or more, in the order given.
pub fn code_points(pattern: &str) -> Result<Vec<char>, String> {
    let point = |digits: &str| {
        let hex = (4..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
        number.and_then(char::from_u32).ok_or_else(|| {
            format!("{digits:?} is not a code point in four to six hex digits (as 200B,E0001)")
        })
    };
    pattern.split(',').map(point).collect()
}

/// What can be said about a pattern without compiling it.
pub(crate) fn check_pattern(kind: Kind, pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("it is empty, and so would match everything".into());
    }
    if pattern.len() > PATTERN_LIMIT {
        return Err(format!("{} bytes, at most {PATTERN_LIMIT} are taken", pattern.len()));
    }
    match kind {
        Kind::UnicodeSignature => code_points(pattern).map(drop),
        Kind::Regex | Kind::Substring => Ok(()),
    }
}

pub(crate) fn check_sizes(
    description: &str,
    categories: &[String],
    revokes: usize,
) -> Result<(), String> {
    if description.len() > DESCRIPTION_LIMIT {
        return Err(format!("the description is longer than {DESCRIPTION_LIMIT} bytes"));
    }
    if categories.len() > CATEGORIES_LIMIT || categories.iter().any(|name| name.len() > 256) {
        return Err(format!("more than {CATEGORIES_LIMIT} categories, or one over 256 bytes"));
    }
    if revokes > REVOKES_LIMIT {
        return Err(format!("more than {REVOKES_LIMIT} revocations"));
    }
    Ok(())
}

/// An indicator speaks for its feed's issuer and no other: whoever could name another's name
/// could revoke in that name.
pub(crate) fn check_owner(
    issuer: &str,
    expected: &str,
    key_id: &str,
    key: KeyId,
    found: &mut Vec<Finding>,
) {
    if issuer != expected {
        let detail = format!("it names the issuer {issuer:?}, the feed is {expected:?}'s");
        found.push(Finding::here(Code::IocIssuer, detail));
    }
    if key_id != key.to_string() {
        let detail = format!("it names the key {key_id:?}, the feed is signed by {key}");
        found.push(Finding::here(Code::IocIssuer, detail));
    }
}

pub(crate) fn check_hash(declared: &str, preimage: &str, found: &mut Vec<Finding>) {
    let computed = Digest::of(preimage.as_bytes()).text();
    if declared != computed {
        let detail = format!("declared {declared:?}, computed {computed}");
        found.push(Finding::here(Code::IocHash, detail));
    }
}

/// The ten members, as they came or as they are written.
pub(crate) struct Body<'a> {
    pub(crate) kind: &'a str,
    pub(crate) pattern: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) categories: &'a [String],
    pub(crate) description: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) issued_at: i64,
    pub(crate) revokes: &'a [String],
    pub(crate) expires_at: Option<i64>,
}

impl Body<'_> {
    /// What `seal::json::write_receipt` gives for the object; written straight, since feeds have a
    /// hundred thousand of them.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::with_capacity(384 + self.pattern.len() + self.description.len());
        out.push('{');
        list(&mut out, "categories", self.categories);
        member(&mut out, "description", self.description);
        key_of(&mut out, "expires_at");
        match self.expires_at {
            Some(seconds) => out.push_str(&seconds.to_string()),
            None => out.push_str("null"),
        }
        key_of(&mut out, "issued_at");
        out.push_str(&self.issued_at.to_string());
        member(&mut out, "issuer", self.issuer);
        member(&mut out, "key_id", self.key_id);
        member(&mut out, "kind", self.kind);
        member(&mut out, "pattern", self.pattern);
        list(&mut out, "revokes", self.revokes);
        member(&mut out, "severity", self.severity);
        out.push('}');
        out
    }
}

fn list(out: &mut String, key: &str, items: &[String]) {
    key_of(out, key);
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(item, out);
    }
    out.push(']');
}

fn digests(digests: &[Digest]) -> Vec<String> {
    digests.iter().map(Digest::text).collect()
}
