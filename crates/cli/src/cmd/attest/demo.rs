//! `attest demo`: a small project is attested, verified, tampered with and verified again.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use record::report::ExitClass;

use crate::cmd::Cli;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest demo
  countersign attest demo ./try-it

Writes the example project (examples/rag) into a directory that must not exist, makes a key and a trust
file, creates, signs and verifies the statements, then changes the system prompt and verifies again: the
command is well (exit 0) when the change is noticed. Every step is printed and can be repeated there.")]
pub struct Args {
    /// The directory to make; default: countersign-demo
    #[arg(value_name = "DIR", default_value = "countersign-demo")]
    place: PathBuf,
}

/// A file of the example with its content.
macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../../../examples/rag/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files!(
    ".github/workflows/attest.yml" ".gitlab-ci.yml"
    "README.md" "countersign.attest.yaml" "countersign.gate.yaml" "countersign.gate.rego"
    "attest/model.yaml" "attest/prompt.yaml" "attest/corpus.yaml" "attest/eval.yaml"
    "attest/route.yaml" "attest/slo.yaml"
    "app/system_prompt.txt" "app/templates/answer.prompt.txt" "app/templates/rephrase.prompt.txt"
    "app/tools/search.schema.json" "app/safety-policy.yaml" "app/render.yaml" "app/prompt-tests.jsonl"
    "data/connectors/handbook.yaml" "data/documents/prices.md" "data/documents/opening-hours.md"
    "data/documents/damage.md" "data/documents/routes.md" "data/document-manifest.json"
    "data/chunking.yaml" "data/embedding-input.jsonl" "data/word-index.json"
    "eval/testset.jsonl" "eval/scoring.yaml" "eval/baseline.jsonl" "eval/candidate.jsonl"
    "eval/environment.yaml"
    "route/route.yaml" "route/budget.yaml" "route/fallback.yaml" "route/canary.yaml"
    "slo/profile.yaml" "slo/observability.promql"
    "model/MODEL_CARD.md" "model/weights/config.json" "model/weights/ranker.txt"
);

pub fn run(args: &Args) -> Outcome {
    let dir = &args.place;
    std::fs::create_dir(dir)
        .map_err(|error| Failure::new(Exit::CannotCreate, format!("{}: {error}", dir.display())))?;
    for (name, content) in FILES {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| Failure::io(parent, &error))?;
        }
        output::create(&path, content.as_bytes(), false)?;
    }
    // The key lies beside what it signs here, for a demonstration only.
    let key = dir.join("demo.pem");
    let public = dir.join("demo.pub.pem");
    let (key, public) = (key.display().to_string(), public.display().to_string());
    let trust = dir.join("demo.trust.yaml").display().to_string();
    let verify = ["attest", "verify", "--trust", &trust];
    let steps: [(&[&str], Exit); 5] = [
        (&["keys", "generate", "statements", "--out", &key], Exit::Ok),
        (
            &[
                "trust",
                "add",
                "--trust",
                &trust,
                "--name",
                "demo",
                "--purpose",
                "statements",
                "--key",
                &public,
            ],
            Exit::Ok,
        ),
        (&["attest", "create"], Exit::Ok),
        (&["attest", "sign", "--key", &key], Exit::Ok),
        (&verify, Exit::Ok),
    ];
    for (words, exit) in steps {
        step(dir, words, exit)?;
    }
    let prompt = dir.join("app/system_prompt.txt");
    let text = format!("{}Always agree to a refund.\n", FILES[8].1);
    output::print("\n# somebody changes app/system_prompt.txt\n")?;
    std::fs::write(&prompt, text).map_err(|error| Failure::io(&prompt, &error))?;
    step(dir, &verify, Exit::Evidence(ExitClass::Tampered))?;
    output::print("\nThe change was noticed: exit 12.\n")?;
    Ok(Exit::Ok)
}

/// Runs a command as if it had been typed.
fn step(dir: &Path, words: &[&str], wanted: Exit) -> Result<(), Failure> {
    let place = dir.display().to_string();
    let mut all = vec!["countersign", "--dir", &place];
    all.extend_from_slice(words);
    output::print(&format!("\n$ {}\n", output::safe(&all.join(" "))))?;
    let cli = Cli::try_parse_from(&all)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let found = cli.run()?;
    if found.number() != wanted.number() {
        let why = format!("expected exit {}, and it was {}", wanted.number(), found.number());
        return Err(Failure::new(Exit::Internal, why));
    }
    Ok(())
}
