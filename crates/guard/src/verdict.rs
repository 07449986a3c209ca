//! What a check says, and how the sayings of several join.

use std::ops::Range;
use std::sync::Arc;

use chat::{Channel, Edit};

/// The answer of a check, or of all of them. Ordered by strength: deny > escalate > redact >
/// allow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ruling {
    /// Nothing to object.
    #[default]
    Allow,
    /// Goes on without these spans.
    Redact(Vec<Redaction>),
    /// A person has to decide.
    Escalate(Cause),
    /// Must not go on.
    Deny(Cause),
}

/// Why something must not go on, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The check that says so.
    pub check: &'static str,
    /// The stable code for audit entries and error bodies.
    pub code: &'static str,
    /// For the operator. Never holds text of the caller or the model.
    pub reason: String,
    /// When trying again makes sense, in seconds; for budgets.
    pub retry_after: Option<u64>,
}

impl Cause {
    /// A cause without a time to try again.
    pub fn new(check: &'static str, code: &'static str, reason: impl Into<String>) -> Cause {
        Cause { check, code, reason: reason.into(), retry_after: None }
    }
}

/// A span that must not go on, and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Redaction {
    /// Which string.
    pub place: Place,
    /// The first byte of the span.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// What stands there instead.
    pub replacement: String,
    /// The rule that asks for it.
    pub rule: Arc<str>,
}

impl Redaction {
    /// The span in bytes.
    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Which string a span lies in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A string of the request.
    Request {
        /// Its JSON pointer.
        pointer: String,
        /// Whether it is the key there rather than the value.
        key: bool,
    },
    /// The accumulated text of a channel of the answer.
    Text {
        /// The choice.
        choice: u32,
        /// The channel.
        channel: Channel,
    },
    /// The accumulated arguments of a proposed tool call.
    Arguments {
        /// The choice.
        choice: u32,
        /// The call's index in the choice.
        index: u32,
    },
}

impl Ruling {
    /// A refusal.
    pub fn deny(check: &'static str, code: &'static str, reason: impl Into<String>) -> Ruling {
        Ruling::Deny(Cause::new(check, code, reason))
    }

    /// `allow`, `redact`, `escalate` or `deny`.
    pub fn name(&self) -> &'static str {
        match self {
            Ruling::Allow => "allow",
            Ruling::Redact(_) => "redact",
            Ruling::Escalate(_) => "escalate",
            Ruling::Deny(_) => "deny",
        }
    }

    /// Whether what was judged must not go on.
    pub fn stops(&self) -> bool {
        matches!(self, Ruling::Escalate(_) | Ruling::Deny(_))
    }

    /// The cause of a refusal or an escalation.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Ruling::Escalate(cause) | Ruling::Deny(cause) => Some(cause),
            Ruling::Allow | Ruling::Redact(_) => None,
        }
    }

    /// The redactions of a redaction.
    pub fn redactions(&self) -> &[Redaction] {
        match self {
            Ruling::Redact(redactions) => redactions,
            Ruling::Allow | Ruling::Escalate(_) | Ruling::Deny(_) => &[],
        }
    }

    /// The stronger of two rulings; of two equally strong the first; all redactions of both.
    #[must_use]
    pub fn join(self, other: Ruling) -> Ruling {
        match (self, other) {
            (Ruling::Redact(mut all), Ruling::Redact(more)) => {
                all.extend(more);
                Ruling::Redact(compose(all))
            }
            (ours, theirs) if theirs.strength() > ours.strength() => theirs,
            (ours, _) => ours,
        }
    }

    /// The redactions of a request as edits of its body.
    pub fn edits(&self) -> Vec<Edit> {
        let edit = |redaction: &Redaction| match &redaction.place {
            Place::Request { pointer, key } => Some(Edit {
                pointer: pointer.clone(),
                key: *key,
                start: redaction.start,
                end: redaction.end,
                replacement: redaction.replacement.clone(),
            }),
            Place::Text { .. } | Place::Arguments { .. } => None,
        };
        self.redactions().iter().filter_map(edit).collect()
    }

    /// The redactions of a text or of arguments, as spans with what replaces them.
    pub fn spans(&self) -> impl Iterator<Item = (Range<usize>, &str)> {
        self.redactions().iter().map(|redaction| (redaction.span(), redaction.replacement.as_str()))
    }

    fn strength(&self) -> u8 {
        match self {
            Ruling::Allow => 0,
            Ruling::Redact(_) => 1,
            Ruling::Escalate(_) => 2,
            Ruling::Deny(_) => 3,
        }
    }
}

/// Sorts redactions and joins those that overlap in one string: the union of the spans, the
/// replacement and rule of the first.
pub(crate) fn compose(mut all: Vec<Redaction>) -> Vec<Redaction> {
    all.sort();
    all.dedup_by(|next, kept| {
        let overlaps = next.place == kept.place
            && (next.start < kept.end || (next.start == kept.start && next.end == kept.end));
        if overlaps {
            kept.end = kept.end.max(next.end);
            if kept.replacement.is_empty() {
                kept.replacement = std::mem::take(&mut next.replacement);
            }
        }
        overlaps
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redaction(start: usize, end: usize, pointer: &str) -> Redaction {
        Redaction {
            place: Place::Request { pointer: pointer.to_owned(), key: false },
            start,
            end,
            replacement: format!("[{start}]"),
            rule: Arc::from("R"),
        }
    }

    fn ruling() -> impl Strategy<Value = Ruling> {
        let span = (0usize..20, 1usize..8, 0usize..2)
            .prop_map(|(start, len, place)| redaction(start, start + len, ["/a", "/b"][place]));
        prop_oneof![
            Just(Ruling::Allow),
            proptest::collection::vec(span, 1..4).prop_map(|all| Ruling::Redact(compose(all))),
            Just(Ruling::Escalate(Cause::new("a", "a", ""))),
            Just(Ruling::deny("b", "b", "")),
        ]
    }

    fn covered(ruling: &Ruling) -> Vec<(Place, usize)> {
        let mut bytes: Vec<(Place, usize)> = ruling
            .redactions()
            .iter()
            .flat_map(|redaction| redaction.span().map(|at| (redaction.place.clone(), at)))
            .collect();
        bytes.sort();
        bytes.dedup();
        bytes
    }

    proptest! {
        #[test]
        fn rulings_form_a_lattice(a in ruling(), b in ruling(), c in ruling()) {
            prop_assert_eq!(a.clone().join(a.clone()), a.clone());
            prop_assert_eq!(a.clone().join(Ruling::Allow), a.clone());
            prop_assert_eq!(a.clone().join(b.clone()).name(), b.clone().join(a.clone()).name());
            let left = a.clone().join(b.clone()).join(c.clone());
            let right = a.clone().join(b.clone().join(c.clone()));
            prop_assert_eq!(left.name(), right.name());
            prop_assert_eq!(covered(&left), covered(&right));
            prop_assert!(left.strength() >= a.strength());
            if let (Ruling::Redact(_), Ruling::Redact(_)) = (&a, &b) {
                let mut union = covered(&a);
                union.extend(covered(&b));
                union.sort();
                union.dedup();
                prop_assert_eq!(covered(&a.clone().join(b.clone())), union);
            }
        }

        #[test]
        fn composed_redactions_never_overlap(spans in proptest::collection::vec((0usize..30, 1usize..9), 0..8)) {
            let all = compose(spans.iter().map(|(start, len)| redaction(*start, start + len, "/a")).collect());
            for pair in all.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
        }
    }
}
