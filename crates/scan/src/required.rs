//! What a regular expression cannot match without: literals of which every match holds one; and
//! what it costs to compile and to run.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::normalize::{FOREIGN, fold_char, is_invisible};

/// In which text a literal is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Folded to ASCII: what a disguise comes down to.
    Folded,
    /// As it was given.
    Raw,
}

/// Alternatives, one of which every match contains; letters compare without case.
pub(crate) type Literals = Vec<Vec<u8>>;

/// More alternatives are none.
const MOST: usize = 24;
/// A class of more characters is no letter in several spellings.
const SPELLINGS: usize = 12;
/// Longer literals are cut.
const LONGEST: usize = 48;

/// The best literals that `hir` requires; `None` when there are none of `shortest` bytes.
pub(crate) fn literals(hir: &Hir, over: Over, shortest: usize) -> Option<Literals> {
    let seen = see(hir, over);
    let best = better(seen.best, seen.exact)?;
    let usable = |literal: &Vec<u8>| match over {
        Over::Folded => {
            literal.iter().filter(|byte| **byte != FOREIGN && **byte != b' ').count() >= shortest
        }
        Over::Raw => literal.len() >= shortest,
    };
    best.iter().all(usable).then_some(best)
}

/// What an expression costs: about the states of the automaton it compiles to.
pub(crate) fn price(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => (2 * class.ranges().len()).clamp(1, 1_500),
        HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Repetition(rep) => {
            let times = rep.max.unwrap_or(rep.min.saturating_add(1)).max(1);
            price(&rep.sub).saturating_mul(times as usize)
        }
        HirKind::Capture(capture) => price(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(price).fold(1, usize::saturating_add)
        }
    }
}

#[derive(Default)]
struct Seen {
    /// All it matches, if that is little.
    exact: Option<Literals>,
    /// The best that each match contains.
    best: Option<Literals>,
}

fn see(hir: &Hir, over: Over) -> Seen {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => exactly(vec![Vec::new()]),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => exactly(vec![spell(text, over)]),
            Err(_) => Seen::default(),
        },
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize = class.ranges().iter().map(|range| range.len()).sum();
            if count > SPELLINGS {
                return Seen::default();
            }
            let chars = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            let mut spelled: Literals =
                chars.map(|c| spell(c.encode_utf8(&mut [0; 4]), over)).collect();
            spelled.sort();
            spelled.dedup();
            exactly(spelled)
        }
        HirKind::Class(Class::Bytes(_)) => Seen::default(),
        HirKind::Repetition(rep) => repeated(see(&rep.sub, over), rep.min, rep.max),
        HirKind::Capture(capture) => see(&capture.sub, over),
        HirKind::Concat(parts) => in_a_row(parts, over),
        HirKind::Alternation(parts) => one_of(parts, over),
    }
}

fn exactly(literals: Literals) -> Seen {
    if literals.len() > MOST { Seen::default() } else { Seen { exact: Some(literals), best: None } }
}

fn repeated(sub: Seen, min: u32, max: Option<u32>) -> Seen {
    match (min, max) {
        (1, Some(1)) => sub,
        (0, Some(1)) => match sub.exact {
            Some(mut exact) if exact.len() < MOST => {
                exact.push(Vec::new());
                exactly(exact)
            }
            _ => Seen::default(),
        },
        (0, _) => Seen::default(),
        (n, Some(m)) if n == m && n <= 8 => {
            let best = better(sub.best, sub.exact.clone());
            let mut exact = Some(vec![Vec::new()]);
            for _ in 0..n {
                exact = exact.zip(sub.exact.clone()).and_then(|(left, right)| join(&left, &right));
            }
            Seen { exact, best }
        }
        _ => Seen { exact: None, best: better(sub.best, sub.exact) },
    }
}

fn in_a_row(parts: &[Hir], over: Over) -> Seen {
    let mut best = None;
    let mut run: Option<Literals> = Some(vec![Vec::new()]);
    let mut whole = true;
    for part in parts {
        let seen = see(part, over);
        best = better(best, seen.best);
        match (&run, &seen.exact) {
            (Some(before), Some(exact)) => match join(before, exact) {
                Some(joined) => run = Some(joined),
                None => {
                    whole = false;
                    best = better(best, run);
                    run = seen.exact;
                }
            },
            (_, None) => {
                whole = false;
                best = better(best, run);
                run = Some(vec![Vec::new()]);
            }
            (None, Some(_)) => run = seen.exact,
        }
    }
    if whole { Seen { exact: run, best } } else { Seen { exact: None, best: better(best, run) } }
}

