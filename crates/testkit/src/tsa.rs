//! A timestamp authority that does what it is told, faults included. Keys are Ed25519 from seeds,
//! so replies are the same in every run; a signer may have a P-256 key instead, another one each
//! run, for verifiers that know no Ed25519.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use seal::Signer;
use stamp::Hash;

use crate::key;

/// One DER value.
pub fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// The purpose timeStamping.
pub const TIME_STAMPING: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x08";
/// The purpose codeSigning.
pub const CODE_SIGNING: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x03";
const TST_INFO: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04";

fn integer(number: u8) -> Vec<u8> {
    der(2, &[&[number]])
}

fn algorithm(hash: Hash) -> Vec<u8> {
    let last = match hash {
        Hash::Sha256 => 1,
        Hash::Sha384 => 2,
        Hash::Sha512 => 3,
    };
    let oid = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last];
    der(0x30, &[&der(6, &[&oid]), &der(5, &[])])
}

fn ed25519() -> Vec<u8> {
    der(0x30, &[&der(6, &[b"\x2b\x65\x70"])])
}

/// ecdsa-with-SHA256.
fn ecdsa() -> Vec<u8> {
    der(0x30, &[&der(6, &[b"\x2a\x86\x48\xce\x3d\x04\x03\x02"])])
}

/// The P-256 key of a seed, the same as long as the process lives.
fn p256(seed: u8) -> Arc<EcdsaKeyPair> {
    static KEYS: LazyLock<Mutex<HashMap<u8, Arc<EcdsaKeyPair>>>> = LazyLock::new(Mutex::default);
    let make = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let mut keys = KEYS.lock().expect("no panic");
    keys.entry(seed).or_insert_with(|| Arc::new(make())).clone()
}

/// A Name with one common name.
pub fn name(common: &str) -> Vec<u8> {
    let pair = der(0x30, &[&der(6, &[b"\x55\x04\x03"]), &der(0x0c, &[common.as_bytes()])]);
    der(0x30, &[&der(0x31, &[&pair])])
}

/// A certificate to issue.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Common name of the subject.
    pub subject: String,
    /// Seed of its key.
    pub seed: u8,
    /// A P-256 key instead of Ed25519; for signers, not for issuers.
    pub p256: bool,
    /// Common name and seed of the issuer.
    pub issuer: (String, u8),
    /// Serial number.
    pub serial: u8,
    /// GeneralizedTime.
    pub from: String,
    /// GeneralizedTime.
    pub until: String,
    /// The CA flag of the basic constraints.
    pub ca: bool,
    /// How many CAs may be below it.
    pub path_length: Option<u8>,
    /// Bits of the key usage, digitalSignature as 0x80.
    pub key_usage: Option<u8>,
    /// Whether the extended key usage is critical, and its purposes.
    pub purposes: Option<(bool, Vec<&'static [u8]>)>,
}

impl Issue {
    /// A CA of its own.
    pub fn root(subject: &str, seed: u8) -> Issue {
        Issue {
            subject: subject.to_owned(),
            seed,
            p256: false,
            issuer: (subject.to_owned(), seed),
            serial: 1,
            from: "20200101000000Z".to_owned(),
            until: "20400101000000Z".to_owned(),
            ca: true,
            path_length: None,
            key_usage: Some(0x04),
            purposes: None,
        }
    }

    /// What another CA issues to a CA below it.
    pub fn below(self, issuer: &Issue) -> Issue {
        Issue { issuer: (issuer.subject.clone(), issuer.seed), ..self }
    }

