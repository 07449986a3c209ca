//! Reading an indicator: first that every member is there and of its type, then what it says. The
//! two are apart so that an indicator that is well signed but unusable can be told from a forged one.

use seal::base64;
use seal::digest::Digest;
use seal::json::{Limits, MAX_SAFE_INTEGER, Value, parse, utf16_order};
use seal::key::{KeyId, PublicKey};

use super::{Body, Ioc, Kind, SignedIoc, check_hash, check_owner, check_pattern, check_sizes};
use crate::codes::Code;
use crate::report::Finding;

/// One indicator by itself.
const LIMITS: Limits = Limits { bytes: 16 << 20, depth: 4 };

/// Reads one indicator, strictly. Its id is recomputed; its signature is not checked.
pub fn read(bytes: &[u8]) -> Result<SignedIoc, Vec<Finding>> {
    let value = parse(bytes, LIMITS)
        .map_err(|error| vec![Finding::here(Code::FeedJson, error.to_string())])?;
    let mut found = Vec::new();
    let raw = Raw::take(value, &mut found);
    let ioc = raw.and_then(|raw| {
        check_hash(&raw.content_hash, &raw.preimage(), &mut found);
        if signature(&raw.signature).is_none() {
            found.push(Finding::here(Code::IocSignature, SPELLING));
        }
        raw.refine(&mut found)
    });
    match ioc {
        Some(ioc) if found.is_empty() => Ok(ioc),
        _ => Err(found),
    }
}

/// An indicator as it came: every member has its type, nothing is believed.
pub(crate) struct Raw {
    kind: String,
    pattern: String,
    severity: String,
    categories: Vec<String>,
    description: String,
    issuer: String,
    key_id: String,
    issued_at: i64,
    revokes: Vec<String>,
    expires_at: Option<i64>,
    pub(crate) content_hash: String,
    signature: String,
}

impl Raw {
    /// Takes the members out of an object. `None` when one is missing or of another type; an
    /// unknown one is a finding, but what is signed can still be judged.
    pub(crate) fn take(value: Value, found: &mut Vec<Finding>) -> Option<Raw> {
        let Value::Object(members) = value else {
            let detail = format!("an indicator is {}, not an object", value.kind());
            found.push(Finding::here(Code::IocMember, detail));
            return None;
        };
        let before = found.len();
        let (mut strings, mut lists) = ([const { None }; 8], [const { None }; 2]);
        let (mut issued_at, mut expires_at) = (None, None);
        for (name, value) in members {
            let name = name.as_str();
            if let Some(at) = STRINGS.iter().position(|known| *known == name) {
                strings[at] = string(name, value, found);
            } else if let Some(at) = LISTS.iter().position(|known| *known == name) {
                lists[at] = texts(name, value, found);
            } else if name == "issued_at" {
                issued_at = seconds(name, &value, Code::IocMember, found);
            } else if name == "expires_at" {
                expires_at = match value {
                    Value::Null => Some(None),
                    value => seconds(name, &value, Code::IocMember, found).map(Some),
                };
            } else if found.len() - before < FAULTS {
                let detail = format!("member {name:?} is unknown, and outside of the signature");
                found.push(Finding::here(Code::IocMember, detail));
            }
        }
        let [kind, pattern, severity, description, issuer, key_id, content_hash, signature] =
            strings;
        let [categories, revokes] = lists;
        let taken = (|| {
            Some(Raw {
                kind: kind?,
                pattern: pattern?,
                severity: severity?,
                categories: categories?,
                description: description?,
                issuer: issuer?,
                key_id: key_id?,
                issued_at: issued_at?,
                revokes: revokes?,
                expires_at: expires_at?,
                content_hash: content_hash?,
                signature: signature?,
            })
        })();
        if taken.is_none() && found.len() == before {
            found.push(Finding::here(Code::IocMember, "one of the twelve members is missing"));
        }
        taken
    }

    /// The bytes that are hashed and signed.
    pub(crate) fn preimage(&self) -> String {
        Body {
            kind: &self.kind,
            pattern: &self.pattern,
            severity: &self.severity,
            categories: &self.categories,
            description: &self.description,
            issuer: &self.issuer,
            key_id: &self.key_id,
            issued_at: self.issued_at,
            revokes: &self.revokes,
            expires_at: self.expires_at,
        }
        .canonical()
    }

