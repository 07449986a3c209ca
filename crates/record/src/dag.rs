//! Chains of receipts: does every step stand on the steps it cites?

mod graph;
mod links;
mod pool;

use seal::digest::Digest;
use seal::time::UnixMillis;

use crate::capability::Statement;
use crate::codes::{Code, ExitClass};
use crate::receipt;
use crate::report::{Assurance, Finding, Report};
use crate::taint::TaintSet;
use crate::trust::Trust;
use crate::verify::Judge;

pub use graph::Graph;
use links::Links;

/// Receipts in order, from wherever they are kept. May be read more than once.
pub trait ChainSource {
    /// Calls `f(place, hash, jws)` for each receipt: where it is (`line 3`), the hash that is
    /// written beside it if one is, and the receipt.
    fn for_each(&mut self, f: &mut dyn FnMut(&str, Option<&str>, &str));

    /// Findings of the last pass about lines from which no receipt could be taken, and about the
    /// framing. Each finding of severity error stands for one line.
    fn refused(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}

/// What is expected of a chain.
#[derive(Debug, Clone)]
pub struct ChainOptions {
    /// A receipt that must be there: the head somebody wrote down elsewhere.
    pub expect_head: Option<Digest>,
    /// How many receipts there must be.
    pub expect_count: Option<u64>,
    /// Capability statements in force; with any given, a key without one may do nothing.
    pub statements: Vec<Statement>,
    /// The time of verification, to notice receipts from the future.
    pub now: Option<UnixMillis>,
    /// How far clocks may disagree.
    pub skew_seconds: i64,
    /// Threads that check signatures; 0 is one a core.
    pub threads: usize,
}

impl Default for ChainOptions {
    fn default() -> Self {
        ChainOptions {
            expect_head: None,
            expect_count: None,
            statements: Vec::new(),
            now: None,
            skew_seconds: 300,
            threads: 0,
        }
    }
}

/// What a chain came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainSummary {
    /// Well-formed receipts.
    pub receipts: u64,
    /// Lines that are none.
    pub refused: u64,
    /// Receipts signed by a trusted key.
    pub signed: u64,
    /// Receipts without parents.
    pub roots: u64,
    /// The last receipt.
    pub last: Option<Digest>,
    /// What the chain as a whole reached.
    pub assurance: Assurance,
}

/// Judges a chain: every receipt on its own, then how they stand on each other. Findings come in
/// the order of the chain, whatever the number of threads. Memory grows by about a hundred bytes
/// a receipt; receipts are not kept.
pub fn verify_chain(
    source: &mut dyn ChainSource,
    trust: &Trust,
    options: ChainOptions,
    report: &mut Report,
) -> ChainSummary {
    let (judge, refused) = Judge::new(trust, &options.statements);
    report.push_all("capability statement", refused);
    let mut chain = Chain {
        links: Links::new(options.skew_seconds),
        options: &options,
        lowest: Assurance::Signed,
        summary: ChainSummary::default(),
        report,
    };
    pool::each(source, options.threads, |item| check(item, &judge), |checked| chain.take(checked));
    chain.finish(source.refused())
}

/// One line on its way through the pool.
struct Item {
    place: String,
    hash: Option<String>,
    jws: String,
}

/// What one line came to, on its own.
struct Checked {
    place: String,
    /// Hashes under which children may cite this line.
    known_as: Vec<Digest>,
    findings: Vec<Finding>,
    level: Assurance,
    step: Option<Step>,
}

/// What the links need to know of a receipt.
pub(crate) struct Step {
    pub(crate) hash: Digest,
    pub(crate) parents: Vec<Digest>,
    pub(crate) taint: TaintSet,
    /// `Some` for a sanitisation.
    pub(crate) removed: Option<TaintSet>,
    pub(crate) iat: i64,
}

