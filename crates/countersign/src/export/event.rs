//! What is told of an entry, whatever the format.

use record::decision::Decision;
use record::entry::{AuditDecision, OwnerType, ReadEntry};
use record::source::{SOURCES, Source};
use seal::json::Value;

use super::Pseudonyms;

/// Longest text in an event, characters: what receivers of these formats take in one field.
const LONGEST: usize = 1_024;
/// Most rules that are named.
const RULES: usize = 64;

/// Where an entry stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The log's origin; empty when the source is no ledger.
    pub log: String,
    /// The entry's index.
    pub index: u64,
    /// Who handed it in.
    pub writer: String,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Went through.
    Informational,
    /// Went through changed, or did not end as it should.
    Low,
    /// Refused, or waits for somebody.
    Medium,
    /// Refused because of an attack.
    High,
}

/// One audit entry or decision receipt, as events tell it. Texts are as they came, at most 1,024
/// characters each: whoever writes them escapes them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The audit entry's id, or the decision receipt's hash.
    pub uid: String,
    /// Where it stands.
    pub place: Place,
    /// When, Unix milliseconds.
    pub time: u64,
    /// `audit` or `decision`.
    pub dataset: &'static str,
    /// What was decided, by its name in the entry.
    pub decision: String,
    /// Refused, redacted or escalated: a finding, not only an activity.
    pub is_finding: bool,
    /// Went through to its end.
    pub succeeded: bool,
    /// How much it matters.
    pub severity: Severity,
    /// `human`, `agent`, `policy` or `unresolved`; empty where nothing says.
    pub owner_type: String,
    /// The owner's id, or its pseudonym.
    pub owner: String,
    /// Which stage or check spoke.
    pub check: String,
    /// The reason, as a code.
    pub code: String,
    /// The reason in words; the code where owners are pseudonyms, since words may name them.
    pub reason: String,
    /// Rules that hit.
    pub rules: Vec<String>,
    /// Indicators of signed feeds that fired, each as `feed:<issuer> <content hash>`.
    pub sources: Vec<String>,
    /// What the scan said.
    pub verdict: String,
    /// HTTP method.
    pub method: String,
    /// The route.
    pub route: String,
    /// HTTP status of the answer.
    pub status: Option<i64>,
    /// The model that answered.
    pub model: String,
    /// The upstream that answered.
    pub upstream: String,
    /// The request's correlation id.
    pub request: String,
    /// Digest of the request.
    pub request_digest: String,
    /// Digest of the ruleset in force.
    pub ruleset: String,
    /// Digest of the configuration in force.
    pub config: String,
}

impl Event {
    /// What an audit entry tells.
    pub fn of_audit(read: &ReadEntry, place: Place, hide: Option<&Pseudonyms>) -> Event {
        let entry = &read.entry;
        let meta = |name: &str| clip(entry.meta_text(name).unwrap_or_default());
        let code = meta("_code");
        let finding = entry.decision != AuditDecision::Allow;
        let outcome = meta("_outcome");
        let whole = outcome.is_empty() || outcome == "complete";
        let rules = match entry.meta("_rules") {
            Some(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).take(RULES).map(clip).collect()
            }
            _ => Vec::new(),
        };
        let sources = match entry.meta("_sources") {
            Some(Value::Array(items)) => items.iter().filter_map(Source::read).collect(),
            _ => Vec::new(),
        };
        let attack = meta("_verdict") == "MALICIOUS";
        let check = match entry.meta_text("_check") {
            Some(check) => format!("{}/{}", entry.check_name, check),
            None => entry.check_name.clone(),
        };
        Event {
            uid: clip(&entry.entry_id),
            place,
            time: entry.ts_ns / 1_000_000,
            dataset: "audit",
            decision: entry.decision.as_str().to_owned(),
            is_finding: finding,
            succeeded: !finding && whole,
            severity: match entry.decision {
                AuditDecision::Block if attack => Severity::High,
                AuditDecision::Block | AuditDecision::Escalate => Severity::Medium,
                AuditDecision::Redact => Severity::Low,
                AuditDecision::Allow if !whole => Severity::Low,
                AuditDecision::Allow => Severity::Informational,
            },
            owner_type: entry.owner.kind.as_str().to_owned(),
            owner: match (entry.owner.kind, hide) {
                (OwnerType::Unresolved, _) => String::new(),
                (_, Some(hide)) => hide.of(&entry.owner.to_string()),
                (_, None) => clip(&entry.owner.id),
            },
            check: clip(&check),
            reason: match hide {
                Some(_) => code.clone(),
                None => clip(&entry.reason),
            },
            code,
            rules,
            sources: named(&sources),
            verdict: meta("_verdict"),
            method: meta("_method"),
            route: meta("_route"),
            status: entry.meta("_status").and_then(Value::as_i64),
            model: meta("_model"),
            upstream: meta("_upstream"),
            request: meta("_request"),
            request_digest: clip(&entry.request_fingerprint),
            ruleset: meta("_ruleset"),
            config: meta("_config"),
        }
    }

    /// What a decision receipt tells; `hash` is its digest.
    pub fn of_decision(hash: &str, decision: &Decision, place: Place) -> Event {
        let text = |text: &str| clip(text);
        let finding = matches!(decision.decision.as_str(), "block" | "redact" | "escalate");
        Event {
            uid: text(hash),
            place,
            time: u64::try_from(decision.iat).unwrap_or(0).saturating_mul(1_000),
            dataset: "decision",
            decision: text(&decision.decision),
            is_finding: finding,
            succeeded: decision.decision == "allow",
            severity: match decision.decision.as_str() {
                "allow" => Severity::Informational,
                "block" | "escalate" => Severity::Medium,
                _ => Severity::Low,
            },
            owner_type: String::new(),
            owner: String::new(),
            check: "decision".to_owned(),
            code: text(&decision.reason_code),
            reason: text(&decision.reason_code),
            rules: Vec::new(),
            sources: named(&decision.sources),
            verdict: String::new(),
            method: String::new(),
            route: text(&decision.route),
            status: None,
            model: text(&decision.model),
            upstream: text(&decision.upstream),
            request: text(&decision.request_id),
            request_digest: decision.request_digest.to_string(),
            ruleset: decision.ruleset_digest.to_string(),
            config: decision.config_digest.to_string(),
        }
    }

    /// One sentence.
    pub(super) fn sentence(&self) -> String {
        let what = match self.decision.as_str() {
            "allow" if self.succeeded => "allowed",
            "allow" => "allowed, not completed",
            "block" => "refused",
            "redact" => "redacted",
            "escalate" => "escalated",
            other => other,
        };
        match self.reason.is_empty() {
            true => format!("{} {what}", self.check),
            false => format!("{} {what}: {}", self.check, self.reason),
        }
    }
}

fn named(sources: &[Source]) -> Vec<String> {
    let one = |source: &Source| clip(&format!("{} {}", source.name(), source.content_hash()));
    sources.iter().take(SOURCES).map(one).collect()
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
