//! What stands beside a feed and says more than the format's own manifest can (`spec/feed-proofs.md`).
//!
//! A statement by the publisher (`countersign-feed-proof/v1`, a compact JWS): which publishing this is,
//! until when it counts, and the root of a tree (RFC 6962) over the content hashes, so that a part of
//! the feed can be shown to be of it. Beside the statement, for who asks: that the manifest lies in a
//! transparency log. The feed itself is as it was; other readers do not notice.

mod part;

use std::fmt::Write as _;

use seal::digest::Digest;
use seal::json::{Limits, MAX_SAFE_INTEGER, Value, parse, write_pretty};
use seal::jws::JwsError;
use seal::key::{KeyId, PublicKey};
use seal::merkle::{leaf_hash, root_of};
use seal::policy::Policy;
use seal::signer::Signer;
use seal::tlog_proof::ProofError;

use crate::codes::Code;
use crate::feed::{Feed, ID_LIMIT};
use crate::ioc::ISSUER_LIMIT;
use crate::logged::{self, Leaf, NotLogged};
use crate::report::Finding;
use crate::text::{digest_member, is_label, member};

pub use part::{PART, PART_LIMIT, Part, PartError, judge_part, part};

/// The type constant of a statement, and the version of its file.
pub const TYPE: &str = "countersign-feed-proof/v1";
/// Longest statement, bytes.
pub const STATEMENT_LIMIT: usize = 8_192;
/// Largest proof file, bytes.
pub const LIMIT: usize = 512 << 10;

/// What the publisher states about one publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The feed.
    pub feed_id: String,
    /// Its issuer.
    pub issuer: String,
    /// SHA-256 over the manifest's canonical bytes.
    pub manifest: Digest,
    /// The manifest's time, Unix seconds.
    pub issued_at: i64,
    /// From this second on the publishing no longer counts: a newer one should be there.
    pub not_after: i64,
    /// One more with every publishing of the feed.
    pub sequence: u64,
    /// How many indicators the feed has.
    pub size: u64,
    /// Root of the tree over the content hashes, in ascending order.
    pub tree: Digest,
}

/// A proof file that was read. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What is stated.
    pub statement: Statement,
    /// The key that is said to have signed.
    pub key_id: KeyId,
    /// The compact JWS.
    pub jws: String,
    /// That the manifest is in a log: a C2SP tlog-proof.
    pub log: Option<String>,
}

/// A statement that nobody would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proof of the feed breaks a rule of its format: {0}")]
pub struct Refused(pub String);

/// Signs a statement about a feed. `signer` is the feed's own key.
pub fn sign(
    feed: &Feed,
    sequence: u64,
    not_after: i64,
    signer: &dyn Signer,
) -> Result<Proof, Refused> {
    if *signer.public() != feed.key {
        return Err(Refused("it is signed by the feed's own key, and no other".into()));
    }
    let statement = Statement {
        feed_id: feed.feed_id.clone(),
        issuer: feed.issuer.clone(),
        manifest: Digest::of(feed.manifest().as_bytes()),
        issued_at: feed.issued_at,
        not_after,
        sequence,
        size: feed.count,
        tree: tree_of(&feed.ids()),
    };
    statement.check().map_err(Refused)?;
    let key_id = signer.key_id();
    let jws = seal::jws::encode(&header(key_id), &statement.payload(), signer);
    Ok(Proof { statement, key_id, jws, log: None })
}

/// Reads a proof file, strictly. No signature is checked.
pub fn read(bytes: &[u8]) -> Result<Proof, Finding> {
    let malformed = |detail: String| Finding::here(Code::FeedProof, detail);
    let value = parse(bytes, Limits { bytes: LIMIT, depth: 2 })
        .map_err(|error| malformed(error.to_string()))?;
    let known = ["version", "statement", "log"];
    let members =
        value.as_object().ok_or_else(|| malformed(format!("a proof is {}", value.kind())))?;
    if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(malformed(format!("member {name:?} is unknown")));
    }
    if value.get("version").and_then(Value::as_str) != Some(TYPE) {
        return Err(malformed(format!("expected version {TYPE:?}")));
    }
    let jws = value.get("statement").and_then(Value::as_str);
    let jws = jws.ok_or_else(|| malformed("statement is missing or not a string".into()))?;
    let log = match value.get("log") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => return Err(malformed(format!("log is {}, not a string", other.kind()))),
    };
    let (statement, key_id) = read_statement(jws)?;
    Ok(Proof { statement, key_id, jws: jws.to_owned(), log })
}

