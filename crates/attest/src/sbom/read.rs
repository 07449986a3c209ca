//! The reader. Strict where it looks: a member of the wrong type is refused, not passed over, since what
//! is passed over would count as nothing to attest.

use seal::digest::Digest;
use seal::json::{Limits, Value, parse};

use super::{COMPONENTS, Component, LIMIT, Sbom, SbomError};
use crate::purl::Purl;
use crate::weight::has_more;

/// Deepest nesting read.
const DEPTH: usize = 64;
/// Longest text, bytes.
const TEXT: usize = 4096;
/// Most values of all components.
const VALUES: usize = 32 * COMPONENTS;

impl Sbom {
    /// Reads a document.
    pub fn read(bytes: &[u8]) -> Result<Sbom, SbomError> {
        if has_more(bytes, VALUES) {
            return Err(SbomError::TooMany);
        }
        let value = parse(bytes, Limits { bytes: LIMIT, depth: DEPTH })?;
        let mut found = Vec::new();
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let format = match (text("bomFormat"), text("specVersion"), text("spdxVersion")) {
            (Some("CycloneDX"), Some(version), None) => {
                if !matches!(version, "1.4" | "1.5" | "1.6" | "1.7") {
                    return Err(SbomError::Format(format!("specVersion {version:?}")));
                }
                cyclonedx(&value, &mut found)?;
                format!("CycloneDX {version}")
            }
            (None, None, Some(version)) => {
                if !matches!(version, "SPDX-2.2" | "SPDX-2.3") {
                    return Err(SbomError::Format(format!("spdxVersion {version:?}")));
                }
                spdx(&value, &mut found)?;
                version.to_owned()
            }
            _ => return Err(SbomError::Format("neither bomFormat nor spdxVersion".into())),
        };
        Ok(Sbom { format, components: found })
    }
}

fn cyclonedx(value: &Value, found: &mut Vec<Component>) -> Result<(), SbomError> {
    if let Some(metadata) = inside(value, "metadata", "")?
        && let Some(whole) = inside(metadata, "component", "/metadata")?
    {
        walk(whole, "/metadata/component", None, found)?;
    }
    for (at, one) in list(value, "components", "")?.iter().enumerate() {
        walk(one, &format!("/components/{at}"), None, found)?;
    }
    Ok(())
}

/// A component and those inside it; as deep as the parser lets a document be.
fn walk(
    one: &Value,
    pointer: &str,
    inside: Option<usize>,
    found: &mut Vec<Component>,
) -> Result<(), SbomError> {
    let kind = needed(one, "type", pointer)?;
    let name = needed(one, "name", pointer)?;
    let mut digests = Vec::new();
    for (at, hash) in list(one, "hashes", pointer)?.iter().enumerate() {
        let place = format!("{pointer}/hashes/{at}");
        let algorithm = needed(hash, "alg", &place)?;
        digests.extend(sha256(is_sha256(algorithm), hash, "content", &place)?);
    }
    let purl = optional(one, "purl", pointer)?;
    let place = optional(one, "bom-ref", pointer)?.filter(|text| !text.is_empty());
    let here = found.len();
    push(
        found,
        Component {
            place: place.unwrap_or(pointer).to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            version: optional(one, "version", pointer)?.map(str::to_owned),
            purl: purl.map(|text| (text.to_owned(), Purl::parse(text))),
            digests,
            inside,
        },
    )?;
    for (at, inner) in list(one, "components", pointer)?.iter().enumerate() {
        walk(inner, &format!("{pointer}/components/{at}"), Some(here), found)?;
    }
    Ok(())
}

fn spdx(value: &Value, found: &mut Vec<Component>) -> Result<(), SbomError> {
    for (at, one) in list(value, "packages", "")?.iter().enumerate() {
        let pointer = format!("/packages/{at}");
        let mut purl = None;
        for (at, reference) in list(one, "externalRefs", &pointer)?.iter().enumerate() {
            let place = format!("{pointer}/externalRefs/{at}");
            if needed(reference, "referenceType", &place)? == "purl" {
                let text = needed(reference, "referenceLocator", &place)?;
                if purl.replace(text).is_some_and(|other| other != text) {
                    let why = "a second package URL; a package has one name".to_owned();
                    return Err(SbomError::Member { place, why });
                }
            }
        }
        let purpose = optional(one, "primaryPackagePurpose", &pointer)?;
        let kind = purpose.map_or_else(|| "package".to_owned(), str::to_lowercase);
        let name = needed(one, "name", &pointer)?;
        listed(one, &pointer, kind, name, purl, found)?;
    }
    for (at, one) in list(value, "files", "")?.iter().enumerate() {
        let pointer = format!("/files/{at}");
        let name = needed(one, "fileName", &pointer)?;
        listed(one, &pointer, "file".into(), name, None, found)?;
    }
    Ok(())
}

