//! Numbers that outsiders script against have one home each.

use regex::Regex;

use super::at;
use crate::rust::{mask, product_code};
use crate::tree::Tree;

const EXIT: &str = "crates/cli/src/exit.rs";
const PROBLEM: &str = "crates/gateway/src/problem.rs";
/// The simulator stands where a provider stands, so it answers with a provider's numbers.
const SIMULATOR: &str = "crates/gateway/src/simulator.rs";

pub fn exit_numbers(tree: &Tree) -> Vec<String> {
    let pattern =
        Regex::new(r"ExitCode::from\(|process::exit\(|\bexit\(\d").expect("a pattern of this file");
    outside(tree, EXIT, "crates/", &pattern, "exit numbers are in crates/cli/src/exit.rs alone")
}

pub fn status_codes(tree: &Tree) -> Vec<String> {
    let pattern = Regex::new(r"StatusCode::[A-Z][A-Z_]+\b|StatusCode::from_u16|\.status\(\d{3}\)")
        .expect("a pattern of this file");
    outside(
        tree,
        PROBLEM,
        "crates/gateway/src",
        &pattern,
        "HTTP status codes are in problem.rs alone",
    )
}

fn outside(tree: &Tree, home: &str, below: &str, pattern: &Regex, what: &str) -> Vec<String> {
    if tree.text(home).is_none() {
        return vec![format!("{home}: not where it is looked for")];
    }
    let mut broken = Vec::new();
    for (path, text) in tree.rust(&[below]) {
        if path == home || path == SIMULATOR || !path.contains("/src/") {
            continue;
        }
        let code = mask(&product_code(text), true);
        broken.extend(pattern.find_iter(&code).map(|hit| at(path, &code, hit.start(), what)));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_home_is_seen() {
        let tree = Tree::of(&[
            (EXIT, "ExitCode::from(64)"),
            (PROBLEM, "StatusCode::FORBIDDEN"),
            ("crates/gateway/src/flow.rs", "StatusCode::OK; // StatusCode::GONE\n"),
            ("crates/cli/src/main.rs", "std::process::exit(3);"),
        ]);
        assert_eq!(exit_numbers(&tree).len(), 1);
        assert_eq!(
            status_codes(&tree),
            ["crates/gateway/src/flow.rs:1: HTTP status codes are in problem.rs alone"]
        );
    }
}
