//! The record of a subscription: what was asked for, what was accepted, sealed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use record::feed::Pin;
use record::trust::Validity;
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::key::{KeyId, PublicKey};
use seal::mac::{self, MacKey};

use super::disk::Source;

/// The type constant of a record.
pub const TYPE: &str = "countersign-feed-subscription/v1";
/// Longest record, bytes.
pub(super) const LIMIT: usize = 32 << 20;
/// Most addresses of a subscription.
pub(super) const SOURCES: usize = 16;

/// The place of a subscription: a digest over issuer, key and feed id, so that nobody can take
/// another one's by choosing a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(Digest);

impl Slot {
    /// Of an issuer, the 32 bytes of its first pinned key, and a feed id.
    pub fn of(issuer: &str, key: &PublicKey, feed_id: &str) -> Slot {
        let parts = Value::array([
            Value::from("countersign-feed-slot/v1"),
            issuer.into(),
            seal::hex::encode(key.as_bytes()).into(),
            feed_id.into(),
        ]);
        Slot(Digest::of(seal::json::write_plain(&parts).as_bytes()))
    }

    /// 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.hex()
    }

    /// The slot with this name.
    pub fn from_hex(text: &str) -> Option<Slot> {
        Digest::from_hex(text).map(Slot)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// What a match of the feed's indicators does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// At least what its severity says.
    #[default]
    Enforce,
    /// It is reported.
    Monitor,
}

impl Policy {
    /// The name in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Enforce => "enforce",
            Policy::Monitor => "monitor",
        }
    }
}

impl FromStr for Policy {
    type Err = ();

    fn from_str(text: &str) -> Result<Policy, ()> {
        [Policy::Enforce, Policy::Monitor].into_iter().find(|p| p.as_str() == text).ok_or(())
    }
}

/// How a key came to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It was given.
    Pin,
    /// It was carried by the first feed, and somebody said that this is good enough.
    Tofu,
    /// The key before it said so.
    Rotation,
}

impl Taken {
    /// The name in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Taken::Pin => "pin",
            Taken::Tofu => "tofu",
            Taken::Rotation => "rotation",
        }
    }
}

/// A key of the publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedKey {
    /// The key.
    pub key: PublicKey,
    /// How it came.
    pub taken: Taken,
    /// When, Unix seconds.
    pub since: i64,
    /// A later key took its place: what it signed before still counts, what it signs does not.
    pub retired: bool,
}

/// What a proof beside a feed said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The publishing's number.
    pub sequence: u64,
    /// From then on it no longer counts, Unix seconds.
    pub not_after: i64,
}

/// What was accepted last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The feed's own time, Unix seconds.
    pub issued_at: i64,
    /// Its root.
    pub root: Digest,
    /// The key that signed it.
    pub key: PublicKey,
    /// Of the document as it came.
    pub digest: Digest,
    /// When it was accepted, Unix seconds.
    pub at: i64,
    /// Ids of indicators that were left out, with `skip_bad`.
    pub skipped: Vec<String>,
    /// What its proof said. Once there was one, there must be one.
    pub proof: Option<Seen>,
    /// Of the file with indicators that are kept although the feed has them no more.
    pub kept: Option<Digest>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Who publishes it.
    pub issuer: String,
    /// The publisher's name for it.
    pub feed_id: String,
    /// The keys, the first one pinned, each later one named by the one before it; or several that
    /// were pinned at once.
    pub keys: Vec<PinnedKey>,
    /// Where it is fetched, in order.
    pub sources: Vec<Source>,
    /// Whether hosts in private networks may be asked.
    pub allow_private: bool,
    /// A file with certificate authorities beside those of the web.
    pub ca: Option<String>,
    /// A tlog-policy, its text: the manifest must be in one of its logs, seen by its quorum.
    pub log_policy: Option<String>,
    /// No feed issued before this is taken, Unix seconds.
    pub min_issued_at: Option<i64>,
    /// No feed older than this is taken, seconds.
    pub max_age: Option<i64>,
    /// What a match does.
    pub policy: Policy,
    /// Whether useless indicators are left out instead of refusing the feed.
    pub skip_bad: bool,
    /// When it was subscribed to, Unix seconds.
    pub since: i64,
    /// What was accepted last.
    pub accepted: Accepted,
    /// What the sources call the document accepted last (HTTP entity tags).
    pub etags: BTreeMap<String, String>,
}

