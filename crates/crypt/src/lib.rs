//! Encryption at rest with age (X25519): the bodies of a ledger for a list of recipients.
//!
//! The result is an armoured age file: text, as every body of a ledger, and what the `age` program
//! reads. Keys are never shown, neither in errors nor by `Debug`.

mod identities;
mod recipients;

pub use identities::{Identities, OpenError, UnusableIdentity};
pub use recipients::{Recipients, SealError, UnusableRecipient};
