//! Reading a line without building anything: what nearly every line of a log is. What is not
//! recognised here is read by [`read_loose`](super::read::read_loose), which says why.

use seal::json::{Member, audit_members};

use super::read::{LIMITS, MEMBERS, TS_LIMIT, is_mac};
use super::walk::Facts;
use super::{AuditDecision, OwnerType};

/// The anchor of a line that has none, as every writer of the format spells it.
const NO_ANCHOR: &str = "{\"backend\":\"noop\",\"success\":true}";

/// A canonical line with all twelve members, each of its type.
pub(super) struct Quick<'l> {
    pub facts: Facts<'l>,
    pub ts_ns: u64,
    /// Its `_anchor` says more than that there is none.
    pub has_anchor: bool,
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
    Some(Quick { facts, ts_ns, has_anchor })
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
