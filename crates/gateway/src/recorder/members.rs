//! Members of the metadata of audit entries.

use record::entry::AuditEntry;
use record::source::{self, Source};
use seal::digest::Digest;
use seal::json::Value;

use super::step::Scanned;

pub(super) fn member(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

pub(super) fn heads(audit: &mut AuditEntry, head: Option<Digest>) {
    if let Some(head) = head {
        audit.metadata.push(member("_receipt", head));
    }
}

pub(super) fn remembered(audit: &mut AuditEntry, lineage: Vec<Value>) {
    if !lineage.is_empty() {
        audit.metadata.push(member("_lineage", Value::Array(lineage)));
    }
}

/// What a scan said.
pub(super) fn scanned(audit: &mut AuditEntry, scan: &Scanned) {
    let rules = scan.rules.iter().take(RULES).map(String::as_str);
    audit
        .metadata
        .extend([member("_verdict", scan.verdict.as_str()), member("_rules", Value::array(rules))]);
    sources(audit, &source::sorted(&scan.sources));
}

/// Which indicators of signed feeds fired, if any.
pub(super) fn sources(audit: &mut AuditEntry, sources: &[Source]) {
    if !sources.is_empty() {
        let sources = sources.iter().map(Source::to_value).collect();
        audit.metadata.retain(|(name, _)| name != SOURCES);
        audit.metadata.push(member(SOURCES, Value::Array(sources)));
    }
}

/// What [`sources`] put there.
pub(super) fn sources_of(metadata: &[(String, Value)]) -> Vec<Source> {
    let listed = metadata.iter().find(|(name, _)| name == SOURCES);
    let listed = listed.and_then(|(_, value)| value.as_array()).unwrap_or_default();
    listed.iter().filter_map(Source::read).collect()
}

const SOURCES: &str = "_sources";

/// As many rules of one scan are named.
pub(super) const RULES: usize = 64;
