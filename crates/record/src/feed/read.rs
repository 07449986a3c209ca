//! Reading a feed: that every member is there, of its type, and that nothing else is.

use seal::digest::Digest;
use seal::json::{JsonErrorKind, Limits, Value, parse};
use seal::key::{KeyError, PublicKey};

use super::{Feed, Head, ID_LIMIT, INDICATORS, Judge, LIMIT, VALUES, VERSION, judge, manifest};
use crate::codes::Code;
use crate::ioc::{FAULTS, ISSUER_LIMIT, seconds};
use crate::report::Finding;
use crate::text::is_label;

/// Reads a feed, strictly: form, ids, root and signatures, everything but who it is from. Whom it
/// is from, [`judge()`] knows.
pub fn read(bytes: &[u8]) -> Result<Feed, Vec<Finding>> {
    let judged = judge(bytes, &Judge::default());
    match judged.unpinned {
        Some(feed) => Ok(feed),
        None => {
            let faults = judged.report.findings.into_iter();
            Err(faults.filter(|finding| finding.code != Code::FeedUnpinned).collect())
        }
    }
}

/// Parses what should be a feed, or a part of one, within the limits of feeds.
pub fn value(bytes: &[u8]) -> Result<Value, Finding> {
    // A value in memory is sixteen times the two bytes that a hostile document spends on it, and
    // nothing of a document is looked at before all of it is there. Each one has its separator.
    let separates = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    if bytes.len() <= LIMIT && bytes.iter().filter(separates).count() > VALUES {
        return Err(Finding::here(Code::FeedLimit, format!("more than {VALUES} values")));
    }
    parse(bytes, Limits { bytes: LIMIT, depth: 6 }).map_err(|error| {
        let code = match error.kind {
            JsonErrorKind::TooLong => Code::FeedLimit,
            _ => Code::FeedJson,
        };
        Finding::here(code, error.to_string())
    })
}

/// A feed as it came: members of their types, nothing believed.
pub(super) struct Raw {
    pub(super) version: String,
    pub(super) feed_id: String,
    pub(super) issuer: String,
    pub(super) key_id: String,
    pub(super) public_key_pem: String,
    pub(super) issued_at: i64,
    pub(super) merkle_root: String,
    pub(super) ioc_count: Value,
    pub(super) signature: String,
    pub(super) iocs: Vec<Value>,
}

const STRINGS: [&str; 7] =
    ["version", "feed_id", "issuer", "key_id", "public_key_pem", "merkle_root", "signature"];

impl Raw {
    /// Takes a document apart. `None` when what the signature covers is not all there.
    pub(super) fn take(bytes: &[u8], found: &mut Vec<Finding>) -> Option<Raw> {
        let value = value(bytes).map_err(|finding| found.push(finding)).ok()?;
        let mut fault = |code, detail: String| found.push(Finding::here(code, detail));
        let Value::Object(members) = value else {
            fault(Code::FeedMember, format!("a feed is {}, not an object", value.kind()));
            return None;
        };
        let before = found.len();
        let mut strings = [const { None }; 7];
        let (mut issued_at, mut ioc_count, mut iocs) = (None, None, None);
        for (name, value) in members {
            let mut fault = |detail| found.push(Finding::here(Code::FeedMember, detail));
            if let Some(at) = STRINGS.iter().position(|known| *known == name) {
                match value {
                    Value::String(text) => strings[at] = Some(text),
                    other => fault(format!("{name} is {}, not a string", other.kind())),
                }
            } else if name == "issued_at" {
                issued_at = seconds(&name, &value, Code::FeedMember, found);
            } else if name == "ioc_count" {
                ioc_count = Some(value);
            } else if name == "iocs" {
                match value {
                    Value::Array(items) if items.len() > INDICATORS => {
                        let detail = format!("more than {INDICATORS} indicators");
                        found.push(Finding::here(Code::FeedLimit, detail));
                    }
                    Value::Array(items) => iocs = Some(items),
                    other => fault(format!("iocs is {}, not a list", other.kind())),
                }
            } else if found.len() - before < FAULTS {
                let mut fault = |detail| found.push(Finding::here(Code::FeedMember, detail));
                fault(format!("member {name:?} is unknown, and outside of the signature"));
            }
        }
        let [version, feed_id, issuer, key_id, public_key_pem, merkle_root, signature] = strings;
        let taken = (|| {
            Some(Raw {
                version: version?,
                feed_id: feed_id?,
                issuer: issuer?,
                key_id: key_id?,
                public_key_pem: public_key_pem?,
                issued_at: issued_at?,
                merkle_root: merkle_root?,
                ioc_count: ioc_count?,
                signature: signature?,
                iocs: iocs?,
            })
        })();
        if taken.is_none() && found.len() == before {
            let detail = "one of the ten members of a feed is missing";
            found.push(Finding::here(Code::FeedMember, detail));
        }
        taken
    }

