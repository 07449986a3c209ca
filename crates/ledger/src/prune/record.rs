//! The body of a `prune` entry: canonical JSON, written by the ledger alone.

use std::collections::BTreeMap;

use seal::digest::Digest;
use seal::json::{self, Limits, Value};

use super::{PlannedSegment, Policy};
use crate::kind::Kind;
use crate::leaf::MAX_INT;

/// What a `prune` entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The entry's own index, so that no two are equal.
    pub index: u64,
    /// Digest of the written policy.
    pub policy: Digest,
    /// By kind, the time (Unix milliseconds) before which bodies may have gone.
    pub before: BTreeMap<Kind, u64>,
    /// By kind, how many bodies went.
    pub kinds: BTreeMap<Kind, u64>,
    /// From which segments.
    pub segments: Vec<PrunedSegment>,
}

/// What went from one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedSegment {
    /// Index of its first entry: its name.
    pub first: u64,
    /// Index behind its last entry.
    pub end: u64,
    /// How many bodies went with this entry.
    pub bodies: u64,
    /// Which bodies are gone from it now, those of earlier prunes included: SHA-256 over their
    /// indices, decimal, ascending, a newline behind each.
    pub gone: Digest,
}

impl Record {
    pub(super) fn of(index: u64, policy: &Policy, segments: &[PlannedSegment]) -> Record {
        let mut kinds = BTreeMap::new();
        for (kind, count) in segments.iter().flat_map(|segment| &segment.kinds) {
            *kinds.entry(*kind).or_default() += count;
        }
        let before = policy.before.iter().filter(|(kind, _)| kinds.contains_key(kind));
        Record {
            index,
            policy: policy.digest,
            before: before.map(|(kind, before)| (*kind, (*before).min(MAX_INT))).collect(),
            kinds,
            segments: segments
                .iter()
                .map(|segment| PrunedSegment {
                    first: segment.first,
                    end: segment.end,
                    bodies: segment.kinds.values().sum(),
                    gone: segment.gone,
                })
                .collect(),
        }
    }

    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let kinds = |kinds: &BTreeMap<Kind, u64>| {
            let member = |(kind, number): (&Kind, &u64)| (kind.to_string(), (*number).into());
            Value::Object(kinds.iter().map(member).collect())
        };
        let segments = self.segments.iter().map(|segment| {
            Value::object([
                ("bodies", segment.bodies.into()),
                ("end", segment.end.into()),
                ("first", segment.first.into()),
                ("gone", segment.gone.into()),
            ])
        });
        let body = Value::object([
            ("before", kinds(&self.before)),
            ("by", "operator".into()),
            ("index", self.index.into()),
            ("kinds", kinds(&self.kinds)),
            ("policy", self.policy.into()),
            ("segments", Value::array(segments)),
            ("v", 1u64.into()),
        ]);
        let body = json::write_receipt(&body).ok()?.into_bytes();
        (body.len() <= Kind::Prune.max_body()).then_some(body)
    }

    /// Reads the one form the ledger writes and nothing else.
    pub fn parse(body: &[u8]) -> Option<Record> {
        let value = json::parse(body, Limits { bytes: Kind::Prune.max_body(), depth: 4 }).ok()?;
        let number = |value: &Value, name: &str| u64::try_from(value.get(name)?.as_i64()?).ok();
        let digest = |value: &Value, name: &str| value.get(name)?.as_str()?.parse().ok();
        let kinds = |name: &str| -> Option<BTreeMap<Kind, u64>> {
            let Value::Object(members) = value.get(name)? else { return None };
            let kind = |(name, number): &(String, Value)| {
                Some((name.parse().ok()?, u64::try_from(number.as_i64()?).ok()?))
            };
            members.iter().map(kind).collect()
        };
        let segment = |value: &Value| {
            Some(PrunedSegment {
                first: number(value, "first")?,
                end: number(value, "end")?,
                bodies: number(value, "bodies")?,
                gone: digest(value, "gone")?,
            })
        };
        let record = Record {
            index: number(&value, "index")?,
            policy: digest(&value, "policy")?,
            before: kinds("before")?,
            kinds: kinds("kinds")?,
            segments: value
                .get("segments")?
                .as_array()?
                .iter()
                .map(segment)
                .collect::<Option<_>>()?,
        };
        // One form: what is written again must be what was read.
        (record.to_bytes()? == body).then_some(record)
    }
}
