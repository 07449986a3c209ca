//! Attestations from end to end.

mod gate;
mod logs;
mod project;
mod reading;
mod tamper;
