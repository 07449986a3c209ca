//! Writing: one chain of lines, each authenticating itself and its predecessor.

use std::fmt::Write as _;

use seal::Zeroizing;
use seal::hex;
use seal::json::{Value, WriteError, push_string, write_audit};
use seal::mac::hmac_sha256;

use super::AuditEntry;
use crate::text::{key_of, member, plain_member};

/// One writer's chain. It has one owner; lines are sealed in the order they are stored.
pub struct AuditChain {
    key_id: String,
    secret: Zeroizing<Vec<u8>>,
    writer: String,
    prev: String,
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
        AuditChain { key_id, secret, writer, prev: prev.unwrap_or_default() }
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
        let mut line = String::with_capacity(1_024);
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
        self.metadata(&mut line, entry.metadata)?;
        member(&mut line, "owner_id", &entry.owner.id);
        plain_member(&mut line, "owner_type", entry.owner.kind.as_str());
        plain_member(&mut line, "prev_hmac", &self.prev);
        member(&mut line, "reason", &entry.reason);
        member(&mut line, "request_fingerprint", &entry.request_fingerprint);
        let _ = write!(line, ",\"ts_ns\":{}}}", entry.ts_ns);
        // The preimage is the line without its own hmac, which then goes into its sorted place.
        let hmac = hex::encode(&hmac_sha256(&self.secret, line.as_bytes()));
        line.insert_str(gap, &format!(",\"hmac\":\"{hmac}\""));
        self.prev.clone_from(&hmac);
        Ok(SealedLine { line, hmac, entry_id: entry.entry_id })
    }

    /// Metadata with the members every line has. Python sorts by code point, which is the order
    /// of UTF-8 bytes.
    fn metadata(
        &self,
        line: &mut String,
        mut metadata: Vec<(String, Value)>,
    ) -> Result<(), WriteError> {
        metadata.retain(|(name, _)| {
            !matches!(name.as_str(), "_anchor" | "_signing_key_id" | "_writer")
        });
        let anchor =
            Value::object([("backend", Value::from("noop")), ("success", Value::from(true))]);
        metadata.push(("_anchor".into(), anchor));
        metadata.push(("_signing_key_id".into(), self.key_id.as_str().into()));
        if !self.writer.is_empty() {
            metadata.push(("_writer".into(), self.writer.as_str().into()));
        }
        line.push_str(&write_audit(&Value::Object(metadata))?);
        Ok(())
    }
}

impl std::fmt::Debug for AuditChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditChain({} under {}, head {:?})", self.writer, self.key_id, self.prev)
    }
}
