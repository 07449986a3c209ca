//! `countersign feed init`.

use std::path::Path;

use countersign::identity::new_secret_key;
use record::feed::Drafts;
use seal::Signer;
use seal::json::Value;

use super::source::SourceArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed init alpha.example
  countersign feed init alpha.example --feed-id alpha/core --source alpha

Makes feed.key.pem (the private key: whoever has it is the issuer), feed.pub.pem (for those who
subscribe, over another way than the feed) and drafts.json. Nothing is overwritten.")]
pub struct Args {
    /// Who publishes: by convention a DNS name
    issuer: String,
    /// The feed's name
    #[arg(long, value_name = "ID", default_value = "core")]
    feed_id: String,
    #[command(flatten)]
    source: SourceArgs,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let source = args.source.folder(dir);
    let secret = new_secret_key().map_err(super::super::agent::failure)?;
    // What no reader would take must not come to light at the first publishing.
    record::feed::publish(&args.feed_id, &args.issuer, 0, Vec::new(), &secret)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    std::fs::create_dir_all(source.path()).map_err(|error| {
        Failure::new(Exit::CannotCreate, format!("{}: {error}", source.path().display()))
    })?;
    let drafts = Drafts {
        feed_id: Some(args.feed_id.clone()),
        issuer: Some(args.issuer.clone()),
        indicators: Vec::new(),
    };
    output::create(&source.key(), secret.to_pem().as_bytes(), true)?;
    output::create(&source.public_key(), secret.public().to_pem().as_bytes(), false)?;
    output::create(&source.drafts(), drafts.to_json().as_bytes(), false)?;
    let public = secret.public();
    match args.format {
        Format::Table => output::print(&format!(
            "issuer    {}\nfeed      {}\nprivate   {}\npublic    {}\ndrafts    {}\nkey id    {}\nprint     {}\n",
            output::safe(&args.issuer),
            output::safe(&args.feed_id),
            output::path(&source.key()),
            output::path(&source.public_key()),
            output::path(&source.drafts()),
            public.key_id(),
            public.fingerprint(),
        ))?,
        Format::Json => output::json(&Value::object([
            ("issuer", args.issuer.as_str().into()),
            ("feed_id", args.feed_id.as_str().into()),
            ("private_key", source.key().display().to_string().into()),
            ("public_key", source.public_key().display().to_string().into()),
            ("drafts", source.drafts().display().to_string().into()),
            ("key_id", public.key_id().to_string().into()),
            ("fingerprint", public.fingerprint().into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
