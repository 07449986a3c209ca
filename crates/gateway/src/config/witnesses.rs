//! The section `ledger.witnesses`: who cosigns checkpoints.

use std::path::Path;
use std::time::Duration;

use seal::json::Value;
use seal::policy::Policy;
use serde::Deserialize;

use super::ConfigError;

/// Who cosigns checkpoints.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessesConfig {
    /// `file:PATH` of a policy (C2SP tlog-policy) whose witnesses have addresses; without it nobody
    /// is asked.
    pub policy: Option<String>,
    /// How long a checkpoint waits for them before it is published without those who are missing.
    pub deadline_seconds: u64,
}

impl Default for WitnessesConfig {
    fn default() -> Self {
        Self { policy: None, deadline_seconds: 10 }
    }
}

impl WitnessesConfig {
    /// The policy, read.
    pub(crate) fn policy(&self) -> Result<Option<Policy>, ConfigError> {
        let Some(place) = &self.policy else { return Ok(None) };
        let refused = |why: String| ConfigError::Witnesses(why);
        // What stands there may be anything: it is not repeated.
        let path = place.strip_prefix("file:").filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| refused("expected file: and a path".to_owned()))?;
        let octets = read(Path::new(path)).map_err(|error| refused(error.to_string()))?;
        Policy::parse(&octets).map(Some).map_err(|error| refused(error.to_string()))
    }

    /// How long all of them together have.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds)
    }

    /// Every key with the value that holds.
    pub(super) fn settings(&self) -> Value {
        let Self { policy, deadline_seconds } = self;
        Value::object([
            ("policy", policy.as_deref().into()),
            ("deadline_seconds", (*deadline_seconds).into()),
        ])
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take(POLICY_BYTES + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > POLICY_BYTES {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(octets)
}

/// The longest policy.
const POLICY_BYTES: u64 = 128 << 10;
