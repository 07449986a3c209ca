//! `attest match`: what of a bill of materials is attested.

use std::path::{Path, PathBuf};

use attest::sbom::{self, Correlation, correlate};
use attest::verify::Verification;
use attest::{Sbom, render};
use clap::ValueEnum;
use seal::json::Value;

use super::sarif;
use super::verify::{self, Asked};
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest match bom.json --trust reviewers.trust.yaml
  countersign attest match bom.json attestations --subjects ../checkout --format markdown
  countersign attest match sbom.spdx.json --all --format sarif > findings.sarif

Reads CycloneDX 1.4 to 1.7 and SPDX 2.2 and 2.3 in JSON. A component is attested when a statement that
holds has its SHA-256 (a file, the root of a model, a manifest), or its package URL with the same
version. Exit 10: a component is not attested, or nothing is listed that could be; 12: a package URL is
attested with another digest; 65: no bill of materials. What is wrong with the attestations themselves
counts as in `attest verify`.")]
pub struct Args {
    /// The bill of materials; - for standard input
    sbom: PathBuf,
    /// A directory of bundles (*.bundle.json), or one; default: attestations in --dir
    path: Option<PathBuf>,
    #[command(flatten)]
    how: Asked,
    /// Components of all kinds, not only models and data
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// How a comparison is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// A page for a pull request.
    Markdown,
    /// SARIF 2.1.0.
    Sarif,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    crate::cmd::must_exist_or_stdin(&args.sbom)?;
    let bytes = output::read_input(&args.sbom, sbom::LIMIT as u64)?;
    let sbom = Sbom::read(&bytes).map_err(|error| {
        Failure::new(Exit::Input, format!("{}: {error}", output::path(&args.sbom)))
    })?;
    drop(bytes);
    let path = args.path.clone().unwrap_or_else(|| dir.join(super::FOLDER));
    let mut verification = verify::judge(&path, &args.how, dir)?;
    let correlation = correlate(&sbom, &verification.attested(), args.all);
    let report = verification.report_mut();
    report.subject = output::path(&args.sbom);
    report.kind = KIND.into();
    report.count("components", sbom.components.len() as u64);
    report.count("judged", correlation.judged.len() as u64);
    let attested = correlation.judged.iter().filter(|one| one.statement().is_some()).count();
    report.count("attested", attested as u64);
    correlation.findings().into_iter().for_each(|finding| report.push(finding));
    match args.format {
        Format::Table => output::print(&table(&verification, &correlation))?,
        Format::Json => output::json(&document(&verification, &correlation, &path))?,
        Format::Markdown => {
            output::print(&render::markdown(&document(&verification, &correlation, &path)))?;
        }
        Format::Sarif => {
            output::json(&sarif::document(&document(&verification, &correlation, &path)))?;
        }
    }
    Ok(Exit::Evidence(verification.report().exit_class()))
}

/// The kind in reports.
pub const KIND: &str = "bill of materials";

/// The verification's JSON, and what became of each component.
fn document(verification: &Verification, correlation: &Correlation, path: &Path) -> Value {
    let mut value = verification.to_json();
    let mut sbom = correlation.to_json();
    if let (Value::Object(members), Value::Object(told)) = (&mut value, &mut sbom) {
        told.push(("attestations".into(), output::path(path).into()));
        members.push(("sbom".into(), sbom));
    }
    value
}

/// So many components are listed; findings are listed in any case.
const LISTED: usize = 100;

fn table(verification: &Verification, correlation: &Correlation) -> String {
    let mut text = verification.report().to_table();
    if !correlation.judged.is_empty() {
        text.push('\n');
    }
    for one in correlation.judged.iter().take(LISTED) {
        let told = format!("{}: {}", one.named(), one.why());
        text += &format!("{:<13}{}\n", one.word(), output::safe(&told));
    }
    if correlation.judged.len() > LISTED {
        text += &format!("and {} more\n", correlation.judged.len() - LISTED);
    }
    if !correlation.unlisted.is_empty() {
        let count = correlation.unlisted.len();
        text += &format!("{count} attested models and corpora are not listed\n");
    }
    text
}
