//! Taking a reply apart: TimeStampResp (RFC 3161 section 2.4.2), SignedData (RFC 5652 section 5)
//! and TSTInfo. Nothing is judged here but the form.

use crate::certificate::Certificate;
use crate::der::{
    BITS, INTEGER, OCTETS, OID, Read, Reader, SEQUENCE, SET, TIME, Tlv, UTF8, context,
    context_primitive,
};
use crate::fault::Fault;
use crate::hash::Algorithm;
use crate::oid;
use crate::time::{Moment, stamped};

/// Certificates a reply may carry.
const BAG: usize = 16;

/// What the authority answered, and the token if it did stamp.
pub(crate) fn reply(bytes: &[u8]) -> Read<Tlv<'_>> {
    let what = "the reply";
    let mut outer = Reader(bytes);
    let mut parts = outer.element(SEQUENCE, what)?.inside();
    outer.end("what follows the reply")?;
    let what = "PKIStatusInfo";
    let mut info = parts.element(SEQUENCE, what)?.inside();
    let status = info.element(INTEGER, what)?.number(what)?;
    if let Some(texts) = info.optional(SEQUENCE, what)? {
        let mut texts = texts.inside();
        while !texts.is_empty() {
            let text = texts.element(UTF8, what)?;
            std::str::from_utf8(text.value).map_err(|_| Fault::Malformed(what))?;
        }
    }
    let failures = info.optional(BITS, what)?;
    info.end(what)?;
    let status = match status {
        // Granted, or granted with changes; and then nothing failed.
        0 | 1 if failures.is_none() => {
            let token = parts.element(SEQUENCE, "the token")?;
            parts.end("what follows the token")?;
            return Ok(token);
        }
        2 => "rejection",
        3 => "waiting",
        4 => "revocation warning",
        5 => "revocation",
        _ => return Err(Fault::Malformed(what)),
    };
    parts.end("a token where none was granted")?;
    let bits = match failures {
        Some(tlv) => tlv.bits(what)?.0,
        None => &[],
    };
    let failures = FAILURES
        .iter()
        .filter(|(bit, _)| bits.get(bit / 8).is_some_and(|byte| byte & 0x80 >> (bit % 8) != 0))
        .map(|(_, name)| *name)
        .collect();
    Err(Fault::Refused { status, failures })
}

const FAILURES: [(usize, &str); 8] = [
    (0, "badAlg"),
    (2, "badRequest"),
    (5, "badDataFormat"),
    (14, "timeNotAvailable"),
    (15, "unacceptedPolicy"),
    (16, "unacceptedExtension"),
    (17, "addInfoNotAvailable"),
    (25, "systemFailure"),
];

/// A token, taken apart.
pub(crate) struct Token<'a> {
    /// The bytes of TSTInfo.
    pub content: &'a [u8],
    pub bag: Vec<Certificate>,
    pub signer: SignerInfo<'a>,
}

/// How a SignerInfo names its certificate.
pub(crate) enum SignerId<'a> {
    Issued { issuer: &'a [u8], serial: &'a [u8] },
    Key(&'a [u8]),
}

impl SignerId<'_> {
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            SignerId::Issued { issuer, serial } => {
                certificate.issuer == *issuer && certificate.serial == *serial
            }
            SignerId::Key(id) => certificate.subject_key_id.as_deref() == Some(*id),
        }
    }
}

/// The one SignerInfo.
pub(crate) struct SignerInfo<'a> {
    pub id: SignerId<'a>,
    pub digest: Algorithm<'a>,
    /// Type and value of each signed attribute.
    pub attributes: Vec<(&'a [u8], Tlv<'a>)>,
    /// What is signed: the attributes as a SET OF.
    pub signed: Vec<u8>,
    pub algorithm: Algorithm<'a>,
    pub signature: &'a [u8],
}

impl<'a> SignerInfo<'a> {
    /// The value of a signed attribute.
    pub fn attribute(&self, kind: &[u8]) -> Option<Tlv<'a>> {
        self.attributes.iter().find(|(known, _)| *known == kind).map(|(_, value)| *value)
    }
}

