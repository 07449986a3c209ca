//! Judging the entries of a ledger together: what one cites, another must be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ledger::Kind;
use record::decision::Decision;
use record::entry::{AuditDecision, ReadEntry};
use record::receipt::SignedReceipt;
use record::report::{Code, Finding, Report};
use record::taint::TaintSet;
use seal::Digest;

use super::claim::Claim;
use super::entry::{Content, Judged, place};
use super::pruned::Gone;

/// How much older than its parent a receipt may claim to be, seconds: signers' clocks differ.
pub(crate) const SKEW: i64 = 300;
/// Keys of one writer that are told apart; a hostile log may name any number.
const EPOCHS: usize = 256;

/// Everything later entries may refer to, in as little memory as that takes.
pub(crate) struct Tally {
    /// Findings of the entry at hand, or of the end.
    found: Vec<Finding>,
    /// Bodies that are not here.
    pub(super) gone: Gone,
    origin: Option<String>,
    ids: HashSet<(Kind, Short)>,
    receipts: HashMap<Digest, Node>,
    /// Ids of receipts that could not be read: their children lack nothing else.
    pub(super) rejected: HashSet<Digest>,
    pub(super) documents: HashSet<Digest>,
    /// Configurations, with the evidence profile each asks for.
    profiles: HashMap<Digest, String>,
    /// Audit entries; those that end a request with what a decision receipt must repeat.
    audits: HashMap<Short, Option<Box<Claim>>>,
    /// Requests that ended.
    closed: HashSet<Short>,
    /// Outcomes, by index, that no decision receipt named yet.
    pub(super) owed: BTreeMap<u64, (String, u64)>,
    /// When the entry before was logged.
    ts: u64,
    /// HMAC of the last line of each writer; `None` behind a line that could not be read.
    pub(super) chains: HashMap<String, Option<String>>,
    /// The keys that lines of each writer were under.
    epochs: HashMap<String, Vec<String>>,
    open: BTreeMap<String, (u64, AuditDecision)>,
    waiting: Vec<Waiting>,
    kinds: BTreeMap<&'static str, u64>,
    unsigned: u64,
    shared: HashMap<TaintSet, Arc<TaintSet>>,
    /// The hmac of an audit entry that must be there and was not met yet.
    sought: Option<String>,
}

/// The first half of a digest: enough to tell honest ids apart, and a forger's collision would
/// only hide his own second entry.
pub(crate) type Short = [u8; 16];

struct Node {
    taint: Arc<TaintSet>,
    iat: i64,
}

/// A citation of something that has not come yet.
struct Waiting {
    index: u64,
    kind: Kind,
    what: Cited,
}

