//! Append, never rewrite: the durable journal of all evidence and the RFC 6962 tree over it.
//!
//! The byte layout, what a crash may leave and what a verifier checks are in `spec/ledger.md`. The
//! story of an append: [`Ledger::append`] hands entries to the journal, which writes frames and
//! syncs them; [`Ledger::checkpoint`] records the head and signs it; [`Ledger::open`] believes
//! nothing it reads; [`read::Reader`] lets anybody else look.

mod append;
pub mod archive;
mod body;
pub mod clock;
mod damage;
mod entry;
pub mod follow;
mod frame;
mod head;
mod journal;
mod kind;
mod leaf;
mod leaves;
mod ledger;
pub mod lock;
mod log;
mod look;
mod materialise;
mod open;
mod options;
pub mod prune;
mod publish;
pub mod read;
mod rebuild;
pub mod repair;
mod segment;
mod setaside;
pub mod socket;
pub mod store;
mod stored;
mod survey;
mod tail;
mod tilecheck;
mod tiles;
mod walk;
mod window;

pub use append::{AppendError, Failure};
pub use body::Body;
pub use clock::{Clock, SystemClock};
pub use damage::{Cause, Damage};
pub use entry::{Entry, Prepared};
pub use head::Head;
pub use kind::{Kind, MAX_BODY, UnknownKind};
pub use leaf::{Leaf, LeafError, MAX_LEAF};
pub use ledger::{Done, Ledger};
pub use log::{Log, LogState};
pub use open::OpenError;
pub use options::Options;
pub use publish::{CheckpointError, Signed};
pub use read::Reader;
pub use store::Store;
pub use store::joints::{Blobs, HeadStore, Joints};
pub use stored::StoredTiles;