fn check(item: Item, judge: &Judge<'_>) -> Checked {
    let Item { place, hash: stated, jws } = item;
    let read = receipt::read_with_signature(&jws);
    let actual = match &read {
        Ok((signed, _)) => signed.hash,
        Err(_) => Digest::of(jws.as_bytes()),
    };
    let mut findings = Vec::new();
    let mut known_as = vec![actual];
    if let Some(stated) = stated
        && stated != actual.to_string()
    {
        let detail = format!("{stated} is written, {actual} it is");
        findings.push(Finding::here(Code::ChainHash, detail));
        known_as.extend(stated.parse::<Digest>().ok());
    }
    match read {
        Err(faults) => {
            findings.extend(faults);
            Checked { place, known_as, findings, level: Assurance::None, step: None }
        }
        Ok((signed, signature)) => {
            let mut level = judge.receipt(&signed, &signature, &mut findings);
            if findings.iter().any(|finding| finding.code == Code::ChainHash) {
                level = Assurance::None;
            }
            let receipt = signed.receipt;
            if let Some(corpus) = &receipt.corpus
                && receipt.operation == receipt::Operation::Retrieval
                && !receipt.taint.contains(&format!("rag:{corpus}"))
            {
                findings.push(Finding::here(Code::ChainRetrieval, format!("corpus {corpus:?}")));
            }
            let removed = match receipt.operation {
                receipt::Operation::Sanitisation => Some(receipt.removed().unwrap_or_default()),
                _ => None,
            };
            let step = Step {
                hash: actual,
                removed,
                parents: receipt.parents,
                taint: receipt.taint,
                iat: receipt.iat,
            };
            Checked { place, known_as, findings, level, step: Some(step) }
        }
    }
}

struct Chain<'a> {
    links: Links,
    options: &'a ChainOptions,
    lowest: Assurance,
    summary: ChainSummary,
    report: &'a mut Report,
}

impl Chain<'_> {
    fn take(&mut self, checked: Checked) {
        let Checked { place, known_as, findings, level, step } = checked;
        self.report.push_all(&place, findings);
        self.lowest = self.lowest.min(level);
        let Some(step) = step else {
            self.summary.refused += 1;
            return self.links.explain(known_as);
        };
        self.summary.receipts += 1;
        self.summary.signed += u64::from(level == Assurance::Signed);
        self.summary.roots += u64::from(step.parents.is_empty());
        self.summary.last = Some(step.hash);
        if let Some(now) = self.options.now
            && step.iat > now.seconds().saturating_add(self.options.skew_seconds)
        {
            let detail = format!("iat {}", step.iat);
            self.report.push(Finding::new(Code::ChainFuture, place.as_str(), detail));
        }
        self.links.explain(known_as.into_iter().filter(|hash| *hash != step.hash));
        let found = self.links.add(&place, step);
        self.broken(found);
    }

    /// Faults between receipts: a chain that does not hold together is not even consistent,
    /// however well its parts are signed. A broken rule (13) leaves the evidence sound.
    fn broken(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            if matches!(finding.code.exit(), ExitClass::Malformed | ExitClass::Tampered) {
                self.lowest = Assurance::None;
            }
            self.report.push(finding);
        }
    }

    fn finish(mut self, refused: Vec<Finding>) -> ChainSummary {
        let lost = refused.iter().filter(|f| f.code.severity() == crate::Severity::Error).count();
        for finding in refused {
            self.report.push(finding);
        }
        if lost > 0 {
            self.lowest = Assurance::None;
        }
        self.summary.refused += lost as u64;
        let found = self.links.finish(lost);
        self.broken(found);
        let found = self.expectations();
        self.broken(found);
        let summary = &mut self.summary;
        summary.assurance = if summary.receipts == 0 { Assurance::None } else { self.lowest };
        self.report.assure(summary.assurance);
        self.summary
    }

    fn expectations(&self) -> Vec<Finding> {
        let lines = self.summary.receipts + self.summary.refused;
        let mut found = Vec::new();
        let mut say = |code, detail: String| found.push(Finding::here(code, detail));
        if let Some(head) = &self.options.expect_head
            && !self.links.has(head)
        {
            say(Code::ChainTruncated, format!("head {head} is not in the chain"));
        }
        match self.options.expect_count {
            Some(count) if count != lines => {
                say(
                    Code::ChainTruncated,
                    format!("{count} receipts are expected, {lines} are there"),
                );
            }
            Some(_) => {}
            None if lines == 0 && self.options.expect_head.is_none() => {
                say(Code::ChainEmpty, String::new());
            }
            None => {}
        }
        found
    }
}
