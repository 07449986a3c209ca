//! A written retention policy: how long the bodies of a ledger stay, by kind of entry.
//!
//! ```yaml
//! version: 1
//! keep:
//!   audit: 400d
//!   receipt: 90d
//!   facts: forever     # as every kind that is not named
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use seal::digest::Digest;

/// Longest policy, bytes.
const LIMIT: usize = 64 * 1024;

/// A policy as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Digest of the file's bytes: what a prune names.
    pub digest: Digest,
    /// Per kind, how long; a kind that is not here stays for ever.
    pub keep: BTreeMap<String, Keep>,
}

/// How long bodies of one kind stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// For ever.
    Forever,
    /// At least so long, milliseconds.
    Millis(u64),
}

/// Why a text is no retention policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// Longer than a policy needs to be.
    #[error("a retention policy has at most {LIMIT} bytes")]
    TooLong,
    /// Not the YAML expected.
    #[error("not a retention policy: {0}")]
    Yaml(String),
    /// A version this reader does not know.
    #[error("version {0} is unknown, expected 1")]
    Version(u64),
    /// Not a length of time.
    #[error("keep.{kind}: {text:?} is no time; expected forever, or a number with d, w or y (90d)")]
    Time {
        /// The kind of entry.
        kind: String,
        /// What stands there.
        text: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    keep: BTreeMap<String, String>,
}

impl Retention {
    /// Reads a policy. Which kinds there are, its user knows.
    pub fn parse(yaml: &str) -> Result<Retention, RetentionError> {
        if yaml.len() > LIMIT {
            return Err(RetentionError::TooLong);
        }
        let options = serde_saphyr::options! {
            merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        };
        let file: File = serde_saphyr::from_str_with_options(yaml, options)
            .map_err(|error| RetentionError::Yaml(error.to_string()))?;
        if file.version != 1 {
            return Err(RetentionError::Version(file.version));
        }
        let keep = file.keep.into_iter().map(|(kind, text)| match time(&text) {
            Some(keep) => Ok((kind, keep)),
            None => Err(RetentionError::Time { kind, text }),
        });
        let keep = keep.collect::<Result<_, _>>()?;
        Ok(Retention { digest: Digest::of(yaml.as_bytes()), keep })
    }
}

fn time(text: &str) -> Option<Keep> {
    if text == "forever" {
        return Some(Keep::Forever);
    }
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "d" => DAY,
        "w" => 7 * DAY,
        "y" => 366 * DAY,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    // Nothing goes on the day it came: a policy of 0 days is a slip.
    (count > 0).then(|| Keep::Millis(count.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_kept() {
        let text =
            "version: 1\nkeep:\n  audit: 400d\n  receipt: 2w\n  config: forever\n  facts: 1y\n";
        let policy = Retention::parse(text).unwrap();
        assert_eq!(policy.digest, Digest::of(text.as_bytes()));
        let day = 86_400_000;
        assert_eq!(policy.keep["audit"], Keep::Millis(400 * day));
        assert_eq!(policy.keep["receipt"], Keep::Millis(14 * day));
        assert_eq!(policy.keep["facts"], Keep::Millis(366 * day));
        assert_eq!(policy.keep["config"], Keep::Forever);
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = |text: &str| Retention::parse(text).expect_err(text);
        for time in ["90", "d", "0d", "-1d", "1.5d", "90 d", "+9d", "never", "", "9m", "९d"] {
            let error = refused(&format!("version: 1\nkeep: {{audit: \"{time}\"}}\n"));
            assert!(matches!(error, RetentionError::Time { .. }), "{time}: {error}");
        }
        assert_eq!(refused("version: 2\nkeep: {}\n"), RetentionError::Version(2));
        for text in [
            "",
            "version: 1\n",
            "keep: {}\n",
            "version: 1\nkeep: {}\nelse: 1\n",
            "version: 1\nkeep: {a: 1d, a: 2d}\n",
        ] {
            assert!(matches!(refused(text), RetentionError::Yaml(_)), "{text}");
        }
        assert_eq!(refused(&"#".repeat(LIMIT + 1)), RetentionError::TooLong);
    }
}
