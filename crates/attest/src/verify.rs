//! Judging bundles: signature, schema, digest, chain, semantics. Every stage on every bundle; nothing
//! stops at the first fault.

mod schema;
mod semantic;
mod signature;
mod subjects;

pub mod log;

use std::collections::{BTreeMap, BTreeSet};

use record::cores;
use record::logged::Logged;
use record::report::{Assurance, Code, Finding, Report, Severity};
use record::trust::Trust;
use seal::digest::Digest;
use seal::json::Value;
use seal::time::UnixMillis;
use stamp::Authority;

use crate::bundle::{Bundle, BundleError};
use crate::chain::{self, Chain, Node};
use crate::files::Files;
use crate::privacy::Salts;
use crate::statement::{PAYLOAD_TYPE, Statement, StatementError};
use crate::types::Type;
pub use semantic::model_root;
use signature::Keys;

/// A file that should be a bundle.
#[derive(Debug, Clone)]
pub struct Blob {
    /// What reports call it.
    pub name: String,
    /// Its bytes, or why there are none.
    pub bytes: Result<Vec<u8>, Finding>,
    /// The proof of a log that lies beside it, or why it could not be read.
    pub proof: Option<Result<Vec<u8>, Finding>>,
}

/// What is asked of the bundles.
#[derive(Debug, Default)]
pub struct How {
    /// The time.
    pub now: UnixMillis,
    /// So many different signers a type must have.
    pub thresholds: Vec<(&'static Type, usize)>,
    /// Types of which there must be a statement.
    pub require: Vec<&'static Type>,
    /// The secrets that salts of commitments come from. They need no trust: a statement names each
    /// salt by its digest.
    pub salts: Vec<Salts>,
    /// Whose timestamps count.
    pub authorities: Vec<Authority>,
    /// Every bundle must be in a log of the trust file.
    pub require_log: bool,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Whose word it is.
    Signature,
    /// Whether it is well formed.
    Schema,
    /// Whether the files are those that were attested.
    Digest,
    /// How statements hang together.
    Chain,
    /// Whether what is said follows from the files.
    Semantics,
    /// Whether it is where everybody can see it.
    Log,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Stage; 6] = [
        Stage::Signature,
        Stage::Schema,
        Stage::Digest,
        Stage::Chain,
        Stage::Semantics,
        Stage::Log,
    ];

    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Signature => "signature",
            Stage::Schema => "schema",
            Stage::Digest => "digest",
            Stage::Chain => "chain",
            Stage::Semantics => "semantics",
            Stage::Log => "log",
        }
    }
}

/// What a stage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong.
    Holds,
    /// Something is.
    Fails,
    /// There was nothing to judge: no statement that could be read, no files, no log that counts.
    Unjudged,
}

impl Outcome {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Holds => "ok",
            Outcome::Fails => "failed",
            Outcome::Unjudged => "not judged",
        }
    }
}

/// One bundle, judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Its file.
    pub name: String,
    /// SHA-256 of the payload, when there is an envelope.
    pub payload: Option<Digest>,
    /// The statement, when it could be read.
    pub statement: Option<Statement>,
    /// The name, in the trust file, of the key that signed it, when it may.
    pub signer: Option<String>,
    /// When its signature was there at the latest, by a trusted timestamp.
    pub stamped: Option<UnixMillis>,
    /// Where it is logged, in a log of the trust file.
    pub logged: Option<Logged>,
    /// What was found, by stages.
    pub findings: Vec<(Stage, Finding)>,
    /// Whether files were compared.
    compared: bool,
}

/// What a verification came to. Only [`verify`] makes one.
#[derive(Debug, Clone)]
pub struct Verification {
    report: Report,
    bundles: Vec<Judged>,
    chain: Chain,
}

