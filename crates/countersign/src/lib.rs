//! The embedding API of Countersign: signed evidence for what an AI agent does, and its proof.
//!
//! Synchronous and small. An agent gets an [`AgentIdentity`], scans text with a [`Scanner`], and
//! records its steps with a [`ProvenanceLogger`]; anyone with a trust file checks the result with a
//! [`Verifier`] and walks it with a [`Tracer`].
//!
//! ```
//! use countersign::{Action, AgentIdentity, ProvenanceLogger, Scanner};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let agent = AgentIdentity::generate("agent:helper")?.allowed_models(["m1"]).issue()?;
//! let mut log = ProvenanceLogger::to_file(&agent, &dir.path().join("chain.jsonl"))?;
//!
//! let text = "What is the capital of France?";
//! let asked = log.record_user_input(text)?;
//! let scan = Scanner::builtin().scan(text);
//! let scanned = log.record_guardrail_scan(&[asked], text, &scan)?;
//! assert_eq!(scan.action(), Action::Allow);
//! log.record_model_call(&[scanned], "m1", text, "Paris.")?;
//!
//! // The statement names one model: another is refused before anything is written.
//! assert!(log.record_model_call(&[scanned], "m2", text, "Lyon.").is_err());
//! # Ok(())
//! # }
//! ```

pub mod anchor;
pub mod export;
pub mod feeds;
pub mod files;
mod git;
pub mod identity;
pub mod logger;
mod parallel;
pub mod prune;
pub mod scanner;
pub mod trace;
pub mod trustfile;
pub mod verify;

pub use identity::AgentIdentity;
pub use logger::ProvenanceLogger;
pub use record::agent::AgentId;
pub use record::report::{Assurance, ExitClass, Finding, Report};
pub use record::taint::TaintSet;
pub use scanner::{Action, Scanner, Verdict};
pub use seal::Digest;
pub use seal::json::Value;
pub use trace::Tracer;
pub use trustfile::TrustFile;
pub use verify::{Level, Verifier};
