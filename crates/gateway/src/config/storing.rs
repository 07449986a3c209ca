//! How the ledger stores: the length and age of segments, and for whom bodies are encrypted.

use std::sync::Arc;
use std::time::Duration;

use crypt::{Identities, Recipients};
use seal::Zeroizing;
use seal::json::Value;
use serde::Deserialize;

use super::{Config, ConfigError, keys};

/// For whom bodies are encrypted, and who reads them here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncryptionConfig {
    /// Age public keys; none means that bodies are stored as they are.
    pub recipients: Vec<String>,
    /// Where the identity lies that opens them here: `env:NAME`, `file:PATH` or `command:PROGRAM`.
    pub identity: Option<String>,
}

impl EncryptionConfig {
    /// Every key with the value that holds.
    pub(super) fn settings(&self) -> Value {
        let Self { recipients, identity } = self;
        Value::object([
            ("recipients", Value::array(recipients.iter().map(String::as_str))),
            ("identity", identity.as_deref().into()),
        ])
    }

    /// Whether it names a source, and not the secret itself.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match &self.identity {
            Some(source) if !keys::is_source(source) => Err(ConfigError::Identity(
                "expected env:NAME, file:PATH or command:PROGRAM".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// How the ledger stores, ready to be used.
#[derive(Debug, Clone)]
pub struct Storing {
    /// A segment of this length is full.
    pub segment_bytes: u64,
    /// So is one of this age.
    pub segment_age: Option<Duration>,
    /// For whom bodies are encrypted.
    pub recipients: Option<Arc<Recipients>>,
    /// What opens them here.
    pub identities: Option<Arc<Identities>>,
}

impl Default for Storing {
    fn default() -> Storing {
        let segment_bytes = SEGMENT_BYTES;
        Storing { segment_bytes, segment_age: None, recipients: None, identities: None }
    }
}

/// 64 MiB.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;

impl Config {
    /// Reads the keys. Encryption that this process could not undo is refused: it has to read its
    /// own ledger at the next start.
    pub fn storing(&self) -> Result<Storing, ConfigError> {
        let ledger = &self.ledger;
        let encryption = &ledger.encryption;
        encryption.check()?;
        let identities = match &encryption.identity {
            None => None,
            Some(source) => {
                let refused = |error: &dyn std::fmt::Display| {
                    ConfigError::Identity(format!("{}: {error}", kind_of(source)))
                };
                let text = Zeroizing::new(
                    super::secret(source)
                        .map_err(|_| refused(&"it cannot be read, or is empty"))?,
                );
                Some(Identities::parse(&text).map_err(|error| refused(&error))?)
            }
        };
        let recipients = match encryption.recipients.as_slice() {
            [] => None,
            keys => {
                let recipients = Recipients::parse(keys.iter().map(String::as_str))
                    .map_err(|error| ConfigError::Recipients(error.to_string()))?;
                let opens = |ours: &Identities| ours.open_what_is_for(&recipients);
                if !identities.as_ref().is_some_and(opens) {
                    return Err(ConfigError::Recipients(
                        "ledger.encryption.identity opens nothing that is encrypted for them, so the ledger could not be read at the next start: name the identity of one of them".to_owned(),
                    ));
                }
                Some(Arc::new(recipients))
            }
        };
        Ok(Storing {
            segment_bytes: ledger.segment_bytes,
            segment_age: ledger.segment_age_seconds.map(Duration::from_secs),
            recipients,
            identities: identities.map(Arc::new),
        })
    }
}

/// The source without what may be a path or a command line: enough to find it in the file.
fn kind_of(source: &str) -> &str {
    source.split_once(':').map_or("identity", |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn storing(yaml: &str) -> Result<Storing, ConfigError> {
        Config::parse(&format!("ledger: {{{yaml}}}")).and_then(|config| config.storing())
    }

    #[test]
    fn what_could_not_be_read_again_is_not_encrypted() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("identity.txt");
        std::fs::write(&path, format!("# ours\n{SECRET}\n")).expect("written");
        let ours = format!("identity: 'file:{}'", path.display());
        let good = storing(&format!("encryption: {{recipients: [{PUBLIC}], {ours}}}"));
        let good = good.expect("an identity of theirs");
        assert!(good.recipients.is_some() && good.identities.is_some());
        assert!(!format!("{good:?}").contains("AGE-SECRET"));
        // Read only: what was encrypted once.
        assert!(storing(&format!("encryption: {{{ours}}}")).expect("good").recipients.is_none());
        let other = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";
        for bad in [
            format!("encryption: {{recipients: [{PUBLIC}]}}"),
            format!("encryption: {{recipients: [{other}], {ours}}}"),
            format!("encryption: {{recipients: [nobody], {ours}}}"),
            format!("encryption: {{recipients: [{SECRET}], {ours}}}"),
            format!("encryption: {{recipients: [{PUBLIC}], identity: 'file:/nowhere'}}"),
            format!("encryption: {{identity: {SECRET}}}"),
        ] {
            let error = storing(&bad).expect_err(&bad);
            assert!(!error.to_string().contains("AGE-SECRET"), "{error}");
        }
    }

    #[test]
    fn segments_have_a_length_and_may_have_an_age() {
        let plain = storing("").expect("defaults");
        assert_eq!((plain.segment_bytes, plain.segment_age), (64 << 20, None));
        let set = storing("segment_bytes: 1048576, segment_age_seconds: 86400").expect("good");
        assert_eq!(set.segment_bytes, 1 << 20);
        assert_eq!(set.segment_age, Some(Duration::from_secs(86_400)));
        assert!(storing("segment_bytes: 10").is_err());
        assert!(storing("segment_age_seconds: 0").is_err());
    }
}
