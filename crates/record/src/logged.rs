//! That bytes lie in a transparency log: a C2SP tlog-proof about them, judged by whom the trust file
//! or a policy believes. What is logged is the bytes themselves, or the leaf of a ledger, which the
//! proof carries as extra data.

use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::merkle::leaf_hash;
use seal::policy::{Judged, Policy};
use seal::time::UnixMillis;
use seal::tlog_proof::{ProofError, TlogProof, stated};

use crate::trust::{Quorum, Trust};

/// Largest proof read, bytes.
pub const LIMIT: usize = 192 * 1024;

/// What the leaf of a ledger must say about the bytes, beside their digest and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf<'l> {
    /// Nothing more.
    Any,
    /// It is of this kind, and its id is the digest.
    Cited(&'l str),
}

/// Where bytes are logged, as somebody trusted says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The log.
    pub origin: String,
    /// How many entries its checkpoint covers.
    pub size: u64,
    /// The entry.
    pub index: u64,
    /// The witnesses that count and cosigned the checkpoint, and when, as each of them says.
    pub witnesses: Vec<(String, UnixMillis)>,
    /// When the quorum had seen it; `None` where none is asked for.
    pub seen: Option<UnixMillis>,
}

/// What trust says of a proof that holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A log of the trust file has it, and the quorum that the trust file asks for saw it.
    Logged(Logged),
    /// The trust file does not name this log: it proves nothing.
    Unjudged {
        /// The log, as the checkpoint says.
        origin: String,
    },
}

/// Why bytes do not count as logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotLogged {
    /// Not a tlog-proof.
    #[error("{0}")]
    Form(String),
    /// What was logged is something else.
    #[error("{0}")]
    Other(String),
    /// A quorum is asked for, and its policy was not read.
    #[error("the witness policy {0} was not read")]
    Policy(String),
    /// It does not hold under the policy.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Whether bytes are in a log of the policy.
pub fn logged(
    proof: &[u8],
    body: &[u8],
    named: Leaf<'_>,
    policy: &Policy,
) -> Result<Logged, NotLogged> {
    let (proof, leaf) = located(proof, body, named)?;
    Ok(Logged::of(proof.verify(&leaf, policy)?, proof.index, policy))
}

/// Whether a proof is about these bytes, whoever signed its checkpoint. The answer is the index.
pub fn is_of(proof: &[u8], body: &[u8], named: Leaf<'_>) -> Result<u64, NotLogged> {
    let (proof, leaf) = located(proof, body, named)?;
    match proof.includes(&leaf) {
        true => Ok(proof.index),
        false => Err(NotLogged::Proof(ProofError::Inclusion)),
    }
}

/// What a trust file says of a proof. That it is about these bytes is asked whoever signed it.
pub fn judge(
    proof: &[u8],
    body: &[u8],
    named: Leaf<'_>,
    trust: Option<&Trust>,
) -> Result<Standing, NotLogged> {
    let (proof, leaf) = located(proof, body, named)?;
    if !proof.includes(&leaf) {
        return Err(NotLogged::Proof(ProofError::Inclusion));
    }
    // A proof that was read has a checkpoint.
    let origin = stated(&proof.checkpoint).map(|stated| stated.origin).unwrap_or_default();
    let Some(policy) = policy_for(trust, &origin)? else {
        return Ok(Standing::Unjudged { origin });
    };
    let judged = proof.verify(&leaf, &policy)?;
    Ok(Standing::Logged(Logged::of(judged, proof.index, &policy)))
}

/// By what a trust file judges the checkpoints of a log; `None` where it does not name it.
pub fn policy_for(trust: Option<&Trust>, origin: &str) -> Result<Option<Policy>, NotLogged> {
    let Some(trust) = trust else { return Ok(None) };
    let Some(log) = trust.logs().iter().find(|log| log.vkey.name == origin) else {
        return Ok(None);
    };
    match (&log.quorum, trust.policy_of(origin)) {
        (Quorum::None, _) => Ok(Some(Policy::of_log(log.vkey.clone()))),
        (Quorum::Policy(_), Some(policy)) => Ok(Some(policy.clone())),
        // less than what was asked for never counts
        (Quorum::Policy(place), None) => Err(NotLogged::Policy(place.clone())),
    }
}

impl Logged {
    /// Of a checkpoint that was judged.
    pub fn of(judged: Judged, index: u64, policy: &Policy) -> Logged {
        let mut cosigners = judged.witnesses;
        cosigners.sort_by_key(|one| one.time_seconds);
        // The quorum saw it when the last that it needs did.
        let mut keys = Vec::new();
        let mut seen = None;
        for one in &cosigners {
            keys.push(one.key.clone());
            if seen.is_none() && policy.quorum().is_some() && policy.is_met_by(&keys) {
                seen = Some(at(one.time_seconds));
            }
        }
        let told = cosigners.iter().map(|one| (one.name.to_string(), at(one.time_seconds)));
        Logged {
            origin: judged.checkpoint.origin,
            size: judged.checkpoint.size,
            index,
            witnesses: told.collect(),
            seen,
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let witnesses = self.witnesses.iter().map(|(name, time)| {
            Value::object([("name", Value::from(name)), ("time", time.to_string().into())])
        });
        Value::object([
            ("origin", Value::from(&self.origin)),
            ("index", self.index.into()),
            ("size", self.size.into()),
            ("witnesses", Value::array(witnesses)),
            ("seen", self.seen.map(|at| at.to_string()).into()),
        ])
    }
}

fn at(seconds: u64) -> UnixMillis {
    UnixMillis(seconds.saturating_mul(1_000))
}

/// A tlog-proof, and the hash of the leaf that it must be about.
fn located(proof: &[u8], body: &[u8], named: Leaf<'_>) -> Result<(TlogProof, Digest), NotLogged> {
    let proof = TlogProof::parse(proof).map_err(|error| NotLogged::Form(error.to_string()))?;
    let leaf = match &proof.extra {
        None => leaf_hash(body),
        Some(leaf) => {
            names(leaf, body, named).map_err(NotLogged::Other)?;
            leaf_hash(leaf)
        }
    };
    Ok((proof, leaf))
}

/// Whether a ledger's leaf is about these bytes.
fn names(leaf: &[u8], body: &[u8], named: Leaf<'_>) -> Result<(), String> {
    let value = parse(leaf, Limits { bytes: 1_024, depth: 2 });
    let value = value.map_err(|error| format!("the logged entry is no leaf: {error}"))?;
    // One entry, one reading: a leaf is canonical.
    if !write_receipt(&value).is_ok_and(|text| text.as_bytes() == leaf) {
        return Err("the logged entry is no leaf in canonical form".into());
    }
    let digest = Digest::of(body).text();
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let long = value.get("len").and_then(Value::as_i64);
    if text("body") != Some(&digest) || long != i64::try_from(body.len()).ok() {
        let named = text("body").unwrap_or("nothing");
        return Err(format!("the logged entry names {named}, and this is {digest}"));
    }
    match named {
        Leaf::Cited(kind) if text("kind") != Some(kind) || text("id") != Some(&digest) => {
            let (kind, id) = (text("kind").unwrap_or("?"), text("id").unwrap_or("?"));
            Err(format!("the logged entry is of kind {kind} under the id {id}"))
        }
        Leaf::Cited(_) | Leaf::Any => Ok(()),
    }
}
