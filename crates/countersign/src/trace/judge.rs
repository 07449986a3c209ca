//! Judging the steps of a walk: what each row says was verified.

use std::collections::{BTreeSet, HashMap};

use record::receipt::{Operation, Receipt, SignedReceipt};
use record::report::{Assurance, Code, ExitClass, Finding, Severity};
use record::taint::TaintSet;
use seal::Digest;

use super::{Check, Inclusion, Request, Row, Ruleset, Trace, gather};
use crate::verify::Verifier;
use crate::verify::claim::Claim;

impl Trace {
    pub(super) fn find(&mut self, code: Code, place: &str, detail: &str) {
        self.report.push(Finding::new(code, place, detail));
    }

    /// Judges what was gathered, in the order of the walk.
    pub(super) fn fill(
        &mut self,
        walk: &[Digest],
        survey: &gather::Survey,
        mut pieces: gather::Pieces,
        requests: &[String],
    ) {
        for hash in walk {
            let Some(piece) = pieces.receipts.remove(hash) else {
                continue;
            };
            let row = self.row(survey, piece);
            self.rows.push(row);
        }
        self.name_scans(survey);
        let mut named: BTreeSet<Digest> = BTreeSet::new();
        for row in &self.rows {
            let ruleset = row.receipt.ruleset_hash.as_deref();
            named.extend(
                ruleset.and_then(|text| text.parse().ok().or_else(|| Digest::from_hex(text))),
            );
        }
        for id in requests {
            let request = pieces.requests.remove(id).unwrap_or_default();
            if request.audits.is_empty() && request.decisions.is_empty() {
                continue;
            }
            for signed in &request.decisions {
                named.insert(signed.decision.ruleset_digest);
                self.bindings(survey, &request, &signed.decision);
            }
            self.requests.push(request);
        }
        self.rulesets = named
            .into_iter()
            .map(|digest| Ruleset { digest, rules: pieces.rules(&digest) })
            .collect();
    }

    fn row(&mut self, survey: &gather::Survey, piece: gather::Piece) -> Row {
        let gather::Piece { signed, place, index, faults, trusted, signer, key, stated } = piece;
        let SignedReceipt { hash, jws, receipt, .. } = signed;
        let signature = match (trusted, faults.first()) {
            (true, _) => Check::new(true, format!("signed by {signer}")),
            (false, Some(fault)) if fault.code == Code::ReceiptSignature => {
                Check::new(false, "the signature does not verify")
            }
            (false, Some(fault)) => Check::new(None, fault.code.title()),
            (false, None) => Check::new(None, "not signed by anyone trusted"),
        };
        for fault in faults {
            self.report.push(fault);
        }
        let content = if stated == hash {
            Check::new(true, "its bytes have its hash")
        } else {
            let detail = format!("{stated} is written, {hash} it is");
            self.find(Code::ChainHash, &place, &detail);
            Check::new(false, detail)
        };
        let away: Vec<&Digest> =
            receipt.parents.iter().filter(|parent| !survey.nodes.contains_key(parent)).collect();
        let said: Vec<String> =
            away.iter().filter_map(|parent| survey.absence(&parent.to_string())).collect();
        let missing: Vec<&&Digest> =
            away.iter().filter(|parent| survey.absence(&parent.to_string()).is_none()).collect();
        for said in away.iter().filter_map(|parent| survey.shut(&parent.to_string())) {
            self.find(Code::LedgerEncrypted, &place, &format!("parent: {said}"));
        }
        for parent in &missing {
            self.find(Code::ChainParent, &place, &format!("parent {parent}"));
        }
        let parents = match (receipt.parents.len(), missing.len()) {
            (0, _) => Check::new(true, "a root"),
            // Logged, and what it said is not known: neither a fault nor verified.
            (_, 0) if !said.is_empty() => Check::new(None, format!("parent: {}", said.join(", "))),
            (1, 0) => Check::new(true, "its parent is here"),
            (all, 0) => Check::new(true, format!("all {all} parents are here")),
            (all, gone) => Check::new(false, format!("{gone} of {all} parents are missing")),
        };
        let taint = self.taint(survey, &receipt, &place, away.is_empty());
        let (inclusion, proof) = self.inclusion(survey, index, &place);
        Row {
            hash,
            jws,
            receipt,
            place,
            signature,
            content,
            parents,
            taint,
            inclusion,
            proof,
            scanned: None,
            key,
        }
    }

