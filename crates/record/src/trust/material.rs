//! What a key of the trust file is made of.

use std::fmt;

use seal::Zeroizing;
use seal::digest::Digest;
use seal::key::{KeyError, PublicKey};
use seal::verifier::VerifyKey;

use super::Purpose;

/// A key as a trust file gives it.
#[derive(Clone)]
pub enum KeyMaterial {
    /// An Ed25519 public key.
    Public(PublicKey),
    /// An ECDSA public key over P-256, for [`Purpose::Statements`] and [`Purpose::Vsa`] only.
    Ecdsa(VerifyKey),
    /// A shared secret, for [`Purpose::Hmac`] only.
    Secret(Zeroizing<Vec<u8>>),
    /// X.509 certificates as DER, the root last; for [`Purpose::Tsa`] only. What they say is read
    /// by who judges timestamps.
    Certificates(Vec<Vec<u8>>),
}

impl KeyMaterial {
    /// Reads the PEM text of a public key that `purpose` may have.
    pub fn from_pem(purpose: Purpose, text: &str) -> Result<KeyMaterial, KeyError> {
        match purpose {
            Purpose::Statements | Purpose::Vsa => Ok(match VerifyKey::from_pem(text)? {
                VerifyKey::Ed25519(key) => KeyMaterial::Public(key),
                key @ VerifyKey::P256(_) => KeyMaterial::Ecdsa(key),
            }),
            _ => PublicKey::from_pem(text).map(KeyMaterial::Public),
        }
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyMaterial::Public(key) => fmt::Debug::fmt(key, f),
            KeyMaterial::Ecdsa(key) => fmt::Debug::fmt(key, f),
            KeyMaterial::Secret(_) => f.write_str("Secret(..)"),
            KeyMaterial::Certificates(chain) => {
                f.debug_list().entries(chain.iter().map(|der| Digest::of(der))).finish()
            }
        }
    }
}
