//! `countersign feed rotate`: a new key, on the word of the old one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::identity::{new_secret_key, read_secret_key};
use record::feedrotation::{FILE_LIMIT, sign};
use seal::json::Value;
use seal::{Digest, Signer};

use super::source::{SourceArgs, now, put};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed rotate
  countersign feed publish

Makes a new feed.key.pem and feed.pub.pem; those before are kept as feed.key.<id>.pem and
feed.pub.<id>.pem. The old key signs a statement about the new one, which is added to
feed.rotation.jws beside the feed: serve it there for good, subscribers follow it from the key they
have. Publish then: every indicator is signed anew, but for those that were revoked: their revocations
stay, they go. Keep the old key offline, or destroy it.

A key that somebody stole can be rotated by the thief as well: then tell your subscribers to pin the
new key by hand.

Exit codes: 0 done; 65 no feed in the folder; 73 a file cannot be made.")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// The folder that is served; default: public in the publisher's folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let source = args.source.folder(dir);
    let _held = source.lock()?;
    let mut feed = source.read()?;
    let issuer = feed.issuer.clone();
    let out = args.out.clone().unwrap_or_else(|| source.public());
    let old = read_secret_key(&source.key()).map_err(super::super::agent::failure)?;
    let new = new_secret_key().map_err(super::super::agent::failure)?;
    let statement = sign(&issuer, new.public(), now(), &old)
        .map_err(|error| Failure::new(Exit::Input, error.to_string()))?;

    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| Failure::new(Exit::CannotCreate, format!("{path}: {error}"))
    };
    let beside = |kind: &str, id: &dyn std::fmt::Display| {
        source.path().join(format!("feed.{kind}.{id}.pem"))
    };
    // The new key is safe before anyone hears of it, the old one before it is replaced.
    let (fresh, old_id) = (beside("key", &new.key_id()), old.key_id());
    output::create(&fresh, new.to_pem().as_bytes(), true)?;
    keep(&beside("key", &old_id), old.to_pem().as_bytes(), true)?;
    keep(&beside("pub", &old_id), old.public().to_pem().as_bytes(), false)?;
    fs::create_dir_all(&out).map_err(cannot(&out))?;
    let path = out.join("feed.rotation.jws");
    let mut text = match path.try_exists().map_err(cannot(&path))? {
        true => output::read_text(&path, FILE_LIMIT as u64)?,
        false => String::new(),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text += &format!("{statement}\n");
    if text.len() > FILE_LIMIT {
        let message = format!("{}: more than {FILE_LIMIT} bytes", path.display());
        return Err(Failure::new(Exit::CannotCreate, message));
    }
    put(&path, text.as_bytes())?;
    // Under the new key what was revoked would be another indicator, which nothing revokes.
    let revoked: BTreeSet<Digest> =
        feed.indicators.iter().flat_map(|draft| draft.revokes.iter().copied()).collect();
    let before = feed.indicators.len();
    feed.indicators.retain(|draft| {
        let id = draft.ioc(&issuer, old_id, now()).content_hash();
        !draft.revokes.is_empty() || !revoked.contains(&id)
    });
    if feed.indicators.len() != before {
        source.write(feed)?;
    }
    fs::rename(&fresh, source.key()).map_err(cannot(&source.key()))?;
    put(&source.public_key(), new.public().to_pem().as_bytes())?;

    let print = new.public().fingerprint();
    match args.format {
        Format::Table => output::print(&format!(
            "key id    {}\nprint     {print}\nbefore    {old_id}\nstatement {}\nPublish now: `countersign feed publish`\n",
            new.key_id(),
            output::path(&path),
        ))?,
        Format::Json => output::json(&Value::object([
            ("key_id", Value::from(new.key_id().to_string())),
            ("fingerprint", print.into()),
            ("before", old_id.to_string().into()),
            ("statement", path.display().to_string().into()),
        ]))?,
    }
    Ok(Exit::Ok)
}

/// Keeps a key under its id; an earlier try may have done so.
fn keep(path: &Path, bytes: &[u8], secret: bool) -> Result<(), Failure> {
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        _ => output::create(path, bytes, secret),
    }
}
