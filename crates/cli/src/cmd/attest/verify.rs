//! `attest verify`: judge bundles, and the files they are about.

use std::path::{Path, PathBuf};

use attest::types::Type;
use attest::verify::{How, Verification};
use attest::{Files, verify};
use collect::{Checkout, Root};
use countersign::anchor;
use record::report::ExitClass;

use super::print::{self, Format};
use super::schema::kind;
use super::{bundles, summary};
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest verify attestations --trust reviewers.trust.yaml
  countersign attest verify --subjects ../checkout --threshold prompt=2 --format json
  countersign attest verify attestations --format sarif > findings.sarif
  countersign attest verify attestations --trust reviewers.trust.yaml --require-log
  countersign attest verify attestations --vsa verifier.key.pem --out verification.vsa.json
  countersign attest verify attestations --vsa verifier.key.pem --log

Every stage (signature, schema, digest, chain, semantics) is run on every bundle, whatever the others
found. The proof of a log (NAME.tlog-proof beside NAME.bundle.json) is judged under the logs of the trust
file. Without a trust file nobody is believed. Every finding has a code: `countersign code <CODE>`
explains it.")]
pub struct Args {
    /// A directory of bundles (*.bundle.json), or one; default: attestations in --dir
    path: Option<PathBuf>,
    #[command(flatten)]
    how: Asked,
    #[command(flatten)]
    summary: summary::Summed,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// Options that say what is asked of bundles.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// The trust file; default: countersign.trust.yaml in --dir (unless git tracks it), then the
    /// user's own
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Where the attested files are; default: --dir
    #[arg(long, value_name = "ROOT")]
    pub subjects: Option<PathBuf>,
    /// Do not compare files; the report says so
    #[arg(long, conflicts_with = "subjects")]
    pub no_subjects: bool,
    /// So many different trusted signers every statement of the type needs, as prompt=2
    #[arg(long, value_name = "TYPE=K", value_parser = threshold)]
    pub threshold: Vec<(&'static Type, usize)>,
    /// The salts of commitments, as `attest create` wrote them; those beside the bundles are read
    /// anyway
    #[arg(long, value_name = "FILE")]
    pub salts: Vec<PathBuf>,
    /// There must be a statement of this type
    #[arg(long, value_name = "TYPE", value_parser = kind)]
    pub require: Vec<&'static Type>,
    /// Every bundle must be in a log of the trust file
    #[arg(long)]
    pub require_log: bool,
}

fn threshold(text: &str) -> Result<(&'static Type, usize), String> {
    let (name, least) = text.split_once('=').ok_or("expected TYPE=K, such as prompt=2")?;
    match least.parse() {
        Ok(least) if (1..=MOST).contains(&least) => Ok((kind(name)?, least)),
        Ok(_) | Err(_) => Err(format!("K is a number from 1 to {MOST}")),
    }
}

/// More signers nobody has.
const MOST: usize = 1000;

pub fn run(args: Args, dir: &Path) -> Outcome {
    let path = args.path.unwrap_or_else(|| dir.join(super::FOLDER));
    let summary = summary::Order::of(&args.summary, dir)?;
    let verification = judge(&path, &args.how, dir)?;
    let summed = summary.map(|summary| {
        let checkout = match args.how.no_subjects {
            true => None,
            false => Checkout::whole(args.how.subjects.as_deref().unwrap_or(dir)),
        };
        summary.write(&verification, checkout.as_ref(), dir)
    });
    print::show(&verification, args.format)?;
    match (summed, verification.report().exit_class()) {
        (Some(Err(failure)), ExitClass::Ok) => Err(failure),
        (Some(Err(failure)), found) => {
            // what was found decides the exit, and this is told all the same
            output::complain(&failure.message);
            Ok(Exit::Evidence(found))
        }
        (Some(Ok(())) | None, found) => Ok(Exit::Evidence(found)),
    }
}

/// Judges the bundles at a path.
pub fn judge(path: &Path, asked: &Asked, dir: &Path) -> Result<Verification, Failure> {
    let paths = bundles::find(path)?;
    let (file, passed_over) = crate::cmd::trust_for(asked.trust.as_deref(), dir, path)?;
    let root = match asked.no_subjects {
        true => None,
        false => Some(open(asked.subjects.as_deref().unwrap_or(dir))?),
    };
    let authorities = match &file {
        None => Vec::new(),
        Some(file) => anchor::authorities(&file.trust)
            .map_err(|error| Failure::new(Exit::Config, error.to_string()))?,
    };
    let how = How {
        now: super::now(),
        thresholds: asked.threshold.clone(),
        require: asked.require.clone(),
        salts: bundles::salts(path, &asked.salts)?,
        authorities,
        require_log: asked.require_log,
    };
    let trust = file.as_ref().map(|file| &file.trust);
    let files = root.as_ref().map(|root| root as &dyn Files);
    let mut verification = verify(bundles::read(&paths), trust, files, &how);
    let report = verification.report_mut();
    report.subject = output::path(path);
    report.notes.extend(passed_over);
    if let Some(file) = &file {
        report.trust_file = Some(file.path.display().to_string());
        report.trust_digest = Some(file.digest);
    }
    Ok(verification)
}

fn open(root: &Path) -> Result<Root, Failure> {
    Root::open(root).map_err(|error| Failure::io(root, &error))
}