fn listed(
    one: &Value,
    pointer: &str,
    kind: String,
    name: &str,
    purl: Option<&str>,
    found: &mut Vec<Component>,
) -> Result<(), SbomError> {
    let mut digests = Vec::new();
    for (at, sum) in list(one, "checksums", pointer)?.iter().enumerate() {
        let place = format!("{pointer}/checksums/{at}");
        let algorithm = needed(sum, "algorithm", &place)?;
        digests.extend(sha256(is_sha256(algorithm), sum, "checksumValue", &place)?);
    }
    push(
        found,
        Component {
            place: needed(one, "SPDXID", pointer)?.to_owned(),
            kind,
            name: name.to_owned(),
            version: optional(one, "versionInfo", pointer)?.map(str::to_owned),
            purl: purl.map(|text| (text.to_owned(), Purl::parse(text))),
            digests,
            inside: None,
        },
    )
}

/// A component; the checksums of its package URL are its digests, too.
fn push(found: &mut Vec<Component>, mut one: Component) -> Result<(), SbomError> {
    if found.len() >= COMPONENTS {
        return Err(SbomError::TooMany);
    }
    let purl = one.purl.as_ref().and_then(|(_, purl)| purl.as_ref().ok());
    let sums = purl.and_then(|purl| purl.qualifier("checksum")).unwrap_or_default();
    let sums = sums.split(',').filter_map(|sum| sum.split_once(':'));
    for (_, sum) in sums.filter(|(algorithm, _)| is_sha256(algorithm)) {
        let digest = Digest::from_hex(&sum.to_ascii_lowercase());
        let why = "checksum has no 64 hexadecimal digits behind sha256:";
        one.digests.push(digest.ok_or_else(|| wrong_purl(&one.place, why))?);
    }
    one.digests.sort_unstable();
    one.digests.dedup();
    found.push(one);
    Ok(())
}

/// Every spelling: what is passed over would leave a component without a digest to compare.
fn is_sha256(algorithm: &str) -> bool {
    let plain = algorithm.bytes().filter(|byte| !b"-_ ".contains(byte));
    plain.map(|byte| byte.to_ascii_lowercase()).eq(*b"sha256")
}

fn wrong_purl(place: &str, why: &str) -> SbomError {
    SbomError::Member { place: format!("{place}, its package URL"), why: why.into() }
}

fn sha256(is: bool, one: &Value, name: &str, place: &str) -> Result<Option<Digest>, SbomError> {
    let text = needed(one, name, place)?;
    if !is {
        return Ok(None);
    }
    match Digest::from_hex(&text.to_ascii_lowercase()) {
        Some(digest) => Ok(Some(digest)),
        None => Err(wrong(place, name, "64 hexadecimal digits")),
    }
}

/// A list that may be missing.
fn list<'v>(value: &'v Value, name: &str, place: &str) -> Result<&'v [Value], SbomError> {
    match inside(value, name, place)? {
        None => Ok(&[]),
        Some(inner) => inner.as_array().ok_or_else(|| wrong(place, name, "a list")),
    }
}

/// A text that may be missing.
fn optional<'v>(value: &'v Value, name: &str, place: &str) -> Result<Option<&'v str>, SbomError> {
    let Some(inner) = inside(value, name, place)? else { return Ok(None) };
    match inner.as_str().filter(|text| text.len() <= TEXT) {
        Some(text) => Ok(Some(text)),
        None => Err(wrong(place, name, "text of at most 4,096 bytes")),
    }
}

/// A text that must be there.
fn needed<'v>(value: &'v Value, name: &str, place: &str) -> Result<&'v str, SbomError> {
    optional(value, name, place)?.ok_or_else(|| wrong(place, name, "there, and text"))
}

fn inside<'v>(value: &'v Value, name: &str, place: &str) -> Result<Option<&'v Value>, SbomError> {
    match value.as_object() {
        Some(_) => Ok(value.get(name)),
        None => Err(SbomError::Member { place: place.to_owned(), why: "is not an object".into() }),
    }
}

