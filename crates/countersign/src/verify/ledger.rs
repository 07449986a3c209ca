//! A ledger: its files, its tree, its checkpoint, and every entry in it.

use std::path::Path;

use ledger::read::{Item, ReadError, Reader, Summary};
use ledger::{Cause, Damage, LeafError};
use record::report::{Assurance, Code, ExitClass, Finding, Report, Severity};
use seal::note::VerifierKey;

use super::anchored::Anchors;
use super::entry::{Judges, Raw, judge};
use super::keychange::{Keys, Proven};
use super::pruned;
use super::tally::Tally;
use super::{Verifier, VerifyError, witnessed};
use crate::parallel::{self, Weight};

/// What reports call it.
pub(super) const KIND: &str = "ledger";

/// Judges the ledger in `dir`.
pub(super) fn verify(
    dir: &Path,
    verifier: &Verifier,
    report: &mut Report,
) -> Result<(), VerifyError> {
    report.kind = KIND.to_owned();
    let reader = match open(dir, verifier, report) {
        Ok(Some(reader)) => reader,
        Ok(None) => return Ok(()),
        Err(error) => return Err(VerifyError::of(dir, error)),
    };
    for damage in reader.damage() {
        report.push(finding(damage));
    }
    let ring = verifier.keyring();
    if ring.is_empty() {
        report.push(Finding::new(Code::AuditUnchecked, "", ""));
    }
    let trust = verifier.believed();
    let receipts = verifier.judge(report);
    let origin = reader.head().map(|head| head.origin.clone());
    let keys = Keys::new(verifier, origin.as_deref(), dir);
    // What anchors and witnesses attest goes in here.
    let mut proven: Vec<Proven> = Vec::new();
    let mut anchors = Anchors::new(verifier, &reader, report);
    let judges = Judges { receipts, trust, ring: &ring, keys: &keys };

    let mut tally = Tally::new(origin).seeking(verifier.expect_entry.clone());
    let mut found = Vec::new();
    let walked = {
        let mut entries = reader.entries();
        let mut lost = 0u64;
        let walked: std::io::Result<()> = parallel::ordered(
            |raw| match raw {
                Step::Entry(raw) => Judgement::Entry(Box::new(judge(raw, &judges))),
                Step::Damage(damage) => Judgement::Damage(finding(&damage)),
            },
            |judgement| match judgement {
                Judgement::Entry(judged) => tally.add(*judged, report),
                Judgement::Damage(finding) => {
                    report.push(finding);
                    tally.gap();
                }
            },
            |sink| {
                while let Some(item) = entries.next()? {
                    match item {
                        Item::Entry(entry) => {
                            anchors.see(&entry);
                            let raw = Raw::from(&entry);
                            keys.meet(&raw);
                            sink(Step::Entry(raw));
                        }
                        Item::Damage(damage) => {
                            lost += 1;
                            sink(Step::Damage(damage));
                        }
                    }
                }
                Ok(())
            },
        );
        walked.map(|()| (entries.finish(), lost))
    };
    let (summary, lost) = walked.map_err(|error| VerifyError::of(dir, error))?;
    // The reader's summary repeats what was reported above; statements come last.
    let known = reader.damage().len() + usize::try_from(lost).unwrap_or(usize::MAX);
    found.extend(summary.damage.iter().skip(known).map(finding));
    for finding in found {
        report.push(finding);
    }
    tail(&summary, report);
    verifier.expected(tally.receipts(), |head| tally.has(head), report);
    if let Some(hmac) = tally.missed() {
        let detail = format!("no audit entry has the hmac {hmac}");
        report.push(Finding::new(Code::ChainTruncated, "", detail));
    }
    let torn = summary.torn.as_ref().map(|_| summary.checkpointed);
    let totals = tally.finish(lost > 0, torn, report);
    pruned::report(&summary.bodies, &totals.gone, report);
    report.count("entries", summary.size);
    for (kind, number) in totals.kinds {
        report.count(kind, number);
        if matches!(kind, "feed" | "attestation") {
            report
                .note(format!("the {number} entries of kind {kind} were not judged: only logged"));
        }
    }
    let attested = anchors.finish(&reader, report).map_err(|error| VerifyError::of(dir, error))?;
    proven.extend(attested.proven().chain(Proven::witnessed(attested.logged(), report)));
    keys.conclude(&reader, &proven, &ring, report).map_err(|error| VerifyError::of(dir, error))?;
    if summary.size == 0 {
        report.push(Finding::new(Code::EvidenceEmpty, "", "the ledger has no entries"));
    }
    if let Some(origin) = reader.head().map(|head| &head.origin) {
        report.note(format!("the log is {origin}"));
    }
    let signed = verifier.is_log_trusted(&reader) && totals.unsigned == 0;
    report.assure(assurance(report, signed));
    attested.report(report);
    witnessed::conclude(report);
    Ok(())
}

enum Step {
    Entry(Raw),
    Damage(Damage),
}

impl Weight for Step {
    fn weight(&self) -> usize {
        match self {
            Step::Entry(raw) => raw.weight(),
            Step::Damage(_) => 0,
        }
    }
}

enum Judgement {
    Entry(Box<super::entry::Judged>),
    Damage(Finding),
}

