//! What tests stand on: a clock that is told the time, keys from seeds, a disk that fails.
//!
//! Development only: nothing here is part of the product, and everything is deterministic.

pub mod clock;
pub mod fault_store;
pub mod https;
pub mod recorded;
pub mod rng;
pub mod stubborn_store;
pub mod tsa;
pub mod tsa_server;
pub mod upstream;

use std::sync::Arc;

use seal::key::SecretKey;

/// The key of a seed byte: the same in every run.
pub fn key(seed: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_seed([seed; 32]))
}
