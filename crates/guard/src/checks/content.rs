//! `content`: secrets and personal data, cut out exactly or refused, in both directions.

use scan::{Action, Category, Rule};

use crate::check::{Check, Event, State, Turn};
use crate::config::{ContentConfig, Treatment};
use crate::facts::Facts;
use crate::finder::Found;
use crate::verdict::{Redaction, Ruling, compose};

/// The check.
#[derive(Debug, Clone)]
pub struct Content {
    config: ContentConfig,
}

/// Whether the configuration cuts out or refuses what `rule` finds: then the beginning of it must
/// not be released either.
pub(crate) fn acts_on(config: &ContentConfig, rule: &Rule) -> bool {
    let of_category = match rule.category {
        Category::Secret => config.secrets,
        Category::Pii => config.pii,
        Category::Injection | Category::Engine => return false,
    };
    match config.rules.get(&rule.id).copied().unwrap_or(of_category) {
        Treatment::Rule => rule.action != Action::Flag,
        Treatment::Flag => false,
        Treatment::Redact | Treatment::Block => config.enabled,
    }
}

impl Content {
    /// With this configuration.
    pub fn new(config: ContentConfig) -> Content {
        Content { config }
    }

    fn action(&self, found: &Found) -> Action {
        let of_category = match found.category {
            Category::Secret => self.config.secrets,
            Category::Pii => self.config.pii,
            Category::Injection | Category::Engine => return Action::Flag,
        };
        match self.config.rules.get(&*found.rule).copied().unwrap_or(of_category) {
            Treatment::Rule => found.action,
            Treatment::Flag => Action::Flag,
            Treatment::Redact => Action::Redact,
            Treatment::Block => Action::Block,
        }
    }

    fn ruling(&self, found: &Found) -> Ruling {
        match self.action(found) {
            Action::Flag => Ruling::Allow,
            Action::Block => Ruling::deny(
                self.name(),
                "content",
                format!("rule {} on {}", found.rule, found.target.as_str()),
            ),
            Action::Redact if found.spots.is_empty() => Ruling::deny(
                self.name(),
                "content",
                format!(
                    "rule {} on {}, in a place that cannot be edited",
                    found.rule,
                    found.target.as_str()
                ),
            ),
            Action::Redact => {
                // A finding that runs over several strings leaves one mark, in the first.
                let redaction = |(at, spot): (usize, &crate::finder::Spot)| Redaction {
                    place: spot.place.clone(),
                    start: spot.start,
                    end: spot.end,
                    replacement: if at == 0 { found.replacement.clone() } else { String::new() },
                    rule: found.rule.clone(),
                };
                Ruling::Redact(compose(found.spots.iter().enumerate().map(redaction).collect()))
            }
        }
    }
}

impl Check for Content {
    fn name(&self) -> &'static str {
        "content"
    }

    fn rule(&self, state: State, event: &Event<'_>, _facts: &Facts) -> Turn {
        let Some(found) = event.found() else { return Turn::allow(state) };
        if !self.config.enabled {
            return Turn::allow(state);
        }
        // Joined at once: composing after each of many findings would sort them all again and again.
        let mut redactions = Vec::new();
        let mut ruling = Ruling::Allow;
        for found in found {
            match self.ruling(found) {
                Ruling::Redact(more) => redactions.extend(more),
                other => ruling = ruling.join(other),
            }
        }
        if !redactions.is_empty() {
            ruling = ruling.join(Ruling::Redact(compose(redactions)));
        }
        Turn::ruled(state, ruling)
    }
}
