//! The one place where text from outside is made safe to print.

use std::fmt::Write as _;

/// For a terminal or a log line: controls, DEL, bidi controls, invisible joiners, line and
/// paragraph separators and the byte order mark become `\xNN` or `\u{NNNN}`, and a backslash is
/// doubled so that the escapes stay unambiguous.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if is_hidden(c) => hidden(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// For the inside of a double-quoted DOT string.
pub fn dot(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if is_hidden(c) => {
                out.push('\\');
                hidden(&mut out, c);
            }
            c => out.push(c),
        }
    }
    out
}

/// For text and quoted attribute values of XML, SVG and HTML: what a terminal would need, and
/// characters that begin markup as references.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// For a cell of a Markdown table, or a line of it: what a terminal would need, and whatever could
/// begin markup, end the cell, make a link or mention somebody as a reference.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = terminal(text);
    let (mut before, mut rest) = (' ', text.chars().peekable());
    while let Some(c) = rest.next() {
        // Readers make links of `www.` and `http://` by themselves.
        let link = match c {
            '.' => matches!(before, 'w' | 'W'),
            ':' => rest.peek() == Some(&'/'),
            _ => false,
        };
        match link || "&<>\"'`*_{}[]()#+!|~@\\$^=".contains(c) {
            // Writing into a String cannot fail.
            true => drop(write!(out, "&#{};", c as u32)),
            false => out.push(c),
        }
        before = c;
    }
    out
}

/// For a value of a CEF extension: what a terminal would need, and `\\` and `=` behind a backslash.
/// A reader that takes CEF's escapes away has the text of [`terminal`], with `\x5c` for a backslash:
/// no value ends with one, which readers stumble over.
pub fn cef_value(text: &str) -> String {
    behind_backslash(&visible(text), &['\\', '='])
}

/// For a field of a CEF header. Many readers know no escapes there, so whatever is not plain
/// becomes `_`; the whole text belongs into an extension.
pub fn cef_header(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._:/-".contains(c);
    text.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// For the value of a parameter of RFC 5424 structured data, inside its quotes: what a terminal
/// would need, and `"`, `\\` and `]` behind a backslash; a backslash itself as in [`cef_value`].
pub fn syslog_value(text: &str) -> String {
    behind_backslash(&visible(text), &['"', '\\', ']'])
}

/// For a header field of RFC 5424: printable ASCII without space, at most `longest` bytes, `-` for
/// nothing. Whatever else there was becomes `_`.
pub fn syslog_header(text: &str, longest: usize) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    match text.is_empty() {
        true => "-".to_owned(),
        false => text.chars().take(longest).map(plain).collect(),
    }
}

/// JSON text in which nothing moves a cursor or hides: the same document, other escapes. Inside
/// JSON such characters stand in strings alone.
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// As [`terminal`], with `\x5c` for a backslash.
fn visible(text: &str) -> String {
    terminal(text).replace("\\\\", "\\x5c")
}

fn behind_backslash(text: &str, special: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn hidden(out: &mut String, c: char) {
    let code = c as u32;
    // Writing into a String cannot fail.
    let _ =
        if code <= 0xff { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{{{code:04x}}}") };
}

/// Characters that move the cursor, reorder text or show nothing.
fn is_hidden(c: char) -> bool {
    matches!(c as u32,
        0x00..=0x1f | 0x7f..=0x9f | 0xad | 0x61c | 0x115f | 0x1160 | 0x180e
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0
        | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        for (raw, shown) in [
            ("plain é 日本", "plain é 日本"),
            ("a\u{1b}[31mb\r\n\t", "a\\x1b[31mb\\x0d\\x0a\\x09"),
            ("\u{202e}evil\u{2028}\u{feff}\u{9b}", "\\u{202e}evil\\u{2028}\\u{feff}\\x9b"),
            ("\\x1b", "\\\\x1b"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(terminal(raw), shown);
        }
        assert_eq!(dot("a\"];\n\\"), "a\\\"];\\\\x0a\\\\");
        assert_eq!(
            xml("a<b&\"c'>\n"),
            "a&lt;b&amp;&quot;c&#39;&gt;&#92;x0a".replace("&#92;", "\\")
        );
        assert_eq!(markdown("a|b_c\n"), "a&#124;b&#95;c&#92;x0a");
        assert_eq!(markdown("www.x.y @z http://q:1"), "www&#46;x.y &#64;z http&#58;//q:1");
        assert_eq!(cef_value("a=b|c\n\\"), r"a\=b|c\\x0a\\x5c");
        assert_eq!(cef_header("a|b\\c=d\n\u{e9}e.f"), "a_b_c_d__e.f");
        assert_eq!(syslog_value("\"]\\\u{9b}"), r#"\"\]\\x5c\\x9b"#);
        assert_eq!(syslog_header("a b\n\u{e9}c", 4), "a_b_");
        assert_eq!(syslog_header("", 4), "-");
        assert_eq!(
            json("{\"a\\n\":\"\u{202e}\u{e0041}\u{7f} \u{e9}\"}\n"),
            "{\"a\\n\":\"\\u202e\\udb40\\udc41\\u007f \u{e9}\"}\n"
        );
    }
}
