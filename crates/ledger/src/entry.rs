//! What is handed in: an entry before it has a place.

use seal::digest::Digest;

use crate::append::AppendError;
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
pub(crate) struct Prepared {
    pub entry: Entry,
    pub digest: Digest,
}

impl Prepared {
    pub fn of(entry: Entry) -> Result<Prepared, AppendError> {
        let Entry { kind, ref id, ref body } = entry;
        if kind == Kind::Repair {
            return Err(AppendError::Reserved { kind });
        }
        if id.len() > MAX_ID || !check_name(id) {
            return Err(AppendError::Id { kind, len: id.len() });
        }
        if body.len() > kind.max_body() {
            return Err(AppendError::TooLong { kind, len: body.len(), limit: kind.max_body() });
        }
        // Text without NUL: no body can imitate a frame header (0xFF) or a lost sector (zeros).
        if std::str::from_utf8(body).is_err() || body.contains(&0) {
            return Err(AppendError::NotText { kind });
        }
        let digest = Digest::of(body);
        Ok(Prepared { entry, digest })
    }
}
