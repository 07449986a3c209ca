//! Which key counted where: the statements of one log, taken in order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use seal::digest::Digest;
use seal::json::Value;
use seal::key::PublicKey;
use seal::time::UnixMillis;

use super::{NewKey, OldKey, Reason, SignedStatement, Statement, read_signed};
use crate::codes::Code;
use crate::report::Finding;
use crate::trust::{Purpose, Trust, TrustError, TrustKey};

/// How far the clock of whoever signs may be ahead of the log's, seconds.
const SKEW: i64 = 300;

/// The keys of one log over its time: those of the trust file, and what the statements in the log
/// made of them. Statements are taken in the order of the log; what a key may do at an index is
/// then a question of its index alone.
#[derive(Debug, Clone)]
pub struct History {
    /// The trust file's keys and those that rotations brought.
    trust: Trust,
    origin: Option<String>,
    changed: BTreeMap<(Purpose, String), Known>,
    seen: BTreeSet<Digest>,
}

/// A key that some statement was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it is for.
    pub purpose: Purpose,
    /// Its id: 16 hex digits, or the id of a shared secret.
    pub id: String,
    /// What reports call it: the name of the trust file's key that it goes back to.
    pub name: String,
    /// The rotation that brought it; `None` for a key of the trust file.
    pub brought: Option<Brought>,
    /// What took it away.
    pub gone: Option<Gone>,
    /// When somebody else may have had it; the earliest time that was stated.
    pub compromised_at: Option<UnixMillis>,
    /// The key that took its place.
    pub successor: Option<String>,
}

/// How a key came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Index of the rotation: the key counts behind it.
    pub index: u64,
    /// The key before it.
    pub from: String,
    /// For a shared secret: what it is recognised by.
    pub commitment: Option<Digest>,
}

/// How a key went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Index of the statement: the key counts before it.
    pub index: u64,
    /// Why.
    pub reason: Reason,
    /// It was revoked; otherwise another one took its place.
    pub revoked: bool,
}

