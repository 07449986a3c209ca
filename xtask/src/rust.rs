//! Just enough of Rust's lexical rules to tell code from comments and strings.

/// The source with every comment, and if asked every string's content, turned into spaces.
/// Lines keep their numbers.
pub fn mask(source: &str, strings_too: bool) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let blank = |out: &mut [u8], from: usize, to: usize| {
        out[from..to].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    };
    let mut i = 0;
    while i < bytes.len() {
        let rest = &bytes[i..];
        let end = if rest.starts_with(b"//") {
            let end = i + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
            blank(&mut out, i, end);
            end
        } else if rest.starts_with(b"/*") {
            let end = i + block_comment(rest);
            blank(&mut out, i, end);
            end
        } else if let Some((open, len)) = raw_string(bytes, i) {
            if strings_too {
                blank(&mut out, i + open, i + len);
            }
            i + len
        } else if rest[0] == b'"' {
            let len = quoted(rest);
            if strings_too {
                blank(&mut out, i + 1, (i + len).saturating_sub(1));
            }
            i + len
        } else if rest[0] == b'\'' {
            i + character(rest)
        } else {
            i + 1
        };
        i = end.max(i + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The source without comments and without its test modules (`#[cfg(test)] mod … { … }`).
pub fn product_code(source: &str) -> String {
    let mut code = mask(source, false);
    while let Some(at) = code.find("#[cfg(test)]") {
        let skeleton = mask(&code, true);
        let body = skeleton[at..].find(['{', ';']).map(|open| at + open);
        let end = match body {
            Some(open) if skeleton.as_bytes()[open] == b'{' => closing(&skeleton, open),
            Some(open) => open + 1,
            None => code.len(),
        };
        let gone: String =
            code[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(at..end, &gone);
    }
    code
}

/// Every function with a body: its name, the line it starts on, and how many lines it has.
pub fn functions(source: &str) -> Vec<(String, usize, usize)> {
    let skeleton = mask(source, true);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = skeleton[from..].find("fn ").map(|at| from + at) {
        from = at + 3;
        let before = skeleton[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let name: String =
            skeleton[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // `fn(` is a type, and a `;` before the brace is a declaration in a trait.
        let Some(open) = skeleton[at..].find(['{', ';']).map(|open| at + open) else { continue };
        if name.is_empty() || skeleton.as_bytes()[open] == b';' {
            continue;
        }
        let line = skeleton[..at].matches('\n').count() + 1;
        let lines = skeleton[at..closing(&skeleton, open)].matches('\n').count() + 1;
        found.push((name, line, lines));
    }
    found
}

/// Behind the brace that closes the one at `open`, in text without comments and strings.
fn closing(skeleton: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (i, byte) in skeleton.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return i + 1;
        }
    }
    skeleton.len()
}

fn block_comment(text: &[u8]) -> usize {
    let (mut depth, mut i) = (0usize, 0);
    while i < text.len() {
        if text[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if text[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    text.len()
}

/// The length of the opening and of the whole raw string that starts here, if one does.
fn raw_string(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    let rest = &bytes[at..];
    let prefix = if rest.starts_with(b"br") { 2 } else { 1 };
    if in_word || !(rest.starts_with(b"r") || rest.starts_with(b"br")) {
        return None;
    }
    let hashes = rest[prefix..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return None;
    }
    let open = prefix + hashes + 1;
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = rest[open..].windows(close.len()).position(|window| window == close);
    Some((open, body.map_or(rest.len(), |body| open + body + close.len())))
}

fn quoted(text: &[u8]) -> usize {
    let mut i = 1;
    while i < text.len() {
        match text[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    text.len()
}

/// A character literal's length, or 1 for the quote of a lifetime.
fn character(text: &[u8]) -> usize {
    if text.get(1) == Some(&b'\\') {
        let close = text.iter().skip(3).position(|&b| b == b'\'');
        return close.map_or(1, |close| close + 4);
    }
    let wide = text.get(1..).and_then(|rest| {
        let first = String::from_utf8_lossy(&rest[..rest.len().min(4)]).chars().next()?;
        (rest.get(first.len_utf8()) == Some(&b'\'')).then(|| first.len_utf8() + 2)
    });
    wide.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_told_apart() {
        let source =
            "let a = \"// no\"; // yes\nlet b = '\"'; /* x /* y */ z */ let c = r#\"\"//\"#;";
        assert_eq!(
            mask(source, false),
            "let a = \"// no\";       \nlet b = '\"';                   let c = r#\"\"//\"#;"
        );
        assert!(!mask(source, true).contains("no"));
    }

    #[test]
    fn lifetimes_are_not_characters() {
        let source = "fn f<'a>(x: &'a str) -> char { '\\'' } // gone";
        assert_eq!(mask(source, true).trim_end(), "fn f<'a>(x: &'a str) -> char { '\\'' }");
    }

    #[test]
    fn test_modules_are_cut_and_the_rest_stays() {
        let code = product_code(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { \"}\"; }\n}\nfn c() {}\n",
        );
        assert!(code.contains("fn a") && code.contains("fn c") && !code.contains("fn b"));
        assert_eq!(code.lines().count(), 6);
    }

    #[test]
    fn functions_are_measured() {
        let source = "trait T { fn d(&self); }\nasync fn long() {\n  if x {\n  }\n}\nfn one() {}\n";
        let found = functions(source);
        assert_eq!(found, [("long".to_string(), 2, 4), ("one".to_string(), 6, 1)]);
    }
}
