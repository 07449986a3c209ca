//! Distinguished names, for people.

use crate::der::{OID, Read, Reader, SEQUENCE, SET};

/// Attribute types with a short name.
const SHORT: &[(&[u8], &str)] = &[
    (b"\x55\x04\x03", "CN"),
    (b"\x55\x04\x05", "serialNumber"),
    (b"\x55\x04\x06", "C"),
    (b"\x55\x04\x07", "L"),
    (b"\x55\x04\x08", "ST"),
    (b"\x55\x04\x0a", "O"),
    (b"\x55\x04\x0b", "OU"),
];

/// `CN=…, O=…` in the order of the certificate; commas and the like within a value are escaped,
/// so that no value passes for two. Control characters stay: escape before a terminal sees it.
pub(crate) fn shown(name: &[u8]) -> String {
    parts(name).unwrap_or_else(|_| "a name that cannot be read".to_owned())
}

fn parts(name: &[u8]) -> Read<String> {
    let what = "a name";
    let mut sets = Reader(name).element(SEQUENCE, what)?.inside();
    let mut out = String::new();
    while !sets.is_empty() {
        let mut set = sets.element(SET, what)?.inside();
        while !set.is_empty() {
            let mut pair = set.element(SEQUENCE, what)?.inside();
            let kind = pair.element(OID, what)?.oid(what)?;
            let value = pair.any(what)?.value;
            if !out.is_empty() {
                out.push_str(", ");
            }
            match SHORT.iter().find(|(oid, _)| *oid == kind) {
                Some((_, short)) => out.push_str(short),
                None => out.push_str(&crate::oid::dotted(kind)),
            }
            out.push('=');
            for letter in String::from_utf8_lossy(value).chars() {
                if matches!(letter, ',' | '+' | '=' | '\\') {
                    out.push('\\');
                }
                out.push(letter);
            }
        }
    }
    Ok(out)
}
