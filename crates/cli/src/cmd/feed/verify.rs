//! `countersign feed verify`: a feed, or a part of one, under a pinned key.

use std::path::{Path, PathBuf};

use record::feed::{Feed, Judge, LIMIT, Pin, judge};
use record::feedproof::{self, Proof, Statement};
use record::report::{Assurance, Code, Finding, Report};
use record::{feed, ioc};
use seal::gzip::{self, GzipError};
use seal::json::{Limits, Value, parse, write_plain};
use seal::policy::Policy;

use super::pattern;
use super::pin::PinArgs;
use super::prove;
use super::source::now;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed verify feed.json --pin publisher.pub.pem
  countersign feed verify feed.json --pin publisher.pub.pem --issuer alpha.example --format json
  countersign feed verify feed.json --pin publisher.pub.pem --policy witnesses.policy
  countersign feed verify some-indicators.json --partial --pin publisher.pub.pem

A proof (NAME.proof.json beside the feed) is judged with it. What `feed prove` cut out is recognised.

Exit codes: 0 it holds, 10 no proof where one is asked for, 11 not from the pinned publisher, or past
its end, 12 changed, 14 malformed.
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
    /// The proof of the feed; default: NAME.proof.json beside it, if it is there
    #[arg(long, value_name = "FILE", conflicts_with = "partial")]
    proof: Option<PathBuf>,
    /// No proof beside the feed is a finding
    #[arg(long, conflicts_with = "partial")]
    require_proof: bool,
    /// The manifest must be in a log of this policy (C2SP tlog-policy), seen by its quorum
    #[arg(long, value_name = "FILE", conflicts_with = "partial")]
    policy: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    super::super::must_exist_or_stdin(&args.file)?;
    let (pins, about) = args.pin.read(dir, &args.file)?;
    let refused = |code, detail: String| {
        let mut report = about.clone();
        report.kind = "feed".into();
        report.push(Finding::new(code, "", detail));
        super::super::verify::show(&report, args.format)
    };
    let bytes = match output::read_input(&args.file, LIMIT as u64) {
        // The one thing that this refuses is a file beyond the limit: that is a finding.
        Err(failure) if failure.exit == Exit::Input => {
            return refused(Code::FeedLimit, failure.message);
        }
        read => read?,
    };
    let bytes = match gzip::plain(bytes, LIMIT) {
        Ok(bytes) => bytes,
        Err(GzipError::TooLarge(_)) => {
            return refused(Code::FeedLimit, format!("unpacked, more than {LIMIT} bytes"));
        }
        Err(error) => return refused(Code::FeedJson, format!("gzip that {error}")),
    };
    let (mut report, told) = match args.partial {
        true => (part(&bytes, &pins), Value::Null),
        false if is_part(&bytes) => {
            let (mut report, _) =
                feedproof::judge_part(&bytes, &pins, &pattern::compiles, Some(now()));
            // What was asked for and cannot be judged is no yes.
            if let Some(path) = &args.policy {
                policy(path)?;
                let why =
                    "a part does not say in which log the manifest lies; judge the whole feed";
                report.push(Finding::new(Code::FeedProofLog, "", why));
                report.assure(Assurance::Consistent);
            }
            (report, Value::Null)
        }
        false => whole(&args, &bytes, &pins)?,
    };
    report.subject = about.subject;
    report.trust_file = about.trust_file;
    report.trust_digest = about.trust_digest;
    report.notes.extend(about.notes);
    for finding in about.findings {
        report.push(finding);
    }
    match (args.format, report.to_json()) {
        (Format::Json, Value::Object(mut members)) => {
            members.push(("feed".to_owned(), told));
            output::json(&Value::Object(members))?;
            Ok(Exit::Evidence(report.exit_class()))
        }
        (format, _) => super::super::verify::show(&report, format),
    }
}

