//! The digests that a stamp may rest on.

use aws_lc_rs::digest;

use crate::der::{NULL, OID, Read, Reader, SEQUENCE, Tlv, write};
use crate::fault::Fault;
use crate::oid;

/// A digest that counts. SHA-1 and older ones do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// All of them.
    pub const ALL: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

    /// The name, as people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        }
    }

    /// Bytes of a digest.
    pub fn length(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }

    /// The digest of these bytes.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }

    pub(crate) fn oid(self) -> &'static [u8] {
        match self {
            Hash::Sha256 => oid::SHA256,
            Hash::Sha384 => oid::SHA384,
            Hash::Sha512 => oid::SHA512,
        }
    }

    pub(crate) fn with_oid(oid: &[u8]) -> Option<Hash> {
        Hash::ALL.into_iter().find(|hash| hash.oid() == oid)
    }

    /// Its AlgorithmIdentifier, with the NULL that older readers ask for.
    pub(crate) fn identifier(self) -> Vec<u8> {
        write(SEQUENCE, &[&write(OID, &[self.oid()]), &write(NULL, &[])])
    }
}

/// SHA-1, where the format has it: to name a certificate that a signature binds besides.
pub(crate) fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

/// An AlgorithmIdentifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Algorithm<'a> {
    pub oid: &'a [u8],
    /// Absent and NULL are both `None`.
    pub parameters: Option<Tlv<'a>>,
}

impl<'a> Algorithm<'a> {
    pub fn read(tlv: Tlv<'a>, what: &'static str) -> Read<Algorithm<'a>> {
        if tlv.tag != SEQUENCE {
            return Err(Fault::Malformed(what));
        }
        let mut inside = tlv.inside();
        let oid = inside.element(OID, what)?.oid(what)?;
        let parameters = match inside.is_empty() {
            true => None,
            false => Some(inside.any(what)?),
        };
        inside.end(what)?;
        match parameters {
            Some(null) if null.tag == NULL && !null.value.is_empty() => Err(Fault::Malformed(what)),
            parameters => {
                Ok(Algorithm { oid, parameters: parameters.filter(|tlv| tlv.tag != NULL) })
            }
        }
    }

    pub fn next(reader: &mut Reader<'a>, what: &'static str) -> Read<Algorithm<'a>> {
        Algorithm::read(reader.element(SEQUENCE, what)?, what)
    }

    /// The digest it is, if it counts.
    pub fn hash(self) -> Result<Hash, Fault> {
        match (Hash::with_oid(self.oid), self.parameters) {
            (Some(hash), None) => Ok(hash),
            _ => Err(Fault::Algorithm(oid::dotted(self.oid))),
        }
    }
}
