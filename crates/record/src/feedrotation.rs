//! A new key for a publisher's feeds, said by the key before it (`countersign-feed-rotation/v1`).
//!
//! A compact JWS signed by the old key, for one issuer. A subscriber who pinned the old key takes the
//! new one on its word and no other's. Statements lie one a line in a file beside the feed; a
//! subscriber that missed some follows them from the key it has. Bytes: `spec/feed-subscriptions.md`.

use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::key::{KeyId, PublicKey};
use seal::signer::Signer;

use crate::codes::Code;
use crate::ioc::ISSUER_LIMIT;
use crate::report::Finding;
use crate::text::{digest_member, is_label, member};

/// The type constant.
pub const TYPE: &str = "countersign-feed-rotation/v1";
/// Longest statement, bytes.
pub const LIMIT: usize = 4_096;
/// Longest file of statements, bytes.
pub const FILE_LIMIT: usize = 64 << 10;

/// What the old key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The issuer whose feeds it is about.
    pub issuer: String,
    /// The short id of the key that goes.
    pub old_id: KeyId,
    /// Its fingerprint, which settles which one is meant.
    pub old: Digest,
    /// The key that comes.
    pub new: PublicKey,
    /// When it was signed, Unix seconds.
    pub iat: i64,
}

/// A statement that cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rotation of a feed's key breaks a rule of its format: {0}")]
pub struct Refused(pub String);

/// Signs that `new` takes the place of the signer's key for the feeds of `issuer`.
pub fn sign(issuer: &str, new: &PublicKey, iat: i64, old: &dyn Signer) -> Result<String, Refused> {
    let rotation = Rotation {
        issuer: issuer.to_owned(),
        old_id: old.key_id(),
        old: old.public().fingerprint(),
        new: new.clone(),
        iat,
    };
    rotation.check().map_err(Refused)?;
    Ok(seal::jws::encode(&header(rotation.old_id), &rotation.payload(), old))
}

/// Reads a statement and verifies it under the key that it says goes.
pub fn read(jws: &str, old: &PublicKey) -> Result<Rotation, String> {
    let token = seal::jws::split(jws, LIMIT).map_err(|error| error.to_string())?;
    if token.header != header(old.key_id()).as_bytes() {
        return Err(format!("its header is not that of {TYPE} by the key {}", old.key_id()));
    }
    let limits = Limits { bytes: LIMIT, depth: 2 };
    let value = parse(&token.payload, limits).map_err(|error| format!("payload: {error}"))?;
    if !write_receipt(&value).is_ok_and(|text| text.as_bytes() == token.payload) {
        return Err("the payload is not canonical JSON".into());
    }
    let rotation = claims(&value)?;
    rotation.check()?;
    if rotation.old != old.fingerprint() {
        return Err("it is about another key with the same short id".into());
    }
    if !old.verify(token.signing_input.as_bytes(), &token.signature) {
        return Err(format!("the key {} did not sign it", old.key_id()));
    }
    Ok(rotation)
}

/// The keys from `from` (not among them) to `to`, each named by the one before it, out of a text
/// with a statement on each line. Statements of other keys or issuers are passed by.
pub fn follow(
    text: &str,
    issuer: &str,
    from: &PublicKey,
    to: &PublicKey,
    now: i64,
) -> Result<Vec<PublicKey>, Vec<Finding>> {
    let mut paths: Vec<Vec<PublicKey>> = vec![Vec::new()];
    let mut seen = vec![from.clone()];
    let mut faults = Vec::new();
    while let Some(path) = paths.pop() {
        let key = path.last().unwrap_or(from);
        for line in text.lines().map(str::trim).filter(|line| names(line, key.key_id())) {
            let rotation = match read(line, key) {
                Ok(rotation) => rotation,
                Err(fault) => {
                    faults.push(Finding::here(Code::FeedRotation, fault));
                    continue;
                }
            };
            if rotation.issuer != issuer {
                let detail = format!("it is about {:?}, not {issuer:?}", rotation.issuer);
                faults.push(Finding::here(Code::FeedRotation, detail));
                continue;
            }
            if rotation.iat > now.saturating_add(SKEW) {
                faults.push(Finding::here(Code::FeedRotation, "it was signed in the future"));
                continue;
            }
            let mut longer = path.clone();
            longer.push(rotation.new.clone());
            if rotation.new == *to {
                return Ok(longer);
            }
            if !seen.contains(&rotation.new) && longer.len() < STEPS {
                seen.push(rotation.new);
                paths.push(longer);
            }
        }
    }
    if faults.is_empty() {
        let detail = format!("none leads from the key {} to {}", from.key_id(), to.key_id());
        faults.push(Finding::here(Code::FeedRotation, detail));
    }
    Err(faults)
}

/// Whether a line claims to be a statement of this key.
fn names(line: &str, key: KeyId) -> bool {
    let head = line.split('.').next().unwrap_or_default();
    head == seal::base64::url_encode(header(key).as_bytes())
}

impl Rotation {
    fn check(&self) -> Result<(), String> {
        if !is_label(&self.issuer, ISSUER_LIMIT) {
            return Err("its issuer is empty, too long or has control characters".into());
        }
        if self.new.fingerprint() == self.old {
            return Err("the new key is the old one".into());
        }
        if !(1..=LATEST).contains(&self.iat) {
            return Err("iat is no time between 1970 and 9999".into());
        }
        Ok(())
    }

    /// Canonical: the members stand in the order of their names.
    fn payload(&self) -> String {
        let mut out = format!("{{\"iat\":{}", self.iat);
        member(&mut out, "issuer", &self.issuer);
        digest_member(&mut out, "key_fingerprint", &self.old);
        member(&mut out, "key_id", &self.old_id.to_string());
        member(&mut out, "new_key", &self.new.to_pem());
        member(&mut out, "new_key_id", &self.new.key_id().to_string());
        out.push('}');
        out
    }
}

fn claims(payload: &Value) -> Result<Rotation, String> {
    let members = payload.as_object().ok_or_else(|| format!("payload is {}", payload.kind()))?;
    if members.len() != 6 {
        return Err("it has not exactly the six members of a rotation".into());
    }
    let text = |name: &str| {
        let found = payload.get(name).and_then(Value::as_str);
        found.ok_or_else(|| format!("{name} is missing or not a string"))
    };
    let pem = text("new_key")?;
    let new = PublicKey::from_pem(pem).map_err(|error| format!("new_key: {error}"))?;
    if new.to_pem() != pem || new.key_id().to_string() != text("new_key_id")? {
        return Err("new_key is not in its one form, or new_key_id is not its id".into());
    }
    Ok(Rotation {
        issuer: text("issuer")?.to_owned(),
        old_id: text("key_id")?.parse().map_err(|_| "key_id is no key id".to_owned())?,
        old: text("key_fingerprint")?
            .parse()
            .map_err(|_| "key_fingerprint is no digest".to_owned())?,
        new,
        iat: payload.get("iat").and_then(Value::as_i64).ok_or("iat is no integer")?,
    })
}

fn header(kid: KeyId) -> String {
    format!("{{\"alg\":\"EdDSA\",\"kid\":\"{kid}\",\"typ\":\"{TYPE}\"}}")
}

/// Clocks differ by so many seconds.
const SKEW: i64 = 600;
/// Keys that a subscriber may have missed.
const STEPS: usize = 32;
/// 9999-12-31T23:59:59Z.
const LATEST: i64 = 253_402_300_799;
