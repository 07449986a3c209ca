//! Replacing and revoking keys: a statement of the root key goes into the ledger, then the files
//! follow. Only while nobody else writes: a gateway that runs would go on with the old key, and what
//! it signs from then on would count for nothing.

use std::path::{Path, PathBuf};

use ledger::{Entry, Kind, Ledger, Options};
use record::keychange::{self, History, NewKey, OldKey, Reason, Statement};
use record::trust::{KeyMaterial, Purpose};
use seal::Zeroizing;
use seal::digest::Digest;
use seal::key::{KeyId, PublicKey, SecretKey};
use seal::signer::Signer;

use super::inforce::{Statements, folder, name_of, swap};
use super::{HMAC_KEY_ID, Init, State, StateError, TRUST, files, keys};

/// What a key is replaced or revoked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Why.
    pub reason: Reason,
    /// Unix seconds from which somebody else may have used it; exactly when it is compromised.
    pub compromised_at: Option<i64>,
}

/// Which key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// Its private file, where it is not one of the gateway's own (receipts, decisions, hmac).
    pub file: Option<&'a Path>,
}

/// How far a rotation came; a crash behind any of these leaves a working pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The new key lies beside the old one. Nothing else knows it.
    Made,
    /// The ledger says that it counts.
    Logged,
    /// It lies where the old one lay.
    Swapped,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Index of the statement in the ledger.
    pub index: u64,
    /// What the key is for.
    pub purpose: Purpose,
    /// The key that went.
    pub old: String,
    /// The key that came, and its file.
    pub new: Option<(String, PathBuf)>,
    /// Where the old private key lies from now on.
    pub kept: Option<PathBuf>,
}

/// Why a key was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The directory cannot be opened, or somebody else writes its ledger.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is nothing here to change.
    #[error("{0} is not there: keys are changed in the directory of a gateway; give it with --dir")]
    NoState(PathBuf),
    /// The ledger cannot be opened.
    #[error("the ledger cannot be opened: {0}")]
    Open(#[from] ledger::OpenError),
    /// The ledger did not take the statement.
    #[error("the ledger did not take the statement: {0}")]
    Append(#[from] ledger::AppendError),
    /// The statement lies in the ledger, and no checkpoint covers it yet.
    #[error(
        "the statement lies in the ledger, but no checkpoint covers it: {0}; the next start signs one"
    )]
    Checkpoint(String),
    /// The root key does not count here.
    #[error(
        "the root key {id} does not count here: {detail}; add it with `countersign trust add --name root --purpose root --key FILE`"
    )]
    Root {
        /// Its id.
        id: KeyId,
        /// What is wrong.
        detail: String,
    },
    /// Nobody may replace such a key by a statement.
    #[error(
        "a key for {purpose} is not changed by a statement in the log: change it in the trust file of everyone who verifies"
    )]
    Purpose {
        /// The purpose.
        purpose: Purpose,
    },
    /// The key is not one of this directory.
    #[error("a key for {purpose} is not kept here: give its private file with --key")]
    NoFile {
        /// The purpose.
        purpose: Purpose,
    },
    /// No key of this name or id.
    #[error("no key that can be revoked has the name or id {0:?}: see `countersign keys show`")]
    Unknown(String),
    /// The statement would not count.
    #[error("the statement would change nothing: {0}")]
    Refused(String),
}

/// Makes a new key for `target`, lets `root` say so in the ledger of `dir`, and puts it in place.
/// `at` hears of each step.
///
/// # Errors
/// Somebody else writes the ledger; the root key or the old one does not count; files or ledger
/// cannot be written. Before [`Step::Logged`] nothing is changed; behind it the next start, or the
/// next change, completes what is left.
pub fn rotate(
    dir: &Path,
    init: Init,
    target: Target<'_>,
    root: &dyn Signer,
    cause: Cause,
    at: &dyn Fn(Step),
) -> Result<Changed, ChangeError> {
    let purpose = target.purpose;
    if !keychange::can_change(purpose) {
        return Err(ChangeError::Purpose { purpose });
    }
    let desk = Desk::open(dir, init, root)?;
    if purpose == Purpose::Hmac {
        return desk.rotate_secret(root, cause, at);
    }
    let (folder, name) = desk.place(target)?;
    let held = keys::signer(folder.join(format!("{name}.pem")))?;
    let held = held.public().key_id().to_string();
    let (old, _) = desk.history.newest(purpose, &held);
    let old = desk.public(purpose, old)?;
    // A rotation that a crash cut short is completed before the next one.
    if old.key_id().to_string() != held {
        let staged = folder.join(format!("{name}.{}.pem", old.key_id()));
        if files::exists(&staged).map_err(StateError::File)? {
            swap(&folder, &name, &held, &old.key_id().to_string())?;
        }
    }
    let agent_id =
        desk.history.trust().find(purpose, &old.key_id()).and_then(|key| key.agent_id.clone());
    let secret = SecretKey::from_seed(keys::random()?);
    let new = seal::Signer::public(&secret).clone();
    let statement = Statement {
        new: Some(NewKey::Public(new.clone())),
        agent_id,
        ..desk.statement(purpose, OldKey::of(&old), cause)
    };
    let jws = desk.sign(&statement, root)?;
    let id = new.key_id().to_string();
    let staged = folder.join(format!("{name}.{id}.pem"));
    files::create(&staged, &secret.to_pem(), files::PRIVATE).map_err(StateError::File)?;
    at(Step::Made);
    let index = match desk.log(Kind::Rotation, &jws) {
        Ok(index) => index,
        Err(error) => {
            forget(&staged, &error);
            return Err(error);
        }
    };
    at(Step::Logged);
    let file = folder.join(format!("{name}.pem"));
    let current = keys::signer(file.clone())?.public().key_id().to_string();
    swap(&folder, &name, &current, &id)?;
    at(Step::Swapped);
    desk.close()?;
    let kept = folder.join(format!("{name}.{current}.pem"));
    let old = old.key_id().to_string();
    Ok(Changed { index, purpose, old, new: Some((id, file)), kept: Some(kept) })
}

