//! `countersign keys rotate`.

use std::path::{Path, PathBuf};

use gateway::state::{Step, Target, rotate};
use record::trust::Purpose;
use seal::json::Value;

use super::Why;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the key is for: receipts, decisions, hmac; with --key also capabilities, feed,
    /// statements, vsa, approvals
    purpose: String,
    /// The private root key (PEM); the trust file has its public half
    #[arg(long, value_name = "PEM")]
    root: PathBuf,
    /// The private file (NAME.pem) of the key, where it is not one of the gateway's own
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    #[command(flatten)]
    why: Why,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let purpose = purpose(&args.purpose)?;
    if purpose == Purpose::Hmac && args.key.is_some() {
        let why =
            "--key is about signing keys: the secrets of audit lines lie in .countersign/keys";
        return Err(Failure::new(Exit::Usage, why));
    }
    let cause = args.why.cause()?;
    let root = super::root_key(&args.root)?;
    let target = Target { purpose, file: args.key.as_deref() };
    let told = |step| {
        let said = match step {
            Step::Made => "the new key is made",
            Step::Logged => "the ledger says so",
            Step::Swapped => "the new key is in place",
        };
        // Said as it happens: whoever interrupts this knows how far it came.
        output::complain(said);
    };
    let changed = rotate(dir, super::init(), target, &root, cause, &told)
        .map_err(|error| super::failure(&error))?;
    let (id, file) = changed.new.clone().unwrap_or_default();
    let kept = changed.kept.as_deref().map(output::path).unwrap_or_default();
    match args.format {
        Format::Table => output::print(&format!(
            "purpose   {}\nold key   {}\nnew key   {}\nfile      {}\nkept      {kept}\nlogged    entry {}\nin force  from the next entry on; start the gateway again\n",
            changed.purpose,
            output::safe(&changed.old),
            output::safe(&id),
            output::path(&file),
            changed.index,
        ))?,
        Format::Json => output::json(&Value::object([
            ("purpose", changed.purpose.as_str().into()),
            ("old_key_id", changed.old.as_str().into()),
            ("new_key_id", id.as_str().into()),
            ("file", file.display().to_string().into()),
            ("kept", changed.kept.map(|path| path.display().to_string()).into()),
            ("index", changed.index.into()),
        ]))?,
    }
    Ok(Exit::Ok)
}

/// What can be rotated; for the rest, what to do instead.
fn purpose(text: &str) -> Result<Purpose, Failure> {
    let usage = |why: &str| Failure::new(Exit::Usage, why.to_owned());
    match text {
        "log" | "checkpoints" => Err(usage(
            "the key of checkpoints is the log's name: another key is another log. Stop the gateway, keep this directory and its trust file for its evidence, and begin a new log in another directory; if the key is compromised, what counts is what was anchored or witnessed before (docs/operating/keys.md)",
        )),
        "root" => Err(usage(
            "a root key is replaced in the trust file of everyone who verifies: make one with `countersign keys generate root`, add it there, and let the old one end with valid.until",
        )),
        "tsa" => Err(usage(
            "a timestamp authority is replaced in the trust file: `countersign trust add --purpose tsa`",
        )),
        text => text.parse().map_err(|_| {
            usage("expected receipts, decisions or hmac; with --key also capabilities, feed, statements, vsa, approvals")
        }),
    }
}
