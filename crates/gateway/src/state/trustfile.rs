//! The first trust file: our own keys, written once; afterwards it is the operator's.

use std::path::Path;

use record::trust::{LogKey, Purpose, Quorum, Trust, TrustError, TrustKey};
use seal::Zeroizing;
use seal::signer::Signer as _;

use super::keys::{Keys, hmac_file};
use super::{AGENT, HMAC_KEY_ID, HOME, StateError, files};

/// The text of a trust file that names `keys` and the log `origin`.
pub(super) fn text(keys: &Keys, origin: &str) -> Result<String, TrustError> {
    let public = |name, purpose, signer: &crate::signer::NativeSigner| {
        TrustKey::public(name, purpose, signer.public().clone())
    };
    let mut trust = Trust::empty();
    let mut gateway = public("gateway", Purpose::Receipts, &keys.gateway);
    gateway.agent_id = AGENT.parse().ok();
    trust.add_key(gateway)?;
    trust.add_key(public("decisions", Purpose::Decisions, &keys.decisions))?;
    let secret = Zeroizing::new(keys.hmac.to_vec());
    let reference = format!("file:{HOME}/keys/{}", hmac_file(HMAC_KEY_ID));
    trust.add_key(TrustKey::hmac(HMAC_KEY_ID, secret, Some(reference)))?;
    let vkey = keys.vkey(origin).ok_or_else(|| TrustError::Log(origin.to_owned()))?;
    trust.add_log(LogKey { vkey, quorum: Quorum::None })?;
    Ok(format!("{HEADER}{}", trust.to_yaml()))
}

/// Reads the trust file and makes sure that what we are about to sign will be believed. A key that
/// it does not name may have been let in by its root key: what the ledger says of that is judged
/// once the ledger is open.
pub(super) fn check(path: &Path, keys: &Keys, origin: &str) -> Result<Trust, StateError> {
    let text = files::read(path)?;
    let beside = path.parent().unwrap_or(Path::new("."));
    let resolve = |reference: &str| match reference.split_once(':') {
        Some(("file", name)) => files::read(&beside.join(name)).map_err(|error| error.to_string()),
        Some(("env", name)) => std::env::var(name).map_err(|error| error.to_string()),
        _ => Err("expected file: or env:".to_owned()),
    };
    let trust = Trust::parse(&text, &resolve)
        .map_err(|error| StateError::Trust { trust: path.to_owned(), error })?;
    let missing = |name, purpose, fingerprint: String| StateError::NotTrusted {
        trust: path.to_owned(),
        name,
        purpose,
        fingerprint,
    };
    let rooted = trust.keys_for(Purpose::Root).next().is_some();
    for (name, purpose, signer) in [
        ("gateway", Purpose::Receipts, &keys.gateway),
        ("decisions", Purpose::Decisions, &keys.decisions),
    ] {
        let named = trust.find(purpose, &signer.key_id()).and_then(TrustKey::public_key);
        if named != Some(signer.public()) && !(named.is_none() && rooted) {
            let fingerprint = signer.public().fingerprint().to_string();
            return Err(missing(name, purpose.as_str(), fingerprint));
        }
    }
    if trust.log(origin).map(|vkey| &vkey.key) != Some(keys.log.public()) {
        let fingerprint = keys.log.public().fingerprint().to_string();
        return Err(missing("log", "logs", fingerprint));
    }
    // The auditor's copy of the file may leave the shared secret out, and so may ours: the chain is
    // then checked only where it is known. Another secret under our id would call our lines forged.
    match trust.keyring().get(HMAC_KEY_ID) {
        Some(secret) if !seal::mac::equal(secret, &keys.hmac[..]) => {
            Err(missing("hmac", "hmac", HMAC_KEY_ID.to_owned()))
        }
        Some(_) | None => Ok(trust),
    }
}

const HEADER: &str = "\
# Whose keys count, and for what. Written once by countersign, never rewritten: edit it, keep it
# under review, hand it to whoever verifies (without the hmac key, which is a shared secret).
";