    /// A scan's target is a tag, and tags of earlier scans are inherited: when its own cannot be
    /// told from them, what it scanned and what it builds on tell.
    fn name_scans(&mut self, survey: &gather::Survey) {
        let request_of = |hash: &Digest| survey.nodes.get(hash)?.request.clone();
        let calls: HashMap<Digest, Option<Digest>> = self
            .rows_of(Operation::ModelCall)
            .map(|row| (row.hash, row.receipt.output_hash))
            .collect();
        for row in &mut self.rows {
            let receipt = &row.receipt;
            if receipt.operation != Operation::GuardrailScan {
                continue;
            }
            let mut inherited = TaintSet::new();
            for parent in &receipt.parents {
                if let Some(node) = survey.nodes.get(parent) {
                    inherited.merge(&node.taint);
                }
            }
            let own = receipt.taint.minus(&inherited);
            let own: Vec<&str> =
                own.iter().filter_map(|tag| tag.strip_prefix("guardrail-scan:")).collect();
            let target = match own.as_slice() {
                [one] => one,
                // A model call of the same request is what was scanned; one of an earlier request
                // is merely echoed in the input.
                _ => match receipt
                    .parents
                    .iter()
                    .filter(|parent| request_of(parent) == request_of(&row.hash))
                    .find_map(|parent| calls.get(parent))
                {
                    Some(output) if *output == receipt.input_hash => "output",
                    Some(_) => "tool_call",
                    None => "input",
                },
            };
            row.scanned = Some(target.to_owned());
        }
    }

