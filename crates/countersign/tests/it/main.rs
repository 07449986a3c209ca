//! The embedding API as a program uses it.

mod example;
mod ledger;
mod logger;
mod trust;
