//! X.509 certificates: what this judgement needs of them (RFC 5280 section 4.1). The chain itself
//! is webpki's.

use seal::Digest;

use crate::der::{BITS, INTEGER, OCTETS, OID, Read, Reader, SEQUENCE, Tlv, context};
use crate::fault::Fault;
use crate::hash::Algorithm;
use crate::{name, oid, time};

/// Longer certificates are none that signs timestamps.
const LIMIT: usize = 16 << 10;
const WHAT: &str = "a certificate";

/// A certificate, taken apart. It says what it says: that it counts is for an
/// [`Authority`](crate::Authority) to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    /// SubjectPublicKeyInfo, whole.
    pub(crate) key: Vec<u8>,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) is_authority: bool,
    /// How many CAs may stand between it and a signer.
    pub(crate) path_length: Option<u64>,
    /// The bits of KeyUsage, the first (digitalSignature) as 0x8000.
    pub(crate) key_usage: Option<u16>,
    /// Whether ExtendedKeyUsage is critical, and its purposes.
    pub(crate) purposes: Option<(bool, Vec<Vec<u8>>)>,
    /// GeneralNames of SubjectAltName, whole.
    pub(crate) other_names: Vec<Vec<u8>>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads DER; whatever follows the certificate makes it none.
    pub fn from_der(der: &[u8]) -> Result<Certificate, Fault> {
        if der.len() > LIMIT {
            return Err(Fault::Malformed(WHAT));
        }
        let mut outer = Reader(der);
        let certificate = outer.element(SEQUENCE, WHAT)?;
        outer.end(WHAT)?;
        let mut parts = certificate.inside();
        let body = parts.element(SEQUENCE, WHAT)?;
        Algorithm::next(&mut parts, WHAT)?;
        parts.element(BITS, WHAT)?.bits(WHAT)?;
        parts.end(WHAT)?;

        let mut body = body.inside();
        let mut version = body.element(context(0), WHAT)?.inside();
        // Version 3: only it has the extensions that are asked for.
        if version.element(INTEGER, WHAT)?.number(WHAT)? != 2 {
            return Err(Fault::Malformed(WHAT));
        }
        version.end(WHAT)?;
        let serial = body.element(INTEGER, WHAT)?.integer(WHAT)?.to_vec();
        Algorithm::next(&mut body, WHAT)?;
        let issuer = body.element(SEQUENCE, WHAT)?.whole.to_vec();
        let mut validity = body.element(SEQUENCE, WHAT)?.inside();
        let not_before = time::validity(validity.any(WHAT)?)?;
        let not_after = time::validity(validity.any(WHAT)?)?;
        validity.end(WHAT)?;
        let subject = body.element(SEQUENCE, WHAT)?.whole.to_vec();
        let key = body.element(SEQUENCE, WHAT)?.whole.to_vec();
        let mut certificate = Certificate {
            der: der.to_vec(),
            serial,
            issuer,
            subject,
            key,
            not_before,
            not_after,
            is_authority: false,
            path_length: None,
            key_usage: None,
            purposes: None,
            other_names: Vec::new(),
            subject_key_id: None,
        };
        if let Some(extensions) = body.optional(context(3), WHAT)? {
            let mut list = extensions.inside();
            let mut each = list.element(SEQUENCE, WHAT)?.inside();
            list.end(WHAT)?;
            let mut seen: Vec<&[u8]> = Vec::new();
            while !each.is_empty() {
                let kind = certificate.extension(each.element(SEQUENCE, WHAT)?)?;
                if seen.contains(&kind) {
                    return Err(Fault::Malformed(WHAT));
                }
                seen.push(kind);
            }
        }
        body.end(WHAT)?;
        Ok(certificate)
    }

    fn extension<'a>(&mut self, extension: Tlv<'a>) -> Read<&'a [u8]> {
        let mut parts = extension.inside();
        let kind = parts.element(OID, WHAT)?.oid(WHAT)?;
        let critical = parts.flag(WHAT)?;
        let mut value = Reader(parts.element(OCTETS, WHAT)?.value);
        parts.end(WHAT)?;
        match kind {
            oid::BASIC_CONSTRAINTS => {
                let mut constraints = value.element(SEQUENCE, WHAT)?.inside();
                self.is_authority = constraints.flag(WHAT)?;
                if let Some(length) = constraints.optional(INTEGER, WHAT)? {
                    self.path_length = Some(length.number(WHAT)?);
                }
                constraints.end(WHAT)?;
            }
            oid::KEY_USAGE => {
                let (bits, _) = value.element(BITS, WHAT)?.bits(WHAT)?;
                let byte = |at: usize| u16::from(bits.get(at).copied().unwrap_or(0));
                if bits.len() > 2 {
                    return Err(Fault::Malformed(WHAT));
                }
                self.key_usage = Some(byte(0) << 8 | byte(1));
            }
            oid::EXTENDED_KEY_USAGE => {
                let mut list = value.element(SEQUENCE, WHAT)?.inside();
                let mut purposes = Vec::new();
                while !list.is_empty() {
                    purposes.push(list.element(OID, WHAT)?.oid(WHAT)?.to_vec());
                }
                self.purposes = Some((critical, purposes));
            }
            oid::SUBJECT_ALT_NAME => {
                let mut list = value.element(SEQUENCE, WHAT)?.inside();
                while !list.is_empty() {
                    self.other_names.push(list.any(WHAT)?.whole.to_vec());
                }
            }
            oid::SUBJECT_KEY_ID => {
                self.subject_key_id = Some(value.element(OCTETS, WHAT)?.value.to_vec());
            }
            // webpki refuses critical ones that it does not know.
            _ => return Ok(kind),
        }
        value.end(WHAT).map(|()| kind)
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of its bytes, as `openssl x509 -fingerprint -sha256` shows it.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The subject's name. Outside text: escape it when printing.
    pub fn subject(&self) -> String {
        name::shown(&self.subject)
    }

    /// Whether it may sign certificates: a CA, by its constraints and, if stated, its key usage.
    pub fn is_authority(&self) -> bool {
        const CERTIFICATES: u16 = 0x0400;
        self.is_authority && self.key_usage.is_none_or(|bits| bits & CERTIFICATES != 0)
    }

    /// Its own window in Unix seconds, both ends inclusive.
    pub fn validity_seconds(&self) -> (u64, u64) {
        (self.not_before, self.not_after)
    }

    /// Whether its own window holds this Unix second.
    pub(crate) fn holds(&self, seconds: u64) -> bool {
        (self.not_before..=self.not_after).contains(&seconds)
    }

    /// Why it is not the certificate of a timestamp authority (RFC 3161 section 2.3).
    pub(crate) fn unfit(&self) -> Option<&'static str> {
        const SIGNATURES: u16 = 0x8000 | 0x4000;
        if self.is_authority {
            return Some("the signer's certificate is that of a CA");
        }
        // Nothing but signatures and non-repudiation, as RFC 3161's readers commonly ask.
        if self.key_usage.is_some_and(|bits| bits & SIGNATURES == 0 || bits & !SIGNATURES != 0) {
            return Some("the key usage of the signer's certificate is not signatures alone");
        }
        match &self.purposes {
            None => Some("the signer's certificate is not for timestamps: no extended key usage"),
            Some((_, purposes)) if *purposes != [oid::TIME_STAMPING] => {
                Some("the signer's certificate is not for timestamps alone")
            }
            Some((false, _)) => {
                Some("the extended key usage of the signer's certificate is not critical")
            }
            Some((true, _)) => None,
        }
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({:?}, {})", self.subject(), self.fingerprint())
    }
}
