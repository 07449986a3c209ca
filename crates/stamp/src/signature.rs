//! One signature over signed attributes, under the key of a certificate.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::certificate::Certificate;
use crate::der::{BITS, INTEGER, OID, Reader, SEQUENCE, Tlv, context};
use crate::fault::Fault;
use crate::hash::{Algorithm, Hash};
use crate::oid;

const KEY: &str = "the signer's public key";
const PSS: &str = "the parameters of RSASSA-PSS";
const BAD: Fault = Fault::Signature("the signature does not verify");

/// Checks the signature over `message`, whose digest the reply states to be `hash`.
pub(crate) fn check(
    signer: &Certificate,
    algorithm: Algorithm<'_>,
    hash: Hash,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Fault> {
    let mut info = Reader(&signer.key).element(SEQUENCE, KEY)?.inside();
    let kind = Algorithm::next(&mut info, KEY)?;
    let (key, unused) = info.element(BITS, KEY)?.bits(KEY)?;
    if unused != 0 {
        return Err(Fault::Malformed(KEY));
    }
    let weak = || {
        let (key, signature) = (oid::dotted(kind.oid), oid::dotted(algorithm.oid));
        Fault::Algorithm(format!("{signature} with {} and a key of {key}", hash.as_str()))
    };
    let verifier: &dyn VerificationAlgorithm = match kind.oid {
        oid::EC_KEY => ecdsa(kind, algorithm, hash).ok_or_else(weak)?,
        oid::RSA if algorithm.oid == oid::RSA_PSS => pss(algorithm, hash)?.ok_or_else(weak)?,
        oid::RSA => pkcs1(algorithm, hash).ok_or_else(weak)?,
        // The key is for this padding only, and may name the digest too.
        oid::RSA_PSS if algorithm.oid == oid::RSA_PSS => {
            if kind.parameters.is_some() && pss(kind, hash)?.is_none() {
                return Err(weak());
            }
            pss(algorithm, hash)?.ok_or_else(weak)?
        }
        oid::ED25519 => {
            // RFC 8419 section 3.1: the digest is SHA-512.
            if algorithm != kind || kind.parameters.is_some() || hash != Hash::Sha512 {
                return Err(weak());
            }
            let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
                return Err(BAD);
            };
            let key = seal::PublicKey::from_bytes(key).map_err(|_| Fault::Malformed(KEY))?;
            return if key.verify(message, signature) { Ok(()) } else { Err(BAD) };
        }
        _ => return Err(weak()),
    };
    UnparsedPublicKey::new(verifier, key).verify(message, signature).map_err(|_| BAD)
}

fn ecdsa(
    key: Algorithm<'_>,
    algorithm: Algorithm<'_>,
    hash: Hash,
) -> Option<&'static dyn VerificationAlgorithm> {
    let named = match algorithm.oid {
        oid::ECDSA_SHA256 => Hash::Sha256,
        oid::ECDSA_SHA384 => Hash::Sha384,
        oid::ECDSA_SHA512 => Hash::Sha512,
        _ => return None,
    };
    if named != hash || algorithm.parameters.is_some() {
        return None;
    }
    let curve = key.parameters.filter(|tlv| tlv.tag == OID)?.value;
    Some(match (curve, hash) {
        (oid::P256, Hash::Sha256) => &ECDSA_P256_SHA256_ASN1,
        (oid::P256, Hash::Sha384) => &ECDSA_P256_SHA384_ASN1,
        (oid::P256, Hash::Sha512) => &ECDSA_P256_SHA512_ASN1,
        (oid::P384, Hash::Sha256) => &ECDSA_P384_SHA256_ASN1,
        (oid::P384, Hash::Sha384) => &ECDSA_P384_SHA384_ASN1,
        (oid::P384, Hash::Sha512) => &ECDSA_P384_SHA512_ASN1,
        _ => return None,
    })
}

fn pkcs1(algorithm: Algorithm<'_>, hash: Hash) -> Option<&'static dyn VerificationAlgorithm> {
    let named = match algorithm.oid {
        // Named by the key's algorithm, the digest is that of the message (RFC 3370).
        oid::RSA => hash,
        oid::RSA_SHA256 => Hash::Sha256,
        oid::RSA_SHA384 => Hash::Sha384,
        oid::RSA_SHA512 => Hash::Sha512,
        _ => return None,
    };
    if named != hash || algorithm.parameters.is_some() {
        return None;
    }
    Some(match hash {
        Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
    })
}

/// RSASSA-PSS with this digest throughout and a salt as long as it (RFC 4055 section 3.1).
fn pss(
    algorithm: Algorithm<'_>,
    hash: Hash,
) -> Result<Option<&'static dyn VerificationAlgorithm>, Fault> {
    let Some(parameters) = algorithm.parameters.filter(|tlv| tlv.tag == SEQUENCE) else {
        return Ok(None);
    };
    let mut inside = parameters.inside();
    let mut field = |n| -> Result<Option<Tlv<'_>>, Fault> {
        let Some(tagged) = inside.optional(context(n), PSS)? else { return Ok(None) };
        let mut tagged = tagged.inside();
        let value = tagged.any(PSS)?;
        tagged.end(PSS)?;
        Ok(Some(value))
    };
    let (digest, mask, salt, trailer) = (field(0)?, field(1)?, field(2)?, field(3)?);
    inside.end(PSS)?;
    // The defaults are those of SHA-1, and 1 for the trailer.
    let (Some(digest), Some(mask), Some(salt), None) = (digest, mask, salt, trailer) else {
        return Ok(None);
    };
    if salt.tag != INTEGER {
        return Err(Fault::Malformed(PSS));
    }
    let mask = Algorithm::read(mask, PSS)?;
    let same = |tlv: Tlv<'_>| Algorithm::read(tlv, PSS).map(|found| found.hash() == Ok(hash));
    let fits = same(digest)?
        && mask.oid == oid::MGF1
        && mask.parameters.map_or(Ok(false), same)?
        && salt.number(PSS)? == hash.length() as u64;
    Ok(fits.then_some(match hash {
        Hash::Sha256 => &RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PSS_2048_8192_SHA512,
    }))
}
