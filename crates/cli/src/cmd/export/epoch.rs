//! One writer's lines under one key: what other verifiers of the format take for a log.

use std::collections::BTreeMap;

use record::entry::ReadEntry;
use record::report::{Code, ExitClass, Finding, Report};

use crate::exit::{Exit, Failure};
use crate::output;

/// A writer and the id of its key.
pub type Epoch = (String, String);

/// The epoch of an entry.
pub fn epoch(read: &ReadEntry) -> Epoch {
    let writer = read.writer().unwrap_or_default();
    (writer.to_owned(), read.key_id.clone().unwrap_or_default())
}

/// The epochs there are.
#[derive(Default)]
pub struct Epochs(BTreeMap<Epoch, u64>);

impl Epochs {
    /// An entry of this one was seen.
    pub fn add(&mut self, epoch: Epoch) {
        *self.0.entry(epoch).or_default() += 1;
    }

    /// The epoch that was asked for, or the only one there is.
    pub fn choose(&self, writer: Option<&str>, key: Option<&str>) -> Result<Epoch, Failure> {
        let fits = |(known, under): &&Epoch| {
            writer.is_none_or(|wanted| wanted == known) && key.is_none_or(|wanted| wanted == under)
        };
        let all: Vec<&Epoch> = self.0.keys().filter(fits).collect();
        match all.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(Failure::new(
                Exit::Evidence(ExitClass::Missing),
                "no audit entry of this writer under this key",
            )),
            several => {
                let names: Vec<String> =
                    several.iter().map(|(writer, key)| format!("{writer} under {key}")).collect();
                let why =
                    format!("there are {}; choose with --writer and the key", names.join(", "));
                Err(Failure::new(Exit::Usage, why))
            }
        }
    }
}

/// The links between the lines of one epoch, as they pass. Whether each line is what was written is
/// for `audit verify` to say.
pub struct Links {
    epoch: Epoch,
    count: u64,
    head: String,
    report: Report,
}

impl Links {
    /// Nothing has passed yet.
    pub fn new(epoch: Epoch) -> Links {
        Links { epoch, count: 0, head: String::new(), report: Report::new("export") }
    }

    /// Whether an entry belongs here; if so, it passes.
    pub fn pass(&mut self, read: &ReadEntry) -> bool {
        if epoch(read) != self.epoch {
            return false;
        }
        if self.count == 0 && !read.prev_hmac.is_empty() {
            output::complain(
                "the first line follows one that is not in this export; a verifier of this log alone calls that a broken link",
            );
        } else if self.count > 0 && read.prev_hmac != self.head {
            let place = format!("entry {}", read.entry.entry_id);
            self.report.push(Finding::new(Code::AuditLink, place, ""));
        }
        self.count += 1;
        self.head.clone_from(&read.hmac);
        true
    }

    /// What passed, and what was wrong with it.
    pub fn conclude(mut self, unreadable: u64, path: &std::path::Path) -> Exit {
        if unreadable > 0 {
            let detail = format!("{unreadable} lines are left out");
            let place = path.display().to_string();
            self.report.push(Finding::new(Code::AuditMalformed, place, detail));
        }
        let (writer, key) = &self.epoch;
        output::complain(&format!(
            "{} entries of writer {} under key {}; the last hmac is {}",
            self.count,
            output::safe(writer),
            output::safe(key),
            self.head,
        ));
        for finding in &self.report.findings {
            output::complain(&output::safe(&finding.to_string()));
        }
        Exit::Evidence(self.report.exit_class())
    }
}
