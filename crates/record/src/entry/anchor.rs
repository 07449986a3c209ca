//! Timestamps of audit lines (`spec/audit-line.md`): a line is sealed without `_anchor` first, an
//! authority stamps that tentative HMAC, and the reply goes into the line. So whoever holds the
//! secret can hold the stamp against the line, and nobody else.

use std::collections::BTreeMap;

use seal::base64;
use seal::digest::Digest;
use seal::json::{Value, parse, write_audit};
use seal::mac::hmac_sha256;

use super::read::LIMITS;
use super::walk::BreakKind;
use super::{Keyring, ReadEntry};
use crate::codes::Code;
use crate::report::Finding;

/// What a good timestamp says, Unix microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StampedAt {
    /// The time stated.
    pub time: u64,
    /// Not before this, by the accuracy stated.
    pub earliest: u64,
    /// Not after this.
    pub latest: u64,
    /// Which certificate signed it.
    pub signer: Digest,
}

/// Judges a reply (RFC 3161) over a digest (SHA-256, 32 bytes that were not hashed again).
pub type JudgeStamp<'a> = dyn Fn(&[u8], &[u8; 32]) -> Result<StampedAt, Vec<Finding>> + 'a;

/// What a line says about a timestamp of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnchorClaim {
    /// That it has none: `noop`, nothing, or an authority that did not answer.
    None,
    /// A reply of an authority.
    Stamp(Vec<u8>),
    /// Something of another kind (its name), which is not judged here.
    Other(String),
    /// A success, but no reply that could be read.
    Junk(&'static str),
}

impl ReadEntry {
    /// What the line says about a timestamp of its own.
    pub fn anchor(&self) -> AnchorClaim {
        let Some(anchor) = self.entry.meta("_anchor") else { return AnchorClaim::None };
        let backend = anchor.get("backend").and_then(Value::as_str);
        let success = anchor.get("success").and_then(Value::as_bool);
        match (backend, success) {
            (Some("noop"), _) | (Some(_), Some(false)) => AnchorClaim::None,
            (Some("rfc3161"), Some(true)) => {
                let receipt = anchor.get("receipt").and_then(Value::as_str);
                match receipt.map(base64::std_decode) {
                    Some(Ok(reply)) => AnchorClaim::Stamp(reply),
                    Some(Err(_)) => AnchorClaim::Junk("the receipt is not base64"),
                    None => AnchorClaim::Junk("there is no receipt"),
                }
            }
            (Some(other), Some(true)) => AnchorClaim::Other(other.to_owned()),
            _ => AnchorClaim::Junk("_anchor has no backend, or does not say whether it succeeded"),
        }
    }

    /// The HMAC that was stamped: that of the line without `_anchor`. `None` without its key.
    pub fn tentative_hmac(&self, ring: &Keyring) -> Option<[u8; 32]> {
        let secret = ring.get(self.key_id.as_deref()?)?;
        let mut value = parse(self.preimage().as_bytes(), LIMITS).ok()?;
        if let Some(Value::Object(members)) = value.get_mut("metadata") {
            members.retain(|(name, _)| name != "_anchor");
        }
        Some(hmac_sha256(secret, write_audit(&value).ok()?.as_bytes()))
    }
}

/// What a log's lines say about timestamps, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnchorCounts {
    /// Lines under a timestamp that holds.
    pub anchored: u64,
    /// Lines without a timestamp.
    pub unanchored: u64,
    /// Lines with one that does not hold.
    pub failed: u64,
    /// Lines with one that was not judged, for want of the line's key or of an authority.
    pub unjudged: u64,
    /// The earliest and the latest time stated in a timestamp that holds, Unix microseconds.
    pub times: Option<(u64, u64)>,
}

/// How far the clock of whoever writes lines may be off, microseconds.
const SKEW: u64 = 300 * 1_000_000;

