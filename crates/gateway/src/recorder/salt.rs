//! Documents in the ledger: their bodies carry a salt, so that nobody without the secret can test a
//! guess.

use seal::digest::Digest;
use seal::json::Value;
use seal::mac::hmac_sha256;

use super::RecordError;
use crate::state::WRITER;

/// The body `{"<kind>":<value>,"salt":"<hex>"}` and its digest. The salt comes from a secret and the
/// content, so equal content shares one body, and nobody without the secret can test a guess.
pub(crate) fn salted(
    secret: &[u8],
    kind: &str,
    value: &Value,
) -> Result<(Digest, String), RecordError> {
    let content = seal::json::write_receipt(value)
        .map_err(|error| RecordError::Form(format!("{kind}: {error}")))?;
    let salt = hmac_sha256(secret, format!("{kind}\0{content}").as_bytes());
    let salt = seal::hex::encode(&salt[..16]);
    let body = format!("{{\"{kind}\":{content},\"salt\":\"{salt}\"}}");
    Ok((Digest::of(body.as_bytes()), body))
}

/// Documents are stored once each, and one gateway does not know at once what another stores: each
/// further one salts its own.
pub(super) fn own_salt(secret: &[u8], writer: &str) -> Vec<u8> {
    match writer {
        WRITER => secret.to_vec(),
        _ => hmac_sha256(secret, format!("writer\0{writer}").as_bytes()).to_vec(),
    }
}