    /// Whether the signature is `key`'s over `preimage`.
    pub(crate) fn check_signature(
        &self,
        preimage: &str,
        key: &PublicKey,
        found: &mut Vec<Finding>,
    ) {
        let Some(signature) = signature(&self.signature) else {
            found.push(Finding::here(Code::IocSignature, SPELLING));
            return;
        };
        if !key.verify(preimage.as_bytes(), &signature) {
            found.push(Finding::here(Code::IocSignature, format!("key {}", key.key_id())));
        }
    }

    /// Whether it speaks for the feed it stands in.
    pub(crate) fn check_owner(&self, issuer: &str, key: KeyId, found: &mut Vec<Finding>) {
        check_owner(&self.issuer, issuer, &self.key_id, key, found);
    }

    /// The indicator, if what it says can be used.
    pub(crate) fn refine(self, found: &mut Vec<Finding>) -> Option<SignedIoc> {
        let before = found.len();
        let mut fault = |code, detail: String| found.push(Finding::here(code, detail));
        let kind = self.kind.parse().map_err(|e| fault(Code::IocKind, format!("{e}"))).ok();
        let severity =
            self.severity.parse().map_err(|e| fault(Code::IocSeverity, format!("{e}"))).ok();
        // What kind of thing an unknown kind looks for, nobody knows; empty it must not be.
        if let Err(why) = check_pattern(kind.unwrap_or(Kind::Substring), &self.pattern) {
            fault(Code::IocPattern, why);
        }
        if let Err(why) = check_sizes(&self.description, &self.categories, self.revokes.len()) {
            fault(Code::IocMember, why);
        }
        let mut revokes = Vec::with_capacity(self.revokes.len());
        for text in &self.revokes {
            match text.parse() {
                Ok(digest) => revokes.push(digest),
                Err(_) => {
                    fault(Code::IocMember, format!("revokes {text:?}, which is no id"));
                    break;
                }
            }
        }
        if self.issuer.is_empty() {
            fault(Code::IocMember, "issuer is empty".into());
        }
        let key_id = self.key_id.parse::<KeyId>();
        let key_id =
            key_id.map_err(|error| fault(Code::IocMember, format!("key_id: {error}"))).ok();
        // Who checks the hash and the signature has said what is wrong with them.
        let content_hash = self.content_hash.parse::<Digest>().ok();
        let signature = signature(&self.signature);
        if found.len() > before {
            return None;
        }
        let ioc = Ioc {
            kind: kind?,
            pattern: self.pattern,
            severity: severity?,
            categories: self.categories,
            description: self.description,
            issuer: self.issuer,
            key_id: key_id?,
            issued_at: self.issued_at,
            revokes,
            expires_at: self.expires_at,
        };
        Some(SignedIoc { ioc, content_hash: content_hash?, signature: signature? })
    }
}

/// Faults of one kind that are told of one thing: a hostile document has as many as it likes.
pub(crate) const FAULTS: usize = 16;

const SPELLING: &str = "it is not 64 bytes in 86 characters of base64url";
const STRINGS: [&str; 8] =
    ["kind", "pattern", "severity", "description", "issuer", "key_id", "content_hash", "signature"];
const LISTS: [&str; 2] = ["categories", "revokes"];

fn string(name: &str, value: Value, found: &mut Vec<Finding>) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        other => {
            let detail = format!("{name} is {}, not a string", other.kind());
            found.push(Finding::here(Code::IocMember, detail));
            None
        }
    }
}

/// A list of strings, in the order in which it is signed.
fn texts(name: &str, value: Value, found: &mut Vec<Finding>) -> Option<Vec<String>> {
    let taken = match value {
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect::<Option<Vec<String>>>(),
        _ => None,
    };
    match taken {
        Some(mut texts) => {
            texts.sort_by(|a, b| utf16_order(a, b));
            Some(texts)
        }
        None => {
            found.push(Finding::here(Code::IocMember, format!("{name} is no list of strings")));
            None
        }
    }
}

/// A JSON integer of Unix seconds. Neither `"1"` nor `1.0` is one: what is coerced was not signed.
pub(crate) fn seconds(
    name: &str,
    value: &Value,
    code: Code,
    found: &mut Vec<Finding>,
) -> Option<i64> {
    match value {
        Value::Int(number) if (0..=MAX_SAFE_INTEGER).contains(number) => Some(*number),
        other => {
            let detail = format!("{name} is {}, not an integer of seconds", other.kind());
            found.push(Finding::here(code, detail));
            None
        }
    }
}

/// The one spelling of 64 bytes.
pub(crate) fn signature(text: &str) -> Option<[u8; 64]> {
    base64::url_decode(text).ok()?.try_into().ok()
}