/// Opens the ledger with the key of its log, when the trust file has it.
pub(crate) fn open(
    dir: &Path,
    verifier: &Verifier,
    report: &mut Report,
) -> std::io::Result<Option<Reader>> {
    let look = |keys: Option<&[VerifierKey]>| match Reader::open_dir(dir, keys) {
        Ok(reader) => Ok(Some(reader.opening(verifier.identities.clone()))),
        Err(ReadError::NoLedger) => Ok(None),
        Err(ReadError::Io(error)) => Err(error),
        Err(error) => Err(std::io::Error::other(error)),
    };
    let Some(reader) = look(None)? else {
        report.push(Finding::new(
            Code::EvidenceEmpty,
            dir.display().to_string(),
            "there is no head and no journal",
        ));
        return Ok(None);
    };
    let Some(checkpoint) = reader.checkpoint() else {
        return Ok(Some(reader));
    };
    let trust = verifier.believed();
    match trust.log(&checkpoint.origin) {
        Some(key) => {
            if let Some(log) = trust.logs().iter().find(|log| log.vkey == *key) {
                witnessed::judge(trust, log, &reader, report);
            }
            look(Some(std::slice::from_ref(key)))
        }
        None => {
            // Without any trust there is one finding for all of it.
            if !trust.is_empty() {
                let detail = format!("log {}", checkpoint.origin);
                report.push(Finding::new(Code::LedgerOrigin, CHECKPOINT, detail));
            }
            Ok(Some(reader))
        }
    }
}

impl Verifier {
    /// Whether the checkpoint that was read is signed by a key of the trust file. A bad signature
    /// is damage of its own.
    pub(crate) fn is_log_trusted(&self, reader: &Reader) -> bool {
        reader
            .checkpoint()
            .is_some_and(|checkpoint| self.believed().log(&checkpoint.origin).is_some())
    }
}

/// What lies beyond the checkpoint or behind the last whole batch.
pub(super) fn tail(summary: &Summary, report: &mut Report) {
    if let Some(torn) = &summary.torn {
        let place = format!("{} at byte {}", torn.file, torn.offset);
        let detail = format!("entry {} is not whole", torn.index);
        report.push(Finding::new(Code::LedgerTorn, place, detail));
    }
    if summary.untiled {
        let detail = "head or checkpoint cover entries, and no tile and no bundle is there";
        report.push(Finding::new(Code::LedgerUntiled, "", detail));
    }
    let beyond = summary.size.saturating_sub(summary.checkpointed);
    report.count("covered", summary.size - beyond);
    if beyond > 0 {
        let detail = format!("{beyond} entries from {} on", summary.checkpointed);
        report.push(Finding::new(Code::LedgerBeyond, "", detail));
        report.note(format!("{beyond} entries beyond the checkpoint are consistent only"));
    }
}

/// The level of the entries under the checkpoint.
fn assurance(report: &Report, signed: bool) -> Assurance {
    let errors = || {
        report
            .findings
            .iter()
            .filter(|finding| finding.code.severity() == Severity::Error)
            .map(|finding| finding.code.exit())
    };
    if errors().any(|class| class != ExitClass::Untrusted) {
        Assurance::None
    } else if !signed || errors().any(|class| class == ExitClass::Untrusted) {
        Assurance::Consistent
    } else {
        Assurance::Signed
    }
}

const CHECKPOINT: &str = "public/checkpoint";

/// A damage of the files as a finding.
pub(crate) fn finding(damage: &Damage) -> Finding {
    let head = damage.file == "head";
    let code = match &damage.cause {
        Cause::SegmentHeader
        | Cause::SegmentName { .. }
        | Cause::SegmentOrder { .. }
        | Cause::Truncated
        | Cause::Index { .. }
        | Cause::Batch { .. } => Code::LedgerSegment,
        Cause::FrameHeader => Code::LedgerHeader,
        Cause::LeafChecksum => Code::LedgerLeaf,
        Cause::Leaf(LeafError::Kind) => Code::LedgerKind,
        Cause::Leaf(_) => Code::LedgerLeaf,
        Cause::BodyLength { .. }
        | Cause::BodyDigest
        | Cause::EncryptedBody
        | Cause::Undecryptable => Code::LedgerBody,
        Cause::BatchTrailer => Code::LedgerTrailer,
        Cause::Sequence { .. } => Code::LedgerSequence,
        Cause::Time { .. } => Code::LedgerTime,
        Cause::Missing if head => Code::LedgerHeadDamaged,
        Cause::Missing => Code::LedgerNoCheckpoint,
        Cause::Form if head => Code::LedgerHeadDamaged,
        Cause::Form => Code::LedgerCheckpoint,
        Cause::Origin { .. } => Code::LedgerHead,
        Cause::Beyond { .. } if head => Code::LedgerHead,
        Cause::Beyond { .. } => Code::LedgerTruncated,
        Cause::Root { .. } if head => Code::LedgerHead,
        Cause::Root { .. } => Code::LedgerCheckpointRoot,
        Cause::AheadOfHead { .. } => Code::LedgerHead,
        Cause::Signature => Code::LedgerCheckpointSignature,
        Cause::Tile => Code::LedgerTile,
        Cause::TileMissing { .. } => Code::LedgerTileMissing,
        // Only entries that were durable are ever in a tile.
        Cause::TileBeyond { .. } => Code::LedgerTruncated,
        Cause::Unlisted => Code::LedgerUnlisted,
        _ => Code::LedgerSegment,
    };
    let mut place = damage.file.clone();
    if damage.file.starts_with("journal") {
        place.push_str(&format!(" at byte {}", damage.offset));
        if let Some(index) = damage.index {
            place.push_str(&format!(", entry {index}"));
        }
    }
    Finding::new(code, place, damage.cause.to_string())
}
