//! `owner_resolution`: every request has exactly one owner who commits to it.

use crate::check::{Check, Event, State, Turn};
use crate::config::OwnerConfig;
use crate::facts::{Facts, Identity, Want};
use crate::owner::{Owner, OwnerError, resolve};
use crate::verdict::Ruling;

/// The check.
#[derive(Debug, Clone)]
pub struct OwnerResolution {
    config: OwnerConfig,
}

impl OwnerResolution {
    /// With this configuration.
    pub fn new(config: OwnerConfig) -> OwnerResolution {
        OwnerResolution { config }
    }
}

/// The owner of a request under a configuration.
///
/// # Errors
/// There is none that may be accepted.
pub fn owner(config: &OwnerConfig, identity: &Identity) -> Result<Owner, OwnerError> {
    match resolve(identity) {
        Err(OwnerError::Missing) if !config.required => Ok(Owner::unattributed()),
        resolved => resolved,
    }
}

impl Check for OwnerResolution {
    fn name(&self) -> &'static str {
        "owner_resolution"
    }

    fn rule(&self, state: State, event: &Event<'_>, facts: &Facts) -> Turn {
        let Event::Request { .. } = event else {
            return Turn::allow(state);
        };
        let Some(identity) = &facts.identity else {
            return Turn::want(state, Want::Identity);
        };
        match owner(&self.config, identity) {
            Ok(_) => Turn::allow(state),
            Err(error) => {
                Turn::ruled(state, Ruling::deny(self.name(), error.code(), error.to_string()))
            }
        }
    }
}
