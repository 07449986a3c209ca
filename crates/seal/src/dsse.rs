//! DSSE: a payload with its type, and signatures over both (secure-systems-lab/dsse, protocol 1.0.2).

use std::fmt;

use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::DecodePrivateKey as _;

use crate::base64;
use crate::json::Value;
use crate::key::{KeyError, SecretKey};
use crate::signer::Signer as _;
use crate::verifier::VerifyKey;

/// What is signed: type and payload with their lengths (the pre-authentication encoding).
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// A name of the key that its signer chose; may be empty. It proves nothing.
    pub keyid: String,
    /// The signature bytes.
    pub sig: Vec<u8>,
}

/// An envelope, taken apart; nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the payload. It is under the signatures.
    pub payload_type: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Signatures, one at least.
    pub signatures: Vec<Signature>,
}

/// Most signatures of an envelope that are looked at.
pub const SIGNATURES: usize = 64;

/// Why a value is no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {why}")]
pub struct EnvelopeError {
    /// The member that is wrong.
    pub member: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Envelope {
    /// Signs `payload`. `keyid` stays empty: verifiers of the DSSE libraries of Go, cosign among them, pass
    /// over a signature whose `keyid` is not what they call the key, and there is no name that all use.
    pub fn sign(
        payload_type: &str,
        payload: Vec<u8>,
        signer: &dyn Signer,
    ) -> Result<Envelope, SignError> {
        let sig = signer.sign(&pae(payload_type, &payload))?;
        let signature = Signature { keyid: String::new(), sig };
        Ok(Envelope { payload_type: payload_type.into(), payload, signatures: vec![signature] })
    }

    /// From parsed JSON: the members `payloadType`, `payload` and `signatures` and no others. Base64
    /// is canonical, standard or URL-safe, as the protocol allows.
    pub fn from_value(value: &Value) -> Result<Envelope, EnvelopeError> {
        let wrong = |member, why| EnvelopeError { member, why };
        let members = value.as_object().ok_or(wrong("envelope", "is no object"))?;
        let known = ["payloadType", "payload", "signatures"];
        if members.iter().any(|(name, _)| !known.contains(&name.as_str())) {
            return Err(wrong("envelope", "has a member that no envelope has"));
        }
        let text = |value: &Value, member| {
            let text = value.get(member).and_then(Value::as_str);
            text.map(str::to_owned).ok_or(wrong(member, "is no string"))
        };
        let bytes = |value: &Value, member| {
            decode(&text(value, member)?).ok_or(wrong(member, "is no canonical Base64"))
        };
        let (payload_type, payload) = (text(value, "payloadType")?, bytes(value, "payload")?);
        let listed = value.get("signatures").and_then(Value::as_array);
        let listed = listed.ok_or(wrong("signatures", "is no array"))?;
        if listed.len() > SIGNATURES {
            return Err(wrong("signatures", "has more than 64"));
        }
        let signature = |one: &Value| {
            let members = one.as_object().ok_or(wrong("signatures", "has what is no object"))?;
            if members.iter().any(|(name, _)| !["keyid", "sig"].contains(&name.as_str())) {
                return Err(wrong("signatures", "has a member that no signature has"));
            }
            let keyid = match one.get("keyid") {
                None => String::new(),
                Some(_) => text(one, "keyid")?,
            };
            Ok(Signature { keyid, sig: bytes(one, "sig")? })
        };
        let signatures = listed.iter().map(signature).collect::<Result<_, _>>()?;
        Ok(Envelope { payload_type, payload, signatures })
    }

    /// As JSON.
    pub fn to_value(&self) -> Value {
        let signatures = self.signatures.iter().map(|one| {
            Value::object([
                ("keyid", Value::from(&one.keyid)),
                ("sig", base64::std_encode(&one.sig).into()),
            ])
        });
        Value::object([
            ("payload", Value::from(base64::std_encode(&self.payload))),
            ("payloadType", Value::from(&self.payload_type)),
            ("signatures", Value::array(signatures)),
        ])
    }

    /// The keys of `keys` that signed, each once, in their order.
    pub fn signers<'k>(&self, keys: impl IntoIterator<Item = &'k VerifyKey>) -> Vec<&'k VerifyKey> {
        let message = pae(&self.payload_type, &self.payload);
        let signed = |key: &VerifyKey| self.signatures.iter().any(|s| key.verify(&message, &s.sig));
        let mut found: Vec<&VerifyKey> = Vec::new();
        for key in keys {
            if !found.contains(&key) && signed(key) {
                found.push(key);
            }
        }
        found
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.contains(['-', '_']) {
        return base64::url_decode(text.trim_end_matches('=')).ok();
    }
    base64::std_decode(text).ok()
}

