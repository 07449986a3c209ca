//! What a repository of source does not hold.

use crate::tree::Tree;

const LARGEST: usize = 512 * 1024;
const FOLDERS: &[&str] =
    &["target", "vendor", "third_party", "node_modules", "__pycache__", ".venv", ".countersign"];
const ENDINGS: &[&str] = &[
    ".so", ".a", ".o", ".rlib", ".rmeta", ".dll", ".exe", ".pyc", ".wasm", ".zip", ".gz", ".tar",
    ".jar", ".whl",
];

pub fn files(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, bytes) in tree.all() {
        if path.split('/').any(|part| FOLDERS.contains(&part)) {
            broken.push(format!("{path}: build output, vendored code or state of a run"));
        } else if ENDINGS.iter().any(|ending| path.ends_with(ending)) {
            broken.push(format!("{path}: a binary; keep the text and the generator"));
        } else if bytes.len() > LARGEST && path != "Cargo.lock" {
            broken
                .push(format!("{path}: {} bytes; large data is generated, not kept", bytes.len()));
        } else if bytes.starts_with(b"-----BEGIN PRIVATE KEY") && !path.starts_with("vectors/") {
            broken.push(format!("{path}: a private key; keys of tests come from seeds"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_seen() {
        let large = "x".repeat(LARGEST + 1);
        let broken = files(&Tree::of(&[
            ("vendor/a.rs", ""),
            ("lib/b.so", ""),
            ("docs/c.txt", &large),
            ("src/fine.rs", ""),
        ]));
        assert_eq!(broken.len(), 3, "{broken:?}");
    }
}
