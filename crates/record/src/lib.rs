//! Floor 2: what is claimed, and does it hold?
//!
//! Receipts, capability statements, decision receipts, audit lines and the trust file: how each is
//! written byte for byte, read strictly, and judged. Pure: no clock, file, socket or environment;
//! time and bytes are arguments. Judging never stops at the first failure: findings go into a
//! [`Report`], each with a code of the one table in [`codes`].

pub mod agent;
pub mod anchor;
pub mod capability;
pub mod chainfile;
pub mod codes;
pub mod cores;
pub mod dag;
pub mod decision;
pub mod entry;
pub mod feed;
pub mod feeddelta;
pub mod feedproof;
pub mod feedrotation;
pub mod hash;
pub mod ioc;
pub mod keychange;
pub mod keyring;
pub mod logged;
pub mod receipt;
pub mod report;
pub mod retention;
pub mod source;
pub mod taint;
pub mod trust;
pub mod verify;

mod text;

pub use agent::AgentId;
pub use codes::{Code, ExitClass, Severity};
pub use decision::Decision;
pub use receipt::{Operation, Receipt, SignedReceipt, Verdict};
pub use report::{Assurance, Finding, Report};
pub use taint::TaintSet;
pub use trust::Trust;