enum Cited {
    Parent(Digest),
    Head(Digest),
    Receipt(Digest),
    Document(&'static str, Digest),
    DecisionDocument(&'static str, Digest),
    /// A configuration that must ask for the profile a decision receipt names.
    Profile(Digest, String),
    Audit(String, Box<Decision>),
}

impl Tally {
    pub(crate) fn new(origin: Option<String>) -> Tally {
        Tally {
            found: Vec::new(),
            gone: Gone::default(),
            origin,
            ids: HashSet::new(),
            receipts: HashMap::new(),
            rejected: HashSet::new(),
            documents: HashSet::new(),
            profiles: HashMap::new(),
            audits: HashMap::new(),
            closed: HashSet::new(),
            owed: BTreeMap::new(),
            ts: 0,
            chains: HashMap::new(),
            epochs: HashMap::new(),
            open: BTreeMap::new(),
            waiting: Vec::new(),
            kinds: BTreeMap::new(),
            unsigned: 0,
            shared: HashMap::new(),
            sought: None,
        }
    }

    /// Looks for the audit entry with this hmac.
    pub(crate) fn seeking(mut self, hmac: Option<String>) -> Tally {
        self.sought = hmac;
        self
    }

    /// The hmac that was looked for, if no audit entry had it.
    pub(crate) fn missed(&self) -> Option<&str> {
        self.sought.as_deref()
    }

    /// The next entry, in the order of the ledger.
    pub(crate) fn add(&mut self, judged: Judged, report: &mut Report) {
        let Judged { index, kind, id, ts, findings, content, signed } = judged;
        *self.kinds.entry(kind.as_str()).or_default() += 1;
        if !content.may_come_again(kind, &id) && !self.ids.insert((kind, short(id.as_bytes()))) {
            self.find(Code::LedgerDuplicate, index, kind, &id);
        }
        self.found.extend(findings);
        let token = matches!(kind, Kind::Receipt | Kind::Decision);
        // Whoever can write the file can put a stranger's ciphertext into the place of any body:
        // what nobody here can look into is nobody's word, whatever its kind.
        if token && !signed && !content.is_pruned() || content.is_encrypted() {
            self.unsigned += 1;
        }
        if content.is_encrypted() && kind.is_permanent() {
            self.find(Code::LedgerBody, index, kind, "entries of this kind are never encrypted");
        }
        match content {
            Content::Receipt(receipt) => self.receipt(index, &receipt),
            Content::Decision(signed) => self.decision(index, &signed.decision),
            Content::Audit(entry) => self.audit(index, ts, &entry),
            Content::Document { digest, profile } => {
                self.documents.insert(digest);
                self.profiles.extend(profile.map(|profile| (digest, profile)));
            }
            Content::Repair(text) => {
                // What was set aside may have been the receipts of outcomes that were kept; nobody
                // was told of either. A batch has one time, so older outcomes are no part of it.
                let torn = self.ts;
                self.owed.retain(|_, (_, logged)| *logged != torn);
                self.find(Code::LedgerRepair, index, kind, &text);
            }
            Content::Other => {}
            Content::Absent { absent, writer } => self.absent(kind, &id, &writer, ts, absent),
            Content::Unread => self.unread(kind, &id),
        }
        self.ts = ts;
        self.hand_over(report);
    }

    fn hand_over(&mut self, report: &mut Report) {
        for finding in self.found.drain(..) {
            report.push(finding);
        }
    }

    /// An entry whose content is gone or unreadable: what it would have been cited as is known
    /// from its leaf, so that one fault is not reported many times.
    pub(crate) fn unread(&mut self, kind: Kind, id: &str) {
        match (kind, id.parse::<Digest>()) {
            (Kind::Receipt, Ok(hash)) => {
                self.rejected.insert(hash);
            }
            (Kind::Ruleset | Kind::Config | Kind::Facts, Ok(digest)) => {
                self.documents.insert(digest);
            }
            (Kind::Audit, _) => {
                // Which writer's line it was is not known any more.
                self.chains.values_mut().for_each(|last| *last = None);
                self.rejected.insert(Digest::of(id.as_bytes()));
            }
            _ => {}
        }
    }

    /// How many receipts there are.
    pub(crate) fn receipts(&self) -> u64 {
        self.receipts.len() as u64
    }

    /// Whether this receipt is there.
    pub(crate) fn has(&self, receipt: &Digest) -> bool {
        self.receipts.contains_key(receipt)
    }

    /// A fault in the journal: entries may be missing, so the next audit line links to the unknown.
    pub(crate) fn gap(&mut self) {
        self.chains.values_mut().for_each(|last| *last = None);
    }

    /// After the last entry: citations that lead nowhere, and the counts. Where entries were lost
    /// to damage, what is missing is no second finding; `torn` is the size of the checkpoint when
    /// the last batch beyond it is not whole.
    pub(crate) fn finish(mut self, lost: bool, torn: Option<u64>, report: &mut Report) -> Totals {
        for waiting in std::mem::take(&mut self.waiting) {
            self.settle(&waiting);
        }
        if lost {
            let all = self.found.len();
            self.found.retain(|finding| !leads_nowhere(finding.code));
            let nowhere = all - self.found.len();
            if nowhere > 0 {
                report.note(format!(
                    "{nowhere} citations lead to entries that are not there: the damage above explains them"
                ));
            }
        }
        let whole = torn.unwrap_or(u64::MAX);
        for (index, (id, _)) in std::mem::take(&mut self.owed).range(..whole) {
            if !lost {
                self.find(Code::DecisionMissing, *index, Kind::Audit, &format!("entry id {id}"));
            }
        }
        for (request, (index, _)) in std::mem::take(&mut self.open) {
            self.find(Code::EvidenceOpen, index, Kind::Audit, &format!("request {request}"));
        }
        self.hand_over(report);
        Totals { kinds: self.kinds, unsigned: self.unsigned, gone: self.gone }
    }

    fn find(&mut self, code: Code, index: u64, kind: Kind, detail: &str) {
        self.found.push(Finding::new(code, place(index, kind), detail));
    }

    fn receipt(&mut self, index: u64, signed: &SignedReceipt) {
        let receipt = &signed.receipt;
        let mut inherited = TaintSet::new();
        let mut all_known = true;
        for parent in &receipt.parents {
            match self.receipts.get(parent) {
                Some(node) => {
                    if receipt.iat + SKEW < node.iat {
                        let detail = format!("{} is older than its parent {parent}", signed.hash);
                        self.find(Code::ChainTime, index, Kind::Receipt, &detail);
                    }
                    if let Some(node) = self.receipts.get(parent) {
                        inherited.merge(&node.taint);
                    }
                }
                None => {
                    all_known = false;
                    self.waiting.push(Waiting {
                        index,
                        kind: Kind::Receipt,
                        what: Cited::Parent(*parent),
                    });
                }
            }
        }
        if all_known {
            self.taint(index, signed, &inherited);
        }
        let taint = match self.shared.get(&receipt.taint) {
            Some(taint) => taint.clone(),
            None => {
                let taint = Arc::new(receipt.taint.clone());
                self.shared.insert(receipt.taint.clone(), taint.clone());
                taint
            }
        };
        let node = Node { taint, iat: receipt.iat };
        self.receipts.insert(signed.hash, node);
        if let (Some(log), Some(origin)) =
            (receipt.extension_value("x_countersign_log"), &self.origin)
            && log.as_str() != Some(origin)
        {
            let log = log.as_str().unwrap_or("(no text)");
            let detail = format!("the receipt was written for the log {log}");
            self.find(Code::EvidenceReference, index, Kind::Receipt, &detail);
        }
    }

    fn taint(&mut self, index: u64, signed: &SignedReceipt, inherited: &TaintSet) {
        let receipt = &signed.receipt;
        match receipt.removed() {
            None if receipt.taint.is_superset(inherited) => {}
            None => {
                let lost = inherited.minus(&receipt.taint);
                let detail = format!("{} drops {lost}", signed.hash);
                self.find(Code::ChainTaint, index, Kind::Receipt, &detail);
            }
            Some(removed) => {
                if receipt.taint != inherited.minus(&removed) {
                    let detail = format!(
                        "{} carries {} where its parents' less {removed} is {}",
                        signed.hash,
                        receipt.taint,
                        inherited.minus(&removed)
                    );
                    self.find(Code::ChainSanitised, index, Kind::Receipt, &detail);
                }
            }
        }
    }

    /// Whether this is the first line of a writer under a key.
    fn is_first_under(&mut self, writer: &str, key: &str) -> bool {
        match self.epochs.get_mut(writer) {
            Some(keys) if keys.len() >= EPOCHS || keys.iter().any(|known| known == key) => false,
            Some(keys) => {
                keys.push(key.to_owned());
                true
            }
            None => {
                self.epochs.insert(writer.to_owned(), vec![key.to_owned()]);
                true
            }
        }
    }

    fn audit(&mut self, index: u64, ts: u64, read: &ReadEntry) {
        let entry = &read.entry;
        let writer = read.writer().unwrap_or_default();
        let expected = match self.chains.get(writer) {
            // The first line of a writer follows nothing.
            None => Some(String::new()),
            Some(last) => last.clone(),
        };
        if expected.is_none() {
            self.gone.unlinked(writer, index);
        }
        // A new key begins a chain of its own; that none is missing between the two, the log says.
        let begins = self.is_first_under(writer, read.key_id.as_deref().unwrap_or_default())
            && read.prev_hmac.is_empty();
        if !begins && expected.is_some_and(|last| last != read.prev_hmac) {
            let detail = format!("writer {writer:?}, entry id {}", entry.entry_id);
            self.find(Code::AuditLink, index, Kind::Audit, &detail);
        }
        self.chains.insert(writer.to_owned(), Some(read.hmac.clone()));
        self.sought.take_if(|hmac| *hmac == read.hmac);
        let text = |name: &str| entry.meta_text(name).unwrap_or_default();
        let request = text("_request");
        let admitted = self.open.get(request).map(|(_, decision)| *decision);
        let claim = Claim::of(index, entry, admitted);
        if claim.is_some() && !self.gone.answered(ts) {
            self.owed.insert(index, (entry.entry_id.clone(), ts));
            if !request.is_empty() && !self.closed.insert(short(request.as_bytes())) {
                let detail = format!("a second outcome of request {request}");
                self.find(Code::LedgerDuplicate, index, Kind::Audit, &detail);
            }
        }
        self.audits.insert(short(entry.entry_id.as_bytes()), claim.map(Box::new));
        for name in ["_config", "_ruleset", "_facts"] {
            if let Some(digest) = digest_of(text(name))
                && !self.documents.contains(&digest)
            {
                self.wait(index, Kind::Audit, Cited::Document(name, digest));
            }
        }
        if let Some(receipt) = digest_of(text("_receipt"))
            && !self.receipts.contains_key(&receipt)
        {
            self.wait(index, Kind::Audit, Cited::Receipt(receipt));
        }
        if !request.is_empty() {
            if entry.meta("_outcome").is_some() {
                self.open.remove(request);
            } else if entry.check_name == "pipeline.admission" {
                self.open.insert(request.to_owned(), (index, entry.decision));
            }
        }
    }

    fn decision(&mut self, index: u64, decision: &Decision) {
        if let Some(origin) = &self.origin
            && *origin != decision.log_origin
        {
            let detail = format!("it names {}, this log is {origin}", decision.log_origin);
            self.find(Code::DecisionLog, index, Kind::Decision, &detail);
        }
        for head in &decision.heads {
            if !self.receipts.contains_key(head) {
                self.wait(index, Kind::Decision, Cited::Head(*head));
            }
        }
        for (name, digest) in
            [("configuration", decision.config_digest), ("ruleset", decision.ruleset_digest)]
        {
            if !self.documents.contains(&digest) {
                let cited = Cited::DecisionDocument(name, digest);
                self.wait(index, Kind::Decision, cited);
            }
        }
        // Less evidence than before is what the configuration says, or something is missing.
        let profile = Cited::Profile(decision.config_digest, decision.profile.clone());
        if self.documents.contains(&decision.config_digest) {
            self.settle(&Waiting { index, kind: Kind::Decision, what: profile });
        } else {
            self.wait(index, Kind::Decision, profile);
        }
        let audit = &decision.audit_entry_id;
        if self.audits.contains_key(&short(audit.as_bytes())) {
            self.compare(index, decision);
        } else {
            let cited = Cited::Audit(audit.clone(), Box::new(decision.clone()));
            self.wait(index, Kind::Decision, cited);
        }
    }

    /// The audit entry and the decision receipt must tell the same about one request, once.
    fn compare(&mut self, index: u64, decision: &Decision) {
        let detail =
            format!("request {}, audit entry {}", decision.request_id, decision.audit_entry_id);
        match self.audits.get_mut(&short(decision.audit_entry_id.as_bytes())) {
            None => {}
            Some(None) => {
                let detail = format!("{detail}: that entry ends no request");
                self.find(Code::DecisionMismatch, index, Kind::Decision, &detail);
            }
            Some(Some(claim)) => {
                self.owed.remove(&claim.index);
                let again = std::mem::replace(&mut claim.answered, true);
                let differs = claim.differs(decision);
                if !differs.is_empty() {
                    let detail = format!("{detail}: {}", differs.join("; "));
                    self.find(Code::DecisionMismatch, index, Kind::Decision, &detail);
                }
                if again {
                    let detail = format!("{detail}: a second decision receipt");
                    self.find(Code::LedgerDuplicate, index, Kind::Decision, &detail);
                }
            }
        }
    }

    fn wait(&mut self, index: u64, kind: Kind, what: Cited) {
        self.waiting.push(Waiting { index, kind, what });
    }

    fn settle(&mut self, waiting: &Waiting) {
        let (index, kind) = (waiting.index, waiting.kind);
        match &waiting.what {
            Cited::Parent(parent) => {
                if self.receipts.contains_key(parent) {
                    let detail = format!("parent {parent} comes later");
                    self.find(Code::ChainOrder, index, kind, &detail);
                } else if !self.rejected.contains(parent) {
                    self.find(Code::ChainParent, index, kind, &format!("parent {parent}"));
                }
            }
            Cited::Head(hash) => {
                if !self.receipts.contains_key(hash) && !self.rejected.contains(hash) {
                    self.find(Code::DecisionHeads, index, kind, &hash.to_string());
                }
            }
            Cited::Receipt(hash) => {
                if !self.receipts.contains_key(hash) && !self.rejected.contains(hash) {
                    let detail = format!("receipt {hash}");
                    self.find(Code::EvidenceReference, index, kind, &detail);
                }
            }
            Cited::Document(name, digest) => {
                if !self.documents.contains(digest) {
                    let detail = format!("{name} {digest}");
                    self.find(Code::EvidenceReference, index, kind, &detail);
                }
            }
            Cited::DecisionDocument(name, digest) => {
                if !self.documents.contains(digest) {
                    let detail = format!("{name} {digest}");
                    self.find(Code::DecisionDigest, index, kind, &detail);
                }
            }
            Cited::Profile(config, stated) => {
                if let Some(asked) = self.profiles.get(config).filter(|asked| *asked != stated) {
                    let detail =
                        format!("profile {stated}; configuration {config} asks for {asked}");
                    self.find(Code::DecisionMismatch, index, kind, &detail);
                }
            }
            Cited::Audit(id, decision) => {
                if self.audits.contains_key(&short(id.as_bytes())) {
                    self.compare(index, decision);
                } else if !self.rejected.contains(&Digest::of(id.as_bytes())) {
                    self.find(Code::DecisionAudit, index, kind, &format!("audit entry {id}"));
                }
            }
        }
    }
}

/// Findings about a citation without its aim.
fn leads_nowhere(code: Code) -> bool {
    matches!(
        code,
        Code::ChainParent
            | Code::DecisionHeads
            | Code::DecisionAudit
            | Code::DecisionDigest
            | Code::EvidenceReference
    )
}

/// What the whole came to.
pub(crate) struct Totals {
    /// Entries by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Receipts and decision receipts without a signature of anyone trusted.
    pub unsigned: u64,
    /// Bodies that were not here.
    pub gone: Gone,
}

fn digest_of(text: &str) -> Option<Digest> {
    text.parse().ok()
}

pub(crate) fn short(bytes: &[u8]) -> Short {
    let mut out = [0; 16];
    let digest = Digest::of(bytes);
    out.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    out
}
