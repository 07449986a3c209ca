//! Chains of receipts: does every step stand on the steps it cites?

mod graph;
mod links;
mod nodes;
mod pool;
mod taints;

use seal::digest::Digest;
use seal::time::UnixMillis;

use crate::capability::Statement;
use crate::chainfile::{self, Line};
use crate::codes::{Code, ExitClass};
use crate::receipt::{self, Operation, Parts, Receipt};
use crate::report::{Assurance, Finding, Report};
use crate::taint::TaintSet;
use crate::trust::Trust;
use crate::verify::Judge;

pub use graph::Graph;
use links::Links;

/// The lines of a chain file, from wherever they are kept.
pub trait ChainSource {
    /// Calls `f` with each line in order, its newline included; the last may lack one. Lines longer
    /// than [`crate::chainfile::LINE_LIMIT`] may be cut two bytes or more behind it.
    ///
    /// Called a second time when receipts cite what comes behind them or is not there at all. That
    /// the lines are then the same is not taken on trust.
    fn for_each(&mut self, f: &mut dyn FnMut(&[u8]));
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
    /// What was wrong with statements that could not be read. They are findings of the chain, and
    /// with any of them statements are in force.
    pub refused_statements: Vec<Finding>,
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
            refused_statements: Vec::new(),
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
/// the order of the chain, whatever the number of threads, those about parents that did not come
/// first at the end. Memory grows by about sixty bytes a receipt, whatever the chain is like;
/// receipts are not kept.
pub fn verify_chain(
    source: &mut dyn ChainSource,
    trust: &Trust,
    options: ChainOptions,
    report: &mut Report,
) -> ChainSummary {
    let (mut judge, refused) = Judge::new(trust, &options.statements);
    report.push_all("capability statement", refused);
    for finding in &options.refused_statements {
        judge.enforce();
        report.push(finding.clone());
    }
    let mut chain = Chain {
        links: Links::new(options.skew_seconds),
        options: &options,
        lowest: Assurance::Signed,
        summary: ChainSummary::default(),
        lost: 0,
        unusual: false,
        report,
    };
    let check = |line: u64, raw: &[u8]| check(line, raw, &judge);
    pool::each(
        options.threads,
        check,
        |checked| chain.take(checked),
        |give| {
            let mut line = 0;
            source.for_each(&mut |raw| {
                line += 1;
                give(line, raw);
            });
        },
    );
    let waiting = chain.links.waiting();
    let late = chain.second_look(source, &waiting);
    if late != waiting.len() {
        chain.broken(vec![Finding::here(Code::ChainChanged, "")]);
    }
    chain.finish()
}

/// Where a line is, as findings say it.
fn place_of(line: u64) -> String {
    format!("line {line}")
}

/// What one line came to, on its own.
struct Checked {
    line: u64,
    unusual: Option<&'static str>,
    findings: Vec<Finding>,
    content: Content,
}

enum Content {
    Blank,
    /// No envelope: nobody can say which receipt this was.
    Lost,
    /// An envelope whose receipt is none. Children may cite it by these hashes.
    Refused {
        known_as: [Digest; 2],
    },
    Receipt {
        level: Assurance,
        stated: Digest,
        step: Step,
    },
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

impl Step {
    fn of(hash: Digest, receipt: Receipt) -> Step {
        let removed = match receipt.operation {
            Operation::Sanitisation => Some(receipt.removed().unwrap_or_default()),
            _ => None,
        };
        let Receipt { parents, taint, iat, .. } = receipt;
        Step { hash, parents, taint, removed, iat }
    }
}

fn check(line: u64, raw: &[u8], judge: &Judge<'_>) -> Checked {
    let Line { unusual, content } = chainfile::read_line(raw);
    let mut findings = Vec::new();
    let content = match content {
        chainfile::Content::Blank => Content::Blank,
        chainfile::Content::Refused(finding) => {
            findings.push(finding);
            Content::Lost
        }
        chainfile::Content::Envelope { hash, jws } => envelope(hash, &jws, judge, &mut findings),
    };
    Checked { line, unusual, findings, content }
}

fn envelope(stated: Digest, jws: &str, judge: &Judge<'_>, findings: &mut Vec<Finding>) -> Content {
    let actual = Digest::of(jws.as_bytes());
    if stated != actual {
        let detail = format!("{stated} is written, {actual} it is");
        findings.push(Finding::here(Code::ChainHash, detail));
    }
    let Parts { receipt, signing_input, signature } = match receipt::read_parts(jws) {
        Ok(parts) => parts,
        Err(faults) => {
            findings.extend(faults);
            return Content::Refused { known_as: [actual, stated] };
        }
    };
    let mut level = judge.claims(&receipt, signing_input, &signature, findings);
    if stated != actual {
        level = Assurance::None;
    }
    if let Some(corpus) = &receipt.corpus
        && receipt.operation == Operation::Retrieval
        && !receipt.taint.contains(&format!("rag:{corpus}"))
    {
        findings.push(Finding::here(Code::ChainRetrieval, format!("corpus {corpus:?}")));
    }
    Content::Receipt { level, stated, step: Step::of(actual, receipt) }
}

/// The step of a line that was a receipt before.
fn again(raw: &[u8]) -> Option<Step> {
    let chainfile::Content::Envelope { jws, .. } = chainfile::read_line(raw).content else {
        return None;
    };
    let receipt = receipt::read_parts(&jws).ok()?.receipt;
    Some(Step::of(Digest::of(jws.as_bytes()), receipt))
}

struct Chain<'a> {
    links: Links,
    options: &'a ChainOptions,
    lowest: Assurance,
    summary: ChainSummary,
    /// Lines that were no envelope.
    lost: u64,
    /// The framing was remarked upon: once for the file, at its first unusual place.
    unusual: bool,
    report: &'a mut Report,
}

impl Chain<'_> {
    fn take(&mut self, checked: Checked) {
        let Checked { line, unusual, findings, content } = checked;
        if !findings.is_empty() {
            self.report.push_all(&place_of(line), findings);
        }
        if let Some(what) = unusual.filter(|_| !self.unusual) {
            self.unusual = true;
            self.report.push(Finding::new(Code::ChainFraming, place_of(line), what));
        }
        let (level, stated, step) = match content {
            Content::Blank => return,
            Content::Lost => {
                self.lost += 1;
                return self.refused();
            }
            Content::Refused { known_as } => {
                self.links.explain(known_as);
                return self.refused();
            }
            Content::Receipt { level, stated, step } => (level, stated, step),
        };
        self.lowest = self.lowest.min(level);
        self.summary.receipts += 1;
        self.summary.signed += u64::from(level == Assurance::Signed);
        self.summary.roots += u64::from(step.parents.is_empty());
        self.summary.last = Some(step.hash);
        if let Some(now) = self.options.now
            && step.iat > now.seconds().saturating_add(self.options.skew_seconds)
        {
            let detail = format!("iat {}", step.iat);
            self.report.push(Finding::new(Code::ChainFuture, place_of(line), detail));
        }
        if stated != step.hash {
            self.links.explain([stated]);
        }
        let found = self.links.add(line, &step);
        self.broken(found);
    }

    fn refused(&mut self) {
        self.summary.refused += 1;
        self.lowest = Assurance::None;
    }

    /// Reads the lines that waited for a parent again and judges them; how many there still were.
    fn second_look(&mut self, source: &mut dyn ChainSource, waiting: &[u64]) -> usize {
        let (mut seen, threads) = (0, self.options.threads);
        if waiting.is_empty() {
            return seen;
        }
        let take = |(line, step): (u64, Option<Step>)| {
            let lost = self.lost;
            if let Some(found) = step.and_then(|step| self.links.late(line, &step, lost)) {
                seen += 1;
                self.broken(found);
            }
        };
        pool::each(
            threads,
            |line, raw| (line, again(raw)),
            take,
            |give| {
                let (mut line, mut wanted) = (0, waiting.iter().copied().peekable());
                source.for_each(&mut |raw| {
                    line += 1;
                    if wanted.next_if_eq(&line).is_some() {
                        give(line, raw);
                    }
                });
            },
        );
        seen
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

    fn finish(mut self) -> ChainSummary {
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
