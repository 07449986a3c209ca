//! Verdicts on single pieces: who signed, were they allowed to, does it hold?

use std::collections::{BTreeMap, BTreeSet};

use seal::key::{KeyId, PublicKey};

use crate::capability::Statement;
use crate::codes::Code;
use crate::decision::{self, SignedDecision};
use crate::receipt::{self, Operation, Receipt, SignedReceipt};
use crate::report::{Assurance, Finding, Report};
use crate::trust::{Purpose, Trust, TrustKey, Validity};

/// Judges one receipt on its own: form, signature, signer and, when statements are in force,
/// capability. Its parents are not looked at. States the assurance in the report; `None` when it
/// is no receipt at all.
pub fn verify_receipt_jws(
    jws: &str,
    place: &str,
    judge: &Judge<'_>,
    report: &mut Report,
) -> Option<SignedReceipt> {
    match receipt::read_with_signature(jws) {
        Err(findings) => {
            report.push_all(place, findings);
            report.assure(Assurance::None);
            None
        }
        Ok((signed, signature)) => {
            let mut findings = Vec::new();
            let level = judge.receipt(&signed, &signature, &mut findings);
            report.push_all(place, findings);
            report.assure(level);
            Some(signed)
        }
    }
}

/// Judges one decision receipt: form, signature and signer. States the assurance in the report;
/// `None` when it is no decision receipt at all.
pub fn verify_decision_jws(
    jws: &str,
    place: &str,
    trust: &Trust,
    report: &mut Report,
) -> Option<SignedDecision> {
    let signed = match decision::read_signed(jws) {
        Ok(signed) => signed,
        Err(findings) => {
            report.push_all(place, findings);
            report.assure(Assurance::None);
            return None;
        }
    };
    let mut say = |code, detail: String| report.push(Finding::new(code, place, detail));
    let id = &signed.key_id;
    let level = match trust.find(Purpose::Decisions, id) {
        None => {
            match trust.find_any(id) {
                Some(other) => say(Code::TrustPurpose, wrong_purpose(id, other.purpose)),
                None => say(Code::DecisionKeyUnknown, format!("key {id}")),
            }
            Assurance::Consistent
        }
        Some(key) if !key.public_key().is_some_and(|public| signed.verify(public)) => {
            say(Code::DecisionSignature, format!("key {id}"));
            Assurance::None
        }
        Some(key) if !key.valid.contains_seconds(signed.decision.iat) => {
            say(Code::DecisionKeyTime, format!("key {:?}", key.name));
            Assurance::Consistent
        }
        Some(_) => Assurance::Signed,
    };
    report.assure(level);
    Some(signed)
}

fn wrong_purpose(id: &KeyId, purpose: Purpose) -> String {
    format!("key {id} is there for {purpose}")
}

/// What is needed to judge receipts, prepared once for many.
#[derive(Debug)]
pub struct Judge<'a> {
    keys: BTreeMap<KeyId, Signer<'a>>,
    trust: &'a Trust,
    /// Statements that hold, by key; when several, the latest issued first.
    statements: BTreeMap<KeyId, Vec<&'a Statement>>,
    /// Keys that some statement names, whether it holds or not.
    named: BTreeSet<KeyId>,
    in_force: bool,
}

#[derive(Debug)]
struct Signer<'a> {
    key: &'a PublicKey,
    agent_id: Option<&'a crate::agent::AgentId>,
    valid: Validity,
}

impl<'a> Signer<'a> {
    fn of(key: &'a TrustKey) -> Option<Signer<'a>> {
        let agent_id = key.agent_id.as_ref();
        Some(Signer { key: key.public_key()?, agent_id, valid: key.valid })
    }
}

impl<'a> Judge<'a> {
    /// Prepares the keys and statements. The findings are statements that do not hold.
    pub fn new(trust: &'a Trust, statements: &'a [Statement]) -> (Judge<'a>, Vec<Finding>) {
        let mut keys = BTreeMap::new();
        for key in trust.keys_for(Purpose::Receipts) {
            if let Some(signer) = Signer::of(key) {
                keys.insert(signer.key.key_id(), signer);
            }
        }
        let in_force = !statements.is_empty();
        let ids = |statement: &Statement| [statement.key_id, statement.public_key.key_id()];
        let named = statements.iter().flat_map(ids).collect();
        let mut judge = Judge { keys, trust, statements: BTreeMap::new(), named, in_force };
        let mut refused = Vec::new();
        for statement in statements {
            if let Err(finding) = judge.admit(statement) {
                refused.push(finding);
            }
        }
        for list in judge.statements.values_mut() {
            list.sort_by_key(|statement| std::cmp::Reverse(statement.issued_at));
        }
        (judge, refused)
    }

    /// From here on a key without a statement may do nothing, even if no statement was given that
    /// could be read.
    pub fn enforce(&mut self) {
        self.in_force = true;
    }

