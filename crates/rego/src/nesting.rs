//! How deep brackets lie in each other. The engine's parser tries each bracket as a list and as a
//! comprehension, so that every level doubles its work.

/// Most brackets in each other.
pub const DEEPEST: usize = 12;

/// Whether a text stays within; texts in quotes and comments are passed over.
pub fn fits(text: &str) -> bool {
    let mut depth = 0usize;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.saturating_sub(1),
            '#' => drop(chars.find(|c| *c == '\n')),
            '`' => drop(chars.find(|c| *c == '`')),
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        // A text ends with its line at the latest.
                        '"' | '\n' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_of_the_program_count() {
        let deep = "[".repeat(DEEPEST + 1);
        assert!(!fits(&deep));
        assert!(fits(&deep[1..]));
        for quoted in [format!("\"{deep}\""), format!("`{deep}`"), format!("# {deep}\nx")] {
            assert!(fits(&quoted), "{quoted}");
        }
        assert!(fits(&"[]".repeat(100)));
        assert!(!fits(&format!("\"a\\\"\" {deep}")));
        assert!(!fits(&format!("\"a\n{deep}")));
    }
}
