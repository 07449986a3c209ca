//! What was reviewed: typed statements about prompts, corpora, evals, routes, SLOs and models, the
//! bundles they travel in, and how they hang together.
//!
//! Pure: files, clocks and randomness are arguments. Bytes: `spec/attestations.md`.

pub mod bom;
pub mod bundle;
pub mod chain;
pub mod eval;
pub mod files;
pub mod gate;
pub mod glob;
pub mod manifest;
pub mod openssf;
pub mod privacy;
pub mod purl;
pub mod render;
pub mod sbom;
pub mod shape;
pub mod statement;
pub mod tlog;
pub mod types;
pub mod verify;
pub mod vsa;
mod weight;

pub use bundle::Bundle;
pub use files::{FileError, Files};
pub use purl::Purl;
pub use sbom::Sbom;
pub use statement::{Dependency, Statement, Subject, Tree};
pub use types::Type;
pub use verify::{Verification, examine, verify};
pub use vsa::Vsa;
