//! What a log signed and should not have: kept, with what was cosigned before, so that anybody can
//! judge it without us.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use seal::digest::Digest;
use seal::json::{self, Value};

use super::disk::{self, Disk, Torn};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Two roots of one size, both signed by the log: proof by itself.
    Fork,
    /// Larger than what was cosigned, with a proof that does not hold. The log may have forked, or
    /// somebody handed in a good checkpoint with a bad proof.
    Unproven,
}

impl Why {
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Fork => "fork",
            Why::Unproven => "unproven",
        }
    }

    /// The most files of this kind for one log. Anybody can hand in a bad proof; only the log can
    /// fork, and after the first one nothing it says matters.
    fn most(self) -> usize {
        match self {
            Why::Fork => 256,
            Why::Unproven => 64,
        }
    }
}

/// What a log did.
pub(super) struct Misdeed<'a> {
    /// What was cosigned last: a note.
    pub cosigned: Option<&'a str>,
    /// The text of the checkpoint that was refused.
    pub text: &'a str,
    /// The whole submission.
    pub body: &'a [u8],
    /// When, in Unix seconds.
    pub time_seconds: u64,
    /// How bad it is.
    pub why: Why,
}

/// What became of a misdeed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It lies there now.
    At(PathBuf),
    /// This checkpoint was kept before.
    Already,
    /// There is enough of this kind: only the log line tells of it.
    Full,
}

/// How much is kept of one log.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    forks: usize,
    unproven: usize,
}

impl Evidence {
    /// Counts what lies in a directory.
    pub fn count(dir: &Path) -> io::Result<Evidence> {
        let mut evidence = Evidence::default();
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            for why in [Why::Fork, Why::Unproven] {
                let ours =
                    name.strip_prefix(why.as_str()).is_some_and(|rest| rest.starts_with('-'));
                if ours && name.ends_with(".json") {
                    *evidence.of(why) += 1;
                }
            }
        }
        Ok(evidence)
    }

    fn of(&mut self, why: Why) -> &mut usize {
        match why {
            Why::Fork => &mut self.forks,
            Why::Unproven => &mut self.unproven,
        }
    }

    /// Keeps it durably and says where, unless this checkpoint is kept already or enough is.
    pub fn keep(&mut self, disk: &dyn Disk, dir: &Path, misdeed: &Misdeed<'_>) -> io::Result<Kept> {
        let Misdeed { cosigned, text, body, time_seconds, why } = *misdeed;
        // One file for each checkpoint, however often it is handed in.
        let name = name(why, text);
        let path = dir.join(&name);
        if path.try_exists()? {
            return Ok(Kept::Already);
        }
        if *self.of(why) >= why.most() {
            return Ok(Kept::Full);
        }
        let value = Value::object([
            ("cosigned", cosigned.map_or(Value::Null, Value::from)),
            ("refused", Value::from(&*String::from_utf8_lossy(body))),
            ("time", time_seconds.into()),
            ("v", 1_u64.into()),
            ("why", why.as_str().into()),
        ]);
        let bytes = json::write_plain(&value);
        match disk::replace(disk, dir, &name, bytes.as_bytes()) {
            Ok(()) => {
                *self.of(why) += 1;
                Ok(Kept::At(path))
            }
            Err(Torn::Before(error) | Torn::Unknown(error)) => Err(error),
        }
    }

    /// This checkpoint was cosigned: that somebody handed it in with a bad proof before says nothing
    /// about the log, and makes room for what does.
    pub fn settle(&mut self, dir: &Path, text: &str) {
        if self.unproven > 0 && fs::remove_file(dir.join(name(Why::Unproven, text))).is_ok() {
            self.unproven -= 1;
        }
    }
}

fn name(why: Why, text: &str) -> String {
    format!("{}-{}.json", why.as_str(), &Digest::of(text.as_bytes()).hex()[..32])
}