/// Lets `root` say in the ledger of `dir` that the key with this name or id does not count any more.
///
/// # Errors
/// As [`rotate`]; and no key that can be revoked has the name or id.
pub fn revoke(
    dir: &Path,
    init: Init,
    which: &str,
    root: &dyn Signer,
    cause: Cause,
) -> Result<Changed, ChangeError> {
    let desk = Desk::open(dir, init, root)?;
    let (purpose, old) = desk.named(which)?;
    let statement = desk.statement(purpose, old, cause);
    let jws = desk.sign(&statement, root)?;
    let index = desk.log(Kind::Revocation, &jws)?;
    desk.close()?;
    Ok(Changed { index, purpose, old: statement.old.id(), new: None, kept: None })
}

/// An opened ledger and what it says about keys.
struct Desk {
    state: State,
    ledger: Ledger,
    history: History,
}

impl Desk {
    fn open(dir: &Path, init: Init, root: &dyn Signer) -> Result<Desk, ChangeError> {
        // Opening makes what is missing; here something must be there.
        for needed in [dir.join(TRUST), folder(dir)] {
            if !files::exists(&needed).map_err(StateError::File)? {
                return Err(ChangeError::NoState(needed));
            }
        }
        let state = State::open_or_init(dir, init)?;
        let id = root.key_id();
        let detail = match state.trust.find(Purpose::Root, &id) {
            Some(key) if key.public_key() == Some(root.public()) => None,
            Some(_) => Some("another key has its id".to_owned()),
            None => Some("the trust file has no such key for purpose root".to_owned()),
        };
        if let Some(detail) = detail {
            return Err(ChangeError::Root { id, detail });
        }
        let mut statements = Statements::default();
        let options = Options::new(state.origin(), state.log_signer(), WRITER, state.clock());
        let ledger = Ledger::open(state.store(), options, &mut |index, leaf, body| {
            statements.visit(index, leaf, body);
        })?;
        let history = statements.history(&state);
        Ok(Desk { state, ledger, history })
    }

    fn statement(&self, purpose: Purpose, old: OldKey, cause: Cause) -> Statement {
        Statement {
            log_origin: self.state.origin().to_owned(),
            purpose,
            old,
            new: None,
            agent_id: None,
            reason: cause.reason,
            compromised_at: cause.compromised_at,
            iat: self.state.clock().now().seconds(),
        }
    }

    /// Signs, and makes sure that whoever reads it will take it.
    fn sign(&self, statement: &Statement, root: &dyn Signer) -> Result<String, ChangeError> {
        let jws = keychange::sign(statement, root)
            .map_err(|refused| ChangeError::Refused(refused.to_string()))?;
        let mut after = self.history.clone();
        let found = after.take(self.ledger.size(), self.state.clock().now(), &jws);
        match found.first() {
            None => Ok(jws),
            Some(finding) => Err(ChangeError::Refused(finding.detail.clone())),
        }
    }

    fn log(&self, kind: Kind, jws: &str) -> Result<u64, ChangeError> {
        let id = Digest::of(jws.as_bytes()).to_string();
        let entry = Entry { kind, id, body: jws.as_bytes().to_vec() };
        Ok(self.ledger.append(vec![entry])?.start)
    }

    fn close(&self) -> Result<(), ChangeError> {
        self.ledger.close().map_err(|error| ChangeError::Checkpoint(error.to_string()))
    }

