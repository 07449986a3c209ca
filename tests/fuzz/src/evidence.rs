//! Receipts, decisions, statements, chains, audit lines and the trust file.

use std::sync::LazyLock;

use record::chainfile::Content;
use record::dag::{ChainOptions, verify_chain};
use record::entry::{Keyring, LogWalk, ReceiptHeader, Walk, glance, read_line, verify_lines};
use record::keychange::{self, History};
use record::{Report, Trust, capability, chainfile, decision, receipt};
use seal::json::{Limits, parse, write_receipt};
use seal::time::UnixMillis;
use seal::{Digest, Zeroizing, base64};

/// A token; or, for inputs of several lines, the token of the first as header and the rest as
/// payload, so that mutations reach behind the base64.
fn token(input: &[u8]) -> Option<String> {
    match input.iter().position(|byte| *byte == b'\n') {
        None => Some(std::str::from_utf8(input).ok()?.to_string()),
        Some(end) => {
            let (header, payload) = (&input[..end], &input[end + 1..]);
            let (header, payload) = (base64::url_encode(header), base64::url_encode(payload));
            Some(format!("{header}.{payload}.{}", base64::url_encode(&[0; 64])))
        }
    }
}

/// The payload is canonical, and reading is the same each time.
fn check_payload(jws: &str, limit: usize) {
    let token = seal::jws::split(jws, limit).expect("it was read");
    let value = parse(&token.payload, Limits::RECEIPT).expect("it was read");
    assert_eq!(write_receipt(&value).expect("it is canonical").as_bytes(), token.payload);
}

/// A receipt that is read is canonical and has the hash of its bytes.
pub fn receipt(input: &[u8]) {
    let Some(jws) = token(input) else { return };
    match receipt::read(&jws) {
        Ok(signed) => {
            check_payload(&jws, receipt::JWS_LIMIT);
            assert_eq!((signed.hash, &signed.jws), (Digest::of(jws.as_bytes()), &jws));
            let line = chainfile::write_line(&signed);
            let again = chainfile::parse_line(line.trim_end()).expect("its own line");
            assert_eq!(again, (signed.hash, jws));
        }
        Err(findings) => assert!(!findings.is_empty()),
    }
}

/// As [`receipt`], of decision receipts.
pub fn decision(input: &[u8]) {
    let Some(jws) = token(input) else { return };
    match decision::read_signed(&jws) {
        Ok(signed) => {
            check_payload(&jws, decision::LIMIT);
            assert_eq!(decision::read(&jws).expect("read before"), signed.decision);
        }
        Err(findings) => assert!(!findings.is_empty()),
    }
}

/// As [`receipt`], of rotations and revocations; and whatever it is, no key changes by it without
/// a root's signature.
pub fn keychange(input: &[u8]) {
    let Some(jws) = token(input) else { return };
    match keychange::read_signed(&jws) {
        Ok(signed) => {
            check_payload(&jws, keychange::LIMIT);
            assert_eq!(signed.hash, Digest::of(jws.as_bytes()));
        }
        Err(findings) => assert!(!findings.is_empty()),
    }
    static TRUST: LazyLock<Trust> = LazyLock::new(crate::seeds::trust);
    let mut history = History::new(&TRUST, None);
    assert!(!history.take(1, UnixMillis(u64::MAX), &jws).is_empty() && history.is_empty());
}

/// A statement that is read is what its own file says.
pub fn capability(input: &[u8]) {
    match capability::read(input) {
        Ok(statement) => {
            assert!(!statement.preimage().is_empty());
            let again = capability::read(statement.to_json().as_bytes()).expect("its own file");
            assert_eq!(again.to_json(), statement.to_json());
        }
        Err(findings) => assert!(!findings.is_empty()),
    }
}