    /// A signer of timestamps.
    pub fn signer(subject: &str, seed: u8, issuer: &Issue) -> Issue {
        Issue {
            ca: false,
            serial: 2,
            key_usage: Some(0x80),
            purposes: Some((true, vec![TIME_STAMPING])),
            ..Issue::root(subject, seed)
        }
        .below(issuer)
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> Vec<u8> {
        let extension = |oid: &[u8], critical: bool, value: Vec<u8>| {
            let flag = if critical { der(1, &[&[0xff]]) } else { Vec::new() };
            der(0x30, &[&der(6, &[oid]), &flag, &der(4, &[&value])])
        };
        let flag = if self.ca { der(1, &[&[0xff]]) } else { Vec::new() };
        let length = self.path_length.map(integer).unwrap_or_default();
        let mut extensions = extension(b"\x55\x1d\x13", true, der(0x30, &[&flag, &length]));
        if let Some(bits) = self.key_usage {
            let unused = bits.trailing_zeros() as u8;
            extensions.extend(extension(b"\x55\x1d\x0f", true, der(3, &[&[unused, bits]])));
        }
        if let Some((critical, purposes)) = &self.purposes {
            let list: Vec<u8> = purposes.iter().flat_map(|oid| der(6, &[oid])).collect();
            extensions.extend(extension(b"\x55\x1d\x25", *critical, der(0x30, &[&list])));
        }
        let key_id = extension(b"\x55\x1d\x0e", false, der(4, &[&[self.seed; 20]]));
        extensions.extend(key_id);
        let public = match self.p256 {
            true => {
                let kind = [
                    der(6, &[b"\x2a\x86\x48\xce\x3d\x02\x01"]),
                    der(6, &[b"\x2a\x86\x48\xce\x3d\x03\x01\x07"]),
                ];
                let kind = der(0x30, &[&kind.concat()]);
                der(0x30, &[&kind, &der(3, &[&[0], p256(self.seed).public_key().as_ref()])])
            }
            false => {
                let public = *key(self.seed).public().as_bytes();
                der(0x30, &[&ed25519(), &der(3, &[&[0], &public])])
            }
        };
        let time = |text: &str| match text.strip_prefix("20") {
            Some(short) if short < "50" => der(0x17, &[short.as_bytes()]),
            _ => der(0x18, &[text.as_bytes()]),
        };
        let body = der(
            0x30,
            &[
                &der(0xa0, &[&integer(2)]),
                &integer(self.serial),
                &ed25519(),
                &name(&self.issuer.0),
                &der(0x30, &[&time(&self.from), &time(&self.until)]),
                &name(&self.subject),
                &public,
                &der(0xa3, &[&der(0x30, &[&extensions])]),
            ],
        );
        let signature = key(self.issuer.1).sign(&body);
        der(0x30, &[&body, &ed25519(), &der(3, &[&[0], &signature])])
    }
}

/// PEM text of a certificate.
pub fn pem(certificate: &[u8]) -> String {
    let text = seal::base64::std_encode(certificate);
    let lines: Vec<String> = text.as_bytes().chunks(64).map(|line| lossy(line) + "\n").collect();
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines.concat())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Which certificate the signed attributes name, and how.
#[derive(Clone, Debug)]
pub enum Named {
    /// ESSCertIDv2 with its default digest.
    V2(Vec<u8>),
    /// ESSCertID, whose digest is SHA-1.
    V1(Vec<u8>),
    /// ESSCertIDv2 of several certificates.
    Chain(Vec<Vec<u8>>),
    /// Nothing.
    Nothing,
}

/// A reply to make. Every member may be made wrong.
#[derive(Clone, Debug)]
pub struct Reply {
    /// PKIStatus.
    pub status: u8,
    /// Algorithm and digest of the imprint.
    pub imprint: (Hash, Vec<u8>),
    /// Version of TSTInfo.
    pub version: u8,
    /// GeneralizedTime.
    pub time: String,
    /// The accuracy's bytes, whole.
    pub accuracy: Vec<u8>,
    /// The nonce's bytes, whole.
    pub nonce: Vec<u8>,
    /// The tsa field's GeneralName, whole.
    pub authority: Option<Vec<u8>>,
    /// The extensions' bytes, whole.
    pub extensions: Vec<u8>,
    /// Who signs.
    pub signer: Issue,
    /// Whose key really signs.
    pub seed: u8,
    /// The certificates that come along.
    pub bag: Vec<Vec<u8>>,
    /// The certificate that the signed attributes name.
    pub named: Named,
    /// The content type that the signed attributes state.
    pub content_type: &'static [u8],
    /// What the signed attributes are over instead of the content.
    pub covers: Option<Vec<u8>>,
    /// Puts the signed attributes into an order that is not DER's.
    pub disorder: bool,
    /// How often the SignerInfo is there.
    pub signers: usize,
    /// Names the signer by its key id instead of issuer and serial number.
    pub by_key_id: bool,
    /// The digest of the SignerInfo.
    pub digest: Hash,
}

impl Reply {
    /// A good reply over this digest, by this signer.
    pub fn over(hash: Hash, digest: &[u8], signer: &Issue) -> Reply {
        let certificate = signer.certificate();
        Reply {
            status: 0,
            imprint: (hash, digest.to_vec()),
            version: 1,
            time: "20261121000000Z".to_owned(),
            accuracy: Vec::new(),
            nonce: Vec::new(),
            authority: None,
            extensions: Vec::new(),
            signer: signer.clone(),
            seed: signer.seed,
            bag: vec![certificate.clone()],
            named: Named::V2(certificate),
            content_type: TST_INFO,
            covers: None,
            disorder: false,
            signers: 1,
            by_key_id: false,
            digest: if signer.p256 { Hash::Sha256 } else { Hash::Sha512 },
        }
    }

