//! Agent ids: `agent:billing`, `agent:billing.refunds`.

use std::fmt;
use std::str::FromStr;

/// Longest local part, after `agent:`.
const LOCAL_LIMIT: usize = 128;
const PREFIX: &str = "agent:";

/// The id of an agent. A dot opens a sub-scope: `agent:billing` covers `agent:billing.refunds`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(Box<str>);

/// The text is not an agent id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected agent: and 1 to 128 of a-z 0-9 _ - . beginning with a letter or digit, each dot followed by one"
)]
pub struct AgentIdError;

impl AgentId {
    /// The whole id, with its prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this agent or one of its sub-scopes. `agent:billing` does not cover
    /// `agent:billing-x`.
    pub fn covers(&self, other: &AgentId) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }
}

impl FromStr for AgentId {
    type Err = AgentIdError;

    fn from_str(text: &str) -> Result<Self, AgentIdError> {
        let local = text.strip_prefix(PREFIX).ok_or(AgentIdError)?.as_bytes();
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts_well = local.first().is_some_and(alphanumeric);
        if !starts_well || local.len() > LOCAL_LIMIT {
            return Err(AgentIdError);
        }
        for (at, byte) in local.iter().enumerate() {
            let allowed = match byte {
                b'_' | b'-' => true,
                b'.' => local.get(at + 1).is_some_and(alphanumeric),
                other => alphanumeric(other),
            };
            if !allowed {
                return Err(AgentIdError);
            }
        }
        Ok(AgentId(text.into()))
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_id(text: &str) -> bool {
        text.parse::<AgentId>().is_ok()
    }

    #[test]
    fn the_form_is_exact() {
        for good in ["agent:a", "agent:billing.refunds", "agent:a-_", "agent:0", "agent:a.b.c-"] {
            assert!(is_id(good), "{good}");
        }
        let bad = [
            "",
            "agent:",
            "billing",
            "Agent:a",
            "agent:A",
            "agent:-a",
            "agent:_a",
            "agent:.a",
            "agent:a.",
            "agent:a..b",
            "agent:a.-b",
            "agent:a/b",
            "agent:a\n",
            "agent:a b",
            "agent:é",
        ];
        for bad in bad {
            assert!(!is_id(bad), "{bad:?}");
        }
        assert!(is_id(&format!("agent:{}", "a".repeat(128))));
        assert!(!is_id(&format!("agent:{}", "a".repeat(129))));
    }

    #[test]
    fn scope_ends_at_dots() {
        let id = |text: &str| text.parse::<AgentId>().unwrap();
        assert!(id("agent:billing").covers(&id("agent:billing")));
        assert!(id("agent:billing").covers(&id("agent:billing.refunds")));
        assert!(!id("agent:billing").covers(&id("agent:billing-x")));
        assert!(!id("agent:billing.refunds").covers(&id("agent:billing")));
    }
}