fn read_statement(jws: &str) -> Result<(Statement, KeyId), Finding> {
    let malformed = |detail: String| Finding::here(Code::FeedProof, detail);
    let token = seal::jws::split(jws, STATEMENT_LIMIT).map_err(|error| match error {
        // What was cut or respelled there is a bad signature.
        JwsError::SignatureLength | JwsError::Encoding("signature") => {
            Finding::here(Code::FeedProofSignature, error.to_string())
        }
        _ => malformed(error.to_string()),
    })?;
    let limits = Limits { bytes: STATEMENT_LIMIT, depth: 2 };
    let stated = parse(&token.header, limits).unwrap_or(Value::Null);
    let key_id = stated
        .get("kid")
        .and_then(Value::as_str)
        .and_then(|kid| kid.parse::<KeyId>().ok())
        .filter(|kid| token.header == header(*kid).as_bytes())
        .ok_or_else(|| malformed(format!("the header is not that of {TYPE}")))?;
    let payload =
        parse(&token.payload, limits).map_err(|error| malformed(format!("payload: {error}")))?;
    let statement = Statement::of(&payload).map_err(malformed)?;
    if statement.payload().as_bytes() != token.payload {
        return Err(malformed("the payload is not canonical JSON of the eight members".into()));
    }
    statement.check().map_err(malformed)?;
    Ok((statement, key_id))
}

impl Statement {
    fn check(&self) -> Result<(), String> {
        for (name, text, limit) in
            [("feed_id", &self.feed_id, ID_LIMIT), ("issuer", &self.issuer, ISSUER_LIMIT)]
        {
            if !is_label(text, limit) {
                return Err(format!("{name} is not 1 to {limit} bytes without control characters"));
            }
        }
        let range = 0..=MAX_SAFE_INTEGER;
        if !range.contains(&self.issued_at) || !range.contains(&self.not_after) {
            return Err("issued_at and not_after are Unix seconds".into());
        }
        if self.not_after <= self.issued_at {
            return Err("not_after is not behind issued_at".into());
        }
        let numbers = [self.sequence, self.size];
        if numbers.iter().any(|number| *number > MAX_SAFE_INTEGER.unsigned_abs()) {
            return Err("sequence or size is beyond 2^53-1".into());
        }
        Ok(())
    }

    /// Canonical: the members stand in the order of their names.
    fn payload(&self) -> String {
        let mut out = String::with_capacity(512);
        out.push('{');
        member(&mut out, "feed_id", &self.feed_id);
        // Writing into a String cannot fail.
        let _ = write!(out, ",\"issued_at\":{}", self.issued_at);
        member(&mut out, "issuer", &self.issuer);
        digest_member(&mut out, "manifest", &self.manifest);
        let _ = write!(out, ",\"not_after\":{}", self.not_after);
        let _ = write!(out, ",\"sequence\":{},\"size\":{}", self.sequence, self.size);
        digest_member(&mut out, "tree", &self.tree);
        out.push('}');
        out
    }

    fn of(payload: &Value) -> Result<Statement, String> {
        let text = |name: &str| {
            let text = payload.get(name).and_then(Value::as_str);
            text.ok_or_else(|| format!("{name} is missing or not a string"))
        };
        let number = |name: &str| {
            let number = payload.get(name).and_then(Value::as_i64);
            number.filter(|n| *n >= 0).ok_or_else(|| format!("{name} is missing or no count"))
        };
        let digest =
            |name: &str| text(name)?.parse::<Digest>().map_err(|_| format!("{name} is no digest"));
        Ok(Statement {
            feed_id: text("feed_id")?.to_owned(),
            issuer: text("issuer")?.to_owned(),
            manifest: digest("manifest")?,
            issued_at: number("issued_at")?,
            not_after: number("not_after")?,
            sequence: number("sequence")?.unsigned_abs(),
            size: number("size")?.unsigned_abs(),
            tree: digest("tree")?,
        })
    }
}

impl Proof {
    /// The file.
    pub fn to_json(&self) -> String {
        write_pretty(&Value::object([
            ("version", TYPE.into()),
            ("statement", self.jws.as_str().into()),
            ("log", self.log.as_deref().into()),
        ]))
    }

