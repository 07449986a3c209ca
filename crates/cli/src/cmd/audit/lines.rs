//! The audit lines of a log file, of standard input or of a ledger, one at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ledger::read::Item;
use ledger::{Body, Kind};
use record::entry::{self, LINE_LIMIT, ReadEntry};

use crate::cmd::identity::{Identity, look};
use crate::exit::{Exit, Failure};
use crate::output;

/// Opens a log; `None` for what is not a regular file.
pub fn open(path: &Path) -> Result<Option<Box<dyn BufRead>>, Failure> {
    if path == Path::new("-") {
        return Ok(Some(Box::new(BufReader::new(io::stdin()))));
    }
    let failed = |error: io::Error| Failure::io(path, &error);
    // Looked at before it is opened: opening a pipe waits for somebody to write.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Ok(None);
    }
    let file = File::open(path).map_err(failed)?;
    let regular = file.metadata().map_err(failed)?.is_file();
    Ok(regular.then(|| Box::new(BufReader::with_capacity(1 << 16, file)) as Box<dyn BufRead>))
}

/// Hands every line to `f` with its newline. Of an overlong one only so much is handed over that
/// it is seen to be one; the rest is skipped.
pub fn each_raw(
    path: &Path,
    input: &mut dyn BufRead,
    f: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::io(path, &error);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LINE_LIMIT as u64;
        if input.take(limit).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(());
        }
        if line.len() == LINE_LIMIT && !line.ends_with(b"\n") {
            input.skip_until(b'\n').map_err(failed)?;
        }
        f(&line)?;
    }
}

/// What is done with a line; `None` stands for one whose body is not here.
type EachLine<'f> = &'f mut dyn FnMut(Option<&[u8]>) -> Result<(), Failure>;

/// Hands the audit lines of a ledger to `f`, without newline.
fn each_of_ledger(path: &Path, identity: &Identity, f: EachLine<'_>) -> Result<(), Failure> {
    let (mut absent, mut said) = (0u64, String::new());
    let reader = look(path, identity)?;
    let mut entries = reader.entries();
    while let Some(item) = entries.next().map_err(|error| Failure::io(path, &error))? {
        match item {
            Item::Entry(entry) if entry.leaf.kind == Kind::Audit => match entry.body {
                Body::Present(line) => f(Some(line))?,
                Body::Pruned | Body::Encrypted(_) => {
                    if absent == 0 {
                        let why = entry.body.absence().unwrap_or_default();
                        let remedy = crate::cmd::export::take::remedy(entry.body);
                        said = format!("{why}, logged at index {}; {remedy}", entry.index);
                    }
                    absent += 1;
                    f(None)?;
                }
            },
            Item::Entry(_) => {}
            Item::Damage(damage) => {
                output::complain(&format!("{damage}; run `countersign verify`"));
            }
        }
    }
    if absent > 0 {
        output::complain(&format!("{absent} audit lines are not here, the first: {said}"));
    }
    Ok(())
}

/// Hands every line of a log or ledger to `f`, without what frames it.
pub fn each(
    path: &Path,
    identity: &Identity,
    f: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    each_or_gap(path, identity, &mut |line| line.map_or(Ok(()), &mut *f))
}

/// The same, with `None` for each line that was logged and is not here.
fn each_or_gap(path: &Path, identity: &Identity, f: EachLine<'_>) -> Result<(), Failure> {
    if path.is_dir() || !path.exists() && path != Path::new("-") {
        return each_of_ledger(path, identity, f);
    }
    let Some(mut input) = open(path)? else {
        return Err(Failure::new(Exit::Input, format!("{}: not a regular file", path.display())));
    };
    let mut first = true;
    each_raw(path, &mut *input, &mut |raw| {
        let bom: &[u8] = if std::mem::take(&mut first) { b"\xef\xbb\xbf" } else { b"" };
        match raw.strip_prefix(bom).unwrap_or(raw).trim_ascii() {
            [] => Ok(()),
            line => f(Some(line)),
        }
    })
}

/// What is done with an entry and its line.
type EachEntry<'f> = &'f mut dyn FnMut(&ReadEntry, &[u8]) -> Result<(), Failure>;

/// Hands every entry that can be read to `f`, with its line; returns how many lines could not.
pub fn each_entry(path: &Path, identity: &Identity, f: EachEntry<'_>) -> Result<u64, Failure> {
    each_entry_after(path, identity, &mut |read, line, _| f(read, line))
}

/// What is done with an entry, its line, and whether lines before it are not here.
type EachEntryAfter<'f> = &'f mut dyn FnMut(&ReadEntry, &[u8], bool) -> Result<(), Failure>;

/// The same, and `f` is told where lines were skipped because their bodies are not here.
pub fn each_entry_after(
    path: &Path,
    identity: &Identity,
    f: EachEntryAfter<'_>,
) -> Result<u64, Failure> {
    let (mut unreadable, mut gap) = (0, false);
    each_or_gap(path, identity, &mut |line| {
        let Some(line) = line else {
            gap = true;
            return Ok(());
        };
        match entry::read_line(line) {
            Ok(read) => f(&read, line, std::mem::take(&mut gap)),
            Err(_) => {
                unreadable += 1;
                Ok(())
            }
        }
    })?;
    Ok(unreadable)
}
