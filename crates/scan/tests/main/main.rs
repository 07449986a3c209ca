//! The engine seen from outside.

mod clean;
mod evasion;
mod hold;
mod rules;
