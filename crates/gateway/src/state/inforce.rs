//! Which keys count at the end of the ledger, and where they lie.
//!
//! The files are a pair with the ledger: a rotation is made as a file beside the one in use
//! (`gateway.<id>.pem`), logged, and then put in its place. A crash between the last two steps is
//! completed here, by whoever opens the directory next: what the ledger says is what counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::{Body, Kind, Leaf};
use record::keychange::{self, History, Known};
use record::trust::{Purpose, TrustKey};
use seal::Zeroizing;
use seal::signer::Signer;
use seal::time::UnixMillis;

use super::keys;
use super::{HMAC_KEY_ID, HOME, State, StateError, files};
use crate::signer::NativeSigner;

/// The rotations and revocations of a ledger, as they are met.
#[derive(Default)]
pub(crate) struct Statements(Vec<(u64, u64, String)>);

impl Statements {
    /// Takes in one entry of the ledger.
    pub(crate) fn visit(&mut self, index: u64, leaf: &Leaf, body: Body<'_>) {
        if let (Kind::Rotation | Kind::Revocation, Some(body)) = (leaf.kind, body.present()) {
            // What is not text is no statement: `verify` tells of it.
            if let Ok(text) = std::str::from_utf8(body) {
                self.0.push((index, leaf.ts, text.to_owned()));
            }
        }
    }

    /// What they make of the keys that `state` trusts. Those that do not count change nothing.
    pub(crate) fn history(&self, state: &State) -> History {
        let mut history = History::new(&state.trust, Some(&state.origin));
        for (index, logged, jws) in &self.0 {
            let refused = history.take(*index, UnixMillis(*logged), jws);
            if let Some(finding) = refused.first() {
                tracing::warn!(index, %finding, "a statement about a key does not count");
            }
        }
        history
    }
}

/// The keys to sign new evidence with.
pub(crate) struct InForce {
    pub receipts: Arc<dyn Signer>,
    pub decisions: Arc<dyn Signer>,
    /// The id that audit lines name, and the secret.
    pub hmac: (String, Zeroizing<[u8; 32]>),
}

impl InForce {
    /// The keys in force, with swaps completed that a crash left undone. Refused when one of ours
    /// does not count any more, or the one that does is not here.
    pub(crate) fn of(state: &State, history: &History) -> Result<InForce, StateError> {
        let folder = state.home().join("keys");
        Ok(InForce {
            receipts: signer(state, history, &folder, Purpose::Receipts, &state.keys.gateway)?,
            decisions: signer(state, history, &folder, Purpose::Decisions, &state.keys.decisions)?,
            hmac: secret(state, history, &folder)?,
        })
    }
}

fn signer(
    state: &State,
    history: &History,
    folder: &Path,
    purpose: Purpose,
    held: &Arc<NativeSigner>,
) -> Result<Arc<dyn Signer>, StateError> {
    let name = name_of(purpose);
    let own = held.public().key_id().to_string();
    let (newest, known) = history.newest(purpose, &own);
    not_revoked(purpose, newest, known)?;
    if newest != own {
        let staged = folder.join(format!("{name}.{newest}.pem"));
        let index =
            known.and_then(|known| known.brought.as_ref()).map_or(0, |brought| brought.index);
        if !files::exists(&staged)? {
            let (id, missing) = (newest.to_owned(), staged);
            return Err(StateError::Replaced { name, id, index, missing, purpose });
        }
        let next = keys::signer(staged.clone())?;
        if next.key_id().to_string() != newest {
            let expected = "the key that it is named after";
            return Err(StateError::Key { path: staged, expected });
        }
        swap(folder, name, &own, newest)?;
        tracing::warn!(
            key = newest,
            "a rotation that was logged is completed: the new key is used"
        );
        return trusted(state, history, purpose, next);
    }
    trusted(state, history, purpose, held.clone())
}

/// What the trust file has, or what its root key let in.
fn trusted(
    state: &State,
    history: &History,
    purpose: Purpose,
    signer: Arc<NativeSigner>,
) -> Result<Arc<dyn Signer>, StateError> {
    let named = history.trust().find(purpose, &signer.key_id()).and_then(TrustKey::public_key);
    if named == Some(signer.public()) {
        return Ok(signer);
    }
    Err(StateError::NotTrusted {
        trust: state.trust_path(),
        name: name_of(purpose),
        purpose: purpose.as_str(),
        fingerprint: signer.public().fingerprint().to_string(),
    })
}

fn secret(
    state: &State,
    history: &History,
    folder: &Path,
) -> Result<(String, Zeroizing<[u8; 32]>), StateError> {
    let (newest, known) = history.newest(Purpose::Hmac, HMAC_KEY_ID);
    not_revoked(Purpose::Hmac, newest, known)?;
    if newest == HMAC_KEY_ID {
        return Ok((newest.to_owned(), state.keys.hmac.clone()));
    }
    let path = folder.join(keys::hmac_file(newest));
    let brought = known.and_then(|known| known.brought.as_ref());
    if !files::exists(&path)? {
        return Err(StateError::Replaced {
            name: "hmac",
            id: newest.to_owned(),
            index: brought.map_or(0, |brought| brought.index),
            missing: path,
            purpose: Purpose::Hmac,
        });
    }
    let secret = keys::secret(path.clone())?;
    let made = keychange::commitment(&secret[..], &state.origin, newest);
    if brought.and_then(|brought| brought.commitment) != Some(made) {
        return Err(StateError::Key { path, expected: "the secret that its rotation names" });
    }
    Ok((newest.to_owned(), secret))
}

fn not_revoked(purpose: Purpose, id: &str, known: Option<&Known>) -> Result<(), StateError> {
    match known.and_then(|known| known.gone.as_ref()) {
        None => Ok(()),
        Some(gone) => Err(StateError::Revoked {
            name: name_of(purpose),
            id: id.to_owned(),
            index: gone.index,
            reason: gone.reason,
            purpose,
        }),
    }
}

/// What we call our own key for a purpose; its file has the name.
pub(super) fn name_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Receipts => "gateway",
        purpose => purpose.as_str(),
    }
}

/// Puts the key `new`, which lies beside as `<name>.<new>.pem`, in the place of `<name>.pem`; that
/// one stays as `<name>.<old>.pem`. A crash leaves the old or the new, and both are there.
pub(super) fn swap(folder: &Path, name: &str, old: &str, new: &str) -> Result<(), StateError> {
    let file = |id: Option<&str>| -> PathBuf {
        folder.join(match id {
            Some(id) => format!("{name}.{id}.pem"),
            None => format!("{name}.pem"),
        })
    };
    files::keep_as(&file(None), &file(Some(old)))?;
    files::put_in_place(&file(Some(new)), &file(None))?;
    Ok(())
}

/// The folder of the private keys.
pub(super) fn folder(dir: &Path) -> PathBuf {
    dir.join(HOME).join("keys")
}
