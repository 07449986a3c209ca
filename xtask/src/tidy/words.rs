//! Words that do not belong into a commit. Patterns are spelled so that this file does not match.

use regex::Regex;

use super::at;
use crate::rust::product_code;
use crate::tree::Tree;

/// Unfinished work, silenced tests, and the one library call that must never give a verdict:
/// a signer can craft signatures that pass a batch and fail alone.
const UNFINISHED: &[(&str, &str)] = &[
    (r"\btod[o]!\(", "unfinished"),
    (r"\bunimplemente[d]!\(", "unfinished"),
    (r"\bFIXM[E]\b|\bXX[X]\b|\bHAC[K]\b", "a note to finish"),
    (r"#\[ignor[e]", "a silenced test"),
    (r"assert!\(tru[e]\)", "a test that cannot fail"),
    (r"\bverify_batc[h]\b", "batch verification is no verdict; verify each signature strictly"),
    (r"\ballow\((warnings|clippy::all)\)", "lints are silenced one by one, with a reason"),
];

pub fn unfinished(tree: &Tree) -> Vec<String> {
    search(tree.texts().filter(|(path, _)| path.ends_with(".rs")), UNFINISHED, |text| {
        text.to_string()
    })
}

/// Files, or folders, where waiting by the clock is the thing itself, with the reason.
const MAY_SLEEP: &[(&str, &str)] = &[
    ("crates/gateway/src/server.rs", "out of descriptors, accepting pauses instead of spinning"),
    ("crates/logd/src/door.rs", "out of descriptors, accepting pauses instead of spinning"),
    ("crates/gateway/src/state.rs", "the process that owns a directory is looked for again"),
    (
        "crates/ledger/src/socket/seat.rs",
        "a sequencer is looked for again, a busy one is left alone",
    ),
    (
        "crates/ledger/src/socket/serve.rs",
        "out of descriptors, accepting pauses instead of spinning",
    ),
    (
        "crates/reach/src/secret.rs",
        "a program that closed its output is waited for within its deadline: std tells no other way",
    ),
    (
        "crates/gateway/src/patient.rs",
        "the deadline of a write that makes no progress; nothing is awaited by the clock alone",
    ),
    (
        "crates/cli/src/cmd/attest/enter.rs",
        "the checkpoint over an entry is signed by another process, within a deadline: a file tells no other way",
    ),
    ("benches/", "a bench watches processes and asserts nothing"),
];

pub fn sleeps(tree: &Tree) -> Vec<String> {
    let files = tree.texts().filter(|(path, _)| {
        path.ends_with(".rs") && !MAY_SLEEP.iter().any(|(may, _)| path.starts_with(may))
    });
    let pattern =
        [(r"\bslee[p]\(", "a sleep: wait for the thing itself, or give the reason in words.rs")];
    search(files, &pattern, product_code)
}

/// Constants of the wire formats we speak, which keep the names their publishers gave them.
const WIRE: &[&str] = &[
    concat!("rau", "cle-detect/provenance"),
    concat!("rau", "cle/v1"),
    concat!("rau", "cle\\\\/v1"),
    concat!("rau", "cle/pq1"),
    concat!("rau", "cle-feed/v1"),
    concat!("rau", "cle-provenance-receipt/v1"),
    concat!("rau", "cle-detect/"),
    concat!("rau", "cle-detect\\\\/"),
    concat!("\"rau", "cle\""),
    concat!("\\\"rau", "cle\\\""),
    concat!("\"rau", "cle-detect\""),
    concat!("`rau", "cle`"),
    concat!("X-Sig", "net-Receipt"),
    concat!("x-sig", "net-receipt"),
    concat!("X-Sig", "net-Session"),
    concat!("x-sig", "net-session"),
    concat!("sig", "net=v1"),
    concat!("sig", "net=v2"),
    concat!("\"sig", "net\""),
];

/// Where other implementations of the formats are installed and called, by their packages' names.
const PEERS: &str = "tests/python/";

pub fn product_names(tree: &Tree) -> Vec<String> {
    let pattern = [(
        concat!(r"(?i)\b(rau", r"cle|sig", r"net)\b"),
        "another product's name; it belongs into wire constants alone",
    )];
    let named = |path: &str| path.ends_with("Cargo.lock") || path.starts_with(PEERS);
    search(tree.texts().filter(|(path, _)| !named(path)), &pattern, |text| {
        WIRE.iter().fold(text.to_string(), |text, constant| {
            text.replace(constant, &"-".repeat(constant.len()))
        })
    })
}

/// Paths of one machine, and package registries: cargo and pip know where packages come from.
const MACHINES: &[(&str, &str)] = &[
    (r"/[w]ork/|/[r]oot/|/hom[e]/[a-z]", "a path of one machine"),
    (r"crates\.i[o]\b|\bpypi\.or[g]\b|pythonhoste[d]|docs\.r[s]\b", "a registry's host"),
];

pub fn machines(tree: &Tree) -> Vec<String> {
    // The corpus quotes what people and attackers write, paths included.
    let quoted = |path: &str| path.ends_with("Cargo.lock") || path.starts_with("corpus/");
    search(tree.texts().filter(|(path, _)| !quoted(path)), MACHINES, |text| text.to_string())
}

fn search<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)>,
    patterns: &[(&str, &str)],
    prepare: impl Fn(&str) -> String,
) -> Vec<String> {
    let patterns: Vec<(Regex, &str)> = patterns
        .iter()
        .map(|(pattern, what)| (Regex::new(pattern).expect("a pattern of this file"), *what))
        .collect();
    let mut broken = Vec::new();
    for (path, text) in files {
        let text = prepare(text);
        for (pattern, what) in &patterns {
            broken.extend(
                pattern
                    .find_iter(&text)
                    .map(|hit| at(path, &text, hit.start(), &format!("{what}: {}", hit.as_str()))),
            );
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_seen() {
        let text = concat!("tod", "o!()\n#[ignor", "e]\nverify_batc", "h\nthread::slee", "p(x)\n");
        let tree = Tree::of(&[("a.rs", text)]);
        assert_eq!((unfinished(&tree).len(), sleeps(&tree).len()), (3, 1));
        assert!(unfinished(&tree)[1].starts_with("a.rs:2:"));
    }

    #[test]
    fn a_wire_constant_may_carry_a_name() {
        let fine =
            Tree::of(&[("a.rs", concat!("const ISS: &str = \"rau", "cle-detect/provenance\";"))]);
        assert!(product_names(&fine).is_empty());
        let broken = Tree::of(&[("README.md", concat!("like Sig", "net and Rau", "cle"))]);
        assert_eq!(product_names(&broken).len(), 2);
    }

    #[test]
    fn machines_and_registries_are_seen() {
        let tree = Tree::of(&[("x", concat!("cd /wor", "k/a; curl https://crates.i", "o/x"))]);
        assert_eq!(machines(&tree).len(), 2);
    }
}
