//! `countersign feed verify`: a feed, or a part of one, under a pinned key.

use std::path::{Path, PathBuf};

use record::feed::{Judge, LIMIT, Pin, judge};
use record::report::{Assurance, Code, Finding, Report};
use record::{feed, ioc};
use seal::json::{Limits, Value, parse, write_plain};

use super::pattern;
use super::pin::PinArgs;
use crate::exit::Outcome;
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed verify feed.json --pin publisher.pub.pem
  countersign feed verify feed.json --pin publisher.pub.pem --issuer alpha.example --format json
  countersign feed verify some-indicators.json --partial --pin publisher.pub.pem

Exit codes: 0 it holds, 11 not from the pinned publisher, 12 changed, 14 malformed.
Nothing is written. Every finding has a code: `countersign code <CODE>` explains it.")]
pub struct Args {
    /// The feed; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    pin: PinArgs,
    /// Leave out indicators that are signed and of no use, instead of refusing the feed
    #[arg(long)]
    skip_bad: bool,
    /// The file is a part of a feed, or a list of its indicators: judge each by itself
    #[arg(long, conflicts_with = "skip_bad")]
    partial: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    super::super::must_exist_or_stdin(&args.file)?;
    let (pins, about) = args.pin.read(dir, &args.file)?;
    let bytes = output::read_input(&args.file, LIMIT as u64 + 1)?;
    let mut report = match args.partial {
        true => part(&bytes, &pins),
        false => {
            let how = Judge {
                pins: &pins,
                compiles: &pattern::compiles,
                skip_bad: args.skip_bad,
                ..Judge::default()
            };
            judge(&bytes, &how).report
        }
    };
    report.subject = about.subject;
    report.trust_file = about.trust_file;
    report.trust_digest = about.trust_digest;
    report.notes.extend(about.notes);
    for finding in about.findings {
        report.push(finding);
    }
    super::super::verify::show(&report, args.format)
}

/// Each indicator under the pins. That it belongs to the feed of this moment nobody can tell from a
/// part; that the publisher signed it, everybody.
fn part(bytes: &[u8], pins: &[Pin]) -> Report {
    let mut report = Report::new("");
    report.kind = "indicators of a feed".into();
    let refuse = |report: &mut Report, code, detail: String| {
        report.push(Finding::new(code, "", detail));
        report.assure(Assurance::None);
    };
    let value = match parse(bytes, Limits { bytes: LIMIT, depth: 6 }) {
        Ok(value) => value,
        Err(error) => {
            refuse(&mut report, Code::FeedJson, error.to_string());
            return report;
        }
    };
    let list = match (&value, value.get("iocs")) {
        (_, Some(Value::Array(list))) | (Value::Array(list), _) => list.as_slice(),
        (Value::Object(_), None) => std::slice::from_ref(&value),
        _ => {
            refuse(&mut report, Code::FeedMember, format!("{} holds no indicators", value.kind()));
            return report;
        }
    };
    if list.is_empty() {
        refuse(&mut report, Code::EvidenceEmpty, "no indicator".into());
        return report;
    }
    report.count("indicators", list.len() as u64);
    for (index, value) in list.iter().enumerate() {
        let findings = one(value, pins);
        report.assure(match findings.is_empty() {
            true => Assurance::Signed,
            false => Assurance::None,
        });
        report.push_all(&format!("indicator {index}"), findings);
    }
    report.note("a part of a feed: what is missing, and whether it is still published, is unknown");
    report
}

fn one(value: &Value, pins: &[Pin]) -> Vec<Finding> {
    let finding = |code, detail: String| vec![Finding::new(code, "", detail)];
    let signed = match ioc::read(write_plain(value).as_bytes()) {
        Ok(signed) => signed,
        Err(findings) => return findings,
    };
    if let Err(why) = pattern::compiles(signed.ioc.kind, &signed.ioc.pattern) {
        return finding(Code::IocPattern, why);
    }
    let key = |pin: &&feed::Pin| pin.key.key_id() == signed.ioc.key_id;
    let Some(pin) = pins.iter().find(key) else {
        let code = if pins.is_empty() { Code::FeedUnpinned } else { Code::FeedPin };
        return finding(code, format!("it names the key {}", signed.ioc.key_id));
    };
    if !pin.valid.contains_seconds(signed.ioc.issued_at) {
        return finding(Code::FeedKeyTime, format!("issued at {}", signed.ioc.issued_at));
    }
    let issuer = pin.issuer.as_deref().unwrap_or(&signed.ioc.issuer);
    signed.verify(&pin.key, issuer).err().unwrap_or_default()
}
