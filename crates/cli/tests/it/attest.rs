//! Attestations from end to end.

mod project;
mod tamper;