    /// Folder and name of the private file of a signing key.
    fn place(&self, target: Target<'_>) -> Result<(PathBuf, String), ChangeError> {
        let Some(file) = target.file else {
            return match target.purpose {
                Purpose::Receipts | Purpose::Decisions => {
                    Ok((folder(self.state.dir()), name_of(target.purpose).to_owned()))
                }
                purpose => Err(ChangeError::NoFile { purpose }),
            };
        };
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.strip_suffix(".pem") {
            Some(name) if !name.is_empty() => {
                Ok((folder.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
            }
            _ => Err(ChangeError::State(StateError::Key {
                path: file.to_owned(),
                expected: "a private key in a file with the ending .pem",
            })),
        }
    }

    fn public(&self, purpose: Purpose, id: &str) -> Result<PublicKey, ChangeError> {
        let known = id.parse::<KeyId>().ok();
        let key =
            known.and_then(|id| self.history.trust().find(purpose, &id)?.public_key().cloned());
        let unknown = || format!("no key for {purpose} with the id {id} is in the trust file");
        key.ok_or_else(|| ChangeError::Refused(unknown()))
    }

    fn rotate_secret(
        &self,
        root: &dyn Signer,
        cause: Cause,
        at: &dyn Fn(Step),
    ) -> Result<Changed, ChangeError> {
        let (old, _) = self.history.newest(Purpose::Hmac, HMAC_KEY_ID);
        let folder = folder(self.state.dir());
        // The next number that neither a file nor the ledger has: what a crash left is not used.
        let free = |n: u64| -> Result<Option<(String, PathBuf)>, ChangeError> {
            let id = format!("k{n}");
            let path = folder.join(keys::hmac_file(&id));
            let taken = self.history.known(Purpose::Hmac, &id).is_some()
                || files::exists(&path).map_err(StateError::File)?;
            Ok((!taken).then_some((id, path)))
        };
        let mut n = 2;
        let (id, path) = loop {
            if let Some(found) = free(n)? {
                break found;
            }
            n += 1;
        };
        let secret = Zeroizing::new(keys::random()?);
        let commitment = keychange::commitment(&secret[..], self.state.origin(), &id);
        let statement = Statement {
            new: Some(NewKey::Secret { id: id.clone(), commitment }),
            ..self.statement(Purpose::Hmac, OldKey::Secret { id: old.to_owned() }, cause)
        };
        let jws = self.sign(&statement, root)?;
        let line = Zeroizing::new(format!("{}\n", seal::hex::encode(&secret[..])));
        files::create(&path, &line, files::PRIVATE).map_err(StateError::File)?;
        at(Step::Made);
        let index = match self.log(Kind::Rotation, &jws) {
            Ok(index) => index,
            Err(error) => {
                forget(&path, &error);
                return Err(error);
            }
        };
        at(Step::Logged);
        // Old and new lie side by side: which one is used, the ledger says.
        at(Step::Swapped);
        self.close()?;
        let kept = folder.join(keys::hmac_file(old));
        let old = old.to_owned();
        Ok(Changed { index, purpose: Purpose::Hmac, old, new: Some((id, path)), kept: Some(kept) })
    }

    /// The key with this id; or of this name, and then the newest of them.
    fn named(&self, which: &str) -> Result<(Purpose, OldKey), ChangeError> {
        let trust = self.history.trust();
        let mut named = None;
        for key in trust.keys().iter().filter(|key| keychange::can_change(key.purpose)) {
            match &key.key {
                KeyMaterial::Public(public) => {
                    let id = public.key_id().to_string();
                    if id == which {
                        return Ok((key.purpose, OldKey::of(public)));
                    }
                    if key.name == which {
                        let (newest, _) = self.history.newest(key.purpose, &id);
                        named = Some((key.purpose, OldKey::of(&self.public(key.purpose, newest)?)));
                    }
                }
                KeyMaterial::Secret(_) if key.name == which => {
                    return Ok((Purpose::Hmac, OldKey::Secret { id: which.to_owned() }));
                }
                KeyMaterial::Secret(_) | KeyMaterial::Ecdsa(_) | KeyMaterial::Certificates(_) => {}
            }
        }
        if named.is_none() && self.history.known(Purpose::Hmac, which).is_some() {
            return Ok((Purpose::Hmac, OldKey::Secret { id: which.to_owned() }));
        }
        named.ok_or_else(|| ChangeError::Unknown(which.to_owned()))
    }
}

/// Removes a new private key that nobody knows. Where a write or sync failed, the statement may lie in
/// the journal all the same and be in force after the next start: then the key is needed.
fn forget(new: &Path, error: &ChangeError) {
    if !may_be_logged(error) {
        let _ = std::fs::remove_file(new);
    }
}

pub(super) fn may_be_logged(error: &ChangeError) -> bool {
    use ledger::AppendError::{Failed, Gone, Stopped};
    matches!(error, ChangeError::Append(Failed(_) | Stopped(_) | Gone { in_doubt: true }))
}

/// Who writes statements into the ledger; no client of a sequencer may have this name.
const WRITER: &str = "root";
