//! Ed25519 keys, their PEM forms, and the short key id that receipts carry.
//!
//! One acceptance rule everywhere: `verify_strict` (RFC 8032 with small-order points and
//! non-canonical encodings refused). Batch verification is never used for a verdict, because a
//! signer can craft signatures that only a batch accepts.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::signer::Signer;
use crate::{base64, hex};

/// DER of an Ed25519 SubjectPublicKeyInfo up to the 32 key bytes (RFC 8410 section 4).
pub(crate) const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";
/// Longest PEM text looked at, bytes.
const PEM_LIMIT: usize = 4096;

/// A key could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the PEM text of an Ed25519 SubjectPublicKeyInfo.
    #[error("not an Ed25519 public key in PEM form; openssl pkey -pubout writes one")]
    PublicPem,
    /// Not the PEM text of an Ed25519 PKCS#8 private key.
    #[error("not an unencrypted Ed25519 private key in PKCS#8 PEM form")]
    PrivatePem,
    /// The bytes are no point of the curve, or one of small order.
    #[error("not a usable Ed25519 point")]
    Point,
    /// Not the PEM text of a SubjectPublicKeyInfo of a kind that is read.
    #[error("not an Ed25519 or P-256 public key in PEM form; openssl pkey -pubout writes one")]
    AnyPublicPem,
    /// Not the PEM text of a PKCS#8 private key of a kind that is read.
    #[error("not an Ed25519 or P-256 private key in PKCS#8 PEM form; openssl genpkey writes one")]
    AnyPrivatePem,
    /// An encrypted private key, and no passphrase that opens it.
    #[error("the private key is encrypted, and no passphrase was given that opens it")]
    Passphrase,
    /// Encrypted in a way that is not read.
    #[error(
        "the private key is encrypted otherwise than by PBES2 with AES; openssl pkcs8 -topk8 -v2 aes-256-cbc writes that"
    )]
    Encryption,
    /// Deriving the key from the passphrase would take too long, or too much memory.
    #[error(
        "the private key asks for more than 10,000,000 rounds of PBKDF2 or 256 MiB of scrypt; encrypt it anew with openssl pkcs8 -topk8"
    )]
    Costly,
    /// Not 16 lower-case hex digits.
    #[error("a key id is 16 lower-case hex digits")]
    Id,
}

/// The first 8 bytes of the SHA-256 over a key's canonical PEM text, printed as 16 hex digits.
///
/// A lookup hint, not an identity: 64 bits collide for about 2^32 work.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// Of a key's fingerprint.
    pub(crate) fn of(fingerprint: &Digest) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&fingerprint.as_bytes()[..8]);
        KeyId(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        hex::decode(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(KeyError::Id)
    }
}

/// An Ed25519 public key.
#[derive(Clone)]
pub struct PublicKey {
    point: VerifyingKey,
    bytes: [u8; 32],
    fingerprint: Digest,
}

impl PublicKey {
    /// From the 32 raw bytes; small-order points are refused.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let point = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Point)?;
        if point.is_weak() {
            return Err(KeyError::Point);
        }
        Ok(Self::from_point(point))
    }

    fn from_point(point: VerifyingKey) -> Self {
        let bytes = point.to_bytes();
        let fingerprint = Digest::of(pem_of(&bytes).as_bytes());
        Self { point, bytes, fingerprint }
    }

    /// From the PEM text of a SubjectPublicKeyInfo. Line endings and surrounding white space do
    /// not matter: ids come from the re-serialised key, never from file bytes.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > PEM_LIMIT {
            return Err(KeyError::PublicPem);
        }
        let body = text
            .trim()
            .strip_prefix(PEM_BEGIN)
            .and_then(|rest| rest.strip_suffix(PEM_END))
            .ok_or(KeyError::PublicPem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = base64::std_decode(&body).map_err(|_| KeyError::PublicPem)?;
        let key = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::PublicPem)?;
        Self::from_bytes(key.try_into().map_err(|_| KeyError::PublicPem)?)
    }

    /// The canonical PEM text: LF line ends, a final LF, 113 bytes.
    pub fn to_pem(&self) -> String {
        pem_of(&self.bytes)
    }

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// SHA-256 over the canonical PEM text; its first 8 bytes are the key id.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The short id.
    pub fn key_id(&self) -> KeyId {
        KeyId::of(&self.fingerprint)
    }

    /// Whether `signature` over `message` is this key's, by the strict rule.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.point.verify_strict(message, &signature).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

fn pem_of(key: &[u8; 32]) -> String {
    let mut der = [0; 44];
    der[..12].copy_from_slice(&SPKI_PREFIX);
    der[12..].copy_from_slice(key);
    format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", base64::std_encode(&der))
}

/// An Ed25519 private key in memory; zeroed when dropped, never printed.
#[derive(Clone)]
pub struct SecretKey {
    signing: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// From the 32-byte seed (RFC 8032 section 5.1.5).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(&Zeroizing::new(seed));
        let public = PublicKey::from_point(signing.verifying_key());
        Self { signing, public }
    }

    /// From unencrypted PKCS#8 PEM text.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > PEM_LIMIT {
            return Err(KeyError::PrivatePem);
        }
        let signing = SigningKey::from_pkcs8_pem(text.trim()).map_err(|_| KeyError::PrivatePem)?;
        let public = PublicKey::from_point(signing.verifying_key());
        Ok(Self { signing, public })
    }

    /// PKCS#8 PEM text, as `openssl genpkey -algorithm ed25519` writes it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        // Version 1 without the public key, as OpenSSL writes and every reader accepts.
        let pair = ed25519_dalek::pkcs8::KeypairBytes {
            secret_key: self.signing.to_bytes(),
            public_key: None,
        };
        pair.to_pkcs8_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF)
            .expect("a 32-byte seed always fits PKCS#8")
    }

    /// The seed, for signers that take it over.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.signing.to_bytes())
    }
}

impl Signer for SecretKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public.key_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SecretKey {
        let seed = hex::decode("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100");
        SecretKey::from_seed(seed.unwrap().try_into().unwrap())
    }

    #[test]
    fn key_id_is_over_the_canonical_pem() {
        let key = sample();
        assert_eq!(key.key_id().to_string(), "126dcd54166859ad");
        let pem = key.public().to_pem();
        assert_eq!(pem.len(), 113);
        for spelling in [pem.replace('\n', "\r\n"), pem.trim_end().to_owned(), format!("\n{pem}\n")]
        {
            assert_eq!(PublicKey::from_pem(&spelling).unwrap().key_id(), key.key_id());
        }
    }

    #[test]
    fn private_pem_round_trip() {
        let key = sample();
        let pem = key.to_pem();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(SecretKey::from_pem(&pem).unwrap().public(), key.public());
        assert_eq!(SecretKey::from_pem("nonsense").unwrap_err(), KeyError::PrivatePem);
    }

    #[test]
    fn refuses_small_order_keys_and_forgeries() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::Point));
        let key = sample();
        let mut signature = key.sign(b"message");
        assert!(key.public().verify(b"message", &signature));
        assert!(!key.public().verify(b"massage", &signature));
        signature[40] ^= 1;
        assert!(!key.public().verify(b"message", &signature));
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!("{:?}", sample());
        assert_eq!(shown, "SecretKey(126dcd54166859ad)");
    }
}
