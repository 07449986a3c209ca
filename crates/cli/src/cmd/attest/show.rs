//! `attest show`: what a bundle or statement says, unverified.

use std::path::{Path, PathBuf};

use attest::bundle::LIMIT;
use attest::{Bundle, Statement};
use record::report::ExitClass;
use seal::Digest;
use seal::json::{Limits, Value, parse, write_plain};

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest show attestations/prompt-0123456789abcdef.bundle.json
  countersign attest show attestations/eval-0123abcd.statement.json --format json

Nothing is verified: `countersign attest verify` does that.")]
pub struct Args {
    /// A bundle or a statement
    file: PathBuf,
    /// How to print; json is the statement
    #[arg(long, default_value = "table")]
    format: Format,
}

/// A statement as it lies in a file.
pub struct Shown {
    /// Its bytes.
    pub payload: Vec<u8>,
    /// The key that is said to have signed it, if it is a bundle.
    pub hint: Option<String>,
    /// What it says.
    pub statement: Statement,
}

/// Reads a bundle or a bare statement.
pub fn read(path: &Path) -> Result<Shown, Failure> {
    crate::cmd::must_exist_or_stdin(path)?;
    let malformed = |why: String| {
        let message = format!("{}: {why}", output::path(path));
        Failure::new(Exit::Evidence(ExitClass::Malformed), message)
    };
    let bytes = output::read_input(path, LIMIT as u64)?;
    let value = parse(&bytes, Limits { bytes: LIMIT, depth: 16 })
        .map_err(|error| malformed(format!("not strict JSON: {error}")))?;
    let (payload, hint) = match value.get("dsseEnvelope") {
        None => (bytes, None),
        Some(_) => {
            let bundle = Bundle::read(&bytes).map_err(|error| malformed(error.to_string()))?;
            (bundle.envelope.payload, Some(bundle.hint))
        }
    };
    let statement = Statement::read(&payload).map_err(|error| malformed(error.to_string()))?;
    Ok(Shown { payload, hint, statement })
}

pub fn run(args: &Args) -> Outcome {
    let shown = read(&args.file)?;
    match args.format {
        Format::Json => {
            let limits = Limits { bytes: LIMIT, depth: 16 };
            output::json(&parse(&shown.payload, limits).unwrap_or(Value::Null))?;
        }
        Format::Table => output::print(&table(&shown))?,
    }
    Ok(Exit::Ok)
}

fn table(shown: &Shown) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| out += &format!("{name:<12} {}\n", output::safe(text));
    let one = &shown.statement;
    line("type", one.kind.name);
    line("id", &one.id);
    line("payload", &Digest::of(&shown.payload).to_string());
    line("made", &one.generated_at.to_string());
    if let Some(end) = one.expires_at {
        line("expires", &end.to_string());
    }
    line("generator", &format!("{} {}", one.generator.0, one.generator.1));
    if let Some(source) = &one.source {
        let at = source.repository.as_ref().map(|at| format!(" of {at}")).unwrap_or_default();
        line("source", &format!("{}{at}", source.commit));
    }
    line("privacy", one.privacy.mode());
    if !one.sensitivity.is_empty() {
        line("sensitivity", &one.sensitivity.join(", "));
    }
    match &shown.hint {
        Some(hint) => line("names key", hint),
        None => line("signature", "none"),
    }
    for on in &one.depends_on {
        line("builds on", &format!("{} {}", on.kind, on.digest));
    }
    for (name, value) in one.own.as_object().unwrap_or_default() {
        line(name, &value.as_str().map_or_else(|| write_plain(value), str::to_owned));
    }
    for file in &one.subjects {
        let salted = if file.salt.is_some() { ", committed to" } else { "" };
        let told =
            format!("{} ({}, {} bytes{salted}) {}", file.path, file.role, file.size, file.digest);
        line("file", &told);
    }
    out += "not verified\n";
    out
}
