//! Decision receipts: what the gateway tells its caller about one answer
//! (`countersign-decision/v1`). Bytes and rules: `spec/decision-receipt.md`.

use std::fmt::Write as _;

use seal::digest::Digest;
use seal::json::{Limits, MAX_SAFE_INTEGER, Value, parse, write_receipt};
use seal::jws::JwsError;
use seal::key::{KeyId, PublicKey};
use seal::signer::Signer;

use crate::codes::Code;
use crate::report::Finding;
use crate::source::{self, Source};
use crate::text::{digest_member, is_label, key_of, member, plain_member};

/// The type constant of the format.
pub const TYP: &str = "countersign-decision/v1";
/// Longest decision receipt: it travels in a header.
pub const LIMIT: usize = 2_048;
/// Most heads that are listed; more are bound by their digest.
pub const HEADS: usize = 4;
/// Longest single text, bytes.
const TEXT_LIMIT: usize = 256;
/// Most indicators that are listed; more are bound by their digest.
pub const SOURCES: usize = 2;
const LIMITS: Limits = Limits { bytes: LIMIT, depth: 3 };

/// The decisions a receipt can state.
pub const DECISIONS: [&str; 6] = ["allow", "redact", "block", "escalate", "error", "interrupted"];

/// The claims of one decision receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The log that holds the evidence.
    pub log_origin: String,
    /// The request, as the caller knows it: its correlation id.
    pub request_id: String,
    /// The audit entry that closes the request.
    pub audit_entry_id: String,
    /// One of [`DECISIONS`].
    pub decision: String,
    /// Why, as a code.
    pub reason_code: String,
    /// Which route answered.
    pub route: String,
    /// Evidence profile: `full` or `sealed`.
    pub profile: String,
    /// SHA-256 over the request body as received.
    pub request_digest: Digest,
    /// SHA-256 over the body delivered, up to where the receipt stands in a stream; `None` when
    /// nothing was delivered.
    pub response_digest: Option<Digest>,
    /// The configuration in force.
    pub config_digest: Digest,
    /// The ruleset in force.
    pub ruleset_digest: Digest,
    /// Who really answered; empty when nobody was asked.
    pub upstream: String,
    /// Which model really answered; empty when none did.
    pub model: String,
    /// The last provenance receipts of the request, at most [`HEADS`].
    pub heads: Vec<Digest>,
    /// When there are more heads: their digest, see [`heads_digest`].
    pub heads_digest: Option<Digest>,
    /// Indicators of signed feeds that fired, at most [`SOURCES`].
    pub sources: Vec<Source>,
    /// When there are more, or no room for them: their digest, see [`source::digest`].
    pub sources_digest: Option<Digest>,
    /// When, Unix seconds.
    pub iat: i64,
}

impl Decision {
    /// Binds these heads: listed when few, by digest when many.
    pub fn bind_heads(&mut self, heads: &[Digest]) {
        let mut sorted = heads.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() <= HEADS {
            self.heads = sorted;
            self.heads_digest = None;
        } else {
            self.heads = Vec::new();
            self.heads_digest = Some(heads_digest(&sorted));
        }
    }

    /// Whether these are the heads that are bound.
    pub fn binds(&self, heads: &[Digest]) -> bool {
        let mut bound = self.clone();
        bound.bind_heads(heads);
        (bound.heads == self.heads) && (bound.heads_digest == self.heads_digest)
    }

    /// Binds these indicators: listed when few, by digest when many.
    pub fn bind_sources(&mut self, sources: &[Source]) {
        self.sources = source::sorted(sources);
        self.sources_digest = None;
        if self.sources.len() > SOURCES {
            self.shorten_sources();
        }
    }

    /// Binds the same indicators by their digest alone.
    pub fn shorten_sources(&mut self) {
        if !self.sources.is_empty() {
            self.sources_digest = Some(source::digest(&self.sources));
            self.sources = Vec::new();
        }
    }

    /// The digest over the indicators that are bound, however they are; `None` when none fired.
    pub fn sources_bound(&self) -> Option<Digest> {
        let listed = || (!self.sources.is_empty()).then(|| source::digest(&self.sources));
        self.sources_digest.or_else(listed)
    }

