//! The decision receipt that closes a request: signed here, within the size of a header.

use ledger::{Kind, Prepared};
use record::decision::{self, Decision, SignError};
use record::source::Source;
use seal::digest::Digest;

use super::receipts::{clip, name};
use super::write::prepared;
use super::{Core, RecordError};

/// The part of a decision receipt that differs from step to step.
pub(super) struct Close<'a> {
    pub decision: &'a str,
    pub code: &'a str,
    pub response: Option<Digest>,
    pub upstream: &'a str,
    pub model: &'a str,
    pub heads: Vec<Digest>,
}

/// What a decision receipt is made of.
pub(super) struct Decided<'a> {
    pub request_id: &'a str,
    pub entry_id: &'a str,
    pub request: Digest,
    pub route: &'a str,
    pub config: Digest,
    pub ruleset: Digest,
    pub close: &'a Close<'a>,
    /// What the audit entry says of indicators.
    pub sources: Vec<Source>,
}

impl Core {
    /// Signs a decision receipt within its 2,048 bytes.
    pub(super) fn decide(&self, decided: &Decided<'_>) -> Result<String, RecordError> {
        let close = decided.close;
        let mut decision = Decision {
            log_origin: self.origin.clone(),
            request_id: decided.request_id.to_owned(),
            audit_entry_id: decided.entry_id.to_owned(),
            decision: close.decision.to_owned(),
            reason_code: name(close.code),
            request_digest: decided.request,
            response_digest: close.response,
            config_digest: decided.config,
            ruleset_digest: decided.ruleset,
            upstream: optional(close.upstream),
            model: optional(close.model),
            heads: Vec::new(),
            heads_digest: None,
            sources: Vec::new(),
            sources_digest: None,
            profile: self.profile.as_str().to_owned(),
            iat: self.now_ms() as i64 / 1000,
            route: decided.route.to_owned(),
        };
        decision.bind_heads(&close.heads);
        decision.bind_sources(&decided.sources);
        let mut signed = decision::sign(&decision, &*self.decisions);
        if matches!(signed, Err(SignError::TooLong(_))) && !decision.sources.is_empty() {
            decision.shorten_sources();
            signed = decision::sign(&decision, &*self.decisions);
        }
        let signed = signed.or_else(|error| match error {
            // Long names from outside: the audit entry has them, the header must stay short.
            SignError::TooLong(_) => {
                decision.upstream = clip(&decision.upstream, SHORT).to_owned();
                decision.model = clip(&decision.model, SHORT).to_owned();
                decision::sign(&decision, &*self.decisions)
            }
            SignError::Refused(_) => Err(error),
        });
        signed.map_err(|error| RecordError::Form(error.to_string()))
    }
}

pub(super) fn decision_entry(jws: &str) -> Result<Prepared, RecordError> {
    let digest = Digest::of(jws.as_bytes());
    prepared(Kind::Decision, digest.text(), jws.to_owned(), Some(digest))
}

/// A name that may be absent.
fn optional(text: &str) -> String {
    if text.is_empty() { String::new() } else { name(text) }
}

/// Bytes of a name in a decision receipt that would be too long otherwise.
const SHORT: usize = 48;
