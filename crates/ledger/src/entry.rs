//! What is handed in: an entry before it has a place.

use std::sync::Arc;

use crypt::Recipients;
use seal::digest::Digest;

use crate::append::AppendError;
use crate::frame::MAX_ENCRYPTED;
use crate::kind::Kind;
use crate::leaf::{MAX_ID, check_name};

/// A piece of evidence to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the body is.
    pub kind: Kind,
    /// What others will cite it by; at most 256 bytes without control characters.
    pub id: String,
    /// The evidence: UTF-8 text without NUL, within the kind's limit.
    pub body: Vec<u8>,
}

/// An entry that was checked and digested, outside of any lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub(crate) entry: Entry,
    pub(crate) digest: Digest,
    /// Who handed it in, where that is not the ledger's own writer.
    pub(crate) writer: Option<Arc<str>>,
    /// The body encrypted, where the ledger has recipients.
    pub(crate) encrypted: Option<Vec<u8>>,
}

impl Prepared {
    /// Checks and digests an entry. Errors: what the entry itself may not be.
    pub fn of(entry: Entry) -> Result<Prepared, AppendError> {
        let digest = Digest::of(&entry.body);
        Prepared::digested(entry, digest)
    }

    /// The same where the digest of the body is known already: whoever signs or names evidence by
    /// its digest need not have it computed twice. A wrong one would be found by every reader as
    /// damage, so it must come from these very bytes.
    pub fn digested(entry: Entry, digest: Digest) -> Result<Prepared, AppendError> {
        debug_assert_eq!(digest, Digest::of(&entry.body), "the digest of another body");
        let Entry { kind, ref id, ref body } = entry;
        if kind.is_reserved() {
            return Err(AppendError::Reserved { kind });
        }
        if id.len() > MAX_ID || !check_name(id) {
            return Err(AppendError::Id { kind, len: id.len() });
        }
        if body.len() > kind.max_body() {
            return Err(AppendError::TooLong { kind, len: body.len(), limit: kind.max_body() });
        }
        // Text without NUL: no body can imitate a frame header (0xFF) or a lost sector (zeros).
        // Counted, not searched: without a way out early the compiler looks at many bytes at once.
        let nul = body.iter().filter(|byte| **byte == 0).count() > 0;
        if nul || std::str::from_utf8(body).is_err() {
            return Err(AppendError::NotText { kind });
        }
        Ok(Prepared { entry, digest, writer: None, encrypted: None })
    }

    /// The same entry, handed in by somebody whose name the sequencer vouches for.
    pub(crate) fn by(self, writer: &Arc<str>) -> Prepared {
        Prepared { writer: Some(writer.clone()), ..self }
    }

    /// The same entry, its body encrypted for the recipients, unless its kind is always plain. A
    /// body that cannot be encrypted is not written at all.
    pub(crate) fn encrypted_for(self, recipients: &Recipients) -> Result<Prepared, AppendError> {
        if self.entry.kind.is_permanent() {
            return Ok(self);
        }
        let kind = self.entry.kind;
        let sealed = recipients.seal(&self.entry.body);
        let encrypted = sealed.map_err(|error| AppendError::Encryption(Arc::new(error)))?;
        if encrypted.len() > MAX_ENCRYPTED {
            return Err(AppendError::TooLong { kind, len: encrypted.len(), limit: MAX_ENCRYPTED });
        }
        Ok(Prepared { encrypted: Some(encrypted), ..self })
    }

    /// An entry that only the ledger itself writes. `digest` is that of its body.
    pub(crate) fn reserved(entry: Entry, digest: Digest) -> Prepared {
        Prepared { entry, digest, writer: None, encrypted: None }
    }

    /// Bytes that will lie behind the leaf.
    pub(crate) fn stored_len(&self) -> usize {
        self.encrypted.as_ref().map_or(self.entry.body.len(), Vec::len)
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}
