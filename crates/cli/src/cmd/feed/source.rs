//! A publisher's folder: the key, the drafts, and what is published of them.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use record::feed::{DRAFTS_LIMIT, Drafts};
use seal::PublicKey;

use crate::exit::{Exit, Failure};
use crate::output;

/// Where a publisher works.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// The publisher's folder; default: feed in --dir
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
}

/// The folder, with the names of its files.
pub struct Source(PathBuf);

impl SourceArgs {
    pub fn folder(&self, dir: &Path) -> Source {
        Source(self.source.clone().unwrap_or_else(|| dir.join("feed")))
    }
}

impl Source {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn key(&self) -> PathBuf {
        self.0.join("feed.key.pem")
    }

    pub fn public_key(&self) -> PathBuf {
        self.0.join("feed.pub.pem")
    }

    /// The public keys that `feed rotate` replaced: `feed.pub.<id>.pem`.
    pub fn former_keys(&self) -> Result<Vec<PublicKey>, Failure> {
        let mut keys = Vec::new();
        let entries = std::fs::read_dir(&self.0).map_err(|error| Failure::io(&self.0, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| Failure::io(&self.0, &error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let former =
                name != "feed.pub.pem" && name.starts_with("feed.pub.") && name.ends_with(".pem");
            if former {
                keys.push(read_public(&path)?);
            }
        }
        Ok(keys)
    }

    pub fn drafts(&self) -> PathBuf {
        self.0.join("drafts.json")
    }

    /// What a static host serves.
    pub fn public(&self) -> PathBuf {
        self.0.join("public")
    }

    /// Whoever changes the drafts or publishes them waits for whoever does so now; let go when the
    /// file is dropped.
    pub fn lock(&self) -> Result<File, Failure> {
        super::super::must_exist(&self.drafts())?;
        let path = self.0.join(".lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| Failure::io(&path, &error))?;
        file.lock().map_err(|error| Failure::io(&path, &error))?;
        Ok(file)
    }

    pub fn read(&self) -> Result<Feed, Failure> {
        let drafts = read_drafts(&self.drafts())?;
        match drafts {
            Drafts { feed_id: Some(feed_id), issuer: Some(issuer), indicators } => {
                Ok(Feed { feed_id, issuer, indicators })
            }
            _ => Err(Failure::new(
                Exit::Input,
                format!(
                    "{}: a proposal names no feed and no issuer; `feed init` makes a drafts file that does",
                    self.drafts().display()
                ),
            )),
        }
    }

    /// Puts the drafts in place of what was there.
    pub fn write(&self, feed: Feed) -> Result<(), Failure> {
        let drafts = Drafts {
            feed_id: Some(feed.feed_id),
            issuer: Some(feed.issuer),
            indicators: feed.indicators,
        };
        put(&self.drafts(), drafts.to_json().as_bytes())
    }

    pub fn read_public_key(&self) -> Result<PublicKey, Failure> {
        read_public(&self.public_key())
    }
}

fn read_public(path: &Path) -> Result<PublicKey, Failure> {
    let pem = output::read_text(path, 64 << 10)?;
    PublicKey::from_pem(&pem)
        .map_err(|error| Failure::new(Exit::Input, format!("{}: {error}", path.display())))
}

/// The drafts of a feed that has a name and an issuer.
pub struct Feed {
    pub feed_id: String,
    pub issuer: String,
    pub indicators: Vec<record::feed::Draft>,
}

pub fn read_drafts(path: &Path) -> Result<Drafts, Failure> {
    super::super::must_exist_or_stdin(path)?;
    let bytes = output::read_input(path, DRAFTS_LIMIT as u64)?;
    Drafts::read(&bytes)
        .map_err(|error| Failure::new(Exit::Input, format!("{}: {error}", path.display())))
}

/// Puts content in place, or where nothing was: readers see the old file or the new one.
pub fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    countersign::files::replace(path, bytes)
        .map_err(|error| Failure::new(Exit::CannotCreate, format!("{}: {error}", path.display())))
}

/// Unix seconds.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
