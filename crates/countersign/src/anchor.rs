//! Timestamp authorities of a trust file, and what their stamps amount to.

use record::entry::StampedAt;
use record::report::{Code, Finding};
use record::trust::{Purpose, Trust, TrustError};
use stamp::{Asked, Authority, Fault, Hash, Window};

/// The timestamp authorities of a trust file. An error names the key whose certificates cannot be
/// trusted as one.
pub fn authorities(trust: &Trust) -> Result<Vec<Authority>, TrustError> {
    trust
        .keys_for(Purpose::Tsa)
        .map(|key| {
            let window = Window { from: key.valid.from, until: key.valid.until };
            Authority::new(key.name.as_str(), key.certificates(), window)
                .and_then(|authority| authority.under(&key.policies))
                .map_err(|error| TrustError::Key {
                    name: key.name.clone(),
                    cause: error.to_string(),
                })
        })
        .collect()
}

/// Judges a reply over a SHA-256 digest; findings have no place yet.
pub fn judge(
    reply: &[u8],
    digest: &[u8; 32],
    authorities: &[Authority],
) -> Result<StampedAt, Vec<Finding>> {
    match stamp::verify(reply, &Asked::digest(Hash::Sha256, digest), authorities) {
        Ok(stamp) => Ok(StampedAt {
            time: stamp.time.0,
            earliest: stamp.earliest().0,
            latest: stamp.latest().0,
            signer: stamp.signer_fingerprint,
        }),
        Err(faults) => {
            let finding = |fault: &Fault| Finding::new(code(fault), "", fault.to_string());
            Err(faults.iter().map(finding).collect())
        }
    }
}

/// The finding a fault amounts to.
pub fn code(fault: &Fault) -> Code {
    match fault {
        Fault::Refused { .. } => Code::AnchorRefused,
        Fault::Algorithm(_) => Code::AnchorAlgorithm,
        Fault::Imprint { .. } => Code::AnchorImprint,
        Fault::Nonce => Code::AnchorRequest,
        Fault::Policy(_) => Code::AnchorPolicy,
        Fault::Signature(_) => Code::AnchorSignature,
        Fault::SignerMissing | Fault::Signer(_) => Code::AnchorSigner,
        Fault::Untrusted(_) => Code::AnchorUntrusted,
        Fault::Expired(_) => Code::AnchorExpired,
        // The enum may grow: what is not known here is not believed either.
        Fault::TooLong(_) | Fault::Malformed(_) | _ => Code::AnchorMalformed,
    }
}
