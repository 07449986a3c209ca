//! The numbers of a request, read as text: a card number does not need quotes to be one.
//!
//! Only numbers long enough to be anyone's are looked at, so ordinary requests pay for a walk over
//! their document and nothing else. What is found has no spot: a number cannot be cut in place, and
//! a string in its stead would change the types that the upstream's API expects, so whatever asks
//! for a redaction is refused.

use chat::exchange::Exchange;
use chat::leaves::{Path, walk_numbers};
use scan::{Engine, Target};

use crate::finder::{Found, Scanned};

/// Scans the numbers of a request, and adds what they hold to what its strings hold.
pub(crate) fn request(
    engine: &Engine,
    exchange: &Exchange,
    found: &mut Vec<Found>,
    scanned: &mut Vec<Scanned>,
) {
    let mut text = String::new();
    let root = Path::Root("");
    for (key, member) in exchange.value.as_object().unwrap_or_default() {
        // Sixteen digits of chance: every fiftieth of them would pass for a card.
        if key == "seed" {
            continue;
        }
        walk_numbers(&Path::Member(&root, key), member, &mut |_, digits| {
            if digits.len() >= DIGITS {
                text.push_str(digits);
                text.push('\n');
            }
        });
    }
    if text.is_empty() {
        return;
    }
    let scan = engine.scan(&text, Target::Input);
    if scanned.is_empty() {
        scanned.push(Scanned::clean(Target::Input, None));
    }
    if let Some(input) = scanned.iter_mut().find(|scanned| scanned.target == Target::Input) {
        input.merge(scan.verdict, scan.hits.iter().map(|hit| hit.rule.clone()));
        scan.hits.iter().for_each(|hit| input.came_from(&hit.source));
    }
    found.extend(scan.hits.iter().map(|hit| Found {
        rule: hit.rule.clone(),
        category: hit.category,
        severity: hit.severity,
        source: hit.source.clone(),
        action: hit.action,
        target: Target::Input,
        decoded: hit.decoded,
        replacement: hit.replacement(),
        spots: Vec::new(),
        role: None,
        message: None,
    }));
}

/// Nothing that has fewer digits is found by any rule.
const DIGITS: usize = 9;