    /// The texts, with their names and whether they may be empty.
    fn texts(&self) -> [(&'static str, &str, bool); 9] {
        [
            ("audit_entry_id", &self.audit_entry_id, false),
            ("decision", &self.decision, false),
            ("log_origin", &self.log_origin, false),
            ("model", &self.model, true),
            ("profile", &self.profile, false),
            ("reason_code", &self.reason_code, false),
            ("request_id", &self.request_id, false),
            ("route", &self.route, false),
            ("upstream", &self.upstream, true),
        ]
    }

    fn check(&self) -> Result<(), String> {
        for (name, text, may_be_empty) in self.texts() {
            if !(is_label(text, TEXT_LIMIT) || text.is_empty() && may_be_empty) {
                return Err(format!(
                    "{name} is empty, longer than {TEXT_LIMIT} bytes or has controls"
                ));
            }
        }
        if !DECISIONS.contains(&self.decision.as_str()) {
            return Err(format!("decision {:?} is unknown", self.decision));
        }
        if self.heads.len() > HEADS || !self.heads.is_sorted_by(|a, b| a < b) {
            return Err(format!("heads are more than {HEADS}, unsorted or repeated"));
        }
        if self.heads_digest.is_some() && !self.heads.is_empty() {
            return Err("heads and heads_digest exclude each other".into());
        }
        if self.sources.len() > SOURCES || !self.sources.is_sorted_by(|a, b| a < b) {
            return Err(format!("sources are more than {SOURCES}, unsorted or repeated"));
        }
        if self.sources_digest.is_some() && !self.sources.is_empty() {
            return Err("sources and sources_digest exclude each other".into());
        }
        if !(1..=MAX_SAFE_INTEGER).contains(&self.iat) {
            return Err("iat is not positive".into());
        }
        Ok(())
    }
}

/// The digest that stands for many heads: SHA-256 over their texts, sorted, each ended by LF.
pub fn heads_digest(heads: &[Digest]) -> Digest {
    let mut sorted = heads.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut text = String::with_capacity(sorted.len() * 72);
    for head in sorted {
        let _ = writeln!(text, "{head}");
    }
    Digest::of(text.as_bytes())
}

/// A decision that cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A claim breaks a rule of the format.
    #[error("the decision breaks a rule of its format: {0}")]
    Refused(String),
    /// Longer than a header may be.
    #[error(
        "the decision receipt is {0} bytes, at most {LIMIT} are allowed; shorten upstream, model or route"
    )]
    TooLong(usize),
}

/// Signs a decision as a compact JWS.
pub fn sign(decision: &Decision, signer: &dyn Signer) -> Result<String, SignError> {
    decision.check().map_err(SignError::Refused)?;
    let jws = seal::jws::encode(&header(&signer.key_id()), &payload(decision), signer);
    match jws.len() <= LIMIT {
        true => Ok(jws),
        false => Err(SignError::TooLong(jws.len())),
    }
}

fn header(kid: &KeyId) -> String {
    format!("{{\"alg\":\"EdDSA\",\"kid\":\"{kid}\",\"typ\":\"{TYP}\"}}")
}

/// Canonical: the members stand in the order of their names.
fn payload(decision: &Decision) -> String {
    let mut out = String::with_capacity(1_280);
    out.push('{');
    member(&mut out, "audit_entry_id", &decision.audit_entry_id);
    digest_member(&mut out, "config_digest", &decision.config_digest);
    plain_member(&mut out, "decision", &decision.decision);
    match &decision.heads_digest {
        None => {
            key_of(&mut out, "heads");
            out.push('[');
            for (at, head) in decision.heads.iter().enumerate() {
                out.push_str(if at == 0 { "\"" } else { ",\"" });
                head.push_to(&mut out);
                out.push('"');
            }
            out.push(']');
        }
        Some(all) => digest_member(&mut out, "heads_digest", all),
    }
    let _ = write!(out, ",\"iat\":{}", decision.iat);
    member(&mut out, "log_origin", &decision.log_origin);
    if !decision.model.is_empty() {
        member(&mut out, "model", &decision.model);
    }
    member(&mut out, "profile", &decision.profile);
    member(&mut out, "reason_code", &decision.reason_code);
    digest_member(&mut out, "request_digest", &decision.request_digest);
    member(&mut out, "request_id", &decision.request_id);
    if let Some(response) = &decision.response_digest {
        digest_member(&mut out, "response_digest", response);
    }
    member(&mut out, "route", &decision.route);
    digest_member(&mut out, "ruleset_digest", &decision.ruleset_digest);
    if !decision.sources.is_empty() {
        key_of(&mut out, "sources");
        out.push('[');
        for (at, source) in decision.sources.iter().enumerate() {
            out.push_str(if at == 0 { "{" } else { ",{" });
            digest_member(&mut out, "content_hash", source.content_hash());
            member(&mut out, "source", source.name());
            out.push('}');
        }
        out.push(']');
    }
    if let Some(all) = &decision.sources_digest {
        digest_member(&mut out, "sources_digest", all);
    }
    if !decision.upstream.is_empty() {
        member(&mut out, "upstream", &decision.upstream);
    }
    out.push('}');
    out
}

/// A decision with the bytes that were signed; whether the signature holds is
/// [`SignedDecision::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedDecision {
    /// SHA-256 over the compact JWS.
    pub hash: Digest,
    /// The key that is said to have signed.
    pub key_id: KeyId,
    /// The compact JWS.
    pub jws: String,
    /// What it claims.
    pub decision: Decision,
}

