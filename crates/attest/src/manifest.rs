//! Digests over many files: of a tree, and of a labelled manifest.

use seal::digest::{Digest, Hasher};

use crate::statement::{Subject, push_size};

/// A file below a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
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
    lines(&sorted, |entry, text| {
        line(&entry.path, &entry.digest, entry.size, text);
    })
}

/// The digest of the manifest of subjects: as that of a tree, each line with `role NUL` before it,
/// sorted by role, then path. Two files that change roles change it.
pub fn labelled(subjects: &[Subject]) -> Digest {
    fn key(one: &Subject) -> (&[u8], &[u8]) {
        (one.role.as_bytes(), one.path.as_bytes())
    }
    let mut sorted: Vec<&Subject> = subjects.iter().collect();
    // as they are written, they are sorted; where two are alike, their order is kept
    if !sorted.is_sorted_by(|a, b| key(a) <= key(b)) {
        sorted.sort_by(|a, b| key(a).cmp(&key(b)));
    }
    lines(&sorted, |one, text| {
        text.push_str(&one.role);
        text.push('\0');
        line(&one.path, &one.digest, one.size, text);
    })
}

fn line(path: &str, digest: &Digest, size: u64, text: &mut String) {
    text.push_str(path);
    text.push('\0');
    digest.push_to(text);
    text.push('\0');
    push_size(size, text);
    text.push('\n');
}

/// The digest over the lines of `sorted`, some hundreds at a time.
fn lines<T>(sorted: &[T], each: impl Fn(&T, &mut String)) -> Digest {
    let (mut hasher, mut text) = (Hasher::new(), String::new());
    for some in sorted.chunks(256) {
        text.clear();
        some.iter().for_each(|one| each(one, &mut text));
        hasher.update(text.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, content: &str) -> Entry {
        let size = content.len() as u64;
        Entry { path: path.into(), digest: Digest::of(content.as_bytes()), size }
    }

    fn subject(role: &str, path: &str, content: &str) -> Subject {
        let Entry { path, digest, size } = entry(path, content);
        Subject { role: role.into(), path, digest, size, salt: None }
    }

    #[test]
    fn a_tree_is_known_by_its_bytes() {
        assert_eq!(tree([]), Digest::of(b""));
        let one = entry("a.txt", "hello");
        let hex = "796d9124608d7ddcb3b050f9b42041020f4b628b0fa559f3b810a40cd3af9d89";
        assert_eq!(tree([&one]).hex(), hex);
        let (b, c) = (entry("a/b", "1"), entry("a-b", "2"));
        assert_eq!(tree([&b, &c, &one]), tree([&one, &b, &c]));
    }

    #[test]
    fn roles_count() {
        let files = |a: &str, b: &str| labelled(&[subject(a, "x", "1"), subject(b, "y", "2")]);
        assert_ne!(files("system", "safety"), files("safety", "system"));
        let text = |digest: &Digest| format!("a\0x\0{digest}\x001\nb\0y\0{digest}\x001\n");
        let (x, y) = (subject("a", "x", "1"), subject("b", "y", "1"));
        let told = Digest::of(text(&x.digest).as_bytes());
        assert_eq!(labelled(&[x.clone(), y.clone()]), told);
        assert_eq!(labelled(&[y, x]), told, "files have no order");
    }
}
