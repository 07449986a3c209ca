//! The one glob dialect of this product, for paths below a root. `docs/policy-guide.md` explains it.
//!
//! | pattern | |
//! |---|---|
//! | `*` | any characters of one name, also none |
//! | `?` | one character |
//! | `[abc]`, `[a-z]`, `[!a-z]` | one character of these, or none of these |
//! | `**` as a whole name | any number of names, also none: `app/**` is `app` and all below it |
//! | `\x` | the character `x` itself |
//!
//! Nothing but `**` goes across `/`. Upper and lower case differ, and a leading dot is a character like
//! any other. What other dialects would read differently (`{a,b}`, a leading `!` or `/`, `**` beside
//! other characters) is refused: a gate that never opens looks like a gate that holds.

use std::fmt;

/// Longest pattern, characters.
pub const LONGEST: usize = 1024;
/// Most names of a pattern.
pub const NAMES: usize = 64;

/// A pattern for paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    names: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// `**`.
    Any,
    /// One name of a path.
    Of(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Run,
    /// Ranges, both ends inclusive, and whether they are those that do not fit.
    Class(Vec<(char, char)>, bool),
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {pattern:?} {why}")]
pub struct GlobError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Glob {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Glob, GlobError> {
        let wrong = |why| GlobError { pattern: text.chars().take(LONGEST).collect(), why };
        if text.is_empty() {
            return Err(wrong("is empty"));
        }
        if text.chars().count() > LONGEST {
            return Err(wrong("is longer than 1,024 characters"));
        }
        if text.chars().any(|c| c == '\0' || c == '\n') {
            return Err(wrong("has a character that no path has"));
        }
        if text.starts_with('!') {
            return Err(wrong("begins with !; write \\! for the character"));
        }
        // A `/` in a class or behind a backslash parts names, too, and what is left of them is refused.
        let names: Vec<&str> = text.split('/').collect();
        if names.len() > NAMES {
            return Err(wrong("has more than 64 names"));
        }
        let names = names.into_iter().map(name).collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Glob { text: text.to_owned(), names })
    }

    /// Whether it fits a path: names with `/` between them, relative to the root.
    pub fn fits(&self, path: &str) -> bool {
        self.reaches(path).last().copied().unwrap_or(false)
    }

    /// Whether it may fit something below a path.
    pub fn fits_below(&self, path: &str) -> bool {
        let reached = self.reaches(path);
        reached.iter().take(self.names.len()).any(|reached| *reached)
            || (reached.last() == Some(&true) && self.names.last() == Some(&Name::Any))
    }

    /// For none, one, two … of its names: whether they fit the whole path.
    fn reaches(&self, path: &str) -> Vec<bool> {
        let names: Vec<&str> = path.split('/').collect();
        let mut reached = vec![false];
        // `open[i]`: the first i names of the path fit the names of the pattern so far.
        let mut open = vec![false; names.len() + 1];
        open[0] = true;
        for wanted in &self.names {
            let mut next = vec![false; names.len() + 1];
            match wanted {
                Name::Any => {
                    let mut reached = false;
                    for (at, slot) in next.iter_mut().enumerate() {
                        reached |= open[at];
                        *slot = reached;
                    }
                }
                Name::Of(tokens) => {
                    for (at, given) in names.iter().enumerate() {
                        next[at + 1] = open[at] && fits(tokens, given);
                    }
                }
            }
            open = next;
            reached.push(open[names.len()]);
        }
        reached
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn name(text: &str) -> Result<Name, &'static str> {
    match text {
        "" => return Err("has an empty name: no / at an end, no // within"),
        "." | ".." => return Err("has . or .. as a name"),
        "**" => return Ok(Name::Any),
        _ => {}
    }
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' if chars.peek() == Some(&'*') => {
                return Err("has ** beside other characters; it must be a whole name");
            }
            '*' => Token::Run,
            '?' => Token::One,
            '\\' => Token::Char(chars.next().ok_or("ends a name with a backslash")?),
            '[' => class(&mut chars)?,
            ']' => return Err("has ] without [; write \\] for the character"),
            '{' | '}' => {
                return Err("has { or }, which mean nothing here; write two patterns, or \\{");
            }
            c => Token::Char(c),
        });
    }
    Ok(Name::Of(tokens))
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "has [ without ]";
    let others = matches!(chars.peek(), Some('!' | '^'));
    if others {
        chars.next();
    }
    let mut ranges = Vec::new();
    let one = |c: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>| match c {
        '\\' => chars.next().ok_or(OPEN),
        '[' => Err("has [ in a class; write \\["),
        c => Ok(c),
    };
    loop {
        let c = chars.next().ok_or(OPEN)?;
        if c == ']' {
            break;
        }
        let from = one(c, chars)?;
        if chars.peek() == Some(&'-') {
            chars.next();
            let c = chars.next().ok_or(OPEN)?;
            if c == ']' {
                return Err("has a range without an end; write \\- for the character");
            }
            let to = one(c, chars)?;
            if to < from {
                return Err("has a range that ends before it begins");
            }
            ranges.push((from, to));
        } else {
            ranges.push((from, from));
        }
    }
    if ranges.is_empty() {
        return Err("has an empty class");
    }
    Ok(Token::Class(ranges, others))
}

