//! Two passes over the evidence: the first learns the shape of the graph, the second takes out the
//! few pieces the walk needs. So memory grows with the number of receipts, not with their bytes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use ledger::Kind;
use ledger::read::Item;
use record::receipt::{self, SignedReceipt};
use record::report::{Code, Finding, Report};
use record::taint::TaintSet;
use record::trust::{Purpose, Trust};
use record::verify::Judge;
use record::{decision, entry as audit};
use seal::json::{self, Limits, Value};
use seal::note::Checkpoint;
use seal::{Digest, KeyId};

use super::tree::Tree;
use super::{ByHash, Request, Target};
use crate::parallel::{self, Weight};
use crate::verify::Verifier;
use crate::verify::anchored::{Anchors, Attested};
use crate::verify::chain::lines;
use crate::verify::entry::{self, Content, Judges, Raw};
use crate::verify::keychange::{self, Keys, Proven};
use crate::verify::ledger as journal;
use crate::verify::pruned::{self, Absent};
use crate::verify::tally::{Short, short};

/// The shape of the graph.
#[derive(Default)]
pub(super) struct Survey {
    pub nodes: ByHash<Node>,
    /// The requests asked for.
    pub requests: BTreeSet<String>,
    /// Decision receipts that were asked for and are there.
    pub decisions: HashSet<Digest>,
    /// Rulesets and configurations.
    pub documents: HashSet<Digest>,
    /// Entries whose body is not here, by what they are cited as: where they lie, and why.
    pub absent: HashMap<Short, (u64, Absent)>,
    /// Those of them that were asked for.
    pub asked: Vec<(Kind, u64, Absent)>,
    pub tree: Tree,
    pub checkpoint: Option<Checkpoint>,
    pub log_trusted: bool,
    /// The keys of the log over its time.
    pub keys: Option<Keys>,
    /// Which entries stood under a stamped checkpoint.
    pub attested: Attested,
    /// How far back the log is attested by others.
    pub proven: Vec<Proven>,
}

/// What the graph knows of a receipt.
pub(super) struct Node {
    pub index: u64,
    pub parents: Vec<Digest>,
    pub taint: Arc<TaintSet>,
    pub request: Option<String>,
}

/// What the second pass shall take out.
pub(super) struct Wanted {
    pub receipts: HashSet<Digest>,
    pub requests: HashSet<String>,
}

/// What it took out.
#[derive(Default)]
pub(super) struct Pieces {
    pub receipts: ByHash<Piece>,
    pub requests: std::collections::HashMap<String, Request>,
    /// Number of rules, where the body is readable.
    pub rulesets: ByHash<Option<Rules>>,
    /// The last entry of the ledger that was taken out and is no ruleset.
    pub last: Option<u64>,
}

/// A receipt of the walk, judged by itself.
pub(super) struct Piece {
    pub signed: SignedReceipt,
    pub place: String,
    /// Position in the ledger.
    pub index: Option<u64>,
    pub faults: Vec<Finding>,
    pub trusted: bool,
    pub signer: String,
    /// The key's history, if the log has one of it.
    pub key: Option<Value>,
    /// The hash it is filed under.
    pub stated: Digest,
}

