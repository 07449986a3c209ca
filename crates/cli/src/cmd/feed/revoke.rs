//! `countersign feed revoke`.

use std::path::Path;

use record::feed::Draft;
use record::ioc::{Kind, Severity};
use seal::Digest;
use seal::json::Value;

use super::source::{SourceArgs, now};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed revoke sha256:6c1e... --why 'matches a product name'
  countersign feed revoke 6c1ea08b8ff4664c --why 'replaced'

The indicator stays in the feed beside its revocation: who only had it removed could not tell a
withdrawal from a mirror that hides something. `feed publish` signs.")]
pub struct Args {
    /// The indicator: its content hash, or at least the first 16 digits
    id: String,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    source: SourceArgs,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let source = args.source.folder(dir);
    let _held = source.lock()?;
    let mut feed = source.read()?;
    let key_id = source.read_public_key()?.key_id();
    let now = now();
    let ids: Vec<Digest> = feed
        .indicators
        .iter()
        .map(|draft| draft.ioc(&feed.issuer, key_id, now).content_hash())
        .collect();
    let wanted = args.id.strip_prefix("sha256:").unwrap_or(&args.id);
    if wanted.len() < 16 {
        return Err(Failure::new(Exit::Usage, "give at least the first 16 digits of the hash"));
    }
    let mut found = ids.iter().filter(|id| id.hex().starts_with(wanted));
    let (Some(id), None) = (found.next(), found.next()) else {
        return Err(Failure::new(
            Exit::Evidence(record::ExitClass::Missing),
            format!("no indicator {} is in the drafts", args.id),
        ));
    };
    if feed.indicators.iter().any(|draft| draft.revokes.contains(id)) {
        return Err(Failure::new(Exit::Input, format!("{id} is revoked already")));
    }
    let short: String = id.hex().chars().take(16).collect();
    feed.indicators.push(Draft {
        kind: Kind::Substring,
        // The format asks every indicator for a pattern that is looked for: this one nobody writes.
        pattern: format!("_revocation_{short}"),
        severity: Severity::Low,
        categories: vec!["meta".to_owned()],
        description: args.why,
        issued_at: Some(now),
        revokes: vec![*id],
        expires_at: None,
        attacks: Vec::new(),
        benign: Vec::new(),
    });
    let revoked = *id;
    source.write(feed)?;
    match args.format {
        Format::Table => output::print(&format!("revoked {revoked}\n"))?,
        Format::Json => output::json(&Value::object([("revoked", revoked.into())]))?,
    }
    Ok(Exit::Ok)
}
