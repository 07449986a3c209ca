//! The v1 receipts of one request: what each step claims, signed before any lock is taken.

use std::sync::Arc;

use ledger::{Kind, Prepared};
use record::agent::AgentId;
use record::receipt::{Emitter, Receipt, SignedReceipt};
use record::source::{self, Source};
use record::taint::TaintSet;
use seal::digest::Digest;
use seal::json::Value;
use seal::signer::Signer;

use super::RecordError;
use super::members::RULES;
use super::step::Scanned;
use super::write::prepared;
use crate::lineage::Known;

/// What all receipts of one request share.
pub(super) struct Stamp<'a> {
    pub agent: &'a AgentId,
    pub emitter: &'a Emitter,
    pub signer: &'a dyn Signer,
    pub iat: i64,
    pub ruleset: Digest,
    pub request: &'a str,
    pub caller: &'a str,
    pub origin: &'a str,
}

impl Stamp<'_> {
    pub fn user_input(&self, text: Digest) -> Result<SignedReceipt, RecordError> {
        self.sign(Receipt::user_input(self.agent, self.emitter.key_id(), self.iat, text))
    }

    /// `target` is `input`, `output`, `tool_call` or `tool_result`.
    pub fn scan(
        &self,
        target: &str,
        content: Digest,
        scanned: &Scanned,
        parents: &[Known],
        call: Option<&Digest>,
    ) -> Result<SignedReceipt, RecordError> {
        let rules = scanned.rules.iter().take(RULES).map(String::as_str);
        let receipt = Receipt::guardrail_scan(
            self.agent,
            self.emitter.key_id(),
            self.iat,
            content,
            self.ruleset,
            scanned.verdict,
            target,
        )
        .extension("x_countersign_rules", Value::array(rules));
        let receipt = match &*source::sorted(&scanned.sources) {
            [] => receipt,
            sources => {
                let sources = sources.iter().map(Source::to_value).collect();
                receipt.extension("x_countersign_sources", Value::Array(sources))
            }
        };
        self.sign(of_call(inherit(receipt, parents), call))
    }

    pub fn model_call(
        &self,
        model: &str,
        input: Digest,
        output: Digest,
        parent: &Known,
    ) -> Result<SignedReceipt, RecordError> {
        let model = name(model);
        let receipt =
            Receipt::model_call(self.agent, self.emitter.key_id(), self.iat, model, input, output);
        self.sign(inherit(receipt, std::slice::from_ref(parent)))
    }

    pub fn tool_call(
        &self,
        tool: &str,
        arguments: Digest,
        result: Digest,
        parent: &Known,
        call: &Digest,
    ) -> Result<SignedReceipt, RecordError> {
        let tool = name(tool);
        let receipt = Receipt::tool_call(
            self.agent,
            self.emitter.key_id(),
            self.iat,
            tool,
            arguments,
            result,
        );
        self.sign(of_call(inherit(receipt, std::slice::from_ref(parent)), Some(call)))
    }

    fn sign(&self, receipt: Receipt) -> Result<SignedReceipt, RecordError> {
        let receipt = receipt
            .extension("x_countersign_caller", self.caller)
            .extension("x_countersign_log", self.origin)
            .extension("x_countersign_request", self.request);
        let signed = self.emitter.sign(receipt, self.signer);
        signed.map_err(|error| RecordError::Form(error.to_string()))
    }
}

/// Two calls with equal arguments are two steps: the digest of the call's id tells them apart.
fn of_call(receipt: Receipt, call: Option<&Digest>) -> Receipt {
    match call {
        Some(call) => receipt.extension("x_countersign_call", *call),
        None => receipt,
    }
}

/// Cites what has a receipt. A conversation of which nothing is known at its place may bring more
/// parents than a receipt can hold: the latest are cited and the count of the others is stated.
fn inherit(receipt: Receipt, parents: &[Known]) -> Receipt {
    let cited: Vec<(Digest, &TaintSet)> =
        parents.iter().filter_map(|known| Some((known.receipt?, &*known.taint))).collect();
    let omitted = cited.len().saturating_sub(PARENTS);
    let receipt = receipt.parents(cited.get(omitted..).unwrap_or_default());
    match i64::try_from(omitted) {
        Ok(count) if count > 0 => receipt.extension("x_countersign_parents_omitted", count),
        Ok(_) | Err(_) => receipt,
    }
}

/// A name that came from outside, as evidence may hold it: at most [`NAME`] bytes, without control
/// characters, never empty.
pub(super) fn name(text: &str) -> String {
    let mut clean = clip(text, NAME).to_owned();
    clean.retain(|character| !character.is_control());
    if clean.is_empty() { "unnamed".to_owned() } else { clean }
}

/// The longest prefix of whole characters within `limit` bytes.
pub(super) fn clip(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The receipt as a later step cites it.
pub(super) fn known(signed: &SignedReceipt) -> Known {
    Known { receipt: Some(signed.hash), taint: Arc::new(signed.receipt.taint.clone()) }
}

/// Adds the receipt to the entries. Equal claims (the same message twice in one request) are one
/// receipt, and one entry.
pub(super) fn add(entries: &mut Vec<Prepared>, signed: SignedReceipt) -> Result<(), RecordError> {
    let id = signed.hash.text();
    if entries.iter().all(|prepared| prepared.entry().id != id) {
        entries.push(prepared(Kind::Receipt, id, signed.jws, Some(signed.hash))?);
    }
    Ok(())
}

/// 256 parents are 19 of the 32 KB a payload may have.
const PARENTS: usize = 256;
const NAME: usize = 128;
