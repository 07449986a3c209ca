//! What a retention policy lets go of a ledger, and what stays all the same: whatever evidence that
//! is kept refers to, whatever is not finished, and what the next start needs.

use std::collections::{BTreeSet, HashMap, HashSet};

use ledger::Kind;
use ledger::prune::{Policy, Spare};
use ledger::read::EntryRef;
use record::entry::{self, ReadEntry};
use record::retention::{Keep, Retention};
use record::{decision, receipt};
use seal::Digest;
use seal::json::{Limits, parse};

use crate::verify::tally::{Short, short};

/// A policy names what cannot be pruned, or nothing that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not a kind of entry.
    #[error("keep.{kind}: no such kind of entry; expected one of {}", kinds())]
    Kind {
        /// What stands there.
        kind: String,
    },
    /// A kind that always stays.
    #[error("keep.{kind}: entries of this kind are never pruned; write forever, or leave it out")]
    Permanent {
        /// The kind.
        kind: Kind,
    },
}

/// The policy at a moment (Unix milliseconds). A decision receipt stays at least as long as the
/// audit lines: an outcome is judged against it.
pub fn policy(retention: &Retention, now: u64) -> Result<Policy, PolicyError> {
    let mut policy = Policy { before: Default::default(), digest: retention.digest };
    for (name, keep) in &retention.keep {
        let kind: Kind = name.parse().map_err(|_| PolicyError::Kind { kind: name.clone() })?;
        let Keep::Millis(millis) = keep else { continue };
        if kind.is_permanent() {
            return Err(PolicyError::Permanent { kind });
        }
        policy.before.insert(kind, now.saturating_sub(*millis));
    }
    let audit = policy.before.get(&Kind::Audit).copied().unwrap_or(0);
    if let Some(decision) = policy.before.get_mut(&Kind::Decision) {
        *decision = audit.min(*decision);
    }
    Ok(policy)
}

/// What stays of what is old. First all entries are looked at, then it is asked about each.
#[derive(Default)]
pub struct Needed {
    /// Configurations, rulesets and facts that evidence which is kept cites.
    cited: HashSet<Digest>,
    /// Admissions whose outcome did not come yet, by request.
    open: HashMap<String, Line>,
    /// The newest audit line of each writer: the next one is chained to it.
    newest: HashMap<String, Line>,
    /// The newest configuration and ruleset of each writer.
    documents: HashMap<(String, Kind), u64>,
    /// Old lines that stay, by index and by entry id.
    stays: BTreeSet<u64>,
    lines: HashSet<Short>,
    settled: bool,
}

/// An audit line, as far as it matters here.
struct Line {
    index: u64,
    id: Short,
    cites: Vec<Digest>,
}

impl Spare for Needed {
    fn look(&mut self, entry: &EntryRef<'_>, goes: bool) {
        let Some(body) = entry.body.present() else { return };
        match entry.leaf.kind {
            Kind::Audit => self.line(entry, body, goes),
            Kind::Decision if !goes => {
                let signed =
                    std::str::from_utf8(body).ok().and_then(|t| decision::read_signed(t).ok());
                if let Some(signed) = signed {
                    self.cited.insert(signed.decision.config_digest);
                    self.cited.insert(signed.decision.ruleset_digest);
                }
            }
            Kind::Receipt if !goes => {
                let read = std::str::from_utf8(body).ok().and_then(|t| receipt::read(t).ok());
                let ruleset = read.and_then(|signed| signed.receipt.ruleset_hash);
                self.cited.extend(ruleset.as_deref().and_then(digest));
            }
            Kind::Config | Kind::Ruleset => {
                let key = (entry.leaf.writer.clone(), entry.leaf.kind);
                self.documents.insert(key, entry.index);
                // The rules that a ruleset names change with the product alone: they all stay.
                let limits = Limits { bytes: body.len(), depth: RULESET_DEPTH };
                let rules = parse(body, limits).ok();
                let rules = rules.as_ref().and_then(|ruleset| ruleset.get("rules")?.as_str());
                self.cited.extend(rules.and_then(digest));
            }
            _ => {}
        }
    }

    fn stays(&mut self, entry: &EntryRef<'_>) -> bool {
        self.settle();
        match entry.leaf.kind {
            Kind::Audit => self.stays.contains(&entry.index),
            Kind::Config | Kind::Ruleset | Kind::Facts => {
                let key = (entry.leaf.writer.clone(), entry.leaf.kind);
                self.cited.contains(&entry.leaf.body)
                    || self.documents.get(&key) == Some(&entry.index)
            }
            // An outcome that stays is judged against its decision receipt.
            Kind::Decision => entry
                .body
                .present()
                .and_then(|body| std::str::from_utf8(body).ok())
                .and_then(|text| decision::read_signed(text).ok())
                .is_none_or(|signed| {
                    self.lines.contains(&short(signed.decision.audit_entry_id.as_bytes()))
                }),
            _ => false,
        }
    }
}

impl Needed {
    /// What a ledger needs of itself.
    pub fn new() -> Needed {
        Needed::default()
    }

    fn line(&mut self, entry: &EntryRef<'_>, body: &[u8], goes: bool) {
        let Ok(line) = entry::read_line(body) else {
            // What cannot be read is not for a prune to remove.
            self.stays.insert(entry.index);
            return;
        };
        let own = || Line {
            index: entry.index,
            id: short(line.entry.entry_id.as_bytes()),
            cites: cites(&line),
        };
        if !goes {
            self.cited.extend(cites(&line));
        }
        let request = line.entry.meta_text("_request").unwrap_or_default();
        if !request.is_empty() && line.entry.meta("_outcome").is_some() {
            // Requests go whole: an outcome that stays keeps its admission.
            if let Some(admission) = self.open.remove(request)
                && !goes
            {
                self.keep(admission);
            }
        } else if !request.is_empty() && line.entry.check_name == ADMISSION {
            self.open.insert(request.to_owned(), own());
        }
        self.newest.insert(entry.leaf.writer.clone(), own());
    }

    fn keep(&mut self, line: Line) {
        self.stays.insert(line.index);
        self.lines.insert(line.id);
        self.cited.extend(line.cites);
    }

    /// After everything was looked at: what is open and what is newest stays.
    fn settle(&mut self) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let open = std::mem::take(&mut self.open).into_values();
        let newest = std::mem::take(&mut self.newest).into_values();
        open.chain(newest).for_each(|line| self.keep(line));
    }
}

/// What a line refers to beside itself.
fn cites(line: &ReadEntry) -> Vec<Digest> {
    let cited = ["_config", "_ruleset", "_facts"];
    cited.into_iter().filter_map(|name| digest(line.entry.meta_text(name)?)).collect()
}

/// How deep a ruleset nests.
const RULESET_DEPTH: usize = 8;

/// With its algorithm, or without as receipts write it.
fn digest(text: &str) -> Option<Digest> {
    text.parse().ok().or_else(|| Digest::from_hex(text))
}

fn kinds() -> String {
    let kinds = Kind::ALL.iter().filter(|kind| !kind.is_permanent());
    kinds.map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

/// The check that opens a request.
const ADMISSION: &str = "pipeline.admission";
