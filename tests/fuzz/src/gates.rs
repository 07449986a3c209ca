//! Policies of gates, their patterns and conditions, and lists of changed files.

use attest::gate::{Condition, Policy};
use attest::glob::Glob;
use attest::types;

/// The first byte says what the rest is.
pub fn gate(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match first % 4 {
        0 => policy(&text),
        1 => pattern(&text),
        2 => condition(&text),
        _ => list(rest),
    }
}

/// A policy that is accepted has a gate, and each of them something that it requires.
fn policy(text: &str) {
    let Ok(policy) = Policy::parse(text) else { return };
    assert_eq!(Policy::parse(text).as_ref(), Ok(&policy));
    assert!(!policy.gates().is_empty());
    assert!(policy.gates().iter().all(|gate| !gate.require.is_empty()));
}

/// `pattern LF path`.
fn pattern(text: &str) {
    let (pattern, path) = text.split_once('\n').unwrap_or((text, "a/b"));
    let Ok(glob) = Glob::parse(pattern) else { return };
    assert_eq!(glob.as_str(), pattern);
    let fits = glob.fits(path);
    // What stands for itself fits itself, and nothing that is longer by a name.
    if !pattern.contains(['*', '?', '[', '\\']) {
        assert_eq!(fits, pattern == path);
        assert!(glob.fits(pattern) && !glob.fits(&format!("{pattern}/x")));
    }
    if let Ok(all) = Glob::parse(&format!("**/{pattern}")) {
        assert!(!fits || all.fits(path), "{pattern:?} on {path:?}");
    }
}

fn condition(text: &str) {
    for kind in types::ALL {
        if let Ok(condition) = Condition::parse(text, kind) {
            assert_eq!(condition.to_string(), text.trim());
        }
    }
}

/// Every path of a list that is accepted is one below a root.
fn list(bytes: &[u8]) {
    for change in collect::listed_changes(bytes).unwrap_or_default() {
        let names = change.path.split('/');
        assert!(names.into_iter().all(|name| !matches!(name, "" | "." | "..")), "{change:?}");
    }
}

/// Where the target begins.
pub fn seeds() -> Vec<Vec<u8>> {
    let texts: &[&str] = &[
        "\0version: 1\ngates:\n  - id: g\n    paths: [\"app/**\", \"**/*.yaml\"]\n    message: ask\n    require:\n      - {type: prompt, signers: [a, b], threshold: 2, max_age_days: 3, covers: true}\n      - {type: eval, match: any, where: [regression_detected == false, \"metrics.a >= 0.5\"]}\nplaintext:\n  - {type: prompt, paths: [\"app/public/**\"]}\n",
        "\u{1}app/**/[!a-c]?x*.\\*\napp/a/b/dyx1.*",
        "\u{1}**/a/**/b\nx/a/y/a/b",
        "\u{1}app/system.txt\napp/system.txt",
        "\u{2}providers[*].provider in [\"north\", \"south\"]",
        "\u{2}metrics.\"f1.macro\" >= 0.75",
        "\u{2}predicate.sensitivity excludes \"secret\"",
        "\u{3}app/a.txt\r\ndocs/b.md\n",
        "\u{3}app/line\nbreak\0x\0",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
