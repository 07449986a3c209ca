//! The engine seen from outside.

mod clean;
mod evasion;
mod rules;
