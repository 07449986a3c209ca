//! Certificates as PEM text (RFC 7468). What a certificate says is read where it is used.

use seal::base64;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of every certificate. Text between the blocks is passed over, other blocks are not:
/// a private key has no place in a trust file.
pub(super) fn certificates(text: &str) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines().map(str::trim) {
        match &mut block {
            None if line == BEGIN => block = Some(String::new()),
            None if line.starts_with("-----") => return Err("expected PEM certificates alone"),
            None => {}
            Some(inside) if line == END => {
                let der = base64::std_decode(inside)
                    .map_err(|_| "the text of a certificate is not base64")?;
                if der.first() != Some(&0x30) {
                    return Err("a certificate is not DER");
                }
                found.push(der);
                block = None;
            }
            Some(inside) => inside.push_str(line),
        }
    }
    match (block, found.is_empty()) {
        (Some(_), _) => Err("the text of a certificate has no end"),
        (None, true) => {
            Err("expected a PEM certificate: the authority's root, or a chain with it last")
        }
        (None, false) => Ok(found),
    }
}

/// The text of one certificate.
pub(super) fn text(der: &[u8]) -> String {
    let text = base64::std_encode(der);
    let mut out = format!("{BEGIN}\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = next;
    }
    out.push_str(END);
    out.push('\n');
    out
}
