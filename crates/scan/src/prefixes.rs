//! How much of a growing text may become a pattern of others: its end may be the beginning of an
//! exact string, or stand behind the words that an expression begins with.

use regex_syntax::hir::Hir;

use crate::filter::{gram, hash};
use crate::hold::HOLD_BACK;
use crate::indicator::{Indicator, Kind};
use crate::needles::parse;
use crate::required::{Over, leading, spell};
use crate::rule::{Severity, Target};

/// Beginnings of patterns, over folded lower-case text.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    /// Sorted, each with how far a match may go from its start; an exact string goes no farther
    /// than itself.
    all: Vec<(Box<[u8]>, usize)>,
    /// One bit for the first four letters of each.
    heads: Box<[u64]>,
    shift: u32,
    /// Lengths of those that a match goes beyond, each once.
    lengths: Vec<usize>,
    /// Some expressions begin with anything: so much is always held.
    always: usize,
}

impl Prefixes {
    /// Of all that ask for more than a note on a text of this target.
    pub fn new(indicators: &[Indicator], target: Target) -> Prefixes {
        let mut made = Prefixes::default();
        for indicator in indicators {
            let acts = !indicator.monitor && indicator.severity > Severity::Low;
            if !acts || !indicator.targets.contains(target) {
                continue;
            }
            match indicator.kind {
                // one character is there or it is not
                Kind::UnicodeSignature => {}
                Kind::Substring => made.add(spell(&indicator.pattern, Over::Folded), 0),
                Kind::Regex => made.expression(&indicator.pattern),
            }
        }
        made.all.sort();
        made.all.dedup_by(|next, before| {
            let same = next.0 == before.0;
            if same {
                before.1 = next.1;
            }
            same
        });
        let bits = (made.all.len() * 16).next_power_of_two().max(64);
        made.shift = 32 - bits.trailing_zeros();
        let mut heads = vec![0u64; bits / 64];
        for (prefix, reach) in &made.all {
            if let Some(head) = prefix.get(..HEAD) {
                let bit = (hash(gram(head)) >> made.shift) as usize;
                if let Some(word) = heads.get_mut(bit / 64) {
                    *word |= 1 << (bit % 64);
                }
            }
            if *reach > prefix.len() {
                made.lengths.push(prefix.len());
            }
        }
        made.heads = heads.into();
        made.lengths.sort_unstable();
        made.lengths.dedup();
        made
    }

    fn add(&mut self, mut prefix: Vec<u8>, reach: usize) {
        if !prefix.is_empty() {
            prefix.truncate(HOLD_BACK);
            self.all.push((prefix.into(), reach));
        }
    }

    fn expression(&mut self, pattern: &str) {
        let Ok(hir) = parse(pattern) else { return };
        let reach = reach(&hir);
        match leading(&hir) {
            Some(literals) => literals.into_iter().for_each(|literal| self.add(literal, reach)),
            None => self.always = self.always.max(reach),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.always == 0
    }

    /// How many characters may have to be held.
    pub fn longest(&self) -> usize {
        let far = self.all.iter().map(|(prefix, reach)| prefix.len().max(*reach));
        far.max().unwrap_or(0).max(self.always).min(HOLD_BACK)
    }

    /// Where the longest part at the end starts that must be held. `end` is the end of the text,
    /// last byte first, folded, each with where its character begins.
    pub fn held(&self, end: impl Iterator<Item = (usize, u8)>) -> Option<usize> {
        let mut end: Vec<(usize, u8)> = end.take(self.longest()).collect();
        end.reverse();
        let bytes: Vec<u8> = end.iter().map(|(_, byte)| byte.to_ascii_lowercase()).collect();
        let always = bytes.len().saturating_sub(self.always);
        let found = (0..bytes.len())
            .find(|at| *at >= always || self.may_become(bytes.get(*at..).unwrap_or_default()))?;
        end.get(found).map(|(at, _)| *at)
    }

    /// Whether `text` and what follows may be, or begin with, a match.
    fn may_become(&self, text: &[u8]) -> bool {
        if let Some(head) = text.get(..HEAD) {
            let bit = (hash(gram(head)) >> self.shift) as usize;
            let word = self.heads.get(bit / 64).copied().unwrap_or(0);
            // those shorter than a head have no bit
            let short = self.lengths.first().is_some_and(|length| *length < HEAD);
            if word >> (bit % 64) & 1 == 0 && !short {
                return false;
            }
        }
        let next = self.all.partition_point(|(prefix, _)| &**prefix < text);
        let longer = self.all.get(next..).unwrap_or_default();
        let longer = longer.iter().take_while(|(prefix, _)| prefix.starts_with(text));
        if longer.take(2).any(|(prefix, _)| prefix.len() > text.len()) {
            return true;
        }
        self.lengths.iter().take_while(|length| **length <= text.len()).any(|length| {
            let head = text.get(..*length).unwrap_or_default();
            let from = self.all.partition_point(|(prefix, _)| &**prefix < head);
            let same = self.all.get(from..).unwrap_or_default();
            let mut same = same.iter().take_while(|(prefix, _)| **prefix == *head);
            same.any(|(_, reach)| text.len() < *reach)
        })
    }
}

const HEAD: usize = 4;

/// How far a match may go, characters; no more than is ever held.
fn reach(hir: &Hir) -> usize {
    hir.properties().maximum_len().unwrap_or(HOLD_BACK).min(HOLD_BACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(patterns: &[(Kind, &str)], text: &str) -> Option<usize> {
        let one = |(kind, pattern): &(Kind, &str)| {
            let pattern = (*pattern).to_owned();
            Indicator::of_feed("a".into(), "", *kind, pattern, Severity::High, vec![])
        };
        let indicators: Vec<Indicator> = patterns.iter().map(one).collect();
        let end = text.bytes().enumerate().rev();
        Prefixes::new(&indicators, Target::Output).held(end)
    }

    #[test]
    fn the_beginning_of_a_pattern_is_held() {
        let exact =
            [(Kind::Substring, "EVIL_TOKEN"), (Kind::Substring, "ab"), (Kind::Substring, "EVIL")];
        for (text, expect) in [
            ("an evil_tok", Some(3)),
            ("an evil", Some(3)),
            ("an evil token", None),
            ("an ev", Some(3)),
            ("evil_token", None),
            ("evil_token a", Some(11)),
            ("ab", None),
            ("", None),
        ] {
            assert_eq!(held(&exact, text), expect, "{text:?}");
        }
    }

    #[test]
    fn an_expression_is_held_from_its_first_words_on() {
        let bounded = [(Kind::Regex, r"(?i)\bcurl\s.{0,20}\$SECRET")];
        assert_eq!(held(&bounded, "so cu"), Some(3));
        assert_eq!(held(&bounded, "so curl x"), Some(3));
        assert_eq!(held(&bounded, &format!("so curl {}", "x".repeat(400))), None);
        let anything = [(Kind::Regex, r"[a-z]{3}@evil\.example")];
        assert_eq!(held(&anything, &"x".repeat(40)), Some(40 - 16));
        let open = [(Kind::Regex, "ignore.*rules")];
        assert_eq!(held(&open, "never ignore them, ever"), Some(6));
    }
}
