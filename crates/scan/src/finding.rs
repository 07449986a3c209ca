//! What a scan says: a verdict and the hits behind it.

use std::ops::Range;
use std::sync::Arc;

pub use record::receipt::Verdict;

use crate::indicator::{Indicator, Source};
use crate::mode::Mode;
use crate::rule::{Action, Category, Severity};

/// One rule that fired, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The rule's id, such as `CS-INJ-001`.
    pub rule: Arc<str>,
    /// What kind of thing was found.
    pub category: Category,
    /// The technique, such as `instruction-override`.
    pub technique: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// What the rule asks for.
    pub action: Action,
    /// Byte range in the text as given (on character boundaries). For a hit inside an encoded
    /// run it is the whole run, since that is what has to go.
    pub span: Range<usize>,
    /// Whether the rule asks for the span to be cut out (`action == Redact`).
    pub redact: bool,
    /// Whether the hit was found in text that had to be decoded first.
    pub decoded: bool,
    /// Who wrote what fired.
    pub source: Source,
    /// The publisher's categories, for an indicator or a rule from a file.
    pub labels: Arc<[String]>,
    /// Whether it is only watched: then `severity` is low, whatever the publisher says.
    pub monitor: bool,
}

impl Hit {
    /// An indicator that fired.
    pub(crate) fn of_indicator(indicator: &Indicator, span: Range<usize>, decoded: bool) -> Hit {
        let severity = if indicator.monitor { Severity::Low } else { indicator.severity };
        Hit {
            rule: indicator.id.clone(),
            category: Category::Injection,
            technique: indicator.technique.clone(),
            severity,
            action: if severity > Severity::Low { Action::Block } else { Action::Flag },
            span,
            redact: false,
            decoded,
            source: indicator.source.clone(),
            labels: indicator.categories.clone(),
            monitor: indicator.monitor,
        }
    }

    /// The verdict that this hit leads to. What signed indicators say is not softened, and what was
    /// not looked at is not called clean: both count at least as in [`Mode::Standard`].
    pub fn verdict(&self, mode: Mode) -> Verdict {
        let judged = mode.verdict(self.severity);
        match (&self.source, self.category) {
            _ if self.monitor => Verdict::Clean,
            (Source::Feed { .. }, _) | (_, Category::Engine) => judged.max(self.severity.verdict()),
            (Source::Builtin | Source::File(_), _) => judged,
        }
    }

    /// What stands in the text after redaction; names the rule, never the content.
    pub fn replacement(&self) -> String {
        format!("[REDACTED:{}]", self.technique)
    }
}

/// The result of one scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The worst that the hits say. Hits with [`Action::Redact`] do not raise it: what they name
    /// is removed, and a receipt would otherwise call every message with a phone bill malicious.
    pub verdict: Verdict,
    /// All hits, ordered by place and rule; several rules may name the same place.
    pub hits: Vec<Hit>,
}

impl Scan {
    pub(crate) fn of(mut hits: Vec<Hit>, mode: Mode) -> Scan {
        hits.sort_by(|a, b| {
            let key = |hit: &Hit| (hit.span.start, hit.span.end);
            key(a).cmp(&key(b)).then_with(|| (&a.rule, &a.source).cmp(&(&b.rule, &b.source)))
        });
        hits.dedup_by(|a, b| a.rule == b.rule && a.span == b.span && a.source == b.source);
        let verdict = hits
            .iter()
            .filter(|hit| hit.action != Action::Redact)
            .map(|hit| hit.verdict(mode))
            .max()
            .unwrap_or(Verdict::Clean);
        Scan { verdict, hits }
    }

    /// Whether something was not looked at: encoded data beyond the limits, indicators that asked for
    /// more work than there is, one that could not be looked for. Such a scan is never clean.
    pub fn incomplete(&self) -> bool {
        self.hits.iter().any(|hit| hit.category == Category::Engine)
    }

    /// The hits of one category.
    pub fn of_category(&self, category: Category) -> impl Iterator<Item = &Hit> {
        self.hits.iter().filter(move |hit| hit.category == category)
    }

    /// The ids of the rules that fired, each once, in order.
    pub fn rules(&self) -> Vec<Arc<str>> {
        let mut rules: Vec<Arc<str>> = self.hits.iter().map(|hit| hit.rule.clone()).collect();
        rules.sort();
        rules.dedup();
        rules
    }

    /// The spans to cut out, merged where they overlap, each with its replacement; in order.
    pub fn redactions(&self) -> Vec<(Range<usize>, String)> {
        let mut out: Vec<(Range<usize>, String)> = Vec::new();
        for hit in self.hits.iter().filter(|hit| hit.redact) {
            match out.last_mut() {
                Some((span, _)) if hit.span.start < span.end => {
                    span.end = span.end.max(hit.span.end);
                }
                _ => out.push((hit.span.clone(), hit.replacement())),
            }
        }
        out
    }

    /// The text with everything cut out that the hits ask for, or `None` when that is nothing.
    ///
    /// `text` must be the text that was scanned.
    pub fn redacted(&self, text: &str) -> Option<String> {
        let redactions = self.redactions();
        if redactions.is_empty() {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (span, replacement) in redactions {
            out.push_str(text.get(at..span.start)?);
            out.push_str(&replacement);
            at = span.end;
        }
        out.push_str(text.get(at..)?);
        Some(out)
    }
}
