//! The engine seen from outside.

mod adversarial;
mod clean;
mod evasion;
mod hold;
mod indicators;
mod phrases;
mod reference;
mod rulefile;
mod rules;
mod semantic;
