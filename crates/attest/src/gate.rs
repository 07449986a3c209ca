//! Gates: which statements a change needs, and what they must say. Rules: `docs/policy-guide.md`,
//! bytes: `spec/gates.md`.
//!
//! A gate is given what a verification proved and nothing else: a [`Proven`] is made from a statement
//! whose signature, schema, digests and chain were found to hold.

mod condition;
mod read;

use std::collections::BTreeMap;

use record::report::{Code, Finding};
use seal::digest::Digest;
use seal::time::UnixMillis;

use crate::glob::Glob;
use crate::statement::{Privacy, Statement, Subject};
use crate::types::Type;

pub use condition::Condition;
pub use read::PolicyError;

/// A policy: its gates, and which statements may hold files in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    gates: Vec<Gate>,
    plaintext: Vec<Plaintext>,
    digest: Digest,
}

/// What a change that touches some paths needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Its name in reports.
    pub id: String,
    /// It applies when one of the changed files fits one of these; without any, always.
    pub paths: Vec<Glob>,
    /// All of these.
    pub require: Vec<Requirement>,
    /// What its author says to who is stopped.
    pub message: Option<String>,
}

/// Statements of a type that must be there, and what must hold of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The type.
    pub kind: &'static Type,
    /// Names of keys of the trust file whose signatures count; empty means every trusted one.
    pub signers: Vec<String>,
    /// How many of these must have signed.
    pub threshold: usize,
    /// How old a statement may be.
    pub max_age_days: Option<u32>,
    /// Whether somebody trusted must say when it was there.
    pub trusted_time: bool,
    /// Whether it must be in a log of the trust file.
    pub logged: bool,
    /// What its predicate must say.
    pub conditions: Vec<Condition>,
    /// Whether one statement that fulfils all of this is enough; else each of the type must.
    pub any: bool,
    /// Whether each changed file that the gate applies to must be among the files attested.
    pub covers: bool,
}

/// An exception: a statement that may hold files in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Plaintext {
    /// The one with this payload.
    Digest(Digest),
    /// Those of a type, as long as every file fits one of the patterns.
    Files(&'static Type, Vec<Glob>),
}

/// A statement that a verification found to hold.
#[derive(Debug, Clone, Copy)]
pub struct Proven<'s> {
    /// Where it came from, for people.
    pub place: &'s str,
    /// The statement.
    pub statement: &'s Statement,
    /// The digest of its payload.
    pub payload: Digest,
    /// Names of the trusted keys that signed it, each once.
    pub signers: &'s [&'s str],
    /// When it was there at the latest, as somebody trusted says who is not its signer.
    pub stamped: Option<UnixMillis>,
    /// Whether all its bundles are in a log of the trust file.
    pub logged: bool,
}

impl Proven<'_> {
    /// What its age is counted from. A stamp says that it is not younger, and anybody can have an old
    /// signature stamped today; that it is not older says its signer alone. So the earlier one counts:
    /// neither a late stamp nor a late `generated_at` makes a statement fresh.
    pub fn at(&self) -> UnixMillis {
        let made = self.statement.generated_at;
        self.stamped.map_or(made, |stamped| stamped.min(made))
    }
}

/// A file that a change adds, alters or removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Its path below the root of the repository, with `/`.
    pub path: String,
    /// Whether it is no longer there.
    pub gone: bool,
    /// Whether it stands for all below it, which nobody lists: a submodule, a repository within this
    /// one, a link.
    pub whole: bool,
}

/// What a gate judges.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// The statements that hold.
    pub proven: &'f [Proven<'f>],
    /// The files that changed; `None` opens every gate, whatever its paths.
    pub changes: Option<&'f [Change]>,
    /// Where the attested root lies below the repository's, with `/` behind it; empty where they are
    /// one. Changed files are named from the one, attested files from the other.
    pub root: &'f str,
    /// The time of judging.
    pub now: UnixMillis,
}

/// What a policy says of some facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruling {
    /// Every violation.
    pub findings: Vec<Finding>,
    /// The gates that applied.
    pub applied: Vec<String>,
}