impl History {
    /// Before the first statement of the log `origin`; where the origin is not known, any is taken.
    pub fn new(trust: &Trust, origin: Option<&str>) -> History {
        History {
            trust: trust.clone(),
            origin: origin.map(str::to_owned),
            changed: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Takes the statement that lies at `index` and was logged at `logged`. Findings say why it
    /// does not count; without any, it does.
    pub fn take(&mut self, index: u64, logged: UnixMillis, jws: &str) -> Vec<Finding> {
        let signed = match read_signed(jws) {
            Ok(signed) => signed,
            Err(findings) => return findings,
        };
        if let Err(detail) = self.believed(&signed, logged) {
            return vec![Finding::here(Code::KeyStatementSigner, detail)];
        }
        match self.effect(index, logged, &signed) {
            Ok(()) => {
                self.seen.insert(signed.hash);
                Vec::new()
            }
            Err(detail) => vec![Finding::here(Code::KeyStatementRefused, detail)],
        }
    }

    /// Whether a root key of the trust file signed it, in its time.
    fn believed(&self, signed: &SignedStatement, logged: UnixMillis) -> Result<(), String> {
        let id = &signed.key_id;
        let Some(root) = self.trust.find(Purpose::Root, id) else {
            return Err(match self.trust.find_any(id) {
                Some(other) => format!("key {id} is there for {}, not for root", other.purpose),
                None => format!("no key of purpose root with the id {id} is trusted"),
            });
        };
        if !root.public_key().is_some_and(|key| signed.verify(key)) {
            return Err(format!("the signature is not that of root key {id}"));
        }
        let iat = UnixMillis::from_seconds(signed.statement.iat);
        if !root.valid.contains(iat) || !root.valid.contains(logged) {
            return Err(format!("root key {id} was not valid when this was signed or logged"));
        }
        Ok(())
    }

    fn effect(
        &mut self,
        index: u64,
        logged: UnixMillis,
        signed: &SignedStatement,
    ) -> Result<(), String> {
        let statement = &signed.statement;
        if let Some(origin) = self.origin.as_ref().filter(|own| **own != statement.log_origin) {
            return Err(format!("it is about log {}, this is {origin}", statement.log_origin));
        }
        if self.seen.contains(&signed.hash) {
            return Err("the same statement lies further up".into());
        }
        if statement.iat > logged.seconds().saturating_add(SKEW) {
            return Err(format!("iat {} lies behind the time of its entry", statement.iat));
        }
        let (purpose, old) = (statement.purpose, statement.old.id());
        let name = self.old_name(statement)?;
        let known = self.changed.get(&(purpose, old.clone()));
        if let Some(brought) = known.and_then(|known| known.brought.as_ref())
            && brought.index >= index
        {
            return Err(format!("key {old} was not there yet"));
        }
        if let Some(new) = &statement.new {
            if let Some(other) = known.and_then(|known| known.successor.as_ref()) {
                return Err(format!("key {old} was already replaced, by {other}"));
            }
            self.bring(index, statement, &name, new)?;
        }
        let known = self.entry(purpose, &old, &name);
        let gone = Gone { index, reason: statement.reason, revoked: statement.new.is_none() };
        match &mut known.gone {
            None => known.gone = Some(gone),
            // It stays gone from where it went; that it was compromised is news.
            Some(before) if gone.reason == Reason::Compromised => before.reason = gone.reason,
            Some(_) => {}
        }
        if let Some(at) = statement.compromised() {
            known.compromised_at = Some(known.compromised_at.map_or(at, |known| known.min(at)));
        }
        if let Some(new) = &statement.new {
            known.successor = Some(new.id());
        }
        Ok(())
    }

    /// The name of the key that goes, if it is one that counts for this purpose.
    fn old_name(&self, statement: &Statement) -> Result<String, String> {
        let purpose = statement.purpose;
        let id = match &statement.old {
            // Whoever verifies may not hold the secret: the id is all there is.
            OldKey::Secret { id } => {
                let known = self.changed.get(&(purpose, id.clone()));
                return Ok(known.map_or_else(|| id.clone(), |known| known.name.clone()));
            }
            OldKey::Public { id, .. } => id,
        };
        let Some(key) = self.trust.find(purpose, id) else {
            return Err(match self.trust.find_any(id) {
                Some(other) => {
                    format!("key {id} is there for {}, not for {purpose}", other.purpose)
                }
                None => format!("no key for {purpose} with the id {id} is known"),
            });
        };
        if key.public_key().map(OldKey::of).as_ref() != Some(&statement.old) {
            return Err(format!("key {id} has another fingerprint"));
        }
        if statement.new.is_some() && key.agent_id != statement.agent_id {
            let told = |agent: &Option<crate::AgentId>| match agent {
                Some(agent) => agent.to_string(),
                None => "any agent".to_owned(),
            };
            return Err(format!(
                "key {id} signs as {}, its successor shall as {}",
                told(&key.agent_id),
                told(&statement.agent_id)
            ));
        }
        let known = self.changed.get(&(purpose, id.to_string()));
        Ok(known.map_or_else(|| key.name.clone(), |known| known.name.clone()))
    }

    /// Lets a new key in: one that nobody had before, or that the trust file already has for this.
    fn bring(
        &mut self,
        index: u64,
        statement: &Statement,
        name: &str,
        new: &NewKey,
    ) -> Result<(), String> {
        let (purpose, id) = (statement.purpose, new.id());
        if self.changed.contains_key(&(purpose, id.clone())) {
            return Err(format!("key {id} was here before"));
        }
        let commitment = match new {
            NewKey::Secret { commitment, .. } => Some(*commitment),
            NewKey::Public(public) => {
                let mut key = TrustKey::public(name, purpose, public.clone());
                key.agent_id = statement.agent_id.clone();
                match self.trust.add_key(key) {
                    Ok(()) => {}
                    Err(TrustError::Reused { .. }) if self.same(statement, public) => {}
                    Err(error) => return Err(error.to_string()),
                }
                None
            }
        };
        let brought = Brought { index, from: statement.old.id(), commitment };
        self.entry(purpose, &id, name).brought = Some(brought);
        Ok(())
    }

    /// Whether the trust file itself has this key for the same purpose and agent.
    fn same(&self, statement: &Statement, public: &PublicKey) -> bool {
        self.trust.find(statement.purpose, &public.key_id()).is_some_and(|key| {
            key.public_key() == Some(public) && key.agent_id == statement.agent_id
        })
    }

    fn entry(&mut self, purpose: Purpose, id: &str, name: &str) -> &mut Known {
        self.changed.entry((purpose, id.to_owned())).or_insert_with(|| Known {
            purpose,
            id: id.to_owned(),
            name: name.to_owned(),
            brought: None,
            gone: None,
            compromised_at: None,
            successor: None,
        })
    }

    /// The log it is about, where that is known.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Whether no statement took effect.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// The trust file's keys and those that rotations brought, wherever they count.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The key with this id, if a statement was about it.
    pub fn known(&self, purpose: Purpose, id: &str) -> Option<&Known> {
        // Nearly no log has a statement at all: nothing is allocated for those.
        if self.changed.is_empty() {
            return None;
        }
        self.changed.get(&(purpose, id.to_owned()))
    }

    /// The key with this id, if a rotation above `index` brought it.
    pub fn brought(&self, purpose: Purpose, id: &str, index: u64) -> Option<&Known> {
        let before = |brought: &Brought| brought.index < index;
        self.known(purpose, id).filter(|known| known.brought.as_ref().is_some_and(before))
    }

    /// All keys that statements were about.
    pub fn all(&self) -> impl Iterator<Item = &Known> {
        self.changed.values()
    }

    /// Why the key may not sign what lies at `index`; `None` when its place is no obstacle.
    pub fn misplaced(&self, purpose: Purpose, id: &str, index: u64) -> Option<Finding> {
        self.known(purpose, id)?.misplaced(index)
    }

    /// The key that follows this one to the end, and whether it still counts there.
    pub fn newest<'a>(&'a self, purpose: Purpose, id: &'a str) -> (&'a str, Option<&'a Known>) {
        let (mut id, mut known) = (id, self.known(purpose, id));
        // Every rotation brings a key that was not there before: no circle.
        while let Some(next) = known.and_then(|known| known.successor.as_deref()) {
            (id, known) = (next, self.known(purpose, next));
        }
        (id, known)
    }
}

impl Known {
    fn misplaced(&self, index: u64) -> Option<Finding> {
        self.early(index).or_else(|| self.late(index))
    }