/// Whether tokens fit one name; a run takes more only when what follows it does not fit, so that the
/// work is at most the product of both lengths.
fn fits(tokens: &[Token], name: &str) -> bool {
    let given: Vec<char> = name.chars().collect();
    let (mut token, mut at) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < given.len() {
        match tokens.get(token) {
            Some(Token::Run) => {
                back = Some((token + 1, at));
                token += 1;
                continue;
            }
            Some(wanted) if one_fits(wanted, given[at]) => {
                token += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        let Some((behind, from)) = back else { return false };
        back = Some((behind, from + 1));
        (token, at) = (behind, from + 1);
    }
    tokens[token..].iter().all(|left| *left == Token::Run)
}

fn one_fits(token: &Token, given: char) -> bool {
    match token {
        Token::Char(c) => *c == given,
        Token::One | Token::Run => true,
        Token::Class(ranges, others) => {
            ranges.iter().any(|(from, to)| (*from..=*to).contains(&given)) != *others
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, expect: bool) {
        let glob = Glob::parse(pattern).unwrap();
        assert_eq!(glob.fits(path), expect, "{pattern} on {path}");
    }

    #[test]
    fn one_dialect() {
        for (pattern, fit, unfit) in [
            ("a.txt", "a.txt", "b/a.txt"),
            ("*.txt", ".txt", "a/b.txt"),
            ("app/*.txt", "app/x.txt", "app/y/x.txt"),
            ("app/**", "app/y/x.txt", "apple/x"),
            ("app/**", "app", "ap"),
            ("**", "a/b/c", ""),
            ("**/*.yaml", "x.yaml", "x.yml"),
            ("**/*.yaml", "a/b/x.yaml", "a/x.yaml/b"),
            ("a/**/z", "a/z", "a/zz"),
            ("a/**/z", "a/b/c/z", "b/z"),
            ("**/a/**/b", "x/a/y/a/b", "x/b/a"),
            ("?", "\u{e9}", "ab"),
            ("a?c", "abc", "a/c"),
            ("[a-c]x", "bx", "dx"),
            ("[!a-c]x", "dx", "ax"),
            ("[^a]", "b", "a"),
            ("[\\]\\-a]", "-", "b"),
            ("a\\*", "a*", "ab"),
            ("\\!a", "!a", "a"),
            ("*a*b*", "xxaxxbxx", "xxbxxa"),
            ("*.*", ".git", "git"),
            ("prompts/*", "prompts/\u{fc}.txt", "Prompts/x"),
            ("[!a]", "b", ""),
        ] {
            check(pattern, fit, true);
            if pattern != "**" {
                check(pattern, unfit, false);
            }
        }
    }

    #[test]
    fn what_may_lie_below_a_path() {
        for (pattern, path, expect) in [
            ("vendor/sub/a.txt", "vendor/sub", true),
            ("vendor/sub/a.txt", "vendor", true),
            ("vendor/sub/a.txt", "vendor/sub/a.txt", false),
            ("vendor/*/a.txt", "vendor/x", true),
            ("vendor/sub/**", "vendor/sub", true),
            ("vendor/sub/**", "vendor/sub/x", true),
            ("**/*.md", "vendor/sub", true),
            ("vendor/sub/a.txt", "vendor/other", false),
            ("*.md", "vendor", false),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            assert_eq!(glob.fits_below(path), expect, "{pattern} below {path}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for pattern in [
            "", "/a", "a/", "a//b", "./a", "a/../b", "a**", "**a", "a/**b/c", "!a", "{a,b}", "a}",
            "[a", "[]", "[!]", "[a-", "[a-]", "[b-a]", "[[]", "a]", "a\\", "[a/b]", "a\0", "a\\/b",
        ] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
        assert!(Glob::parse(&"a".repeat(LONGEST + 1)).is_err());
        assert!(Glob::parse(&"a/".repeat(NAMES)).is_err());
    }

    proptest::proptest! {
        /// The same by the definition, written as plainly as possible.
        #[test]
        fn agrees_with_its_definition(
            pattern in proptest::collection::vec("(\\*\\*|[ab*?]{1,3}|\\[!a\\])", 1..4),
            path in proptest::collection::vec("[ab]{0,3}", 1..5),
        ) {
            let (pattern, path) = (pattern.join("/"), path.join("/"));
            if let Ok(glob) = Glob::parse(&pattern) {
                let names: Vec<&str> = path.split('/').collect();
                proptest::prop_assert_eq!(glob.fits(&path), slow(&glob.names, &names));
            }
        }
    }

    fn slow(names: &[Name], path: &[&str]) -> bool {
        match names.split_first() {
            None => path.is_empty(),
            Some((Name::Any, rest)) => (0..=path.len()).any(|skip| slow(rest, &path[skip..])),
            Some((Name::Of(tokens), rest)) => {
                !path.is_empty()
                    && slow_name(tokens, &path[0].chars().collect::<Vec<_>>())
                    && slow(rest, &path[1..])
            }
        }
    }

    fn slow_name(tokens: &[Token], given: &[char]) -> bool {
        match tokens.split_first() {
            None => given.is_empty(),
            Some((Token::Run, rest)) => {
                (0..=given.len()).any(|skip| slow_name(rest, &given[skip..]))
            }
            Some((token, rest)) => {
                !given.is_empty() && one_fits(token, given[0]) && slow_name(rest, &given[1..])
            }
        }
    }
}
