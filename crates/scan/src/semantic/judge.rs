//! What scores become, and the place for a model of the caller's own.

use std::ops::Range;
use std::sync::Arc;

use seal::digest::Digest;

use super::{Scored, Semantic};
use crate::finding::Hit;
use crate::indicator::Source;
use crate::mode::Mode;
use crate::rule::{Action, Category, Severity, Target};

/// A second opinion from outside of this crate: a model in a local ONNX runtime, for instance. This
/// crate loads none and runs none; whoever does hands it to
/// [`Engine::scan_with`](crate::Engine::scan_with).
///
/// An implementation must be a function: the same text and target give the same score, whatever the
/// load, or else a verdict cannot be replayed. Runtimes that add numbers up in any order do not give
/// that; quantised models on one thread do. It bounds its own time and memory, and keeps no text.
/// Without an answer the scan is incomplete, never clean.
pub trait Judge: Send + Sync {
    /// Stands for everything that decides a score: the bytes of the model and of its vocabulary, and
    /// how its numbers become thousandths. Part of the ruleset's digest
    /// ([`Options::judge`](crate::Options)).
    fn digest(&self) -> Digest;

    /// How much `text` reads like an attack, or `None` when it could not be judged. The range is on
    /// character boundaries; the whole text, when the model says nothing of places.
    fn score(&self, text: &str, target: Target) -> Option<Scored>;
}

/// From which score on something is done. Part of the ruleset's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// Low, in [`Mode::Strict`] alone.
    pub note: u16,
    /// Medium.
    pub alert: u16,
    /// High, where a rule says the same.
    pub together: u16,
    /// High, although no rule says so.
    pub alone: u16,
}

/// Chosen on `corpus/dev`: see `spec/semantic.md`.
pub(crate) const THRESHOLDS: Thresholds =
    Thresholds { note: 700, alert: Semantic::ALERT, together: 985, alone: 998 };

/// Whether anything is done about a score.
pub(crate) fn counts(scored: u16) -> bool {
    scored >= THRESHOLDS.note
}

/// Rule of the layer that comes with the product.
pub const SEMANTIC_RULE: &str = "CS-SEM-001";
/// Rule of a caller's model.
pub(crate) const JUDGE_RULE: &str = "CS-SEM-002";

/// The hit of a score with its place, and whether that had to be decoded. `rules` are the hits of rules in the same text.
pub(crate) fn hit(
    rule: &str,
    (scored, span, decoded): (u16, Range<usize>, bool),
    rules: &[Hit],
    mode: Mode,
) -> Option<Hit> {
    let same = |hit: &Hit| {
        hit.category == Category::Injection && hit.severity >= Severity::Medium && !hit.monitor
    };
    let severity = match THRESHOLDS {
        limit if scored >= limit.alone => Severity::High,
        limit if scored >= limit.together && rules.iter().any(same) => Severity::High,
        limit if scored >= limit.alert => Severity::Medium,
        limit if scored >= limit.note && mode == Mode::Strict => Severity::Low,
        _ => return None,
    };
    Some(Hit {
        rule: rule.into(),
        category: Category::Injection,
        technique: "reads-like-an-attack".into(),
        severity,
        // it raises the verdict; what a stream holds back and cuts out is for rules, which know where
        // their matches begin
        action: Action::Flag,
        span,
        redact: false,
        decoded,
        source: Source::Builtin,
        labels: Arc::default(),
        monitor: false,
    })
}
