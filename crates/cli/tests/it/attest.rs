//! Attestations from end to end.

mod gate;
mod project;
mod reading;
mod tamper;