/// A whole chain file: a verdict that can be shown, and no clean verdict on lines that were lost.
pub fn chain(input: &[u8]) {
    static TRUST: LazyLock<Trust> = LazyLock::new(crate::seeds::trust);
    let mut report = Report::new("chain");
    let options = ChainOptions { threads: 1, ..ChainOptions::default() };
    let _ = verify_chain(&mut chainfile::MemoryChain::new(input), &TRUST, options, &mut report);
    let _ = report.to_table();
    let json = seal::json::write_plain(&report.to_json());
    assert!(parse(json.as_bytes(), Limits::DOCUMENT).is_ok());
    // In whatever order and with however many threads, the verdict is the same.
    let mut again = Report::new("chain");
    let options = ChainOptions { threads: 2, ..ChainOptions::default() };
    let _ = verify_chain(&mut chainfile::MemoryChain::new(input), &TRUST, options, &mut again);
    assert_eq!(again.findings, report.findings);
    assert_eq!((again.exit_class(), again.assurance), (report.exit_class(), report.assurance));
    input.split(|byte| *byte == b'\n').take(64).for_each(line);
}

/// The quick way to read an envelope and the parser agree on every line.
fn line(line: &[u8]) {
    let ended = [line, b"\n"].concat();
    let parsed = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line).trim_ascii())
        .map(chainfile::parse_line);
    match (chainfile::read_line(&ended).content, parsed) {
        (Content::Envelope { hash, jws }, Ok(Ok(parsed))) => {
            assert_eq!((hash, &*jws), (parsed.0, &*parsed.1))
        }
        (Content::Envelope { .. }, _) | (Content::Refused(_) | Content::Blank, Ok(Ok(_))) => {
            panic!("read in two ways")
        }
        (Content::Refused(_) | Content::Blank, _) => {}
    }
}

/// Audit lines, alone and as a log, and the headers that speak of them.
pub fn audit(input: &[u8]) {
    static RING: LazyLock<Keyring> = LazyLock::new(|| {
        let mut ring = Keyring::new();
        ring.insert("k1", Zeroizing::new(vec![7; 32]));
        ring
    });
    let mut header: Option<ReceiptHeader> = None;
    // The same lines, each recognised where it can be, and each read.
    let (mut recognising, mut reading) = (LogWalk::new(Some(&RING)), Walk::new(Some(&RING)));
    let mut told = Report::new("log");
    for line in input.split(|byte| *byte == b'\n').take(64) {
        if let Some(glance) = glance(line) {
            let read = read_line(line).expect("what is recognised reads");
            assert_eq!((glance.hmac, glance.ts_ns), (read.hmac.as_str(), read.entry.ts_ns));
            assert_eq!(glance.check_name, read.entry.check_name);
            let limits = Limits { bytes: input.len(), depth: 64 };
            let metadata = parse(glance.metadata.as_bytes(), limits).expect("an object");
            assert_eq!(metadata.as_object(), Some(read.entry.metadata.as_slice()));
        }
        // A line as it is, without what frames it.
        if !line.trim_ascii().is_empty()
            && !line.ends_with(b"\r")
            && !line.starts_with(b"\xef\xbb\xbf")
        {
            let breaks = recognising.line(&[line, b"\n"].concat(), &mut told);
            let breaks: Vec<_> = breaks.iter().map(|broken| (broken.index, broken.kind)).collect();
            let (_, others) = reading.line(line);
            let others: Vec<_> = others.iter().map(|broken| (broken.index, broken.kind)).collect();
            assert_eq!(breaks, others);
            assert_eq!(recognising.head(), reading.head());
        }
        if let Ok(text) = std::str::from_utf8(line)
            && let Ok(read) = text.parse()
        {
            header = Some(read);
        }
        match read_line(line) {
            Ok(entry) => {
                assert!(parse(entry.preimage().as_bytes(), Limits::DOCUMENT).is_ok());
                if let Some(header) = &header {
                    let _ = header.check(&entry, &RING, &[]);
                }
            }
            Err(findings) => assert!(!findings.is_empty()),
        }
    }
    for ring in [None, Some(&*RING)] {
        let mut report = Report::new("log");
        let _ = verify_lines(input, ring, &mut report);
        let _ = report.to_table();
    }
}

/// Trust that is read is the trust that its own file gives.
pub fn trust(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let resolve = |reference: &str| match reference {
        "env:KEY" => Ok("07".repeat(32)),
        other => Err(format!("{other} is not there")),
    };
    match Trust::parse(text, &resolve) {
        Ok(trust) => {
            let yaml = trust.to_yaml();
            let again = Trust::parse(&yaml, &resolve);
            let again = again.unwrap_or_else(|error| panic!("its own file: {error}\n{yaml}"));
            assert_eq!(again.to_yaml(), yaml);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
