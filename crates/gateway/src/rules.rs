//! The rules in force, and how others take their place while requests are under way.
//!
//! A request takes the rules once, at its beginning, and is judged by them to its end: streams,
//! held text and every piece of its evidence name that one ruleset. To replace them is to store one
//! pointer; nobody waits for it, and what was begun goes on as it began.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use guard::{GuardConfig, Pipeline, Run};
use scan::{Engine, Target};

use crate::recorder::{RecordError, Recorder, Ruleset};

/// The checks with one ruleset, whose body is durable in the ledger.
#[derive(Debug)]
pub(crate) struct Rules {
    pipeline: Pipeline,
    ruleset: Ruleset,
}

impl Rules {
    /// `None` where the body that was kept is that of another engine.
    fn new(pipeline: Pipeline, ruleset: Ruleset) -> Option<Rules> {
        let same = pipeline.engine().ruleset_digest() == ruleset.digest();
        same.then_some(Rules { pipeline, ruleset })
    }

    /// What evidence of a request under these rules names.
    pub(crate) fn ruleset(&self) -> &Ruleset {
        &self.ruleset
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        self.pipeline.engine()
    }

    /// Begins the checks of a request.
    pub(crate) fn start(&self) -> Run {
        self.pipeline.start()
    }
}

/// Where every request takes its rules from.
#[derive(Debug)]
pub(crate) struct InForce {
    now: RwLock<Arc<Rules>>,
    /// Replaced ones that requests may still hold: they are given up here, not by the request that
    /// happens to be the last, since that takes a while where there are many indicators.
    former: Mutex<Vec<Arc<Rules>>>,
}

impl InForce {
    /// Of the start.
    pub(crate) fn new(pipeline: Pipeline, ruleset: Ruleset) -> Option<InForce> {
        let rules = Arc::new(Rules::new(pipeline, ruleset)?);
        Some(InForce { now: RwLock::new(rules), former: Mutex::default() })
    }

    /// The rules for a request that begins now. The lock is held for a pointer's copy, by readers
    /// and by the one who replaces it.
    pub(crate) fn now(&self) -> Arc<Rules> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts these checks into force once their ruleset is durable; with an error, or the same
    /// digest, nothing changes. Only one may do so at a time.
    pub(crate) async fn replace(
        &self,
        recorder: &Recorder,
        pipeline: Pipeline,
    ) -> Result<bool, RecordError> {
        if pipeline.engine().ruleset_digest() == self.now().ruleset.digest() {
            return Ok(false);
        }
        let ruleset = {
            let engine = pipeline.engine();
            recorder.keep_ruleset(engine.rules_body(), engine.ruleset_body()).await?
        };
        let Some(next) = Rules::new(pipeline, ruleset) else {
            return Err(RecordError::Form("the ruleset has another digest".to_owned()));
        };
        let next = Arc::new(next);
        let former = {
            let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, next)
        };
        recorder.enforce(&ruleset);
        self.former.lock().unwrap_or_else(PoisonError::into_inner).push(former);
        Ok(true)
    }

    /// Whether there is anything to give up.
    pub(crate) fn has_former(&self) -> bool {
        !self.former.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Gives up replaced rules that no request holds any more. Not for a worker's thread.
    pub(crate) fn sweep(&self) {
        let mut former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        let (held, free) = former.drain(..).partition(|rules| Arc::strong_count(rules) > 1);
        *former = held;
        drop(former);
        drop::<Vec<Arc<Rules>>>(free);
    }
}

/// The checks over an engine, with everything made that the first request would otherwise wait for.
pub(crate) fn prepare(config: &GuardConfig, engine: Engine) -> Pipeline {
    // Only what a model writes comes in pieces.
    for target in [Target::Output, Target::ToolCall] {
        engine.holder(target);
    }
    Pipeline::new(config.clone(), Arc::new(engine))
}
