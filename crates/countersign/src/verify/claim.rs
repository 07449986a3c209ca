//! What an audit entry with an outcome and the decision receipt that names it must both say.

use record::decision::Decision;
use record::entry::{AuditDecision, AuditEntry};
use record::source::{self, Source};
use seal::Digest;
use seal::json::Value;

use super::tally::{SKEW, Short, short};

/// The side of the audit entry, in as little memory as comparing takes.
pub(crate) struct Claim {
    /// Where the entry stands.
    pub index: u64,
    /// Whether a decision receipt named it.
    pub answered: bool,
    words: &'static [&'static str],
    request: Short,
    response: Short,
    reason: Short,
    served: Short,
    /// The same with names as short as a header may need them.
    served_short: Short,
    seconds: i64,
    has_receipt: bool,
    /// Of the indicators that fired.
    sources: Option<Short>,
}

impl Claim {
    /// The claim of an entry that ends a request; `None` for any other, and for counted refusals,
    /// which nobody gets a receipt for. `admitted` is what its admission decided, if it is known.
    pub fn of(index: u64, entry: &AuditEntry, admitted: Option<AuditDecision>) -> Option<Claim> {
        let outcome = entry.meta_text("_outcome").filter(|outcome| *outcome != "aggregate")?;
        let text = |name: &str| entry.meta_text(name).unwrap_or_default();
        let fingerprint = match entry.request_fingerprint.as_str() {
            // A request without a body: the receipt has the digest of nothing.
            "" => Digest::of(b"").to_string(),
            fingerprint => fingerprint.to_owned(),
        };
        let route = entry.meta_text("_route").unwrap_or("other");
        Some(Claim {
            index,
            answered: false,
            words: words(outcome, entry.decision, admitted),
            request: all(&[text("_request"), text("_config"), text("_ruleset"), &fingerprint]),
            response: all(&[text("_response")]),
            reason: all(&[text("_code"), route]),
            served: served(text("_upstream"), text("_model"), usize::MAX),
            served_short: served(text("_upstream"), text("_model"), SHORT_NAME),
            seconds: i64::try_from(entry.ts_ns / 1_000_000_000).unwrap_or(i64::MAX),
            has_receipt: entry.meta("_receipt").is_some(),
            sources: entry.meta("_sources").map(sources),
        })
    }

    /// In what a decision receipt says something else.
    pub fn differs(&self, decision: &Decision) -> Vec<&'static str> {
        let response = decision.response_digest.map(|digest| digest.to_string());
        let request = all(&[
            &decision.request_id,
            &decision.config_digest.to_string(),
            &decision.ruleset_digest.to_string(),
            &decision.request_digest.to_string(),
        ]);
        let served = served(&decision.upstream, &decision.model, usize::MAX);
        let headless = decision.heads.is_empty() && decision.heads_digest.is_none();
        [
            ("decision", !self.words.is_empty() && !self.words.contains(&&*decision.decision)),
            ("request, configuration or ruleset", self.request != request),
            ("response", self.response != all(&[response.as_deref().unwrap_or_default()])),
            ("reason or route", self.reason != all(&[&decision.reason_code, &decision.route])),
            ("upstream or model", self.served != served && self.served_short != served),
            ("time", self.seconds.abs_diff(decision.iat) > SKEW.unsigned_abs()),
            (
                "indicators of feeds",
                self.sources != decision.sources_bound().map(|digest| all(&[&digest.text()])),
            ),
            ("receipts", self.has_receipt && (headless || decision.profile != "full")),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}

/// The decisions a receipt may state for an outcome; empty for an outcome of a later version.
fn words(
    outcome: &str,
    decision: AuditDecision,
    admitted: Option<AuditDecision>,
) -> &'static [&'static str] {
    match (outcome, decision) {
        // What was changed on the way in was not the caller's own request any more.
        ("complete", AuditDecision::Allow) if admitted == Some(AuditDecision::Redact) => {
            &["redact"]
        }
        ("complete", AuditDecision::Allow) if admitted.is_none() => &["allow", "redact"],
        ("complete" | "served" | "refused" | "withheld", AuditDecision::Allow) => &["allow"],
        ("complete" | "served" | "refused" | "withheld", AuditDecision::Redact) => &["redact"],
        ("complete" | "served" | "refused" | "withheld", AuditDecision::Block) => &["block"],
        ("complete" | "served" | "refused" | "withheld", AuditDecision::Escalate) => &["escalate"],
        ("failed", _) => &["error"],
        ("disconnected" | "interrupted", _) => &["interrupted"],
        _ => &[],
    }
}

/// Who answered. An audit entry calls a name that is empty `unnamed`, a receipt leaves it out.
fn served(upstream: &str, model: &str, limit: usize) -> Short {
    let name = |text: &str| {
        let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
        if text == "unnamed" { String::new() } else { text.to_owned() }
    };
    all(&[&name(upstream), &name(model)])
}

/// What fired, as a decision receipt binds it. What is no list of indicators equals nothing.
fn sources(listed: &Value) -> Short {
    let read = |items: &[Value]| items.iter().map(Source::read).collect::<Option<Vec<Source>>>();
    match listed.as_array().and_then(read) {
        Some(sources) => all(&[&source::digest(&sources).text()]),
        None => all(&["not a list"]),
    }
}

fn all(texts: &[&str]) -> Short {
    short(texts.join("\n").as_bytes())
}

/// Bytes of a name in a decision receipt that would be too long otherwise.
const SHORT_NAME: usize = 48;
