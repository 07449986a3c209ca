//! The habits of this repository, held by tests (`tests/tidy.rs`).
//!
//! A rule here reads the tree as text and returns what breaks it, one line each: a place, what is
//! wrong, and what to do. No rule needs a tool beyond git and cargo.

pub mod rust;
pub mod tidy;
pub mod tree;