    /// Why the key may not sign what lies at `index` yet.
    pub fn early(&self, index: u64) -> Option<Finding> {
        let brought = self.brought.as_ref().filter(|brought| index <= brought.index)?;
        let detail = format!("key {} counts from entry {} on", self.id, brought.index);
        Some(Finding::here(Code::KeyEarly, detail))
    }

    /// Why the key may not sign what lies at `index` any more. Nothing that lies behind `index` has
    /// a part in this.
    pub fn late(&self, index: u64) -> Option<Finding> {
        let gone = self.gone.as_ref().filter(|gone| index >= gone.index)?;
        let what = if gone.revoked { "revoked" } else { "replaced" };
        let detail =
            format!("key {} was {what} at entry {} ({})", self.id, gone.index, gone.reason);
        Some(Finding::here(Code::KeyGone, detail))
    }

    /// Whether what this key signed at `index` may be somebody else's work: it was compromised,
    /// and nothing shows that the entry was there before. `proven` is how many entries are known
    /// to have been there before the time of the compromise.
    pub fn exposed(&self, index: u64, proven: u64) -> bool {
        // What lies at or behind its end is a finding already.
        let inside = self.misplaced(index).is_none();
        self.compromised_at.is_some() && inside && index >= proven
    }

    /// Its history in a few words: `in force since entry 812, rotated from K1`.
    pub fn story(&self) -> String {
        let mut out = match &self.brought {
            None => "in force from the start".to_owned(),
            Some(brought) => {
                format!("in force since entry {}, rotated from {}", brought.index, brought.from)
            }
        };
        if let Some(gone) = &self.gone {
            let what = match (&self.successor, gone.revoked) {
                (Some(next), false) => format!("rotated to {next}"),
                (Some(next), true) => format!("revoked, then rotated to {next},"),
                (None, _) => "revoked".to_owned(),
            };
            let _ = write!(out, ", {what} at entry {} ({})", gone.index, gone.reason);
        }
        if let Some(at) = self.compromised_at {
            let _ = write!(out, ", possibly abused from {at} on");
        }
        out
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        Value::object([
            ("purpose", self.purpose.as_str().into()),
            ("key_id", self.id.as_str().into()),
            ("name", self.name.as_str().into()),
            ("since", self.brought.as_ref().map(|brought| brought.index).into()),
            ("rotated_from", self.brought.as_ref().map(|brought| brought.from.as_str()).into()),
            ("until", self.gone.as_ref().map(|gone| gone.index).into()),
            ("reason", self.gone.as_ref().map(|gone| gone.reason.as_str()).into()),
            ("revoked", self.gone.as_ref().is_some_and(|gone| gone.revoked).into()),
            ("rotated_to", self.successor.as_deref().into()),
            ("compromised_at", self.compromised_at.map(|at| at.to_string()).into()),
        ])
    }
}
