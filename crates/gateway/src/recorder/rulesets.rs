//! Which rulesets the ledger holds: a request is judged under one whose body is durable, and under
//! that one alone, from its beginning to its end.

use std::sync::PoisonError;

use ledger::{Entry, Kind, Prepared};
use seal::digest::Digest;

use super::write::Batch;
use super::{RecordError, Recorder, nothing};

/// The digest of a ruleset whose body is durable in the ledger; only a durable append makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruleset(Digest);

impl Ruleset {
    /// The digest that evidence names.
    pub fn digest(&self) -> Digest {
        self.0
    }
}

impl Recorder {
    /// The ruleset in force.
    pub fn ruleset(&self) -> Ruleset {
        Ruleset(self.core.ruleset())
    }

    /// Digest of the ruleset in force.
    pub fn ruleset_digest(&self) -> Digest {
        self.core.ruleset()
    }

    /// Stores the body of a ruleset, and before it that of the rules it names, unless they are
    /// there. It is not in force by that.
    pub(crate) async fn keep_ruleset(
        &self,
        rules: String,
        body: String,
    ) -> Result<Ruleset, RecordError> {
        let digest = Digest::of(body.as_bytes());
        let mut batch = Batch::default();
        batch.bodies.push((Kind::Ruleset, Digest::of(rules.as_bytes()), rules));
        batch.bodies.push((Kind::Ruleset, digest, body));
        self.core.writer.write(batch, nothing()).await.map(|_| Ruleset(digest))
    }

    /// Appends entries that are no evidence of a request. Blocking.
    pub(crate) fn append(&self, entries: Vec<Entry>) -> Result<(), RecordError> {
        let form = |error: ledger::AppendError| RecordError::Form(error.to_string());
        let entries = entries.into_iter().map(Prepared::of).collect::<Result<Vec<_>, _>>();
        let appended = self.core.writer.log().append_prepared(entries.map_err(form)?);
        appended.map(drop).map_err(|error| RecordError::Append(error.to_string()))
    }

    /// From here on this ruleset is named where no request is spoken of.
    pub(crate) fn enforce(&self, ruleset: &Ruleset) {
        *self.core.ruleset.write().unwrap_or_else(PoisonError::into_inner) = ruleset.0;
    }
}

impl super::Core {
    pub(super) fn ruleset(&self) -> Digest {
        *self.ruleset.read().unwrap_or_else(PoisonError::into_inner)
    }
}
