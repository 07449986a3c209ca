//! `tool_policy`: which tools a model may ask for, by name.

use crate::check::{Check, Event, State, Turn};
use crate::config::ToolsConfig;
use crate::facts::Facts;
use crate::verdict::Ruling;

/// The check.
#[derive(Debug, Clone)]
pub struct ToolPolicy {
    config: ToolsConfig,
}

impl ToolPolicy {
    /// With this configuration.
    pub fn new(config: ToolsConfig) -> ToolPolicy {
        ToolPolicy { config }
    }
}

impl Check for ToolPolicy {
    fn name(&self) -> &'static str {
        "tool_policy"
    }

    fn rule(&self, state: State, event: &Event<'_>, _facts: &Facts) -> Turn {
        let Event::ToolCall { call, .. } = event else {
            return Turn::allow(state);
        };
        let listed = |list: &[String]| list.contains(&call.name);
        let ruling = if listed(&self.config.denied) {
            Ruling::deny(self.name(), "tool_denied", "the tool is on the list of denied tools")
        } else if self.config.allowed.as_deref().is_some_and(|allowed| !listed(allowed)) {
            Ruling::deny(
                self.name(),
                "tool_not_allowed",
                "the tool is not on the list of allowed tools",
            )
        } else {
            Ruling::Allow
        };
        Turn::ruled(state, ruling)
    }
}
