//! Reading one line: the stored bytes must be the canonical ones, with all twelve members.

use seal::json::{Limits, Value, parse, write_audit};

use super::walk::Facts;
use super::{AuditEntry, BreakKind, Keyring, Owner, OwnerType};
use crate::codes::Code;
use crate::report::Finding;

pub(super) const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 64 };
/// Largest timestamp the format allows.
pub(super) const TS_LIMIT: u128 = 10_000_000_000_000_000_000;

pub(super) const MEMBERS: [&str; 12] = [
    "approval_chain",
    "check_name",
    "decision",
    "entry_id",
    "hmac",
    "metadata",
    "owner_id",
    "owner_type",
    "prev_hmac",
    "reason",
    "request_fingerprint",
    "ts_ns",
];

/// A line as it was stored.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReadEntry {
    /// What it says.
    pub entry: AuditEntry,
    /// HMAC of the line before; empty on the first.
    pub prev_hmac: String,
    /// Its own HMAC; empty when it was stored without one.
    pub hmac: String,
    /// The key it names, `metadata._signing_key_id`.
    pub key_id: Option<String>,
    /// The bytes the HMAC covers.
    preimage: String,
}

/// What checking an HMAC gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacCheck {
    /// It agrees.
    Good,
    /// It does not.
    Mismatch,
    /// The keyring does not have the key.
    UnknownKey,
    /// The line names no key.
    MissingKeyId,
}

impl MacCheck {
    /// The finding this amounts to.
    pub fn code(self) -> Option<Code> {
        match self {
            MacCheck::Good => None,
            MacCheck::Mismatch => Some(Code::AuditMac),
            MacCheck::UnknownKey => Some(Code::AuditKeyUnknown),
            MacCheck::MissingKeyId => Some(Code::AuditKeyMissing),
        }
    }
}

impl ReadEntry {
    /// Whether the line's HMAC is that of its bytes under the key it names.
    pub fn check_mac(&self, ring: &Keyring) -> MacCheck {
        Facts::of(self).check_mac(ring)
    }

    /// The writer whose chain this line belongs to, if it says so.
    pub fn writer(&self) -> Option<&str> {
        self.entry.meta_text("_writer")
    }

    /// The bytes the HMAC covers.
    pub fn preimage(&self) -> &str {
        &self.preimage
    }
}

/// Reads one line, without its newline. Findings have no place yet.
pub fn read_line(line: &[u8]) -> Result<ReadEntry, Vec<Finding>> {
    let (entry, findings) =
        read_loose(line).map_err(|detail| vec![Finding::here(Code::AuditMalformed, detail)])?;
    match findings.is_empty() {
        true => Ok(entry),
        false => Err(findings.into_iter().map(|(_, finding)| finding).collect()),
    }
}

/// What a readable line breaks.
type Faults = Vec<(BreakKind, Finding)>;

/// Reads a line that may break the rule of canonical bytes: the walk reports that and goes on.
/// `Err` is a line that cannot be read at all.
pub(super) fn read_loose(line: &[u8]) -> Result<(ReadEntry, Faults), String> {
    let mut value = parse(line, LIMITS).map_err(|error| error.to_string())?;
    let members = value.as_object().ok_or_else(|| format!("the line is {}", value.kind()))?;
    let mut found = Vec::new();
    let mut fault = |kind, code, detail| found.push((kind, Finding::here(code, detail)));
    if let Some((unknown, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        fault(BreakKind::NotCanonical, Code::AuditMalformed, format!("member {unknown:?}"));
    }
    if let Some(missing) = MEMBERS.iter().find(|name| value.get(name).is_none()) {
        fault(BreakKind::NotCanonical, Code::AuditMalformed, format!("{missing} is missing"));
    }
    let mac = |name: &str| match value.get(name) {
        None => Ok(String::new()),
        Some(Value::String(text)) if text.is_empty() || is_mac(text) => Ok(text.clone()),
        Some(_) => Err(format!("{name} is not 64 lower-case hex digits")),
    };
    let (prev_hmac, hmac) = (mac("prev_hmac")?, mac("hmac")?);
    let key_id = match value.get("metadata").and_then(|meta| meta.get("_signing_key_id")) {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(other) => {
            let detail = format!("metadata._signing_key_id is {}", other.kind());
            fault(BreakKind::MalformedLine, Code::AuditMalformed, detail);
            None
        }
    };
    let written = write_audit(&value).map_err(|error| error.to_string())?;
    if written.as_bytes() != line {
        let detail = "the bytes are not their canonical form".to_string();
        fault(BreakKind::NotCanonical, Code::AuditCanonical, detail);
    }
    // Last, since it takes the value apart.
    let entry = entry(&mut value)?;
    let preimage = without_hmac(written, &hmac);
    Ok((ReadEntry { entry, prev_hmac, hmac, key_id, preimage }, found))
}

/// Cuts the member `hmac` out of a canonical line. No string before it can look like it: inside
/// strings every quote is escaped.
fn without_hmac(mut line: String, hmac: &str) -> String {
    let name = ",\"hmac\":\"";
    let whole = |at: &usize| {
        let rest = line[at + name.len()..].strip_prefix(hmac);
        rest.is_some_and(|rest| rest.starts_with('"'))
    };
    if let Some(at) = line.match_indices(name).map(|(at, _)| at).find(whole) {
        line.replace_range(at..at + name.len() + hmac.len() + 1, "");
    }
    line
}

pub(super) fn is_mac(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn entry(value: &mut Value) -> Result<AuditEntry, String> {
    let mut taken =
        |name: &str| value.get_mut(name).map(|member| std::mem::replace(member, Value::Null));
    let mut text = |name: &str| match taken(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(format!("{name} is missing or not a string")),
    };
    let kind: OwnerType =
        text("owner_type")?.parse().map_err(|error| format!("owner_type: {error}"))?;
    let owner = Owner { kind, id: text("owner_id")? };
    if owner.id.is_empty() && kind != OwnerType::Unresolved {
        return Err("owner_id is empty for a resolved owner".into());
    }
    let (entry_id, check_name, reason) = (text("entry_id")?, text("check_name")?, text("reason")?);
    let decision = text("decision")?.parse().map_err(|error| format!("decision: {error}"))?;
    let approval_chain = match taken("approval_chain") {
        None => Vec::new(),
        Some(Value::Array(items)) => {
            let texts = items.into_iter().map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err("approval_chain is not a list of strings"),
            });
            texts.collect::<Result<_, _>>()?
        }
        Some(_) => return Err("approval_chain is not a list of strings".into()),
    };
    let metadata = match taken("metadata") {
        None => Vec::new(),
        Some(Value::Object(members)) => members,
        Some(other) => return Err(format!("metadata is {}", other.kind())),
    };
    let request_fingerprint = match taken("request_fingerprint") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(_) => return Err("request_fingerprint is not a string".into()),
    };
    let ts_ns = timestamp(taken("ts_ns").as_ref())?;
    Ok(AuditEntry {
        entry_id,
        ts_ns,
        owner,
        approval_chain,
        check_name,
        decision,
        reason,
        request_fingerprint,
        metadata,
    })
}

/// An integer from 0 to 10^19, which still fits 64 bits without sign.
fn timestamp(value: Option<&Value>) -> Result<u64, String> {
    let number = match value {
        Some(Value::Int(n)) => u128::try_from(*n).ok(),
        Some(Value::Big(digits)) => digits.parse::<u128>().ok(),
        _ => None,
    };
    number
        .filter(|n| *n <= TS_LIMIT)
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| "ts_ns is not an integer from 0 to 10^19".to_string())
}
