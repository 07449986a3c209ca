//! Policies in Rego: a document in, violations out. The only home of the engine.
//!
//! What a policy says of a document depends on the two alone: clock, randomness and network do not
//! exist for it, and what it may cost is counted in instructions, so that it fails or passes on every
//! machine alike. How to write one: `docs/policy-guide.md`; what it sees: `spec/gates.md`.

mod builtins;
mod calls;
mod document;
mod nesting;
mod policy;

pub use document::Document;
pub use policy::{BUDGET, Dialect, EvalError, PACKAGE, Policy, PolicyError, Verdict};
