//! `attest schema`: what a type of statement looks like.

use attest::types::{self, Type};

use crate::exit::{Exit, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest schema prompt
  countersign attest schema eval > eval.schema.json

JSON Schema, draft 2020-12, made of the tables that the reader of statements is made of.")]
pub struct Args {
    /// prompt, corpus, eval, route, slo or model
    #[arg(value_name = "TYPE", value_parser = kind)]
    kind: &'static Type,
}

/// A type of statement, by its name.
pub fn kind(name: &str) -> Result<&'static Type, String> {
    types::named(name).ok_or_else(|| {
        let names: Vec<&str> = types::ALL.iter().map(|kind| kind.name).collect();
        format!("no such type; use one of {}", names.join(", "))
    })
}

pub fn run(args: &Args) -> Outcome {
    output::json(&attest::statement::schema(args.kind))?;
    Ok(Exit::Ok)
}
