//! What others look for: indicators of signed feeds and rules from files, as they are handed to the
//! engine. Their patterns are exact strings, sets of characters and regular expressions; spec/rules.md
//! says what each may be.

use std::sync::Arc;

pub use record::ioc::Kind;
use record::ioc::{self, SignedIoc};

use crate::rule::{Severity, Targets};

/// Who a rule or an indicator comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// It comes with the product.
    #[default]
    Builtin,
    /// A rule file, by its name.
    File(Arc<str>),
    /// A signed feed.
    Feed {
        /// Who signed it, as the feed says and the pin allows.
        issuer: Arc<str>,
        /// The indicator: `sha256:` and 64 hexadecimal digits.
        content_hash: Arc<str>,
    },
}

impl Source {
    /// `builtin`, `file` or `feed:<issuer>`.
    pub fn name(&self) -> String {
        match self {
            Source::Builtin => "builtin".to_owned(),
            Source::File(_) => "file".to_owned(),
            Source::Feed { issuer, .. } => format!("feed:{issuer}"),
        }
    }

    /// The indicator's content hash, for one that came from a feed.
    pub fn content_hash(&self) -> Option<&str> {
        match self {
            Source::Builtin | Source::File(_) => None,
            Source::Feed { content_hash, .. } => Some(content_hash),
        }
    }
}

/// One pattern that somebody else wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// What its hits are called: `feed:<issuer>:<16 hexadecimal digits>`, or the rule's id.
    pub id: Arc<str>,
    /// Who it comes from.
    pub source: Source,
    /// How the pattern is read.
    pub kind: Kind,
    /// What is looked for.
    pub pattern: String,
    /// How bad a hit is; a hit asks at least for what its severity says.
    pub severity: Severity,
    /// The publisher's categories.
    pub categories: Arc<[String]>,
    /// The technique, for people.
    pub technique: Arc<str>,
    /// Only report it: hits are of severity low, whatever the publisher says.
    pub monitor: bool,
    /// Where it applies.
    pub targets: Targets,
}

impl Indicator {
    /// An indicator of a signed feed, for every direction. `content_hash` is `sha256:` and 64
    /// hexadecimal digits.
    pub fn of_feed(
        issuer: Arc<str>,
        content_hash: &str,
        kind: Kind,
        pattern: String,
        severity: Severity,
        categories: Vec<String>,
    ) -> Indicator {
        // the issuer is free text; an id goes into evidence, taint tags and terminals
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = issuer.chars().take(64).map(plain).collect();
        let short = content_hash.get(7..23).unwrap_or(content_hash);
        Indicator {
            id: format!("feed:{name}:{short}").into(),
            source: Source::Feed { issuer, content_hash: content_hash.into() },
            kind,
            pattern,
            severity,
            categories: categories.into(),
            technique: "signed-ioc".into(),
            monitor: false,
            targets: Targets::ALL,
        }
    }

    /// An indicator of a feed that was verified: its issuer is the one that the pin stands for.
    pub fn of_ioc(signed: &SignedIoc) -> Indicator {
        let ioc = &signed.ioc;
        let severity = match ioc.severity {
            ioc::Severity::Low => Severity::Low,
            ioc::Severity::Medium => Severity::Medium,
            ioc::Severity::High => Severity::High,
            ioc::Severity::Critical => Severity::Critical,
        };
        Indicator::of_feed(
            ioc.issuer.as_str().into(),
            &signed.content_hash.to_string(),
            ioc.kind,
            ioc.pattern.clone(),
            severity,
            ioc.categories.clone(),
        )
    }

    /// The same, only reported.
    #[must_use]
    pub fn monitored(mut self) -> Indicator {
        self.monitor = true;
        self
    }
}

/// A pattern that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where it stood in the list that was given.
    pub index: usize,
    /// The indicator's id.
    pub id: Arc<str>,
    /// What is wrong with it.
    pub reason: Refusal,
}

/// Why a pattern is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing to look for.
    #[error("the pattern is empty")]
    Empty,
    /// More than is taken.
    #[error("the pattern has {length} bytes, at most {limit} are taken")]
    TooLong {
        /// Its length, bytes.
        length: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// A single letter is in every text.
    #[error("the pattern is a single ASCII character, which every text has; use two or more")]
    TooShort,
    /// Not a list of code points.
    #[error("{reason}")]
    BadSignature {
        /// What stands in place of a code point.
        reason: String,
    },
    /// The expression cannot be read.
    #[error("the expression cannot be read: {reason}")]
    BadRegex {
        /// What is wrong and where.
        reason: String,
    },
    /// The expression matches the empty text, and so every text.
    #[error("the expression matches the empty text, and so every text")]
    MatchesEmpty,
    /// The expression is too big.
    #[error(
        "the expression costs {price}, at most {limit} is allowed; use fewer or shorter repetitions, or [a-z0-9_] for \\w"
    )]
    TooDear {
        /// About the states it compiles to.
        price: usize,
        /// The limit.
        limit: usize,
    },
    /// Reading the expression alone takes too long.
    #[error("the expression has more than {limit} classes such as \\w or \\pL")]
    TooManyClasses {
        /// The limit.
        limit: usize,
    },
    /// All of its source's expressions together are too big.
    #[error("with this expression those of its source cost more than {limit}")]
    SourceTooDear {
        /// The limit for one source.
        limit: usize,
    },
    /// Nothing that every match contains, and the slow lane is full.
    #[error(
        "no three letters stand in every match, so that every text would have to be read with it; {limit} such expressions are allowed"
    )]
    NoLiteral {
        /// How many are allowed.
        limit: usize,
    },
    /// Its letters are those of too many others.
    #[error("{limit} other literals are looked for by the same letters")]
    Crowded {
        /// How many may be.
        limit: u32,
    },
    /// More than the engine takes.
    #[error("more than {limit} patterns")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

/// What patterns from outside may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many patterns there may be.
    pub patterns: usize,
    /// Bytes of one pattern.
    pub pattern_bytes: usize,
    /// About the states that one expression compiles to.
    pub price: usize,
    /// The same for all expressions of one source.
    pub source_price: usize,
    /// How many expressions without a literal may be run over every text.
    pub slow: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            patterns: 200_000,
            pattern_bytes: ioc::PATTERN_LIMIT,
            price: 32_768,
            source_price: 32_000_000,
            slow: 16,
        }
    }
}
