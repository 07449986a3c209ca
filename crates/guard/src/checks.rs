//! The checks.

pub mod classification_gate;
pub mod content;
pub mod injection;
pub mod owner_resolution;
pub mod scope_drift;
pub mod token_budget;
pub mod tool_policy;