    /// TSTInfo.
    pub fn content(&self) -> Vec<u8> {
        let (hash, digest) = &self.imprint;
        let authority = self.authority.as_ref().map(|name| der(0xa0, &[name])).unwrap_or_default();
        der(
            0x30,
            &[
                &integer(self.version),
                &der(6, &[b"\x2a\x03\x04\x01"]),
                &der(0x30, &[&algorithm(*hash), &der(4, &[digest])]),
                &integer(9),
                &der(0x18, &[self.time.as_bytes()]),
                &self.accuracy,
                &self.nonce,
                &authority,
                &self.extensions,
            ],
        )
    }

    /// The bytes of the reply.
    pub fn bytes(&self) -> Vec<u8> {
        let content = self.content();
        let attribute =
            |oid: &[u8], value: Vec<u8>| der(0x30, &[&der(6, &[oid]), &der(0x31, &[&value])]);
        let covered = self.covers.as_ref().unwrap_or(&content);
        let mut attributes = vec![
            attribute(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03", der(6, &[self.content_type])),
            attribute(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04", der(4, &[&self.digest.of(covered)])),
        ];
        let ids: Vec<&Vec<u8>> = match &self.named {
            Named::V2(certificate) => vec![certificate],
            Named::Chain(certificates) => certificates.iter().collect(),
            Named::V1(_) | Named::Nothing => Vec::new(),
        };
        if let Named::V1(certificate) = &self.named {
            let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate);
            let id = der(0x30, &[&der(4, &[digest.as_ref()])]);
            attributes.push(attribute(
                b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0c",
                der(0x30, &[&der(0x30, &[&id])]),
            ));
        }
        if !ids.is_empty() {
            let id =
                |certificate: &&Vec<u8>| der(0x30, &[&der(4, &[&Hash::Sha256.of(certificate)])]);
            let list: Vec<u8> = ids.iter().flat_map(id).collect();
            attributes.push(attribute(
                b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f",
                der(0x30, &[&der(0x30, &[&list])]),
            ));
        }
        attributes.sort();
        if self.disorder {
            attributes.reverse();
        }
        let attributes = attributes.concat();
        let signed = der(0x31, &[&attributes]);
        let (algorithm_of_key, signature) = match self.signer.p256 {
            true => {
                let made = p256(self.seed).sign(&SystemRandom::new(), &signed).expect("signed");
                (ecdsa(), made.as_ref().to_vec())
            }
            false => (ed25519(), key(self.seed).sign(&signed).to_vec()),
        };
        let (version, id) = match self.by_key_id {
            true => (3, der(0x80, &[&[self.signer.seed; 20]])),
            false => {
                let issuer = name(&self.signer.issuer.0);
                (1, der(0x30, &[&issuer, &integer(self.signer.serial)]))
            }
        };
        let signer = der(
            0x30,
            &[
                &integer(version),
                &id,
                &algorithm(self.digest),
                &der(0xa0, &[&attributes]),
                &algorithm_of_key,
                &der(4, &[&signature]),
            ],
        );
        let bag = match self.bag.is_empty() {
            true => Vec::new(),
            false => der(0xa0, &[&self.bag.concat()]),
        };
        let data = der(
            0x30,
            &[
                &integer(3),
                &der(0x31, &[&algorithm(self.digest)]),
                &der(0x30, &[&der(6, &[TST_INFO]), &der(0xa0, &[&der(4, &[&content])])]),
                &bag,
                &der(0x31, &[&signer.repeat(self.signers)]),
            ],
        );
        let signed_data = der(6, &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"]);
        let token = der(0x30, &[&signed_data, &der(0xa0, &[&data])]);
        der(0x30, &[&der(0x30, &[&integer(self.status)]), &token])
    }
}
