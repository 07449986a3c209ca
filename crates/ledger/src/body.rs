//! An entry as its readers see it, with its body or without.

use crypt::{Identities, OpenError};
use seal::digest::Digest;

use crate::damage::Cause;
use crate::leaf::Leaf;

/// An entry as it lies in the journal; every check of its own has passed.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'w> {
    /// Position in the log.
    pub index: u64,
    /// The leaf.
    pub leaf: &'w Leaf,
    /// The leaf's bytes: what the tree is built over.
    pub leaf_bytes: &'w [u8],
    /// The body, or why it is not here.
    pub body: Body<'w>,
    /// Bytes that lie behind the leaf: the body or its encrypted form, 0 where it was pruned.
    pub stored: u64,
    /// The segment it lies in.
    pub file: &'w str,
    /// Where its frame begins.
    pub offset: u64,
}

/// The body of an entry. Only one that is present is evidence of what it says; of every other the
/// log proves no more than that it was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Here, with the digest its leaf states.
    Present(&'a [u8]),
    /// Removed under a retention policy; whether a `prune` entry says so, its reader must ask.
    Pruned,
    /// Encrypted for recipients of whom none is known here. The bytes are an armoured age file;
    /// nobody compared what is inside with the leaf.
    Encrypted(&'a [u8]),
}

impl<'a> Body<'a> {
    /// The bytes, where they are here.
    pub fn present(self) -> Option<&'a [u8]> {
        match self {
            Body::Present(bytes) => Some(bytes),
            Body::Pruned | Body::Encrypted(_) => None,
        }
    }

    /// What is to be said of a body that is not here: `body pruned` or `body encrypted`.
    pub fn absence(self) -> Option<&'static str> {
        match self {
            Body::Present(_) => None,
            Body::Pruned => Some("body pruned"),
            Body::Encrypted(_) => Some("body encrypted"),
        }
    }
}

/// Opens an encrypted body where it is addressed to one of the identities, and holds what is inside
/// against its leaf like any other body.
pub(crate) fn decrypt(
    identities: &Identities,
    leaf: &Leaf,
    stored: &[u8],
) -> Result<Option<Vec<u8>>, Cause> {
    match identities.open(stored, leaf.kind.max_body()) {
        Err(OpenError::NotForUs) => Ok(None),
        Err(_) => Err(Cause::Undecryptable),
        Ok(body) if body.len() as u64 != leaf.len => {
            Err(Cause::BodyLength { leaf: leaf.len, found: body.len() as u64 })
        }
        Ok(body) if Digest::of(&body) != leaf.body => Err(Cause::BodyDigest),
        Ok(body) => Ok(Some(body)),
    }
}
