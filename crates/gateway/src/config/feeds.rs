//! The section `feeds`: how often publishers are asked, and what happens when one stays away.

use seal::json::Value;
use serde::Deserialize;

/// How often publishers are asked, and what happens when one stays away.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeedsConfig {
    /// Seconds between two pulls.
    pub interval_seconds: u64,
    /// How long one question to a publisher may take.
    pub deadline_seconds: u64,
    /// A feed is stale that no publisher confirmed for so long.
    pub stale_seconds: u64,
    /// What a stale feed does.
    pub on_stale: OnStale,
}

/// What a stale feed does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnStale {
    /// It is told: log, metrics, readiness.
    #[default]
    Alarm,
    /// New requests are refused until it is fresh again.
    Refuse,
}

impl OnStale {
    /// As the file has it.
    pub fn as_str(self) -> &'static str {
        match self {
            OnStale::Alarm => "alarm",
            OnStale::Refuse => "refuse",
        }
    }
}

impl Default for FeedsConfig {
    fn default() -> Self {
        Self {
            interval_seconds: 3_600,
            deadline_seconds: 60,
            stale_seconds: 604_800,
            on_stale: OnStale::default(),
        }
    }
}

impl FeedsConfig {
    /// Every key with the value that holds.
    pub(super) fn settings(&self) -> Value {
        let Self { interval_seconds, deadline_seconds, stale_seconds, on_stale } = *self;
        Value::object([
            ("interval_seconds", interval_seconds.into()),
            ("deadline_seconds", deadline_seconds.into()),
            ("stale_seconds", stale_seconds.into()),
            ("on_stale", on_stale.as_str().into()),
        ])
    }
}
