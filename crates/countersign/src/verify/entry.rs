//! Judging one entry of a ledger by itself: form, id, signature, HMAC. Runs on any thread.

use ledger::Kind;
use ledger::read::EntryRef;
use record::capability;
use record::decision::SignedDecision;
use record::entry::{self, Keyring, MacCheck, ReadEntry};
use record::keychange::History;
use record::receipt::{self, SignedReceipt};
use record::report::{Assurance, Code, Finding, Report};
use record::trust::{Purpose, Trust};
use record::verify::{Judge, verify_decision_jws};
use seal::Digest;
use seal::json::{self, Limits};
use seal::time::UnixMillis;

use super::keychange::{Keys, key_of};
use super::pruned::Absent;
use super::tally::SKEW;
use crate::parallel::Weight;

/// An entry taken out of the journal.
pub(crate) struct Raw {
    pub index: u64,
    pub kind: Kind,
    pub id: String,
    pub writer: String,
    /// When it was logged, Unix milliseconds.
    pub ts: u64,
    /// Empty where it is absent.
    pub body: Vec<u8>,
    /// Why there is nothing to judge.
    pub absent: Option<Absent>,
}

impl From<&EntryRef<'_>> for Raw {
    fn from(entry: &EntryRef<'_>) -> Raw {
        Raw {
            index: entry.index,
            kind: entry.leaf.kind,
            id: entry.leaf.id.clone(),
            writer: entry.leaf.writer.clone(),
            ts: entry.leaf.ts,
            body: entry.body.present().unwrap_or_default().to_vec(),
            absent: Absent::of(entry.body),
        }
    }
}

impl Weight for Raw {
    fn weight(&self) -> usize {
        self.body.len()
    }
}

/// Who may have signed.
pub(crate) struct Judges<'a> {
    pub receipts: Judge<'a>,
    pub ring: &'a Keyring,
    pub keys: &'a Keys,
    pub trust: &'a Trust,
}

/// What judging gave.
pub(crate) struct Judged {
    pub index: u64,
    pub kind: Kind,
    pub id: String,
    pub ts: u64,
    pub findings: Vec<Finding>,
    pub content: Content,
    /// A signature of somebody trusted holds over it (receipts and decision receipts).
    pub signed: bool,
}

/// What the body says, as far as other entries refer to it.
pub(crate) enum Content {
    Receipt(Box<SignedReceipt>),
    Decision(Box<SignedDecision>),
    Audit(Box<ReadEntry>),
    /// Filed under the digest of its bytes; a configuration says which evidence profile it asks for.
    Document {
        digest: Digest,
        profile: Option<String>,
    },
    /// What a start or an operator set aside.
    Repair(String),
    /// A kind whose content this version does not judge.
    Other,
    /// Not here to be judged: logged, and no more is known than its leaf.
    Absent {
        absent: Absent,
        writer: String,
    },
    /// Rejected: findings say why.
    Unread,
}

/// Where findings about entry `index` are.
pub(crate) fn place(index: u64, kind: Kind) -> String {
    format!("entry {index} ({kind})")
}

/// Judges one entry. Nothing here depends on another one.
pub(crate) fn judge(raw: Raw, judges: &Judges<'_>) -> Judged {
    let Raw { index, kind, id, writer, ts, body, absent } = raw;
    let mut judged = Judged {
        index,
        kind,
        id,
        ts,
        findings: Vec::new(),
        content: Content::Unread,
        signed: false,
    };
    if let Some(absent) = absent {
        if matches!(kind, Kind::Rotation | Kind::Revocation) {
            // Kinds that are never pruned: what it takes away must not come back this way.
            judged.refuse(
                Code::KeyStatement,
                "its body is not here, so what it changed is not known",
            );
            let at = place(index, kind);
            judged.findings = judged.findings.into_iter().map(|finding| finding.at(&at)).collect();
        }
        judged.content = Content::Absent { absent, writer };
        return judged;
    }
    match kind {
        Kind::Receipt => judged.receipt(&body, ts, judges),
        Kind::Decision => judged.decision(&body, judges),
        Kind::Audit => judged.audit(&body, &writer, judges),
        Kind::Ruleset | Kind::Config | Kind::Facts => judged.document(&body),
        Kind::Repair => {
            judged.content = Content::Repair(String::from_utf8_lossy(&body).into_owned());
        }
        Kind::Capability => judged.capability(&body),
        Kind::Rotation | Kind::Revocation => judged.statement(&body, judges.keys),
        _ => judged.content = Content::Other,
    }
    let at = place(index, kind);
    judged.findings = judged.findings.into_iter().map(|finding| finding.at(&at)).collect();
    judged
}

impl Judged {
    fn refuse(&mut self, code: Code, detail: impl Into<String>) {
        self.findings.push(Finding::new(code, "", detail));
    }

