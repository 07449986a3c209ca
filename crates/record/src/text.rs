//! What a short text in a record may hold.

/// Non-empty, at most `limit` bytes, no control characters.
pub(crate) fn is_label(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= limit && !text.chars().any(char::is_control)
}

/// Appends `,"key":` (or `"key":` at the start of an object) and the string.
pub(crate) fn member(out: &mut String, key: &str, text: &str) {
    key_of(out, key);
    seal::json::push_string(text, out);
}

/// Appends `,"key":"text"` for a text that needs no escapes: hex, digests, names of enums.
pub(crate) fn plain_member(out: &mut String, key: &str, text: &str) {
    key_of(out, key);
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// Appends `,"key":"sha256:…"`.
pub(crate) fn digest_member(out: &mut String, key: &str, digest: &seal::Digest) {
    key_of(out, key);
    out.push('"');
    digest.push_to(out);
    out.push('"');
}

/// Appends the key of the next member; keys given here never need escapes.
pub(crate) fn key_of(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push('"');
    out.push_str(key);
    out.push_str("\":");
}
