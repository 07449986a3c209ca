//! Subscriptions to signed feeds: whose indicators count here, and what was accepted of them.
//!
//! A feed is believed under keys that were pinned when it was subscribed to. What was accepted once
//! is a mark behind which no later document may fall, and an indicator that counted goes only when
//! its publisher revokes it or its time is over. Bytes and rules: `spec/feed-subscriptions.md`.
//!
//! Nothing here asks a network or a clock: documents and the time are handed in.

mod disk;
mod memory;
mod offer;
mod rules;
mod store;
mod subscription;
mod view;

pub use disk::{Document, PROOF, ROTATION, Source, SourceError, read_source, stem};
pub(crate) use memory::is_mark;
pub use memory::{LedgerMarks, Mark, Memory, MemoryError, NoMemory, note};
pub use offer::{Offer, OfferError, Outcome, Terms, Wanted};
pub use store::{All, Held, Store, StoreError, Writing};
pub use subscription::{Accepted, PinnedKey, Policy, Seen, Slot, Subscription, Taken};
pub use view::{Member, View};
