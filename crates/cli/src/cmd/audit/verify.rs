//! `audit verify`: the verdict on a log, line by line.

use std::path::Path;

use countersign::verify::Level;
use countersign::verify::audit::{LogFigures, LogTerms, judge_log, require_anchored};
use record::entry::LogBreak;
use record::report::{Code, Finding, Report};
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
    let terms = terms(path, &how, dir, &mut report)?;
    let Some(mut input) = lines::open(path)? else {
        report.push(Finding::new(Code::FileSpecial, report.subject.clone(), ""));
        return crate::cmd::verify::show(&report, how.format);
    };
    let mut breaks = Breaks::default();
    let figures = judge_log(&mut *input, &terms, &mut report, &mut |broken| breaks.add(broken))
        .map_err(|error| Failure::io(path, &error))?;
    conclude(&mut report, &terms, &how);
    match how.format {
        Format::Table => {
            if !figures.head.is_empty() {
                report.note(format!("the last entry's hmac is {}", figures.head));
            }
            output::print(&report.to_table())?;
        }
        Format::Json => output::json(&to_json(&report, &figures, &breaks))?,
    }
    Ok(Exit::Evidence(report.exit_class()))
}

/// The keys of this command, or else those of the trust file; timestamp authorities are the trust
/// file's.
fn terms(path: &Path, how: &How, dir: &Path, report: &mut Report) -> Result<LogTerms, Failure> {
    let mut terms = LogTerms {
        expect_head: how.head_of_log().map(str::to_owned),
        expect_count: how.expect_count,
        ..LogTerms::default()
    };
    let (file, passed_over) = crate::cmd::trust_for(how.trust.as_deref(), dir, path)?;
    for remark in passed_over {
        report.note(remark);
    }
    if let Some(file) = &file {
        terms.authorities = countersign::anchor::authorities(&file.trust)
            .map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
        terms.ring = file.keyring();
        report.trust_file = Some(file.path.display().to_string());
        report.trust_digest = Some(file.digest);
    }
    if how.hmac.given() {
        terms.ring = how.hmac.read()?;
        if terms.authorities.is_empty() {
            report.trust_file = Some("keys given to this call".to_owned());
            report.trust_digest = None;
        }
        return Ok(terms);
    }
    match file {
        None => report.push(Finding::new(Code::TrustNone, "", "")),
        Some(file) => {
            for (name, cause) in &file.unreadable {
                report.note(format!("key {name} of the trust file cannot be read: {cause}"));
            }
        }
    }
    Ok(terms)
}

/// What was asked for, held against what was reached: by itself a log is as good as its HMACs and
/// timestamps.
fn conclude(report: &mut Report, terms: &LogTerms, how: &How) {
    if report.ok() && how.require.is_empty() && terms.ring.is_empty() {
        let detail = "no HMAC was checked; --require consistent is content with the links";
        report.push(Finding::new(Code::TrustLevel, "", detail));
    }
    let sound = report.ok();
    for level in &how.require {
        match level {
            Level::Consistent => {}
            Level::Anchored => {
                let why = match terms.ring.is_empty() {
                    true => "without HMAC keys no timestamp can be held against its entry",
                    false => "not every entry has a timestamp that holds",
                };
                require_anchored(report, terms.authorities.len(), why);
            }
            // What lowered the level is a finding already.
            Level::Signed | Level::Witnessed if !sound => {}
            Level::Signed | Level::Witnessed => {
                let detail = format!("{level} is required, a log by itself is consistent at most");
                report.push(Finding::new(Code::TrustLevel, "", detail));
            }
        }
    }
}

/// Breaks in the order of the log.
#[derive(Default)]
struct Breaks {
    listed: Vec<LogBreak>,
    more: u64,
}

impl Breaks {
    fn add(&mut self, broken: LogBreak) {
        match self.listed.len() < LISTED {
            true => self.listed.push(broken),
            false => self.more += 1,
        }
    }
}

fn to_json(report: &Report, figures: &LogFigures, breaks: &Breaks) -> Value {
    let listed = breaks.listed.iter().map(|broken| {
        Value::object([
            ("index", Value::from(broken.index)),
            ("entry_id", Value::from(broken.entry_id.as_str())),
            ("kind", broken.kind.as_str().into()),
            ("detail", Value::from(broken.detail.as_str())),
        ])
    });
    let (index, hmac) = match &figures.last_good {
        Some((index, hmac)) => (Value::from(*index), Value::from(hmac.as_str())),
        None => (Value::Int(-1), Value::from("")),
    };
    let mut value = report.to_json();
    if let Value::Object(members) = &mut value {
        members.extend([
            ("total_entries".to_owned(), Value::from(figures.entries)),
            ("head_hmac".to_owned(), Value::from(figures.head.as_str())),
            ("last_known_good_index".to_owned(), index),
            ("last_known_good_hmac".to_owned(), hmac),
            ("breaks".to_owned(), Value::array(listed)),
            ("breaks_not_listed".to_owned(), Value::from(breaks.more)),
        ]);
    }
    value
}
