//! Why a reply proves nothing. Texts are for people; they hold names out of certificates, so
//! escape them before a terminal sees them.

/// One thing that is wrong with a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Longer than any reply is, bytes.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// Not the strict DER of RFC 3161 and RFC 5652; what could not be read.
    #[error("{0} is not as RFC 3161 has it")]
    Malformed(&'static str),
    /// The authority refused to stamp (RFC 3161 section 2.4.2).
    #[error("the authority answered {status}{}", reasons(.failures))]
    Refused {
        /// PKIStatus by name.
        status: &'static str,
        /// PKIFailureInfo by name.
        failures: Vec<&'static str>,
    },
    /// An algorithm that is weak or unknown here.
    #[error("{0} is not an algorithm that counts here")]
    Algorithm(String),
    /// The stamp is over something else.
    #[error("the stamp is over another digest: {found}")]
    Imprint {
        /// What it is over, algorithm and hex.
        found: String,
    },
    /// It answers another request: the nonce is absent or another one.
    #[error("the nonce is not that of the request")]
    Nonce,
    /// Its policy is not among those that were asked for.
    #[error("policy {0} is not accepted")]
    Policy(String),
    /// The signature does not verify, or does not cover the content.
    #[error("{0}")]
    Signature(&'static str),
    /// The signer's certificate came neither with the reply nor with the trusted ones.
    #[error("the signer's certificate is not there")]
    SignerMissing,
    /// The signer's certificate is not one of a timestamp authority, or not the one that signed.
    #[error("{0}")]
    Signer(&'static str),
    /// No chain leads from the signer to a trusted certificate.
    #[error("no chain to a trusted authority: {0}")]
    Untrusted(String),
    /// A certificate of the chain, or the trust in it, did not hold at the stamp's time.
    #[error("not valid at the stamp's time: {0}")]
    Expired(String),
}

fn reasons(failures: &[&str]) -> String {
    match failures.is_empty() {
        true => String::new(),
        false => format!(": {}", failures.join(", ")),
    }
}
