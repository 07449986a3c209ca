//! From the signer's certificate to a trusted root, at the time of the stamp. Paths and their
//! signatures are webpki's; what it leaves to its callers is here.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath, anchor_from_trusted_cert, aws_lc_rs};

use crate::authority::Authority;
use crate::certificate::Certificate;
use crate::fault::Fault;
use crate::oid;
use crate::time::Moment;

/// What certificates may be signed with: nothing below SHA-256, RSA of 2,048 bits or P-256.
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    aws_lc_rs::ECDSA_P256_SHA256,
    aws_lc_rs::ECDSA_P256_SHA384,
    aws_lc_rs::ECDSA_P256_SHA512,
    aws_lc_rs::ECDSA_P384_SHA256,
    aws_lc_rs::ECDSA_P384_SHA384,
    aws_lc_rs::ECDSA_P384_SHA512,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    aws_lc_rs::ED25519,
];

/// The certificates of the path above the signer, the root last.
pub(crate) type Path = Vec<Certificate>;

/// Looks for a path from the signer to one authority's root that holds at `time`. `bag` may help,
/// and is not believed.
pub(crate) fn find(
    signer: &Certificate,
    bag: &[Certificate],
    authority: &Authority,
    time: Moment,
) -> Result<Path, Fault> {
    let untrusted = |why: String| Fault::Untrusted(why);
    let root = CertificateDer::from(authority.root().der());
    let anchors = [anchor_from_trusted_cert(&root).map_err(|error| untrusted(told(&error)))?];
    let helpers: Vec<CertificateDer<'_>> = bag
        .iter()
        .chain(authority.helpers())
        .filter(|helper| *helper != signer && *helper != authority.root())
        .map(|helper| CertificateDer::from(helper.der()))
        .collect();
    let leaf = CertificateDer::from(signer.der());
    let leaf = EndEntityCert::try_from(&leaf).map_err(|error| untrusted(told(&error)))?;
    let fits = |path: &VerifiedPath<'_>| {
        let above = above(path)?;
        match above.iter().all(Certificate::is_authority) {
            true => Ok(()),
            false => Err(Error::EndEntityUsedAsCa),
        }
    };
    let path = leaf
        .verify_for_usage(
            ALGORITHMS,
            &anchors,
            &helpers,
            UnixTime::since_unix_epoch(Duration::from_secs(time.seconds())),
            // The signer's own purposes were looked at; intermediates may be without any.
            KeyUsage::required_if_present(oid::TIME_STAMPING),
            None,
            Some(&fits),
        )
        .map_err(|error| match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
                Fault::Expired(format!("{}: {}", authority.name(), told(&error)))
            }
            error => untrusted(told(&error)),
        })?;
    let mut path = above(&path).map_err(|error| untrusted(told(&error)))?;
    // Those that issued themselves do not count (RFC 5280 section 4.2.1.9).
    let between = path.iter().filter(|between| between.issuer != between.subject).count();
    path.push(authority.root().clone());
    // webpki takes of a root its name, key and name constraints only.
    if authority.root().path_length.is_some_and(|length| between as u64 > length) {
        return Err(untrusted("more CAs are below the root than it allows".to_owned()));
    }
    if !authority.root().holds(time.seconds()) {
        let why = format!("{}: the root's own window", authority.name());
        return Err(Fault::Expired(why));
    }
    let purposes = authority.root().purposes.as_ref();
    if purposes.is_some_and(|(_, list)| list.iter().all(|purpose| purpose != oid::TIME_STAMPING)) {
        return Err(untrusted("the root is not for timestamps".to_owned()));
    }
    if !authority.window().holds(time) {
        let why = format!("{} is trusted for another time", authority.name());
        return Err(Fault::Expired(why));
    }
    Ok(path)
}

fn above(path: &VerifiedPath<'_>) -> Result<Path, Error> {
    path.intermediate_certificates()
        .map(|certificate| {
            Certificate::from_der(certificate.der().as_ref()).map_err(|_| Error::BadDer)
        })
        .collect()
}

/// What webpki says, in words.
fn told(error: &Error) -> String {
    match error {
        Error::UnknownIssuer => "no trusted certificate issued the signer's".to_owned(),
        Error::CertExpired { .. } => "a certificate had expired".to_owned(),
        Error::CertNotValidYet { .. } => "a certificate was not valid yet".to_owned(),
        Error::InvalidSignatureForPublicKey => {
            "a certificate was not signed by the one above it".to_owned()
        }
        Error::RequiredEkuNotFoundContext(_) => {
            "a certificate of the chain is not for timestamps".to_owned()
        }
        Error::EndEntityUsedAsCa => {
            "a certificate above the signer's is not that of a CA".to_owned()
        }
        other => format!("{other:?}"),
    }
}
