//! An exchange and facts in, a ruling out.
//!
//! Pure: a check is a state machine that names the outside facts it wants and the effects it asks
//! for; somebody else fetches and executes them, and their results come back as facts. So a ruling
//! can be replayed from the stored exchange, facts, configuration and ruleset.
//!
//! It fails closed: a wanted fact that does not come is a refusal, and rulings join as
//! deny > escalate > redact > allow over all checks.

pub mod check;
pub mod checks;
pub mod config;
pub mod counters;
pub mod facts;
pub mod owner;
pub mod pipeline;
pub mod verdict;

mod finder;
mod numbers;
mod words;

pub use check::{Check, Completion, Ending, Event, State, TextEvent, Turn};
pub use config::{ConfigError, GuardConfig};
pub use counters::{CounterKey, Counters, Grant, Window};
pub use facts::{Effect, Facts, Identity, Want};
pub use finder::{Found, Scanned, Spot};
pub use owner::{Owner, OwnerKind};
pub use pipeline::{Outcome, Pipeline, Run};
pub use verdict::{Cause, Place, Redaction, Ruling};
