//! One integration binary for the built `countersign`: commands as data, and whole runs of the product.

mod anchor;
mod append;
mod audit;
mod commands;
mod configuration;
mod deploy;
mod export;
mod faults;
mod flip;
mod interop;
mod join;
mod keys;
mod kill;
mod links;
mod log_check;
mod machine;
mod panics;
mod proofs;
mod quiet;
mod readme;
mod retention;
mod running;
mod sdk;
mod serving;
mod trail;
mod witness;
