//! Attestations from end to end.

mod bom;
mod gate;
mod peers;
mod project;
mod reading;
mod tamper;
mod workflows;