/// A statement that holds in every stage, as a gate may use it.
#[derive(Debug, Clone)]
pub struct Attested<'v> {
    /// SHA-256 of its payload.
    pub payload: Digest,
    /// What it says.
    pub statement: &'v Statement,
    /// The keys of the trust file that signed it, by name.
    pub signers: Vec<&'v str>,
    /// When the first of their signatures was there, by a trusted timestamp or witnesses.
    pub stamped: Option<UnixMillis>,
    /// Whether all its bundles are in a log of the trust file.
    pub logged: bool,
    /// The bundles it lies in.
    pub files: Vec<&'v str>,
}

/// Judges bundles. Without `trust` nobody is believed; without `files` no file is compared, which the
/// report says.
pub fn verify(
    blobs: impl IntoIterator<Item = Blob>,
    trust: Option<&Trust>,
    files: Option<&dyn Files>,
    how: &How,
) -> Verification {
    let keys = Keys::of(trust);
    let mut bundles: Vec<Judged> = Vec::new();
    let weight = |blob: &Blob| blob.bytes.as_ref().map_or(0, Vec::len);
    in_batches(blobs, weight, |blob| open(blob, trust, &keys, how), |judged| bundles.push(judged));
    let seen = files.map(|files| subjects::look(&bundles, files));
    // A payload that lies in several bundles is compared once.
    let mut first = BTreeSet::new();
    let jobs: Vec<(usize, bool)> = bundles
        .iter()
        .enumerate()
        .map(|(at, one)| (at, one.payload.is_some_and(|payload| first.insert(payload))))
        .collect();
    let mut found = Vec::new();
    in_batches(
        jobs,
        |_| 0,
        |(at, first)| match bundles[at].statement.as_ref().filter(|_| first) {
            None => Vec::new(),
            Some(statement) => {
                let mut found = Vec::new();
                if let (Some(files), Some(seen)) = (files, &seen) {
                    found.extend(subjects::judge(statement, seen, files, how));
                }
                found.extend(semantic::judge(statement, files, how));
                found
            }
        },
        |findings| found.push(findings),
    );
    for (judged, findings) in bundles.iter_mut().zip(found) {
        judged.compared = files.is_some();
        judged.findings.extend(findings);
    }
    let chain = link(&mut bundles);
    let report = report(&bundles, files.is_some(), how);
    Verification { report, bundles, chain }
}

/// Reads a payload, and says what any reader would find wrong with it, whoever signed it and whatever
/// lies on the disk. An eval that says honestly that it failed is not wrong.
pub fn examine(payload: &[u8]) -> Result<(Statement, Vec<Finding>), StatementError> {
    let statement = Statement::read(payload)?;
    let mut found = schema::fit(&statement);
    found.extend(semantic::judge(&statement, None, &How::default()));
    let wrong = |finding: &Finding| finding.code.severity() == Severity::Error;
    let found = found.into_iter().map(|(_, finding)| finding).filter(wrong).collect();
    Ok((statement, found))
}

impl Verification {
    /// The report, without subject and trust file, which the caller knows.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The report, to say in it what was judged and under which trust file.
    pub fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    /// Every bundle, in the order they came.
    pub fn bundles(&self) -> &[Judged] {
        &self.bundles
    }

    /// How the statements hang together.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The statements that hold in every stage, each payload once, in the order they came. A payload
    /// one of whose bundles fails is not among them.
    pub fn attested(&self) -> Vec<Attested<'_>> {
        let mut found: Vec<Attested<'_>> = Vec::new();
        let mut places = BTreeMap::new();
        for one in self.bundles.iter().filter(|one| !self.refuses(one)) {
            let (Some(payload), Some(statement), Some(signer)) =
                (one.payload, &one.statement, &one.signer)
            else {
                continue;
            };
            let at = *places.entry(payload).or_insert_with(|| {
                let (signers, files) = (Vec::new(), Vec::new());
                let (stamped, logged) = (None, true);
                found.push(Attested { payload, statement, signers, stamped, logged, files });
                found.len() - 1
            });
            found[at].stamped = [found[at].stamped, one.there()].into_iter().flatten().min();
            found[at].logged &= one.logged.is_some();
            found[at].files.push(&one.name);
            if !found[at].signers.contains(&signer.as_str()) {
                found[at].signers.push(signer);
            }
        }
        let failing: BTreeSet<Digest> = self
            .bundles
            .iter()
            .filter(|one| self.refuses(one))
            .filter_map(|one| one.payload)
            .collect();
        found.retain(|one| !failing.contains(&one.payload));
        found
    }

    fn refuses(&self, one: &Judged) -> bool {
        Stage::ALL.into_iter().any(|stage| one.outcome(stage) == Outcome::Fails)
    }

    /// The report as JSON, with its bundles and their chain.
    pub fn to_json(&self) -> Value {
        let Value::Object(mut members) = self.report.to_json() else { return Value::Null };
        members.push(("bundles".into(), Value::array(self.bundles.iter().map(Judged::to_json))));
        members.push(("chain".into(), self.chain.to_json()));
        Value::Object(members)
    }
}

