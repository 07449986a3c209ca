//! Bodies that are not here: pruned under a retention policy, or encrypted for others. The log
//! proves that they were logged; nothing in here makes more of them.

use std::collections::{BTreeMap, HashSet};

use ledger::Kind;
use ledger::prune::Accounts;
use ledger::read::Body;
use record::report::{Code, Finding, Report};
use seal::Digest;
use seal::time::UnixMillis;

use crate::feeds;

use super::entry::Content;
use super::tally::Tally;

/// Why a body cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It was removed.
    Pruned,
    /// It is encrypted, and no identity at hand opens it.
    Encrypted,
}

impl Absent {
    pub(crate) fn of(body: Body<'_>) -> Option<Absent> {
        match body {
            Body::Present(_) => None,
            Body::Pruned => Some(Absent::Pruned),
            Body::Encrypted(_) => Some(Absent::Encrypted),
        }
    }

    /// `body pruned, logged at index 7`.
    pub(crate) fn says(self, index: u64) -> String {
        match self {
            Absent::Pruned => format!("body pruned, logged at index {index}"),
            Absent::Encrypted => format!("body encrypted, logged at index {index}"),
        }
    }
}

impl Content {
    /// Pruned, and so evidence of nothing that could lack a signature.
    pub(super) fn is_pruned(&self) -> bool {
        matches!(self, Content::Absent { absent: Absent::Pruned, .. })
    }

    /// Here, and closed to whoever verifies.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Content::Absent { absent: Absent::Encrypted, .. })
    }

    /// A document that was pruned is stored anew when it is used again. A mark of a subscription is
    /// set whenever something happens to it, the feed being the same or not: nobody cites it.
    pub(super) fn may_come_again(&self, kind: Kind, id: &str) -> bool {
        match kind {
            Kind::Config | Kind::Ruleset | Kind::Facts => self.is_pruned(),
            Kind::Feed => feeds::is_mark(id),
            _ => false,
        }
    }
}

/// What was not here, counted.
#[derive(Default)]
pub(crate) struct Gone {
    encrypted: BTreeMap<Kind, u64>,
    /// When the last decision receipt without a body was logged.
    decided: Option<u64>,
    /// Audit lines that follow ones that are not here: how many, the first, and their writers.
    unlinked: u64,
    first_unlinked: Option<u64>,
    writers: HashSet<String>,
    /// Something of the audit chain is not here.
    chain: bool,
}

impl Gone {
    /// An audit line whose predecessor cannot be looked at.
    pub(super) fn unlinked(&mut self, writer: &str, index: u64) {
        // Damage breaks links too, and is a finding of its own.
        if self.chain && self.writers.contains(writer) {
            self.unlinked += 1;
            self.first_unlinked.get_or_insert(index);
        }
    }

    /// Whether the decision receipt of an outcome logged at this time may be one that is not here.
    pub(super) fn answered(&self, ts: u64) -> bool {
        self.decided == Some(ts)
    }
}

impl Tally {
    /// An entry of which only the leaf is here: what others cite it as is known, what it says is not.
    pub(super) fn absent(&mut self, kind: Kind, id: &str, writer: &str, ts: u64, absent: Absent) {
        if absent == Absent::Encrypted {
            *self.gone.encrypted.entry(kind).or_default() += 1;
        }
        match (kind, id.parse::<Digest>()) {
            (Kind::Receipt, Ok(hash)) => {
                self.rejected.insert(hash);
            }
            (Kind::Ruleset | Kind::Config | Kind::Facts, Ok(digest)) => {
                self.documents.insert(digest);
            }
            (Kind::Decision, _) => {
                // Which outcome it answered is not known; a batch has one time.
                self.gone.decided = Some(ts);
                self.owed.retain(|_, (_, logged)| *logged != ts);
            }
            (Kind::Audit, _) => {
                // Lines name their writer or nobody: the next of either follows this one, or not.
                for name in [writer, ""] {
                    self.chains.insert(name.to_owned(), None);
                    self.gone.writers.insert(name.to_owned());
                }
                self.gone.chain = true;
                self.rejected.insert(Digest::of(id.as_bytes()));
            }
            _ => {}
        }
    }
}

/// Bodies that somebody removed.
pub(crate) fn stripped(accounts: &Accounts, report: &mut Report) {
    for index in &accounts.malformed {
        let place = format!("entry {index} (prune)");
        report.push(Finding::new(Code::LedgerPruneRecord, place, ""));
    }
    for stripped in &accounts.stripped {
        let (first, last, bodies) = (stripped.first, stripped.last, stripped.bodies);
        let detail = format!(
            "{bodies} bodies between entries {first} and {last} are gone, and no prune entry under the checkpoint says that these went"
        );
        report.push(Finding::new(Code::LedgerStripped, stripped.file.as_str(), detail));
    }
}

/// Says once what is not here, and what of it nobody accounts for.
pub(super) fn report(accounts: &Accounts, gone: &Gone, report: &mut Report) {
    stripped(accounts, report);
    let Accounts { pruned, records, .. } = accounts;
    let all: u64 = pruned.values().sum();
    if all > 0 {
        let by: Vec<String> =
            records.iter().map(|record| format!("entry {}", record.index)).collect();
        let detail = format!("{all} bodies pruned ({}), recorded by {}", counts(pruned), list(&by));
        report.push(Finding::new(Code::LedgerPruned, "", detail.as_str()));
        report.note(format!(
            "{detail}: they are logged, their leaves are in the tree, and what they said was not judged"
        ));
        report.count("pruned", all);
    }
    for record in records {
        let before: Vec<String> = record
            .before
            .iter()
            .map(|(kind, before)| format!("{kind} before {}", UnixMillis(*before)))
            .collect();
        report.note(format!(
            "entry {} records a prune under the policy {}: {}",
            record.index,
            record.policy,
            before.join(", ")
        ));
    }
    let encrypted: u64 = gone.encrypted.values().sum();
    if encrypted > 0 {
        let detail = format!("{encrypted} bodies are encrypted ({})", counts(&gone.encrypted));
        report.push(Finding::new(Code::LedgerEncrypted, "", detail.as_str()));
        report.note(format!(
            "{detail}, and no identity given here opens them: they are logged, nothing in them was verified"
        ));
        report.count("encrypted", encrypted);
    }
    if let Some(first) = gone.first_unlinked {
        report.note(format!(
            "{} audit lines, the first at index {first}, follow lines that are not here: their link could not be checked",
            gone.unlinked
        ));
    }
}

fn counts(kinds: &BTreeMap<Kind, u64>) -> String {
    let counts: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    counts.join(", ")
}

/// A few of them by name.
fn list(names: &[String]) -> String {
    const NAMED: usize = 4;
    match names.split_at_checked(NAMED) {
        Some((named, more)) if !more.is_empty() => {
            format!("{} and {} more", named.join(", "), more.len())
        }
        _ => names.join(", "),
    }
}
