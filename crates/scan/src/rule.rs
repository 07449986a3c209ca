//! A rule: what is looked for, how bad it is, what is to be done about it.

use std::fmt;

use crate::finding::Verdict;
use crate::indicator::Source;
use crate::mode::Mode;

/// How bad a hit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a note; the verdict stays clean.
    Low,
    /// Suspicious.
    Medium,
    /// Malicious.
    High,
    /// Malicious in every mode.
    Critical,
}

impl Severity {
    /// The name used in the ruleset's body.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity with this name, in lower or upper case, as feeds and rule files write it.
    pub fn named(name: &str) -> Option<Severity> {
        let all = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        all.into_iter().find(|severity| {
            name == severity.as_str() || name == severity.as_str().to_ascii_uppercase()
        })
    }

    /// The verdict that a hit of this severity leads to in [`Mode::Standard`](crate::Mode).
    pub fn verdict(self) -> Verdict {
        Mode::Standard.verdict(self)
    }
}

/// What a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Only report it.
    Flag,
    /// Cut the span out and go on.
    Redact,
    /// Refuse.
    Block,
}

impl Action {
    /// The name used in the ruleset's body.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Flag => "flag",
            Action::Redact => "redact",
            Action::Block => "block",
        }
    }
}

/// What kind of thing a rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Instructions that try to take over the model or its tools.
    Injection,
    /// Keys, tokens, passwords.
    Secret,
    /// Data about a person.
    Pii,
    /// The engine itself: a limit was reached.
    Engine,
}

impl Category {
    /// The name used in the ruleset's body and in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Injection => "injection",
            Category::Secret => "secret",
            Category::Pii => "pii",
            Category::Engine => "engine",
        }
    }
}

/// Which text is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// What goes to the model.
    Input,
    /// What comes from the model.
    Output,
    /// The arguments of a tool call that the model proposes.
    ToolCall,
    /// What a tool gave back.
    ToolResult,
}

impl Target {
    /// All targets.
    pub const ALL: [Target; 4] =
        [Target::Input, Target::Output, Target::ToolCall, Target::ToolResult];

    /// The name used in taint tags and the ruleset's body.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Input => "input",
            Target::Output => "output",
            Target::ToolCall => "tool_call",
            Target::ToolResult => "tool_result",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Target::Input => 1,
            Target::Output => 2,
            Target::ToolCall => 4,
            Target::ToolResult => 8,
        }
    }
}

/// A set of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Targets(u8);

impl Targets {
    /// Every target.
    pub const ALL: Targets = Targets(15);
    /// What the model reads: input and tool results.
    pub const READ: Targets = Targets(1 | 8);
    /// What the model writes: output and tool calls.
    pub const WRITTEN: Targets = Targets(2 | 4);

    /// What tools give back, and nothing that a person wrote.
    pub const TOOL_RESULT: Targets = Targets(8);

    /// The set of these targets.
    pub fn of(targets: &[Target]) -> Targets {
        Targets(targets.iter().fold(0, |bits, target| bits | target.bit()))
    }

    /// Whether the target is in the set.
    pub fn contains(self, target: Target) -> bool {
        self.0 & target.bit() != 0
    }

    /// The targets in the set, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Target> {
        Target::ALL.into_iter().filter(move |target| self.contains(*target))
    }
}

/// Which reading of the text a regular expression runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// Lower-case ASCII letters and digits with single spaces between words; everything else,
    /// punctuation and line ends included, is a space. Apostrophes vanish (`don't` is `dont`).
    Words,
    /// The text folded to ASCII, but with case, punctuation and spacing as they came.
    Exact,
    /// The text in its own script, in lower case, without marks that writers leave out and with
    /// single spaces for all that is no letter or digit: for rules in Chinese, Arabic or Russian.
    /// A match right behind a word like "not" does not count.
    Native,
}

impl View {
    /// The name used in the ruleset's body.
    pub fn as_str(self) -> &'static str {
        match self {
            View::Words => "words",
            View::Exact => "exact",
            View::Native => "native",
        }
    }
}