impl Judged {
    /// What a stage came to.
    pub fn outcome(&self, stage: Stage) -> Outcome {
        let fails = |(at, finding): &(Stage, Finding)| {
            *at == stage && finding.code.severity() == Severity::Error
        };
        if self.findings.iter().any(fails) {
            return Outcome::Fails;
        }
        let judged = match stage {
            Stage::Signature => self.signer.is_some(),
            Stage::Digest => self.statement.is_some() && self.compared,
            Stage::Schema | Stage::Chain | Stage::Semantics => self.statement.is_some(),
            Stage::Log => self.logged.is_some(),
        };
        if judged { Outcome::Holds } else { Outcome::Unjudged }
    }

    /// When it was there at the latest, as somebody trusted says who is not its signer: a timestamp
    /// authority, or the quorum of witnesses of the log that it is in.
    pub fn there(&self) -> Option<UnixMillis> {
        let seen = self.logged.as_ref().and_then(|logged| logged.seen);
        [self.stamped, seen].into_iter().flatten().min()
    }

    /// Whether some stage fails.
    pub fn fails(&self) -> bool {
        Stage::ALL.into_iter().any(|stage| self.outcome(stage) == Outcome::Fails)
    }

    fn to_json(&self) -> Value {
        let statement = self.statement.as_ref();
        let stages = Stage::ALL
            .into_iter()
            .map(|stage| (stage.as_str().to_owned(), self.outcome(stage).as_str().into()));
        let findings = self.findings.iter().map(|(stage, finding)| {
            Value::object([
                ("stage", Value::from(stage.as_str())),
                ("code", finding.code.id().into()),
                ("detail", Value::from(&finding.detail)),
            ])
        });
        Value::object([
            ("file", Value::from(&self.name)),
            ("payload", self.payload.into()),
            ("type", statement.map(|one| one.kind.name).into()),
            ("id", statement.map(|one| one.id.clone()).into()),
            ("generated_at", statement.map(|one| one.generated_at.to_string()).into()),
            (
                "expires_at",
                statement.and_then(|one| one.expires_at).map(|at| at.to_string()).into(),
            ),
            ("privacy", statement.map(|one| one.privacy.mode()).into()),
            ("subjects", statement.map(|one| one.subjects.len()).into()),
            ("signer", self.signer.clone().into()),
            ("stamped", self.stamped.map(|at| at.to_string()).into()),
            ("logged", self.logged.as_ref().map_or(Value::Null, Logged::to_json)),
            ("stages", Value::Object(stages.collect())),
            ("findings", Value::array(findings)),
        ])
    }
}

