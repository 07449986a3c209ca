//! `countersign log check`: whether a ledger agrees with itself.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign::verify::structure;
use ledger::read::Progress;

use super::super::verify;
use crate::exit::Outcome;
use crate::output::Format;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log check
  countersign log check /backup/ledger --trust auditors.trust.yaml --format json

Compares journal, head, hash tiles, entry bundles and checkpoint with each other, byte for byte, and
judges the checkpoint's signature where the trust file has the log's key. Reads only, also beside a
running gateway. What the entries say is judged by `countersign verify`.

Exit 0: everything agrees; 12: something was altered, cut off, or contradicts the rest; 11: there is
no checkpoint, or none that a trusted key signed; 14: a file that does not belong there, or a tile
or bundle that is missing.")]
pub struct Args {
    /// The ledger; default: .countersign/ledger in --dir
    ledger: Option<PathBuf>,
    /// The trust file; default: as for `countersign verify`
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let path = args.ledger.unwrap_or_else(|| super::super::ledger_of(dir));
    super::super::must_exist(&path)?;
    let (file, passed_over) = super::super::trust_for(args.trust.as_deref(), dir, &path)?;
    let mut shown = Shown::new();
    let checked = structure(&path, file.as_ref(), &mut |progress| shown.show(progress));
    shown.clear();
    let mut report = checked.map_err(verify::failure)?;
    passed_over.into_iter().for_each(|remark| report.note(remark));
    verify::show(&report, args.format)
}

/// A line on a terminal that says how far it came.
struct Shown {
    terminal: bool,
    last: Instant,
    dirty: bool,
}

impl Shown {
    fn new() -> Shown {
        let terminal = std::io::stderr().is_terminal();
        Shown { terminal, last: Instant::now(), dirty: false }
    }

    fn show(&mut self, progress: Progress) {
        if !self.terminal || self.last.elapsed() < Duration::from_millis(200) {
            return;
        }
        let Progress { read, of } = progress;
        self.last = Instant::now();
        self.dirty = true;
        let _ = write!(std::io::stderr(), "\r{read} of {of} entries");
    }

    fn clear(&self) {
        if self.dirty {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
