//! `countersign feed prove`: a part of a feed that proves where it comes from.

use std::path::{Path, PathBuf};

use countersign::feeds::{PROOF, stem};
use record::feed::{self, LIMIT};
use record::feedproof::{self, PartError};
use record::report::{ExitClass, Finding};
use seal::Digest;

use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed prove feed.json sha256:6c1e... -o part.json
  countersign feed verify part.json --pin publisher.pub.pem

The part holds the publisher's statement about the whole feed, the indicators, and for each the path
from it to the root that is stated. No key is needed. What is cut out is as the feed has it: the feed
itself is judged by `feed verify`.")]
pub struct Args {
    /// The feed
    feed: PathBuf,
    /// The indicators, by their content hashes
    #[arg(required = true, value_name = "HASH")]
    ids: Vec<Digest>,
    /// The proof of the feed; default: NAME.proof.json beside it
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Write here; default: standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Outcome {
    super::super::must_exist(&args.feed)?;
    let bytes = output::read_input(&args.feed, LIMIT as u64)?;
    let feed = feed::read(&bytes).map_err(|found| refused(&args.feed, &found))?;
    let path = args.proof.clone().unwrap_or_else(|| beside(&args.feed));
    super::super::must_exist(&path)?;
    let bytes = output::read_input(&path, feedproof::LIMIT as u64)?;
    let proof = feedproof::read(&bytes).map_err(|finding| refused(&path, &[finding]))?;
    let part = feedproof::part(&feed, &proof, &args.ids).map_err(|error| {
        let class = match error {
            PartError::Unknown(_) => ExitClass::Missing,
            _ => ExitClass::Tampered,
        };
        Failure::new(Exit::Evidence(class), error.to_string())
    })?;
    match &args.out {
        Some(out) => {
            output::create(out, part.to_json().as_bytes(), false)?;
            output::print(&format!("wrote {}\n", output::path(out)))?;
        }
        None => output::print(&part.to_json())?,
    }
    Ok(Exit::Ok)
}

/// Where the proof of a feed lies: `feed.proof.json` beside `feed.json`, packed or not.
pub fn beside(feed: &Path) -> PathBuf {
    stem(feed).with_extension(PROOF)
}

/// What is no feed or no proof at all.
pub fn refused(path: &Path, found: &[Finding]) -> Failure {
    let class = found.iter().map(|finding| finding.code.exit()).min_by_key(|class| class.rank());
    let why: Vec<String> = found.iter().take(3).map(ToString::to_string).collect();
    let exit = Exit::Evidence(class.unwrap_or(ExitClass::Malformed));
    Failure::new(exit, format!("{}: {}", path.display(), why.join("; ")))
}
