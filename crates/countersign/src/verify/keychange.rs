//! Keys over time: whose signature counted where in a log.
//!
//! Statements lie further down than what they judge, and the log is not held in memory. What comes
//! first settles most of it: the reader of the journal tells [`Keys`] every statement before it
//! hands out what lies behind, and where a key counts is then a question of an entry's index alone.
//! A stated compromise reaches back, so it is settled at the end, by a second look at the journal
//! that only a log with such a statement costs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use ledger::Kind;
use ledger::read::{Item, Reader};
use record::entry::Keyring;
use record::keychange::{self, History, Known, NewKey, Statement};
use record::report::{Assurance, Code, Finding, Report};
use record::trust::{Purpose, Trust};
use seal::Digest;
use seal::json::{self, Limits};
use seal::time::UnixMillis;

use super::anchored::Anchors;
use super::entry::{Raw, place};
use super::{Verifier, VerifyError, find_ledger, single, witnessed};
use crate::trustfile::TrustFile;

/// A size of the log that is known to have been reached before a moment: the checkpoint of that
/// size was timestamped by a trusted authority, or cosigned by a quorum of witnesses, then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    /// The entries `0..size` were there.
    pub size: u64,
    /// When that was attested.
    pub before: UnixMillis,
}

impl Proven {
    /// What the witnesses of the checkpoint attest, as far as the report got: all of them had seen
    /// it when the last of them signed, and not before its last entry was `logged`. A witness whose
    /// clock is behind must not make forged evidence older than it is.
    pub(crate) fn witnessed(logged: UnixMillis, report: &mut Report) -> Option<Proven> {
        let reach = report.witnessed_to.as_ref()?;
        let (size, last) = (reach.size, reach.witnesses.iter().map(|(_, time)| *time).max()?);
        witnessed::clocks(logged, report);
        Some(Proven { size, before: last.max(logged) })
    }
}

/// The keys of one log, for judging its entries on any thread.
pub(crate) struct Keys {
    history: RwLock<History>,
    /// Any statement was met; nearly no log has one, and none of the rest is looked at then.
    changed: AtomicBool,
    /// Why statements on their way to a thread do not count.
    verdicts: Mutex<BTreeMap<u64, Vec<Finding>>>,
    /// Secrets that rotations brought, from beside the files of those before.
    secrets: RwLock<Keyring>,
    /// The trust file's own keys.
    trust: Trust,
    file: Option<TrustFile>,
    evidence: PathBuf,
}

impl Keys {
    /// Before the first entry of the log `origin` that lies at `evidence`.
    pub(crate) fn new(verifier: &Verifier, origin: Option<&str>, evidence: &Path) -> Keys {
        Keys {
            history: RwLock::new(History::new(verifier.believed(), origin)),
            changed: AtomicBool::new(false),
            verdicts: Mutex::default(),
            secrets: RwLock::default(),
            trust: verifier.believed().clone(),
            file: verifier.file.clone(),
            evidence: evidence.to_path_buf(),
        }
    }

    /// Takes in a statement, before anything that lies behind it is judged.
    pub(crate) fn meet(&self, raw: &Raw) {
        if !matches!(raw.kind, Kind::Rotation | Kind::Revocation) {
            return;
        }
        if raw.absent.is_some() {
            // Said where the entry is judged; there is nothing to take in.
            return;
        }
        let found = match std::str::from_utf8(&raw.body) {
            Ok(jws) => self.take(raw, jws),
            Err(_) => vec![Finding::new(Code::KeyStatement, "", "not UTF-8")],
        };
        if !found.is_empty() {
            lock(&self.verdicts).insert(raw.index, found);
        }
    }

