//! JSON, notes, short tokens, and text under the scanner.

use std::sync::LazyLock;

use scan::{Engine, Target};
use seal::json::{Limits, Value, parse, write_audit, write_plain, write_pretty, write_receipt};
use seal::note::{Checkpoint, VerifierKey};
use seal::time::UnixMillis;
use seal::{Digest, KeyId, PublicKey, SecretKey, base64, escape, hex, time};

/// What was parsed is what the writers write, and writing is a fixed point.
pub fn json(input: &[u8]) {
    for limits in [Limits::RECEIPT, Limits::REQUEST] {
        let Ok(value) = parse(input, limits) else { continue };
        let again = |text: String| parse(text.as_bytes(), Limits::REQUEST).expect("it was written");
        assert_eq!(again(write_plain(&value)), value);
        assert_eq!(again(write_pretty(&value)), value);
        let writers: [fn(&Value) -> _; 2] = [write_receipt, write_audit];
        for write in writers {
            if let Ok(text) = write(&value) {
                assert_eq!(write(&again(text.clone())).expect("written before"), text);
            }
        }
    }
}

/// Notes, checkpoints and the keys that verify them.
pub fn note(input: &[u8]) {
    static KEY: LazyLock<VerifierKey> = LazyLock::new(crate::journal::log_key);
    if let Ok(note) = seal::note::open(input, std::slice::from_ref(&*KEY)) {
        assert_eq!(note.verified, [KEY.name.as_str()]);
        assert!(input.starts_with(note.text.as_bytes()));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    // The text of a note as well as a bare checkpoint.
    let body = text.rfind("\n\n").map_or(text, |end| &text[..=end]);
    for text in [text, body] {
        if let Ok(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(checkpoint.text(), text);
        }
    }
}

/// Digests, key ids, agents, keys, times, base64 and hex: strict forms that read back as written.
pub fn tokens(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let text: &str = &text;
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(agent) = text.parse::<record::AgentId>() {
        assert_eq!(agent.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = PublicKey::from_pem(text) {
        assert_eq!(PublicKey::from_pem(&key.to_pem()).expect("its own PEM"), key);
    }
    if let Ok(key) = SecretKey::from_pem(text) {
        assert_eq!(*SecretKey::from_pem(&key.to_pem()).expect("its own PEM").seed(), *key.seed());
    }
    if let Ok(bytes) = base64::url_decode(text) {
        assert_eq!(base64::url_encode(&bytes), text);
    }
    if let Ok(bytes) = base64::std_decode(text) {
        assert_eq!(base64::std_encode(&bytes), text);
    }
    if let Some(bytes) = hex::decode(text) {
        assert_eq!(hex::encode(&bytes), text);
    }
    if let Some(at) = time::parse_rfc3339(text) {
        assert_eq!(time::parse_rfc3339(&at.to_string()), Some(at));
    }
    let shown = escape::terminal(text);
    let hostile = |c: char| matches!(c, '\0'..='\x08' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}');
    assert!(!shown.contains(hostile), "{shown:?}");
}

/// Times: eight bytes are one to spell, and any text one to read.
pub fn time(input: &[u8]) {
    if let Some(bytes) = input.first_chunk::<8>() {
        // Up to the end of the year 9999, which is as far as the spelling goes.
        let at = UnixMillis(u64::from_le_bytes(*bytes) % 253_402_300_800_000);
        assert_eq!(time::parse_rfc3339(&at.to_string()), Some(at), "{at}");
        let next = UnixMillis(at.0.saturating_add(1_000));
        let [at, next] = [at, next].map(|at| at.to_string()[..19].to_owned());
        assert!(at < next || next.starts_with("10000"), "{at} {next}");
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some(at) = time::parse_rfc3339(text) else { return };
    let spelled = at.to_string();
    assert_eq!(time::parse_rfc3339(&spelled), Some(at), "{text} {spelled}");
    assert_eq!(UnixMillis::from_seconds(at.seconds()).0, at.0 / 1_000 * 1_000);
    // The same moment by another clock.
    let plain = spelled.trim_end_matches('Z');
    assert_eq!(time::parse_rfc3339(&format!("{plain}+00:00")), Some(at));
    if let Some(later) = time::parse_rfc3339(&format!("{plain}-01:30")) {
        assert_eq!(later.0 - at.0, 5_400_000);
    }
}

/// Spans lie within the text, on borders of characters, and redaction takes them out.
pub fn scan(input: &[u8]) {
    static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::builtin);
    let Some((first, rest)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let target = Target::ALL[usize::from(*first) % Target::ALL.len()];
    let found = ENGINE.scan(&text, target);
    for hit in &found.hits {
        assert!(text.get(hit.span.clone()).is_some(), "{hit:?}");
    }
    let asked = found.hits.iter().any(|hit| hit.redact);
    assert_eq!(found.redacted(&text).is_some(), asked);
    assert_eq!(ENGINE.scan(&text, target), found);
    held(&ENGINE, &text, target, &found);
}

/// However the text is cut, nothing of a plain secret is out before the secret is known.
fn held(engine: &Engine, text: &str, target: Target, found: &scan::Scan) {
    let near = |hit: &&scan::Hit| {
        hit.redact && !hit.decoded && text[hit.span.clone()].chars().count() <= scan::HOLD_BACK
    };
    let spans: Vec<_> = found.hits.iter().filter(near).map(|hit| hit.span.clone()).collect();
    let mut out = 0;
    // a text of any length, at some sixty places
    let step = 1 + text.len() / 64;
    for cut in (0..=text.len()).step_by(step).filter(|cut| text.is_char_boundary(*cut)) {
        let from = engine.held_from(&text[..cut], target);
        assert!(text.is_char_boundary(from) && from <= cut, "{from} of {cut}");
        out = from.max(out);
        for span in &spans {
            let begun = span.start < cut && cut <= span.end;
            assert!(!begun || out <= span.start, "at {cut} {out} were out, of {span:?}");
        }
    }
}