/// Reads a token: ContentInfo with SignedData over TSTInfo, by exactly one signer.
pub(crate) fn token(content_info: Tlv<'_>) -> Read<Token<'_>> {
    let what = "ContentInfo";
    let mut parts = content_info.inside();
    if parts.element(OID, what)?.oid(what)? != oid::SIGNED_DATA {
        return Err(Fault::Malformed("the content, which is not SignedData,"));
    }
    let mut explicit = parts.element(context(0), what)?.inside();
    parts.end(what)?;
    let what = "SignedData";
    let mut data = explicit.element(SEQUENCE, what)?.inside();
    explicit.end(what)?;
    // RFC 5652 section 5.1: 3, since the content is not plain data and certificates are X.509.
    if data.element(INTEGER, what)?.number(what)? != 3 {
        return Err(Fault::Malformed("the version of SignedData"));
    }
    let mut digests = data.element(SET, what)?.inside();
    let mut named = Vec::new();
    while !digests.is_empty() {
        named.push(Algorithm::next(&mut digests, "digestAlgorithms")?);
    }
    let content = content(data.element(SEQUENCE, "encapContentInfo")?)?;
    let bag = match data.optional(context(0), what)? {
        Some(set) => bag(set)?,
        None => Vec::new(),
    };
    // Revocation lists: not looked at.
    data.optional(context(1), what)?;
    let mut signers = data.element(SET, what)?.inside();
    data.end(what)?;
    let signer = signer_info(signers.element(SEQUENCE, "SignerInfo")?)?;
    signers.end("more than one SignerInfo")?;
    if !named.contains(&signer.digest) {
        return Err(Fault::Malformed("digestAlgorithms"));
    }
    Ok(Token { content, bag, signer })
}

fn content(info: Tlv<'_>) -> Read<&[u8]> {
    let what = "encapContentInfo";
    let mut parts = info.inside();
    if parts.element(OID, what)?.oid(what)? != oid::TST_INFO {
        return Err(Fault::Malformed("the content type, which is not TSTInfo,"));
    }
    let mut explicit = parts.element(context(0), what)?.inside();
    parts.end(what)?;
    let content = explicit.element(OCTETS, what)?.value;
    explicit.end(what)?;
    Ok(content)
}

fn bag(set: Tlv<'_>) -> Read<Vec<Certificate>> {
    let mut each = set.inside();
    let mut bag = Vec::new();
    while !each.is_empty() {
        let certificate = each.element(SEQUENCE, "the certificates")?;
        if bag.len() == BAG {
            return Err(Fault::Malformed("more than 16 certificates: the reply"));
        }
        bag.push(Certificate::from_der(certificate.whole)?);
    }
    Ok(bag)
}

fn signer_info(info: Tlv<'_>) -> Read<SignerInfo<'_>> {
    let what = "SignerInfo";
    let mut parts = info.inside();
    let version = parts.element(INTEGER, what)?.number(what)?;
    let id = parts.any(what)?;
    let id = match (version, id.tag) {
        (1, SEQUENCE) => {
            let mut pair = id.inside();
            let issuer = pair.element(SEQUENCE, what)?.whole;
            let serial = pair.element(INTEGER, what)?.integer(what)?;
            pair.end(what)?;
            SignerId::Issued { issuer, serial }
        }
        (3, tag) if tag == context_primitive(0) => SignerId::Key(id.value),
        _ => return Err(Fault::Malformed(what)),
    };
    let digest = Algorithm::next(&mut parts, what)?;
    let set = parts.element(context(0), "the signed attributes")?;
    let attributes = attributes(set)?;
    let algorithm = Algorithm::next(&mut parts, what)?;
    let signature = parts.element(OCTETS, what)?.value;
    // Unsigned attributes: nothing rests on them.
    parts.optional(context(1), what)?;
    parts.end(what)?;
    // RFC 5652 section 5.4: what is signed has the tag of a SET OF instead of [0]. That the rest
    // is DER already, the attributes in their order included, was seen when they were read.
    let mut signed = set.whole.to_vec();
    signed[0] = SET;
    Ok(SignerInfo { id, digest, attributes, signed, algorithm, signature })
}

fn attributes(set: Tlv<'_>) -> Read<Vec<(&[u8], Tlv<'_>)>> {
    let what = "the signed attributes";
    let mut each = set.inside();
    let mut found: Vec<(&[u8], Tlv<'_>)> = Vec::new();
    let mut before: &[u8] = &[];
    while !each.is_empty() {
        let attribute = each.element(SEQUENCE, what)?;
        // The order of a SET OF in DER is that of its encodings.
        if attribute.whole <= before {
            return Err(Fault::Malformed("the order of the signed attributes"));
        }
        before = attribute.whole;
        let mut parts = attribute.inside();
        let kind = parts.element(OID, what)?.oid(what)?;
        let mut values = parts.element(SET, what)?.inside();
        parts.end(what)?;
        let value = values.any(what)?;
        values.end(what)?;
        if found.iter().any(|(known, _)| *known == kind) {
            return Err(Fault::Malformed(what));
        }
        found.push((kind, value));
    }
    Ok(found)
}

/// TSTInfo, taken apart.
pub(crate) struct Info<'a> {
    pub policy: &'a [u8],
    pub algorithm: Algorithm<'a>,
    pub digest: &'a [u8],
    pub serial: &'a [u8],
    pub time: Moment,
    pub accuracy_micros: Option<u64>,
    pub ordering: bool,
    pub nonce: Option<&'a [u8]>,
    /// A GeneralName, whole.
    pub authority: Option<&'a [u8]>,
}

pub(crate) fn info(bytes: &[u8]) -> Read<Info<'_>> {
    let what = "TSTInfo";
    let mut outer = Reader(bytes);
    let mut parts = outer.element(SEQUENCE, what)?.inside();
    outer.end(what)?;
    if parts.element(INTEGER, what)?.number(what)? != 1 {
        return Err(Fault::Malformed("the version of TSTInfo"));
    }
    let policy = parts.element(OID, what)?.oid("the policy")?;
    let mut imprint = parts.element(SEQUENCE, "messageImprint")?.inside();
    let algorithm = Algorithm::next(&mut imprint, "messageImprint")?;
    let digest = imprint.element(OCTETS, "messageImprint")?.value;
    imprint.end("messageImprint")?;
    let serial = parts.element(INTEGER, "the serial number")?.integer("the serial number")?;
    if serial.len() > 64 {
        return Err(Fault::Malformed("the serial number"));
    }
    let time = stamped(parts.element(TIME, "genTime")?)?;
    let accuracy_micros = parts.optional(SEQUENCE, "the accuracy")?.map(accuracy).transpose()?;
    let ordering = parts.flag("the ordering")?;
    let nonce = parts.optional(INTEGER, "the nonce")?;
    let nonce = nonce.map(|tlv| tlv.integer("the nonce")).transpose()?;
    let authority = match parts.optional(context(0), "the tsa field")? {
        Some(explicit) => {
            let mut explicit = explicit.inside();
            let name = explicit.any("the tsa field")?;
            explicit.end("the tsa field")?;
            Some(name.whole)
        }
        None => None,
    };
    if let Some(list) = parts.optional(context(1), "the extensions")? {
        let mut each = list.inside();
        while !each.is_empty() {
            let mut extension = each.element(SEQUENCE, "the extensions")?.inside();
            extension.element(OID, "the extensions")?.oid("the extensions")?;
            // None is known here, and a critical one may change what all this means.
            if extension.flag("the extensions")? {
                return Err(Fault::Malformed("a critical extension, which is unknown here,"));
            }
            extension.element(OCTETS, "the extensions")?;
            extension.end("the extensions")?;
        }
    }
    parts.end("what follows TSTInfo")?;
    Ok(Info {
        policy,
        algorithm,
        digest,
        serial,
        time,
        accuracy_micros,
        ordering,
        nonce,
        authority,
    })
}

/// Seconds, milliseconds and microseconds, the last two from 1 to 999, as microseconds.
fn accuracy(tlv: Tlv<'_>) -> Read<u64> {
    let what = "the accuracy";
    let mut parts = tlv.inside();
    let seconds = match parts.optional(INTEGER, what)? {
        Some(tlv) => tlv.number(what)?,
        None => 0,
    };
    let mut part = |n| -> Read<u64> {
        match parts.optional(context_primitive(n), what)? {
            None => Ok(0),
            Some(tlv) => match tlv.number(what)? {
                number @ 1..=999 => Ok(number),
                _ => Err(Fault::Malformed(what)),
            },
        }
    };
    let (millis, micros) = (part(0)?, part(1)?);
    parts.end(what)?;
    // An hour off is no clock.
    match seconds {
        0..=3_600 => Ok(seconds * 1_000_000 + millis * 1_000 + micros),
        _ => Err(Fault::Malformed(what)),
    }
}