    /// A statement counts when it is signed by the agent's own key that the trust file holds, or
    /// by a trusted issuer. An issuer's statement also introduces the agent's key; a self-signed
    /// one never does.
    fn admit(&mut self, statement: &'a Statement) -> Result<(), Finding> {
        let held = self.keys.get(&statement.key_id).map(|signer| signer.key);
        statement.names(held.unwrap_or(&statement.public_key))?;
        let by_itself = held.is_some_and(|key| statement.is_signed_by(key));
        let by_issuer = || {
            self.trust.keys_for(Purpose::Capabilities).any(|issuer| {
                issuer.valid.contains_seconds(statement.issued_at)
                    && issuer.public_key().is_some_and(|key| statement.is_signed_by(key))
            })
        };
        if !by_itself && !by_issuer() {
            let detail = format!("statement for {}, key {}", statement.agent_id, statement.key_id);
            return Err(Finding::here(Code::CapSignature, detail));
        }
        if held.is_none() {
            let signer = Signer {
                key: &statement.public_key,
                agent_id: Some(&statement.agent_id),
                valid: Validity::default(),
            };
            self.keys.insert(statement.key_id, signer);
        }
        self.statements.entry(statement.key_id).or_default().push(statement);
        Ok(())
    }

    /// Judges signature, signer and capability of a well-formed receipt.
    pub fn receipt(
        &self,
        signed: &SignedReceipt,
        signature: &[u8; 64],
        found: &mut Vec<Finding>,
    ) -> Assurance {
        self.receipt_under(signed, signature, None, found)
    }

    /// As [`Judge::receipt`], where a rotation of the log may have brought the key: `rotated` is a
    /// key for receipts that counts beside those of the trust file.
    pub fn receipt_under(
        &self,
        signed: &SignedReceipt,
        signature: &[u8; 64],
        rotated: Option<&TrustKey>,
        found: &mut Vec<Finding>,
    ) -> Assurance {
        // The bytes were already taken apart: the signature covers everything before the last dot.
        let signing_input = signed.jws.rsplit_once('.').map_or("", |(input, _)| input);
        let rotated = rotated.and_then(Signer::of);
        self.claims_under(&signed.receipt, signing_input, signature, rotated, found)
    }

    /// As [`Judge::receipt`], of a receipt whose token is not kept.
    pub(crate) fn claims(
        &self,
        receipt: &Receipt,
        signing_input: &str,
        signature: &[u8; 64],
        found: &mut Vec<Finding>,
    ) -> Assurance {
        self.claims_under(receipt, signing_input, signature, None, found)
    }

    fn claims_under(
        &self,
        receipt: &Receipt,
        signing_input: &str,
        signature: &[u8; 64],
        rotated: Option<Signer<'_>>,
        found: &mut Vec<Finding>,
    ) -> Assurance {
        let id = &receipt.key_id;
        let mut say = |code, detail: String| found.push(Finding::here(code, detail));
        let rotated = rotated.as_ref().filter(|signer| signer.key.key_id() == *id);
        let level = match self.keys.get(id).or(rotated) {
            None => {
                match self.trust.find_any(id) {
                    Some(other) => say(Code::TrustPurpose, wrong_purpose(id, other.purpose)),
                    None => say(Code::ReceiptKeyUnknown, format!("key {id}")),
                }
                Assurance::Consistent
            }
            Some(signer) if !signer.key.verify(signing_input.as_bytes(), signature) => {
                say(Code::ReceiptSignature, format!("key {id}"));
                Assurance::None
            }
            Some(signer) => {
                let mut level = Assurance::Signed;
                if !signer.valid.contains_seconds(receipt.iat) {
                    say(Code::ReceiptKeyTime, format!("key {id}, iat {}", receipt.iat));
                    level = Assurance::Consistent;
                }
                if signer.agent_id.is_some_and(|agent| !agent.covers(&receipt.agent_id)) {
                    say(Code::ReceiptKeyAgent, format!("key {id} as {}", receipt.agent_id));
                    level = Assurance::Consistent;
                }
                level
            }
        };
        if self.in_force {
            self.capability(receipt, found);
        }
        level
    }

    /// Several statements for one key are alternatives (a renewal): one that allows is enough.
    fn capability(&self, receipt: &Receipt, found: &mut Vec<Finding>) {
        let Some(statements) = self.statements.get(&receipt.key_id) else {
            // A statement that was refused is a finding already.
            if !self.named.contains(&receipt.key_id) {
                found.push(Finding::here(Code::CapMissing, format!("key {}", receipt.key_id)));
            }
            return;
        };
        let verdicts = statements.iter().map(|statement| exceeds(statement, receipt));
        let mut worst = None;
        for verdict in verdicts {
            if verdict.is_empty() {
                return;
            }
            worst.get_or_insert(verdict);
        }
        found.extend(worst.unwrap_or_default());
    }
}

/// What a receipt does beyond its agent's statement.
fn exceeds(statement: &Statement, receipt: &Receipt) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |code, detail: String| found.push(Finding::here(code, detail));
    if statement.agent_id != receipt.agent_id {
        say(Code::CapAgent, format!("{} under {}", receipt.agent_id, statement.agent_id));
    }
    if !statement.valid_at(receipt.iat) {
        say(Code::CapTime, format!("iat {}", receipt.iat));
    }
    if let Some(model) = &receipt.model
        && !statement.allows_model(model)
    {
        say(Code::CapModel, format!("model {model:?}"));
    }
    if let Some(tool) = &receipt.tool
        && !statement.allows_tool(tool)
    {
        say(Code::CapTool, format!("tool {tool:?}"));
    }
    if receipt.operation == Operation::Sanitisation {
        for tag in receipt.removed().unwrap_or_default().iter() {
            if !statement.may_clear(tag) {
                say(Code::CapSanitise, format!("tag {tag:?}"));
            }
        }
    }
    found
}
