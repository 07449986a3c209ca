//! `classification_gate`: nobody works above their clearance.

use crate::check::{Check, Event, State, Turn};
use crate::config::ClassificationConfig;
use crate::facts::{Facts, Identity, Want};
use crate::verdict::Ruling;

/// How sensitive something is, from open to closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Unclassified.
    #[default]
    Unclass,
    /// Controlled unclassified information.
    Cui,
    /// Secret. Markings of confidential information count as this: there is no level between.
    Secret,
    /// Top secret.
    Ts,
    /// Top secret, sensitive compartmented information.
    TsSci,
}

impl Level {
    /// The name in headers and evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Unclass => "UNCLASS",
            Level::Cui => "CUI",
            Level::Secret => "SECRET",
            Level::Ts => "TS",
            Level::TsSci => "TS_SCI",
        }
    }

    /// Reads a name, without regard to case; `None` for any word that is not one.
    pub fn parse(text: &str) -> Option<Level> {
        match text.to_ascii_uppercase().as_str() {
            "UNCLASS" | "UNCLASSIFIED" | "U" => Some(Level::Unclass),
            "CUI" => Some(Level::Cui),
            "SECRET" | "S" => Some(Level::Secret),
            "TS" | "TOP SECRET" | "TOP_SECRET" => Some(Level::Ts),
            "TS_SCI" | "TS/SCI" | "TS//SCI" => Some(Level::TsSci),
            _ => None,
        }
    }
}

/// Why a level cannot be read from a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// Sent twice.
    #[error("the header {0} was sent more than once")]
    Duplicate(&'static str),
    /// Not a level.
    #[error("the header {0} must be one of UNCLASS, CUI, SECRET, TS, TS_SCI")]
    Unknown(&'static str),
}

impl LevelError {
    fn code(self) -> &'static str {
        match self {
            LevelError::Duplicate(_) => "classification_duplicate",
            LevelError::Unknown(_) => "classification_unknown",
        }
    }
}

/// The classification of the request (`X-Classification`), UNCLASS when not sent.
///
/// # Errors
/// The header is no level, or there are two.
pub fn classification(identity: &Identity) -> Result<Level, LevelError> {
    level(identity, "X-Classification")
}

/// The clearance of the caller (`X-Caller-Clearance`), UNCLASS when not sent.
///
/// # Errors
/// The header is no level, or there are two.
pub fn clearance(identity: &Identity) -> Result<Level, LevelError> {
    level(identity, "X-Caller-Clearance")
}

fn level(identity: &Identity, header: &'static str) -> Result<Level, LevelError> {
    let mut values = identity.values(header);
    let Some(value) = values.next() else {
        return Ok(Level::Unclass);
    };
    if values.next().is_some() {
        return Err(LevelError::Duplicate(header));
    }
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| Level::parse(text.trim_ascii()))
        .ok_or(LevelError::Unknown(header))
}

/// The check.
#[derive(Debug, Clone)]
pub struct ClassificationGate {
    config: ClassificationConfig,
}

impl ClassificationGate {
    /// With this configuration.
    pub fn new(config: ClassificationConfig) -> ClassificationGate {
        ClassificationGate { config }
    }
}

impl Check for ClassificationGate {
    fn name(&self) -> &'static str {
        "classification_gate"
    }

    fn rule(&self, state: State, event: &Event<'_>, facts: &Facts) -> Turn {
        let Event::Request { .. } = event else {
            return Turn::allow(state);
        };
        if !self.config.enabled {
            return Turn::allow(state);
        }
        let Some(identity) = &facts.identity else {
            return Turn::want(state, Want::Identity);
        };
        let ruling = match (classification(identity), clearance(identity)) {
            (Ok(needed), Ok(held)) if held >= needed => Ruling::Allow,
            (Ok(needed), Ok(held)) => Ruling::deny(
                self.name(),
                "clearance_too_low",
                format!(
                    "the request is {}, the caller is cleared for {}",
                    needed.as_str(),
                    held.as_str()
                ),
            ),
            (Err(error), _) | (_, Err(error)) => {
                Ruling::deny(self.name(), error.code(), error.to_string())
            }
        };
        Turn::ruled(state, ruling)
    }
}
