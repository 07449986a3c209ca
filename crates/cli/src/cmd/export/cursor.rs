//! The state of an export: how far it came, in a file of its own.

use std::path::Path;

use ledger::follow::Cursor;
use seal::Digest;
use seal::json::{self, Limits, Value};

use crate::exit::{Exit, Failure};

/// Longest file: sixty-four peaks and two names.
const LIMIT: usize = 16 << 10;

/// Reads a state file; `None` when there is none yet. One of another export is refused.
pub fn read(path: &Path, label: &str) -> Result<Option<Cursor>, Failure> {
    if !path.try_exists().map_err(|error| Failure::io(path, &error))? {
        return Ok(None);
    }
    let text = crate::output::read_text(path, LIMIT as u64)?;
    let refuse = |why: &str| {
        let why = format!("{}: {why}; it is no state of this export", path.display());
        Failure::new(Exit::Input, why)
    };
    let limits = Limits { bytes: LIMIT, depth: 3 };
    let value = json::parse(text.as_bytes(), limits).map_err(|error| refuse(&error.to_string()))?;
    let member = |name: &str| value.get(name);
    if member("v").and_then(Value::as_i64) != Some(1) {
        return Err(refuse("expected version 1"));
    }
    let found = member("export").and_then(Value::as_str).unwrap_or_default();
    if found != label {
        return Err(refuse(&format!("it is about {found:?}, this export is {label:?}")));
    }
    let digest = |value: &Value| value.as_str().and_then(|text| text.parse::<Digest>().ok());
    let cursor = (|| {
        Some(Cursor {
            origin: member("log")?.as_str()?.to_owned(),
            size: u64::try_from(member("size")?.as_i64()?).ok()?,
            peaks: member("peaks")?.as_array()?.iter().map(digest).collect::<Option<_>>()?,
        })
    })()
    .ok_or_else(|| refuse("expected log, size and peaks"))?;
    // The root stands there for people; it must be that of the peaks.
    match (cursor.root(), member("root").and_then(digest)) {
        (Some(root), Some(stated)) if root == stated => Ok(Some(cursor)),
        _ => Err(refuse("root and peaks disagree")),
    }
}

/// Puts the state in place, so that a crash leaves the old or the new.
pub fn write(path: &Path, label: &str, cursor: &Cursor) -> Result<(), Failure> {
    let size = i64::try_from(cursor.size).unwrap_or(i64::MAX);
    let root = cursor.root().map_or(Value::Null, Value::from);
    let mut text = json::write_plain(&Value::object([
        ("export", Value::from(label)),
        ("log", Value::from(cursor.origin.as_str())),
        ("peaks", Value::array(cursor.peaks.iter())),
        ("root", root),
        ("size", Value::Int(size)),
        ("v", Value::Int(1)),
    ]));
    text.push('\n');
    let written = match path.exists() {
        true => countersign::files::replace(path, text.as_bytes()),
        false => countersign::files::create(path, text.as_bytes(), true),
    };
    written.map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path.display())))
}
