//! What the checks may know of the outside: who says to be asking, when, and
//! what of a budget is left.

use std::sync::{Mutex, PoisonError};

use guard::owner::{IDENTITY_HEADERS, OwnerError, resolve};
use guard::{Effect, Facts, Grant, Identity, OwnerKind};
use http::HeaderMap;
use record::entry::{Owner, OwnerType};
use seal::time::UnixMillis;

use crate::recorder::Caller;
use crate::server::App;

/// The facts of one request, as they were when it came.
#[derive(Debug, Clone)]
pub(crate) struct Gathered {
    pub(crate) facts: Facts,
    pub(crate) now: UnixMillis,
    owner: Result<guard::Owner, OwnerError>,
}

/// What owners use, for all requests at once.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<guard::Counters>);

/// Reads the identity headers with all their duplicates, and the clock.
pub(crate) fn gather(app: &App, headers: &HeaderMap) -> Gathered {
    let mut values = Vec::new();
    for name in IDENTITY_HEADERS {
        values
            .extend(headers.get_all(name).iter().map(|v| (name.to_owned(), v.as_bytes().to_vec())));
    }
    let identity = Identity::asserted(values);
    let owner = resolve(&identity);
    let now = app.now();
    Gathered { facts: Facts::of(identity, now), now, owner }
}

impl Gathered {
    /// Who asks, as evidence says it; `unresolved` where the checks will refuse.
    pub(crate) fn caller(&self, required: bool) -> Caller {
        let owner = match &self.owner {
            Ok(owner) => Some(owner.clone()),
            Err(OwnerError::Missing) if !required => Some(guard::Owner::unattributed()),
            Err(_) => None,
        };
        let owner = owner.map_or_else(Owner::unresolved, |owner| {
            let kind = match owner.kind() {
                OwnerKind::Human => OwnerType::Human,
                OwnerKind::Agent => OwnerType::Agent,
                OwnerKind::Policy => OwnerType::Policy,
            };
            Owner::new(kind, owner.id())
        });
        let how = match &self.facts.identity {
            Some(identity) if self.owner.is_ok() => identity.how.clone(),
            _ => "unresolved".to_owned(),
        };
        Caller { approval_chain: owner.approval_chain(), owner, how }
    }

    /// Why there is no owner, where one is required.
    pub(crate) fn nobody(&self, required: bool) -> Option<&'static str> {
        match &self.owner {
            Ok(_) => None,
            Err(OwnerError::Missing) if !required => None,
            Err(error) => Some(error.code()),
        }
    }
}

impl Counters {
    /// Executes effects in order, all at once; reservations have results.
    pub(crate) fn execute(&self, effects: &[Effect], now: UnixMillis) -> Vec<Grant> {
        // Arithmetic only: a poisoned lock guards a state that is still right.
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        effects.iter().filter_map(|effect| counters.execute(effect, now)).collect()
    }

    /// What is reserved and not settled.
    pub(crate) fn outstanding(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).outstanding()
    }
}
