//! The short form in which rules in other scripts are written.

use super::{Row, native};
use crate::rule::{Rule, Severity, Targets};

/// One row: groups of words that follow one another, with at most `gap` characters between.
pub(super) struct Tongue<'a> {
    pub id: &'a str,
    pub technique: &'a str,
    pub severity: Severity,
    pub gap: u8,
    pub groups: &'a [&'a str],
    pub about: &'a str,
    pub hits: &'a [&'a str],
    pub misses: &'a [&'a str],
}

pub(super) fn rules(tongues: &[Tongue<'_>]) -> Vec<Rule> {
    let rule = |tongue: &Tongue<'_>| {
        Row {
            id: tongue.id,
            technique: tongue.technique,
            severity: tongue.severity,
            targets: Targets::READ,
            pattern: native(tongue.gap, tongue.groups),
            about: tongue.about,
            hits: tongue.hits,
            misses: tongue.misses,
        }
        .injection()
    };
    tongues.iter().map(rule).collect()
}
