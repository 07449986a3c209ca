//! The section `ledger.anchors`: who stamps checkpoints, and how often.

use reach::http::Url;
use seal::json::Value;
use serde::Deserialize;

use super::ConfigError;

/// Who stamps checkpoints, and how often.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorsConfig {
    /// Addresses of timestamp authorities. Whose answers count says the trust file.
    pub tsa: Vec<String>,
    /// Seconds between two timestamps of one authority.
    pub interval_seconds: u64,
    /// Not ready when the last timestamp is older; without it readiness does not ask.
    pub overdue_seconds: Option<u64>,
}

impl Default for AnchorsConfig {
    fn default() -> Self {
        Self { tsa: Vec::new(), interval_seconds: 3_600, overdue_seconds: None }
    }
}

impl AnchorsConfig {
    /// The addresses, read.
    pub(crate) fn urls(&self) -> Result<Vec<Url>, ConfigError> {
        // What stands there may be anything: it is not repeated.
        let read =
            |(at, text): (usize, &String)| text.parse().map_err(|_| ConfigError::Tsa(at + 1));
        self.tsa.iter().enumerate().map(read).collect()
    }

    /// Every key with the value that holds.
    pub(super) fn settings(&self) -> Value {
        let Self { tsa, interval_seconds, overdue_seconds } = self;
        Value::object([
            ("tsa", Value::array(tsa.iter().map(String::as_str))),
            ("interval_seconds", (*interval_seconds).into()),
            ("overdue_seconds", overdue_seconds.map_or(Value::Null, Value::from)),
        ])
    }
}
