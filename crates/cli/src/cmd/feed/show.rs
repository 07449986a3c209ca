//! `countersign feed show`: what a file says, whoever wrote it.

use std::path::PathBuf;

use record::feed::{self, Drafts, LIMIT};
use record::ioc::SignedIoc;
use seal::json::Value;

use crate::exit::{Exit, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed show feed.json
  countersign feed show drafts.json --format json

Nobody is believed here: `feed verify` says whose feed it is.")]
pub struct Args {
    /// A feed, a drafts file or a proposal; `-` for standard input
    file: PathBuf,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args) -> Outcome {
    super::super::must_exist_or_stdin(&args.file)?;
    let bytes = output::read_input(&args.file, LIMIT as u64)?;
    if let Ok(drafts) = Drafts::read(&bytes) {
        return show_drafts(&drafts, args.format);
    }
    let feed = feed::read(&bytes).map_err(|found| super::prove::refused(&args.file, &found))?;
    match args.format {
        Format::Json => output::json(&Value::object([
            ("feed_id", Value::from(&feed.feed_id)),
            ("issuer", Value::from(&feed.issuer)),
            ("key_id", feed.key.key_id().to_string().into()),
            ("fingerprint", feed.key.fingerprint().into()),
            ("issued_at", feed.issued_at.into()),
            ("merkle_root", feed.root.into()),
            ("iocs", Value::array(feed.iocs.iter().map(SignedIoc::to_value))),
            ("verified", false.into()),
        ]))?,
        Format::Table => {
            let mut out = format!(
                "feed      {}\nissuer    {}\nkey id    {}\nprint     {}\nissued at {}\nroot      {}\n\n",
                output::safe(&feed.feed_id),
                output::safe(&feed.issuer),
                feed.key.key_id(),
                feed.key.fingerprint(),
                feed.issued_at,
                feed.root,
            );
            for signed in &feed.iocs {
                let ioc = &signed.ioc;
                let id = signed.short_id();
                out += &line(&id, ioc.severity.as_str(), ioc.kind.as_str(), &ioc.pattern);
                for revoked in &ioc.revokes {
                    out += &format!("{:<18}revokes {revoked}\n", "");
                }
                if let Some(until) = ioc.expires_at {
                    out += &format!("{:<18}until {until}\n", "");
                }
            }
            out += &format!("\n{} indicators, not verified: see `feed verify`\n", feed.iocs.len());
            output::print(&out)?;
        }
    }
    Ok(Exit::Ok)
}

fn show_drafts(drafts: &Drafts, format: Format) -> Outcome {
    match format {
        Format::Json => output::print(&drafts.to_json())?,
        Format::Table => {
            let name = |name: &Option<String>| {
                name.as_deref().map_or_else(|| "(a proposal)".to_owned(), output::safe)
            };
            let mut out =
                format!("drafts for {} of {}\n\n", name(&drafts.feed_id), name(&drafts.issuer));
            for draft in &drafts.indicators {
                let samples = format!("{}+{}", draft.attacks.len(), draft.benign.len());
                out +=
                    &line(&samples, draft.severity.as_str(), draft.kind.as_str(), &draft.pattern);
            }
            out +=
                &format!("\n{} drafts (attack + benign samples each)\n", drafts.indicators.len());
            output::print(&out)?;
        }
    }
    Ok(Exit::Ok)
}

/// One indicator on one line; of the pattern its first 80 characters.
fn line(first: &str, severity: &str, kind: &str, pattern: &str) -> String {
    let short: String = pattern.chars().take(80).collect();
    let more = if short.len() < pattern.len() { "…" } else { "" };
    format!("{first:<18}{severity:<10}{kind:<19}{}{more}\n", output::safe(&short))
}