/// Reads one bundle and judges what it says by itself.
fn open(blob: Blob, trust: Option<&Trust>, keys: &Keys, how: &How) -> Judged {
    let mut judged = Judged {
        name: blob.name,
        payload: None,
        statement: None,
        signer: None,
        stamped: None,
        logged: None,
        findings: Vec::new(),
        compared: false,
    };
    let bytes = match blob.bytes {
        Ok(bytes) => bytes,
        Err(finding) => {
            judged.findings.push((Stage::Schema, finding));
            return judged;
        }
    };
    let read = Bundle::read(&bytes);
    let (proof, asked) = (blob.proof.as_ref(), how.require_log);
    let found = log::judge(&bytes, read.as_ref().ok(), proof, trust, asked);
    judged.logged = found.logged;
    judged.findings.extend(found.findings.into_iter().map(|finding| (Stage::Log, finding)));
    let bundle = match read {
        Ok(bundle) => bundle,
        Err(BundleError::Signatures(0)) => {
            judged.findings.push((Stage::Signature, Finding::new(Code::AttestUnsigned, "", "")));
            return judged;
        }
        Err(error) => {
            let finding = Finding::new(Code::AttestBundle, "", error.to_string());
            judged.findings.push((Stage::Schema, finding));
            return judged;
        }
    };
    judged.payload = Some(Digest::of(&bundle.envelope.payload));
    let mut kind = None;
    if bundle.envelope.payload_type == PAYLOAD_TYPE {
        let (read, found) = schema::read(&bundle.envelope.payload);
        kind = read.kind;
        judged.statement = read.statement;
        judged.findings.extend(found);
    } else {
        let detail = bundle.envelope.payload_type.clone();
        let finding = Finding::new(Code::AttestPayloadType, "", detail);
        judged.findings.push((Stage::Schema, finding));
    }
    let (stamped, refused) = signature::stamped(&bundle, &how.authorities);
    judged.stamped = stamped;
    let times = (how.now, judged.there());
    let (signer, found) = signature::judge(&bundle, keys, kind, judged.statement.as_ref(), times);
    judged.signer = signer;
    judged.findings.extend(refused.map(|finding| (Stage::Signature, finding)));
    judged.findings.extend(found.into_iter().map(|finding| (Stage::Signature, finding)));
    judged
}

/// The chain over all payloads, and its findings beside those of the bundles.
fn link(bundles: &mut [Judged]) -> Chain {
    let (mut owners, mut places) = (BTreeMap::new(), BTreeMap::new());
    let (mut nodes, mut unread) = (Vec::new(), BTreeSet::new());
    for (at, one) in bundles.iter().enumerate() {
        match (one.payload, &one.statement) {
            (Some(payload), Some(statement)) => {
                places.entry(payload).or_insert(nodes.len());
                owners.entry(payload).or_insert_with(|| {
                    nodes.push(Node::of(payload, statement, &one.name));
                    at
                });
                // Several bundles of one payload: the first stamp tells when it was there.
                if let Some(node) = places.get(&payload).and_then(|at: &usize| nodes.get_mut(*at)) {
                    node.stamped = [node.stamped, one.there()].into_iter().flatten().min();
                }
            }
            // It is there, and rejected: whoever builds on it has no second fault.
            (Some(payload), None) => {
                unread.insert(payload);
            }
            (None, _) => {}
        }
    }
    let (mut chain, found) = chain::link(nodes, &unread);
    for (payload, finding) in found {
        if let Some(one) = owners.get(&payload).and_then(|at| bundles.get_mut(*at)) {
            one.findings.push((Stage::Chain, finding));
        }
    }
    for node in &mut chain.nodes {
        node.holds = owners.get(&node.payload).is_some_and(|at| !bundles[*at].fails());
    }
    let kinds: BTreeMap<Digest, &str> =
        chain.nodes.iter().map(|node| (node.payload, node.kind)).collect();
    for one in bundles.iter_mut() {
        let Some((payload, statement)) = one.payload.zip(one.statement.as_ref()) else { continue };
        if owners.contains_key(&payload) {
            let found = semantic::references(statement, &kinds, &unread);
            one.findings.extend(found.into_iter().map(|finding| (Stage::Semantics, finding)));
        }
    }
    chain
}