/// First pass over a ledger. What is damaged is reported; the walk goes on with the rest.
pub(super) fn survey_ledger(
    dir: &Path,
    verifier: &Verifier,
    target: &Target,
    report: &mut Report,
) -> io::Result<Survey> {
    report.kind = "trace of a ledger".to_owned();
    let mut survey = Survey::new(target);
    let Some(reader) = journal::open(dir, verifier, report)? else {
        return Ok(survey);
    };
    survey.checkpoint = reader.checkpoint().cloned();
    survey.log_trusted = verifier.is_log_trusted(&reader);
    let origin = reader.head().map(|head| head.origin.clone());
    let keys = Keys::new(verifier, origin.as_deref(), dir);
    let mut anchors = Anchors::new(verifier, &reader, report);
    let mut entries = reader.entries();
    let mut leaves = 0u64;
    parallel::ordered(
        |(leaf, raw): (Digest, Raw)| (leaf, raw.index, Seen::of(raw, target)),
        |(leaf, index, seen)| {
            if index == leaves {
                survey.tree.push(leaf);
            } else {
                survey.tree.lose();
            }
            leaves += 1;
            survey.take(index, seen);
        },
        |sink| -> io::Result<()> {
            while let Some(item) = entries.next()? {
                if let Item::Entry(entry) = item {
                    let raw = Raw::from(&entry);
                    keys.meet(&raw);
                    anchors.see(&entry);
                    sink((seal::merkle::leaf_hash(entry.leaf_bytes), raw));
                }
            }
            Ok(())
        },
    )?;
    survey.keys = Some(keys);
    let summary = entries.finish();
    survey.attested = anchors.finish_aside(&reader, report)?;
    survey.proven.extend(
        survey.attested.proven().chain(Proven::witnessed(survey.attested.logged(), report)),
    );
    for damage in &summary.damage {
        report.push(journal::finding(damage));
    }
    pruned::stripped(&summary.bodies, report);
    if let Some(torn) = &summary.torn {
        let place = format!("{} at byte {}", torn.file, torn.offset);
        report.push(Finding::new(Code::LedgerTorn, place, ""));
    }
    Ok(survey)
}

/// First pass over a chain file.
pub(super) fn survey_chain(
    path: &Path,
    target: &Target,
    report: &mut Report,
) -> io::Result<Survey> {
    report.kind = "trace of a receipt chain".to_owned();
    let mut survey = Survey::new(target);
    // It is read twice, and opening a pipe would wait for somebody to write.
    if !std::fs::metadata(path)?.is_file() {
        report.push(Finding::new(Code::FileSpecial, path.display().to_string(), ""));
        return Ok(survey);
    }
    let mut index = 0;
    let mut take = |_: &str, _: &Digest, jws: &str| {
        if let Ok(signed) = receipt::read(jws) {
            survey.take(index, Seen::Receipt(Box::new(signed)));
        }
        index += 1;
    };
    lines(path, &mut take, &mut |finding| report.push(finding))?;
    Ok(survey)
}

impl Weight for (Digest, Raw) {
    fn weight(&self) -> usize {
        self.1.weight()
    }
}

impl Survey {
    fn new(target: &Target) -> Survey {
        let mut survey = Survey::default();
        if let Target::Decision { request, .. } = target {
            survey.requests.insert(request.clone());
        }
        if let Target::Id(id) = target {
            // Receipts name their request; whether there are any, the passes tell.
            survey.requests.insert(id.clone());
        }
        survey
    }

    /// What is to be said of evidence that is cited and has no body here.
    pub fn absence(&self, id: &str) -> Option<String> {
        let (index, absent) = self.absent.get(&short(id.as_bytes()))?;
        Some(absent.says(*index))
    }

    /// The same, of a body that is here and closed to whoever looks.
    pub(super) fn shut(&self, id: &str) -> Option<String> {
        match self.absent.get(&short(id.as_bytes())) {
            Some((index, Absent::Encrypted)) => Some(Absent::Encrypted.says(*index)),
            _ => None,
        }
    }

    fn take(&mut self, index: u64, seen: Seen) {
        match seen {
            Seen::Nothing => {}
            Seen::Absent { kind, id, absent, asked } => {
                if let (Kind::Ruleset | Kind::Config, Ok(digest)) = (kind, id.parse()) {
                    self.documents.insert(digest);
                }
                self.absent.insert(short(id.as_bytes()), (index, absent));
                if asked {
                    self.asked.push((kind, index, absent));
                }
            }
            Seen::Document(digest) => {
                self.documents.insert(digest);
            }
            Seen::Decision { hash, request } => {
                self.decisions.insert(hash);
                self.requests.insert(request);
            }
            Seen::AuditOf(request) => {
                self.requests.insert(request);
            }
            Seen::Receipt(signed) => {
                let SignedReceipt { hash, receipt, .. } = *signed;
                let request = receipt
                    .extension_value("x_countersign_request")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                // Few different taints: shared with a parent's where equal.
                let shared = receipt
                    .parents
                    .iter()
                    .filter_map(|parent| self.nodes.get(parent))
                    .find(|node| *node.taint == receipt.taint)
                    .map(|node| node.taint.clone());
                let node = Node {
                    index,
                    parents: receipt.parents,
                    taint: shared.unwrap_or_else(|| Arc::new(receipt.taint)),
                    request,
                };
                self.nodes.insert(hash, node);
            }
        }
    }
}

