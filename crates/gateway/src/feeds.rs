//! Signed feeds, as far as the gateway needs to know of them. Who subscribes, fetches and believes is
//! told by [`Feeds`]; this crate only asks, and puts into force what counts.

use std::time::Duration;

use ledger::Entry;
use scan::{FeedRoot, Indicator};
use seal::time::UnixMillis;

/// The subscriptions of a gateway.
///
/// Contract: both calls may block, are made from a thread that may, and by one caller at a time.
/// What was accepted stays accepted whatever a publisher does: a call that fails has changed nothing.
/// Every text may come from a publisher; it is escaped where it is printed.
pub trait Feeds: Send + Sync {
    /// What counts at `now`.
    ///
    /// # Errors
    ///
    /// What is stored cannot be used, in words. Then what counted before goes on counting.
    fn counting(&self, now: UnixMillis) -> Result<Counting, String>;

    /// Asks every publisher for what is newer; no question takes longer than `deadline`. `keep`
    /// appends entries to the ledger, durably when it returns; what it does not take is not
    /// accepted.
    fn pull(&self, now: UnixMillis, deadline: Duration, keep: &mut Keep<'_>) -> Vec<Pulled>;
}

/// Appends to the ledger, or says why not.
pub type Keep<'k> = dyn FnMut(Vec<Entry>) -> Result<(), String> + 'k;

/// What counts at a moment.
#[derive(Debug, Clone, Default)]
pub struct Counting {
    /// The indicators.
    pub indicators: Vec<Indicator>,
    /// The feeds they are from, for the ruleset's digest.
    pub roots: Vec<FeedRoot>,
    /// The subscriptions.
    pub feeds: Vec<Feed>,
    /// When the next of the indicators ends by itself, Unix seconds.
    pub changes_at: Option<i64>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Who publishes it.
    pub issuer: String,
    /// The publisher's name for it.
    pub feed_id: String,
    /// The time of the document that counts, Unix seconds.
    pub issued_at: i64,
    /// The subscription's own bound on its age, seconds.
    pub max_age: Option<i64>,
    /// When a source of the publisher said last that this is the newest, Unix seconds; also to an
    /// earlier process.
    pub confirmed_at: Option<i64>,
}

/// What came of asking for one feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Who publishes it.
    pub issuer: String,
    /// The publisher's name for it.
    pub feed_id: String,
    /// Whether another document counts now, or why none does.
    pub result: Result<bool, Trouble>,
    /// What somebody should know of it all the same, such as an indicator that vanished without a
    /// revocation and is kept.
    pub told: Vec<String>,
}

/// Why nothing was taken; what counted before still counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody answered.
    #[error("{0}")]
    Unreachable(String),
    /// What came does not hold: tampered with, rolled back, too old.
    #[error("{0}")]
    Refused(String),
    /// A fault on our side.
    #[error("{0}")]
    Failed(String),
}

impl Trouble {
    /// For metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Trouble::Unreachable(_) => "unreachable",
            Trouble::Refused(_) => "refused",
            Trouble::Failed(_) => "failed",
        }
    }
}