/// Things that are found by code: they need a checksum, or look at characters that folding drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detector {
    /// Payment card number with a valid Luhn digit.
    CreditCard,
    /// US social security number of a range that was ever given out.
    UsSsn,
    /// IBAN with valid length and mod-97 check.
    Iban,
    /// E-mail address.
    Email,
    /// Text in Unicode tag characters outside of emoji flags.
    TagCharacters,
    /// Bytes smuggled in runs of variation selectors or invisible operators.
    InvisibleBytes,
    /// Left-to-right or right-to-left override characters.
    BidiOverride,
    /// Zero-width characters between ASCII letters.
    ZeroWidthInWord,
    /// The decoder ran out of fuel (reported by the engine itself).
    Fuel,
}

impl Detector {
    /// The name used in the ruleset's body.
    pub fn as_str(self) -> &'static str {
        match self {
            Detector::CreditCard => "credit-card",
            Detector::UsSsn => "us-ssn",
            Detector::Iban => "iban",
            Detector::Email => "email",
            Detector::TagCharacters => "tag-characters",
            Detector::InvisibleBytes => "invisible-bytes",
            Detector::BidiOverride => "bidi-override",
            Detector::ZeroWidthInWord => "zero-width-in-word",
            Detector::Fuel => "fuel",
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Groups of words that follow one another with at most `gap` other words between.
    ///
    /// An alternative is one or more lower-case words; a trailing `*` takes any ending.
    Phrase {
        /// For each place in the phrase the alternatives.
        groups: Vec<Vec<String>>,
        /// How many other words may stand between two groups.
        gap: u8,
        /// Whether `never`, `do not` and the like right before the phrase turn it around.
        negatable: bool,
        /// Whether each word stands by itself: a phrase of short and common words is not looked
        /// for where spaces were lost, for there it stands in every text.
        apart: bool,
    },
    /// A regular expression, tried only where one literal of every group stands near the others.
    Regex {
        /// What it runs over.
        view: View,
        /// Groups of literals. Every match of the expression must contain one of each group;
        /// letters compare without case. Over [`View::Words`] only letters and digits, over
        /// [`View::Native`] as that view spells them.
        requires: Vec<Vec<String>>,
        /// The expression, in ASCII mode, with a bounded length.
        regex: String,
    },
    /// Code.
    Detector(Detector),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Stable id, `CS-<AREA>-<nnn>`.
    pub id: String,
    /// What kind of thing it finds.
    pub category: Category,
    /// The technique in a few lower-case words joined by hyphens.
    pub technique: String,
    /// How bad a hit is.
    pub severity: Severity,
    /// What a hit asks for.
    pub action: Action,
    /// Where it applies.
    pub targets: Targets,
    /// What it looks for.
    pub pattern: Pattern,
    /// What it is about, in one sentence.
    pub description: String,
    /// Who wrote it.
    pub source: Source,
    /// Texts it must hit. Not part of the digest: they decide nothing.
    pub hits: Vec<String>,
    /// Texts close by that it must not hit.
    pub misses: Vec<String>,
}

/// Why a rule or a set of rules is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Two rules under one id.
    #[error("rule {id}: the id is used twice; give each rule its own")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// The id is not usable in evidence.
    #[error("rule {id}: ids are 1 to 64 characters of A-Z, a-z, 0-9, '-', '_' and '.'")]
    BadId {
        /// The id.
        id: String,
    },
    /// No group, an empty group, or an empty literal.
    #[error("rule {id}: has no usable required literal; name at least one per group")]
    NoLiteral {
        /// The id.
        id: String,
    },
    /// A literal the words view can never contain.
    #[error("rule {id}: literal {literal:?} must be lower-case letters and digits only")]
    BadLiteral {
        /// The id.
        id: String,
        /// The literal.
        literal: String,
    },
    /// Too many groups.
    #[error("rule {id}: {count} groups, at most {limit} are allowed")]
    TooManyGroups {
        /// The id.
        id: String,
        /// How many it has.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The expression does not compile within its size limit.
    #[error("rule {id}: the expression does not compile: {reason}")]
    BadRegex {
        /// The id.
        id: String,
        /// What the compiler said.
        reason: String,
    },
    /// The expression can match text of any length.
    #[error("rule {id}: the expression has no upper bound; bound every repetition")]
    Unbounded {
        /// The id.
        id: String,
    },
    /// The automaton over all literals is too big.
    #[error("the automaton over all literals could not be built: {reason}")]
    Automaton {
        /// What the builder said.
        reason: String,
    },
    /// The ruleset has no canonical form.
    #[error("the ruleset cannot be written canonically: {reason}")]
    Body {
        /// What the writer said.
        reason: String,
    },
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
