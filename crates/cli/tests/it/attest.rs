//! Attestations from end to end.

mod project;
mod reading;
mod tamper;
