//! Digests over many files: of a tree, and of a labelled manifest.

use seal::digest::{Digest, Hasher};

/// A file below a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// What it is for; empty in a plain tree.
    pub role: String,
    /// Relative to the root, with `/`.
    pub path: String,
    /// Of its content.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
}

/// The digest of a tree: entries sorted by the bytes of their paths, each as
/// `path NUL "sha256:" hex NUL size LF`.
pub fn tree<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Digest {
    let mut sorted: Vec<&Entry> = entries.into_iter().collect();
    sorted.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    let mut hasher = Hasher::new();
    for entry in sorted {
        line(entry, &mut hasher);
    }
    hasher.finish()
}

/// The digest of a manifest whose entries have roles: as that of a tree, each line with `role NUL`
/// before it, sorted by role, then path. Two files that change roles change it.
pub fn labelled<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Digest {
    let mut sorted: Vec<&Entry> = entries.into_iter().collect();
    sorted.sort_by(|a, b| (&a.role, a.path.as_bytes()).cmp(&(&b.role, b.path.as_bytes())));
    let mut hasher = Hasher::new();
    for entry in sorted {
        hasher.update(entry.role.as_bytes());
        hasher.update(&[0]);
        line(entry, &mut hasher);
    }
    hasher.finish()
}

fn line(entry: &Entry, hasher: &mut Hasher) {
    hasher.update(entry.path.as_bytes());
    hasher.update(&[0]);
    hasher.update(entry.digest.text().as_bytes());
    hasher.update(&[0]);
    hasher.update(entry.size.to_string().as_bytes());
    hasher.update(b"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(role: &str, path: &str, content: &str) -> Entry {
        Entry {
            role: role.into(),
            path: path.into(),
            digest: Digest::of(content.as_bytes()),
            size: content.len() as u64,
        }
    }

    #[test]
    fn a_tree_is_known_by_its_bytes() {
        assert_eq!(tree([]), Digest::of(b""));
        let one = entry("", "a.txt", "hello");
        let hex = "796d9124608d7ddcb3b050f9b42041020f4b628b0fa559f3b810a40cd3af9d89";
        assert_eq!(tree([&one]).hex(), hex);
        let (b, c) = (entry("", "a/b", "1"), entry("", "a-b", "2"));
        assert_eq!(tree([&b, &c, &one]), tree([&one, &b, &c]));
    }

    #[test]
    fn roles_count() {
        let files = |a: &str, b: &str| labelled([&entry(a, "x", "1"), &entry(b, "y", "2")]);
        assert_ne!(files("system", "safety"), files("safety", "system"));
        assert_ne!(files("a", "a"), tree([&entry("a", "x", "1"), &entry("a", "y", "2")]));
    }
}
