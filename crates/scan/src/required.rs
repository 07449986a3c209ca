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

/// Groups of literals that every match holds one each of, the rarest first; empty when there is no
/// group whose literals all have `shortest` bytes that tell something.
pub(crate) fn literals(hir: &Hir, over: Over, shortest: usize) -> Vec<Literals> {
    let seen = see(hir, over);
    let usable = |literal: &Vec<u8>| match over {
        Over::Folded => {
            literal.iter().filter(|byte| **byte != FOREIGN && **byte != b' ').count() >= shortest
        }
        Over::Raw => literal.len() >= shortest,
    };
    let mut groups: Vec<Literals> = seen.all.into_iter().chain(seen.exact).collect();
    groups.retain(|group| !group.is_empty() && group.iter().all(usable));
    groups.sort_by_key(|group| std::cmp::Reverse(worth(group)));
    groups.dedup();
    groups.truncate(GROUPS);
    groups
}

/// More groups of one expression tell little more.
const GROUPS: usize = 4;

/// What every match begins with, folded; `None` when that is less than two letters.
pub(crate) fn leading(hir: &Hir) -> Option<Literals> {
    let telling = |literals: &Literals| literals.iter().all(|literal| literal.len() >= 2);
    begin(hir).filter(telling)
}

fn begin(hir: &Hir) -> Option<Literals> {
    match hir.kind() {
        HirKind::Capture(capture) => begin(&capture.sub),
        HirKind::Repetition(rep) if rep.min > 0 => begin(&rep.sub),
        HirKind::Alternation(parts) => {
            let each: Option<Vec<Literals>> = parts.iter().map(begin).collect();
            each.map(|each| each.concat())
        }
        HirKind::Concat(parts) => {
            let mut run: Literals = vec![Vec::new()];
            for part in parts {
                match see(part, Over::Folded).exact.and_then(|exact| join(&run, &exact)) {
                    Some(joined) => run = joined,
                    // before anything is known, what follows may begin in its own way
                    None if run.iter().all(Vec::is_empty) => return begin(part),
                    None => break,
                }
            }
            Some(run)
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Repetition(_) => see(hir, Over::Folded).exact,
    }
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
    /// Groups, of each of which every match contains one.
    all: Vec<Literals>,
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
    if literals.len() > MOST {
        Seen::default()
    } else {
        Seen { exact: Some(literals), all: Vec::new() }
    }
}

fn repeated(mut sub: Seen, min: u32, max: Option<u32>) -> Seen {
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
            let mut exact = Some(vec![Vec::new()]);
            for _ in 0..n {
                exact = exact.zip(sub.exact.clone()).and_then(|(left, right)| join(&left, &right));
            }
            sub.all.extend(sub.exact);
            Seen { exact, all: sub.all }
        }
        _ => {
            sub.all.extend(sub.exact);
            Seen { exact: None, all: sub.all }
        }
    }
}

fn in_a_row(parts: &[Hir], over: Over) -> Seen {
    let mut all = Vec::new();
    let mut run: Literals = vec![Vec::new()];
    let mut whole = true;
    for part in parts {
        let seen = see(part, over);
        all.extend(seen.all);
        let next = match seen.exact {
            Some(exact) => match join(&run, &exact) {
                Some(joined) => {
                    run = joined;
                    continue;
                }
                None => exact,
            },
            None => vec![Vec::new()],
        };
        whole = false;
        all.push(std::mem::replace(&mut run, next));
    }
    if whole {
        return Seen { exact: Some(run), all };
    }
    all.push(run);
    Seen { exact: None, all }
}

/// Every match contains what its branch does: one group, of the rarest of each branch.
fn one_of(parts: &[Hir], over: Over) -> Seen {
    let (mut exact, mut each) = (Some(Literals::new()), Some(Literals::new()));
    for part in parts {
        let seen = see(part, over);
        exact = exact.zip(seen.exact.clone()).map(|(all, more)| [all, more].concat());
        let best = seen.all.into_iter().chain(seen.exact).max_by_key(worth);
        each = each.zip(best).map(|(all, more)| [all, more].concat());
    }
    let few = |literals: &Literals| literals.len() <= MOST;
    let exact = exact.filter(few);
    let all = if exact.is_some() { None } else { each.filter(few) };
    Seen { exact, all: all.into_iter().collect() }
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

/// The more, the fewer texts hold one of the group.
fn worth(literals: &Literals) -> usize {
    let telling = |literal: &Vec<u8>| {
        literal.iter().filter(|byte| !matches!(**byte, b' ' | FOREIGN)).count().min(10)
    };
    (literals.iter().map(telling).min().unwrap_or(0) * 16).saturating_sub(literals.len())
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

    fn check(regex: &str, over: Over, expect: &[&[&str]]) {
        let found = literals(&regex_syntax::parse(regex).unwrap(), over, 3);
        let text = |one: &Vec<u8>| String::from_utf8_lossy(one).into_owned();
        let found: Vec<Vec<String>> =
            found.iter().map(|group| group.iter().map(text).collect()).collect();
        assert_eq!(found, expect, "{regex}");
    }

    #[test]
    fn what_every_match_contains() {
        let folded = |regex: &str, expect: &[&[&str]]| check(regex, Over::Folded, expect);
        folded("(?i)ignore", &[&["ignore"]]);
        folded(
            r"(?i)\bignore\s+(all|any)\s+previous",
            &[&["previous"], &["ignore"], &["all", "any"]],
        );
        folded("(?:cat|horse)x", &[&["catx", "horsex"]]);
        folded("colou?r", &[&["color", "colour"]]);
        folded("[a-z]+", &[]);
        folded("a*b*", &[]);
        folded("(?:abcd)?", &[]);
        folded("(?:abcd)+", &[&["abcd"]]);
        folded("abcd|.*", &[]);
        folded("abcd.*x|.*efghi", &[&["abcd", "efghi"]]);
        folded("x{3}yy", &[&["xxxyy"]]);
        folded("(?i)caf\u{e9}s", &[&["cafes"]]);
        folded("\u{4e2d}\u{6587}\u{5b57}", &[]);
        check("\u{4e2d}\u{6587}", Over::Raw, &[&["\u{4e2d}\u{6587}"]]);
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
