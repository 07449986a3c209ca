//! Attestations from end to end.

mod bom;
mod gate;
mod logs;
mod peers;
mod project;
mod reading;
mod tamper;
mod workflows;
