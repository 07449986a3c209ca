//! Walking from a receipt or a request back to its roots, verifying every step.

mod explain;
mod gather;
mod judge;
mod show;
mod tree;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypt::Identities;
use record::decision;
use record::entry::ReadEntry;
use record::receipt::{Operation, Receipt};
use record::report::{Code, Report};
use record::trust::Trust;
use seal::Digest;
use seal::json::Value;

use crate::trustfile::TrustFile;
use crate::verify::{Level, Verifier, anchored};

/// Shortest beginning of a hash that may stand for it.
pub const SHORTEST_PREFIX: usize = 12;

/// Walks receipts. Like a verifier it writes nothing and takes no lock.
#[derive(Clone, Debug)]
pub struct Tracer {
    source: Source,
    verifier: Verifier,
}

#[derive(Clone, Debug)]
enum Source {
    Chain(PathBuf),
    Ledger(PathBuf),
}

/// Why nothing could be traced. What is merely not there is a finding of the trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The text can be no id.
    #[error(
        "{what:?} is no id: give a receipt hash (or {SHORTEST_PREFIX} or more of its digits), a correlation id, an audit entry id or a decision receipt"
    )]
    NotAnId {
        /// What was given.
        what: String,
    },
    /// Several receipts begin like this.
    #[error("{what} is the beginning of {matches} receipts; give more digits")]
    Ambiguous {
        /// What was given.
        what: String,
        /// How many match.
        matches: usize,
    },
    /// Reading failed.
    #[error("{path}: {error}")]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A whole receipt hash, which may also be that of a decision receipt.
    Hash(Digest),
    /// The beginning of one, hex digits.
    Prefix(String),
    /// A correlation id or audit entry id.
    Id(String),
    /// A decision receipt in full: its request, and that the ledger has it.
    Decision { hash: Digest, request: String },
}

impl Target {
    fn of(what: &str) -> Result<Target, TraceError> {
        let what = what.trim();
        let hex = |text: &str| {
            text.len() <= 64
                && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let digits = what.strip_prefix("sha256:").unwrap_or(what);
        if let Some(digest) = Digest::from_hex(digits) {
            Ok(Target::Hash(digest))
        } else if hex(digits) && digits.len() >= SHORTEST_PREFIX {
            Ok(Target::Prefix(digits.to_owned()))
        } else if let Ok(signed) = decision::read_signed(what) {
            Ok(Target::Decision { hash: signed.hash, request: signed.decision.request_id })
        } else if seal::jws::split(what, record::receipt::JWS_LIMIT).is_ok() {
            Ok(Target::Hash(Digest::of(what.as_bytes())))
        } else if what.is_empty()
            || what.len() > 256
            || what != digits
            || what.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            Err(TraceError::NotAnId { what: what.to_owned() })
        } else {
            Ok(Target::Id(what.to_owned()))
        }
    }
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// How it came out; `None` when it could not be judged.
    pub holds: Option<bool>,
    /// In a few words.
    pub says: String,
}

impl Check {
    fn new(holds: impl Into<Option<bool>>, says: impl Into<String>) -> Check {
        Check { holds: holds.into(), says: says.into() }
    }
}

/// Where an entry stands in the tree, with the proof that was computed and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Position in the log.
    pub index: u64,
    /// Size of the tree under the checkpoint.
    pub size: u64,
    /// The hashes from the leaf to the root.
    pub proof: Vec<Digest>,
}

/// One step of the walk.
#[derive(Clone, Debug)]
pub struct Row {
    /// The receipt's hash.
    pub hash: Digest,
    /// The receipt as signed.
    pub jws: String,
    /// What it claims.
    pub receipt: Receipt,
    /// Position in the ledger, or line in the chain file.
    pub place: String,
    /// Whose signature it carries.
    pub signature: Check,
    /// Whether the bytes have the hash they are cited by.
    pub content: Check,
    /// Whether its parents are there.
    pub parents: Check,
    /// Whether taint was kept.
    pub taint: Check,
    /// Whether the checkpoint covers it.
    pub inclusion: Check,
    /// The proof of that.
    pub proof: Option<Inclusion>,
    scanned: Option<String>,
    /// What the log says of the key that signed, as a JSON object (`spec/key-changes.md`).
    pub key: Option<Value>,
}

