//! What the scan engine makes of an indicator's pattern.

use record::feed::{Draft, Fault};
use record::ioc::Kind;
use scan::{Engine, Indicator, Limits, Options, Severity, Target};

/// Says why the engine would refuse a pattern.
pub fn compiles(kind: Kind, pattern: &str) -> Result<(), String> {
    scan::check_pattern(kind, pattern, &Limits::default()).map_err(|error| error.to_string())
}

/// An engine that looks for one pattern and nothing else.
pub struct Looker(Engine);

impl Looker {
    pub fn new(kind: Kind, pattern: &str) -> Result<Looker, String> {
        let id = format!("sha256:{}", "0".repeat(64));
        let severity = Severity::High;
        let indicator =
            Indicator::of_feed("draft".into(), &id, kind, pattern.to_owned(), severity, Vec::new());
        let built = Engine::build(Vec::new(), vec![indicator], &Options::default());
        let (engine, refused) = built.map_err(|error| error.to_string())?;
        match refused.into_iter().next() {
            Some(refused) => Err(refused.reason.to_string()),
            None => Ok(Looker(engine)),
        }
    }

    /// Whether the text has the pattern, in any reading that the engine makes of it.
    pub fn finds(&self, text: &str) -> Result<bool, String> {
        let scan = self.0.scan(text, Target::Input);
        if scan.hits.iter().any(|hit| hit.source.content_hash().is_some()) {
            return Ok(true);
        }
        match scan.incomplete() {
            true => Err("a sample is too much to be read to its end".to_owned()),
            false => Ok(false),
        }
    }
}

/// Runs a draft's samples.
pub fn faults(draft: &Draft) -> Vec<Fault> {
    match Looker::new(draft.kind, &draft.pattern) {
        Ok(looker) => draft.faults(&|text| looker.finds(text)),
        Err(why) => vec![Fault::Pattern(why)],
    }
}
