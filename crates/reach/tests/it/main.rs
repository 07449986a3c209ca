//! The way out, against services that answer as they should not.

// The house calls the crate `reach`; Cargo knows it by its package name here.
extern crate countersign_reach as reach;

mod feeds;
mod http;
mod tsa;
mod witness;
