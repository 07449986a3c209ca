//! Sigstore bundles, version 0.3, of statements that were signed with keys.

use seal::dsse::{Envelope, EnvelopeError};
use seal::json::{Limits, Value, parse, write_plain};

use crate::tlog::{ENTRIES, Entry};
use crate::weight::has_more;

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// How the names of bundles end.
pub const ENDING: &str = ".bundle.json";
/// How the names of proofs of a log end.
pub const PROOF: &str = ".tlog-proof";
/// Longest bundle, bytes: Base64 of the longest payload, and room for proofs.
pub const LIMIT: usize = 96 << 20;
/// More values than one has: what is long in it is text.
const VALUES: usize = 100_000;

/// What the proof beside a bundle of this name is called.
pub fn proof_name(file: &str) -> String {
    let stem = file.strip_suffix(ENDING).or_else(|| file.strip_suffix(".json")).unwrap_or(file);
    format!("{stem}{PROOF}")
}

/// A bundle, taken apart; nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// Which key is said to have signed. A name, no proof.
    pub hint: String,
    /// RFC 3161 responses (DER) over the signature.
    pub timestamps: Vec<Vec<u8>>,
    /// Entries of transparency logs, as they are.
    pub tlog_entries: Vec<Value>,
    /// The signed statement; exactly one signature.
    pub envelope: Envelope,
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not strict JSON within the limits.
    #[error("not strict JSON: {0}")]
    Json(String),
    /// Of another media type.
    #[error("mediaType is not {MEDIA_TYPE}")]
    MediaType,
    /// A member is missing, unknown or wrong.
    #[error("{0}")]
    Member(String),
    /// The envelope is none.
    #[error("dsseEnvelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// There is no signature, or more than the one that a bundle has.
    #[error("it has {0} signatures, and a bundle has one")]
    Signatures(usize),
}

impl Bundle {
    /// Around an envelope that one key signed.
    pub fn of(envelope: Envelope, hint: String) -> Bundle {
        Bundle { hint, timestamps: Vec::new(), tlog_entries: Vec::new(), envelope }
    }

    /// Reads a bundle.
    pub fn read(bytes: &[u8]) -> Result<Bundle, BundleError> {
        if has_more(bytes, VALUES) {
            return Err(BundleError::Json("more values than any bundle has".into()));
        }
        let value = parse(bytes, Limits { bytes: LIMIT, depth: 12 })
            .map_err(|error| BundleError::Json(error.to_string()))?;
        only(&value, "", &["mediaType", "verificationMaterial", "dsseEnvelope"])?;
        if value.get("mediaType").and_then(Value::as_str) != Some(MEDIA_TYPE) {
            return Err(BundleError::MediaType);
        }
        let material = value.get("verificationMaterial").ok_or(missing("verificationMaterial"))?;
        only(
            material,
            "verificationMaterial",
            &["publicKey", "tlogEntries", "timestampVerificationData"],
        )?;
        let key = material.get("publicKey").ok_or(missing("verificationMaterial.publicKey"))?;
        only(key, "verificationMaterial.publicKey", &["hint"])?;
        let hint = match key.get("hint") {
            None => "",
            Some(hint) => hint.as_str().ok_or(missing("verificationMaterial.publicKey.hint"))?,
        };
        let tlog_entries = match material.get("tlogEntries") {
            None => Vec::new(),
            Some(entries) => {
                entries.as_array().ok_or(missing("verificationMaterial.tlogEntries"))?.to_vec()
            }
        };
        if tlog_entries.len() > ENTRIES {
            return Err(BundleError::Member(format!("tlogEntries: more than {ENTRIES}")));
        }
        for entry in &tlog_entries {
            Entry::read(entry).map_err(|why| BundleError::Member(format!("tlogEntries: {why}")))?;
        }
        let envelope = value.get("dsseEnvelope").ok_or(missing("dsseEnvelope"))?;
        let envelope = Envelope::from_value(envelope)?;
        if envelope.signatures.len() != 1 {
            return Err(BundleError::Signatures(envelope.signatures.len()));
        }
        Ok(Bundle { hint: hint.into(), timestamps: stamps(material)?, tlog_entries, envelope })
    }

