//! One integration binary for the built `countersign`: commands as data, and whole runs of the product.

mod anchor;
mod append;
mod audit;
mod commands;
mod configuration;
mod export;
mod faults;
mod flip;
mod interop;
mod keys;
mod join;
mod kill;
mod links;
mod machine;
mod panics;
mod proofs;
mod quiet;
mod readme;
mod running;
mod sdk;
mod serving;
mod trail;
mod witness;
