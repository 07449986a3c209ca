//! `injection`: text that tries to give the model or its tools other orders.

use scan::{Category, SEMANTIC_RULE, Severity, Source};

use crate::check::{Check, Event, State, Turn};
use crate::config::{InjectionConfig, Response};
use crate::facts::Facts;
use crate::finder::Found;
use crate::verdict::{Cause, Ruling};

/// The check.
#[derive(Debug, Clone)]
pub struct Injection {
    config: InjectionConfig,
}

impl Injection {
    /// With this configuration.
    pub fn new(config: InjectionConfig) -> Injection {
        Injection { config }
    }

    fn ruling(&self, found: &Found) -> Ruling {
        // What a subscription only watches has severity low. The rest asks for what its severity
        // says, wherever it stands: that can be made stronger here, not weaker.
        let signed = matches!(found.source, Source::Feed { .. })
            && matches!(found.severity, Severity::High | Severity::Critical);
        if !signed
            && found.role.as_ref().is_some_and(|role| self.config.exempt_roles.contains(role))
        {
            return Ruling::Allow;
        }
        // An operator tells the model what it is, what to keep to itself and what to refuse. That
        // reads like the milder attacks, and is none where it stands.
        let operator = matches!(found.role.as_deref(), Some("system" | "developer"));
        let response = match (found.category, found.severity) {
            _ if signed => Response::Deny,
            (Category::Engine, _) => self.config.unread,
            (Category::Injection, _) if operator && *found.rule == *SEMANTIC_RULE => {
                Response::Allow
            }
            (Category::Injection, Severity::High | Severity::Critical) => self.config.high,
            (Category::Injection, Severity::Medium | Severity::Low) if operator => Response::Allow,
            (Category::Injection, Severity::Medium) => self.config.medium,
            (Category::Injection, Severity::Low) => self.config.low,
            (Category::Secret | Category::Pii, _) => Response::Allow,
        };
        let cause = || {
            let code = if found.category == Category::Engine { "unreadable" } else { "injection" };
            let reason = format!("rule {} on {}", found.rule, found.target.as_str());
            Cause::new(self.name(), code, reason)
        };
        match response {
            Response::Allow => Ruling::Allow,
            Response::Escalate => Ruling::Escalate(cause()),
            Response::Deny => Ruling::Deny(cause()),
        }
    }
}

impl Check for Injection {
    fn name(&self) -> &'static str {
        "injection"
    }

    fn rule(&self, state: State, event: &Event<'_>, _facts: &Facts) -> Turn {
        let Some(found) = event.found() else { return Turn::allow(state) };
        if !self.config.enabled {
            return Turn::allow(state);
        }
        let ruling = found.iter().map(|found| self.ruling(found)).fold(Ruling::Allow, Ruling::join);
        Turn::ruled(state, ruling)
    }
}