impl Subscription {
    /// Its place.
    pub fn slot(&self) -> Option<Slot> {
        let first = self.keys.first()?;
        Some(Slot::of(&self.issuer, &first.key, &self.feed_id))
    }

    /// The keys under which a new document is taken.
    pub fn pins(&self) -> Vec<Pin> {
        let current = self.keys.iter().filter(|key| !key.retired);
        current.map(|key| self.pin(&key.key)).collect()
    }

    /// Whether a revocation signed by `by` counts for an indicator signed by `of`. A key that was
    /// replaced says nothing of what its successors signed, whose ids it could not know: else who
    /// rotates to a stranger's key would have revoked the stranger's indicators.
    pub fn reaches(&self, by: KeyId, of: KeyId) -> bool {
        let place = |id: KeyId| self.keys.iter().position(|key| key.key.key_id() == id);
        match (place(by), place(of)) {
            (Some(by), Some(of)) => of <= by || self.keys.get(by).is_some_and(|key| !key.retired),
            _ => true,
        }
    }

    /// The key that signed what was accepted last.
    pub fn accepted_pin(&self) -> Vec<Pin> {
        let signer = self.keys.iter().filter(|key| key.key == self.accepted.key);
        signer.map(|key| self.pin(&key.key)).collect()
    }

    fn pin(&self, key: &PublicKey) -> Pin {
        Pin { key: key.clone(), issuer: Some(self.issuer.clone()), valid: Validity::default() }
    }

