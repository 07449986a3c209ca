//! Keys of two kinds behind one face: Ed25519 and ECDSA over P-256 with SHA-256, as the formats that
//! leave the choice to the signer (DSSE, Sigstore bundles) need them.

use std::fmt;

use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding};

use crate::base64;
use crate::digest::Digest;
use crate::key::{KeyError, KeyId, PublicKey};

/// A public key that verifies signatures of either kind.
#[derive(Clone, PartialEq, Eq)]
pub enum VerifyKey {
    /// Ed25519, by the strict rule of [`PublicKey::verify`]; signatures are 64 bytes.
    Ed25519(PublicKey),
    /// ECDSA over P-256 with SHA-256; signatures are DER (RFC 3279 section 2.2.3).
    P256(P256Key),
}

/// An ECDSA public key over P-256.
#[derive(Clone, PartialEq, Eq)]
pub struct P256Key(p256::ecdsa::VerifyingKey);

/// Longest PEM text looked at, bytes.
const PEM_LIMIT: usize = 4096;
/// Longest DER of a SubjectPublicKeyInfo looked at, bytes.
const DER_LIMIT: usize = 1024;

impl VerifyKey {
    /// From the PEM text of a SubjectPublicKeyInfo, whatever its line ends.
    pub fn from_pem(text: &str) -> Result<VerifyKey, KeyError> {
        if let Ok(key) = PublicKey::from_pem(text) {
            return Ok(VerifyKey::Ed25519(key));
        }
        if text.len() > PEM_LIMIT {
            return Err(KeyError::AnyPublicPem);
        }
        let body = text
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
            .ok_or(KeyError::AnyPublicPem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = base64::std_decode(&body).map_err(|_| KeyError::AnyPublicPem)?;
        VerifyKey::from_der(&der)
    }

    /// From the DER of a SubjectPublicKeyInfo.
    pub fn from_der(der: &[u8]) -> Result<VerifyKey, KeyError> {
        if der.len() > DER_LIMIT {
            return Err(KeyError::AnyPublicPem);
        }
        if let Some(raw) = der.strip_prefix(&crate::key::SPKI_PREFIX) {
            let raw = raw.try_into().map_err(|_| KeyError::AnyPublicPem)?;
            return PublicKey::from_bytes(raw).map(VerifyKey::Ed25519);
        }
        let key = p256::ecdsa::VerifyingKey::from_public_key_der(der);
        let key = VerifyKey::P256(P256Key(key.map_err(|_| KeyError::AnyPublicPem)?));
        // one key has one text: a compressed point is another's
        if key.to_der() == der { Ok(key) } else { Err(KeyError::AnyPublicPem) }
    }

    pub(crate) fn of_p256(key: p256::ecdsa::VerifyingKey) -> VerifyKey {
        VerifyKey::P256(P256Key(key))
    }

    /// The DER of its SubjectPublicKeyInfo.
    pub fn to_der(&self) -> Vec<u8> {
        match self {
            VerifyKey::Ed25519(key) => {
                let mut der = crate::key::SPKI_PREFIX.to_vec();
                der.extend_from_slice(key.as_bytes());
                der
            }
            VerifyKey::P256(key) => {
                key.0.to_public_key_der().map(|der| der.as_bytes().to_vec()).unwrap_or_default()
            }
        }
    }

    /// Its PEM text, LF line ends, a final LF.
    pub fn to_pem(&self) -> String {
        match self {
            VerifyKey::Ed25519(key) => key.to_pem(),
            VerifyKey::P256(key) => key.0.to_public_key_pem(LineEnding::LF).unwrap_or_default(),
        }
    }

    /// SHA-256 over its PEM text, as [`PublicKey::fingerprint`].
    pub fn fingerprint(&self) -> Digest {
        match self {
            VerifyKey::Ed25519(key) => key.fingerprint(),
            VerifyKey::P256(_) => Digest::of(self.to_pem().as_bytes()),
        }
    }

    /// The short id, as [`PublicKey::key_id`].
    pub fn key_id(&self) -> KeyId {
        KeyId::of(&self.fingerprint())
    }

    /// How bundles name it: standard Base64 of the SHA-256 over its DER. A name, no proof.
    pub fn hint(&self) -> String {
        base64::std_encode(Digest::of(&self.to_der()).as_bytes())
    }

    /// Whether `signature` over `message` is this key's.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            VerifyKey::Ed25519(key) => {
                signature.try_into().is_ok_and(|signature| key.verify(message, signature))
            }
            VerifyKey::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.0.verify(message, &signature).is_ok()),
        }
    }
}

impl From<PublicKey> for VerifyKey {
    fn from(key: PublicKey) -> VerifyKey {
        VerifyKey::Ed25519(key)
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            VerifyKey::Ed25519(_) => "Ed25519",
            VerifyKey::P256(_) => "P256",
        };
        write!(f, "{kind}({})", self.hint())
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        VerifyKey::P256(self.clone()).fmt(f)
    }
}