    /// The bytes the signature covers: the number of indicators there are, whatever is declared.
    pub(super) fn manifest(&self) -> String {
        manifest(&Head {
            feed_id: &self.feed_id,
            issuer: &self.issuer,
            key_id: &self.key_id,
            public_key_pem: &self.public_key_pem,
            issued_at: self.issued_at,
            root: &self.merkle_root,
            count: self.iocs.len() as u64,
            version: &self.version,
        })
    }

    /// Everything that can be said of the members one by one.
    pub(super) fn check(&self, found: &mut Vec<Finding>) {
        let mut fault = |code, detail: String| found.push(Finding::here(code, detail));
        if self.version != VERSION {
            fault(Code::FeedVersion, format!("{:?}, expected {VERSION:?}", self.version));
        }
        for (name, text, limit) in
            [("feed_id", &self.feed_id, ID_LIMIT), ("issuer", &self.issuer, ISSUER_LIMIT)]
        {
            if !is_label(text, limit) {
                let detail =
                    format!("{name} {text:?} is not 1 to {limit} bytes without control characters");
                fault(Code::FeedMember, detail);
            }
        }
        match self.ioc_count {
            Value::Int(declared) if usize::try_from(declared) == Ok(self.iocs.len()) => {}
            Value::Int(declared) => {
                let detail = format!("declared {declared}, there are {}", self.iocs.len());
                fault(Code::FeedCount, detail);
            }
            ref other => {
                let detail = format!("ioc_count is {}, not an integer", other.kind());
                fault(Code::FeedMember, detail);
            }
        }
    }

    /// The key the feed carries, if signatures can be checked with it.
    pub(super) fn key(&self, found: &mut Vec<Finding>) -> Option<PublicKey> {
        let mut fault = |code, detail: String| found.push(Finding::here(code, detail));
        let key = match PublicKey::from_pem(&self.public_key_pem) {
            Ok(key) => key,
            Err(KeyError::Point) => {
                fault(Code::FeedKeyWeak, "the key it carries".into());
                return None;
            }
            Err(error) => {
                fault(Code::FeedKey, error.to_string());
                return None;
            }
        };
        if self.public_key_pem != key.to_pem() {
            fault(Code::FeedKey, "the PEM text is not the canonical one of the key".into());
        }
        if self.key_id != key.key_id().to_string() {
            let detail = format!("named {:?}, the key's is {}", self.key_id, key.key_id());
            fault(Code::FeedKeyId, detail);
        }
        Some(key)
    }

    /// The root over the ids as the indicators declare them.
    pub(super) fn check_root<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
        found: &mut Vec<Finding>,
    ) -> Digest {
        let computed = super::root(ids);
        if self.merkle_root != computed.text() {
            let detail = format!("declared {:?}, computed {computed}", self.merkle_root);
            found.push(Finding::here(Code::FeedRoot, detail));
        }
        computed
    }
}
