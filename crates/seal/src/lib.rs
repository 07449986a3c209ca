//! Was it signed, hashed, linked? The bytes under all evidence: canonical JSON, digests, keys,
//! compact JWS, the RFC 6962 tree, signed notes and message authentication.
//!
//! Pure: no clock, file, socket, environment or randomness; time and key material are arguments.
//! Every reader here takes bytes from outside, has a size and depth limit, and never panics.

pub mod base64;
pub mod cosign;
pub mod digest;
pub mod dsse;
pub mod escape;
pub mod gzip;
pub mod hex;
pub mod json;
pub mod jws;
pub mod key;
pub mod mac;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod signer;
pub mod tile;
pub mod time;
pub mod tlog_proof;
pub mod verifier;

pub use digest::Digest;
pub use key::{KeyId, PublicKey, SecretKey};
pub use signer::Signer;
pub use verifier::VerifyKey;
pub use zeroize::Zeroizing;
