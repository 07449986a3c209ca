//! Tests of countersign-record, one binary.

// The rest of the house knows the crate by this name.
extern crate countersign_record as record;

mod audit;
mod cases;
mod chain;
mod checklist;
mod codes;
mod common;
mod decision;
mod feed;
mod feeddelta;
mod feedproof;
mod keychange;
mod mutations;
mod property;
mod shared;
mod trust;
mod vectors;
