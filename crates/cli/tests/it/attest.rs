//! Attestations from end to end.

mod bom;
mod gate;
mod project;
mod reading;
mod tamper;
