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
    }
}
