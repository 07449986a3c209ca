//! `audit tail --follow`: the last lines of a ledger, and those that come.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use ledger::Kind;
use ledger::follow::Follow;

use crate::cmd::export::out::Out;
use crate::cmd::export::stop::Stop;
use crate::cmd::identity::Identity;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Format;

/// How often the checkpoint is looked at.
const PAUSE: Duration = Duration::from_millis(500);

pub fn run(path: &Path, identity: &Identity, count: usize, format: Format) -> Outcome {
    crate::cmd::must_exist(path)?;
    if !path.is_dir() {
        return Err(Failure::new(Exit::Usage, "--follow is about a ledger, not about a log"));
    }
    let failed = |error| crate::cmd::export::failure(path, error);
    let mut follow = Follow::open_dir(path, None, None).map_err(failed)?.opening(identity.read()?);
    let stop = Stop::install()?;
    let mut out = Out::open(None, false)?;
    let mut lines: VecDeque<Vec<u8>> = VecDeque::new();
    let mut keep = Some(count);
    loop {
        let polled = follow.poll(&mut |entry| {
            if let (Kind::Audit, Some(line)) = (entry.leaf.kind, entry.body.present()) {
                lines.push_back(line.to_vec());
                if keep.is_some_and(|count| lines.len() > count) {
                    lines.pop_front();
                }
            }
            if stop.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        for line in lines.drain(..) {
            out.write(super::shown(&line, format).as_bytes())?;
        }
        out.flush()?;
        polled.map_err(failed)?;
        keep = None;
        if out.is_closed() || stop.wait(PAUSE) {
            return Ok(Exit::Ok);
        }
    }
}