    /// As JSON.
    pub fn write(&self) -> String {
        let key = Value::object([("hint", Value::from(&self.hint))]);
        let mut material = vec![("publicKey".to_owned(), key)];
        if !self.tlog_entries.is_empty() {
            material.push(("tlogEntries".into(), Value::Array(self.tlog_entries.clone())));
        }
        if !self.timestamps.is_empty() {
            let stamps = self.timestamps.iter().map(|der| {
                Value::object([("signedTimestamp", Value::from(seal::base64::std_encode(der)))])
            });
            let stamps = Value::object([("rfc3161Timestamps", Value::array(stamps))]);
            material.push(("timestampVerificationData".into(), stamps));
        }
        let mut text = write_plain(&Value::object([
            ("mediaType", Value::from(MEDIA_TYPE)),
            ("verificationMaterial", Value::Object(material)),
            ("dsseEnvelope", self.envelope.to_value()),
        ]));
        text.push('\n');
        text
    }
}

fn stamps(material: &Value) -> Result<Vec<Vec<u8>>, BundleError> {
    let place = "verificationMaterial.timestampVerificationData";
    let Some(data) = material.get("timestampVerificationData") else { return Ok(Vec::new()) };
    only(data, place, &["rfc3161Timestamps"])?;
    let Some(listed) = data.get("rfc3161Timestamps") else { return Ok(Vec::new()) };
    let stamp = |one: &Value| {
        let text = one.get("signedTimestamp").and_then(Value::as_str)?;
        seal::base64::std_decode(text).ok()
    };
    let listed = listed.as_array().ok_or(missing(place))?;
    listed.iter().map(|one| stamp(one).ok_or(missing(place))).collect()
}

fn only(value: &Value, place: &str, names: &[&str]) -> Result<(), BundleError> {
    let members = value.as_object().ok_or(missing(place))?;
    match members.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(BundleError::Member(format!("{place}: unknown member {name:?}"))),
        None => Ok(()),
    }
}

fn missing(place: &str) -> BundleError {
    let place = if place.is_empty() { "the bundle" } else { place };
    BundleError::Member(format!("{place} is missing or of the wrong type"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::PAYLOAD_TYPE;
    use seal::dsse::{PrivateKey, Signer as _};
    use seal::key::SecretKey;

    fn sample() -> Bundle {
        let key = PrivateKey::ed25519(SecretKey::from_seed([1; 32]));
        let envelope = Envelope::sign(PAYLOAD_TYPE, b"{}".to_vec(), &key).unwrap();
        Bundle::of(envelope, key.public().hint())
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bundle = sample();
        assert_eq!(Bundle::read(bundle.write().as_bytes()), Ok(bundle.clone()));
        bundle.timestamps.push(vec![1, 2]);
        let entry = r#"{"logIndex":"7","logId":{"keyId":"AQ=="},"inclusionPromise":{"signedEntryTimestamp":"AQ=="},"canonicalizedBody":"e30="}"#;
        let entry = parse(entry.as_bytes(), Limits::DOCUMENT).unwrap();
        bundle.tlog_entries.push(entry.clone());
        assert_eq!(Bundle::read(bundle.write().as_bytes()), Ok(bundle.clone()));
        bundle.tlog_entries = vec![entry; ENTRIES + 1];
        assert!(Bundle::read(bundle.write().as_bytes()).is_err());
        bundle.tlog_entries = vec![Value::object([("logIndex", Value::from("7"))])];
        assert!(Bundle::read(bundle.write().as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let text = sample().write();
        for (from, to) in [
            ("bundle.v0.3", "bundle.v0.9"),
            ("\"publicKey\"", "\"certificate\""),
            ("\"hint\"", "\"Hint\""),
            ("\"signatures\":[", "\"signatures\":[{\"sig\":\"aGk=\"},"),
            ("\"dsseEnvelope\"", "\"messageSignature\""),
            ("{\"mediaType\"", "{\"mediaType\":\"x\",\"mediaType\""),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            assert!(Bundle::read(changed.as_bytes()).is_err(), "{changed}");
        }
    }
}
