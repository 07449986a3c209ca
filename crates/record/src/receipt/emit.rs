//! Writing a receipt: one pass into one string, members in their known order.

use std::fmt::Write as _;

use seal::digest::Digest;
use seal::json::{WriteError, push_string, utf16_order, write_receipt};
use seal::jws::Header;
use seal::key::KeyId;
use seal::signer::Signer;

use super::{Receipt, SignedReceipt, TYP, rules};
use crate::report::Finding;
use crate::text::{digest_member, key_of, member, plain_member};

/// Longest payload, bytes.
pub(super) const PAYLOAD_LIMIT: usize = 32_768;

/// A receipt that cannot be signed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EmitError {
    /// The claims break a rule of the format; every conforming reader would refuse them.
    #[error("the receipt breaks the rules of its format: {}", list(.0))]
    Refused(Vec<Finding>),
    /// The signer's key is not the one the receipt names.
    #[error("the receipt names key {named}, the signer holds {held}; use the agent's own key")]
    KeyMismatch {
        /// Named in the receipt.
        named: KeyId,
        /// Held by the signer.
        held: KeyId,
    },
    /// An extension has no canonical form.
    #[error("an extension has no canonical form: {0}")]
    Extension(#[from] WriteError),
    /// The payload would be longer than readers accept.
    #[error(
        "the payload is {0} bytes, at most {PAYLOAD_LIMIT} are allowed; put hashes into it, not content"
    )]
    TooLong(usize),
}

fn list(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.join("; ")
}

/// Signs a receipt. What comes out is accepted by [`super::read`].
pub fn sign(receipt: &Receipt, signer: &dyn Signer) -> Result<SignedReceipt, EmitError> {
    Emitter::of(signer).sign(receipt.clone(), signer)
}

/// Signs many receipts with one key: what is the same in all of them is made once.
#[derive(Debug, Clone)]
pub struct Emitter {
    key_id: KeyId,
    header: Header,
}

impl Emitter {
    /// For the key of `signer`.
    pub fn of(signer: &dyn Signer) -> Self {
        let key_id = signer.key_id();
        Emitter { key_id, header: Header::new(&header(&key_id)) }
    }

    /// The key that receipts signed here name.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// As [`sign`], with the signer that this emitter was made for.
    pub fn sign(&self, receipt: Receipt, signer: &dyn Signer) -> Result<SignedReceipt, EmitError> {
        let held = signer.key_id();
        if held != receipt.key_id || held != self.key_id {
            return Err(EmitError::KeyMismatch { named: receipt.key_id, held });
        }
        let found = rules::check(&receipt);
        if !found.is_empty() {
            return Err(EmitError::Refused(found));
        }
        let payload = payload(&receipt)?;
        if payload.len() > PAYLOAD_LIMIT {
            return Err(EmitError::TooLong(payload.len()));
        }
        let jws = seal::jws::encode_under(&self.header, &payload, signer);
        Ok(SignedReceipt { hash: Digest::of(jws.as_bytes()), jws, receipt })
    }
}

/// The one header of the format for a key.
fn header(kid: &KeyId) -> String {
    format!("{BEFORE_KID}{kid}{AFTER_KID}")
}

/// Whether these bytes are the header for this key id.
pub(super) fn is_header(bytes: &[u8], kid: &str) -> bool {
    let rest = bytes.strip_prefix(BEFORE_KID.as_bytes());
    rest.and_then(|rest| rest.strip_suffix(AFTER_KID.as_bytes())) == Some(kid.as_bytes())
}

const BEFORE_KID: &str = r#"{"alg":"EdDSA","crit":["raucle/v1"],"kid":""#;
const AFTER_KID: &str = r#"","raucle/v1":"provenance","typ":"provenance-receipt/v1"}"#;

/// The canonical payload. The order below is the UTF-16 order of the names; extensions all begin
/// with `x_` and so come last.
pub(super) fn payload(receipt: &Receipt) -> Result<String, WriteError> {
    let mut out = String::with_capacity(768 + receipt.parents.len() * 74);
    out.push('{');
    plain_member(&mut out, "agent_id", receipt.agent_id.as_str());
    plain_member(&mut out, "agent_key_id", &receipt.key_id.to_string());
    optional(&mut out, "corpus", &receipt.corpus);
    if let Some(verdict) = receipt.verdict {
        plain_member(&mut out, "guardrail_verdict", verdict.as_str());
    }
    let _ = write!(out, ",\"iat\":{}", receipt.iat);
    if let Some(hash) = &receipt.input_hash {
        digest_member(&mut out, "input_hash", hash);
    }
    member(&mut out, "iss", &receipt.iss);
    optional(&mut out, "model", &receipt.model);
    plain_member(&mut out, "operation", receipt.operation.as_str());
    if let Some(hash) = &receipt.output_hash {
        digest_member(&mut out, "output_hash", hash);
    }
    key_of(&mut out, "parents");
    out.push('[');
    for (at, parent) in receipt.parents.iter().enumerate() {
        out.push_str(if at == 0 { "\"" } else { ",\"" });
        parent.push_to(&mut out);
        out.push('"');
    }
    out.push(']');
    optional(&mut out, "ruleset_hash", &receipt.ruleset_hash);
    key_of(&mut out, "taint");
    out.push('[');
    for (at, tag) in receipt.taint.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_string(tag, &mut out);
    }
    out.push(']');
    optional(&mut out, "tenant", &receipt.tenant);
    optional(&mut out, "tool", &receipt.tool);
    plain_member(&mut out, "typ", TYP);
    let mut extensions: Vec<_> = receipt.extensions.iter().collect();
    extensions.sort_by(|(a, _), (b, _)| utf16_order(a, b));
    for (name, value) in extensions {
        out.push(',');
        push_string(name, &mut out);
        out.push(':');
        match value.as_str() {
            Some(text) => push_string(text, &mut out),
            None => out.push_str(&write_receipt(value)?),
        }
    }
    out.push('}');
    Ok(out)
}

fn optional(out: &mut String, key: &str, value: &Option<String>) {
    if let Some(text) = value {
        member(out, key, text);
    }
}