    fn take(&self, raw: &Raw, jws: &str) -> Vec<Finding> {
        let typ = match raw.kind {
            Kind::Rotation => keychange::ROTATION,
            _ => keychange::REVOCATION,
        };
        let statement = keychange::read_signed(jws).ok().map(|signed| signed.statement);
        if let Some(statement) = statement.as_ref().filter(|statement| statement.typ() != typ) {
            let detail = format!("filed as {}, it is a {}", raw.kind, statement.typ());
            return vec![Finding::new(Code::KeyStatement, "", detail)];
        }
        let mut found = {
            let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
            history.take(raw.index, UnixMillis(raw.ts), jws)
        };
        if found.is_empty() {
            self.changed.store(true, Ordering::Release);
            if let Some(statement) = statement.filter(|s| s.purpose == Purpose::Hmac) {
                found.extend(self.fetch(&statement));
            }
        }
        found
    }

    /// Looks for the secret of a rotation, and makes sure that it is the one.
    fn fetch(&self, rotation: &Statement) -> Option<Finding> {
        let Some(NewKey::Secret { id, commitment }) = &rotation.new else { return None };
        let history = self.history();
        let first = &history.known(Purpose::Hmac, id)?.name;
        let secret = self.file.as_ref()?.rotated_secret(first, id, &self.evidence)?;
        if keychange::commitment(&secret, &rotation.log_origin, id) != *commitment {
            return Some(Finding::new(Code::KeySecret, "", format!("key {id:?}")));
        }
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(id.as_str(), secret);
        None
    }

    /// Why the statement at `index` does not count. Told once.
    pub(crate) fn verdict(&self, index: u64) -> Vec<Finding> {
        lock(&self.verdicts).remove(&index).unwrap_or_default()
    }

    /// What is known of keys, once there is anything.
    pub(crate) fn changes(&self) -> Option<RwLockReadGuard<'_, History>> {
        self.changed.load(Ordering::Acquire).then(|| self.history())
    }

    /// The secret that a rotation brought under this id.
    pub(crate) fn secret_ring(&self, id: &str) -> Option<RwLockReadGuard<'_, Keyring>> {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.has(id).then_some(secrets)
    }

    /// What is known of keys.
    pub(crate) fn history(&self) -> RwLockReadGuard<'_, History> {
        self.history.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// After the last entry: what compromised keys signed that nothing shows to be older, and what
    /// there is to say about keys.
    pub(crate) fn conclude(
        &self,
        reader: &Reader,
        proven: &[Proven],
        ring: &Keyring,
        report: &mut Report,
    ) -> io::Result<()> {
        let Some(history) = self.changes() else {
            return Ok(());
        };
        for known in history.all().filter(|known| known.purpose == Purpose::Hmac) {
            if !ring.is_empty() && !ring.has(&known.id) && self.secret_ring(&known.id).is_none() {
                let detail = format!("those under key {:?}: its secret is not at hand", known.id);
                report.push(Finding::new(Code::AuditUnchecked, "", detail));
            }
        }
        for known in history.all() {
            report.note(format!(
                "{} key {} ({}): {}",
                known.purpose,
                known.id,
                known.name,
                known.story()
            ));
            report.keys.push(known.to_json());
        }
        let lost =
            |known: &&Known| known.purpose == Purpose::Hmac && known.compromised_at.is_some();
        if let Some(known) = history.all().find(lost) {
            report.note(format!(
                "HMACs under the compromised key {} convince nobody any more: those lines rest on the log's signature",
                known.id
            ));
        }
        let watched: Vec<Watched<'_>> =
            history.all().filter_map(|known| self.watch(known, proven, ring)).collect();
        if watched.is_empty() {
            return Ok(());
        }
        let mut entries = reader.entries();
        while let Some(item) = entries.next()? {
            let Item::Entry(entry) = item else { continue };
            let (index, kind) = (entry.index, entry.leaf.kind);
            let Some(purpose) = signed_for(kind) else { continue };
            let about = |watched: &&Watched<'_>| watched.known.purpose == purpose;
            let near = watched.iter().filter(about).any(|watched| watched.finds(index).is_some());
            let Some(body) = entry.body.present().filter(|_| near) else { continue };
            let Some(id) = std::str::from_utf8(body).ok().and_then(|text| signer(kind, text))
            else {
                continue;
            };
            let mut own = watched.iter().filter(about).filter(|watched| watched.known.id == id);
            if let Some(finding) = own.find_map(|watched| watched.finds(index)) {
                report.push(finding.at(&place(index, kind)));
            }
        }
        Ok(())
    }

    /// What a second look has to find of a key's work; `None` for nearly all keys.
    fn watch<'h>(
        &self,
        known: &'h Known,
        proven: &[Proven],
        ring: &Keyring,
    ) -> Option<Watched<'h>> {
        let proven = known.compromised_at.map(|at| proven_before(proven, at));
        // Nothing to look for where all that a key signed is known to be older.
        let proven = proven.filter(|proven| {
            known.purpose != Purpose::Hmac
                && known.gone.as_ref().is_some_and(|gone| *proven < gone.index)
        });
        // A key that is trusted anyway was believed above its rotation too; any other one was not
        // known there, which is a finding already.
        let trusted = match known.purpose {
            Purpose::Hmac => ring.has(&known.id),
            purpose => known.id.parse().is_ok_and(|id| self.trust.find(purpose, &id).is_some()),
        };
        let early = known.brought.is_some() && trusted;
        (proven.is_some() || early).then_some(Watched { known, proven, early })
    }
}

