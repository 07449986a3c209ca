//! What the input of a request leaves: receipts of new user messages and tool results, entries of
//! results that match nothing, and the scan that everything after it cites.

use ledger::Kind;
use record::entry::AuditDecision;
use seal::digest::Digest;
use seal::json::Value;

use super::RecordError;
use super::ancestry::{Ancestry, Step};
use super::members::{heads, member, scanned};
use super::receipts;
use super::request::RequestLog;
use super::step::{Input, Ruling, Scanned};
use super::write::Batch;
use crate::lineage::{Known, Memory, Scope, Thread};

/// What the input's steps gave: the receipts to write and the scan that the model call cites.
pub(super) struct Judged {
    pub batch: Batch,
    pub scan: Known,
    pub scanned: Scanned,
    pub thread: Option<Thread>,
    pub facts: Digest,
    pub lineage: Vec<Value>,
}

impl RequestLog {
    /// Receipts of the input: new user messages, tool results, the scan.
    pub(super) fn judge(&self, input: Input) -> Result<Judged, RecordError> {
        let (facts, body) = self.core.salted("facts", &input.facts)?;
        let mut batch = Batch::default();
        batch.bodies.push((Kind::Facts, facts, body));
        let scope = Scope::of(&self.caller.owner);
        let ancestry =
            Ancestry::of(&input.conversation, scope.as_ref(), &self.core.writer.lineage());
        let caller = self.caller.owner.to_string();
        let stamp = self.stamp(&caller);
        let mut parents = ancestry.parents;
        let mut lineage = Vec::new();
        if ancestry.steps.len() > STEPS {
            let detail = format!("more than {STEPS} new messages in one request");
            return Err(RecordError::Form(detail));
        }
        for step in ancestry.steps {
            let (signed, keys, stray) = match step {
                Step::User { text, keys } => {
                    (stamp.as_ref().map(|stamp| stamp.user_input(text)), keys, None)
                }
                Step::ToolCall { call_id, call, text, keys } => {
                    let signed = stamp.as_ref().map(|stamp| {
                        let (tool, parent) = (&call.tool, &call.model_call);
                        stamp.tool_call(tool, call.arguments, text, parent, &call_id)
                    });
                    (signed, keys, None)
                }
                Step::Stray { call_id, text, scan, mismatch, keys } => {
                    let scan = scan.unwrap_or_else(|| input.scan.clone());
                    let signed = stamp
                        .as_ref()
                        .map(|stamp| stamp.scan("tool_result", text, &scan, &[], Some(&call_id)));
                    (signed, keys, Some((mismatch, call_id, text, scan)))
                }
            };
            let known = match signed.transpose()? {
                Some(signed) => {
                    let known = receipts::known(&signed);
                    receipts::add(&mut batch.receipts, signed)?;
                    known
                }
                None => Known::default(),
            };
            let memory = Memory { known: known.clone(), keys, calls: Vec::new() };
            lineage.push(memory.to_value());
            batch.memories.push(memory);
            if let Some((mismatch, call_id, text, scan)) = stray {
                let ruling = Ruling {
                    decision: AuditDecision::Allow,
                    check: "lineage".to_owned(),
                    code: mismatch.code().to_owned(),
                    reason:
                        "a tool result that matches no proposed call: kept as untrusted content"
                            .to_owned(),
                };
                let mut audit = self.audit("admission", "pipeline.tool_result", &ruling);
                audit.metadata.extend([member("_call", call_id), member("_result", text)]);
                scanned(&mut audit, &scan);
                heads(&mut audit, known.receipt);
                batch.audits.push(audit);
            }
            parents.push(known);
        }
        let scan = match &stamp {
            Some(stamp) => {
                let signed =
                    stamp.scan("input", self.request_digest(), &input.scan, &parents, None)?;
                let known = receipts::known(&signed);
                receipts::add(&mut batch.receipts, signed)?;
                known
            }
            None => Known::default(),
        };
        // What a restart remembers is bounded: the line has a longest length.
        lineage.drain(..lineage.len().saturating_sub(KEPT));
        Ok(Judged { batch, scan, scanned: input.scan, thread: ancestry.thread, facts, lineage })
    }
}

/// Each new message costs a signature: nobody may ask for more of them in one request.
const STEPS: usize = 2048;
/// As many of them are written into the audit entry's `_lineage`, the latest.
const KEPT: usize = 128;
