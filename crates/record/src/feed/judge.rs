//! The verdict on a feed: form, root, manifest and every indicator, under pinned keys.
//!
//! Every stage runs, so that the report lists all that is wrong. One bad indicator refuses the feed;
//! [`Judge::skip_bad`] leaves out those that are signed and yet of no use, never a forged one.

use std::collections::BTreeSet;
use std::fmt;

use seal::digest::Digest;
use seal::json::Value;
use seal::key::PublicKey;

use super::read::Raw;
use super::{Feed, ID_LIMIT, Pin};
use crate::codes::Code;
use crate::cores::ordered;
use crate::ioc::{self, ISSUER_LIMIT, Kind, SignedIoc};
use crate::report::{Assurance, Finding, Report};
use crate::text::is_label;

/// Says why a pattern cannot be matched by the engine that would have to.
pub type Compiles<'a> = dyn Fn(Kind, &str) -> Result<(), String> + Sync + 'a;

/// How a feed is judged.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The keys that may publish it. None at all: only whether it agrees with itself is found out.
    pub pins: &'a [Pin],
    /// The engine's say on each pattern.
    pub compiles: &'a Compiles<'a>,
    /// Leave out indicators that are of no use (unknown kind, pattern that does not compile,
    /// another issuer's name) instead of refusing the feed. Each is listed.
    pub skip_bad: bool,
    /// These very bytes were judged before, as a digest shows that nobody else could have set: the
    /// signatures of single indicators are not verified again. Ids, root and manifest are, and they
    /// cover all that an indicator says.
    pub known: bool,
    /// Threads to verify on; 0 is one a core.
    pub threads: usize,
}

impl Default for Judge<'_> {
    fn default() -> Self {
        Judge { pins: &[], compiles: &|_, _| Ok(()), skip_bad: false, known: false, threads: 0 }
    }
}

impl fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("pins", &self.pins).field("skip_bad", &self.skip_bad).finish()
    }
}

/// A feed that holds, signed by a pinned key. Only [`judge()`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(Feed);

impl Verified {
    /// The feed. Its indicators are those that can be used.
    pub fn feed(&self) -> &Feed {
        &self.0
    }

    /// The feed, to keep.
    pub fn into_feed(self) -> Feed {
        self.0
    }
}

/// An indicator that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the document, from 0.
    pub index: usize,
    /// Its id, as declared.
    pub content_hash: String,
    /// Why.
    pub findings: Vec<Finding>,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Judged {
    /// What was found.
    pub report: Report,
    /// The feed, when it holds and is pinned.
    pub verified: Option<Verified>,
    /// The indicators that were left out on request.
    pub skipped: Vec<Skipped>,
    /// The feed, when it agrees with itself, whoever signed it.
    pub unpinned: Option<Feed>,
}

/// Judges a feed document.
pub fn judge(bytes: &[u8], how: &Judge<'_>) -> Judged {
    let mut judged = Judged { report: Report::new(""), ..Judged::default() };
    judged.report.kind = "feed".into();
    let mut found = Vec::new();
    let Some(mut raw) = Raw::take(bytes, &mut found) else {
        judged.report.push_all("", found);
        judged.report.assure(Assurance::None);
        return judged;
    };
    raw.check(&mut found);
    let key = raw.key(&mut found);
    let signature = check_signature(&raw, key.as_ref(), &mut found);
    let count = raw.iocs.len() as u64;
    let pieces = pieces(&mut raw, key.as_ref(), how);
    let ids = pieces.iter().map(|piece| piece.content_hash.as_str());
    let root = raw.check_root(ids, &mut found);
    for finding in found {
        judged.report.push(finding);
    }
    let iocs = gather(pieces, how.skip_bad, &mut judged);
    describe(&raw, count, &mut judged.report);
    let whole = judged.report.ok();
    let trusted = trusted(&raw, key.as_ref(), how.pins, &mut judged.report);
    judged.report.assure(match (whole, trusted) {
        (false, _) => Assurance::None,
        (true, false) => Assurance::Consistent,
        (true, true) => Assurance::Signed,
    });
    if let (true, Some(key), Some(signature)) = (whole, key, signature) {
        let Raw { feed_id, issuer, issued_at, .. } = raw;
        let left_out =
            judged.skipped.iter().filter_map(|skipped| skipped.content_hash.parse().ok()).collect();
        let feed = Feed { feed_id, issuer, key, issued_at, root, signature, iocs, count, left_out };
        match trusted {
            true => judged.verified = Some(Verified(feed)),
            false => judged.unpinned = Some(feed),
        }
    }
    judged
}

fn check_signature(
    raw: &Raw,
    key: Option<&PublicKey>,
    found: &mut Vec<Finding>,
) -> Option<[u8; 64]> {
    let Some(signature) = ioc::signature(&raw.signature) else {
        let detail = "it is not 64 bytes in 86 characters of base64url";
        found.push(Finding::here(Code::FeedSignatureForm, detail));
        return None;
    };
    if let Some(key) = key.filter(|key| !key.verify(raw.manifest().as_bytes(), &signature)) {
        found.push(Finding::here(Code::FeedSignature, format!("key {}", key.key_id())));
    }
    Some(signature)
}

/// One indicator, judged.
struct Piece {
    content_hash: String,
    ioc: Option<SignedIoc>,
    findings: Vec<Finding>,
}

