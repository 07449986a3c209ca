//! The pure crates: bytes and facts in, values out. Time is an argument.

use regex::Regex;

use super::at;
use crate::rust::product_code;
use crate::tree::Tree;

const PURE: &[&str] = &[
    "crates/seal/src",
    "crates/record/src",
    "crates/stamp/src",
    "crates/chat/src",
    "crates/scan/src",
    "crates/attest/src",
    "crates/guard/src",
    "crates/rego/src",
];

/// What reaches outside, and how it is called in the message.
const OUTSIDE: &[(&str, &str)] = &[
    (r"\b(SystemTime|Instant)\b", "a clock"),
    (r"\bstd::fs\b|\bFile::|\bOpenOptions\b", "a file"),
    (r"\bstd::net\b|\bTcp(Stream|Listener)\b|\bUnixStream\b", "a socket"),
    (r"\bstd::env\b|\benv::(var|args)", "the environment"),
    (r"\bstd::process\b|\bCommand::new\b", "a process"),
    (r"\basync\b|\.await\b|\btokio\b|\bfutures\b", "async"),
    // Scoped threads that compute and end are no outside; those that live on or wait are.
    (r"\bthread::(spawn|sleep|park\w*)\b|\bBuilder::new\(\)[^;]*\.spawn\(", "a thread"),
    (r"\bgetrandom\b|\brand::|\bthread_rng\b|\bOsRng\b", "randomness"),
    (r"\bstd::io::(stdin|stdout|stderr)\b|\be?print(ln)?!", "a terminal"),
    (
        r"\bstatic\s+mut\b|\bstatic\s+\w+\s*:\s*(Mutex|RwLock|Atomic\w+)\b|\bthread_local!",
        "a global",
    ),
];

pub fn touches_nothing_outside(tree: &Tree) -> Vec<String> {
    let outside: Vec<(Regex, &str)> = OUTSIDE
        .iter()
        .map(|(pattern, what)| (Regex::new(pattern).expect("a pattern of this file"), *what))
        .collect();
    let mut broken = Vec::new();
    for (path, text) in tree.rust(PURE).filter(|(path, _)| !path.ends_with("/tests.rs")) {
        let code = product_code(text);
        for (pattern, what) in &outside {
            let hits = pattern.find_iter(&code);
            broken.extend(hits.map(|hit| {
                at(
                    path,
                    &code,
                    hit.start(),
                    &format!("a pure crate touches {what}: {}", hit.as_str()),
                )
            }));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reach_outside_is_seen_but_not_in_comments_or_tests() {
        let blunt = "use std::time::Instant;\nasync fn f() { std::fs::read(\"x\"); }\nstatic mut N: u8 = 0;\n";
        assert_eq!(touches_nothing_outside(&Tree::of(&[("crates/seal/src/a.rs", blunt)])).len(), 4);
        let spawned = "fn f() { std::thread::Builder::new()\n.stack_size(9)\n.spawn(g).ok(); }\n";
        assert_eq!(
            touches_nothing_outside(&Tree::of(&[("crates/rego/src/a.rs", spawned)])).len(),
            1
        );
        let scoped = "fn f() { std::thread::Builder::new().spawn_scoped(scope, g).ok(); }\n";
        assert!(touches_nothing_outside(&Tree::of(&[("crates/rego/src/a.rs", scoped)])).is_empty());
        let fine = "// std::fs\nfn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert!(touches_nothing_outside(&Tree::of(&[("crates/seal/src/a.rs", fine)])).is_empty());
        assert!(
            touches_nothing_outside(&Tree::of(&[("crates/ledger/src/a.rs", blunt)])).is_empty()
        );
    }
}
