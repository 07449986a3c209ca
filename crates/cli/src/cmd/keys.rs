//! `countersign keys show`: which keys lie here, by fingerprint. Never a secret.

use std::path::Path;

use clap::Subcommand;
use seal::SecretKey;
use seal::json::Value;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fingerprints and key ids of the keys in .countersign/keys
    #[command(after_help = "Examples:
  countersign keys show
  countersign --dir /srv/gateway keys show --format json")]
    Show {
        /// How to print
        #[arg(long, default_value = "table")]
        format: Format,
    },
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let Command::Show { format } = args.command;
    let keys = dir.join(".countersign").join("keys");
    let entries = std::fs::read_dir(&keys).map_err(|error| Failure::io(&keys, &error))?;
    let mut rows = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failure::io(&keys, &error))?.path();
        if path.extension().is_none_or(|extension| extension != "pem") {
            continue;
        }
        let text = output::read_text(&path, 64 << 10)?;
        let key = SecretKey::from_pem(&text)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))?;
        rows.push((path, seal::Signer::public(&key).clone()));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    match format {
        Format::Table => {
            let table: String = rows
                .iter()
                .map(|(path, key)| {
                    let name = path.file_stem().unwrap_or_default().to_string_lossy();
                    format!("{:<12}{}  {}\n", output::safe(&name), key.key_id(), key.fingerprint())
                })
                .collect();
            output::print(&table)?;
        }
        Format::Json => output::json(&Value::array(rows.iter().map(|(path, key)| {
            Value::object([
                ("name", Value::from(&*path.file_stem().unwrap_or_default().to_string_lossy())),
                ("key_id", key.key_id().to_string().into()),
                ("fingerprint", key.fingerprint().into()),
                ("public_key", key.to_pem().into()),
            ])
        })))?,
    }
    Ok(Exit::Ok)
}