impl Row {
    /// What the step is called in a path: a tool by its name, everything else by its operation.
    pub fn step(&self) -> &str {
        match (self.receipt.operation, &self.receipt.tool) {
            (Operation::ToolCall, Some(tool)) => tool,
            _ => self.receipt.operation.as_str(),
        }
    }

    /// What a scan looked at: `input`, `output`, `tool_call` or `tool_result`.
    pub fn scanned(&self) -> Option<&str> {
        self.scanned.as_deref()
    }

    fn checks(&self) -> [(&'static str, &Check); 5] {
        [
            ("signature", &self.signature),
            ("content", &self.content),
            ("parents", &self.parents),
            ("taint", &self.taint),
            ("inclusion", &self.inclusion),
        ]
    }
}

/// What the ledger knows of one request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its correlation id.
    pub id: String,
    /// Audit entries, in order.
    pub audits: Vec<ReadEntry>,
    /// Decision receipts.
    pub decisions: Vec<record::decision::SignedDecision>,
}

/// A ruleset of the ledger.
#[derive(Clone, Debug)]
pub struct Ruleset {
    /// Its digest.
    pub digest: Digest,
    /// How many rules it has, when its body is readable.
    pub rules: Option<usize>,
}

/// A walk from what was asked for to its roots.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was asked for.
    pub what: String,
    /// The steps, newest first.
    pub rows: Vec<Row>,
    /// The requests the steps belong to; the one asked for comes first.
    pub requests: Vec<Request>,
    /// The rulesets that scans and decisions name.
    pub rulesets: Vec<Ruleset>,
    /// The log and the size of its checkpoint, for a ledger.
    pub log: Option<(String, u64)>,
    /// Findings, level, trust file.
    pub report: Report,
}

impl Tracer {
    /// Over a chain file.
    pub fn over_chain(path: &Path) -> Tracer {
        Tracer::over(Source::Chain(path.to_path_buf()))
    }

    /// Over a ledger's directory, or one that holds a ledger.
    pub fn over_ledger(dir: &Path) -> Tracer {
        let dir = crate::verify::find_ledger(dir).unwrap_or_else(|| dir.to_path_buf());
        Tracer::over(Source::Ledger(dir))
    }

    fn over(source: Source) -> Tracer {
        Tracer { source, verifier: Verifier::new() }
    }

    /// Believes the keys of a trust file.
    pub fn trust_file(mut self, file: Option<TrustFile>) -> Self {
        self.verifier = self.verifier.trust_file(file);
        self
    }

    /// Believes these keys.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.verifier = self.verifier.trust(trust);
        self
    }

    /// Asks for a level; without any, what is not signed is a finding all the same.
    pub fn require(mut self, level: Level) -> Self {
        self.verifier = self.verifier.require(level);
        self
    }

    /// Sentences that the report shall carry.
    pub fn remarks(mut self, remarks: impl IntoIterator<Item = String>) -> Self {
        self.verifier = self.verifier.remarks(remarks);
        self
    }

    /// Opens the encrypted bodies of a ledger.
    pub fn identities(mut self, identities: Option<Arc<Identities>>) -> Self {
        self.verifier = self.verifier.identities(identities);
        self
    }

    /// Walks from `what`: a receipt's hash (or at least 12 of its digits), a correlation id, an
    /// audit entry id, or a decision receipt.
    pub fn trace(&self, what: &str) -> Result<Trace, TraceError> {
        let target = Target::of(what)?;
        let path = match &self.source {
            Source::Chain(path) | Source::Ledger(path) => path,
        };
        let failed = |error| TraceError::Read { path: path.clone(), error };
        let mut report = self.verifier.begin(path);
        let survey = match &self.source {
            Source::Chain(path) => gather::survey_chain(path, &target, &mut report),
            Source::Ledger(dir) => gather::survey_ledger(dir, &self.verifier, &target, &mut report),
        }
        .map_err(failed)?;
        let starts = survey.starts(&target, what)?;
        let walk = survey.walk(&starts);
        let mut requests: Vec<String> = survey.requests.iter().cloned().collect();
        for hash in &walk {
            let request = survey.nodes.get(hash).and_then(|node| node.request.clone());
            if let Some(request) = request.filter(|request| !requests.contains(request)) {
                requests.push(request);
            }
        }
        let wanted = gather::Wanted {
            receipts: walk.iter().copied().collect(),
            requests: requests.iter().cloned().collect(),
        };
        let pieces = match &self.source {
            Source::Chain(path) => {
                gather::collect_chain(path, &self.verifier, &wanted, &mut report)
            }
            Source::Ledger(dir) => {
                gather::collect_ledger(dir, &self.verifier, &wanted, &survey, &mut report)
            }
        }
        .map_err(failed)?;
        let mut trace = Trace {
            what: what.trim().to_owned(),
            rows: Vec::new(),
            requests: Vec::new(),
            rulesets: Vec::new(),
            log: survey
                .checkpoint
                .as_ref()
                .map(|checkpoint| (checkpoint.origin.clone(), checkpoint.size)),
            report,
        };
        let last = pieces.last;
        trace.fill(&walk, &survey, pieces, &requests);
        if let Target::Decision { hash, .. } = &target
            && !survey.decisions.contains(hash)
            && survey.absence(&hash.to_string()).is_none()
        {
            trace.find(
                Code::EvidenceNotFound,
                "decision receipt",
                "the ledger does not have this decision receipt",
            );
        }
        for (kind, index, absent) in &survey.asked {
            let included = trace.included(&survey, *index);
            let detail = format!("{}{included}", absent.says(*index));
            trace.find(Code::EvidenceNotFound, &format!("entry {index} ({kind})"), &detail);
        }
        if trace.rows.is_empty() && trace.requests.is_empty() && survey.asked.is_empty() {
            let what = trace.what.clone();
            trace.find(Code::EvidenceNotFound, &what, "");
        }
        trace.conclude(&self.verifier);
        anchored::conclude_trace(&self.verifier, &survey.attested, last, &mut trace.report);
        Ok(trace)
    }
}