/// The timestamps of a log, in order.
pub(super) struct Anchors<'a> {
    judge: Option<&'a JudgeStamp<'a>>,
    pub counts: AnchorCounts,
    /// The latest time each signer stated in a stamp that holds.
    stated: BTreeMap<Digest, u64>,
    /// The latest time at which a line above cannot have been stamped yet, whoever signed.
    earliest: u64,
    /// How the last line's own time disagrees with its timestamp.
    away: Option<String>,
}

impl<'a> Anchors<'a> {
    pub fn new(judge: Option<&'a JudgeStamp<'a>>) -> Self {
        Anchors {
            judge,
            counts: AnchorCounts::default(),
            stated: BTreeMap::new(),
            earliest: 0,
            away: None,
        }
    }

    /// A line that says there is none.
    pub fn none(&mut self) {
        self.counts.unanchored += 1;
    }

    /// The next line.
    pub fn line(&mut self, entry: &ReadEntry, ring: Option<&Keyring>) -> Vec<(BreakKind, Finding)> {
        let junk =
            |why: &str| vec![(BreakKind::AnchorInvalid, Finding::here(Code::AnchorMalformed, why))];
        let claim = entry.anchor();
        if claim == AnchorClaim::None {
            self.none();
            return Vec::new();
        }
        let imprint = ring.and_then(|ring| entry.tentative_hmac(ring));
        let (Some(judge), Some(imprint)) = (self.judge, imprint) else {
            self.counts.unjudged += 1;
            return Vec::new();
        };
        let judged = match claim {
            AnchorClaim::None => return Vec::new(),
            AnchorClaim::Other(_) => {
                self.counts.unjudged += 1;
                return Vec::new();
            }
            AnchorClaim::Junk(why) => Err(junk(why)),
            AnchorClaim::Stamp(reply) => judge(&reply, &imprint).map_err(|findings| {
                findings.into_iter().map(|f| (BreakKind::AnchorInvalid, f)).collect()
            }),
        };
        match judged {
            Err(broken) => {
                self.counts.failed += 1;
                broken
            }
            Ok(stamp) => {
                let (low, high) = self.counts.times.unwrap_or((stamp.time, stamp.time));
                self.counts.times = Some((low.min(stamp.time), high.max(stamp.time)));
                self.away = away(entry.entry.ts_ns / 1_000, &stamp);
                self.good(stamp)
            }
        }
    }

    /// How the time of the line just judged disagrees with its timestamp, once.
    pub fn take_away(&mut self) -> Option<String> {
        self.away.take()
    }

    /// Stamps follow the lines' order: of one signer to the tick, of several by how far their
    /// clocks may be off. Every line above counts, not only the last one: else stamps of two signers
    /// in turns could drift back by as much as they like.
    fn good(&mut self, stamp: StampedAt) -> Vec<(BreakKind, Finding)> {
        let stated = self.stated.entry(stamp.signer).or_insert(0);
        let behind =
            stated.saturating_sub(stamp.time).max(self.earliest.saturating_sub(stamp.latest));
        if behind == 0 {
            self.counts.anchored += 1;
            *stated = stamp.time;
            self.earliest = self.earliest.max(stamp.earliest);
            return Vec::new();
        }
        // The later times stay the ones to follow.
        self.counts.failed += 1;
        let detail = format!("{} ms before a line above it", behind / 1_000);
        vec![(BreakKind::AnchorOrder, Finding::here(Code::AnchorOrder, detail))]
    }
}

/// A line is stamped when it is written. One that is older by its own word may have been written, or
/// written anew, when it was stamped; one that is younger has a wrong clock at least.
fn away(line: u64, stamp: &StampedAt) -> Option<String> {
    let apart = |micros: u64, what: &str| {
        (micros > SKEW).then(|| format!("stamped {} s {what} its own time", micros / 1_000_000))
    };
    apart(stamp.earliest.saturating_sub(line), "after")
        .or_else(|| apart(line.saturating_sub(stamp.latest), "before"))
}

impl std::fmt::Debug for Anchors<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Anchors({:?}, judged: {})", self.counts, self.judge.is_some())
    }
}
