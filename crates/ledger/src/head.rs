//! The head: the size and root that were, or are about to be, signed.
//!
//! `{"origin":"<log>","root":"sha256:<hex>","size":<n>,"v":1}`, canonical. It is replaced, compared
//! with what it must hold, before a checkpoint of that size is signed and published. So whatever
//! was ever published lies at or below the head, and the log cannot be made to sign two histories.

use seal::digest::Digest;
use seal::json::{self, Limits, Value};

/// The recorded state of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

impl Head {
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        let value = Value::object([
            ("origin", self.origin.as_str().into()),
            ("root", self.root.into()),
            ("size", self.size.into()),
            ("v", 1u64.into()),
        ]);
        json::write_receipt(&value).ok().map(String::into_bytes)
    }

    /// The canonical form only.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Head> {
        let value = json::parse(bytes, Limits { bytes: MAX_HEAD, depth: 2 }).ok()?;
        let head = Head {
            origin: value.get("origin")?.as_str()?.to_owned(),
            root: value.get("root")?.as_str()?.parse().ok()?,
            size: u64::try_from(value.get("size")?.as_i64()?).ok()?,
        };
        (head.to_bytes()? == bytes).then_some(head)
    }
}

/// The longest head, in bytes.
pub(crate) const MAX_HEAD: usize = 4096;
/// The longest checkpoint, in bytes: room for the signatures of witnesses.
pub(crate) const MAX_CHECKPOINT: usize = 64 * 1024;
