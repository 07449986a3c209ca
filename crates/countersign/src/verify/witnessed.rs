//! Witnesses: who else saw the checkpoint, judged by the policy that the trust file names for the
//! log.
//!
//! Everything fails closed: a policy that was asked for and not read, a quorum that is not met, a
//! cosignature that does not verify and a line of somebody nobody named are findings, and none of
//! them is made good by another line.

use ledger::read::Reader;
use record::report::{Assurance, Code, ExitClass, Finding, Report, WitnessReach};
use record::trust::{LogKey, Quorum, Trust};
use seal::note::{self, NoteError};
use seal::time::UnixMillis;

/// Where findings are.
const CHECKPOINT: &str = "public/checkpoint";
/// How far clocks may be off, milliseconds.
const SKEW: u64 = 300_000;

/// Judges the lines behind the log's own under the checkpoint, and states how far witnesses reach.
/// That the log itself signed is judged elsewhere.
pub(super) fn judge(trust: &Trust, log: &LogKey, reader: &Reader, report: &mut Report) {
    let Some(bytes) = reader.checkpoint_bytes() else { return };
    let mut say = |code, detail: String| report.push(Finding::new(code, CHECKPOINT, detail));
    let unnamed = |names: &[String]| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{}: no policy of the trust file names it for this log", names.join(", "))
    };
    let quorum = match &log.quorum {
        Quorum::None => {
            // Then nobody's line belongs here.
            if let Ok(note) = note::open(bytes, std::slice::from_ref(&log.vkey))
                && !note.unknown.is_empty()
            {
                say(Code::WitnessUnknown, unnamed(&note.unknown));
            }
            return;
        }
        Quorum::Policy(place) => place,
    };
    let Some(policy) = trust.policy_of(&log.vkey.name) else {
        say(Code::TrustQuorum, format!("{quorum}: this policy was not read"));
        return;
    };
    let judged = match policy.judge(bytes) {
        Ok(judged) => judged,
        Err(NoteError::BadSignature(name)) if name != log.vkey.name => {
            say(Code::WitnessSignature, format!("witness {name}"));
            return;
        }
        // The log's own line, or no note at all: told as damage of the file.
        Err(_) => return,
    };
    if !judged.unknown.is_empty() {
        say(Code::WitnessUnknown, unnamed(&judged.unknown));
    }
    let witnesses: Vec<(String, UnixMillis)> = judged
        .witnesses
        .iter()
        .map(|by| (by.name.to_string(), UnixMillis(by.time_seconds.saturating_mul(1_000))))
        .collect();
    if !judged.quorum_met {
        let needed = policy.quorum().map_or_else(String::new, ToString::to_string);
        let who: Vec<&str> = witnesses.iter().map(|(name, _)| name.as_str()).collect();
        let who = if who.is_empty() { "nobody".to_owned() } else { who.join(", ") };
        say(Code::TrustQuorum, format!("quorum {needed}; cosigned by {who}"));
        return;
    }
    if policy.quorum().is_some() {
        report.witnessed_to = Some(WitnessReach { size: judged.checkpoint.size, witnesses });
    }
}

/// Tells of witnesses that say to have seen the checkpoint well before its last entry was `logged`.
pub(super) fn clocks(logged: UnixMillis, report: &mut Report) {
    let Some(reach) = &report.witnessed_to else { return };
    let behind = |(name, time): &(String, UnixMillis)| {
        let behind = logged.0.saturating_sub(time.0);
        (behind > SKEW).then(|| format!("{name}: {} s", behind / 1_000))
    };
    let behind: Vec<String> = reach.witnesses.iter().filter_map(behind).collect();
    if !behind.is_empty() {
        report.push(Finding::new(Code::WitnessTime, CHECKPOINT, behind.join(", ")));
    }
}

/// Where something was tampered with, what the witnesses saw may be another history than the one
/// that is here: then nothing is said of them.
pub(super) fn retract(report: &mut Report) {
    if report.findings.iter().any(|finding| finding.code.exit() == ExitClass::Tampered) {
        report.witnessed_to = None;
        report.witnessed = false;
    }
}

/// After everything else was told: whether all that lies under the checkpoint is witnessed.
pub(super) fn conclude(report: &mut Report) {
    retract(report);
    report.witnessed =
        report.witnessed_to.is_some() && report.ok() && report.assurance == Assurance::Signed;
}

/// The same for a trace whose last entry is `last`.
pub(super) fn conclude_trace(last: Option<u64>, report: &mut Report) {
    let reaches = |reach: &WitnessReach| last.is_some_and(|last| last < reach.size);
    if !report.witnessed_to.as_ref().is_some_and(reaches) {
        report.witnessed_to = None;
    }
    conclude(report);
}

/// `--require witnessed`.
pub(super) fn require(report: &mut Report, in_a_ledger: bool) {
    if !report.ok() || report.witnessed {
        return;
    }
    let detail = match (in_a_ledger, &report.witnessed_to) {
        (false, _) => {
            "witnessed is required, and witnesses sign for the ledger: `countersign trace WHAT --require witnessed` looks there".to_owned()
        }
        (true, None) => {
            "witnessed is required, and no quorum of witnesses covers this: name a policy for the log in the trust file (quorum), and have its witnesses asked (ledger.witnesses, or `countersign log witness ask`)".to_owned()
        }
        (true, Some(_)) => {
            format!("witnessed is required, and only {} is reached", report.assurance)
        }
    };
    report.push(Finding::new(Code::TrustLevel, "", detail));
}