    /// Judges the proof beside the feed it came with. The feed has been judged and is of a pinned
    /// key; this adds what the statement says. `now` (Unix seconds) is compared with `not_after`;
    /// with a policy, the manifest must be in one of its logs and the quorum must have seen it.
    pub fn judge(&self, feed: &Feed, now: Option<i64>, policy: Option<&Policy>) -> Vec<Finding> {
        let mut found = Vec::new();
        self.check_signature(&feed.key, &mut found);
        let Statement { feed_id, issuer, issued_at, .. } = &self.statement;
        let manifest = feed.manifest();
        let same = self.statement.manifest == Digest::of(manifest.as_bytes())
            && (feed_id, issuer, *issued_at) == (&feed.feed_id, &feed.issuer, feed.issued_at);
        if !same {
            let detail = format!(
                "it is about {feed_id:?} of {issuer:?} issued at {issued_at}, manifest {}",
                self.statement.manifest
            );
            found.push(Finding::here(Code::FeedProofOther, detail));
        } else if (self.statement.size, self.statement.tree) != (feed.count, tree_of(&feed.ids())) {
            let detail = format!(
                "stated {} over {} indicators, computed {} over {}",
                self.statement.tree,
                self.statement.size,
                tree_of(&feed.ids()),
                feed.count
            );
            found.push(Finding::here(Code::FeedProofTree, detail));
        }
        self.check_time(now, &mut found);
        if let Some(policy) = policy {
            self.check_log(&manifest, policy, &mut found);
        }
        found
    }

    fn check_signature(&self, key: &PublicKey, found: &mut Vec<Finding>) {
        let holds = self.key_id == key.key_id()
            && seal::jws::split(&self.jws, STATEMENT_LIMIT)
                .is_ok_and(|token| key.verify(token.signing_input.as_bytes(), &token.signature));
        if !holds {
            let detail =
                format!("it names the key {}, the feed's is {}", self.key_id, key.key_id());
            found.push(Finding::here(Code::FeedProofSignature, detail));
        }
    }

    fn check_time(&self, now: Option<i64>, found: &mut Vec<Finding>) {
        if let Some(now) = now.filter(|now| *now >= self.statement.not_after) {
            let detail = format!("not after {}, it is {now}", self.statement.not_after);
            found.push(Finding::here(Code::FeedProofTime, detail));
        }
    }

    /// That the manifest is in a log of the policy.
    fn check_log(&self, manifest: &str, policy: &Policy, found: &mut Vec<Finding>) {
        let mut fault = |code, detail: String| found.push(Finding::here(code, detail));
        let Some(text) = &self.log else {
            fault(Code::FeedProofLog, "the policy asks for a log, and the proof has none".into());
            return;
        };
        match logged::logged(text.as_bytes(), manifest.as_bytes(), Leaf::Any, policy) {
            Ok(_) => {}
            Err(NotLogged::Form(why)) => fault(Code::FeedProof, format!("log: {why}")),
            Err(NotLogged::Other(why)) => fault(Code::FeedProofTree, why),
            Err(error @ NotLogged::Policy(_)) => fault(Code::FeedProofLog, error.to_string()),
            Err(NotLogged::Proof(error @ ProofError::Inclusion)) => {
                fault(Code::FeedProofTree, error.to_string());
            }
            Err(NotLogged::Proof(error)) => fault(Code::FeedProofLog, error.to_string()),
        }
    }
}

/// Whether a tlog-proof is about this manifest, whoever signed its checkpoint. The entry is either the
/// manifest's own bytes, or the leaf of a ledger that names their digest and length.
pub fn is_of(proof: &str, manifest: &str) -> Result<(), NotLogged> {
    logged::is_of(proof.as_bytes(), manifest.as_bytes(), Leaf::Any).map(|_| ())
}

/// The root over content hashes, which are sorted first. A leaf is the 32 bytes of a hash.
pub fn tree_of(ids: &[Digest]) -> Digest {
    root_of(&leaves(ids))
}

/// The leaf hashes, in the order of the tree.
fn leaves(ids: &[Digest]) -> Vec<Digest> {
    let mut sorted: Vec<&Digest> = ids.iter().collect();
    sorted.sort_unstable();
    sorted.into_iter().map(|id| leaf_hash(id.as_bytes())).collect()
}

fn header(kid: KeyId) -> String {
    format!("{{\"alg\":\"EdDSA\",\"kid\":\"{kid}\",\"typ\":\"{TYPE}\"}}")
}
