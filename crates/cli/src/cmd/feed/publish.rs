//! `countersign feed publish`: what is drafted is signed and written where a static host serves it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign::identity::read_secret_key;
use record::feed::{Feed, Judge, LIMIT, Pin, judge, publish};
use record::ioc::SignedIoc;
use seal::json::Value;
use seal::{Digest, Signer};

use super::source::{SourceArgs, now, put};
use super::{add, pattern};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed publish
  countersign feed publish --key /media/stick/feed.key.pem --out /srv/www/feed

Writes feed.json, atomically; any static host serves it. Each publishing is newer than the one
before: publish also when nothing changed, so that subscribers see that nobody holds the feed back.")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// The private key; default: feed.key.pem in the folder
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    /// The folder to write to; default: public in the publisher's folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The time to sign (Unix seconds), to make a feed again; default: now
    #[arg(long, value_name = "SECONDS")]
    issued_at: Option<i64>,
    /// Publish although indicators of the last publishing are missing and not revoked
    #[arg(long)]
    withdraw_silently: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let source = args.source.folder(dir);
    let drafts = source.read()?;
    let key_path = args.key.clone().unwrap_or_else(|| source.key());
    let secret = read_secret_key(&key_path).map_err(super::super::agent::failure)?;
    let public = source.read_public_key()?;
    if *secret.public() != public {
        let message =
            format!("{}: not the key of this feed ({})", key_path.display(), public.key_id());
        return Err(Failure::new(Exit::Input, message));
    }
    let out = args.out.clone().unwrap_or_else(|| source.public());
    let path = out.join("feed.json");
    let before = published(&path, Pin::new(public).issuer(&drafts.issuer))?;
    let issued_at = time(args.issued_at, before.as_ref())?;
    let mut iocs: Vec<SignedIoc> = Vec::new();
    for draft in &drafts.indicators {
        add::refuse_faults(draft)?;
        let ioc = draft.ioc(&drafts.issuer, secret.key_id(), issued_at).sign(&secret);
        iocs.push(ioc.map_err(|error| Failure::new(Exit::Input, error.to_string()))?);
    }
    if let Some(before) = &before
        && !args.withdraw_silently
    {
        refuse_silence(before, &iocs, issued_at)?;
    }
    let feed = publish(&drafts.feed_id, &drafts.issuer, issued_at, iocs, &secret)
        .map_err(|error| Failure::new(Exit::Input, error.to_string()))?;
    std::fs::create_dir_all(&out)
        .map_err(|error| Failure::new(Exit::CannotCreate, format!("{}: {error}", out.display())))?;
    put(&path, feed.to_json().as_bytes())?;
    told(&feed, &path, args.format)
}

/// The last publishing, if there is one. What is not this publisher's is not replaced.
fn published(path: &Path, pin: Pin) -> Result<Option<Feed>, Failure> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let bytes = output::read_input(path, LIMIT as u64)?;
    let pins = [pin];
    let how = Judge { pins: &pins, compiles: &pattern::compiles, ..Judge::default() };
    let judged = judge(&bytes, &how);
    match judged.verified {
        Some(verified) => Ok(Some(verified.into_feed())),
        None => {
            let why = judged.report.findings.first().map(ToString::to_string).unwrap_or_default();
            let message =
                format!("{}: not the last publishing of this feed: {why}", path.display());
            Err(Failure::new(Exit::CannotCreate, message))
        }
    }
}

/// Later than the last one: subscribers refuse whatever goes back.
fn time(wanted: Option<i64>, before: Option<&Feed>) -> Result<i64, Failure> {
    let last = before.map(|feed| feed.issued_at);
    match (wanted, last) {
        (None, None) => Ok(now()),
        // Two publishings in one second are two.
        (None, Some(last)) if last <= now() + 60 => Ok(now().max(last + 1)),
        (None, Some(last)) => Err(Failure::new(
            Exit::Input,
            format!("the last publishing is of {last}, in the future: set the clock right"),
        )),
        (Some(at), Some(last)) if at <= last => Err(Failure::new(
            Exit::Usage,
            format!("--issued-at {at}: the last publishing is of {last}, and no feed goes back"),
        )),
        (Some(at), _) => Ok(at),
    }
}

/// An indicator that just disappears is what a hostile mirror would do.
fn refuse_silence(before: &Feed, iocs: &[SignedIoc], at: i64) -> Result<(), Failure> {
    let kept: BTreeSet<&Digest> = iocs
        .iter()
        .flat_map(|ioc| std::iter::once(&ioc.content_hash).chain(&ioc.ioc.revokes))
        .collect();
    let gone = |ioc: &&SignedIoc| !kept.contains(&ioc.content_hash) && !ioc.ioc.expired(at);
    match before.iocs.iter().find(gone) {
        None => Ok(()),
        Some(ioc) => Err(Failure::new(
            Exit::Input,
            format!(
                "{} was published and is not in the drafts: revoke it, or say --withdraw-silently",
                ioc.content_hash
            ),
        )),
    }
}

fn told(feed: &Feed, path: &Path, format: Format) -> Outcome {
    match format {
        Format::Table => output::print(&format!(
            "published {}\nissued at {}\nroot      {}\nindicators {}\n",
            output::path(path),
            feed.issued_at,
            feed.root,
            feed.count,
        ))?,
        Format::Json => output::json(&Value::object([
            ("file", path.display().to_string().into()),
            ("issued_at", feed.issued_at.into()),
            ("merkle_root", feed.root.into()),
            ("ioc_count", feed.count.into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
