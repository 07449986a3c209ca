//! Writing: one chain of lines, each authenticating itself and its predecessor.

use std::fmt::Write as _;

use seal::Zeroizing;
use seal::hex;
use seal::json::{Value, WriteError, WriteErrorKind, push_audit, push_string};
use seal::mac::MacKey;

use super::AuditEntry;
use crate::text::{key_of, member, plain_member};

/// One writer's chain. It has one owner; lines are sealed in the order they are stored.
pub struct AuditChain {
    key: MacKey,
    key_id: String,
    writer: String,
    prev: String,
    /// The metadata members every line has, written once: name and value, in the order of the names.
    own: Vec<(&'static str, String)>,
}

/// A line ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedLine {
    /// The canonical line, without newline.
    pub line: String,
    /// Its HMAC, 64 hex digits: what the next line follows.
    pub hmac: String,
    /// The entry's id.
    pub entry_id: String,
}

impl AuditChain {
    /// A chain under this key, for this writer, that goes on after `prev` (the HMAC of its last
    /// line) or begins.
    pub fn new(
        key_id: String,
        secret: Zeroizing<Vec<u8>>,
        writer: String,
        prev: Option<String>,
    ) -> Self {
        let quoted = |text: &str| {
            let mut out = String::new();
            push_string(text, &mut out);
            out
        };
        let anchor = "{\"backend\":\"noop\",\"success\":true}".to_owned();
        let mut own = vec![("_anchor", anchor), ("_signing_key_id", quoted(&key_id))];
        if !writer.is_empty() {
            own.push(("_writer", quoted(&writer)));
        }
        AuditChain {
            key: MacKey::new(&secret),
            key_id,
            writer,
            prev: prev.unwrap_or_default(),
            own,
        }
    }

    /// The id that lines name their key by.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// HMAC of the last line; empty before the first.
    pub fn head(&self) -> &str {
        &self.prev
    }

    /// Goes back to an earlier head, when lines that were sealed could not be stored.
    pub fn rewind(&mut self, head: String) {
        self.prev = head;
    }

    /// Seals the next line. On an error the chain is where it was.
    pub fn seal(&mut self, entry: AuditEntry) -> Result<SealedLine, WriteError> {
        let mut line = String::with_capacity(2_048);
        line.push('{');
        key_of(&mut line, "approval_chain");
        line.push('[');
        for (at, link) in entry.approval_chain.iter().enumerate() {
            if at > 0 {
                line.push(',');
            }
            push_string(link, &mut line);
        }
        line.push(']');
        member(&mut line, "check_name", &entry.check_name);
        plain_member(&mut line, "decision", entry.decision.as_str());
        member(&mut line, "entry_id", &entry.entry_id);
        let gap = line.len();
        key_of(&mut line, "metadata");
        self.metadata(&mut line, &entry.metadata)?;
        member(&mut line, "owner_id", &entry.owner.id);
        plain_member(&mut line, "owner_type", entry.owner.kind.as_str());
        plain_member(&mut line, "prev_hmac", &self.prev);
        member(&mut line, "reason", &entry.reason);
        member(&mut line, "request_fingerprint", &entry.request_fingerprint);
        let _ = write!(line, ",\"ts_ns\":{}}}", entry.ts_ns);
        // The preimage is the line without its own hmac, which then goes into its sorted place.
        let hmac = hex::encode(&self.key.hmac(line.as_bytes()));
        let mut own = String::with_capacity(80);
        plain_member(&mut own, "hmac", &hmac);
        line.insert_str(gap, &own);
        self.prev.clone_from(&hmac);
        Ok(SealedLine { line, hmac, entry_id: entry.entry_id })
    }

    /// Metadata with the members every line has. Python sorts by code point, which is the order
    /// of UTF-8 bytes.
    fn metadata(&self, line: &mut String, metadata: &[(String, Value)]) -> Result<(), WriteError> {
        let given = metadata.iter().map(|(name, value)| (name.as_str(), Ok(value)));
        let given =
            given.filter(|(name, _)| !matches!(*name, "_anchor" | "_signing_key_id" | "_writer"));
        let own = self.own.iter().map(|(name, written)| (*name, Err(written.as_str())));
        let mut members: Vec<(&str, Result<&Value, &str>)> =
            Vec::with_capacity(metadata.len() + self.own.len());
        members.extend(given.chain(own));
        members.sort_unstable_by_key(|(name, _)| *name);
        let mut previous = None;
        for (name, value) in members {
            let at = |kind, below: &str| {
                let name = name.replace('~', "~0").replace('/', "~1");
                WriteError { kind, pointer: format!("/{name}{below}") }
            };
            if previous == Some(name) {
                return Err(at(WriteErrorKind::DuplicateKey, ""));
            }
            line.push(if previous.is_none() { '{' } else { ',' });
            previous = Some(name);
            push_string(name, line);
            line.push(':');
            match value {
                Ok(value) => {
                    push_audit(value, line).map_err(|error| at(error.kind, &error.pointer))?;
                }
                Err(written) => line.push_str(written),
            }
        }
        line.push('}');
        Ok(())
    }
}

impl std::fmt::Debug for AuditChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key_id = self.own.get(1).map_or("", |(_, written)| written);
        write!(f, "AuditChain({} under {key_id}, head {:?})", self.writer, self.prev)
    }
}
