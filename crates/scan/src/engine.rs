//! The engine.
use crate::{Rule, RuleError, Scan, Target};
use seal::digest::Digest;

/// Version of the reading of texts.
pub const ENGINE_VERSION: &str = "1";

/// Compiled rules.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// The rules that come with the product.
    pub fn builtin() -> Engine {
        Engine
    }
    /// An engine over other rules.
    pub fn from_rules(_rules: Vec<Rule>) -> Result<Engine, RuleError> {
        Ok(Engine)
    }
    /// Scans one text.
    pub fn scan(&self, _text: &str, _target: Target) -> Scan {
        Scan::of(Vec::new())
    }
    /// The digest of the body.
    pub fn ruleset_digest(&self) -> Digest {
        Digest::of(b"")
    }
    /// Canonical JSON of rules, thresholds, engine and Unicode version.
    pub fn ruleset_body(&self) -> String {
        String::new()
    }
}