/// Indicators that go to a thread in one piece: some milliseconds of signatures.
const PIECES: usize = 64;

fn pieces(raw: &mut Raw, key: Option<&PublicKey>, how: &Judge<'_>) -> Vec<Piece> {
    let values = std::mem::take(&mut raw.iocs);
    let issuer = raw.issuer.as_str();
    let mut done = Vec::with_capacity(values.len());
    let threads = if values.len() <= PIECES { 1 } else { how.threads };
    let work = |chunk: Vec<Value>| -> Vec<Piece> {
        chunk.into_iter().map(|value| piece(value, issuer, key, how)).collect()
    };
    ordered(
        threads,
        work,
        |pieces| done.extend(pieces),
        |sink| {
            let mut values = values.into_iter();
            loop {
                let chunk: Vec<Value> = values.by_ref().take(PIECES).collect();
                if chunk.is_empty() {
                    break;
                }
                sink(chunk);
            }
        },
    );
    done
}

fn piece(value: Value, issuer: &str, key: Option<&PublicKey>, how: &Judge<'_>) -> Piece {
    let mut findings = Vec::new();
    let declared = value.get("content_hash").and_then(Value::as_str).unwrap_or_default().to_owned();
    let ioc = ioc::Raw::take(value, &mut findings).and_then(|raw| {
        let preimage = raw.preimage();
        ioc::check_hash(&raw.content_hash, &preimage, &mut findings);
        if let Some(key) = key {
            if !how.known {
                raw.check_signature(&preimage, key, &mut findings);
            }
            raw.check_owner(issuer, key.key_id(), &mut findings);
        }
        raw.refine(&mut findings)
    });
    if let Some(ioc) = &ioc
        && let Err(why) = (how.compiles)(ioc.ioc.kind, &ioc.ioc.pattern)
    {
        findings.push(Finding::here(Code::IocPattern, why));
    }
    Piece { content_hash: declared, ioc, findings }
}

/// Signed by the publisher, and still of no use to anyone.
fn is_useless(finding: &Finding) -> bool {
    matches!(finding.code, Code::IocKind | Code::IocSeverity | Code::IocPattern | Code::IocIssuer)
}

/// The indicators that can be used; what is wrong with the others goes into the report.
fn gather(pieces: Vec<Piece>, skip_bad: bool, judged: &mut Judged) -> Vec<SignedIoc> {
    let mut seen = BTreeSet::new();
    let mut good = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.into_iter().enumerate() {
        let Piece { content_hash, ioc, mut findings } = piece;
        let place = format!("indicator {index}");
        if skip_bad && !findings.is_empty() && findings.iter().all(is_useless) {
            let why: Vec<String> = findings.iter().map(ToString::to_string).collect();
            judged.report.push(Finding::new(Code::IocSkipped, place, why.join("; ")));
            judged.skipped.push(Skipped { index, content_hash, findings });
            continue;
        }
        if !content_hash.is_empty() && !seen.insert(content_hash.clone()) {
            findings.push(Finding::here(Code::IocDuplicate, content_hash));
        }
        match ioc {
            Some(ioc) if findings.is_empty() => good.push(ioc),
            _ => judged.report.push_all(&place, findings),
        }
    }
    good
}

/// Whether a pinned key published it, in a name and at a time that it may.
fn trusted(raw: &Raw, key: Option<&PublicKey>, pins: &[Pin], report: &mut Report) -> bool {
    let mut fault = |code, detail: String| report.push(Finding::new(code, "", detail));
    if pins.is_empty() {
        let carried =
            key.map_or("no usable key".into(), |key| format!("key {}", key.fingerprint()));
        fault(Code::FeedUnpinned, format!("it carries {carried}"));
        return false;
    }
    let Some(key) = key else { return false };
    let same: Vec<&Pin> = pins.iter().filter(|pin| pin.key == *key).collect();
    if same.is_empty() {
        let pinned: Vec<String> = pins.iter().map(|pin| pin.key.key_id().to_string()).collect();
        let pinned = pinned.join(", ");
        fault(Code::FeedPin, format!("pinned {pinned}, the feed's is {}", key.key_id()));
        return false;
    }
    let of_issuer = |pin: &&&Pin| pin.issuer.as_ref().is_none_or(|name| *name == raw.issuer);
    let named: Vec<&&Pin> = same.iter().filter(of_issuer).collect();
    if named.is_empty() {
        let detail = format!("the key is not pinned for {:?}", raw.issuer);
        fault(Code::FeedIssuer, detail);
        return false;
    }
    if !named.iter().any(|pin| pin.valid.contains_seconds(raw.issued_at)) {
        fault(Code::FeedKeyTime, format!("issued at {}", raw.issued_at));
        return false;
    }
    true
}

fn describe(raw: &Raw, count: u64, report: &mut Report) {
    report.count("indicators", count);
    // What is no label, or no digest, is in a finding, and shortened there.
    if is_label(&raw.feed_id, ID_LIMIT) && is_label(&raw.issuer, ISSUER_LIMIT) {
        report.note(format!("feed {:?} of {:?}", raw.feed_id, raw.issuer));
    }
    if let Ok(root) = raw.merkle_root.parse::<Digest>() {
        report.note(format!("issued at {}, root {root}", raw.issued_at));
    }
}