fn one_of(parts: &[Hir], over: Over) -> Seen {
    let (mut exact, mut best) = (Some(Literals::new()), Some(Literals::new()));
    for part in parts {
        let seen = see(part, over);
        exact = exact.zip(seen.exact.clone()).map(|(all, more)| [all, more].concat());
        let each = better(seen.best, seen.exact);
        best = best.zip(each).map(|(all, more)| [all, more].concat());
    }
    let few = |literals: &Literals| literals.len() <= MOST;
    Seen { exact: exact.filter(few), best: best.filter(few) }
}

/// Each of `left` before each of `right`.
fn join(left: &Literals, right: &Literals) -> Option<Literals> {
    if left.len() * right.len() > MOST {
        return None;
    }
    let pairs =
        left.iter().flat_map(|left| right.iter().map(move |right| [&left[..], right].concat()));
    let mut joined: Literals = pairs.collect();
    if joined.iter().any(|literal| literal.len() > LONGEST) {
        return None;
    }
    joined.sort();
    joined.dedup();
    Some(joined)
}

/// The alternatives that stand in fewer texts.
fn better(one: Option<Literals>, other: Option<Literals>) -> Option<Literals> {
    let worth = |literals: &Literals| {
        let rare = |byte: &u8| if matches!(byte, b' ' | &FOREIGN) { 0 } else { 4 };
        let shortest = literals.iter().map(|literal| {
            let letters: usize = literal.iter().map(rare).sum();
            letters.min(40)
        });
        (shortest.min().unwrap_or(0) * 4).saturating_sub(literals.len())
    };
    match (one, other) {
        (Some(one), Some(other)) => Some(if worth(&other) > worth(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The bytes that stand for `text`.
pub(crate) fn spell(text: &str, over: Over) -> Vec<u8> {
    match over {
        Over::Raw => text.to_ascii_lowercase().into_bytes(),
        Over::Folded => {
            let mut bytes = Vec::with_capacity(text.len());
            for c in text.chars().filter(|c| !is_invisible(*c)) {
                if c.is_ascii() {
                    bytes.push(c.to_ascii_lowercase() as u8);
                } else {
                    fold_char(c, &mut |byte| bytes.push(byte.to_ascii_lowercase()));
                }
            }
            bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(regex: &str, over: Over, expect: Option<&[&str]>) {
        let hir = regex_syntax::parse(regex).unwrap();
        let found = literals(&hir, over, 3);
        let found: Option<Vec<String>> =
            found.map(|all| all.into_iter().map(|one| String::from_utf8(one).unwrap()).collect());
        let expect = expect.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(found, expect, "{regex}");
    }

    #[test]
    fn what_every_match_contains() {
        let folded = |regex: &str, expect: Option<&[&str]>| check(regex, Over::Folded, expect);
        folded("(?i)ignore", Some(&["ignore"]));
        folded(r"(?i)\bignore\s+(all|any)\s+previous", Some(&["previous"]));
        folded("(?:cat|horse)x", Some(&["catx", "horsex"]));
        folded("colou?r", Some(&["color", "colour"]));
        folded("[a-z]+", None);
        folded("a*b*", None);
        folded("(?:abcd)?", None);
        folded("(?:abcd)+", Some(&["abcd"]));
        folded("abcd|.*", None);
        folded("x{3}yy", Some(&["xxxyy"]));
        folded("(?i)caf\u{e9}s", Some(&["cafes"]));
        folded("\u{4e2d}\u{6587}\u{5b57}", None);
        check("\u{4e2d}\u{6587}", Over::Raw, Some(&["\u{4e2d}\u{6587}"]));
    }

    #[test]
    fn repetitions_of_repetitions_are_dear() {
        let price = |regex: &str| price(&regex_syntax::parse(regex).unwrap());
        assert!(price("ignore all") < 50);
        assert!(price("(?:a{100}){100}") >= 10_000);
        assert!(price(r"\w{1,40}") > 1_000);
        assert!(price("[a-z]{1,40}") < 100);
    }
}