/// A key whose work has to be looked for.
struct Watched<'h> {
    known: &'h Known,
    /// What it signed at or behind this index, before its end, may be somebody else's.
    proven: Option<u64>,
    /// It may have signed before it counted.
    early: bool,
}

impl Watched<'_> {
    fn finds(&self, index: u64) -> Option<Finding> {
        if self.proven.is_some_and(|proven| self.known.exposed(index, proven)) {
            return Some(exposed(self.known));
        }
        self.known.early(index).filter(|_| self.early)
    }
}

/// What a look through a ledger for its keys told.
pub(crate) struct Look {
    pub keys: Keys,
    /// How far back the log is attested by others.
    pub proven: Vec<Proven>,
    /// Where the entry lies that was looked for.
    pub entry: Option<(u64, Kind)>,
    /// How many entries its checkpoint covers.
    pub covered: u64,
}

/// Looks through the ledger in `dir` for statements about keys, and for the entry with this id.
/// `None` when there is no ledger; `report` is told why.
pub(crate) fn look(
    dir: &Path,
    verifier: &Verifier,
    id: Option<&str>,
    report: &mut Report,
) -> io::Result<Option<Look>> {
    let Some(reader) = super::ledger::open(dir, verifier, report)? else {
        return Ok(None);
    };
    for damage in reader.damage() {
        report.push(super::ledger::finding(damage));
    }
    let origin = reader.head().map(|head| head.origin.clone());
    let keys = Keys::new(verifier, origin.as_deref(), dir);
    let mut anchors = Anchors::new(verifier, &reader, report);
    let mut found = None;
    let mut told = reader.damage().len();
    let mut entries = reader.entries();
    while let Some(item) = entries.next()? {
        match item {
            Item::Entry(entry) => {
                anchors.see(&entry);
                let leaf = entry.leaf;
                if id.is_some_and(|id| leaf.id == id) && found.is_none() {
                    found = Some((entry.index, leaf.kind));
                }
                if matches!(leaf.kind, Kind::Rotation | Kind::Revocation) {
                    let raw = Raw::from(&entry);
                    keys.meet(&raw);
                    let at = place(raw.index, raw.kind);
                    report.push_all(&at, keys.verdict(raw.index));
                }
            }
            Item::Damage(damage) => {
                told += 1;
                report.push(super::ledger::finding(&damage));
            }
        }
    }
    let attested = anchors.finish(&reader, report)?;
    let summary = entries.finish();
    for damage in summary.damage.iter().skip(told) {
        report.push(super::ledger::finding(damage));
    }
    super::pruned::stripped(&summary.bodies, report);
    let covered = summary.checkpointed;
    let proven = attested.proven().chain(Proven::witnessed(attested.logged(), report)).collect();
    Ok(Some(Look { keys, proven, entry: found, covered }))
}

