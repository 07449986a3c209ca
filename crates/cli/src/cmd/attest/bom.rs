//! `attest bom`: what is attested, as a CycloneDX bill of materials.

use std::path::{Path, PathBuf};

use attest::Bundle;
use attest::bom::{self, About};
use attest::statement::PAYLOAD_TYPE;
use clap::ValueEnum;
use seal::dsse::{Envelope, PrivateKey, Signer as _};
use seal::json::{Value, write_pretty, write_receipt};
use seal::time::{UnixMillis, parse_rfc3339};

use super::sign::{Passphrase, read_key};
use super::verify::{self, Asked};
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest bom --trust reviewers.trust.yaml --out bom.cdx.json
  countersign attest bom attestations --subjects ../checkout --application shop --application-version 1.4
  countersign attest bom --sign release.key.pem --out bom.cdx.bundle

The statements are verified first, as `attest verify` does: unless all of them hold nothing is written,
and the exit is that of the verification. The same statements give the same bytes.")]
pub struct Args {
    /// A directory of bundles (*.bundle.json), or one; default: attestations in --dir
    path: Option<PathBuf>,
    #[command(flatten)]
    how: Asked,
    /// Where it goes, a new file; default: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What all of it is a part of
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
    /// The version of that
    #[arg(long, value_name = "VERSION", requires = "application")]
    application_version: Option<String>,
    /// When it was made, as RFC 3339; default: when the newest statement was
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<UnixMillis>,
    /// As what it is written
    #[arg(long, default_value = "cyclonedx")]
    format: Format,
    /// Sign the in-toto statement with this private key (PEM, Ed25519 or P-256), and write the bundle
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// As what a bill of materials is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// CycloneDX 1.6 in JSON.
    #[default]
    Cyclonedx,
    /// An in-toto statement about the attestations, with that inside.
    Intoto,
}

fn time(text: &str) -> Result<UnixMillis, String> {
    parse_rfc3339(text).ok_or_else(|| "expected RFC 3339, such as 2026-11-20T00:00:00Z".to_owned())
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let path = args.path.unwrap_or_else(|| dir.join(super::FOLDER));
    // A key that cannot be used is told before anything is judged.
    let key = args.sign.as_ref().map(|key| read_key(key, &args.passphrase)).transpose()?;
    let verification = verify::judge(&path, &args.how, dir)?;
    let report = verification.report();
    let attested = verification.attested();
    let about = About {
        at: args.at,
        tool: ("countersign", env!("CARGO_PKG_VERSION")),
        name: args.application.as_deref(),
        version: args.application_version.as_deref(),
        trust: report.trust_digest,
        compared: !args.how.no_subjects,
    };
    let made = if report.ok() { bom::document(&attested, &about) } else { None };
    let Some(made) = made else {
        // Standard output may be the file that the next tool takes for a bill of materials.
        let why = report.to_table();
        output::complain(&format!("no bill of materials: not all statements hold\n{why}"));
        return Ok(Exit::Evidence(report.exit_class()));
    };
    let text = match (&key, args.format) {
        (Some(key), _) => signed(&bom::intoto(&attested, made), key)?,
        (None, Format::Intoto) => write_pretty(&bom::intoto(&attested, made)),
        (None, Format::Cyclonedx) => write_pretty(&made),
    };
    match &args.out {
        Some(out) => output::create(out, text.as_bytes(), false)?,
        None => output::print(&output::inert(&text))?,
    }
    Ok(Exit::Ok)
}

fn signed(statement: &Value, key: &PrivateKey) -> Result<String, Failure> {
    let payload = write_receipt(statement)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let envelope = Envelope::sign(PAYLOAD_TYPE, payload.into_bytes(), key)
        .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    Ok(Bundle::of(envelope, key.public().hint()).write())
}
