//! `audit count` and `audit report`: what a log or ledger holds, unverified.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use record::entry::ReadEntry;
use record::report::ExitClass;
use seal::json::Value;
use seal::time::{UnixMillis, parse_rfc3339};

use super::lines;
use crate::cmd::identity::Identity;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

/// Groups that are kept apart; what comes beyond is counted together.
const GROUPS: usize = 10_000;

/// Which entries count.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The log (JSON Lines), `-` or a ledger; default: .countersign/ledger in --dir
    path: Option<PathBuf>,
    /// Entries from this time on, such as 2026-11-20T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<UnixMillis>,
    /// Entries before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UnixMillis>,
    #[command(flatten)]
    identity: Identity,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// What entries are grouped by.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum By {
    Decision,
    Check,
    Owner,
    OwnerType,
    Stage,
    Writer,
    Key,
    Day,
}

fn time(text: &str) -> Result<UnixMillis, String> {
    parse_rfc3339(text).ok_or_else(|| "expected a time such as 2026-11-20T00:00:00Z".to_owned())
}

impl Which {
    /// Hands the entries that count to `f`; returns how many lines could not be read.
    fn each(&self, dir: &Path, f: &mut dyn FnMut(&ReadEntry)) -> Result<u64, Failure> {
        let path = self.path.clone().unwrap_or_else(|| crate::cmd::ledger_of(dir));
        crate::cmd::must_exist_or_stdin(&path)?;
        lines::each_entry(&path, &self.identity, &mut |read, _| {
            let at = UnixMillis(read.entry.ts_ns / 1_000_000);
            if self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|end| at < end) {
                f(read);
            }
            Ok(())
        })
    }
}

fn group(read: &ReadEntry, by: By) -> String {
    let entry = &read.entry;
    let meta = |name| entry.meta_text(name).unwrap_or("-").to_owned();
    match by {
        By::Decision => entry.decision.to_string(),
        // The stage speaks for the check that refused, which stands in the metadata.
        By::Check => entry.meta_text("_check_name").unwrap_or(&entry.check_name).to_owned(),
        By::Owner => entry.owner.to_string(),
        By::OwnerType => entry.owner.kind.as_str().to_owned(),
        By::Stage => meta("_stage"),
        By::Writer => meta("_writer"),
        By::Key => read.key_id.clone().unwrap_or_else(|| "-".to_owned()),
        By::Day => {
            let time = UnixMillis(entry.ts_ns / 1_000_000).to_string();
            time.split('T').next().unwrap_or_default().to_owned()
        }
    }
}

/// Counts by group, largest first.
#[derive(Default)]
struct Groups {
    counts: BTreeMap<String, u64>,
    others: u64,
}

impl Groups {
    fn add(&mut self, name: String) {
        if let Some(count) = self.counts.get_mut(&name) {
            *count += 1;
        } else if self.counts.len() < GROUPS {
            self.counts.insert(name, 1);
        } else {
            self.others += 1;
        }
    }

    fn sorted(&self) -> Vec<(&str, u64)> {
        let mut rows: Vec<_> = self.counts.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        if self.others > 0 {
            rows.push(("(others)", self.others));
        }
        rows
    }

    fn to_json(&self) -> Value {
        let rows = self.sorted().into_iter();
        Value::Object(rows.map(|(name, n)| (name.to_owned(), Value::from(n))).collect())
    }

    fn to_table(&self) -> String {
        let rows = self.sorted().into_iter();
        rows.map(|(name, n)| format!("{n:>10}  {}\n", output::safe(name))).collect()
    }
}

/// `audit count`.
pub fn count(which: &Which, by: Option<By>, dir: &Path) -> Outcome {
    let (mut total, mut groups) = (0_u64, Groups::default());
    let unreadable = which.each(dir, &mut |read| {
        total += 1;
        if let Some(by) = by {
            groups.add(group(read, by));
        }
    })?;
    match which.format {
        Format::Json => {
            let mut members = vec![("total".to_owned(), Value::from(total))];
            if by.is_some() {
                members.push(("groups".to_owned(), groups.to_json()));
            }
            members.push(("unreadable".to_owned(), Value::from(unreadable)));
            output::json(&Value::Object(members))?;
        }
        Format::Table if by.is_some() => output::print(&groups.to_table())?,
        Format::Table => output::print(&format!("{total}\n"))?,
    }
    Ok(end(unreadable))
}

/// Lines nobody can read make the figures incomplete.
fn end(unreadable: u64) -> Exit {
    if unreadable == 0 {
        return Exit::Ok;
    }
    output::complain(&format!("{unreadable} lines are not read; run `countersign audit verify`"));
    Exit::Evidence(ExitClass::Malformed)
}

/// `audit report`.
pub fn report(which: &Which, owners: bool, dir: &Path) -> Outcome {
    let mut total = 0_u64;
    let mut span: Option<(u64, u64)> = None;
    let mut seen = BTreeSet::new();
    let titles = [
        ("decisions", By::Decision),
        ("refused_by", By::Check),
        ("owner_types", By::OwnerType),
        ("writers", By::Writer),
        ("keys", By::Key),
        ("owners", By::Owner),
    ];
    let mut parts: Vec<Groups> = titles.iter().map(|_| Groups::default()).collect();
    let unreadable = which.each(dir, &mut |read| {
        total += 1;
        let at = read.entry.ts_ns;
        span = Some(span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        if seen.len() < GROUPS {
            seen.insert(read.entry.owner.to_string());
        }
        let refused = read.entry.decision != record::entry::AuditDecision::Allow;
        for ((_, by), part) in titles.iter().zip(&mut parts) {
            if refused || !matches!(by, By::Check) {
                part.add(group(read, *by));
            }
        }
    })?;
    // Who they are is personal; it is printed when asked for.
    let shown = titles.iter().zip(&parts).filter(|((name, _), _)| owners || *name != "owners");
    let time = |ns: u64| UnixMillis(ns / 1_000_000).to_string();
    let (from, to) = (span.map(|(first, _)| time(first)), span.map(|(_, last)| time(last)));
    match which.format {
        Format::Json => {
            let mut members = vec![
                ("total".to_owned(), Value::from(total)),
                ("first".to_owned(), Value::from(from.as_deref())),
                ("last".to_owned(), Value::from(to.as_deref())),
                ("distinct_owners".to_owned(), Value::from(seen.len() as u64)),
            ];
            members.extend(shown.map(|((name, _), part)| ((*name).to_owned(), part.to_json())));
            members.push(("unreadable".to_owned(), Value::from(unreadable)));
            members.push(("verified".to_owned(), Value::from(false)));
            output::json(&Value::Object(members))?;
        }
        Format::Table => {
            let mut text = format!(
                "entries     {total}\nfirst       {}\nlast        {}\nowners      {}\n",
                from.as_deref().unwrap_or("-"),
                to.as_deref().unwrap_or("-"),
                seen.len()
            );
            for ((name, _), part) in shown {
                text += &format!("\n{}\n{}", name.replace('_', " "), part.to_table());
            }
            text += "\nnot verified: `countersign audit verify` does that\n";
            output::print(&text)?;
        }
    }
    Ok(end(unreadable))
}