    fn text<'a>(&mut self, body: &'a [u8], malformed: Code) -> Option<&'a str> {
        let text = std::str::from_utf8(body).ok();
        if text.is_none() {
            self.refuse(malformed, "not UTF-8");
        }
        text
    }

    /// Others cite an entry by its id: it must be that of the body.
    fn filed_as(&mut self, id: &str) {
        if self.id != id {
            let detail = format!("filed as {}, the body is {id}", self.id);
            self.refuse(Code::LedgerId, detail);
        }
    }

    fn receipt(&mut self, body: &[u8], logged: u64, judges: &Judges<'_>) {
        let Some(jws) = self.text(body, Code::ReceiptEncoding) else {
            return;
        };
        self.filed_as(&Digest::of(body).to_string());
        let signed = match receipt::read(jws) {
            Ok(signed) => signed,
            Err(findings) => return self.findings.extend(findings),
        };
        if let Ok(token) = seal::jws::split(jws, receipt::JWS_LIMIT) {
            let changes = judges.keys.changes();
            let index = self.index;
            let rotated = changes.as_ref().and_then(|history| {
                let id = &signed.receipt.key_id;
                history.brought(Purpose::Receipts, &id.to_string(), index)?;
                history.trust().find(Purpose::Receipts, id)
            });
            let judge = &judges.receipts;
            let level = judge.receipt_under(&signed, &token.signature, rotated, &mut self.findings);
            self.signed = level == Assurance::Signed;
            self.placed(changes.as_deref(), Purpose::Receipts, &signed.receipt.key_id.to_string());
        }
        if signed.receipt.iat > UnixMillis(logged).seconds().saturating_add(SKEW) {
            let detail = format!("iat {}, logged at {}", signed.receipt.iat, UnixMillis(logged));
            self.refuse(Code::ChainFuture, detail);
        }
        self.content = Content::Receipt(Box::new(signed));
    }

    /// A key counts up to somewhere. (What it may sign too early is not known here: the statement
    /// that says so lies further down.)
    fn placed(&mut self, changes: Option<&History>, purpose: Purpose, key: &str) {
        let known = changes.and_then(|history| history.known(purpose, key));
        if let Some(finding) = known.and_then(|known| known.late(self.index)) {
            self.findings.push(finding);
            self.signed = false;
        }
    }

    /// What it changes was taken in before anything behind it was read.
    fn statement(&mut self, body: &[u8], keys: &Keys) {
        self.filed_as(&Digest::of(body).to_string());
        self.findings.extend(keys.verdict(self.index));
        self.content = Content::Other;
    }

    fn decision(&mut self, body: &[u8], judges: &Judges<'_>) {
        let Some(jws) = self.text(body, Code::DecisionMalformed) else {
            return;
        };
        self.filed_as(&Digest::of(body).to_string());
        let mut verdict = Report::default();
        let changes = judges.keys.changes();
        // Only what lies above has a part in it: what comes later may or may not be known yet.
        let rotated = changes.as_ref().filter(|history| {
            let id = key_of(jws).unwrap_or_default();
            history.brought(Purpose::Decisions, &id, self.index).is_some()
        });
        let trust = rotated.map_or(judges.trust, |history| history.trust());
        let signed = verify_decision_jws(jws, "", trust, &mut verdict);
        self.findings.extend(verdict.findings);
        self.signed = verdict.assurance == Assurance::Signed;
        if let Some(signed) = signed {
            self.placed(changes.as_deref(), Purpose::Decisions, &signed.key_id.to_string());
            self.content = Content::Decision(Box::new(signed));
        }
    }

    fn audit(&mut self, body: &[u8], writer: &str, judges: &Judges<'_>) {
        match entry::read_line(body) {
            Err(findings) => self.findings.extend(findings),
            Ok(read) => {
                self.filed_as(&read.entry.entry_id.clone());
                if let Some(own) = read.writer()
                    && own != writer
                {
                    let detail = format!("a line of writer {own:?}, logged by {writer:?}");
                    self.refuse(Code::AuditLink, detail);
                }
                let id = read.key_id.as_deref().unwrap_or_default();
                let changes = judges.keys.changes();
                self.placed(changes.as_deref(), Purpose::Hmac, id);
                let index = self.index;
                let brought = changes
                    .is_some_and(|history| history.brought(Purpose::Hmac, id, index).is_some());
                let rotated = brought.then(|| judges.keys.secret_ring(id)).flatten();
                let ring = rotated.as_deref().unwrap_or(judges.ring);
                // Who verifies may not hold the secret that a rotation brought: told once.
                let unheld = brought && !ring.has(id);
                // Without any key the report says once that HMACs were not checked.
                if !ring.is_empty() && !unheld {
                    let mac = read.check_mac(ring);
                    if let Some(code) = mac.code() {
                        let detail = match (mac, &read.key_id) {
                            (MacCheck::UnknownKey, Some(id)) => format!("key {id:?}"),
                            _ => format!("entry id {}", read.entry.entry_id),
                        };
                        self.refuse(code, detail);
                    }
                }
                self.content = Content::Audit(Box::new(read));
            }
        }
    }

    fn capability(&mut self, body: &[u8]) {
        match capability::read(body) {
            Ok(_) => self.content = Content::Other,
            Err(findings) => self.findings.extend(findings),
        }
    }

    fn document(&mut self, body: &[u8]) {
        let digest = Digest::of(body);
        self.filed_as(&digest.to_string());
        match json::parse(body, Limits::DOCUMENT) {
            Ok(document) => {
                let config = (self.kind == Kind::Config).then(|| document.get("config")).flatten();
                let asked = config.and_then(|config| config.get("evidence")?.get("profile"));
                let profile = asked.and_then(|profile| profile.as_str()).map(str::to_owned);
                self.content = Content::Document { digest, profile };
            }
            Err(error) => self.refuse(Code::EvidenceKind, format!("not JSON: {error}")),
        }
    }
}
