//! Compact JWS (RFC 7515 section 7.1) with EdDSA, the outer form of receipts and decisions.
//!
//! What the header must say belongs to each format; here is only what all share: three segments
//! of strict base64url, a 64-byte signature over the ASCII bytes before the last dot.

use crate::base64;
use crate::signer::Signer;

/// Characters of a base64url signature of 64 bytes.
const SIGNATURE_CHARS: usize = 86;

/// Why a text is no compact JWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than the caller allows.
    #[error("token is longer than {0} characters")]
    TooLong(usize),
    /// Bytes outside ASCII.
    #[error("token has characters outside ASCII")]
    NotAscii,
    /// Not exactly header, payload and signature.
    #[error("token has {0} segments, expected 3")]
    Segments(usize),
    /// A segment is not canonical base64url without padding.
    #[error("{0} segment is not canonical base64url without padding")]
    Encoding(&'static str),
    /// The signature is not 64 bytes long.
    #[error("signature is not 64 bytes long")]
    SignatureLength,
}

/// A compact JWS taken apart; the signature is not checked yet.
#[derive(Debug, Clone)]
pub struct Jws<'a> {
    /// The bytes the signature covers: everything before the last dot.
    pub signing_input: &'a str,
    /// Decoded header.
    pub header: Vec<u8>,
    /// Decoded payload.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
}

/// A header that is the same for many tokens, encoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header(String);

impl Header {
    /// Of canonical JSON.
    pub fn new(header: &str) -> Self {
        let mut encoded = base64::url_encode(header.as_bytes());
        encoded.push('.');
        Self(encoded)
    }
}

/// Signs `payload` under `header`, both already canonical JSON.
pub fn encode(header: &str, payload: &str, signer: &dyn Signer) -> String {
    encode_under(&Header::new(header), payload, signer)
}

/// The same under a header that is encoded already.
pub fn encode_under(header: &Header, payload: &str, signer: &dyn Signer) -> String {
    let length = header.0.len() + payload.len().div_ceil(3) * 4 + 1 + SIGNATURE_CHARS;
    let mut token = String::with_capacity(length);
    token.push_str(&header.0);
    base64::url_encode_into(payload.as_bytes(), &mut token);
    let signature = signer.sign(token.as_bytes());
    token.push('.');
    base64::url_encode_into(&signature, &mut token);
    token
}

/// Takes a token apart, strictly; at most `limit` characters.
pub fn split(token: &str, limit: usize) -> Result<Jws<'_>, JwsError> {
    if token.len() > limit {
        return Err(JwsError::TooLong(limit));
    }
    if !token.is_ascii() {
        return Err(JwsError::NotAscii);
    }
    let mut segments = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(JwsError::Segments(token.split('.').count()));
    };
    let header = base64::url_decode(header).map_err(|_| JwsError::Encoding("header"))?;
    let payload = base64::url_decode(payload).map_err(|_| JwsError::Encoding("payload"))?;
    let encoded = signature;
    let signature = base64::url_decode(encoded).map_err(|_| JwsError::Encoding("signature"))?;
    let signature = signature.try_into().map_err(|_| JwsError::SignatureLength)?;
    let signing_input = &token[..token.len() - SIGNATURE_CHARS - 1];
    Ok(Jws { signing_input, header, payload, signature })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    #[test]
    fn signs_and_splits() {
        let key = SecretKey::from_seed([7; 32]);
        let token = encode("{\"alg\":\"EdDSA\"}", "{\"a\":1}", &key);
        let jws = split(&token, 1000).unwrap();
        assert_eq!(jws.payload, b"{\"a\":1}");
        assert!(key.public().verify(jws.signing_input.as_bytes(), &jws.signature));
    }

    #[test]
    fn one_token_has_one_spelling() {
        let key = SecretKey::from_seed([7; 32]);
        let token = encode("{}", "{}", &key);
        // 64 bytes leave two bits for the last character: B sets bits that must be zero.
        let trailing = format!("{}B", &token[..token.len() - 1]);
        let cases = [
            (format!("{token}="), JwsError::Encoding("signature")),
            (trailing, JwsError::Encoding("signature")),
            (format!("{token}.x"), JwsError::Segments(4)),
            (token.replacen('.', "=.", 1), JwsError::Encoding("header")),
            (format!("{token}AAAA"), JwsError::SignatureLength),
            ("a.b".into(), JwsError::Segments(2)),
            ("é..".into(), JwsError::NotAscii),
            ("e30.e30.".into(), JwsError::SignatureLength),
        ];
        for (bad, error) in cases {
            assert_eq!(split(&bad, 1000).unwrap_err(), error, "{bad}");
        }
        assert_eq!(split(&token, 10).unwrap_err(), JwsError::TooLong(10));
    }
}
