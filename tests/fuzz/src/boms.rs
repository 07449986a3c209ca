//! Bills of materials of others, and package URLs.

use attest::sbom::correlate;
use attest::{Purl, Sbom};

/// What is read lists things nobody attested here; a package URL is what its own writer writes.
pub fn sbom(input: &[u8]) {
    match Sbom::read(input) {
        Ok(sbom) => {
            let found = correlate(&sbom, &[], true);
            assert_eq!(found.judged.len(), sbom.components.len());
            assert_eq!(found.findings().len(), sbom.components.len().max(1));
            assert!(correlate(&sbom, &[], false).judged.len() <= found.judged.len());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Purl::parse(text) {
        Ok(purl) => {
            assert_eq!(Purl::parse(&purl.to_string()), Ok(purl.clone()));
            assert_eq!(purl.unversioned().unversioned(), purl.unversioned());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Where fuzzing starts.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let hex = "ab".repeat(32);
    let texts = [
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{{"component":{{"type":"application","name":"a"}}}},"components":[{{"type":"data","bom-ref":"d","name":"d","version":"1","purl":"pkg:oci/d@sha256:{hex}?tag=v1","hashes":[{{"alg":"SHA-256","content":"{hex}"}}],"components":[{{"type":"file","name":"f"}}]}}]}}"#
        ),
        format!(
            r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"SPDXID":"a","name":"a","externalRefs":[{{"referenceType":"purl","referenceLocator":"pkg:huggingface/a/b@1"}}],"checksums":[{{"algorithm":"SHA256","checksumValue":"{hex}"}}]}}],"files":[]}}"#
        ),
        "pkg:npm/%40a/b@1%2F2?checksum=sha256:00&x=y/z#p/q".to_owned(),
        "PKG://PyPI/A_b".to_owned(),
    ];
    texts.map(String::into_bytes).to_vec()
}
