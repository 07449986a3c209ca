//! `audit verify`: the verdict on a log, line by line.

use std::path::Path;

use countersign::verify::Level;
use record::entry::{Keyring, LogBreak, LogWalk};
use record::report::{Assurance, Code, Finding, Report};
use seal::json::Value;

use super::lines;
use crate::cmd::verify::How;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

/// Breaks that are listed; more are counted. A hostile log must not cost the verifier its memory.
const LISTED: usize = 100_000;

pub fn run(path: &Path, how: How, dir: &Path) -> Outcome {
    let stdin = path == Path::new("-");
    if !stdin {
        crate::cmd::must_exist(path)?;
    }
    if path.is_dir() {
        return crate::cmd::verify::judge(path, how, dir);
    }
    how.fits_a_log()?;
    let mut report = Report::new(path.display().to_string());
    report.kind = "audit log".to_owned();
    let ring = keys(path, &how, dir, &mut report)?;
    let Some(mut input) = lines::open(path)? else {
        report.push(Finding::new(Code::FileSpecial, report.subject.clone(), ""));
        return crate::cmd::verify::show(&report, how.format);
    };
    let mut walk = LogWalk::new(Some(&ring));
    let mut breaks = Breaks::default();
    let mut head_seen = false;
    let head = how.head_of_log();
    lines::each_raw(path, &mut *input, &mut |line| {
        let (entry, found) = walk.line(line, &mut report);
        head_seen |= entry.is_some_and(|entry| Some(entry.hmac.as_str()) == head);
        breaks.add(found);
        Ok(())
    })?;
    for (what, n) in
        [("lines", walk.lines()), ("entries", walk.entries()), ("unbroken", walk.unbroken())]
    {
        report.count(what, n);
    }
    report.note(
        "an HMAC convinces whoever holds its key; the claim that anyone can check is the ledger's signature",
    );
    if let Some(head) = head.filter(|_| !head_seen) {
        let detail = format!("no entry has the hmac {head}");
        report.push(Finding::new(Code::ChainTruncated, "", detail));
    }
    if let Some(count) = how.expect_count.filter(|count| *count != walk.entries()) {
        let detail = format!("{count} entries are expected, {} are here", walk.entries());
        report.push(Finding::new(Code::ChainTruncated, "", detail));
    }
    if head.is_none() && how.expect_count.is_none() {
        report.note("that the end was not cut off shows only --expect-head or --expect-count");
    }
    conclude(&mut report, &ring, &how);
    match how.format {
        Format::Table => {
            if !walk.head().is_empty() {
                report.note(format!("the last entry's hmac is {}", walk.head()));
            }
            output::print(&report.to_table())?;
        }
        Format::Json => output::json(&to_json(&report, &walk, &breaks))?,
    }
    Ok(Exit::Evidence(report.exit_class()))
}

/// The keys of this command, or else those of the trust file.
fn keys(path: &Path, how: &How, dir: &Path, report: &mut Report) -> Result<Keyring, Failure> {
    if how.hmac.given() {
        report.trust_file = Some("keys given to this call".to_owned());
        return how.hmac.read();
    }
    let (file, passed_over) = crate::cmd::trust_for(how.trust.as_deref(), dir, path)?;
    for remark in passed_over {
        report.note(remark);
    }
    let Some(file) = file else {
        report.push(Finding::new(Code::TrustNone, "", ""));
        return Ok(Keyring::new());
    };
    report.trust_file = Some(file.path.display().to_string());
    report.trust_digest = Some(file.digest);
    for (name, cause) in &file.unreadable {
        report.note(format!("key {name} of the trust file cannot be read: {cause}"));
    }
    Ok(file.trust.keyring())
}

/// What was asked for, held against what was reached: by itself a log is as good as its HMACs.
fn conclude(report: &mut Report, ring: &Keyring, how: &How) {
    if ring.is_empty() {
        report.push(Finding::new(Code::AuditUnchecked, "", ""));
    }
    if !report.ok() {
        return;
    }
    report.assure(Assurance::Consistent);
    if how.require.is_empty() && ring.is_empty() {
        let detail = "no HMAC was checked; --require consistent is content with the links";
        report.push(Finding::new(Code::TrustLevel, "", detail));
    }
    for level in how.require.iter().filter(|level| **level != Level::Consistent) {
        let detail = format!("{level} is required, a log by itself is consistent at most");
        report.push(Finding::new(Code::TrustLevel, "", detail));
    }
}

/// Breaks in the order of the log.
#[derive(Default)]
struct Breaks {
    listed: Vec<LogBreak>,
    more: u64,
}

impl Breaks {
    fn add(&mut self, found: Vec<LogBreak>) {
        for broken in found {
            match self.listed.len() < LISTED {
                true => self.listed.push(broken),
                false => self.more += 1,
            }
        }
    }
}

fn to_json(report: &Report, walk: &LogWalk<'_>, breaks: &Breaks) -> Value {
    let listed = breaks.listed.iter().map(|broken| {
        Value::object([
            ("index", Value::from(broken.index)),
            ("entry_id", Value::from(broken.entry_id.as_str())),
            ("kind", broken.kind.as_str().into()),
            ("detail", Value::from(broken.detail.as_str())),
        ])
    });
    let (index, hmac) = match walk.last_good() {
        Some((index, hmac)) => (Value::from(index), Value::from(hmac)),
        None => (Value::Int(-1), Value::from("")),
    };
    let mut value = report.to_json();
    if let Value::Object(members) = &mut value {
        members.extend([
            ("total_entries".to_owned(), Value::from(walk.entries())),
            ("head_hmac".to_owned(), Value::from(walk.head())),
            ("last_known_good_index".to_owned(), index),
            ("last_known_good_hmac".to_owned(), hmac),
            ("breaks".to_owned(), Value::array(listed)),
            ("breaks_not_listed".to_owned(), Value::from(breaks.more)),
        ]);
    }
    value
}
