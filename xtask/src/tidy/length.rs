//! Past about 600 lines look for the second subject.

use crate::tree::Tree;

const LINES: usize = 600;

/// Longer files, each with the reason why it holds one subject.
const LONG: &[(&str, &str)] =
    &[("crates/record/src/codes.rs", "one table: every finding code with title and remedy")];

pub fn files(tree: &Tree) -> Vec<String> {
    let mut broken: Vec<String> = tree
        .texts()
        .filter(|(path, _)| [".rs", ".py", ".sh"].iter().any(|end| path.ends_with(end)))
        .filter(|(path, _)| !LONG.iter().any(|(long, _)| long == path))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(path, lines)| {
            format!("{path}: {lines} lines; find the second subject, or give the reason in xtask/src/tidy/length.rs")
        })
        .collect();
    let gone =
        LONG.iter().filter(|(path, _)| tree.text(path).is_some_and(|t| t.lines().count() <= LINES));
    broken.extend(gone.map(|(path, _)| format!("{path}: no longer long; take it off the list")));
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_too_many_is_seen() {
        let judge = |lines: usize| files(&Tree::of(&[("a.rs", &"x\n".repeat(lines))])).len();
        assert_eq!((judge(LINES), judge(LINES + 1)), (0, 1));
    }
}
