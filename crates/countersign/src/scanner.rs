//! Scanning text with the product's own rules.

use std::sync::Arc;

use scan::{Category, Engine, Target};
use seal::Digest;

pub use scan::{Hit, Verdict};

/// What to do about a scanned text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Go on.
    Allow,
    /// Go on, and tell somebody.
    Alert,
    /// Do not go on.
    Block,
}

impl Action {
    /// The word: `ALLOW`, `ALERT` or `BLOCK`.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Allow => "ALLOW",
            Action::Alert => "ALERT",
            Action::Block => "BLOCK",
        }
    }
}

/// A text's verdict, and the ruleset that gave it.
#[derive(Clone, Debug)]
pub struct ScanResult {
    /// `CLEAN`, `SUSPICIOUS` or `MALICIOUS`.
    pub verdict: Verdict,
    /// Which rules fired, and where.
    pub hits: Vec<Hit>,
    /// Digest of rules, thresholds and engine version.
    pub ruleset: Digest,
    /// What was scanned, as the receipt's taint tag names it.
    pub target: Target,
}

impl ScanResult {
    /// The recommended action.
    pub fn action(&self) -> Action {
        match self.verdict {
            Verdict::Clean => Action::Allow,
            Verdict::Suspicious => Action::Alert,
            Verdict::Malicious => Action::Block,
        }
    }

    /// Whether something was not looked at: a limit was reached, or a rule could not be run. Such a
    /// text is never clean.
    pub fn incomplete(&self) -> bool {
        self.hits.iter().any(|hit| hit.category == Category::Engine)
    }
}

/// Scans texts. Cheap to clone, usable from many threads.
#[derive(Clone, Debug)]
pub struct Scanner {
    engine: Arc<Engine>,
    ruleset: Digest,
}

impl Scanner {
    /// Over the rules that come with the product.
    pub fn builtin() -> Scanner {
        Scanner::over(Engine::builtin())
    }

    /// Over an engine of other rules.
    pub fn over(engine: Engine) -> Scanner {
        Scanner { ruleset: engine.ruleset_digest(), engine: Arc::new(engine) }
    }

    /// Scans what goes into a model.
    pub fn scan(&self, text: &str) -> ScanResult {
        self.scan_as(text, Target::Input)
    }

    /// Scans a text for what it is: input, output, tool call or tool result.
    pub fn scan_as(&self, text: &str, target: Target) -> ScanResult {
        let scan = self.engine.scan(text, target);
        ScanResult { verdict: scan.verdict, hits: scan.hits, ruleset: self.ruleset, target }
    }

    /// The digest that every scan names.
    pub fn ruleset(&self) -> Digest {
        self.ruleset
    }

    /// The ruleset as canonical JSON, whose digest every scan names.
    pub fn ruleset_body(&self) -> String {
        self.engine.ruleset_body()
    }
}