    /// How old what was accepted is, seconds.
    pub fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.accepted.issued_at)
    }

    /// Whether that is more than it may be.
    pub fn is_stale(&self, now: i64) -> bool {
        self.max_age.is_some_and(|most| self.age(now) > most)
    }

    /// The record's bytes: canonical, with a seal that only the key gives.
    pub(super) fn to_bytes(&self, key: &MacKey) -> Option<Vec<u8>> {
        let Value::Object(mut members) = self.to_value() else { return None };
        let bare = write_receipt(&Value::Object(members.clone())).ok()?;
        let seal = seal::hex::encode(&key.hmac(bare.as_bytes()));
        members.push(("seal".into(), seal.into()));
        Some(write_receipt(&Value::Object(members)).ok()?.into_bytes())
    }

    /// Reads a record whose seal holds, from bytes in their one form.
    pub(super) fn from_bytes(bytes: &[u8], key: &MacKey) -> Result<Subscription, String> {
        let limits = Limits { bytes: LIMIT, depth: 4 };
        let value = parse(bytes, limits).map_err(|error| error.to_string())?;
        let seal = value.get("seal").and_then(Value::as_str).and_then(seal::hex::decode);
        let seal = seal.ok_or("it has no seal")?;
        let Value::Object(mut members) = value else { return Err("it is no object".into()) };
        members.retain(|(name, _)| name != "seal");
        let bare = Value::Object(members);
        let text = write_receipt(&bare).map_err(|error| error.to_string())?;
        if !mac::equal(&key.hmac(text.as_bytes()), &seal) {
            return Err("its seal is not ours".into());
        }
        let read = Subscription::from_value(&bare).ok_or("a member is missing or wrong")?;
        match read.to_bytes(key).as_deref() == Some(bytes) {
            true => Ok(read),
            false => Err("it is not in its one form".into()),
        }
    }

    fn to_value(&self) -> Value {
        let keys = self.keys.iter().map(|key| {
            Value::object([
                ("key", Value::from(key.key.to_pem())),
                ("retired", key.retired.into()),
                ("since", key.since.into()),
                ("taken", key.taken.as_str().into()),
            ])
        });
        let last = &self.accepted;
        let accepted = Value::object([
            ("at", Value::from(last.at)),
            ("digest", last.digest.into()),
            ("issued_at", last.issued_at.into()),
            ("kept", last.kept.map(|digest| digest.text()).into()),
            ("key", last.key.to_pem().into()),
            ("not_after", last.proof.map(|seen| seen.not_after).into()),
            ("root", last.root.into()),
            ("sequence", last.proof.map(|seen| seen.sequence).into()),
            ("skipped", Value::array(&last.skipped)),
        ]);
        let etags = self.etags.iter().map(|(url, tag)| (url.clone(), Value::from(tag))).collect();
        Value::object([
            ("accepted", accepted),
            ("allow_private", self.allow_private.into()),
            ("ca", Value::from(self.ca.as_deref())),
            ("etags", Value::Object(etags)),
            ("feed_id", Value::from(&self.feed_id)),
            ("issuer", Value::from(&self.issuer)),
            ("keys", Value::array(keys)),
            ("log_policy", Value::from(self.log_policy.as_deref())),
            ("max_age", self.max_age.into()),
            ("min_issued_at", self.min_issued_at.into()),
            ("policy", self.policy.as_str().into()),
            ("since", self.since.into()),
            ("skip_bad", self.skip_bad.into()),
            ("sources", Value::array(self.sources.iter().map(Source::to_string))),
            ("type", TYPE.into()),
        ])
    }

    fn from_value(value: &Value) -> Option<Subscription> {
        let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let number = |value: &Value, name: &str| value.get(name)?.as_i64();
        let maybe = |value: &Value, name: &str| match value.get(name)? {
            Value::Null => Some(None),
            value => value.as_i64().map(Some),
        };
        let perhaps = |name: &str| match value.get(name)? {
            Value::Null => Some(None),
            value => value.as_str().map(|text| Some(text.to_owned())),
        };
        let digest = |value: &Value, name: &str| text(value, name)?.parse::<Digest>().ok();
        let key = |value: &Value| PublicKey::from_pem(&text(value, "key")?).ok();
        if value.get("type")?.as_str()? != TYPE {
            return None;
        }
        let pinned = |value: &Value| {
            let taken = text(value, "taken")?;
            let ways = [Taken::Pin, Taken::Tofu, Taken::Rotation];
            Some(PinnedKey {
                key: key(value)?,
                taken: ways.into_iter().find(|way| way.as_str() == taken)?,
                since: number(value, "since")?,
                retired: value.get("retired")?.as_bool()?,
            })
        };
        let last = value.get("accepted")?;
        let skipped = last.get("skipped")?.as_array()?;
        let etags = value.get("etags")?.as_object()?;
        let sources = value.get("sources")?.as_array()?;
        Some(Subscription {
            issuer: text(value, "issuer")?,
            feed_id: text(value, "feed_id")?,
            keys: value.get("keys")?.as_array()?.iter().map(pinned).collect::<Option<_>>()?,
            sources: sources
                .iter()
                .map(|source| source.as_str()?.parse().ok())
                .collect::<Option<_>>()?,
            allow_private: value.get("allow_private")?.as_bool()?,
            ca: perhaps("ca")?,
            log_policy: perhaps("log_policy")?,
            min_issued_at: maybe(value, "min_issued_at")?,
            max_age: maybe(value, "max_age")?,
            policy: text(value, "policy")?.parse().ok()?,
            skip_bad: value.get("skip_bad")?.as_bool()?,
            since: number(value, "since")?,
            accepted: Accepted {
                issued_at: number(last, "issued_at")?,
                root: digest(last, "root")?,
                key: key(last)?,
                digest: digest(last, "digest")?,
                at: number(last, "at")?,
                skipped: skipped
                    .iter()
                    .map(|id| Some(id.as_str()?.to_owned()))
                    .collect::<Option<_>>()?,
                proof: match (maybe(last, "sequence")?, maybe(last, "not_after")?) {
                    (Some(sequence), Some(not_after)) => {
                        Some(Seen { sequence: u64::try_from(sequence).ok()?, not_after })
                    }
                    (None, None) => None,
                    _ => return None,
                },
                kept: match last.get("kept")? {
                    Value::Null => None,
                    _ => Some(digest(last, "kept")?),
                },
            },
            etags: etags
                .iter()
                .map(|(url, tag)| Some((url.clone(), tag.as_str()?.to_owned())))
                .collect::<Option<_>>()?,
        })
    }
}
