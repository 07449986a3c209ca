//! The ledger against every store, crash, fault and flipped byte.

// The house calls the crate `ledger`; Cargo knows it by its package name here.
extern crate countersign_ledger as ledger;

mod archive;
mod concurrent;
mod cosigned;
mod crash;
mod encryption;
mod every_fault;
mod faults;
mod files;
mod flips;
mod follow;
mod format;
mod fuzz;
mod joints;
mod killed;
mod lock;
mod processes;
mod prune;
mod reader;
mod recovery;
mod repair;
mod retention_faults;
mod segments;
mod socket;
mod suite;
mod support;
mod tiles;
