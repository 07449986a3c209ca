//! How severities become verdicts.

use crate::finding::Verdict;
use crate::rule::Severity;

/// How much it takes until a text is called suspicious or malicious. Part of the ruleset's digest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// What is only worth a note elsewhere is suspicious here, what is suspicious malicious.
    Strict,
    /// High and critical are malicious, medium is suspicious, low is clean.
    #[default]
    Standard,
    /// Only critical is malicious; high is suspicious.
    Permissive,
}

impl Mode {
    /// All modes.
    pub const ALL: [Mode; 3] = [Mode::Strict, Mode::Standard, Mode::Permissive];

    /// The name used in the ruleset's body and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Strict => "strict",
            Mode::Standard => "standard",
            Mode::Permissive => "permissive",
        }
    }

    /// The verdict that a hit of this severity leads to.
    pub fn verdict(self, severity: Severity) -> Verdict {
        match (self, severity) {
            (Mode::Strict, Severity::Low) => Verdict::Suspicious,
            (Mode::Strict, _) => Verdict::Malicious,
            (Mode::Standard, Severity::Low) => Verdict::Clean,
            (Mode::Standard, Severity::Medium) => Verdict::Suspicious,
            (Mode::Standard, Severity::High | Severity::Critical) => Verdict::Malicious,
            (Mode::Permissive, Severity::Low | Severity::Medium) => Verdict::Clean,
            (Mode::Permissive, Severity::High) => Verdict::Suspicious,
            (Mode::Permissive, Severity::Critical) => Verdict::Malicious,
        }
    }
}
