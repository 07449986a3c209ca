//! The upstream proxy's receipt: a header that signs the audit entry of one answer.
//! `signet=v1; alg=<hmac-sha256|ed25519>; entry=<id>; key=<key id>; sig=<hex>`

use std::str::FromStr;

use seal::key::PublicKey;
use seal::mac::{equal, hmac_sha256};

use super::{Keyring, ReadEntry};
use crate::codes::Code;
use crate::report::Finding;

/// A header longer than this is none.
const LIMIT: usize = 4_096;

/// How a header is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderAlgorithm {
    /// With a secret of the keyring: whoever can check it can forge it.
    Hmac,
    /// With a private key.
    Ed25519,
}

/// A receipt header, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiptHeader {
    /// How it is signed.
    pub algorithm: HeaderAlgorithm,
    /// The audit entry it signs.
    pub entry: String,
    /// The key it names.
    pub key: String,
    /// The signature, hex as it was written.
    pub signature: String,
    /// Fields that stand there more than once; the last counts.
    pub repeated: Vec<String>,
}

impl FromStr for ReceiptHeader {
    type Err = Finding;

    /// Fields in any order, further ones ignored, as the header's writer reads it.
    fn from_str(text: &str) -> Result<Self, Finding> {
        let bad = |detail: String| Finding::here(Code::ReceiptHeader, detail);
        if text.len() > LIMIT {
            return Err(bad(format!("more than {LIMIT} bytes")));
        }
        let mut fields: Vec<(&str, &str)> = Vec::new();
        let mut repeated = Vec::new();
        for (name, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            let (name, value) = (name.trim(), value.trim());
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some(field) => {
                    field.1 = value;
                    repeated.push(name.to_string());
                }
                None => fields.push((name, value)),
            }
        }
        let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|f| f.1);
        match field("signet") {
            Some("v1") => {}
            other => return Err(bad(format!("version {:?}, expected v1", other.unwrap_or("")))),
        }
        let algorithm = match field("alg") {
            // Written before the field existed.
            None | Some("hmac-sha256") => HeaderAlgorithm::Hmac,
            Some("ed25519") => HeaderAlgorithm::Ed25519,
            Some(other) => {
                return Err(bad(format!("alg {other:?}, expected hmac-sha256 or ed25519")));
            }
        };
        let needed = |name: &str| {
            let value = field(name).filter(|value| !value.is_empty());
            value.map(str::to_string).ok_or_else(|| bad(format!("{name} is missing")))
        };
        Ok(ReceiptHeader {
            algorithm,
            entry: needed("entry")?,
            key: needed("key")?,
            signature: needed("sig")?,
            repeated,
        })
    }
}

impl ReceiptHeader {
    /// Holds the header against an audit entry; `keys` are those for Ed25519, by id.
    pub fn check(
        &self,
        entry: &ReadEntry,
        ring: &Keyring,
        keys: &[(String, PublicKey)],
    ) -> Result<(), Finding> {
        if self.entry != entry.entry.entry_id {
            let detail = format!("it is for entry {}", self.entry);
            return Err(Finding::here(Code::DecisionMismatch, detail));
        }
        let unknown = || Finding::here(Code::ReceiptKeyUnknown, format!("key {:?}", self.key));
        let message = entry.preimage().as_bytes();
        let agrees = match self.algorithm {
            HeaderAlgorithm::Hmac => {
                let secret = ring.get(&self.key).ok_or_else(unknown)?;
                let signature = seal::hex::decode(&self.signature).unwrap_or_default();
                equal(&hmac_sha256(secret, message), &signature)
            }
            HeaderAlgorithm::Ed25519 => {
                let key = keys.iter().find(|(id, _)| *id == self.key).ok_or_else(unknown)?;
                // Its writers take upper-case digits here, and here alone.
                let signature = seal::hex::decode(&self.signature.to_ascii_lowercase());
                let signature = signature.and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
                signature.is_some_and(|signature| key.1.verify(message, &signature))
            }
        };
        match agrees {
            true => Ok(()),
            false => Err(Finding::here(Code::ReceiptSignature, format!("key {:?}", self.key))),
        }
    }
}