    pub(super) fn rows_of(&self, operation: Operation) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.receipt.operation == operation)
    }

    fn taint(
        &mut self,
        survey: &gather::Survey,
        receipt: &Receipt,
        place: &str,
        complete: bool,
    ) -> Check {
        let mut inherited = TaintSet::new();
        for parent in &receipt.parents {
            if let Some(node) = survey.nodes.get(parent) {
                inherited.merge(&node.taint);
            }
        }
        if let Some(removed) = receipt.removed() {
            if !complete {
                return Check::new(None, "a parent is not here");
            }
            let due = inherited.minus(&removed);
            if receipt.taint == due {
                return Check::new(true, format!("cleared {removed}"));
            }
            let detail = format!("carries {}, due is {due}", receipt.taint);
            self.find(Code::ChainSanitised, place, &detail);
            return Check::new(false, detail);
        }
        let lost = inherited.minus(&receipt.taint);
        if lost.is_empty() {
            Check::new(complete.then_some(true), "taint is kept")
        } else {
            self.find(Code::ChainTaint, place, &format!("lost {lost}"));
            Check::new(false, format!("lost {lost}"))
        }
    }

    /// What the tree says of an entry whose body is not here.
    pub(super) fn included(&mut self, survey: &gather::Survey, index: u64) -> String {
        let (check, _) = self.inclusion(survey, Some(index), &format!("entry {index}"));
        match check.holds {
            Some(true) => format!("; its leaf is under the checkpoint, {}", check.says),
            Some(false) | None => format!("; {}", check.says),
        }
    }

    /// Proves the entry against the checkpoint, anew for every step.
    fn inclusion(
        &mut self,
        survey: &gather::Survey,
        index: Option<u64>,
        place: &str,
    ) -> (Check, Option<Inclusion>) {
        let Some(index) = index else {
            // A chain file has no tree: nothing to say.
            return (Check::new(None, ""), None);
        };
        let Some(checkpoint) = &survey.checkpoint else {
            return (Check::new(None, "there is no readable checkpoint"), None);
        };
        if index >= checkpoint.size {
            return (Check::new(None, "beyond the checkpoint: consistent only"), None);
        }
        let Some((leaf, proof)) = survey.tree.proof(index, checkpoint.size) else {
            return (Check::new(None, "a leaf is lost, no proof"), None);
        };
        let holds =
            seal::merkle::verify_inclusion(index, checkpoint.size, &leaf, &proof, &checkpoint.root);
        let inclusion = Inclusion { index, size: checkpoint.size, proof };
        if !holds {
            let detail = format!("entry {index} of {}", checkpoint.size);
            self.find(Code::LedgerCheckpointRoot, place, &detail);
            return (Check::new(false, "not under the checkpoint's root"), Some(inclusion));
        }
        let check = if survey.log_trusted {
            let since = survey.attested.over(index);
            let since =
                since.map(|reach| format!(", anchored {} by {}", reach.before, reach.authority));
            let said = format!("entry {index} of {}{}", checkpoint.size, since.unwrap_or_default());
            Check::new(true, said)
        } else {
            Check::new(
                None,
                format!("entry {index} of {}, under an untrusted checkpoint", checkpoint.size),
            )
        };
        (check, Some(inclusion))
    }

    /// Whether what a decision receipt binds is in the ledger.
    fn bindings(
        &mut self,
        survey: &gather::Survey,
        request: &Request,
        decision: &record::decision::Decision,
    ) {
        let place = format!("decision receipt of request {}", decision.request_id);
        if let Some(checkpoint) = &survey.checkpoint
            && decision.log_origin != checkpoint.origin
        {
            let detail = format!("it names {}", decision.log_origin);
            self.find(Code::DecisionLog, &place, &detail);
        }
        let audit =
            request.audits.iter().find(|audit| audit.entry.entry_id == decision.audit_entry_id);
        match audit {
            None => match survey.absence(&decision.audit_entry_id) {
                Some(said) => {
                    self.report.note(format!("{place}: its audit entry: {said}"));
                    if survey.shut(&decision.audit_entry_id).is_some() {
                        self.find(Code::LedgerEncrypted, &place, &format!("audit entry: {said}"));
                    }
                }
                None => self.find(Code::DecisionAudit, &place, &decision.audit_entry_id),
            },
            Some(audit) => {
                let admitted = request
                    .audits
                    .iter()
                    .find(|audit| audit.entry.check_name == "pipeline.admission")
                    .map(|admission| admission.entry.decision);
                let differs = match Claim::of(0, &audit.entry, admitted) {
                    Some(claim) => claim.differs(decision),
                    None => vec!["that entry ends no request"],
                };
                if !differs.is_empty() {
                    self.find(Code::DecisionMismatch, &place, &differs.join("; "));
                }
            }
        }
        for head in &decision.heads {
            if let Some(said) = survey.shut(&head.to_string()) {
                self.find(Code::LedgerEncrypted, &place, &format!("head: {said}"));
            }
            if !survey.nodes.contains_key(head) && survey.absence(&head.to_string()).is_none() {
                self.find(Code::DecisionHeads, &place, &head.to_string());
            }
        }
        for (name, digest) in
            [("configuration", decision.config_digest), ("ruleset", decision.ruleset_digest)]
        {
            if !survey.documents.contains(&digest) {
                self.find(Code::DecisionDigest, &place, &format!("{name} {digest}"));
            }
        }
    }

    pub(super) fn conclude(&mut self, verifier: &Verifier) {
        let steps = self.rows.len() as u64;
        self.report.count("steps", steps);
        if verifier.believed().is_empty() {
            self.find(Code::TrustNone, "", "");
        }
        let worst = |class: ExitClass| {
            self.report.findings.iter().any(|finding| {
                finding.code.severity() == Severity::Error && finding.code.exit() == class
            })
        };
        let broken =
            [ExitClass::Tampered, ExitClass::Malformed, ExitClass::Violated, ExitClass::Missing]
                .into_iter()
                .any(worst);
        let unsure = worst(ExitClass::Untrusted)
            // Anybody can put ciphertext there: what was not read is nobody's word.
            || self.report.has(Code::LedgerEncrypted)
            || self.rows.iter().any(|row| {
                row.signature.holds != Some(true)
                    || (self.log.is_some() && row.inclusion.holds != Some(true))
            });
        let level = if broken {
            Assurance::None
        } else if unsure {
            Assurance::Consistent
        } else {
            Assurance::Signed
        };
        self.report.assure(level);
        if self.report.has(Code::LedgerEncrypted) && self.report.ok() && verifier.asks_for_signed()
        {
            self.report.require(Assurance::Signed);
        }
    }
}