/// What the first pass makes of an entry.
enum Seen {
    Nothing,
    /// Its body is not here.
    Absent {
        kind: Kind,
        id: String,
        absent: Absent,
        asked: bool,
    },
    Receipt(Box<SignedReceipt>),
    Document(Digest),
    /// The decision receipt that was asked for.
    Decision {
        hash: Digest,
        request: String,
    },
    /// The audit entry that was asked for belongs to this request.
    AuditOf(String),
}

impl Seen {
    fn of(raw: Raw, target: &Target) -> Seen {
        let Raw { kind, id, body, absent, .. } = raw;
        if let Some(absent) = absent {
            let asked = match target {
                Target::Hash(hash) | Target::Decision { hash, .. } => id == hash.to_string(),
                Target::Prefix(prefix) => {
                    id.strip_prefix("sha256:").is_some_and(|hex| hex.starts_with(prefix.as_str()))
                }
                Target::Id(asked) => id == *asked,
            };
            return Seen::Absent { kind, id, absent, asked };
        }
        let Ok(text) = std::str::from_utf8(&body) else {
            return Seen::Nothing;
        };
        match kind {
            Kind::Receipt => {
                receipt::read(text).map_or(Seen::Nothing, |signed| Seen::Receipt(Box::new(signed)))
            }
            Kind::Ruleset | Kind::Config => Seen::Document(Digest::of(&body)),
            Kind::Decision => {
                let asked = match target {
                    Target::Hash(hash) | Target::Decision { hash, .. } => id == hash.to_string(),
                    Target::Prefix(prefix) => id
                        .strip_prefix("sha256:")
                        .is_some_and(|hex| hex.starts_with(prefix.as_str())),
                    Target::Id(_) => false,
                };
                match decision::read_signed(text) {
                    Ok(signed) if asked => {
                        Seen::Decision { hash: signed.hash, request: signed.decision.request_id }
                    }
                    Ok(_) | Err(_) => Seen::Nothing,
                }
            }
            Kind::Audit if matches!(target, Target::Id(asked) if *asked == id) => {
                request_of(text).map_or(Seen::Nothing, |request| Seen::AuditOf(request.to_owned()))
            }
            _ => Seen::Nothing,
        }
    }
}

/// The request an audit line belongs to. Lines are canonical, so the member is found without
/// parsing; a line that only looks like it is judged when it is taken out.
fn request_of(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("\"_request\":\"")?;
    rest.split('"').next()
}

/// Second pass over a ledger.
pub(super) fn collect_ledger(
    dir: &Path,
    verifier: &Verifier,
    wanted: &Wanted,
    survey: &Survey,
    report: &mut Report,
) -> io::Result<Pieces> {
    let mut pieces = Pieces::default();
    let Some(keys) = &survey.keys else {
        return Ok(pieces);
    };
    // What there is to say about the files was said by the first pass.
    let Some(reader) = journal::open(dir, verifier, &mut Report::default())? else {
        return Ok(pieces);
    };
    let ring = verifier.keyring();
    let trust = verifier.believed();
    let judges = Judges { receipts: Judge::new(trust, &[]).0, trust, ring: &ring, keys };
    let known = Signers { keys, proven: &survey.proven };
    let mut entries = reader.entries();
    parallel::ordered(
        |raw: Raw| match wanted.wants(&raw) {
            Want::Not => Taken::Nothing,
            Want::Ruleset => Taken::Ruleset(Digest::of(&raw.body), rules_of(&raw.body)),
            Want::Judged => Taken::Judged(Box::new(entry::judge(raw, &judges))),
        },
        |taken| pieces.take(taken, &known, report),
        |sink| -> io::Result<()> {
            while let Some(item) = entries.next()? {
                if let Item::Entry(entry) = item {
                    sink(Raw::from(&entry));
                }
            }
            Ok(())
        },
    )?;
    Ok(pieces)
}

