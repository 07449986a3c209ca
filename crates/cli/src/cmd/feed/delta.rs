//! What changed since the last publishings, beside a large feed: subscribers fetch that instead.

use std::fs;
use std::path::Path;

use record::feed::{self, Feed, LIMIT};
use record::feeddelta;

use super::source::put;
use crate::exit::{Exit, Failure};
use crate::output;

/// A feed of fewer indicators is fetched whole.
pub const LEAST: usize = 64;
/// So many former publishings can be led on from.
const FORMER: usize = 8;

/// The end of a delta's name: `feed.json` has `feed.delta.<16 digits of the base's root>.json`.
pub fn name(base: &Feed) -> String {
    format!(".delta.{}.json", base.root.hex().get(..16).unwrap_or_default())
}

/// Keeps the publishing that goes in `history`, and writes what leads on from those before. What
/// only saves bytes may be missing: a file that does not read is left out.
pub fn write(history: &Path, out: &Path, before: Option<&Feed>, new: &Feed) -> Result<(), Failure> {
    let cannot = |path: &Path, error: std::io::Error| {
        Failure::new(Exit::CannotCreate, format!("{}: {error}", path.display()))
    };
    if new.iocs.len() >= LEAST
        && let Some(before) = before
    {
        fs::create_dir_all(history).map_err(|error| cannot(history, error))?;
        let name = format!("{:020}.json", before.issued_at);
        put(&history.join(name), before.to_json().as_bytes())?;
    }
    let list = |dir: &Path, start: &str| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut paths: Vec<_> = entries
            .filter(|path| name(path).starts_with(start) && name(path).ends_with(".json"))
            .collect();
        paths.sort();
        paths
    };
    let mut former = list(history, "");
    for old in former.drain(..former.len().saturating_sub(FORMER)) {
        fs::remove_file(&old).map_err(|error| cannot(&old, error))?;
    }
    let stale = list(out, "feed.delta.");
    let mut written = Vec::new();
    if new.iocs.len() >= LEAST {
        for path in former {
            let base = output::read_input(&path, LIMIT as u64).ok();
            let Some(base) = base.and_then(|bytes| feed::read(&bytes).ok()) else { continue };
            if let Some(delta) = feeddelta::write(&base, new) {
                let path = out.join(format!("feed{}", name(&base)));
                put(&path, delta.as_bytes())?;
                written.push(path);
            }
        }
    }
    for path in stale.iter().filter(|path| !written.contains(path)) {
        fs::remove_file(path).map_err(|error| cannot(path, error))?;
    }
    Ok(())
}