impl Trace {
    /// The steps by name, newest first: `send_email > model_call > guardrail_scan > user_input`.
    pub fn path(&self) -> String {
        let steps: Vec<&str> = self.rows.iter().map(Row::step).collect();
        steps.join(" > ")
    }
}

impl gather::Survey {
    /// The receipts to start from.
    fn starts(&self, target: &Target, what: &str) -> Result<Vec<Digest>, TraceError> {
        match target {
            Target::Hash(hash) if self.nodes.contains_key(hash) => Ok(vec![*hash]),
            Target::Prefix(prefix) => {
                let found: Vec<Digest> = self
                    .nodes
                    .keys()
                    .filter(|hash| hash.hex().starts_with(prefix))
                    .copied()
                    .collect();
                if found.len() > 1 {
                    return Err(TraceError::Ambiguous {
                        what: what.to_owned(),
                        matches: found.len(),
                    });
                }
                Ok(found)
            }
            Target::Hash(_) | Target::Id(_) | Target::Decision { .. } => {
                // The request's last receipts: those that no other receipt of it builds on.
                let own: BTreeMap<u64, Digest> = self
                    .nodes
                    .iter()
                    .filter(|(_, node)| {
                        node.request.as_ref().is_some_and(|request| self.requests.contains(request))
                    })
                    .map(|(hash, node)| (node.index, *hash))
                    .collect();
                let cited: BTreeSet<Digest> = own
                    .values()
                    .filter_map(|hash| self.nodes.get(hash))
                    .flat_map(|node| node.parents.iter().copied())
                    .collect();
                Ok(own.into_values().filter(|hash| !cited.contains(hash)).rev().collect())
            }
        }
    }

    /// From the starts to the roots, newest first: nothing stands before what builds on it.
    fn walk(&self, starts: &[Digest]) -> Vec<Digest> {
        let mut seen: BTreeSet<Digest> = BTreeSet::new();
        let mut next: BinaryHeap<(u64, Digest)> = BinaryHeap::new();
        let mut walk = Vec::new();
        let mut add = |next: &mut BinaryHeap<(u64, Digest)>, hash: &Digest| {
            if let Some(node) = self.nodes.get(hash)
                && seen.insert(*hash)
            {
                next.push((node.index, *hash));
            }
        };
        starts.iter().for_each(|hash| add(&mut next, hash));
        while let Some((_, hash)) = next.pop() {
            walk.push(hash);
            if let Some(node) = self.nodes.get(&hash) {
                node.parents.iter().for_each(|parent| add(&mut next, parent));
            }
        }
        walk
    }
}

/// Pieces by what they are filed under.
type ByHash<T> = HashMap<Digest, T>;
