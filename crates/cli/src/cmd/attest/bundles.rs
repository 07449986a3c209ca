//! Bundles on disk, one at a time: what is read ahead is held in memory.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use attest::bundle::{LIMIT, proof_name};
use attest::privacy::Salts;
use attest::verify::Blob;
use record::logged;
use record::report::{Code, Finding};
use seal::Zeroizing;

use super::create::SALTS;
use crate::exit::{Exit, Failure};
use crate::output;

/// How files of bundles end; others in the same directory are left alone.
pub const SUFFIX: &str = attest::bundle::ENDING;

/// The bundles of a directory, sorted by name, or the one file that is named.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    crate::cmd::must_exist(path)?;
    match path.is_dir() {
        true => ending(path, SUFFIX),
        false => Ok(vec![path.to_owned()]),
    }
}

/// The salts that are named, and those beside the bundles.
pub fn salts(path: &Path, named: &[PathBuf]) -> Result<Vec<Salts>, Failure> {
    let read = |path: &PathBuf| {
        let text = Zeroizing::new(output::read_input(path, SALTS_LIMIT)?);
        Salts::read(&text)
            .map(|(_, salts)| salts)
            .map_err(|error| Failure::new(Exit::Input, format!("{}: {error}", output::path(path))))
    };
    let mut salts = named.iter().map(read).collect::<Result<Vec<Salts>, Failure>>()?;
    if path.is_dir() {
        let plain = |path: &PathBuf| path.symlink_metadata().is_ok_and(|data| data.is_file());
        // Nobody named these: one that is none is missed where a commitment needs it.
        let beside = ending(path, SALTS)?;
        salts.extend(beside.iter().filter(|path| plain(path)).filter_map(|path| read(path).ok()));
    }
    Ok(salts)
}

/// A file of salts is a line.
const SALTS_LIMIT: u64 = 64 << 10;

fn ending(path: &Path, suffix: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| Failure::io(path, &error))? {
        let entry = entry.map_err(|error| Failure::io(path, &error))?;
        if entry.file_name().as_encoded_bytes().ends_with(suffix.as_bytes()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Reads them as they are asked for. What is no plain file is a finding, and is not opened.
pub fn read(paths: &[PathBuf]) -> impl Iterator<Item = Blob> {
    paths.iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Blob { name, bytes: content(path, LIMIT), proof: proof(path) }
    })
}

/// The proof of a log beside a bundle, if one is there.
pub fn proof(bundle: &Path) -> Option<Result<Vec<u8>, Finding>> {
    let path = bundle.with_file_name(proof_name(bundle.file_name()?.to_str()?));
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Ok(_) | Err(_) => Some(content(&path, logged::LIMIT)),
    }
}

fn content(path: &Path, limit: usize) -> Result<Vec<u8>, Finding> {
    let refused = |code, detail: String| Finding::new(code, "", detail);
    let unread = |error: std::io::Error| refused(Code::FileSpecial, error.to_string());
    // Looked at before it is opened: opening a pipe waits for somebody to write.
    let before = fs::symlink_metadata(path).map_err(unread)?;
    let file = match before.is_file() {
        true => File::open(path).map_err(unread)?,
        false => return Err(refused(Code::FileSpecial, String::new())),
    };
    let size = before.len();
    if size > limit as u64 {
        return Err(refused(Code::FileLimit, format!("more than {limit} bytes")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    Ok(bytes)
}