/// No signature could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signer gave no signature: {0}")]
pub struct SignError(pub String);

/// Makes signatures of either kind; the joint for keys that live elsewhere (a token, a key service).
///
/// An implementation signs exactly the bytes given and answers with what [`VerifyKey::verify`] of its
/// public key accepts.
pub trait Signer: Send + Sync {
    /// The key that verifies what this signer signs.
    fn public(&self) -> &VerifyKey;

    /// Signs `message`.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A private key of either kind in memory; never printed.
pub struct PrivateKey {
    secret: Secret,
    public: VerifyKey,
}

enum Secret {
    Ed25519(Box<SecretKey>),
    P256(p256::ecdsa::SigningKey),
}

/// Whether a key can be derived from the passphrase in seconds and a quarter of a gibibyte: a key file
/// says itself what that costs.
fn affordable(scheme: &pkcs8::pkcs5::EncryptionScheme) -> Result<(), KeyError> {
    use pkcs8::pkcs5::pbes2::Kdf;
    let kdf = &scheme.pbes2().ok_or(KeyError::Encryption)?.kdf;
    let fits = match (kdf, kdf.scrypt()) {
        (Kdf::Pbkdf2(params), _) => params.iteration_count <= PBKDF2_ROUNDS,
        (_, Some(params)) => {
            let memory = params.cost_parameter.saturating_mul(u64::from(params.block_size));
            memory <= SCRYPT_BLOCKS && params.parallelization <= SCRYPT_LANES
        }
        _ => return Err(KeyError::Encryption),
    };
    if fits { Ok(()) } else { Err(KeyError::Costly) }
}

/// Most rounds of PBKDF2 (OpenSSL's default is 2,048; 600,000 are advised).
const PBKDF2_ROUNDS: u32 = 10_000_000;
/// Most blocks of 128 bytes that scrypt may fill.
const SCRYPT_BLOCKS: u64 = 2 << 20;
/// Most times that it may do so.
const SCRYPT_LANES: u16 = 4;
/// Longest text of a private key looked at, bytes.
const PEM_LIMIT: usize = 16 << 10;
/// How the text of an encrypted key begins.
const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

impl PrivateKey {
    /// Whether a text is a key that a passphrase protects.
    pub fn is_encrypted(text: &str) -> bool {
        text.trim_start().starts_with(ENCRYPTED)
    }

    /// From PKCS#8 PEM; `passphrase` opens an encrypted one (PBES2, RFC 8018).
    pub fn from_pem(text: &str, passphrase: Option<&[u8]>) -> Result<PrivateKey, KeyError> {
        if text.len() > PEM_LIMIT {
            return Err(KeyError::AnyPrivatePem);
        }
        if !PrivateKey::is_encrypted(text) {
            return PrivateKey::from_plain(text);
        }
        let passphrase = passphrase.ok_or(KeyError::Passphrase)?;
        let (label, document) =
            pkcs8::SecretDocument::from_pem(text.trim()).map_err(|_| KeyError::AnyPrivatePem)?;
        if label != "ENCRYPTED PRIVATE KEY" {
            return Err(KeyError::AnyPrivatePem);
        }
        let locked = pkcs8::EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
            .map_err(|_| KeyError::Encryption)?;
        affordable(&locked.encryption_algorithm)?;
        let opened = locked.decrypt(passphrase).map_err(|_| KeyError::Passphrase)?;
        let plain = opened
            .to_pem("PRIVATE KEY", pkcs8::LineEnding::LF)
            .map_err(|_| KeyError::AnyPrivatePem)?;
        PrivateKey::from_plain(&plain)
    }

    fn from_plain(text: &str) -> Result<PrivateKey, KeyError> {
        if let Ok(key) = SecretKey::from_pem(text) {
            let public = VerifyKey::Ed25519(key.public().clone());
            return Ok(PrivateKey { secret: Secret::Ed25519(Box::new(key)), public });
        }
        let key = p256::ecdsa::SigningKey::from_pkcs8_pem(text.trim())
            .map_err(|_| KeyError::AnyPrivatePem)?;
        let public = VerifyKey::of_p256(*key.verifying_key());
        Ok(PrivateKey { secret: Secret::P256(key), public })
    }

    /// Of an Ed25519 key.
    pub fn ed25519(key: SecretKey) -> PrivateKey {
        let public = VerifyKey::Ed25519(key.public().clone());
        PrivateKey { secret: Secret::Ed25519(Box::new(key)), public }
    }
}

impl Signer for PrivateKey {
    fn public(&self) -> &VerifyKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_vec(),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?})", self.public)
    }
}
