//! The embedding API as a program uses it.

mod anchors;
mod audit;
mod entries;
mod example;
mod feeds;
mod keychange;
mod ledger;
mod logger;
mod paths;
mod pruned;
mod trust;
