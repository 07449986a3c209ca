//! What every repository of this house has, and what every crate of it says.

use crate::tree::Tree;

/// Documents, and a phrase each must hold so that an empty file does not pass.
const DOCUMENTS: &[(&str, &str)] = &[
    ("LICENSE", "Apache License"),
    ("README.md", "./x test"),
    ("ARCHITECTURE.md", "Invariants"),
    ("CHANGELOG.md", "Unreleased"),
    ("CONTRIBUTING.md", "./x test"),
    ("SECURITY.md", "report"),
    ("docs/README.md", "threat-model.md"),
    ("docs/threat-model.md", "not claimed"),
    ("docs/what-we-do-not-claim.md", "not claim"),
    ("spec/README.md", "receipt"),
    ("spec/receipt.md", "provenance-receipt/v1"),
    ("spec/decision-receipt.md", "countersign-decision/v1"),
    ("spec/ledger.md", "checkpoint"),
    ("spec/trust-file.md", "version: 1"),
    ("spec/audit-line.md", "HMAC"),
    ("spec/request-evidence.md", "receipt"),
    ("docs/operating/gateway.md", "upstream"),
    ("docs/checks.md", "owner_resolution"),
    (".ci/run", "./x test"),
    ("deny.toml", "[licenses]"),
    ("Cargo.lock", "[[package]]"),
];

pub fn documents(tree: &Tree) -> Vec<String> {
    DOCUMENTS
        .iter()
        .filter(|(path, phrase)| !tree.text(path).is_some_and(|text| text.contains(phrase)))
        .map(|(path, phrase)| format!("{path}: missing, or it does not speak of {phrase:?}"))
        .collect()
}

/// Lines every crate's manifest has: one licence, one edition, the workspace's lints.
const SETTINGS: &[&str] = &[
    "license.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "publish.workspace = true",
    "[lints]\nworkspace = true",
];

pub fn crate_settings(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with("/Cargo.toml")) {
        let missing = SETTINGS.iter().filter(|setting| !text.contains(*setting));
        broken.extend(missing.map(|setting| format!("{path}: lacks {setting:?}")));
    }
    let root = tree.text("Cargo.toml").unwrap_or_default();
    if !root.contains("unsafe_code = \"forbid\"") {
        broken.push("Cargo.toml: the workspace forbids unsafe code".into());
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_document_and_a_bare_manifest_are_seen() {
        let empty: Vec<(&str, &str)> = DOCUMENTS.iter().map(|(path, _)| (*path, "")).collect();
        assert_eq!(documents(&Tree::of(&empty)).len(), DOCUMENTS.len());
        let bare = Tree::of(&[
            ("Cargo.toml", "unsafe_code = \"forbid\""),
            ("crates/a/Cargo.toml", "[package]"),
        ]);
        assert_eq!(crate_settings(&bare).len(), SETTINGS.len());
    }
}