/// Second pass over a chain file.
pub(super) fn collect_chain(
    path: &Path,
    verifier: &Verifier,
    wanted: &Wanted,
    _report: &mut Report,
) -> io::Result<Pieces> {
    let mut pieces = Pieces::default();
    if wanted.receipts.is_empty() {
        return Ok(pieces);
    }
    let trust = verifier.believed();
    let judge = Judge::new(trust, &[]).0;
    let mut take = |place: &str, stated: &Digest, jws: &str| {
        let Ok(signed) = receipt::read(jws) else {
            return;
        };
        if !wanted.receipts.contains(&signed.hash) {
            return;
        }
        let mut faults = Vec::new();
        let mut trusted = false;
        if let Ok(token) = seal::jws::split(jws, receipt::JWS_LIMIT) {
            let level = judge.receipt(&signed, &token.signature, &mut faults);
            trusted = level == record::report::Assurance::Signed;
        }
        let piece = Piece {
            place: place.to_owned(),
            index: None,
            faults: faults.into_iter().map(|fault| fault.at(place)).collect(),
            trusted,
            signer: signer(trust, &signed.receipt.key_id),
            key: None,
            stated: *stated,
            signed,
        };
        pieces.receipts.insert(piece.signed.hash, piece);
    };
    lines(path, &mut take, &mut |_| ())?;
    Ok(pieces)
}

enum Want {
    Not,
    Ruleset,
    Judged,
}

impl Wanted {
    fn wants(&self, raw: &Raw) -> Want {
        let text = || std::str::from_utf8(&raw.body).unwrap_or_default();
        let wanted = match raw.kind {
            _ if raw.absent.is_some() => false,
            Kind::Receipt => raw.id.parse().is_ok_and(|hash: Digest| self.receipts.contains(&hash)),
            Kind::Audit => {
                request_of(text()).is_some_and(|request| self.requests.contains(request))
            }
            Kind::Decision => decision::read_signed(text())
                .is_ok_and(|signed| self.requests.contains(&signed.decision.request_id)),
            Kind::Ruleset if raw.absent.is_none() => return Want::Ruleset,
            _ => false,
        };
        if wanted { Want::Judged } else { Want::Not }
    }
}

enum Taken {
    Nothing,
    Judged(Box<entry::Judged>),
    Ruleset(Digest, Option<Rules>),
}

impl Pieces {
    /// How many rules a ruleset has, where the ledger has them.
    pub fn rules(&self, ruleset: &Digest) -> Option<usize> {
        match self.rulesets.get(ruleset).copied().flatten()? {
            Rules::Here(rules) => Some(rules),
            Rules::There(rules) => match self.rulesets.get(&rules).copied().flatten()? {
                Rules::Here(rules) => Some(rules),
                Rules::There(_) => None,
            },
        }
    }

