//! `attest diff`: what changed from one statement to another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use attest::{Statement, Subject};
use record::report::ExitClass;
use seal::Digest;
use seal::json::{Value, write_plain};

use super::show::{self, Shown};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest diff old/prompt-0123456789abcdef.bundle.json attestations/prompt-fedcba9876543210.bundle.json

Nothing is verified. Id and times always differ and are not told.")]
pub struct Args {
    /// A bundle or statement
    a: PathBuf,
    /// Another one of the same type
    b: PathBuf,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// A change: of what, from what, to what. What was not there is nothing.
type Change = (String, Option<String>, Option<String>);

pub fn run(args: &Args) -> Outcome {
    let (a, b) = (show::read(&args.a)?, show::read(&args.b)?);
    if a.statement.kind != b.statement.kind {
        let (a, b) = (a.statement.kind.name, b.statement.kind.name);
        let message = format!("{a} and {b} are different types; compare two of one type");
        return Err(Failure::new(Exit::Evidence(ExitClass::Malformed), message));
    }
    let changes = changes(&a.statement, &b.statement);
    match args.format {
        Format::Table => output::print(&table(&a, &b, &changes))?,
        Format::Json => {
            let told = changes.into_iter().map(|(what, from, to)| {
                Value::object([("what", Value::from(what)), ("a", from.into()), ("b", to.into())])
            });
            output::json(&Value::object([
                ("type", Value::from(a.statement.kind.name)),
                ("a", Digest::of(&a.payload).into()),
                ("b", Digest::of(&b.payload).into()),
                ("changes", Value::array(told)),
            ]))?;
        }
    }
    Ok(Exit::Ok)
}

fn changes(a: &Statement, b: &Statement) -> Vec<Change> {
    let sides = [told(a), told(b)];
    let names: BTreeSet<&String> = sides.iter().flat_map(BTreeMap::keys).collect();
    let change = |name: &String| {
        let [from, to] = [&sides[0], &sides[1]].map(|side| side.get(name).cloned());
        (from != to).then(|| (name.clone(), from, to))
    };
    names.into_iter().filter_map(change).collect()
}

/// Everything that a statement says, by names that two statements share.
fn told(one: &Statement) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    for Subject { role, path, digest, size, .. } in &one.subjects {
        told.insert(format!("file {path} ({role})"), format!("{digest}, {size} bytes"));
    }
    for tree in &one.trees {
        told.insert(format!("directory {} ({})", tree.path, tree.role), "whole".into());
    }
    for on in &one.depends_on {
        // a type may stand there several times
        let digests: &mut String = told.entry(format!("builds on {}", on.kind)).or_default();
        *digests += &format!("{}{}", if digests.is_empty() { "" } else { ", " }, on.digest);
    }
    for (name, value) in one.own.as_object().unwrap_or_default() {
        members(name, value, &mut told);
    }
    told.insert("privacy".into(), one.privacy.mode().into());
    told.insert("sensitivity".into(), one.sensitivity.join(", "));
    told.insert("generator".into(), format!("{} {}", one.generator.0, one.generator.1));
    if let Some(source) = &one.source {
        told.insert("commit".into(), source.commit.clone());
        told.extend(source.repository.clone().map(|at| ("repository".into(), at)));
    }
    told
}

/// Members of objects one by one, lists as they are.
fn members(name: &str, value: &Value, told: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(inner) => {
            for (inner, value) in inner {
                members(&format!("{name}.{inner}"), value, told);
            }
        }
        Value::String(text) => {
            told.insert(name.to_owned(), text.clone());
        }
        other => {
            told.insert(name.to_owned(), write_plain(other));
        }
    }
}

fn table(a: &Shown, b: &Shown, changes: &[Change]) -> String {
    let mut out = format!(
        "{}\na  {}\nb  {}\n",
        a.statement.kind.name,
        Digest::of(&a.payload),
        Digest::of(&b.payload)
    );
    for (what, from, to) in changes {
        let what = output::safe(what);
        out += &match (from, to) {
            (Some(from), Some(to)) => {
                format!("~ {what}: {} -> {}\n", output::safe(from), output::safe(to))
            }
            (Some(from), None) => format!("- {what}: {}\n", output::safe(from)),
            (None, to) => {
                format!("+ {what}: {}\n", output::safe(to.as_deref().unwrap_or_default()))
            }
        };
    }
    if changes.is_empty() {
        out += "no differences\n";
    }
    out
}
