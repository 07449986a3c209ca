//! `audit export`: one writer's lines under one key, as a log that other verifiers of the format
//! read.

use std::path::{Path, PathBuf};

use super::lines;
use crate::cmd::export::epoch::{Epochs, Links, epoch};
use crate::cmd::export::out::{Out, lies_below};
use crate::cmd::identity::Identity;
use crate::exit::{Exit, Failure, Outcome};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ledger, or a log of several writers or keys; default: .countersign/ledger in --dir
    #[arg(long, value_name = "PATH")]
    ledger: Option<PathBuf>,
    /// Whose lines; needed when the ledger has several writers
    #[arg(long, value_name = "ID")]
    writer: Option<String>,
    /// Under which HMAC key; needed when the writer has used several
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Write here, into a new file, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let path = args.ledger.clone().unwrap_or_else(|| crate::cmd::ledger_of(dir));
    // It is read twice, which standard input is not.
    crate::cmd::must_exist(&path)?;
    if path.is_dir() && args.out.as_ref().is_some_and(|out| lies_below(out, &path)) {
        let why = "--out lies in the ledger, where nothing but evidence may be";
        return Err(Failure::new(Exit::Usage, why));
    }
    let mut epochs = Epochs::default();
    lines::each_entry(&path, &args.identity, &mut |read, _| {
        epochs.add(epoch(read));
        Ok(())
    })?;
    let mut links = Links::new(epochs.choose(args.writer.as_deref(), args.key.as_deref())?);
    let mut out = Out::open(args.out.as_deref(), false)?;
    let unreadable = lines::each_entry(&path, &args.identity, &mut |read, line| {
        if !links.pass(read) {
            return Ok(());
        }
        out.write(line)?;
        out.write(b"\n")
    })?;
    out.close()?;
    Ok(links.conclude(unreadable, &path))
}