    fn take(&mut self, taken: Taken, signers: &Signers<'_>, report: &mut Report) {
        let judged = match taken {
            Taken::Nothing => return,
            Taken::Ruleset(digest, rules) => {
                self.rulesets.insert(digest, rules);
                return;
            }
            Taken::Judged(judged) => *judged,
        };
        self.last = self.last.max(Some(judged.index));
        match judged.content {
            Content::Receipt(signed) => {
                let id = &signed.receipt.key_id;
                let mut faults = judged.findings;
                let place = entry::place(judged.index, judged.kind);
                let exposed = signers.exposed(Purpose::Receipts, id, judged.index);
                faults.extend(exposed.map(|finding| finding.at(&place)));
                let trusted = judged.signed
                    && !faults
                        .iter()
                        .any(|f| matches!(f.code, Code::KeyCompromised | Code::KeyEarly));
                let (signer, key) = signers.name(Purpose::Receipts, id);
                let piece = Piece {
                    place,
                    index: Some(judged.index),
                    faults,
                    trusted,
                    signer,
                    key,
                    stated: judged.id.parse().unwrap_or(signed.hash),
                    signed: *signed,
                };
                self.receipts.insert(piece.signed.hash, piece);
            }
            Content::Audit(line) => {
                push_all(report, judged.findings);
                let id = request_text(&line);
                self.request(id).audits.push(*line);
            }
            Content::Decision(signed) => {
                push_all(report, judged.findings);
                let at = entry::place(judged.index, judged.kind);
                let exposed = signers.exposed(Purpose::Decisions, &signed.key_id, judged.index);
                push_all(report, exposed.map(|finding| finding.at(&at)).into_iter().collect());
                let id = signed.decision.request_id.clone();
                self.request(id).decisions.push(*signed);
            }
            Content::Document { .. }
            | Content::Repair(_)
            | Content::Other
            | Content::Absent { .. }
            | Content::Unread => {
                push_all(report, judged.findings);
            }
        }
    }

    fn request(&mut self, id: String) -> &mut Request {
        self.requests.entry(id.clone()).or_insert_with(|| Request { id, ..Request::default() })
    }
}

fn push_all(report: &mut Report, findings: Vec<Finding>) {
    for finding in findings {
        report.push(finding);
    }
}

fn request_text(line: &audit::ReadEntry) -> String {
    line.entry.meta_text("_request").unwrap_or_default().to_owned()
}

/// Whose keys the log knows.
struct Signers<'a> {
    keys: &'a Keys,
    proven: &'a [Proven],
}

impl Signers<'_> {
    /// Whether a compromised key may have signed this when it was somebody else's, or a trusted one
    /// before it counted.
    fn exposed(&self, purpose: Purpose, id: &KeyId, index: u64) -> Option<Finding> {
        let history = self.keys.changes()?;
        let known = history.known(purpose, &id.to_string())?;
        // Without a compromise nothing has to be proven.
        let at = known.compromised_at;
        let proven = at.map_or(0, |at| keychange::proven_before(self.proven, at));
        match known.exposed(index, proven) {
            true => Some(keychange::exposed(known)),
            false => known.early(index),
        }
    }

    /// The key's name and what the log says of it.
    fn name(&self, purpose: Purpose, id: &KeyId) -> (String, Option<Value>) {
        let history = self.keys.history();
        let named = match history.trust().find(purpose, id) {
            Some(key) => key.name.clone(),
            None => return (format!("key {id}"), None),
        };
        match history.known(purpose, &id.to_string()) {
            Some(known) => {
                (format!("{named} (key {id}, {})", known.story()), Some(known.to_json()))
            }
            None => (format!("{named} (key {id})"), None),
        }
    }
}

/// The key's name in the trust file, with its id.
fn signer(trust: &Trust, id: &KeyId) -> String {
    match trust.find(Purpose::Receipts, id) {
        Some(key) => format!("{} (key {id})", key.name),
        None => format!("key {id}"),
    }
}

/// What a body of kind `ruleset` says of rules.
#[derive(Debug, Clone, Copy)]
pub enum Rules {
    /// They are in it.
    Here(usize),
    /// Another body has them.
    There(Digest),
}

fn rules_of(body: &[u8]) -> Option<Rules> {
    let value = json::parse(body, Limits::DOCUMENT).ok()?;
    match value.get("rules")? {
        Value::Array(rules) => Some(Rules::Here(rules.len())),
        rules => Some(Rules::There(rules.as_str()?.parse().ok()?)),
    }
}