impl SignedDecision {
    /// Whether `key` signed these bytes.
    pub fn verify(&self, key: &PublicKey) -> bool {
        match seal::jws::split(&self.jws, LIMIT) {
            Ok(token) => key.verify(token.signing_input.as_bytes(), &token.signature),
            Err(_) => false,
        }
    }
}

/// Reads a decision receipt, strictly. The signature is not checked.
pub fn read(jws: &str) -> Result<Decision, Vec<Finding>> {
    read_signed(jws).map(|signed| signed.decision)
}

/// As [`read`], with key id, hash and bytes.
pub fn read_signed(jws: &str) -> Result<SignedDecision, Vec<Finding>> {
    let refuse = |code, detail: String| vec![Finding::here(code, detail)];
    let malformed = |detail: String| refuse(Code::DecisionMalformed, detail);
    let token = seal::jws::split(jws, LIMIT).map_err(|error| match error {
        JwsError::SignatureLength => refuse(Code::DecisionSignature, error.to_string()),
        _ => malformed(error.to_string()),
    })?;
    let kid = parse(&token.header, LIMITS)
        .ok()
        .and_then(|value| value.get("kid").and_then(Value::as_str).map(str::to_string))
        .and_then(|kid| kid.parse::<KeyId>().ok())
        .ok_or_else(|| malformed("the header names no key".into()))?;
    if token.header != header(&kid).as_bytes() {
        return Err(malformed(format!("the header is not that of {TYP}")));
    }
    let value =
        parse(&token.payload, LIMITS).map_err(|error| malformed(format!("payload: {error}")))?;
    let canonical = write_receipt(&value).is_ok_and(|text| text.as_bytes() == token.payload);
    if !canonical {
        return Err(refuse(Code::DecisionCanonical, "payload".into()));
    }
    let decision = claims(&value).map_err(malformed)?;
    let hash = Digest::of(jws.as_bytes());
    Ok(SignedDecision { hash, key_id: kid, jws: jws.to_string(), decision })
}

fn claims(payload: &Value) -> Result<Decision, String> {
    let members = payload.as_object().ok_or_else(|| format!("payload is {}", payload.kind()))?;
    if let Some((unknown, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("member {unknown:?}"));
    }
    let optional = |name: &str| match payload.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name} is empty or not a string")),
    };
    let text = |name: &str| optional(name)?.ok_or_else(|| format!("{name} is missing"));
    let digest_of = |name: &str, text: String| {
        text.parse::<Digest>().map_err(|_| format!("{name} is not a digest"))
    };
    let digest = |name: &str| digest_of(name, text(name)?);
    let optional_digest =
        |name: &str| optional(name)?.map(|text| digest_of(name, text)).transpose();
    let heads_digest = optional_digest("heads_digest")?;
    let heads = match (payload.get("heads"), &heads_digest) {
        (None, Some(_)) => Vec::new(),
        (Some(Value::Array(items)), None) => items
            .iter()
            .map(|item| item.as_str().and_then(|text| text.parse().ok()))
            .collect::<Option<Vec<Digest>>>()
            .ok_or("heads is not a list of digests")?,
        _ => return Err("exactly one of heads and heads_digest is needed".into()),
    };
    let sources = match payload.get("sources") {
        None => Vec::new(),
        Some(Value::Array(items)) if !items.is_empty() => items
            .iter()
            .map(Source::read)
            .collect::<Option<Vec<Source>>>()
            .ok_or("sources is not a list of indicators")?,
        Some(_) => return Err("sources is no list, or an empty one".into()),
    };
    let iat = payload.get("iat").and_then(Value::as_i64).ok_or("iat is not an integer")?;
    let decision = Decision {
        log_origin: text("log_origin")?,
        request_id: text("request_id")?,
        audit_entry_id: text("audit_entry_id")?,
        decision: text("decision")?,
        reason_code: text("reason_code")?,
        route: text("route")?,
        profile: text("profile")?,
        request_digest: digest("request_digest")?,
        response_digest: optional_digest("response_digest")?,
        config_digest: digest("config_digest")?,
        ruleset_digest: digest("ruleset_digest")?,
        upstream: optional("upstream")?.unwrap_or_default(),
        model: optional("model")?.unwrap_or_default(),
        heads,
        heads_digest,
        sources,
        sources_digest: optional_digest("sources_digest")?,
        iat,
    };
    decision.check()?;
    Ok(decision)
}

const MEMBERS: [&str; 18] = [
    "audit_entry_id",
    "config_digest",
    "decision",
    "heads",
    "heads_digest",
    "iat",
    "log_origin",
    "model",
    "profile",
    "reason_code",
    "request_digest",
    "request_id",
    "response_digest",
    "route",
    "ruleset_digest",
    "sources",
    "sources_digest",
    "upstream",
];