/// A feed, and the proof beside it; and what both say, when they hold.
fn whole(args: &Args, bytes: &[u8], pins: &[Pin]) -> Result<(Report, Value), Failure> {
    let how =
        Judge { pins, compiles: &pattern::compiles, skip_bad: args.skip_bad, ..Judge::default() };
    let judged = judge(bytes, &how);
    let mut report = judged.report;
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let asked = args.require_proof || policy.is_some();
    let mut stated = None;
    match (proof_of(args)?, &judged.verified) {
        (None, _) if asked => report.push(Finding::new(Code::FeedProofMissing, "", "asked for")),
        // Of a feed that does not hold, its proof says nothing.
        (None, _) | (_, None) => {}
        (Some((path, proof)), Some(verified)) => match feedproof::read(&proof) {
            Err(finding) => report.push(finding.at(&output::path(&path))),
            Ok(proof) => {
                let found = proof.judge(verified.feed(), Some(now()), policy.as_ref());
                report.push_all(&output::path(&path), found);
                let Statement { sequence, not_after, .. } = &proof.statement;
                report.note(format!("publishing {sequence}, not after {not_after}"));
                stated = Some(proof);
            }
        },
    }
    if !report.ok() {
        report.assure(Assurance::Consistent);
    }
    let told = match judged.verified {
        Some(verified) if report.ok() => told(verified.feed(), stated.as_ref()),
        _ => Value::Null,
    };
    Ok((report, told))
}

/// What a feed says that holds, for programs.
fn told(feed: &Feed, proof: Option<&Proof>) -> Value {
    let statement = proof.map(|proof| &proof.statement);
    Value::object([
        ("feed_id", Value::from(&feed.feed_id)),
        ("issuer", Value::from(&feed.issuer)),
        ("key_id", feed.key.key_id().to_string().into()),
        ("fingerprint", feed.key.fingerprint().into()),
        ("issued_at", feed.issued_at.into()),
        ("age_seconds", now().saturating_sub(feed.issued_at).into()),
        ("merkle_root", feed.root.into()),
        ("ioc_count", feed.count.into()),
        ("left_out", Value::array(&feed.left_out)),
        ("sequence", statement.map(|statement| statement.sequence).into()),
        ("not_after", statement.map(|statement| statement.not_after).into()),
    ])
}

/// The proof that was named, or the one beside the feed.
fn proof_of(args: &Args) -> Result<Option<(PathBuf, Vec<u8>)>, Failure> {
    let path = match &args.proof {
        Some(path) => {
            super::super::must_exist(path)?;
            path.clone()
        }
        None if args.file == Path::new("-") => return Ok(None),
        None => prove::beside(&args.file),
    };
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    // One byte more than is read: what is too large is a finding, not a file that was not looked at.
    let bytes = output::read_input(&path, feedproof::LIMIT as u64 + 1)?;
    Ok(Some((path, bytes)))
}

fn policy(path: &Path) -> Result<Policy, Failure> {
    super::super::must_exist(path)?;
    let refused =
        |cause: String| Failure::new(Exit::Config, format!("{}: {cause}", path.display()));
    let policy = Policy::parse(&output::read_input(path, 1 << 20)?)
        .map_err(|error| refused(error.to_string()))?;
    match policy.logs().is_empty() {
        true => Err(refused("it names no log; add its line: log VKEY".to_owned())),
        false => Ok(policy),
    }
}

/// Whether `feed prove` wrote this: its first member says so.
fn is_part(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    let version = start.windows(feedproof::PART.len()).any(|at| at == feedproof::PART.as_bytes());
    version && bytes.len() <= feedproof::PART_LIMIT && {
        let value = parse(bytes, Limits { bytes: feedproof::PART_LIMIT, depth: 6 });
        value.is_ok_and(|v| v.get("version").and_then(Value::as_str) == Some(feedproof::PART))
    }
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
    let value = match feed::value(bytes) {
        Ok(value) => value,
        Err(finding) => {
            refuse(&mut report, finding.code, finding.detail);
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
