//! The engine seen from outside.

mod adversarial;
mod clean;
mod corpus;
mod evasion;
mod hold;
mod indicators;
mod phrases;
mod quoted;
mod reference;
mod rulefile;
mod rules;
mod semantic;