fn report(bundles: &[Judged], compared: bool, how: &How) -> Report {
    let mut report = Report::default();
    report.kind = "attestations".into();
    let payloads: BTreeSet<Digest> = bundles
        .iter()
        .filter(|one| one.statement.is_some())
        .filter_map(|one| one.payload)
        .collect();
    let subjects = |one: &Judged| one.statement.as_ref().map_or(0, |s| s.subjects.len() as u64);
    report.count("bundles", bundles.len() as u64);
    report.count("statements", payloads.len() as u64);
    report.count("subjects", bundles.iter().map(subjects).sum());
    for one in bundles {
        for (_, finding) in &one.findings {
            report.push(finding.clone().at(&one.name));
        }
        report.assure(match one.outcome(Stage::Signature) {
            Outcome::Holds if !one.fails() => Assurance::Signed,
            Outcome::Holds | Outcome::Fails | Outcome::Unjudged => Assurance::None,
        });
    }
    if bundles.is_empty() {
        report.push(Finding::new(Code::EvidenceEmpty, "", "no bundle"));
    } else if !compared {
        report.push(Finding::new(Code::SubjectsUnchecked, "", ""));
    }
    for kind in &how.require {
        if !bundles.iter().any(|one| one.is_of(kind)) {
            report.push(Finding::new(Code::AttestTypeMissing, "", kind.name));
        }
    }
    for (kind, least) in &how.thresholds {
        threshold(bundles, kind, *least, &mut report);
    }
    let logged = bundles.iter().filter(|one| one.logged.is_some()).count();
    if logged > 0 {
        report.count("logged", logged as u64);
    }
    let seen = |one: &Judged| one.logged.as_ref().is_some_and(|logged| logged.seen.is_some());
    let well = report.ok() && !bundles.is_empty();
    report.anchored = well && bundles.iter().all(|one| one.stamped.is_some());
    report.witnessed = well && bundles.iter().all(seen);
    report
}

impl Judged {
    fn is_of(&self, kind: &Type) -> bool {
        self.statement.as_ref().is_some_and(|statement| statement.kind == kind)
    }
}

/// Every statement of the type needs so many different signers. A signer is a key of the trust file,
/// and the trust file has no key twice, so that names tell them apart.
fn threshold(bundles: &[Judged], kind: &Type, least: usize, report: &mut Report) {
    let mut signers: BTreeMap<Digest, (&str, BTreeSet<&str>)> = BTreeMap::new();
    for one in bundles.iter().filter(|one| one.is_of(kind)) {
        let Some(payload) = one.payload else { continue };
        let (_, names) = signers.entry(payload).or_insert((&one.name, BTreeSet::new()));
        names.extend(one.signer.as_deref());
    }
    if signers.is_empty() {
        report.push(Finding::new(Code::AttestTypeMissing, "", kind.name));
    }
    for (file, names) in signers.values() {
        if names.len() < least {
            let detail = format!("{least} are asked for, {} signed", names.len());
            report.push(Finding::new(Code::AttestThreshold, *file, detail));
        }
    }
}

/// Jobs on all cores, a few dozen at once: one signature is too little for a hand-off. What weighs
/// much goes alone: some batches are held in memory at a time.
fn in_batches<J: Send, R: Send>(
    jobs: impl IntoIterator<Item = J>,
    weight: impl Fn(&J) -> usize,
    work: impl Fn(J) -> R + Sync,
    mut take: impl FnMut(R),
) {
    cores::ordered(
        0,
        |batch: Vec<J>| batch.into_iter().map(&work).collect::<Vec<R>>(),
        |results| results.into_iter().for_each(&mut take),
        |give| {
            let mut batch = Vec::with_capacity(BATCH);
            let mut weighs = 0;
            for job in jobs {
                weighs += weight(&job);
                batch.push(job);
                if batch.len() == BATCH || weighs > HEAVY {
                    give(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
                    weighs = 0;
                }
            }
            if !batch.is_empty() {
                give(batch);
            }
        },
    );
}

const BATCH: usize = 16;
/// Bytes of a batch that is given away before it is full.
const HEAVY: usize = 1 << 20;
