//! The private half of the state: made once from the system's randomness, then only read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seal::Zeroizing;
use seal::key::SecretKey;
use seal::note::VerifierKey;
use seal::signer::Signer as _;

use super::files;
use super::{HMAC_KEY_ID, StateError};
use crate::signer::NativeSigner;

/// All private material of one gateway.
pub(super) struct Keys {
    pub gateway: Arc<NativeSigner>,
    pub decisions: Arc<NativeSigner>,
    pub log: Arc<NativeSigner>,
    pub hmac: Zeroizing<[u8; 32]>,
    pub salt: Zeroizing<[u8; 32]>,
    pub admin_token: Zeroizing<String>,
    pub scrape_token: Zeroizing<String>,
}

/// The file of the admin listener's token.
pub(super) const ADMIN: &str = "admin.token";
/// The file of the token that opens the metrics and nothing else.
const SCRAPE: &str = "scrape.token";
/// The file of the secret that salts are made of.
const SALT: &str = "salt.hex";

impl Keys {
    /// Reads the keys in `dir`, of which none may be missing.
    pub fn open(dir: &Path, missing: impl Fn(&Path) -> StateError) -> Result<Keys, StateError> {
        for name in [ADMIN, SALT, SCRAPE].map(|name| dir.join(name)) {
            if !files::exists(&name)? {
                return Err(missing(&name));
            }
        }
        Keys::open_or_make(dir, |path| Err(missing(path))).map(|(keys, _)| keys)
    }

    /// Reads the keys in `dir`; those missing are made if `may_make` agrees. Says whether any was.
    pub fn open_or_make(
        dir: &Path,
        may_make: impl Fn(&Path) -> Result<(), StateError>,
    ) -> Result<(Keys, bool), StateError> {
        let hmac = hmac_file(HMAC_KEY_ID);
        let names = ["gateway.pem", "decisions.pem", "log.pem", &hmac, ADMIN, SALT, SCRAPE]
            .map(|name| dir.join(name));
        let mut missing = Vec::new();
        for (at, path) in names.iter().enumerate() {
            if !files::exists(path)? {
                // Ask for all before making one: a refused start changes nothing. Tokens and salt
                // stand in no trust file and may be made anew at any time.
                if at < 4 {
                    may_make(path)?;
                }
                missing.push(path);
            }
        }
        for path in &missing {
            let seed = random()?;
            if path.extension().is_some_and(|extension| extension == "pem") {
                files::create(path, &SecretKey::from_seed(seed).to_pem(), files::PRIVATE)?;
            } else {
                let line = format!("{}\n", seal::hex::encode(&seed));
                files::create(path, &line, files::PRIVATE)?;
            }
        }
        let made = !missing.is_empty();
        let [gateway, decisions, log, hmac, admin, salt, scrape] = names;
        let token = |path| secret(path).map(|bytes| Zeroizing::new(seal::hex::encode(&bytes[..])));
        let keys = Keys {
            gateway: signer(gateway)?,
            decisions: signer(decisions)?,
            log: signer(log)?,
            hmac: secret(hmac)?,
            salt: secret(salt)?,
            admin_token: token(admin)?,
            scrape_token: token(scrape)?,
        };
        Ok((keys, made))
    }

    #[cfg(test)]
    pub fn seeded() -> Keys {
        let signer = |seed| {
            let key = SecretKey::from_seed([seed; 32]);
            Arc::new(NativeSigner::new(&key).expect("a valid key"))
        };
        Keys {
            gateway: signer(1),
            decisions: signer(2),
            log: signer(3),
            hmac: Zeroizing::new([4; 32]),
            salt: Zeroizing::new([5; 32]),
            admin_token: Zeroizing::default(),
            scrape_token: Zeroizing::default(),
        }
    }

    /// The log's name, bound to its key.
    pub fn origin(&self) -> String {
        let fingerprint = self.log.public().fingerprint().hex();
        let short = fingerprint.get(..12).unwrap_or(&fingerprint);
        format!("countersign.local/{short}")
    }

    /// How verifiers know the log.
    pub fn vkey(&self, origin: &str) -> Option<VerifierKey> {
        VerifierKey::new(origin, self.log.public().clone())
    }
}

/// The ledger's secret for salts, where it was made.
pub(super) fn salt(dir: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, StateError> {
    let path = dir.join(SALT);
    if files::exists(&path)? { secret(path).map(Some) } else { Ok(None) }
}

/// `hmac-k1.hex`.
pub(super) fn hmac_file(id: &str) -> String {
    format!("hmac-{id}.hex")
}

pub(super) fn signer(path: PathBuf) -> Result<Arc<NativeSigner>, StateError> {
    let wrong =
        |_| StateError::Key { path: path.clone(), expected: "an Ed25519 private key (PKCS#8 PEM)" };
    let pem = Zeroizing::new(files::read_private(&path)?);
    let key = SecretKey::from_pem(&pem).map_err(|_| wrong(()))?;
    NativeSigner::new(&key).map(Arc::new).map_err(|_| wrong(()))
}

pub(super) fn secret(path: PathBuf) -> Result<Zeroizing<[u8; 32]>, StateError> {
    let text = Zeroizing::new(files::read_private(&path)?);
    seal::hex::decode(text.trim_end())
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .map(Zeroizing::new)
        .ok_or(StateError::Key { path, expected: "64 lower-case hex digits" })
}

pub(super) fn random() -> Result<[u8; 32], StateError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StateError::Random(error.to_string()))?;
    Ok(bytes)
}