/// How far ahead of the judge's clock a statement may be.
const AHEAD_MS: u64 = 10 * 60 * 1000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Policy {
    /// Reads a policy.
    pub fn parse(yaml: &str) -> Result<Policy, PolicyError> {
        read::parse(yaml)
    }

    /// The digest of the text it was read from.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its gates, in their order.
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// A gate, by its id, that asks for changed files to be covered: it needs to be told which.
    pub fn covering(&self) -> Option<&str> {
        let covers = |gate: &&Gate| gate.require.iter().any(|required| required.covers);
        self.gates.iter().find(covers).map(|gate| gate.id.as_str())
    }

    /// Judges. Nothing stops at the first violation.
    pub fn judge(&self, facts: &Facts<'_>) -> Ruling {
        let mut ruling = Ruling::default();
        for proven in facts.proven {
            ruling.findings.extend(self.in_clear(proven));
        }
        let mut of_type: BTreeMap<&str, Vec<&Proven<'_>>> = BTreeMap::new();
        for proven in facts.proven {
            of_type.entry(proven.statement.kind.name).or_default().push(proven);
        }
        for gate in &self.gates {
            let Some(touched) = gate.touched(facts.changes) else { continue };
            ruling.applied.push(gate.id.clone());
            for required in &gate.require {
                let candidates = of_type.get(required.kind.name).map_or(&[][..], Vec::as_slice);
                let found = required.judge(candidates, &touched, facts);
                ruling
                    .findings
                    .extend(found.into_iter().map(|(code, why)| gate.finding(code, why)));
            }
        }
        ruling
    }

    /// A statement with files in it that the policy does not allow.
    fn in_clear(&self, proven: &Proven<'_>) -> Option<Finding> {
        let Privacy::PlaintextExplicit(files) = &proven.statement.privacy else { return None };
        let kind = proven.statement.kind;
        let allowed = self.plaintext.iter().any(|one| match one {
            Plaintext::Digest(digest) => *digest == proven.payload,
            Plaintext::Files(of, globs) => {
                *of == kind && files.iter().all(|(path, _)| globs.iter().any(|g| g.fits(path)))
            }
        });
        let detail = || {
            format!(
                "{} statement {} with {} files in clear",
                kind.name,
                proven.payload,
                files.len()
            )
        };
        (!allowed).then(|| Finding::new(Code::GatePlaintext, proven.place, detail()))
    }
}

impl Gate {
    /// The changed files it applies to; `None` when it does not apply.
    fn touched<'c>(&self, changes: Option<&'c [Change]>) -> Option<Vec<&'c Change>> {
        let fits = |change: &&Change| {
            let below = |glob: &Glob| change.whole && glob.fits_below(&change.path);
            let fits = |glob: &Glob| glob.fits(&change.path) || below(glob);
            self.paths.is_empty() || self.paths.iter().any(fits)
        };
        let Some(changes) = changes else { return Some(Vec::new()) };
        let touched: Vec<&Change> = changes.iter().filter(fits).collect();
        (self.paths.is_empty() || !touched.is_empty()).then_some(touched)
    }

    fn finding(&self, code: Code, why: String) -> Finding {
        let detail = match &self.message {
            Some(message) => format!("{why}: {message}"),
            None => why,
        };
        Finding::new(code, format!("gate {}", self.id), detail)
    }
}

impl Requirement {
    fn judge(
        &self,
        candidates: &[&Proven<'_>],
        touched: &[&Change],
        facts: &Facts<'_>,
    ) -> Vec<(Code, String)> {
        let name = self.kind.name;
        if candidates.is_empty() {
            return vec![(Code::GateMissing, format!("there is no {name} statement that holds"))];
        }
        let judged: Vec<Vec<(Code, String)>> =
            candidates.iter().map(|proven| self.look(proven, facts.now)).collect();
        let counted: Vec<&&Proven<'_>> = candidates
            .iter()
            .zip(&judged)
            .filter(|(_, faults)| faults.is_empty())
            .map(|(proven, _)| proven)
            .collect();
        let mut found = Vec::new();
        if !self.any || counted.is_empty() {
            found.extend(judged.iter().flatten().cloned());
        }
        if self.covers {
            let covered = |change: &Change| {
                let path = change.path.strip_prefix(facts.root);
                let is = |subject: &Subject| Some(subject.path.as_str()) == path;
                counted.iter().any(|one| one.statement.subjects.iter().any(is))
            };
            let bare = touched.iter().filter(|change| !change.gone && !covered(change));
            found.extend(bare.map(|change| {
                (Code::GateUncovered, format!("{:?} is in no {name} statement", change.path))
            }));
        }
        found
    }

    /// What one statement lacks.
    fn look(&self, proven: &Proven<'_>, now: UnixMillis) -> Vec<(Code, String)> {
        let which = format!("{} ({} {})", proven.place, self.kind.name, proven.payload);
        let mut found = Vec::new();
        let counts =
            |name: &&&str| self.signers.is_empty() || self.signers.iter().any(|one| one == **name);
        let signed = proven.signers.iter().filter(counts).count();
        if signed < self.threshold {
            let of = match self.signers.is_empty() {
                true => "trusted signers".to_owned(),
                false => self.signers.join(", "),
            };
            let why = format!("{which} has {signed} of {} signatures by {of}", self.threshold);
            found.push((Code::GateSigner, why));
        }
        let made = proven.statement.generated_at;
        if made.0 > now.0.saturating_add(AHEAD_MS) {
            found.push((Code::GateAge, format!("{which} is of {made}, which is to come")));
        }
        let at = proven.at();
        if let Some(days) = self.max_age_days
            && at.0.saturating_add(u64::from(days) * DAY_MS) < now.0
        {
            let why = format!("{which} is of {at}, more than {days} days ago");
            found.push((Code::GateAge, why));
        }
        if self.trusted_time && proven.stamped.is_none() {
            found.push((Code::GateTime, format!("{which} says {made} itself, and nobody else")));
        }
        if self.logged && !proven.logged {
            found.push((Code::GateLog, which.clone()));
        }
        for condition in &self.conditions {
            if let Err(why) = condition.holds(proven.statement) {
                found.push((
                    Code::GateCondition,
                    format!("{which}: {condition} does not hold: {why}"),
                ));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