/// Judges a token with the keys as they were where the ledger in `dir` has it.
pub(super) fn verify_logged(
    dir: &Path,
    place: &str,
    token: &str,
    verifier: &Verifier,
    report: &mut Report,
) -> Option<Digest> {
    let id = Digest::of(token.as_bytes()).to_string();
    let look = match look(dir, verifier, Some(&id), report) {
        Ok(look) => look,
        Err(error) => {
            let detail = format!("{}: {error}", dir.display());
            report.push(Finding::new(Code::EvidenceNotFound, place, detail));
            None
        }
    };
    let Some(look) = look else {
        return single::verify(place, token, verifier, report);
    };
    let Some((index, kind)) = look.entry else {
        let detail = format!("{} does not have it", dir.display());
        report.push(Finding::new(Code::EvidenceNotFound, place, detail));
        return single::verify(place, token, verifier, report);
    };
    let history = look.keys.history();
    let then = verifier.clone().trust(history.trust().clone());
    let hash = single::verify(place, token, &then, report);
    report.note(match index < look.covered {
        true => format!(
            "logged as entry {index} ({kind}), under a checkpoint of {} entries",
            look.covered
        ),
        false => {
            format!("logged as entry {index} ({kind}), beyond the checkpoint: consistent only")
        }
    });
    let (Some(purpose), Some(key)) = (signed_for(kind), key_of(token)) else {
        return hash;
    };
    if let Some(known) = history.known(purpose, &key) {
        report.note(format!("signed by {purpose} key {key} ({}), {}", known.name, known.story()));
        report.keys.push(known.to_json());
        let proven = known.compromised_at.map_or(0, |at| proven_before(&look.proven, at));
        let exposed = known.exposed(index, proven).then(|| exposed(known));
        let found: Vec<Finding> =
            history.misplaced(purpose, &key, index).into_iter().chain(exposed).collect();
        if !found.is_empty() {
            report.push_all(place, found);
            report.assure(Assurance::Consistent);
        }
    }
    hash
}

impl Verifier {
    /// What the ledger in `dir` says about keys; `None` when there is none. Statements that do not
    /// count are findings of [`Verifier::verify`].
    pub fn key_history(&self, dir: &Path) -> Result<Option<History>, VerifyError> {
        let dir = find_ledger(dir).unwrap_or_else(|| dir.to_path_buf());
        let look = look(&dir, self, None, &mut Report::default());
        let look = look.map_err(|error| VerifyError::of(&dir, error))?;
        Ok(look.map(|look| look.keys.history().clone()))
    }
}

/// What is said of an entry that a compromised key signed.
pub(crate) fn exposed(known: &Known) -> Finding {
    let at = known.compromised_at.map(|at| at.to_string()).unwrap_or_default();
    let detail = format!("key {}, compromised at {at}", known.id);
    Finding::new(Code::KeyCompromised, "", detail)
}

/// How many entries are known to have been there before a moment.
pub(crate) fn proven_before(proven: &[Proven], moment: UnixMillis) -> u64 {
    let before = proven.iter().filter(|proven| proven.before < moment);
    before.map(|proven| proven.size).max().unwrap_or(0)
}

/// What kind of key signs entries of this kind.
fn signed_for(kind: Kind) -> Option<Purpose> {
    match kind {
        Kind::Receipt => Some(Purpose::Receipts),
        Kind::Decision => Some(Purpose::Decisions),
        Kind::Audit => Some(Purpose::Hmac),
        _ => None,
    }
}

/// The key that an entry's body names.
fn signer(kind: Kind, body: &str) -> Option<String> {
    match kind {
        Kind::Audit => record::entry::read_line(body.as_bytes()).ok()?.key_id,
        _ => key_of(body),
    }
}

/// The key a token names.
pub(super) fn key_of(jws: &str) -> Option<String> {
    let (header, _) = jws.split_once('.')?;
    let header = seal::base64::url_decode(header).ok()?;
    let header = json::parse(&header, Limits::RECEIPT).ok()?;
    header.get("kid")?.as_str().map(str::to_owned)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
