//! `countersign feed publish`: what is drafted is signed and written where a static host serves it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign::identity::read_secret_key;
use record::feed::{Feed, Judge, LIMIT, Pin, judge, publish};
use record::feedproof::{self, Proof};
use record::ioc::{Ioc, SignedIoc};
use seal::json::Value;
use seal::{Digest, Signer};

use super::prove::beside;
use super::source::{SourceArgs, now, put};
use super::{add, delta, pattern};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed publish
  countersign feed publish --key /media/stick/feed.key.pem --out /srv/www/feed --valid-days 7
  countersign log append --kind feed feed/public/manifest.json
  countersign log prove inclusion --id sha256:... -o manifest.tlog-proof
  countersign feed publish --logged manifest.tlog-proof

Writes feed.json, its proof feed.proof.json and manifest.json (the bytes that feed.json is signed
over, to be logged), each atomically; any static host serves them. Each publishing is newer than the
one before and has an end: publish also when nothing changed. --logged puts the proof that the
manifest is in a log into feed.proof.json, and changes nothing else.")]
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
    /// For how many days this publishing counts
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
    valid_days: u32,
    /// Its number; default: one more than that of the last publishing
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Put this proof (.tlog-proof) that the manifest is in a log beside what is published
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "issued_at", "valid_days", "sequence", "withdraw_silently"])]
    logged: Option<PathBuf>,
    /// Publish although indicators of the last publishing are missing and not revoked
    #[arg(long)]
    withdraw_silently: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let source = args.source.folder(dir);
    let _held = source.lock()?;
    let mut drafts = source.read()?;
    let out = args.out.clone().unwrap_or_else(|| source.public());
    let path = out.join("feed.json");
    let public = source.read_public_key()?;
    // After a rotation the last publishing is of the key before.
    let keys = std::iter::once(public.clone()).chain(source.former_keys()?);
    let pins: Vec<Pin> = keys.map(|key| Pin::new(key).issuer(&drafts.issuer)).collect();
    let before = published(&path, &pins)?;
    if let Some(logged) = &args.logged {
        return attach(logged, &path, before, args.format);
    }
    let key_path = args.key.clone().unwrap_or_else(|| source.key());
    let secret = read_secret_key(&key_path).map_err(super::super::agent::failure)?;
    if *secret.public() != public {
        let message =
            format!("{}: not the key of this feed ({})", key_path.display(), public.key_id());
        return Err(Failure::new(Exit::Input, message));
    }
    let issued_at = time(args.issued_at, before.as_ref())?;
    // Its time is part of an indicator's id: who wrote a draft by hand need not know that, and the
    // next publishing has the same indicator nevertheless.
    let undated = drafts.indicators.iter().any(|draft| draft.issued_at.is_none());
    for draft in &mut drafts.indicators {
        draft.issued_at.get_or_insert(issued_at);
    }
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
    let proof_path = beside(&path);
    let sequence = number(args.sequence, &proof_path)?;
    let not_after = issued_at.saturating_add(i64::from(args.valid_days) * 86_400);
    let proof = feedproof::sign(&feed, sequence, not_after, &secret)
        .map_err(|error| Failure::new(Exit::Input, error.to_string()))?;
    if undated {
        source.write(drafts)?;
    }
    // The feed last: who comes in between has the old one with a proof of the new, and comes again.
    put(&proof_path, proof.to_json().as_bytes())?;
    put(&out.join("manifest.json"), feed.manifest().as_bytes())?;
    put(&path, feed.to_json().as_bytes())?;
    delta::write(&source.path().join("history"), &out, before.as_ref(), &feed)?;
    told(&feed, &proof, &path, args.format)
}

/// The number of this publishing: more than any before.
fn number(wanted: Option<u64>, proof: &Path) -> Result<u64, Failure> {
    let last = match proof.symlink_metadata() {
        Ok(_) => Some(read_proof(proof)?.statement.sequence),
        Err(_) => None,
    };
    match (wanted, last) {
        (Some(wanted), Some(last)) if wanted <= last => Err(Failure::new(
            Exit::Usage,
            format!("--sequence {wanted}: the last publishing is number {last}"),
        )),
        (Some(wanted), _) => Ok(wanted),
        (None, last) => Ok(last.map_or(1, |last| last + 1)),
    }
}

fn read_proof(path: &Path) -> Result<Proof, Failure> {
    let bytes = output::read_input(path, feedproof::LIMIT as u64)?;
    feedproof::read(&bytes)
        .map_err(|finding| Failure::new(Exit::Input, format!("{}: {finding}", path.display())))
}

/// Puts the log's proof beside the publishing that is there.
fn attach(logged: &Path, path: &Path, feed: Option<Feed>, format: Format) -> Outcome {
    let Some(feed) = feed else {
        return Err(Failure::new(
            Exit::NoPath,
            format!("{}: nothing is published", path.display()),
        ));
    };
    let proof_path = beside(path);
    super::super::must_exist(&proof_path)?;
    let text = output::read_text(logged, 256 << 10)?;
    // Whose signatures count there each reader says; that it is about this manifest is checked here.
    feedproof::is_of(&text, &feed.manifest())
        .map_err(|why| Failure::new(Exit::Input, format!("{}: {why}", logged.display())))?;
    let proof = read_proof(&proof_path)?;
    if proof.statement.manifest != Digest::of(feed.manifest().as_bytes()) {
        let why = "it is of another publishing, as one that was cut off leaves it: publish again";
        return Err(Failure::new(Exit::Input, format!("{}: {why}", proof_path.display())));
    }
    let proof = Proof { log: Some(text), ..proof };
    put(&proof_path, proof.to_json().as_bytes())?;
    told(&feed, &proof, path, format)
}

/// The last publishing, if there is one. What is not this publisher's is not replaced.
fn published(path: &Path, pins: &[Pin]) -> Result<Option<Feed>, Failure> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let bytes = output::read_input(path, LIMIT as u64)?;
    let how = Judge { pins, compiles: &pattern::compiles, ..Judge::default() };
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
    // Under a new key every indicator has another id, and is the same by what it says.
    let same = |old: &SignedIoc| {
        let says = |new: &SignedIoc| {
            let (new, old) = (&new.ioc, &old.ioc);
            let end = |ioc: &Ioc| ioc.expires_at.unwrap_or(i64::MAX);
            let what = |ioc: &Ioc| (ioc.kind, ioc.pattern.clone());
            what(new) == what(old) && new.severity >= old.severity && end(new) >= end(old)
        };
        iocs.iter().any(|new| new.ioc.key_id != old.ioc.key_id && says(new))
    };
    let gone =
        |ioc: &&SignedIoc| !kept.contains(&ioc.content_hash) && !ioc.ioc.expired(at) && !same(ioc);
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

fn told(feed: &Feed, proof: &Proof, path: &Path, format: Format) -> Outcome {
    match format {
        Format::Table => output::print(&format!(
            "published {}\nnumber    {}\nissued at {}\nnot after {}\nroot      {}\nindicators {}\n",
            output::path(path),
            proof.statement.sequence,
            feed.issued_at,
            proof.statement.not_after,
            feed.root,
            feed.count,
        ))?,
        Format::Json => output::json(&Value::object([
            ("file", path.display().to_string().into()),
            ("sequence", proof.statement.sequence.into()),
            ("issued_at", feed.issued_at.into()),
            ("not_after", proof.statement.not_after.into()),
            ("manifest", proof.statement.manifest.into()),
            ("logged", proof.log.is_some().into()),
            ("merkle_root", feed.root.into()),
            ("ioc_count", feed.count.into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