fn wrong(place: &str, name: &str, wanted: &str) -> SbomError {
    SbomError::Member { place: format!("{place}/{name}"), why: format!("is not {wanted}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Sbom, SbomError> {
        Sbom::read(text.as_bytes())
    }

    fn cyclonedx(rest: &str) -> Result<Sbom, SbomError> {
        read(&format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6"{rest}}}"#))
    }

    #[test]
    fn everything_is_listed_at_any_depth() {
        let hex = "AB".repeat(32);
        let sum = "cd".repeat(32);
        let text = format!(
            r#","metadata":{{"component":{{"type":"application","name":"whole","x":{{}}}}}},
            "components":[{{"type":"data","name":"d","bom-ref":"d","version":"2",
            "purl":"pkg:generic/d@2?checksum=sha256:{sum}",
            "hashes":[{{"alg":"SHA-256","content":"{hex}"}},{{"alg":"MD5","content":"00"}}],
            "components":[{{"type":"file","name":"f","purl":"nothing"}}]}}]"#
        );
        let sbom = cyclonedx(&text).unwrap();
        assert_eq!(sbom.format, "CycloneDX 1.6");
        let places: Vec<&str> = sbom.components.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["/metadata/component", "d", "/components/0/components/0"]);
        let data = &sbom.components[1];
        let digests: Vec<String> = data.digests.iter().map(Digest::hex).collect();
        assert_eq!(digests, [hex.to_lowercase(), sum]);
        assert!(data.is_attestable() && !data.is_model());
        assert!(matches!(&sbom.components[2].purl, Some((text, Err(_))) if text == "nothing"));
    }

    #[test]
    fn a_digest_is_read_whatever_its_algorithm_is_written_like() {
        let hex = "ab".repeat(32);
        for alg in ["SHA-256", "sha256", "SHA256", "Sha-256", "sha_256"] {
            let one = format!(
                r#","components":[{{"type":"data","name":"d","hashes":[{{"alg":"{alg}","content":"{hex}"}}]}}]"#
            );
            assert_eq!(cyclonedx(&one).unwrap().components[0].digests.len(), 1, "{alg}");
            let sum = format!(
                r#","components":[{{"type":"data","name":"d","purl":"pkg:x/d?checksum={alg}:{hex}"}}]"#
            );
            assert_eq!(cyclonedx(&sum).unwrap().components[0].digests.len(), 1, "{alg}");
        }
        let other = cyclonedx(
            r#","components":[{"type":"data","name":"d","purl":"pkg:x/d?checksum=sha256:ab"}]"#,
        );
        assert!(matches!(other, Err(SbomError::Member { .. })), "{other:?}");
        let sha3 = r#","components":[{"type":"data","name":"d","hashes":[{"alg":"SHA3-256","content":"ab"}]}]"#;
        assert!(cyclonedx(sha3).unwrap().components[0].digests.is_empty());
    }

    #[test]
    fn packages_of_spdx_are_read() {
        let hex = "ab".repeat(32);
        let sbom = read(&format!(
            r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"SPDXID":"SPDXRef-1","name":"m","versionInfo":"1",
            "externalRefs":[{{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl",
            "referenceLocator":"pkg:huggingface/o/m@1"}}],
            "checksums":[{{"algorithm":"SHA256","checksumValue":"{hex}"}}]}}],
            "files":[{{"SPDXID":"SPDXRef-2","fileName":"./a"}}]}}"#
        ))
        .unwrap();
        assert!(sbom.components[0].is_model() && sbom.components[0].digests.len() == 1);
        assert_eq!(sbom.components[1].kind, "file");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let place = |rest: &str| match cyclonedx(rest) {
            Err(SbomError::Member { place, .. }) => place,
            other => panic!("{rest}: {other:?}"),
        };
        for (rest, at) in [
            (r#","components":{}"#, "/components"),
            (r#","components":[7]"#, "/components/0"),
            (r#","components":[{"type":"data"}]"#, "/components/0/name"),
            (r#","components":[{"name":"x"}]"#, "/components/0/type"),
            (r#","components":[{"type":"data","name":null}]"#, "/components/0/name"),
            (r#","components":[{"type":"data","name":"x","purl":[]}]"#, "/components/0/purl"),
            (r#","components":[{"type":"data","name":"x","hashes":{}}]"#, "/components/0/hashes"),
            (
                r#","components":[{"type":"data","name":"x","hashes":[{"alg":"SHA-256","content":"ab"}]}]"#,
                "/components/0/hashes/0/content",
            ),
            (
                r#","components":[{"type":"data","name":"x","components":[{}]}]"#,
                "/components/0/components/0/type",
            ),
            (r#","metadata":[]"#, "/metadata"),
            (r#","metadata":{"component":1}"#, "/metadata/component"),
        ] {
            assert_eq!(place(rest), at, "{rest}");
        }
        let long = "x".repeat(TEXT + 1);
        assert_eq!(
            place(&format!(r#","components":[{{"type":"data","name":"{long}"}}]"#)),
            "/components/0/name"
        );
    }

    #[test]
    fn other_documents_are_refused() {
        for text in [
            "[]",
            "{}",
            r#"{"bomFormat":"CycloneDX","specVersion":"1.3"}"#,
            r#"{"bomFormat":"CycloneDX"}"#,
            r#"{"spdxVersion":"SPDX-3.0"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","spdxVersion":"SPDX-2.3"}"#,
        ] {
            assert!(matches!(read(text), Err(SbomError::Format(_))), "{text}");
        }
        for rest in [r#","bomFormat":"CycloneDX""#, ",", r#","x":"\ud800""#] {
            assert!(matches!(cyclonedx(rest), Err(SbomError::Json(_))), "{rest}");
        }
        let deep = format!(r#","x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(cyclonedx(&deep), Err(SbomError::Json(_))));
        let mut nested = r#"{"type":"data","name":"x"}"#.to_owned();
        for _ in 0..40 {
            nested = format!(r#"{{"type":"data","name":"x","components":[{nested}]}}"#);
        }
        assert!(matches!(
            cyclonedx(&format!(r#","components":[{nested}]"#)),
            Err(SbomError::Json(_))
        ));
    }
}
