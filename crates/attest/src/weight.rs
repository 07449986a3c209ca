//! How many values a JSON text has, before one of them is made: each takes many times the bytes that
//! it is written with.

/// Shorter texts are not looked at.
const SHORT: usize = 4 << 20;

/// Whether a text has more values than `most`. What stands in strings is passed over; a text that is no
/// JSON has some number, too.
pub fn has_more(text: &[u8], most: usize) -> bool {
    if text.len() < SHORT {
        return false;
    }
    let (mut count, mut quoted, mut escaped) = (0usize, false, false);
    for byte in text {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b',' | b'[' | b'{') => count += 1,
            _ => {}
        }
    }
    count > most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_texts_are_not() {
        let text = |part: &str| format!("[{}0]", part.repeat(SHORT / part.len() + 1));
        for (part, each) in [("0,", 1), ("[0],", 2), ("{\"\":0},", 2)] {
            let text = text(part);
            let count = (SHORT / part.len() + 1) * each + 1;
            assert!(!has_more(text.as_bytes(), count), "{part}");
            assert!(has_more(text.as_bytes(), count - 1), "{part}");
        }
        let quoted = format!("[\"{}\",0]", "[,{\\\",".repeat(SHORT / 6 + 1));
        assert!(!has_more(quoted.as_bytes(), 2) && has_more(quoted.as_bytes(), 1));
        assert!(!has_more(b"[0,0,0]", 1));
    }
}
