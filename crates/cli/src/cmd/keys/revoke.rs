//! `countersign keys revoke`.

use std::path::{Path, PathBuf};

use gateway::state::revoke;
use seal::json::Value;

use super::Why;
use crate::exit::{Exit, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The key: its id, or its name in the trust file (then the newest of that name)
    key: String,
    /// The private root key (PEM); the trust file has its public half
    #[arg(long, value_name = "PEM")]
    root: PathBuf,
    #[command(flatten)]
    why: Why,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let cause = args.why.cause()?;
    let root = super::root_key(&args.root)?;
    let changed = revoke(dir, super::init(), &args.key, &root, cause)
        .map_err(|error| super::failure(&error))?;
    match args.format {
        Format::Table => output::print(&format!(
            "purpose   {}\nkey       {}\nreason    {}\nlogged    entry {}; from there on the key counts for nothing\n",
            changed.purpose,
            output::safe(&changed.old),
            cause.reason,
            changed.index,
        ))?,
        Format::Json => output::json(&Value::object([
            ("purpose", changed.purpose.as_str().into()),
            ("key_id", changed.old.as_str().into()),
            ("reason", cause.reason.as_str().into()),
            ("compromised_at", cause.compromised_at.into()),
            ("index", changed.index.into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
