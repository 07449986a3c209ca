//! Reading a line without building anything: what nearly every line of a log is. What is not
//! recognised here is read by [`read_loose`](super::read::read_loose), which says why.

use seal::json::{Member, audit_members};

use super::read::{LIMITS, MEMBERS, TS_LIMIT, is_mac};
use super::walk::Facts;
use super::{AuditDecision, OwnerType};

/// The anchor of a line that has none, as every writer of the format spells it.
const NO_ANCHOR: &str = "{\"backend\":\"noop\",\"success\":true}";

/// What an appender that continues a chain needs of a line; nothing is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance<'l> {
    /// Its HMAC.
    pub hmac: &'l str,
    /// Its time.
    pub ts_ns: u64,
    /// Which check wrote it.
    pub check_name: &'l str,
    /// Its metadata, a canonical object.
    pub metadata: &'l str,
}

/// Looks at a line. `None` says nothing about it but that [`read_line`](super::read_line) has to:
/// whatever is recognised here that reads, too, and to the same.
pub fn glance(line: &[u8]) -> Option<Glance<'_>> {
    let quick = quick(line)?;
    let (hmac, ts_ns, metadata) = (quick.facts.hmac, quick.ts_ns, quick.metadata);
    Some(Glance { hmac, ts_ns, check_name: plain(quick.check)?, metadata })
}

/// A canonical line with all twelve members, each of its type.
pub(super) struct Quick<'l> {
    pub facts: Facts<'l>,
    pub ts_ns: u64,
    /// Its `_anchor` says more than that there is none.
    pub has_anchor: bool,
    /// The check's name, with its quotes.
    check: &'l str,
    metadata: &'l str,
}

pub(super) fn quick(line: &[u8]) -> Option<Quick<'_>> {
    let mut members = [Member { name: "", value: "", start: 0 }; 12];
    let mut count = 0;
    let recognised = audit_members(line, LIMITS, &mut |member| {
        if let Some(place) = members.get_mut(count) {
            *place = member;
        }
        count += 1;
    });
    let names = members.iter().map(|member| member.name);
    if !recognised || count != MEMBERS.len() || !names.eq(MEMBERS) {
        return None;
    }
    let [approval, check, decision, id, hmac, metadata, owner, kind, prev, reason, print, ts] =
        members;
    let preimage = [line.get(..hmac.start)?, line.get(metadata.start..)?];
    let (hmac, prev_hmac) = (plain(hmac.value)?, plain(prev.value)?);
    let macs = is_mac(hmac) && (prev_hmac.is_empty() || is_mac(prev_hmac));
    let kind: OwnerType = plain(kind.value)?.parse().ok()?;
    plain(decision.value)?.parse::<AuditDecision>().ok()?;
    let owned = owner.value != "\"\"" || kind == OwnerType::Unresolved;
    let texts = [check, owner, reason, print].iter().all(|member| member.value.starts_with('"'));
    if !macs || !owned || !texts || !are_strings(approval.value) {
        return None;
    }
    let (mut key_id, mut has_anchor) = (None, false);
    let mut known = true;
    audit_members(metadata.value.as_bytes(), LIMITS, &mut |member| match member.name {
        "_signing_key_id" => {
            key_id = plain(member.value);
            known &= key_id.is_some();
        }
        "_anchor" => has_anchor = member.value != NO_ANCHOR,
        _ => {}
    })
    .then_some(())?;
    known.then_some(())?;
    let ts_ns = ts.value.parse().ok().filter(|ts| u128::from(*ts) <= TS_LIMIT)?;
    let facts = Facts { prev_hmac, hmac, key_id, entry_id: plain(id.value)?, preimage };
    let (check, metadata) = (check.value, metadata.value);
    Some(Quick { facts, ts_ns, has_anchor, check, metadata })
}

/// The text of a string without escapes.
fn plain(value: &str) -> Option<&str> {
    let text = value.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

/// Whether a canonical value is an array of strings.
fn are_strings(value: &str) -> bool {
    let Some(mut rest) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return false;
    };
    if rest.is_empty() {
        return true;
    }
    loop {
        let Some(text) = rest.strip_prefix('"') else { return false };
        let mut escaped = false;
        let end = text.bytes().position(|byte| match (escaped, byte) {
            (false, b'"') => true,
            (before, byte) => {
                escaped = !before && byte == b'\\';
                false
            }
        });
        let Some(end) = end else { return false };
        rest = &text[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.is_empty(),
        }
    }
}
